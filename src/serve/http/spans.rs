//! `POST /v2/spans`: spans of a window by pages, newest first.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::response::Response;
use datafusion::logical_expr::{Expr, lit};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::fetch::{Key, MAX_ANSWER, fetch, key_columns, keys, together};
use super::problem::Problem;
use super::query::{PageQuery, PageRequest};
use super::{Pagination, answer};
use crate::model::columns::{SPAN_ID, START_TIME, TRACE_ID};
use crate::serve::backend::{Backend, Project, column, starts_in, time};
use crate::serve::filter;
use crate::serve::log::window_text;
use crate::serve::refusal::Refusal;

/// Spans of a page, unless told otherwise, and at most.
const LIMITS: (usize, usize) = (50, 500);

/// The last span of a page.
#[derive(Debug, Serialize, Deserialize)]
struct After {
    start: i64,
    trace: String,
    span: String,
}

#[derive(Serialize)]
struct Page {
    spans: Vec<Box<RawValue>>,
    pagination: Pagination,
}

/// Answers a request for a page.
pub(super) async fn list(
    State(backend): State<Arc<Backend>>,
    page: Result<Query<PageQuery>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let request = PageRequest::<After>::read("spans", page, body, LIMITS)?;
    let view = backend.newest().await.map_err(Refusal::from)?;
    let project = view.project_by_id(&request.project_id).await?;
    let mut wanted = newest(&project, &request).await?;
    let mut more = wanted.len() > request.limit;
    wanted.truncate(request.limit);
    let mut spans = Vec::with_capacity(wanted.len());
    let (mut bytes, mut taken) = (0, 0);
    for some in wanted.chunks(together(&project)) {
        if bytes > MAX_ANSWER {
            more = true;
            break;
        }
        let fetched = fetch(&project, some, &request.columns, request.cut).await?;
        bytes += fetched.iter().flatten().map(|span| span.get().len()).sum::<usize>();
        taken += some.len();
        spans.extend(fetched.into_iter().flatten());
    }
    let next = match wanted[..taken].last() {
        Some(Key { trace, span, start: Some(start) }) if more => {
            Some(request.cursor(After { start: *start, trace: trace.clone(), span: span.clone() })?)
        }
        _ => None,
    };
    let note = format!("{:?} {}: {} spans", project.name, window_text(request.window), spans.len());
    answer(&Page { spans, pagination: Pagination::new(next) }, note)
}

/// The keys of a page, and one more if there is more.
async fn newest(project: &Project, request: &PageRequest<After>) -> Result<Vec<Key>, Refusal> {
    let filter = filter::read(project, request.filter.as_deref())?;
    if request.window.is_empty() {
        return Ok(Vec::new());
    }
    let spans = project.spans_for(filter.as_ref())?.filter(starts_in(request.window))?;
    let mut spans = filter::matching(spans, filter.as_ref())?;
    if let Some(after) = &request.after {
        spans = spans.filter(comes_after(after))?;
    }
    let order =
        [column(START_TIME).sort(false, false), column(TRACE_ID).sort(true, false), column(SPAN_ID).sort(true, false)];
    let spans = spans.select(key_columns())?.sort(order.to_vec())?.limit(0, Some(request.limit + 1))?;
    Ok(spans.collect().await?.iter().flat_map(keys).collect())
}

/// Whether a span comes after another in the order of pages.
fn comes_after(after: &After) -> Expr {
    let (start, trace) = (column(START_TIME), column(TRACE_ID));
    let later_id = trace.clone().eq(lit(&after.trace)).and(column(SPAN_ID).gt(lit(&after.span)));
    let same_start = start.clone().eq(time(after.start)).and(trace.gt(lit(&after.trace)).or(later_id));
    // The first part says nothing new, but by it whole segments are left out.
    start.clone().lt_eq(time(after.start)).and(start.lt(time(after.start)).or(same_start))
}
