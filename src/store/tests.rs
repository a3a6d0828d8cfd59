//! Merging into a store, read back segment by segment.

mod packed;
mod pieces;
mod pulled;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray};
use arrow::util::display::array_value_to_string;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::packed::{PACKED, Packed};
use super::stored::StoredSegment;
use super::{Counts, Progress, Store};
use spanql_model::columns;

type Row = BTreeMap<String, String>;

/// An ingest batch of one project; `None` is null.
fn ingest_batch(rows: &[(&str, &str, Option<i64>)], extra: &[(&str, ArrayRef)]) -> RecordBatch {
    let text = |values: Vec<&str>| -> ArrayRef { Arc::new(StringArray::from(values)) };
    let time: TimestampNanosecondArray = rows.iter().map(|(_, _, start)| *start).collect();
    let mut fields: Vec<(&str, ArrayRef)> = vec![
        (columns::PROJECT, text(rows.iter().map(|_| "p").collect())),
        (columns::SOURCE, text(rows.iter().map(|_| "file").collect())),
        (columns::TRACE_ID, text(rows.iter().map(|row| row.0).collect())),
        (columns::SPAN_ID, text(rows.iter().map(|row| row.1).collect())),
        (columns::START_TIME, Arc::new(time.with_timezone("UTC"))),
    ];
    fields.extend(extra.iter().map(|(name, array)| (*name, Arc::clone(array))));
    RecordBatch::try_from_iter_with_nullable(fields.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

async fn put(store: &Store, batches: &[RecordBatch]) -> Counts {
    let mut import = store.begin();
    for batch in batches {
        import.push(batch).unwrap();
    }
    store.commit(import, "import", &Progress::default()).await.unwrap().counts
}

/// Every row of the store as text by column, nulls left out, in the order of the segments.
async fn dump(store: &Store) -> Vec<Row> {
    let snapshot = store.snapshot().await.unwrap();
    let mut rows = Vec::new();
    for segment in &snapshot.manifest.segments {
        let stored = StoredSegment::load(store.location(), segment, store.spill_dir()).await.unwrap();
        assert_eq!(stored.summaries.num_rows() as u64, segment.traces);
        let mut count = 0;
        for aligned in stored.aligned_groups().unwrap() {
            for batch in stored.rows(&aligned).unwrap() {
                let batch = batch.unwrap();
                count += batch.num_rows() as u64;
                let packed = Packed::of(std::slice::from_ref(&batch));
                for row in 0..batch.num_rows() {
                    let schema = batch.schema();
                    let cells = schema.fields().iter().zip(batch.columns()).filter_map(|(field, array)| {
                        let value = array.is_valid(row).then(|| array_value_to_string(array, row).unwrap())?;
                        Some((field.name().clone(), value))
                    });
                    let mut cells: Row = cells.collect();
                    cells.remove(PACKED);
                    for (name, values) in packed.iter() {
                        if let Some(at) = values.at((0, row)) {
                            let array = values.array(&values.open.data_type());
                            cells.insert(name.to_owned(), array_value_to_string(&array, at).unwrap());
                        }
                    }
                    rows.push(cells);
                }
            }
        }
        assert_eq!(count, segment.rows);
    }
    rows
}

fn value<'a>(rows: &'a [Row], span: &str, column: &str) -> Option<&'a str> {
    let row = rows.iter().find(|row| row[columns::SPAN_ID] == span).unwrap();
    row.get(column).map(String::as_str)
}

#[tokio::test]
async fn a_null_never_erases_and_the_later_value_wins() {
    let store = Store::open("memory://").unwrap();
    let first = ingest_batch(
        &[("t1", "a", Some(10)), ("t1", "b", Some(20))],
        &[
            ("name", texts(&[Some("old"), Some("kept")])),
            ("status_code", texts(&[Some("OK"), None])),
            ("events", texts(&[Some(r#"[{"name":"e","attributes":{"k":1}}]"#), None])),
            ("attributes.metadata", texts(&[Some(r#"{"tier":"free","n":1}"#), None])),
        ],
    );
    assert_eq!(put(&store, std::slice::from_ref(&first)).await, Counts { new: 2, ..Counts::default() });
    let second = ingest_batch(
        &[("t1", "a", None), ("t1", "b", None)],
        &[
            ("name", texts(&[Some("new"), None])),
            ("status_code", texts(&[Some("UNSET"), Some("UNSET")])),
            ("events", texts(&[Some("[]"), Some("[]")])),
            ("attributes.metadata", texts(&[Some(r#"{"n":2}"#), None])),
        ],
    );
    assert_eq!(put(&store, std::slice::from_ref(&second)).await, Counts { updated: 2, ..Counts::default() });
    let rows = dump(&store).await;
    assert_eq!(rows.len(), 2);
    assert_eq!(value(&rows, "a", "name"), Some("new"));
    assert_eq!(value(&rows, "b", "name"), Some("kept"));
    assert_eq!(value(&rows, "a", "status_code"), Some("OK"));
    assert_eq!(value(&rows, "b", "status_code"), Some("UNSET"));
    assert_eq!(value(&rows, "a", "event.attributes"), Some(r#"[{"k":1}]"#));
    assert_eq!(value(&rows, "b", "events"), Some("[]"));
    assert_eq!(value(&rows, "a", "attributes.metadata.n"), Some("2"));
    assert_eq!(value(&rows, "a", "attributes.metadata.tier"), None);
    let version = store.snapshot().await.unwrap().manifest.version;
    assert_eq!(put(&store, &[second]).await, Counts { same: 2, ..Counts::default() });
    assert_eq!(store.snapshot().await.unwrap().manifest.version, version, "nothing changed, nothing is committed");
}

#[tokio::test]
async fn single_metadata_keys_are_set_one_by_one() {
    let store = Store::open("memory://").unwrap();
    let whole = ingest_batch(
        &[("t", "a", Some(1)), ("t", "b", Some(2))],
        &[("attributes.metadata", texts(&[Some(r#"{"x":1,"y":2}"#), None]))],
    );
    let keys = ingest_batch(
        &[("t", "a", Some(1)), ("t", "b", Some(2))],
        &[(columns::METADATA_PATCH, texts(&[Some(r#"{"y":3,"z":"q"}"#), Some(r#"{"w":true}"#)]))],
    );
    put(&store, &[whole]).await;
    put(&store, &[keys]).await;
    let rows = dump(&store).await;
    assert_eq!(value(&rows, "a", "attributes.metadata"), Some(r#"{"x":1,"y":3,"z":"q"}"#));
    assert_eq!(value(&rows, "a", "attributes.metadata.y"), Some("3"));
    assert_eq!(value(&rows, "a", "attributes.metadata.x"), Some("1"));
    assert_eq!(value(&rows, "b", "attributes.metadata.w"), Some("true"));
}

#[tokio::test]
async fn a_late_span_moves_its_trace_and_leaves_the_others() {
    let store = Store::open("memory://").unwrap();
    let spans: Vec<(String, String)> = (0..500).map(|n| (format!("t{n:03}"), format!("s{n}"))).collect();
    let rows: Vec<(&str, &str, Option<i64>)> =
        spans.iter().enumerate().map(|(n, (t, s))| (t.as_str(), s.as_str(), Some(1000 + n as i64))).collect();
    put(&store, &[ingest_batch(&rows, &[])]).await;
    let before = store.snapshot().await.unwrap().manifest;
    assert_eq!((before.segments.len(), before.rows()), (1, 500));
    let late = ingest_batch(&[("t300", "late", Some(5)), ("t301", "after", Some(9000))], &[]);
    assert_eq!(put(&store, &[late]).await, Counts { new: 2, ..Counts::default() });
    let after = store.snapshot().await.unwrap().manifest;
    assert_eq!((after.rows(), after.traces()), (502, 500));
    let rows = dump(&store).await;
    let at = |span: &str| rows.iter().position(|row| row[columns::SPAN_ID] == span).unwrap();
    assert_eq!(at("late"), 0, "its trace starts first now");
    assert_eq!(at("s300"), 1);
    assert_eq!(at("after"), at("s301") + 1, "a trace that starts as before stays where it was");
}

#[tokio::test]
async fn trees_and_summaries_are_of_all_that_arrived() {
    let store = Store::open("memory://").unwrap();
    let tree_and_input = async || {
        let segment = store.snapshot().await.unwrap().manifest.segments[0].clone();
        let stored = StoredSegment::load(store.location(), &segment, store.spill_dir()).await.unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(stored.file.clone()).unwrap().build().unwrap();
        let spans = reader.map(|batch| batch.unwrap()).next().unwrap();
        let cell = |batch: &RecordBatch, name: &str| array_value_to_string(&batch.column_by_name(name).unwrap(), 0);
        let tree = ["tree.orphan", "tree.depth", "tree.root_id"].map(|name| cell(&spans, name).unwrap());
        (tree, cell(&stored.summaries, "input").unwrap())
    };
    let child = ingest_batch(
        &[("t", "child", Some(1))],
        &[("parent_id", texts(&[Some("root")])), ("attributes.input.value", texts(&[Some("part")]))],
    );
    put(&store, &[child]).await;
    assert_eq!(tree_and_input().await, (["true", "1", "child"].map(str::to_owned), "part".to_owned()));
    let root = ingest_batch(&[("t", "root", Some(2))], &[("attributes.input.value", texts(&[Some("question")]))]);
    put(&store, &[root]).await;
    // The root does not come first.
    assert_eq!(tree_and_input().await, (["false", "2", "root"].map(str::to_owned), "question".to_owned()));
}

#[tokio::test]
async fn deleted_spans_stay_deleted() {
    let store = Store::open("memory://").unwrap();
    let all = ingest_batch(&[("t1", "a", Some(1)), ("t1", "b", Some(2)), ("t2", "c", Some(3))], &[]);
    put(&store, std::slice::from_ref(&all)).await;
    assert_eq!(store.delete_spans("p", &["b", "c", "nope"]).await.unwrap().counts.deleted, 2);
    assert_eq!(store.delete_spans("other", &["a"]).await.unwrap().counts.deleted, 0);
    let version = store.snapshot().await.unwrap().manifest.version;
    let counts = put(&store, &[all]).await;
    assert_eq!((counts.same, counts.deleted), (1, 2));
    let rows = dump(&store).await;
    assert_eq!(rows.len(), 1);
    let manifest = store.snapshot().await.unwrap().manifest;
    assert_eq!(manifest.traces(), 1);
    assert_eq!(manifest.version, version, "nothing changed, nothing is committed");
}

#[tokio::test]
async fn keys_beyond_the_limit_live_in_one_column() {
    let store = Store::open("memory://").unwrap();
    let names: Vec<String> = (0..2500).map(|n| format!("attributes.k{n:04}")).collect();
    let ones: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
    let extra: Vec<(&str, ArrayRef)> = names.iter().map(|name| (name.as_str(), Arc::clone(&ones))).collect();
    put(&store, &[ingest_batch(&[("t", "a", Some(1)), ("t", "b", Some(2))], &extra)]).await;
    let manifest = store.snapshot().await.unwrap().manifest;
    assert_eq!((manifest.columns.len(), manifest.rest.len()), (2001, 500));
    let twos: ArrayRef = Arc::new(Int64Array::from(vec![Some(2)]));
    let again =
        ingest_batch(&[("t", "b", None)], &[("attributes.k2400", Arc::clone(&twos)), ("attributes.k0001", twos)]);
    put(&store, &[again]).await;
    let rows = dump(&store).await;
    assert_eq!(value(&rows, "a", "attributes.k2400"), Some("1"));
    assert_eq!(value(&rows, "b", "attributes.k2400"), Some("2"));
    assert_eq!(value(&rows, "b", "attributes.k0001"), Some("2"));
    assert_eq!(value(&rows, "b", "attributes.k2499"), None);
    let manifest = store.snapshot().await.unwrap().manifest;
    let stored = StoredSegment::load(store.location(), &manifest.segments[0], store.spill_dir()).await.unwrap();
    assert_eq!(stored.stats.rest["attributes.k2400"].filled, 2);
    assert_eq!(stored.stats.rest["attributes.k2499"].example, "1");
}

#[tokio::test]
async fn many_small_commits_are_joined() {
    let store = Store::open("memory://").unwrap();
    for n in 0..20 {
        let (trace, span) = (format!("t{n}"), format!("s{n}"));
        put(&store, &[ingest_batch(&[(&trace, &span, Some(100 - n))], &[])]).await;
    }
    let manifest = store.snapshot().await.unwrap().manifest;
    assert_eq!(manifest.rows(), 20);
    assert!(manifest.segments.len() < 8, "{} segments", manifest.segments.len());
    let rows = dump(&store).await;
    assert_eq!(rows.iter().map(|row| &row[columns::SPAN_ID]).collect::<std::collections::HashSet<_>>().len(), 20);
    let done = store.compact().await.unwrap();
    assert_eq!(done.segments_after, 1);
    let starts: Vec<_> = dump(&store).await.iter().map(|row| row[columns::START_TIME].clone()).collect();
    assert!(starts.is_sorted());
    let first = store.versions().await.unwrap()[0].number;
    let restored = store.restore(first).await.unwrap().version;
    assert_eq!(store.snapshot().await.unwrap().manifest.rows(), 1);
    let removed = store.vacuum(std::time::Duration::ZERO).await.unwrap();
    assert!(removed.versions > 20 && removed.files > 0, "{removed:?}");
    assert_eq!(store.versions().await.unwrap().len(), 1);
    assert_eq!(store.snapshot_at(restored).await.unwrap().manifest.rows(), 1);
    assert_eq!(dump(&store).await.len(), 1);
    assert!(store.restore(first).await.is_err());
}

#[tokio::test]
async fn numbers_that_meet_text_have_one_form_in_any_order() {
    let ints: ArrayRef = Arc::new(Int64Array::from(vec![5]));
    let floats: ArrayRef = Arc::new(arrow::array::Float64Array::from(vec![1.5]));
    let batches = [
        ingest_batch(&[("t", "a", Some(1))], &[("attributes.x", ints)]),
        ingest_batch(&[("t", "b", Some(1))], &[("attributes.x", floats)]),
        ingest_batch(&[("t", "c", Some(1))], &[("attributes.x", texts(&[Some("abc")]))]),
    ];
    for order in [[0, 1, 2], [2, 1, 0], [0, 2, 1], [1, 0, 2]] {
        let store = Store::open("memory://").unwrap();
        for index in order {
            put(&store, &[batches[index].clone()]).await;
        }
        let rows = dump(&store).await;
        assert_eq!(value(&rows, "a", "attributes.x"), Some("5"), "{order:?}");
        assert_eq!(value(&rows, "b", "attributes.x"), Some("1.5"), "{order:?}");
    }
}

#[tokio::test]
async fn values_of_every_type_are_compared() {
    use arrow::array::{BooleanArray, Float64Array};
    let values = |changed: usize| -> [(&'static str, ArrayRef); 5] {
        let is = |number: usize| number == changed;
        let float = if is(1) { -0.0 } else { 0.0 };
        [
            ("attributes.integer", Arc::new(Int64Array::from(vec![if is(0) { 2 } else { 1 }]))),
            ("attributes.float", Arc::new(Float64Array::from(vec![float]))),
            ("attributes.none", Arc::new(Float64Array::from(vec![if is(2) { 0.0 } else { f64::NAN }]))),
            ("attributes.flag", Arc::new(BooleanArray::from(vec![is(3)]))),
            ("attributes.text", texts(&[Some(if is(4) { "b" } else { "a" })])),
        ]
    };
    for changed in 0..5 {
        let store = Store::open("memory://").unwrap();
        let span = |values: &[(&str, ArrayRef)]| ingest_batch(&[("t", "a", Some(1))], values);
        let (first, second) = (span(&values(5)), span(&values(changed)));
        put(&store, std::slice::from_ref(&first)).await;
        assert_eq!(put(&store, &[first]).await, Counts { same: 1, ..Counts::default() });
        assert_eq!(put(&store, &[second]).await, Counts { updated: 1, ..Counts::default() }, "{changed}");
    }
}

#[tokio::test]
async fn a_float_beside_an_integer_that_has_none_is_another_value() {
    let store = Store::open("memory://").unwrap();
    let integer: ArrayRef = Arc::new(Int64Array::from(vec![(1 << 53) + 1]));
    let float: ArrayRef = Arc::new(arrow::array::Float64Array::from(vec![9_007_199_254_740_992.0]));
    put(&store, &[ingest_batch(&[("t", "a", None)], &[("attributes.x", integer)])]).await;
    let counts = put(&store, &[ingest_batch(&[("t", "a", None)], &[("attributes.x", float)])]).await;
    assert_eq!(counts, Counts { updated: 1, ..Counts::default() });
    assert_eq!(value(&dump(&store).await, "a", "attributes.x"), Some("9007199254740992"));
}

#[tokio::test]
async fn rows_of_a_segment_that_a_merge_does_not_touch_are_copied() {
    let mut store = Store::open("memory://").unwrap();
    store.sizes.rebuild_share = u64::MAX;
    let count = 3 * super::segment::Sizes::default().group_rows;
    let ids: Vec<(String, String)> = (0..count).map(|n| (format!("t{:06}", n / 4), format!("s{n}"))).collect();
    let rows: Vec<(&str, &str, Option<i64>)> =
        ids.iter().enumerate().map(|(n, (t, s))| (t.as_str(), s.as_str(), Some((n / 4) as i64))).collect();
    put(&store, &[ingest_batch(&rows, &[])]).await;
    let new_column = texts(&[Some("x")]);
    let counts = put(&store, &[ingest_batch(&[("t000001", "s5", None)], &[("attributes.new", new_column)])]).await;
    assert_eq!(counts, Counts { updated: 1, ..Counts::default() });
    let manifest = store.snapshot().await.unwrap().manifest;
    assert_eq!((manifest.segments.len(), manifest.rows()), (1, count as u64));
    let all = dump(&store).await;
    assert_eq!(all.len(), count);
    assert_eq!(value(&all, "s5", "attributes.new"), Some("x"));
    let stored = StoredSegment::load(store.location(), &manifest.segments[0], store.spill_dir()).await.unwrap();
    assert_eq!(stored.stats.columns["attributes.new"].filled, 1);
    assert_eq!(stored.stats.columns[columns::SPAN_ID].filled, count as u64);
    assert_eq!(
        stored.summaries.column_by_name("span_count").unwrap().as_primitive::<arrow::datatypes::Int64Type>().value(0),
        4
    );
}

#[tokio::test]
async fn an_exported_rest_column_is_taken_apart_again() {
    let store = Store::open("memory://").unwrap();
    let rest = texts(&[Some(r#"{"attributes.a":1,"odd":[1, 2],"attributes.b":"x"}"#), Some("plain")]);
    let own = texts(&[Some("own"), None]);
    let batch =
        ingest_batch(&[("t", "a", Some(1)), ("t", "b", Some(2))], &[(columns::REST, rest), ("attributes.b", own)]);
    put(&store, &[batch]).await;
    let rows = dump(&store).await;
    assert_eq!(value(&rows, "a", "attributes.a"), Some("1"));
    assert_eq!(value(&rows, "a", "attributes.b"), Some("own"));
    assert_eq!(value(&rows, "a", "attributes.rest.odd"), Some("[1, 2]"));
    assert_eq!(value(&rows, "b", "attributes.rest.value"), Some("plain"));
}
