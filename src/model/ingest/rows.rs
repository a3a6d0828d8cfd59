//! Ingest batches from rows: JSON objects, or cells under names that were given before.

mod put;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema};
use arrow::error::ArrowError;

use super::canonical_builder::CanonicalBuilder;
use super::changes::Change;
use super::keys::{Keys, ROOT, is_family};
use super::{Origin, RowError, conventions, metadata};
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

/// A column name that a builder has looked up, for [`IngestBuilder::push_cells`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key(u32);

/// Builds ingest batches row by row.
///
/// Names are looked up once, open columns take the type of their values and widen in place. A row that does not fit
/// leaves no trace.
///
/// ```
/// use spanql_model::ingest::{IngestBuilder, Origin};
///
/// let origin = Origin { source: "file", project: "demo".to_owned(), force_project: false };
/// let mut builder = IngestBuilder::new(origin);
/// builder.push_json(r#"{"context": {"trace_id": "t1", "span_id": "s1"}, "attributes": {"retries": 2}}"#)?;
/// let batch = builder.finish()?.expect("one row was pushed");
/// assert!(batch.column_by_name("attributes.retries").is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct IngestBuilder {
    origin: Origin,
    strict: bool,
    /// What changed of the values of the last row, with their columns.
    changes: Vec<(Change, String)>,
    max_value: usize,
    keys: Keys,
    /// One per canonical column, in their order.
    canonical: Vec<CanonicalBuilder>,
    open: Vec<super::open_builder::OpenBuilder>,
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

impl IngestBuilder {
    /// A builder for rows of this origin.
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            strict: false,
            changes: Vec::new(),
            max_value: MAX_VALUE_BYTES,
            keys: Keys::new(),
            canonical: (0..CANONICAL.len()).map(CanonicalBuilder::new).collect(),
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
    pub fn push_json(&mut self, text: &str) -> Result<(), RowError> {
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
            let shown = super::row_error::shown(Value::Nested(text.trim()));
            return Err(RowError::Row(format!("expected one JSON object for a span, found: {shown}")));
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
    pub fn push_cells(&mut self, cells: &[(Key, Value<'_>)]) -> Result<(), RowError> {
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
        for (column, canonical) in CANONICAL.iter().zip(&mut self.canonical) {
            if canonical.any() {
                fields.push(Field::new(column.name, column.data_type.clone(), true));
                arrays.push(canonical.finish(rows)?);
            } else {
                canonical.truncate(0);
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
        conventions::fill(metadata::set_apart(batch, &single.into())?).map(Some)
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
}

fn length(value: Value<'_>) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 0,
        Value::Number(text) | Value::Text(text) | Value::Escaped(text) | Value::Nested(text) => text.len(),
    }
}

#[cfg(test)]
mod tests;
