//! `spanql store …`

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use bytesize::ByteSize;
use chrono::{DateTime, SecondsFormat};

use super::amounts::counted;
use super::args::StoreCommand;
use super::context::Context;
use super::retain;
use spanql_store::{Manifest, Retained, Segment, Store};

pub(super) async fn run(context: &Context, command: StoreCommand) -> anyhow::Result<()> {
    match command {
        StoreCommand::Info(listing) => info(context, listing.output.as_deref()).await,
        StoreCommand::Versions(listing) => versions(context, listing.output.as_deref()).await,
        StoreCommand::Restore { version } => {
            let done = context.store_to_write()?.restore(version).await?;
            context.warn_unsynced(done.not_synced.as_deref());
            context.report(&format!("version {} holds what version {version} held", done.version));
            Ok(())
        }
        StoreCommand::Retain(arguments) => retain::run(context, arguments).await,
        StoreCommand::Compact => {
            let done = context.store_to_write()?.compact().await?;
            context.warn_unsynced(done.not_synced.as_deref());
            let (before, after) = (done.segments_before, done.segments_after);
            context.report(&match before {
                0 => "nothing to join".to_owned(),
                _ => format!("joined {} into {after}", counted(before as u64, "segment")),
            });
            Ok(())
        }
        StoreCommand::Upgrade => upgrade(context).await,
        StoreCommand::Vacuum { older_than } => {
            let done = context.store_to_write()?.vacuum(older_than).await?;
            context.report(&format!(
                "removed {} and {}, {}",
                counted(done.versions as u64, "version"),
                counted(done.files as u64, "file"),
                ByteSize(done.bytes)
            ));
            if done.writers > 0 {
                let writers = counted(done.writers as u64, "writer");
                context
                    .note(&format!("{writers} at work: what they have written stays, and the versions they rest on"));
            }
            Ok(())
        }
    }
}

async fn upgrade(context: &Context) -> anyhow::Result<()> {
    let store = context.store_to_write()?;
    let before = store.snapshot().await.map_err(|error| context.explain(error))?.manifest;
    let bar = context.progress("{spinner} {msg}")?;
    bar.enable_steady_tick(Duration::from_millis(100));
    let left = |left: usize| bar.set_message(format!("{} to compute again", counted(left as u64, "segment")));
    let done = store.upgrade(left).await.map_err(|error| context.explain(error));
    bar.finish_and_clear();
    let done = done?;
    let after = store.snapshot().await.map_err(|error| context.explain(error))?.manifest;
    let mut steps = Vec::new();
    if done.segments_before > 0 {
        steps.push(format!("computed {} again", counted(done.segments_before as u64, "segment")));
    }
    if after.format > before.format {
        steps.push(format!("changed to format {}, which an older spanql does not read", after.format));
    }
    context.report(&match steps.is_empty() {
        true => "nothing to upgrade".to_owned(),
        false => format!("{}: {} version {}", steps.join(", "), context.place(), after.version),
    });
    Ok(())
}

async fn info(context: &Context, output: Option<&str>) -> anyhow::Result<()> {
    let (store, snapshot) = context.snapshot().await?;
    context.note_state(&snapshot);
    let manifest = &snapshot.manifest;
    let projects: BTreeSet<&str> = manifest.segments.iter().map(|segment| segment.project.as_str()).collect();
    let bytes: u64 = manifest.segments.iter().map(Segment::bytes_on_disk).sum();
    let superseded: u64 = manifest.segments.iter().map(|segment| segment.rows_in_file() - segment.rows).sum();
    let number = |value: u64| -> ArrayRef { Arc::new(Int64Array::from(vec![value as i64])) };
    let text = |value: String| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
    let ledger = snapshot.ledger().await.map_err(|error| context.explain(error))?;
    let kept: Vec<String> = ledger.retained.iter().map(kept_from).collect();
    let kept = Some(kept.join(", ")).filter(|kept| !kept.is_empty());
    let kept_from: ArrayRef = Arc::new(StringArray::from(vec![kept]));
    let batch = RecordBatch::try_from_iter(vec![
        ("place", text(store.location().name.clone())),
        ("version", number(manifest.version)),
        ("committed", text(manifest.created.clone())),
        ("projects", text(projects.into_iter().collect::<Vec<_>>().join(", "))),
        ("spans", number(manifest.rows())),
        ("traces", number(manifest.traces())),
        ("segments", number(manifest.segments.len() as u64)),
        ("bytes", number(bytes)),
        ("open_columns", number(manifest.columns.len() as u64)),
        ("outdated_segments", number(manifest.outdated() as u64)),
        ("superseded_spans", number(superseded)),
        ("format", number(manifest.format.into())),
        ("kept_from", kept_from),
    ])?;
    context.write(output, &batch)
}

/// From when on traces of a project are kept, in words.
fn kept_from(retained: &Retained) -> String {
    let from = DateTime::from_timestamp_nanos(retained.before).to_rfc3339_opts(SecondsFormat::Secs, true);
    format!("{} from {from}", retained.project)
}

async fn versions(context: &Context, output: Option<&str>) -> anyhow::Result<()> {
    // No version is opened: this is what to look at when the newest one is damaged.
    let store = Store::open(context.place())?;
    let versions = store.versions().await?;
    if versions.is_empty() {
        context.note_empty();
    }
    let text = |values: Vec<String>| -> ArrayRef { Arc::new(StringArray::from(values)) };
    let number = |values: Vec<Option<i64>>| -> ArrayRef { Arc::new(Int64Array::from(values)) };
    let whole = |pick: &dyn Fn(&Manifest) -> i64| {
        number(versions.iter().map(|version| version.manifest.as_ref().ok().map(pick)).collect())
    };
    let batch = RecordBatch::try_from_iter(vec![
        ("version", number(versions.iter().map(|version| Some(version.number as i64)).collect())),
        (
            "committed",
            text(versions.iter().map(|v| v.manifest.as_ref().map_or(String::new(), |m| m.created.clone())).collect()),
        ),
        (
            "operation",
            text(
                versions
                    .iter()
                    .map(|version| match &version.manifest {
                        Ok(manifest) => manifest.operation.clone(),
                        Err(reason) => format!("unreadable: {reason}"),
                    })
                    .collect(),
            ),
        ),
        ("spans", whole(&|manifest| manifest.rows() as i64)),
        ("traces", whole(&|manifest| manifest.traces() as i64)),
        ("segments", whole(&|manifest| manifest.segments.len() as i64)),
    ])?;
    context.write(output, &batch)
}
