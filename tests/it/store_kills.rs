//! `SIGKILL` at any moment of an import leaves the old or the new content, and nothing that a vacuum cannot remove.
//!
//! Two ways: an import of the binary is killed after times chosen at random; and one that stands still before or behind
//! each of its writes in turn is killed there, so that no moment between two files is left to chance.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use spanql::store::{Store, StoreLocation};

use super::cases::{all_cases, cases};
use super::faulty::{Fault, Faulty};
use super::support::{
    BASE_TIME, Cell, Random, Row, assert_same, batch, begin_in_first_format, copy_dir, dump, dump_dir, files,
    fingerprint, import, json_lines, row, spanql, succeed,
};

const KILLS: usize = 200;
/// Stores that are killed side by side.
const WORKERS: usize = 2;

fn spans(project: &str, traces: std::ops::Range<usize>, name: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for trace in traces {
        for span in 0..4 {
            let mut row = row(project, &format!("{project}-{trace}"), &format!("{trace}-{span}"));
            row.insert("name".into(), Cell::text(format!("{name} {span}")));
            row.insert("start_time".into(), Cell::Time(BASE_TIME + (trace * 1000) as i64 + span));
            row.insert("end_time".into(), Cell::Time(BASE_TIME + (trace * 1000) as i64 + 900));
            row.insert("attributes.n".into(), Cell::Int(span));
            if span > 0 {
                row.insert("parent_id".into(), Cell::text(format!("{trace}-{}", span / 2)));
            }
            rows.push(row);
        }
    }
    rows
}

/// A store with older values of some spans, and a project of so many small segments that the next one joins them.
pub(super) async fn fill(store: &Store) {
    import(store, &[batch(&spans("a", 0..8, "old"))]).await.unwrap();
    for number in 0..7 {
        import(store, &[batch(&spans("many", number..number + 1, "old"))]).await.unwrap();
    }
}

/// What is imported: two projects again, one more, spans that change, move, come new, and a new column.
fn arrivals() -> Vec<Row> {
    let mut rows = spans("a", 4..12, "new");
    rows.extend(spans("many", 40..42, "new"));
    rows.extend(spans("c", 0..4, "new"));
    for row in rows.iter_mut().step_by(3) {
        row.insert("attributes.late".into(), Cell::text("late"));
    }
    let mut early = row("a", "a-2", "early");
    early.insert("start_time".into(), Cell::Time(BASE_TIME - 5));
    rows.push(early);
    rows
}

pub(super) fn open(dir: &Path) -> Store {
    Store::open(&dir.display().to_string()).unwrap()
}

/// How many kills left the old content, and how many the new.
#[derive(Debug, Default)]
struct Outcomes {
    old: usize,
    new: usize,
    finished: usize,
}

/// What tells a process of this test that it is the one to be killed: the store, how it stands still, and at which write.
const STOPS: &str = "SPANQL_TEST_STOPS";
/// More writes than any of them makes.
pub(super) const ENOUGH: usize = 200;

/// The process that is killed: imports, and stands still where it is told to.
#[test]
fn an_import_that_stands_still() {
    let Some(store) = store_that_stands_still() else { return };
    tokio::runtime::Runtime::new().unwrap().block_on(import(&store, &[batch(&arrivals())])).unwrap();
}

/// In the process that is killed, the store that it works on; `None` in any other.
pub(super) fn store_that_stands_still() -> Option<Store> {
    let told = std::env::var_os(STOPS)?.into_string().unwrap();
    let [at, how, place] = told.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
    let fault = if how == "before" { Fault::StopBefore } else { Fault::StopAfter };
    let faulty = |files| Arc::new(Faulty::new(Arc::new(files), fault, at.parse().unwrap())) as _;
    Some(Store::at(StoreLocation::with_local_objects(Path::new(place), faulty).unwrap()))
}

/// Works on a store with a process, a test of that name, which stands still at a write, and kills it there. Gives the file of
/// that write, as its folder; `None` if the work was done before.
pub(super) fn kill_at(test: &str, place: &Path, how: &str, at: usize) -> Option<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(STOPS, format!("{at} {how} {}", place.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let stopped = lines.find_map(|line| line.split_once("stopped ").map(|(_, stopped)| stopped.to_owned()));
    child.kill().unwrap();
    let status = child.wait().unwrap();
    let Some(stopped) = stopped else {
        assert!(status.success(), "{test}: what was not stopped failed");
        return None;
    };
    let file = stopped.strip_prefix(how).unwrap().trim_start();
    Some(file.rsplit('/').nth(1).unwrap_or_default().to_owned())
}

/// What the newest version of a store needs, as [`files`] lists it.
pub(super) async fn needed(store: &Store) -> Vec<String> {
    let manifest = store.snapshot().await.unwrap().manifest;
    let mut needed: Vec<String> = manifest.files().collect();
    needed.push(format!("manifest/{:020}.json", manifest.version));
    needed.sort();
    needed.dedup();
    needed
}

/// How often a write to a folder must have been hit, at least.
type Hits = [(&'static str, usize)];

#[test]
fn an_import_killed_between_any_two_writes_leaves_the_old_or_the_new_content() {
    killed_between_writes(false, &[("segments", 4), ("manifest", 2)]);
}

#[test]
fn an_import_killed_between_any_two_writes_in_the_first_format_does_so_too() {
    killed_between_writes(true, &[("segments", 4), ("traces", 4), ("stats", 4), ("manifest", 2)]);
}

fn killed_between_writes(is_first_format: bool, least: &Hits) {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (base, clean) = (dir.path().join("base"), dir.path().join("clean"));
    if is_first_format {
        begin_in_first_format(&base);
    }
    runtime.block_on(fill(&open(&base)));
    copy_dir(&base, &clean);
    let again = |place: &Path| {
        runtime.block_on(async { import(&open(place), &[batch(&arrivals())]).await.unwrap() });
    };
    again(&clean);
    let content = |place: &Path| runtime.block_on(async { fingerprint(&open(place)).await });
    let (old, new) = (content(&base), content(&clean));
    assert_ne!(old, new);
    let before = files(&base);

    let mut windows: BTreeMap<(&str, String), usize> = BTreeMap::new();
    // What lies there behind one write is what lies there before the next.
    let moments: &[&str] = if is_first_format && !all_cases() { &["after"] } else { &["before", "after"] };
    for &how in moments {
        let mut committed = false;
        for at in 0..ENOUGH {
            let place = dir.path().join(format!("{how}-{at}"));
            copy_dir(&base, &place);
            let Some(folder) = kill_at("store_kills::an_import_that_stands_still", &place, how, at) else {
                assert!(
                    at >= least.iter().map(|(_, times)| times).sum::<usize>(),
                    "{at} writes: the import joins segments, too"
                );
                break;
            };
            let context = format!("killed {how} write {at}, to {folder}");
            // Only the manifest makes it visible: before it everything is old, behind it everything new.
            committed |= how == "after" && folder == "manifest";
            assert_same(&content(&place), if committed { &new } else { &old }, &context);
            let added = files(&place).len() - before.len();
            assert!(added >= at, "{context}: {added} files were written before");
            committed |= folder == "manifest";
            *windows.entry((how, folder)).or_default() += 1;

            again(&place);
            let leases = std::fs::read_dir(place.join("staging")).unwrap().count();
            assert_eq!(leases, 0, "{context}: the next writer cleared up");
            assert_same(&content(&place), &new, &format!("{context}, then imported again"));
            runtime.block_on(open(&place).vacuum(Duration::ZERO)).unwrap();
            assert_same(&content(&place), &new, &format!("{context}, then cleared"));
            let needed = runtime.block_on(needed(&open(&place)));
            assert_eq!(files(&place), needed, "{context}: only what the newest version needs is left");
            std::fs::remove_dir_all(&place).unwrap();
            assert!(at + 1 < ENOUGH);
        }
    }
    println!("killed: {windows:?}");
    for &how in moments {
        for (folder, times) in least {
            let hit = windows.get(&(how, (*folder).to_owned())).copied().unwrap_or_default();
            assert!(hit >= *times, "{hit} kills {how} a write to {folder}: {windows:?}");
        }
    }
}

/// Kills imports into one store again and again; after one that got through, the old version is restored.
async fn kill(dir: PathBuf, file: PathBuf, old: [String; 2], new: [String; 2], usual: Duration, seed: u64) -> Outcomes {
    let mut random = Random(seed);
    let mut outcomes = Outcomes::default();
    let old_version = open(&dir).snapshot().await.unwrap().manifest.version;
    for number in 0..cases(KILLS) / WORKERS {
        let mut child =
            spanql(&dir).arg("import").arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Up to longer than an import takes beside another one.
        let wait = usual.mul_f64(1.4 * random.below(10_000) as f64 / 10_000.0);
        std::thread::sleep(wait);
        child.kill().unwrap();
        let status = child.wait().unwrap();
        let store = open(&dir);
        let held = fingerprint(&store).await;
        let is_new = held == new[0];
        assert!(is_new || held == old[0], "kill {number} after {wait:?} left neither the old nor the new content");
        assert!(is_new || !status.success(), "kill {number}: the import said that it was done");
        if number % 20 == 0 {
            assert_same(&dump(&store).await.unwrap(), if is_new { &new[1] } else { &old[1] }, "everything");
        }
        outcomes.finished += usize::from(status.success());
        if is_new {
            outcomes.new += 1;
            store.restore(old_version).await.unwrap();
        } else {
            outcomes.old += 1;
        }
    }
    outcomes
}

#[test]
fn an_import_killed_at_any_moment_leaves_the_old_or_the_new_content() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let base = dir.path().join("base");
    runtime.block_on(fill(&open(&base)));
    let file = dir.path().join("spans.jsonl");
    std::fs::write(&file, json_lines(&arrivals())).unwrap();

    let mut times = Vec::new();
    let clean = dir.path().join("clean");
    for number in 0..3 {
        let place = if number == 0 { clean.clone() } else { dir.path().join(format!("timed-{number}")) };
        copy_dir(&base, &place);
        let began = Instant::now();
        succeed(spanql(&place).arg("import").arg(&file));
        times.push(began.elapsed());
    }
    times.sort();
    let usual = times[1];
    let contents = |place: &Path| {
        runtime.block_on(async {
            let store = open(place);
            [fingerprint(&store).await, dump(&store).await.unwrap()]
        })
    };
    let (old, new) = (contents(&base), contents(&clean));
    assert_ne!(old[0], new[0]);

    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| {
            let place = dir.path().join(format!("killed-{worker}"));
            copy_dir(&base, &place);
            let work = kill(place.clone(), file.clone(), old.clone(), new.clone(), usual, 7 + worker as u64);
            (place, runtime.spawn(work))
        })
        .collect();
    for (place, work) in workers {
        let outcomes = runtime.block_on(work).unwrap();
        println!("imports of about {usual:?}, killed: {outcomes:?}");
        assert!(outcomes.old > 0, "every import was over before it was killed");

        succeed(spanql(&place).arg("import").arg(&file));
        assert_same(&runtime.block_on(dump_dir(&place)), &new[1], "completed by a further import");
        succeed(spanql(&place).args(["store", "vacuum", "--older-than", "0s"]));
        assert_same(&runtime.block_on(dump_dir(&place)), &new[1], "after a vacuum");
        assert_eq!(
            files(&place),
            runtime.block_on(needed(&open(&place))),
            "only what the newest version needs is left"
        );
    }
}
