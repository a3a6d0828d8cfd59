//! All rows of a search: page after page, each a stream of lines, until there are none left.

use std::sync::Arc;

use bytes::{Buf, BytesMut};
use reqwest::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use reqwest::{Response, StatusCode, Version};

use super::rest::{MAX_ROW, Rest};
use super::row::{Line, Row};
use super::search::{Kind, Search};
use crate::error::SourceError;
use crate::http::{Cause, HttpError};
use crate::remote::Received;
use crate::retry::pause;

/// The most rows that the API gives at once.
pub(super) const MOST: usize = 2_000;
/// Fewer are not asked for where more were too many for a server.
const FEWEST: usize = 50;
/// A chunk ends with the row that brings it to so many bytes.
const CHUNK: usize = 8 << 20;
/// What is shown of a line that is no row.
const SHOWN: usize = 300;

/// Rows as they come. An answer that breaks off is asked for again from the last row that came, for fewer rows at once;
/// what says of itself that it failed is never taken for an end.
#[derive(Debug)]
pub(super) struct Listing {
    rest: Rest,
    kind: Kind,
    search: Search,
    received: Arc<Received>,
    /// How many of the filters are for narrowing alone, at the end: a server that refuses them is asked without.
    narrowing: usize,
    /// The most rows that are asked for at once.
    most: usize,
    page: Option<Page>,
    /// Requests that failed since a row came.
    failures: usize,
    /// The last page was empty, and may have been lost.
    doubted: bool,
    ended: bool,
}

#[derive(Debug)]
struct Page {
    response: Response,
    /// Whether the connection tells an end from a loss.
    framed: bool,
    read: BytesMut,
    /// What is known to hold no line end.
    searched: usize,
    /// All of it was read.
    whole: bool,
    lines: usize,
    /// The id that the page began behind.
    behind: Option<String>,
}

/// What came of reading on.
enum Step {
    Row(Row),
    PageEnd,
}

/// An error, and whether fewer rows at once may help.
struct Failed {
    error: SourceError,
    fewer: bool,
}

impl Failed {
    /// An error that fewer rows do not help.
    fn plain(error: SourceError) -> Self {
        Self { error, fewer: false }
    }
}

impl Listing {
    /// A search whose first page has as many rows as its limit says; later ones have more.
    pub(super) fn new(rest: Rest, kind: Kind, search: Search, received: Arc<Received>) -> Self {
        let (page, failures) = (None, 0);
        Self { rest, kind, search, received, narrowing: 0, most: MOST, page, failures, doubted: false, ended: false }
    }

    /// The same, where so many filters at the end may be left out.
    pub(super) fn narrowed(self, narrowing: usize) -> Self {
        Self { narrowing, ..self }
    }

    pub(super) fn endpoint(&self) -> String {
        self.rest.http().endpoint(self.kind.search_path())
    }

    /// The next rows: at most those of one page; `None` at the end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Vec<Row>>, SourceError> {
        let (mut rows, mut bytes) = (vec![], 0);
        while !self.ended && bytes < CHUNK {
            match self.step().await {
                Ok(Step::Row(row)) => {
                    self.failures = 0;
                    bytes += row.text.len();
                    rows.push(row);
                }
                Ok(Step::PageEnd) if rows.is_empty() => {}
                Ok(Step::PageEnd) => break,
                Err(Failed { error, fewer }) => {
                    self.page = None;
                    let Some(wait) = pause(&error, self.failures) else { return Err(given_up(error, fewer)) };
                    self.failures += 1;
                    if fewer {
                        let limit = self.search.limit;
                        self.most = (limit / 2).max(FEWEST.min(limit));
                        self.search.limit = self.most;
                    }
                    tokio::time::sleep(wait).await;
                }
            }
        }
        Ok((!rows.is_empty()).then_some(rows))
    }

    async fn step(&mut self) -> Result<Step, Failed> {
        if self.page.is_none() {
            let mut response = self.rest.search(self.kind, &self.search).await;
            if self.narrowing > 0 && response.as_ref().is_err_and(refuses_filters) {
                self.search.filters.truncate(self.search.filters.len().saturating_sub(self.narrowing));
                self.narrowing = 0;
                response = self.rest.search(self.kind, &self.search).await;
            }
            let response =
                response.map_err(|failed| Failed { fewer: failed.cause == Cause::Connection, error: failed.error })?;
            self.page = Some(Page::of(response, self.search.last_retrieved_id.clone()));
        }
        let (text, ended) = loop {
            let (path, Some(page)) = (self.kind.search_path(), &mut self.page) else { return Ok(Step::PageEnd) };
            let Some((line, ended)) = page.line(&self.rest, path, &self.received).await? else {
                return self.end_page();
            };
            // A page is as long as the server counts, whatever its lines hold.
            page.lines += 1;
            let text = String::from_utf8(line).map_err(|_| self.wrong("a row is not UTF-8".to_owned()))?;
            if !text.trim().is_empty() {
                break (text, ended);
            }
        };
        let shown: String = text.chars().take(SHOWN).collect();
        match Line::read(text) {
            Line::Row(row) => {
                self.received.add(1, 0);
                self.follow(row)
            }
            Line::Failure(code) => Err(self.failure(code, &shown)),
            Line::Broken if ended => Err(self.lost("the answer ends within a row")),
            Line::Broken => Err(self.wrong(format!("a row is no JSON object: {shown}"))),
        }
    }

    /// Moves the cursor to a row.
    fn follow(&mut self, row: Row) -> Result<Step, Failed> {
        if let Some(id) = &row.id {
            let last = &self.search.last_retrieved_id;
            if last.as_ref().is_some_and(|last| last.as_str() <= id.as_str()) {
                let reason = format!("{id} comes behind {}, but rows come newest first", last.as_deref().unwrap_or(""));
                return Err(self.wrong(reason));
            }
            self.search.last_retrieved_id = Some(id.clone());
        }
        Ok(Step::Row(row))
    }

    fn end_page(&mut self) -> Result<Step, Failed> {
        let Some(page) = self.page.take() else { return Ok(Step::PageEnd) };
        let full = page.lines >= self.search.limit;
        // Where a lost connection looks like an end, only two pages without rows are one.
        let empty = page.lines == 0;
        self.ended = !full && (page.framed || empty && self.doubted);
        self.doubted = empty;
        if full && page.behind == self.search.last_retrieved_id {
            return Err(self.wrong("a whole page of rows has no ids to go on from".to_owned()));
        }
        self.search.limit = self.search.limit.saturating_mul(4).min(self.most);
        Ok(Step::PageEnd)
    }

    fn wrong(&self, reason: String) -> Failed {
        Failed::plain(self.rest.http().wrong(self.kind.search_path(), reason).error)
    }

    fn lost(&self, reason: &str) -> Failed {
        let error = SourceError::Unreachable { endpoint: self.endpoint(), reason: reason.to_owned() };
        Failed { error, fewer: true }
    }

    /// An error that came in the place of a row.
    fn failure(&self, code: Option<u16>, shown: &str) -> Failed {
        let reason = self.rest.http().redact(&format!("it failed while it answered: {shown}"));
        let endpoint = self.endpoint();
        let refused = code.is_some_and(|code| (400..500).contains(&code) && code != 429);
        let error = match refused {
            true => SourceError::Refused { endpoint, reason },
            false => SourceError::Unavailable { endpoint, reason, retry_after: None },
        };
        Failed { error, fewer: true }
    }
}

/// Whether a refusal may be one of filters: versions of the server differ in what they know.
pub(super) fn refuses_filters(failed: &HttpError) -> bool {
    matches!(failed.cause, Cause::Status(StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY))
}

/// An error after which nothing is tried again. What a server could not answer, however little was asked for, is refused.
fn given_up(error: SourceError, fewer: bool) -> SourceError {
    match error {
        SourceError::Unavailable { endpoint, reason, .. } if fewer => SourceError::Refused { endpoint, reason },
        error => error,
    }
}

impl Page {
    fn of(response: Response, behind: Option<String>) -> Self {
        let headers = response.headers();
        let framed = !matches!(response.version(), Version::HTTP_09 | Version::HTTP_10 | Version::HTTP_11)
            || headers.contains_key(CONTENT_LENGTH)
            || headers.contains_key(TRANSFER_ENCODING);
        Self { response, framed, read: BytesMut::new(), searched: 0, whole: false, lines: 0, behind }
    }

    /// The next line without its end, and whether it had none; nothing at the end.
    async fn line(&mut self, rest: &Rest, path: &str, received: &Received) -> Result<Option<(Vec<u8>, bool)>, Failed> {
        loop {
            if let Some(at) = memchr::memchr(b'\n', self.read.get(self.searched..).unwrap_or_default()) {
                let line = self.read.split_to(self.searched + at);
                self.read.advance(1);
                self.searched = 0;
                return Ok(Some((line.to_vec(), false)));
            }
            self.searched = self.read.len();
            if self.whole {
                self.searched = 0;
                let line = self.read.split();
                return Ok((!line.is_empty()).then(|| (line.to_vec(), true)));
            }
            if self.read.len() > MAX_ROW {
                let reason = format!("a row is longer than {} MiB", MAX_ROW >> 20);
                return Err(Failed::plain(rest.http().wrong(path, reason).error));
            }
            match self.response.chunk().await {
                Ok(Some(chunk)) => {
                    received.add(0, chunk.len() as u64);
                    self.read.extend_from_slice(&chunk);
                }
                Ok(None) => self.whole = true,
                Err(error) => return Err(Failed { error: rest.http().unreachable(path, &error).error, fewer: true }),
            }
        }
    }
}
