//! What is said of spans afterwards, read of an upload and written on them.

use std::collections::HashSet;

use arrow::array::RecordBatch;

use super::backend::Backend;
use super::messages::{Patched, SpanError, Updated};
use super::refusal::Refusal;
use super::room::Part;
use super::writer::{Labels, Unknown};
use spanql_model::columns::SPAN_ID;
use spanql_sources::writes::{
    Given, Grain as Judged, Judgement, Kind, PATCH_COLUMN, Row, Rules, WriteError, batch_rows, judgement_batch,
    judgements, patch_batch, patches,
};
use spanql_store::{Grain, UnknownIds};

/// How far the clock of a client may be ahead.
const AHEAD: i64 = 5 * 60 * 1_000;
/// What Arize's client calls a document that is none,
const NO_DOCUMENT: &str = "parse_failure";
/// and an id without a span.
const NO_SPAN: &str = "segment_not_found";

/// What an upload is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Evaluations,
    Annotations,
    Metadata,
}

impl What {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Evaluations => "evaluations",
            Self::Annotations => "annotations",
            Self::Metadata => "metadata",
        }
    }
}

/// The rows of an upload.
#[derive(Debug)]
pub(super) struct Rows {
    /// The ids, one for each row that says something.
    ids: Vec<String>,
    /// Ids of rows that cannot be read, and why.
    failed: Vec<(String, &'static str)>,
    /// What they say, by span.
    batch: Option<RecordBatch>,
}

impl From<WriteError> for Refusal {
    fn from(error: WriteError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl Rows {
    /// Reads rows.
    ///
    /// # Errors
    /// When a column or a value is not what it must be. A document of metadata that is none fails by itself.
    pub(super) fn read(what: What, batches: &[RecordBatch]) -> Result<Self, Refusal> {
        let mut rows = Vec::new();
        for batch in batches {
            rows.extend(batch_rows(batch, "row")?);
        }
        let kind = match what {
            What::Evaluations => Kind::Evaluation,
            What::Annotations => Kind::Annotation,
            What::Metadata => return Self::read_metadata(&rows),
        };
        let given = Given { kind, grain: Judged::Span, name: None, rules: Rules::Arize, now: now() + AHEAD };
        let judgements = judgements(&rows, &given)?;
        Self::of(&judgements)
    }

    /// Takes judgements of spans.
    pub(super) fn of(judgements: &[Judgement]) -> Result<Self, Refusal> {
        let mut seen = HashSet::new();
        let ids = judgements.iter().map(|judgement| &judgement.id).filter(|id| seen.insert(id.as_str())).cloned();
        let ids: Vec<String> = ids.collect();
        let batch = if ids.is_empty() { None } else { Some(judgement_batch(judgements, SPAN_ID)?) };
        Ok(Self { ids, failed: Vec::new(), batch })
    }

    fn read_metadata(rows: &[Row]) -> Result<Self, Refusal> {
        let (mut ids, mut failed, mut read) = (Vec::new(), Vec::new(), Vec::new());
        // All of them first: what is wrong with a column is wrong with every row.
        match patches(rows, PATCH_COLUMN) {
            Ok(patches) => read = patches,
            Err(error @ WriteError::Row { .. }) => {
                for row in rows {
                    match (patches(std::slice::from_ref(row), PATCH_COLUMN), row.cells.get(SPAN_ID)) {
                        (Ok(patches), _) => read.extend(patches),
                        (Err(WriteError::Row { .. }), Some(serde_json::Value::String(id))) => {
                            failed.push((id.clone(), NO_DOCUMENT));
                        }
                        // Without an id nobody could be told which.
                        _ => return Err(error.into()),
                    }
                }
            }
            Err(error) => return Err(error.into()),
        }
        ids.extend(read.iter().map(|patch| patch.span_id.clone()));
        let batch = if ids.is_empty() { None } else { Some(patch_batch(&read)?) };
        Ok(Self { ids, failed, batch })
    }
}

/// The present, in milliseconds since the epoch.
pub(super) fn now() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

/// What became of an upload.
#[derive(Debug)]
pub(super) struct Written {
    /// The rows that said something.
    pub(super) rows: usize,
    ids: Vec<String>,
    failed: Vec<(String, &'static str)>,
    /// Also of other requests that were written at the same time.
    unknown: Unknown,
}

/// Writes rows on the spans of a project that has them.
pub(super) async fn write(backend: &Backend, project: &str, rows: Rows, part: Part) -> Result<Written, Refusal> {
    let unknown = match rows.batch {
        Some(batch) => {
            let labels = Labels { project: project.to_owned(), grain: Grain::Span, batch, unknown: UnknownIds::Skip };
            backend.writer().patch(labels, part).await?
        }
        None => Unknown::default(),
    };
    let count = rows.ids.len() + rows.failed.len();
    Ok(Written { rows: count, ids: rows.ids, failed: rows.failed, unknown })
}

impl Written {
    /// How many of the rows were written.
    pub(super) fn known(&self) -> usize {
        self.ids.iter().filter(|id| !self.unknown.contains(*id)).count()
    }

    fn unknown(&self) -> impl Iterator<Item = &String> {
        let mut seen = HashSet::new();
        self.ids.iter().filter(move |id| self.unknown.contains(*id) && seen.insert(id.as_str()))
    }

    /// The answer about evaluations and annotations.
    pub(super) fn updated(&self) -> Updated {
        Updated { records_updated: self.known() as i64, unmatched_ids: self.unknown().cloned().collect() }
    }

    /// The answer about metadata.
    pub(super) fn patched(&self) -> Patched {
        let error =
            |(id, message): (&String, &str)| SpanError { span_id: id.clone(), error_message: message.to_owned() };
        let failed = self.failed.iter().map(|(id, message)| error((id, *message)));
        let errors: Vec<SpanError> = failed.chain(self.unknown().map(|id| error((id, NO_SPAN)))).collect();
        let known = self.known();
        Patched {
            spans_processed: self.rows as i64,
            spans_updated: known as i64,
            spans_failed: (self.rows - known) as i64,
            errors,
        }
    }
}
