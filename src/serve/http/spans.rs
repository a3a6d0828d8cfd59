//! `POST /v2/spans`: spans of a window by pages, newest first.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{ConnectInfo, Query, State};
use axum::response::Response;
use datafusion::logical_expr::{Expr, lit};
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

/// Spans of a page, unless told otherwise, and at most.
const LIMITS: (usize, usize) = (50, 500);

/// The last span of a page.
#[derive(Debug, Serialize, Deserialize)]
struct After {
    start: i64,
    trace: String,
    span: String,
}

/// Answers a request for a page.
pub(super) async fn list(
    State(backend): State<Arc<Backend>>,
    ConnectInfo(From(peer)): ConnectInfo<From>,
    page: Result<Query<PageQuery>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let request = PageRequest::<After>::read("spans", page, body, LIMITS)?;
    page::answer(backend, peer, |backend, page| async move { write(&backend, &request, page).await }).await
}

async fn write(backend: &Backend, request: &PageRequest<After>, mut page: Page) -> Result<Page, Refusal> {
    let filter = request.filter.as_deref();
    let view = backend.newest().await?;
    let part = page.unless_gone(backend.room_to_find(&view, filter, page.peer())).await?;
    let project = view.project_by_id(&request.project_id).await?;
    let mut wanted = page.unless_gone(newest(&project, request)).await?;
    drop(part);
    let mut more = wanted.len() > request.limit;
    wanted.truncate(request.limit);
    page.note(format!("{} {}: {} spans", shown(&project.name), window_text(request.window), wanted.len()));
    page.push("{\"spans\":[").await?;
    let read = Read::of(&project, &request.columns);
    let (mut taken, mut between) = (0, "");
    for some in wanted.chunks(together(&project)) {
        if page.bytes() > MAX_ANSWER {
            more = true;
            break;
        }
        let turn = if taken == 0 { Turn::First } else { Turn::Further };
        let part = page.unless_gone(backend.room_to_read(&project, Some(&read.names), None, turn, page.peer())).await?;
        let fetched = page.unless_gone(fetch(&project, some, &read, &request.columns, request.cut)).await?;
        drop(part);
        taken += some.len();
        for span in fetched.into_iter().flatten() {
            page.push(std::mem::replace(&mut between, ",")).await?;
            page.push(span.get()).await?;
        }
    }
    let next = match wanted[..taken].last() {
        Some(Key { trace, span, start: Some(start) }) if more => {
            Some(request.cursor(After { start: *start, trace: trace.clone(), span: span.clone() })?)
        }
        _ => None,
    };
    page.push(&format!("],\"pagination\":{}}}", json(&Pagination::new(next))?)).await?;
    Ok(page)
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
