//! What is typed about remotes: which, how they are reached, what of them, and when.

use std::ffi::OsStr;
use std::time::Duration;

use clap::builder::{NonEmptyStringValueParser, PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Args, Command};

use crate::cli::failure::Failure;
use crate::cli::filters::FilterOptions;
use crate::pull::TimeRange;
use spanql_model::time::{self, Clock, TimeError};
use spanql_sources::config::{Endpoint, Environment};
use spanql_sources::{REMOTES, Remote};

fn timeout(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if !time.is_zero() => Ok(time),
        _ => Err("write a time such as 30s, 2m or 1h".to_owned()),
    }
}

/// A time as it was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Moment {
    /// Nanoseconds since the epoch.
    At(i64),
    /// So many nanoseconds before the data ends.
    BeforeDataEnd(i64),
}

impl Moment {
    fn nanos(self, data_end: Option<i64>) -> Result<i64, Failure> {
        match self {
            Self::At(nanos) => Ok(nanos),
            Self::BeforeDataEnd(age) => data_end
                .and_then(|end| end.checked_sub(age))
                .ok_or_else(|| Failure::Usage(format!("an age such as last-7d {}", TimeError::NoData))),
        }
    }
}

fn moment(text: &str) -> Result<Moment, String> {
    let read = |clock: Clock| {
        time::typed(text, &clock)
            .map_err(|_| "write a time such as 2026-11-01, 2026-11-01T12:00:00+01:00, today, -2h or last-7d".to_owned())
    };
    match time::is_from_data_end(text) {
        true => Ok(Moment::BeforeDataEnd(read(Clock::now(Some(0)))?.saturating_neg())),
        false => Ok(Moment::At(read(Clock::now(None))?)),
    }
}

fn store_size(text: &str) -> Result<u64, String> {
    match text.parse::<bytesize::ByteSize>() {
        Ok(size) if size.as_u64() >= 16 << 20 => Ok(size.as_u64()),
        Ok(_) => Err("at least 16MiB are needed".to_owned()),
        Err(_) => Err("write a size such as 5GB or 500MiB".to_owned()),
    }
}

fn sample_rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && rate <= 1.0 => Ok(rate),
        _ => Err("a sample rate lies above 0 and at most at 1".to_owned()),
    }
}

/// A remote by its word.
#[derive(Clone)]
struct RemoteParser;

fn remote() -> RemoteParser {
    RemoteParser
}

impl TypedValueParser for RemoteParser {
    type Value = &'static Remote;

    fn parse_ref(&self, cmd: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<Self::Value, clap::Error> {
        // One sentence, where the library's own would be a list apart.
        let named = |name: String| {
            Remote::named(&name).ok_or_else(|| format!("there is no remote {name}: write {}", remotes()))
        };
        StringValueParser::new().try_map(named).parse_ref(cmd, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(REMOTES.iter().map(|remote| PossibleValue::new(remote.name).help(remote.title))))
    }
}

/// The words of all remotes.
fn remotes() -> String {
    let names = REMOTES.each_ref().map(|remote| remote.name);
    let [others @ .., last] = &names;
    format!("{} or {last}", others.join(", "))
}

/// A project of a remote, as SQL names it.
fn live_table(text: &str) -> Result<String, String> {
    let named = |project: &str| {
        let all = REMOTES.each_ref().map(|remote| format!("{}.{project}", remote.name));
        let [others @ .., last] = &all;
        format!("{} or {last}", others.join(", "))
    };
    match text.split_once('.') {
        Some((source, project)) if !project.is_empty() && Remote::named(source).is_some() => Ok(text.to_owned()),
        Some((source, project)) if !project.is_empty() => {
            Err(format!("there is no source {source}: write {}", named(project)))
        }
        _ => Err(format!("write the source and the project: {}", named("my-project"))),
    }
}

/// How remotes are reached.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Remote options")]
pub(in crate::cli) struct RemoteOptions {
    /// Space of Arize by name or id [default: $ARIZE_SPACE_ID, else that of the profile]
    #[arg(long, value_name = "S")]
    pub(in crate::cli) space: Option<String>,
    /// Ask the server at this URL, whatever settings say: grpc://… as `spanql serve` prints it, or https://… of a REST API.
    /// Its key is that of $ARIZE_API_KEY, if there is one
    #[arg(long, value_name = "URL", conflicts_with = "profile")]
    pub(in crate::cli) endpoint: Option<Endpoint>,
    /// Profile of spanql/config.toml in the user's settings [default: $SPANQL_PROFILE, else the file's own]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) profile: Option<String>,
    /// Give up when the remote says nothing for so long
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = timeout)]
    pub(in crate::cli) timeout: Duration,
}

impl RemoteOptions {
    /// What remotes are reached by: what the process was started with, unless a server is named.
    pub(in crate::cli) fn environment(&self) -> Environment {
        let environment = Environment::of_process();
        self.endpoint.as_ref().map_or_else(|| environment.clone(), |named| named.instead_of_hosts(&environment))
    }

    /// Whether the server that is named is known to have a REST API only.
    pub(in crate::cli) fn is_rest(&self) -> bool {
        self.endpoint.as_ref().is_some_and(Endpoint::is_rest)
    }
}

impl Default for RemoteOptions {
    fn default() -> Self {
        Self { space: None, endpoint: None, profile: None, timeout: spanql_sources::arize::DEFAULT_TIMEOUT }
    }
}

/// Where spans are read from: the store, or a remote.
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct FromOptions {
    /// Read a project of a remote live, instead of the store: arize.my-project
    #[arg(long, value_name = "SOURCE.PROJECT", value_parser = live_table)]
    pub(in crate::cli) from: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) remote: RemoteOptions,
}

/// Which time is asked for.
#[derive(Debug, Args)]
#[command(next_help_heading = "Window")]
pub(in crate::cli) struct WindowOptions {
    /// The last N days before --end-time, else before now [default: 30 of a remote, everything in the store]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub(in crate::cli) days: Option<u32>,
    /// From this time on: ISO 8601 (UTC without an offset), today, yesterday, an age such as -2h, or
    /// last-7d: back from where the data of the store ends. Overrides --days
    #[arg(long, value_name = "T", value_parser = moment, allow_hyphen_values = true)]
    pub(in crate::cli) start_time: Option<Moment>,
    /// Up to this time, and not at it
    #[arg(long, value_name = "T", value_parser = moment, allow_hyphen_values = true)]
    pub(in crate::cli) end_time: Option<Moment>,
}

impl WindowOptions {
    /// The times that are asked for, over data that ends there.
    ///
    /// # Errors
    /// For an age back from the end of the data, where there is none.
    pub(in crate::cli) fn range(&self, data_end: Option<i64>) -> Result<TimeRange, Failure> {
        let nanos = |moment: Option<Moment>| moment.map(|moment| moment.nanos(data_end)).transpose();
        Ok(TimeRange { start: nanos(self.start_time)?, end: nanos(self.end_time)?, days: self.days })
    }

    /// Whether any time is asked for.
    pub(in crate::cli) fn is_set(&self) -> bool {
        self.start_time.is_some() || self.end_time.is_some() || self.days.is_some()
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct PullArguments {
    /// Where to pull from
    #[arg(value_name = "SOURCE", value_parser = remote())]
    pub(in crate::cli) source: &'static Remote,
    /// The project, by name or id
    #[arg(value_name = "PROJECT")]
    pub(in crate::cli) remote_project: String,
    /// Pull what is new since the last pull (from 12 hours before on, for spans that came late), and what earlier
    /// pulls lack of what they asked for
    #[arg(long, conflicts_with_all = ["days", "start_time", "end_time", "limit", "count"])]
    pub(in crate::cli) new: bool,
    /// Pull what is new again and again, until Ctrl-C
    #[arg(long, conflicts_with_all = ["days", "start_time", "end_time", "limit", "count", "require_complete"])]
    pub(in crate::cli) follow: bool,
    /// With --follow: let the oldest traces of the project go when what the store holds takes more than this, e.g. 5GB
    #[arg(long, value_name = "SIZE", requires = "follow", value_parser = store_size)]
    pub(in crate::cli) max_store_size: Option<u64>,
    /// Pull at most N spans: a sample, and the store remembers that it is one
    #[arg(long, value_name = "N", conflicts_with = "count", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) limit: Option<u64>,
    /// Only print how many spans there are
    #[arg(long, conflicts_with_all = ["as_project", "jobs", "require_complete"])]
    pub(in crate::cli) count: bool,
    /// Pull this share of the traces, whole ones, the same ones every time; above 0 and at most 1
    #[arg(long, value_name = "RATE", value_parser = sample_rate)]
    pub(in crate::cli) sample_rate: Option<f64>,
    /// Pull these columns only, by names or short names, separated by commas; and those that make ids, times and trees
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(in crate::cli) columns: Vec<String>,
    /// Project in the store, if not the remote's name
    #[arg(long = "as", value_name = "P", value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) as_project: Option<String>,
    /// Slices to fetch side by side
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(in crate::cli) jobs: u16,
    /// Arize over REST alone, where Flight cannot be reached
    #[arg(long)]
    pub(in crate::cli) rest: bool,
    /// Opik without a row for each trace above its spans
    #[arg(long)]
    pub(in crate::cli) no_trace_row: bool,
    /// Exit with code 4 if not everything that was asked for has landed
    #[arg(long)]
    pub(in crate::cli) require_complete: bool,
    #[command(flatten)]
    pub(in crate::cli) filters: FilterOptions,
    #[command(flatten)]
    pub(in crate::cli) window: WindowOptions,
    #[command(flatten)]
    pub(in crate::cli) remote: RemoteOptions,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RemoteListing {
    /// The remote [default: every one that has a key]
    #[arg(value_name = "SOURCE", value_parser = remote())]
    pub(in crate::cli) source: Option<&'static Remote>,
    /// Format (table, json, jsonl, csv, tsv, md) or a file [default: table on a terminal, else jsonl]
    #[arg(short, long, value_name = "FORMAT|FILE")]
    pub(in crate::cli) output: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) remote: RemoteOptions,
}
