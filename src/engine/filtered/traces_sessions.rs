//! Rows of `traces` and `sessions`, by conditions on them, on their root spans and on any of their spans.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::Column;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::{Expr, JoinType, LogicalPlanBuilder, lit};

use super::table::{MATCHING, SESSIONS, TRACES, Table, column, named, scan, trace_ids, typed, view};
use crate::tree_node::{each_expr, expr_up};
use spanql_filter::compare::compare_mixed_types;
use spanql_filter::opik::AnySpan;
use spanql_model::columns::{PROJECT, SPAN_ID, TRACE_ID};

/// What the root spans of traces are called while traces are filtered.
const ROOT: &str = "root";

impl Table {
    pub(super) fn traces(
        &self,
        summaries: &Arc<dyn TableProvider>,
        condition: &Expr,
        any_span: &[AnySpan],
    ) -> DataFusionResult<(Arc<dyn TableProvider>, Vec<String>)> {
        let of_root = own_columns(condition);
        let any = any_span.iter().flat_map(|any| spanql_filter::columns(&any.expr));
        let (spans, notes) = self.with(of_root.iter().cloned().chain(any))?;
        let mut rows = scan(TRACES, summaries)?;
        if !of_root.is_empty() {
            // The root of a trace is a top span.
            let roots = self.scan(&spans)?.filter(column("tree.depth").eq(lit(1)))?.alias(ROOT)?.build()?;
            let (mut left, mut right) = trace_ids(ROOT);
            left.push(named(TRACES, "root_span_id"));
            right.push(named(ROOT, SPAN_ID));
            rows = rows.join(roots, JoinType::Left, (left, right), None)?;
        }
        // Columns without a table are the root's.
        let condition = expr_up(condition.clone(), &mut |expr| {
            Ok(match expr {
                Expr::Column(Column { relation: None, name, .. }) => Transformed::yes(Expr::Column(named(ROOT, &name))),
                other => Transformed::no(other),
            })
        })?;
        let condition = compare_mixed_types(condition.data, rows.schema())?.data;
        rows = rows.filter(condition)?;
        for AnySpan { expr, negated } in any_span {
            rows = self.with_span(rows, &spans, expr, matched(*negated))?;
        }
        let schema = summaries.schema();
        let shown = schema.fields().iter().map(|field| Expr::Column(named(TRACES, field.name())));
        Ok((view(rows.project(shown.collect::<Vec<_>>())?)?, notes))
    }

    pub(super) fn sessions(
        &self,
        sessions: &Arc<dyn TableProvider>,
        summaries: &Arc<dyn TableProvider>,
        condition: &Expr,
        any_span: &[AnySpan],
    ) -> DataFusionResult<(Arc<dyn TableProvider>, Vec<String>)> {
        let (spans, notes) = self.with(any_span.iter().flat_map(|any| spanql_filter::columns(&any.expr)))?;
        let mut rows = scan(SESSIONS, sessions)?;
        let condition = compare_mixed_types(condition.clone(), rows.schema())?.data;
        rows = rows.filter(condition)?;
        for AnySpan { expr, negated } in any_span {
            let traces = self.with_span(scan(TRACES, summaries)?, &spans, expr, JoinType::LeftSemi)?;
            let session = Expr::Column(named(TRACES, "session_ids")).alias("session_id");
            let matching = traces.project(vec![Expr::Column(named(TRACES, PROJECT)).alias(PROJECT), session])?;
            let matching = matching.unnest_column("session_id")?.alias(MATCHING)?.build()?;
            let ids = |table| [PROJECT, "session_id"].map(|name| named(table, name)).to_vec();
            rows = rows.join(matching, matched(*negated), (ids(SESSIONS), ids(MATCHING)), None)?;
        }
        Ok((view(rows)?, notes))
    }

    /// The traces with a span for which it is true, or (`LeftAnti`) without one.
    fn with_span(
        &self,
        traces: LogicalPlanBuilder,
        spans: &Arc<dyn TableProvider>,
        condition: &Expr,
        join: JoinType,
    ) -> DataFusionResult<LogicalPlanBuilder> {
        let matching = self.scan(spans)?.filter(typed(condition.clone(), spans)?)?;
        let matching = matching.project(vec![column(PROJECT), column(TRACE_ID)])?.alias(MATCHING)?.build()?;
        traces.join(matching, join, trace_ids(MATCHING), None)
    }
}

fn matched(negated: bool) -> JoinType {
    if negated { JoinType::LeftAnti } else { JoinType::LeftSemi }
}

/// The names of the columns that are not qualified.
fn own_columns(condition: &Expr) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    each_expr(condition, &mut |node| {
        if let Expr::Column(Column { relation: None, name, .. }) = node {
            names.insert(name.clone());
        }
    });
    names
}
