//! Arrivals from rows: JSON objects, or cells under names that were given before.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema};
use arrow::error::ArrowError;
use bytesize::ByteSize;

use super::changes::{self, Change};
use super::fixed::{Fixed, Rule};
use super::keys::{Keys, PLACES, ROOT, Target, is_family};
use super::{Misfit, Origin, SOURCES, metadata};
use crate::columns::CANONICAL;
use crate::json::{self, JsonError, MAX_DEPTH, Scanner, Value};

/// A batch is full at this many rows,
const MAX_ROWS: usize = 8_192;
/// or when the rows in it were this many bytes,
const MAX_BYTES: usize = 8 << 20;
/// or when rows times columns reach this: every cell takes room, filled or not.
const MAX_CELLS: usize = 1 << 20;
/// Keys remembered between batches. Sources with ever new keys start over.
const MAX_KEYS: usize = 100_000;
/// Root names remembered for the report.
const MAX_MOVED: usize = 1_000;
/// A longer value is refused, and a row of twice as much, which keeps every column of a batch within the reach of 32-bit
/// offsets.
const MAX_VALUE_BYTES: usize = 256 << 20;
/// Longer names are no names of columns: every segment and version of a store would carry them.
const MAX_NAME_BYTES: usize = 4_096;
/// Names that one row may have.
const MAX_NAMES: usize = 100_000;

/// A column name that a builder has looked up, for [`ArrivalBuilder::push_cells`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key(u32);

/// Builds arrivals row by row.
///
/// Names are looked up once, open columns take the type of their values and widen in place. A row that does not fit
/// leaves no trace.
///
/// ```
/// use spanql_model::arrival::{ArrivalBuilder, Origin};
///
/// let origin = Origin { source: "file", project: "demo".to_owned(), force_project: false };
/// let mut builder = ArrivalBuilder::new(origin);
/// builder.push_json(r#"{"context": {"trace_id": "t1", "span_id": "s1"}, "attributes": {"retries": 2}}"#)?;
/// let arrival = builder.finish()?.expect("one row was pushed");
/// assert!(arrival.column_by_name("attributes.retries").is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ArrivalBuilder {
    origin: Origin,
    strict: bool,
    /// What changed of the values of the last row, with their columns.
    changes: Vec<(Change, String)>,
    max_value: usize,
    keys: Keys,
    /// One per canonical column, in their order.
    fixed: Vec<Fixed>,
    open: Vec<super::open::Open>,
    open_by_name: HashMap<String, u32>,
    rows: usize,
    bytes: usize,
    /// Open columns that have a value in the current batch.
    filled: usize,
    /// Counts rows over all batches, skipped ones too.
    serial: u64,
    /// Names in the current row.
    names: usize,
    /// Whether a key occurred twice in the current row.
    repeated: bool,
    scratch: String,
    moved: BTreeSet<String>,
    /// Rows of the current batch whose metadata came as single keys only.
    single_keys: Vec<usize>,
}

impl ArrivalBuilder {
    /// A builder for rows of this origin.
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            strict: false,
            changes: Vec::new(),
            max_value: MAX_VALUE_BYTES,
            keys: Keys::new(),
            fixed: (0..CANONICAL.len()).map(Fixed::new).collect(),
            open: Vec::new(),
            open_by_name: HashMap::new(),
            rows: 0,
            bytes: 0,
            filled: 0,
            serial: 0,
            names: 0,
            repeated: false,
            scratch: String::new(),
            moved: BTreeSet::new(),
            single_keys: Vec::new(),
        }
    }

    /// Refuses values of more bytes than these, at most 256 MiB, and rows of more than twice as many.
    #[must_use]
    pub fn with_max_value(mut self, bytes: usize) -> Self {
        self.max_value = bytes.min(MAX_VALUE_BYTES);
        self
    }

    /// Refuses rows of which a value would change, see [`Change`].
    #[must_use]
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// What changed of the values of the row that was added last, with their columns.
    pub fn changes(&self) -> &[(Change, String)] {
        &self.changes
    }

    /// Rows in the current batch.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether the current batch is large enough to be taken.
    pub fn is_full(&self) -> bool {
        self.rows >= MAX_ROWS || self.bytes >= MAX_BYTES || self.rows * self.filled >= MAX_CELLS
    }

    /// Root names whose values were kept as `attributes.<name>`, over all batches (the first thousand).
    pub fn moved(&self) -> &BTreeSet<String> {
        &self.moved
    }

    /// Looks up a column name of the source.
    pub fn key(&mut self, name: &str) -> Key {
        Key(self.keys.child(ROOT, ROOT, name))
    }

    /// Adds the row that one JSON object holds, flat or nested.
    ///
    /// # Errors
    ///
    /// When `text` is no JSON object, is nested deeper than [`MAX_DEPTH`] or holds a value that does not fit its
    /// column. The batch is then as before.
    pub fn push_json(&mut self, text: &str) -> Result<(), Misfit> {
        if self.rows == 0 && self.keys.len() > MAX_KEYS {
            self.keys = Keys::new();
            self.open = Vec::new();
            self.open_by_name = HashMap::new();
        }
        self.serial += 1;
        self.changes.clear();
        self.names = 0;
        self.repeated = false;
        let mut cells = Vec::with_capacity(64);
        let mut scanner = Scanner::new(text);
        scanner.blanks();
        if scanner.byte() != Some(b'{') {
            let shown = super::misfit::shown(Value::Nested(text.trim()));
            return Err(Misfit::Row(format!("expected one JSON object for a span, found: {shown}")));
        }
        self.object(&mut scanner, ROOT, 1, &mut cells)?;
        scanner.end()?;
        if self.repeated {
            let (keys, serial) = (&self.keys, self.serial);
            let mut cell = 0;
            cells.retain(|(node, _)| {
                cell += 1;
                !keys.is_replaced(*node, serial, cell - 1)
            });
        }
        self.push(&cells, text.len())
    }

    /// Adds the row that these cells make; of two cells for one column the later wins, unless it is null.
    ///
    /// # Errors
    ///
    /// When a value does not fit its column. The batch is then as before.
    pub fn push_cells(&mut self, cells: &[(Key, Value<'_>)]) -> Result<(), Misfit> {
        self.serial += 1;
        self.changes.clear();
        let bytes = cells.iter().map(|(_, value)| length(*value)).sum();
        let cells: Vec<_> = cells.iter().map(|(key, value)| (key.0, *value)).collect();
        self.push(&cells, bytes)
    }

    /// Takes the current batch; `None` when it has no rows.
    ///
    /// # Errors
    ///
    /// Only when Arrow refuses a column, which would be a fault of this module.
    pub fn finish(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        self.filled = 0;
        if rows == 0 {
            return Ok(None);
        }
        let mut fields = Vec::new();
        let mut arrays: Vec<ArrayRef> = Vec::new();
        for (column, fixed) in CANONICAL.iter().zip(&mut self.fixed) {
            if fixed.any() {
                fields.push(Field::new(column.name, column.data_type.clone(), true));
                arrays.push(fixed.finish(rows)?);
            } else {
                fixed.truncate(0);
            }
        }
        let mut open = Vec::new();
        for column in &mut self.open {
            if let Some(array) = column.finish(rows)? {
                open.push((column.name.as_str(), array));
            }
        }
        open.sort_by_key(|(name, _)| *name);
        for (name, array) in open {
            fields.push(Field::new(name, array.data_type().clone(), true));
            arrays.push(array);
        }
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?;
        let mut single = vec![false; rows];
        for row in self.single_keys.drain(..).filter(|row| *row < rows) {
            single[row] = true;
        }
        metadata::set_apart(batch, &single.into()).map(Some)
    }

    /// Reads the object at the cursor into cells; recursion is limited by [`MAX_DEPTH`].
    fn object<'a>(
        &mut self,
        scanner: &mut Scanner<'a>,
        parent: u32,
        depth: usize,
        cells: &mut Vec<(u32, Value<'a>)>,
    ) -> Result<(), JsonError> {
        let start = scanner.position();
        scanner.eat(b'{');
        scanner.blanks();
        if scanner.eat(b'}') {
            if parent != ROOT && !is_family(&self.keys.get(parent).name) {
                cells.push((parent, Value::Nested(scanner.since(start))));
            }
            return Ok(());
        }
        let mut previous = ROOT;
        loop {
            let key = scanner.key()?;
            self.names += 1;
            if self.names > MAX_NAMES {
                return Err(scanner.error("more than 100,000 names in one row"));
            }
            if self.keys.get(parent).name.len() + length(key) > MAX_NAME_BYTES {
                return Err(scanner.error("a name of more than 4,096 bytes"));
            }
            let node = match key {
                Value::Escaped(body) => self.keys.child(parent, previous, &json::unescaped(body)),
                Value::Text(text) => self.keys.child(parent, previous, text),
                _ => parent,
            };
            previous = node;
            let serial = self.serial;
            let entry = self.keys.get_mut(node);
            if entry.seen.0 == serial {
                self.repeated = true;
                self.changes.push((Change::KeyTwice, entry.name.clone()));
            }
            entry.seen = (serial, cells.len());
            if scanner.byte() == Some(b'{') && entry.resolved.flattens() {
                if depth == MAX_DEPTH {
                    return Err(scanner.error("nested too deep"));
                }
                self.object(scanner, node, depth + 1, cells)?;
            } else {
                let value = scanner.value(MAX_DEPTH - depth)?;
                if std::mem::take(&mut scanner.nonfinite) {
                    self.changes.push((Change::NotFinite, self.keys.get(node).name.clone()));
                }
                match value {
                    Value::Null => {}
                    value => cells.push((node, value)),
                }
            }
            scanner.blanks();
            if scanner.eat(b'}') {
                return Ok(());
            }
            scanner.expect(b',', "expected ',' or '}'")?;
            scanner.blanks();
        }
    }

    fn push(&mut self, cells: &[(u32, Value<'_>)], bytes: usize) -> Result<(), Misfit> {
        self.check_sizes(cells, bytes)?;
        self.note_changes(cells);
        if let Some((change, column)) = self.changes.first().filter(|_| self.strict) {
            let value = cells.iter().rev().find(|(node, _)| self.keys.get(*node).name == *column);
            let value = value.filter(|_| *change != Change::KeyTwice);
            let shown = value.map_or_else(|| "a value".to_owned(), |(_, value)| super::misfit::shown(*value));
            let reason = format!("{shown} {}", change.complaint());
            return Err(Misfit::Value { column: column.clone(), reason });
        }
        if let Err(misfit) = self.put_fixed(cells) {
            for fixed in &mut self.fixed {
                fixed.truncate(self.rows);
            }
            return Err(misfit);
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
                Target::Canonical(index) | Target::Fallback(index) => Some(Rule::of(&CANONICAL[index])),
                Target::Open => None,
                Target::MetadataKey | Target::Source | Target::Drop => continue,
            };
            if let Some(change) = changes::of(rule, *value) {
                self.changes.push((change, node.name.clone()));
            }
        }
    }

    fn check_sizes(&self, cells: &[(u32, Value<'_>)], bytes: usize) -> Result<(), Misfit> {
        let most = ByteSize(self.max_value as u64);
        let large = cells.iter().find(|(_, value)| length(*value) > self.max_value);
        if let Some((node, value)) = large {
            let size = ByteSize(length(*value) as u64);
            let reason = format!("a value of {size}, more than the {most} that --max-value allows");
            return Err(Misfit::Value { column: self.keys.get(*node).name.clone(), reason });
        }
        if bytes > self.max_value.saturating_mul(2) {
            let size = ByteSize(bytes as u64);
            return Err(Misfit::Row(format!("a row of {size}, more than twice the {most} of --max-value")));
        }
        Ok(())
    }

    /// Cells are taken from the last to the first, and a column that has its value takes no other: so the later of
    /// two wins, and a null erases nothing.
    fn put_fixed(&mut self, cells: &[(u32, Value<'_>)]) -> Result<(), Misfit> {
        let Self { fixed, keys, scratch, origin, rows, single_keys, .. } = self;
        let (row, places) = (*rows, &*PLACES);
        // A row that did not fit may have left its number.
        single_keys.pop_if(|last| *last == row);
        let mut fallbacks = Vec::new();
        let mut metadata_keys = BTreeMap::new();
        for (node, value) in cells.iter().rev() {
            let node = keys.get(*node);
            match node.resolved.target {
                Target::Canonical(index) if index == places.project && origin.force_project => {}
                Target::Canonical(index) if !fixed[index].has(row) => fixed[index].put(row, *value, scratch)?,
                Target::Fallback(index) => fallbacks.push((index, *value)),
                Target::MetadataKey => {
                    metadata_keys.entry(node.resolved.column.clone()).or_insert_with(|| json_of(*value));
                }
                Target::Source if !fixed[places.source].has(row) && known_source(*value).is_some() => {
                    fixed[places.source].put(row, *value, scratch)?;
                }
                Target::Canonical(_) | Target::Source | Target::Open | Target::Drop => {}
            }
        }
        for (index, value) in fallbacks {
            if !fixed[index].has(row) {
                fixed[index].put(row, value, scratch)?;
            }
        }
        for index in [places.trace_id, places.span_id] {
            if !fixed[index].has(row) {
                return Err(Misfit::missing(CANONICAL[index].name));
            }
        }
        for (index, default) in [(places.project, &*origin.project), (places.source, origin.source)] {
            if !fixed[index].has(row) {
                fixed[index].put(row, Value::Text(default), scratch)?;
            }
        }
        if !metadata_keys.is_empty() {
            let column = &mut fixed[places.metadata];
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
                self.open.push(super::open::Open::new(name.to_owned()));
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

fn length(value: Value<'_>) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 0,
        Value::Number(text) | Value::Text(text) | Value::Escaped(text) | Value::Nested(text) => text.len(),
    }
}

/// The word if a value is one that the source column may hold.
pub(super) fn known_source(value: Value<'_>) -> Option<&'static str> {
    match value {
        Value::Text(text) => SOURCES.into_iter().find(|word| *word == text),
        _ => None,
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

#[cfg(test)]
mod tests;
