//! Ingest batches: spans as sources deliver them, checked and completed for a merge.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::is_not_null;
use arrow::compute::kernels::zip::zip;
use arrow::datatypes::{DataType, Field, Schema};

use super::error::{Result, StoreError};
use super::indexed::drop_redundant_indexed;
use super::merge::{latency_ms, set_keys};
use super::open_columns::{Unpacked, type_of, unpack_overflow, widen};
use super::packed::finish_or_pack;
use spanql_model::columns::{self, METADATA_PREFIX};
use spanql_model::ids;
use spanql_model::json::{self, Value};
use spanql_model::names::is_open_name;

/// Columns that every ingest batch has, without nulls.
const REQUIRED: [&str; 4] = [columns::PROJECT, columns::SOURCE, columns::TRACE_ID, columns::SPAN_ID];

/// Checks an ingest batch against the schema and adds the columns that follow from its own: unpacked metadata keys and
/// the events' attributes.
///
/// # Errors
/// [`StoreError::Ingest`] when a required column is missing or null, an id of a span or a trace is all zeros, a canonical
/// column has another type, or an open column lies outside the open families.
pub(crate) fn normalize(batch: &RecordBatch) -> Result<RecordBatch> {
    normalize_with(batch, &|unpacked: Unpacked| Ok(unpacked.finish(batch.num_rows())))
}

/// Does the same for spans that will wait for a merge: columns that are many may be packed.
///
/// # Errors
/// As [`normalize`].
pub(crate) fn normalize_packed(batch: &RecordBatch) -> Result<RecordBatch> {
    normalize_with(batch, &|unpacked: Unpacked| finish_or_pack(unpacked, batch.num_rows()))
}

/// Whether the keys of `attributes.rest` would make columns of very many cells: such a batch is taken in parts.
pub(crate) fn unpacks_to_many(batch: &RecordBatch) -> bool {
    const MANY_CELLS: usize = 4 << 20;
    let Some(rest) = text(batch, columns::REST) else { return false };
    let mut unpacked = Unpacked::default();
    for (row, text) in rest.iter().enumerate() {
        if let Some(text) = text {
            unpacked.add_columns(row, columns::REST, text);
        }
    }
    unpacked.cells(batch.num_rows()) > MANY_CELLS
}

type Finish<'a> = &'a dyn Fn(Unpacked) -> Result<Vec<(String, ArrayRef)>>;

fn normalize_with(batch: &RecordBatch, finish: Finish<'_>) -> Result<RecordBatch> {
    let batch = &without_no_ids(batch)?;
    let schema = batch.schema();
    for name in REQUIRED {
        match batch.column_by_name(name) {
            None => return Err(StoreError::Ingest(format!("column {name} is missing"))),
            Some(column) if column.null_count() > 0 => {
                return Err(StoreError::Ingest(format!("column {name} has nulls")));
            }
            Some(_) => {}
        }
    }
    for name in [columns::TRACE_ID, columns::SPAN_ID] {
        if text(batch, name).is_some_and(|column| column.iter().flatten().any(ids::is_zero)) {
            return Err(StoreError::Ingest(format!("column {name} has an id that is all zeros, which is none")));
        }
    }
    let mut normalized: BTreeMap<String, ArrayRef> = BTreeMap::new();
    for (field, array) in schema.fields().iter().zip(batch.columns()) {
        let name = field.name().as_str();
        if columns::DERIVED.contains(&name) || name.starts_with(METADATA_PREFIX) || name.starts_with("tree.") {
            return Err(StoreError::Ingest(format!("column {name} is computed, not delivered")));
        }
        check(name, array.data_type())?;
        if name == columns::REST {
            continue;
        }
        normalized.insert(name.to_owned(), Arc::clone(array));
    }
    if let Some(rest) = batch.column_by_name(columns::REST) {
        let rest = widen(rest, &DataType::Utf8)?;
        for (name, array) in unpack_overflow(rest.as_string()) {
            if name.starts_with(METADATA_PREFIX) || name == columns::REST {
                continue;
            }
            // Whoever wrote the file decides what stands there: values that do not fit their column are left out.
            let array = match columns::canonical(&name) {
                Some(column) => widen(&array, &column.data_type)?,
                None => array,
            };
            let array = match normalized.get(&name) {
                Some(own) => filled(own, &array)?,
                None => array,
            };
            normalized.insert(name, array);
        }
    }
    drop_redundant_indexed(&mut normalized)?;
    unpack_metadata(batch, &mut normalized, finish)?;
    if let Some(events) = text(batch, columns::EVENTS) {
        let attributes: StringArray = events.iter().map(|value| value.and_then(event_attributes)).collect();
        normalized.insert(columns::EVENT_ATTRIBUTES.to_owned(), Arc::new(attributes));
    }
    normalized.retain(|_, array| array.null_count() < array.len() || array.is_empty());
    let fields: Vec<Field> =
        normalized.iter().map(|(name, array)| Field::new(name, array.data_type().clone(), true)).collect();
    let arrays = normalized.into_values().collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(StoreError::arrow("preparing spans"))
}

/// Completes an ingest batch whose spans no store holds: rows as a store that took nothing else would give them, but for
/// the columns `tree.*`.
///
/// # Errors
/// [`StoreError::Ingest`] when the batch breaks the contract of an ingest batch.
pub fn complete(batch: &RecordBatch) -> Result<RecordBatch> {
    let normalized = normalize(batch)?;
    let mut columns: BTreeMap<String, ArrayRef> = BTreeMap::new();
    for (field, array) in normalized.schema_ref().fields().iter().zip(normalized.columns()) {
        columns.insert(field.name().clone(), Arc::clone(array));
    }
    if columns.remove(columns::METADATA_PATCH).is_some()
        && let Some(metadata) = whole_metadata(batch)
    {
        columns.insert(columns::METADATA.to_owned(), Arc::new(metadata));
    }
    let time = |name: &str| columns.get(name).and_then(|array| array.as_primitive_opt());
    if let (Some(start), Some(end)) = (time(columns::START_TIME), time(columns::END_TIME)) {
        let latency = latency_ms(start, end);
        columns.insert(columns::LATENCY_MS.to_owned(), Arc::new(latency));
    }
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(name, array.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_values().collect())
        .map_err(StoreError::arrow("completing spans"))
}

/// Makes ids that are none null: zeros and empty texts, also of spans that were stored as they came.
pub(crate) fn without_no_ids(batch: &RecordBatch) -> Result<RecordBatch> {
    let mut arrays = batch.columns().to_vec();
    for (field, array) in batch.schema_ref().fields().iter().zip(&mut arrays) {
        let is_parent = field.name() == columns::PARENT_ID;
        if !is_parent && !ids::is_of_whom(field.name()) {
            continue;
        }
        let is_none = |id: &str| id.is_empty() || (is_parent && ids::is_zero(id));
        if let Some(texts) = array.as_string_opt::<i32>().filter(|texts| texts.iter().flatten().any(is_none)) {
            let kept = texts.iter().map(|id| id.filter(|id| !is_none(id)));
            *array = Arc::new(kept.collect::<StringArray>());
        }
    }
    RecordBatch::try_new(batch.schema(), arrays).map_err(StoreError::arrow("reading ids"))
}

/// A column with its nulls filled from another, in a type that holds the values of both.
fn filled(own: &ArrayRef, other: &ArrayRef) -> Result<ArrayRef> {
    let united = match (type_of(own.as_ref()), type_of(other.as_ref())) {
        (None, _) => return Ok(Arc::clone(other)),
        (_, None) => return Ok(Arc::clone(own)),
        (Some(a), Some(b)) => a.unite(b).data_type(),
    };
    let (own, other) = (widen(own, &united)?, widen(other, &united)?);
    let failed = || StoreError::arrow("reading attributes.rest");
    zip(&is_not_null(&own).map_err(failed())?, &own, &other).map_err(failed())
}

/// The metadata objects, keys that came one by one set in them; `None` where the batch has no metadata.
fn whole_metadata(batch: &RecordBatch) -> Option<StringArray> {
    let (metadata, patches) = (text(batch, columns::METADATA), text(batch, columns::METADATA_PATCH));
    let Some(patches) = patches else { return metadata.cloned() };
    let whole = |row: usize| -> Option<String> {
        let object = metadata.filter(|texts| texts.is_valid(row)).map(|texts| texts.value(row));
        if patches.is_valid(row) { Some(set_keys(object, patches.value(row))) } else { object.map(str::to_owned) }
    };
    Some((0..batch.num_rows()).map(whole).collect())
}

/// Adds a column for every scalar key of the metadata objects.
fn unpack_metadata(batch: &RecordBatch, normalized: &mut BTreeMap<String, ArrayRef>, finish: Finish<'_>) -> Result<()> {
    let Some(metadata) = whole_metadata(batch) else { return Ok(()) };
    let mut unpacked = Unpacked::default();
    for (row, text) in metadata.iter().enumerate() {
        if let Some(text) = text {
            unpacked.add_object(row, METADATA_PREFIX, text);
        }
    }
    normalized.extend(finish(unpacked)?);
    Ok(())
}

fn check(name: &str, data_type: &DataType) -> Result<()> {
    let wrong = |expected: &str| {
        Err(StoreError::Ingest(format!("column {name} has type {data_type}, where {expected} belongs")))
    };
    match columns::canonical(name) {
        Some(column) if column.data_type == *data_type => Ok(()),
        Some(column) => wrong(&column.data_type.to_string()),
        None if name == columns::METADATA_PATCH && *data_type == DataType::Utf8 => Ok(()),
        None if !is_open_name(name) => Err(StoreError::Ingest(format!("column {name} is in no open family"))),
        None => match data_type {
            DataType::Utf8 | DataType::Int64 | DataType::Float64 | DataType::Boolean => Ok(()),
            _ => wrong("text, an integer, a float or a boolean"),
        },
    }
}

fn text<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a StringArray> {
    batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>())
}

/// The attributes of a list of events, as a list of their own; null when no event has any.
pub(crate) fn event_attributes(events: &str) -> Option<String> {
    let mut attributes = vec![];
    for event in json::elements(events)? {
        let Value::Nested(event) = event else { return None };
        let members = json::members(event)?;
        // Of a key that is there twice the last counts.
        match members.iter().rev().find(|member| member.key == "attributes").map(|member| member.value) {
            None | Some(Value::Null | Value::Nested("{}")) => {}
            Some(value) => attributes.push(value.written()),
        }
    }
    if attributes.is_empty() { None } else { Some(format!("[{}]", attributes.join(","))) }
}

#[cfg(test)]
mod tests {
    use super::event_attributes;

    #[test]
    fn event_attributes_keep_their_text() {
        let events = r#"[{"name":"a","attributes":{"x": 1}},{"name":"b"},{"name":"c","attributes":{}},{"attributes":{"y":[1, 2]}}]"#;
        assert_eq!(event_attributes(events).unwrap(), r#"[{"x": 1},{"y":[1, 2]}]"#);
        assert_eq!(event_attributes("[]"), None);
        assert_eq!(event_attributes("text"), None);
    }
}
