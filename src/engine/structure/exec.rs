//! The operator that finds the spans of a pattern, trace by trace.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int32Array, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Field, Int32Type, Schema, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{Distribution, EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_expr_common::physical_expr::is_volatile;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::filter_pushdown::{ChildFilterDescription, FilterDescription, FilterPushdownPhase};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, InputDistributionRequirements,
    PlanProperties, apply_expression_roots,
};
use futures::TryStreamExt;

use crate::per_trace::{Traces, gathered_traces, whole_traces};
use crate::single_input::single_input;
use spanql_model::columns::{PROJECT, TRACE_ID, TREE, is_of_tree};
use spanql_trace::structure::{Asked, Chain, Matcher};
use spanql_trace::tree_columns_of;

/// Where the tree comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tree {
    /// Each trace lies together, and its nested-set numbers are these columns.
    Stored { left: usize, right: usize },
    /// Rows come in any order.
    Computed,
}

/// Passes on the spans that a pattern gives.
///
/// Where traces lie together it goes through each partition once, in its order, and holds no more than the trace that
/// is under way; else it holds all rows.
#[derive(Debug, Clone)]
pub(super) struct StructureExec {
    input: Arc<dyn ExecutionPlan>,
    text: String,
    chain: Chain,
    places: Vec<Option<Arc<dyn PhysicalExpr>>>,
    tree: Tree,
    /// How many of the input's columns are shown: the first ones.
    shown: usize,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl StructureExec {
    /// The spans of an input, of which so many columns are shown; conditions are over the input's columns, with those
    /// of the tree where it is computed.
    pub(super) fn new(
        input: Arc<dyn ExecutionPlan>,
        text: String,
        chain: Chain,
        places: Vec<Option<Arc<dyn PhysicalExpr>>>,
        tree: Tree,
        shown: usize,
    ) -> Result<Self> {
        let schema: SchemaRef = Arc::new(input.schema().project(&(0..shown).collect::<Vec<_>>())?);
        let (partitions, emission) = match tree {
            Tree::Stored { .. } => (input.output_partitioning().partition_count(), EmissionType::Incremental),
            Tree::Computed => (1, EmissionType::Final),
        };
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions),
            emission,
            Boundedness::Bounded,
        ));
        let metrics = ExecutionPlanMetricsSet::new();
        Ok(Self { input, text, chain, places, tree, shown, properties, metrics })
    }

    /// The same over another input.
    fn over(&self, input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        let Self { text, chain, places, tree, shown, .. } = self.clone();
        Self::new(input, text, chain, places, tree, shown)
    }

    /// The rows of these traces that the pattern gives.
    fn given(&self, matcher: &mut Matcher, (rows, traces): &Traces) -> Result<RecordBatch> {
        let (evaluated, left, right) = match self.tree {
            Tree::Stored { left, right } => (rows.clone(), numbers(rows.column(left))?, numbers(rows.column(right))?),
            Tree::Computed => {
                let tree = tree_columns_of(rows).map_err(|error| DataFusionError::External(Box::new(error)))?;
                let (left, right) = (numbers(&tree[1])?, numbers(&tree[2])?);
                (append_tree_columns(rows, tree)?, left, right)
            }
        };
        let places = self.places.iter().map(|place| truth(place.as_ref(), &evaluated)).collect::<Result<Vec<_>>>()?;
        let given = matcher.matches(&self.chain, &places, left.values(), right.values(), traces);
        let shown = rows.project(&(0..self.shown).collect::<Vec<_>>())?;
        Ok(filter_record_batch(&shown, &BooleanArray::new(given, None))?)
    }
}

/// Some columns with those of the tree behind them, in the place of any that are there.
pub(super) fn with_tree(schema: &Schema) -> SchemaRef {
    let own = schema.fields().iter().filter(|field| !is_of_tree(field.name())).cloned();
    let tree = TREE.iter().map(|column| Arc::new(Field::new(column.name, column.data_type.clone(), true)));
    Arc::new(Schema::new(own.chain(tree).collect::<Vec<_>>()))
}

fn append_tree_columns(rows: &RecordBatch, tree: Vec<ArrayRef>) -> Result<RecordBatch> {
    let schema = rows.schema();
    let own = schema.fields().iter().zip(rows.columns()).filter(|(field, _)| !is_of_tree(field.name()));
    let columns = own.map(|(_, column)| Arc::clone(column)).chain(tree).collect();
    Ok(RecordBatch::try_new(with_tree(&schema), columns)?)
}

fn numbers(column: &ArrayRef) -> Result<Int32Array> {
    match column.as_primitive_opt::<Int32Type>() {
        Some(numbers) => Ok(numbers.clone()),
        None => internal_err!("nested-set numbers are {}", column.data_type()),
    }
}

/// The rows for which a condition is true.
fn truth(condition: Option<&Arc<dyn PhysicalExpr>>, rows: &RecordBatch) -> Result<BooleanBuffer> {
    let Some(condition) = condition else { return Ok(BooleanBuffer::new_set(rows.num_rows())) };
    let truth = condition.evaluate(rows)?.into_array(rows.num_rows())?;
    let Some(truth) = truth.as_boolean_opt() else {
        return internal_err!("a filter is {}, where true or false is expected", truth.data_type());
    };
    Ok(match truth.nulls() {
        Some(valid) => truth.values() & valid.inner(),
        None => truth.values().clone(),
    })
}

impl DisplayAs for StructureExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pattern: String = self.text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let mut described = vec![("pattern", pattern.trim())];
        if let Asked::Matches(side) = self.chain.asked {
            described.push(("side", side.as_str()));
        }
        if matches!(self.tree, Tree::Computed) {
            described.push(("tree", "computed"));
        }
        let described = described.into_iter().map(|(name, value)| format!("{name}={value}"));
        match format {
            DisplayFormatType::Default | DisplayFormatType::Verbose => {
                write!(f, "StructureExec: {}", described.collect::<Vec<_>>().join(", "))
            }
            DisplayFormatType::TreeRender => described.into_iter().try_for_each(|line| writeln!(f, "{line}")),
        }
    }
}

impl ExecutionPlan for StructureExec {
    single_input!(StructureExec);

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![match self.tree {
            Tree::Stored { .. } => Distribution::UnspecifiedDistribution,
            Tree::Computed => Distribution::SinglePartition,
        }])
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        // Handing rows round would tear traces apart.
        vec![false]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![matches!(self.tree, Tree::Stored { .. })]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        apply_expression_roots(self.places.iter().flatten(), f)
    }

    fn gather_filters_for_pushdown(
        &self,
        phase: FilterPushdownPhase,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterDescription> {
        // What is the same for all spans of a trace, and stays it while they are read.
        if !matches!(phase, FilterPushdownPhase::Pre) || filters.iter().any(is_volatile) {
            return Ok(FilterDescription::all_unsupported(&filters, &self.children()));
        }
        let schema = self.schema();
        let of_traces: HashSet<usize> =
            [PROJECT, TRACE_ID].into_iter().filter_map(|name| schema.index_of(name).ok()).collect();
        let input = ChildFilterDescription::from_child_with_allowed_indices(&filters, of_traces, &self.input)?;
        Ok(FilterDescription::new().with_child(input))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, Arc::clone(&context))?;
        let memory = MemoryConsumer::new("StructureExec").register(context.memory_pool());
        let traces = match self.tree {
            Tree::Stored { .. } => whole_traces(input, memory),
            Tree::Computed => gathered_traces(input, memory, context.session_config().batch_size()),
        };
        let (plan, mut matcher) = (self.clone(), Matcher::default());
        let baseline = BaselineMetrics::new(&self.metrics, partition);
        let given = traces.try_filter_map(move |traces| {
            let timer = baseline.elapsed_compute().timer();
            let given = plan.given(&mut matcher, &traces);
            timer.done();
            let given = given.map(|rows| (rows.num_rows() > 0).then(|| rows.record_output(&baseline)));
            futures::future::ready(given)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), given)))
    }
}
