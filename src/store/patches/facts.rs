//! What a patch changes of what is known of columns without reading them.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::kernels::cmp::distinct;
use arrow::datatypes::DataType;
use serde::{Deserialize, Serialize};

use crate::error::{Result, StoreError};
use crate::open_columns::{type_of, widen};
use crate::segment::{facts_of, unite};
use crate::segment_stats::{ColumnFacts, SegmentStats};
use spanql_model::columns::{METADATA, METADATA_PREFIX, canonical};
use spanql_model::types::OpenType;

/// Facts about the values that a patch gives one column of one segment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PatchFacts {
    /// Type of the values, for open columns.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) open: Option<OpenType>,
    /// How many spans more have a value; fewer, where a key of metadata is no scalar any more.
    pub(crate) filled: i64,
    /// The first of the values as text, cut to a few dozen characters.
    pub(crate) example: String,
    /// All of them, sorted, if they are few and short.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) values: Vec<String>,
}

impl PatchFacts {
    /// Adds the facts of a later patch.
    pub(crate) fn add(&mut self, later: &Self) {
        self.open = self.open.zip(later.open).map(|(a, b)| a.unite(b)).or(self.open).or(later.open);
        self.filled += later.filled;
        if !later.example.is_empty() {
            self.example.clone_from(&later.example);
        }
        // A column whose keys are only taken away has no values.
        match (self.open, later.open) {
            (_, None) => {}
            _ => unite(&mut self.values, later.values.clone()),
        }
    }
}

/// What writing values on spans changes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Whether each of the spans has other values then.
    pub(super) changed: Vec<bool>,
    pub(super) facts: BTreeMap<String, PatchFacts>,
}

impl Changes {
    /// Compares what spans will have with what they have; a column that is missing there has no value.
    ///
    /// `keys` says how many spans more have each key of metadata.
    pub(super) fn of(values: &RecordBatch, before: &RecordBatch, keys: BTreeMap<String, i64>) -> Result<Self> {
        let mut changes = Self { changed: vec![false; values.num_rows()], facts: BTreeMap::new() };
        for (field, new) in values.schema_ref().fields().iter().zip(values.columns()) {
            let name = field.name().as_str();
            let ColumnFacts { example, values: few, .. } = facts_of(new)?;
            let mut facts = PatchFacts { example, values: few, ..PatchFacts::default() };
            if canonical(name).is_none() {
                facts.open = type_of(new.as_ref());
            }
            if name.starts_with(METADATA_PREFIX) {
                facts.filled = keys.get(name).copied().unwrap_or_default();
            } else {
                facts.filled = changes.compare(new, before.column_by_name(name))?;
            }
            changes.facts.insert(name.to_owned(), facts);
        }
        for (name, filled) in keys.into_iter().filter(|(_, filled)| *filled != 0) {
            changes.facts.entry(name).or_default().filled = filled;
        }
        Ok(changes)
    }

    /// Notes the spans that a column changes; how many of them had no value.
    fn compare(&mut self, new: &ArrayRef, before: Option<&ArrayRef>) -> Result<i64> {
        let before = before.filter(|before| before.null_count() < before.len());
        let Some(before) = before else {
            for (row, changed) in self.changed.iter_mut().enumerate() {
                *changed |= new.is_valid(row);
            }
            return Ok((new.len() - new.null_count()) as i64);
        };
        let united: DataType = match (type_of(new.as_ref()), type_of(before.as_ref())) {
            (Some(new), Some(before)) => new.unite(before).data_type(),
            _ => new.data_type().clone(),
        };
        let differs = distinct(&widen(new, &united)?, &widen(before, &united)?);
        let differs = differs.map_err(StoreError::arrow("comparing a patch"))?;
        let mut filled = 0;
        for (row, changed) in self.changed.iter_mut().enumerate() {
            let is_written = new.is_valid(row) && differs.value(row);
            *changed |= is_written;
            filled += i64::from(is_written && before.is_null(row));
        }
        Ok(filled)
    }
}

/// The statistics of a segment with what patches change of them.
pub(crate) fn patched(stats: &SegmentStats, facts: &BTreeMap<String, PatchFacts>) -> SegmentStats {
    let mut patched = stats.clone();
    for (name, facts) in facts {
        let known = patched.columns.get_mut(name);
        let Some(known) = known else {
            let filled = u64::try_from(facts.filled).unwrap_or_default();
            let PatchFacts { open, example, values, .. } = facts.clone();
            if filled > 0 {
                patched.columns.insert(name.clone(), ColumnFacts { open, filled, example, values });
            }
            continue;
        };
        known.filled = known.filled.saturating_add_signed(facts.filled);
        known.open = known.open.zip(facts.open).map(|(a, b)| a.unite(b)).or(known.open).or(facts.open);
        if !facts.example.is_empty() {
            known.example.clone_from(&facts.example);
        }
        if !facts.example.is_empty() || !facts.values.is_empty() {
            unite(&mut known.values, facts.values.clone());
        }
        if known.filled == 0 {
            patched.columns.remove(name);
        }
    }
    patched
}

/// Whether a column of a segment may be another than its file says, where these columns are patched.
pub(crate) fn is_patched(name: &str, patched: &[String]) -> bool {
    let is = |name: &str| patched.iter().any(|column| column == name);
    is(name) || (name.starts_with(METADATA_PREFIX) && is(METADATA))
}
