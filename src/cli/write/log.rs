//! `spanql spans log`: new spans, with what is said of them.

use std::collections::{BTreeMap, HashSet};

use arrow::array::{AsArray, RecordBatch};
use chrono::Utc;

use super::{known, rows};
use crate::cli::amounts::counted;
use crate::cli::args::LogArguments;
use crate::cli::context::Context;
use crate::cli::import;
use spanql_model::columns::{PROJECT, SOURCE, SPAN_ID, TRACE_ID};
use spanql_model::ingest::{Converted, Origin, convert_batch};
use spanql_sources::files::{FileReader, Limits, ReadOptions, expand};
use spanql_sources::writes::{Given, Grain, Kind, Rules, judgement_batch, judgements};

pub(in crate::cli) async fn log(context: &Context, arguments: LogArguments) -> anyhow::Result<()> {
    let store = context.store_to_write()?;
    let by_memory = Limits::of_memory(context.memory_bytes());
    let options = ReadOptions {
        format: arguments.format,
        project: context.project.clone(),
        limits: Limits { value: arguments.max_value.unwrap_or(by_memory.value), ..by_memory },
        ..ReadOptions::default()
    };
    let files = arguments.files.clone();
    let read = tokio::task::spawn_blocking(move || -> anyhow::Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        for input in expand(&files)? {
            for batch in &mut FileReader::open(input, &options)? {
                batches.push(of_here(&batch?)?);
            }
        }
        Ok(batches)
    });
    let spans = read.await??;
    // Spans by their ids, for the evaluations.
    let mut places: BTreeMap<String, (String, String)> = BTreeMap::new();
    for batch in &spans {
        let column = |name: &str| batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
        let (Some(projects), Some(traces), Some(ids)) = (column(PROJECT), column(TRACE_ID), column(SPAN_ID)) else {
            continue;
        };
        for row in 0..batch.num_rows() {
            let place = (projects.value(row).to_owned(), traces.value(row).to_owned());
            places.insert(ids.value(row).to_owned(), place);
        }
    }
    let ids: Vec<&str> = places.keys().map(String::as_str).collect();
    let there = known::known(context, Grain::Span, &ids).await?;
    let is_there = |id: &&str| there.get(*id).is_some_and(|projects| projects.contains(&places[*id].0));
    let again: Vec<&str> = ids.iter().copied().filter(is_there).collect();
    if !again.is_empty() {
        return Err(anyhow::anyhow!(
            "nothing was written: {} there already: {}; `spanql import` merges spans that come again",
            counted(again.len() as u64, "span"),
            known::some(&again)
        ));
    }
    let evaluations = evaluations(context, &arguments, &places).await?;
    let count = places.len() as u64;
    if arguments.dry_run {
        context.report(&format!("dry run: {} would be written, nothing is", counted(count, "span")));
        return Ok(());
    }
    let mut import = store.begin();
    for batch in spans.iter().chain(&evaluations) {
        import.push(batch)?;
    }
    let committed = import::commit(context, &store, import, "log").await?;
    let kept_out = match committed.counts.deleted {
        0 => String::new(),
        deleted => format!(", {} left out as deleted", counted(deleted, "span")),
    };
    let place = context.place();
    context.report(&format!(
        "{} logged{kept_out}: {place} version {}",
        counted(committed.counts.new, "span"),
        committed.version
    ));
    Ok(())
}

/// The rows with where they are from: here.
fn of_here(batch: &RecordBatch) -> anyhow::Result<RecordBatch> {
    let local: arrow::array::ArrayRef =
        std::sync::Arc::new(arrow::array::StringArray::from(vec!["local"; batch.num_rows()]));
    let mut columns = batch.columns().to_vec();
    if let Ok(at) = batch.schema_ref().index_of(SOURCE) {
        columns[at] = local;
    }
    Ok(RecordBatch::try_new(batch.schema(), columns)?)
}

/// Evaluations of the spans, as further rows of them.
async fn evaluations(
    context: &Context,
    arguments: &LogArguments,
    places: &BTreeMap<String, (String, String)>,
) -> anyhow::Result<Vec<RecordBatch>> {
    if arguments.evaluations.is_empty() {
        return Ok(vec![]);
    }
    let rows = rows::of_files(context, arguments.evaluations.clone(), arguments.format).await?;
    let now = Utc::now().timestamp_millis();
    let given = Given { kind: Kind::Evaluation, grain: Grain::Span, name: None, rules: Rules::Arize, now };
    let judgements = judgements(&rows, &given)?;
    let mut seen = HashSet::new();
    let of = judgements.iter().map(|judgement| judgement.id.as_str()).filter(|id| seen.insert(*id));
    let unknown: Vec<&str> = of.filter(|id| !places.contains_key(*id)).collect();
    if !unknown.is_empty() {
        return Err(anyhow::anyhow!(
            "nothing was written: no span of the files has the evaluated id {}",
            known::some(&unknown)
        ));
    }
    let batch = judgement_batch(&judgements, SPAN_ID)?;
    let ids = batch.column(0).as_string::<i32>();
    let column = |take: fn(&(String, String)) -> &str| -> arrow::array::ArrayRef {
        let values = ids.iter().map(|id| id.and_then(|id| places.get(id)).map(take));
        std::sync::Arc::new(values.collect::<arrow::array::StringArray>())
    };
    let named =
        batch.schema_ref().fields().iter().map(|field| field.name().clone()).zip(batch.columns().iter().cloned());
    let whose = [(PROJECT.to_owned(), column(|place| &place.0)), (TRACE_ID.to_owned(), column(|place| &place.1))];
    let whole = RecordBatch::try_from_iter(whose.into_iter().chain(named))?;
    let origin = Origin { source: "local", project: String::new(), force_project: false };
    let Converted { batch, .. } = convert_batch(&whole, &origin)?;
    Ok(vec![batch])
}
