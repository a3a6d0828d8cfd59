//! Circles in who imports from whom.

use std::collections::{BTreeMap, BTreeSet};

use super::imported::Imports;

/// Sets of files of which each imports from each, by whatever way round.
pub(super) fn circles(imports: &Imports) -> BTreeSet<BTreeSet<String>> {
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        imports.keys().map(|file| (file.as_str(), reached_from(file, imports))).collect();
    let circle = |(file, to): (&&str, &BTreeSet<&str>)| -> BTreeSet<String> {
        to.iter().filter(|other| reached[*other].contains(file)).map(|&file| file.to_owned()).collect()
    };
    reached.iter().map(circle).filter(|files| files.len() > 1).collect()
}

fn reached_from<'a>(file: &str, imports: &'a Imports) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&str> = imports[file].keys().map(String::as_str).collect();
    while let Some(file) = next.pop() {
        if reached.insert(file) {
            next.extend(imports[file].keys().map(String::as_str));
        }
    }
    reached
}

/// What the files of a circle take from each other, a line for each pair.
pub(super) fn in_words(files: &BTreeSet<String>, imports: &Imports) -> String {
    let mut lines = String::new();
    for file in files {
        for (from, names) in imports[file].iter().filter(|(from, _)| files.contains(*from)) {
            let names = names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            lines += &format!("    {file} -> {from}: {names}\n");
        }
    }
    lines
}
