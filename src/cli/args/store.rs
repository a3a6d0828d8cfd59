//! What is typed to look after the store.

use std::time::Duration;

use clap::{Args, Subcommand};

fn age(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "write an age such as 24h, 7d or 0s".to_owned())
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum StoreCommand {
    /// Size, version and projects of the store
    Info(Listing),
    /// The versions that can still be read
    Versions(Listing),
    /// Make an older version the newest again
    Restore {
        /// The version
        version: u64,
    },
    /// Remove old traces, and keep them out when pulls bring them again
    ///
    /// Whole traces go, by the end of their last span; those without any time stay. What would go is shown first. Older
    /// versions of the store still hold them until `store vacuum` has removed these.
    Retain(RetainArguments),
    /// Join small segments
    Compact,
    /// Compute again what an older spanql computed of the spans by other rules
    ///
    /// Broken off, it goes on where it was when it is called again.
    Upgrade,
    /// Remove old versions and files that nothing needs
    Vacuum {
        /// Only what is older than this, e.g. 24h, 7d, 0s
        #[arg(long, value_name = "AGE", default_value = "24h", value_parser = age)]
        older_than: Duration,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RetainArguments {
    /// Keep the traces of the last N days
    #[arg(long, value_name = "N", required_unless_present = "keep_all", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub(in crate::cli) days: Option<u32>,
    /// Do not ask, as where nobody can be asked
    #[arg(short, long)]
    pub(in crate::cli) yes: bool,
    /// Only show what would go
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Let traces of any age in again when they are pulled; nothing comes back by itself
    #[arg(long, conflicts_with_all = ["days", "yes", "dry_run"])]
    pub(in crate::cli) keep_all: bool,
    /// Format of what would go (table, json, jsonl, csv, tsv, md) or a file [default: table on a terminal, else jsonl]
    #[arg(short, long, value_name = "FORMAT|FILE")]
    pub(in crate::cli) output: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Listing {
    /// Format (table, json, jsonl, csv, tsv, md) or a file [default: table on a terminal, else jsonl]
    #[arg(short, long, value_name = "FORMAT|FILE")]
    pub(in crate::cli) output: Option<String>,
}
