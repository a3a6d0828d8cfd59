//! `POST /v2/traces`: traces with any span in a window by pages, the newest root first, each with its spans.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampNanosecondType;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::response::Response;
use datafusion::logical_expr::{Expr, JoinType, lit};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::fetch::{Key, MAX_ANSWER, fetch, key_columns, keys, together};
use super::problem::Problem;
use super::query::{PageQuery, PageRequest};
use super::{Pagination, answer};
use crate::model::columns::{SPAN_ID, START_TIME, TRACE_ID};
use crate::output::instant;
use crate::serve::backend::{Backend, Project, column, starts_in, time};
use crate::serve::filter;
use crate::serve::log::window_text;
use crate::serve::refusal::Refusal;

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

#[derive(Serialize)]
struct Trace {
    trace_id: String,
    root_span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<String>,
    spans_truncated: bool,
    spans: Vec<Box<RawValue>>,
}

#[derive(Serialize)]
struct Page {
    traces: Vec<Trace>,
    pagination: Pagination,
}

/// Answers a request for a page.
pub(super) async fn list(
    State(backend): State<Arc<Backend>>,
    page: Result<Query<PageQuery>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let request = PageRequest::<After>::read("traces", page, body, LIMITS)?;
    let view = backend.newest().await.map_err(Refusal::from)?;
    let project = view.project_by_id(&request.project_id).await?;
    let mut found = newest(&project, &request).await?;
    let mut more = found.len() > request.limit;
    found.truncate(request.limit);
    let mut members = members(&project, &found).await?;
    let mut waiting: VecDeque<(Found, Vec<Key>, bool)> = VecDeque::with_capacity(found.len());
    for found in found {
        let (keys, truncated) = chosen(members.remove(&found.trace).unwrap_or_default(), &found.root);
        waiting.push_back((found, keys, truncated));
    }
    let mut traces: Vec<Trace> = Vec::with_capacity(waiting.len());
    let (mut bytes, mut last) = (0, None);
    while !waiting.is_empty() {
        if bytes > MAX_ANSWER {
            more = true;
            break;
        }
        let some: Vec<_> = waiting.drain(..first_few(&waiting, together(&project))).collect();
        let keys: Vec<Key> = some.iter().flat_map(|(_, keys, _)| keys.iter().cloned()).collect();
        let mut fetched = fetch(&project, &keys, &request.columns, request.cut).await?.into_iter();
        for (found, keys, spans_truncated) in some {
            let spans: Vec<Box<RawValue>> = fetched.by_ref().take(keys.len()).flatten().collect();
            bytes += spans.iter().map(|span| span.get().len()).sum::<usize>();
            last = Some(After { root_start: found.root_start, trace: found.trace.clone() });
            traces.push(Trace {
                trace_id: found.trace,
                root_span_id: found.root,
                start_time: found.start.map(instant),
                end_time: found.end.map(instant),
                spans_truncated,
                spans,
            });
        }
    }
    let next = last.filter(|_| more).map(|after| request.cursor(after)).transpose()?;
    let note = format!("{:?} {}: {} traces", project.name, window_text(request.window), traces.len());
    answer(&Page { traces, pagination: Pagination::new(next) }, note)
}

/// How many of the traces to fetch together: at least one, and no more than have so many spans.
fn first_few(waiting: &VecDeque<(Found, Vec<Key>, bool)>, spans: usize) -> usize {
    let mut sum = 0;
    let fitting = waiting.iter().take_while(|(_, keys, _)| {
        sum += keys.len();
        sum <= spans
    });
    fitting.count().clamp(1, waiting.len().max(1))
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
