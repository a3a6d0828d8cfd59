//! The table `pulls`: what was pulled into the store, and what came of it.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder, TimestampNanosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::{MemTable, TableType};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;

use crate::scan::scan_by;
use spanql_store::{Pull, Snapshot};

const MILLISECOND: i64 = 1_000_000;

fn schema() -> SchemaRef {
    let time = || DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    let columns = [
        ("pull_id", DataType::Utf8),
        ("source", DataType::Utf8),
        ("remote", DataType::Utf8),
        ("space", DataType::Utf8),
        ("remote_project", DataType::Utf8),
        ("project", DataType::Utf8),
        ("started_at", time()),
        ("finished_at", time()),
        ("start_time", time()),
        ("end_time", time()),
        ("filter", DataType::Utf8),
        ("columns", DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))),
        ("sample_rate", DataType::Float64),
        ("row_limit", DataType::Int64),
        ("slices", DataType::Int64),
        ("announced", DataType::Int64),
        ("received", DataType::Int64),
        ("stored", DataType::Int64),
        ("new", DataType::Int64),
        ("updated", DataType::Int64),
        ("status", DataType::Utf8),
        ("error", DataType::Utf8),
    ];
    Arc::new(Schema::new(columns.map(|(name, data_type)| Field::new(name, data_type, true)).to_vec()))
}

/// `pulls`: a row for every pull that the ledger remembers, newest last.
///
/// `start_time` and `end_time` are the window that was asked for, `project` is the project in the store. `announced`
/// is null where the remote did not announce every slice. `status` is `complete`, `sampled` or `incomplete`.
#[derive(Debug)]
pub(crate) struct PullsTable {
    snapshot: Snapshot,
    project: Option<String>,
    schema: SchemaRef,
}

impl PullsTable {
    /// The table of a snapshot, of one project of the store or all. The ledger is read when the table is.
    pub(crate) fn new(snapshot: Snapshot, project: Option<String>) -> Self {
        Self { snapshot, project, schema: schema() }
    }
}

impl TableProvider for PullsTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    scan_by!(PullsTable::plan_scan);
}

impl PullsTable {
    async fn plan_scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let ledger = self.snapshot.ledger().await.map_err(|error| DataFusionError::External(Box::new(error)))?;
        let shown = |pull: &&Pull| self.project.as_ref().is_none_or(|project| pull.key.into == *project);
        let pulls: Vec<&Pull> = ledger.pulls.iter().filter(shown).collect();
        let batch = rows(self.schema(), &pulls)?;
        MemTable::try_new(self.schema(), vec![vec![batch]])?.scan(state, projection, filters, limit).await
    }
}

fn rows(schema: SchemaRef, pulls: &[&Pull]) -> Result<RecordBatch> {
    fn text<'a>(pulls: &[&'a Pull], value: impl Fn(&'a Pull) -> Option<&'a str>) -> ArrayRef {
        Arc::new(pulls.iter().map(|pull| value(pull)).collect::<StringArray>())
    }
    let number = |value: &dyn Fn(&Pull) -> Option<u64>| -> ArrayRef {
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        Arc::new(pulls.iter().map(|pull| value(pull).map(signed)).collect::<Int64Array>())
    };
    let time = |value: &dyn Fn(&Pull) -> Option<i64>| -> ArrayRef {
        let times: TimestampNanosecondArray = pulls.iter().map(|pull| value(pull)).collect();
        Arc::new(times.with_timezone("UTC"))
    };
    let mut columns = ListBuilder::new(StringBuilder::new());
    for pull in pulls {
        columns.append_option(pull.projection.columns.as_ref().map(|names| names.iter().map(Some)));
    }
    let sample_rates: Float64Array = pulls.iter().map(|pull| pull.projection.sample_rate).collect();
    let arrays = vec![
        text(pulls, |pull| Some(&pull.id)),
        text(pulls, |pull| Some(&pull.key.source)),
        text(pulls, |pull| Some(&pull.key.remote)),
        text(pulls, |pull| pull.key.space.as_deref()),
        text(pulls, |pull| Some(&pull.key.project)),
        text(pulls, |pull| Some(&pull.key.into)),
        time(&|pull| pull.started.checked_mul(MILLISECOND)),
        time(&|pull| pull.finished?.checked_mul(MILLISECOND)),
        time(&|pull| Some(pull.window.start)),
        time(&|pull| Some(pull.window.end)),
        text(pulls, |pull| pull.projection.filter.as_deref()),
        Arc::new(columns.finish()),
        Arc::new(sample_rates),
        number(&|pull| pull.limit),
        number(&|pull| Some(pull.parts())),
        number(&Pull::announced),
        number(&|pull| Some(pull.received())),
        number(&|pull| Some(pull.stored())),
        number(&|pull| Some(pull.new_spans())),
        number(&|pull| Some(pull.updated_spans())),
        text(pulls, |pull| Some(pull.status().as_str())),
        text(pulls, |pull| pull.error.as_deref()),
    ];
    Ok(RecordBatch::try_new(schema, arrays)?)
}
