//! JSON kept as text.
//!
//! Lists and objects stay text in spans: each element exactly as its source wrote it, only the blanks *between*
//! elements dropped, so that equal lists from different writers compare equal more often and nothing is rounded.
//! Beyond RFC 8259 the bare tokens `NaN`, `Infinity` and `-Infinity`, which Python writes, are read as null.

mod path;
mod scan;
mod text;
mod tree;

pub use path::{add_paths, text_at};
pub use scan::{JsonError, MAX_DEPTH, Value};
pub use scan::{Scanner, plain_end};
pub use text::{compact_list, compact_object, unescaped};
pub use text::{members, unescape, write_compact, write_finite, write_string};
pub use tree::Tree;
