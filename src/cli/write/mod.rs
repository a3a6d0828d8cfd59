//! `spanql spans annotate`, `evaluate`, `metadata`, `log`, `delete`, `undelete`: what is written, in the store or at a
//! remote.

mod answer;
mod delete;
mod judge;
mod known;
mod local;
mod log;
mod metadata;
mod reviewed;
mod rows;
mod send;
mod undelete;

pub(super) use delete::{confirm, delete};
pub(super) use judge::{annotate, evaluate};
pub(super) use log::log;
pub(super) use metadata::metadata;
pub(super) use reviewed::{keep_judgement, send_judgements};
pub(super) use undelete::undelete;
