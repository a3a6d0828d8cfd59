//! Changes of metadata, read of rows with a column for each key, with a document, or both.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::error::WriteError;
use super::patch::Patch;
use super::rows::Row;
use spanql_model::columns::METADATA_PREFIX;

/// The column of documents, unless another is named.
pub const PATCH_COLUMN: &str = "patch_document";
/// What `metadata.<key>` is short for.
const SHORT: &str = "metadata.";
const IDS: [&str; 3] = ["context.span_id", "span_id", "record_id"];
/// Bytes of a document,
const BYTES: usize = 1_000_000;
/// and how deep it may go.
const LEVELS: usize = 10;

/// Reads patches of rows, in their order: columns `attributes.metadata.<key>` first, then the document, whose keys win.
///
/// A null in a column is written as null, where the row has the column at all; a column without any value is refused.
///
/// # Errors
/// [`WriteError::Shape`] for columns that are none of these; [`WriteError::Row`] for a row that does not fit.
pub fn patches(rows: &[Row], document: &str) -> Result<Vec<Patch>, WriteError> {
    let mut filled: BTreeMap<&str, bool> = BTreeMap::new();
    for (name, value) in rows.iter().flat_map(|row| &row.cells) {
        *filled.entry(name).or_default() |= !value.is_null();
    }
    for (name, filled) in &filled {
        let reason = match key(name) {
            Some(_) if !*filled => "it has no value in any row: a document with null sets null".to_owned(),
            Some("") => "it names no key".to_owned(),
            None if *name != document && !IDS.contains(name) => {
                format!("columns are span_id, attributes.metadata.<key> and {document}: leave it out")
            }
            _ => continue,
        };
        return Err(WriteError::Shape(format!("the column {name} cannot be written: {reason}")));
    }
    if !filled.keys().any(|name| key(name).is_some() || *name == document) && !rows.is_empty() {
        return Err(WriteError::Shape(format!("no column attributes.metadata.<key> and none called {document}")));
    }
    rows.iter().filter(|row| !row.cells.values().all(Value::is_null)).map(|row| patch(row, document)).collect()
}

fn key(column: &str) -> Option<&str> {
    column.strip_prefix(METADATA_PREFIX).or_else(|| column.strip_prefix(SHORT))
}

fn patch(row: &Row, document: &str) -> Result<Patch, WriteError> {
    let span_id = row.id(&IDS)?;
    let fields = row.cells.iter().filter_map(|(name, value)| key(name).map(|key| (key.to_owned(), value.clone())));
    let mut keys: Map<String, Value> = fields.collect();
    if let Some(value) = row.cell(document) {
        let parsed = value.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
        match parsed.as_ref().unwrap_or(value) {
            Value::Object(members) => keys.extend(members.clone()),
            _ => return Err(row.wrong(format!("{document} is no JSON object"))),
        }
    }
    let whole = Value::from(keys);
    let bytes = whole.to_string().len();
    if bytes > BYTES {
        return Err(row.wrong(format!("the document has {bytes} bytes: it has at most {BYTES}")));
    }
    if levels(&whole) > LEVELS {
        return Err(row.wrong(format!("the document is nested deeper than {LEVELS} levels")));
    }
    let Value::Object(document) = whole else { return Err(row.wrong("no JSON object")) };
    Ok(Patch { span_id, document })
}

fn levels(value: &Value) -> usize {
    match value {
        Value::Object(members) => 1 + members.values().map(levels).max().unwrap_or(0),
        Value::Array(elements) => 1 + elements.iter().map(levels).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{PATCH_COLUMN, patches};
    use crate::writes::{Row, WriteError};

    fn read(rows: Value) -> Result<Vec<(String, Value)>, WriteError> {
        let rows: Vec<Row> = rows
            .as_array()
            .unwrap()
            .iter()
            .map(|cells| Row { place: "f:1".into(), cells: cells.as_object().unwrap().clone(), typed: false })
            .collect();
        let patches = patches(&rows, PATCH_COLUMN)?;
        Ok(patches.into_iter().map(|patch| (patch.span_id, Value::from(patch.document))).collect())
    }

    #[test]
    fn columns_first_then_the_document() {
        let rows = json!([
            {"context.span_id": "a", "attributes.metadata.k": 1, "metadata.l": "x", "patch_document": {"k": 2, "m": null}},
            {"span_id": "b", "patch_document": "{\"n\": {\"o\": true}}"},
            {"span_id": "c", "attributes.metadata.k": null},
        ]);
        let expected =
            [("a", json!({"k": 2, "l": "x", "m": null})), ("b", json!({"n": {"o": true}})), ("c", json!({"k": null}))];
        assert_eq!(read(rows).unwrap(), expected.map(|(id, document)| (id.to_owned(), document)));
    }

    #[test]
    fn what_would_be_lost_is_refused() {
        for (rows, said) in [
            (json!([{"span_id": "a", "attributes.metadata.k": null}]), "no value in any row"),
            (json!([{"span_id": "a", "k": 1}]), "leave it out"),
            (json!([{"span_id": "a"}]), "no column attributes.metadata"),
            (json!([{"attributes.metadata.k": 1}]), "no id"),
            (json!([{"span_id": "a", "patch_document": "[1]"}]), "no JSON object"),
            (json!([{"span_id": "a", "patch_document": {"k": "x".repeat(1_000_000)}}]), "at most 1000000"),
            (
                json!([{"span_id": "a", "patch_document": {"1": {"2": {"3": {"4": {"5": {"6": {"7": {"8": {"9": {"10": {"11": 1}}}}}}}}}}}}]),
                "10 levels",
            ),
        ] {
            let error = read(rows).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
