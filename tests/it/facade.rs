//! The public face of the library: every item that `src/lib.rs` and its public modules offer, and what it promises.
//!
//! Programs are built on it, so nothing of it may vanish or change unnoticed. Read is the source: items are followed
//! through re-exports to the files that define them, and methods are those of all files of the crate. Items that the
//! documentation hides are left out.

use std::collections::BTreeSet;
use std::path::Path;

use self::exports::Exports;
use self::impls::Impls;
use self::lines::{is_hidden, lines};
use super::imports::parsed::{attributes, defined, is_for_tests};
use super::imports::tree::Tree;
use super::shell::check_file;

mod checks;
mod exports;
mod impls;
mod lines;
mod tokens;

const FILE: &str = "tests/facade.txt";

/// The face of the package in a directory of sources: a line for each item and each part of one, in order.
fn listing(tree: &Tree) -> String {
    let exports = Exports::of(tree);
    let impls = Impls::of(tree);
    let mut listed: BTreeSet<String> = exports.modules.iter().map(|path| format!("{path}  mod")).collect();
    for (path, module, name) in &exports.items {
        let items = tree.modules[*module].items.iter();
        let named = |item: &&syn::Item| defined(item).is_some_and(|ident| ident == name);
        let definitions: Vec<&syn::Item> = items.filter(named).filter(|item| !is_for_tests(attributes(item))).collect();
        assert!(!definitions.is_empty(), "{path}: no definition of {name} is found");
        for item in definitions.into_iter().filter(|item| !is_hidden(attributes(item))) {
            listed.extend(lines(path, item, impls.of_type(*module, name)));
        }
    }
    listed.into_iter().map(|line| line + "\n").collect()
}

#[test]
fn the_facade_is_the_one_on_file() {
    let tree = Tree::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    check_file(FILE, &listing(&tree));
}
