//! One project, and queries over it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::error::DataFusionError;
use datafusion::prelude::{DataFrame, SessionContext};

use spanql_engine::with_open_names;
use spanql_filter::Filter;
use spanql_model::names::is_open_name;

/// Memory of a query that reads few and small columns.
pub(super) const SMALL_READ: u64 = 8 << 20;
/// Memory that any query takes beside what lies in the files.
pub(super) const BESIDE: u64 = 16 << 20;

/// One project in one version of the store.
pub(super) struct Project {
    pub(super) name: String,
    pub(super) version: u64,
    /// The columns in which any of its spans has a value.
    pub(super) held: BTreeSet<String>,
    /// The names whose values lie in `attributes.rest`.
    pub(super) rest: BTreeMap<String, DataType>,
    /// About how many bytes a span takes.
    pub(super) row_bytes: u64,
    /// About how many bytes a query over whole spans takes.
    pub(super) whole: u64,
    /// How many bytes of each column lie in a file together, at most.
    pub(super) chunk_bytes: HashMap<String, u64>,
    pub(super) context: SessionContext,
    pub(super) spans: Arc<dyn TableProvider>,
    pub(super) traces: Arc<dyn TableProvider>,
}

impl Project {
    /// About how many bytes a query over some columns takes.
    pub(super) fn reading(&self, columns: &[String]) -> u64 {
        let schema = self.spans.schema();
        // What is not stored under its name is read from others.
        let Some(bytes) = columns.iter().try_fold(0_u64, |bytes, name| match self.chunk_bytes.get(name) {
            Some(chunk) => Some(bytes + chunk),
            None => (schema.index_of(name).is_ok() || !is_open_name(name)).then_some(bytes),
        }) else {
            return self.whole;
        };
        if bytes <= SMALL_READ / 2 { SMALL_READ.min(self.whole) } else { (bytes + BESIDE).min(self.whole) }
    }

    /// The columns of `spans`, those of other projects too.
    pub(super) fn schema(&self) -> SchemaRef {
        self.spans.schema()
    }

    /// Whether any span of this project has a value in a column.
    pub(super) fn holds(&self, column: &str) -> bool {
        self.held.contains(column)
    }

    /// The spans.
    pub(super) fn spans_table(&self) -> Arc<dyn TableProvider> {
        Arc::clone(&self.spans)
    }

    /// The spans, with columns for names of open families that are not stored under these names.
    pub(super) fn spans_table_with(&self, names: &BTreeSet<String>) -> Result<Arc<dyn TableProvider>, DataFusionError> {
        if names.is_empty() {
            return Ok(self.spans_table());
        }
        let (table, _) = with_open_names("spans", self.spans_table(), &self.rest, names)?;
        Ok(table)
    }

    /// A query over a table of this project.
    pub(super) fn read(&self, table: Arc<dyn TableProvider>) -> Result<DataFrame, DataFusionError> {
        self.context.read_table(table)
    }

    /// A query over the spans.
    pub(super) fn spans(&self) -> Result<DataFrame, DataFusionError> {
        self.read(self.spans_table())
    }

    /// A query over the spans, with the columns that a filter reads.
    pub(super) fn spans_for(&self, filter: Option<&Filter>) -> Result<DataFrame, DataFusionError> {
        match filter {
            Some(filter) => self.read(self.spans_table_with(&filter.columns())?),
            None => self.spans(),
        }
    }

    /// The names whose values lie in `attributes.rest`.
    pub(super) fn rest(&self) -> &BTreeMap<String, DataType> {
        &self.rest
    }

    /// The summaries of the traces.
    pub(super) fn traces(&self) -> Result<DataFrame, DataFusionError> {
        self.context.read_table(Arc::clone(&self.traces))
    }
}
