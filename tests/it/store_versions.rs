//! Versions of a store: read at, restored, joined, vacuumed; and readers that keep what they opened.

use std::path::Path;

use spanql::store::Store;

use super::support::{
    ALL_SPANS, ALL_TRACES, BASE_TIME, Cell, Row, ask_text, assert_same, batch, dump_dir, dump_snapshot, engine, fail,
    files, import, json_lines, row, spanql, succeed,
};

const COUNT: &str = "SELECT count(*) AS n, count(name) AS named FROM spans";

fn spans(traces: std::ops::Range<i64>, name: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for trace in traces {
        for span in 0..2 {
            let mut row = row("p", &format!("t{trace}"), &format!("s{trace}-{span}"));
            row.insert("name".into(), Cell::text(name));
            row.insert("start_time".into(), Cell::Time(BASE_TIME + trace * 10 + span));
            rows.push(row);
        }
    }
    rows
}

fn import_rows(place: &Path, rows: &[Row]) {
    let file = place.with_extension("jsonl");
    std::fs::write(&file, json_lines(rows)).unwrap();
    succeed(spanql(place).arg("import").arg(file));
}

fn count(place: &Path, more: &[&str]) -> String {
    succeed(spanql(place).args(more).args(["query", COUNT, "-o", "jsonl"])).trim().to_owned()
}

fn dump(place: &Path) -> String {
    tokio::runtime::Runtime::new().unwrap().block_on(dump_dir(place))
}

fn versions(place: &Path) -> Vec<serde_json::Value> {
    let lines = succeed(spanql(place).args(["store", "versions", "-o", "jsonl"]));
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn versions_are_read_restored_and_vacuumed() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("store");
    import_rows(&place, &spans(0..3, "first"));
    let first = dump(&place);
    import_rows(&place, &spans(2..5, "second"));
    let second = dump(&place);
    assert_eq!(count(&place, &[]), r#"{"n":10,"named":10}"#);
    assert_eq!(count(&place, &["--at-version", "1"]), r#"{"n":6,"named":6}"#);
    assert_eq!(count(&place, &["--at-version", "2"]), r#"{"n":10,"named":10}"#);
    assert!(fail(spanql(&place).args(["--at-version", "7", "query", COUNT])).contains("versions 1 to 2"));
    let file = place.with_extension("jsonl");
    let refused = spanql(&place).args(["--at-version", "1", "import"]).arg(file).output().unwrap();
    assert_eq!(refused.status.code(), Some(2), "an older version cannot be written to");

    // With the default age nothing of a fresh store is old enough.
    let before = files(&place);
    succeed(spanql(&place).args(["store", "vacuum"]));
    assert_eq!(files(&place), before);

    succeed(spanql(&place).args(["store", "restore", "1"]));
    assert_same(&dump(&place), &first, "restored");
    succeed(spanql(&place).args(["store", "restore", "2"]));
    assert_same(&dump(&place), &second, "restored again");
    let listed = versions(&place);
    assert_eq!(
        listed.iter().map(|version| version["operation"].as_str().unwrap()).collect::<Vec<_>>(),
        ["import", "import", "restore 1", "restore 2"]
    );
    assert_eq!(listed.iter().map(|version| version["spans"].as_i64().unwrap()).collect::<Vec<_>>(), [6, 10, 6, 10]);

    succeed(spanql(&place).args(["store", "vacuum", "--older-than", "0s"]));
    assert_same(&dump(&place), &second, "vacuumed");
    assert_eq!(versions(&place).len(), 1);
    assert!(fail(spanql(&place).args(["store", "restore", "1"])).contains("version 1"));
    assert!(files(&place).len() < before.len());
}

#[test]
fn a_vacuum_spares_what_a_kept_version_needs() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("store");
    import_rows(&place, &spans(0..3, "first"));
    import_rows(&place, &spans(0..3, "second"));
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(48 * 3600);
    // The files of both versions are two days old, the manifests are not.
    for path in files(&place).iter().filter(|path| !path.starts_with("manifest/")) {
        std::fs::File::options().append(true).open(place.join(path)).unwrap().set_modified(old).unwrap();
    }
    succeed(spanql(&place).args(["store", "vacuum"]));
    assert_eq!(count(&place, &["--at-version", "1"]), r#"{"n":6,"named":6}"#);
    succeed(spanql(&place).args(["--at-version", "1", "query", ALL_SPANS, "-o", "jsonl"]));
    let debris = ["segments/00.parquet", "segments/11.parquet#3", "stats/22.json"].map(|path| place.join(path));
    for path in &debris {
        std::fs::write(path, b"left by a crash").unwrap();
    }
    succeed(spanql(&place).args(["store", "vacuum"]));
    assert!(debris.iter().all(|path| path.exists()), "debris may be a running import's: it is removed when it is old");
    for path in &debris {
        std::fs::File::options().append(true).open(path).unwrap().set_modified(old).unwrap();
    }
    succeed(spanql(&place).args(["store", "vacuum"]));
    assert!(!debris.iter().any(|path| path.exists()), "{:?}", files(&place));
    succeed(spanql(&place).args(["query", ALL_SPANS, "-o", "jsonl"]));
}

#[test]
fn small_segments_are_compacted_without_a_change() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("store");
    for number in 0..4 {
        import_rows(&place, &spans(number * 3..number * 3 + 3, "some"));
    }
    let before = dump(&place);
    assert_eq!(versions(&place).last().unwrap()["segments"], 4);
    succeed(spanql(&place).args(["store", "compact"]));
    assert_same(&dump(&place), &before, "compacted");
    assert_eq!(versions(&place).last().unwrap()["segments"], 1);
    let after = versions(&place).len();
    succeed(spanql(&place).args(["store", "compact"]));
    assert_eq!(versions(&place).len(), after, "there is nothing left to join");
}

#[test]
fn a_restore_helps_against_a_damaged_manifest() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("store");
    import_rows(&place, &spans(0..3, "first"));
    let first = dump(&place);
    import_rows(&place, &spans(2..5, "second"));
    std::fs::write(place.join("manifest/00000000000000000002.json"), b"{").unwrap();
    assert!(fail(spanql(&place).args(["query", COUNT])).contains("manifest/00000000000000000002.json"));
    succeed(spanql(&place).args(["store", "restore", "1"]));
    assert_same(&dump(&place), &first, "restored");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_keeps_its_snapshot_while_others_write() {
    for name in ["memory://", "directory"] {
        let dir = tempfile::tempdir().unwrap();
        let place = if name == "directory" { dir.path().join("s").display().to_string() } else { name.to_owned() };
        let store = Store::open(&place).unwrap();
        import(&store, &[batch(&spans(0..3, "first"))]).await.unwrap();
        let snapshot = store.snapshot().await.unwrap();
        let reader = engine(snapshot.clone()).await;
        let spans_before = ask_text(&reader, ALL_SPANS).await.unwrap();
        // Planned now, read after the next commits.
        let prepared = reader.prepare(ALL_TRACES, &spanql::engine::Params::new()).await.unwrap();
        let traces_before = ask_text(&reader, ALL_TRACES).await.unwrap();
        let before = dump_snapshot(snapshot.clone()).await.unwrap();
        for number in 0..10 {
            let mut rows = spans(number..number + 2, "later");
            rows[0].insert("attributes.new".into(), Cell::Int(number));
            import(&store, &[batch(&rows)]).await.unwrap();
        }
        store.delete_spans("p", &["s0-0"]).await.unwrap();
        store.compact().await.unwrap();
        assert_same(&ask_text(&reader, ALL_SPANS).await.unwrap(), &spans_before, name);
        assert_same(&ask_text(&reader, ALL_TRACES).await.unwrap(), &traces_before, name);
        assert_same(&dump_snapshot(snapshot).await.unwrap(), &before, name);
        let late: Vec<_> = futures::TryStreamExt::try_collect(prepared[0].execute().await.unwrap()).await.unwrap();
        assert_eq!(late.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>(), 3);
        let now = engine(store.snapshot().await.unwrap()).await;
        assert_ne!(ask_text(&now, ALL_SPANS).await.unwrap(), spans_before);
    }
}
