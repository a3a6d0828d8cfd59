//! JSON kept as text.
//!
//! Lists and objects stay text in spans: each element exactly as its source wrote it, only the blanks *between*
//! elements dropped, so that equal lists from different writers compare equal more often and nothing is rounded.
//! Beyond RFC 8259 the bare tokens `NaN`, `Infinity` and `-Infinity`, which Python writes, are read as null.

mod parts;
mod path;
mod scan;
mod text;
mod tree;

pub use parts::{Member, elements, members, read};
pub use path::{add_paths, text_at, text_in, text_of};
pub use scan::{JsonError, MAX_DEPTH, Scanner, Value};
pub use text::{
    compact_list, compact_object, unescape, unescaped, write_compact, write_finite, write_list, write_string,
};
pub use tree::Tree;
