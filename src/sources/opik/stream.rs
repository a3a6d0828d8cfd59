//! The spans of a request: the traces as rows first, then their spans, in batches to ingest.

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::{Stream, stream};

use super::listing::Listing;
use super::rest::Rest;
use super::row::{Line, Row};
use super::rows::{write_span_row, write_trace_row};
use super::search::Kind;
use super::threads::Threads;
use crate::cut::cut_to;
use crate::error::SourceError;
use crate::remote::Received;
use spanql_model::ingest::{IngestBuilder, Origin};
use spanql_model::window::Window;

/// The word for Opik in the column `source` and in SQL.
pub const NAME: &str = "opik";
/// Rows that only looked cut before the server is believed to cut none.
const HARMLESS: usize = 3;

/// What is read, and what came of it.
#[derive(Debug)]
pub(super) struct Spans {
    pub(super) rest: Rest,
    pub(super) window: Window,
    /// Traces as rows, while there are any left to read.
    pub(super) traces: Option<Listing>,
    pub(super) spans: Option<Listing>,
    /// Where a session is wanted.
    pub(super) threads: Option<Threads>,
    /// Whether traces are rows.
    pub(super) trace_rows: bool,
    pub(super) received: Arc<Received>,
    builder: IngestBuilder,
    /// Rows that looked cut and were not.
    harmless: usize,
}

impl Spans {
    pub(super) fn new(rest: Rest, project: &str, window: Window, received: Arc<Received>) -> Self {
        // Spans name their project, traces do not: both are of the one that was asked for.
        let origin = Origin { source: NAME, project: project.to_owned(), force_project: true };
        let builder = IngestBuilder::new(origin);
        let (traces, spans, threads) = (None, None, None);
        Self { rest, window, traces, spans, threads, trace_rows: true, received, builder, harmless: 0 }
    }

    /// The batches, to the end of both listings.
    pub(super) fn batches(self) -> impl Stream<Item = Result<RecordBatch, SourceError>> + Send + 'static {
        stream::try_unfold(self, |mut spans| async move {
            let batch = spans.next().await?;
            Ok(batch.map(|batch| (batch, spans)))
        })
    }

    async fn next(&mut self) -> Result<Option<RecordBatch>, SourceError> {
        loop {
            let batch = match (&mut self.traces, &mut self.spans) {
                (Some(traces), _) => match traces.chunk().await? {
                    Some(rows) => self.of_traces(rows).await?,
                    None => {
                        self.traces = None;
                        continue;
                    }
                },
                (None, Some(spans)) => match spans.chunk().await? {
                    Some(rows) => self.of_spans(rows).await?,
                    None => {
                        self.spans = None;
                        continue;
                    }
                },
                (None, None) => return Ok(None),
            };
            if let Some(batch) = batch.filter(|batch| batch.num_rows() > 0) {
                return Ok(Some(batch));
            }
        }
    }

    async fn of_traces(&mut self, rows: Vec<Row>) -> Result<Option<RecordBatch>, SourceError> {
        let mut out = String::new();
        for row in rows {
            if let Some(threads) = &mut self.threads {
                threads.learn(&row);
            }
            let row = self.whole(Kind::Traces, row).await?;
            out.clear();
            write_trace_row(&row.text, &mut out);
            self.push(&out);
        }
        self.finish(Kind::Traces)
    }

    async fn of_spans(&mut self, rows: Vec<Row>) -> Result<Option<RecordBatch>, SourceError> {
        if let Some(threads) = &mut self.threads {
            threads.find(&rows).await?;
        }
        let mut out = String::new();
        for row in rows {
            let row = self.whole(Kind::Spans, row).await?;
            let thread = self.threads.as_ref().zip(row.trace_id.as_deref()).and_then(|(all, trace)| all.of(trace));
            out.clear();
            write_span_row(&row.text, thread, self.trace_rows, &mut out);
            self.push(&out);
        }
        self.finish(Kind::Spans)
    }

    /// The row with its values whole: one of which a value looks cut is asked for by its id, which cuts nothing.
    async fn whole(&mut self, kind: Kind, row: Row) -> Result<Row, SourceError> {
        let Some(id) = row.id.as_deref().filter(|_| row.looks_cut && self.harmless < HARMLESS) else { return Ok(row) };
        match self.rest.by_id(kind, id).await?.map(Line::read) {
            Some(Line::Row(whole)) if whole.id == row.id => {
                // A text may be what it looks like.
                self.harmless = if whole.looks_cut { self.harmless + 1 } else { 0 };
                Ok(whole)
            }
            _ => {
                let reason = format!("a value of {id} is cut, and it cannot be read alone");
                Err(self.rest.http().wrong(kind.search_path(), reason).error)
            }
        }
    }

    fn push(&mut self, row: &str) {
        if let Err(error) = self.builder.push_json(row) {
            self.received.add_unfit(1, || error.to_string());
        }
    }

    /// What was pushed, without the rows outside of the window.
    fn finish(&mut self, kind: Kind) -> Result<Option<RecordBatch>, SourceError> {
        let wrong = |error: arrow::error::ArrowError| {
            self.rest.http().wrong(kind.search_path(), format!("rows cannot be read: {error}")).error
        };
        let batch = self.builder.finish().map_err(wrong)?;
        batch.map(|batch| cut_to(&batch, self.window)).transpose().map_err(wrong)
    }
}
