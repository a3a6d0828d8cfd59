//! `POST /v2/traces`: traces with any span in a window by pages, the newest root first, each with its spans.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampNanosecondType;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{ConnectInfo, Query, State};
use axum::response::Response;
use datafusion::logical_expr::{Expr, JoinType, lit};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};

use super::answer::{Pagination, json};
use super::fetch::{Key, MAX_ANSWER, Read, fetch, key_columns, keys, together};
use super::page::{self, Page};
use super::problem::Problem;
use super::query::{PageQuery, PageRequest};
use crate::serve::backend::{Backend, Project, column, starts_in, time};
use crate::serve::filter;
use crate::serve::incoming::From;
use crate::serve::log::window_text;
use crate::serve::refusal::{Refusal, shown};
use crate::serve::room::Turn;
use spanql_model::columns::{SPAN_ID, START_TIME, TRACE_ID};
use spanql_output::instant;

/// Traces of a page, unless told otherwise, and at most.
const LIMITS: (usize, usize) = (25, 50);
/// Spans of a trace that are sent.
const MAX_SPANS: usize = 1_000;

/// The last trace of a page.
#[derive(Debug, Serialize, Deserialize)]
struct After {
    root_start: Option<i64>,
    trace: String,
}

/// A trace without its spans.
#[derive(Debug)]
struct Found {
    trace: String,
    root: String,
    root_start: Option<i64>,
    start: Option<i64>,
    end: Option<i64>,
}

/// A trace as it is sent; its spans follow.
#[derive(Serialize)]
struct Trace<'a> {
    trace_id: &'a str,
    root_span_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<String>,
    spans_truncated: bool,
}

/// Answers a request for a page.
pub(super) async fn list(
    State(backend): State<Arc<Backend>>,
    ConnectInfo(From(peer)): ConnectInfo<From>,
    page: Result<Query<PageQuery>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let request = PageRequest::<After>::read("traces", page, body, LIMITS)?;
    page::answer(backend, peer, |backend, page| async move { write(&backend, &request, page).await }).await
}

async fn write(backend: &Backend, request: &PageRequest<After>, mut page: Page) -> Result<Page, Refusal> {
    let filter = request.filter.as_deref();
    let view = backend.newest().await?;
    let part = page.unless_gone(backend.room_to_find(&view, filter, page.peer())).await?;
    let project = view.project_by_id(&request.project_id).await?;
    let mut found = page.unless_gone(newest(&project, request)).await?;
    let mut more = found.len() > request.limit;
    found.truncate(request.limit);
    let mut members = page.unless_gone(members(&project, &found)).await?;
    drop(part);
    let mut keys = Vec::new();
    let traces = found.into_iter().map(|found| {
        let (mut chosen, truncated) = chosen(members.remove(&found.trace).unwrap_or_default(), &found.root);
        let spans = chosen.len();
        keys.append(&mut chosen);
        (found, spans, truncated)
    });
    let traces: Vec<_> = traces.collect();
    page.note(format!("{} {}: {} traces", shown(&project.name), window_text(request.window), traces.len()));
    page.push("{\"traces\":[").await?;
    let (mut left, mut fetched) = (keys.as_slice(), Vec::new().into_iter());
    let read = Read::of(&project, &request.columns);
    let (mut last, mut between, mut turn) = (None, "", Turn::First);
    for (found, spans, spans_truncated) in traces {
        if page.bytes() > MAX_ANSWER {
            more = true;
            break;
        }
        let trace = json(&Trace {
            trace_id: &found.trace,
            root_span_id: &found.root,
            start_time: found.start.map(instant),
            end_time: found.end.map(instant),
            spans_truncated,
        })?;
        page.push(std::mem::replace(&mut between, ",")).await?;
        page.push(trace.trim_end_matches('}')).await?;
        page.push(",\"spans\":[").await?;
        let mut between = "";
        for _ in 0..spans {
            if fetched.len() == 0 {
                let some;
                (some, left) = left.split_at(left.len().min(together(&project)));
                let part = page
                    .unless_gone(backend.room_to_read(&project, Some(&read.names), None, turn, page.peer()))
                    .await?;
                turn = Turn::Further;
                let spans = page.unless_gone(fetch(&project, some, &read, &request.columns, request.cut)).await?;
                drop(part);
                fetched = spans.into_iter();
            }
            if let Some(span) = fetched.next().flatten() {
                page.push(std::mem::replace(&mut between, ",")).await?;
                page.push(span.get()).await?;
            }
        }
        page.push("]}").await?;
        last = Some(After { root_start: found.root_start, trace: found.trace });
    }
    let next = last.filter(|_| more).map(|after| request.cursor(after)).transpose()?;
    page.push(&format!("],\"pagination\":{}}}", json(&Pagination::new(next))?)).await?;
    Ok(page)
}

/// The traces of a page, and one more if there is more.
async fn newest(project: &Project, request: &PageRequest<After>) -> Result<Vec<Found>, Refusal> {
    let filter = filter::read(project, request.filter.as_deref())?;
    if request.window.is_empty() {
        return Ok(Vec::new());
    }
    let hits = project.spans_for(filter.as_ref())?.filter(starts_in(request.window))?;
    let hits = filter::matching(hits, filter.as_ref())?.select([column(TRACE_ID).alias("hit")])?.distinct()?;
    let roots = project.spans()?.select([
        column(TRACE_ID).alias("root_trace"),
        column(SPAN_ID).alias("root_span"),
        column(START_TIME).alias("root_start"),
    ])?;
    let traces = project.traces()?.filter(column("start_time").lt(time(request.window.end)))?;
    let traces = traces.select([
        column("trace_id").alias("trace"),
        column("root_span_id").alias("root"),
        column("start_time").alias("first_start"),
        column("end_time").alias("last_end"),
    ])?;
    let mut found = traces
        .join(hits, JoinType::LeftSemi, &["trace"], &["hit"], None)?
        .join(roots, JoinType::Inner, &["trace", "root"], &["root_trace", "root_span"], None)?
        .select(["trace", "root", "root_start", "first_start", "last_end"].map(column))?;
    if let Some(after) = &request.after {
        found = found.filter(comes_after(after))?;
    }
    let order = [column("root_start").sort(false, false), column("trace").sort(true, false)];
    let found = found.sort(order.to_vec())?.limit(0, Some(request.limit + 1))?;
    Ok(found.collect().await?.iter().flat_map(read).collect())
}

/// Whether a trace comes after another in the order of pages; roots without a start come last.
fn comes_after(after: &After) -> Expr {
    let start = column("root_start");
    let later_id = column("trace").gt(lit(&after.trace));
    match after.root_start {
        None => start.is_null().and(later_id),
        Some(last) => {
            let earlier = start.clone().lt(time(last)).or(start.clone().is_null());
            earlier.or(start.eq(time(last)).and(later_id))
        }
    }
}

fn read(batch: &RecordBatch) -> impl Iterator<Item = Found> + '_ {
    let text = |column: usize, row: usize| batch.column(column).as_string::<i32>().value(row).to_owned();
    let nanos = |column: usize, row: usize| {
        let times = batch.column(column).as_primitive::<TimestampNanosecondType>();
        times.is_valid(row).then(|| times.value(row))
    };
    (0..batch.num_rows()).map(move |row| Found {
        trace: text(0, row),
        root: text(1, row),
        root_start: nanos(2, row),
        start: nanos(3, row),
        end: nanos(4, row),
    })
}

/// The keys of all spans of some traces, by trace.
async fn members(project: &Project, found: &[Found]) -> Result<HashMap<String, Vec<Key>>, Refusal> {
    let ids: Vec<Expr> = found.iter().map(|found| lit(&found.trace)).collect();
    let mut members: HashMap<String, Vec<Key>> = HashMap::new();
    if ids.is_empty() {
        return Ok(members);
    }
    let spans = project.spans()?.filter(column(TRACE_ID).in_list(ids, false))?.select(key_columns())?;
    let mut stream = spans.execute_stream().await?;
    while let Some(batch) = stream.try_next().await? {
        for key in keys(&batch) {
            members.entry(key.trace.clone()).or_default().push(key);
        }
    }
    Ok(members)
}

/// The spans of a trace that are sent, the root first, then by start and id; and whether some are not.
fn chosen(mut spans: Vec<Key>, root: &str) -> (Vec<Key>, bool) {
    spans.sort_unstable_by(|a, b| (a.span != root, a.start, &a.span).cmp(&(b.span != root, b.start, &b.span)));
    let truncated = spans.len() > MAX_SPANS;
    spans.truncate(MAX_SPANS);
    (spans, truncated)
}
