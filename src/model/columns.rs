//! The canonical columns of a span, in their fixed order.
//!
//! The names are the flat dotted names of an Arize export. The list is part of spanql's SQL surface: names,
//! types and order never change, and a new column goes last.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// Name of the project column.
pub const PROJECT: &str = "project";
/// Name of the column that says where a span came from (`arize`, `phoenix`, `opik`, `file`, `demo`, `otlp`, `local`).
pub const SOURCE: &str = "source";
/// Name of the trace id column.
pub const TRACE_ID: &str = "context.trace_id";
/// Name of the span id column.
pub const SPAN_ID: &str = "context.span_id";
/// Name of the parent's span id column; null for a root.
pub const PARENT_ID: &str = "parent_id";
/// Name of the span's name column.
pub const NAME: &str = "name";
/// Name of the OpenInference span kind column.
pub const KIND: &str = "attributes.openinference.span.kind";
/// Name of the start time column (ns, UTC).
pub const START_TIME: &str = "start_time";
/// Name of the end time column (ns, UTC).
pub const END_TIME: &str = "end_time";
/// Name of the latency column (ms), derived from start and end.
pub const LATENCY_MS: &str = "latency_ms";
/// Name of the status column (`OK`, `ERROR`, `UNSET` or null).
pub const STATUS_CODE: &str = "status_code";
/// Name of the status message column.
pub const STATUS_MESSAGE: &str = "status_message";
/// Name of the events column: JSON text of a list.
pub const EVENTS: &str = "events";
/// Name of the column derived from the events' attributes, as JSON text.
pub const EVENT_ATTRIBUTES: &str = "event.attributes";
/// Name of the input column.
pub const INPUT: &str = "attributes.input.value";
/// Name of the output column.
pub const OUTPUT: &str = "attributes.output.value";
/// Name of the model column.
pub const MODEL: &str = "attributes.llm.model_name";
/// Name of the column of messages that a model was given: JSON text of a list.
pub const INPUT_MESSAGES: &str = "attributes.llm.input_messages";
/// Name of the column of messages that a model gave: JSON text of a list.
pub const OUTPUT_MESSAGES: &str = "attributes.llm.output_messages";
/// Name of the column of the tool that a span calls.
pub const TOOL_NAME: &str = "attributes.tool.name";
/// Name of the prompt token count column.
pub const PROMPT_TOKENS: &str = "attributes.llm.token_count.prompt";
/// Name of the completion token count column.
pub const COMPLETION_TOKENS: &str = "attributes.llm.token_count.completion";
/// Name of the total token count column.
pub const TOTAL_TOKENS: &str = "attributes.llm.token_count.total";
/// Name of the total cost column (USD).
pub const COST: &str = "attributes.llm.cost.total";
/// Name of the session id column.
pub const SESSION_ID: &str = "attributes.session.id";
/// Name of the user id column.
pub const USER_ID: &str = "attributes.user.id";
/// Name of the metadata column: JSON text of an object.
pub const METADATA: &str = "attributes.metadata";
/// Prefix of the columns that are unpacked from [`METADATA`].
pub const METADATA_PREFIX: &str = "attributes.metadata.";
/// Name of the JSON column that takes keys beyond the limit on open columns.
pub const REST: &str = "attributes.rest";

/// Name of the open column of people's notes: JSON text of a list, kept in the form of the canonical lists.
pub const NOTES: &str = "annotation.notes";

/// How the text of a canonical Utf8 column is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// A plain scalar.
    Scalar,
    /// JSON text of a list, without blanks between elements.
    JsonList,
    /// JSON text of an object, without blanks between members.
    JsonObject,
}

/// One canonical column.
#[derive(Debug, Clone)]
pub struct Column {
    /// Flat dotted name.
    pub name: &'static str,
    /// Arrow type, as SQL sees it.
    pub data_type: DataType,
    /// How its text is to be read.
    pub content: Content,
}

/// Timestamps are nanoseconds since the epoch, UTC: nothing is rounded.
pub fn timestamp_type() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))
}

fn column(name: &'static str, data_type: DataType) -> Column {
    Column { name, data_type, content: Content::Scalar }
}

fn list(name: &'static str) -> Column {
    Column { name, data_type: DataType::Utf8, content: Content::JsonList }
}

fn object(name: &'static str) -> Column {
    Column { name, data_type: DataType::Utf8, content: Content::JsonObject }
}

/// The canonical columns in order, without the `tree.*` columns that follow them.
pub static CANONICAL: LazyLock<Vec<Column>> = LazyLock::new(|| {
    use DataType::{Boolean, Float64, Int64, Utf8};
    vec![
        column(PROJECT, Utf8),
        column(SOURCE, Utf8),
        column(TRACE_ID, Utf8),
        column(SPAN_ID, Utf8),
        column(PARENT_ID, Utf8),
        column(NAME, Utf8),
        column(KIND, Utf8),
        column(START_TIME, timestamp_type()),
        column(END_TIME, timestamp_type()),
        column(LATENCY_MS, Float64),
        column(STATUS_CODE, Utf8),
        column(STATUS_MESSAGE, Utf8),
        list(EVENTS),
        list(EVENT_ATTRIBUTES),
        column(INPUT, Utf8),
        column("attributes.input.mime_type", Utf8),
        column(OUTPUT, Utf8),
        column("attributes.output.mime_type", Utf8),
        column(MODEL, Utf8),
        column("attributes.llm.provider", Utf8),
        list(INPUT_MESSAGES),
        list(OUTPUT_MESSAGES),
        list("attributes.llm.tools"),
        object("attributes.llm.invocation_parameters"),
        column(PROMPT_TOKENS, Int64),
        column(COMPLETION_TOKENS, Int64),
        column(TOTAL_TOKENS, Int64),
        column("attributes.llm.cost.prompt", Float64),
        column("attributes.llm.cost.completion", Float64),
        column(COST, Float64),
        column(TOOL_NAME, Utf8),
        column("attributes.tool.description", Utf8),
        object("attributes.tool.parameters"),
        list("attributes.retrieval.documents"),
        list("attributes.reranker.input_documents"),
        list("attributes.reranker.output_documents"),
        column("attributes.reranker.query", Utf8),
        column("attributes.reranker.model_name", Utf8),
        column("attributes.reranker.top_k", Int64),
        column("attributes.embedding.model_name", Utf8),
        list("attributes.embedding.embeddings"),
        column("attributes.llm.prompt_template.template", Utf8),
        column("attributes.llm.prompt_template.version", Utf8),
        object("attributes.llm.prompt_template.variables"),
        column(SESSION_ID, Utf8),
        column(USER_ID, Utf8),
        column("attributes.exception.type", Utf8),
        column("attributes.exception.message", Utf8),
        column("attributes.exception.stacktrace", Utf8),
        column("attributes.exception.escaped", Boolean),
        object(METADATA),
    ]
});

/// The columns that describe a span's place in its trace, in order; computed, never read from input.
pub static TREE: LazyLock<Vec<Column>> = LazyLock::new(|| {
    use DataType::{Boolean, Float64, Int32, Utf8};
    vec![
        column("tree.depth", Int32),
        column("tree.left", Int32),
        column("tree.right", Int32),
        column("tree.root_id", Utf8),
        column("tree.children", Int32),
        column("tree.descendants", Int32),
        column("tree.self_ms", Float64),
        column("tree.critical", Boolean),
        column("tree.orphan", Boolean),
        column("tree.cycle", Boolean),
        column("tree.wrapper", Boolean),
    ]
});

/// Whether a name is that of a `tree.*` column.
pub fn is_of_tree(name: &str) -> bool {
    TREE.iter().any(|column| column.name == name)
}

/// Canonical columns that spanql computes and therefore never takes from input.
pub const DERIVED: [&str; 2] = [LATENCY_MS, EVENT_ATTRIBUTES];

/// Finds a canonical column (without `tree.*`) by its exact name.
pub fn canonical(name: &str) -> Option<&'static Column> {
    static INDEX: LazyLock<std::collections::HashMap<&'static str, usize>> =
        LazyLock::new(|| CANONICAL.iter().enumerate().map(|(i, c)| (c.name, i)).collect());
    INDEX.get(name).map(|&i| &CANONICAL[i])
}

/// The schema of `spans`: canonical columns, `tree.*`, then the given open columns, which must be sorted by name.
///
/// Every field is nullable.
pub fn spans_schema(open: &[(String, DataType)]) -> SchemaRef {
    let fixed = CANONICAL.iter().chain(TREE.iter()).map(|c| Field::new(c.name, c.data_type.clone(), true));
    let open = open.iter().map(|(name, data_type)| Field::new(name, data_type.clone(), true));
    Arc::new(Schema::new(fixed.chain(open).collect::<Vec<_>>()))
}

/// Name of an ingest batch's column of metadata keys that came one by one: JSON text of an object whose keys are set in
/// [`METADATA`] when the span is merged. Never stored.
pub const METADATA_PATCH: &str = "\u{1}metadata patch";

#[cfg(test)]
mod tests {
    use super::{CANONICAL, TREE, is_of_tree};

    #[test]
    fn trees_have_their_own_columns() {
        assert!(TREE.iter().all(|column| is_of_tree(column.name)));
        assert!(!CANONICAL.iter().any(|column| is_of_tree(column.name)) && !is_of_tree("tree.height"));
    }
}
