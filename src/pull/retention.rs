//! Letting old traces go: whole ones, by the end of their last span.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use chrono::{DateTime, SecondsFormat};
use futures::TryStreamExt;

use super::PullError;
use spanql_engine::{Engine, EngineError, Params};
use spanql_store::{Manifest, Retained, Segment, Store};

/// Spans that one commit removes, about: enough that a segment is not built again too often.
const SPANS: usize = 100_000;
/// The part of a budget that is left when something had to go, so that it does not go with every look.
const LEFT: f64 = 0.9;

/// Old traces of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldTraces {
    /// The project in the store.
    pub project: String,
    /// How many there are.
    pub traces: u64,
    /// Their spans.
    pub spans: u64,
    /// When the first of them began, ns since the epoch.
    pub first: i64,
    /// When the last of them ended, ns since the epoch.
    pub last: i64,
}

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// Traces that went.
    pub traces: u64,
    /// Their spans.
    pub spans: u64,
    /// Traces that ended before this time went, ns since the epoch.
    pub before: i64,
    /// The version of the store that lacks them.
    pub version: u64,
    /// Why the disk did not confirm a commit, if it did not.
    pub not_synced: Option<String>,
}

/// The traces that ended before a time, each with its number of spans, its beginning and its end.
fn old_sql(before: i64) -> String {
    let before = DateTime::from_timestamp_nanos(before).to_rfc3339_opts(SecondsFormat::Nanos, true);
    // A span without an end may have begun later than all others ended.
    format!(
        "SELECT t.project, t.trace_id, t.span_count, t.start_time, coalesce(t.end_time, t.start_time) AS ended
         FROM traces t
         WHERE t.start_time < TIMESTAMP '{before}' AND coalesce(t.end_time, t.start_time) < TIMESTAMP '{before}'
           AND NOT EXISTS (SELECT 1 FROM spans s WHERE s.start_time >= TIMESTAMP '{before}'
                             AND s.project = t.project AND s.context.trace_id = t.trace_id)"
    )
}

/// What is old in the store of an engine, by project.
///
/// # Errors
/// When the store cannot be read.
pub async fn old_traces(engine: &Engine, before: i64) -> Result<Vec<OldTraces>, EngineError> {
    let sql = format!(
        "SELECT project, count(*), sum(span_count), CAST(min(start_time) AS BIGINT), CAST(max(ended) AS BIGINT)
         FROM ({}) AS old GROUP BY project ORDER BY project",
        old_sql(before)
    );
    let mut found = vec![];
    each_batch::<EngineError>(engine, &sql, async |batch| {
        let projects = text(&batch, 0)?;
        let number = |at: usize| cast(batch.column(at), &DataType::Int64).map_err(failed);
        let (traces, spans, first, last) = (number(1)?, number(2)?, number(3)?, number(4)?);
        for row in 0..batch.num_rows() {
            let of = |column: &dyn Array| column.as_primitive::<Int64Type>().value(row);
            found.push(OldTraces {
                project: projects.as_string::<i32>().value(row).to_owned(),
                traces: of(&traces).max(0) as u64,
                spans: of(&spans).max(0) as u64,
                first: of(&first),
                last: of(&last),
            });
        }
        Ok(())
    })
    .await?;
    Ok(found)
}

/// Removes the traces that ended before a time, of the projects that the engine shows, some at a time; what was removed
/// stays so whatever stops it. The store remembers the time, and pulls leave out what is older.
///
/// # Errors
/// When the store cannot be read or written.
pub async fn remove_old(store: &Store, engine: &Engine, before: i64) -> Result<Removed, PullError> {
    let sql = format!(
        "SELECT s.project, s.context.trace_id, s.context.span_id FROM spans s
         JOIN ({}) AS old ON old.project = s.project AND old.trace_id = s.context.trace_id
         ORDER BY s.project, old.start_time, s.context.trace_id",
        old_sql(before)
    );
    let mut removed = Removed { before, ..Removed::default() };
    let mut waiting = Waiting::default();
    each_batch::<PullError>(engine, &sql, async |batch| {
        let (projects, traces, spans) = (text(&batch, 0)?, text(&batch, 1)?, text(&batch, 2)?);
        for row in 0..batch.num_rows() {
            let of = |column: &dyn Array| column.as_string::<i32>().value(row).to_owned();
            let (project, trace, span) = (of(&projects), of(&traces), of(&spans));
            let begins_trace = waiting.spans.last().is_none_or(|(last, _)| *last != trace);
            if project != waiting.project || (begins_trace && waiting.spans.len() >= SPANS) {
                waiting.remove(store, &mut removed).await?;
                waiting.project = project;
            }
            waiting.traces += u64::from(waiting.spans.is_empty() || begins_trace);
            waiting.spans.push((trace, span));
        }
        Ok(())
    })
    .await?;
    waiting.remove(store, &mut removed).await?;
    Ok(removed)
}

/// Spans that are about to be removed.
#[derive(Default)]
struct Waiting {
    project: String,
    traces: u64,
    spans: Vec<(String, String)>,
}

impl Waiting {
    async fn remove(&mut self, store: &Store, removed: &mut Removed) -> Result<(), PullError> {
        let (traces, spans) = (std::mem::take(&mut self.traces), std::mem::take(&mut self.spans));
        if spans.is_empty() {
            return Ok(());
        }
        let count = spans.len() as u64;
        let retained = Retained::new(&self.project, removed.before, traces, count);
        let ids = spans.iter().map(|(trace, span)| (trace.as_str(), span.as_str()));
        let committed = store.retain(retained, ids).await?;
        removed.traces += traces;
        removed.spans += count;
        removed.version = committed.version;
        removed.not_synced = committed.not_synced.or(removed.not_synced.take());
        Ok(())
    }
}

/// Bytes that the spans of a version take which count.
pub fn stored_bytes(manifest: &Manifest) -> u64 {
    let of = |segment: &Segment| {
        let share = segment.rows as f64 / segment.rows_in_file().max(1) as f64;
        (segment.bytes_on_disk() as f64 * share) as u64
    };
    manifest.segments.iter().map(of).sum()
}

/// The time before which traces of a project must have ended that are to go, so that a version takes less than so many
/// bytes; `None` where it does already, or nothing of the project has a time.
///
/// # Errors
/// When the store cannot be read.
pub async fn beyond_budget(
    engine: &Engine,
    manifest: &Manifest,
    project: &str,
    bytes: u64,
) -> Result<Option<i64>, EngineError> {
    let stored = stored_bytes(manifest);
    if stored <= bytes {
        return Ok(None);
    }
    let of_span = stored as f64 / manifest.rows().max(1) as f64;
    let mut spans_to_go = (stored as f64 - bytes as f64 * LEFT) / of_span.max(1.0);
    let mut before = None;
    let project = project.replace('\'', "''");
    let sql = format!(
        "SELECT CAST(coalesce(end_time, start_time) AS BIGINT), span_count FROM traces
         WHERE project = '{project}' AND coalesce(end_time, start_time) IS NOT NULL ORDER BY 1"
    );
    each_batch::<EngineError>(engine, &sql, async |batch| {
        let ended = batch.column(0).as_primitive::<Int64Type>();
        let counts = cast(batch.column(1), &DataType::Int64).map_err(failed)?;
        for row in 0..batch.num_rows() {
            if spans_to_go > 0.0 {
                spans_to_go -= counts.as_primitive::<Int64Type>().value(row) as f64;
                before = Some(ended.value(row).saturating_add(1));
            }
        }
        Ok(())
    })
    .await?;
    Ok(before)
}

async fn each_batch<E: From<EngineError>>(
    engine: &Engine,
    sql: &str,
    mut take: impl AsyncFnMut(RecordBatch) -> Result<(), E>,
) -> Result<(), E> {
    for statement in engine.prepare(sql, &Params::new()).await? {
        let mut rows = statement.execute().await?;
        while let Some(batch) = rows.try_next().await.map_err(|error| EngineError::from_datafusion(&error))? {
            take(batch).await?;
        }
    }
    Ok(())
}

fn text(batch: &RecordBatch, at: usize) -> Result<arrow::array::ArrayRef, EngineError> {
    cast(batch.column(at), &DataType::Utf8).map_err(failed)
}

fn failed(error: arrow::error::ArrowError) -> EngineError {
    EngineError::new("internal", error.to_string())
}
