//! Filters of three languages.

use arrow::array::AsArray as _;
use arrow::datatypes::Int64Type;
use datafusion::logical_expr::lit;
use futures::TryStreamExt as _;

use super::super::failure::Failure;
use super::super::{filters, list};
use super::answer::Answer;
use super::arguments::{Filter, Language, Of};
use super::opened::Opened;
use super::rows::{self, Size};
use crate::cli::amounts::counted;
use spanql_engine::{Engine, EngineError, Param, Params, Selected};
use spanql_filter::opik::{AnySpan, Entity, Oql};
use spanql_filter::phoenix::{self, Parameters};
use spanql_filter::{FilterError, Names, Unknown, arize};

/// Counts what a filter selects, and gives the newest of it.
///
/// `place` is a number that no other call has meanwhile.
///
/// # Errors
/// When the filter is wrong, or what it selects cannot be read.
pub(super) async fn run(opened: &Opened, asked: Filter, place: usize, size: Size) -> anyhow::Result<Answer> {
    let Filter { filter, language, of, project, max_rows, max_cell } = asked;
    let (engine, snapshot) = opened.newest().await?;
    let (schema, rest) = engine.span_columns("spans").await?;
    let names = Names::new(&schema, &rest, Unknown::Error).until(engine.data_end());
    let (selected, notes) = read(&filter, language, of, &names).map_err(Failure::Filter)?;
    let table = format!("mcp.filtered_{place}");
    let more = engine.register_selected(&table, "spans", selected).await?;

    let (condition, params) = match project {
        Some(project) => (" WHERE project = $project", Params::from([("project".to_owned(), Param::Text(project))])),
        None => ("", Params::new()),
    };
    let hits = count(&engine, &format!("SELECT count(*) FROM {table}{condition}"), &params).await?;
    let (things, columns, text, id) = match of {
        Of::Spans => ("span", list::SPANS.as_slice(), "input", "trace_id, span_id"),
        Of::Traces => ("trace", list::TRACES.as_slice(), "input", "trace_id"),
        Of::Sessions => ("session", list::SESSIONS.as_slice(), "first_input", "session_id"),
    };
    let size = size.asked(max_rows, max_cell);
    let sql = format!(
        "SELECT {}, {text} FROM {table}{condition} ORDER BY start_time DESC NULLS LAST, {id}, project LIMIT {}",
        columns.join(", "),
        size.rows + 1
    );
    let mut answer = Answer::default();
    for statement in &engine.prepare(&sql, &params).await? {
        answer = rows::answer(opened, &snapshot, statement, size).await?;
    }
    answer.head.insert(0, format!("{} match{}.", counted(hits, things), if hits == 1 { "es" } else { "" }));
    for note in notes.iter().chain(&more) {
        answer.note(note);
    }
    Ok(answer)
}

fn read(text: &str, language: Language, of: Of, names: &Names<'_>) -> Result<(Selected, Vec<String>), FilterError> {
    let Oql { expr, any_span, notes } = match language {
        Language::Opik => {
            let entity = match of {
                Of::Spans => Entity::Spans,
                Of::Traces => Entity::Traces,
                Of::Sessions => Entity::Threads,
            };
            filters::read_oql(text, entity, names)?
        }
        Language::Arize | Language::Phoenix => {
            let filter = match language {
                Language::Phoenix => phoenix::parse(&Parameters::read(text)?, names)?,
                _ => arize::parse(text, names)?,
            };
            match of {
                Of::Spans => Oql { expr: filter.expr, any_span: vec![], notes: filter.notes },
                Of::Traces | Of::Sessions => {
                    let any_span = vec![AnySpan { expr: filter.expr, negated: false }];
                    Oql { expr: lit(true), any_span, notes: filter.notes }
                }
            }
        }
    };
    let selected = match of {
        Of::Spans => Selected::Spans(expr),
        Of::Traces => Selected::Traces { condition: expr, any_span },
        Of::Sessions => Selected::Sessions { condition: expr, any_span },
    };
    Ok((selected, notes))
}

async fn count(engine: &Engine, sql: &str, params: &Params) -> anyhow::Result<u64> {
    let mut hits = 0;
    for statement in engine.prepare(sql, params).await? {
        let mut rows = statement.execute().await?;
        while let Some(batch) = rows.try_next().await.map_err(|error| EngineError::from_datafusion(&error))? {
            let counts = batch.column(0).as_primitive::<Int64Type>();
            hits += counts.values().iter().sum::<i64>().unsigned_abs();
        }
    }
    Ok(hits)
}
