//! No source file imports from one that imports it, by whatever way round, the crates keep their order, and files are short.
//!
//! Read are all files that `mod` declarations reach from `src/lib.rs`, `src/main.rs` and the `src/<name>/lib.rs` of each
//! member, except what is there for tests only. An import is any path, in a `use` or in code, that leads to an item of
//! another file: names are followed through re-exports to the file that defines them. Files that only declare modules and
//! hand names on import nothing themselves; those that have code as well do.
//!
//! The circles that are there still are in `tests/circles.txt`, a line for each: the list may only become shorter.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use self::circles::{circles, in_words};
use self::tree::Tree;

mod checks;
mod circles;
pub(super) mod imported;
mod layers;
pub(super) mod parsed;
pub(super) mod tree;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files with Rust below a directory.
fn sources(directory: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.append(&mut sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.insert(path);
        }
    }
    found
}

#[test]
fn no_file_imports_from_one_that_imports_it() {
    let imports = Tree::read(&root().join("src")).imports();
    assert!(imports.len() > 100, "imports were not found: {} files", imports.len());
    let circles = circles(&imports);
    let found: BTreeSet<String> = circles.iter().map(in_order).collect();
    let list = std::fs::read_to_string(root().join("tests/circles.txt")).unwrap();
    let known: BTreeSet<String> = list.lines().map(str::to_owned).collect();
    let sorted: String = known.iter().map(|line| format!("{line}\n")).collect();
    assert_eq!(list, sorted, "tests/circles.txt is not sorted");

    let mut wrong: Vec<String> = known.difference(&found).map(|line| format!("no circle any more: {line}")).collect();
    let new = circles.iter().filter(|files| !known.contains(&in_order(files)));
    wrong.extend(new.map(|files| format!("a circle: {}\n{}", in_order(files), in_words(files, &imports))));
    assert!(wrong.is_empty(), "tests/circles.txt lists other circles than there are\n\n{}", wrong.join("\n\n"));
}

fn in_order(files: &BTreeSet<String>) -> String {
    files.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_source_file_is_read_or_is_for_tests_only() {
    let src = root().join("src");
    let tree = Tree::read(&src);
    let beside =
        |path: &Path| path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "benches");
    let unread: Vec<PathBuf> = sources(&src)
        .into_iter()
        .filter(|path| !tree.is_read(path) && !tree.is_for_tests(path) && !beside(path))
        .collect();
    assert_eq!(unread, Vec::<PathBuf>::new());
}

/// Lines of a file at most: what is longer has more than one subject.
const MOST_LINES: usize = 400;

#[test]
fn a_file_has_one_subject() {
    let files: BTreeSet<PathBuf> =
        ["src", "tests", "benches"].iter().flat_map(|dir| sources(&root().join(dir))).collect();
    assert!(files.len() > 600, "files were not found: {}", files.len());
    let lines = |path: &PathBuf| std::fs::read_to_string(path).unwrap().lines().count();
    let long: Vec<String> = files
        .iter()
        .map(|path| (lines(path), path))
        .filter(|(lines, _)| *lines > MOST_LINES)
        .map(|(lines, path)| format!("{}: {lines} lines", path.strip_prefix(root()).unwrap().display()))
        .collect();
    assert!(long.is_empty(), "cut these along their subjects:\n{}", long.join("\n"));
}
