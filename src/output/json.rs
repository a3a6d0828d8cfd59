//! JSON: one array of objects, or one object a line.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;

use super::Error;
use super::buffer::Buffer;
use super::encode::{Encoder, Style};
use super::json_text::push_string;

/// Writes objects keyed by column name, nulls kept.
pub(super) struct JsonWriter<W> {
    out: Buffer<W>,
    /// Per column what stands before its value: `{"a":`, then `,"b":`.
    keys: Vec<Vec<u8>>,
    /// One array rather than one object a line.
    array: bool,
    empty: bool,
}

impl<W: Write> JsonWriter<W> {
    pub(super) fn new(out: W, schema: &Schema, array: bool) -> Self {
        let keys = schema.fields().iter().enumerate().map(|(at, field)| {
            let mut key = vec![if at == 0 { b'{' } else { b',' }];
            push_string(field.name(), &mut key);
            key.push(b':');
            key
        });
        Self { out: Buffer::new(out), keys: keys.collect(), array, empty: true }
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let encoders =
            batch.columns().iter().map(|c| Encoder::new(c.as_ref(), Style::Json)).collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let bytes = &mut self.out.bytes;
            if self.array {
                bytes.extend_from_slice(if self.empty { b"[\n" } else { b",\n" });
            }
            self.empty = false;
            if self.keys.is_empty() {
                bytes.push(b'{');
            }
            for (key, encoder) in self.keys.iter().zip(&encoders) {
                bytes.extend_from_slice(key);
                encoder.value_or_null(row, bytes);
            }
            bytes.push(b'}');
            if !self.array {
                bytes.push(b'\n');
            }
            self.out.row_done()?;
        }
        Ok(self.out.pass_on()?)
    }

    pub(super) fn finish(mut self) -> Result<(), Error> {
        if self.array {
            self.out.bytes.extend_from_slice(if self.empty { b"[]\n" } else { b"\n]\n" });
        }
        Ok(self.out.finish()?)
    }
}
