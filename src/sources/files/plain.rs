//! Files of rows that are no spans: any columns, cells as they stand.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::array::RecordBatch;
use serde_json::{Map, Value};

use super::batches::{Batches, Part};
use super::error::FileError;
use super::expand::Input;
use super::limits::Limits;
use super::open::{Format, Opened, open};
use super::stream::Stream;

/// Members of an object that wraps a list of rows.
const WRAPPERS: [&str; 3] = ["annotations", "data", "records"];

/// Rows with their lines, or their numbers in a list.
type PlainRows = Vec<(u64, Map<String, Value>)>;

/// Reads a file whole. Rows of text formats are returned; batches go to `take`, with the number of their first row.
///
/// # Errors
/// When it cannot be read, when nothing tells its format, or when it is broken anywhere.
pub(crate) fn plain_rows(
    input: Input,
    format: Format,
    limits: &Limits,
    mut take: impl FnMut(&RecordBatch, u64) -> Result<(), String>,
) -> Result<PlainRows, FileError> {
    let file = input.name();
    let read = Arc::new(AtomicU64::new(0));
    let size = input.size();
    let broken = |line, reason| FileError::Row { file: file.clone(), line, reason };
    let damaged = |line, reason| FileError::Damaged { file: file.clone(), line, reason };
    let mut batches = match open(&input, format, *limits, &read)? {
        Opened::Lines(stream) | Opened::List(stream) => {
            let text = whole(stream, limits).map_err(|reason| damaged(1, reason))?;
            return objects(&text).map_err(|(line, reason)| broken(line, reason));
        }
        Opened::Csv(stream) => {
            let text = whole(stream, limits).map_err(|reason| damaged(1, reason))?;
            return cells(&text).map_err(|(line, reason)| broken(line, reason));
        }
        Opened::Otlp(_) => {
            let reason = "this is OTLP, which holds spans and nothing that is said of them".to_owned();
            return Err(FileError::Format { file, reason });
        }
        Opened::Parquet(handle) => Batches::parquet(handle, &read, *limits),
        Opened::Arrow(stream) => Batches::arrow(stream, size, &read, *limits),
    }
    .map_err(|reason| damaged(1, reason))?;
    let mut row = 1;
    while let Some(part) = batches.next().map_err(|reason| damaged(row, reason))? {
        match part {
            Part::Rows(batch) => {
                take(&batch, row).map_err(|reason| damaged(row, reason))?;
                row += batch.num_rows() as u64;
            }
            Part::TooLarge(reason) => return Err(broken(row, reason)),
        }
    }
    Ok(vec![])
}

/// The text of a stream that fits into memory.
fn whole(stream: Stream, limits: &Limits) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let most = limits.memory as u64;
    stream.take(most + 1).read_to_end(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > most { Err(limits.too_large("a file", text.len() as u64)) } else { Ok(text) }
}

fn objects(text: &[u8]) -> Result<PlainRows, (u64, String)> {
    let line = |at: usize| 1 + memchr::memchr_iter(b'\n', &text[..at.min(text.len())]).count() as u64;
    let mut rows = Vec::new();
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<Value>();
    loop {
        let blank = text[values.byte_offset()..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let at = line(values.byte_offset() + blank);
        match values.next() {
            None => return Ok(rows),
            Some(Err(error)) => return Err((line(values.byte_offset()).max(error.line() as u64), error.to_string())),
            Some(Ok(Value::Array(list))) => elements(list, &mut rows)?,
            Some(Ok(Value::Object(mut object))) => {
                let wrapped =
                    WRAPPERS.iter().find(|name| object.len() == 1 && object.get(**name).is_some_and(Value::is_array));
                match wrapped.and_then(|name| object.remove(*name)) {
                    Some(Value::Array(list)) => elements(list, &mut rows)?,
                    _ => rows.push((at, object)),
                }
            }
            Some(Ok(other)) => return Err((at, format!("{other} is no object"))),
        }
    }
}

fn elements(list: Vec<Value>, rows: &mut PlainRows) -> Result<(), (u64, String)> {
    for (number, value) in (1..).zip(list) {
        match value {
            Value::Object(object) => rows.push((number, object)),
            other => return Err((number, format!("{other} is no object"))),
        }
    }
    Ok(())
}

/// Cells of CSV are text; one with nothing in it is not there.
fn cells(text: &[u8]) -> Result<PlainRows, (u64, String)> {
    let mut reader = csv::ReaderBuilder::new().from_reader(text);
    let line = |error: &csv::Error| error.position().map_or(1, csv::Position::line);
    let header = reader.headers().map_err(|error| (line(&error), error.to_string()))?.clone();
    let mut seen = std::collections::HashSet::new();
    if let Some(twice) = header.iter().find(|name| !name.is_empty() && !seen.insert(*name)) {
        return Err((1, format!("the header has the column {twice:?} twice")));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| (line(&error), error.to_string()))?;
        let at = record.position().map_or(1, csv::Position::line);
        let cells = header.iter().zip(&record).filter(|(name, cell)| !name.is_empty() && !cell.is_empty());
        rows.push((at, cells.map(|(name, cell)| (name.to_owned(), Value::from(cell))).collect()));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{cells, objects};

    #[test]
    fn json_of_every_form() {
        for text in [
            r#"[{"a":1},{"b":2}]"#,
            "{\"a\":1}\n{\"b\":2}\n",
            "{\"a\":1}\n\n{\n\"b\":2}",
            r#"{"annotations":[{"a":1},{"b":2}]}"#,
        ] {
            let rows = objects(text.as_bytes()).unwrap();
            assert_eq!(json!([rows[0].1, rows[1].1]), json!([{"a": 1}, {"b": 2}]), "{text}");
        }
        let lines = objects(b"{\"a\":1}\n\n{\n\"b\":2}").unwrap();
        assert_eq!((lines[0].0, lines[1].0), (1, 3));
        assert_eq!(objects(b"{\"a\":1}\n{\"b\"").unwrap_err().0, 2);
        assert!(objects(b"[1]").unwrap_err().1.contains("no object"));
        assert_eq!(objects(b"").unwrap(), vec![]);
    }

    #[test]
    fn cells_are_text() {
        let rows = cells(b"span_id,label\n0012,\n7,\"a,b\"\n").unwrap();
        assert_eq!(json!([rows[0].1, rows[1].1]), json!([{"span_id": "0012"}, {"span_id": "7", "label": "a,b"}]));
        assert!(cells(b"a,a\n1,2\n").unwrap_err().1.contains("twice"));
        assert_eq!(cells(b"a,b\n1\n").unwrap_err().0, 2);
    }
}
