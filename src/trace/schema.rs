//! The columns of `traces`.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use spanql_model::columns::timestamp_type;

/// The type of `models` and `session_ids`: a list of nullable text.
pub(super) fn text_list_type() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))
}

/// The schema of `traces`, one row per trace.
///
/// Names, types and order are part of the SQL surface and never change. Every field is nullable; counts, depth and
/// tokens are Int64, cost (USD) and milliseconds Float64.
pub fn traces_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        use DataType::{Float64, Int64, Utf8};
        let fields = [
            ("project", Utf8),
            ("source", Utf8),
            ("trace_id", Utf8),
            ("root_span_id", Utf8),
            ("name", Utf8),
            ("kind", Utf8),
            ("session_id", Utf8),
            ("session_ids", text_list_type()),
            ("user_id", Utf8),
            ("start_time", timestamp_type()),
            ("end_time", timestamp_type()),
            ("latency_ms", Float64),
            ("status_code", Utf8),
            ("span_count", Int64),
            ("root_count", Int64),
            ("orphan_count", Int64),
            ("cycle_count", Int64),
            ("error_count", Int64),
            ("llm_count", Int64),
            ("tool_count", Int64),
            ("max_depth", Int64),
            ("models", text_list_type()),
            ("prompt_tokens", Int64),
            ("completion_tokens", Int64),
            ("total_tokens", Int64),
            ("reported_tokens", Int64),
            ("cost", Float64),
            ("input", Utf8),
            ("output", Utf8),
        ];
        Arc::new(Schema::new(fields.map(|(name, data_type)| Field::new(name, data_type, true)).to_vec()))
    });
    Arc::clone(&SCHEMA)
}
