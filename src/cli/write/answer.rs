//! What became of a write: how many were meant, how many were written, and why others were not.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use arrow::array::{ArrayRef, Int64Array, ListArray, RecordBatch, StringArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields};
use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::context::Context;
use spanql_store::home_path;

/// The answer to a write, in the fields of the vendor's own.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) processed: u64,
    pub(super) updated: u64,
    /// Ids that were not written, and why.
    pub(super) errors: Vec<(String, String)>,
}

/// The fields in the order in which the vendor has them.
#[derive(Serialize)]
struct Object {
    spans_processed: u64,
    spans_updated: u64,
    spans_failed: u64,
    errors: Vec<Value>,
}

impl Answer {
    /// Writes it: as one object where JSON is asked for, else as a row.
    pub(super) fn write(&self, context: &Context, output: Option<&str>) -> anyhow::Result<()> {
        if output == Some("json") {
            return context.print(&self.object()?);
        }
        context.write(output, &self.row()?)
    }

    fn failed(&self) -> u64 {
        self.errors.len() as u64
    }

    fn object(&self) -> serde_json::Result<String> {
        let error = |(id, reason): &(String, String)| json!({"span_id": id, "error_message": reason});
        serde_json::to_string(&Object {
            spans_processed: self.processed,
            spans_updated: self.updated,
            spans_failed: self.failed(),
            errors: self.errors.iter().map(error).collect(),
        })
    }

    fn row(&self) -> anyhow::Result<RecordBatch> {
        let number = |number: u64| -> ArrayRef { Arc::new(Int64Array::from(vec![number as i64])) };
        let fields =
            Fields::from(["span_id", "error_message"].map(|name| Field::new(name, DataType::Utf8, true)).to_vec());
        let ids: ArrayRef = Arc::new(StringArray::from_iter_values(self.errors.iter().map(|(id, _)| id)));
        let reasons: ArrayRef = Arc::new(StringArray::from_iter_values(self.errors.iter().map(|(_, reason)| reason)));
        let errors = StructArray::try_new(fields.clone(), vec![ids, reasons], None)?;
        let item = Arc::new(Field::new("item", DataType::Struct(fields), true));
        let errors = ListArray::try_new(item, OffsetBuffer::from_lengths([self.errors.len()]), Arc::new(errors), None)?;
        Ok(RecordBatch::try_from_iter_with_nullable([
            ("spans_processed", number(self.processed), true),
            ("spans_updated", number(self.updated), true),
            ("spans_failed", number(self.failed()), true),
            ("errors", Arc::new(errors) as ArrayRef, true),
        ])?)
    }
}

/// Writes rows as JSON lines for the same command to take again.
pub(super) fn keep(context: &Context, path: Option<&Path>, rows: &[Value]) -> anyhow::Result<()> {
    let Some(path) = path else { return Ok(()) };
    let path = home_path(path);
    let name = path.display().to_string();
    let write = || -> std::io::Result<()> {
        let mut file = BufWriter::new(File::create(&path)?);
        rows.iter().try_for_each(|row| writeln!(file, "{row}"))?;
        file.flush()
    };
    write().with_context(|| format!("cannot write {name}"))?;
    if !rows.is_empty() {
        context.note(&format!("what was not taken is in {name}: the same command takes it again"));
    }
    Ok(())
}
