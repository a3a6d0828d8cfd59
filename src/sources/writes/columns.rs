//! Judgements and patches as what a store takes: a batch with the ids and the columns that they set.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use serde_json::{Value, json};

use super::error::WriteError;

use super::judgement::Judgement;
use super::patch::{Patch, stored};
use spanql_model::columns::{METADATA_PATCH, NOTES, SPAN_ID};

/// What judgements set, as one batch: the ids in the column `key`, and a column for each part of each name.
///
/// A row for each id, in the order of their first judgements; of two of one name the later wins, part by part, and notes
/// of one id become one list. Labels and texts are Utf8, scores Float64, `updated_at` Int64.
///
/// # Errors
/// [`WriteError::Batch`] when the columns cannot be made.
pub fn judgement_batch<'a>(
    judgements: impl IntoIterator<Item = &'a Judgement>,
    key: &str,
) -> Result<RecordBatch, WriteError> {
    let mut rows = Rows::default();
    for judgement in judgements {
        let row = rows.of(&judgement.id);
        if judgement.is_note() {
            let note = json!({
                "text": judgement.text, "updated_by": judgement.updated_by, "updated_at": judgement.updated_at,
            });
            if let Value::Array(notes) = row.entry(NOTES.to_owned()).or_insert_with(|| Value::Array(vec![])) {
                notes.push(note);
            }
            continue;
        }
        let prefix = judgement.column_prefix();
        let mut set = |part: &str, value: Option<Value>| {
            if let Some(value) = value {
                row.insert(format!("{prefix}{part}"), value);
            }
        };
        set("label", judgement.label.as_deref().map(Value::from));
        set("score", judgement.score.map(Value::from));
        set(judgement.kind.text_part(), judgement.text.as_deref().map(Value::from));
        set("updated_by", judgement.updated_by.as_deref().map(Value::from));
        set("updated_at", judgement.updated_at.map(Value::from));
    }
    rows.batch(key)
}

/// The keys that patches set, as one batch: the ids of spans, and
/// [`METADATA_PATCH`](spanql_model::columns::METADATA_PATCH) with what is [`stored`] of their documents.
///
/// Of two patches for one span the later wins, key by key.
///
/// # Errors
/// [`WriteError::Batch`] when the columns cannot be made.
pub fn patch_batch<'a>(patches: impl IntoIterator<Item = &'a Patch>) -> Result<RecordBatch, WriteError> {
    let mut rows = Rows::default();
    for patch in patches {
        let document = rows.of(&patch.span_id).entry(METADATA_PATCH.to_owned()).or_insert_with(|| json!({}));
        if let Value::Object(document) = document {
            document.extend(stored(&patch.document));
        }
    }
    rows.batch(SPAN_ID)
}

/// Values by column, for each id.
#[derive(Default)]
struct Rows {
    ids: Vec<String>,
    values: Vec<BTreeMap<String, Value>>,
    places: BTreeMap<String, usize>,
}

impl Rows {
    fn of(&mut self, id: &str) -> &mut BTreeMap<String, Value> {
        let place = *self.places.entry(id.to_owned()).or_insert_with(|| {
            self.ids.push(id.to_owned());
            self.values.push(BTreeMap::new());
            self.ids.len() - 1
        });
        &mut self.values[place]
    }

    fn batch(self, key: &str) -> Result<RecordBatch, WriteError> {
        let names: BTreeSet<&String> = self.values.iter().flat_map(BTreeMap::keys).collect();
        let ids: ArrayRef = Arc::new(StringArray::from_iter_values(&self.ids));
        let column = |name: &String| -> ArrayRef {
            let cells = self.values.iter().map(|row| row.get(name));
            if name.ends_with(".score") {
                return Arc::new(cells.map(|cell| cell.and_then(Value::as_f64)).collect::<Float64Array>());
            }
            if name.ends_with(".updated_at") {
                return Arc::new(cells.map(|cell| cell.and_then(Value::as_i64)).collect::<Int64Array>());
            }
            let text = |cell: &Value| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
            Arc::new(cells.map(|cell| cell.map(text)).collect::<StringArray>())
        };
        let columns = names.into_iter().map(|name| (name.clone(), column(name), true));
        RecordBatch::try_from_iter_with_nullable(std::iter::once((key.to_owned(), ids, false)).chain(columns))
            .map_err(|error| WriteError::Batch(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{judgement_batch, patch_batch};
    use crate::writes::{Grain, Judgement, Kind, NOTES_NAME, Patch, batch_rows};

    fn cells(batch: &arrow::array::RecordBatch) -> Value {
        let rows = batch_rows(batch, "batch").unwrap().into_iter().map(|row| Value::from(row.cells));
        rows.collect()
    }

    #[test]
    fn later_ones_win_part_by_part() {
        let new = |id: &str, name: &str| Judgement::new(id, Kind::Annotation, Grain::Span, name);
        let judgements = [
            Judgement { label: Some("a".into()), score: Some(1.0), ..new("s", "Q") },
            Judgement { label: Some("b".into()), ..new("s", "Q") },
            Judgement { text: Some("one".into()), ..new("t", NOTES_NAME) },
            Judgement { text: Some("two".into()), ..new("t", NOTES_NAME) },
        ];
        let rows = cells(&judgement_batch(&judgements, "context.span_id").unwrap());
        let notes: Value = serde_json::from_str(rows[1]["annotation.notes"].as_str().unwrap()).unwrap();
        assert_eq!((&notes[0]["text"], &notes[1]["text"]), (&json!("one"), &json!("two")));
        let first = json!({"context.span_id": "s", "annotation.Q.label": "b", "annotation.Q.score": 1.0, "annotation.notes": null});
        assert_eq!(rows[0], first);
        assert_eq!(rows[1]["annotation.Q.label"], Value::Null);
    }

    #[test]
    fn patches_of_one_span_are_one() {
        let patch = |document: Value| Patch { span_id: "s".into(), document: document.as_object().unwrap().clone() };
        let patches = [patch(json!({"a": 1, "b": true})), patch(json!({"a": null}))];
        let rows = cells(&patch_batch(&patches).unwrap());
        assert_eq!(rows[0].as_object().unwrap().values().next().unwrap(), r#"{"a":null,"b":"True"}"#);
        assert_eq!(rows.as_array().unwrap().len(), 1);
    }
}
