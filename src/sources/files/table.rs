//! CSV: what parts its cells, what its header must have, and what the cells, which are all text, stand for.

use std::collections::HashSet;

use arrow::datatypes::DataType;
use spanql_model::columns::{SPAN_ID, TRACE_ID, canonical};
use spanql_model::ingest::{IngestBuilder, Key, RowError};
use spanql_model::json::Value;

use super::cells::cell;
use super::limits::Limits;
use super::opik_table::OpikTable;
use super::quotes::Quotes;
use super::step::{Failed, Step};
use super::stream::Stream;

const CUT: &str = "the file ends inside a quoted cell";

/// The rows of a CSV file on their way into a builder.
pub(super) struct CsvRows {
    reader: csv::Reader<Quotes<Stream>>,
    record: csv::ByteRecord,
    keys: Vec<Option<Key>>,
    /// Whether an empty text in quotes is one in a column, and not nothing.
    texts: Vec<bool>,
    read: u64,
    /// What makes rows of records where the file is Opik's.
    opik: Option<OpikTable>,
    /// Rows of the last record that are still to be handed out, the last first, and its line.
    waiting: Vec<String>,
    line: u64,
}

impl CsvRows {
    /// Reads the header.
    pub(super) fn new(mut stream: Stream, builder: &mut IngestBuilder, limits: &Limits) -> Result<Self, Failed> {
        let head = stream.fill_buf().map_err(|error| Failed::at(1, error))?;
        let (delimiter, all_quoted) = (delimiter(head), head.first() == Some(&b'"'));
        let quotes = Quotes::new(stream, delimiter, limits.row());
        let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(quotes);
        let header = reader.byte_headers().map_err(|error| Failed::at(1, error))?.clone();
        if let Some(line) = reader.get_ref().cut() {
            return Err(Failed::at(line, CUT));
        }
        let names: Result<Vec<&str>, _> = header.iter().map(std::str::from_utf8).collect();
        let names = names.map_err(|_| Failed::at(1, "the header is not UTF-8"))?;
        let opik = OpikTable::of(&names);
        if opik.is_some() {
            let (record, keys) = (csv::ByteRecord::new(), vec![None; names.len()]);
            return Ok(Self { reader, record, keys, texts: vec![], read: 0, opik, waiting: vec![], line: 0 });
        }
        check_header(&names).map_err(|reason| Failed::at(1, reason))?;
        // Where everything is quoted, quotes say nothing.
        let texts = names.iter().map(|name| !all_quoted && takes_empty_text(name)).collect();
        // A column without a name is a row index that a data frame wrote.
        let keys = names.into_iter().map(|name| (!name.is_empty()).then(|| builder.key(name))).collect();
        let record = csv::ByteRecord::new();
        Ok(Self { reader, record, keys, texts, read: 0, opik: None, waiting: vec![], line: 0 })
    }

    /// Reads one row into `builder`. The error, with its line, is one that ends the file.
    pub(super) fn step(&mut self, builder: &mut IngestBuilder, limits: &Limits) -> Result<Step, Failed> {
        if let Some(row) = self.waiting.pop() {
            let line = self.line;
            return Ok(match builder.push_json(&row) {
                Ok(()) => Step::Row(line),
                Err(row_error) => Step::Bad { line, reason: row_error.to_string() },
            });
        }
        let Self { reader, record, keys, texts, read, opik, waiting, line: at } = self;
        let more = reader.read_byte_record(record);
        *read += 1;
        let line = record.position().map_or_else(|| reader.position().line(), csv::Position::line);
        let line = line + u64::from(reader.get_ref().crlf()) + reader.get_ref().lines_dropped(*read);
        if !more.map_err(|error| Failed::at(line, error))? {
            return Ok(Step::End);
        }
        if let Some(line) = reader.get_ref().cut() {
            return Err(Failed::at(line, CUT));
        }
        if reader.get_ref().is_shortened(*read) {
            *record = csv::ByteRecord::new();
            return Ok(Step::Bad { line, reason: limits.long_row() });
        }
        let mut empty = reader.get_mut().empty_texts(*read);
        empty.retain(|&cell| texts.get(cell) == Some(&true));
        if let Some(opik) = opik {
            let rows = cells(record, keys.len()).and_then(|cells| opik.rows(cells.into_iter()).map_err(RowError::Row));
            return Ok(match rows {
                Ok(rows) => {
                    (*waiting, *at) = (rows, line);
                    waiting.reverse();
                    Step::Blank
                }
                Err(row_error) => Step::Bad { line, reason: row_error.to_string() },
            });
        }
        Ok(match push_record(builder, record, keys, &empty) {
            Ok(()) => Step::Row(line),
            Err(row_error) => Step::Bad { line, reason: row_error.to_string() },
        })
    }
}

/// The cells of a record that has as many as the header.
fn cells(record: &csv::ByteRecord, count: usize) -> Result<Vec<&str>, RowError> {
    if record.len() != count {
        return Err(RowError::Row(format!("{} cells, but the header has {count}", record.len())));
    }
    let cells: Result<Vec<&str>, _> = record.iter().map(simdutf8::basic::from_utf8).collect();
    cells.map_err(|_| RowError::Row("not UTF-8".to_owned()))
}

fn push_record(
    builder: &mut IngestBuilder,
    record: &csv::ByteRecord,
    keys: &[Option<Key>],
    empty: &[usize],
) -> Result<(), RowError> {
    if record.len() != keys.len() {
        return Err(RowError::Row(format!("{} cells, but the header has {}", record.len(), keys.len())));
    }
    let text = simdutf8::basic::from_utf8(record.as_slice()).map_err(|_| RowError::Row("not UTF-8".to_owned()))?;
    let mut cells: Vec<(Key, Value<'_>)> = Vec::with_capacity(keys.len());
    for (at, key) in keys.iter().enumerate() {
        let Some(key) = key else { continue };
        let range = record.range(at).unwrap_or_default();
        let Some(text) = text.get(range) else { return Err(RowError::Row("not UTF-8".to_owned())) };
        // An empty cell says nothing: passed on, it would become a key without a value in the metadata object.
        match cell(text) {
            Value::Null if empty.contains(&at) => cells.push((*key, Value::Text(""))),
            Value::Null => {}
            value => cells.push((*key, value)),
        }
    }
    builder.push_cells(&cells)
}

/// What parts the cells of a header: a comma, or what parts it into more cells.
fn delimiter(head: &[u8]) -> u8 {
    let mut counts = [(b',', 0_usize), (b';', 0), (b'\t', 0), (b'|', 0)];
    let mut quoted = false;
    for &byte in head.iter().take_while(|&&byte| !matches!(byte, b'\r' | b'\n')) {
        quoted ^= byte == b'"';
        if let Some((_, count)) = counts.iter_mut().find(|(delimiter, _)| *delimiter == byte && !quoted) {
            *count += 1;
        }
    }
    let most = counts.into_iter().rev().max_by_key(|(_, count)| *count);
    most.map_or(b',', |(delimiter, _)| delimiter)
}

/// Whether an empty text is a value of a column: not of one of times or numbers, nor of an id.
fn takes_empty_text(name: &str) -> bool {
    match canonical(name) {
        Some(column) => column.data_type == DataType::Utf8 && !name.ends_with("_id"),
        None => !name.ends_with("_id"),
    }
}

/// Checks that a header names the ids of a span, and nothing twice; the header of an empty file may name nothing.
///
/// Without the check, a file that is no export at all would pass as one without rows if it has but one line.
fn check_header(names: &[&str]) -> Result<(), String> {
    if names.is_empty() {
        return Ok(());
    }
    let ids = [(TRACE_ID, "trace_id"), (SPAN_ID, "span_id")];
    let missing = ids.iter().filter(|(name, short)| !names.contains(name) && !names.contains(short));
    let missing: Vec<String> = missing.map(|(name, short)| format!("no column {name} (or {short})")).collect();
    if !missing.is_empty() {
        return Err(format!("the header has {}", missing.join(" and ")));
    }
    let mut seen = HashSet::new();
    match names.iter().find(|name| !name.is_empty() && !seen.insert(**name)) {
        Some(name) => Err(format!("the header has the column {name:?} twice")),
        None => Ok(()),
    }
}
