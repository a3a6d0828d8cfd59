//! What every remote place has in common that can be written to: requests, and what became of them.

use std::ops::Range;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use serde_json::Value;

use super::judgement::Judgement;
use super::patch::Patch;
use crate::error::SourceError;
use spanql_model::window::Window;

/// What is to be written.
#[derive(Debug, Clone, Copy)]
pub enum Writing<'a> {
    /// Annotations and evaluations.
    Judgements(&'a [Judgement]),
    /// Metadata.
    Patches(&'a [Patch]),
    /// Ids of spans that are to go.
    Deletions(&'a [String]),
}

impl Writing<'_> {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Judgements(judgements) => judgements.len(),
            Self::Patches(patches) => patches.len(),
            Self::Deletions(ids) => ids.len(),
        }
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The id of one of them.
    pub fn id(&self, at: usize) -> &str {
        match self {
            Self::Judgements(judgements) => judgements.get(at).map_or("", |judgement| &judgement.id),
            Self::Patches(patches) => patches.get(at).map_or("", |patch| &patch.span_id),
            Self::Deletions(ids) => ids.get(at).map_or("", String::as_str),
        }
    }
}

/// How it is written.
#[derive(Debug, Clone, Copy, Default)]
pub struct WriteOptions {
    /// When the spans began, where somebody says so; what a remote takes otherwise is its own default.
    pub window: Option<Window>,
    /// Arize: annotations over Flight instead of REST, where those with unknown ids alone are left out.
    pub flight: bool,
}

/// One request.
#[derive(Debug, Clone)]
pub struct WriteRequest {
    /// The method of HTTP, or `DoPut`.
    pub method: &'static str,
    /// The path, or the name of Flight's command.
    pub path: String,
    /// What is sent, as JSON; of `DoPut` its command and its rows.
    pub body: Value,
    /// The rows of `DoPut`.
    pub batch: Option<RecordBatch>,
    /// Which of what is to be written it carries, by number.
    pub items: Vec<usize>,
    /// Whether sending it twice is as good as once.
    pub repeatable: bool,
}

impl WriteRequest {
    /// A request of JSON that may be sent again.
    pub(crate) fn json(method: &'static str, path: String, body: Value, items: Vec<usize>) -> Self {
        Self { method, path, body, batch: None, items, repeatable: true }
    }
}

/// What became of a request that was answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Ids that were not written, and why.
    pub failed: Vec<(String, String)>,
    /// Ids that were not there, where that is no failure.
    pub absent: Vec<String>,
}

/// A remote place that takes what is said of its spans.
#[async_trait]
pub trait SpanWriter: Send + Sync {
    /// The URL of what is called, without a key.
    fn endpoint(&self) -> &str;

    /// The requests that write it, in order; names of projects are looked up where they have to be.
    ///
    /// # Errors
    /// [`SourceError::Setting`] for what the remote cannot hold, before anything is sent.
    async fn requests(
        &self,
        project: &str,
        writing: Writing<'_>,
        options: WriteOptions,
    ) -> Result<Vec<WriteRequest>, SourceError>;

    /// Sends one. Where a broken connection leaves it open whether it was taken, it is sent again only if that does no
    /// harm.
    ///
    /// # Errors
    /// [`SourceError::NotFound`] when ids are unknown and nothing of the request was taken; any other [`SourceError`].
    async fn send(&self, request: &WriteRequest) -> Result<Written, SourceError>;
}

/// Numbers in groups of so many.
pub(crate) fn groups(count: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    (0..count).step_by(most.max(1)).map(move |start| start..(start + most).min(count))
}
