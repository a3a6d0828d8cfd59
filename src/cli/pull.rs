//! `spanql pull`: from a remote into the store.

use std::sync::Arc;

use indicatif::HumanCount;

use super::args::PullArguments;
use super::context::Context;
use super::failure::Failure;
use super::filters::refused;
use super::pulling::Pulling;
use super::remote;
use crate::pull::{
    CountPrecision, PullCount, PullError, PullOptions, Puller, canonical_columns, count, now, remote_columns, resolve,
};
use spanql_model::names::is_open_name;
use spanql_model::nearest::as_typed;
use spanql_output::escape_terminal;
use spanql_sources::arize::{self, Transport};
use spanql_sources::config::{Environment, Redaction};
use spanql_sources::{Access, opik};
use spanql_store::Projection;

/// The part of the memory that spans may wait in until they are merged: merging takes more.
const MEMORY_PART: usize = 8;
/// Whatever there is, no more spans wait than slices of the usual size have.
const MOST_WAITING: usize = 512 << 20;

pub(super) async fn run(context: &Context, arguments: PullArguments) -> anyhow::Result<()> {
    if context.project.is_some() {
        let help =
            "--project names what is asked in the store: use --as to name the project that spans are pulled into";
        return Err(Failure::Usage(help.into()).into());
    }
    // What makes no sense is refused before anything is asked.
    check_source(&arguments)?;
    let columns = canonical_columns(&arguments.columns).map_err(refusal)?;
    arguments.filters.read_unchecked().map_err(Failure::Filter)?;
    let window = arguments.window.range(None)?.window(now()).map_err(refusal)?;
    // The key of placeholders is that of this machine, whatever server is named.
    let redaction = context.redact.then(|| Arc::new(Redaction::new(Environment::of_process())));
    if let Some(redaction) = &redaction {
        redaction.redactor()?;
    }
    let store = Arc::new(context.store_to_write()?);
    let environment = arguments.remote.environment();
    let access = Access {
        transport: if arguments.rest || arguments.remote.is_rest() { Transport::Rest } else { Transport::Flight },
        trace_rows: !arguments.no_trace_row,
        ..remote::access(&arguments.remote, &environment)
    };
    let source = arguments.source.open(&environment, &access)?;
    if arguments.sample_rate.is_some_and(|rate| rate < 1.0) && !source.can_sample() {
        return Err(refusal(PullError::NoSample(source.name())).into());
    }
    let (key, note) = resolve(source.as_ref(), &arguments.remote_project, arguments.as_project).await?;
    if let Some(note) = note {
        context.note(&escape_terminal(&note));
    }
    let mut options = PullOptions {
        projection: Projection { columns, sample_rate: arguments.sample_rate, filter: None },
        limit: arguments.limit,
        jobs: usize::from(arguments.jobs),
        memory: (context.memory_bytes() / MEMORY_PART).min(MOST_WAITING),
        record_empty: !arguments.follow,
        redaction,
        ..PullOptions::new(key)
    };
    if !arguments.filters.is_empty() {
        let remote_schema = remote_columns(source.as_ref(), &options.key.project).await?;
        let all = source.announces_columns();
        if let Some(filter) = arguments.filters.read_for(&remote_schema, all).map_err(refused)? {
            for note in &filter.notes {
                context.note(&escape_terminal(note));
            }
            let unseen = |name: &String| !all && is_open_name(name) && !remote_schema.contains_key(name);
            for name in filter.columns().iter().filter(|name| unseen(name)) {
                let name = as_typed(name);
                let note =
                    format!("no span of {} that was looked at has {name}; it is asked for all the same", source.name());
                context.note(&escape_terminal(&note));
            }
            options = options.only(filter.expr, remote_schema, arguments.filters.unknown()).map_err(refusal)?;
        }
    }
    if arguments.no_trace_row {
        options = options.without_trace_rows();
    }
    if arguments.count {
        let counted = count(source.as_ref(), &options, window).await?;
        let unable = || anyhow::anyhow!("{}: it does not say how many spans there are", source.endpoint());
        let counted = counted.ok_or_else(unable)?;
        return say_count(context, counted);
    }
    let puller = Puller { store, source, options };
    let pulling = Pulling::new(context, &puller);
    if arguments.follow {
        return Err(pulling.follow(arguments.max_store_size).await);
    }
    let summaries = if arguments.new { pulling.new_spans(window).await? } else { vec![pulling.window(window).await?] };
    let sampled = arguments.sample_rate.is_some_and(|rate| rate < 1.0);
    let lacks = [
        (sampled || summaries.iter().any(|summary| summary.limited), "a sample was asked for"),
        (summaries.iter().any(|summary| !summary.short.is_empty()), "not everything that was announced came"),
        (summaries.iter().any(|summary| summary.unfit.is_some()), "some of what came are no spans"),
    ];
    match lacks.iter().find(|(lacks, _)| *lacks && arguments.require_complete) {
        Some((_, why)) => Err(Failure::Incomplete((*why).to_owned()).into()),
        None => Ok(()),
    }
}

/// Refuses options that mean nothing to the source.
fn check_source(arguments: &PullArguments) -> Result<(), Failure> {
    let PullArguments { source, rest, no_trace_row, remote, .. } = arguments;
    let of_one = [
        ("--rest", *rest, arize::NAME),
        ("--space", remote.space.is_some(), arize::NAME),
        ("--no-trace-row", *no_trace_row, opik::NAME),
    ];
    match of_one.iter().find(|(_, given, of)| *given && source.name != *of) {
        Some((option, _, of)) => {
            Err(Failure::Usage(format!("{option} is about {of}: it means nothing to {}", source.name)))
        }
        None => Ok(()),
    }
}

/// What makes no sense, in words of the command line.
pub(super) fn refusal(error: PullError) -> Failure {
    Failure::Usage(match error {
        PullError::UnknownColumn { .. } => format!("--columns: {error}"),
        PullError::NoColumn => "--columns names no column".to_owned(),
        PullError::NoSample(_) => format!("--sample-rate: {error}"),
        error => error.to_string(),
    })
}

fn say_count(context: &Context, counted: PullCount) -> anyhow::Result<()> {
    let count = HumanCount(counted.spans);
    match counted.precision {
        CountPrecision::AtMost if counted.spans > 0 => context.note(&format!(
            "at most {count} match: this counts what the remote lets through, and a pull checks each span"
        )),
        CountPrecision::Unfiltered if counted.spans > 0 => context
            .note(&format!("the remote cannot be asked for any of the filter: {count} is the number of all spans")),
        _ => {}
    }
    context.print(&counted.spans.to_string())
}
