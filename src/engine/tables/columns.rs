//! The table `columns`: what is in the spans of each project.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::{MemTable, TableType};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;

use crate::model::columns as model;
use crate::store::{Snapshot, StoreError};

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

#[async_trait]
impl TableProvider for ColumnsTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
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
    let mut found: BTreeMap<(String, String), (u64, String)> = BTreeMap::new();
    let mut spans: BTreeMap<&str, u64> = BTreeMap::new();
    let cards = snapshot.cards().await.map_err(external)?;
    for (segment, card) in &cards {
        if project.is_some_and(|project| segment.project != project) {
            continue;
        }
        *spans.entry(&segment.project).or_default() += segment.rows;
        for (name, facts) in card.columns.iter().chain(&card.rest) {
            let key = (segment.project.clone(), name.clone());
            let (filled, example) = found.entry(key).or_insert_with(|| (0, facts.example.clone()));
            *filled += facts.filled;
            if example.is_empty() {
                example.clone_from(&facts.example);
            }
        }
    }
    let open: Vec<(String, DataType)> =
        snapshot.manifest.columns.iter().map(|(name, open)| (name.clone(), open.data_type())).collect();
    let schema_of_spans = model::spans_schema(&open);
    let rest: Vec<(&str, DataType)> =
        snapshot.manifest.rest.iter().map(|(name, open)| (name.as_str(), open.data_type())).collect();
    let mut order: Vec<(&str, &DataType)> =
        schema_of_spans.fields().iter().map(|field| (field.name().as_str(), field.data_type())).collect();
    // Keys of the JSON column are read like columns of their own.
    order.extend(rest.iter().map(|(name, data_type)| (*name, data_type)));
    let mut rows: Vec<[String; 4]> = Vec::new();
    let mut filled: Vec<f64> = Vec::new();
    for (project, total) in &spans {
        for (name, data_type) in &order {
            let key = ((*project).to_owned(), (*name).to_owned());
            if let Some((count, example)) = found.remove(&key) {
                rows.push([key.0, key.1, sql_type(data_type), example]);
                filled.push(count as f64 / *total as f64);
            }
        }
    }
    let text = |i: usize| -> ArrayRef { Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row[i]))) };
    let columns = vec![text(0), text(1), text(2), Arc::new(Float64Array::from(filled)) as ArrayRef, text(3)];
    Ok(RecordBatch::try_new(schema(), columns)?)
}

fn external(error: StoreError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// The type's name as a person reads it.
fn sql_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Timestamp(_, _) => "Timestamp(ns, UTC)".to_owned(),
        other => other.to_string(),
    }
}
