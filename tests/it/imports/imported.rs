//! Which file imports what from which: paths are followed to the files that define what they name.

use std::collections::{BTreeMap, BTreeSet};

use super::parsed::Given;
use super::tree::{Module, ModuleId, Tree};

/// For each file the files that it imports from, and the names of what it takes.
pub(super) type Imports = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// What a path names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Named {
    Module(ModuleId),
    /// Or something of the item, such as a variant.
    Item(ModuleId, String),
}

/// Paths that are being followed, each with the module it is in: re-exports may lead to each other.
type Followed<'a> = Vec<(ModuleId, &'a [String])>;

impl Tree {
    pub(super) fn imports(&self) -> Imports {
        let with_code = self.modules.iter().filter(|module| module.code.has_code);
        let mut imports: Imports = with_code.map(|module| (module.file.clone(), BTreeMap::new())).collect();
        for (id, Module { file, .. }) in self.modules.iter().enumerate() {
            let Some(from) = imports.get_mut(file) else { continue };
            for (module, name) in self.imported(id) {
                let defining = &self.modules[module].file;
                if defining != file {
                    from.entry(defining.clone()).or_default().insert(name);
                }
            }
        }
        imports
    }

    /// The items that a module takes, with the modules that define them.
    fn imported(&self, id: ModuleId) -> BTreeSet<(ModuleId, String)> {
        let code = &self.modules[id].code;
        let paths = code.uses.iter().map(|import| &import.path).chain(&code.paths);
        let named = paths.flat_map(|path| self.named_at(id, path));
        let items = named.filter_map(|named| match named {
            Named::Item(module, name) => Some((module, name)),
            Named::Module(_) => None,
        });
        let traits = self.all_given(id, &mut vec![]).into_iter().flat_map(|module| {
            let traits = &self.modules[module].code.traits;
            traits.iter().map(move |name| (module, name.clone()))
        });
        items.chain(traits).collect()
    }

    /// What a path names where it is written.
    pub(crate) fn named_at(&self, id: ModuleId, path: &[String]) -> BTreeSet<Named> {
        self.named(id, path, &mut vec![])
    }

    fn named<'a>(&'a self, id: ModuleId, path: &'a [String], followed: &mut Followed<'a>) -> BTreeSet<Named> {
        let start = match path.first().map(String::as_str) {
            Some("crate") => Some(self.modules[id].top),
            Some(first) => self.crates.get(first).copied(),
            None => None,
        };
        once(id, path, followed, |followed| match start {
            Some(top) => self.named_in(top, &path[1..], followed),
            None => self.named_in(id, path, followed),
        })
    }

    /// What a path names in a module that it has led to.
    fn named_in<'a>(&'a self, id: ModuleId, path: &'a [String], followed: &mut Followed<'a>) -> BTreeSet<Named> {
        let module = &self.modules[id];
        let Some((first, rest)) = path.split_first() else { return BTreeSet::from([Named::Module(id)]) };
        match first.as_str() {
            "self" => return self.named_in(id, rest, followed),
            "super" => return module.parent.map(|id| self.named_in(id, rest, followed)).unwrap_or_default(),
            _ => {}
        }
        let item = || BTreeSet::from([Named::Item(id, first.clone())]);
        let child = module.children.get(first).map(|&child| self.named_in(child, rest, followed));
        if let Some(found) = child.as_ref().filter(|_| !rest.is_empty()) {
            return found.clone();
        }
        // A module, a function and an import may share a name.
        let mut found = child.unwrap_or_default();
        if module.code.defined.contains(first) {
            found.append(&mut item());
        }
        found.append(&mut self.through_uses(id, first, rest, followed));
        if found.is_empty() {
            let given = self.all_given(id, followed);
            for given in given {
                found.append(&mut once(given, path, followed, |followed| self.named_in(given, path, followed)));
            }
        }
        if found.is_empty() && module.code.in_macros.contains(first) {
            return item();
        }
        found
    }

    /// What a path names by the imports of a module that give its first name.
    fn through_uses<'a>(
        &'a self,
        id: ModuleId,
        first: &str,
        rest: &'a [String],
        followed: &mut Followed<'a>,
    ) -> BTreeSet<Named> {
        let uses = self.modules[id].code.uses.iter();
        let given = uses.filter(|import| matches!(&import.given, Given::Name(name) if name == first));
        let mut found = BTreeSet::new();
        for import in given {
            for named in self.named(id, &import.path, followed) {
                match named {
                    Named::Module(module) => found.append(&mut self.named_in(module, rest, followed)),
                    item => _ = found.insert(item),
                }
            }
        }
        found
    }

    /// The modules of which a module imports all names.
    fn all_given<'a>(&'a self, id: ModuleId, followed: &mut Followed<'a>) -> Vec<ModuleId> {
        let all = self.modules[id].code.uses.iter().filter(|import| import.given == Given::All);
        let named: Vec<Named> = all.flat_map(|import| self.named(id, &import.path, followed)).collect();
        let module = |named| match named {
            Named::Module(module) => Some(module),
            Named::Item(..) => None,
        };
        named.into_iter().filter_map(module).collect()
    }
}

/// Follows a path, unless that is being done.
fn once<'a>(
    id: ModuleId,
    path: &'a [String],
    followed: &mut Followed<'a>,
    follow: impl FnOnce(&mut Followed<'a>) -> BTreeSet<Named>,
) -> BTreeSet<Named> {
    if followed.contains(&(id, path)) {
        return BTreeSet::new();
    }
    followed.push((id, path));
    let found = follow(followed);
    followed.pop();
    found
}
