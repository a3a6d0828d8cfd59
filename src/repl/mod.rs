//! The shell: what is typed becomes statements and commands.
//!
//! ```text
//! input      text ─▶ statements and commands, finished or not
//! command    the commands, their names and what they take
//! complete   the cursor and a snapshot of the catalog ─▶ what could stand there
//! highlight  text ─▶ the same text in colours
//! helper     these four, as the line editor asks for them
//! ```
//!
//! Everything but `helper` is functions of text, which know no terminal. What a command does is carried out by
//! the command line, which has a command for most of them.

mod command;
mod complete;
mod helper;
mod highlight;
mod input;

pub use command::{Action, COMMANDS, Command, Takes, find, help, parts, switched};
pub use complete::{Completion, TableWords, Words, complete};
pub use helper::{BARE_WORDS, SharedWords, ShellHelper, is_whole};
pub use highlight::highlight;
pub use input::{Item, Items, Script};
