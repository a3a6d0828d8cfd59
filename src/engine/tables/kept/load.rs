//! Columns of row groups: those that are kept, and those that are decoded now.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, Int32Array, Int32Builder, StringDictionaryBuilder,
    new_null_array,
};
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, Field, Float64Type, Int32Type, Schema};
use datafusion::common::{DataFusionError, Result};
use futures::TryStreamExt;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection};
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::basic::{Encoding, PageType};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

use super::select::plain;
use spanql_store::{ColumnKey, KeptColumn, Segment, SegmentFile, SegmentReader, Segments, floats_to_text};

/// Rows of a batch, as DataFusion has them by default. Columns are kept in such batches, so that none is cut from a larger one:
/// whoever counts the memory of rows counts all that lies behind them.
pub(super) const BATCH_ROWS: usize = 8192;

/// Values of a dictionary beyond which it saves little.
const FEW_VALUES: usize = 4096;

/// A column of the table.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) name: Arc<str>,
    pub(super) data_type: DataType,
}

/// One file of a segment that is read.
pub(super) struct Open {
    segments: Segments,
    segment: Arc<str>,
    which: SegmentFile,
    reader: SegmentReader,
    pub(super) metadata: Arc<ParquetMetaData>,
}

impl Open {
    pub(super) async fn new(segments: &Segments, segment: &Segment, which: SegmentFile) -> Result<Self> {
        let mut reader = segments.reader(segment, which);
        let metadata = reader.get_metadata(None).await?;
        Ok(Self { segments: segments.clone(), segment: segment.id.as_str().into(), which, reader, metadata })
    }

    /// The place of a column in the file, among the columns of the table.
    fn place(&self, name: &str) -> Option<usize> {
        let root = self.metadata.file_metadata().schema_descr().root_schema();
        root.get_fields().iter().position(|field| field.name() == name)
    }

    fn key(&self, group: usize, wanted: &Wanted) -> ColumnKey {
        let (segment, column) = (Arc::clone(&self.segment), Arc::clone(&wanted.name));
        ColumnKey { segment, which: self.which, group, column, data_type: wanted.data_type.clone() }
    }

    /// About how many bytes of columns that are not kept a row group has.
    pub(super) fn missing_bytes(&self, group: usize, columns: &[Wanted]) -> usize {
        let chunks = self.metadata.row_group(group).columns();
        let missing = columns.iter().filter(|wanted| !self.segments.columns().has(&self.key(group, wanted)));
        let of = |name: &str| {
            let chunks =
                chunks.iter().filter(move |chunk| chunk.column_path().parts().first().is_some_and(|part| part == name));
            chunks.map(|chunk| usize::try_from(chunk.uncompressed_size()).unwrap_or_default()).sum::<usize>()
        };
        missing.map(|wanted| of(&wanted.name)).sum()
    }

    /// Whether some of these columns are neither kept nor were asked for before.
    pub(super) fn is_first_time(&self, group: usize, columns: &[Wanted]) -> bool {
        let kept = self.segments.columns();
        let keys = columns.iter().map(|wanted| self.key(group, wanted)).filter(|key| !kept.has(key));
        // All of them are noted.
        keys.filter(|key| !kept.was_asked(key)).count() > 0
    }

    /// Columns of a row group, in batches of [`BATCH_ROWS`]; what was not kept is, if it fits into `room` bytes.
    pub(super) async fn columns(&self, group: usize, columns: &[Wanted], room: usize) -> Result<Vec<Arc<KeptColumn>>> {
        let kept = self.segments.columns();
        let mut found: Vec<Option<Arc<KeptColumn>>> =
            columns.iter().map(|wanted| kept.get(&self.key(group, wanted))).collect();
        let rows = usize::try_from(self.metadata.row_group(group).num_rows()).unwrap_or_default();
        let mut missing = Vec::new();
        for (place, wanted) in
            columns.iter().enumerate().filter(|(place, _)| found[*place].is_none()).collect::<Vec<_>>()
        {
            match self.place(&wanted.name) {
                Some(_) => missing.push(place),
                None => found[place] = Some(Arc::new(KeptColumn::new(nulls(&wanted.data_type, rows)))),
            }
        }
        if !missing.is_empty() {
            let wanted: Vec<Wanted> = missing.iter().map(|place| columns[*place].clone()).collect();
            let decoded = self.decode(group, &wanted, None, BATCH_ROWS).await?;
            for (place, batches) in missing.into_iter().zip(decoded) {
                let column = Arc::new(KeptColumn::new(few_texts(&batches)?.unwrap_or(batches)));
                kept.keep(self.key(group, &columns[place]), &column, room);
                found[place] = Some(column);
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    /// Some rows of columns of a row group, at most so many a batch; nothing is kept.
    pub(super) async fn rows(&self, group: usize, columns: &[Wanted], rows: RowSelection) -> Result<Vec<ArrayRef>> {
        let count = rows.row_count();
        let (there, absent): (Vec<_>, Vec<_>) =
            columns.iter().cloned().partition(|wanted| self.place(&wanted.name).is_some());
        let mut decoded = match there.is_empty() {
            true => Vec::new(),
            false => self.decode(group, &there, Some(rows), count.max(1)).await?,
        };
        decoded.extend(absent.iter().map(|wanted| vec![new_null_array(&wanted.data_type, count)]));
        let names = there.iter().chain(&absent).map(|wanted| &wanted.name);
        let mut by_name: std::collections::HashMap<_, _> = names.cloned().zip(decoded).collect();
        let one = |wanted: &Wanted| {
            let batches = by_name.remove(&wanted.name).unwrap_or_default();
            let batches: Vec<&dyn Array> = batches.iter().map(AsRef::as_ref).collect();
            Ok(concat(&batches)?)
        };
        columns.iter().map(one).collect()
    }

    /// Some rows of columns, kept or not; nothing is kept.
    pub(super) async fn some(&self, group: usize, columns: &[Wanted], rows: &BooleanArray) -> Result<Vec<ArrayRef>> {
        let kept = self.segments.columns();
        let found: Vec<_> = columns.iter().map(|wanted| kept.get(&self.key(group, wanted))).collect();
        let missing = columns.iter().zip(&found).filter(|(_, found)| found.is_none());
        let missing: Vec<Wanted> = missing.map(|(wanted, _)| wanted.clone()).collect();
        let read = match missing.is_empty() {
            true => Vec::new(),
            false => self.rows(group, &missing, RowSelection::from_filters(std::slice::from_ref(rows))).await?,
        };
        let mut read = read.into_iter();
        let mut some = Vec::with_capacity(columns.len());
        for (wanted, found) in columns.iter().zip(found) {
            let Some(column) = found else {
                some.extend(read.next());
                continue;
            };
            let mut parts = Vec::new();
            for (number, batch) in column.batches.iter().enumerate() {
                let rows = rows.slice(number * BATCH_ROWS, batch.len());
                if rows.true_count() > 0 {
                    parts.push(plain(batch, Some(&rows), &wanted.data_type)?);
                }
            }
            some.push(concat(&parts.iter().map(AsRef::as_ref).collect::<Vec<_>>())?);
        }
        Ok(some)
    }

    /// Decodes columns that the file has, in the types of the table; texts that are dictionaries in the file may stay so.
    async fn decode(
        &self,
        group: usize,
        columns: &[Wanted],
        rows: Option<RowSelection>,
        batch_rows: usize,
    ) -> Result<Vec<Vec<ArrayRef>>> {
        let plain = ArrowReaderMetadata::try_new(Arc::clone(&self.metadata), ArrowReaderOptions::new())?;
        let places: Vec<usize> = columns.iter().filter_map(|wanted| self.place(&wanted.name)).collect();
        let chunks = self.metadata.row_group(group).columns();
        let is_coded = |name: &str| {
            let chunk = chunks.iter().find(|chunk| chunk.column_path().parts() == [name]);
            chunk.is_some_and(is_all_dictionary)
        };
        let wanted =
            |name: &str| columns.iter().any(|wanted| *wanted.name == *name && wanted.data_type == DataType::Utf8);
        let fields = plain.schema().fields().iter().map(|field| match field.data_type() {
            DataType::Utf8 if wanted(field.name()) && is_coded(field.name()) => {
                let coded = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
                Arc::new(Field::new(field.name(), coded, field.is_nullable()))
            }
            _ => Arc::clone(field),
        });
        let schema = Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), plain.schema().metadata().clone()));
        let options = ArrowReaderOptions::new().with_schema(schema);
        let metadata = ArrowReaderMetadata::try_new(Arc::clone(&self.metadata), options)?;
        let mask = ProjectionMask::roots(self.metadata.file_metadata().schema_descr(), places);
        let builder = ParquetRecordBatchStreamBuilder::new_with_metadata(self.reader.clone(), metadata)
            .with_row_groups(vec![group])
            .with_projection(mask)
            .with_batch_size(batch_rows);
        let builder = match rows {
            Some(rows) => builder.with_row_selection(rows),
            None => builder,
        };
        let mut batches = builder.build()?;
        let mut decoded = vec![Vec::new(); columns.len()];
        while let Some(batch) = batches.try_next().await? {
            for (wanted, decoded) in columns.iter().zip(&mut decoded) {
                let column = batch.column_by_name(&wanted.name).ok_or_else(|| {
                    DataFusionError::Internal(format!("column {} was read and is not there", wanted.name))
                })?;
                decoded.push(fitted(column, &wanted.data_type)?);
            }
        }
        Ok(decoded)
    }
}

/// Whether all values of a chunk are numbers of its dictionary.
fn is_all_dictionary(chunk: &ColumnChunkMetaData) -> bool {
    let is_dictionary = |encoding: Encoding| matches!(encoding, Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY);
    if chunk.dictionary_page_offset().is_none() {
        return false;
    }
    if let Some(mask) = chunk.page_encoding_stats_mask() {
        return mask.is_only(Encoding::PLAIN_DICTIONARY) || mask.is_only(Encoding::RLE_DICTIONARY);
    }
    chunk.page_encoding_stats().is_some_and(|stats| {
        let is_data = |page: PageType| matches!(page, PageType::DATA_PAGE | PageType::DATA_PAGE_V2);
        stats.iter().filter(|page| is_data(page.page_type)).all(|page| is_dictionary(page.encoding))
    })
}

/// Values in the type of the table, or as a dictionary of few texts.
fn fitted(column: &ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    if column.data_type() == data_type {
        return Ok(Arc::clone(column));
    }
    if let Some(coded) = column.as_dictionary_opt::<Int32Type>() {
        return match coded.values().len() <= FEW_VALUES {
            true => Ok(Arc::clone(column)),
            false => Ok(cast(column, data_type)?),
        };
    }
    match (column.as_primitive_opt::<Float64Type>(), data_type) {
        // Numbers that share a column with text have one text form.
        (Some(numbers), DataType::Utf8) => Ok(Arc::new(floats_to_text(numbers))),
        _ => Ok(cast(column, data_type)?),
    }
}

/// Texts of which there are few as codes of one dictionary: the file has them in full where its dictionary would have grown
/// too large. `None` for other values, and for texts of which already the first batch has many.
fn few_texts(batches: &[ArrayRef]) -> Result<Option<Vec<ArrayRef>>> {
    let mut coded = StringDictionaryBuilder::<Int32Type>::new();
    let mut keys = Vec::with_capacity(batches.len());
    for batch in batches {
        let Some(texts) = batch.as_string_opt::<i32>() else { return Ok(None) };
        let mut own = Int32Builder::with_capacity(texts.len());
        let (mut few, most) = (true, FEW_VALUES.min(texts.len() / 4) as i32);
        for text in texts {
            let key = text.map(|text| coded.append(text)).transpose()?;
            few &= key.is_none_or(|key| key < most || (!keys.is_empty() && key < FEW_VALUES as i32));
            if !few {
                return Ok(None);
            }
            own.append_option(key);
        }
        keys.push(own.finish());
    }
    let values = Arc::clone(coded.finish().values());
    let column =
        |keys: Int32Array| -> Result<ArrayRef> { Ok(Arc::new(DictionaryArray::try_new(keys, Arc::clone(&values))?)) };
    keys.into_iter().map(column).collect::<Result<_>>().map(Some)
}

fn nulls(data_type: &DataType, rows: usize) -> Vec<ArrayRef> {
    let whole = new_null_array(data_type, rows.min(BATCH_ROWS));
    let starts = (0..rows).step_by(BATCH_ROWS);
    starts.map(|start| whole.slice(0, BATCH_ROWS.min(rows - start))).collect()
}
