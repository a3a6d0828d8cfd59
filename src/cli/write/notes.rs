//! Notes that spans have already: the list is written as a whole, so what is new goes behind them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use serde_json::Value;

use super::rows;
use crate::cli::context::Context;
use spanql_model::columns::NOTES;

/// Spans whose notes one statement asks for.
const TOGETHER: usize = 1_000;

/// The batch with the notes that its spans have before the new ones; the same text by the same author is noted once.
pub(super) async fn behind_earlier(
    context: &Context,
    project: &str,
    batch: RecordBatch,
) -> anyhow::Result<RecordBatch> {
    let Ok(at) = batch.schema_ref().index_of(NOTES) else { return Ok(batch) };
    let context = context.clone_for(None, Some(project));
    let ids = batch.column(0).as_string::<i32>();
    let noted = batch.column(at).as_string::<i32>();
    let of: Vec<&str> = ids.iter().zip(noted).filter_map(|(id, new)| new.and(id)).collect();
    let mut earlier: HashMap<String, Vec<Value>> = HashMap::new();
    for ids in of.chunks(TOGETHER) {
        let list: Vec<String> = ids.iter().map(|id| format!("'{}'", id.replace('\'', "''"))).collect();
        let sql = format!(
            "SELECT context.span_id AS id, {NOTES} AS notes FROM spans WHERE {NOTES} IS NOT NULL AND context.span_id IN ({})",
            list.join(", ")
        );
        for row in rows::asked(&context, &sql).await? {
            let text = |name: &str| row.cells.get(name).and_then(Value::as_str).unwrap_or_default();
            // What is no list is a note of its own.
            let list = serde_json::from_str(text("notes")).unwrap_or_else(|_| vec![Value::from(text("notes"))]);
            earlier.insert(text("id").to_owned(), list);
        }
    }
    let joined = ids.iter().zip(noted).map(|(id, new)| joined(earlier.get(id?).map_or(&[][..], Vec::as_slice), new?));
    let joined: ArrayRef = Arc::new(joined.collect::<StringArray>());
    let mut columns = batch.columns().to_vec();
    columns[at] = joined;
    Ok(RecordBatch::try_new(batch.schema(), columns)?)
}

fn joined(earlier: &[Value], new: &str) -> Option<String> {
    let new: Vec<Value> = serde_json::from_str(new).ok()?;
    let same = |a: &Value, b: &Value| a.get("text") == b.get("text") && a.get("updated_by") == b.get("updated_by");
    let added = new.into_iter().filter(|note| !earlier.iter().any(|known| same(known, note)));
    Some(Value::from(earlier.iter().cloned().chain(added).collect::<Vec<_>>()).to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::joined;

    #[test]
    fn what_is_noted_stays() {
        let earlier = [json!({"text": "a", "updated_by": "x", "annotator_kind": "HUMAN"})];
        let new = r#"[{"text":"a","updated_by":"x","updated_at":1},{"text":"a","updated_by":"y"}]"#;
        let list: Value = serde_json::from_str(&joined(&earlier, new).unwrap()).unwrap();
        assert_eq!(list, json!([earlier[0], {"text": "a", "updated_by": "y"}]));
        assert_eq!(joined(&[], "[]").unwrap(), "[]");
    }
}
