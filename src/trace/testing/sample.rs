//! Small traces for tests.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, Int32Array, StringArray, TimestampNanosecondArray};
use arrow::datatypes::{Field, Schema};
use arrow::record_batch::RecordBatch;

use spanql_model::columns;

/// What a tree is made of; times in nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) trace: String,
    pub(crate) id: Option<String>,
    pub(crate) parent: Option<String>,
    pub(crate) start: Option<i64>,
    pub(crate) end: Option<i64>,
}

/// The `tree.*` columns of one row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TreeRow {
    pub(crate) depth: i32,
    pub(crate) left: i32,
    pub(crate) right: i32,
    pub(crate) root_id: Option<String>,
    pub(crate) children: i32,
    pub(crate) descendants: i32,
    pub(crate) self_ms: Option<f64>,
    pub(crate) critical: bool,
    pub(crate) orphan: bool,
    pub(crate) cycle: bool,
    pub(crate) wrapper: bool,
}

/// Reads spans of trace `t`, one per line: id, parent id, start and end in milliseconds; `-` is null, `''` empty.
pub(crate) fn table(text: &str) -> Vec<Sample> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let text = |word: &str| (word != "-").then(|| word.replace("''", ""));
            let time = |word: &str| (word != "-").then(|| word.parse::<i64>().unwrap() * 1_000_000);
            let [id, parent, start, end] = words[..] else { panic!("four words expected: {line}") };
            Sample { trace: "t".into(), id: text(id), parent: text(parent), start: time(start), end: time(end) }
        })
        .collect()
}

/// The spans as a batch of canonical columns.
pub(crate) fn batch(spans: &[Sample]) -> RecordBatch {
    let times = |time: &dyn Fn(&Sample) -> Option<i64>| -> ArrayRef {
        Arc::new(TimestampNanosecondArray::from(spans.iter().map(time).collect::<Vec<_>>()).with_timezone("UTC"))
    };
    let texts = |text: &dyn Fn(&Sample) -> Option<String>| -> ArrayRef {
        Arc::new(StringArray::from(spans.iter().map(text).collect::<Vec<_>>()))
    };
    let arrays = [
        (columns::TRACE_ID, texts(&|span| Some(span.trace.clone()))),
        (columns::SPAN_ID, texts(&|span| span.id.clone())),
        (columns::PARENT_ID, texts(&|span| span.parent.clone())),
        (columns::START_TIME, times(&|span| span.start)),
        (columns::END_TIME, times(&|span| span.end)),
    ];
    RecordBatch::try_from_iter_with_nullable(arrays.map(|(name, array)| (name, array, true))).unwrap()
}

/// The batch with a column added, or replaced where it was there.
pub(crate) fn with_column(batch: &RecordBatch, name: &str, array: ArrayRef) -> RecordBatch {
    let kept = batch.schema().fields().iter().filter(|field| field.name() != name).cloned().collect::<Vec<_>>();
    let mut arrays: Vec<ArrayRef> = kept.iter().map(|f| batch.column_by_name(f.name()).unwrap().clone()).collect();
    let added = Arc::new(Field::new(name, array.data_type().clone(), true));
    arrays.push(array);
    let schema = Schema::new(kept.into_iter().chain([added]).collect::<Vec<_>>());
    RecordBatch::try_new(Arc::new(schema), arrays).unwrap()
}

/// The `tree.*` columns by row.
pub(crate) fn tree_rows(columns: &[ArrayRef]) -> Vec<TreeRow> {
    fn column<T: Array + Clone + 'static>(columns: &[ArrayRef], name: &str) -> T {
        let index = columns::TREE.iter().position(|column| column.name == name).unwrap();
        assert_eq!(columns[index].data_type(), &columns::TREE[index].data_type, "{name}");
        columns[index].as_any().downcast_ref::<T>().unwrap().clone()
    }
    assert_eq!(columns.len(), columns::TREE.len());
    let int = |name| column::<Int32Array>(columns, name);
    let flag = |name| column::<BooleanArray>(columns, name);
    let (depth, left, right) = (int("tree.depth"), int("tree.left"), int("tree.right"));
    let (children, descendants) = (int("tree.children"), int("tree.descendants"));
    let (critical, orphan, cycle) = (flag("tree.critical"), flag("tree.orphan"), flag("tree.cycle"));
    let wrapper = flag("tree.wrapper");
    let root_id = column::<StringArray>(columns, "tree.root_id");
    let self_ms = column::<Float64Array>(columns, "tree.self_ms");
    for never_null in [&depth, &left, &right, &children, &descendants] {
        assert_eq!(never_null.null_count(), 0);
    }
    (0..depth.len())
        .map(|row| TreeRow {
            depth: depth.value(row),
            left: left.value(row),
            right: right.value(row),
            root_id: root_id.is_valid(row).then(|| root_id.value(row).to_owned()),
            children: children.value(row),
            descendants: descendants.value(row),
            self_ms: self_ms.is_valid(row).then(|| self_ms.value(row)),
            critical: critical.value(row),
            orphan: orphan.value(row),
            cycle: cycle.value(row),
            wrapper: wrapper.value(row),
        })
        .collect()
}
