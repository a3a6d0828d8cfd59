//! The annotations of a few pages of spans, each where its row is.
//!
//! What is said of a trace stands on its root, and what is said of a session on the root of its first trace: once each, so
//! that counts and means of it are right.

use std::collections::{BTreeSet, HashMap};

use reqwest::StatusCode;
use serde::Deserialize;
use spanql_model::time;

use super::annotation_requests::{Urls, annotations_of};
use super::annotations::Level;
use super::api::{Api, Query};
use super::projects::segment;
use super::rows::Span;
use crate::error::SourceError;
use crate::http::{Cause, HttpError};
use crate::retry::{MAX_ATTEMPTS_BATCH, retrying};

/// Sessions whose first trace is remembered.
const MAX_SESSIONS: usize = 100_000;

/// Which annotations are asked for, and what is known of sessions.
pub(super) struct PageAnnotations {
    wanted: Vec<Level>,
    /// What the server has no annotations of, as far as it lets itself be asked.
    unknown: Vec<Level>,
    urls: Urls,
    /// The first traces of sessions that have annotations.
    first_traces: HashMap<String, Option<String>>,
}

/// A session as the server gives it.
#[derive(Deserialize)]
struct OneSession {
    data: Session,
}

#[derive(Deserialize)]
struct Session {
    traces: Vec<SessionTrace>,
}

#[derive(Deserialize)]
struct SessionTrace {
    trace_id: String,
    start_time: String,
}

impl PageAnnotations {
    /// Those that any of the columns wanted can come from.
    pub(super) fn new(columns: Option<&[String]>) -> Self {
        let levels = [Level::Span, Level::Trace, Level::Session].into_iter();
        let wanted = levels.filter(|level| level.is_wanted(columns)).collect();
        Self { wanted, unknown: vec![], urls: Urls::Long, first_traces: HashMap::new() }
    }

    /// Whether any are asked for.
    pub(super) fn are_wanted(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// What the reader of the spans should know.
    pub(super) fn remark(&self) -> Option<String> {
        let of: Vec<&str> = self.unknown.iter().map(|level| level.in_words()).collect();
        (!of.is_empty()).then(|| format!("this Phoenix is too old to give annotations of {}", of.join(" and ")))
    }

    /// The members that annotations add to the row of each span, each with a comma before it.
    pub(super) async fn of(&mut self, api: &Api, project: &str, page: &[&str]) -> Result<Vec<String>, SourceError> {
        let mut added = vec![String::new(); page.len()];
        let spans: Vec<Option<Span<'_>>> = page.iter().map(|text| Span::read(text).ok()).collect();
        let roots = once(spans.iter().map(|span| span.as_ref()?.root_of()).collect());
        for level in self.wanted.clone() {
            let ids = match level {
                Level::Span => spans.iter().map(|span| span.as_ref()?.span_id()).collect(),
                Level::Trace => roots.clone(),
                Level::Session => {
                    let of_roots = spans.iter().zip(&roots).map(|(span, root)| root.as_ref().and(span.as_ref()));
                    of_roots.map(|span| span?.session_id()).collect()
                }
            };
            let distinct: BTreeSet<&String> = ids.iter().flatten().collect();
            let distinct: Vec<String> = distinct.into_iter().cloned().collect();
            let mut found = match annotations_of(level, api, project, &distinct, &mut self.urls).await {
                Ok(found) => found,
                Err(failed) if level != Level::Span && is_unknown(failed.cause) => {
                    self.wanted.retain(|wanted| *wanted != level);
                    self.unknown.push(level);
                    continue;
                }
                Err(failed) => return Err(failed.into()),
            };
            for (added, (id, root)) in added.iter_mut().zip(ids.into_iter().zip(&roots)) {
                let Some(id) = id else { continue };
                if level == Level::Session
                    && found.contains_key(&id)
                    && self.first_trace(api, &id, root).await?.as_ref() != root.as_ref()
                {
                    continue;
                }
                added.extend(found.remove(&id));
            }
        }
        Ok(added)
    }

    /// The trace with which a session began; none where it is not there any more. Of one whose id does not do in a path, it
    /// is the one that was listed first.
    async fn first_trace(
        &mut self,
        api: &Api,
        session: &str,
        listed: &Option<String>,
    ) -> Result<Option<String>, SourceError> {
        if let Some(known) = self.first_traces.get(session) {
            return Ok(known.clone());
        }
        let path = format!("/v1/sessions/{}", segment(session));
        let query = Query::new();
        let one = || api.json::<OneSession>(&path, &query);
        let first = match retrying(MAX_ATTEMPTS_BATCH, one, HttpError::error).await {
            Ok(OneSession { data }) => {
                let began = |trace: &SessionTrace| time::parse(&trace.start_time).unwrap_or(i64::MAX);
                data.traces
                    .into_iter()
                    .min_by_key(|trace| (began(trace), trace.trace_id.clone()))
                    .map(|trace| trace.trace_id)
            }
            Err(failed) if failed.cause == Cause::Status(StatusCode::NOT_FOUND) => None,
            Err(failed) if failed.cause == Cause::Foreign => listed.clone(),
            Err(failed) => return Err(failed.into()),
        };
        if self.first_traces.len() >= MAX_SESSIONS {
            self.first_traces.clear();
        }
        self.first_traces.insert(session.to_owned(), first.clone());
        Ok(first)
    }
}

/// Each id where it comes last, which is where what came in first is.
fn once(ids: Vec<Option<String>>) -> Vec<Option<String>> {
    let mut seen = BTreeSet::new();
    let mut ids: Vec<Option<String>> =
        ids.into_iter().rev().map(|id| id.filter(|id| seen.insert(id.clone()))).collect();
    ids.reverse();
    ids
}

/// Whether a refusal is one of a server that has no such path.
fn is_unknown(cause: Cause) -> bool {
    matches!(cause, Cause::Foreign | Cause::Status(StatusCode::METHOD_NOT_ALLOWED))
}
