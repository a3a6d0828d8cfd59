//! Which tables there are, and their columns.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use spanql_model::columns::{KIND, NAME, PARENT_ID, PROJECT, SPAN_ID, TRACE_ID, spans_schema, timestamp_type};

/// One of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Long {
    /// Evaluations: a row for each span, level and name.
    Evals,
    /// What people and programs noted on spans: a row for each span and name, and for each note.
    Annotations,
    /// Events of spans.
    Events,
    /// What models were given and gave.
    Messages,
    /// Documents that were retrieved or ranked.
    Documents,
    /// Spans of one name with one input, more than one under one parent.
    Repeats,
}

/// Where a column's values come from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    /// The column of spans of this name, as it is.
    Of(&'static str),
    /// Made.
    Made(DataType),
}

impl Long {
    /// All of them.
    pub(crate) const ALL: [Self; 6] =
        [Self::Evals, Self::Annotations, Self::Events, Self::Messages, Self::Documents, Self::Repeats];

    /// The table's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Evals => "evals",
            Self::Annotations => "annotations",
            Self::Events => "events",
            Self::Messages => "messages",
            Self::Documents => "documents",
            Self::Repeats => "repeats",
        }
    }

    /// The columns in order; modules of the tables know the made ones by their place.
    pub(super) fn columns(self) -> Vec<(&'static str, Cell)> {
        use Cell::{Made, Of};
        use DataType::{Float64, Int64, Utf8};
        let ids = [("project", Of(PROJECT)), ("trace_id", Of(TRACE_ID)), ("span_id", Of(SPAN_ID))];
        let own = match self {
            Self::Evals => vec![
                ("level", Made(Utf8)),
                ("name", Made(Utf8)),
                ("label", Made(Utf8)),
                ("score", Made(Float64)),
                ("explanation", Made(Utf8)),
            ],
            Self::Annotations => vec![
                ("name", Made(Utf8)),
                ("label", Made(Utf8)),
                ("score", Made(Float64)),
                ("text", Made(Utf8)),
                ("explanation", Made(Utf8)),
                ("annotator_kind", Made(Utf8)),
                ("updated_by", Made(Utf8)),
                ("updated_at", Made(timestamp_type())),
            ],
            Self::Events => vec![
                ("position", Made(Int64)),
                ("name", Made(Utf8)),
                ("time", Made(timestamp_type())),
                ("attributes", Made(Utf8)),
            ],
            Self::Messages => vec![
                ("direction", Made(Utf8)),
                ("position", Made(Int64)),
                ("role", Made(Utf8)),
                ("content", Made(Utf8)),
                ("name", Made(Utf8)),
                ("tool_call_id", Made(Utf8)),
                ("tool_name", Made(Utf8)),
                ("tool_calls", Made(Utf8)),
            ],
            Self::Documents => vec![
                ("source", Made(Utf8)),
                ("position", Made(Int64)),
                ("id", Made(Utf8)),
                ("score", Made(Float64)),
                ("content", Made(Utf8)),
                ("metadata", Made(Utf8)),
            ],
            Self::Repeats => {
                return vec![
                    ("project", Of(PROJECT)),
                    ("trace_id", Of(TRACE_ID)),
                    ("parent_id", Of(PARENT_ID)),
                    ("name", Of(NAME)),
                    ("kind", Of(KIND)),
                    ("input", Made(Utf8)),
                    ("count", Made(Int64)),
                    ("error_count", Made(Int64)),
                    ("first_span_id", Of(SPAN_ID)),
                    ("last_span_id", Made(Utf8)),
                    ("start_time", Made(timestamp_type())),
                    ("end_time", Made(timestamp_type())),
                    ("latency_ms", Made(Float64)),
                ];
            }
        };
        ids.into_iter().chain(own).collect()
    }

    /// The table's schema; every column may be null.
    pub(super) fn schema(self) -> SchemaRef {
        let spans = spans_schema(&[]);
        let field = |(name, cell)| match cell {
            Cell::Made(data_type) => Field::new(name, data_type, true),
            // These are canonical columns, whose types are fixed.
            Cell::Of(column) => {
                let data_type = spans.field_with_name(column).map(|field| field.data_type().clone());
                Field::new(name, data_type.unwrap_or(DataType::Utf8), true)
            }
        };
        Arc::new(Schema::new(self.columns().into_iter().map(field).collect::<Vec<_>>()))
    }

    /// The columns that are the same in all rows which a source of the table gives.
    pub(super) fn constants(self) -> &'static [&'static str] {
        match self {
            Self::Evals => &["level", "name"],
            Self::Annotations => &["name"],
            Self::Messages => &["direction"],
            Self::Documents => &["source"],
            Self::Events | Self::Repeats => &[],
        }
    }

    /// The column that has what the strings in a column of spans say.
    pub(super) fn content(self) -> Option<&'static str> {
        matches!(self, Self::Messages | Self::Documents).then_some("content")
    }

    /// The columns on which a condition may as well be checked on spans: all spans that a row is made from have the same
    /// value there.
    pub(super) fn pushed(self, whole_traces: bool) -> &'static [&'static str] {
        match self {
            Self::Repeats => &["project", "trace_id", "parent_id", "name"],
            _ if whole_traces => &["project", "trace_id"],
            _ => &["project", "trace_id", "span_id"],
        }
    }
}
