//! Patch files: values of some columns of some spans, those of one segment after those of another.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt64Array, new_null_array};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt64Type};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::facts::PatchFacts;
use super::overlay::Layer;
use crate::block_sums::BlockSums;
use crate::entries::PatchRef;
use crate::error::{Result, StoreError};
use crate::location::StoreLocation;
use crate::open_columns::{type_of, widen};
use crate::segment_stats::CheckedFile;
use crate::stored::root_mask;
use spanql_model::columns::{SPAN_ID, TRACE_ID};
use spanql_model::types::OpenType;

/// Name of the column of rows in a spans file.
pub(super) const ROW: &str = "row";

/// Key of the facts in the file's own metadata: by segment and column, as JSON.
const FACTS: &str = "spanql.facts";

type Facts = BTreeMap<String, BTreeMap<String, PatchFacts>>;

/// What a patch file is to say of one segment.
pub(crate) struct Piece {
    /// The segment.
    pub(crate) segment: String,
    /// [`ROW`], the ids of spans and traces, and the columns that are patched, in order of rows.
    pub(crate) values: RecordBatch,
    pub(crate) facts: BTreeMap<String, PatchFacts>,
}

/// Writes a patch file of an id: its bytes, and what the manifest says of it on each segment.
pub(crate) fn write(id: &str, pieces: &[Piece]) -> Result<(Vec<u8>, Vec<PatchRef>)> {
    let name = format!("patches/{id}.parquet");
    let schema = schema_of(pieces);
    let facts: Facts = pieces.iter().map(|piece| (piece.segment.clone(), piece.facts.clone())).collect();
    let facts = serde_json::to_string(&facts).map_err(|error| StoreError::Internal(error.to_string()))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_created_by(format!("spanql {}", env!("CARGO_PKG_VERSION")))
        .set_key_value_metadata(Some(vec![KeyValue::new(FACTS.to_owned(), facts)]))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties))
        .map_err(StoreError::parquet(name.clone()))?;
    for piece in pieces {
        // A row group of its own: whoever reads one segment reads no other.
        let write = writer.write(&in_schema(&piece.values, &schema)?).and_then(|()| writer.flush());
        write.map_err(StoreError::parquet(name.clone()))?;
    }
    let bytes = writer.into_inner().map_err(StoreError::parquet(name))?;
    let sums = BlockSums::of(&bytes);
    let mut first = 0;
    let reference = |piece: &Piece| {
        let rows = piece.values.num_rows() as u64;
        let columns = piece.values.schema_ref().fields().iter().map(|field| field.name().clone());
        let columns = columns.filter(|name| ![ROW, TRACE_ID, SPAN_ID].contains(&name.as_str())).collect();
        let (id, bytes, sums) = (id.to_owned(), bytes.len() as u64, sums.clone());
        let reference = PatchRef { id, first, rows, bytes, columns, sums };
        first += rows;
        reference
    };
    let references = pieces.iter().map(reference).collect();
    Ok((bytes, references))
}

/// The columns of all pieces.
fn schema_of(pieces: &[Piece]) -> SchemaRef {
    let mut types: BTreeMap<&str, OpenType> = BTreeMap::new();
    for piece in pieces {
        for (field, array) in piece.values.schema_ref().fields().iter().zip(piece.values.columns()) {
            if let Some(seen) = type_of(array.as_ref()).filter(|_| field.name() != ROW) {
                types.entry(field.name()).and_modify(|known| *known = known.unite(seen)).or_insert(seen);
            }
        }
    }
    let mut fields = vec![Field::new(ROW, DataType::UInt64, false)];
    for id in [TRACE_ID, SPAN_ID] {
        types.remove(id);
        fields.push(Field::new(id, DataType::Utf8, false));
    }
    fields.extend(types.into_iter().map(|(name, open)| Field::new(name, open.data_type(), true)));
    Arc::new(Schema::new(fields))
}

fn in_schema(values: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let column = |field: &Arc<Field>| -> Result<ArrayRef> {
        match values.column_by_name(field.name()) {
            Some(column) => widen(column, field.data_type()),
            None => Ok(new_null_array(field.data_type(), values.num_rows())),
        }
    };
    let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>>>()?;
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(StoreError::arrow("writing a patch"))
}

/// Reads what a patch file says of a segment; with the ids of spans and traces among the values, where these are wanted.
pub(crate) async fn load(location: &StoreLocation, segment: &str, patch: &PatchRef, with_ids: bool) -> Result<Layer> {
    let file = patch.file();
    let bytes = CheckedFile::whole(location, file.clone(), patch.bytes, patch.sums.clone()).bytes().await?;
    let damaged = |reason: String| StoreError::damaged(&file, reason);
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|error| damaged(error.to_string()))?;
    let metadata = builder.metadata().file_metadata();
    let facts = metadata.key_value_metadata().into_iter().flatten().find(|pair| pair.key == FACTS);
    let facts = facts.and_then(|pair| pair.value.as_deref()).ok_or_else(|| damaged("it has no facts".into()))?;
    let mut facts: Facts = serde_json::from_str(facts).map_err(|error| damaged(error.to_string()))?;
    let facts = facts.remove(segment).ok_or_else(|| damaged("it says nothing of the segment".into()))?;

    let mut names = vec![ROW];
    names.extend([TRACE_ID, SPAN_ID].into_iter().filter(|_| with_ids));
    names.extend(patch.columns.iter().map(String::as_str));
    let mask = root_mask(builder.parquet_schema(), &names);
    let all = builder.metadata().file_metadata().num_rows() as usize;
    let range = patch.first as usize..(patch.first + patch.rows) as usize;
    if range.end > all {
        return Err(damaged(format!("it has {all} rows where {} were", range.end)));
    }
    let selection = RowSelection::from_consecutive_ranges(std::iter::once(range), all);
    let reader = builder.with_projection(mask).with_row_selection(selection).build();
    let reader = reader.map_err(|error| damaged(error.to_string()))?;
    let schema = arrow::array::RecordBatchReader::schema(&reader);
    let batches = reader.collect::<std::result::Result<Vec<_>, _>>().map_err(|error| damaged(error.to_string()))?;
    let read = concat_batches(&schema, &batches).map_err(|error| damaged(error.to_string()))?;
    let at = schema.index_of(ROW).map_err(|error| damaged(error.to_string()))?;
    let rows: &UInt64Array =
        read.column(at).as_primitive_opt::<UInt64Type>().ok_or_else(|| damaged("its rows are no numbers".into()))?;
    let rows = rows.values().to_vec();
    if !rows.is_sorted_by(|a, b| a < b) {
        return Err(damaged("its rows are not in order".into()));
    }
    let others: Vec<usize> = (0..read.num_columns()).filter(|&column| column != at).collect();
    let values = read.project(&others).map_err(|error| damaged(error.to_string()))?;
    Ok(Layer { rows, values, facts })
}
