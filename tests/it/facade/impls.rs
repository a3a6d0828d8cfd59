//! The implementations of each type, wherever in its crate they are.

use std::collections::BTreeMap;

use syn::{Item, ItemImpl, Path, Type};

use super::exports::is_public;
use crate::imports::imported::Named;
use crate::imports::parsed::{defined, is_for_tests, name};
use crate::imports::tree::{ModuleId, Tree};

/// By the modules that define the types, and their names there.
pub(super) struct Impls<'a>(BTreeMap<(ModuleId, String), Vec<&'a ItemImpl>>);

impl<'a> Impls<'a> {
    pub(super) fn of(tree: &'a Tree) -> Self {
        let mut impls: BTreeMap<_, Vec<&ItemImpl>> = BTreeMap::new();
        for (id, module) in tree.modules.iter().enumerate() {
            for item in &module.items {
                let Item::Impl(item) = item else { continue };
                let Type::Path(of) = &*item.self_ty else { continue };
                if is_for_tests(&item.attrs) || is_of_private_trait(tree, id, item) {
                    continue;
                }
                for named in tree.named_at(id, &segments(&of.path)) {
                    if let Named::Item(module, name) = named {
                        impls.entry((module, name)).or_default().push(item);
                    }
                }
            }
        }
        Self(impls)
    }

    pub(super) fn of_type(&self, module: ModuleId, name: &str) -> &[&'a ItemImpl] {
        self.0.get(&(module, name.to_owned())).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Whether it is of a trait that only the crate knows.
fn is_of_private_trait(tree: &Tree, id: ModuleId, item: &ItemImpl) -> bool {
    let Some((path, _)) = &item.trait_ else { return false };
    let is_private = |named: &Named| match named {
        Named::Item(module, name) => {
            let mut items = tree.modules[*module].items.iter();
            items.any(|item| defined(item).is_some_and(|ident| ident == name) && !is_public(item))
        }
        Named::Module(_) => false,
    };
    tree.named_at(id, &segments(path)).iter().any(is_private)
}

fn segments(path: &Path) -> Vec<String> {
    path.segments.iter().map(|segment| name(&segment.ident)).collect()
}
