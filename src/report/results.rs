//! What became of a report, for machines.

use chrono::SecondsFormat;
use serde_json::{Map, Value, json};

use super::filled::{Filled, Part};
use super::run::Ran;
use spanql_engine::Param;

/// The report as one JSON object: `report`, `title`, `store` (the first), `spanql`, `generated`, `parameters`, `exit_code`, `parts` (`store`,
/// `project`, `spans`, `incomplete`), and `blocks`: each with `store`, `project`, `name`, `rows`, `seconds`,
/// `expectations` (`text`, `held`, `found`), `error` (`code`, `message`, `position`; or null) and `incomplete`.
pub fn results_json(report: &Filled) -> Value {
    let params: Map<String, Value> = report.params.iter().map(|(name, value)| (name.clone(), param(value))).collect();
    let blocks: Vec<Value> =
        report.parts.iter().flat_map(|part| part.blocks.iter().map(move |ran| block(part, ran))).collect();
    let parts: Vec<Value> = report
        .parts
        .iter()
        .map(|part| {
            json!({
                "store": part.store,
                "project": part.project,
                "spans": part.data.spans,
                "incomplete": part.incomplete,
            })
        })
        .collect();
    json!({
        "report": report.document.name,
        "title": report.title(),
        "store": report.parts.first().map(|part| &part.store),
        "spanql": env!("CARGO_PKG_VERSION"),
        "generated": report.generated.to_rfc3339_opts(SecondsFormat::Millis, true),
        "parameters": params,
        "exit_code": report.exit_code,
        "parts": parts,
        "blocks": blocks,
    })
}

fn block(part: &Part, ran: &Ran) -> Value {
    let expectations: Vec<Value> = ran
        .outcomes
        .iter()
        .map(|outcome| json!({"text": outcome.expectation, "held": outcome.held, "found": outcome.found}))
        .collect();
    let error = ran.error.as_ref().map(|error| {
        let position = error.position().map(|(line, column)| json!({"line": line, "column": column}));
        json!({"code": error.code(), "message": error.to_string(), "position": position})
    });
    json!({
        "store": part.store,
        "project": part.project,
        "name": ran.name,
        "rows": ran.rows,
        "seconds": (ran.seconds * 1e3).round() / 1e3,
        "expectations": expectations,
        "error": error,
        "incomplete": ran.incomplete,
    })
}

fn param(value: &Param) -> Value {
    match value {
        Param::Null | Param::NullOf(_) | Param::NullList(_) => Value::Null,
        Param::Boolean(flag) => json!(flag),
        Param::Int(int) => json!(int),
        Param::Float(float) => json!(float),
        Param::Text(text) => json!(text),
        Param::Time(nanos) => {
            json!(chrono::DateTime::from_timestamp_nanos(*nanos).to_rfc3339_opts(SecondsFormat::AutoSi, true))
        }
        Param::List(_, items) => items.iter().map(param).collect(),
    }
}
