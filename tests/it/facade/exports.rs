//! Which items a package offers, and under which paths.

use std::collections::BTreeSet;

use syn::{Item, Visibility};

use super::lines::is_hidden;
use crate::imports::imported::Named;
use crate::imports::parsed::{Given, Use, attributes, defined, given, is_for_tests, name};
use crate::imports::tree::{ModuleId, Tree};

pub(super) struct Exports<'a> {
    tree: &'a Tree,
    /// The paths of public modules.
    pub(super) modules: BTreeSet<String>,
    /// The paths of items, each with the module that defines it and its name there.
    pub(super) items: BTreeSet<(String, ModuleId, String)>,
}

impl<'a> Exports<'a> {
    /// What the package at the root offers.
    pub(super) fn of(tree: &'a Tree) -> Self {
        let mut exports = Self { tree, modules: BTreeSet::new(), items: BTreeSet::new() };
        exports.add_all_of(tree.crates["spanql"], "");
        exports
    }

    /// Adds what is public in a module, below a path.
    fn add_all_of(&mut self, id: ModuleId, below: &str) {
        let tree = self.tree;
        let module = &tree.modules[id];
        for item in module.items.iter().filter(|item| is_public(item)) {
            match item {
                Item::Mod(item) => {
                    let name = name(&item.ident);
                    if let Some(&child) = module.children.get(&name) {
                        self.add_module(child, joined(below, &name));
                    }
                }
                Item::Use(item) => {
                    let mut uses = vec![];
                    given(&item.tree, vec![], &mut uses);
                    for import in &uses {
                        self.add_given(id, below, import);
                    }
                }
                item => {
                    if let Some(ident) = defined(item) {
                        self.items.insert((joined(below, &name(ident)), id, name(ident)));
                    }
                }
            }
        }
    }

    fn add_module(&mut self, id: ModuleId, path: String) {
        self.add_all_of(id, &path);
        self.modules.insert(path);
    }

    /// Adds what a `pub use` in a module gives.
    fn add_given(&mut self, id: ModuleId, below: &str, import: &Use) {
        let found = self.tree.named_at(id, &import.path);
        assert!(!found.is_empty(), "nothing is found under {}", import.path.join("::"));
        let (mut modules, mut items) = (vec![], vec![]);
        for named in found {
            match named {
                Named::Module(module) => modules.push(module),
                Named::Item(module, name) => items.push((module, name)),
            }
        }
        match &import.given {
            Given::Nothing => {}
            Given::All => modules.into_iter().for_each(|module| self.add_all_of(module, below)),
            // A private module may have the name of the item.
            Given::Name(name) if items.is_empty() => {
                modules.into_iter().for_each(|module| self.add_module(module, joined(below, name)));
            }
            Given::Name(name) => {
                let path = joined(below, name);
                self.items.extend(items.into_iter().map(|(module, name)| (path.clone(), module, name)));
            }
        }
    }
}

fn joined(below: &str, name: &str) -> String {
    if below.is_empty() { name.to_owned() } else { format!("{below}::{name}") }
}

/// Whether an item is there for everybody.
pub(super) fn is_public(item: &Item) -> bool {
    let attributes = attributes(item);
    let visibility = match item {
        Item::Const(item) => &item.vis,
        Item::Enum(item) => &item.vis,
        Item::Fn(item) => &item.vis,
        Item::Mod(item) => &item.vis,
        Item::Static(item) => &item.vis,
        Item::Struct(item) => &item.vis,
        Item::Trait(item) => &item.vis,
        Item::Type(item) => &item.vis,
        Item::Union(item) => &item.vis,
        Item::Use(item) => &item.vis,
        Item::Macro(_) => {
            return attributes.iter().any(|attribute| attribute.path().is_ident("macro_export"))
                && !is_hidden(attributes);
        }
        _ => return false,
    };
    matches!(visibility, Visibility::Public(_)) && !is_hidden(attributes) && !is_for_tests(attributes)
}
