//! Spans over REST: `POST /v2/spans`, page after page, newest first.

use std::sync::Arc;

use arrow::array::RecordBatch;
use chrono::{DateTime, SecondsFormat};
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, StatusCode};
use serde::Serialize;

use super::columns::on_the_wire;
use super::command::whole_seconds;
use super::rest_rows::{Page, row};
use crate::cut::cut_to;
use crate::error::SourceError;
use crate::http::{Cause, HttpClient, HttpError};
use crate::remote::{ExportRequest, Received, SpanStream};
use crate::retry::{MAX_ATTEMPTS_BATCH, retrying};
use spanql_filter::arize::narrow;
use spanql_model::columns;
use spanql_model::ingest::{IngestBuilder, Origin};
use spanql_model::json;
use spanql_model::window::Window;

const PATH: &str = "/v2/spans";
/// Spans of a page: the most that the API gives.
pub(super) const MAX_PAGE: u64 = 500;
/// Bytes that a page should have; a few spans can have more.
const PAGE_BYTES: u64 = 16 << 20;
/// Bytes of a page that are read before fewer spans are asked for.
const MAX_PAGE_BYTES: usize = 256 << 20;
/// Columns that can be named in a request.
const MAX_COLUMNS: usize = 1000;
/// Pages without a span that are read before something must be wrong.
const MAX_EMPTY_PAGES: u32 = 1000;
/// What every span has, whatever columns are named.
const FIXED: [&str; 8] = [
    columns::TRACE_ID,
    columns::SPAN_ID,
    columns::PARENT_ID,
    columns::NAME,
    columns::START_TIME,
    columns::END_TIME,
    columns::STATUS_CODE,
    columns::STATUS_MESSAGE,
];

/// The body of a request, by the fields that Arize's own client sends.
#[derive(Debug, Serialize)]
pub(super) struct SpansBody {
    project_id: String,
    start_time: String,
    end_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    included_columns: Option<Vec<String>>,
}

impl SpansBody {
    /// What is asked for a request; `project` is the project's id.
    pub(super) fn new(project: &str, request: &ExportRequest) -> Self {
        // The API does not say whether a span that starts at the end belongs to a window. All are cut again here.
        let window = whole_seconds(request.window);
        Self {
            project_id: project.to_owned(),
            start_time: rfc3339(window.start),
            end_time: rfc3339(window.end),
            filter: narrow(&request.filters_before_filling(), &request.schema()),
            included_columns: request.columns.as_deref().and_then(included),
        }
    }

    /// The fields that a reader of a plan wants to see, by their names on the wire.
    pub(super) fn described(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![
            ("project", self.project_id.clone()),
            ("start_time", self.start_time.clone()),
            ("end_time", self.end_time.clone()),
        ];
        fields.extend(self.filter.clone().map(|filter| ("filter", filter)));
        let included = self.included_columns.as_ref();
        fields.extend(included.map(|names| ("included_columns", format!("[{}]", names.join(", ")))));
        fields
    }
}

/// The columns to name so that these come; `None` where all have to.
fn included(wanted: &[String]) -> Option<Vec<String>> {
    let mut names = on_the_wire(wanted);
    // The keys that share a column come each by its name, and nobody can name them.
    if names.iter().any(|name| name == columns::REST) {
        return None;
    }
    names.retain(|name| !FIXED.contains(&name.as_str()));
    if names.is_empty() {
        // A list without names is refused.
        names.push(columns::KIND.to_owned());
    }
    (names.len() <= MAX_COLUMNS).then_some(names)
}

fn rfc3339(ns: i64) -> String {
    DateTime::from_timestamp_nanos(ns).to_rfc3339_opts(SecondsFormat::Secs, false)
}

/// A listing that goes on.
struct Listing {
    client: HttpClient,
    body: String,
    window: Window,
    /// Spans that are still wanted.
    left: Option<u64>,
    /// Spans to ask for at once.
    page: u64,
    cursor: String,
    empty: u32,
    builder: IngestBuilder,
    received: Arc<Received>,
}

/// What a page brought.
struct Brought {
    batches: Vec<RecordBatch>,
    /// Whether there is more.
    more: bool,
}

/// Asks for the first page; the others are asked for as the stream is read.
pub(super) async fn open(
    client: &HttpClient,
    body: &SpansBody,
    request: &ExportRequest,
    origin: Origin,
    received: Arc<Received>,
) -> Result<SpanStream, SourceError> {
    let mut listing = Listing {
        client: client.clone(),
        body: serde_json::to_string(body).unwrap_or_default(),
        window: request.window,
        left: request.limit,
        page: MAX_PAGE,
        cursor: String::new(),
        empty: 0,
        builder: IngestBuilder::new(origin),
        received: Arc::clone(&received),
    };
    if request.window.is_empty() || request.limit == Some(0) {
        return Ok(SpanStream::new(None, received, stream::empty()));
    }
    // Who opens a stream tries again.
    let first = listing.next(1).await?;
    let rest = stream::try_unfold((listing, first.more), |(mut listing, more)| async move {
        if !more {
            return Ok::<_, SourceError>(None);
        }
        let next = listing.next(MAX_ATTEMPTS_BATCH).await?;
        Ok(Some((next.batches, (listing, next.more))))
    });
    let pages = stream::once(std::future::ready(Ok(first.batches))).chain(rest);
    let batches = pages.map_ok(|batches| stream::iter(batches.into_iter().map(Ok::<_, SourceError>))).try_flatten();
    Ok(SpanStream::new(None, received, batches))
}

impl Listing {
    /// Asks for the next page, and reads it.
    async fn next(&mut self, attempts: usize) -> Result<Brought, SourceError> {
        let text = self.fetch(attempts).await?;
        let wrong = |reason: String| self.client.wrong(PATH, format!("the answer is no page of spans: {reason}")).error;
        let Page { spans, pagination } = Page::read(&text).map_err(wrong)?;
        let (rows, bytes) = (spans.len() as u64, text.len() as u64);
        self.received.add(rows, bytes);
        let mut batches = vec![];
        for span in spans {
            let pushed = self.builder.push_json(row(span).as_deref().unwrap_or(span));
            if let Err(error) = pushed {
                self.received.add_unfit(1, || error.to_string());
            }
            if self.builder.is_full() {
                batches.extend(self.taken()?);
            }
        }
        batches.extend(self.taken()?);
        let kept: usize = batches.iter().map(RecordBatch::num_rows).sum();
        self.left = self.left.map(|left| left.saturating_sub(kept as u64));
        if let Some(per_span) = bytes.checked_div(rows) {
            self.page = (PAGE_BYTES / per_span.max(1)).clamp(1, MAX_PAGE);
        }
        self.empty = if rows == 0 { self.empty + 1 } else { 0 };
        let more = match pagination.next_cursor.filter(|next| !next.is_empty()) {
            Some(next) if next == self.cursor => return Err(self.wrong("a page leads to itself")),
            Some(_) if self.empty > MAX_EMPTY_PAGES => {
                return Err(self.wrong("there are pages without end, and no spans in them"));
            }
            Some(next) => {
                self.cursor = next;
                self.left != Some(0)
            }
            // What would be left out here nobody would miss.
            None if pagination.has_more == Some(true) => {
                return Err(self.wrong("there are more spans, and it does not say how to get them"));
            }
            None => false,
        };
        Ok(Brought { batches, more })
    }

    fn wrong(&self, reason: &str) -> SourceError {
        self.client.wrong(PATH, reason.to_owned()).error
    }

    /// The spans that were read, without those outside the window.
    fn taken(&mut self) -> Result<Option<RecordBatch>, SourceError> {
        let cut = self.builder.finish().and_then(|batch| batch.map(|batch| cut_to(&batch, self.window)).transpose());
        let cut = cut.map_err(|error| self.wrong(&format!("the spans cannot be read: {error}")))?;
        Ok(cut.filter(|batch| batch.num_rows() > 0))
    }

    /// The text of the next page; fewer spans are asked for where so many are too much at once.
    async fn fetch(&mut self, attempts: usize) -> Result<String, SourceError> {
        loop {
            let page = self.page.min(self.left.unwrap_or(MAX_PAGE));
            let fetched = retrying(attempts, || self.ask(page), HttpError::error).await;
            match fetched {
                Err(HttpError { cause: Cause::TooLong | Cause::Status(StatusCode::PAYLOAD_TOO_LARGE), .. })
                    if page > 1 =>
                {
                    self.page = page.div_ceil(4);
                }
                fetched => return Ok(fetched?),
            }
        }
    }

    async fn ask(&self, page: u64) -> Result<String, HttpError> {
        let limit = page.to_string();
        let mut query = vec![("limit", limit.as_str())];
        if !self.cursor.is_empty() {
            query.push(("cursor", &self.cursor));
        }
        let request = self.client.request(Method::POST, PATH)?.query(&query);
        let request = request.header(ACCEPT, "application/json").header(CONTENT_TYPE, "application/json");
        let response = self.client.send(PATH, request.body(self.body.clone())).await?;
        let body = self.client.body(PATH, response, MAX_PAGE_BYTES).await?;
        let text = String::from_utf8(body)
            .map_err(|_| self.client.wrong(PATH, "the answer is not what the API gives: no UTF-8".to_owned()))?;
        let ends_early = || serde_json::from_str::<serde::de::IgnoredAny>(&text).is_err_and(|error| error.is_eof());
        if json::read(&text).is_none() && ends_early() {
            // A connection that nobody closed for a reason: what is missing may come with the next try.
            let reason = "the connection broke: the answer ends in its middle".to_owned();
            let error = SourceError::Unreachable { endpoint: self.client.endpoint(PATH), reason };
            return Err(HttpError { cause: Cause::Connection, error });
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(columns: Option<&[&str]>) -> serde_json::Value {
        let window = Window { start: 1_794_312_000_000_000_000, end: 1_794_315_600_000_000_000 };
        let columns = columns.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        let request = ExportRequest { columns, ..ExportRequest::new("demo", window) };
        serde_json::to_value(SpansBody::new("TW9kZWw6Nzp4eXo=", &request)).unwrap()
    }

    #[test]
    fn says_what_the_vendors_client_says() {
        let mut expected = serde_json::json!({
            "project_id": "TW9kZWw6Nzp4eXo=",
            "start_time": "2026-11-10T12:00:00+00:00", "end_time": "2026-11-10T13:00:00+00:00",
        });
        assert_eq!(body(None), expected);
        assert_eq!(body(Some(&["name", "attributes.rest"])), expected, "who can name what shares a column?");
        expected["included_columns"] = serde_json::json!(["attributes.openinference.span.kind"]);
        assert_eq!(body(Some(&["name", "latency_ms"])), expected);
        expected["included_columns"] = serde_json::json!(["attributes.llm.model_name", "eval.x.score"]);
        assert_eq!(body(Some(&["attributes.llm.model_name", "name", "eval.x.score", "project"])), expected);
    }
}
