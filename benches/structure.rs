//! How fast questions about many traces are answered over a store of a million generated spans.
//!
//! The store is made once and kept in the target directory; `SPANQL_BENCH_SPANS` is another number of spans.

#![allow(clippy::expect_used, clippy::print_stderr, reason = "a benchmark that cannot be set up has nothing to say")]

use std::hint::black_box;
use std::path::PathBuf;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures::TryStreamExt;
use spanql::demo::{DEFAULT_SEED, Generator};
use spanql::engine::{Engine, Params, StoreEngine};
use spanql::store::{Progress, Store};
use tokio::runtime::Runtime;

const QUESTIONS: [(&str, &str); 5] = [
    ("depth histogram", "SELECT tree.depth, count(*) FROM spans GROUP BY 1 ORDER BY 1"),
    ("descendants of", "SELECT count(*) FROM structure('{kind=''AGENT''} >> {kind=''TOOL''}')"),
    ("one without the other", "SELECT count(*) FROM structure('{kind=''AGENT''} !>> {kind=''TOOL''}')"),
    ("top traces by cost", "SELECT trace_id, cost FROM traces ORDER BY cost DESC NULLS LAST, trace_id LIMIT 10"),
    (
        "top sessions by cost",
        "SELECT session_id, cost FROM sessions ORDER BY cost DESC NULLS LAST, session_id LIMIT 10",
    ),
];

fn spans() -> u64 {
    std::env::var("SPANQL_BENCH_SPANS").ok().and_then(|spans| spans.parse().ok()).unwrap_or(1_000_000)
}

/// An engine over the store, which is made if it is not there.
async fn engine(spans: u64) -> Engine {
    let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{DEFAULT_SEED}-{spans}"));
    let store = Store::open(&place.display().to_string()).expect("a place for the store");
    if store.snapshot().await.expect("a store that can be read").manifest.version == 0 {
        eprintln!("generating {spans} spans into {}", place.display());
        let mut import = store.begin();
        for batch in Generator::new(DEFAULT_SEED, spans) {
            import.push(&batch).expect("spans that fit");
        }
        store.commit(import, "demo", &Progress::default()).await.expect("a commit");
    }
    let snapshot = store.snapshot().await.expect("a store that can be read");
    StoreEngine::default().open(snapshot).await.expect("an engine")
}

async fn ask(engine: &Engine, sql: &str) -> usize {
    let prepared = engine.prepare(sql, &Params::new()).await.expect("a plan").remove(0);
    let rows = prepared.execute().await.expect("a start");
    let batches: Vec<_> = rows.try_collect().await.expect("an answer");
    batches.iter().map(|batch| batch.num_rows()).sum()
}

fn questions(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("threads");
    let spans = spans();
    let engine = runtime.block_on(engine(spans));
    let mut group = criterion.benchmark_group("structure");
    group.throughput(Throughput::Elements(spans)).sample_size(10);
    for (name, sql) in QUESTIONS {
        group.bench_function(name, |bencher| bencher.to_async(&runtime).iter(|| ask(black_box(&engine), sql)));
    }
    group.finish();
}

criterion_group!(benches, questions);
criterion_main!(benches);
