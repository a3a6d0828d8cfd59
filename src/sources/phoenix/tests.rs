//! The source against a server that speaks Phoenix's protocol, and breaks it.

mod faults;
mod listing;
mod poison;

use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use futures::TryStreamExt;
use spanql_model::window::Window;

use super::Phoenix;
use super::page::{cursor_at, row_of};
use super::standin::{Asked, Reply, StandIn};
use crate::config::{PhoenixSettings, Secret};
use crate::{Ending, ExportRequest, SourceError, SpanSource, SpanStream};

const KEY: &str = "a-key-that-nobody-sees";
const SECOND: i64 = 1_000_000_000;

fn source(server: &StandIn) -> Phoenix {
    source_with(server, Duration::from_secs(20))
}

fn source_with(server: &StandIn, timeout: Duration) -> Phoenix {
    let settings = PhoenixSettings { url: server.url.clone(), key: Some(Secret::new(KEY)), headers: vec![] };
    Phoenix::new(&settings, timeout).unwrap()
}

fn everything() -> ExportRequest {
    let columns = Some(vec!["name".to_owned()]);
    ExportRequest { columns, ..ExportRequest::new("demo", Window { start: 0, end: 1_000_000 * SECOND }) }
}

/// A span of a row, which starts as many seconds after the epoch.
fn span(row: i64) -> String {
    let time = chrono::DateTime::from_timestamp(row, 0).unwrap().to_rfc3339();
    format!(
        r#"{{"id":"{}","name":"n","context":{{"trace_id":"t","span_id":"s{row}"}},"span_kind":"LLM","parent_id":null,"start_time":"{time}","end_time":"{time}","status_code":"OK","status_message":"","attributes":{{"row":{row}}},"events":[]}}"#,
        cursor_at(row)
    )
}

/// The rows of a page, and the first of the next, as the server has it: newest first, unless it is asked otherwise.
fn rows(asked: &Asked, all: &[i64]) -> (Vec<i64>, Option<i64>) {
    let limit: usize = asked.get("limit").map_or(100, |limit| limit.parse().unwrap());
    let (from, ascending) =
        (asked.get("cursor").map(|cursor| row_of(cursor).unwrap()), asked.get("order") == Some("asc"));
    let mut all = all.to_vec();
    all.sort_unstable();
    if !ascending {
        all.reverse();
    }
    let behind = |row: &i64| from.is_none_or(|from| if ascending { *row >= from } else { *row <= from });
    let mut rows: Vec<i64> = all.into_iter().filter(behind).take(limit + 1).collect();
    let next = (rows.len() > limit).then(|| rows.pop()).flatten();
    (rows, next)
}

fn page(rows: &[i64], next: Option<i64>) -> Reply {
    let spans: Vec<String> = rows.iter().map(|row| span(*row)).collect();
    let next = next.map_or("null".to_owned(), |next| format!("\"{}\"", cursor_at(next)));
    Reply::Json(format!(r#"{{"data":[{}],"next_cursor":{next}}}"#, spans.join(",")))
}

fn listed(asked: &Asked, all: &[i64]) -> Reply {
    let (rows, next) = rows(asked, all);
    page(&rows, next)
}

/// The rows of what came, in their order, and how it ended.
#[derive(Debug)]
struct Read {
    rows: Vec<i64>,
    received: u64,
    unfit: Option<(u64, String)>,
    ending: Ending,
}

fn rows_of(batch: &RecordBatch) -> Vec<i64> {
    batch.column_by_name("attributes.row").unwrap().as_primitive::<Int64Type>().values().to_vec()
}

async fn read_all(mut stream: SpanStream) -> Result<Read, SourceError> {
    let mut rows = vec![];
    while let Some(batch) = stream.try_next().await? {
        rows.extend(rows_of(&batch));
    }
    let received = stream.received();
    Ok(Read { rows, received: received.rows(), unfit: received.unfit(), ending: stream.ending() })
}

async fn read(source: &Phoenix, request: &ExportRequest) -> Result<Read, SourceError> {
    read_all(source.open(request).await?).await
}
