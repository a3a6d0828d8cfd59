//! The modules of all crates below a directory, by the declarations in their files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::Item;

use super::parsed::Parsed;

/// Position of a module in its tree.
pub(crate) type ModuleId = usize;

pub(crate) struct Module {
    /// The file it is in, as it is named in what the test says: without what may change when a module becomes a crate.
    pub(super) file: String,
    /// The module at the top of its crate.
    pub(super) top: ModuleId,
    pub(super) parent: Option<ModuleId>,
    pub(crate) children: BTreeMap<String, ModuleId>,
    pub(crate) items: Vec<Item>,
    pub(super) code: Parsed,
}

pub(crate) struct Tree {
    src: PathBuf,
    pub(crate) modules: Vec<Module>,
    /// Modules at the top, by the names of their crates in code.
    pub(crate) crates: BTreeMap<String, ModuleId>,
    read: BTreeSet<PathBuf>,
    /// Files and directories of modules for tests, without extensions.
    for_tests: BTreeSet<PathBuf>,
}

/// Where a module is, while it is read.
struct Place<'a> {
    file: &'a Path,
    /// The directory for the files of the modules that it declares.
    below: PathBuf,
    parent: Option<ModuleId>,
}

impl Tree {
    /// Reads the package whose modules are in a directory, and the members, which are directories in it.
    pub(crate) fn read(src: &Path) -> Self {
        let mut tree = Self {
            src: src.to_owned(),
            modules: vec![],
            crates: BTreeMap::new(),
            read: BTreeSet::new(),
            for_tests: BTreeSet::new(),
        };
        for name in members(src) {
            let top = tree.add_file(&src.join(&name).join("lib.rs"), None);
            tree.crates.insert(format!("spanql_{}", name.replace('-', "_")), top);
        }
        let top = tree.add_file(&src.join("lib.rs"), None);
        tree.crates.insert("spanql".into(), top);
        if src.join("main.rs").exists() {
            tree.add_file(&src.join("main.rs"), None);
        }
        tree
    }

    pub(super) fn is_read(&self, path: &Path) -> bool {
        self.read.contains(path)
    }

    pub(super) fn is_for_tests(&self, path: &Path) -> bool {
        path.with_extension("").ancestors().any(|path| self.for_tests.contains(path))
    }

    fn add_file(&mut self, file: &Path, parent: Option<ModuleId>) -> ModuleId {
        let text = std::fs::read_to_string(file).unwrap();
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.read.insert(file.to_owned());
        let stem = file.file_stem().unwrap();
        let beside = file.parent().unwrap();
        let has_directory = ["lib", "main", "mod"].iter().any(|name| stem == *name);
        let below = if has_directory { beside.to_owned() } else { beside.join(stem) };
        self.add(Place { file, below, parent }, &parsed.items)
    }

    fn add(&mut self, place: Place<'_>, items: &[Item]) -> ModuleId {
        let id = self.modules.len();
        let top = place.parent.map_or(id, |parent| self.modules[parent].top);
        let (mut code, parent, children) = (Parsed::new(items), place.parent, BTreeMap::new());
        let declared = std::mem::take(&mut code.modules);
        let file = named(&self.src, place.file);
        self.modules.push(Module { file, top, parent, children, items: items.to_vec(), code });
        for module in declared {
            let below = place.below.join(&module.name);
            if module.for_tests {
                self.for_tests.insert(below);
                continue;
            }
            let child = match module.inside {
                Some(items) => self.add(Place { file: place.file, below, parent: Some(id) }, &items),
                None => self.add_file(&file_of(&below), Some(id)),
            };
            self.modules[id].children.insert(module.name, child);
        }
        id
    }
}

/// The directories of the members, which are packages of their own.
pub(super) fn members(src: &Path) -> BTreeSet<String> {
    let directories = std::fs::read_dir(src).unwrap().map(|entry| entry.unwrap());
    let members = directories.filter(|entry| entry.path().join("Cargo.toml").exists());
    members.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

fn file_of(below: &Path) -> PathBuf {
    let files = [below.with_extension("rs"), below.join("mod.rs")];
    files.into_iter().find(|file| file.exists()).unwrap_or_else(|| panic!("no file for {}", below.display()))
}

/// `store/commit` for `store/commit.rs`, `store` for `store/mod.rs` and `store/lib.rs`.
fn named(src: &Path, file: &Path) -> String {
    let path = file.strip_prefix(src).unwrap().with_extension("");
    let name = path.to_str().unwrap().replace('\\', "/");
    ["/mod", "/lib"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name).to_owned()
}
