//! How fast spans get their `tree.*` columns, and traces their summaries: 100,000 spans in traces of 12.

#![allow(clippy::expect_used, reason = "a benchmark that cannot be set up has nothing to say")]

use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray, TimestampNanosecondArray};
use arrow::record_batch::RecordBatch;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use spanql::model::columns;
use spanql_trace::{summarize, tree_columns_of};

const SPANS: usize = 100_000;
const TRACE: usize = 12;

/// An agent with a few steps, each with a few calls; ids are 16 hex digits.
fn spans() -> RecordBatch {
    let id = |n: usize| format!("{:016x}", (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let texts = |text: &dyn Fn(usize) -> Option<String>| -> ArrayRef {
        Arc::new((0..SPANS).map(text).collect::<StringArray>())
    };
    let times = |offset: usize| -> ArrayRef {
        let times = (0..SPANS).map(|n| ((n / TRACE * 1_000 + n % TRACE * 10 + offset) * 1_000_000) as i64);
        Arc::new(TimestampNanosecondArray::from_iter_values(times).with_timezone("UTC"))
    };
    let parent = |n: usize| (!n.is_multiple_of(TRACE)).then(|| n / TRACE * TRACE + (n % TRACE) / 3);
    let kind = |n: usize| ["AGENT", "CHAIN", "LLM", "TOOL"][n % 4].to_owned();
    let columns = [
        (columns::PROJECT, texts(&|_| Some("bench".into()))),
        (columns::SOURCE, texts(&|_| Some("file".into()))),
        (columns::TRACE_ID, texts(&|n| Some(format!("{:032x}", n / TRACE)))),
        (columns::SPAN_ID, texts(&|n| Some(id(n)))),
        (columns::PARENT_ID, texts(&|n| parent(n).map(id))),
        (columns::NAME, texts(&|n| Some(format!("step {}", n % TRACE)))),
        (columns::KIND, texts(&|n| Some(kind(n)))),
        (columns::START_TIME, times(0)),
        (columns::END_TIME, times(25)),
        (columns::INPUT, texts(&|_| Some("What is the weather like? ".repeat(40)))),
        (columns::MODEL, texts(&|n| (n % 4 == 2).then(|| format!("model-{}", n % 3)))),
        (columns::TOTAL_TOKENS, Arc::new((0..SPANS).map(|n| (n % 4 == 2).then_some(700)).collect::<Int64Array>())),
        (columns::SESSION_ID, texts(&|n| Some(format!("session {}", n / TRACE / 4)))),
    ];
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

fn trees(criterion: &mut Criterion) {
    let spans = spans();
    let traces: Vec<Range<usize>> = (0..SPANS).step_by(TRACE).map(|n| n..(n + TRACE).min(SPANS)).collect();
    let mut group = criterion.benchmark_group("trees");
    group.throughput(Throughput::Elements(SPANS as u64));
    group.bench_function("tree columns", |bencher| bencher.iter(|| tree_columns_of(black_box(&spans))));

    let tree = tree_columns_of(&spans).expect("tree columns");
    let named = columns::TREE.iter().map(|column| column.name).zip(tree);
    let schema = spans.schema();
    let all = schema.fields().iter().map(|field| field.name().as_str()).zip(spans.columns().iter().cloned());
    let whole = RecordBatch::try_from_iter(all.chain(named)).expect("columns of one length");
    group.bench_function("summaries", |bencher| bencher.iter(|| summarize(black_box(&whole), &traces)));
    group.finish();
}

criterion_group!(benches, trees);
criterion_main!(benches);
