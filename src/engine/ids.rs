//! Ids that a person shortened, made whole.

use std::cmp::Reverse;

use arrow::array::AsArray;
use datafusion::common::{Column, DataFusionError, Result as DataFusionResult, TableReference};
use datafusion::execution::SessionState;
use datafusion::functions::expr_fn::starts_with;
use datafusion::functions_nested::expr_fn::array_has;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::physical_plan::execute_stream;
use futures::TryStreamExt;

use super::catalog::{CATALOG, SCHEMA};
use super::error::EngineError;
use spanql_model::columns;

/// The least of an id that may stand for it, in characters.
const SHORTEST: usize = 4;
/// Ids that an error lists.
const LISTED: usize = 5;
/// Characters of what was typed that an error repeats.
const REPEATED: usize = 80;

/// What an id is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdKind {
    /// A trace.
    Trace,
    /// A span.
    Span,
    /// A span that others name as their parent.
    Parent,
    /// A session.
    Session,
}

impl IdKind {
    fn thing(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Span => "span",
            Self::Parent => "parent",
            Self::Session => "session",
        }
    }

    /// The table that has the ids, and their column.
    fn place(self) -> (&'static str, &'static str) {
        match self {
            Self::Trace => ("traces", "trace_id"),
            Self::Span => ("spans", columns::SPAN_ID),
            Self::Parent => ("spans", columns::PARENT_ID),
            Self::Session => ("traces", "session_ids"),
        }
    }
}

/// The one id of the store's tables that was typed, or that begins as was typed; one that is there as a whole wins.
///
/// Fails when no id begins so, or several do, or when too little was typed to say.
pub(super) async fn resolve_id_prefix(state: &SessionState, kind: IdKind, typed: &str) -> Result<String, EngineError> {
    let failed = |error: DataFusionError| EngineError::from_datafusion(&error);
    let found = ids(state, exactly(state, kind, typed).await.map_err(failed)?).await.map_err(failed)?;
    if found.iter().any(|id| id == typed) {
        return Ok(typed.to_owned());
    }
    // One that was shown cut has a sign for what is missing.
    let typed = typed.strip_suffix('…').unwrap_or(typed);
    let thing = kind.thing();
    let shown = plain(&typed.chars().take(REPEATED).collect::<String>());
    if typed.chars().count() < SHORTEST {
        let why = format!("no {thing} has this id, and one that is shortened has {SHORTEST} characters or more");
        return Err(EngineError::new("unknown-id", format!("unknown {thing} '{shown}'")).why(why));
    }
    let found = ids(state, beginning(state, kind, typed).await.map_err(failed)?).await.map_err(failed)?;
    match found.as_slice() {
        [id] => Ok(id.clone()),
        [] => {
            let near = nearest(state, kind, typed).await.map_err(failed)?;
            let why = format!("no {thing} has this id or one that begins so");
            Err(EngineError::new("unknown-id", format!("unknown {thing} '{shown}'"))
                .why(why)
                .suggest(near.map(|id| plain(&id))))
        }
        several => {
            let more = if several.len() > LISTED { " and more" } else { "" };
            let listed: Vec<String> = several.iter().take(LISTED).map(|id| plain(id)).collect();
            Err(EngineError::new("ambiguous-id", format!("ambiguous {thing} '{shown}'"))
                .why(format!("several ids begin so: {}{more}", listed.join(", ")))
                .help("type more of it"))
        }
    }
}

/// An id as it may stand in a message: on one line.
fn plain(id: &str) -> String {
    let shown = |c: char| if c.is_control() { c.escape_unicode().collect() } else { c.to_string() };
    id.chars().map(shown).collect()
}

/// All ids, a row each, under the name `id`; a trace's list of sessions is still a list.
async fn all(state: &SessionState, kind: IdKind) -> DataFusionResult<(LogicalPlanBuilder, Expr)> {
    let (table, column) = kind.place();
    let schema = state.schema_for_ref(TableReference::full(CATALOG, SCHEMA, table))?;
    let provider = schema.table(table).await?.ok_or_else(|| {
        DataFusionError::External(Box::new(EngineError::new(
            "unknown-table",
            format!("there is no table {table} here"),
        )))
    })?;
    let source = datafusion::catalog::default_table_source::provider_as_source(provider);
    Ok((LogicalPlanBuilder::scan(table, source, None)?, Expr::Column(Column::new_unqualified(column))))
}

/// The plan of one column that holds the ids, one a row.
fn one_a_row(rows: LogicalPlanBuilder, kind: IdKind, column: Expr) -> DataFusionResult<LogicalPlanBuilder> {
    let rows = rows.project(vec![column.alias("id")])?;
    if kind == IdKind::Session { rows.unnest_column("id") } else { Ok(rows) }
}

fn id() -> Expr {
    Expr::Column(Column::new_unqualified("id"))
}

async fn exactly(state: &SessionState, kind: IdKind, typed: &str) -> DataFusionResult<LogicalPlan> {
    let (rows, column) = all(state, kind).await?;
    let is = match kind {
        IdKind::Session => array_has(column.clone(), lit(typed)),
        _ => column.clone().eq(lit(typed)),
    };
    let rows = one_a_row(rows.filter(is)?, kind, column)?;
    rows.filter(id().eq(lit(typed)))?.limit(0, Some(1))?.build()
}

async fn beginning(state: &SessionState, kind: IdKind, typed: &str) -> DataFusionResult<LogicalPlan> {
    let (rows, column) = all(state, kind).await?;
    let rows = one_a_row(rows, kind, column)?.filter(starts_with(id(), lit(typed)))?.distinct()?;
    // One more than is listed tells whether there are more.
    rows.sort(vec![id().sort(true, false)])?.limit(0, Some(LISTED + 1))?.build()
}

/// The ids that a plan gives.
async fn ids(state: &SessionState, plan: LogicalPlan) -> DataFusionResult<Vec<String>> {
    let mut found = vec![];
    let plan = state.create_physical_plan(&plan).await?;
    let mut rows = execute_stream(plan, state.task_ctx())?;
    while let Some(batch) = rows.try_next().await? {
        found.extend(batch.column(0).as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    Ok(found)
}

/// The id that shares most with what was typed at its two ends, if that is half of it or more; the first of equals.
async fn nearest(state: &SessionState, kind: IdKind, typed: &str) -> DataFusionResult<Option<String>> {
    let (rows, column) = all(state, kind).await?;
    let plan = state.create_physical_plan(&one_a_row(rows, kind, column)?.build()?).await?;
    let mut rows = execute_stream(plan, state.task_ctx())?;
    let mut best: Option<(Reverse<usize>, String)> = None;
    while let Some(batch) = rows.try_next().await? {
        for id in batch.column(0).as_string::<i32>().iter().flatten() {
            let shared = alike(typed.as_bytes(), id.as_bytes());
            let better = best.as_ref().is_none_or(|(most, first)| (Reverse(shared), id) < (*most, first.as_str()));
            if shared * 2 >= typed.len() && better {
                best = Some((Reverse(shared), id.to_owned()));
            }
        }
    }
    Ok(best.map(|(_, id)| id))
}

/// Bytes at both ends of what was typed that an id, or as much of its beginning, has there too, whatever their case.
fn alike(typed: &[u8], id: &[u8]) -> usize {
    let ends = |id: &[u8]| {
        let most = typed.len().min(id.len());
        let same = |(a, b): &(&u8, &u8)| a.eq_ignore_ascii_case(b);
        let front = typed.iter().zip(id).take_while(same).count();
        let back = typed.iter().rev().zip(id.iter().rev()).take_while(same).count();
        (front + back).min(most)
    };
    ends(id).max(ends(&id[..id.len().min(typed.len())]))
}

#[cfg(test)]
mod tests {
    use super::alike;

    #[test]
    fn one_wrong_character_anywhere_is_near() {
        for (typed, id, shared) in [
            ("abcdef", "abcdef", 6),
            ("abXdef", "abcdef", 5),
            ("abXd", "abcdef", 3),
            ("ABCD", "abcdef", 4),
            ("abdef", "abcdef", 5),
            ("xyz", "abcdef", 0),
            ("", "abcdef", 0),
            ("abc", "", 0),
        ] {
            assert_eq!(alike(typed.as_bytes(), id.as_bytes()), shared, "{typed} {id}");
        }
    }
}
