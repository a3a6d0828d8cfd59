//! JSON as a table: objects one after the other, or a list of them.

use std::io::Cursor;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use arrow::json::reader::infer_json_schema;
use spanql_model::json::elements;

pub(super) fn read(text: &str) -> Result<RecordBatch, ArrowError> {
    let listed = text.trim_start().starts_with('[');
    let lines = match elements(text).filter(|_| listed) {
        Some(elements) => elements.iter().map(|element| element.written().into_owned()).collect::<Vec<_>>().join("\n"),
        None if listed => return Err(ArrowError::JsonError("it is no JSON list".to_owned())),
        None => text.to_owned(),
    };
    let (schema, _) = infer_json_schema(Cursor::new(lines.as_str()), None)?;
    let schema = Arc::new(schema);
    let reader = ReaderBuilder::new(Arc::clone(&schema)).build(Cursor::new(lines.as_str()))?;
    concat_batches(&schema, &reader.collect::<Result<Vec<_>, _>>()?)
}
