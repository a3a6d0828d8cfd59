//! What the spans that a patch is for will have: the last of its values, and whole metadata.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, UInt64Array, new_null_array};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, Field, Schema};

use super::merge_patch::merge_patch;
use super::patch::Patch;
use super::targets::{Ids, PatchRow, Target};
use crate::error::{Result, StoreError};
use crate::open_columns::{Unpacked, type_of, widen};
use crate::packed::finish_or_pack;
use spanql_model::columns::{METADATA, METADATA_PATCH, METADATA_PREFIX, SESSION_ID, SPAN_ID, TRACE_ID};
use spanql_model::types::OpenType;

/// Name of the column of rows in a spans file.
pub(super) const ROW: &str = "row";

/// The columns of a patch in one type each, over all of its batches.
pub(super) struct Values {
    /// By name: a column a batch, then a null.
    columns: BTreeMap<String, (DataType, Vec<ArrayRef>)>,
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
        for (name, open) in types {
            let data_type = open.data_type();
            let null = new_null_array(&data_type, 1);
            let of_batch = |batch: &RecordBatch| match batch.column_by_name(&name) {
                Some(column) => widen(column, &data_type),
                None => Ok(new_null_array(&data_type, batch.num_rows())),
            };
            let mut sources = patch.batches.iter().map(of_batch).collect::<Result<Vec<_>>>()?;
            sources.push(null);
            columns.insert(name, (data_type, sources));
        }
        let documents = |batch: &RecordBatch| {
            batch.column_by_name(METADATA_PATCH).and_then(|column| column.as_string_opt::<i32>()).cloned()
        };
        let metadata = patch.batches.iter().map(documents).collect();
        Ok(Self { columns, metadata, nowhere: (patch.batches.len(), 0) })
    }

    /// Whether any of the rows patches metadata.
    fn has_metadata(&self, rows: &[PatchRow]) -> bool {
        rows.iter().any(|row| self.document(*row).is_some())
    }

    fn document(&self, (batch, row): PatchRow) -> Option<&str> {
        let documents = self.metadata[batch as usize].as_ref()?;
        documents.is_valid(row as usize).then(|| documents.value(row as usize))
    }
}

/// Spans of one segment with the rows of a patch that are for them, by row of the spans file.
pub(super) struct Meant<'a> {
    spans: Vec<(&'a Target, Vec<PatchRow>)>,
}

impl<'a> Meant<'a> {
    pub(super) fn of(targets: &'a [Target], ids: &Ids<'_>) -> Self {
        let mut spans: Vec<(&Target, Vec<PatchRow>)> = Vec::with_capacity(targets.len());
        for target in targets {
            let rows = ids.rows_for(target.id, &target.trace_id);
            match spans.last_mut() {
                // Two sessions may begin with one span.
                Some((known, more)) if known.row == target.row => more.extend(rows),
                _ => spans.push((target, rows.collect())),
            }
        }
        for (_, rows) in &mut spans {
            rows.sort_unstable();
        }
        Self { spans }
    }

    /// Rows of the spans file whose metadata are patched.
    pub(super) fn with_metadata(&self, values: &Values) -> Vec<u64> {
        self.spans.iter().filter(|(_, rows)| values.has_metadata(rows)).map(|(target, _)| target.row).collect()
    }

    /// What the spans will have: [`ROW`], their ids, and the columns that have values.
    ///
    /// `metadata` are the texts that the spans with patched metadata have now, in order.
    pub(super) fn resolve(&self, values: &Values, metadata: &[Option<String>]) -> Result<RecordBatch> {
        let rows: UInt64Array = self.spans.iter().map(|(target, _)| target.row).collect();
        let text = |of: fn(&Target) -> &str| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(self.spans.iter().map(|(target, _)| of(target))))
        };
        let mut columns: Vec<(String, ArrayRef)> = vec![
            (ROW.to_owned(), Arc::new(rows)),
            (TRACE_ID.to_owned(), text(|target| &target.trace_id)),
            (SPAN_ID.to_owned(), text(|target| &target.span_id)),
        ];
        for (name, (_, sources)) in &values.columns {
            let last = |rows: &[PatchRow]| {
                let places = rows.iter().rev().map(|&(batch, row)| (batch as usize, row as usize));
                places.into_iter().find(|&(batch, row)| sources[batch].is_valid(row)).unwrap_or(values.nowhere)
            };
            let places: Vec<_> = self.spans.iter().map(|(_, rows)| last(rows)).collect();
            let sources: Vec<&dyn Array> = sources.iter().map(AsRef::as_ref).collect();
            let array = interleave(&sources, &places).map_err(StoreError::arrow(format!("patching {name}")))?;
            if array.null_count() < array.len() {
                columns.push((name.clone(), array));
            }
        }
        self.add_metadata(values, metadata, &mut columns)?;
        let fields: Vec<Field> =
            columns.iter().map(|(name, array)| Field::new(name, array.data_type().clone(), true)).collect();
        let arrays = columns.into_iter().map(|(_, array)| array).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(StoreError::arrow("patching spans"))
    }

    fn add_metadata(
        &self,
        values: &Values,
        metadata: &[Option<String>],
        columns: &mut Vec<(String, ArrayRef)>,
    ) -> Result<()> {
        if metadata.is_empty() {
            return Ok(());
        }
        let mut before = metadata.iter();
        let mut texts: Vec<Option<String>> = Vec::with_capacity(self.spans.len());
        let mut unpacked = Unpacked::default();
        for (at, (_, rows)) in self.spans.iter().enumerate() {
            if !values.has_metadata(rows) {
                texts.push(None);
                continue;
            }
            let mut text = before.next().cloned().flatten();
            for document in rows.iter().filter_map(|row| values.document(*row)) {
                text = Some(merge_patch(text.as_deref(), document)?);
            }
            let text = text.unwrap_or_default();
            unpacked.add_object(at, METADATA_PREFIX, &text);
            texts.push(Some(text));
        }
        let rows = texts.len();
        columns.push((METADATA.to_owned(), Arc::new(StringArray::from(texts))));
        columns.extend(finish_or_pack(unpacked, rows)?);
        Ok(())
    }
}

/// How many of a segment's spans each id was written on is added.
pub(super) fn count(targets: &[Target], counts: &mut HashMap<u32, u64>) {
    for target in targets {
        *counts.entry(target.id).or_default() += 1;
    }
}
