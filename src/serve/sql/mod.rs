//! Flight SQL: statements, prepared ones too, and what there is to ask about.
//!
//! ```text
//! GetFlightInfo  command ── asked ── planned: schema, ticket        DoGet  ticket ── asked ── planned, run: rows
//! DoAction       a statement to be prepared ── handle ┐                          catalog: rows of ours
//! DoPut          values for it ── another handle      ┘ nothing is kept here: handles and tickets hold what was asked
//! ```
//!
//! Messages and the shapes of catalogs are arrow-flight's; statements are planned and run as those of the shell.

mod asked;
mod catalog;
mod info;
mod service;
mod values;

pub(super) use service::{Sql, actions, command, handshake};
