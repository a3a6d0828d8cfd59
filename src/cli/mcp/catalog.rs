//! What there is to ask about: projects, tables, columns.

use std::io::Write as _;

use super::answer::Answer;
use super::capped::Capped;
use super::opened::Opened;
use super::rows::{self, Size};
use crate::cli::schema;
use spanql_engine::Params;

const PROJECTS: &str = "
    SELECT project, count(*) AS traces, sum(span_count)::bigint AS spans, sum(error_count)::bigint AS errors,
           min(start_time) AS first, max(end_time) AS last
    FROM traces GROUP BY project ORDER BY spans DESC, project";

/// The projects of the store.
///
/// # Errors
/// When it cannot be read.
pub(super) async fn projects(opened: &Opened, size: Size) -> anyhow::Result<Answer> {
    let (engine, snapshot) = opened.newest().await?;
    let prepared = engine.prepare(PROJECTS, &Params::new()).await?;
    let mut answer = Answer::default();
    for statement in &prepared {
        answer = rows::answer(opened, &snapshot, statement, size.asked(Some(usize::MAX), None)).await?;
    }
    Ok(answer)
}

/// The tables, or what is called so, with everything about it.
///
/// # Errors
/// When nothing is called so, or the store cannot be read.
pub(super) async fn describe(opened: &Opened, name: Option<&str>, size: Size) -> anyhow::Result<Answer> {
    let (engine, snapshot) = opened.newest().await?;
    let text = schema::described(opened.context(), &engine, &snapshot, name).await?;
    let mut out = Capped::new(size.bytes);
    out.write_all(text.as_bytes())?;
    let (data, more) = out.finish();
    let mut answer = Answer { data, ..Answer::default() };
    answer.head.push(match name {
        None => "Tables, functions in FROM and short names. Give the name of a table for its columns.".to_owned(),
        Some(_) => "Columns: name, type, share of rows with a value, and an example or what it holds.".to_owned(),
    });
    if more > 0 {
        answer.head.push(format!(
            "{more} more lines do not fit: give the beginning of a name (`attributes.llm`), or a pattern (`eval.*.score`)."
        ));
    }
    Ok(answer)
}
