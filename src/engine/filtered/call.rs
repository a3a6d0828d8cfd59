//! Calls of the table functions, by their arguments.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::lit;

use super::pattern;
use super::selected::{Filtered, Selects};
use super::table::{SESSIONS, SPANS, TRACES, bad_argument, beside, spans_table};
use super::trees::{Session, holding_trace};
use crate::catalog::Catalog;
use crate::error::EngineError;
use crate::ids::{IdKind, resolve_id_prefix};
use crate::remote::RemoteTable;
use spanql_filter::opik::{self, Entity};
use spanql_filter::{Names, Unknown, arize};
use spanql_trace::structure::Side;

/// The names of the functions, sorted.
pub(crate) const FUNCTIONS: [&str; 7] =
    ["critical_path", "oql", "session", "spans_where", "structure", "trace", "traces_where"];

/// What the critical path is of, besides all spans.
const STEPS: &str = "steps";

/// Calls one of the functions; `None` if it is none of them.
pub(crate) fn call(
    catalog: &Catalog<'_>,
    function: &str,
    arguments: &[ScalarValue],
) -> Result<Option<Filtered>, EngineError> {
    if !FUNCTIONS.contains(&function) {
        return Ok(None);
    }
    let mut texts = vec![];
    for (i, argument) in arguments.iter().enumerate() {
        match argument {
            ScalarValue::Utf8(Some(text)) => texts.push(text.as_str()),
            _ => return Err(bad_argument(format!("argument {} of {function} is no text", i + 1))),
        }
    }
    if let ("trace" | "session" | "critical_path", texts) = (function, texts.as_slice()) {
        return Ok(Some(by_id(catalog, function, texts)?));
    }
    let usage = match function {
        "oql" => "oql('<filter>' [, 'spans'|'traces'|'threads'] [, '<table of spans>'])",
        "spans_where" => "spans_where('<filter>' [, '<table of spans>'])",
        "structure" => "structure('<pattern>' [, 'left'|'right'|'both'] [, '<table of spans>'])",
        _ => "traces_where('<filter>' [, '<table of spans>'])",
    };
    let wrong = || bad_argument(format!("{function} takes other arguments")).help(format!("write {usage}"));
    if function == "structure" {
        let (text, side, table) = match texts.as_slice() {
            [text] => (*text, None, None),
            [text, second] => match second.parse() {
                Ok(side) => (*text, Some(side), None),
                Err(()) => (*text, None, Some(*second)),
            },
            [text, side, table] => (*text, Some(side.parse().map_err(|()| wrong())?), Some(*table)),
            _ => return Err(wrong()),
        };
        let table = spans_table(catalog, table.unwrap_or(SPANS)).map_err(|error| {
            // It may have been meant for a side.
            let unknown = error.code() == "unknown-table" && side.is_none() && error.suggestion().is_none();
            if unknown { error.help(format!("a side is {}", Side::NAMES.join(", "))) } else { error }
        })?;
        let selects = Selects::Structure { pattern: pattern::read(&table, text, side)?, condition: lit(true) };
        return Ok(Some(Filtered { table, selects, notes: vec![] }));
    }
    let (text, entity, table) = match (function, texts.as_slice()) {
        ("oql", [text]) => (*text, Entity::Spans, None),
        ("oql", [text, second]) => match second.parse() {
            Ok(entity) => (*text, entity, None),
            Err(()) => (*text, Entity::Spans, Some(*second)),
        },
        ("oql", [text, entity, table]) => (*text, entity.parse().map_err(|()| wrong())?, Some(*table)),
        (_, [text]) => (*text, Entity::Spans, None),
        (_, [text, table]) => (*text, Entity::Spans, Some(*table)),
        _ => return Err(wrong()),
    };
    let table = spans_table(catalog, table.unwrap_or(SPANS))?;
    let remote = table.provider.is::<RemoteTable>();
    let schema = table.provider.schema();
    let names = Names::new(&schema, &table.rest, if remote { Unknown::Silent } else { Unknown::Null });
    let names = names.until(catalog.registry.data_end.filter(|_| !remote));
    let mut notes = vec![];
    let selects = match function {
        "spans_where" => Selects::Spans(arize::parse(text, &names)?.expr),
        "traces_where" => Selects::SpansOfTraces(arize::parse(text, &names)?.expr),
        _ => {
            let oql = opik::parse(text, entity, &names)?;
            if remote && entity != Entity::Spans {
                return Err(EngineError::new("not-supported", format!("{} has no {entity}", table.name))
                    .why("they are made of spans when these enter a store")
                    .help("pull the project first, or ask for 'spans'"));
            }
            notes = oql.notes;
            match entity {
                Entity::Spans => Selects::Spans(oql.expr),
                Entity::Traces => {
                    Selects::Traces { summaries: beside(catalog, TRACES)?, condition: oql.expr, any_span: oql.any_span }
                }
                Entity::Threads => Selects::Sessions {
                    sessions: beside(catalog, SESSIONS)?,
                    summaries: beside(catalog, TRACES)?,
                    condition: oql.expr,
                    any_span: oql.any_span,
                },
            }
        }
    };
    Ok(Some(Filtered { table, selects, notes }))
}

/// Calls one of the functions of an id that may be shortened.
fn by_id(catalog: &Catalog<'_>, function: &str, texts: &[&str]) -> Result<Filtered, EngineError> {
    let kind = if function == "session" { IdKind::Session } else { IdKind::Trace };
    let (typed, steps) = match texts {
        [typed] => (*typed, false),
        [typed, of] if function == "critical_path" && of.eq_ignore_ascii_case(STEPS) => (*typed, true),
        _ => {
            let more = if function == "critical_path" { format!(" [, '{STEPS}']") } else { String::new() };
            let wrong = bad_argument(format!("{function} takes one id"));
            return Err(wrong.help(format!("write {function}('<id>'{more})")));
        }
    };
    let id = catalog.handle.block_on(resolve_id_prefix(catalog.state, kind, typed))?;
    let spans = spans_table(catalog, SPANS)?;
    let (selects, table) = match function {
        "session" => {
            let (session, table) = Session::find(catalog, id, spans)?;
            (Selects::Session(session), table)
        }
        "trace" => (Selects::Trace(id.clone()), holding_trace(catalog, &id, spans)?),
        _ => (Selects::CriticalPath { id: id.clone(), steps }, holding_trace(catalog, &id, spans)?),
    };
    Ok(Filtered { table, selects, notes: vec![] })
}
