//! The analysis finds what it should, on small trees that are made up.

use std::collections::BTreeSet;

use tempfile::TempDir;

use super::circles::{circles, in_words};
use super::imported::Imports;
use super::tree::Tree;

/// Files by their paths below `src`, and what is in them.
fn imports(files: &[(&str, &str)]) -> Imports {
    let src = TempDir::new().unwrap();
    for (path, text) in files {
        let path = src.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    Tree::read(src.path()).imports()
}

/// All imports, as `from -> to: names`.
fn edges(imports: &Imports) -> Vec<String> {
    let files: BTreeSet<String> = imports.keys().cloned().collect();
    in_words(&files, imports).lines().map(|line| line.trim().to_owned()).collect()
}

fn files_in_circles(imports: &Imports) -> Vec<Vec<String>> {
    circles(imports).into_iter().map(|files| files.into_iter().collect()).collect()
}

#[test]
fn a_circle_through_a_re_export_is_found() {
    let imports = imports(&[
        ("lib.rs", "mod a; mod b; pub use a::A as Renamed;"),
        ("a/mod.rs", "mod kind; pub(crate) use self::kind::{A, other as another};"),
        ("a/kind.rs", "pub struct A; pub fn other() { crate::b::take() }"),
        ("b.rs", "use crate::Renamed; pub fn take() { crate::a::another(); }"),
    ]);
    assert_eq!(edges(&imports), ["a/kind -> b: take", "b -> a/kind: A, other"]);
    assert_eq!(files_in_circles(&imports), [["a/kind", "b"]]);
}

#[test]
fn files_that_declare_only_are_not_counted() {
    let declaring = imports(&[
        ("lib.rs", "//! Docs.\nmod a;"),
        ("a/mod.rs", "mod x; mod y; pub use x::X; use y::Y;"),
        ("a/x.rs", "pub struct X(super::Y);"),
        ("a/y.rs", "pub struct Y;"),
    ]);
    assert_eq!(declaring.keys().collect::<Vec<_>>(), ["a/x", "a/y"]);
    assert_eq!(edges(&declaring), ["a/x -> a/y: Y"]);

    // The same with code, which the files below it use.
    let parent = imports(&[
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod x; mod y; use y::Y; fn make() -> x::X { x::make() } const LIMIT: usize = 1;"),
        ("a/x.rs", "use super::{LIMIT, Y}; pub struct X(Y); pub fn make() -> X { loop {} }"),
        ("a/y.rs", "pub struct Y;"),
    ]);
    assert_eq!(edges(&parent), ["a -> a/x: X, make", "a -> a/y: Y", "a/x -> a: LIMIT", "a/x -> a/y: Y"]);
    assert_eq!(files_in_circles(&parent), [["a", "a/x"]]);

    // Handing names on is enough.
    let handing_on = imports(&[
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod x; pub use x::X; pub const LIMIT: usize = 1;"),
        ("a/x.rs", "pub struct X([u8; super::LIMIT]);"),
    ]);
    assert_eq!(files_in_circles(&handing_on), [["a", "a/x"]]);
}

#[test]
fn imports_for_tests_are_ignored() {
    let imports = imports(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "pub struct A; impl A { #[cfg(test)] fn b() -> crate::b::B { crate::b::B } } #[cfg(test)] mod tests;"),
        ("a/tests.rs", "use crate::b::B;"),
        (
            "b.rs",
            "use crate::a::A; pub struct B(A);
             #[cfg(all(test, unix))] use crate::a::only; #[cfg(test)] mod tests { use super::*; use crate::a::only; }",
        ),
    ]);
    assert_eq!(edges(&imports), ["b -> a: A"]);
}

#[test]
fn names_imported_all_at_once_are_found() {
    let imports = imports(&[
        ("lib.rs", "mod a; mod b; mod c;"),
        (
            "a.rs",
            "use crate::b::*; use inner::*; mod inner { pub fn own() {} } fn f(_: Kind) { given(); own(); Some(1).named(); }",
        ),
        ("b.rs", "pub use crate::c::*; pub use crate::b::Kind::*; pub enum Kind { Some } pub fn not_taken() {}"),
        ("c.rs", "pub use crate::b::*; pub fn given() {} pub trait Named { fn named(&self) {} }"),
    ]);
    // A trait works without its name.
    assert_eq!(edges(&imports), ["a -> b: Kind", "a -> c: given", "b -> c: Named"]);
}

#[test]
fn paths_in_code_macros_and_attributes_are_imports() {
    let imports = imports(&[
        ("lib.rs", "mod a; mod b; mod c;"),
        (
            "a/mod.rs",
            "mod below { pub(super) fn inside() -> super::super::b::Type { loop {} } }
             use super::b as other;
             #[derive(crate::b::Derived)] struct S<T: other::Bound>(T);
             fn f() { vec![other::listed(1), self::below::inside()]; <u8 as crate::b::Cast>::cast(); }
             fn g(x: u8) { match x { other::Kind::A => {} } use crate::c::{self, deep::{Deep as _, inner::in_function}}; c::called(); }
             macro_rules! m { () => { $crate::c::in_macro() } }",
        ),
        (
            "b.rs",
            "pub struct Type; pub trait Bound {} pub fn listed() {} pub trait Cast {} pub enum Kind { A } pub use other::Derived;
             made! { pub struct Derived; }",
        ),
        ("c/mod.rs", "pub mod deep; pub fn called() {} pub fn in_macro() {}"),
        ("c/deep.rs", "pub trait Deep {} pub mod inner { pub fn in_function() { super::super::super::a::m!() } }"),
    ]);
    let names = |to: &str| imports["a"][to].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(names("b"), ["Bound", "Cast", "Derived", "Kind", "Type", "listed"]);
    assert_eq!(names("c"), ["called", "in_macro"]);
    assert_eq!(names("c/deep"), ["Deep", "in_function"]);
    assert_eq!(files_in_circles(&imports), [["a", "c/deep"]]);
}

#[test]
fn crates_are_read_as_they_name_each_other() {
    let imports = imports(&[
        ("lib.rs", "pub mod cli; pub use spanql_model as model; pub use spanql_store::*;"),
        ("main.rs", "fn main() { spanql::cli::run() }"),
        ("cli.rs", "use crate::{model::columns::{self, Column}, Store}; pub fn run() { columns::all(); }"),
        ("model/Cargo.toml", ""),
        ("model/lib.rs", "pub mod columns;"),
        ("model/columns.rs", "pub struct Column; pub fn all() -> crate::columns::Column { Column }"),
        ("store/Cargo.toml", ""),
        ("store/lib.rs", "mod card; pub struct Store(spanql_model::columns::Column, Card); pub use card::Card;"),
        ("store/card.rs", "pub struct Card(super::Store, crate::Store);"),
    ]);
    let expected = [
        "cli -> model/columns: Column, all",
        "cli -> store: Store",
        "main -> cli: run",
        "store -> model/columns: Column",
        "store -> store/card: Card",
        "store/card -> store: Store",
    ];
    assert_eq!(edges(&imports), expected);
    assert_eq!(files_in_circles(&imports), [["store", "store/card"]]);
}
