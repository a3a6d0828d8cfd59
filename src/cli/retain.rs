//! `spanql store retain`: old traces go.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray};
use chrono::{DateTime, SecondsFormat};

use super::amounts::counted;
use super::args::RetainArguments;
use super::context::Context;
use super::query;
use super::write::confirm;
use crate::pull::{OldTraces, now, old_traces, remove_old};

const DAY: i64 = 86_400 * 1_000_000_000;

pub(super) async fn run(context: &Context, arguments: RetainArguments) -> anyhow::Result<()> {
    let Some(days) = arguments.days else { return keep_all(context).await };
    let before = now() - i64::from(days) * DAY;
    let store = context.store_to_write()?;
    let (engine, _) = query::engine(context, false).await?;
    let old = old_traces(&engine, before).await?;
    let from = DateTime::from_timestamp_nanos(before).to_rfc3339_opts(SecondsFormat::Secs, true);
    if old.is_empty() {
        context.report(&format!("no trace ended before {from}: nothing goes"));
        return Ok(());
    }
    context.write(arguments.output.as_deref(), &listed(&old)?)?;
    let sum = |of: fn(&OldTraces) -> u64| old.iter().map(of).sum::<u64>();
    let what = format!(
        "{} with {} that ended before {from}",
        counted(sum(|old| old.traces), "trace"),
        counted(sum(|old| old.spans), "span")
    );
    if arguments.dry_run {
        context.report(&format!("dry run: {what} would go, nothing is removed"));
        return Ok(());
    }
    confirm(&format!("remove {what} from {}?", context.place()), arguments.yes)?;
    let removed = remove_old(&store, &engine, before).await?;
    context.warn_unsynced(removed.not_synced.as_deref());
    context.report(&format!(
        "{} with {} removed, and pulls leave out what ended before {from}: {} version {}",
        counted(removed.traces, "trace"),
        counted(removed.spans, "span"),
        context.place(),
        removed.version
    ));
    context.note("older versions hold them until `spanql store vacuum` removes these");
    Ok(())
}

async fn keep_all(context: &Context) -> anyhow::Result<()> {
    let (committed, projects) = context.store_to_write()?.keep_all(context.project.as_deref()).await?;
    context.warn_unsynced(committed.not_synced.as_deref());
    match projects.into_iter().collect::<Vec<_>>().as_slice() {
        [] => context.report("no project keeps old traces out"),
        projects => context.report(&format!("traces of any age are let in again: {}", projects.join(", "))),
    }
    Ok(())
}

/// What would go, a row for each project.
fn listed(old: &[OldTraces]) -> anyhow::Result<RecordBatch> {
    let number = |of: fn(&OldTraces) -> u64| -> ArrayRef {
        Arc::new(old.iter().map(|old| Some(of(old) as i64)).collect::<Int64Array>())
    };
    let time = |of: fn(&OldTraces) -> i64| -> ArrayRef {
        Arc::new(TimestampNanosecondArray::from_iter_values(old.iter().map(of)).with_timezone("UTC"))
    };
    let projects: ArrayRef = Arc::new(old.iter().map(|old| Some(old.project.as_str())).collect::<StringArray>());
    Ok(RecordBatch::try_from_iter([
        ("project", projects),
        ("traces", number(|old| old.traces)),
        ("spans", number(|old| old.spans)),
        ("first", time(|old| old.first)),
        ("last", time(|old| old.last)),
    ])?)
}
