//! Canonical columns from the names of other conventions: OpenTelemetry, OpenLLMetry, the Vercel AI SDK, Logfire,
//! Langfuse.
//!
//! The table in `table` says which name fills which column. A value that came is never replaced, the names stay the open
//! columns that they are, and what is filled of a row depends on nothing but that row.

mod events;
mod fill;
mod fillers;
mod known;
mod messages;
mod source;
mod state;
mod table;
mod tools;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Field, Schema};
use arrow::error::ArrowError;
use memchr::memmem;

use self::fill::{Fill, Spans};
pub use self::fillers::{Fillers, fillers, is_filler};
use self::source::{is_json, open};
use self::state::{State, Values};
use self::table::TABLE;
use super::canonical_builder::CanonicalBuilder;
use crate::columns::{CANONICAL, Content, EVENTS, KIND, METADATA, METADATA_PATCH, MODEL};
use crate::json::Value;

/// What the events and metadata that fill something have in them.
const EVENT_MARK: &[u8] = b"gen_ai.";
const METADATA_MARK: &[u8] = b"ls_";

/// Fills the canonical columns of an ingest batch; a batch that has no name of the table is given back as it is.
///
/// # Errors
/// Only when Arrow refuses a column, which would be a fault of this module.
pub(super) fn fill(batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
    if !is_concerned(&batch) {
        return Ok(batch);
    }
    let mut state = State::of(&batch);
    for fill in TABLE {
        fill_column(fill, batch.num_rows(), &mut state)?;
    }
    let changed = state.into_changed();
    if changed.is_empty() {
        return Ok(batch);
    }
    with_columns(&batch, changed)
}

/// A cheap look at names, and at the text of the two canonical columns that the table reads.
fn is_concerned(batch: &RecordBatch) -> bool {
    let schema = batch.schema_ref();
    let holds = |array: &ArrayRef, mark: &[u8]| {
        array.as_string_opt::<i32>().is_some_and(|texts| memmem::find(texts.values(), mark).is_some())
    };
    schema.fields().iter().zip(batch.columns()).any(|(field, array)| match field.name().as_str() {
        EVENTS => holds(array, EVENT_MARK),
        METADATA | METADATA_PATCH => holds(array, METADATA_MARK),
        name => is_filler(name),
    })
}

fn fill_column(fill: &Fill, rows: usize, state: &mut State<'_>) -> Result<(), ArrowError> {
    let sources = open(fill.sources, state);
    let Some(index) = CANONICAL.iter().position(|column| column.name == fill.column) else { return Ok(()) };
    if sources.is_empty() {
        return Ok(());
    }
    let present = state.column(fill.column);
    let meant = Meant::of(fill.spans, state);
    let mut builder = CanonicalBuilder::new(index);
    let mut scratch = String::new();
    for row in 0..rows {
        if present.is_some_and(|column| column.is_valid(row)) || !meant.holds(row) {
            continue;
        }
        for source in &sources {
            let Some(text) = source.read(row).filter(|text| source.is_made() || fits(CANONICAL[index].content, text))
            else {
                continue;
            };
            // What does not fit the column is no error: it stands where it came.
            if builder.put(row, Value::Text(&text), &mut scratch).is_ok() && builder.has(row) {
                break;
            }
        }
    }
    if !builder.any() {
        return Ok(());
    }
    let filled = builder.finish(rows)?;
    state.add(CANONICAL[index].name, filled)
}

/// Lists and objects are nothing else.
fn fits(content: Content, text: &str) -> bool {
    match content {
        Content::Scalar => true,
        Content::JsonList => is_json(text, '['),
        Content::JsonObject => is_json(text, '{'),
    }
}

/// The spans in which a column is filled.
struct Meant<'s> {
    spans: Spans,
    kinds: Option<Values<'s>>,
    models: Option<Values<'s>>,
}

impl<'s> Meant<'s> {
    fn of(spans: Spans, state: &'s State<'_>) -> Self {
        let values = |name| Values::of(state.column(name)?);
        Self { spans, kinds: values(KIND), models: values(MODEL) }
    }

    fn holds(&self, row: usize) -> bool {
        let kind = || self.kinds.and_then(|kinds| kinds.str(row));
        let has_model = || self.models.is_some_and(|models| models.cell(row).is_some());
        match self.spans {
            Spans::All => true,
            Spans::NotChains => kind() != Some("CHAIN"),
            Spans::Calls => kind().map_or_else(has_model, |kind| kind == "LLM"),
            Spans::Agents => kind() == Some("AGENT"),
            Spans::Tools => kind() == Some("TOOL"),
            Spans::Embeddings => kind() == Some("EMBEDDING"),
        }
    }
}

/// The batch with these columns in place of its own, or where they belong among the canonical ones.
fn with_columns(batch: &RecordBatch, changed: Vec<(&'static str, ArrayRef)>) -> Result<RecordBatch, ArrowError> {
    let mut fields: Vec<Arc<Field>> = batch.schema_ref().fields().iter().cloned().collect();
    let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
    let place = |name: &str| CANONICAL.iter().position(|column| column.name == name);
    for (name, column) in changed {
        match fields
            .binary_search_by_key(&place(name).unwrap_or(usize::MAX), |field| place(field.name()).unwrap_or(usize::MAX))
        {
            Ok(at) => columns[at] = column,
            Err(at) => {
                fields.insert(at, Arc::new(Field::new(name, column.data_type().clone(), true)));
                columns.insert(at, column);
            }
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new_with_metadata(fields, batch.schema_ref().metadata().clone())), columns)
}

#[cfg(test)]
mod tests;
