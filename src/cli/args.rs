//! What was typed. Doc comments here are the help texts.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use super::cursor::Cursor;
use super::exit::ErrorFormat;
use super::filters::FilterOptions;
use crate::filter::Language;
use crate::filter::opik::Entity;
use crate::output::Zone;
use crate::serve::Token;
use crate::sources::files;
use crate::trace::structure::Side;

/// Query exported LLM spans with SQL.
///
/// Spans are imported into a local store of plain Parquet files and asked for with SQL, in which dotted names need no
/// quotes: SELECT model, count(*) FROM spans GROUP BY model. Without a command, statements are read from stdin.
#[derive(Debug, Parser)]
#[command(name = "spanql", version, propagate_version = false)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) global: Global,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// Directory or URL of the store (s3://, gs://, az://, memory://) [default: $SPANQL_STORE, else ./.spanql if it
    /// exists, else in the user's data directory]
    #[arg(long, global = true, value_name = "PLACE")]
    pub(super) store: Option<String>,
    /// Read an older version of the store, see `store versions`
    #[arg(long, global = true, value_name = "N")]
    pub(super) at_version: Option<u64>,
    /// Ask about one project only; on import, the project of rows that carry none
    #[arg(long, global = true, value_name = "P")]
    pub(super) project: Option<String>,
    /// Memory that queries may use before they spill to disk, e.g. 4GiB or 50% [default: 60%]
    #[arg(long, global = true, value_name = "SIZE")]
    pub(super) memory: Option<MemorySize>,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(super) color: ColorChoice,
    /// Time zone of times in tables: utc, local or a name such as Europe/Berlin
    #[arg(long, global = true, value_name = "ZONE", default_value = "utc")]
    pub(super) tz: Zone,
    /// Form of error messages
    #[arg(long, global = true, value_name = "FORM", default_value = "text")]
    pub(super) errors: ErrorFormat,
    /// No progress and no notes
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Say more about what is done; -vv is the same
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(super) verbose: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorChoice {
    Auto,
    Always,
    Never,
}

/// The formats of files by their names.
fn file_format() -> impl TypedValueParser<Value = files::Format> {
    PossibleValuesParser::new(["auto", "json", "jsonl", "csv", "parquet", "arrow"]).map(|name| match name.as_str() {
        "json" => files::Format::Json,
        "jsonl" => files::Format::Jsonl,
        "csv" => files::Format::Csv,
        "parquet" => files::Format::Parquet,
        "arrow" => files::Format::Arrow,
        _ => files::Format::Auto,
    })
}

fn age(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "write an age such as 24h, 7d or 0s".to_owned())
}

fn timeout(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if !time.is_zero() => Ok(time),
        _ => Err("write a time such as 30s, 2m or 1h".to_owned()),
    }
}

/// A time in nanoseconds since the epoch.
fn time(text: &str) -> Result<i64, String> {
    let number = text.bytes().all(|byte| byte.is_ascii_digit());
    match crate::model::time::parse(text) {
        Ok(time) if !number => Ok(time),
        _ => Err("write a time such as 2026-11-01 or 2026-11-01T12:00:00+01:00".to_owned()),
    }
}

fn sample_rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && rate <= 1.0 => Ok(rate),
        _ => Err("a sample rate lies above 0 and at most at 1".to_owned()),
    }
}

/// A size in bytes, or a share of the machine's memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum MemorySize {
    Bytes(u64),
    Percent(f64),
}

impl std::str::FromStr for MemorySize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(percent) = text.strip_suffix('%') {
            return match percent.trim().parse::<f64>() {
                Ok(share) if share > 0.0 && share <= 100.0 => Ok(Self::Percent(share)),
                _ => Err("a share of memory lies above 0% and at most at 100%".to_owned()),
            };
        }
        match text.parse::<bytesize::ByteSize>() {
            Ok(size) if size.as_u64() >= 16 << 20 => Ok(Self::Bytes(size.as_u64())),
            Ok(_) => Err("at least 16MiB are needed".to_owned()),
            Err(_) => Err("write a size such as 4GiB or 512MB, or a share such as 50%".to_owned()),
        }
    }
}

/// A project of a remote, as SQL names it.
fn live_table(text: &str) -> Result<String, String> {
    match text.split_once('.') {
        Some((crate::sources::arize::NAME, project)) if !project.is_empty() => Ok(text.to_owned()),
        Some((source, project)) if !project.is_empty() => {
            Err(format!("there is no source {source}: write arize.{project}"))
        }
        _ => Err("write the source and the project: arize.my-project".to_owned()),
    }
}

fn token(text: &str) -> Result<Token, String> {
    Token::new(text).ok_or_else(|| "a blank token protects nothing".to_owned())
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Import export files into the store
    Import(ImportArguments),
    /// Pull spans from a remote into the store
    ///
    /// The window is cut into slices that land one by one. What a broken pull brought stays, and the same command goes
    /// on where it stopped. The table `pulls` says what was asked, announced and received.
    Pull(PullArguments),
    /// List the projects of a remote
    Projects(RemoteListing),
    /// List the spaces of a remote
    Spaces(RemoteListing),
    /// Ask the store, and remotes live, with SQL
    Query(QueryArguments),
    /// Look at spans
    Spans {
        #[command(subcommand)]
        command: SpansCommand,
    },
    /// Look at traces
    Traces {
        #[command(subcommand)]
        command: TracesCommand,
    },
    /// Look at sessions
    Sessions {
        #[command(subcommand)]
        command: SessionsCommand,
    },
    /// List spans of the store by their place among the others of their trace, the newest first
    ///
    /// A pattern is filters in braces, and between them how the span on the right stands to the one on the left: > is a
    /// child, >> a descendant, < the parent, << an ancestor, ~ a sibling. { } is every span. With ! before the last of
    /// these, the spans to its left are listed that have no such span: { kind = 'AGENT' } !>> { kind = 'TOOL' }.
    Structure(StructureArguments),
    /// Say a filter in another language
    ///
    /// What is printed lets through everything that the filter does; where it lets through more, a note says so. Exit
    /// code 1 when the other language has no words for a condition.
    Filter(FilterArguments),
    /// Look after the store: versions, size, compaction
    Store {
        #[command(subcommand)]
        command: StoreCommand,
    },
    /// Try spanql on generated spans
    Demo(DemoArguments),
    /// Serve the store to clients of Arize: Flight for exports, HTTP for listings
    Serve(ServeArguments),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(super) struct ImportArguments {
    /// Files, directories or glob patterns; `-` is stdin. Flat JSON (lines or an array, also .gz and .zst), CSV,
    /// Parquet and Arrow IPC with column names as in an Arize export
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<String>,
    /// Project of all rows, whatever they carry
    #[arg(long = "as", value_name = "P")]
    pub(super) as_project: Option<String>,
    /// Format of the files
    #[arg(long, value_name = "FORMAT", default_value = "auto", value_parser = file_format())]
    pub(super) format: files::Format,
    /// Leave out rows that do not fit and report them, instead of stopping
    #[arg(long)]
    pub(super) skip_bad: bool,
}

/// A remote that spans are pulled from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Remote {
    /// Arize AX, over Arrow Flight
    Arize,
}

/// How remotes are reached.
#[derive(Debug, Args)]
#[command(next_help_heading = "Remote options")]
pub(super) struct RemoteOptions {
    /// Space by name or id [default: $ARIZE_SPACE_ID, else that of the profile]
    #[arg(long, value_name = "S")]
    pub(super) space: Option<String>,
    /// Profile of spanql/config.toml in the user's settings [default: $SPANQL_PROFILE, else the file's own]
    #[arg(long, value_name = "NAME")]
    pub(super) profile: Option<String>,
    /// Give up when the remote says nothing for so long
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = timeout)]
    pub(super) timeout: Duration,
}

impl Default for RemoteOptions {
    fn default() -> Self {
        Self { space: None, profile: None, timeout: crate::sources::arize::DEFAULT_TIMEOUT }
    }
}

/// Where spans are read from: the store, or a remote.
#[derive(Debug, Default, Args)]
pub(super) struct FromOptions {
    /// Read a project of a remote live, instead of the store: arize.my-project
    #[arg(long, value_name = "SOURCE.PROJECT", value_parser = live_table)]
    pub(super) from: Option<String>,
    #[command(flatten)]
    pub(super) remote: RemoteOptions,
}

/// Which time is asked for.
#[derive(Debug, Args)]
#[command(next_help_heading = "Window")]
pub(super) struct WindowOptions {
    /// The last N days before --end-time, else before now [default: 30 of a remote, everything in the store]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub(super) days: Option<u32>,
    /// From this time on, ISO 8601; UTC without an offset. Overrides --days
    #[arg(long, value_name = "T", value_parser = time)]
    pub(super) start_time: Option<i64>,
    /// Up to this time, and not at it
    #[arg(long, value_name = "T", value_parser = time)]
    pub(super) end_time: Option<i64>,
}

#[derive(Debug, Args)]
pub(super) struct PullArguments {
    /// Where to pull from
    #[arg(value_name = "SOURCE")]
    pub(super) source: Remote,
    /// The project, by name or id
    #[arg(value_name = "PROJECT")]
    pub(super) remote_project: String,
    /// Pull what is new since the last pull (from 12 hours before on, for spans that came late), and what earlier
    /// pulls lack of what they asked for
    #[arg(long, conflicts_with_all = ["days", "start_time", "end_time", "limit", "count"])]
    pub(super) new: bool,
    /// Pull what is new again and again, until Ctrl-C
    #[arg(long, conflicts_with_all = ["days", "start_time", "end_time", "limit", "count", "require_complete"])]
    pub(super) follow: bool,
    /// Pull at most N spans: a sample, and the store remembers that it is one
    #[arg(long, value_name = "N", conflicts_with = "count", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) limit: Option<u64>,
    /// Only print how many spans there are
    #[arg(long, conflicts_with_all = ["as_project", "jobs", "require_complete"])]
    pub(super) count: bool,
    /// Pull this share of the traces, whole ones, the same ones every time; above 0 and at most 1
    #[arg(long, value_name = "RATE", value_parser = sample_rate)]
    pub(super) sample_rate: Option<f64>,
    /// Pull these columns only, by names or short names, separated by commas; and those that make ids, times and trees
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) columns: Vec<String>,
    /// Project in the store, if not the remote's name
    #[arg(long = "as", value_name = "P", value_parser = NonEmptyStringValueParser::new())]
    pub(super) as_project: Option<String>,
    /// Slices to fetch side by side
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(super) jobs: u16,
    /// Exit with code 4 if not everything that was asked for has landed
    #[arg(long)]
    pub(super) require_complete: bool,
    #[command(flatten)]
    pub(super) filters: FilterOptions,
    #[command(flatten)]
    pub(super) window: WindowOptions,
    #[command(flatten)]
    pub(super) remote: RemoteOptions,
}

#[derive(Debug, Args)]
pub(super) struct RemoteListing {
    /// The remote [default: every one that has a key]
    #[arg(value_name = "SOURCE")]
    pub(super) source: Option<Remote>,
    /// Format (table, json, jsonl, csv, tsv, md) or a file [default: table on a terminal, else jsonl]
    #[arg(short, long, value_name = "FORMAT|FILE")]
    pub(super) output: Option<String>,
    #[command(flatten)]
    pub(super) remote: RemoteOptions,
}

/// How a result is written, and what it may rest on.
#[derive(Debug, Default, Args)]
pub(super) struct ResultOptions {
    /// Format of the result (table, json, jsonl, csv, tsv, md, parquet, arrow), or a file whose ending names it
    /// [default: table on a terminal, else jsonl]
    #[arg(short, long, value_name = "FORMAT|FILE")]
    pub(super) output: Option<String>,
    /// Show at most so many characters of a cell
    #[arg(long, value_name = "N")]
    pub(super) max_cell: Option<usize>,
    /// In CSV and TSV, put an apostrophe before cells that a spreadsheet would take for a formula
    #[arg(long)]
    pub(super) csv_safe: bool,
    /// In tables and Markdown, mark span text as quoted data for agents
    #[arg(long)]
    pub(super) fence: bool,
    /// End with exit code 4 when the answer rests on a pull that is not complete
    #[arg(long)]
    pub(super) require_complete: bool,
}

#[derive(Debug, Args)]
pub(super) struct QueryArguments {
    /// A statement, or several separated by `;`; `-` reads them from stdin
    #[arg(required_unless_present = "file", conflicts_with = "file", value_name = "SQL")]
    pub(super) sql: Option<String>,
    /// Read statements from files
    #[arg(short = 'f', long, value_name = "FILE", num_args = 1..)]
    pub(super) file: Vec<PathBuf>,
    /// Value of a parameter, written $name in SQL
    #[arg(short, long = "param", value_name = "name=value")]
    pub(super) param: Vec<String>,
    /// Show at most so many rows
    #[arg(long, value_name = "N")]
    pub(super) max_rows: Option<usize>,
    #[command(flatten)]
    pub(super) result: ResultOptions,
    #[command(flatten)]
    pub(super) remote: RemoteOptions,
}

impl QueryArguments {
    /// What a bare `spanql` in a pipe does.
    pub(super) fn stdin() -> Self {
        Self {
            sql: Some("-".to_owned()),
            file: Vec::new(),
            param: Vec::new(),
            max_rows: None,
            result: ResultOptions::default(),
            remote: RemoteOptions::default(),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum SpansCommand {
    /// List spans of the store, the newest first
    ///
    /// Of a long input the beginning is listed; `query` gives all of it.
    List(SpansList),
    /// Write spans to a file or a pipe, the newest first, with all that is known of them
    ///
    /// json is an array of spans in the shape that the clients of Arize write; all other formats have a row for each span,
    /// with the columns of the table `spans`.
    Export(ExportOptions),
}

#[derive(Debug, Subcommand)]
pub(super) enum TracesCommand {
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
}

#[derive(Debug, Subcommand)]
pub(super) enum SessionsCommand {
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
pub(super) struct TraceShow {
    /// Id of the trace, or its beginning: four characters or more
    #[arg(value_name = "ID")]
    pub(super) id: String,
    /// Show inputs and outputs, and errors whole
    #[arg(long)]
    pub(super) full: bool,
    /// Show so many levels, and count what lies below
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) depth: Option<u32>,
    /// Show failed spans and those above them, and count the others
    #[arg(long)]
    pub(super) errors_only: bool,
    #[command(flatten)]
    pub(super) options: ShowOptions,
}

#[derive(Debug, Args)]
pub(super) struct SessionShow {
    /// Id of the session, or its beginning: four characters or more
    #[arg(value_name = "ID")]
    pub(super) id: String,
    /// Show what was said whole
    #[arg(long)]
    pub(super) full: bool,
    #[command(flatten)]
    pub(super) options: ShowOptions,
}

/// How one thing is shown, and what it may rest on.
#[derive(Debug, Args)]
pub(super) struct ShowOptions {
    /// Write nested JSON (json), rows (table, jsonl, csv, tsv, md, parquet, arrow), or a file whose ending names one of
    /// these [default: text for people, in a pipe too]
    #[arg(short, long, value_name = "FORMAT|FILE")]
    pub(super) output: Option<String>,
    /// Mark span text as quoted data for agents
    #[arg(long)]
    pub(super) fence: bool,
    /// End with exit code 4 when the answer rests on a pull that is not complete
    #[arg(long)]
    pub(super) require_complete: bool,
}

/// What is listed, and how.
#[derive(Debug, Args)]
pub(super) struct ListOptions {
    #[command(flatten)]
    pub(super) result: ResultOptions,
    #[command(flatten)]
    pub(super) filters: FilterOptions,
    #[command(flatten)]
    pub(super) window: WindowOptions,
}

#[derive(Debug, Args)]
pub(super) struct SpansList {
    /// List at most so many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) limit: u32,
    /// Go on where a list ended: the cursor that a note after it gave
    #[arg(long, value_name = "CURSOR")]
    pub(super) cursor: Option<Cursor>,
    #[command(flatten)]
    pub(super) from: FromOptions,
    #[command(flatten)]
    pub(super) options: ListOptions,
}

/// What is written, and where to.
#[derive(Debug, Args)]
pub(super) struct ExportOptions {
    /// Write at most so many, the newest [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) limit: Option<u32>,
    /// Write all, as without --limit
    #[arg(long, conflicts_with = "limit")]
    pub(super) all: bool,
    /// Format (json, jsonl, csv, tsv, parquet, arrow), or a file whose ending names it [default: json]
    #[arg(short, long, value_name = "FORMAT|FILE")]
    pub(super) output: Option<String>,
    /// In CSV and TSV, put an apostrophe before cells that a spreadsheet would take for a formula
    #[arg(long)]
    pub(super) csv_safe: bool,
    /// End with exit code 4 when what is written rests on a pull that is not complete
    #[arg(long)]
    pub(super) require_complete: bool,
    #[command(flatten)]
    pub(super) from: FromOptions,
    #[command(flatten)]
    pub(super) filters: FilterOptions,
    #[command(flatten)]
    pub(super) window: WindowOptions,
}

#[derive(Debug, Args)]
pub(super) struct StructureArguments {
    /// The pattern, e.g. { kind = 'AGENT' } >> { status_code = 'ERROR' }; filters are in Arize's filter language
    #[arg(value_name = "PATTERN", allow_hyphen_values = true)]
    pub(super) pattern: String,
    /// Spans of which end of the pattern to list [default: right]
    #[arg(long, value_name = "SIDE", value_parser = side())]
    pub(super) side: Option<Side>,
    /// List at most so many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) limit: u32,
    /// Read names that no span has as null, instead of refusing the pattern
    #[arg(long)]
    pub(super) allow_unknown: bool,
    #[command(flatten)]
    pub(super) result: ResultOptions,
    #[command(flatten)]
    pub(super) window: WindowOptions,
}

fn side() -> impl TypedValueParser<Value = Side> {
    PossibleValuesParser::new(Side::NAMES).map(|name| name.parse().unwrap_or_default())
}

/// A list of traces or sessions.
#[derive(Debug, Args)]
pub(super) struct SortedList {
    /// List at most so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) limit: u32,
    /// What comes first: the latest start, or the most of something
    #[arg(long, value_name = "BY", default_value = "start")]
    pub(super) sort: Sort,
    #[command(flatten)]
    pub(super) options: ListOptions,
}

/// What a list is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Sort {
    Start,
    Duration,
    Spans,
    Errors,
    Tokens,
    Cost,
}

fn language(names: &'static [&'static str]) -> impl TypedValueParser<Value = Language> {
    PossibleValuesParser::new(names).map(|name| name.parse().unwrap_or(Language::Sql))
}

fn entity() -> impl TypedValueParser<Value = Entity> {
    PossibleValuesParser::new(["spans", "traces", "threads"]).map(|name| name.parse().unwrap_or(Entity::Spans))
}

#[derive(Debug, Args)]
pub(super) struct FilterArguments {
    /// The filter: Arize's language, Opik's (OQL or the JSON list of its REST API), or Phoenix's parameters (as in an
    /// address, or as a JSON object)
    #[arg(value_name = "TEXT", allow_hyphen_values = true)]
    pub(super) text: String,
    /// Language it is written in [default: opik for a JSON list, else arize]
    #[arg(long, value_name = "L", value_parser = language(&["arize", "opik", "phoenix"]))]
    pub(super) from: Option<Language>,
    /// Language to say it in; lists and parameters are printed as JSON
    #[arg(long, value_name = "L", default_value = "sql", value_parser = language(&["sql", "arize", "opik", "phoenix"]))]
    pub(super) to: Language,
    /// What a filter of Opik is about
    #[arg(long, value_name = "E", default_value = "spans", value_parser = entity())]
    pub(super) entity: Entity,
}

#[derive(Debug, Subcommand)]
pub(super) enum StoreCommand {
    /// Size, version and projects of the store
    Info(Listing),
    /// The versions that can still be read
    Versions(Listing),
    /// Make an older version the newest again
    Restore {
        /// The version
        version: u64,
    },
    /// Join small segments
    Compact,
    /// Remove old versions and files that nothing needs
    Vacuum {
        /// Only what is older than this, e.g. 24h, 7d, 0s
        #[arg(long, value_name = "AGE", default_value = "24h", value_parser = age)]
        older_than: Duration,
    },
}

#[derive(Debug, Args)]
pub(super) struct Listing {
    /// Format (table, json, jsonl, csv, tsv, md) or a file [default: table on a terminal, else jsonl]
    #[arg(short, long, value_name = "FORMAT|FILE")]
    pub(super) output: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct DemoArguments {
    /// About how many spans to generate
    #[arg(long, value_name = "N", default_value_t = crate::sources::demo::DEFAULT_SPANS)]
    pub(super) spans: u64,
    /// Seed of the generator: the same seed gives the same spans
    #[arg(long, value_name = "S", default_value_t = crate::sources::demo::DEFAULT_SEED)]
    pub(super) seed: u64,
    /// Keep the store in this directory, which must not hold one yet
    #[arg(long, value_name = "DIR")]
    pub(super) keep: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ServeArguments {
    /// Address or name to listen on
    #[arg(long, value_name = "H", default_value = "127.0.0.1")]
    pub(super) host: String,
    /// Port of Flight; 0 for any free one
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) flight_port: u16,
    /// Port of HTTP; 0 for any free one
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) http_port: u16,
    /// API key that clients must show; needed where other machines can connect
    #[arg(long, value_name = "T", env = "SPANQL_SERVE_TOKEN", hide_env_values = true, value_parser = token)]
    pub(super) token: Option<Token>,
    /// Certificate chain in PEM form: both ports then speak TLS
    #[arg(long, value_name = "F", requires = "tls_key")]
    pub(super) tls_cert: Option<PathBuf>,
    /// Private key of the certificate in PEM form
    #[arg(long, value_name = "F", requires = "tls_cert")]
    pub(super) tls_key: Option<PathBuf>,
}
