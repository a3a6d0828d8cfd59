//! Statements that can be stopped, however busy they are.
//!
//! A stream that is dropped is not read any more, but its operators run on for as long as they find something to do
//! without waiting: a join of a few thousand rows with themselves can take hours over it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Result, exec_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{NestedLoopJoinExec, NestedLoopJoinExecBuilder};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;

use super::tree_node::physical_plan_up;

/// Counts how often all statements of an engine were stopped.
pub(super) type Stops = Arc<AtomicU64>;

/// Whether one statement is to stop.
#[derive(Debug)]
struct Stop {
    stops: Stops,
    /// What they were when it began.
    began: u64,
    /// Whether nobody reads its rows any more.
    dropped: AtomicBool,
}

impl Stop {
    fn is_set(&self) -> bool {
        self.dropped.load(Ordering::Relaxed) || self.stops.load(Ordering::Relaxed) != self.began
    }
}

/// Says that nobody reads any more.
struct Reader(Arc<Stop>);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.dropped.store(true, Ordering::Relaxed);
    }
}

/// Runs a plan whose joins give way now and then, as scans do, and stop when the stream is dropped or `stops` grows.
pub(super) fn run(
    plan: Arc<dyn ExecutionPlan>,
    stops: &Stops,
    run: impl FnOnce(Arc<dyn ExecutionPlan>) -> Result<SendableRecordBatchStream>,
) -> Result<SendableRecordBatchStream> {
    let began = stops.load(Ordering::Relaxed);
    let stop = Arc::new(Stop { stops: Arc::clone(stops), began, dropped: AtomicBool::new(false) });
    let wrapped = physical_plan_up(plan, &mut |plan| {
        if !plan.name().ends_with("JoinExec") {
            return Ok(Transformed::no(plan));
        }
        let plan = match plan.downcast_ref::<NestedLoopJoinExec>() {
            Some(join) => stoppable(join, &stop)?.unwrap_or(plan),
            None => plan,
        };
        Ok(Transformed::yes(Arc::new(CooperativeExec::new(plan)) as Arc<dyn ExecutionPlan>))
    })?;
    let rows = run(wrapped.data)?;
    let (schema, reader) = (rows.schema(), Reader(stop));
    let rows = rows.inspect(move |_| {
        // The stream owns what tells of its end.
        let _reader = &reader;
    });
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
}

/// The same join, its filter asking first whether it is to go on: between two rows that it gives there may be billions that
/// do not match.
fn stoppable(join: &NestedLoopJoinExec, stop: &Arc<Stop>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(filter) = join.filter() else { return Ok(None) };
    let cancellable = CancellableExpr { filter: Arc::clone(filter.expression()), stop: Arc::clone(stop) };
    let filter = JoinFilter::new(Arc::new(cancellable), filter.column_indices().to_vec(), Arc::clone(filter.schema()));
    let join = NestedLoopJoinExecBuilder::from(join).with_filter(Some(filter)).build()?;
    Ok(Some(Arc::new(join)))
}

/// A condition that fails when its statement is to stop.
#[derive(Debug, Clone)]
struct CancellableExpr {
    filter: Arc<dyn PhysicalExpr>,
    stop: Arc<Stop>,
}

impl PartialEq for CancellableExpr {
    fn eq(&self, other: &Self) -> bool {
        self.filter.eq(&other.filter)
    }
}

impl Eq for CancellableExpr {}

impl Hash for CancellableExpr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.filter.hash(state);
    }
}

impl fmt::Display for CancellableExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.filter.fmt(f)
    }
}

impl PhysicalExpr for CancellableExpr {
    fn data_type(&self, input_schema: &Schema) -> Result<DataType> {
        self.filter.data_type(input_schema)
    }

    fn nullable(&self, input_schema: &Schema) -> Result<bool> {
        self.filter.nullable(input_schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        if self.stop.is_set() {
            return exec_err!("the statement was stopped");
        }
        self.filter.evaluate(batch)
    }

    fn return_field(&self, input_schema: &Schema) -> Result<FieldRef> {
        self.filter.return_field(input_schema)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.filter]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        match children.pop() {
            Some(filter) => Ok(Arc::new(Self { filter, stop: Arc::clone(&self.stop) })),
            None => exec_err!("a condition that asks has one child"),
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.filter.fmt_sql(f)
    }
}
