//! What is known of spans that came from files: the ledger, the line after an answer, the exit code, the verdict.

use std::path::Path;
use std::process::Output;

use super::support::{spanql, stderr, succeed};

const COUNT: &str = "SELECT count(*) AS n FROM spans";

/// A file of so many whole traces of one span.
fn write(path: &Path, spans: std::ops::Range<usize>) {
    let line = |n| format!("{{\"trace_id\":\"t{n}\",\"span_id\":\"s{n}\",\"start_time\":{}}}\n", 1_790_000_000 + n);
    std::fs::write(path, spans.map(line).collect::<String>()).unwrap();
}

fn import(store: &Path, arguments: &[&str]) -> String {
    stderr(&spanql(store).arg("import").args(arguments).output().unwrap())
}

fn required(store: &Path) -> (Option<i32>, String) {
    let output: Output = spanql(store).args(["query", "-o", "csv", "--require-complete", COUNT]).output().unwrap();
    (output.status.code(), stderr(&output))
}

fn ask(store: &Path, sql: &str) -> String {
    succeed(spanql(store).args(["-q", "query", "-o", "csv", sql]))
}

fn plain(store: &Path) -> String {
    stderr(&spanql(store).args(["query", "-o", "csv", COUNT]).output().unwrap())
}

#[test]
fn an_export_that_stops_at_a_round_number_is_suspect() {
    let dir = tempfile::tempdir().unwrap();
    let (store, file) = (dir.path().join("store"), dir.path().join("export.jsonl"));
    write(&file, 0..500);
    let path = file.display().to_string();
    assert!(import(&store, &[&path]).starts_with("500 spans: 500 new"));
    let sign = format!("project default came from files, and they look cut: {path} has exactly 500 rows");
    assert!(plain(&store).starts_with(&format!("suspect: {sign}")), "{}", plain(&store));
    let (code, said) = required(&store);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.starts_with(&format!("error: the answer may rest on incomplete data: {sign}")), "{said}");
    assert_eq!(ask(&store, "SELECT source, verdict FROM quality"), "source,verdict\nfile,suspect\n");
    let report = spanql(&store).args(["run", "completeness", "--require-complete"]).output().unwrap();
    assert_eq!(report.status.code(), Some(4), "{}", stderr(&report));

    // The whole export, under the same path.
    write(&file, 0..501);
    assert!(import(&store, &[&path]).contains("1 new, 0 updated, 500 unchanged"));
    assert_eq!(plain(&store), "");
    let (code, said) = required(&store);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with("note: project default came from files, and nobody said how many"), "{said}");
    assert_eq!(ask(&store, "SELECT verdict, reasons[1] AS r FROM quality"), "verdict,r\nunknown,\n");
    let columns = "source, project, received, stored, new, updated, bad, repeated, status";
    assert_eq!(
        ask(&store, &format!("SELECT {columns} FROM pulls ORDER BY started_at")),
        "source,project,received,stored,new,updated,bad,repeated,status\n\
         file,default,500,500,500,0,0,0,suspect\nfile,default,501,501,1,0,0,0,unknown\n"
    );
    let named = format!("SELECT files[1] = '{path}' AND cardinality(files) = 1 AS named FROM pulls LIMIT 1");
    assert_eq!(ask(&store, &named), "named\ntrue\n");

    // Importing again changes nothing, not even the version.
    let versions = || succeed(spanql(&store).args(["store", "versions", "-o", "csv"])).lines().count();
    let before = versions();
    assert!(import(&store, &[&path]).contains("501 unchanged"));
    assert_eq!(versions(), before);
}

#[test]
fn orphans_and_missing_roots_are_those_that_are_there_now() {
    let dir = tempfile::tempdir().unwrap();
    let (store, half, rest) = (dir.path().join("store"), dir.path().join("half.jsonl"), dir.path().join("rest.jsonl"));
    std::fs::write(&half, "{\"trace_id\":\"t\",\"span_id\":\"b\",\"parent_id\":\"a\"}\n").unwrap();
    std::fs::write(&rest, "{\"trace_id\":\"t\",\"span_id\":\"a\"}\n").unwrap();
    import(&store, &[&half.display().to_string()]);
    let (code, said) = required(&store);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("the parent of 1 span is not there; 1 trace has no root"), "{said}");
    assert_eq!(
        ask(&store, "SELECT array_to_string(reasons, '; ') AS r FROM quality"),
        "r\n1 orphan; 1 trace without a root\n"
    );
    import(&store, &[&rest.display().to_string()]);
    assert_eq!(required(&store).0, Some(0));
    assert_eq!(plain(&store), "");
}

#[test]
fn rows_that_were_left_out_are_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let (store, file) = (dir.path().join("store"), dir.path().join("some.jsonl"));
    std::fs::write(
        &file,
        "{\"trace_id\":\"t\",\"span_id\":\"a\"}\n{\"trace_id\":\"t\"}\n{\"trace_id\":\"t\",\"span_id\":\"a\"}\n",
    )
    .unwrap();
    import(&store, &[&file.display().to_string(), "--skip-bad"]);
    let (code, said) = required(&store);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("1 row of ") && said.contains(" did not fit and was left out"), "{said}");
    let columns = "received, new, repeated, bad, status";
    assert_eq!(
        ask(&store, &format!("SELECT {columns} FROM pulls")),
        "received,new,repeated,bad,status\n2,1,1,1,suspect\n"
    );
    // A project that is not there is never complete.
    let output = spanql(&store).args(["--project", "other", "query", "--require-complete", COUNT]).output().unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(2), "error: the store holds no project other\n".into()));
}

#[test]
fn made_up_spans_are_complete() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("demo");
    succeed(spanql(dir.path()).args(["-q", "demo", "--spans", "500", "--keep"]).arg(&place));
    assert_eq!(required(&place), (Some(0), String::new()));
    assert_eq!(ask(&place, "SELECT DISTINCT verdict FROM quality"), "verdict\ncomplete\n");
}
