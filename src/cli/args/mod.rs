//! What was typed. Doc comments here are the help texts.

mod config;
mod filter;
mod look;
#[cfg(feature = "mcp")]
mod mcp;
mod remote;
#[cfg(feature = "report")]
mod report;
mod saved;
mod store;
mod values;
mod write;

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

#[cfg(feature = "serve")]
use crate::serve::Token;
use spanql_output::Zone;
use spanql_sources::files;

pub(super) use config::{ConfigCommand, ConfigSet, ConfigShow, ConfigUnset};
pub(super) use filter::FilterArguments;
pub(super) use look::{
    ExportOptions, ListOptions, ResultOptions, SchemaArguments, SessionShow, SessionsCommand, ShowOptions, Sort,
    SortedList, SpansCommand, SpansList, StructureArguments, TraceShow, TracesCommand,
};
#[cfg(feature = "mcp")]
pub(super) use mcp::McpArguments;
pub(super) use remote::{FromOptions, PullArguments, RemoteListing, RemoteOptions, WindowOptions};
#[cfg(feature = "report")]
pub(super) use report::ReportArguments;
pub(super) use saved::RunArguments;
pub(super) use store::{RetainArguments, StoreCommand};
use values::{file_format, max_value};
pub(super) use write::{
    DeleteArguments, JudgeArguments, LogArguments, MetadataArguments, ReviewArguments, RowsFrom, UndeleteArguments,
    WriteTo,
};

/// Query exported LLM spans with SQL.
///
/// Spans are imported into a local store of plain Parquet files and asked for with SQL, in which dotted names need no
/// quotes: SELECT model, count(*) FROM spans GROUP BY model. Without a command, it is a shell; in a pipe, statements are read
/// from stdin.
#[derive(Debug, Parser)]
#[command(name = "spanql", version, propagate_version = false)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    /// In a pipe, go on behind a statement that failed; the exit code is 1 all the same
    #[arg(long)]
    pub(super) continue_on_error: bool,
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
    /// Put placeholders in the place of keys, tokens, e-mail addresses, card and phone numbers in the texts that are
    /// shown, written, pulled or imported; ids stay
    #[arg(long, global = true)]
    pub(super) redact: bool,
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

/// The form of errors on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ErrorFormat {
    /// One line for a person.
    Text,
    /// One JSON object with code, message, position and suggestion.
    Json,
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

#[cfg(feature = "serve")]
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
    /// Ask in a shell
    ///
    /// On a terminal: statements over several lines, completion, history, a pager, and commands that begin with a
    /// backslash (\\? lists them). In a pipe: statements and commands from stdin, data on stdout, and the first error ends
    /// it.
    #[cfg(feature = "repl")]
    Repl(ReplArguments),
    /// Run a saved query
    ///
    /// A saved query is a file of SQL whose leading comments declare its parameters (-- param NAME TYPE [= default]
    /// [description]) and what is expected of its result (-- expect rows > 0). Names are looked up in ./queries, in
    /// spanql/queries in the user's settings, and among the built-in ones. Exit code 3 when the result is not as
    /// expected.
    Run(RunArguments),
    /// Make a report
    ///
    /// A report is a Markdown file: front matter with title, description and params, text, and fenced sql blocks with
    /// a name, a chart and expectations. It becomes one HTML page that needs no network and no script, or Markdown, or a
    /// directory of CSV or Parquet files. Names are looked up as those of saved queries. Exit code 1 when a block
    /// failed, 3 when a result is not as expected.
    #[cfg(feature = "report")]
    Report(Box<ReportArguments>),
    /// Look at spans, say something of them, delete them
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
    /// Say what there is to ask about: tables, columns with examples, functions
    ///
    /// How many spans have a value, and the examples, are from the store's own statistics: no span is read. json is one
    /// object with tables, functions, short names and the store; what functions do is in it when a pattern names them.
    Schema(SchemaArguments),
    /// Show and change settings
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Look after the store: versions, size, compaction
    Store {
        #[command(subcommand)]
        command: StoreCommand,
    },
    /// Try spanql on generated spans
    #[cfg(feature = "serve")]
    Demo(DemoArguments),
    /// Serve the store to clients of Arize, and to applications that send spans with OpenTelemetry
    #[cfg(feature = "serve")]
    Serve(ServeArguments),
    /// Answer a coding agent over the Model Context Protocol (MCP), on stdin and stdout
    ///
    /// Eight tools that read: projects, schema, SQL, filters, a trace, a session, saved queries. Answers are cut to a size, and
    /// say how to ask for less; what spans say stands between marks, as data. Agents start it themselves, e.g.
    /// claude mcp add spanql -- spanql --store DIR mcp
    #[cfg(feature = "mcp")]
    Mcp(McpArguments),
    /// Print how to use spanql, for coding agents
    ///
    /// One page of Markdown with front matter: put it where the agent looks for skills, as SKILL.md.
    Skill,
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(super) struct ImportArguments {
    /// Files, directories or glob patterns; `-` is stdin. JSON, CSV, Parquet and Arrow IPC with column names as in an Arize
    /// export, and what Phoenix, Opik, Langfuse, Jaeger, OTLP and OpenTelemetry's SDKs write; also .gz and .zst
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
    /// Take rows of which a value would change for rows that do not fit: NaN and infinities, times with more than nine
    /// digits, keys given twice, numbers with more digits than a 64-bit float keeps
    #[arg(long)]
    pub(super) strict: bool,
    /// Largest value that is read, e.g. 64MiB; a row may have twice as much [default: the smaller of 256MiB and a quarter of
    /// --memory]
    #[arg(long, value_name = "SIZE", value_parser = max_value)]
    pub(super) max_value: Option<usize>,
    /// How many times its size a compressed file may unpack to, beyond 1GiB
    #[arg(long, value_name = "N", default_value_t = files::Limits::default().ratio, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) max_ratio: u64,
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

#[cfg(feature = "repl")]
#[derive(Debug, Default, Args)]
pub(super) struct ReplArguments {
    /// In a pipe, go on behind a statement that failed; the exit code is 1 all the same
    #[arg(long)]
    pub(super) continue_on_error: bool,
    /// Value of a parameter, written $name in SQL
    #[arg(short, long = "param", value_name = "name=value")]
    pub(super) param: Vec<String>,
    #[command(flatten)]
    pub(super) remote: RemoteOptions,
}

#[cfg(feature = "serve")]
#[derive(Debug, Args)]
pub(super) struct DemoArguments {
    /// About how many spans to generate
    #[arg(long, value_name = "N", default_value_t = spanql_demo::DEFAULT_SPANS)]
    pub(super) spans: u64,
    /// Seed of the generator: the same seed gives the same spans
    #[arg(long, value_name = "S", default_value_t = spanql_demo::DEFAULT_SEED)]
    pub(super) seed: u64,
    /// Keep the store in this directory, which must not hold one yet
    #[arg(long, value_name = "DIR")]
    pub(super) keep: Option<PathBuf>,
}

#[cfg(feature = "serve")]
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
    /// API key that clients must show to write; the other one then only reads
    #[arg(long, value_name = "T", env = "SPANQL_SERVE_WRITE_TOKEN", hide_env_values = true, value_parser = token)]
    pub(super) write_token: Option<Token>,
    /// Listen on OpenTelemetry's ports too, 4317 for gRPC and 4318 for HTTP, and print what to set in an application
    #[arg(long)]
    pub(super) otlp: bool,
    /// Seconds that a statement of Flight SQL may take
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(super) statement_timeout: u64,
    /// Certificate chain in PEM form: both ports then speak TLS
    #[arg(long, value_name = "F", requires = "tls_key")]
    pub(super) tls_cert: Option<PathBuf>,
    /// Private key of the certificate in PEM form
    #[arg(long, value_name = "F", requires = "tls_cert")]
    pub(super) tls_key: Option<PathBuf>,
}
