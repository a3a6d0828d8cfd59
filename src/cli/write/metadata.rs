//! `spanql spans metadata`.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::answer::{Answer, keep};
use super::judge::dry_run;
use super::{known, local, rows, send};
use crate::cli::args::MetadataArguments;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use spanql_sources::writes::{Grain, Patch, Writing, patch_batch, patches};

pub(in crate::cli) async fn metadata(context: &Context, arguments: MetadataArguments) -> anyhow::Result<()> {
    let MetadataArguments { from, set, id, patch_column, to } = arguments;
    let patches = match id.as_slice() {
        [] => patches(&rows::gather(context, &from, &to.remote).await?, &patch_column)?,
        ids => {
            let document = document(&set)?;
            ids.iter().map(|id| Patch { span_id: id.clone(), document: document.clone() }).collect()
        }
    };
    let again = |patch: &Patch| json!({"context.span_id": patch.span_id, patch_column.as_str(): patch.document});
    if let Some(remote) = to.to {
        let again = |of: &[usize]| Ok(of.iter().filter_map(|at| patches.get(*at)).map(again).collect());
        return send::send(context, remote, Writing::Patches(&patches), &to, again).await;
    }
    send::check_window_is_for_remotes(&to)?;
    let mut seen = HashSet::new();
    let ids: Vec<&str> = patches.iter().map(|patch| patch.span_id.as_str()).filter(|id| seen.insert(*id)).collect();
    if ids.is_empty() {
        context.note("the rows say nothing: there is nothing to write");
        return Answer::default().write(context, to.output.as_deref());
    }
    let project = known::project(context, Grain::Span, &ids).await?;
    if to.dry_run {
        return dry_run(context, Grain::Span, &project, &ids, patches.iter().map(again).collect()).await;
    }
    let batch = patch_batch(&patches)?;
    let (answer, done) = local::write(context, project, spanql_store::Grain::Span, &batch, "metadata").await;
    // All of it, or nothing.
    let unwritten = if done.is_ok() { &[] } else { patches.as_slice() };
    keep(context, to.failed.as_deref(), &unwritten.iter().map(again).collect::<Vec<_>>())?;
    if done.is_ok() || !answer.errors.is_empty() {
        answer.write(context, to.output.as_deref())?;
    }
    done
}

/// Keys and values as they were typed.
fn document(set: &[String]) -> Result<Map<String, Value>, Failure> {
    let pair = |text: &String| match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => {
            Ok((key.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| Value::from(value))))
        }
        _ => Err(Failure::Usage(format!("--set {text}: write KEY=VALUE"))),
    };
    set.iter().map(pair).collect()
}
