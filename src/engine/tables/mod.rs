//! The tables of a store: `spans`, `traces`, `sessions` and `columns`.

mod adapt;
mod columns;
mod prune;
mod segments;
mod sessions;

pub(crate) use columns::ColumnsTable;
pub(crate) use segments::SegmentsTable;
pub(crate) use sessions::SESSIONS_SQL;
