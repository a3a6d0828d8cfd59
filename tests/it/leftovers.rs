//! What a process leaves behind that ends in the middle of its work: nothing that takes room.

#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use spanql::store::Store;

use super::support::{demo, files, import, spanql};

/// Sorts more than it may hold in memory, and goes on for long.
const SORTS: &str = "SELECT a.span_id, b.span_id AS other FROM spans a, spans b ORDER BY b.name, a.span_id";
const PATIENCE: Duration = Duration::from_secs(120);

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Files that a process holds open and that have no name any more, in a directory.
fn nameless(child: &Child, dir: &Path) -> Vec<PathBuf> {
    let open = std::fs::read_dir(format!("/proc/{}/fd", child.id())).into_iter().flatten().flatten();
    let links = open.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    links.filter(|link| link.starts_with(dir) && link.to_string_lossy().ends_with(" (deleted)")).collect()
}

#[test]
fn a_query_that_spills_leaves_nothing_however_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let (place, temporary) = (dir.path().join("store"), dir.path().join("tmp"));
    std::fs::create_dir(&temporary).unwrap();
    let store = Store::open(&place.display().to_string()).unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(import(&store, &demo(1, 2_000))).unwrap();
    let before = files(dir.path());
    for name in ["KILL", "TERM", "INT", "INT INT"] {
        let mut child = spanql(&place)
            .env("TMPDIR", &temporary)
            .args(["--memory", "40MB", "query", SORTS])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let began = Instant::now();
        while cfg!(target_os = "linux") && nameless(&child, dir.path()).is_empty() {
            assert!(child.try_wait().unwrap().is_none(), "{name}: the query was over before it spilled");
            assert!(began.elapsed() < PATIENCE, "{name}: the query does not spill");
            std::thread::sleep(Duration::from_millis(20));
        }
        for name in name.split(' ') {
            signal(&child, name);
        }
        child.wait().unwrap();
        assert_eq!(files(dir.path()), before, "after {name}");
        assert_eq!(std::fs::read_dir(place.join("tmp")).unwrap().count(), 0, "directories after {name}");
        assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0, "directories after {name}");
    }
}

#[test]
fn a_demo_that_is_asked_to_end_removes_its_store() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_spanql"))
        .env("TMPDIR", dir.path())
        .args(["demo", "--spans", "200000"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while std::fs::read_dir(dir.path()).unwrap().count() == 0 {
        assert!(began.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(20));
    }
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(files(dir.path()), [] as [&str; 0]);
}

#[test]
fn a_demo_removes_what_killed_ones_left() {
    let dir = tempfile::tempdir().unwrap();
    let [killed, running, other] = ["spanql-demoA", "spanql-demoB", "spanql-other"].map(|name| dir.path().join(name));
    let old = std::time::SystemTime::now() - Duration::from_secs(3600);
    let open = |path: &PathBuf| {
        std::fs::create_dir_all(path.join("store")).unwrap();
        let directory = std::fs::File::open(path).unwrap();
        directory.set_modified(old).unwrap();
        directory
    };
    let held = [&killed, &running, &other].map(open);
    held[1].try_lock().unwrap();
    let mut demo = Command::new(env!("CARGO_BIN_EXE_spanql"));
    super::support::succeed(demo.env("TMPDIR", dir.path()).args(["-q", "demo", "--spans", "300"]));
    assert!(!killed.exists() && running.exists() && other.exists());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn a_result_file_is_kept_as_it_was_when_its_query_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("store");
    let store = Store::open(&place.display().to_string()).unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(import(&store, &demo(1, 100))).unwrap();
    let result = dir.path().join("result.parquet");
    std::fs::write(&result, "old").unwrap();
    let before = files(dir.path());
    for name in ["INT", "TERM"] {
        let mut child = spanql(&place)
            .args(["query", "SELECT md5(CAST(value AS text)) AS m FROM generate_series(1, 100000000000)", "-o"])
            .arg(&result)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let partial = dir.path().join(format!("result.parquet.partial-{}", child.id()));
        let began = Instant::now();
        while !partial.exists() {
            assert!(child.try_wait().unwrap().is_none(), "{name}: the query was over before it wrote");
            assert!(began.elapsed() < PATIENCE, "{name}: the query does not write");
            std::thread::sleep(Duration::from_millis(20));
        }
        signal(&child, name);
        assert_eq!(child.wait().unwrap().code(), Some(130), "{name}");
        assert_eq!(files(dir.path()), before, "after {name}");
        assert_eq!(std::fs::read_to_string(&result).unwrap(), "old", "after {name}");
    }
}
