//! The listing of spans, page by page, as a stream of batches.
//!
//! The newest spans come first, by when they came in: what comes in meanwhile changes nothing, and a cursor stays good
//! whatever is deleted. It is the order of all servers; others are not asked for.

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::stream;
use reqwest::StatusCode;
use spanql_model::ingest::{IngestBuilder, Origin};
use spanql_model::window::Window;

use super::ahead::{Ahead, Answer, ask};
use super::api::{Api, Query};
use super::page::{Page, cursor_at, row_of};
use super::page_annotations::PageAnnotations;
use super::query::{of_filters, of_window};
use super::rows::{Span, write_row};
use crate::cut::cut_to;
use crate::error::SourceError;
use crate::http::{Cause, HttpError};
use crate::remote::{ExportRequest, Received, SpanStream};
use crate::retry::MAX_ATTEMPTS_BATCH;

/// Spans of the first page; later ones have as many as weigh little enough,
const FIRST: u64 = 200;
/// and no more than these. The server allows 1,000, which sets off its garbage collection, of half a second, more often.
const MOST: u64 = 250;
/// Spans whose annotations are asked for together.
const TOGETHER: u64 = 1000;
/// Bytes of a page, above which the next has fewer spans, and is not asked for before this one is read.
const HEAVY: usize = 16 << 20;
/// Spans in a row that the server cannot give before something else must be wrong.
const MAX_BAD: u32 = 20;
/// Times that a window is halved in a row: the longest is a microsecond by then.
const MAX_HALVED: u32 = 64;
const MICROSECOND: i64 = 1_000;

/// A listing under way.
pub(super) struct Listing {
    api: Api,
    request: ExportRequest,
    /// The path of the project.
    project: String,
    /// The path of its spans.
    path: String,
    filters: Query,
    /// What is still to be listed, the one that is being listed last. It is one, unless it had to be cut.
    windows: Vec<Window>,
    /// Times that it was cut in a row.
    halved: u32,
    /// Spans of the next page, and those that the last one was asked for.
    size: u64,
    asked: u64,
    /// Where the next page begins; none at the beginning.
    cursor: Option<String>,
    /// The next page, where it was asked for already.
    ahead: Option<Ahead>,
    /// Whether a page has come.
    begun: bool,
    ended: bool,
    /// Spans in a row that the server could not give.
    bad: u32,
    /// Spans that are still wanted, where not all are.
    left: Option<u64>,
    annotations: PageAnnotations,
    received: Arc<Received>,
    builder: IngestBuilder,
}

impl Listing {
    /// Asks for the first page; gives the stream of all.
    pub(super) async fn begin(api: &Api, request: &ExportRequest, origin: Origin) -> Result<SpanStream, SourceError> {
        let project = api.path_of(&request.project).await?;
        let received = Arc::new(Received::default());
        let mut listing = Self {
            api: api.clone(),
            request: request.clone(),
            path: format!("{project}/spans"),
            project,
            filters: of_filters(request),
            windows: vec![request.window],
            halved: 0,
            size: FIRST,
            asked: 0,
            cursor: None,
            ahead: None,
            begun: false,
            ended: request.limit == Some(0),
            bad: 0,
            left: request.limit,
            annotations: PageAnnotations::new(request.columns.as_deref()),
            received: Arc::clone(&received),
            builder: IngestBuilder::new(origin),
        };
        let first = listing.text().await?;
        // Where the beginning is all there is, it is known how many spans there are.
        let spans = first.as_deref().and_then(|text| Page::read(text).ok()).map_or(0, |page| page.spans.len() as u64);
        let is_all = listing.ended && listing.left != Some(0);
        let announced = is_all.then(|| received.rows() + spans);
        let batches = stream::try_unfold((listing, first), |(mut listing, mut first)| async move {
            loop {
                let text = match first.take() {
                    Some(text) => Some(text),
                    None => listing.text().await?,
                };
                let Some(text) = text else { return Ok(None) };
                if let Some(batch) = listing.rows(text).await? {
                    return Ok(Some((batch, (listing, None))));
                }
            }
        });
        Ok(SpanStream::new(announced, received, batches))
    }

    /// The text of the next page; `None` at the end.
    async fn text(&mut self) -> Result<Option<String>, SourceError> {
        while !self.ended {
            if let Some(text) = self.page().await? {
                if self.cursor.is_none() {
                    self.end_window();
                }
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    /// The spans of a page, and of some behind it, that are in the window, if there are any, while the next page is on its way.
    async fn rows(&mut self, first: String) -> Result<Option<RecordBatch>, SourceError> {
        let (mut spans, mut bytes) = (self.asked, first.len());
        let mut texts = vec![first];
        self.look_ahead(bytes);
        while self.goes_on() && self.annotations.are_wanted() && bytes <= HEAVY && spans + self.size <= TOGETHER {
            let Some(text) = self.text().await? else { break };
            self.look_ahead(text.len());
            (spans, bytes) = (spans + self.asked, bytes + text.len());
            texts.push(text);
        }
        let batch = self.batch(&texts).await?;
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(batch.as_ref().map_or(0, RecordBatch::num_rows) as u64);
            self.ended |= *left == 0;
        }
        Ok(batch)
    }

    /// Whether there is a next page that is wanted whatever the one before it holds.
    fn goes_on(&self) -> bool {
        !self.ended && self.cursor.is_some() && self.left.is_none()
    }

    /// Asks for the next page, behind one of so many bytes.
    fn look_ahead(&mut self, bytes: usize) {
        if self.goes_on() && bytes <= HEAVY {
            self.ahead = Some(Ahead::begin(&self.api, &self.path, self.query(self.size), MAX_ATTEMPTS_BATCH));
        }
    }

    /// The text of the next page; `None` where a span was passed over.
    async fn page(&mut self) -> Result<Option<String>, SourceError> {
        loop {
            let size = self.left.map_or(self.size, |left| left.min(self.size));
            let query = self.query(size);
            let answer = match self.ahead.take() {
                Some(ahead) => ahead.answer(&query).await,
                None => None,
            };
            let answer = match answer {
                Some(answer) => answer,
                None => self.ask(&query).await,
            };
            let failed = match answer {
                Ok((text, next)) => {
                    self.advance(text.len(), size, next)?;
                    return Ok(Some(text));
                }
                Err(failed) => failed,
            };
            if !self.begun && !self.filters.is_empty() && is_of_filters(failed.cause) {
                // An older server may not know a word of them, or what stands before it refuses long URLs.
                self.filters.clear();
            } else if is_of_content(failed.cause) && size > 1 {
                self.size = size / 2;
            } else if let Some(row) = self.cursor.as_deref().and_then(row_of).filter(|_| is_of_content(failed.cause)) {
                return self.pass(row, failed).await;
            } else if is_of_content(failed.cause) && self.cursor.is_none() {
                return self.halve(failed).await;
            } else {
                return Err(self.api.missing(&self.request.project, failed.error).await);
            }
        }
    }

    fn query(&self, size: u64) -> Query {
        let mut query = vec![("limit", size.to_string())];
        query.extend(of_window(self.window()));
        query.extend(self.filters.iter().cloned());
        query.extend(self.cursor.iter().map(|cursor| ("cursor", cursor.clone())));
        query
    }

    /// The window that is being listed.
    fn window(&self) -> Window {
        self.windows.last().copied().unwrap_or(self.request.window)
    }

    /// Goes on with the next window, if there is one.
    fn end_window(&mut self) {
        self.windows.pop();
        self.ended = self.windows.is_empty();
    }

    /// The first page is asked for once: whoever opens a listing can do that again.
    async fn ask(&self, query: &Query) -> Answer {
        let attempts = if self.begun { MAX_ATTEMPTS_BATCH } else { 1 };
        ask(&self.api, &self.path, query, attempts).await
    }

    /// Goes on behind a page that came.
    fn advance(&mut self, bytes: usize, size: u64, next: Option<String>) -> Result<(), SourceError> {
        if next.is_some() && next == self.cursor {
            return Err(self.api.wrong(&self.path, "a page leads to itself".to_owned()).into());
        }
        self.received.add(0, bytes as u64);
        self.asked = size;
        self.size = if bytes > HEAVY { (size / 2).max(1) } else { size.saturating_mul(2).clamp(1, MOST) };
        self.cursor = next;
        (self.begun, self.bad, self.halved) = (true, 0, 0);
        Ok(())
    }

    /// Passes over the span of a row that the server cannot give, even alone, and says so.
    ///
    /// It may be the one behind it that it cannot give, which it looks at too: so it is asked for it in the other order.
    async fn pass(&mut self, row: i64, failed: HttpError) -> Result<Option<String>, SourceError> {
        self.bad += 1;
        if self.bad > MAX_BAD {
            return Err(failed.error);
        }
        let mut query = self.query(1);
        query.extend([("sort", "id".to_owned()), ("order", "asc".to_owned())]);
        let other = self.ask(&query).await.ok().map(|(text, _)| text);
        self.cursor = Some(cursor_at(row.saturating_sub(1)));
        self.size = 1;
        let is_it = |text: &String| {
            let page = Page::read(text).ok();
            let ids =
                page.map(|page| page.spans.iter().filter_map(|span| Span::read(span).ok()?.id()).collect::<Vec<_>>());
            ids.is_some_and(|ids| ids.len() == 1 && ids.iter().all(|id| row_of(id) == Some(row)))
        };
        if let Some(text) = other.filter(is_it) {
            self.received.add(0, text.len() as u64);
            self.bad = 0;
            return Ok(Some(text));
        }
        self.received.add(1, 0);
        self.received.add_unfit(1, || format!("the span Span:{row} cannot be had: {}", failed.error));
        Ok(None)
    }

    /// Cuts the window in two where not even its first span can be had, so that no cursor tells what is behind it. Of a
    /// window that cannot be cut, it is passed over.
    async fn halve(&mut self, failed: HttpError) -> Result<Option<String>, SourceError> {
        if !self.begun {
            // Where nothing can be had, it is not a span's fault.
            let nothing = Window { end: self.window().start, ..self.window() };
            let mut query = vec![("limit", "1".to_owned())];
            query.extend(of_window(nothing));
            self.ask(&query).await.map_err(|_| failed.error.clone())?;
            self.begun = true;
        }
        self.halved += 1;
        let Some(window) = self.windows.pop().filter(|_| self.halved <= MAX_HALVED) else { return Err(failed.error) };
        if let Some(middle) = middle(window) {
            self.windows.extend([Window { end: middle, ..window }, Window { start: middle, ..window }]);
            return Ok(None);
        }
        let mut query = vec![("limit", "1".to_owned()), ("sort", "id".to_owned()), ("order", "asc".to_owned())];
        query.extend(of_window(window));
        query.extend(self.filters.iter().cloned());
        let others =
            self.ask(&query).await.is_ok_and(|(text, _)| Page::read(&text).is_ok_and(|page| !page.spans.is_empty()));
        let time = of_window(window).into_iter().next().map(|(_, time)| time).unwrap_or_default();
        if others {
            let reason = format!("one of the spans that start at {time} cannot be had: {}", failed.error);
            return Err(SourceError::Refused { endpoint: self.api.endpoint(&self.path), reason });
        }
        self.received.add(1, 0);
        self.received.add_unfit(1, || format!("the span that starts at {time} cannot be had: {}", failed.error));
        self.ended = self.windows.is_empty();
        Ok(None)
    }

    /// The spans of pages as they are ingested, with their annotations, without those outside the window.
    async fn batch(&mut self, texts: &[String]) -> Result<Option<RecordBatch>, SourceError> {
        let wrong = |listing: &Self, reason: String| listing.api.wrong(&listing.path, reason).error;
        let mut spans: Vec<&str> = vec![];
        for text in texts {
            spans.extend(Page::read(text).map_err(|reason| wrong(self, reason))?.spans);
        }
        let annotations = self.annotations.of(&self.api, &self.project, &spans).await?;
        if let Some(remark) = self.annotations.remark() {
            self.received.remark(remark);
        }
        let mut row = String::new();
        for (text, members) in spans.iter().zip(&annotations) {
            row.clear();
            let pushed = write_row(text, &mut row).and_then(|()| {
                if !members.is_empty() {
                    row.pop();
                    row.push_str(members);
                    row.push('}');
                }
                self.builder.push_json(&row)
            });
            if let Err(error) = pushed {
                self.received.add_unfit(1, || error.to_string());
            }
        }
        self.received.add(spans.len() as u64, 0);
        let batch = self.builder.finish().map_err(|error| wrong(self, error.to_string()))?;
        let window: Window = self.request.window;
        let cut =
            batch.map(|batch| cut_to(&batch, window)).transpose().map_err(|error| wrong(self, error.to_string()))?;
        Ok(cut.filter(|batch| batch.num_rows() > 0))
    }
}

/// The middle of a window, on a whole microsecond; `None` when it has none inside.
fn middle(window: Window) -> Option<i64> {
    let middle = (i128::from(window.start) + i128::from(window.end)).div_euclid(2);
    let middle = i64::try_from(middle).ok()?.div_euclid(MICROSECOND) * MICROSECOND;
    (window.start < middle && middle < window.end).then_some(middle)
}

/// Whether a refusal may be one of what is asked for, rather than of what is there.
fn is_of_filters(cause: Cause) -> bool {
    let Cause::Status(status) = cause else { return false };
    matches!(
        status,
        StatusCode::BAD_REQUEST
            | StatusCode::UNPROCESSABLE_ENTITY
            | StatusCode::URI_TOO_LONG
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
    )
}

/// Whether a failure may be one of what is on the page: fewer spans may pass.
fn is_of_content(cause: Cause) -> bool {
    match cause {
        Cause::Status(status) => matches!(status, StatusCode::INTERNAL_SERVER_ERROR | StatusCode::GATEWAY_TIMEOUT),
        Cause::TooLong | Cause::Content => true,
        Cause::Connection | Cause::Foreign => false,
    }
}
