//! SQL over a store: what its segments hold, read as one table.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray};
use arrow::util::pretty::pretty_format_batches;
use futures::TryStreamExt;
use spanql::engine::{Params, StoreEngine};
use spanql::store::{Progress, Store};

/// Spans `s0`, `s1` … of trace `t` that start one second apart, with further columns.
fn spans(trace: &str, count: usize, extra: &[(&str, ArrayRef)]) -> RecordBatch {
    let text = |values: Vec<String>| -> ArrayRef { Arc::new(StringArray::from(values)) };
    let start: TimestampNanosecondArray = (0..count as i64).map(|n| Some(n * 1_000_000_000)).collect();
    let end: TimestampNanosecondArray = (0..count as i64).map(|n| Some(n * 1_000_000_000 + 500_000_000)).collect();
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("project", text(vec!["p".into(); count])),
        ("source", text(vec!["file".into(); count])),
        ("context.trace_id", text(vec![trace.into(); count])),
        ("context.span_id", text((0..count).map(|n| format!("{trace}-s{n}")).collect())),
        ("start_time", Arc::new(start.with_timezone("UTC"))),
        ("end_time", Arc::new(end.with_timezone("UTC"))),
    ];
    columns.extend(extra.iter().map(|(name, array)| (*name, Arc::clone(array))));
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

/// A store with one commit for each batch.
async fn store(batches: Vec<RecordBatch>) -> Store {
    let store = Store::open("memory://").unwrap();
    for batch in batches {
        let mut import = store.begin();
        import.push(&batch).unwrap();
        store.commit(import, "import", &Progress::default()).await.unwrap();
    }
    store
}

async fn ask(store: &Store, sql: &str) -> (String, Vec<String>) {
    let engine = StoreEngine::default().open(store.snapshot().await.unwrap()).await.unwrap();
    let prepared = engine.prepare(sql, &Params::new()).await.unwrap().remove(0);
    let batches: Vec<RecordBatch> = prepared.execute().await.unwrap().try_collect().await.unwrap();
    let lines = pretty_format_batches(&batches).unwrap().to_string();
    // Only the cells: rulers depend on the widest of them.
    let cells =
        |line: &str| line.split('|').map(str::trim).filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join(" ");
    let rows: Vec<String> = lines.lines().filter(|line| line.starts_with('|')).skip(1).map(cells).collect();
    (rows.join("\n"), prepared.notes().to_vec())
}

#[tokio::test]
async fn numbers_and_text_in_one_column_read_the_same_wherever_they_lie() {
    let ints: ArrayRef = Arc::new(Int64Array::from(vec![5, 7]));
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![5.0, 2.5]));
    let store = store(vec![
        spans("a", 2, &[("attributes.x", ints)]),
        spans("b", 2, &[("attributes.x", floats)]),
        spans("c", 2, &[("attributes.x", texts(&[Some("5"), Some("five")]))]),
    ])
    .await;
    let all = "SELECT span_id, attributes.x FROM spans ORDER BY 1";
    assert_eq!(ask(&store, all).await.0, "a-s0 5\na-s1 7\nb-s0 5\nb-s1 2.5\nc-s0 5\nc-s1 five");
    let equal = "SELECT count(*) FROM spans WHERE attributes.x = '5'";
    assert_eq!(ask(&store, equal).await.0, "3");
    let greater = "SELECT count(*) FROM spans WHERE attributes.x > 2.6";
    assert_eq!(ask(&store, greater).await.0, "4");
    let grouped = "SELECT attributes.x, count(*) FROM spans GROUP BY 1 ORDER BY 1";
    assert_eq!(ask(&store, grouped).await.0, "2.5 1\n5 3\n7 1\nfive 1");
}

#[tokio::test]
async fn keys_beyond_the_limit_read_like_columns() {
    let names: Vec<String> = (0..2300).map(|n| format!("attributes.k{n:04}")).collect();
    let value = texts(&[Some("v"), None]);
    let extra: Vec<(&str, ArrayRef)> = names.iter().map(|name| (name.as_str(), Arc::clone(&value))).collect();
    let store = store(vec![spans("a", 2, &extra)]).await;
    let (rows, notes) =
        ask(&store, "SELECT attributes.k0001, attributes.k2299 FROM spans ORDER BY span_id LIMIT 1").await;
    assert_eq!((rows.as_str(), notes.len()), ("v v", 0));
    let filter = "SELECT count(*) FROM spans s WHERE s.attributes.k2299 = 'v' AND attributes.k2298 IS NOT NULL";
    assert_eq!(ask(&store, filter).await.0, "1");
    let described = "SELECT type, filled, example FROM columns WHERE name = 'attributes.k2299'";
    assert_eq!(ask(&store, described).await.0, "Utf8 0.5 v");
    let (_, notes) = ask(&store, "SELECT attributes.k9999 FROM spans").await;
    assert_eq!(notes.len(), 1, "{notes:?}");
}

#[tokio::test]
async fn an_indexed_key_is_found_in_its_list_and_in_its_own_column() {
    let list = texts(&[Some(r#"[{"message.role":"user"}]"#), Some(r#"[{"message.role":"system"}]"#), None]);
    let role = texts(&[Some("user"), Some("other"), Some("tool")]);
    let name = "attributes.llm.input_messages.0.message.role";
    let store = store(vec![spans("a", 3, &[("attributes.llm.input_messages", list), (name, role)])]).await;
    let all = format!("SELECT span_id, {name} FROM spans ORDER BY 1");
    assert_eq!(ask(&store, &all).await.0, "a-s0 user\na-s1 other\na-s2 tool");
    let filter = format!("SELECT s.span_id FROM spans s WHERE s.{name} = 'user'");
    assert_eq!(ask(&store, &filter).await.0, "a-s0");
    let filled = format!("SELECT filled > 0.6 AND filled < 0.7 FROM columns WHERE name = '{name}'");
    assert_eq!(ask(&store, &filled).await.0, "true");
}

#[tokio::test]
async fn a_trace_counts_in_every_session_that_it_names() {
    let sessions = texts(&[Some("one"), Some("two"), None]);
    let models = texts(&[Some("m2"), None, Some("m1")]);
    let input = texts(&[Some("hello"), Some("inner"), None]);
    let tokens: ArrayRef = Arc::new(Int64Array::from(vec![Some(3), Some(4), None]));
    let extra = [
        ("attributes.session.id", sessions),
        ("attributes.llm.model_name", models),
        ("attributes.input.value", input),
        ("attributes.llm.token_count.total", tokens),
    ];
    let later = spans("b", 1, &[("attributes.session.id", texts(&[Some("two")]))]);
    let store = store(vec![spans("a", 3, &extra), later]).await;
    let sql = "SELECT session_id, trace_count, span_count, duration_ms, models, total_tokens, first_input \
               FROM sessions ORDER BY 1";
    assert_eq!(ask(&store, sql).await.0, "one 1 3 2500.0 [m1, m2] 7 hello\ntwo 2 4 2500.0 [m1, m2] 7 hello");
    let one = "SELECT span_count FROM sessions WHERE session_id = 'one'";
    assert_eq!(ask(&store, one).await.0, "3");
}

#[tokio::test]
async fn a_key_reads_the_same_on_either_side_of_the_limit() {
    let half = |trace: &str, from: usize| {
        let names: Vec<String> = (0..1300).map(|n| format!("attributes.k{:04}", from + 2 * n)).collect();
        let values: Vec<ArrayRef> = (0..1300).map(|n| Arc::new(Int64Array::from(vec![n])) as ArrayRef).collect();
        let extra: Vec<(&str, ArrayRef)> = names.iter().map(String::as_str).zip(values).collect();
        spans(trace, 1, &extra)
    };
    let float: ArrayRef = Arc::new(Float64Array::from(vec![1299.0]));
    let mixed = spans("c", 1, &[("attributes.k2598", float), ("attributes.k2599", texts(&[Some("1299")]))]);
    let sql = "SELECT span_id, attributes.k2598 + 1, attributes.k2599, attributes.k2596 * 2 FROM spans ORDER BY 1";
    let one = ask(&store(vec![half("a", 0), half("b", 1), mixed.clone()]).await, sql).await.0;
    let other = ask(&store(vec![mixed, half("b", 1), half("a", 0)]).await, sql).await.0;
    assert_eq!(one, "a-s0 1300.0 2596\nb-s0 1299\nc-s0 1300.0 1299");
    assert_eq!(one, other);
}

/// The text of a plan.
async fn plan(store: &Store, sql: &str) -> String {
    ask(store, sql).await.0
}

#[tokio::test]
async fn row_groups_that_are_copied_keep_their_bloom_filters() {
    let store = Store::open("memory://").unwrap();
    super::support::import(&store, &super::support::demo(5, 40_000)).await.unwrap();
    let trace = ask(&store, "SELECT min(trace_id) FROM traces").await.0;
    let project = ask(&store, &format!("SELECT project FROM traces WHERE trace_id = '{trace}'")).await.0;
    // One more span of one trace: all other row groups are copied as they are.
    let mut late = spans(&trace, 1, &[]);
    let of_project: ArrayRef = Arc::new(StringArray::from(vec![project.as_str()]));
    late = RecordBatch::try_new(
        late.schema(),
        std::iter::once(of_project).chain(late.columns()[1..].iter().cloned()).collect(),
    )
    .unwrap();
    super::support::import(&store, &[late]).await.unwrap();
    // Inside the bounds of every row group, and in none.
    let sql = "EXPLAIN ANALYZE SELECT name FROM spans WHERE trace_id = '77777777777777777777777777777777'";
    let plan = plan(&store, sql).await;
    let (_, blooms) = plan.split_once("row_groups_pruned_bloom_filter=").unwrap();
    let (total, matched) = blooms.split_once(" total → ").unwrap();
    assert!(total.parse::<u32>().unwrap() > 3, "{total}");
    assert!(matched.starts_with("0 matched"), "{matched}");
}

#[tokio::test]
async fn a_trace_is_looked_for_where_its_time_is() {
    let hour = 3_600_000_000_000_i64;
    let at = |trace: &str, hours: i64| {
        let batch = spans(trace, 2, &[]);
        let shift = |name: &str| -> ArrayRef {
            let times = batch.column_by_name(name).unwrap();
            let times = times.as_any().downcast_ref::<TimestampNanosecondArray>().unwrap();
            let times: TimestampNanosecondArray = times.iter().map(|time| Some(time? + hours * hour)).collect();
            Arc::new(times.with_timezone("UTC"))
        };
        let schema = batch.schema();
        let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
            if field.name().ends_with("_time") { shift(field.name()) } else { Arc::clone(column) }
        });
        RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()
    };
    let store = store((0..6).map(|n| at(&format!("trace-{n}"), n)).collect()).await;
    let plan = plan(&store, "EXPLAIN SELECT span_id FROM trace('trace-4')").await;
    assert_eq!(plan.matches("segments/").count(), 1, "{plan}");
    assert_eq!(ask(&store, "SELECT span_id FROM trace('trace-4')").await.0, "trace-4-s0\ntrace-4-s1");
    assert_eq!(ask(&store, "SELECT count(*) FROM spans").await.0, "12");
}
