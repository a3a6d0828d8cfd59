//! The tables of a store: `spans`, `traces`, `sessions`, `columns` and `pulls`.

mod adapt;
mod columns;
mod prune;
mod pulls;
mod segments;
mod sessions;

pub(crate) use columns::ColumnsTable;
pub(crate) use pulls::PullsTable;
pub(crate) use segments::SegmentsTable;
pub(crate) use sessions::SESSIONS_SQL;
