//! What is to be written on spans that a store holds, and what became of it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};

use crate::committed::Committed;
use crate::error::{Result, StoreError};
use spanql_model::columns;

/// What the ids of a patch name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// Spans, in the column `context.span_id`; a batch that also has `context.trace_id` means the span of that trace where
    /// it is not null, and every span of that id where it is.
    Span,
    /// Traces, in the column `context.trace_id`: written on the first root of the trace, or on its first span where it has
    /// no root.
    Trace,
    /// Sessions, in the column `attributes.session.id`: written as for the trace that begins first in the session.
    Session,
}

impl Grain {
    /// The column of a batch that has the ids.
    pub fn column(self) -> &'static str {
        match self {
            Self::Span => columns::SPAN_ID,
            Self::Trace => columns::TRACE_ID,
            Self::Session => columns::SESSION_ID,
        }
    }

    /// What it is called, for one and for many.
    pub fn nouns(self) -> (&'static str, &'static str) {
        match self {
            Self::Span => ("span", "spans"),
            Self::Trace => ("trace", "traces"),
            Self::Session => ("session", "sessions"),
        }
    }
}

/// What is done when a project has no span of some of the ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownIds {
    /// Nothing is written, with [`StoreError::UnknownIds`].
    Refuse,
    /// The others are written; the outcome says which are not.
    Skip,
}

/// The families of columns that a patch may write.
const FAMILIES: [&str; 4] = ["eval.", "trace_eval.", "session_eval.", "annotation."];

/// Evaluations, annotations and metadata for spans of one project that a store holds.
///
/// A batch has the column of ids of its [`Grain`] and any columns of the families `eval.`, `trace_eval.`, `session_eval.`
/// and `annotation.`; a column [`METADATA_PATCH`](columns::METADATA_PATCH) has JSON objects that are merged into the span's
/// metadata as RFC 7396 says, but that null sets null instead of taking a key away. A null cell leaves what the span has,
/// and of several values for one cell the last counts. What is written can be replaced, not taken away. Only
/// [`NOTES`](columns::NOTES) are a list, whose new entries go behind those that the span has.
#[derive(Debug)]
pub struct Patch {
    pub(crate) project: String,
    pub(crate) grain: Grain,
    pub(crate) batches: Vec<RecordBatch>,
}

impl Patch {
    /// A patch that writes nothing yet.
    pub fn new(project: impl Into<String>, grain: Grain) -> Self {
        Self { project: project.into(), grain, batches: Vec::new() }
    }

    /// Takes a batch; later ones win.
    ///
    /// Narrower numbers and other encodings of text are taken; columns without a value are left out.
    ///
    /// # Errors
    /// [`StoreError::Patch`] when the ids are missing, null or no text, when a column is in none of the families or has a
    /// type that no open column has, or when a metadata patch is no JSON object.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        let key = self.grain.column();
        let mut fields = Vec::new();
        let mut arrays: Vec<ArrayRef> = Vec::new();
        for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            let name = field.name().as_str();
            let is_id = name == key || (self.grain == Grain::Span && name == columns::TRACE_ID);
            let is_patch = name == columns::METADATA_PATCH;
            if !is_id && !is_patch && !is_value(name) {
                let reason = "a patch writes eval.*, trace_eval.*, session_eval.*, annotation.* and metadata only";
                return Err(StoreError::Patch(format!("column {name}: {reason}")));
            }
            if !is_id && array.null_count() == array.len() {
                continue;
            }
            let array = of_open_type(name, array, is_id || is_patch)?;
            if name == key && array.null_count() > 0 {
                return Err(StoreError::Patch(format!(
                    "column {name} has nulls, which name no {}",
                    self.grain.nouns().0
                )));
            }
            if is_patch && let Some(row) = first_without_object(&array) {
                return Err(StoreError::Patch(format!("the metadata patch in row {row} is no JSON object")));
            }
            fields.push(Field::new(name, array.data_type().clone(), true));
            arrays.push(array);
        }
        if !fields.iter().any(|field| field.name() == key) {
            return Err(StoreError::Patch(format!("column {key} is missing")));
        }
        if batch.num_rows() > 0 {
            let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays);
            self.batches.push(batch.map_err(StoreError::arrow("taking a patch"))?);
        }
        Ok(())
    }

    /// Rows taken so far.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// The ids of a batch.
    pub(crate) fn ids<'a>(&self, batch: &'a RecordBatch) -> Result<&'a arrow::array::StringArray> {
        let column = batch.column_by_name(self.grain.column()).and_then(|column| column.as_string_opt::<i32>());
        column.ok_or_else(|| StoreError::Internal("a patch was taken without ids".into()))
    }
}

/// Whether a patch may write an open column.
fn is_value(name: &str) -> bool {
    FAMILIES.iter().any(|family| name.len() > family.len() && name.starts_with(family))
}

/// Values in the type of an open column, or as text.
fn of_open_type(name: &str, array: &ArrayRef, as_text: bool) -> Result<ArrayRef> {
    use DataType::{
        Boolean, Dictionary, Float16, Float32, Float64, Int8, Int16, Int32, Int64, LargeUtf8, Null, UInt8, UInt16,
        UInt32, Utf8, Utf8View,
    };
    let value_type = match array.data_type() {
        Dictionary(_, value) => value.as_ref(),
        other => other,
    };
    let to = match value_type {
        Utf8 | LargeUtf8 | Utf8View => Utf8,
        Null if as_text => Utf8,
        Boolean if !as_text => Boolean,
        Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 if !as_text => Int64,
        Float16 | Float32 | Float64 if !as_text => Float64,
        other => {
            let expected = if as_text { "text" } else { "text, a number or a boolean" };
            return Err(StoreError::Patch(format!("column {name} has type {other}, where {expected} belongs")));
        }
    };
    cast(array, &to).map_err(StoreError::arrow(format!("reading column {name} of a patch")))
}

/// The first row whose text is no JSON object.
fn first_without_object(texts: &ArrayRef) -> Option<usize> {
    let texts = texts.as_string_opt::<i32>()?;
    let is_object = |text: &str| serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).is_ok();
    texts.iter().position(|text| text.is_some_and(|text| !is_object(text)))
}

/// What became of one id of a patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The id as it was given.
    pub id: String,
    /// Spans it was written on: none where the project has no such span, trace or session.
    pub spans: u64,
}

/// What became of a patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patched {
    /// The commit. Its counts say how many spans changed, and how many had all of it before.
    pub committed: Committed,
    /// The ids, each once, in the order in which they came.
    pub outcomes: Vec<Outcome>,
}

impl Patched {
    /// The ids that the project has nothing of.
    pub fn unknown(&self) -> impl Iterator<Item = &str> {
        self.outcomes.iter().filter(|outcome| outcome.spans == 0).map(|outcome| outcome.id.as_str())
    }
}
