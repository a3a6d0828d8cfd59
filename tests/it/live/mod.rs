//! Live tables: what is asked of a remote, and what becomes of what it sends.

mod fake;
mod filters;
mod nested;
mod pushdown;
mod rows;
mod structure;
mod traces;
mod trouble;

use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::RecordBatch;
use futures::TryStreamExt;
use spanql::engine::{Engine, EngineError, Params, Remark};

use super::support::{BASE_TIME, Cell, Row, batch, row};

/// One second, ns.
const SECOND: i64 = 1_000_000_000;
/// One day, ns.
const DAY: i64 = 86_400 * SECOND;
/// All test spans start on this day or the next.
const FROM: &str = "start_time >= '2026-01-01'";

/// A span as the wire has it, that starts so many seconds after the base time and takes 1.5 s.
fn span(trace: &str, id: &str, second: i64, cells: &[(&str, Cell)]) -> Row {
    let mut span = row("", trace, id);
    span.remove("project");
    span.remove("source");
    span.insert("name".into(), Cell::text(format!("span {id}")));
    span.insert("start_time".into(), Cell::Time(BASE_TIME + second * SECOND));
    span.insert("end_time".into(), Cell::Time(BASE_TIME + second * SECOND + 1_500_000_000));
    span.extend(cells.iter().map(|(name, cell)| ((*name).to_owned(), cell.clone())));
    span
}

/// Now, ns.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i64
}

/// Batches of so many plain spans each, a second apart.
fn plain(batches: usize, rows: usize) -> Vec<RecordBatch> {
    plain_from(0, batches, rows)
}

/// As [`plain`], from an hour ago.
fn recent(batches: usize, rows: usize) -> Vec<RecordBatch> {
    plain_from((now() - BASE_TIME) / SECOND - 3_600, batches, rows)
}

fn plain_from(second: i64, batches: usize, rows: usize) -> Vec<RecordBatch> {
    let span = |number: usize| span(&format!("t{}", number / 2), &format!("s{number}"), second + number as i64, &[]);
    (0..batches).map(|at| batch(&(at * rows..(at + 1) * rows).map(span).collect::<Vec<_>>())).collect()
}

/// What a statement gave.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Cells joined by `|`, sorted.
    pub(crate) rows: Vec<String>,
    notes: Vec<String>,
    remarks: Vec<Remark>,
}

impl Answer {
    fn remarks(&self) -> Vec<&str> {
        self.remarks.iter().map(|remark| remark.text.as_str()).collect()
    }
}

pub(crate) async fn ask(engine: &Engine, sql: &str) -> Result<Answer, EngineError> {
    let prepared = engine.prepare(sql, &Params::new()).await?.remove(0);
    let stream = prepared.execute().await?;
    let batches: Vec<RecordBatch> = stream.try_collect().await.map_err(|error| EngineError::from_datafusion(&error))?;
    let mut rows = vec![];
    for batch in &batches {
        let options = arrow::util::display::FormatOptions::default().with_null("-");
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| arrow::util::display::ArrayFormatter::try_new(column.as_ref(), &options).unwrap())
            .collect();
        let cells = |row| columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join("|");
        rows.extend((0..batch.num_rows()).map(cells));
    }
    rows.sort();
    Ok(Answer { rows, notes: prepared.notes().to_vec(), remarks: prepared.remarks() })
}

/// The error of a statement, in planning or running.
pub(crate) async fn refused(engine: &Engine, sql: &str) -> EngineError {
    match ask(engine, sql).await {
        Ok(answer) => panic!("{sql} gave {answer:?}"),
        Err(error) => error,
    }
}
