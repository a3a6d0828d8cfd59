//! Rows of a statement, as many as an answer holds.

use arrow::array::{Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use futures::TryStreamExt as _;

use super::super::amounts::counted;
use super::super::incomplete;
use super::answer::Answer;
use super::opened::Opened;
use spanql_engine::{EngineError, Prepared};
use spanql_output::{Format, Options, ResultWriter, cut_batch};
use spanql_store::Snapshot;

/// Rows that a call may ask for.
const MOST_ROWS: usize = 1_000;
/// Characters of a text where a row would not fit otherwise.
const SHORT: [usize; 2] = [100, 20];
/// Names of columns that are said.
const NAMES: usize = 20;

/// How large an answer may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) rows: usize,
    /// Characters of a text.
    pub(super) cell: usize,
    pub(super) bytes: usize,
}

impl Size {
    /// What a call asks for, as far as that is allowed.
    pub(super) fn asked(self, rows: Option<usize>, cell: Option<usize>) -> Self {
        let rows = rows.unwrap_or(self.rows).clamp(1, MOST_ROWS);
        let cell = cell.unwrap_or(self.cell).clamp(1, self.bytes);
        Self { rows, cell, ..self }
    }
}

/// Runs a statement, and answers with the first rows and everything that is to be known of them.
///
/// # Errors
/// When it fails.
pub(super) async fn answer(
    opened: &Opened,
    snapshot: &Snapshot,
    statement: &Prepared,
    size: Size,
) -> anyhow::Result<Answer> {
    let (batches, more) = first(statement, size).await?;
    let mut answer = shown(&statement.schema(), &batches, more, size)?;
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    statement.notes().iter().for_each(|note| answer.note(note));
    for remark in statement.remarks() {
        let word = if remark.incomplete { "incomplete" } else { "note" };
        answer.notes.push(format!("{word}: {}", remark.text));
    }
    // A count of nothing is one row.
    for note in statement.unmatched(rows <= 1).await?.into_iter().chain(statement.cut_texts().await?) {
        answer.note(note);
    }
    if statement.reads_spans() {
        add_missing(&mut answer, opened, snapshot).await;
    }
    Ok(answer)
}

/// Says what is missing of the spans that an answer rests on.
pub(super) async fn add_missing(answer: &mut Answer, opened: &Opened, snapshot: &Snapshot) {
    if snapshot.manifest.version == 0 {
        answer.head.push("The store holds no spans yet: `spanql pull` or `spanql import` fills it.".to_owned());
        return;
    }
    let lines = incomplete::lines(opened.context(), snapshot).await;
    if lines.iter().any(|line| line.starts_with("incomplete: ")) {
        let said = "This answer rests on incomplete data: lines that begin with `incomplete:` say what is missing.";
        answer.head.push(said.to_owned());
    }
    answer.notes.extend(lines);
}

/// As many rows as are shown, and whether there are more.
async fn first(statement: &Prepared, size: Size) -> anyhow::Result<(Vec<RecordBatch>, bool)> {
    let mut stream = statement.execute().await?;
    let (mut batches, mut left) = (Vec::new(), size.rows);
    while let Some(batch) = stream.try_next().await.map_err(|error| EngineError::from_datafusion(&error))? {
        if batch.num_rows() > left {
            batches.push(batch.slice(0, left));
            return Ok((batches, true));
        }
        left -= batch.num_rows();
        batches.push(batch);
    }
    Ok((batches, false))
}

fn shown(schema: &SchemaRef, batches: &[RecordBatch], more: bool, size: Size) -> anyhow::Result<Answer> {
    let mut answer = Answer::default();
    let (mut short, mut cut) = (Vec::with_capacity(batches.len()), 0);
    for batch in batches {
        // Values may be long: what is not shown is not held twice.
        let (batch, cells) = cut_batch(batch.clone(), size.cell)?;
        short.push(batch);
        cut += cells;
    }
    let all = concat_batches(schema, &short)?;
    let rows = all.num_rows();
    if rows == 0 {
        let names = names(schema.fields().iter().map(|field| field.name().as_str()));
        answer.head.push("No rows.".to_owned());
        answer.note(format!("columns: {names}"));
        return Ok(answer);
    }
    let (all, empty) = without_nulls(&all)?;
    let Lines { text, shown, cell } = lines(&all, size)?;
    answer.data = text;
    let of = if more { format!("more than {rows}") } else { rows.to_string() };
    answer.head.push(match (shown < rows, more) {
        (true, _) => format!(
            "{shown} of {of} rows, which is what fits into {} bytes: name fewer columns, aggregate, or give a smaller max_cell.",
            size.bytes
        ),
        (false, true) => format!(
            "The first {rows} rows of more: count and aggregate in SQL, add conditions, or give max_rows (at most {MOST_ROWS})."
        ),
        (false, false) => format!("{}.", counted(rows as u64, "row")),
    });
    if cell < size.cell {
        answer
            .head
            .push(format!("Texts are cut at {cell} characters, because one row is too large: name fewer columns."));
    } else if cut > 0 {
        answer.head.push(format!(
            "{} cut at {} characters, marked with …: give max_cell, or select substr(column, {}).",
            counted(cut, "text"),
            size.cell,
            size.cell + 1
        ));
    }
    if !empty.is_empty() {
        answer.note(format!("null in every row shown, and left out: {}", names(empty.iter().map(String::as_str))));
    }
    Ok(answer)
}

/// The same without the columns in which there is nothing, unless that is all of them; and their names.
fn without_nulls(batch: &RecordBatch) -> anyhow::Result<(RecordBatch, Vec<String>)> {
    let nothing = |at: &usize| batch.column(*at).null_count() == batch.num_rows();
    let (empty, held): (Vec<usize>, Vec<usize>) = (0..batch.num_columns()).partition(nothing);
    if held.is_empty() {
        return Ok((batch.clone(), vec![]));
    }
    let name = |at: usize| batch.schema_ref().field(at).name().clone();
    Ok((batch.project(&held)?, empty.into_iter().map(name).collect()))
}

/// Rows as JSON, a line each.
struct Lines {
    text: String,
    shown: usize,
    /// Characters at which texts are cut.
    cell: usize,
}

fn lines(batch: &RecordBatch, size: Size) -> anyhow::Result<Lines> {
    for cell in std::iter::once(size.cell).chain(SHORT.into_iter().filter(|short| *short < size.cell)) {
        let (mut text, mut shown) = (String::new(), 0);
        while shown < batch.num_rows() {
            let line = line(&batch.slice(shown, 1), cell)?;
            if text.len() + line.len() > size.bytes {
                break;
            }
            text += &line;
            shown += 1;
        }
        if shown > 0 {
            return Ok(Lines { text, shown, cell });
        }
    }
    Ok(Lines { text: String::new(), shown: 0, cell: size.cell })
}

fn line(row: &RecordBatch, max_cell: usize) -> anyhow::Result<String> {
    let mut out = Vec::new();
    let options = Options { max_cell: Some(max_cell), ..Options::default() };
    let mut writer = ResultWriter::new(&mut out, Format::Jsonl, row.schema(), options)?;
    writer.write(row)?;
    writer.finish()?;
    Ok(String::from_utf8(out)?)
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.collect();
    let more = names.len().saturating_sub(NAMES);
    names.truncate(NAMES);
    let list = names.join(", ");
    if more > 0 { format!("{list} and {more} more") } else { list }
}
