//! What is typed to look at spans, traces and sessions: lists, views, exports, patterns, and how results are written.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, ValueEnum};

use super::remote::{FromOptions, WindowOptions};
use super::write::{
    DeleteArguments, JudgeArguments, LogArguments, MetadataArguments, ReviewArguments, UndeleteArguments,
};
use crate::cli::cursor::Cursor;
use crate::cli::export_dir::TEMPORARY;
use crate::cli::filters::FilterOptions;
use spanql_trace::structure::Side;

/// How a result is written, and what it may rest on.
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct ResultOptions {
    /// Format of the result (table, json, jsonl, csv, tsv, md, parquet, arrow), or a file whose ending names it
    /// [default: table on a terminal, else jsonl]
    #[arg(short, long, value_name = "FORMAT|FILE")]
    pub(in crate::cli) output: Option<String>,
    /// Show at most so many characters of a cell
    #[arg(long, value_name = "N")]
    pub(in crate::cli) max_cell: Option<usize>,
    /// In CSV and TSV, put an apostrophe before cells that a spreadsheet would take for a formula
    #[arg(long)]
    pub(in crate::cli) csv_safe: bool,
    /// In tables and Markdown, mark span text as quoted data for agents
    #[arg(long)]
    pub(in crate::cli) fence: bool,
    /// End with exit code 4 when the answer rests on a pull that is not complete
    #[arg(long)]
    pub(in crate::cli) require_complete: bool,
    /// End with exit code 3 when a condition is about nothing: a text that a column has nowhere, a name that no span has, a
    /// time behind the end of the data
    #[arg(long)]
    pub(in crate::cli) strict: bool,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum SpansCommand {
    /// List spans of the store, the newest first
    ///
    /// Of a long input the beginning is listed; `query` gives all of it.
    List(SpansList),
    /// Write spans to a file or a pipe, the newest first, with all that is known of them
    ///
    /// json is an array of spans in the shape that the clients of Arize write; all other formats have a row for each span,
    /// with the columns of the table `spans`.
    Export(ExportOptions),
    /// Annotate spans, traces or sessions: what people say of them
    ///
    /// Rows are records (record_id and values: a list of name, label, score, text), or have columns `annotation.<name>.label`,
    /// .score, .text, .updated_by, .updated_at and annotation.notes, or are one annotation each (span_id, name, label, score,
    /// text). Of one name the later annotation wins, part by part; what it does not say stays. In the store, all of it is
    /// written or nothing. Exit code 1 when an id failed.
    Annotate(Box<JudgeArguments>),
    /// Evaluate spans, traces or sessions: what a model or code says of them
    ///
    /// As `spans annotate`, with columns `eval.<name>.label`, .score and .explanation, trace_eval.… and session_eval.….
    Evaluate(Box<JudgeArguments>),
    /// Set keys of the metadata of spans
    ///
    /// Rows have columns `attributes.metadata.<key>`, or a document (patch_document: a JSON object), or both: then the document
    /// wins. Keys that are not named stay, null is stored as null; truth values become True and False, lists and objects JSON
    /// text, as at Arize.
    Metadata(Box<MetadataArguments>),
    /// Write new spans into the store
    ///
    /// Files of spans as `import` takes them; their source is `local`, and spans that the store holds are refused.
    Log(LogArguments),
    /// Delete spans, and keep them deleted when they come again
    ///
    /// Their children become orphans. Older versions of the store still hold them, unless --purge is given, and
    /// `spans undelete` takes it back.
    Delete(Box<DeleteArguments>),
    /// Take deletions back
    ///
    /// Spans that an older version of the store still holds are there again; others are no longer kept out when they come.
    /// What was written since stays.
    Undelete(UndeleteArguments),
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum TracesCommand {
    /// List the traces of the store that have a span that is meant, the newest first
    ///
    /// A filter, ids and a window say which spans are meant, and one span must fulfil all of them; --session-id and
    /// --oql are about the trace.
    List(SortedList),
    /// Show one trace of the store as a tree
    ///
    /// A line for each span: kind, name (after ✗ if it failed), orphan or cycle, ◆ for the critical path, latency, its
    /// place on the time axis of the trace, model, tokens and cost; below a failed span what it says about it.
    Show(TraceShow),
    /// Write all spans of the traces that have a span that is meant to a file or a pipe, the newest traces first
    ///
    /// A filter, ids and a window say which spans are meant; the whole traces of those are written, and with --session-id
    /// those of the session. json is an array of spans in the shape that the clients of Arize write; all other formats
    /// have a row for each span, with the columns of the table `spans`.
    Export(ExportOptions),
    /// Look at traces one by one, and give each a label
    ///
    /// Each trace is shown as a tree with inputs and outputs; then a key and Enter give a label, and what stands behind the
    /// key is the text. It is an annotation of the trace, on its root span. Traces that have it already are left out, so that a
    /// review goes on where it was left.
    Review(Box<ReviewArguments>),
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum SessionsCommand {
    /// List the sessions of the store that have a span that is meant, the newest first
    ///
    /// A filter, ids and a window say which spans are meant, and one span must fulfil all of them; --session-id and
    /// --oql are about the session. A trace belongs, whole, to every session that any of its spans names.
    List(Box<SortedList>),
    /// Show one session of the store as a conversation
    ///
    /// Its traces are the turns: when each began and how long after the end of those before, what the user said, what
    /// came back, latency, spans, tokens, cost and errors.
    Show(SessionShow),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct TraceShow {
    /// Id of the trace, or its beginning: four characters or more
    #[arg(value_name = "ID")]
    pub(in crate::cli) id: String,
    /// Show inputs and outputs, and errors whole
    #[arg(long)]
    pub(in crate::cli) full: bool,
    /// Show so many levels, and count what lies below
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) depth: Option<u32>,
    /// Show failed spans and those above them, and count the others
    #[arg(long)]
    pub(in crate::cli) errors_only: bool,
    /// Show the steps of the program: leave out spans without a kind, unless they failed or a step waits for them, and mark
    /// the critical path of the steps
    #[arg(long)]
    pub(in crate::cli) steps: bool,
    #[command(flatten)]
    pub(in crate::cli) options: ShowOptions,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct SessionShow {
    /// Id of the session, or its beginning: four characters or more
    #[arg(value_name = "ID")]
    pub(in crate::cli) id: String,
    /// Show what was said whole
    #[arg(long)]
    pub(in crate::cli) full: bool,
    #[command(flatten)]
    pub(in crate::cli) options: ShowOptions,
}

/// How one thing is shown, and what it may rest on.
#[derive(Debug, Args)]
pub(in crate::cli) struct ShowOptions {
    /// Write nested JSON (json), rows (table, jsonl, csv, tsv, md, parquet, arrow), or a file whose ending names one of
    /// these [default: text for people, in a pipe too]
    #[arg(short, long, value_name = "FORMAT|FILE")]
    pub(in crate::cli) output: Option<String>,
    /// In rows, show at most so many characters of a cell
    #[arg(long, value_name = "N")]
    pub(in crate::cli) max_cell: Option<usize>,
    /// Mark span text as quoted data for agents
    #[arg(long)]
    pub(in crate::cli) fence: bool,
    /// End with exit code 4 when the answer rests on a pull that is not complete
    #[arg(long)]
    pub(in crate::cli) require_complete: bool,
}

/// What is listed, and how.
#[derive(Debug, Args)]
pub(in crate::cli) struct ListOptions {
    #[command(flatten)]
    pub(in crate::cli) result: ResultOptions,
    #[command(flatten)]
    pub(in crate::cli) filters: FilterOptions,
    #[command(flatten)]
    pub(in crate::cli) window: WindowOptions,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct SpansList {
    /// List at most so many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) limit: u32,
    /// Go on where a list ended: the cursor that a note after it gave
    #[arg(long, value_name = "CURSOR")]
    pub(in crate::cli) cursor: Option<Cursor>,
    #[command(flatten)]
    pub(in crate::cli) from: FromOptions,
    #[command(flatten)]
    pub(in crate::cli) options: ListOptions,
}

/// What is written, and where to.
#[derive(Debug, Args)]
pub(in crate::cli) struct ExportOptions {
    /// Write at most so many, the newest [default: all]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) limit: Option<u32>,
    /// Write all, as without --limit. From Arize: its bulk export, over Flight, and JSON is flat
    #[arg(long)]
    pub(in crate::cli) all: bool,
    /// Format (json, jsonl, csv, tsv, parquet, arrow), or a file whose ending names it [default: json]
    #[arg(short, long, value_name = "FORMAT|FILE")]
    pub(in crate::cli) output: Option<String>,
    /// Write spans.json into a new directory, named by what is exported and when, in DIR, which is made if need be;
    /// -o FORMAT makes it spans.FORMAT [default DIR: .arize-tmp-traces, which git is told to ignore]
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = TEMPORARY)]
    pub(in crate::cli) output_dir: Option<PathBuf>,
    /// Write one JSON array to stdout
    #[arg(long, conflicts_with_all = ["output", "output_dir"])]
    pub(in crate::cli) stdout: bool,
    /// In CSV and TSV, put an apostrophe before cells that a spreadsheet would take for a formula
    #[arg(long)]
    pub(in crate::cli) csv_safe: bool,
    /// End with exit code 4 when what is written rests on a pull that is not complete
    #[arg(long)]
    pub(in crate::cli) require_complete: bool,
    /// End with exit code 3 when a condition is about nothing, as `query --strict` does
    #[arg(long)]
    pub(in crate::cli) strict: bool,
    #[command(flatten)]
    pub(in crate::cli) from: FromOptions,
    #[command(flatten)]
    pub(in crate::cli) filters: FilterOptions,
    #[command(flatten)]
    pub(in crate::cli) window: WindowOptions,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct StructureArguments {
    /// The pattern, e.g. { kind = 'AGENT' } >> { status_code = 'ERROR' }; filters are in Arize's filter language
    #[arg(value_name = "PATTERN", allow_hyphen_values = true)]
    pub(in crate::cli) pattern: String,
    /// Spans of which end of the pattern to list [default: right]
    #[arg(long, value_name = "SIDE", value_parser = side())]
    pub(in crate::cli) side: Option<Side>,
    /// List at most so many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) limit: u32,
    /// Read names that no span has as null, instead of refusing the pattern
    #[arg(long)]
    pub(in crate::cli) allow_unknown: bool,
    #[command(flatten)]
    pub(in crate::cli) result: ResultOptions,
    #[command(flatten)]
    pub(in crate::cli) window: WindowOptions,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct SchemaArguments {
    /// A table, or names of columns and functions: their beginning, or a pattern with * and ?
    #[arg(value_name = "TABLE|PATTERN")]
    pub(in crate::cli) pattern: Option<String>,
    /// Format (text, json, or rows: table, jsonl, csv, tsv, md, parquet, arrow), or a file whose ending names one
    /// [default: text on a terminal, else jsonl]
    #[arg(short, long, value_name = "FORMAT|FILE")]
    pub(in crate::cli) output: Option<String>,
    /// Show at most so many characters of an example
    #[arg(long, value_name = "N")]
    pub(in crate::cli) max_cell: Option<usize>,
    /// In CSV and TSV, put an apostrophe before cells that a spreadsheet would take for a formula
    #[arg(long)]
    pub(in crate::cli) csv_safe: bool,
    /// In text, tables and Markdown, mark what is from spans as quoted data for agents
    #[arg(long)]
    pub(in crate::cli) fence: bool,
}

fn side() -> impl TypedValueParser<Value = Side> {
    PossibleValuesParser::new(Side::NAMES).map(|name| name.parse().unwrap_or_default())
}

/// A list of traces or sessions.
#[derive(Debug, Args)]
pub(in crate::cli) struct SortedList {
    /// List at most so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) limit: u32,
    /// What comes first: the latest start, or the most of something
    #[arg(long, value_name = "BY", default_value = "start")]
    pub(in crate::cli) sort: Sort,
    #[command(flatten)]
    pub(in crate::cli) options: ListOptions,
}

/// What a list is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Sort {
    Start,
    Duration,
    Spans,
    Errors,
    Tokens,
    Cost,
}
