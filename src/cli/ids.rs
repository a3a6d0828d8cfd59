//! Ids that a person shortened, made whole.

use arrow::array::AsArray;
use futures::TryStreamExt;

use super::exit::Failure;
use super::filters::FilterOptions;
use crate::engine::{Engine, EngineError, Param, Params};

/// The least of an id that may stand for it, in characters.
const SHORTEST: usize = 4;
/// Ids that an error lists.
const LISTED: usize = 5;
/// What `--parent-id` is for spans without a parent.
const NO_PARENT: &str = "null";

/// A kind of id: the option that takes it, what it is called, and a query for all of them.
struct Kind {
    option: &'static str,
    thing: &'static str,
    all: &'static str,
}

const TRACE: Kind = Kind { option: "--trace-id", thing: "trace", all: "SELECT trace_id AS id FROM traces" };
const SPAN: Kind = Kind { option: "--span-id", thing: "span", all: "SELECT span_id AS id FROM spans" };
const SESSION: Kind =
    Kind { option: "--session-id", thing: "session", all: "SELECT unnest(session_ids) AS id FROM traces" };
const PARENT: Kind = Kind { option: "--parent-id", thing: "parent", all: "SELECT parent_id AS id FROM spans" };

/// Puts the ids of the store in the place of the unique beginnings that were typed; an id that is whole stays.
///
/// # Errors
/// When no id begins so, or several do.
pub(super) async fn complete(engine: &Engine, options: &mut FilterOptions) -> anyhow::Result<()> {
    for (kind, ids) in
        [(TRACE, &mut options.trace_id), (SPAN, &mut options.span_id), (SESSION, &mut options.session_id)]
    {
        for id in ids {
            *id = whole(engine, &kind, id).await?;
        }
    }
    if let Some(id) = options.parent_id.as_mut().filter(|id| *id != NO_PARENT) {
        *id = whole(engine, &PARENT, id).await?;
    }
    Ok(())
}

/// The whole id of a trace.
pub(super) async fn trace(engine: &Engine, typed: &str) -> anyhow::Result<String> {
    whole(engine, &TRACE, typed).await
}

/// The whole id of a session.
pub(super) async fn session(engine: &Engine, typed: &str) -> anyhow::Result<String> {
    whole(engine, &SESSION, typed).await
}

async fn whole(engine: &Engine, kind: &Kind, typed: &str) -> anyhow::Result<String> {
    let Kind { option, thing, all } = kind;
    let exact = format!("SELECT id FROM ({all}) AS ids WHERE id = $typed LIMIT 1");
    if !found(engine, &exact, typed).await?.is_empty() {
        return Ok(typed.to_owned());
    }
    let refused = |why: String| Err(Failure::Usage(format!("{option} {typed}: {why}")).into());
    if typed.chars().count() < SHORTEST {
        return refused(format!("no {thing} has this id, and one that is shortened has {SHORTEST} characters or more"));
    }
    // One more than is listed tells whether there are more.
    let beginning = format!(
        "SELECT DISTINCT id FROM ({all}) AS ids WHERE starts_with(id, $typed) ORDER BY id LIMIT {}",
        LISTED + 1
    );
    let mut ids = found(engine, &beginning, typed).await?;
    if ids.len() > 1 {
        let more = if ids.len() > LISTED { " and more" } else { "" };
        ids.truncate(LISTED);
        return refused(format!("several ids begin so: {}{more}", ids.join(", ")));
    }
    match ids.pop() {
        Some(id) => Ok(id),
        None => refused(format!("no {thing} has an id that begins so")),
    }
}

/// The ids that a query finds.
async fn found(engine: &Engine, sql: &str, typed: &str) -> anyhow::Result<Vec<String>> {
    let params = Params::from([("typed".to_owned(), Param::Text(typed.to_owned()))]);
    let mut ids = vec![];
    for statement in engine.prepare(sql, &params).await? {
        let mut rows = statement.execute().await?;
        while let Some(batch) = rows.try_next().await.map_err(|error| EngineError::from_datafusion(&error))? {
            ids.extend(batch.column(0).as_string::<i32>().iter().flatten().map(str::to_owned));
        }
    }
    Ok(ids)
}
