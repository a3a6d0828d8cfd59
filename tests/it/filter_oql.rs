//! OQL over a store: spans, traces and threads, beside the same questions in SQL.

use spanql::engine::Engine;
use spanql::model::columns;
use spanql::store::Store;

use super::support::{BASE_TIME, Cell, Row, ask_rows, batch, demo, engine, import, row};

fn span(trace: &str, id: &str, parent: Option<&str>, cells: &[(&str, Cell)]) -> Row {
    let mut row = row("own", trace, id);
    row.insert(columns::START_TIME.to_owned(), Cell::Time(BASE_TIME));
    row.insert(columns::END_TIME.to_owned(), Cell::Time(BASE_TIME + 1_500_000_000));
    row.extend(parent.map(|parent| (columns::PARENT_ID.to_owned(), Cell::text(parent))));
    row.extend(cells.iter().map(|(name, cell)| ((*name).to_owned(), cell.clone())));
    row
}

async fn own() -> Engine {
    let long = "x".repeat(2_000) + "END";
    let rows = [
        span(
            "t1",
            "a",
            None,
            &[
                ("name", Cell::text("Chat 100%")),
                (columns::INPUT, Cell::text(long)),
                (columns::SESSION_ID, Cell::text("s1")),
                (columns::METADATA, Cell::text(r#"{"tier":"Free","n":"7","a.b":1,"deep":{"k":[{"v":"x"}]}}"#)),
                ("attributes.tag.tags", Cell::text(r#"["Prod","eu"]"#)),
                ("annotation.Quality.score", Cell::Float(0.5)),
            ],
        ),
        span(
            "t1",
            "b",
            Some("a"),
            &[
                ("name", Cell::text("llm")),
                (columns::KIND, Cell::text("LLM")),
                (columns::MODEL, Cell::text("GPT-4o")),
                (columns::TOTAL_TOKENS, Cell::Int(70)),
                (columns::COST, Cell::Float(0.25)),
                ("annotation.Faithful.score", Cell::Float(0.9)),
            ],
        ),
        span("t2", "c", None, &[("name", Cell::text("other")), (columns::STATUS_CODE, Cell::text("ERROR"))]),
        // Its only span has a parent that is not there.
        span("t3", "d", Some("gone"), &[("name", Cell::text("late")), ("annotation.Faithful.score", Cell::Float(0.1))]),
    ];
    let store = Store::open("memory://").unwrap();
    import(&store, &[batch(&rows)]).await.unwrap();
    engine(store.snapshot().await.unwrap()).await
}

async fn ids(engine: &Engine, filter: &str, entity: &str) -> Vec<String> {
    let id = match entity {
        "spans" => "span_id",
        "traces" => "trace_id",
        _ => "session_id",
    };
    let sql = format!("SELECT {id} AS id FROM oql('{}', '{entity}') ORDER BY 1", filter.replace('\'', "''"));
    let rows = ask_rows(engine, &sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    rows.into_iter().map(|row| row["id"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_each_column_means() {
    let engine = own().await;
    for (entity, filter, expected) in [
        ("spans", "", &["a", "b", "c", "d"][..]),
        ("spans", r#"name = "chat 100%""#, &["a"]),
        ("spans", r#"name contains "t_1""#, &["a"]),
        ("spans", r#"name != "llm""#, &["a", "c", "d"]),
        ("spans", r#"model starts_with "gpt" AND usage.total_tokens >= 70"#, &["b"]),
        ("spans", r#"type = "llm""#, &["b"]),
        ("spans", r#"type in ("general")"#, &["a", "c", "d"]),
        ("spans", r#"metadata.tier = "free""#, &["a"]),
        ("spans", r#"metadata.n > 6.5"#, &["a"]),
        ("spans", r#"metadata."a.b" = "1" AND metadata."deep.k[0].v" = "X""#, &["a"]),
        ("spans", r#"tags contains "pro""#, &["a"]),
        ("spans", r#"tags = "prod""#, &[]),
        ("spans", r#"tags is_empty"#, &["b", "c", "d"]),
        ("spans", r#"feedback_scores.quality >= 0.5"#, &["a"]),
        ("spans", r#"feedback_scores.Nobody is_empty"#, &["a", "b", "c", "d"]),
        ("spans", r#"error_info is_not_empty"#, &["c"]),
        ("spans", r#"duration = 1500 AND trace_id = "T2""#, &["c"]),
        ("spans", r#"[{"field":"name","operator":"=","value":"LATE"}]"#, &["d"]),
        // Of a trace: its root, its roll-ups, its spans.
        ("traces", "", &["t1", "t2", "t3"]),
        ("traces", r#"name = "chat 100%""#, &["t1"]),
        ("traces", r#"name = "llm""#, &[]),
        ("traces", r#"input ends_with "end""#, &["t1"]),
        ("traces", r#"usage.total_tokens = 70 AND total_estimated_cost > 0.2 AND llm_span_count = 1"#, &["t1"]),
        ("traces", r#"thread_id = "S1""#, &["t1"]),
        ("traces", r#"metadata.tier = "FREE" AND tags contains "eu" AND feedback_scores.Quality = 0.5"#, &["t1"]),
        ("traces", r#"error_info is_not_empty"#, &["t2"]),
        ("traces", r#"span_feedback_scores.faithful > 0.5"#, &["t1"]),
        ("traces", r#"span_feedback_scores.faithful is_empty"#, &["t2"]),
        ("traces", r#"span_feedback_scores.faithful > 0 AND name = "late""#, &["t3"]),
        ("threads", "", &["s1"]),
        ("threads", r#"id = "s1" AND duration >= 1500"#, &["s1"]),
        ("threads", r#"id = "S1""#, &[]),
    ] {
        assert_eq!(ids(&engine, filter, entity).await, expected, "{entity}: {filter}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn generated_spans_beside_sql() {
    let store = Store::open("memory://").unwrap();
    import(&store, &demo(7, 3_000)).await.unwrap();
    let engine = engine(store.snapshot().await.unwrap()).await;
    let one = |rows: Vec<std::collections::BTreeMap<String, String>>| rows[0]["n"].clone();
    let mut found = 0;
    for (entity, filter, sql) in [
        (
            "spans",
            r#"type = "tool" AND error_info is_not_empty"#,
            "FROM spans WHERE kind = 'TOOL' AND status_code = 'ERROR'",
        ),
        (
            "spans",
            r#"model contains "gpt" AND duration > 800"#,
            "FROM spans WHERE lower(model) LIKE '%gpt%' AND latency_ms > 800",
        ),
        (
            "spans",
            r#"usage.prompt_tokens > 500 AND start_time < "2026-10-31T12:00:00Z""#,
            "FROM spans WHERE prompt_tokens > 500 AND start_time < '2026-10-31T12:00:00Z'",
        ),
        (
            "traces",
            r#"total_estimated_cost > 0.001 AND duration >= 1000"#,
            "FROM traces WHERE cost > 0.001 AND latency_ms >= 1000",
        ),
        ("traces", r#"thread_id != "x" AND llm_span_count >= 2"#, "FROM traces WHERE llm_count >= 2"),
        (
            "traces",
            r#"input contains "the""#,
            "FROM traces t JOIN spans s ON s.trace_id = t.trace_id AND s.span_id = t.root_span_id WHERE s.input ILIKE '%the%'",
        ),
        ("threads", r#"duration > 5000"#, "FROM sessions WHERE duration_ms > 5000"),
    ] {
        let text = filter.replace('\'', "''");
        let ours = ask_rows(&engine, &format!("SELECT count(*) AS n FROM oql('{text}', '{entity}')")).await.unwrap();
        let theirs = ask_rows(&engine, &format!("SELECT count(*) AS n {sql}")).await.unwrap();
        let (ours, theirs) = (one(ours), one(theirs));
        assert_eq!(ours, theirs, "{entity}: {filter}");
        found += usize::from(ours != "0");
    }
    assert!(found >= 6, "only {found} filters found anything");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_is_said() {
    let engine = own().await;
    for (arguments, words) in [
        (r#"'name = "a" OR name = "b"'"#, "OQL has no OR"),
        (r#"'nmae = "a"'"#, "did you mean name?"),
        (r#"'name = "a"', 'trces'"#, "unknown table trces"),
        (r#"'guardrails = "x"', 'traces'"#, "guardrails"),
        (r#"'status = "active"', 'threads'"#, "status"),
        (r#"'duration > "soon"'"#, "number"),
        (r#"'start_time > "yesterday"'"#, "yesterday"),
        (r#"'name = ""'"#, "name"),
        (r#"'name = "a"', 'spans', 'traces'"#, "no table of spans"),
    ] {
        let error = ask_rows(&engine, &format!("SELECT 1 FROM oql({arguments})")).await.unwrap_err();
        assert!(error.contains(words), "{arguments}: {error}");
    }
}
