//! Arrivals: batches of spans as sources deliver them, checked and completed for a merge.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use serde_json::value::RawValue;

use super::error::{Result, StoreError};
use super::indexed::fold_indexed;
use super::merge::set_keys;
use super::open_columns::{Unfolded, unfold, widen};
use crate::model::columns::{self, METADATA_PREFIX};
use crate::model::names::is_open_name;

/// Columns that every arrival has, without nulls.
const REQUIRED: [&str; 4] = [columns::PROJECT, columns::SOURCE, columns::TRACE_ID, columns::SPAN_ID];

/// Checks an arrival against the schema and adds the columns that follow from its own: unfolded metadata keys and
/// the events' attributes.
///
/// # Errors
/// [`StoreError::Arrival`] when a required column is missing or null, a canonical column has another type, or an
/// open column lies outside the open families.
pub(crate) fn prepare(batch: &RecordBatch) -> Result<RecordBatch> {
    let schema = batch.schema();
    for name in REQUIRED {
        match batch.column_by_name(name) {
            None => return Err(StoreError::Arrival(format!("column {name} is missing"))),
            Some(column) if column.null_count() > 0 => {
                return Err(StoreError::Arrival(format!("column {name} has nulls")));
            }
            Some(_) => {}
        }
    }
    let mut prepared: BTreeMap<String, ArrayRef> = BTreeMap::new();
    for (field, array) in schema.fields().iter().zip(batch.columns()) {
        let name = field.name().as_str();
        if columns::DERIVED.contains(&name) || name.starts_with(METADATA_PREFIX) || name.starts_with("tree.") {
            return Err(StoreError::Arrival(format!("column {name} is computed, not delivered")));
        }
        check(name, array.data_type())?;
        if name == columns::REST {
            continue;
        }
        prepared.insert(name.to_owned(), Arc::clone(array));
    }
    if let Some(rest) = batch.column_by_name(columns::REST) {
        let rest = widen(rest, &DataType::Utf8)?;
        for (name, array) in unfold(rest.as_string()) {
            // A column of its own says the same or more.
            prepared.entry(name).or_insert(array);
        }
    }
    fold_indexed(&mut prepared)?;
    unfold_metadata(batch, &mut prepared);
    if let Some(events) = text(batch, columns::EVENTS) {
        let attributes: StringArray = events.iter().map(|value| value.and_then(event_attributes)).collect();
        prepared.insert(columns::EVENT_ATTRIBUTES.to_owned(), Arc::new(attributes));
    }
    prepared.retain(|_, array| array.null_count() < array.len() || array.is_empty());
    let fields: Vec<Field> =
        prepared.iter().map(|(name, array)| Field::new(name, array.data_type().clone(), true)).collect();
    let arrays = prepared.into_values().collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(StoreError::arrow("preparing spans"))
}

/// Adds a column for every scalar key of the metadata objects.
fn unfold_metadata(batch: &RecordBatch, prepared: &mut BTreeMap<String, ArrayRef>) {
    let (metadata, patches) = (text(batch, columns::METADATA), text(batch, columns::METADATA_PATCH));
    if metadata.is_none() && patches.is_none() {
        return;
    }
    let value = |column: Option<&'_ StringArray>, row: usize| -> Option<String> {
        column.filter(|column| column.is_valid(row)).map(|column| column.value(row).to_owned())
    };
    let mut unfolded = Unfolded::default();
    for row in 0..batch.num_rows() {
        let text = match (value(metadata, row), value(patches, row)) {
            (whole, Some(patch)) => Some(set_keys(whole.as_deref(), &patch)),
            (whole, None) => whole,
        };
        if let Some(text) = text {
            unfolded.add_object(row, METADATA_PREFIX, &text);
        }
    }
    prepared.extend(unfolded.finish(batch.num_rows()));
}

fn check(name: &str, data_type: &DataType) -> Result<()> {
    let wrong = |expected: &str| {
        Err(StoreError::Arrival(format!("column {name} has type {data_type}, where {expected} belongs")))
    };
    match columns::canonical(name) {
        Some(column) if column.data_type == *data_type => Ok(()),
        Some(column) => wrong(&column.data_type.to_string()),
        None if name == columns::METADATA_PATCH && *data_type == DataType::Utf8 => Ok(()),
        None if !is_open_name(name) => Err(StoreError::Arrival(format!("column {name} is in no open family"))),
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
    #[derive(serde::Deserialize)]
    struct Event<'a> {
        #[serde(borrow, default)]
        attributes: Option<&'a RawValue>,
    }
    if events == "[]" {
        return None;
    }
    let events: Vec<Event<'_>> = serde_json::from_str(events).ok()?;
    let attributes: Vec<&str> =
        events.iter().filter_map(|event| event.attributes).map(RawValue::get).filter(|text| *text != "{}").collect();
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
