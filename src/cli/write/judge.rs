//! `spanql spans annotate` and `spans evaluate`.

use std::collections::HashSet;

use chrono::Utc;
use serde_json::{Map, Value};

use super::answer::{Answer, keep};
use super::{known, local, rows, send};
use crate::cli::amounts::counted;
use crate::cli::args::{JudgeArguments, WriteTo};
use crate::cli::context::Context;
use spanql_sources::arize;
use spanql_sources::writes::{
    Given, Grain, Judgement, Kind, Row, Rules, Writing, batch_rows, judgement_batch, judgements,
};

pub(in crate::cli) async fn annotate(context: &Context, arguments: JudgeArguments) -> anyhow::Result<()> {
    run(context, Kind::Annotation, arguments).await
}

pub(in crate::cli) async fn evaluate(context: &Context, arguments: JudgeArguments) -> anyhow::Result<()> {
    run(context, Kind::Evaluation, arguments).await
}

async fn run(context: &Context, kind: Kind, arguments: JudgeArguments) -> anyhow::Result<()> {
    let grain = Grain::from(arguments.grain);
    let rows = match arguments.id.as_slice() {
        [] => rows::gather(context, &arguments.from, &arguments.to.remote).await?,
        ids => ids.iter().map(|id| typed(id, grain, &arguments)).collect(),
    };
    let now = Utc::now().timestamp_millis();
    let rules = match arguments.to.to {
        Some(remote) if remote.name != arize::NAME => Rules::Any,
        _ => Rules::Arize,
    };
    let mut judgements = judgements(&rows, &Given { kind, grain, name: arguments.name.clone(), rules, now })?;
    // Of a million rows they take a gigabyte, and all that is written is in the judgements.
    drop(rows);
    if kind == Kind::Annotation {
        for judgement in &mut judgements {
            judgement.updated_by.get_or_insert_with(|| arguments.by.clone());
            judgement.updated_at.get_or_insert(now);
        }
    }
    if judgements.is_empty() {
        context.note("the rows say nothing: there is nothing to write");
    }
    match arguments.to.to {
        Some(remote) => {
            let again = |of: &[usize]| again(of.iter().filter_map(|at| judgements.get(*at)), grain);
            send::send(context, remote, Writing::Judgements(&judgements), &arguments.to, again).await
        }
        None => in_store(context, kind, grain, &judgements, &arguments.to).await,
    }
}

/// What was typed, as a row.
fn typed(id: &str, grain: Grain, arguments: &JudgeArguments) -> Row {
    let mut cells = Map::from_iter([(id_column(grain).to_owned(), Value::from(id))]);
    let given = [
        ("label", arguments.label.as_deref().map(Value::from)),
        ("score", arguments.score.map(Value::from)),
        ("text", arguments.text.as_deref().map(Value::from)),
    ];
    cells.extend(given.into_iter().filter_map(|(part, value)| Some((part.to_owned(), value?))));
    Row { place: "the command line".to_owned(), cells, typed: true }
}

/// The column that names what is judged.
pub(super) fn id_column(grain: Grain) -> &'static str {
    match grain {
        Grain::Span => "context.span_id",
        Grain::Trace => "context.trace_id",
        Grain::Session => "attributes.session.id",
    }
}

/// Judgements as rows that the same command reads again.
pub(super) fn again<'a>(judgements: impl Iterator<Item = &'a Judgement>, grain: Grain) -> anyhow::Result<Vec<Value>> {
    let rows = batch_rows(&judgement_batch(judgements, id_column(grain))?, "")?;
    let without_nulls = |mut row: Row| {
        row.cells.retain(|_, value| !value.is_null());
        Value::from(row.cells)
    };
    Ok(rows.into_iter().map(without_nulls).collect())
}

async fn in_store(
    context: &Context,
    kind: Kind,
    grain: Grain,
    judgements: &[Judgement],
    to: &WriteTo,
) -> anyhow::Result<()> {
    send::check_window_is_for_remotes(to)?;
    let ids: Vec<&str> = {
        let mut seen = HashSet::new();
        judgements.iter().map(|judgement| judgement.id.as_str()).filter(|id| seen.insert(*id)).collect()
    };
    if ids.is_empty() {
        return Answer::default().write(context, to.output.as_deref());
    }
    let project = known::project(context, grain, &ids).await?;
    if to.dry_run {
        return dry_run(context, grain, &project, &ids, again(judgements.iter(), grain)?).await;
    }
    let batch = judgement_batch(judgements, id_column(grain))?;
    let operation = match kind {
        Kind::Annotation => "annotate",
        Kind::Evaluation => "evaluate",
    };
    let (answer, done) = local::write(context, project, of_store(grain), &batch, operation).await;
    // All of it, or nothing.
    let unwritten = if done.is_ok() { &[] } else { judgements };
    keep(context, to.failed.as_deref(), &again(unwritten.iter(), grain)?)?;
    if done.is_ok() || !answer.errors.is_empty() {
        answer.write(context, to.output.as_deref())?;
    }
    done
}

pub(super) fn of_store(grain: Grain) -> spanql_store::Grain {
    match grain {
        Grain::Span => spanql_store::Grain::Span,
        Grain::Trace => spanql_store::Grain::Trace,
        Grain::Session => spanql_store::Grain::Session,
    }
}

/// Says what would be written, and which ids are not there.
pub(super) async fn dry_run(
    context: &Context,
    grain: Grain,
    project: &str,
    ids: &[&str],
    rows: Vec<Value>,
) -> anyhow::Result<()> {
    for row in &rows {
        context.print(&row.to_string())?;
    }
    let found = known::known(context, grain, ids).await?;
    let has = |id: &&str| found.get(*id).is_some_and(|projects| projects.contains(project));
    let unknown: Vec<&str> = ids.iter().copied().filter(|id| !has(id)).collect();
    let what = counted(ids.len() as u64, grain.word());
    context.report(&format!("dry run: {what} of project {project}, nothing is written"));
    match unknown.as_slice() {
        [] => Ok(()),
        unknown => Err(anyhow::anyhow!(
            "nothing would be written: project {project} has no {} {}",
            grain.word(),
            known::some(unknown)
        )),
    }
}
