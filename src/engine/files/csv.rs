//! CSV as a table: a header, and cells of one type a column.

use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat_batches;
use arrow::csv::ReaderBuilder;
use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;

use super::typed::typed;

pub(super) fn read(text: &str) -> Result<RecordBatch, ArrowError> {
    let delimiter = delimiter(text);
    let format = Format::default().with_header(true).with_delimiter(delimiter);
    let (header, _) = format.infer_schema(Cursor::new(text), Some(0))?;
    let fields: Vec<Field> =
        header.fields().iter().map(|field| Field::new(field.name(), DataType::Utf8, true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let reader =
        ReaderBuilder::new(Arc::clone(&schema)).with_header(true).with_delimiter(delimiter).build(Cursor::new(text))?;
    let texts = concat_batches(&schema, &reader.collect::<Result<Vec<_>, _>>()?)?;
    let columns: Vec<(String, ArrayRef, bool)> = schema
        .fields()
        .iter()
        .zip(texts.columns())
        .map(|(field, column)| (field.name().clone(), typed(field.name(), column), true))
        .collect();
    RecordBatch::try_from_iter_with_nullable(columns)
}

/// What parts the header into most cells: a comma, a semicolon, a tab or a bar.
fn delimiter(text: &str) -> u8 {
    let (mut counts, mut quoted) = ([(b',', 0_usize), (b';', 0), (b'\t', 0), (b'|', 0)], false);
    for byte in text.bytes().take_while(|byte| !matches!(byte, b'\r' | b'\n')) {
        quoted ^= byte == b'"';
        if let Some((_, count)) = counts.iter_mut().find(|(delimiter, _)| *delimiter == byte && !quoted) {
            *count += 1;
        }
    }
    counts.into_iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(delimiter, _)| delimiter)
}
