//! Settings of an engine.

use std::path::PathBuf;
use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};

use super::spill::spilling_into;
use super::yielding::pool;
use spanql_sources::config::Redaction;
use spanql_sources::prices::PriceFile;
use spanql_store::Segments;

/// What an engine may use.
#[derive(Debug, Clone, Default)]
pub struct EngineConfig {
    /// The memory of all queries together, in bytes; beyond it they spill to disk, or fail where they cannot.
    pub memory_limit: Option<usize>,
    /// The memory and the disk that statements share with others; without it, they have their own.
    pub runtime: Option<Arc<RuntimeEnv>>,
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

impl EngineConfig {
    /// The memory and the disk of statements; the kept columns of `segments` count against the memory.
    pub(super) fn resources(&self, segments: Option<Segments>) -> Result<Arc<RuntimeEnv>> {
        if let Some(shared) = &self.runtime {
            return Ok(Arc::clone(shared));
        }
        let mut runtime = RuntimeEnvBuilder::new();
        if let Some(limit) = self.memory_limit {
            runtime = runtime.with_memory_pool(pool(limit, segments));
        }
        let dir = self.temp_dir.clone().unwrap_or_else(std::env::temp_dir);
        runtime.with_disk_manager_builder(spilling_into(dir)).build_arc()
    }
}
