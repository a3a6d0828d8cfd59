//! Values of patches, laid over the rows of the segments that they are for.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, SchemaRef, UInt32Type};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::config::ConfigOptions;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::filter_pushdown::{ChildFilterDescription, FilterDescription, FilterPushdownPhase};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties};
use futures::TryStreamExt;
use parquet::arrow::RowNumber;

use crate::single_input::single_input;
use spanql_store::{Overlay, Segment, Segments, StoreError};

/// The column that says of which segment a row is, by its number.
pub(super) fn segment_field() -> FieldRef {
    Arc::new(Field::new("\u{1}segment", DataType::UInt32, false))
}

/// The column of row numbers in a segment's file.
pub(super) fn row_field() -> FieldRef {
    Arc::new(Field::new("\u{1}row", DataType::Int64, false).with_extension_type(RowNumber))
}

/// Lays the values of patches over rows of segments.
///
/// The input has the columns of the table that are wanted, then [`segment_field`] and [`row_field`].
#[derive(Debug, Clone)]
pub(super) struct OverlayExec {
    segments: Segments,
    /// By number.
    patched: Arc<[Segment]>,
    schema: SchemaRef,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl OverlayExec {
    pub(super) fn new(
        segments: Segments,
        patched: Vec<Segment>,
        schema: SchemaRef,
        input: Arc<dyn ExecutionPlan>,
    ) -> Self {
        let properties = properties(&schema, &input);
        Self { segments, patched: patched.into(), schema, input, properties, metrics: ExecutionPlanMetricsSet::new() }
    }

    fn over(&self, input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        let properties = properties(&self.schema, &input);
        Ok(Self { input, properties, metrics: ExecutionPlanMetricsSet::new(), ..self.clone() })
    }

    /// The columns that no patch has values of, by their places.
    fn as_in_files(&self) -> HashSet<usize> {
        let is_patched = |name: &str| self.patched.iter().any(|segment| segment.is_patched(name));
        let fields = self.schema.fields().iter().enumerate();
        fields.filter(|(_, field)| !is_patched(field.name())).map(|(place, _)| place).collect()
    }
}

fn properties(schema: &SchemaRef, input: &Arc<dyn ExecutionPlan>) -> Arc<PlanProperties> {
    Arc::new(PlanProperties::new(
        EquivalenceProperties::new(Arc::clone(schema)),
        Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
        input.pipeline_behavior(),
        input.boundedness(),
    ))
}

impl DisplayAs for OverlayExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match format {
            DisplayFormatType::Default | DisplayFormatType::Verbose => {
                write!(f, "OverlayExec: segments={}", self.patched.len())
            }
            DisplayFormatType::TreeRender => writeln!(f, "patches of {} segments", self.patched.len()),
        }
    }
}

impl ExecutionPlan for OverlayExec {
    single_input!(OverlayExec, no expressions);

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn gather_filters_for_pushdown(
        &self,
        _: FilterPushdownPhase,
        parent_filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterDescription> {
        // What the file has in a patched column says nothing of the row.
        let allowed = self.as_in_files();
        let child = ChildFilterDescription::from_child_with_allowed_indices(&parent_filters, allowed, &self.input)?;
        Ok(FilterDescription::new().with_child(child))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        let (segments, patched) = (self.segments.clone(), Arc::clone(&self.patched));
        let (schema, baseline) = (Arc::clone(&self.schema), BaselineMetrics::new(&self.metrics, partition));
        let laying = Laying { segments, patched, schema, baseline, at_hand: None };
        let batches = futures::stream::try_unfold((input, laying), |(mut input, mut laying)| async move {
            let Some(batch) = input.try_next().await? else { return Ok(None) };
            let batch = laying.lay(&batch).await?;
            Ok(Some((batch, (input, laying))))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches)))
    }
}

/// One run.
struct Laying {
    segments: Segments,
    patched: Arc<[Segment]>,
    schema: SchemaRef,
    baseline: BaselineMetrics,
    /// The patches of the segment that is read.
    at_hand: Option<(u32, Arc<Overlay>)>,
}

impl Laying {
    async fn lay(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let wanted = self.schema.fields().len();
        let of = batch.column(wanted).as_primitive::<UInt32Type>();
        let rows = batch.column(wanted + 1).as_primitive::<Int64Type>();
        // A batch is of one segment, or few.
        let mut by_segment: HashMap<u32, Vec<usize>> = HashMap::new();
        for (place, segment) in of.values().iter().enumerate() {
            by_segment.entry(*segment).or_default().push(place);
        }
        let mut columns = batch.columns()[..wanted].to_vec();
        for (number, places) in by_segment {
            let overlay = self.overlay(number).await?;
            let _timer = self.baseline.elapsed_compute().timer();
            // Rows of other segments have a number that no row has.
            let mut numbers = vec![u64::MAX; batch.num_rows()];
            for place in places {
                numbers[place] = rows.value(place).unsigned_abs();
            }
            let overlaid = overlay.at(&numbers);
            if overlaid.is_empty() {
                continue;
            }
            for (field, column) in self.schema.fields().iter().zip(&mut columns) {
                *column = overlaid.column(field.name(), column).map_err(external)?;
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        Ok(batch.record_output(&self.baseline))
    }

    async fn overlay(&mut self, number: u32) -> Result<Arc<Overlay>> {
        if let Some((known, overlay)) = &self.at_hand
            && *known == number
        {
            return Ok(Arc::clone(overlay));
        }
        let segment = self.patched.get(number as usize);
        let segment = segment.ok_or_else(|| internal_datafusion_err!("a row is of no segment that was planned"))?;
        let overlay = self.segments.overlay(segment).await.map_err(external)?;
        self.at_hand = Some((number, Arc::clone(&overlay)));
        Ok(overlay)
    }
}

fn external(error: StoreError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
