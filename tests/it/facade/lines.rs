//! What an item promises: a line for it, and one for each of its parts.

use std::collections::BTreeSet;

use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Expr, Fields, Generics, Ident, ImplItem, Item, ItemEnum, ItemImpl, ItemStruct, ItemTrait, Path,
    Signature, Token, TraitItem, Visibility,
};

use super::tokens::text;
use crate::imports::parsed::is_for_tests;

struct Lines<'a> {
    path: &'a str,
    lines: BTreeSet<String>,
}

/// The lines of an item that is offered under a path.
pub(super) fn lines(path: &str, item: &Item, impls: &[&ItemImpl]) -> BTreeSet<String> {
    let mut lines = Lines { path, lines: BTreeSet::new() };
    match item {
        Item::Const(item) => {
            // What is computed is too long for a line.
            let value = match &*item.expr {
                Expr::Lit(value) => format!(" = {}", text(value)),
                _ => String::new(),
            };
            lines.add("", &format!("const {}{value}", text(&item.ty)));
        }
        Item::Enum(item) => lines.add_enum(item),
        Item::Fn(item) => lines.add("", &signature(&item.sig)),
        Item::Macro(_) => lines.add("", "macro"),
        Item::Static(item) => lines.add("", &format!("static {}", text(&item.ty))),
        Item::Struct(item) => lines.add_struct(item),
        Item::Trait(item) => lines.add_trait(item),
        Item::Type(item) => lines.add("", &format!("type{} = {}", generics(&item.generics), text(&item.ty))),
        _ => panic!("{path} is something that no line is known for"),
    }
    for item in impls {
        lines.add_impl(item);
    }
    lines.lines
}

impl Lines<'_> {
    fn add(&mut self, part: &str, what: &str) {
        self.lines.insert(format!("{}{part}  {what}", self.path));
    }

    fn add_enum(&mut self, item: &ItemEnum) {
        self.add("", &format!("{}enum{}", non_exhaustive(&item.attrs), generics(&item.generics)));
        for variant in item.variants.iter().filter(|variant| !is_hidden(&variant.attrs)) {
            let what = format!("{}variant{}", non_exhaustive(&variant.attrs), content(&variant.fields));
            self.add(&format!("::{}", variant.ident), &what);
        }
        self.add_derived(&item.attrs);
    }

    fn add_struct(&mut self, item: &ItemStruct) {
        let mut rest = "";
        for (position, field) in item.fields.iter().enumerate() {
            if is_offered(&field.attrs, &field.vis) {
                let name = field.ident.as_ref().map_or_else(|| position.to_string(), Ident::to_string);
                self.add(&format!(".{name}"), &text(&field.ty));
            } else {
                rest = " { .. }";
            }
        }
        self.add("", &format!("{}struct{}{rest}", non_exhaustive(&item.attrs), generics(&item.generics)));
        self.add_derived(&item.attrs);
    }

    fn add_trait(&mut self, item: &ItemTrait) {
        let above = if item.supertraits.is_empty() { String::new() } else { format!(": {}", text(&item.supertraits)) };
        self.add("", &format!("trait{}{above}", generics(&item.generics)));
        for part in &item.items {
            match part {
                TraitItem::Const(item) => self.add(&format!("::{}", item.ident), &format!("const {}", text(&item.ty))),
                TraitItem::Fn(item) if !is_hidden(&item.attrs) => {
                    let provided = if item.default.is_some() { "provided " } else { "" };
                    self.add(&format!("::{}", item.sig.ident), &format!("{provided}{}", signature(&item.sig)));
                }
                TraitItem::Type(item) => {
                    let bounds =
                        if item.bounds.is_empty() { String::new() } else { format!(": {}", text(&item.bounds)) };
                    self.add(&format!("::{}", item.ident), &format!("type{bounds}"));
                }
                _ => {}
            }
        }
    }

    fn add_impl(&mut self, item: &ItemImpl) {
        if let Some((path, _)) = &item.trait_ {
            return self.add_trait_of(path);
        }
        let is_generic = !item.generics.params.is_empty();
        let of = if is_generic { format!("impl{} ", generics(&item.generics)) } else { String::new() };
        for part in &item.items {
            match part {
                ImplItem::Const(item) if is_offered(&item.attrs, &item.vis) => {
                    self.add(&format!("::{}", item.ident), &format!("{of}const {}", text(&item.ty)));
                }
                ImplItem::Fn(item) if is_offered(&item.attrs, &item.vis) => {
                    self.add(&format!("::{}", item.sig.ident), &format!("{of}{}", signature(&item.sig)));
                }
                _ => {}
            }
        }
    }

    fn add_derived(&mut self, attributes: &[Attribute]) {
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("derive")) {
            let derived = attribute.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated).unwrap();
            derived.iter().for_each(|path| self.add_trait_of(path));
        }
    }

    /// A trait by its last name: files name the same one by different paths.
    fn add_trait_of(&mut self, path: &Path) {
        if let Some(last) = path.segments.last() {
            self.add("", &format!("impl {}", text(last)));
        }
    }
}

/// Whether the documentation leaves it out.
pub(super) fn is_hidden(attributes: &[Attribute]) -> bool {
    let docs = attributes.iter().filter(|attribute| attribute.path().is_ident("doc"));
    docs.filter_map(|attribute| attribute.parse_args::<Ident>().ok()).any(|word| word == "hidden")
}

fn is_offered(attributes: &[Attribute], visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_)) && !is_hidden(attributes) && !is_for_tests(attributes)
}

fn non_exhaustive(attributes: &[Attribute]) -> &'static str {
    let is_one = |attribute: &Attribute| attribute.path().is_ident("non_exhaustive");
    if attributes.iter().any(is_one) { "#[non_exhaustive] " } else { "" }
}

fn generics(generics: &Generics) -> String {
    let conditions = generics.where_clause.as_ref().map_or_else(String::new, |clause| format!(" {}", text(clause)));
    text(generics) + &conditions
}

/// A function without what is its own affair: that an argument is changed inside.
fn signature(signature: &Signature) -> String {
    text(signature).replace("(mut ", "(").replace(", mut ", ", ")
}

/// What is in a variant.
fn content(fields: &Fields) -> String {
    let listed = |parts: Vec<String>| parts.join(", ");
    match fields {
        Fields::Unit => String::new(),
        Fields::Unnamed(fields) => {
            format!(" ({})", listed(fields.unnamed.iter().map(|field| text(&field.ty)).collect()))
        }
        Fields::Named(fields) => {
            let field = |field: &syn::Field| format!("{}: {}", field.ident.to_token_stream(), text(&field.ty));
            format!(" {{ {} }}", listed(fields.named.iter().map(field).collect()))
        }
    }
}
