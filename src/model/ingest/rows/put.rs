//! The cells of one row, put where they belong.

use std::collections::BTreeMap;

use bytesize::ByteSize;

use super::super::canonical_builder::Rule;
use super::super::changes::{self, Change};
use super::super::keys::{PLACES, Target, is_no_kind};
use super::super::open_builder::OpenBuilder;
use super::super::origin::known_source;
use super::super::{RowError, metadata, row_error};
use super::{IngestBuilder, MAX_MOVED, length};
use crate::columns::CANONICAL;
use crate::json::{self, Value};

impl IngestBuilder {
    /// Adds a row of these cells; `bytes` is the length of its text.
    pub(super) fn push(&mut self, cells: &[(u32, Value<'_>)], bytes: usize) -> Result<(), RowError> {
        self.check_sizes(cells, bytes)?;
        self.note_changes(cells);
        if let Some((change, column)) = self.changes.first().filter(|_| self.strict) {
            let value = cells.iter().rev().find(|(node, _)| self.keys.get(*node).name == *column);
            let value = value.filter(|_| *change != Change::KeyTwice);
            let shown = value.map_or_else(|| "a value".to_owned(), |(_, value)| row_error::shown(*value));
            let reason = format!("{shown} {}", change.complaint());
            return Err(RowError::Value { column: column.clone(), reason });
        }
        if let Err(row_error) = self.put_canonical(cells) {
            for canonical in &mut self.canonical {
                canonical.truncate(self.rows);
            }
            return Err(row_error);
        }
        // Open columns accept everything, so the row is in: nothing may fail from here on.
        self.put_open(cells);
        self.rows += 1;
        self.bytes += bytes;
        Ok(())
    }

    fn note_changes(&mut self, cells: &[(u32, Value<'_>)]) {
        for (node, value) in cells {
            let node = self.keys.get(*node);
            let rule = match node.resolved.target {
                Target::Canonical(index) | Target::Fallback(index) => Some(Rule::at(index)),
                Target::Open => None,
                Target::MetadataKey | Target::Source | Target::Drop => continue,
            };
            if rule.is_some_and(Rule::is_plain) {
                continue;
            }
            if let Some(change) = changes::of(rule, *value) {
                self.changes.push((change, node.name.clone()));
            }
        }
    }

    fn check_sizes(&self, cells: &[(u32, Value<'_>)], bytes: usize) -> Result<(), RowError> {
        let most = ByteSize(self.max_value as u64);
        let large = cells.iter().find(|(_, value)| length(*value) > self.max_value);
        if let Some((node, value)) = large {
            let size = ByteSize(length(*value) as u64);
            let reason = format!("a value of {size}, more than the {most} that --max-value allows");
            return Err(RowError::Value { column: self.keys.get(*node).name.clone(), reason });
        }
        if bytes > self.max_value.saturating_mul(2) {
            let size = ByteSize(bytes as u64);
            return Err(RowError::Row(format!("a row of {size}, more than twice the {most} of --max-value")));
        }
        Ok(())
    }

    /// Cells are taken from the last to the first, and a column that has its value takes no other: so the later of
    /// two wins, and a null erases nothing.
    fn put_canonical(&mut self, cells: &[(u32, Value<'_>)]) -> Result<(), RowError> {
        let Self { canonical, keys, scratch, origin, rows, single_keys, .. } = self;
        let (row, places) = (*rows, &*PLACES);
        // A row that did not fit may have left its number.
        single_keys.pop_if(|last| *last == row);
        let mut fallbacks = Vec::new();
        let mut metadata_keys = BTreeMap::new();
        for (node, value) in cells.iter().rev() {
            let node = keys.get(*node);
            match node.resolved.target {
                Target::Canonical(index) if index == places.project && origin.force_project => {}
                Target::Canonical(index) if !canonical[index].has(row) => canonical[index].put(row, *value, scratch)?,
                Target::Fallback(index) if index == places.kind && is_no_kind(*value) => {}
                Target::Fallback(index) => fallbacks.push((index, *value)),
                Target::MetadataKey => {
                    metadata_keys.entry(node.resolved.column.clone()).or_insert_with(|| json_of(*value));
                }
                Target::Source if !canonical[places.source].has(row) && known_source(*value).is_some() => {
                    canonical[places.source].put(row, *value, scratch)?;
                }
                Target::Canonical(_) | Target::Source | Target::Open | Target::Drop => {}
            }
        }
        for (index, value) in fallbacks {
            if !canonical[index].has(row) {
                canonical[index].put(row, value, scratch)?;
            }
        }
        for index in [places.trace_id, places.span_id] {
            if !canonical[index].has(row) {
                return Err(RowError::missing(CANONICAL[index].name));
            }
        }
        for (index, default) in [(places.project, &*origin.project), (places.source, origin.source)] {
            if !canonical[index].has(row) {
                canonical[index].put(row, Value::Text(default), scratch)?;
            }
        }
        if !metadata_keys.is_empty() {
            let column = &mut canonical[places.metadata];
            if column.text(row).is_none() {
                single_keys.push(row);
            }
            let folded = metadata::fold(column.text(row), metadata_keys);
            column.truncate(row);
            column.put(row, Value::Nested(&folded), scratch)?;
        }
        Ok(())
    }

    fn put_open(&mut self, cells: &[(u32, Value<'_>)]) {
        for (node, value) in cells.iter().rev() {
            let entry = self.keys.get(*node);
            let moved = match entry.resolved.target {
                Target::Open => entry.resolved.moved,
                Target::Source if known_source(*value).is_none() => true,
                Target::Canonical(_) | Target::MetadataKey if entry.resolved.moved => {
                    self.note_moved(*node);
                    continue;
                }
                _ => continue,
            };
            let index = match entry.open {
                Some(index) => index,
                None => self.open_column(*node, moved),
            };
            let column = &mut self.open[index as usize];
            if !column.has(self.rows) {
                self.filled += usize::from(!column.any());
                column.put(self.rows, *value);
            }
        }
    }

    /// The open column that `node` feeds, which is made if it is new.
    fn open_column(&mut self, node: u32, moved: bool) -> u32 {
        if moved {
            self.note_moved(node);
        }
        let resolved = &self.keys.get(node).resolved;
        let name = if resolved.target == Target::Source { "attributes.source" } else { resolved.column.as_str() };
        let index = match self.open_by_name.get(name) {
            Some(index) => *index,
            None => {
                let index = self.open.len() as u32;
                self.open_by_name.insert(name.to_owned(), index);
                self.open.push(OpenBuilder::new(name.to_owned()));
                index
            }
        };
        self.keys.get_mut(node).open = Some(index);
        index
    }

    fn note_moved(&mut self, node: u32) {
        let name = self.keys.root_name(node);
        if self.moved.len() < MAX_MOVED && !self.moved.contains(name) {
            self.moved.insert(name.to_owned());
        }
    }
}

/// A value as JSON text.
fn json_of(value: Value<'_>) -> String {
    let mut out = String::new();
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if value { "true" } else { "false" }),
        Value::Number(text) => out.push_str(text),
        Value::Text(text) => json::write_string(text, &mut out),
        Value::Escaped(body) => {
            out.push('"');
            out.push_str(body);
            out.push('"');
        }
        Value::Nested(text) => {
            if !json::write_compact(text, false, &mut out) {
                json::write_string(text, &mut out);
            }
        }
    }
    out
}
