//! The long tables of a store: what lies in the columns of spans, a row for each.
//!
//! ```text
//! table.rs     the providers: which columns of spans are read, and which rows of them
//! exec.rs      the plan that makes rows of spans into rows of these tables
//! reads.rs     values of a batch of spans: columns of their own, or keys of attributes.rest
//! out.rs       rows that are being made
//! scores.rs    evals, annotations
//! lists.rs     events, documents
//! messages.rs  messages
//! repeats.rs   repeats
//! turns.rs     turns: a view
//! ```

mod exec;
mod lists;
mod messages;
mod out;
mod reads;
mod repeats;
mod scores;
mod table;
mod turns;

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::Result;
use datafusion::logical_expr::Expr;

use out::Out;
use reads::{Names, Reads};
use spanql_model::columns::{KIND, NAME, PARENT_ID, PROJECT, SPAN_ID, TRACE_ID, spans_schema, timestamp_type};

pub(crate) use table::LongTable;
pub(crate) use turns::TURNS_SQL;

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
enum Cell {
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
    fn columns(self) -> Vec<(&'static str, Cell)> {
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
    fn schema(self) -> SchemaRef {
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
    fn constants(self) -> &'static [&'static str] {
        match self {
            Self::Evals => &["level", "name"],
            Self::Annotations => &["name"],
            Self::Messages => &["direction"],
            Self::Documents => &["source"],
            Self::Events | Self::Repeats => &[],
        }
    }

    /// The columns on which a condition may as well be checked on spans: all spans that a row is made from have the same
    /// value there.
    fn pushed(self, whole_traces: bool) -> &'static [&'static str] {
        match self {
            Self::Repeats => &["project", "trace_id", "parent_id", "name"],
            _ if whole_traces => &["project", "trace_id"],
            _ => &["project", "trace_id", "span_id"],
        }
    }

    /// What it is made from, where a store has any of it. `wanted` says of each column whether it is read; `possible`
    /// says of the constants' values whether their rows are.
    fn source(self, names: &Names, wanted: &[bool], possible: &Possible<'_>) -> Result<Option<Made>> {
        match self {
            Self::Evals => scores::evals(names, possible),
            Self::Annotations => scores::annotations(names, possible),
            Self::Events => Ok(lists::events(names)),
            Self::Messages => messages::messages(names, wanted, possible),
            Self::Documents => lists::documents(names, possible),
            Self::Repeats => Ok(repeats::repeats(names)),
        }
    }
}

/// Says which of some kinds of rows a query can be about: each is the values of the columns that tell them apart.
type Possible<'a> = dyn Fn(&[Vec<String>]) -> Result<Vec<bool>> + 'a;

/// What a table is made from.
#[derive(Debug)]
struct Made {
    source: Arc<dyn Source>,
    reads: Reads,
    /// What is true of each span that gives rows.
    condition: Expr,
    /// Whether the spans of a trace are seen together.
    whole_traces: bool,
}

/// Makes rows of spans.
trait Source: Debug + Send + Sync {
    /// Takes a batch: the values of what is read, in that order.
    fn open(&self, values: Vec<ArrayRef>) -> Result<Box<dyn Expand>>;
}

/// Makes rows of the spans of one batch.
trait Expand: Send {
    /// Looks at the spans of a trace, before any of them is expanded; called for whole traces only.
    fn begin(&mut self, trace: Range<usize>);

    /// Appends the rows of a span.
    fn expand(&mut self, span: usize, out: &mut Out);
}
