//! What the spans that a patch is for will have: the last of its values, whole metadata, and all notes.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, UInt64Array, new_null_array};
use arrow::compute::interleave;
use arrow::datatypes::{Field, Schema};

use super::file::ROW;
use super::merge_patch::merge_patch;
use super::notes::with_notes;
use super::patch::Patch;
use super::targets::{Ids, PatchRow, Target};
use crate::error::{Result, StoreError};
use crate::open_columns::{Unpacked, type_of, widen};
use spanql_model::columns::{METADATA, METADATA_PATCH, METADATA_PREFIX, NOTES, SESSION_ID, SPAN_ID, TRACE_ID};
use spanql_model::types::OpenType;

/// The columns of a patch in one type each, over all of its batches.
pub(super) struct Values {
    types: BTreeMap<String, OpenType>,
    /// By name: a column a batch, then a null.
    columns: BTreeMap<String, Vec<ArrayRef>>,
    /// Metadata patches, by batch.
    metadata: Vec<Option<StringArray>>,
    /// Where every column has null.
    nowhere: (usize, usize),
}

impl Values {
    pub(super) fn of(patch: &Patch) -> Result<Self> {
        let mut types: BTreeMap<String, OpenType> = BTreeMap::new();
        for batch in &patch.batches {
            for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
                let name = field.name().as_str();
                if ![TRACE_ID, SPAN_ID, SESSION_ID, METADATA_PATCH].contains(&name)
                    && let Some(seen) = type_of(array.as_ref())
                {
                    types.entry(name.to_owned()).and_modify(|known| *known = known.unite(seen)).or_insert(seen);
                }
            }
        }
        let mut columns = BTreeMap::new();
        for (name, open) in &types {
            let data_type = open.data_type();
            let null = new_null_array(&data_type, 1);
            let of_batch = |batch: &RecordBatch| match batch.column_by_name(name) {
                Some(column) => widen(column, &data_type),
                None => Ok(new_null_array(&data_type, batch.num_rows())),
            };
            let mut sources = patch.batches.iter().map(of_batch).collect::<Result<Vec<_>>>()?;
            sources.push(null);
            columns.insert(name.clone(), sources);
        }
        let documents = |batch: &RecordBatch| {
            batch.column_by_name(METADATA_PATCH).and_then(|column| column.as_string_opt::<i32>()).cloned()
        };
        let metadata = patch.batches.iter().map(documents).collect();
        Ok(Self { types, columns, metadata, nowhere: (patch.batches.len(), 0) })
    }

    /// The open columns that are written, with their types.
    pub(super) fn types(&self) -> BTreeMap<String, OpenType> {
        self.types.clone()
    }

    /// Whether metadata are patched.
    pub(super) fn patches_metadata(&self) -> bool {
        self.metadata.iter().flatten().any(|documents| documents.null_count() < documents.len())
    }

    /// Whether any of the rows patches metadata.
    fn has_metadata(&self, rows: &[PatchRow]) -> bool {
        rows.iter().any(|row| self.document(*row).is_some())
    }

    /// What a row notes.
    fn note(&self, (batch, row): PatchRow) -> Option<&str> {
        let notes = self.columns.get(NOTES)?.get(batch as usize)?.as_string_opt::<i32>()?;
        notes.is_valid(row as usize).then(|| notes.value(row as usize))
    }

    fn document(&self, (batch, row): PatchRow) -> Option<&str> {
        let documents = self.metadata[batch as usize].as_ref()?;
        documents.is_valid(row as usize).then(|| documents.value(row as usize))
    }
}

/// Spans of one segment with the rows of a patch that are for them, by row of the spans file.
pub(super) struct Meant {
    /// Their rows in the spans file.
    rows: Vec<u64>,
    /// For each of them the rows of the patch, in order.
    written: Vec<Vec<PatchRow>>,
    trace_ids: StringArray,
    span_ids: StringArray,
}

/// The rows of the spans file that targets, which come in order, are in.
pub(super) fn rows_of(targets: &[Target]) -> Vec<u64> {
    let mut rows: Vec<u64> = targets.iter().map(|target| target.row).collect();
    // Two sessions may begin with one span.
    rows.dedup();
    rows
}

impl Meant {
    /// The targets, of whose rows these are the ids of trace and span.
    pub(super) fn of(targets: &[Target], known: &RecordBatch, ids: &Ids<'_>) -> Result<Self> {
        let rows = rows_of(targets);
        let column = |name: &str| known.column_by_name(name).and_then(|column| column.as_string_opt::<i32>()).cloned();
        let missing = || StoreError::Internal("spans were found without their ids".into());
        let (trace_ids, span_ids) = (column(TRACE_ID).ok_or_else(missing)?, column(SPAN_ID).ok_or_else(missing)?);
        let mut written: Vec<Vec<PatchRow>> = vec![Vec::new(); rows.len()];
        let mut at = 0;
        for target in targets {
            at += usize::from(rows[at] != target.row);
            written[at].extend(ids.rows_for(target.id, trace_ids.value(at)));
        }
        written.iter_mut().for_each(|rows| rows.sort_unstable());
        Ok(Self { rows, written, trace_ids, span_ids })
    }

    /// Rows of the spans file whose metadata are patched.
    pub(super) fn with_metadata(&self, values: &Values) -> Vec<u64> {
        let patched = self.rows.iter().zip(&self.written).filter(|(_, rows)| values.has_metadata(rows));
        patched.map(|(row, _)| *row).collect()
    }

    /// Rows of the spans file on which something is noted.
    pub(super) fn with_notes(&self, values: &Values) -> Vec<u64> {
        let is_noted = |rows: &[PatchRow]| rows.iter().any(|row| values.note(*row).is_some());
        let noted = self.rows.iter().zip(&self.written).filter(|(_, rows)| is_noted(rows));
        noted.map(|(row, _)| *row).collect()
    }

    /// What the spans will have: [`ROW`], their ids, and the columns that have values.
    ///
    /// `metadata` are the texts that the spans with patched metadata have now, in order, and `notes` those that the spans
    /// have on which something is noted.
    pub(super) fn resolve(
        &self,
        values: &Values,
        metadata: &[Option<String>],
        notes: &[Option<String>],
    ) -> Result<Resolved> {
        let mut columns: Vec<(String, ArrayRef)> = vec![
            (ROW.to_owned(), Arc::new(UInt64Array::from(self.rows.clone()))),
            (TRACE_ID.to_owned(), Arc::new(self.trace_ids.clone())),
            (SPAN_ID.to_owned(), Arc::new(self.span_ids.clone())),
        ];
        if !notes.is_empty() {
            columns.push((NOTES.to_owned(), self.notes(values, notes)));
        }
        let others = values.columns.iter().filter(|(name, _)| notes.is_empty() || *name != NOTES);
        for (name, sources) in others {
            let last = |rows: &[PatchRow]| {
                let places = rows.iter().rev().map(|&(batch, row)| (batch as usize, row as usize));
                places.into_iter().find(|&(batch, row)| sources[batch].is_valid(row)).unwrap_or(values.nowhere)
            };
            let places: Vec<_> = self.written.iter().map(|rows| last(rows)).collect();
            let sources: Vec<&dyn Array> = sources.iter().map(AsRef::as_ref).collect();
            let array = interleave(&sources, &places).map_err(StoreError::arrow(format!("patching {name}")))?;
            if array.null_count() < array.len() {
                columns.push((name.clone(), array));
            }
        }
        let keys = self.add_metadata(values, metadata, &mut columns)?;
        let fields: Vec<Field> =
            columns.iter().map(|(name, array)| Field::new(name, array.data_type().clone(), true)).collect();
        let arrays = columns.into_iter().map(|(_, array)| array).collect();
        let values = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays);
        Ok(Resolved { values: values.map_err(StoreError::arrow("patching spans"))?, keys })
    }

    /// The notes that the spans will have: what is new behind those that they have.
    fn notes(&self, values: &Values, before: &[Option<String>]) -> ArrayRef {
        let mut before = before.iter();
        let texts = self.written.iter().map(|rows| {
            let mut new = rows.iter().filter_map(|row| values.note(*row)).peekable();
            new.peek()?;
            let text = before.next().cloned().flatten();
            new.fold(text, |text, new| Some(with_notes(text.as_deref(), new)))
        });
        Arc::new(texts.collect::<StringArray>())
    }

    /// Adds the metadata that the spans will have; how many more of them have each key then.
    fn add_metadata(
        &self,
        values: &Values,
        metadata: &[Option<String>],
        columns: &mut Vec<(String, ArrayRef)>,
    ) -> Result<BTreeMap<String, i64>> {
        let mut keys = BTreeMap::new();
        if metadata.is_empty() {
            return Ok(keys);
        }
        let mut known = Unpacked::default();
        let mut before = metadata.iter();
        let mut texts: Vec<Option<String>> = Vec::with_capacity(self.rows.len());
        let mut unpacked = Unpacked::default();
        for (at, rows) in self.written.iter().enumerate() {
            if !values.has_metadata(rows) {
                texts.push(None);
                continue;
            }
            let mut text = before.next().cloned().flatten();
            if let Some(text) = &text {
                known.add_object(at, METADATA_PREFIX, text);
            }
            for document in rows.iter().filter_map(|row| values.document(*row)) {
                text = Some(merge_patch(text.as_deref(), document)?);
            }
            let text = text.unwrap_or_default();
            unpacked.add_object(at, METADATA_PREFIX, &text);
            texts.push(Some(text));
        }
        for (name, count) in unpacked.counts() {
            *keys.entry(name.to_owned()).or_default() += count as i64;
        }
        for (name, count) in known.counts() {
            *keys.entry(name.to_owned()).or_default() -= count as i64;
        }
        let rows = texts.len();
        columns.push((METADATA.to_owned(), Arc::new(StringArray::from(texts))));
        columns.extend(unpacked.finish(rows));
        Ok(keys)
    }
}

/// What spans will have.
pub(super) struct Resolved {
    pub(super) values: RecordBatch,
    /// How many spans more have each key of metadata.
    pub(super) keys: BTreeMap<String, i64>,
}

/// How many of a segment's spans each id was written on is added.
pub(super) fn count(targets: &[Target], counts: &mut [u64]) {
    for target in targets {
        counts[target.id as usize] += 1;
    }
}
