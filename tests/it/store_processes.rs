//! Several processes that import at once give the store that one after the other gives.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use spanql::store::Store;

use super::support::{assert_same, demo, dump_dir, import, spanql, stderr, succeed};

const SPANS: u64 = 3_000;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().unwrap()
}

/// Generated spans as the lines of an export, and a store that they were imported into by the library.
fn exported(dir: &Path, seed: u64) -> (Vec<String>, String) {
    let place = dir.join(format!("exported-{seed}"));
    let store = Store::open(&place.display().to_string()).unwrap();
    runtime().block_on(import(&store, &demo(seed, SPANS))).unwrap();
    let sql = "SELECT * FROM spans ORDER BY start_time, span_id";
    let lines = succeed(spanql(&place).args(["query", sql, "-o", "jsonl"]));
    (lines.lines().map(str::to_owned).collect(), runtime().block_on(dump_dir(&place)))
}

fn write(path: PathBuf, lines: &[String]) -> PathBuf {
    std::fs::write(&path, lines.join("\n")).unwrap();
    path
}

/// Imports files into one store by a process each, all at once.
fn import_at_once(place: &Path, files: &[&PathBuf]) {
    let start = |file: &&PathBuf| {
        spanql(place).arg("import").arg(file).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = files.iter().map(start).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
    }
}

fn counts(place: &Path) -> String {
    let sql =
        "SELECT count(*) AS spans, count(DISTINCT project || ' ' || trace_id || ' ' || span_id) AS keys FROM spans";
    succeed(spanql(place).args(["query", sql, "-o", "jsonl"])).trim().to_owned()
}

#[test]
fn an_export_imported_again_gives_the_same_store() {
    let dir = tempfile::tempdir().unwrap();
    let (lines, content) = exported(dir.path(), 3);
    let file = write(dir.path().join("all.jsonl"), &lines);
    let place = dir.path().join("again");
    succeed(spanql(&place).arg("import").arg(&file));
    assert_same(&runtime().block_on(dump_dir(&place)), &content, "the export, imported");
    assert_eq!(counts(&place), format!("{{\"spans\":{SPANS},\"keys\":{SPANS}}}"));
}

#[test]
fn two_imports_of_overlapping_files_at_once_lose_and_double_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (lines, content) = exported(dir.path(), 4);
    let third = lines.len() / 3;
    let first = write(dir.path().join("first.jsonl"), &lines[..2 * third]);
    let second = write(dir.path().join("second.jsonl"), &lines[third..]);
    for round in 0..4 {
        let place = dir.path().join(format!("round-{round}"));
        let files = if round % 2 == 0 { [&first, &second] } else { [&second, &first] };
        import_at_once(&place, &files);
        assert_same(&runtime().block_on(dump_dir(&place)), &content, &format!("round {round}"));
        assert_eq!(counts(&place), format!("{{\"spans\":{SPANS},\"keys\":{SPANS}}}"));
    }
}

#[test]
fn three_imports_of_the_same_file_at_once_give_every_span_once() {
    let dir = tempfile::tempdir().unwrap();
    let (lines, content) = exported(dir.path(), 5);
    let file = write(dir.path().join("all.jsonl"), &lines);
    for round in 0..2 {
        let place = dir.path().join(format!("round-{round}"));
        import_at_once(&place, &[&file, &file, &file]);
        assert_same(&runtime().block_on(dump_dir(&place)), &content, &format!("round {round}"));
        let versions = succeed(spanql(&place).args(["store", "versions", "-o", "jsonl"]));
        assert_eq!(versions.lines().count(), 1, "two of them found nothing to change: {versions}");
    }
}
