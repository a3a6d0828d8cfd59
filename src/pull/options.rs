//! What to pull, and how.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, TimestampNanosecondArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, TimestampNanosecondType};
use arrow::error::ArrowError;
use datafusion::logical_expr::Expr;

use super::PullError;
use spanql_engine::RowFilter;
use spanql_filter::{Unknown, conjuncts};
use spanql_model::columns;
use spanql_model::names::{expand_alias, is_open_name};
use spanql_model::nearest::nearest;
use spanql_sources::config::Redaction;
use spanql_sources::{ExportRequest, SpanSource, Window};
use spanql_store::{Projection, PullKey};

/// Spans of a slice: enough that a commit pays, few enough that a broken pull loses little, and about those of a segment,
/// so that a commit builds one at a time.
pub const SLICE_ROWS: u64 = 50_000;
/// Memory that spans wait in where nobody says how much there is.
const MEMORY: usize = 256 << 20;

/// What to pull, and how.
#[derive(Debug, Clone)]
pub struct PullOptions {
    /// From which project of the remote into which of the store.
    pub key: PullKey,
    /// What is wanted of each span, and of which traces.
    pub projection: Projection,
    /// At most so many spans.
    pub limit: Option<u64>,
    /// Slices that are fetched side by side, at least 1.
    pub jobs: usize,
    /// Spans that a slice should have, about.
    pub slice_rows: u64,
    /// Bytes of all slices together that wait in memory; more of them wait on disk.
    pub memory: usize,
    /// Whether a pull is recorded that brought no spans: that says that nothing is missing.
    pub record_empty: bool,
    /// Only spans that this lets through, see [`PullOptions::only`].
    pub filter: Option<Arc<RowFilter>>,
    /// The columns that the remote announces for the project, with their types here: those that its part of the filter
    /// may name.
    pub remote_schema: Arc<BTreeMap<String, DataType>>,
    /// Spans that ended before this time are left out, ns since the epoch: the store has let such traces go.
    pub kept_from: Option<i64>,
    /// What replaces secrets in what comes, before it is stored.
    pub redaction: Option<Arc<Redaction>>,
}

impl PullOptions {
    /// Everything of a project, in four slices side by side.
    pub fn new(key: PullKey) -> Self {
        Self {
            key,
            projection: Projection::default(),
            limit: None,
            jobs: 4,
            slice_rows: SLICE_ROWS,
            memory: MEMORY,
            record_empty: true,
            filter: None,
            remote_schema: Arc::default(),
            kept_from: None,
            redaction: None,
        }
    }

    /// The same of the spans only of which a condition over columns by their canonical names is true.
    ///
    /// The remote is told of it as far as its language goes, and every span that comes is checked here. `remote_schema` is
    /// what [`remote_columns`](super::remote_columns) gives for the project; unless names that no span has are errors to
    /// `unknown`, the remote is not asked for keys of the metadata.
    ///
    /// # Errors
    /// [`PullError::Condition`] when it names a column that no ingest batch can have, or makes no sense.
    pub fn only(
        mut self,
        condition: Expr,
        mut remote_schema: BTreeMap<String, DataType>,
        unknown: Unknown,
    ) -> Result<Self, PullError> {
        let filter = RowFilter::new(condition).map_err(|error| PullError::Condition(error.to_string()))?;
        if unknown != Unknown::Error {
            // Of keys that may be there or not, the remote is not asked: it may refuse them.
            remote_schema.remove(columns::METADATA);
        }
        self.projection.filter = Some(filter.text());
        self.filter = Some(Arc::new(filter));
        self.remote_schema = Arc::new(remote_schema);
        Ok(self)
    }

    /// The same for a source that leaves out its rows of traces: the ledger knows it as a filter, so that a pull with them
    /// brings them.
    pub fn without_trace_rows(mut self) -> Self {
        const WORDS: &str = "opik.entity IS NULL";
        let words = match self.projection.filter.take() {
            Some(filter) => format!("({filter}) AND {WORDS}"),
            None => WORDS.to_owned(),
        };
        self.projection.filter = Some(words);
        self
    }

    /// Refuses what the remote cannot give.
    pub(super) fn check(&self, source: &dyn SpanSource) -> Result<(), PullError> {
        let sample = self.projection.sample_rate.is_some_and(|rate| rate < 1.0);
        if sample && !source.can_sample() { Err(PullError::NoSample(source.name())) } else { Ok(()) }
    }

    /// The request for what is wanted of a window, without the limit.
    pub(super) fn request(&self, window: Window) -> ExportRequest {
        let condition = self.filter.as_ref().map(|filter| filter.condition().clone());
        ExportRequest {
            filters: condition.map(conjuncts).unwrap_or_default(),
            remote_schema: Arc::clone(&self.remote_schema),
            columns: self.projection.columns.clone(),
            sample_rate: self.projection.sample_rate,
            ..ExportRequest::new(&self.key.project, window)
        }
    }
}

/// Rows with placeholders in the place of secrets, if that is asked for: without them, none may land.
pub(super) fn redacted(batch: RecordBatch, redaction: Option<&Redaction>) -> Result<RecordBatch, PullError> {
    let Some(redaction) = redaction else { return Ok(batch) };
    let redactor = redaction.redactor().map_err(|error| PullError::NotRedacted(error.to_string()))?;
    redactor.batch(&batch).map_err(|error| PullError::NotRedacted(error.to_string()))
}

/// Adds the columns without which a store would take every span for a root, and others.
pub(super) fn add_columns(asked: &mut Vec<String>, others: Vec<String>) {
    for name in [columns::PARENT_ID, columns::END_TIME].map(str::to_owned).into_iter().chain(others) {
        if !asked.contains(&name) {
            asked.push(name);
        }
    }
}

/// The rows that did not end before a time; those without any time stay.
pub(super) fn young(batch: RecordBatch, kept_from: Option<i64>) -> Result<RecordBatch, ArrowError> {
    let Some(kept_from) = kept_from else { return Ok(batch) };
    let times =
        |name: &str| batch.column_by_name(name).and_then(|times| times.as_primitive_opt::<TimestampNanosecondType>());
    let (starts, ends) = (times(columns::START_TIME), times(columns::END_TIME));
    let at = |times: Option<&TimestampNanosecondArray>, row: usize| {
        times.filter(|times| times.is_valid(row)).map(|times| times.value(row))
    };
    let is_young = |row: usize| at(ends, row).max(at(starts, row)).is_none_or(|time| time >= kept_from);
    let young: BooleanArray = (0..batch.num_rows()).map(|row| Some(is_young(row))).collect();
    filter_record_batch(&batch, &young)
}

/// Columns by their canonical names, sorted and each once; `None`, which is all of them, when none is given.
///
/// Short names are read as the columns that they stand for, and blank ones are passed over.
///
/// # Errors
/// [`PullError::UnknownColumn`] with the nearest name; [`PullError::NoColumn`] when all names are blank.
pub fn canonical_columns(given: &[String]) -> Result<Option<Vec<String>>, PullError> {
    if given.is_empty() {
        return Ok(None);
    }
    let mut names = Vec::new();
    for name in given.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
        let full = expand_alias(name).unwrap_or_else(|| name.to_owned());
        if columns::canonical(&full).is_none() && !is_open_name(&full) {
            let known = columns::CANONICAL.iter().map(|column| column.name);
            return Err(PullError::UnknownColumn { name: name.to_owned(), nearest: nearest(&full, known) });
        }
        if !names.contains(&full) {
            names.push(full);
        }
    }
    if names.is_empty() {
        return Err(PullError::NoColumn);
    }
    names.sort();
    Ok(Some(names))
}

#[cfg(test)]
mod tests {
    use super::canonical_columns;

    fn columns(given: &[&str]) -> Result<Option<Vec<String>>, String> {
        let given: Vec<String> = given.iter().map(|name| (*name).to_owned()).collect();
        canonical_columns(&given).map_err(|error| error.to_string())
    }

    #[test]
    fn columns_are_known_by_their_canonical_names() {
        assert_eq!(columns(&[]), Ok(None));
        let named = ["name".to_owned(), "status_code".to_owned()];
        assert_eq!(columns(&["status_code", " name ", "name", ""]), Ok(Some(named.to_vec())));
        assert_eq!(columns(&["trace_id"]), Ok(Some(vec!["context.trace_id".to_owned()])));
        assert_eq!(columns(&["nmae"]), Err("there is no column nmae; did you mean name?".to_owned()));
        assert_eq!(columns(&["", " "]), Err("no column is named".to_owned()));
    }
}
