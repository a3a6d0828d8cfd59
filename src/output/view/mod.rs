//! One trace as a tree and one session as a conversation, for a terminal.
//!
//! ```text
//! trace.rs     a trace: facts, then one line a span
//!   spans.rs     spans of a trace in tree order, read from batches
//!   focus.rs     which of them are shown
//!   texts.rs     input and output below a span
//!   branches.rs  the lines that join a span to its parent
//!   layout.rs    which columns there are, and how wide
//!   bar.rs       a span's place on the time axis
//! objects.rs   a trace and a session as nested JSON
//! session.rs   a session: facts, then its turns
//!   message_text.rs  what a person would call the text of an input or output
//!   wrap.rs      text folded to a width
//! options.rs   how both are to look
//! line.rs      a line that never grows beyond its width
//! cells.rs     columns of batches by name
//! units.rs     times, counts and costs in words
//! ```
//!
//! The views stand beside the result formats, and above the module that knows what a trace is, because every character that
//! they take from a span has to pass the sanitising that is here.

mod bar;
mod branches;
mod cells;
mod focus;
mod layout;
mod line;
mod message_text;
mod objects;
mod options;
#[cfg(test)]
mod properties;
mod session;
mod spans;
#[cfg(test)]
mod tests;
mod texts;
mod trace;
mod units;
mod wrap;

pub use focus::Focus;
pub use objects::{SessionJson, write_trace_json};
pub use options::ViewOptions;
pub use session::SessionView;
pub use spans::trace_columns;
pub use trace::write_trace;
pub(super) use wrap::fold_all;
