//! A remote project as a table: what a query asks of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::common::{Column, Result};
use datafusion::datasource::TableType;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

use super::remote_schemas::SpanSchema;
use super::requested::requested;
use super::scan::{RemoteScanExec, title};
use super::window::{Bounds, Chosen, Start};
use crate::derived::{Reading, absent_name, read_open_name};
use crate::scan::scan_by;
use crate::tree_node::expr_up;
use spanql_model::derived::holders;
use spanql_model::nearest::as_typed;
use spanql_sources::{ExportRequest, SpanSource, Window, remote_table_schema};

/// The spans of a remote project: the canonical columns without `tree.*`, then the open ones it announces.
///
/// Bounds on the start time become the window, and the remote is told of all other filters; every filter is checked
/// again on what comes.
#[derive(Debug, Clone)]
pub(crate) struct RemoteTable {
    source: Arc<dyn SpanSource>,
    project: String,
    remote_schema: SpanSchema,
    schema: SchemaRef,
    /// The first column that nobody announced: a statement names it all the same.
    unannounced_from: usize,
}

impl RemoteTable {
    pub(super) fn new(source: Arc<dyn SpanSource>, project: &str, remote_schema: SpanSchema) -> Self {
        let schema = Arc::new(remote_table_schema(&remote_schema));
        let unannounced_from = schema.fields().len();
        Self { source, project: project.to_owned(), remote_schema, schema, unannounced_from }
    }

    pub(super) fn title(&self) -> String {
        title(self.source.as_ref(), &self.project)
    }

    /// The table with columns for open names that nobody announced and nothing computes, and a note for each that is
    /// not known to come: the remote is asked for them all the same, and for the columns that may hold them.
    pub(crate) fn with_unannounced(&self, names: &BTreeSet<String>) -> (Arc<dyn TableProvider>, Vec<String>) {
        let (table, notes) = self.remote_with_unannounced(names);
        (Arc::new(table), notes)
    }

    /// The same, still as the table of a remote.
    pub(super) fn remote_with_unannounced(&self, names: &BTreeSet<String>) -> (Self, Vec<String>) {
        let mut fields: Vec<Arc<Field>> = self.schema.fields().iter().cloned().collect();
        let mut notes = vec![];
        for name in names.iter().filter(|name| self.schema.index_of(name).is_err()) {
            let data_type = match read_open_name(name, &self.schema, &BTreeMap::new()) {
                Reading::Absent(data_type) => data_type,
                // It may come as a column of its own all the same.
                Reading::Held(_) => DataType::Utf8,
                Reading::Computed(_) => continue,
            };
            fields.push(Arc::new(Field::new(name, data_type, true)));
            // What is in a text nobody can announce.
            if !holders(name).any(|(holder, _)| self.remote_schema.contains_key(holder)) {
                let text = format!("{} does not announce {} (asked for all the same)", self.title(), as_typed(name));
                notes.push(absent_name(text, name, &self.schema, &BTreeMap::new()));
            }
        }
        let table = Self {
            source: Arc::clone(&self.source),
            project: self.project.clone(),
            remote_schema: Arc::clone(&self.remote_schema),
            schema: Arc::new(Schema::new(fields)),
            unannounced_from: self.unannounced_from,
        };
        (table, notes)
    }

    /// The plan that reads some columns of the spans in a window.
    pub(super) fn reading(&self, projection: &[usize], filters: &[Expr], window: Window) -> Result<RemoteScanExec> {
        self.scanning(projection, filters, Chosen { window, start: Start::Asked })
    }

    fn scanning(&self, projection: &[usize], filters: &[Expr], chosen: Chosen) -> Result<RemoteScanExec> {
        let schema = Arc::new(self.schema.project(projection)?);
        let mut request = ExportRequest::new(&self.project, chosen.window);
        // Who wants every column there is should hear of those that nobody announced.
        let everything = (0..self.unannounced_from).all(|index| projection.contains(&index));
        request.columns = (!everything).then(|| self.request_columns(projection));
        request.filters = filters.iter().cloned().map(unqualified).collect::<Result<_>>()?;
        request.remote_schema = Arc::clone(&self.remote_schema);
        let unannounced = projection.iter().filter(|&&index| index >= self.unannounced_from);
        let unannounced = unannounced.map(|&index| self.schema.field(index).name().clone()).collect();
        Ok(RemoteScanExec::new(Arc::clone(&self.source), request, chosen.start, schema, unannounced))
    }

    fn request_columns(&self, projection: &[usize]) -> Vec<String> {
        let fields = self.schema.fields();
        let wanted = projection.iter().filter_map(|&index| fields.get(index)).map(|field| field.name().as_str());
        requested(wanted, &self.remote_schema)
    }
}

/// The filter over columns without a table.
fn unqualified(filter: Expr) -> Result<Expr> {
    expr_up(filter, &mut |expr| match expr {
        Expr::Column(Column { relation: Some(_), name, .. }) => {
            Ok(Transformed::yes(Expr::Column(Column::new_unqualified(name))))
        }
        other => Ok(Transformed::no(other)),
    })
    .data()
}

impl TableProvider for RemoteTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    scan_by!(RemoteTable::plan_scan);
}

impl RemoteTable {
    async fn plan_scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all: Vec<usize>;
        let projection = match projection {
            Some(projection) => projection,
            None => {
                all = (0..self.schema.fields().len()).collect();
                &all
            }
        };
        let now = chrono::Utc::now().timestamp_nanos_opt().unwrap_or(i64::MAX);
        let Some(chosen) = Bounds::of(filters).window(now) else {
            return Ok(Arc::new(EmptyExec::new(Arc::new(self.schema.project(projection)?))));
        };
        let scan: Arc<dyn ExecutionPlan> = Arc::new(self.scanning(projection, filters, chosen)?);
        Ok(scan.with_fetch(limit).unwrap_or(scan))
    }
}
