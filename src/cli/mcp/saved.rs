//! Saved queries.

use std::path::Path;

use super::answer::Answer;
use super::arguments::{RunSaved, typed};
use super::opened::Opened;
use super::rows::{self, Size};
use crate::cli::amounts::counted;
use crate::cli::failure::Failure;
use crate::report::{Library, Origin, ReportError, bind};
use spanql_engine::{EngineError, Prepared};
use spanql_model::time::Clock;
use spanql_sources::config::Environment;

fn library() -> Library {
    Library::of(Path::new(""), Environment::of_process().config.as_deref())
}

/// The queries that can be run by name.
///
/// # Errors
/// None; what cannot be read is said in its place.
pub(super) fn list(size: Size) -> anyhow::Result<Answer> {
    let mut answer = Answer::default();
    let (mut listed, mut left_out) = (0, 0);
    for query in library().list() {
        let line = match query {
            Ok(saved) => {
                let params: Vec<String> = saved.params.iter().map(ToString::to_string).collect();
                let origin = if saved.origin == Origin::BuiltIn { "built in" } else { "file" };
                let described = serde_json::json!({
                    "name": saved.name, "parameters": params, "description": saved.description, "origin": origin,
                });
                format!("{described}\n")
            }
            Err(error) => format!("{}\n", serde_json::json!({"unreadable": error.to_string()})),
        };
        if answer.data.len() + line.len() > size.bytes {
            left_out += 1;
        } else {
            answer.data += &line;
            listed += 1;
        }
    }
    answer.head.push(format!("{}.", counted(listed, "saved query").replace("querys", "queries")));
    if left_out > 0 {
        answer.head.push(format!("{left_out} more do not fit into {} bytes.", size.bytes));
    }
    Ok(answer)
}

/// Runs a saved query; of several statements, the last one is shown.
///
/// # Errors
/// When there is none of this name, its parameters do not fit, it would write or read a file, or it fails.
pub(super) async fn run(opened: &Opened, asked: RunSaved, size: Size) -> anyhow::Result<Answer> {
    let RunSaved { name, params, max_rows, max_cell } = asked;
    if name.contains(std::path::is_separator) || name.ends_with(".sql") {
        // It would be looked up as a file.
        let suggestion = None;
        return Err(ReportError::UnknownQuery { name, suggestion }.into());
    }
    let saved = library().find(&name)?;
    let (engine, snapshot) = opened.newest().await?;
    let params = bind(&saved.params, &typed(params)?, &Clock::now(engine.data_end()))?;
    let prepared = engine.prepare(&saved.sql, &params).await?;
    if !prepared.iter().all(Prepared::is_read_only) {
        return Err(EngineError::would_write("run it with `spanql run --allow-write`").into());
    }
    let Some(last) = prepared.last() else {
        return Err(Failure::Usage(format!("{}: there is no statement in it", saved.place())).into());
    };
    rows::answer(opened, &snapshot, last, size.asked(max_rows, max_cell)).await
}
