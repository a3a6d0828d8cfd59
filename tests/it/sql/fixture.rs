//! Twelve spans in four traces, with everything the names in SQL can stand for.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::json::ReaderBuilder;
use datafusion::common::ScalarValue;
use datafusion::datasource::MemTable;
use spanql::engine::{Engine, EngineConfig, Relation, StoreEngine};
use spanql::model::columns::{spans_schema, timestamp_type};
use spanql::model::ingest::{IngestBuilder, Origin};
use spanql::store::{Progress, Store};

const SPANS: &str = include_str!("spans.jsonl");
const LONG: &str = include_str!("long.jsonl");
const NESTED: &str = include_str!("nested.jsonl");
const TRACES: &str = include_str!("traces.jsonl");

fn open_columns() -> Vec<(String, DataType)> {
    use DataType::{Boolean, Float64, Int64, Utf8};
    [
        ("annotation.quality.label", Utf8),
        ("annotation.quality.score", Float64),
        ("attributes.big", Int64),
        ("attributes.count", Int64),
        ("attributes.flag", Boolean),
        ("attributes.food", Utf8),
        ("attributes.metadata.n", Int64),
        ("attributes.metadata.tier", Utf8),
        ("attributes.mixed", Utf8),
        ("attributes.ratio", Float64),
        ("attributes.rest", Utf8),
        ("eval.Answer Relevance.label", Utf8),
        ("eval.Answer Relevance.score", Float64),
        ("eval.Correctness.explanation", Utf8),
        ("eval.Correctness.label", Utf8),
        ("eval.Correctness.score", Float64),
    ]
    .map(|(name, data_type)| (name.to_owned(), data_type))
    .to_vec()
}

fn batch(schema: SchemaRef, json: &str) -> RecordBatch {
    let mut reader = ReaderBuilder::new(schema).with_strict_mode(true).build(Cursor::new(json)).unwrap();
    reader.next().unwrap().unwrap()
}

pub(super) fn spans() -> RecordBatch {
    batch(spans_schema(&open_columns()), SPANS)
}

fn traces() -> RecordBatch {
    use DataType::{Float64, Int64, Utf8};
    let texts = || DataType::List(Arc::new(Field::new_list_field(Utf8, true)));
    let columns = [
        ("project", Utf8),
        ("source", Utf8),
        ("trace_id", Utf8),
        ("root_span_id", Utf8),
        ("name", Utf8),
        ("kind", Utf8),
        ("session_id", Utf8),
        ("session_ids", texts()),
        ("user_id", Utf8),
        ("start_time", timestamp_type()),
        ("end_time", timestamp_type()),
        ("latency_ms", Float64),
        ("status_code", Utf8),
        ("span_count", Int64),
        ("error_count", Int64),
        ("models", texts()),
        ("total_tokens", Int64),
        ("cost", Float64),
        ("input", Utf8),
        ("output", Utf8),
    ];
    let fields: Vec<Field> = columns.into_iter().map(|(name, data_type)| Field::new(name, data_type, true)).collect();
    batch(Arc::new(Schema::new(fields)), TRACES)
}

fn table(batch: RecordBatch) -> Arc<MemTable> {
    Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap())
}

fn rest() -> Arc<BTreeMap<String, DataType>> {
    let names = ["attributes.rare.key", "attributes.rare.number", "attributes.rare.object"];
    Arc::new(names.map(|name| (name.to_owned(), DataType::Utf8)).into())
}

/// The table function `spans_of('trace')`.
fn spans_of(args: &[ScalarValue]) -> Result<Relation, spanql::engine::EngineError> {
    let wanted = args.first().map(ScalarValue::to_string).unwrap_or_default();
    let all = spans();
    let ids = all.column_by_name("context.trace_id").unwrap();
    let ids = datafusion::arrow::array::AsArray::as_string::<i32>(ids);
    let keep = ids.iter().map(|id| Some(id == Some(wanted.as_str()))).collect();
    let batch = datafusion::arrow::compute::filter_record_batch(&all, &keep).unwrap();
    Ok(Relation::Spans { table: table(batch), rest: rest() })
}

/// An engine over the fixture: tables `spans`, `traces`, `opik.demo`, view `failures`, function `spans_of`.
pub(super) async fn engine() -> Engine {
    // One partition: rows come in the order of the fixture.
    engine_with(EngineConfig { target_partitions: Some(1), ..EngineConfig::default() }).await
}

pub(super) async fn engine_with(config: EngineConfig) -> Engine {
    let engine = Engine::new(config).unwrap();
    engine.register("spans", Relation::Spans { table: table(spans()), rest: rest() }).await.unwrap();
    engine.register("traces", Relation::Plain(table(traces()))).await.unwrap();
    engine.register("opik.demo", Relation::Spans { table: table(spans()), rest: rest() }).await.unwrap();
    let failures = "SELECT trace_id, span_id, name, status_message FROM spans WHERE status_code = 'ERROR'";
    engine.register("failures", Relation::View(failures.to_owned())).await.unwrap();
    engine.register_function("spans_of", Arc::new(spans_of));
    engine
}

/// An engine over a store of spans with evaluations, annotations, events, messages and documents in many shapes.
pub(super) async fn long_engine() -> Engine {
    store_engine(LONG).await
}

/// An engine over a store of spans with objects in the JSON text of their columns.
pub(super) async fn nested_engine() -> Engine {
    store_engine(NESTED).await
}

async fn store_engine(spans: &str) -> Engine {
    let mut builder = IngestBuilder::new(Origin { source: "file", project: "shop".to_owned(), force_project: false });
    for line in spans.lines() {
        builder.push_json(line).unwrap();
    }
    let store = Store::open("memory://").unwrap();
    let mut import = store.begin();
    import.push(&builder.finish().unwrap().unwrap()).unwrap();
    store.commit(import, "import", &Progress::default()).await.unwrap();
    StoreEngine::default().open(store.snapshot().await.unwrap()).await.unwrap()
}
