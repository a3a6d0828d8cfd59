//! What is typed to run saved queries.

use clap::Args;

use super::look::ResultOptions;
use super::remote::RemoteOptions;

#[derive(Debug, Args)]
pub(in crate::cli) struct RunArguments {
    /// Name of the query, or a file (a path with a separator, or one that ends in .sql)
    #[arg(value_name = "NAME|FILE", required_unless_present = "list")]
    pub(in crate::cli) name: Option<String>,
    /// Files that the query may read, as FROM 'labels.csv', besides those in its own folder
    #[arg(value_name = "DATA", requires = "name")]
    pub(in crate::cli) files: Vec<std::path::PathBuf>,
    /// List the queries that can be run by name, with their parameters
    #[arg(long, conflicts_with_all = ["name", "param", "allow_write"])]
    pub(in crate::cli) list: bool,
    /// Value of a parameter; of a list, comma-separated values, which add up when the parameter is given again
    #[arg(short, long = "param", value_name = "name=value", value_parser = pair)]
    pub(in crate::cli) param: Vec<(String, String)>,
    /// Let statements write files (COPY) and make tables; the store is never changed
    #[arg(long)]
    pub(in crate::cli) allow_write: bool,
    /// Show at most so many rows
    #[arg(long, value_name = "N")]
    pub(in crate::cli) max_rows: Option<usize>,
    #[command(flatten)]
    pub(in crate::cli) result: ResultOptions,
    #[command(flatten)]
    pub(in crate::cli) remote: RemoteOptions,
}

/// A parameter and its value.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write name=value".to_owned()),
    }
}
