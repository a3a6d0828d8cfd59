//! What is typed to write: annotations, evaluations, metadata, new spans, and what is to go.

use std::path::PathBuf;

use clap::builder::{NonEmptyStringValueParser, PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use super::remote::{RemoteOptions, WindowOptions};
use super::values::{file_format, max_value};
use crate::cli::filters::FilterOptions;
use spanql_sources::files;
use spanql_sources::writes::{Grain, PATCH_COLUMN};
use spanql_sources::{REMOTES, Remote};

/// Where rows that say something of spans come from.
#[derive(Debug, Args)]
pub(in crate::cli) struct RowsFrom {
    /// Files of rows; `-` is stdin. JSON, JSON lines, CSV, Parquet and Arrow, also .gz and .zst
    #[arg(value_name = "FILE", conflicts_with = "query")]
    pub(in crate::cli) files: Vec<String>,
    /// Files of rows, as other tools name them
    #[arg(long = "file", value_name = "FILE", conflicts_with = "query")]
    pub(in crate::cli) file: Vec<String>,
    /// Take the rows that a statement gives: SELECT span_id, 'wrong' AS label FROM spans WHERE …
    #[arg(long, value_name = "SQL")]
    pub(in crate::cli) query: Option<String>,
    /// Format of the files
    #[arg(long, value_name = "FORMAT", default_value = "auto", value_parser = file_format())]
    pub(in crate::cli) format: files::Format,
}

/// Where it is written to, and what is answered.
#[derive(Debug, Args)]
pub(in crate::cli) struct WriteTo {
    /// Write at a remote, to the project that --project names, instead of the store
    #[arg(long, value_name = "SOURCE", value_parser = remote())]
    pub(in crate::cli) to: Option<&'static Remote>,
    /// Arize: annotate over Flight, where unknown ids alone are left out, instead of REST
    #[arg(long, requires = "to")]
    pub(in crate::cli) flight: bool,
    /// Say what would be written, and write nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Write what was not taken to FILE, as JSON lines that the same command takes again
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) failed: Option<PathBuf>,
    /// Form of the answer (json, jsonl, table, csv, …), or a file whose ending names it [default: table on a terminal, else
    /// jsonl]
    #[arg(short, long, value_name = "FORMAT|FILE")]
    pub(in crate::cli) output: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) window: WindowOptions,
    #[command(flatten)]
    pub(in crate::cli) remote: RemoteOptions,
}

/// What is judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum GrainName {
    #[default]
    Span,
    Trace,
    Session,
}

impl From<GrainName> for Grain {
    fn from(name: GrainName) -> Self {
        match name {
            GrainName::Span => Self::Span,
            GrainName::Trace => Self::Trace,
            GrainName::Session => Self::Session,
        }
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct JudgeArguments {
    #[command(flatten)]
    pub(in crate::cli) from: RowsFrom,
    /// What is judged: spans by span_id, traces by trace_id, sessions by session_id
    #[arg(long, value_name = "GRAIN", default_value = "span")]
    pub(in crate::cli) grain: GrainName,
    /// Judge this one, without a file; repeated: each of them
    #[arg(long, value_name = "ID", visible_alias = "span-id", value_parser = NonEmptyStringValueParser::new(), conflicts_with_all = ["files", "file", "query"])]
    pub(in crate::cli) id: Vec<String>,
    /// Name of judgements whose rows have none
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) name: Option<String>,
    /// Label for what --id names
    #[arg(long, value_name = "LABEL", requires = "id")]
    pub(in crate::cli) label: Option<String>,
    /// Score for what --id names
    #[arg(long, value_name = "NUMBER", requires = "id", allow_hyphen_values = true)]
    pub(in crate::cli) score: Option<f64>,
    /// Text, or explanation, for what --id names
    #[arg(long, value_name = "TEXT", requires = "id", visible_alias = "explanation", allow_hyphen_values = true)]
    pub(in crate::cli) text: Option<String>,
    /// Who annotates, where rows do not say it
    #[arg(long, value_name = "WHO", default_value = "spanql")]
    pub(in crate::cli) by: String,
    #[command(flatten)]
    pub(in crate::cli) to: WriteTo,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct MetadataArguments {
    #[command(flatten)]
    pub(in crate::cli) from: RowsFrom,
    /// Set these in the metadata of what --id names: KEY=VALUE, the value as JSON, else as text
    #[arg(long, value_name = "KEY=VALUE", requires = "id")]
    pub(in crate::cli) set: Vec<String>,
    /// Change the metadata of this span, without a file; repeated: of each of them
    #[arg(long, value_name = "ID", visible_alias = "span-id", requires = "set", value_parser = NonEmptyStringValueParser::new(), conflicts_with_all = ["files", "file", "query"])]
    pub(in crate::cli) id: Vec<String>,
    /// Column of the documents
    #[arg(long, value_name = "NAME", default_value = PATCH_COLUMN)]
    pub(in crate::cli) patch_column: String,
    #[command(flatten)]
    pub(in crate::cli) to: WriteTo,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct LogArguments {
    /// Files of spans, with their evaluations as columns, if any; `-` is stdin
    #[arg(required = true, value_name = "FILE")]
    pub(in crate::cli) files: Vec<String>,
    /// Files of evaluations of these spans, in the shapes of `spans evaluate`
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) evaluations: Vec<String>,
    /// Format of the files
    #[arg(long, value_name = "FORMAT", default_value = "auto", value_parser = file_format())]
    pub(in crate::cli) format: files::Format,
    /// Largest value that is read, e.g. 64MiB
    #[arg(long, value_name = "SIZE", value_parser = max_value)]
    pub(in crate::cli) max_value: Option<usize>,
    /// Say what would be written, and write nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DeleteArguments {
    /// Ids of spans, or their beginnings: four characters or more
    #[arg(value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) ids: Vec<String>,
    /// Delete the spans whose ids a statement gives, in a column span_id
    #[arg(long, value_name = "SQL")]
    pub(in crate::cli) query: Option<String>,
    /// Do not ask
    #[arg(short, long, visible_alias = "force")]
    pub(in crate::cli) yes: bool,
    /// Remove all older versions of the store too, which still hold the text
    #[arg(long, conflicts_with_all = ["to", "dry_run"])]
    pub(in crate::cli) purge: bool,
    #[command(flatten)]
    pub(in crate::cli) filters: FilterOptions,
    #[command(flatten)]
    pub(in crate::cli) to: WriteTo,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ReviewArguments {
    /// Review the traces that a statement gives, in a column trace_id
    #[arg(long, value_name = "SQL")]
    pub(in crate::cli) query: Option<String>,
    /// Review at most so many, the newest
    #[arg(short, long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) limit: u32,
    /// Name of the annotation
    #[arg(long, value_name = "NAME", default_value = "review")]
    pub(in crate::cli) annotation: String,
    /// A label, by its first letter or by a key of its own; repeated: each of them
    #[arg(long, value_name = "LABEL|KEY=LABEL", default_values_t = ["right".to_owned(), "wrong".to_owned()])]
    pub(in crate::cli) label: Vec<String>,
    /// Who reviews
    #[arg(long, value_name = "WHO", default_value = "spanql")]
    pub(in crate::cli) by: String,
    #[command(flatten)]
    pub(in crate::cli) filters: FilterOptions,
    #[command(flatten)]
    pub(in crate::cli) to: WriteTo,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct UndeleteArguments {
    /// Ids of deleted spans
    #[arg(value_name = "ID", required_unless_present = "all", value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) ids: Vec<String>,
    /// All spans of the project that were deleted
    #[arg(long, conflicts_with = "ids")]
    pub(in crate::cli) all: bool,
}

/// A remote by its word.
fn remote() -> impl TypedValueParser<Value = &'static Remote> {
    let words = REMOTES.iter().map(|remote| PossibleValue::new(remote.name).help(remote.title));
    PossibleValuesParser::new(words).try_map(|name| Remote::named(&name).ok_or("there is no such remote"))
}
