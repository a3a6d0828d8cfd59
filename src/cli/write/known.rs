//! Which ids the store has, and in which projects.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::AsArray;
use futures::TryStreamExt;

use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::query;
use spanql_engine::{EngineError, Params};
use spanql_sources::writes::Grain;

/// Ids that one statement asks for.
const TOGETHER: usize = 1_000;

/// The projects of ids that the store has.
pub(super) type Known = BTreeMap<String, BTreeSet<String>>;

/// Looks ids up. A project that the store does not hold has none of them.
pub(super) async fn known(context: &Context, grain: Grain, ids: &[&str]) -> anyhow::Result<Known> {
    let (_, snapshot) = context.snapshot().await?;
    let is_held = |project: &String| snapshot.manifest.segments.iter().any(|segment| segment.project == *project);
    if context.project.as_ref().is_some_and(|project| !is_held(project)) {
        return Ok(Known::new());
    }
    let (engine, _) = query::engine(context, false).await?;
    let column = match grain {
        Grain::Span => "context.span_id",
        Grain::Trace => "context.trace_id",
        Grain::Session => "attributes.session.id",
    };
    let mut found = Known::new();
    for ids in ids.chunks(TOGETHER) {
        let list: Vec<String> = ids.iter().map(|id| format!("'{}'", id.replace('\'', "''"))).collect();
        let sql = format!("SELECT DISTINCT {column}, project FROM spans WHERE {column} IN ({})", list.join(", "));
        for statement in engine.prepare(&sql, &Params::new()).await? {
            let mut batches = statement.execute().await?;
            while let Some(batch) = batches.try_next().await.map_err(|error| EngineError::from_datafusion(&error))? {
                let text = |at: usize| arrow::compute::cast(batch.column(at), &arrow::datatypes::DataType::Utf8);
                let (ids, projects) = (text(0)?, text(1)?);
                for (id, project) in ids.as_string::<i32>().iter().zip(projects.as_string::<i32>()) {
                    if let (Some(id), Some(project)) = (id, project) {
                        found.entry(id.to_owned()).or_default().insert(project.to_owned());
                    }
                }
            }
        }
    }
    Ok(found)
}

/// The project that is meant: the one that is named, the only one of the store, or the only one that has any of the ids.
pub(super) async fn project(context: &Context, grain: Grain, ids: &[&str]) -> anyhow::Result<String> {
    let (_, snapshot) = context.snapshot().await?;
    let projects: BTreeSet<&str> = snapshot.manifest.segments.iter().map(|segment| segment.project.as_str()).collect();
    if let Some(project) = &context.project {
        return match projects.contains(project.as_str()) {
            true => Ok(project.clone()),
            false => {
                Err(anyhow::anyhow!("{} holds no project {project}; it holds {}", context.place(), listed(&projects)))
            }
        };
    }
    match projects.iter().copied().collect::<Vec<_>>().as_slice() {
        [] => Err(anyhow::anyhow!("{} holds no spans yet: `spanql pull` or `spanql import` fills it", context.place())),
        [only] => Ok((*only).to_owned()),
        _ => {
            let found = known(context, grain, ids).await?;
            let of: BTreeSet<&str> = found.values().flatten().map(String::as_str).collect();
            match of.iter().copied().collect::<Vec<_>>().as_slice() {
                [only] => Ok((*only).to_owned()),
                [] => Err(anyhow::anyhow!("no project of {} has any of these ids: {}", context.place(), some(ids))),
                _ => {
                    let why = format!("the ids are of several projects, {}: name one with --project", listed(&of));
                    Err(Failure::Usage(why).into())
                }
            }
        }
    }
}

fn listed(names: &BTreeSet<&str>) -> String {
    names.iter().copied().collect::<Vec<_>>().join(", ")
}

/// The first of many ids.
pub(super) fn some(ids: &[&str]) -> String {
    const SHOWN: usize = 10;
    let first = ids.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    match ids.len().saturating_sub(SHOWN) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
