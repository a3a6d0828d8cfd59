//! The rows of a live table: complete, in the types that were promised, like those of a store.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use spanql::demo::Generator;
use spanql::engine::{Params, Relation, StoreEngine};
use spanql::model::ingest::{Origin, convert_batch};
use spanql::store::{Progress, Store};

use super::fake::{Fake, PROJECT};
use super::{Cell, FROM, ask, batch, plain, refused, span};

/// Two traces with something of everything.
fn spans() -> Vec<RecordBatch> {
    let messages = r#"[{"message.role":"user","message.content":"hi"},{"message.role":"assistant"}]"#;
    vec![
        batch(&[
            span(
                "t1",
                "a",
                0,
                &[
                    ("attributes.metadata", Cell::text(r#"{"tier":"gold","n":1}"#)),
                    ("events", Cell::text(r#"[{"name":"e","attributes":{"x":1}}]"#)),
                    ("custom", Cell::Int(7)),
                    ("index", Cell::Int(0)),
                    ("attributes.llm.input_messages", Cell::text(messages)),
                ],
            ),
            span(
                "t1",
                "b",
                1,
                &[
                    ("parent_id", Cell::text("a")),
                    ("attributes.metadata", Cell::text(r#"{"tier":"silver","n":2.5}"#)),
                    ("attributes.metadata.extra", Cell::Bool(true)),
                    ("eval.Tone.score", Cell::Float(0.5)),
                ],
            ),
        ]),
        batch(&[span("t2", "c", 86_400, &[("span_kind", Cell::text("llm")), ("custom", Cell::Int(8))])]),
    ]
}

#[tokio::test]
async fn spans_are_complete() {
    let (engine, log) = Fake::of(spans()).engine();
    let sql = format!(
        "SELECT span_id, project, source, parent_id, kind, latency_ms, event.attributes, attributes.custom,
                attributes.metadata.extra, eval.Tone.score FROM arize.\"my-project\" WHERE {FROM}"
    );
    let answer = ask(&engine, &sql).await.unwrap();
    assert_eq!(
        answer.rows,
        [
            r#"a|my-project|arize|-|-|1500.0|[{"x":1}]|7|-|-"#,
            "b|my-project|arize|a|-|1500.0|-|-|true|0.5",
            "c|my-project|arize|-|LLM|1500.0|-|8|-|-",
        ]
    );
    assert!(answer.notes.is_empty() && answer.remarks.is_empty(), "{answer:?}");
    assert_eq!(log.streams(), (1, 0));
}

#[tokio::test]
async fn keys_of_the_metadata_are_columns() {
    let (engine, log) = Fake::of(spans()).engine();
    let sql =
        format!("SELECT span_id, metadata.n FROM arize.\"my-project\" WHERE {FROM} AND metadata.tier IS NOT NULL");
    let answer = ask(&engine, &sql).await.unwrap();
    assert_eq!(answer.rows, ["a|1", "b|2.5"]);
    assert!(answer.notes.is_empty() && answer.remarks.is_empty(), "{answer:?}");
    assert!(log.request().columns.unwrap().contains(&"attributes.metadata".to_owned()));
    let more = ask(&engine, &format!("SELECT span_id FROM arize.\"my-project\" WHERE {FROM} AND metadata.n > 1")).await;
    assert_eq!(more.unwrap().rows, ["b"]);
    let whole = format!("SELECT attributes.metadata FROM arize.\"my-project\" WHERE {FROM} AND span_id = 'b'");
    assert_eq!(ask(&engine, &whole).await.unwrap().rows, [r#"{"tier":"silver","n":2.5,"extra":true}"#]);
}

#[tokio::test]
async fn lists_are_read_by_what_is_in_them() {
    let (engine, log) = Fake::of(spans()).engine();
    let sql = format!(
        "SELECT attributes.llm.input_messages.roles, attributes.llm.input_messages.0.message.content
         FROM arize.\"my-project\" WHERE {FROM} AND attributes.llm.input_messages.roles CONTAINS 'assis'"
    );
    let answer = ask(&engine, &sql).await.unwrap();
    assert_eq!(answer.rows, ["[user, assistant]|hi"]);
    assert!(answer.notes.is_empty(), "{answer:?}");
    let columns = log.request().columns.unwrap();
    assert_eq!(columns, ["context.trace_id", "context.span_id", "start_time", "attributes.llm.input_messages"]);
}

#[tokio::test]
async fn names_nobody_announced_are_asked_for() {
    let remote_schema = Schema::new(vec![Field::new("attributes.custom", DataType::Int64, true)]);
    let scores = vec![batch(&[
        span("t", "a", 0, &[("eval.Tone.score", Cell::text("0.5")), ("attributes.hidden", Cell::Int(3))]),
        span("t", "b", 1, &[]),
    ])];
    let (engine, log) = Fake { remote_schema: Some(remote_schema), ..Fake::of(scores) }.engine();
    let sql = format!(
        "SELECT span_id, attributes.hidden, eval.Tone.score, attributes.custm FROM arize.\"my-project\" WHERE {FROM}"
    );
    let answer = ask(&engine, &sql).await.unwrap();
    assert_eq!(answer.rows, ["a|3|0.5|-", "b|-|-|-"]);
    assert_eq!(
        answer.notes,
        [
            "arize.my-project does not announce attributes.custm (asked for all the same); nearest: attributes.custom",
            "arize.my-project does not announce attributes.hidden (asked for all the same)",
            "arize.my-project does not announce eval.Tone.score (asked for all the same)",
        ]
    );
    assert_eq!(answer.remarks(), ["no span of arize.my-project that was read has attributes.custm"]);
    let columns = log.request().columns.unwrap();
    assert_eq!(columns[3..], ["attributes.custm", "attributes.hidden", "eval.Tone.score"]);
    let sum = format!("SELECT sum(attributes.hidden) + sum(eval.Tone.score) FROM arize.\"my-project\" WHERE {FROM}");
    assert_eq!(ask(&engine, &sum).await.unwrap().rows, ["3.5"]);
}

#[tokio::test]
async fn a_star_says_what_it_leaves_out() {
    let remote_schema = Schema::new(vec![Field::new("name", DataType::Utf8, true)]);
    let (engine, log) = Fake { remote_schema: Some(remote_schema), ..Fake::of(spans()) }.engine();
    let answer = ask(&engine, &format!("SELECT * FROM arize.\"my-project\" WHERE {FROM}")).await.unwrap();
    assert_eq!(answer.rows.len(), 3);
    assert_eq!(
        answer.remarks(),
        ["arize.my-project also sent attributes.custom, eval.Tone.score, which * leaves out: \
          name what you want, or pull the project"]
    );
    assert_eq!(log.request().columns, None);
}

#[tokio::test]
async fn columns_nobody_asked_for_are_no_news() {
    let remote_schema = Schema::new(vec![Field::new("name", DataType::Utf8, true)]);
    let (engine, _) = Fake { remote_schema: Some(remote_schema), ignores_columns: true, ..Fake::of(spans()) }.engine();
    let answer = ask(&engine, &format!("SELECT name FROM arize.\"my-project\" WHERE {FROM}")).await.unwrap();
    assert_eq!(answer.rows, ["span a", "span b", "span c"]);
    assert!(answer.remarks.is_empty(), "{answer:?}");
}

#[tokio::test]
async fn trees_need_a_store() {
    let (engine, log) = Fake::of(plain(1, 2)).engine();
    for sql in [
        "SELECT tree.depth FROM arize.\"my-project\"",
        "SELECT s.tree.depth FROM arize.\"my-project\" s",
        "WITH s AS (SELECT * FROM arize.\"my-project\") SELECT span_id FROM s WHERE tree.orphan",
        "SELECT count(*) FROM arize.\"my-project\" GROUP BY tree.root_id",
    ] {
        let error = refused(&engine, sql).await;
        assert_eq!(error.code(), "unknown-column", "{sql}");
        assert!(error.position().is_some());
        let text = error.to_string();
        assert!(text.contains("arize.my-project is read live") && text.ends_with("pull the project first"), "{text}");
    }
    assert!(log.requests().is_empty());
}

#[tokio::test]
async fn types_that_lose_nothing_are_cast() {
    let remote_schema = |data_type| Schema::new(vec![Field::new("attributes.x", data_type, true)]);
    let sent = |cell| vec![batch(&[span("t", "a", 0, &[("attributes.x", cell)])])];
    let sql = format!("SELECT attributes.x FROM arize.\"my-project\" WHERE {FROM}");
    for (data_type, cell, expected) in [
        (DataType::Utf8, Cell::Float(5.0), "5"),
        (DataType::Float64, Cell::Int(5), "5.0"),
        (DataType::Int32, Cell::Float(5.0), "5"),
        (DataType::Int64, Cell::text("5"), "5"),
    ] {
        let (engine, _) = Fake { remote_schema: Some(remote_schema(data_type)), ..Fake::of(sent(cell)) }.engine();
        assert_eq!(ask(&engine, &sql).await.unwrap().rows, [expected]);
    }
    for (data_type, cell) in [
        (DataType::Int64, Cell::Float(5.5)),
        (DataType::Int64, Cell::text("five")),
        (DataType::Float64, Cell::Int((1 << 53) + 1)),
        (DataType::Boolean, Cell::Int(1)),
    ] {
        let (engine, log) = Fake { remote_schema: Some(remote_schema(data_type)), ..Fake::of(sent(cell)) }.engine();
        let error = refused(&engine, &sql).await;
        assert_eq!(error.code(), "changed-type");
        let text = error.to_string();
        assert!(text.starts_with("attributes.x of arize.my-project cannot be read"), "{text}");
        assert!(text.contains("pull the project first"), "{text}");
        assert_eq!(log.streams(), (0, 1));
    }
}

/// Every column of every span, read live and from a store that took the same batches.
#[tokio::test]
async fn rows_are_those_of_a_store() {
    let origin = Origin { source: "arize", project: PROJECT.to_owned(), force_project: true };
    let arrivals: Vec<RecordBatch> = Generator::new(7, 1_500)
        .map(|batch| {
            let mut schema = batch.schema().as_ref().clone();
            // Where spans come from is for the remote to say.
            let source = schema.index_of("source").unwrap();
            let mut columns = batch.columns().to_vec();
            columns.remove(source);
            let mut fields = schema.fields().to_vec();
            fields.remove(source);
            schema.fields = fields.into();
            let batch = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
            convert_batch(&batch, &origin).unwrap().batch
        })
        .collect();
    let store = Store::open("memory://").unwrap();
    let mut import = store.begin();
    for arrival in &arrivals {
        import.push(arrival).unwrap();
    }
    store.commit(import, "import", &Progress::default()).await.unwrap();
    let engine = StoreEngine::default().open(store.snapshot().await.unwrap()).await.unwrap();
    let stored =
        engine.prepare("SELECT * EXCLUDE (\"tree.depth\") FROM spans", &Params::new()).await.unwrap().remove(0);
    let remote_schema: Vec<Field> = stored
        .schema()
        .fields()
        .iter()
        .map(|field| Field::new(field.name(), field.data_type().clone(), true))
        .collect();
    let names: Vec<String> = remote_schema
        .iter()
        .filter(|field| !field.name().starts_with("tree."))
        .map(|field| format!("\"{}\"", field.name()))
        .collect();
    assert!(names.len() > 60, "{names:?}");
    engine.register_source(Arc::new(Fake { remote_schema: Some(Schema::new(remote_schema)), ..Fake::of(arrivals) }));
    // Some spans of the generator come twice, which only a store makes one.
    let once = "span_id IN (SELECT span_id FROM arize.\"my-project\" WHERE start_time > '2020-01-01'
                            GROUP BY span_id HAVING count(*) = 1) AND start_time > '2020-01-01'";
    let columns = names.join(", ");
    let live = ask(&engine, &format!("SELECT {columns} FROM arize.\"my-project\" WHERE {once}")).await.unwrap();
    let stored = ask(&engine, &format!("SELECT {columns} FROM spans WHERE {once}")).await.unwrap();
    assert!(stored.rows.len() > 1_000, "{}", stored.rows.len());
    for (live, stored) in live.rows.iter().zip(&stored.rows) {
        assert_eq!(live, stored);
    }
    assert_eq!(live.rows.len(), stored.rows.len());
}

#[tokio::test]
async fn live_tables_join_and_nest() {
    let (engine, log) = Fake::of(spans()).engine();
    let store = Store::open("memory://").unwrap();
    let mut import = store.begin();
    let origin = Origin { source: "file", project: "kept".to_owned(), force_project: true };
    let kept = batch(&[span("t1", "a", 0, &[("attributes.kept", Cell::text("yes"))])]);
    import.push(&convert_batch(&kept, &origin).unwrap().batch).unwrap();
    store.commit(import, "import", &Progress::default()).await.unwrap();
    let own = StoreEngine::default().open(store.snapshot().await.unwrap()).await.unwrap();
    own.register_source(Arc::new(Fake::of(spans())));
    let joined = format!(
        "SELECT s.span_id, s.attributes.kept, l.attributes.custom, l.metadata.tier
         FROM spans s JOIN arize.\"my-project\" l USING (span_id) WHERE l.{FROM}"
    );
    assert_eq!(ask(&own, &joined).await.unwrap().rows, ["a|yes|7|gold"]);

    let two = format!(
        "SELECT child.span_id, parent.span_id AS p FROM arize.\"my-project\" child
         JOIN arize.\"my-project\" parent ON child.parent_id = parent.span_id
         WHERE child.{FROM} AND child.start_time < '2026-01-02' AND parent.{FROM}"
    );
    assert_eq!(ask(&engine, &two).await.unwrap().rows, ["b|a"]);
    let requests = log.requests();
    assert_eq!(requests.len(), 2);
    assert_ne!(requests[0].window, requests[1].window);
    assert_eq!(log.schemas(), 1);

    for (sql, rows) in [
        ("WITH l AS (SELECT * FROM arize.\"my-project\" WHERE {FROM}) SELECT count(*) FROM l", "3"),
        ("SELECT (SELECT max(attributes.custom) FROM arize.\"my-project\" WHERE {FROM}) AS m", "8"),
        (
            "SELECT span_id FROM arize.\"my-project\" x WHERE x.{FROM} AND x.span_id IN \
          (SELECT parent_id FROM arize.\"my-project\" WHERE {FROM})",
            "a",
        ),
        (
            "SELECT n FROM (SELECT count(*) AS n, project FROM arize.\"my-project\" WHERE {FROM} GROUP BY project) AS q",
            "3",
        ),
        (
            "SELECT spanql.arize.\"my-project\".name FROM spanql.arize.\"my-project\" WHERE {FROM} AND attributes.custom = 8",
            "span c",
        ),
        ("SELECT metadata.tier FROM ARIZE.\"my-project\" AS q WHERE {FROM} AND q.metadata.n = 1", "gold"),
    ] {
        let sql = sql.replace("{FROM}", FROM);
        assert_eq!(ask(&engine, &sql).await.unwrap().rows, [rows], "{sql}");
    }

    let view = format!("SELECT name, attributes.custom AS c FROM arize.\"my-project\" WHERE {FROM}");
    engine.register("mine", Relation::View(view)).await.unwrap();
    assert_eq!(ask(&engine, "SELECT name FROM mine WHERE c = 7").await.unwrap().rows, ["span a"]);
    let described = ask(&engine, "DESCRIBE arize.\"my-project\"").await.unwrap().rows;
    assert!(described.contains(&"attributes.custom|Int64|YES".to_owned()), "{described:?}");
    assert!(!described.iter().any(|row| row.starts_with("tree.")));
}

#[tokio::test]
async fn what_is_written_is_remarked_upon() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, _) = Fake { announces_more: Some(2), ..Fake::of(plain(1, 2)) }.engine();
    let file = dir.path().join("spans.csv");
    let sql = format!("COPY (SELECT name FROM arize.\"my-project\" WHERE {FROM}) TO '{}'", file.display());
    let answer = ask(&engine, &sql).await.unwrap();
    assert_eq!(answer.rows, ["2"]);
    assert!(answer.remarks[0].incomplete, "{answer:?}");
}
