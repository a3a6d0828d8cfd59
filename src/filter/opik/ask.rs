//! From conditions on rows to what Opik is asked, of spans and of traces.

use arrow::datatypes::Schema;
use datafusion_expr::Expr;

use super::columns::Op;
use super::compare::GENERAL;
use super::print::print;
use super::{Clause, Entity};
use crate::with_stack;

/// What Opik is asked, so that no row is lost that fulfils the conditions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    /// Of spans; everything where it is empty.
    pub spans: Vec<Clause>,
    /// Of traces, each of which is a row of the kind `CHAIN` without a model, tokens and costs; `None` when no such row
    /// can fulfil the conditions.
    pub traces: Option<Vec<Clause>>,
}

/// Says of conditions what Opik may be asked when its rows become those that the conditions are about.
///
/// That is less than [`print()`] says: a row here may differ from what the server compares. JSON may be written
/// differently, kinds and scores may be there that the schema does not know.
pub fn ask(conditions: &[Expr], schema: &Schema) -> Asked {
    let said = with_stack(|| print(conditions, Entity::Spans, schema).translated).unwrap_or_default();
    let spans: Vec<Clause> = said.into_iter().filter_map(safe).collect();
    let mut traces = Some(vec![]);
    for clause in &spans {
        match of_trace(clause) {
            OfTrace::Same(clause) => traces.iter_mut().for_each(|said: &mut Vec<Clause>| said.push(clause.clone())),
            OfTrace::Holds => {}
            OfTrace::Never => traces = None,
        }
    }
    Asked { spans, traces }
}

/// The clause where it loses no row, however the server has what is compared.
fn safe(clause: Clause) -> Option<Clause> {
    let op = Op::read(&clause.operator)?;
    match clause.field.as_str() {
        "input" | "output" => {
            let word = (op == Op::Contains).then(|| clause.value.trim_matches(' ').to_owned())?;
            is_within_json_text(&word).then_some(Clause { value: word, ..clause })
        }
        // A type that is not known yet is a kind of its own here.
        "type" => (!clause.value.split(',').any(|name| name == GENERAL)).then_some(clause),
        // Where Opik has none, metadata may name it.
        "model" | "provider" => None,
        // Another score may differ from it in case only.
        "feedback_scores" => (!matches!(op, Op::IsEmpty | Op::NotEq)).then_some(clause),
        _ => Some(clause),
    }
}

/// Whether a text is found in JSON within a string or a name only, so that it is found however that is written.
fn is_within_json_text(part: &str) -> bool {
    part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'_' | b'-'))
        && part.bytes().any(|byte| byte.is_ascii_alphabetic() && !matches!(byte, b'e' | b'E'))
}

/// What a clause on spans asks of the row of a trace.
enum OfTrace {
    Same(Clause),
    /// Nothing: it holds of all of them.
    Holds,
    Never,
}

fn of_trace(clause: &Clause) -> OfTrace {
    let op = Op::read(&clause.operator);
    let same = |field: &str| OfTrace::Same(Clause { field: field.to_owned(), ..clause.clone() });
    match clause.field.as_str() {
        // The row of a trace has the trace's id.
        "trace_id" => same("id"),
        // It is none of the types that can be asked for.
        "type" => match op {
            Some(Op::NotEq | Op::NotIn) => OfTrace::Holds,
            _ => OfTrace::Never,
        },
        // An absent number fulfils no comparison here.
        "usage.total_tokens" | "usage.prompt_tokens" | "usage.completion_tokens" | "total_estimated_cost" => {
            OfTrace::Never
        }
        field => same(field),
    }
}
