//! Stores of odd shapes answer the same statements; places that are no store are refused, and none is made by a query.

use std::path::{Path, PathBuf};

use spanql::store::Store;

use super::support::{
    ALL_SPANS, BASE_TIME, Cell, Row, ask_text, assert_same, batch, dump_dir, engine, fail, files, import, json_lines,
    row, spanql, stderr, succeed,
};

/// Statements as they stand in saved queries and manuals; none depends on what is in a store.
const STATEMENTS: [&str; 18] = [
    "SELECT * FROM spans LIMIT 3",
    "SELECT count(*) FROM spans",
    "SELECT count(*), sum(span_count), avg(latency_ms) FROM traces",
    "SELECT * FROM traces ORDER BY start_time LIMIT 3",
    "SELECT * FROM sessions ORDER BY cost DESC",
    "SELECT name, type, filled FROM columns WHERE project = 'p' ORDER BY filled DESC, name",
    "SELECT trace_id, span_id, kind, model, input, output, cost FROM spans WHERE status_code = 'ERROR'",
    "SELECT model, avg(eval.Correctness.score) FROM spans GROUP BY model ORDER BY 2 DESC",
    "SELECT attributes.k0001, count(*) FROM spans GROUP BY attributes.k0001",
    "SELECT count(*) FROM spans WHERE attributes.k2499 = 7 OR attributes.k2499 > '3'",
    "SELECT sum(TRY_CAST(attributes.k2400 AS DOUBLE)), max(attributes.k2400) FROM spans WHERE attributes.k2400 <> 1",
    "SELECT attributes.nowhere, annotation.Tone.label, eval.Nope.score FROM spans ORDER BY 1",
    "SELECT attributes.llm.input_messages.0.message.role, attributes.user.id FROM spans",
    "SELECT s.name, t.span_count FROM spans s JOIN traces t ON s.context.trace_id = t.trace_id AND s.project = t.project",
    "SELECT tree.depth, count(*) FROM spans WHERE NOT tree.orphan GROUP BY tree.depth ORDER BY 1",
    "SELECT metadata.tier, count(*) FILTER (WHERE input CONTAINS 'x') FROM spans GROUP BY metadata.tier",
    "SELECT count(*) FROM information_schema.columns WHERE table_name = 'spans'",
    "SELECT trace_id FROM spans WHERE start_time >= '2026-01-01T00:00:00Z' AND end_time < '2027-01-01T00:00:00Z'",
];

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().unwrap()
}

fn fill(place: &Path, rows: &[Row]) {
    let store = Store::open(&place.display().to_string()).unwrap();
    runtime().block_on(import(&store, &[batch(rows)])).unwrap();
}

/// Two spans with all of 2,500 keys between them.
fn wide() -> Vec<Row> {
    let mut rows = vec![row("p", "t", "a"), row("p", "t", "b")];
    for number in 0..2500 {
        let cell = match number % 4 {
            0 => Cell::Int(number),
            1 => Cell::Float(number as f64 + 0.5),
            2 => Cell::Bool(number % 8 == 2),
            _ => Cell::text(format!("text \"{number}\"")),
        };
        rows[number as usize % 2].insert(format!("attributes.k{number:04}"), cell.clone());
        if number % 16 == 0 {
            rows[1].insert(format!("attributes.k{number:04}"), cell);
        }
    }
    for row in &mut rows {
        row.insert("start_time".into(), Cell::Time(BASE_TIME));
    }
    rows
}

fn saved_queries() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("queries");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "sql"));
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

#[test]
fn stores_of_any_shape_answer_the_same_statements() {
    let dir = tempfile::tempdir().unwrap();
    let [wide_place, bare, nowhere, empty] = ["wide", "bare", "nowhere", "empty"].map(|name| dir.path().join(name));
    fill(&wide_place, &wide());
    fill(&bare, &[row("p", "t", "a")]);
    std::fs::create_dir(&empty).unwrap();
    let all = STATEMENTS.join(";\n");
    for place in [&wide_place, &bare, &nowhere, &empty] {
        succeed(spanql(place).args(["query", &all, "-o", "jsonl"]));
        for command in ["info", "versions"] {
            succeed(spanql(place).args(["store", command]));
        }
        // Twice: the first must leave nothing that changes what the place is.
        succeed(spanql(place).args(["query", "SELECT count(*) FROM spans"]));
    }
    for query in saved_queries() {
        // The store itself stands for the remote.
        let remote = query.ends_with("missing_at_remote.sql").then_some(["-p", "remote=spans"]);
        succeed(spanql(&wide_place).args(["run", "-o", "csv"]).arg(query).args(remote.into_iter().flatten()));
    }
    assert!(!nowhere.exists(), "a query made the place");
    assert_eq!(std::fs::read_dir(&empty).unwrap().count(), 0, "a query wrote into an empty directory");
    for place in [&nowhere, &empty] {
        let output = spanql(place).args(["query", "SELECT count(*) AS n FROM spans", "-o", "jsonl"]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout.clone()).unwrap().trim(), "{\"n\":0}");
        assert_eq!(stderr(&output).matches("note: ").count(), 1, "{}", stderr(&output));
        fill(place, &[row("p", "t", "a")]);
        assert_eq!(succeed(spanql(place).args(["query", "SELECT count(*) AS n FROM spans"])).trim(), "{\"n\":1}");
    }
}

#[test]
fn keys_beyond_the_limit_are_columns_like_any_other() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("store");
    let rows = wide();
    fill(&place, &rows);
    let names = [0, 1, 2, 3, 1999, 2000, 2001, 2002, 2003, 2496, 2499].map(|n| format!("attributes.k{n:04}"));
    let items: Vec<String> = names.iter().map(|name| format!("CAST({name} AS VARCHAR) AS \"{name}\"")).collect();
    let sql = format!("SELECT {} FROM spans ORDER BY span_id", items.join(", "));
    let lines = succeed(spanql(&place).args(["query", &sql, "-o", "jsonl"]));
    let values: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(values.len(), rows.len());
    for (row, value) in rows.iter().zip(&values) {
        for name in &names {
            assert_eq!(value[name].as_str().map(str::to_owned), row.get(name).map(Cell::plain), "{name}");
        }
    }
}

/// Exports of two stores in one file: a key is a column in one of them and beyond the limit in the other.
#[test]
fn a_key_may_be_a_column_and_a_part_of_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("store");
    let file = dir.path().join("spans.jsonl");
    let mut rows = [row("p", "t", "a"), row("p", "t", "b"), row("p", "t", "c")];
    rows[0].insert("attributes.k".into(), Cell::Int(1));
    rows[1].insert("attributes.rest".into(), Cell::text(r#"{"attributes.k":2.5,"attributes.l":"x"}"#));
    // Whoever writes an export decides what stands there.
    rows[2].insert(
        "attributes.rest".into(),
        Cell::text(
            r#"{"start_time":"soon","tree.left":"x","attributes.llm.token_count.total":"many","attributes.session.id":7,
                "attributes.metadata.m":1,"attributes.rest":"{}","attributes.n":[1,{"a":2}],"project":null,"":0}"#,
        ),
    );
    std::fs::write(&file, json_lines(&rows)).unwrap();
    succeed(spanql(&place).arg("import").arg(&file));
    let sql = "SELECT span_id, attributes.k AS k, attributes.l AS l, attributes.n AS n FROM spans ORDER BY span_id";
    let lines = succeed(spanql(&place).args(["query", sql, "-o", "jsonl"]));
    assert_eq!(
        lines.lines().collect::<Vec<_>>(),
        [
            r#"{"span_id":"a","k":1.0,"l":null,"n":null}"#,
            r#"{"span_id":"b","k":2.5,"l":"x","n":null}"#,
            r#"{"span_id":"c","k":null,"l":null,"n":"[1,{\"a\":2}]"}"#
        ]
    );
    let before = runtime().block_on(dump_dir(&place));
    succeed(spanql(&place).arg("import").arg(&file));
    assert_same(&runtime().block_on(dump_dir(&place)), &before, "imported again");
}

#[test]
fn an_export_of_a_wide_store_imported_again_gives_the_same_store() {
    let dir = tempfile::tempdir().unwrap();
    let [place, again] = ["store", "again"].map(|name| dir.path().join(name));
    fill(&place, &wide());
    let file = dir.path().join("all.jsonl");
    std::fs::write(&file, succeed(spanql(&place).args(["query", "SELECT * FROM spans", "-o", "jsonl"]))).unwrap();
    succeed(spanql(&again).arg("import").arg(&file));
    let content = |place: &Path| {
        runtime().block_on(async {
            let store = Store::open(&place.display().to_string()).unwrap();
            ask_text(&engine(store.snapshot().await.unwrap()).await, ALL_SPANS).await.unwrap()
        })
    };
    assert_same(&content(&again), &content(&place), "imported again");
    let versions = |place: &Path| succeed(spanql(place).args(["store", "versions"])).lines().count();
    let count = versions(&place);
    succeed(spanql(&place).arg("import").arg(&file));
    assert_eq!(versions(&place), count, "a store's own export brings it nothing new");
}

#[test]
fn a_place_that_is_something_else_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let foreign = dir.path().join("foreign");
    std::fs::create_dir(&foreign).unwrap();
    std::fs::write(foreign.join("thesis.txt"), "dear to somebody").unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "no store").unwrap();
    let spans = dir.path().join("spans.jsonl");
    std::fs::write(&spans, json_lines(&[row("p", "t", "a")])).unwrap();
    for (place, reason) in [(&foreign, "thesis.txt"), (&file, "is a file")] {
        for message in [
            fail(spanql(place).args(["query", "SELECT 1"])),
            fail(spanql(place).arg("import").arg(&spans)),
            fail(spanql(place).args(["store", "vacuum", "--older-than", "0s"])),
        ] {
            assert!(message.contains(reason) && message.contains(place.to_str().unwrap()), "{message}");
        }
    }
    assert_eq!(files(&foreign), ["thesis.txt"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "no store");
}

#[cfg(unix)]
#[test]
fn a_store_is_private_to_its_owner() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let spans = dir.path().join("spans.jsonl");
    std::fs::write(&spans, json_lines(&[row("p", "t", "a"), row("p", "u", "b")])).unwrap();
    for place in [dir.path().join("deep/er/store"), empty.clone()] {
        succeed(spanql(&place).arg("import").arg(&spans));
        succeed(spanql(&place).args(["query", "SELECT * FROM spans ORDER BY name"]));
        let store = Store::open(&place.display().to_string()).unwrap();
        runtime().block_on(store.delete_spans("p", &["a"])).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let mut seen = 0;
        for file in files(&place) {
            assert_eq!(mode(&place.join(&file)), 0o600, "{file}");
            seen += 1;
        }
        assert!(seen >= 6, "{seen} files");
        // A directory that was there before keeps the mode that its owner gave it.
        for entry in std::fs::read_dir(&place).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(mode(&path), 0o700, "{}", path.display());
        }
        if place != empty {
            assert_eq!(mode(&place), 0o700);
        }
    }
}
