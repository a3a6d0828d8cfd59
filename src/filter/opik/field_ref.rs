//! Where the columns of OQL lie in spans, traces and sessions.

use datafusion_common::Column;
use datafusion_expr::{Expr, lit};
use datafusion_functions::core::expr_fn::coalesce;

use super::Entity;
use spanql_model::columns;

/// Open column of a span's tags: JSON text of a list.
pub(super) const TAGS: &str = "attributes.tag.tags";
/// Open column of the environment that a span ran in.
pub(super) const ENVIRONMENT: &str = "opik.environment";

/// Where a column of OQL lies, and how it is read.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum FieldRef {
    /// Text, compared in any case.
    Text(Expr),
    /// Text, compared as it is.
    Exact(Expr),
    /// Numbers.
    Number(Expr),
    /// Times.
    Time(Expr),
    /// JSON text, of which a key is read.
    Json(Expr),
    /// JSON text of a list.
    List(Expr),
    /// Scores of the rows themselves, by name.
    Scores,
    /// Scores of any span of a trace, by name.
    SpanScores,
    /// The kind of a span.
    Kind(Expr),
    /// One of some names.
    Enum(Expr),
    /// The status of what may have failed.
    Status(Expr),
}

/// A column of the rows themselves: spans, or the root spans of traces.
pub(super) fn column(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

fn of_table(table: &str, name: &str) -> Expr {
    Expr::Column(Column::new(Some(table), name))
}

/// Where a column lies; `None` for one that is not kept here.
///
/// Of a trace, what `traces` has is read there, and the rest from its root span.
pub(super) fn field_ref(field: &str, entity: Entity) -> Option<FieldRef> {
    match entity {
        Entity::Spans => of_span(field),
        Entity::Traces => of_trace(field),
        Entity::Threads => of_thread(field),
    }
}

fn of_span(field: &str) -> Option<FieldRef> {
    Some(match field {
        "id" => FieldRef::Text(column(columns::SPAN_ID)),
        "trace_id" => FieldRef::Text(column(columns::TRACE_ID)),
        "name" => FieldRef::Text(column(columns::NAME)),
        "model" => FieldRef::Text(column(columns::MODEL)),
        "provider" => FieldRef::Text(column("attributes.llm.provider")),
        "start_time" => FieldRef::Time(column(columns::START_TIME)),
        "end_time" => FieldRef::Time(column(columns::END_TIME)),
        "duration" => FieldRef::Number(column(columns::LATENCY_MS)),
        "usage.total_tokens" => FieldRef::Number(column(columns::TOTAL_TOKENS)),
        "usage.prompt_tokens" => FieldRef::Number(column(columns::PROMPT_TOKENS)),
        "usage.completion_tokens" => FieldRef::Number(column(columns::COMPLETION_TOKENS)),
        "total_estimated_cost" => FieldRef::Number(column(columns::COST)),
        "error_info" => FieldRef::Status(column(columns::STATUS_CODE)),
        "type" => FieldRef::Kind(column(columns::KIND)),
        _ => return of_row(field),
    })
}

/// What spans have, and traces by their root span.
fn of_row(field: &str) -> Option<FieldRef> {
    Some(match field {
        "input" => FieldRef::Text(column(columns::INPUT)),
        "output" => FieldRef::Text(column(columns::OUTPUT)),
        "input_json" => FieldRef::Json(column(columns::INPUT)),
        "output_json" => FieldRef::Json(column(columns::OUTPUT)),
        "metadata" => FieldRef::Json(column(columns::METADATA)),
        "tags" => FieldRef::List(column(TAGS)),
        "feedback_scores" => FieldRef::Scores,
        "environment" => FieldRef::Enum(column(ENVIRONMENT)),
        _ => return None,
    })
}

fn of_trace(field: &str) -> Option<FieldRef> {
    let roll_up = |name| of_table("traces", name);
    Some(match field {
        "id" => FieldRef::Text(roll_up("trace_id")),
        "name" => FieldRef::Text(roll_up("name")),
        "thread_id" => FieldRef::Text(roll_up("session_id")),
        "start_time" => FieldRef::Time(roll_up("start_time")),
        "end_time" => FieldRef::Time(roll_up("end_time")),
        "duration" => FieldRef::Number(roll_up("latency_ms")),
        "usage.total_tokens" => FieldRef::Number(roll_up("total_tokens")),
        "usage.prompt_tokens" => FieldRef::Number(roll_up("prompt_tokens")),
        "usage.completion_tokens" => FieldRef::Number(roll_up("completion_tokens")),
        "total_estimated_cost" => FieldRef::Number(roll_up("cost")),
        "llm_span_count" => FieldRef::Number(roll_up("llm_count")),
        "error_info" => FieldRef::Status(roll_up("status_code")),
        // Whole, where the root span has it; `traces` has what a call of a model says in its place, and the beginning of it.
        "input" => FieldRef::Text(coalesce(vec![column(columns::INPUT), roll_up("input")])),
        "output" => FieldRef::Text(coalesce(vec![column(columns::OUTPUT), roll_up("output")])),
        "span_feedback_scores" => FieldRef::SpanScores,
        _ => return of_row(field),
    })
}

fn of_thread(field: &str) -> Option<FieldRef> {
    let roll_up = |name| of_table("sessions", name);
    Some(match field {
        "id" => FieldRef::Exact(roll_up("session_id")),
        "first_message" => FieldRef::Text(roll_up("first_input")),
        "last_message" => FieldRef::Text(roll_up("last_output")),
        "start_time" => FieldRef::Time(roll_up("start_time")),
        "end_time" => FieldRef::Time(roll_up("end_time")),
        "duration" => FieldRef::Number(roll_up("duration_ms")),
        // Opik counts two for each trace: a question and its answer.
        "number_of_messages" => FieldRef::Number(roll_up("trace_count") * lit(2_i64)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_lie_where_their_values_are() {
        use Entity::{Spans, Threads, Traces};
        for (entity, field, place) in [
            (Spans, "id", "Text context.span_id"),
            (Spans, "trace_id", "Text context.trace_id"),
            (Spans, "provider", "Text attributes.llm.provider"),
            (Spans, "usage.prompt_tokens", "Number attributes.llm.token_count.prompt"),
            (Spans, "usage.completion_tokens", "Number attributes.llm.token_count.completion"),
            (Spans, "total_estimated_cost", "Number attributes.llm.cost.total"),
            (Spans, "output", "Text attributes.output.value"),
            (Spans, "output_json", "Json attributes.output.value"),
            (Traces, "input_json", "Json attributes.input.value"),
            (Traces, "id", "Text traces.trace_id"),
            (Traces, "usage.prompt_tokens", "Number traces.prompt_tokens"),
            (Traces, "usage.completion_tokens", "Number traces.completion_tokens"),
            (Threads, "first_message", "Text sessions.first_input"),
            (Threads, "last_message", "Text sessions.last_output"),
            (Threads, "start_time", "Time sessions.start_time"),
            (Threads, "end_time", "Time sessions.end_time"),
            (Threads, "duration", "Number sessions.duration_ms"),
            (Threads, "number_of_messages", "Number sessions.trace_count * Int64(2)"),
        ] {
            let found = match field_ref(field, entity) {
                Some(FieldRef::Text(at)) => format!("Text {at}"),
                Some(FieldRef::Number(at)) => format!("Number {at}"),
                Some(FieldRef::Time(at)) => format!("Time {at}"),
                Some(FieldRef::Json(at)) => format!("Json {at}"),
                other => format!("{other:?}"),
            };
            assert_eq!(found, place, "{field} of {entity}");
        }
        assert_eq!(field_ref("tags", Threads), None);
    }
}
