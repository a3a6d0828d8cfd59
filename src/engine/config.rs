//! Settings of an engine.

use std::path::PathBuf;
use std::sync::Arc;

use spanql_sources::config::Redaction;
use spanql_sources::prices::PriceFile;

/// What an engine may use.
#[derive(Debug, Clone, Default)]
pub struct EngineConfig {
    /// The memory of all queries together, in bytes; beyond it they spill to disk, or fail where they cannot.
    pub memory_limit: Option<usize>,
    /// Where queries spill; the system's temporary directory if not set.
    pub temp_dir: Option<PathBuf>,
    /// How many partitions run in parallel; one per core if not set.
    pub target_partitions: Option<usize>,
    /// How many rows make a batch; 8192 if not set.
    pub batch_rows: Option<usize>,
    /// Whether statements that write (DDL, DML, COPY, SET) may run.
    pub allow_write: bool,
    /// Where the data ends, in nanoseconds since the epoch: ages such as `last-7d` count back from there.
    pub data_end: Option<i64>,
    /// What models cost, for `estimate_cost` and the columns `estimated_cost`.
    pub prices: Option<Arc<PriceFile>>,
    /// What `redact` and `looks_like_secret` go by; without it, there are no patterns of one's own, and no key.
    pub redaction: Option<Arc<Redaction>>,
    /// Whether the rows of all statements are redacted.
    pub redact_results: bool,
}
