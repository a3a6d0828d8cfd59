//! The shell: what is typed becomes statements and commands.
//!
//! ```text
//! input      text ─▶ statements and commands, finished or not
//! command    the commands, their names and what they take
//! complete   the cursor and a snapshot of the catalog ─▶ what could stand there
//! highlight  text ─▶ the same text in colours
//! open       what is open where a statement is not finished
//! helper     these, as the line editor asks for them
//! keys       keys of the shell's own
//! ```
//!
//! Everything but `helper` and `keys` is functions of text, which know no terminal. What a command does is carried out by
//! the command line, which has a command for most of them.

mod command;
mod complete;
mod helper;
mod highlight;
mod input;
mod keys;
mod open;

pub use command::{Action, COMMANDS, Command, Takes, find, help, instead, parts, spoken, switched};
pub use complete::{Completion, TableWords, Words, complete};
pub use helper::{SharedWords, ShellHelper};
pub use highlight::highlight;
pub use input::{Item, Items, Script, bare};
pub use keys::{Ending, Keys};
pub use open::continuation;
