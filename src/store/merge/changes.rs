//! What a merge changes of what the store held.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampNanosecondType};

use super::super::error::Result;
use super::{Merged, Place};
use crate::model::columns::{self, METADATA_PREFIX};

impl Merged {
    /// Compares what the store held with what it will hold.
    pub(super) fn count(&mut self) -> Result<()> {
        let stored = self.rows.stored;
        let held = |span: &Range<usize>, places: &[Place]| places[span.start].0 < stored;
        let arrived = |span: &Range<usize>, places: &[Place]| places[span.end - 1].0 >= stored;
        let mut changed = vec![false; self.len()];
        let mut candidates: Vec<usize> = Vec::new();
        for (number, span) in self.spans.iter().enumerate() {
            match (held(span, &self.places), arrived(span, &self.places)) {
                (false, _) => {
                    changed[number] = true;
                    self.counts.new += 1;
                }
                (true, true) => candidates.push(number),
                (true, false) => {}
            }
        }
        if !candidates.is_empty() {
            let mut names: BTreeMap<String, DataType> = BTreeMap::new();
            for batch in &self.rows.batches[stored..] {
                for field in batch.schema_ref().fields() {
                    let follows =
                        field.name() == columns::EVENT_ATTRIBUTES || field.name().starts_with(METADATA_PREFIX);
                    if !follows && field.name() != columns::METADATA_PATCH {
                        names.insert(field.name().clone(), field.data_type().clone());
                    }
                }
            }
            for batch in &self.rows.batches {
                for field in batch.schema_ref().fields() {
                    if let Some(united) = names.get_mut(field.name())
                        && united != field.data_type()
                    {
                        *united = wider(united, field.data_type());
                    }
                }
            }
            for (name, data_type) in names {
                let sources = self.sources(&name, &data_type)?;
                let having = self.having(&name);
                let picks = self.picks(&name, &data_type, candidates.iter().copied())?;
                for (&number, &now) in candidates.iter().zip(&picks) {
                    if changed[number] {
                        continue;
                    }
                    let before = self.places[self.spans[number].start];
                    let was = having[before.0] && sources[before.0].is_valid(before.1);
                    changed[number] = match (was, now.0 < having.len()) {
                        (false, now) => now,
                        (true, false) => false,
                        (true, true) => now != before && !equal(&sources[before.0], before.1, &sources[now.0], now.1),
                    };
                }
            }
            for &number in &candidates {
                if changed[number] {
                    self.counts.updated += 1;
                } else {
                    self.counts.same += 1;
                }
            }
        }
        for trace in &mut self.traces {
            trace.changed |= trace.spans.clone().any(|span| changed[span]);
        }
        Ok(())
    }
}

/// The type that holds the values of both: the Arrow side of `OpenType::unite`.
///
/// Int64 with Float64 gives Float64 here: where integers exceed 2^53 the caller's layout says Utf8.
fn wider(a: &DataType, b: &DataType) -> DataType {
    match (a, b) {
        (a, b) if a == b => a.clone(),
        (DataType::Int64, DataType::Float64) | (DataType::Float64, DataType::Int64) => DataType::Float64,
        _ => DataType::Utf8,
    }
}

fn equal(a: &ArrayRef, i: usize, b: &ArrayRef, j: usize) -> bool {
    match a.data_type() {
        DataType::Utf8 => a.as_string::<i32>().value(i) == b.as_string::<i32>().value(j),
        DataType::Int64 => a.as_primitive::<Int64Type>().value(i) == b.as_primitive::<Int64Type>().value(j),
        DataType::Float64 => {
            let (a, b) = (a.as_primitive::<Float64Type>().value(i), b.as_primitive::<Float64Type>().value(j));
            a.total_cmp(&b) == Ordering::Equal
        }
        DataType::Boolean => a.as_boolean().value(i) == b.as_boolean().value(j),
        DataType::Timestamp(_, _) => {
            a.as_primitive::<TimestampNanosecondType>().value(i) == b.as_primitive::<TimestampNanosecondType>().value(j)
        }
        _ => false,
    }
}
