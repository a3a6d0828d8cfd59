//! What is typed about settings.

use clap::{Args, Subcommand};

use super::remote::RemoteOptions;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ConfigCommand {
    /// Show settings, and where each comes from; of keys, only that they are set
    ///
    /// Looked for in this order: options, environment variables, a profile of config.toml, the files of the vendors' own
    /// tools, .env in the working directory. The first that has a setting counts.
    Show(ConfigShow),
    /// Write a setting into a profile of config.toml
    ///
    /// Settings: profile; prices (the file of what models cost); of Arize: arize.api_key, arize.space, arize.region, arize.single_host, arize.single_port,
    /// arize.base_domain, arize.api_host, arize.api_scheme, arize.api_port, arize.flight_host, arize.flight_scheme,
    /// arize.flight_port, arize.request_verify, arize.ssl_ca_cert; of Phoenix: phoenix.collector_endpoint, phoenix.host,
    /// phoenix.port, phoenix.api_key, phoenix.client_headers; of Opik: opik.api_key, opik.workspace, opik.url_override,
    /// opik.check_tls_certificate. ${NAME} stands for an environment variable.
    Set(ConfigSet),
    /// Take a setting out of a profile of config.toml
    Unset(ConfigUnset),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ConfigShow {
    /// Make one call to each remote that has a key; exit code 1 when one fails
    #[arg(long)]
    pub(in crate::cli) check: bool,
    /// Format (table, json, jsonl, csv, tsv, md) or a file [default: table on a terminal, else jsonl]
    #[arg(short, long, value_name = "FORMAT|FILE")]
    pub(in crate::cli) output: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) remote: RemoteOptions,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ConfigSet {
    /// The setting, e.g. arize.api_key
    #[arg(value_name = "KEY")]
    pub(in crate::cli) key: String,
    /// Its value; without one, or with -, it is asked for, or read from stdin: a key then stays out of the shell's history
    #[arg(value_name = "VALUE")]
    pub(in crate::cli) value: Option<String>,
    /// Profile to write into [default: $SPANQL_PROFILE, else the file's own, else default]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) profile: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ConfigUnset {
    /// The setting, e.g. arize.api_key
    #[arg(value_name = "KEY")]
    pub(in crate::cli) key: String,
    /// Profile to take it from [default: $SPANQL_PROFILE, else the file's own, else default]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) profile: Option<String>,
}
