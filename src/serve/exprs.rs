//! Expressions over the columns of spans.

use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::{Expr, lit};

use spanql_model::columns::START_TIME;
use spanql_sources::Window;

/// A column by its exact name.
pub(super) fn column(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

/// A time, ns since the epoch, as the columns of times have it.
pub(super) fn time(nanos: i64) -> Expr {
    lit(ScalarValue::TimestampNanosecond(Some(nanos), Some("UTC".into())))
}

/// Whether a span starts inside a window.
pub(super) fn starts_in(window: Window) -> Expr {
    column(START_TIME).gt_eq(time(window.start)).and(column(START_TIME).lt(time(window.end)))
}
