//! Evaluations written on spans of a store: on 1,000 drawn at random, and on every second one.
//!
//! The store is made first, of files in order of time as they come from day to day; `SPANQL_BENCH_SPANS` is another number of
//! spans than 2 million. It says how long each write took, how much memory was taken, and fails when a promise is broken.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot be set up has nothing to say, and says the rest to whoever runs it"
)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampNanosecondArray};
use futures::TryStreamExt;
use spanql::engine::{Params, StoreEngine};
use spanql::model::columns;
use spanql::store::{Grain, Patch, Progress, Store, UnknownIds};

const FILES: u64 = 20;
const BATCH: u64 = 8192;

fn spans() -> u64 {
    std::env::var("SPANQL_BENCH_SPANS").ok().and_then(|spans| spans.parse().ok()).unwrap_or(2_000_000)
}

fn text(values: impl Iterator<Item = String>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn span_id(number: u64) -> String {
    // Ids are random in life, and so is where they lie.
    format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// Spans of traces of ten, one a millisecond.
fn batch(numbers: std::ops::Range<u64>) -> RecordBatch {
    let of = |make: fn(u64) -> String| text(numbers.clone().map(make));
    let times = |after: i64| -> ArrayRef {
        let start = |number| 1_767_225_600_000_000_000 + number as i64 * 1_000_000 + after;
        Arc::new(TimestampNanosecondArray::from_iter_values(numbers.clone().map(start)).with_timezone("UTC"))
    };
    RecordBatch::try_from_iter([
        (columns::PROJECT, of(|_| "bench".into())),
        (columns::SOURCE, of(|_| "file".into())),
        (columns::TRACE_ID, of(|number| format!("{:032x}", (number / 10).wrapping_mul(0xd134_2543_de82_ef95)))),
        (columns::SPAN_ID, of(span_id)),
        (columns::NAME, of(|number| format!("step {}", number % 10))),
        (columns::KIND, of(|number| ["LLM", "TOOL", "CHAIN"][(number % 3) as usize].into())),
        (columns::START_TIME, times(0)),
        (columns::END_TIME, times(900_000)),
        (columns::INPUT, of(|number| format!("the input of span {number}, a line of text as there are many"))),
        (columns::OUTPUT, of(|number| format!("what came of it, {number}"))),
    ])
    .unwrap()
}

fn evaluations(numbers: &[u64]) -> Patch {
    let mut patch = Patch::new("bench", Grain::Span);
    for numbers in numbers.chunks(BATCH as usize) {
        let label = |number: &u64| if number.is_multiple_of(3) { "wrong" } else { "right" }.to_owned();
        let score = |number: &u64| (number % 100) as f64 / 100.0;
        let batch = RecordBatch::try_from_iter([
            (columns::SPAN_ID, text(numbers.iter().map(|number| span_id(*number)))),
            ("eval.answer.label", text(numbers.iter().map(label))),
            ("eval.answer.score", Arc::new(Float64Array::from_iter_values(numbers.iter().map(score)))),
            (
                "eval.answer.explanation",
                text(numbers.iter().map(|number| format!("because of what span {number} says"))),
            ),
        ]);
        patch.push(&batch.unwrap()).unwrap();
    }
    patch
}

async fn labelled(store: &Store) -> u64 {
    let engine = StoreEngine::default().open(store.snapshot().await.unwrap()).await.unwrap();
    let sql = "SELECT count(*) FROM spans WHERE eval.answer.label IN ('right', 'wrong')";
    let prepared = engine.prepare(sql, &Params::new()).await.unwrap().remove(0);
    let batches: Vec<RecordBatch> = prepared.execute().await.unwrap().try_collect().await.unwrap();
    arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(batches[0].column(0)).value(0) as u64
}

/// The most memory that the process has held, in MB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()).unwrap_or(0) / 1024
}

async fn segments(store: &Store) -> BTreeSet<String> {
    store.snapshot().await.unwrap().manifest.segments.iter().map(|segment| segment.id.clone()).collect()
}

/// As the binary sets the C library's allocator up: what is measured is what a command takes.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn set_up_allocator() {
    for (setting, value) in
        [(libc::M_ARENA_MAX, 2), (libc::M_MMAP_THRESHOLD, 512 << 10), (libc::M_TRIM_THRESHOLD, 1 << 20)]
    {
        // SAFETY: sets a number inside the allocator; no other thread runs yet.
        unsafe { libc::mallopt(setting, value) };
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn set_up_allocator() {}

fn main() {
    set_up_allocator();
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(run());
}

async fn run() {
    let (spans, place) = (spans(), tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap());
    let store = Store::open(&place.path().join("store").display().to_string()).unwrap();
    let start = Instant::now();
    let of_file = spans / FILES;
    for file in 0..FILES {
        let mut import = store.begin();
        for first in (file * of_file..(file + 1) * of_file).step_by(BATCH as usize) {
            import.push(&batch(first..(first + BATCH).min((file + 1) * of_file))).unwrap();
        }
        store.commit(import, "import", &Progress::default()).await.unwrap();
    }
    let before = segments(&store).await;
    println!(
        "{spans} spans in {FILES} imports: {:.1?}, {} segments, peak {} MB",
        start.elapsed(),
        before.len(),
        peak()
    );

    // As a command does it: a store that was opened just now.
    let store = Store::at(store.location().clone());
    let few: Vec<u64> = (0..1000).map(|at: u64| at.wrapping_mul(0xff51_afd7_ed55_8ccd) % (of_file * FILES)).collect();
    let few: Vec<u64> = few.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let patch = evaluations(&few);
    let start = Instant::now();
    store.patch(&patch, UnknownIds::Refuse, "evaluate").await.unwrap();
    let took = start.elapsed();
    println!("evaluations on {} spans: {took:.2?}", few.len());
    assert_eq!(segments(&store).await, before, "no segment is rewritten");
    let start = Instant::now();
    assert_eq!(labelled(&store).await, few.len() as u64);
    println!("counted in {:.2?}", start.elapsed());
    let slow = took > Duration::from_secs(1);

    let half: Vec<u64> =
        (0..of_file * FILES).filter(|number| span_id(*number).as_bytes()[0].is_multiple_of(2)).collect();
    let patch = evaluations(&half);
    let (held, start) = (peak(), Instant::now());
    // From here on the peak is that of the patch; where that cannot be said, it is that of all before, too.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    store.patch(&patch, UnknownIds::Refuse, "evaluate").await.unwrap();
    let (all, most) = (start.elapsed(), peak());
    println!("evaluations on {} spans: {all:.1?}, peak {most} MB, {held} MB before", half.len());
    let both: BTreeSet<u64> = few.into_iter().chain(half).collect();
    assert_eq!(labelled(&store).await, both.len() as u64);
    assert!(!slow, "evaluations on 1,000 spans took more than a second");
    assert!(most < 700 || cfg!(not(target_os = "linux")), "evaluations on half of the spans took more than 700 MB");
    assert!(all < Duration::from_secs(60), "evaluations on half of the spans took more than a minute");
}
