//! Writing at a remote: request by request, with what became of each.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};

use super::answer::{Answer, keep};
use crate::cli::amounts::counted;
use crate::cli::args::WriteTo;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::pull::refusal;
use crate::cli::remote;
use crate::pull;
use spanql_model::window::Window;
use spanql_output::escape_terminal;
use spanql_sources::writes::{WriteOptions, WriteRequest, Writing};
use spanql_sources::{Remote, SourceError};

/// Refuses a window where the store is written to.
pub(super) fn check_window_is_for_remotes(to: &WriteTo) -> Result<(), Failure> {
    if to.window.is_set() {
        let why = "--days, --start-time and --end-time are for remotes: the store finds ids at any time";
        return Err(Failure::Usage(why.into()));
    }
    Ok(())
}

/// The window that was asked for, if any was.
fn window(to: &WriteTo) -> anyhow::Result<Option<Window>> {
    if !to.window.is_set() {
        return Ok(None);
    }
    Ok(Some(to.window.range(None)?.store_window(pull::now()).map_err(refusal)?))
}

/// Sends what is to be written; `again` makes rows for the same command of what was not taken, by number.
pub(super) async fn send(
    context: &Context,
    remote: &Remote,
    writing: Writing<'_>,
    to: &WriteTo,
    again: impl Fn(&[usize]) -> anyhow::Result<Vec<Value>>,
) -> anyhow::Result<()> {
    let Some(project) = &context.project else {
        let why = format!("--to {} needs --project with the project there", remote.name);
        return Err(Failure::Usage(why).into());
    };
    let environment = to.remote.environment();
    let writer = remote.open_to_write(&environment, &remote::access(&to.remote, &environment))?;
    let options = WriteOptions { window: window(to)?, flight: to.flight };
    let requests = writer.requests(project, writing, options).await?;
    if to.dry_run {
        for request in &requests {
            let shown = json!({"method": request.method, "path": request.path, "body": request.body});
            context.print(&shown.to_string())?;
        }
        let what = counted(requests.len() as u64, "request");
        context.report(&format!("dry run: {what} to {}, nothing is sent", writer.endpoint()));
        return Ok(());
    }
    let bar = context.progress("writing {pos}/{len} [{bar:30}] {elapsed}")?;
    bar.set_length(writing.len() as u64);
    let mut done = Done::default();
    let mut broken = None;
    for (number, request) in requests.iter().enumerate() {
        match writer.send(request).await {
            Ok(written) => {
                done.take(request, &writing, written.failed, &written.absent);
                bar.inc(request.items.len() as u64);
            }
            Err(error) => {
                for request in &requests[number..] {
                    done.refuse(request, &writing, &error);
                }
                broken = Some((number, error));
                break;
            }
        }
    }
    bar.finish_and_clear();
    for note in &done.unnamed {
        context.warn(&escape_terminal(note));
    }
    keep(context, to.failed.as_deref(), &again(&done.items)?)?;
    let errors: Vec<(String, String)> = done.failed.into_iter().collect();
    let processed: HashSet<&str> = (0..writing.len()).map(|at| writing.id(at)).collect();
    let processed = processed.len() as u64;
    let updated = processed.saturating_sub(errors.len() as u64).saturating_sub(done.absent);
    let answer = Answer { processed, updated, errors };
    answer.write(context, to.output.as_deref())?;
    if done.absent > 0 {
        context.note(&format!("{} not there", counted(done.absent, "span")));
    }
    match broken {
        Some((0, error)) => Err(error.into()),
        Some((taken, error)) => {
            let why = format!(
                "{taken} of {} were taken before one failed, with {}; --failed FILE keeps the rest",
                counted(requests.len() as u64, "request"),
                counted(updated, "id")
            );
            Err(anyhow::Error::new(error).context(why))
        }
        None if answer.errors.is_empty() && done.unnamed.is_empty() => Ok(()),
        None => {
            let failed = counted(answer.errors.len() as u64, "id");
            let first: Vec<&str> = answer.errors.iter().map(|(id, _)| id.as_str()).collect();
            Err(anyhow::anyhow!("{failed} of {processed} failed: {}", super::known::some(&first)))
        }
    }
}

/// What became of all requests so far.
#[derive(Default)]
struct Done {
    failed: BTreeMap<String, String>,
    /// Numbers of what was not taken.
    items: Vec<usize>,
    absent: u64,
    unnamed: Vec<String>,
}

impl Done {
    fn take(
        &mut self,
        request: &WriteRequest,
        writing: &Writing<'_>,
        failed: Vec<(String, String)>,
        absent: &[String],
    ) {
        let (unnamed, failed): (Vec<_>, Vec<_>) = failed.into_iter().partition(|(id, _)| id.is_empty());
        self.unnamed.extend(unnamed.into_iter().map(|(_, reason)| reason));
        let ids: HashSet<&str> = failed.iter().map(|(id, _)| id.as_str()).collect();
        self.items.extend(request.items.iter().filter(|at| ids.contains(writing.id(**at))));
        self.absent += absent.len() as u64;
        self.failed.extend(failed);
    }

    fn refuse(&mut self, request: &WriteRequest, writing: &Writing<'_>, error: &SourceError) {
        for at in &request.items {
            self.failed.insert(writing.id(*at).to_owned(), error.to_string());
            self.items.push(*at);
        }
    }
}
