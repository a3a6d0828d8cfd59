//! An engine over one version of a store.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::execution::runtime_env::RuntimeEnv;

use super::long::{Long, LongTable, TURNS_SQL};
use super::tables::{ColumnsTable, PullsTable, QualityTable, SESSIONS_SQL, SegmentsTable};
use super::{Engine, EngineConfig, EngineError, Relation};
use spanql_sources::config::Redaction;
use spanql_sources::prices::PriceFile;
use spanql_store::{Segment, Snapshot};

/// Bytes of a batch of spans on average, at most: a column of a batch holds no more than 2 GiB of text, and operators
/// fill their batches whatever the rows take.
const BATCH_BYTES: u64 = 128 << 20;

/// Settings of an engine whose tables are those of a store: `spans`, `traces`, `sessions`, `columns`, `pulls`,
/// `quality`, and the long ones, such as `messages`.
#[derive(Debug, Clone, Default)]
pub struct StoreEngine {
    /// Bytes that queries may use before they spill.
    pub memory_limit: Option<usize>,
    /// The memory and the disk that they share with others; without it, they have their own.
    pub runtime: Option<Arc<RuntimeEnv>>,
    /// Where they spill.
    pub temp_dir: Option<PathBuf>,
    /// The one project that the tables show; all of them if not set.
    pub project: Option<String>,
    /// Whether statements that write files (COPY), or change the tables, may run; the store itself is never changed.
    pub allow_write: bool,
    /// What models cost, for `estimate_cost` and the columns `estimated_cost`.
    pub prices: Option<Arc<PriceFile>>,
    /// What `redact` and `looks_like_secret` go by; without it, there are no patterns of one's own, and no key.
    pub redaction: Option<Arc<Redaction>>,
    /// Whether the rows of all statements are redacted.
    pub redact_results: bool,
}

impl StoreEngine {
    /// Makes an engine that reads the snapshot, whatever is written meanwhile.
    ///
    /// # Errors
    /// When the temporary directory cannot be used.
    pub async fn open(self, snapshot: Snapshot) -> Result<Engine, EngineError> {
        let project = self.project.as_ref();
        let shown = snapshot.manifest.segments.iter().filter(|of| project.is_none_or(|project| of.project == *project));
        let data_end = shown.filter_map(|segment| segment.max_start).max();
        let config = EngineConfig {
            memory_limit: self.memory_limit,
            runtime: self.runtime,
            temp_dir: self.temp_dir,
            target_partitions: None,
            batch_rows: batch_rows(&snapshot.manifest.segments),
            allow_write: self.allow_write,
            data_end,
            prices: self.prices,
            redaction: self.redaction,
            redact_results: self.redact_results,
        };
        let engine = Engine::over(config, Some(snapshot.segments.clone()))?;
        let rest = snapshot.manifest.rest.iter().map(|(name, open)| (name.clone(), open.data_type()));
        let rest: Arc<BTreeMap<_, _>> = Arc::new(rest.collect());
        let columns = Arc::new(ColumnsTable::new(snapshot.clone(), self.project.clone()));
        let pulls = Arc::new(PullsTable::new(snapshot.clone(), self.project.clone()));
        let spans = Arc::new(SegmentsTable::spans(snapshot.clone(), self.project.clone()));
        let quality = Arc::new(QualityTable::new(Arc::clone(&spans), snapshot.clone()));
        let traces = Arc::new(SegmentsTable::traces(snapshot, self.project));
        for long in Long::ALL {
            let table = LongTable::new(long, Arc::clone(&spans), Arc::clone(&rest));
            engine.register(long.name(), Relation::Plain(Arc::new(table))).await?;
        }
        engine.register("spans", Relation::Spans { table: spans, rest }).await?;
        engine.register("traces", Relation::Plain(traces)).await?;
        engine.register("columns", Relation::Plain(columns)).await?;
        engine.register("pulls", Relation::Plain(pulls)).await?;
        engine.register("quality", Relation::Plain(quality)).await?;
        engine.register_lazily("sessions", SESSIONS_SQL)?;
        engine.register_lazily("turns", TURNS_SQL)?;
        Ok(engine)
    }
}

/// How many rows of these segments make a batch; `None` where they are so small that any number does.
fn batch_rows(segments: &[Segment]) -> Option<usize> {
    let largest = segments.iter().map(|segment| segment.memory_bytes / segment.rows_in_file().max(1)).max()?;
    let rows = BATCH_BYTES / largest.max(1);
    (rows < 8192).then_some(rows.max(1) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_rows_come_in_short_batches() {
        let segment = |rows: u64, memory_bytes: u64| Segment { rows, traces: 1, memory_bytes, ..Segment::default() };
        assert_eq!(batch_rows(&[]), None);
        assert_eq!(batch_rows(&[segment(1_000_000, 4 << 30), segment(0, 0)]), None);
        assert_eq!(batch_rows(&[segment(1_000_000, 4 << 30), segment(3_000, 3_000 << 20)]), Some(128));
        assert_eq!(batch_rows(&[segment(1, 1 << 30)]), Some(1));
    }
}
