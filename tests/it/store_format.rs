//! Formats of a store: what an older spanql wrote is read as it was, an upgrade changes nothing but how it is kept, and what
//! little commits leave behind is what one that builds everything again makes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use proptest::prelude::*;
use serde_json::{Map, Value};
use spanql::model::columns;
use spanql::store::{Store, StoreLocation};

use super::support::{
    BASE_TIME, Cell, Row, assert_same, batch, dump, dump_snapshot, files, import, row, spanql, spans, succeed,
};

/// A copy of a store that the last spanql wrote that knew no other format than the first.
fn old_store(name: &str) -> (tempfile::TempDir, PathBuf) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores/format1").join(name);
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join(name);
    for folder in ["manifest", "segments", "traces", "stats", "ledger", "tombstones"] {
        std::fs::create_dir_all(place.join(folder)).unwrap();
        for file in std::fs::read_dir(from.join(folder)).into_iter().flatten() {
            let file = file.unwrap();
            std::fs::copy(file.path(), place.join(folder).join(file.file_name())).unwrap();
        }
    }
    (dir, place)
}

/// What that spanql answered: the columns of a table, and the rows without nulls.
fn answered(name: &str, table: &str) -> (Vec<String>, Vec<Map<String, Value>>) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/stores/format1/{name}.{table}.jsonl"));
    let text = std::fs::read_to_string(file).unwrap();
    let mut lines = text.lines();
    let columns = serde_json::from_str(lines.next().unwrap()).unwrap();
    (columns, lines.map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Fails unless a store answers as it did then; columns that came since are not looked at.
#[track_caller]
fn answers_as_then(place: &Path, name: &str, at: &[&str]) {
    for (table, order) in [("spans", "trace_id, span_id"), ("traces", "trace_id"), ("sessions", "session_id")] {
        let (columns, expected) = answered(name, table);
        let sql = format!("SELECT * FROM {table} ORDER BY project, {order}");
        let text = succeed(spanql(place).args(at).args(["-q", "query", &sql]));
        let found: Vec<Map<String, Value>> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(found.len(), expected.len(), "{table} of {name}");
        for (mut found, expected) in found.into_iter().zip(expected) {
            found.retain(|column, value| columns.contains(column) && !value.is_null());
            assert_eq!(found, expected, "{table} of {name}");
        }
    }
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(work)
}

fn open(place: &Path) -> Store {
    Store::open(&place.display().to_string()).unwrap()
}

fn format(place: &Path) -> u32 {
    wait(async { open(place).snapshot().await.unwrap().manifest.format })
}

#[test]
fn what_an_older_spanql_wrote_reads_the_same_before_and_after_an_upgrade() {
    for (name, versions) in [("demo", 4), ("versions", 5)] {
        let (_dir, place) = old_store(name);
        answers_as_then(&place, name, &[]);
        let before = wait(dump(&open(&place))).unwrap();
        let said = spanql(&place).args(["store", "upgrade"]).output().unwrap();
        let said = String::from_utf8(said.stderr).unwrap();
        assert!(said.contains("changed to format 2, which an older spanql does not read"), "{said}");
        assert_eq!(format(&place), 2);
        answers_as_then(&place, name, &[]);
        assert_same(&wait(dump(&open(&place))).unwrap(), &before, "after the upgrade");
        answers_as_then(&place, name, &["--at-version", &versions.to_string()]);
        let again = spanql(&place).args(["store", "upgrade"]).output().unwrap();
        assert!(String::from_utf8(again.stderr).unwrap().contains("nothing to upgrade"));
        // Back to a version before it, the format stays.
        succeed(spanql(&place).args(["store", "restore", &versions.to_string()]));
        assert_eq!(format(&place), 2);
        answers_as_then(&place, name, &[]);
    }
}

#[test]
fn a_store_stays_in_the_format_of_its_readers_until_it_is_upgraded() {
    let (_dir, place) = old_store("versions");
    wait(async {
        let store = open(&place);
        import(&store, &[spans("p", 0..300, "new")]).await.unwrap();
        import(&store, &[spans("p", 3..4, "again")]).await.unwrap();
        let manifest = store.snapshot().await.unwrap().manifest;
        assert_eq!(manifest.format, 1);
        let plain = |segment: &spanql::store::Segment| {
            segment.bundle.is_none() && segment.deletions.is_none() && segment.side.is_empty()
        };
        assert!(manifest.segments.iter().all(plain));
        for folder in ["deletions", "ids", "patches"] {
            assert_eq!(std::fs::read_dir(place.join(folder)).unwrap().count(), 0, "{folder}");
        }
    });
}

#[test]
fn a_little_commit_leaves_large_segments_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("store");
    wait(async {
        let store = open(&place);
        import(&store, &[spans("p", 0..2_000, "first")]).await.unwrap();
        let large = store.snapshot().await.unwrap().manifest.segments[0].clone();
        import(&store, &[spans("p", 7..9, "second"), spans("p", 5_000..5_001, "new")]).await.unwrap();
        let manifest = store.snapshot().await.unwrap().manifest;
        let [thinned, small] = &manifest.segments[..] else { panic!("{:?}", manifest.segments) };
        assert_eq!((&thinned.id, thinned.bytes, thinned.rows, thinned.traces), (&large.id, large.bytes, 5_994, 1_998));
        assert_eq!((small.rows, small.traces, manifest.rows(), manifest.traces()), (9, 3, 6_003, 2_001));
        assert!(small.bundle.is_some() && small.spans_file() == small.traces_file());
        let before = dump(&store).await.unwrap();
        // It is a Parquet file all the same.
        let file = std::fs::File::open(place.join(small.spans_file())).unwrap();
        let rows = parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(file, 1_024).unwrap();
        assert_eq!(rows.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 9);
        assert_eq!(store.compact().await.unwrap().segments_before, 2);
        let manifest = store.snapshot().await.unwrap().manifest;
        assert!(manifest.segments.iter().all(|segment| segment.deletions.is_none()));
        assert_same(&dump(&store).await.unwrap(), &before, "after compaction");
        assert_same(&dump_snapshot(store.snapshot_at(2).await.unwrap()).await.unwrap(), &before, "version 2");
    });
}

#[test]
fn a_little_commit_is_one_file_and_a_manifest() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("store");
    let objects = Arc::new(InMemory::new());
    let bucket = StoreLocation::with_objects("bucket", Arc::clone(&objects) as _, ObjectPath::default());
    wait(async {
        let stores = [open(&place), Store::at(bucket)];
        let listed = async || -> [BTreeSet<String>; 2] {
            let metas: Vec<_> = objects.list(None).try_collect().await.unwrap();
            [files(&place).into_iter().collect(), metas.iter().map(|meta| meta.location.to_string()).collect()]
        };
        for store in &stores {
            import(store, &[spans("p", 0..1_000, "first")]).await.unwrap();
        }
        let before = listed().await;
        for store in &stores {
            import(store, &[spans("p", 7..9, "late"), spans("p", 5_000..5_001, "new")]).await.unwrap();
        }
        for (before, after) in before.iter().zip(listed().await) {
            assert!(before.is_subset(&after));
            let added = after.difference(before).map(|file| file.split('/').next().unwrap());
            assert_eq!(added.collect::<Vec<_>>(), ["manifest", "segments"]);
        }
    });
}

#[test]
fn damage_of_a_small_segment_is_never_an_answer() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("store");
    wait(async {
        import(&open(&place), &[spans("p", 0..40, "first")]).await.unwrap();
        let whole = dump(&open(&place)).await.unwrap();
        let segment = open(&place).snapshot().await.unwrap().manifest.segments[0].clone();
        assert!(segment.bundle.is_some());
        let file = place.join(segment.spans_file());
        let bytes = std::fs::read(&file).unwrap();
        for at in (0..bytes.len()).step_by(bytes.len() / 40) {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            std::fs::write(&file, &changed).unwrap();
            let error = dump(&open(&place)).await.expect_err("a small file is one block: any read finds it");
            assert!(error.contains(&segment.spans_file()), "{error}");
        }
        std::fs::write(&file, &bytes).unwrap();
        assert_same(&dump(&open(&place)).await.unwrap(), &whole, "whole again");
    });
}

#[test]
fn what_is_purged_is_in_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("store");
    let holds = |text: &str| {
        let files = ["segments", "traces", "stats", "deletions", "ids", "patches"].map(|folder| place.join(folder));
        let files = files.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap()).map(|file| file.unwrap().path());
        let mut files = files.collect::<Vec<_>>().into_iter();
        files.any(|file| String::from_utf8_lossy(&std::fs::read(file).unwrap()).contains(text))
    };
    wait(async {
        let store = open(&place);
        import(&store, &[spans("p", 0..2_000, "first")]).await.unwrap();
        // The values of a column lie in its dictionary and in its statistics as they are.
        for (number, secret) in ["secret-one", "secret-two"].into_iter().enumerate() {
            let mut row = row("p", "t77", &format!("late{number}"));
            row.insert(columns::NAME.into(), Cell::text(secret));
            import(&store, &[batch(&[row])]).await.unwrap();
        }
        assert!(holds("secret-one") && holds("secret-two"));
        store.delete_spans("p", &["late0", "s77-1"]).await.unwrap();
        store.purge(&["p"]).await.unwrap();
        assert!(!holds("secret-one") && holds("secret-two"));
        let manifest = store.snapshot().await.unwrap().manifest;
        assert!(manifest.segments.iter().all(|segment| segment.deletions.is_none()));
        assert_eq!(manifest.rows(), 6_000);
    });
}

#[test]
fn little_commits_are_joined_in_tiers() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("store");
    wait(async {
        let (store, other) = (open(&place), Store::open("memory://").unwrap());
        for number in 0..70 {
            import(&store, &[spans("p", number * 3..number * 3 + 4, &format!("n{number}"))]).await.unwrap();
            let manifest = store.snapshot().await.unwrap().manifest;
            assert!(manifest.segments.len() <= 21, "{} segments", manifest.segments.len());
        }
        let batches: Vec<_> =
            (0..70).map(|number| spans("p", number * 3..number * 3 + 4, &format!("n{number}"))).collect();
        import(&other, &batches).await.unwrap();
        assert_same(&dump(&store).await.unwrap(), &dump(&other).await.unwrap(), "in little commits");
    });
}

/// What is done to a store.
#[derive(Debug, Clone)]
enum Step {
    /// Spans by project, trace and number, each with a name and a start.
    Import(Vec<(usize, usize, usize, usize)>),
    Delete(usize, usize),
    Compact,
    Vacuum,
    Restore(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::collection::vec((0..2_usize, 0..700_usize, 0..5_usize, 0..4_usize), 1..8).prop_map(Step::Import),
        2 => (0..600_usize, 0..3_usize).prop_map(|(trace, span)| Step::Delete(trace, span)),
        1 => Just(Step::Compact),
        1 => Just(Step::Vacuum),
        1 => (0..5_usize).prop_map(Step::Restore),
    ]
}

fn late((project, trace, span, kind): (usize, usize, usize, usize)) -> Row {
    let mut row = row(["p", "q"][project], &format!("t{trace}"), &format!("s{trace}-{span}"));
    row.insert("name".into(), Cell::text(["a", "b", "c", "d"][kind]));
    row.insert("start_time".into(), Cell::Time(BASE_TIME + trace as i64 + [0, 5, -900, 0][kind]));
    row.insert(columns::SESSION_ID.into(), Cell::text(format!("c{}", trace % 5)));
    if kind == 2 {
        row.insert("attributes.late".into(), Cell::text(format!("late {trace}")));
        row.insert("parent_id".into(), Cell::text(format!("s{trace}-0")));
    }
    row
}

/// Does a step; `versions` are those behind each step since the last vacuum.
async fn take(store: &Store, step: &Step, versions: &mut Vec<u64>) {
    match step {
        Step::Import(rows) => {
            let rows: BTreeMap<_, _> = rows.iter().map(|&key| ((key.0, key.1, key.2), late(key))).collect();
            import(store, &[batch(&rows.into_values().collect::<Vec<_>>())]).await.map(drop).unwrap();
        }
        Step::Delete(trace, span) => {
            store.delete_spans("p", &[format!("s{trace}-{span}").as_str()]).await.map(drop).unwrap();
        }
        Step::Compact => store.compact().await.map(drop).unwrap(),
        Step::Vacuum => {
            store.vacuum(Duration::ZERO).await.unwrap();
            versions.clear();
        }
        Step::Restore(back) if !versions.is_empty() => {
            let version = versions[versions.len() - 1 - back % versions.len()];
            store.restore(version).await.map(drop).unwrap();
        }
        Step::Restore(_) => {}
    }
    versions.push(store.snapshot().await.unwrap().manifest.version);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    /// Random commits, deletions, compactions, vacuums and restores give in format 2 what they give in format 1, which
    /// builds every segment again that a commit touches.
    #[test]
    fn formats_hold_the_same(steps in prop::collection::vec(step(), 2..9)) {
        let (_dir, old) = old_store("versions");
        let (_other, new) = old_store("versions");
        wait(async {
            open(&new).upgrade(|_| {}).await.unwrap();
            let (old, new) = (open(&old), open(&new));
            let mut versions = [Vec::new(), Vec::new()];
            for store in [&old, &new] {
                import(store, &[spans("p", 0..600, "base")]).await.unwrap();
            }
            for step in &steps {
                take(&old, step, &mut versions[0]).await;
                take(&new, step, &mut versions[1]).await;
            }
            assert_same(&dump(&new).await.unwrap(), &dump(&old).await.unwrap(), "format 2");
            assert_eq!(old.snapshot().await.unwrap().manifest.format, 1);
        });
    }
}
