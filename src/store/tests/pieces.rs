//! Traces merged in pieces are what they are merged as a whole.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray,
};
use arrow::datatypes::{Int64Type, TimestampNanosecondType};
use arrow::util::display::array_value_to_string;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;

use super::super::creation::create;
use super::super::manifest::Manifest;
use super::super::segment::Sizes;
use super::super::stored::StoredSegment;
use super::super::{Progress, Store};
use super::{Row, ingest_batch};
use spanql_model::columns;

/// Small enough that a few spans are much; as in earnest, a group of several traces is never too large for one group.
const TINY: Sizes = Sizes {
    group_rows: 4,
    group_bytes: 2_000,
    huge_rows: 5,
    huge_bytes: 2_500,
    whole_bytes: 2_000,
    fold_rows: 0,
    rebuild_share: u64::MAX,
};

/// What is done to a store.
#[derive(Debug, Clone)]
enum Step {
    Import(Vec<Span>),
    Delete(Vec<&'static str>),
    Compact,
    Vacuum,
    /// Back to the version behind an earlier step, if it is still there.
    Restore(usize),
}

#[derive(Debug, Clone)]
struct Span {
    trace: &'static str,
    id: &'static str,
    parent: Option<&'static str>,
    start: Option<i64>,
    /// How long its input is.
    input: Option<usize>,
    /// 0 to 2: an integer, a float or a text.
    kind: u8,
    metadata: Option<&'static str>,
    /// The kind, how long it takes, whether its input is that of others, and its messages.
    call: Call,
}

type Call = (Option<&'static str>, Option<i64>, bool, Option<&'static str>);

fn call() -> impl Strategy<Value = Call> {
    let kind = prop::option::of(prop::sample::select(vec!["LLM", "LLM", "LLM", "TOOL", "CHAIN"]));
    let messages = vec![r#"[{"message":{"role":"user","content":"hello"}}]"#, r#"[{"message":{"role":"system"}}]"#];
    let messages = prop::option::of(prop::sample::select(messages));
    (kind, prop::option::weighted(0.9, 0..60_i64), any::<bool>(), messages)
}

const TRACES: [&str; 3] = ["t1", "t2", "t3"];
const IDS: [&str; 14] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n"];

fn span() -> impl Strategy<Value = Span> {
    // Most are of one trace, so that it becomes large.
    let trace = prop_oneof![4 => Just(TRACES[0]), 1 => prop::sample::select(&TRACES[..])];
    let id = || prop::sample::select(&IDS[..]);
    let metadata = prop::option::of(prop::sample::select(vec![r#"{"k":1}"#, r#"{"k":"x","l":2}"#]));
    let times = (prop::option::weighted(0.8, 0..50_i64), prop::option::weighted(0.7, 0..700_usize));
    (trace, id(), prop::option::of(id()), times, 0..3_u8, metadata, call()).prop_map(
        |(trace, id, parent, (start, input), kind, metadata, call)| Span {
            trace,
            id,
            parent,
            start,
            input,
            kind,
            metadata,
            call,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::collection::vec(span(), 1..40).prop_map(Step::Import),
        1 => prop::collection::vec(prop::sample::select(&IDS[..]), 1..3).prop_map(Step::Delete),
    ]
}

/// Few spans of many traces, and what is done to a store beside.
fn small_step() -> impl Strategy<Value = Step> {
    let traces = vec!["t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8"];
    let of_any = (span(), prop::sample::select(traces)).prop_map(|(span, trace)| Span { trace, ..span });
    prop_oneof![
        8 => prop::collection::vec(of_any, 1..6).prop_map(Step::Import),
        2 => prop::collection::vec(prop::sample::select(&IDS[..]), 1..2).prop_map(Step::Delete),
        1 => Just(Step::Compact),
        1 => Just(Step::Vacuum),
        1 => (0..4_usize).prop_map(Step::Restore),
    ]
}

/// Rows as batches of three, so that their order is not that of batches.
fn batches(spans: &[Span]) -> Vec<RecordBatch> {
    let batch = |spans: &[Span]| {
        let ids: Vec<_> = spans.iter().map(|span| (span.trace, span.id, span.start)).collect();
        let text = |of: &dyn Fn(&Span) -> Option<String>| -> ArrayRef {
            Arc::new(spans.iter().map(of).collect::<StringArray>())
        };
        let input = text(&|span| {
            let beginning = if span.call.2 { "same" } else { span.id };
            span.input.map(|length| format!("{beginning}{}", "ü".repeat(if span.call.2 { length % 2 } else { length })))
        });
        let ends = spans.iter().map(|span| Some(span.start? + span.call.1?));
        let ends = TimestampNanosecondArray::from(ends.collect::<Vec<_>>()).with_timezone("UTC");
        let open: ArrayRef = match spans[0].kind {
            0 => Arc::new(Int64Array::from_iter_values(spans.iter().map(|span| span.input.unwrap_or(0) as i64))),
            1 => Arc::new(Float64Array::from_iter_values(spans.iter().map(|span| span.start.unwrap_or(0) as f64 / 8.))),
            _ => text(&|span| Some(format!("text {}", span.id))),
        };
        let columns = [
            ("parent_id", text(&|span| span.parent.map(str::to_owned))),
            ("attributes.input.value", input),
            ("end_time", Arc::new(ends)),
            ("attributes.openinference.span.kind", text(&|span| span.call.0.map(str::to_owned))),
            ("attributes.llm.input_messages", text(&|span| span.call.3.map(str::to_owned))),
            ("attributes.llm.output_messages", text(&|span| span.call.3.map(|list| list.replace("user", "assistant")))),
            ("attributes.metadata", text(&|span| span.metadata.map(str::to_owned))),
            ("attributes.open", open),
        ];
        ingest_batch(&ids, &columns)
    };
    spans.chunks(3).map(batch).collect()
}

/// A store, and its versions behind each step that can still be restored.
struct Kept {
    store: Store,
    versions: Vec<u64>,
}

impl Kept {
    async fn new(sizes: Sizes, format: u32) -> Self {
        let mut store = Store::open("memory://").unwrap();
        store.sizes = sizes;
        let first = Manifest { format, ..Manifest::after(0, &Manifest::empty(), "begin".to_owned()) };
        create(&store.location, &first).await.unwrap();
        Self { store, versions: vec![1] }
    }

    async fn take(&mut self, step: &Step) -> String {
        let said = match step {
            Step::Restore(back) => {
                let version = self.versions[self.versions.len().saturating_sub(1 + back % self.versions.len())];
                self.store.restore(version).await.unwrap();
                String::new()
            }
            step => take(&self.store, step).await,
        };
        let version = self.store.snapshot().await.unwrap().manifest.version;
        if matches!(step, Step::Vacuum) {
            self.versions.clear();
        }
        self.versions.push(version);
        said
    }
}

/// Does a step; says what it counted.
async fn take(store: &Store, step: &Step) -> String {
    let committed = match step {
        Step::Compact => {
            store.compact().await.unwrap();
            return String::new();
        }
        Step::Vacuum => {
            store.vacuum(std::time::Duration::ZERO).await.unwrap();
            return String::new();
        }
        Step::Restore(_) => return String::new(),
        Step::Import(spans) => {
            let mut import = store.begin();
            batches(spans).iter().for_each(|batch| import.push(batch).unwrap());
            store.commit(import, "import", &Progress::default()).await
        }
        Step::Delete(ids) => store.delete_spans("p", ids).await,
    };
    format!("{:?}", committed.unwrap().counts)
}

fn rows_of(batches: &[RecordBatch]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let schema = batch.schema();
            let cells = schema.fields().iter().zip(batch.columns()).filter_map(|(field, array)| {
                let value = array.is_valid(row).then(|| array_value_to_string(array, row).unwrap())?;
                // An integer that lay beside floats before there was text reads 0.0, else 0: that goes by what was in
                // its segment, and not by how its trace was merged.
                let number = value.parse::<f64>().ok().filter(|_| field.name() == "attributes.open");
                Some((field.name().clone(), number.map_or(value, |number| number.to_string())))
            });
            rows.push(cells.collect());
        }
    }
    rows
}

/// How many values each column has.
fn filled(batches: &[RecordBatch]) -> BTreeMap<String, u64> {
    let mut filled = BTreeMap::new();
    for batch in batches {
        for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            *filled.entry(field.name().clone()).or_default() += (array.len() - array.null_count()) as u64;
        }
    }
    filled
}

/// All spans with all columns, all summaries, and the types of open columns.
type Content = (BTreeMap<(String, String), Row>, BTreeMap<String, Row>, String);

/// What a store holds; fails when its files are not as they should be.
async fn content(store: &Store, sizes: &Sizes) -> Content {
    let snapshot = store.snapshot().await.unwrap();
    let (mut spans, mut summaries) = (BTreeMap::new(), BTreeMap::new());
    for segment in &snapshot.manifest.segments {
        let stored = StoredSegment::load(store.location(), segment, store.spill_dir()).await.unwrap();
        let live = stored.dead.spans.without(&(0..segment.rows_in_file() as usize));
        let reader = ParquetRecordBatchReaderBuilder::try_new(stored.file.clone()).unwrap();
        let reader = reader.with_row_selection(live).build().unwrap();
        let batches: Vec<RecordBatch> = reader.collect::<Result<_, _>>().unwrap();
        let mut order = Vec::new();
        let mut done = HashSet::new();
        for batch in &batches {
            let ids = batch.column_by_name(columns::TRACE_ID).unwrap().as_string::<i32>();
            let starts = batch.column_by_name(columns::START_TIME).unwrap();
            let starts = starts.as_primitive::<TimestampNanosecondType>();
            for row in 0..batch.num_rows() {
                if order.last().is_none_or(|(last, _)| last != ids.value(row)) {
                    assert!(done.insert(ids.value(row).to_owned()), "a trace does not lie together");
                }
                order.push((ids.value(row).to_owned(), starts.is_valid(row).then(|| starts.value(row))));
            }
        }
        assert!(order.chunk_by(|a, b| a.0 == b.0).all(|trace| trace.is_sorted_by_key(|(_, start)| start)));
        let live = (0..stored.summaries.num_rows()).map(|trace| Some(!stored.dead.traces.contains(trace))).collect();
        let live_summaries = arrow::compute::filter_record_batch(&stored.summaries, &live).unwrap();
        assert_eq!((live_summaries.num_rows() as u64, order.len() as u64), (segment.traces, segment.rows));
        let counts = live_summaries.column_by_name("span_count").unwrap().as_primitive::<Int64Type>();
        assert_eq!(counts.values().iter().sum::<i64>() as usize, order.len());
        for aligned in stored.aligned_groups().unwrap() {
            // Row groups begin where a trace does, or within a trace that is alone in its groups.
            assert!(aligned.groups.len() == 1 || aligned.traces.len() == 1, "{aligned:?}");
        }
        for group in stored.metadata.row_groups() {
            assert!(group.num_rows() as usize <= sizes.huge_rows.max(sizes.group_rows));
        }
        for row in rows_of(&batches) {
            let key = (row[columns::TRACE_ID].clone(), row[columns::SPAN_ID].clone());
            assert!(spans.insert(key, row).is_none(), "a span is there twice");
        }
        let of_files = live_summaries.clone();
        assert_eq!(
            segment.of_files.unwrap_or_default(),
            super::super::segment::of_files(&of_files).unwrap_or_default()
        );
        let stats = snapshot.segments.stats(segment).await.unwrap();
        for (field, filled) in filled(&batches) {
            let known = stats.columns.get(&field).map_or(0, |facts| facts.filled);
            assert_eq!(known, filled, "values of {field}");
        }
        for row in rows_of(std::slice::from_ref(&live_summaries)) {
            assert!(summaries.insert(row["trace_id"].clone(), row).is_none(), "a trace is in two segments");
        }
    }
    (spans, summaries, format!("{:?}", snapshot.manifest.columns))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(20) })]

    #[test]
    fn pieces_make_the_whole(steps in prop::collection::vec(step(), 1..7)) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let whole = Store::open("memory://").unwrap();
            let mut pieces = Store::open("memory://").unwrap();
            pieces.sizes = TINY;
            for (number, step) in steps.iter().enumerate() {
                assert_eq!(take(&pieces, step).await, take(&whole, step).await, "counts of step {number}");
                let versions = [&pieces, &whole].map(|store| async { store.snapshot().await.unwrap().manifest.version });
                let [piecewise, at_once] = versions;
                assert_eq!(piecewise.await, at_once.await, "commits after step {number}");
                let expected = content(&whole, &Sizes::default()).await;
                assert_eq!(content(&pieces, &TINY).await, expected, "after step {number}");
            }
        });
    }

    /// Traces that are written anew, and what is left of the segments they were in, are what a rebuild of all that a commit
    /// touches makes, as a store of format 1 does it.
    #[test]
    fn what_is_written_anew_is_what_is_rebuilt(
        first in prop::collection::vec(span(), 10..60),
        steps in prop::collection::vec(small_step(), 1..14),
        fold_rows in prop::sample::select(vec![0, 3, 512]),
        rebuild_share in prop::sample::select(vec![0, 2, 4]),
        tiny in any::<bool>(),
    ) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let sizes = Sizes { fold_rows, rebuild_share, ..if tiny { TINY } else { Sizes::default() } };
            let mut rebuilt = Kept::new(sizes, 1).await;
            let mut anew = Kept::new(sizes, 2).await;
            for (number, step) in std::iter::once(&Step::Import(first)).chain(&steps).enumerate() {
                assert_eq!(anew.take(step).await, rebuilt.take(step).await, "counts of step {number}");
                let expected = content(&rebuilt.store, &sizes).await;
                assert_eq!(content(&anew.store, &sizes).await, expected, "after step {number}");
            }
            let manifest = rebuilt.store.snapshot().await.unwrap().manifest;
            assert!(manifest.format == 1 && manifest.segments.iter().all(|s| s.deletions.is_none() && s.bundle.is_none()));
        });
    }
}
