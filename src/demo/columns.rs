//! The columns of generated batches: canonical ones as they arrive, then open ones sorted by name.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use spanql_model::columns::timestamp_type;

/// The type of a generated column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Text,
    Int,
    Float,
    Flag,
    Time,
}

macro_rules! columns {
    ($($variant:ident: $shape:ident = $name:literal),* $(,)?) => {
        /// One generated column; its number is its place in the schema.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Col { $($variant),* }

        /// Names and types, in the order of [`Col`].
        pub(super) const COLUMNS: &[(&str, Shape)] = &[$(($name, Shape::$shape)),*];
    };
}

columns! {
    Project: Text = "project",
    Source: Text = "source",
    TraceId: Text = "context.trace_id",
    SpanId: Text = "context.span_id",
    ParentId: Text = "parent_id",
    Name: Text = "name",
    Kind: Text = "attributes.openinference.span.kind",
    Start: Time = "start_time",
    End: Time = "end_time",
    Status: Text = "status_code",
    StatusMessage: Text = "status_message",
    Events: Text = "events",
    Input: Text = "attributes.input.value",
    InputMime: Text = "attributes.input.mime_type",
    Output: Text = "attributes.output.value",
    OutputMime: Text = "attributes.output.mime_type",
    Model: Text = "attributes.llm.model_name",
    Provider: Text = "attributes.llm.provider",
    InputMessages: Text = "attributes.llm.input_messages",
    OutputMessages: Text = "attributes.llm.output_messages",
    Tools: Text = "attributes.llm.tools",
    Invocation: Text = "attributes.llm.invocation_parameters",
    PromptTokens: Int = "attributes.llm.token_count.prompt",
    CompletionTokens: Int = "attributes.llm.token_count.completion",
    TotalTokens: Int = "attributes.llm.token_count.total",
    PromptCost: Float = "attributes.llm.cost.prompt",
    CompletionCost: Float = "attributes.llm.cost.completion",
    TotalCost: Float = "attributes.llm.cost.total",
    ToolName: Text = "attributes.tool.name",
    ToolDescription: Text = "attributes.tool.description",
    ToolParameters: Text = "attributes.tool.parameters",
    Documents: Text = "attributes.retrieval.documents",
    RerankerInput: Text = "attributes.reranker.input_documents",
    RerankerOutput: Text = "attributes.reranker.output_documents",
    RerankerQuery: Text = "attributes.reranker.query",
    RerankerModel: Text = "attributes.reranker.model_name",
    RerankerTopK: Int = "attributes.reranker.top_k",
    EmbeddingModel: Text = "attributes.embedding.model_name",
    Embeddings: Text = "attributes.embedding.embeddings",
    Template: Text = "attributes.llm.prompt_template.template",
    TemplateVersion: Text = "attributes.llm.prompt_template.version",
    TemplateVariables: Text = "attributes.llm.prompt_template.variables",
    SessionId: Text = "attributes.session.id",
    UserId: Text = "attributes.user.id",
    ExceptionType: Text = "attributes.exception.type",
    ExceptionMessage: Text = "attributes.exception.message",
    ExceptionStack: Text = "attributes.exception.stacktrace",
    ExceptionEscaped: Flag = "attributes.exception.escaped",
    Metadata: Text = "attributes.metadata",
    QualityKind: Text = "annotation.Quality.annotator_kind",
    QualityLabel: Text = "annotation.Quality.label",
    QualityScore: Float = "annotation.Quality.score",
    QualityText: Text = "annotation.Quality.text",
    QualityAt: Int = "annotation.Quality.updated_at",
    QualityBy: Text = "annotation.Quality.updated_by",
    ToneKind: Text = "annotation.Tone.annotator_kind",
    ToneLabel: Text = "annotation.Tone.label",
    ToneScore: Float = "annotation.Tone.score",
    ToneText: Text = "annotation.Tone.text",
    ToneAt: Int = "annotation.Tone.updated_at",
    ToneBy: Text = "annotation.Tone.updated_by",
    Notes: Text = "annotation.notes",
    Region: Text = "attributes.deployment.region",
    LatencyBudget: Float = "attributes.retrieval.latency_budget_ms",
    Attempt: Int = "attributes.retry.attempt",
    Cached: Flag = "attributes.tool.cached",
    RelevanceExplanation: Text = "eval.Answer Relevance.explanation",
    RelevanceLabel: Text = "eval.Answer Relevance.label",
    RelevanceScore: Float = "eval.Answer Relevance.score",
    CorrectnessExplanation: Text = "eval.Correctness.explanation",
    CorrectnessLabel: Text = "eval.Correctness.label",
    CorrectnessScore: Float = "eval.Correctness.score",
    HallucinationExplanation: Text = "eval.Hallucination.explanation",
    HallucinationLabel: Text = "eval.Hallucination.label",
    HallucinationScore: Float = "eval.Hallucination.score",
    GoalExplanation: Text = "trace_eval.Goal Completion.explanation",
    GoalLabel: Text = "trace_eval.Goal Completion.label",
    GoalScore: Float = "trace_eval.Goal Completion.score",
}

impl Shape {
    fn data_type(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Int => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Flag => DataType::Boolean,
            Self::Time => timestamp_type(),
        }
    }
}

/// The schema of every generated batch.
pub(super) fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let fields = COLUMNS.iter().map(|(name, shape)| Field::new(*name, shape.data_type(), true));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    });
    Arc::clone(&SCHEMA)
}

#[cfg(test)]
mod tests {
    use super::schema;
    use spanql_model::columns::{CANONICAL, DERIVED, canonical};
    use spanql_model::names::is_open_name;

    #[test]
    fn every_canonical_column_that_can_arrive_is_there_with_its_type() {
        let schema = schema();
        let wanted: Vec<_> = CANONICAL.iter().filter(|c| !DERIVED.contains(&c.name)).collect();
        for (field, column) in schema.fields().iter().zip(&wanted) {
            assert_eq!((field.name().as_str(), field.data_type()), (column.name, &column.data_type));
        }
        let open: Vec<&str> = schema.fields()[wanted.len()..].iter().map(|f| f.name().as_str()).collect();
        assert!(open.is_sorted());
        assert!(open.iter().all(|name| is_open_name(name) && canonical(name).is_none()), "{open:?}");
    }
}
