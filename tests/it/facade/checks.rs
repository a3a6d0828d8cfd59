//! The reader finds what is offered, on a small package that is made up.

use syn::ItemFn;
use tempfile::TempDir;

use super::listing;
use super::tokens::text;
use crate::imports::tree::Tree;

/// The lines for files by their paths below `src`, and what is in them.
fn listed(files: &[(&str, &str)]) -> Vec<String> {
    let src = TempDir::new().unwrap();
    for (path, text) in files {
        let path = src.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    listing(&Tree::read(src.path())).lines().map(str::to_owned).collect()
}

#[test]
fn items_are_listed_where_users_find_them() {
    let lines = listed(&[
        (
            "lib.rs",
            "#[doc(hidden)] pub mod cli; pub mod pull; mod inner; pub use inner::given; pub(crate) fn own() {}
             pub mod store { #[doc(inline)] pub use spanql_store::{Kind, Store}; pub use spanql_store::open as opened; }",
        ),
        ("cli.rs", "pub fn main() {}"),
        ("pull.rs", "pub fn pull(store: &crate::store::Store) {} pub(crate) fn own() {} #[cfg(test)] pub fn tested() {}"),
        ("inner.rs", "pub const LIMIT: usize = 3; pub fn given() {}"),
        ("store/Cargo.toml", ""),
        (
            "store/lib.rs",
            "mod kind; mod open; mod store; pub use kind::Kind; pub use open::open; pub use store::{NotOffered, Store};",
        ),
        (
            "store/store.rs",
            "#[derive(std::fmt::Debug)] pub struct Store { pub name: String, #[doc(hidden)] pub hidden: u8, size: u64 }
             impl Store { pub fn at(mut place: String) -> Self { loop {} } fn own() {} #[doc(hidden)] pub fn hidden() {} }
             pub struct NotOffered;",
        ),
        (
            "store/open.rs",
            "use super::store::Store; pub(crate) trait Private {} impl Private for Store {}
             pub async fn open(place: &str) -> Result<Store, std::io::Error> { loop {} }
             impl Store { pub fn close(self) {} } impl std::ops::Drop for Store { fn drop(&mut self) {} }",
        ),
        ("store/kind.rs", "#[non_exhaustive] pub enum Kind { A, B(u8, Vec<u8>), C { of: String } }"),
    ]);
    let expected = [
        "given  fn given()",
        "pull  mod",
        "pull::pull  fn pull(store: &crate::store::Store)",
        "store  mod",
        "store::Kind  #[non_exhaustive] enum",
        "store::Kind::A  variant",
        "store::Kind::B  variant (u8, Vec<u8>)",
        "store::Kind::C  variant { of: String }",
        "store::Store  impl Debug",
        "store::Store  impl Drop",
        "store::Store  struct { .. }",
        "store::Store.name  String",
        "store::Store::at  fn at(place: String) -> Self",
        "store::Store::close  fn close(self)",
        "store::opened  async fn open(place: &str) -> Result<Store, std::io::Error>",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn every_kind_of_item_has_its_line() {
    let lines = listed(&[(
        "lib.rs",
        "pub const LIMIT: usize = 3; pub const ALL: [u8; 2] = made(); pub static NAMES: &[&str] = &[];
         pub type Made<T> = Result<T, Error>; pub struct Error(pub u8, u16); pub struct Unit;
         pub struct Of<W: Write + Send> { pub out: W }
         impl<W: Write + Send> Of<W> { pub const MOST: usize = 1; pub fn finish(self) -> W { self.out } }
         impl From<&Unit> for Error { fn from(_: &Unit) -> Self { loop {} } }
         pub trait Source: Send + Sync { type Item: Clone; fn name(&self) -> &'static str; fn all(&self) -> bool { true } }
         #[macro_export] macro_rules! made { () => {} } macro_rules! own { () => {} }",
    )]);
    let expected = [
        "ALL  const [u8; 2]",
        "Error  impl From<&Unit>",
        "Error  struct { .. }",
        "Error.0  u8",
        "LIMIT  const usize = 3",
        "Made  type<T> = Result<T, Error>",
        "NAMES  static &[&str]",
        "Of  struct<W: Write + Send>",
        "Of.out  W",
        "Of::MOST  impl<W: Write + Send> const usize",
        "Of::finish  impl<W: Write + Send> fn finish(self) -> W",
        "Source  trait: Send + Sync",
        "Source::Item  type: Clone",
        "Source::all  provided fn all(&self) -> bool",
        "Source::name  fn name(&self) -> &'static str",
        "Unit  struct",
        "made  macro",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn code_is_written_in_one_way() {
    let code = "fn f < 'a , T : ? Sized + Fn ( & 'a str ) -> Option < ( u64 , u64 ) > > (
                    & 'a self , x : & [ u8 ] , y : [ u8 ; 4 ] , z : & mut dyn Write ,
                ) -> impl Iterator < Item = ( Change , & str ) > + '_ where T : Into < std :: string :: String > , { }";
    let expected = "fn f<'a, T: ?Sized + Fn(&'a str) -> Option<(u64, u64)>>(&'a self, x: &[u8], y: [u8; 4], \
                    z: &mut dyn Write) -> impl Iterator<Item = (Change, &str)> + '_ where T: Into<std::string::String>";
    assert_eq!(text(&syn::parse_str::<ItemFn>(code).unwrap().sig), expected);
    let fitting = "fn f(a: *const u8, b: Box<dyn FnMut(u8) -> Vec<Vec<u8>>>) -> <Self as Made>::Of {}";
    assert_eq!(text(&syn::parse_str::<ItemFn>(fitting).unwrap().sig), fitting.trim_end_matches(" {}"));
}
