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
use spanql_store::{Doubt, FileImport, ImportedProject, Pull, Snapshot};

const MILLISECOND: i64 = 1_000_000;

fn text_list() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))
}

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
        ("columns", text_list()),
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
        ("files", text_list()),
        ("bad", DataType::Int64),
        ("repeated", DataType::Int64),
    ];
    Arc::new(Schema::new(columns.map(|(name, data_type)| Field::new(name, data_type, true)).to_vec()))
}

/// `pulls`: a row for every pull that the ledger remembers, and for every project of an import of files, newest last.
///
/// `start_time` and `end_time` are the window that was asked for, `project` is the project in the store. `announced`
/// is null where the remote did not announce every slice. `status` is `complete`, `sampled` or `incomplete`.
///
/// An import has the source `file` and the `files` that it read; `received` are the rows of the project, `repeated` those
/// of them that were of the same span as another one, and `bad` the rows that were passed over, of whatever project. Its
/// `status` is `unknown`, since nobody said how many there are; `suspect` where a file holds as many rows as exports are
/// cut at, or rows were passed over; `incomplete` where a file could not be read to its end, with the `error`.
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
        let pulls = ledger.pulls.iter().filter(shown).map(Entry::of_pull);
        let shown = |of: &&ImportedProject| self.project.as_ref().is_none_or(|project| of.project == *project);
        let imports = ledger
            .imports
            .iter()
            .flat_map(|import| import.projects.iter().filter(shown).map(move |of| Entry::of_import(import, of)));
        let mut entries: Vec<Entry> = pulls.chain(imports).collect();
        entries.sort_by_key(|entry| entry.started);
        let batch = rows(self.schema(), &entries)?;
        MemTable::try_new(self.schema(), vec![vec![batch]])?.scan(state, projection, filters, limit).await
    }
}

/// A row of the table.
#[derive(Debug, Default)]
struct Entry {
    id: String,
    source: String,
    remote: Option<String>,
    space: Option<String>,
    remote_project: Option<String>,
    project: String,
    /// Milliseconds.
    started: i64,
    finished: Option<i64>,
    start: Option<i64>,
    end: Option<i64>,
    filter: Option<String>,
    columns: Option<Vec<String>>,
    sample_rate: Option<f64>,
    limit: Option<u64>,
    slices: Option<u64>,
    announced: Option<u64>,
    received: u64,
    stored: u64,
    new: u64,
    updated: u64,
    status: &'static str,
    error: Option<String>,
    files: Option<Vec<String>>,
    bad: Option<u64>,
    repeated: Option<u64>,
}

impl Entry {
    fn of_pull(pull: &Pull) -> Self {
        Self {
            id: pull.id.clone(),
            source: pull.key.source.clone(),
            remote: Some(pull.key.remote.clone()),
            space: pull.key.space.clone(),
            remote_project: Some(pull.key.project.clone()),
            project: pull.key.into.clone(),
            started: pull.started,
            finished: pull.finished,
            start: Some(pull.window.start),
            end: Some(pull.window.end),
            filter: pull.projection.filter.clone(),
            columns: pull.projection.columns.clone(),
            sample_rate: pull.projection.sample_rate,
            limit: pull.limit,
            slices: Some(pull.parts()),
            announced: pull.announced(),
            received: pull.received(),
            stored: pull.stored(),
            new: pull.new_spans(),
            updated: pull.updated_spans(),
            status: pull.status().as_str(),
            error: pull.error.clone(),
            ..Self::default()
        }
    }

    fn of_import(import: &FileImport, of: &ImportedProject) -> Self {
        let doubts = import.doubts();
        let cut = doubts.iter().find_map(|doubt| match doubt {
            Doubt::Cut(reason) => Some(reason.clone()),
            _ => None,
        });
        Self {
            id: import.id.clone(),
            source: "file".to_owned(),
            project: of.project.clone(),
            started: import.committed,
            finished: Some(import.committed),
            received: of.rows,
            stored: of.new + of.updated + of.same,
            new: of.new,
            updated: of.updated,
            status: if cut.is_some() {
                "incomplete"
            } else if doubts.is_empty() {
                "unknown"
            } else {
                "suspect"
            },
            error: cut,
            files: Some(import.files.iter().map(|file| file.name().to_owned()).collect()),
            bad: Some(import.files.iter().map(|file| file.bad).sum()),
            repeated: Some(of.repeated()),
            ..Self::default()
        }
    }
}

fn rows(schema: SchemaRef, entries: &[Entry]) -> Result<RecordBatch> {
    let text = |value: &dyn Fn(&Entry) -> Option<&str>| -> ArrayRef {
        Arc::new(entries.iter().map(|entry| value(entry).map(str::to_owned)).collect::<StringArray>())
    };
    let number = |value: &dyn Fn(&Entry) -> Option<u64>| -> ArrayRef {
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        Arc::new(entries.iter().map(|entry| value(entry).map(signed)).collect::<Int64Array>())
    };
    let time = |value: &dyn Fn(&Entry) -> Option<i64>| -> ArrayRef {
        let times: TimestampNanosecondArray = entries.iter().map(value).collect();
        Arc::new(times.with_timezone("UTC"))
    };
    let list = |value: fn(&Entry) -> Option<&Vec<String>>| -> ArrayRef {
        let mut lists = ListBuilder::new(StringBuilder::new());
        for entry in entries {
            lists.append_option(value(entry).map(|names| names.iter().map(Some)));
        }
        Arc::new(lists.finish())
    };
    let sample_rates: Float64Array = entries.iter().map(|entry| entry.sample_rate).collect();
    let arrays = vec![
        text(&|entry| Some(&entry.id)),
        text(&|entry| Some(&entry.source)),
        text(&|entry| entry.remote.as_deref()),
        text(&|entry| entry.space.as_deref()),
        text(&|entry| entry.remote_project.as_deref()),
        text(&|entry| Some(&entry.project)),
        time(&|entry| entry.started.checked_mul(MILLISECOND)),
        time(&|entry| entry.finished?.checked_mul(MILLISECOND)),
        time(&|entry| entry.start),
        time(&|entry| entry.end),
        text(&|entry| entry.filter.as_deref()),
        list(|entry| entry.columns.as_ref()),
        Arc::new(sample_rates),
        number(&|entry| entry.limit),
        number(&|entry| entry.slices),
        number(&|entry| entry.announced),
        number(&|entry| Some(entry.received)),
        number(&|entry| Some(entry.stored)),
        number(&|entry| Some(entry.new)),
        number(&|entry| Some(entry.updated)),
        text(&|entry| Some(entry.status)),
        text(&|entry| entry.error.as_deref()),
        list(|entry| entry.files.as_ref()),
        number(&|entry| entry.bad),
        number(&|entry| entry.repeated),
    ];
    Ok(RecordBatch::try_new(schema, arrays)?)
}
