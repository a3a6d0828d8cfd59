//! Filters of clients: the same spans on both transports, the same words about what is wrong.

use std::sync::Arc;

use reqwest::Client;
use serde_json::{Value, json};
use spanql::model::columns;
use spanql::store::Store;
use tonic::Code;

use super::serve_support::{KEY, PROJECT, Running};
use super::support::{BASE_TIME, Cell, Row, batch, import, row};

fn span(trace: &str, id: &str, parent: Option<&str>, cells: &[(&str, Cell)]) -> Row {
    let mut row = row(PROJECT, trace, id);
    row.insert(columns::START_TIME.to_owned(), Cell::Time(BASE_TIME));
    row.insert(columns::END_TIME.to_owned(), Cell::Time(BASE_TIME + 2_000_000_000));
    row.insert(columns::NAME.to_owned(), Cell::text(id));
    row.extend(parent.map(|parent| (columns::PARENT_ID.to_owned(), Cell::text(parent))));
    row.extend(cells.iter().map(|(name, cell)| ((*name).to_owned(), cell.clone())));
    row
}

async fn server() -> Running {
    let messages = r#"[{"message.role":"user","message.content":"it's 100%_sure"}]"#;
    let rows = [
        span("t1", "a", None, &[(columns::STATUS_CODE, Cell::text("OK"))]),
        span(
            "t1",
            "b",
            Some("a"),
            &[
                (columns::STATUS_CODE, Cell::text("ERROR")),
                (columns::TOTAL_TOKENS, Cell::Int(500)),
                ("attributes.llm.input_messages", Cell::text(messages)),
                ("attributes.retries", Cell::text("3")),
            ],
        ),
        span("t2", "c", None, &[("attributes.retries", Cell::text("many"))]),
        span("t3", "d", Some("gone"), &[(columns::SESSION_ID, Cell::text("o'clock"))]),
    ];
    let store = Arc::new(Store::open("memory://").unwrap());
    import(&store, &[batch(&rows)]).await.unwrap();
    Running::with_key(&store).await
}

/// What `POST path` answers for the whole project with a filter.
async fn post(server: &Running, path: &str, filter: &str) -> (u16, Value) {
    let body = json!({
        "project_id": server.ready.projects[0].id, "filter": filter,
        "start_time": "2000-01-01T00:00:00Z", "end_time": "2100-01-01T00:00:00Z",
    });
    let url = format!("http://127.0.0.1:{}{path}", server.ready.http_port);
    let response = Client::new().post(url).bearer_auth(KEY).body(body.to_string()).send().await.unwrap();
    (response.status().as_u16(), serde_json::from_str(&response.text().await.unwrap()).unwrap())
}

fn ids<'a>(spans: impl IntoIterator<Item = &'a Value>) -> Vec<String> {
    let mut ids: Vec<String> =
        spans.into_iter().map(|span| span["context"]["span_id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn both_transports_send_what_matches() {
    let server = server().await;
    let flight = server.flight(KEY).await;
    for (filter, expected) in [
        ("status_code = 'ERROR'", &["b"][..]),
        ("status_code != 'OK'", &["b"]),
        ("status_code = null", &["c", "d"]),
        ("parent_id IS NULL AND latency_ms >= 2000", &["a", "c"]),
        ("name IN ('a', 'd') OR attributes.llm.token_count.total > 499", &["a", "b", "d"]),
        ("attributes.retries > 2", &["b"]),
        ("NOT (attributes.retries > 2)", &[]),
        ("attributes.llm.input_messages.contents CONTAINS '%_'", &["b"]),
        ("attributes.llm.input_messages.0.message.role = 'user'", &["b"]),
        ("attributes.session.id = 'o''clock'", &["d"]),
        ("start_time < '2000-01-01'", &[]),
        ("name = 'a' OR name = 'b' AND status_code = 'OK'", &["a"]),
    ] {
        let export = flight.export(&server.command(json!({"filterExpression": filter}))).await.unwrap();
        assert_eq!(if export.rows() == 0 { vec![] } else { export.texts(columns::SPAN_ID) }, expected, "{filter}");
        // The filter's columns need not be among those that are asked for.
        let some = json!({"filterExpression": filter, "projectedColumns": ["context.span_id", "attributes.unknown"]});
        let export = flight.export(&server.command(some)).await.unwrap();
        assert_eq!(export.names(), ["time", "context.span_id", "attributes.unknown"]);
        assert_eq!(if export.rows() == 0 { vec![] } else { export.texts(columns::SPAN_ID) }, expected, "{filter}");
        let (status, page) = post(&server, "/v2/spans", filter).await;
        assert_eq!(
            (status, ids(page["spans"].as_array().unwrap())),
            (200, expected.iter().map(|id| (*id).to_owned()).collect()),
            "{filter}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_come_whole_where_any_span_matches() {
    let server = server().await;
    for (filter, traces, spans) in [
        ("status_code = 'ERROR'", 1, &["a", "b"][..]),
        ("parent_id IS NOT NULL", 2, &["a", "b", "d"]),
        ("name = 'nothing'", 0, &[]),
    ] {
        let (status, page) = post(&server, "/v2/traces", filter).await;
        let found = page["traces"].as_array().unwrap();
        assert_eq!((status, found.len()), (200, traces), "{filter}");
        assert_eq!(ids(found.iter().flat_map(|trace| trace["spans"].as_array().unwrap())), spans, "{filter}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_alike() {
    let server = server().await;
    let flight = server.flight(KEY).await;
    for (filter, words) in [
        ("no_such_column = 1", "unknown column no_such_column"),
        ("status_code = ERROR", "for text, write 'ERROR' in single quotes"),
        ("attributes.retrie = 'x'", "did you mean attributes.retries?"),
        ("(name = 'a'", "1:1: this parenthesis is never closed"),
        ("name = 'a' OR 1=1", "expected a column on one side"),
        ("name = 'a'; DROP TABLE spans", "leave the semicolon out"),
        ("name IN (SELECT 1)", "expected a comma"),
        (&"(".repeat(100_000), "nests too deep"),
        (&vec!["latency_ms > 1"; 2_000].join(" OR "), "the limit is 1000"),
    ] {
        let status = flight.info(&server.command(json!({"filterExpression": filter}))).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert!(status.message().contains(words), "{status}");
        for path in ["/v2/spans", "/v2/traces"] {
            let (code, problem) = post(&server, path, filter).await;
            assert_eq!((code, problem["detail"].as_str().unwrap()), (400, status.message()), "{path}");
        }
    }
}

/// Clients ask for traces by all of their ids, which makes filters far longer than people write.
#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_ids_are_no_long_filter() {
    let server = server().await;
    let ids: Vec<String> = (0..20_000).map(|i| format!("'{i:032x}'")).collect();
    let filter = format!("context.trace_id IN ({}, 't2')", ids.join(", "));
    let export = server.flight(KEY).await.export(&server.command(json!({"filterExpression": filter}))).await.unwrap();
    assert_eq!(export.texts(columns::SPAN_ID), ["c"]);
}

/// A ticket may have been made up: its filter is checked like any other.
#[tokio::test(flavor = "multi_thread")]
async fn a_made_up_ticket_is_checked() {
    let server = server().await;
    let flight = server.flight(KEY).await;
    let mut info = flight.info(&server.command(json!({"filterExpression": "name = 'a'"}))).await.unwrap();
    let ticket = info.endpoint[0].ticket.as_mut().unwrap();
    let text = String::from_utf8(ticket.ticket.to_vec()).unwrap();
    ticket.ticket = text.replace("name = 'a'", "nmae = 'a'").into();
    let refused = match flight.open(&info).await {
        Err(status) => status,
        Ok(_) => panic!("a ticket with a wrong filter was taken"),
    };
    assert_eq!(refused.code(), Code::InvalidArgument);
}
