//! Requests against a server that answers as Opik does.

mod faults;
mod reads;

use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use futures::TryStreamExt;
use serde_json::{Value as Json, json};

use super::Opik;
use super::standin::{KEY, Standin, WORKSPACE};
use crate::config::{OpikSettings, Secret};
use crate::error::SourceError;
use crate::remote::{ExportRequest, SpanSource, SpanStream};
use spanql_model::window::Window;

/// The start of the first trace: 2025-01-01.
const BASE: i64 = 1_735_689_600;
const SECOND: i64 = 1_000_000_000;

fn trace_id(trace: usize) -> String {
    format!("0190{trace:04x}-0000-7000-8000-000000000000")
}

fn span_id(trace: usize, span: usize) -> String {
    format!("0190{trace:04x}-0000-7000-8000-{:012x}", span + 1)
}

fn instant(second: usize) -> String {
    chrono::DateTime::from_timestamp(BASE + second as i64, 0).unwrap().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A second between traces; every other one is of a thread.
fn trace(trace: usize) -> Json {
    json!({
        "id": trace_id(trace), "name": format!("trace {trace}"), "start_time": instant(trace), "end_time": instant(trace + 1),
        "thread_id": if trace.is_multiple_of(2) { json!(format!("thread {}", trace / 4)) } else { Json::Null },
        "input": {"question": format!("what is {trace}?")}
    })
}

/// The first span of a trace is its top, and the others lie below it.
fn span(trace: usize, span: usize) -> Json {
    json!({
        "id": span_id(trace, span), "trace_id": trace_id(trace), "name": format!("step {span}"),
        "parent_span_id": if span == 0 { Json::Null } else { json!(span_id(trace, 0)) }, "start_time": instant(trace),
        "type": if span == 0 { "general" } else { "llm" }, "model": "gpt-4o", "project_name": "demo",
        "usage": {"total_tokens": span}, "metadata": {"n": span}, "output": {"answer": format!("it is {trace}.{span}")}
    })
}

/// A server with so many traces of so many spans each.
fn standin(traces: usize, spans: usize) -> Standin {
    let all = (0..traces).flat_map(|of| (0..spans).map(move |number| span(of, number)));
    Standin::new((0..traces).map(trace).collect(), all.collect())
}

fn source_with(standin: &Standin, key: &str, workspace: &str) -> Opik {
    let (url, workspace) = (standin.url.clone(), workspace.to_owned());
    let settings = OpikSettings { url, workspace, key: Some(Secret::new(key)), verify: true, by_url: false };
    Opik::new(&settings, Duration::from_secs(2)).unwrap()
}

fn source(standin: &Standin) -> Opik {
    source_with(standin, KEY, WORKSPACE)
}

/// A window in seconds after the first trace.
fn window(start: i64, end: i64) -> Window {
    Window { start: (BASE + start) * SECOND, end: (BASE + end) * SECOND }
}

fn everything() -> ExportRequest {
    ExportRequest::new("demo", window(0, 100_000))
}

/// A row: trace, span, parent, session and name.
type Row = (String, String, Option<String>, Option<String>, String);

fn texts(batch: &RecordBatch, name: &str) -> Vec<Option<String>> {
    let Some(column) = batch.column_by_name(name) else { return vec![None; batch.num_rows()] };
    let column = cast(column, &DataType::Utf8).unwrap();
    column.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
}

fn rows_of(batch: &RecordBatch) -> Vec<Row> {
    let column = |name| texts(batch, name);
    let (traces, spans, names) = (column("context.trace_id"), column("context.span_id"), column("name"));
    let (parents, sessions) = (column("parent_id"), column("attributes.session.id"));
    let ids = traces.into_iter().zip(spans).zip(names);
    let rest = parents.into_iter().zip(sessions);
    ids.zip(rest)
        .map(|(((trace, span), name), (parent, session))| {
            (trace.unwrap(), span.unwrap(), parent, session, name.unwrap())
        })
        .collect()
}

/// Everything that a stream gives, and the stream.
async fn read_on(mut stream: SpanStream) -> Result<(Vec<Row>, SpanStream), SourceError> {
    let mut rows = vec![];
    while let Some(batch) = stream.try_next().await? {
        rows.extend(rows_of(&batch));
    }
    rows.sort();
    Ok((rows, stream))
}

async fn read(source: &Opik, request: &ExportRequest) -> Result<(Vec<Row>, SpanStream), SourceError> {
    read_on(source.open(request).await?).await
}

/// The rows that a server of so many traces of so many spans has.
fn expected(traces: usize, spans: usize) -> Vec<Row> {
    let mut rows: Vec<Row> = (0..traces).flat_map(|trace| expected_of(trace, spans)).collect();
    rows.sort();
    rows
}

fn expected_of(trace: usize, spans: usize) -> Vec<Row> {
    let session = trace.is_multiple_of(2).then(|| format!("thread {}", trace / 4));
    let root = (trace_id(trace), trace_id(trace), None, session.clone(), format!("trace {trace}"));
    let below = (0..spans).map(|span| {
        let parent = if span == 0 { trace_id(trace) } else { span_id(trace, 0) };
        (trace_id(trace), span_id(trace, span), Some(parent), session.clone(), format!("step {span}"))
    });
    std::iter::once(root).chain(below).collect()
}
