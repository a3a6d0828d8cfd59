//! The spans of whole traces in tree order: of one, of a session, of those that match; and the critical path of one.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::TimestampNanosecondType;
use datafusion::catalog::TableProvider;
use datafusion::common::Result as DataFusionResult;
use datafusion::functions_nested::expr_fn::array_has;
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::physical_plan::collect;
use futures::FutureExt;

use super::table::{MATCHING, TRACES, Table, beside, column, named, scan, trace_ids};
use crate::catalog::Catalog;
use crate::error::EngineError;
use crate::tables::{Begin, By, CriticalPathTable, InOrderTable, SegmentsTable};
use spanql_model::columns::{PROJECT, SPAN_ID, START_TIME, TRACE_ID};

/// The number by which the spans of a trace are in tree order.
const LEFT: &str = "tree.left";
/// Where a trace begins, among spans of several.
const BEGINS: &str = "begins";
/// Traces whose ids are looked for in bloom filters; with more, nearly every row group holds one.
const MOST_IDS: usize = 1_000;

/// A session, and the traces that belong to it.
#[derive(Debug, Clone)]
pub(super) struct Session {
    id: String,
    /// Their ids, if they are few enough to be looked for one by one.
    traces: Option<Vec<String>>,
    summaries: Arc<dyn TableProvider>,
}

impl Session {
    /// Looks up a session by its whole id; also gives the table with less to read for it.
    pub(super) fn find(catalog: &Catalog<'_>, id: String, spans: Table) -> Result<(Self, Table), EngineError> {
        let summaries = beside(catalog, TRACES)?;
        let found = look_up(catalog, of_session(&summaries, &id))?;
        if found.len() > MOST_IDS {
            return Ok((Self { id, traces: None, summaries }, spans));
        }
        let (traces, begins) = found.into_iter().unzip();
        Ok((Self { id, traces: Some(traces), summaries }, spans.holding(begins)))
    }
}

/// A table with less to read for the trace with this id.
pub(super) fn holding_trace(catalog: &Catalog<'_>, id: &str, spans: Table) -> Result<Table, EngineError> {
    let summaries = beside(catalog, TRACES)?;
    let own = Expr::Column(named(TRACES, "trace_id"));
    let traces = scan(TRACES, &summaries).and_then(|traces| chosen(traces.filter(own.eq(lit(id)))?));
    let (_, begins): (Vec<String>, _) = look_up(catalog, traces)?.into_iter().unzip();
    Ok(spans.holding(begins))
}

/// The ids of some traces and where they begin: all of them, or more than [`MOST_IDS`].
fn look_up(
    catalog: &Catalog<'_>,
    traces: DataFusionResult<LogicalPlanBuilder>,
) -> Result<Vec<(String, Begin)>, EngineError> {
    let find = async {
        let plan = traces?.limit(0, Some(MOST_IDS + 1))?.build()?;
        let plan = catalog.state.create_physical_plan(&plan).await?;
        collect(plan, catalog.state.task_ctx()).await
    };
    let found = catalog.handle.block_on(find.boxed()).map_err(|error| EngineError::from_datafusion(&error))?;
    let rows = found.iter().flat_map(|batch| {
        let (projects, ids) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
        let starts = batch.column(2).as_primitive::<TimestampNanosecondType>();
        projects.iter().zip(ids).zip(starts).map(|((project, id), start)| {
            (id.unwrap_or_default().to_owned(), Begin { project: project.unwrap_or_default().to_owned(), start })
        })
    });
    Ok(rows.collect())
}

/// Project, id and start of the traces of a session.
fn of_session(summaries: &Arc<dyn TableProvider>, id: &str) -> DataFusionResult<LogicalPlanBuilder> {
    let sessions = Expr::Column(named(TRACES, "session_ids"));
    chosen(scan(TRACES, summaries)?.filter(array_has(sessions, lit(id)))?)
}

/// What of rows of `traces` finds their spans and puts them in order.
fn chosen(traces: LogicalPlanBuilder) -> DataFusionResult<LogicalPlanBuilder> {
    let own = |name: &str| Expr::Column(named(TRACES, name));
    traces.project(vec![own(PROJECT), own("trace_id").alias(TRACE_ID), own("start_time").alias(BEGINS)])
}

impl Table {
    /// The same with less to read where only some traces are wanted, and it is known which files hold none of them.
    fn holding(self, traces: Vec<Begin>) -> Self {
        match self.provider.downcast_ref::<SegmentsTable>() {
            Some(segments) => Self { provider: Arc::new(segments.holding(traces)), ..self },
            None => self,
        }
    }

    /// The spans of a trace, depth first.
    pub(super) fn trace(
        &self,
        spans: &Arc<dyn TableProvider>,
        id: &str,
        shown: Vec<Expr>,
    ) -> DataFusionResult<Arc<dyn TableProvider>> {
        let rows = self.scan(spans)?.filter(of_trace(id))?;
        in_order(rows, shown, vec![By::least(PROJECT), By::least(LEFT)])
    }

    /// The spans of the traces of a session, trace after trace as they begin, each depth first.
    pub(super) fn session(
        &self,
        spans: &Arc<dyn TableProvider>,
        session: &Session,
        shown: Vec<Expr>,
    ) -> DataFusionResult<Arc<dyn TableProvider>> {
        let traces = of_session(&session.summaries, &session.id)?.alias(MATCHING)?.build()?;
        let mut rows = self.scan(spans)?;
        if let Some(ids) = &session.traces {
            rows = rows.filter(column(TRACE_ID).in_list(ids.iter().map(lit).collect(), false))?;
        }
        let order = [By::least(PROJECT), By::least_known(BEGINS), By::least(TRACE_ID), By::least(LEFT)];
        self.spans_of(rows, traces, shown, order.into())
    }

    /// The spans of some traces of `traces`, the traces that begin last first, each depth first.
    pub(super) fn newest_first(
        &self,
        spans: &Arc<dyn TableProvider>,
        traces: &Arc<dyn TableProvider>,
        limit: Option<usize>,
        shown: Vec<Expr>,
    ) -> DataFusionResult<Arc<dyn TableProvider>> {
        let mut traces = chosen(scan(TRACES, traces)?)?;
        if limit.is_some() {
            let newest = [column(BEGINS).sort(false, false), column(TRACE_ID).sort(true, true)];
            traces = traces.sort(newest.into_iter().chain([column(PROJECT).sort(true, true)]))?.limit(0, limit)?;
        }
        let order = [By::greatest_known(BEGINS), By::least(PROJECT), By::least(TRACE_ID), By::least(LEFT)];
        self.spans_of(self.scan(spans)?, traces.alias(MATCHING)?.build()?, shown, order.into())
    }

    /// The spans of a remote, trace after trace in the order of their ids, each in the order of time.
    pub(super) fn by_trace(
        &self,
        traces: &Arc<dyn TableProvider>,
        shown: Vec<Expr>,
    ) -> DataFusionResult<Arc<dyn TableProvider>> {
        let order = vec![By::least(TRACE_ID), By::least_known(START_TIME), By::least(SPAN_ID)];
        in_order(self.scan(traces)?, shown, order)
    }

    fn spans_of(
        &self,
        rows: LogicalPlanBuilder,
        traces: LogicalPlan,
        shown: Vec<Expr>,
        order: Vec<By>,
    ) -> DataFusionResult<Arc<dyn TableProvider>> {
        let (_, theirs) = trace_ids(MATCHING);
        let (_, own) = trace_ids(&self.name);
        let rows = rows.join(traces, JoinType::Inner, (own, theirs), None)?;
        let shown = shown.into_iter().map(|shown| of(&self.name, shown)).chain([column(BEGINS)]).collect();
        in_order(rows, shown, order)
    }

    /// The critical path of a trace, or that of its steps.
    pub(super) fn critical_path(
        &self,
        spans: &Arc<dyn TableProvider>,
        id: &str,
        steps: bool,
    ) -> DataFusionResult<Arc<dyn TableProvider>> {
        let read = CriticalPathTable::READ.map(column);
        let spans = self.scan(spans)?.filter(of_trace(id))?.project(read)?.build()?;
        Ok(Arc::new(CriticalPathTable::new(spans, steps)))
    }
}

fn of_trace(id: &str) -> Expr {
    column(TRACE_ID).eq(lit(id))
}

/// A table of what is shown of some rows; columns that are only there to order by are not.
fn in_order(rows: LogicalPlanBuilder, shown: Vec<Expr>, order: Vec<By>) -> DataFusionResult<Arc<dyn TableProvider>> {
    let columns = shown.iter().filter(|shown| !matches!(shown, Expr::Column(column) if column.name == BEGINS)).count();
    Ok(Arc::new(InOrderTable::new(rows.project(shown)?.build()?, order, columns)))
}

/// A column as one of a relation.
fn of(relation: &str, expr: Expr) -> Expr {
    match expr {
        Expr::Column(column) => Expr::Column(named(relation, &column.name)),
        other => other,
    }
}
