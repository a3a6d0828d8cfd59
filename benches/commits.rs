//! Commits of a few spans, thousands of times, by one process into a store that holds many: as a server does it, or a pull
//! that follows. `benches/small_commits.py` does the same by the command.
//!
//! Each commit has 20 spans: four new traces of four, and four late spans, two of them of what the store held before.
//! `SPANQL_BENCH_SPANS` and `SPANQL_BENCH_COMMITS` are other numbers than a million and 3,600. It says how long a commit
//! takes, how much of the processor, and what an fsync costs between the commits; and fails when one takes 20 ms or more
//! beside the two that it waits for, one after the other: that of its files, and that of the manifest that names them.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot be set up has nothing to say, and says the rest to whoever runs it"
)]

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray};
use spanql::model::columns;
use spanql::store::{Progress, Store};

/// How often a commit waits for the disk, one after the other.
const SYNCS: u32 = 2;
/// What it may take beside that.
const MOST: Duration = Duration::from_millis(20);

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(default)
}

/// Spans, each by its trace and its number in it.
fn batch(spans: &[(u64, u64)]) -> RecordBatch {
    let of = |make: &dyn Fn(u64, u64) -> Option<String>| -> ArrayRef {
        Arc::new(spans.iter().map(|&(trace, number)| make(trace, number)).collect::<StringArray>())
    };
    let times = |after: u64| -> ArrayRef {
        let start = |&(trace, number): &(u64, u64)| {
            (1_767_225_600_000_000_000 + trace * 1_000_000 + number * 1000 + after) as i64
        };
        Arc::new(TimestampNanosecondArray::from_iter_values(spans.iter().map(start)).with_timezone("UTC"))
    };
    let tokens: Int64Array =
        spans.iter().map(|&(trace, number)| (number == 1).then_some((trace % 900) as i64)).collect();
    RecordBatch::try_from_iter([
        (columns::PROJECT, of(&|_, _| Some("p".into()))),
        (columns::SOURCE, of(&|_, _| Some("file".into()))),
        (columns::TRACE_ID, of(&|trace, _| Some(format!("t{trace}")))),
        (columns::SPAN_ID, of(&|trace, number| Some(format!("{trace:x}-{number}")))),
        (columns::PARENT_ID, of(&|trace, number| (number > 0).then(|| format!("{trace:x}-0")))),
        (
            columns::NAME,
            of(&|_, number| Some(["agent", "llm", "tool", "chain", "retriever", "late"][number as usize].into())),
        ),
        (columns::START_TIME, times(0)),
        (columns::END_TIME, times(500_000)),
        (columns::SESSION_ID, of(&|trace, _| Some(format!("s{}", trace % 5000)))),
        ("attributes.llm.token_count.total", Arc::new(tokens)),
        (columns::INPUT, of(&|trace, number| (number == 0).then(|| format!("question {}", trace * 7919 % 1_000_003)))),
    ])
    .unwrap()
}

/// Processor seconds of this process.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks: Vec<f64> =
        stat.rsplit(") ").next().unwrap_or("").split(' ').skip(11).take(2).flat_map(str::parse).collect();
    ticks.iter().sum::<f64>() / 100.0
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn main() {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(run());
}

async fn run() {
    let (spans, commits) = (number("SPANQL_BENCH_SPANS", 1_000_000), number("SPANQL_BENCH_COMMITS", 3600));
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let store = Store::open(&place.path().join("store").display().to_string()).unwrap();
    let base = spans / 5;
    let mut import = store.begin();
    for first in (0..base).step_by(1000) {
        let traces = first..(first + 1000).min(base);
        import
            .push(&batch(&traces.flat_map(|trace| (0..5).map(move |number| (trace, number))).collect::<Vec<_>>()))
            .unwrap();
    }
    store.commit(import, "import", &Progress::default()).await.unwrap();
    let fsync = || {
        let mut file = tempfile::tempfile_in(place.path()).unwrap();
        file.write_all(&[b'x'; 40_000]).unwrap();
        let start = Instant::now();
        file.sync_all().unwrap();
        start.elapsed()
    };
    // As a server begins: nothing is known of the store yet.
    let store = Store::open(&place.path().join("store").display().to_string()).unwrap();
    let (mut took, mut fsyncs) = (Vec::new(), Vec::new());
    let (begun, mut next, mut chance) = (processor(), base, 1_u64);
    for _ in 0..commits {
        let mut rows: Vec<(u64, u64)> =
            (next..next + 4).flat_map(|trace| (0..4).map(move |number| (trace, number))).collect();
        next += 4;
        for late in 0..4 {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let of = if late < 2 { 0..base } else { next.saturating_sub(400).max(base)..next };
            rows.push((of.start + (chance >> 33) % (of.end - of.start), 5));
        }
        let start = Instant::now();
        let mut import = store.begin();
        import.push(&batch(&rows)).unwrap();
        store.commit(import, "import", &Progress::default()).await.unwrap();
        took.push(start.elapsed());
        fsyncs.push(fsync());
    }
    let cpu = (processor() - begun) * 1000.0 / commits as f64;
    let tenth = (took.len() / 10).max(1);
    let all = median(took.clone());
    println!(
        "first tenth {:.1?}, last tenth {:.1?}",
        median(took[..tenth].to_vec()),
        median(took.split_off(commits as usize - tenth))
    );
    let fsync = median(fsyncs);
    let beside = all.saturating_sub(fsync * SYNCS);
    println!("{commits} commits: median {all:.1?}, {cpu:.1} ms of the processor each; fsync of 40 kB {fsync:.2?}");
    println!("beside {SYNCS} fsyncs: {beside:.1?} (limit {MOST:?})");
    let held = store.snapshot().await.unwrap();
    println!("{} segments, {} spans", held.manifest.segments.len(), held.manifest.rows());
    assert!(held.manifest.rows() > spans + commits * 19, "spans are lost");
    assert!(beside < MOST, "a commit takes too long");
}
