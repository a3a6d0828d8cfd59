//! What the code of a module says: the names it defines, the modules it declares, and the paths it uses.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{
    Attribute, Ident, ImplItem, Item, ItemConst, ItemEnum, ItemFn, ItemMod, ItemStatic, ItemStruct, ItemTrait,
    ItemType, ItemUnion, ItemUse, Macro, Meta, Path, Token, TraitItem, UseTree,
};

/// Names joined by `::`.
pub(crate) type Segments = Vec<String>;

/// What a `use` gives: a path under a name, or all names of a module.
pub(crate) struct Use {
    pub(crate) path: Segments,
    pub(crate) given: Given,
}

#[derive(PartialEq)]
pub(crate) enum Given {
    Name(String),
    /// `as _`
    Nothing,
    All,
}

#[derive(Default)]
pub(super) struct Parsed {
    pub(super) defined: BTreeSet<String>,
    /// Those of the defined names that work without being named, once they are imported.
    pub(super) traits: BTreeSet<String>,
    /// Names that macros may define: all that are in a call of one.
    pub(super) in_macros: BTreeSet<String>,
    pub(super) modules: Vec<Module>,
    /// Those inside of functions too.
    pub(super) uses: Vec<Use>,
    pub(super) paths: BTreeSet<Segments>,
    /// Whether there is more than declared modules and imports.
    pub(super) has_code: bool,
}

pub(super) struct Module {
    pub(super) name: String,
    pub(super) for_tests: bool,
    /// What is between its braces; nothing if it has a file.
    pub(super) inside: Option<Vec<Item>>,
}

impl Parsed {
    pub(super) fn new(items: &[Item]) -> Self {
        let mut parsed = Self::default();
        for item in items {
            parsed.define(item);
            parsed.visit_item(item);
        }
        parsed
    }

    fn define(&mut self, item: &Item) {
        if is_for_tests(attributes(item)) {
            return;
        }
        self.has_code |= !matches!(item, Item::Use(_) | Item::Mod(ItemMod { content: None, .. }));
        self.defined.extend(defined(item).map(name));
        match item {
            Item::Trait(item) => _ = self.traits.insert(name(&item.ident)),
            Item::Macro(item) => {
                let mut paths = BTreeSet::new();
                paths_of(item.mac.tokens.clone(), &mut paths);
                self.in_macros.extend(paths.into_iter().flatten());
            }
            _ => {}
        }
    }
}

impl Visit<'_> for Parsed {
    fn visit_item(&mut self, item: &Item) {
        if let Item::Mod(module) = item {
            let for_tests = is_for_tests(&module.attrs);
            let inside = module.content.as_ref().map(|(_, items)| items.clone());
            self.modules.push(Module { name: name(&module.ident), for_tests, inside });
        } else if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &ImplItem) {
        if !matches!(item, ImplItem::Fn(item) if is_for_tests(&item.attrs)) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &TraitItem) {
        if !matches!(item, TraitItem::Fn(item) if is_for_tests(&item.attrs)) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &ItemUse) {
        given(&item.tree, vec![], &mut self.uses);
    }

    fn visit_path(&mut self, path: &Path) {
        self.paths.insert(path.segments.iter().map(|segment| name(&segment.ident)).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &Macro) {
        paths_of(call.tokens.clone(), &mut self.paths);
        visit::visit_macro(self, call);
    }

    fn visit_attribute(&mut self, attribute: &Attribute) {
        if let Meta::List(list) = &attribute.meta {
            paths_of(list.tokens.clone(), &mut self.paths);
        }
    }
}

/// Adds what a tree of imports gives.
pub(crate) fn given(tree: &UseTree, mut path: Segments, uses: &mut Vec<Use>) {
    let (path, given) = match tree {
        UseTree::Path(tree) => {
            path.push(name(&tree.ident));
            return given(&tree.tree, path, uses);
        }
        UseTree::Group(group) => return group.items.iter().for_each(|tree| given(tree, path.clone(), uses)),
        UseTree::Glob(_) => (path, Given::All),
        UseTree::Name(tree) => {
            let path = joined(path, &tree.ident);
            let last = path.last().cloned().map_or(Given::Nothing, Given::Name);
            (path, last)
        }
        UseTree::Rename(tree) if tree.rename == "_" => (joined(path, &tree.ident), Given::Nothing),
        UseTree::Rename(tree) => (joined(path, &tree.ident), Given::Name(name(&tree.rename))),
    };
    uses.push(Use { path, given });
}

/// `a::self` is `a`.
fn joined(mut path: Segments, last: &Ident) -> Segments {
    if path.is_empty() || last != "self" {
        path.push(name(last));
    }
    path
}

/// Every path in what a macro is given, which need not be Rust.
fn paths_of(tokens: TokenStream, paths: &mut BTreeSet<Segments>) {
    let (mut path, mut colons) = (Segments::new(), 0);
    for token in tokens {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
            TokenTree::Ident(ident) => {
                if colons != 2 {
                    paths.insert(std::mem::take(&mut path));
                }
                path.push(name(&ident));
                colons = 0;
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {
                paths.insert(std::mem::take(&mut path));
                colons = 0;
            }
            TokenTree::Group(group) => {
                paths.insert(std::mem::take(&mut path));
                colons = 0;
                paths_of(group.stream(), paths);
            }
        }
    }
    paths.insert(path);
    paths.remove(&Segments::new());
}

/// A name without what makes a keyword one.
pub(crate) fn name(ident: &Ident) -> String {
    ident.to_string().trim_start_matches("r#").to_owned()
}

/// The name that an item defines, other than a module.
pub(crate) fn defined(item: &Item) -> Option<&Ident> {
    match item {
        Item::Const(ItemConst { ident, .. })
        | Item::Enum(ItemEnum { ident, .. })
        | Item::Static(ItemStatic { ident, .. })
        | Item::Struct(ItemStruct { ident, .. })
        | Item::Trait(ItemTrait { ident, .. })
        | Item::Type(ItemType { ident, .. })
        | Item::Union(ItemUnion { ident, .. }) => Some(ident),
        Item::Fn(ItemFn { sig, .. }) => Some(&sig.ident),
        Item::Macro(item) => item.ident.as_ref(),
        _ => None,
    }
}

pub(crate) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

pub(crate) fn is_for_tests(attributes: &[Attribute]) -> bool {
    let cfg = attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"));
    cfg.filter_map(|attribute| attribute.parse_args().ok()).any(|condition| needs_test(&condition))
}

/// Whether a condition holds in tests only.
fn needs_test(condition: &Meta) -> bool {
    let all = |list: &syn::MetaList| {
        let parts = list.parse_args_with(syn::punctuated::Punctuated::<Meta, Token![,]>::parse_terminated).unwrap();
        parts.iter().any(needs_test)
    };
    match condition {
        Meta::List(list) => list.path.is_ident("all") && all(list),
        condition => condition.path().is_ident("test"),
    }
}
