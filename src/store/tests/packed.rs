//! Spans of many sparse keys are merged packed, and counted as others are.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use spanql_model::columns;

use super::super::{Counts, Store};
use super::{dump, ingest_batch, put, texts, value};

/// Spans `a` to `c`, of which each has a third of the keys.
fn batch(keys: usize, value: impl Fn(usize) -> i64) -> RecordBatch {
    let column = |key: usize| -> ArrayRef {
        Arc::new((0..3).map(|row| (key % 3 == row).then(|| value(key))).collect::<Int64Array>())
    };
    let names: Vec<String> = (0..keys).map(|key| format!("attributes.k{key:03}")).collect();
    let columns: Vec<(&str, ArrayRef)> =
        names.iter().enumerate().map(|(key, name)| (name.as_str(), column(key))).collect();
    ingest_batch(&[("t", "a", Some(1)), ("t", "b", Some(2)), ("t", "c", Some(3))], &columns)
}

#[tokio::test]
async fn a_packed_value_counts_when_it_changes() {
    let store = Store::open("memory://").unwrap();
    let ones = batch(300, |_| 1);
    assert_eq!(put(&store, std::slice::from_ref(&ones)).await, Counts { new: 3, ..Counts::default() });
    assert_eq!(put(&store, &[ones]).await, Counts { same: 3, ..Counts::default() });
    let changed = batch(300, |key| if key == 10 { 2 } else { 1 });
    assert_eq!(put(&store, &[changed]).await, Counts { updated: 1, same: 2, ..Counts::default() });
    let more = batch(301, |key| if key == 10 { 2 } else { 1 });
    assert_eq!(put(&store, &[more]).await, Counts { updated: 1, same: 2, ..Counts::default() }, "a key more");
    let rows = dump(&store).await;
    assert_eq!(value(&rows, "b", "attributes.k010"), Some("2"));
    assert_eq!(value(&rows, "b", "attributes.k013"), Some("1"));
    assert_eq!(value(&rows, "a", "attributes.k300"), Some("1"));
    assert_eq!(value(&rows, "b", "attributes.k300"), None);
}

/// A metadata object with numbered keys.
fn object(keys: std::ops::Range<usize>, value: i64) -> String {
    let keys: Vec<String> = keys.map(|key| format!(r#""k{key:03}":{value}"#)).collect();
    format!("{{{}}}", keys.join(","))
}

#[tokio::test]
async fn packed_metadata_keys_are_those_of_the_latest_metadata() {
    let store = Store::open("memory://").unwrap();
    let spans = [("t", "a", Some(1)), ("t", "b", Some(2))];
    let put = async |metadata: [Option<&str>; 2]| {
        put(&store, &[ingest_batch(&spans, &[(columns::METADATA, texts(&metadata))])]).await
    };
    let (first, second) = (object(0..300, 1), object(100..400, 2));
    put([Some(&first), None]).await;
    assert_eq!(put([Some(&second), None]).await, Counts { updated: 1, same: 1, ..Counts::default() });
    let keys = |rows: &[super::Row], span: &str| {
        [0, 150, 399].map(|key| value(rows, span, &format!("attributes.metadata.k{key:03}")).map(str::to_owned))
    };
    let two = || Some("2".to_owned());
    assert_eq!(keys(&dump(&store).await, "a"), [None, two(), two()]);
    // Of one key there is a column now, too.
    put([None, Some(r#"{"k150":5}"#)]).await;
    let rows = dump(&store).await;
    assert_eq!(keys(&rows, "a"), [None, two(), two()]);
    assert_eq!(keys(&rows, "b"), [None, Some("5".to_owned()), None]);
}

#[tokio::test]
async fn metadata_keys_set_one_by_one_may_be_many() {
    let store = Store::open("memory://").unwrap();
    let ids: Vec<String> = (0..1100).map(|number| format!("s{number:04}")).collect();
    let spans: Vec<(&str, &str, Option<i64>)> = ids.iter().map(|id| ("t", id.as_str(), Some(1))).collect();
    let patches: StringArray = (0..1100).map(|number| Some(format!(r#"{{"k{number:04}":{number}}}"#))).collect();
    put(&store, &[ingest_batch(&spans, &[(columns::METADATA_PATCH, Arc::new(patches))])]).await;
    let rows = dump(&store).await;
    assert_eq!(value(&rows, "s0700", "attributes.metadata.k0700"), Some("700"));
    assert_eq!(value(&rows, "s0701", "attributes.metadata.k0700"), None);
}
