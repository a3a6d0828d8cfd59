//! The tables of a store: `spans`, `traces`, `sessions`, `columns`, `pulls` and `quality`.

use datafusion::catalog::TableProvider;
use datafusion::logical_expr::LogicalPlan;

mod adapt;
mod columns;
mod critical;
mod estimates;
mod in_order;
mod kept;
mod overlay;
mod prune;
mod pull_history;
mod pulls;
mod quality;
mod segments;
mod sessions;
mod tally;
mod truncated;
mod verdict;

pub(crate) use columns::ColumnsTable;
pub use columns::{ColumnFact, column_facts, type_name};
pub(crate) use critical::CriticalPathTable;
pub(crate) use estimates::{ESTIMATED_COST, SPANS, cached_columns, estimates_sql, has_estimates, with_estimates};
pub(crate) use in_order::{By, InOrderTable};
pub(crate) use pulls::PullsTable;
pub(crate) use quality::QualityTable;
pub(crate) use segments::{Begin, SegmentsTable};
pub(crate) use sessions::SESSIONS_SQL;

/// The plan of the rows that a table computes its own from, if it is one of this module that does.
pub(crate) fn rests_on(table: &dyn TableProvider) -> Option<&LogicalPlan> {
    let paths = table.downcast_ref::<CriticalPathTable>().map(CriticalPathTable::spans);
    paths.or_else(|| table.downcast_ref::<InOrderTable>().map(InOrderTable::rows))
}
