//! What a client may ask for about spans and traces, checked.

use std::collections::BTreeSet;

use axum::body::Bytes;
use axum::extract::Query;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use serde::{Deserialize, Serialize};

use super::cursor;
use super::problem::Problem;
use crate::serve::command::MAX_COLUMNS;
use crate::serve::filter;
use crate::serve::refusal::{Refusal, shown};
use spanql_model::time::{self, NANOS};
use spanql_output::Columns;
use spanql_sources::Window;

/// Columns that a request may name.
const COLUMNS: std::ops::RangeInclusive<usize> = 1..=MAX_COLUMNS;
/// The window of a request that names none ends now and is this long.
const DEFAULT_WINDOW: i64 = 7 * 86_400 * NANOS;

/// A page of something, in the address.
#[derive(Debug, Deserialize)]
pub(super) struct PageQuery {
    limit: Option<String>,
    cursor: Option<String>,
}

/// The body as it is on the wire. Fields that are not known are not read.
#[derive(Debug, Deserialize, Serialize)]
struct Body {
    project_id: Option<String>,
    start_time: Option<String>,
    end_time: Option<String>,
    filter: Option<String>,
    included_columns: Option<Vec<String>>,
    excluded_columns: Option<Vec<String>>,
    #[serde(skip_serializing)]
    truncate_string_length: Option<i64>,
}

/// A place in the answers, and the window they are from: one that ends now must not move between pages.
#[derive(Debug, Serialize, Deserialize)]
struct CursorPosition<T> {
    start: i64,
    end: i64,
    after: T,
}

/// A request for one page.
#[derive(Debug)]
pub(super) struct PageRequest<T> {
    pub(super) project_id: String,
    pub(super) window: Window,
    pub(super) columns: Columns,
    /// The text of the filter.
    pub(super) filter: Option<String>,
    /// The most characters of a text in attributes.
    pub(super) cut: Option<usize>,
    pub(super) limit: usize,
    /// Where the page before ended.
    pub(super) after: Option<T>,
    of: u64,
}

impl<T: Serialize + serde::de::DeserializeOwned> PageRequest<T> {
    /// Reads a request for spans or traces; `limits` are the default and the maximum.
    pub(super) fn read(
        what: &str,
        page: Result<Query<PageQuery>, QueryRejection>,
        body: Result<Bytes, BytesRejection>,
        limits: (usize, usize),
    ) -> Result<Self, Problem> {
        let page = readable(page)?;
        let bytes = body.map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
        let body: Body = serde_json::from_slice(&bytes)
            .map_err(|error| Refusal::invalid(format!("the body is not the JSON of this request: {error}")))?;
        let limit = limit(page.limit.as_deref(), limits)?;
        if body.filter.as_ref().is_some_and(|filter| filter.trim().is_empty()) {
            return Err(Refusal::invalid("filter is blank: leave it out instead").into());
        }
        let cut = body.truncate_string_length.map(positive).transpose()?;
        let of = cursor::fingerprint(&(what, &body))?;
        let place: Option<CursorPosition<T>> = cursor::read(of, page.cursor.as_deref())?;
        let window = match &place {
            Some(place) => Window { start: place.start, end: place.end },
            None => window(body.start_time.as_deref(), body.end_time.as_deref())?,
        };
        Ok(Self {
            project_id: body.project_id.ok_or_else(|| Refusal::invalid("project_id is missing"))?,
            window,
            columns: columns(body.included_columns, body.excluded_columns)?,
            filter: filter::text(body.filter),
            cut,
            limit,
            after: place.map(|place| place.after),
            of,
        })
    }

    /// The cursor of the page that comes after a place.
    pub(super) fn cursor(&self, after: T) -> Result<String, Refusal> {
        cursor::write(self.of, CursorPosition { start: self.window.start, end: self.window.end, after })
    }
}

/// The parameters in the address.
pub(super) fn readable<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Refusal> {
    match query {
        Ok(Query(query)) => Ok(query),
        Err(rejection) => Err(Refusal::invalid(rejection.body_text())),
    }
}

/// The size of a page, of which the default and the maximum are given.
pub(super) fn limit(text: Option<&str>, (default, max): (usize, usize)) -> Result<usize, Refusal> {
    let Some(text) = text else { return Ok(default) };
    let limit = text.trim().parse().ok().filter(|limit| (1..=max).contains(limit));
    limit.ok_or_else(|| Refusal::out_of_bounds(format!("limit must lie from 1 to {max}")))
}

fn positive(length: i64) -> Result<usize, Refusal> {
    let length = usize::try_from(length).ok().filter(|length| *length > 0);
    length.ok_or_else(|| Refusal::out_of_bounds("truncate_string_length must be at least 1"))
}

fn columns(included: Option<Vec<String>>, excluded: Option<Vec<String>>) -> Result<Columns, Refusal> {
    if included.is_some() && excluded.is_some() {
        return Err(Refusal::out_of_bounds("included_columns and excluded_columns exclude each other"));
    }
    for names in included.iter().chain(&excluded) {
        if !COLUMNS.contains(&names.len()) {
            let (least, most) = (COLUMNS.start(), COLUMNS.end());
            return Err(Refusal::out_of_bounds(format!("name {least} to {most} columns")));
        }
    }
    let set = |names: Vec<String>| names.into_iter().collect::<BTreeSet<_>>();
    Ok(Columns { included: included.map(set), excluded: excluded.map(set).unwrap_or_default() })
}

/// The window that a write names, open where it names no end of it; none if it names neither.
pub(super) fn window_if_given(start: Option<&str>, end: Option<&str>) -> Result<Option<Window>, Refusal> {
    let (start, end) = match (instant("start_time", start)?, instant("end_time", end)?) {
        (None, None) => return Ok(None),
        (start, end) => (start.unwrap_or(i64::MIN), end.unwrap_or(i64::MAX)),
    };
    if start > end { Err(backwards()) } else { Ok(Some(Window { start, end })) }
}

fn backwards() -> Refusal {
    Refusal::invalid("end_time lies before start_time")
}

fn instant(name: &str, text: Option<&str>) -> Result<Option<i64>, Refusal> {
    let read = |text| time::parse(text).map_err(|error| Refusal::invalid(format!("{name}: {} {error}", shown(text))));
    text.map(read).transpose()
}

fn window(start: Option<&str>, end: Option<&str>) -> Result<Window, Refusal> {
    let (start, end) = (instant("start_time", start)?, instant("end_time", end)?);
    let end = end.or_else(|| chrono::Utc::now().timestamp_nanos_opt()).unwrap_or(i64::MAX);
    let start = start.unwrap_or_else(|| end.saturating_sub(DEFAULT_WINDOW));
    if start > end {
        return Err(backwards());
    }
    Ok(Window { start, end })
}
