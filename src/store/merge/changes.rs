//! What a merge changes of what the store held.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampNanosecondType};

use super::super::error::Result;
use super::super::open_columns::type_of;
use super::super::packed::RowRef;
use super::super::packed::{PACKED, Values};
use super::merged::Merged;
use spanql_model::columns::{self, METADATA_PREFIX};
use spanql_model::types::OpenType;

impl Merged {
    /// Compares what the store held with what it will hold.
    pub(super) fn count(&mut self) -> Result<()> {
        let stored = self.rows.stored;
        let held = |span: &Range<usize>, row_refs: &[RowRef]| row_refs[span.start].0 < stored;
        let arrived = |span: &Range<usize>, row_refs: &[RowRef]| row_refs[span.end - 1].0 >= stored;
        let mut changed = vec![false; self.len()];
        let mut candidates: Vec<usize> = Vec::new();
        for (number, span) in self.spans.iter().enumerate() {
            match (held(span, &self.row_refs), arrived(span, &self.row_refs)) {
                (false, _) => {
                    changed[number] = true;
                    self.counts.new += 1;
                }
                (true, true) => candidates.push(number),
                (true, false) => {}
            }
        }
        if !candidates.is_empty() {
            let span_of = self.packed_spans(&candidates);
            for (name, data_type) in self.arrived_types() {
                let sources = self.sources(&name, &data_type)?;
                let present_in = self.present_in(&name);
                if let Some(packed) = self.packed.get(&name)
                    && !present_in.contains(&true)
                {
                    self.count_packed(packed, &sources[self.nowhere().0 + 1], &span_of, &mut changed);
                    continue;
                }
                let winning_rows = self.winning_rows(&name, &data_type, candidates.iter().copied())?;
                let nowhere = self.nowhere();
                for (&number, &now) in candidates.iter().zip(&winning_rows) {
                    if changed[number] {
                        continue;
                    }
                    let before = self.row_refs[self.spans[number].start];
                    let was = self.source_of(&name, &present_in, &sources, before);
                    changed[number] = match was {
                        None => now != nowhere,
                        Some(_) if now == nowhere => false,
                        Some(was) => now != was && !equal(&sources[was.0], was.1, &sources[now.0], now.1),
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

    /// Which of these spans each row is of, where anything is packed.
    fn packed_spans(&self, spans: &[usize]) -> HashMap<RowRef, usize> {
        if self.packed.is_empty() {
            return HashMap::new();
        }
        spans.iter().flat_map(|&span| self.row_refs_of(span).iter().map(move |&row_ref| (row_ref, span))).collect()
    }

    /// Compares the values of a column that is only packed: this takes time for each value, not for each span.
    fn count_packed(&self, packed: &Values, values: &ArrayRef, span_of: &HashMap<RowRef, usize>, changed: &mut [bool]) {
        // Of each span the value that the store held, and the latest, which comes last.
        let mut found: BTreeMap<usize, (Option<usize>, usize)> = BTreeMap::new();
        for (at, row_ref) in packed.row_refs.iter().enumerate() {
            let Some(&span) = span_of.get(row_ref) else { continue };
            let (was, now) = found.entry(span).or_insert((None, at));
            if *row_ref == self.row_refs[self.spans[span].start] {
                *was = Some(at);
            }
            *now = at;
        }
        for (span, (was, now)) in found {
            changed[span] |= was.is_none_or(|was| was != now && !equal(values, was, values, now));
        }
    }

    /// The columns that arrived, but for those that follow from others, in types that hold all values they meet.
    fn arrived_types(&self) -> BTreeMap<String, DataType> {
        let mut names: BTreeMap<&str, Option<OpenType>> = BTreeMap::new();
        for batch in &self.rows.batches[self.rows.stored..] {
            for field in batch.schema_ref().fields() {
                let name = field.name().as_str();
                let follows = name == columns::EVENT_ATTRIBUTES || name.starts_with(METADATA_PREFIX);
                if !follows && ![columns::METADATA_PATCH, PACKED].contains(&name) {
                    names.insert(name, None);
                }
            }
        }
        for (name, values) in self.packed.iter() {
            let arrived = values.row_refs.last().is_some_and(|(batch, _)| *batch >= self.rows.stored);
            if !name.starts_with(METADATA_PREFIX) && (arrived || names.contains_key(name)) {
                names.insert(name, Some(values.open));
            }
        }
        for batch in &self.rows.batches {
            for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
                if let Some(united) = names.get_mut(field.name().as_str())
                    && columns::canonical(field.name()).is_none()
                    && let Some(seen) = type_of(array.as_ref())
                {
                    *united = Some(united.map_or(seen, |united| united.unite(seen)));
                }
            }
        }
        let data_type = |name: &str, united: Option<OpenType>| match columns::canonical(name) {
            Some(column) => column.data_type.clone(),
            None => united.map_or(DataType::Utf8, OpenType::data_type),
        };
        names.into_iter().map(|(name, united)| (name.to_owned(), data_type(name, united))).collect()
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
