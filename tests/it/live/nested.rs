//! Values inside the JSON text of columns of a remote: asked for by the column, and looked for here alone.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};

use super::fake::Fake;
use super::{Cell, FROM, ask, batch, span};

/// A column of one span that lies for another one in the text of `attributes.config`.
const OWN: &str = "attributes.config.model.name";

/// Spans with metadata and other attributes that hold objects.
fn spans() -> Vec<RecordBatch> {
    let text = |text: &str| Cell::text(text);
    let first = [
        span(
            "t1",
            "a",
            0,
            &[
                ("attributes.metadata", text(r#"{"gateway":{"owner":"ops","retries":2},"tags":["x"],"tier":"gold"}"#)),
                ("attributes.config", text(r#"{"model":{"name":"m1"}}"#)),
            ],
        ),
        span("t1", "b", 1, &[("attributes.metadata", text(r#"{"gateway":{"owner":"dev","retries":10},"tags":"y"}"#))]),
    ];
    let second = [
        span("t2", "c", 2, &[("attributes.config", text("broken {"))]),
        span("t3", "d", 3, &[("attributes.config", text(r#"{"model":{"name":"in the text"}}"#)), (OWN, text("own"))]),
    ];
    vec![batch(&first), batch(&second)]
}

/// A remote that does not announce the column that it sends all the same.
fn remote(filters: bool) -> Fake {
    let names = ["name", "attributes.metadata", "attributes.config"];
    let remote_schema = Schema::new(names.map(|name| Field::new(name, DataType::Utf8, true)).to_vec());
    Fake { filters, remote_schema: Some(remote_schema), ..Fake::of(spans()) }
}

const CONDITIONS: [(&str, &str); 13] = [
    ("metadata.gateway.owner = 'ops'", "a"),
    ("NOT metadata.gateway.owner = 'ops'", "b"),
    ("metadata.gateway.retries > 2", "b"),
    ("metadata.gateway.retries IN (2, 10) AND metadata.gateway.owner CONTAINS 'e'", "b"),
    ("metadata.gateway.owner IS NOT NULL", "ab"),
    ("metadata.gateway.owner IS NULL", "cd"),
    ("metadata.gateway.nobody = 'x'", ""),
    // A key that holds a list is there, and so is what is in it.
    ("metadata.tags IS NOT NULL", "ab"),
    ("metadata.tags CONTAINS 'x'", "a"),
    ("metadata.tags = 'y'", "b"),
    ("metadata.tier = 'gold'", "a"),
    ("attributes.config.model.name = 'm1' OR attributes.config.model.name = 'own'", "ad"),
    ("attributes.config.model.name IS NULL", "bc"),
];

#[tokio::test]
async fn a_remote_is_not_asked_about_what_is_in_a_text() {
    for filters in [true, false] {
        for (condition, expected) in CONDITIONS {
            let (engine, log) = remote(filters).engine();
            let sql = format!("SELECT span_id FROM arize.\"my-project\" WHERE {FROM} AND ({condition})");
            let answer = ask(&engine, &sql).await.unwrap();
            assert_eq!(answer.rows.join(""), expected, "{condition}, filters: {filters}");
            assert!(answer.notes.is_empty(), "{condition}: {answer:?}");
            let columns = log.request().columns.unwrap();
            let parent = if condition.contains("config") { "attributes.config" } else { "attributes.metadata" };
            assert!(columns.iter().any(|name| name == parent), "{condition}: {columns:?}");
        }
    }
}

#[tokio::test]
async fn traces_and_patterns_look_into_texts_as_well() {
    for (from, expected) in [
        ("traces_where('metadata.gateway.owner = ''ops''', 'arize.my-project')", "ab"),
        ("spans_where('metadata.gateway.retries >= 10', 'arize.my-project')", "b"),
        ("oql('metadata.\"gateway.owner\" = \"ops\"', 'spans', 'arize.my-project')", "a"),
        ("structure('{ attributes.config.model.name = ''own'' }', 'both', 'arize.my-project')", "d"),
    ] {
        let (engine, _) = remote(true).engine();
        let sql = format!("SELECT span_id, metadata.gateway.owner FROM {from} WHERE {FROM}");
        let answer = ask(&engine, &sql).await.unwrap();
        let ids: String = answer.rows.iter().filter_map(|row| row.chars().next()).collect();
        assert_eq!(ids, expected, "{from}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let (engine, _) = remote(false).engine();
    let sql = format!("SELECT metadata.gateway.nobody FROM arize.\"my-project\" WHERE {FROM}");
    let answer = ask(&engine, &sql).await.unwrap();
    assert_eq!(answer.remarks(), ["no span of arize.my-project that was read has attributes.metadata.gateway.nobody"]);
    let sql = format!("SELECT metadata.gateway.owner FROM arize.\"my-project\" WHERE {FROM}");
    let answer = ask(&engine, &sql).await.unwrap();
    assert_eq!(answer.rows, ["-", "-", "dev", "ops"]);
    assert!(answer.remarks.is_empty() && answer.notes.is_empty(), "{answer:?}");
}

#[tokio::test]
async fn a_plan_shows_that_a_text_is_looked_into_here() {
    let (engine, log) = remote(false).engine();
    let sql = format!(
        "EXPLAIN SELECT name FROM arize.\"my-project\" WHERE {FROM} AND metadata.gateway.owner = 'ops' AND name = 'n'"
    );
    let plan = ask(&engine, &sql).await.unwrap().rows.join("\n");
    let scan = plan.lines().find(|line| line.contains("RemoteScanExec")).unwrap();
    assert!(scan.contains("attributes.metadata") && scan.contains("rest=["), "{plan}");
    assert!(plan.contains("FilterExec: ") && plan.contains("attributes.metadata.gateway.owner"), "{plan}");
    assert!(log.requests().is_empty());
}
