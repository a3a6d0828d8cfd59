//! The table `quality`: whether the spans of a project are all there and fit together.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, Float64Array, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder, TimestampNanosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::TableType;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::{EquivalenceProperties, Partitioning};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties};
use futures::future::try_join_all;
use futures::{StreamExt, stream};

use super::SegmentsTable;
use super::pull_history::PullHistory;
use super::tally::{Counts, Key, Looks, Pause, Tally};
use super::truncated::Truncated;
use super::verdict::Verdict;
use crate::scan::scan_by;
use crate::single_input::single_input;
use spanql_model::columns::timestamp_type;
use spanql_store::Snapshot;
use spanql_trace::elapsed_ms;

const EARLY: &str = "early_spans";
const TRUNCATED: &str = "truncated_values";

/// The columns of `quality`.
fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let fields = [
            ("project", DataType::Utf8),
            ("source", DataType::Utf8),
            ("spans", DataType::Int64),
            ("traces", DataType::Int64),
            ("rootless_traces", DataType::Int64),
            ("orphans", DataType::Int64),
            ("cycles", DataType::Int64),
            ("duplicates_merged", DataType::Int64),
            ("round_counts", DataType::Utf8),
            ("unfinished_spans", DataType::Int64),
            ("no_start_spans", DataType::Int64),
            ("first_start", timestamp_type()),
            ("last_start", timestamp_type()),
            ("largest_gap_ms", DataType::Float64),
            ("largest_gap_start", timestamp_type()),
            ("incomplete_pulls", DataType::Int64),
            ("reversed_spans", DataType::Int64),
            (EARLY, DataType::Int64),
            (TRUNCATED, DataType::Int64),
            ("verdict", DataType::Utf8),
            ("reasons", DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))),
        ];
        Arc::new(Schema::new(fields.map(|(name, data_type)| Field::new(name, data_type, true)).to_vec()))
    });
    Arc::clone(&SCHEMA)
}

/// `quality`: a row for every project and source of the spans, by project and source.
///
/// `traces` are those with a span of the source, `rootless_traces` those of them in which every span has a parent id.
/// `duplicates_merged` are spans that a pull brought although the store held them: null where the ledger remembers no
/// pull. `round_counts` names what counts exactly as many as exports are silently cut at. `largest_gap_ms` is the longest
/// time between the starts of two spans that follow each other, and `largest_gap_start` the start before it; null with
/// fewer than two starts. `incomplete_pulls` counts those that `pulls` calls incomplete, `reversed_spans` spans that end
/// before they start, `early_spans` those that start more than a second before their parent. `truncated_values` are
/// inputs and outputs that look cut: by a mark at their end, or because many of them stop at one round length.
///
/// `verdict` is `incomplete` where the ledger lacks something that was asked for, or a file was not read to its end;
/// `complete` where the remote announced what came, or nothing speaks against a pull; `suspect` where round counts, orphans,
/// traces without a root or rows that were passed over do; else `unknown`, since nobody said how many spans there are.
/// `reasons` says what it rests on.
#[derive(Debug)]
pub(crate) struct QualityTable {
    spans: Arc<SegmentsTable>,
    snapshot: Snapshot,
}

impl QualityTable {
    /// The table over the spans of a snapshot. The ledger and the spans are read when the table is.
    pub(crate) fn new(spans: Arc<SegmentsTable>, snapshot: Snapshot) -> Self {
        Self { spans, snapshot }
    }
}

impl TableProvider for QualityTable {
    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    scan_by!(QualityTable::plan_scan);
}

impl QualityTable {
    async fn plan_scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let ledger = self.snapshot.ledger().await.map_err(|error| DataFusionError::External(Box::new(error)))?;
        let spans = self.spans.schema();
        let all = || (0..schema().fields().len()).collect();
        let shown = projection.cloned().unwrap_or_else(all);
        let is_shown = |name: &str| schema().index_of(name).is_ok_and(|index| shown.contains(&index));
        let looks = Looks { early: is_shown(EARLY), truncated: is_shown(TRUNCATED) };
        let read = Tally::read(looks).iter().map(|name| spans.index_of(name)).collect::<Result<Vec<_>, _>>()?;
        let input = self.spans.scan(session, Some(&read), &[], None).await?;
        Ok(Arc::new(QualityExec::new(input, Arc::new(PullHistory::of(&ledger)), looks, shown)?))
    }
}

/// Counts all spans of its input, in which traces lie together in one partition each.
#[derive(Debug, Clone)]
struct QualityExec {
    input: Arc<dyn ExecutionPlan>,
    history: Arc<PullHistory>,
    looks: Looks,
    shown: Vec<usize>,
    properties: Arc<PlanProperties>,
}

impl QualityExec {
    fn new(input: Arc<dyn ExecutionPlan>, history: Arc<PullHistory>, looks: Looks, shown: Vec<usize>) -> Result<Self> {
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(Arc::new(schema().project(&shown)?)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        ));
        Ok(Self { input, history, looks, shown, properties })
    }

    /// The same over another input.
    fn over(&self, input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        Ok(Self { input, ..self.clone() })
    }
}

impl DisplayAs for QualityExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QualityExec")
    }
}

impl ExecutionPlan for QualityExec {
    single_input!(QualityExec, no expressions);

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (input, history, shown) = (Arc::clone(&self.input), Arc::clone(&self.history), self.shown.clone());
        let looks = self.looks;
        let run = async move {
            let partitions = 0..input.output_partitioning().partition_count();
            let counting = partitions.map(|partition| {
                let spans = input.execute(partition, Arc::clone(&context))?;
                Ok(SpawnedTask::spawn(tally(spans, looks, Arc::clone(&context))))
            });
            let counting = counting.collect::<Result<Vec<_>>>()?;
            let mut counts: BTreeMap<Key, Counts> = BTreeMap::new();
            // What was counted is held until it is written: so is the claim on memory for it.
            let mut held = vec![];
            for counted in try_join_all(counting).await.map_err(|error| DataFusionError::External(Box::new(error)))? {
                let (counted, memory) = counted?;
                held.push(memory);
                for (key, more) in counted {
                    counts.entry(key).or_default().add(more);
                }
            }
            Ok(rows(counts, &history)?.project(&shown)?)
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), stream::once(run))))
    }
}

/// Counts the spans of one partition.
async fn tally(
    mut spans: SendableRecordBatchStream,
    looks: Looks,
    context: Arc<TaskContext>,
) -> Result<(BTreeMap<Key, Counts>, datafusion::execution::memory_pool::MemoryReservation)> {
    let memory = MemoryConsumer::new("QualityExec").register(context.memory_pool());
    let mut tally = Tally::new(looks);
    let mut starts = 0;
    while let Some(batch) = spans.next().await.transpose()? {
        starts += batch.num_rows() * size_of::<i64>();
        memory.try_resize(starts + tally.trace_bytes())?;
        tally.add(&batch);
    }
    Ok((tally.end(), memory))
}

fn rows(counts: BTreeMap<Key, Counts>, history: &PullHistory) -> Result<RecordBatch> {
    let mut counts: Vec<(Key, Counts)> = counts.into_iter().collect();
    for (_, counts) in &mut counts {
        counts.starts.sort_unstable();
    }
    let pauses: Vec<Option<Pause>> = counts.iter().map(|(_, counts)| counts.longest_pause()).collect();
    let text = |text: &dyn Fn(&Key) -> Option<String>| -> ArrayRef {
        Arc::new(counts.iter().map(|(key, _)| text(key)).collect::<StringArray>())
    };
    let number = |number: &dyn Fn(&Counts) -> u64| -> ArrayRef {
        Arc::new(counts.iter().map(|(_, counts)| Some(signed(number(counts)))).collect::<Int64Array>())
    };
    let time =
        |times: Vec<Option<i64>>| -> ArrayRef { Arc::new(TimestampNanosecondArray::from(times).with_timezone("UTC")) };
    let pulled = |key: &Key| history.get(key);
    let again: Int64Array = counts.iter().map(|(key, _)| pulled(key).map(|found| signed(found.again))).collect();
    let round: StringArray = counts.iter().map(|(key, counts)| history.round_counts(key, counts)).collect();
    let incomplete = counts.iter().map(|(key, _)| Some(signed(pulled(key).map_or(0, |found| found.incomplete))));
    let gaps: Float64Array = pauses.iter().map(|pause| pause.map(|pause| elapsed_ms(pause.from, pause.to))).collect();
    let verdicts: Vec<Verdict> = counts.iter().map(|(key, counts)| Verdict::of(key, counts, history)).collect();
    let mut reasons = ListBuilder::new(StringBuilder::new());
    verdicts.iter().for_each(|verdict| reasons.append_value(verdict.reasons.iter().map(Some)));
    let columns = vec![
        text(&|(project, _)| project.clone()),
        text(&|(_, source)| source.clone()),
        number(&|counts| counts.spans),
        number(&|counts| counts.traces),
        number(&|counts| counts.rootless),
        number(&|counts| counts.orphans),
        number(&|counts| counts.cycles),
        Arc::new(again),
        Arc::new(round),
        number(&|counts| counts.unfinished),
        number(&|counts| counts.spans - counts.starts.len() as u64),
        time(counts.iter().map(|(_, counts)| counts.starts.first().copied()).collect()),
        time(counts.iter().map(|(_, counts)| counts.starts.last().copied()).collect()),
        Arc::new(gaps),
        time(pauses.iter().map(|pause| pause.map(|pause| pause.from)).collect()),
        Arc::new(incomplete.collect::<Int64Array>()),
        number(&|counts| counts.reversed),
        number(&|counts| counts.early),
        number(&|counts| counts.truncated.iter().map(Truncated::count).sum()),
        Arc::new(verdicts.iter().map(|verdict| Some(verdict.word)).collect::<StringArray>()),
        Arc::new(reasons.finish()),
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
