//! Whole traces of a remote by conditions on their spans, as a table.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::default_table_source::provider_as_source;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Column, DFSchema, Result, TableReference};
use datafusion::datasource::TableType;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, TableProviderFilterPushDown, lit};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

use super::scans::scans;
use super::table::RemoteTable;
use super::traces::{TracesWhereExec, trace_id};
use super::window::Bounds;
use crate::derived::with_open_names;
use crate::scan::scan_by;
use spanql_filter::compare::compare_mixed_types;
use spanql_filter::{all_of, any_of, columns};
use spanql_model::columns::{START_TIME, TRACE_ID};

/// How far before and after a span that matches the others of its trace are looked for, ns.
const AROUND: i64 = 86_400_000_000_000;
/// All spans of every trace in which a condition is true of any span: a table with the columns of the remote's and
/// of [`RemoteTable::with_unannounced`], and notes of names, those of the condition among them.
///
/// The conditions name canonical and open columns, without a table. With a limit, so many traces: those with the
/// latest spans that match.
pub(crate) fn traces_where(
    remote: &RemoteTable,
    any_span: Vec<Expr>,
    limit: Option<usize>,
    names: &BTreeSet<String>,
) -> (Arc<dyn TableProvider>, Vec<String>) {
    let (_, mut notes) = remote.remote_with_unannounced(&any_span.iter().flat_map(columns).collect());
    let (spans, more) = remote.remote_with_unannounced(names);
    notes.extend(more.into_iter().filter(|note| !notes.contains(note)).collect::<Vec<_>>());
    (Arc::new(TracesWhereTable { remote: spans, any_span, limit }), notes)
}

/// All spans of every trace of a remote project that has a span for each of some conditions, one that makes it true.
///
/// The spans of a trace are taken to start within a day of one that matches.
#[derive(Debug)]
struct TracesWhereTable {
    remote: RemoteTable,
    any_span: Vec<Expr>,
    /// So many traces: those with the latest spans that match.
    limit: Option<usize>,
}

impl TracesWhereTable {
    /// The plan that gives the spans that match: the id of the trace, the start of the span if only the latest are
    /// wanted, and where there are several conditions, which of them are true.
    async fn matching(&self, session: &dyn Session, around: Bounds) -> Result<Arc<dyn ExecutionPlan>> {
        let names: BTreeSet<String> = self.any_span.iter().flat_map(columns).collect();
        let (spans, _) = self.remote.with_unannounced(&names);
        let title = self.remote.title();
        let (spans, _) = with_open_names(&title, spans, &BTreeMap::new(), &names)?;
        let schema = DFSchema::try_from(spans.schema())?;
        let any_span = self.any_span.iter().map(|any| Ok(compare_mixed_types(any.clone(), &schema)?.data));
        let any_span: Vec<Expr> = any_span.collect::<Result<_>>()?;
        let any = if any_span.is_empty() { lit(true) } else { any_of(any_span.clone()) };
        let conditions = std::iter::once(any).chain(around.conditions()).collect();
        let start = self.limit.map(|_| Expr::Column(Column::new_unqualified(START_TIME)));
        let which = any_span.into_iter().enumerate().map(|(at, any)| any.alias(format!("matches {at}")));
        let which = which.filter(|_| self.any_span.len() > 1);
        // The title is a name as a whole: a dot in it is no schema.
        let plan = LogicalPlanBuilder::scan(TableReference::bare(title), provider_as_source(spans), None)?
            .filter(all_of(conditions))?
            .project(std::iter::once(trace_id()).chain(start).chain(which))?
            .build()?;
        session.create_physical_plan(&plan).await
    }
}

/// Conditions on the start time that all spans of a trace pass of which one passes some filters.
pub(crate) fn around(filters: &[Expr]) -> Vec<Expr> {
    Bounds::of(filters).widened(AROUND).conditions()
}

impl TableProvider for TracesWhereTable {
    fn schema(&self) -> SchemaRef {
        self.remote.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    scan_by!(TracesWhereTable::plan_scan);
}

impl TracesWhereTable {
    async fn plan_scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all: Vec<usize> = (0..self.schema().fields().len()).collect();
        let mut read = projection.cloned().unwrap_or(all);
        let shown = read.len();
        let schema = Arc::new(self.schema().project(&read)?);
        let wanted = Bounds::of(filters);
        let input = self.matching(session, wanted.widened(AROUND)).await?;
        let first = scans(&input).first().map(|scan| scan.window());
        let Some(window) = first.and_then(|window| Bounds::within(window).widened(AROUND).and(wanted).asked()) else {
            return Ok(Arc::new(EmptyExec::new(schema)));
        };
        // Rows of other traces must be told from those that are wanted.
        let id = self.schema().index_of(TRACE_ID)?;
        let id = read.iter().position(|&index| index == id).unwrap_or_else(|| {
            read.push(id);
            shown
        });
        let spans = self.remote.reading(&read, filters, window)?;
        Ok(Arc::new(TracesWhereExec::new(input, spans, id, schema, self.limit)))
    }
}
