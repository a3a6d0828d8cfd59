//! Where the columns of OQL lie in spans, traces and sessions.

use datafusion_common::Column;
use datafusion_expr::{Expr, lit};

use super::Entity;
use spanql_model::columns;

/// Open column of a span's tags: JSON text of a list.
pub(super) const TAGS: &str = "attributes.tag.tags";
/// Open column of the environment that a span ran in.
pub(super) const ENVIRONMENT: &str = "opik.environment";

/// Where a column of OQL lies, and how it is read.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Place {
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
pub(super) fn place(field: &str, entity: Entity) -> Option<Place> {
    match entity {
        Entity::Spans => of_span(field),
        Entity::Traces => of_trace(field),
        Entity::Threads => of_thread(field),
    }
}

fn of_span(field: &str) -> Option<Place> {
    Some(match field {
        "id" => Place::Text(column(columns::SPAN_ID)),
        "trace_id" => Place::Text(column(columns::TRACE_ID)),
        "name" => Place::Text(column(columns::NAME)),
        "model" => Place::Text(column(columns::MODEL)),
        "provider" => Place::Text(column("attributes.llm.provider")),
        "start_time" => Place::Time(column(columns::START_TIME)),
        "end_time" => Place::Time(column(columns::END_TIME)),
        "duration" => Place::Number(column(columns::LATENCY_MS)),
        "usage.total_tokens" => Place::Number(column(columns::TOTAL_TOKENS)),
        "usage.prompt_tokens" => Place::Number(column(columns::PROMPT_TOKENS)),
        "usage.completion_tokens" => Place::Number(column(columns::COMPLETION_TOKENS)),
        "total_estimated_cost" => Place::Number(column(columns::COST)),
        "error_info" => Place::Status(column(columns::STATUS_CODE)),
        "type" => Place::Kind(column(columns::KIND)),
        _ => return of_row(field),
    })
}

/// What spans have, and traces by their root span.
fn of_row(field: &str) -> Option<Place> {
    Some(match field {
        "input" => Place::Text(column(columns::INPUT)),
        "output" => Place::Text(column(columns::OUTPUT)),
        "input_json" => Place::Json(column(columns::INPUT)),
        "output_json" => Place::Json(column(columns::OUTPUT)),
        "metadata" => Place::Json(column(columns::METADATA)),
        "tags" => Place::List(column(TAGS)),
        "feedback_scores" => Place::Scores,
        "environment" => Place::Enum(column(ENVIRONMENT)),
        _ => return None,
    })
}

fn of_trace(field: &str) -> Option<Place> {
    let roll_up = |name| of_table("traces", name);
    Some(match field {
        "id" => Place::Text(roll_up("trace_id")),
        "name" => Place::Text(roll_up("name")),
        "thread_id" => Place::Text(roll_up("session_id")),
        "start_time" => Place::Time(roll_up("start_time")),
        "end_time" => Place::Time(roll_up("end_time")),
        "duration" => Place::Number(roll_up("latency_ms")),
        "usage.total_tokens" => Place::Number(roll_up("total_tokens")),
        "usage.prompt_tokens" => Place::Number(roll_up("prompt_tokens")),
        "usage.completion_tokens" => Place::Number(roll_up("completion_tokens")),
        "total_estimated_cost" => Place::Number(roll_up("cost")),
        "llm_span_count" => Place::Number(roll_up("llm_count")),
        "error_info" => Place::Status(roll_up("status_code")),
        "span_feedback_scores" => Place::SpanScores,
        _ => return of_row(field),
    })
}

fn of_thread(field: &str) -> Option<Place> {
    let roll_up = |name| of_table("sessions", name);
    Some(match field {
        "id" => Place::Exact(roll_up("session_id")),
        "first_message" => Place::Text(roll_up("first_input")),
        "last_message" => Place::Text(roll_up("last_output")),
        "start_time" => Place::Time(roll_up("start_time")),
        "end_time" => Place::Time(roll_up("end_time")),
        "duration" => Place::Number(roll_up("duration_ms")),
        // Opik counts two for each trace: a question and its answer.
        "number_of_messages" => Place::Number(roll_up("trace_count") * lit(2_i64)),
        _ => return None,
    })
}
