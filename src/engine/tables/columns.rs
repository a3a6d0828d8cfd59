//! The table `columns`: what is in the spans of each project.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::{MemTable, TableType};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;

use crate::scan::scan_by;
use spanql_model::columns as model;
use spanql_model::types::OpenType;
use spanql_store::{Snapshot, StoreError};

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("project", DataType::Utf8, true),
        Field::new("name", DataType::Utf8, true),
        Field::new("type", DataType::Utf8, true),
        Field::new("filled", DataType::Float64, true),
        Field::new("example", DataType::Utf8, true),
    ]))
}

/// `columns(project, name, type, filled, example)`: a row for every column that has a value in a project, in the
/// order of `spans`; `filled` is the share of the project's spans that have one, above 0 and at most 1.
#[derive(Debug)]
pub(crate) struct ColumnsTable {
    snapshot: Snapshot,
    project: Option<String>,
    schema: SchemaRef,
}

impl ColumnsTable {
    /// The table of a snapshot, of one project or all. The facts are read when the table is.
    pub(crate) fn new(snapshot: Snapshot, project: Option<String>) -> Self {
        Self { snapshot, project, schema: schema() }
    }
}

impl TableProvider for ColumnsTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    scan_by!(ColumnsTable::plan_scan);
}

impl ColumnsTable {
    async fn plan_scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let batch = facts(&self.snapshot, self.project.as_deref()).await?;
        MemTable::try_new(self.schema(), vec![vec![batch]])?.scan(state, projection, filters, limit).await
    }
}

async fn facts(snapshot: &Snapshot, project: Option<&str>) -> Result<RecordBatch> {
    let facts = column_facts(snapshot, project).await.map_err(external)?;
    let text =
        |of: fn(&ColumnFact) -> &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(facts.iter().map(of))) };
    let types = StringArray::from_iter_values(facts.iter().map(|fact| type_name(&fact.data_type)));
    let filled: Float64Array = facts.iter().map(|fact| Some(fact.filled as f64 / fact.spans as f64)).collect();
    let columns = vec![
        text(|fact| &fact.project),
        text(|fact| &fact.name),
        Arc::new(types),
        Arc::new(filled),
        text(|fact| &fact.example),
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}

/// What is known of a column in the spans of a project.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnFact {
    pub(crate) project: String,
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    /// Spans of the project with a value; at least one.
    pub filled: u64,
    /// Spans of the project.
    pub(crate) spans: u64,
    /// The beginning of a value; empty where that is all there is.
    pub example: String,
}

/// The columns that have values in each project, by project and in the order of `spans`, then the keys that are read
/// from `attributes.rest`; of one project or all. No span is read for it.
pub async fn column_facts(
    snapshot: &Snapshot,
    project: Option<&str>,
) -> std::result::Result<Vec<ColumnFact>, StoreError> {
    let mut found: BTreeMap<(String, String), (u64, String)> = BTreeMap::new();
    let mut spans: BTreeMap<&str, u64> = BTreeMap::new();
    let segment_stats = snapshot.segment_stats().await?;
    for (segment, stats) in &segment_stats {
        if project.is_some_and(|project| segment.project != project) {
            continue;
        }
        *spans.entry(&segment.project).or_default() += segment.rows;
        for (name, facts) in stats.columns.iter().chain(&stats.rest) {
            let key = (segment.project.clone(), name.clone());
            let (filled, example) = found.entry(key).or_insert_with(|| (0, facts.example.clone()));
            *filled += facts.filled;
            if example.is_empty() {
                example.clone_from(&facts.example);
            }
        }
    }
    let open = |columns: &BTreeMap<String, OpenType>| -> Vec<(String, DataType)> {
        columns.iter().map(|(name, open)| (name.clone(), open.data_type())).collect()
    };
    let schema_of_spans = model::spans_schema(&open(&snapshot.manifest.columns));
    // Keys of the JSON column are read like columns of their own.
    let rest = open(&snapshot.manifest.rest);
    let of_schema = schema_of_spans.fields().iter().map(|field| (field.name().as_str(), field.data_type()));
    let of_rest = rest.iter().map(|(name, data_type)| (name.as_str(), data_type));
    let order: Vec<(&str, &DataType)> = of_schema.chain(of_rest).collect();
    let mut facts = Vec::new();
    for (project, total) in &spans {
        for (name, data_type) in &order {
            let key = ((*project).to_owned(), (*name).to_owned());
            if let Some((filled, example)) = found.remove(&key) {
                let ((project, name), data_type, spans) = (key, (*data_type).clone(), *total);
                facts.push(ColumnFact { project, name, data_type, filled, spans, example });
            }
        }
    }
    Ok(facts)
}

fn external(error: StoreError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// The type's name as a person reads it.
pub fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Timestamp(_, _) => "Timestamp(ns, UTC)".to_owned(),
        other => other.to_string(),
    }
}
