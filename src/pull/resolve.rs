//! What a remote says of a project before anything is pulled of it.

use std::collections::BTreeMap;

use arrow::datatypes::DataType;

use super::{PullError, PullOptions};
use spanql_model::ingest::span_schema;
use spanql_sources::{ExportRequest, MAX_ATTEMPTS_INTERACTIVE, SourceError, SpanSource, Window, retrying};
use spanql_store::PullKey;

/// How many spans a remote counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PullCount {
    /// The number of spans.
    pub spans: u64,
    /// What it is the number of.
    pub precision: CountPrecision,
}

/// What spans are counted, where there may be a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountPrecision {
    /// Those that a pull would bring.
    Exact,
    /// Those that the remote lets through: a pull checks each.
    AtMost,
    /// All of them: the remote cannot be asked for any of the filter.
    Unfiltered,
}

/// Finds a project by its name or id: gives from where to where its spans are pulled, and what the reader should know
/// about how it was found, if anything.
///
/// `into` is the project's name in the store, by default that of the remote.
///
/// # Errors
/// What the remote says, see [`SpanSource::resolve`].
pub async fn resolve(
    source: &dyn SpanSource,
    project: &str,
    into: Option<String>,
) -> Result<(PullKey, Option<String>), SourceError> {
    let found = source.resolve(project).await?;
    let key = PullKey {
        source: source.name().to_owned(),
        remote: source.endpoint().to_owned(),
        space: found.space,
        into: into.unwrap_or_else(|| found.project.clone()),
        project: found.project,
    };
    Ok((key, found.note))
}

/// The columns that a remote announces for a project, with their types here: what a filter may name.
///
/// # Errors
/// What the remote says, after another try where that may help.
pub async fn remote_columns(source: &dyn SpanSource, project: &str) -> Result<BTreeMap<String, DataType>, SourceError> {
    let schema = retrying(MAX_ATTEMPTS_INTERACTIVE, || source.schema(project), SourceError::itself).await?;
    Ok(span_schema(&schema))
}

/// How many spans of a window there are to pull, without a limit; none is transferred. `None` when the remote does not
/// say how many there are.
///
/// # Errors
/// What the remote says; [`PullError::NoSample`] when it cannot give the share of the traces that is wanted.
pub async fn count(
    source: &dyn SpanSource,
    options: &PullOptions,
    window: Window,
) -> Result<Option<PullCount>, PullError> {
    options.check(source)?;
    let request = options.request(window);
    let Some(spans) = source.count(&request).await? else { return Ok(None) };
    let unfiltered = ExportRequest { filters: Vec::new(), ..request.clone() };
    let precision = if request.filters.is_empty() {
        CountPrecision::Exact
    } else if source.describe(&request) != source.describe(&unfiltered) {
        CountPrecision::AtMost
    } else {
        CountPrecision::Unfiltered
    };
    Ok(Some(PullCount { spans, precision }))
}
