//! What is typed to make reports.

use clap::Args;

use super::remote::RemoteOptions;
use super::saved::pair;

#[derive(Debug, Args)]
pub(in crate::cli) struct ReportArguments {
    /// Name of the report or of a saved query, or a file (a path with a separator, or one that ends in .md or .sql)
    #[arg(value_name = "NAME|FILE", required_unless_present = "list")]
    pub(in crate::cli) name: Option<String>,
    /// Files that the report may read, as FROM 'labels.csv', besides those in its own folder
    #[arg(value_name = "DATA", requires = "name")]
    pub(in crate::cli) files: Vec<std::path::PathBuf>,
    /// List the reports that can be made by name, with their parameters
    #[arg(long, conflicts_with_all = ["name", "param", "results", "projects", "stores", "allow_write"])]
    pub(in crate::cli) list: bool,
    /// FILE.html (one page that needs nothing else), FILE.md, or DIR/ (a file for each block, and results.json); with
    /// --list a format or a file [default: Markdown to stdout]
    #[arg(short, long, value_name = "FILE.html|FILE.md|DIR/")]
    pub(in crate::cli) output: Option<String>,
    /// Value of a parameter; of a list, comma-separated values, which add up when the parameter is given again
    #[arg(short, long = "param", value_name = "name=value", value_parser = pair)]
    pub(in crate::cli) param: Vec<(String, String)>,
    /// The report's parameter `since`: a time, an age such as 7d, or last-7d: back from where the data ends
    #[arg(long, value_name = "T")]
    pub(in crate::cli) since: Option<String>,
    /// The report's parameter `until`
    #[arg(long, value_name = "T")]
    pub(in crate::cli) until: Option<String>,
    /// Make the report for each of these projects; `all` is every one of the store
    #[arg(long, value_name = "P", num_args = 1.., value_delimiter = ',', conflicts_with = "project")]
    pub(in crate::cli) projects: Vec<String>,
    /// Make the report for each of these stores
    #[arg(long, value_name = "PLACE", num_args = 1.., conflicts_with = "store")]
    pub(in crate::cli) stores: Vec<String>,
    /// Write what became of each block to a file, for machines
    #[arg(long, value_name = "FILE.json")]
    pub(in crate::cli) results: Option<std::path::PathBuf>,
    /// Rows of each block to show in HTML and Markdown
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub(in crate::cli) max_rows: usize,
    /// Characters of each cell to show in HTML and Markdown
    #[arg(long, value_name = "N", default_value_t = 300)]
    pub(in crate::cli) max_cell: usize,
    /// Format of the files in DIR/: csv or parquet
    #[arg(long, value_name = "FORMAT", default_value = "csv", value_parser = block_format())]
    pub(in crate::cli) format: spanql_output::Format,
    /// In CSV files, put an apostrophe before cells that a spreadsheet would take for a formula
    #[arg(long)]
    pub(in crate::cli) csv_safe: bool,
    /// End with exit code 4 when the report rests on a pull that is not complete
    #[arg(long)]
    pub(in crate::cli) require_complete: bool,
    /// End with exit code 3 when a condition is about nothing: a text that a column has nowhere, a name that no span has, a
    /// time behind the end of the data
    #[arg(long)]
    pub(in crate::cli) strict: bool,
    /// Let statements write files (COPY) and make tables; the store is never changed
    #[arg(long)]
    pub(in crate::cli) allow_write: bool,
    #[command(flatten)]
    pub(in crate::cli) remote: RemoteOptions,
}

fn block_format() -> impl clap::builder::TypedValueParser<Value = spanql_output::Format> {
    use clap::builder::{PossibleValuesParser, TypedValueParser};
    use spanql_output::Format;

    PossibleValuesParser::new(["csv", "parquet"]).map(|name| if name == "csv" { Format::Csv } else { Format::Parquet })
}
