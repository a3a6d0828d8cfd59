//! Results as files for other tools: Parquet and Arrow IPC.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::Error;

/// Row groups end at these limits, which bounds the memory that one takes while it is built.
const GROUP_ROWS: usize = 128 << 10;
const GROUP_BYTES: usize = 64 << 20;

/// Writes a zstd-compressed Parquet file; not seekable destinations are fine.
pub(super) struct ParquetSink<W: Write + Send> {
    schema: SchemaRef,
    writer: ArrowWriter<W>,
}

impl<W: Write + Send> ParquetSink<W> {
    pub(super) fn new(out: W, schema: &Schema) -> Result<Self, Error> {
        let schema = common_schema(schema);
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_max_row_group_bytes(Some(GROUP_BYTES))
            .build();
        let writer = ArrowWriter::try_new(out, Arc::clone(&schema), Some(properties))?;
        Ok(Self { schema, writer })
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        Ok(self.writer.write(&to_schema(batch, &self.schema)?)?)
    }

    pub(super) fn finish(mut self) -> Result<(), Error> {
        self.writer.finish()?;
        Ok(())
    }
}

/// Writes an Arrow IPC file, uncompressed so that every reader can map it.
pub(super) struct ArrowSink<W: Write> {
    schema: SchemaRef,
    writer: FileWriter<W>,
}

impl<W: Write> ArrowSink<W> {
    pub(super) fn new(out: W, schema: &Schema) -> Result<Self, Error> {
        let schema = common_schema(schema);
        let writer = FileWriter::try_new(out, &schema)?;
        Ok(Self { schema, writer })
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        Ok(self.writer.write(&to_schema(batch, &self.schema)?)?)
    }

    pub(super) fn finish(mut self) -> Result<(), Error> {
        self.writer.finish()?;
        Ok(self.writer.into_inner()?.flush()?)
    }
}

/// The schema of a result in types that every tool reads.
///
/// Views and dictionaries are forms of processing, and dictionaries may not change within an IPC file.
/// Columns are nullable, because expressions are not always exact about it.
pub fn common_schema(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        Field::new(field.name(), common_type(field.data_type()), true).with_metadata(field.metadata().clone())
    });
    Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone()))
}

fn common_type(data_type: &DataType) -> DataType {
    let inner = |field: &FieldRef| Arc::new(field.as_ref().clone().with_data_type(common_type(field.data_type())));
    match data_type {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, value) => common_type(value),
        DataType::List(field) => DataType::List(inner(field)),
        DataType::LargeList(field) => DataType::LargeList(inner(field)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect()),
        other => other.clone(),
    }
}

/// The same rows in the types of such a schema.
///
/// # Errors
/// When a value does not fit its type there.
pub fn to_schema(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| {
        if column.data_type() == field.data_type() { Ok(Arc::clone(column)) } else { cast(column, field.data_type()) }
    });
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns.collect::<Result<_, _>>()?, &options)
}
