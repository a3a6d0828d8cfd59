//! A remote project as a table: what a query asks of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, Result};
use datafusion::datasource::TableType;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

use super::announcements::Announced;
use super::scan::RemoteScanExec;
use super::traces::TracesWhereTable;
use super::window::{Bounds, Chosen, Start};
use crate::derived::{Reading, absent_name, read_open_name};
use spanql_filter::columns as columns_of;
use spanql_model::columns::{self, CANONICAL, METADATA_PREFIX};
use spanql_model::derived::holders;
use spanql_model::nearest::as_typed;
use spanql_sources::{ExportRequest, SpanSource, Window, remote_schema};

/// The spans of a remote project: the canonical columns without `tree.*`, then the open ones it announces.
///
/// Bounds on the start time become the window, and the remote is told of all other filters; every filter is checked
/// again on what comes.
#[derive(Debug, Clone)]
pub(crate) struct RemoteTable {
    source: Arc<dyn SpanSource>,
    project: String,
    announced: Announced,
    schema: SchemaRef,
    /// The first column that nobody announced: a statement names it all the same.
    hoped_from: usize,
}

impl RemoteTable {
    pub(crate) fn new(source: Arc<dyn SpanSource>, project: &str, announced: Announced) -> Self {
        let schema = Arc::new(remote_schema(&announced));
        let hoped_from = schema.fields().len();
        Self { source, project: project.to_owned(), announced, schema, hoped_from }
    }

    pub(super) fn title(&self) -> String {
        title(self.source.as_ref(), &self.project)
    }

    /// The table with columns for open names that nobody announced and nothing computes, and a note for each that is
    /// not known to come: the remote is asked for them all the same, and for the columns that may hold them.
    pub(crate) fn with_hoped_for(&self, names: &BTreeSet<String>) -> (Arc<dyn TableProvider>, Vec<String>) {
        let (table, notes) = self.hoping_for(names);
        (Arc::new(table), notes)
    }

    fn hoping_for(&self, names: &BTreeSet<String>) -> (Self, Vec<String>) {
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
            if !holders(name).any(|(holder, _)| self.announced.contains_key(holder)) {
                let text = format!("{} does not announce {} (asked for all the same)", self.title(), as_typed(name));
                notes.push(absent_name(text, name, &self.schema, &BTreeMap::new()));
            }
        }
        let table = Self {
            source: Arc::clone(&self.source),
            project: self.project.clone(),
            announced: Arc::clone(&self.announced),
            schema: Arc::new(Schema::new(fields)),
            hoped_from: self.hoped_from,
        };
        (table, notes)
    }

    /// All spans of every trace in which a condition is true of any span: a table with the columns of this one and of
    /// [`with_hoped_for`](Self::with_hoped_for), and notes of names, those of the condition among them.
    ///
    /// The conditions name canonical and open columns, without a table. With a limit, so many traces: those with the
    /// latest spans that match.
    pub(crate) fn traces_where(
        &self,
        any_span: Vec<Expr>,
        limit: Option<usize>,
        names: &BTreeSet<String>,
    ) -> (Arc<dyn TableProvider>, Vec<String>) {
        let (_, mut notes) = self.hoping_for(&any_span.iter().flat_map(columns_of).collect());
        let (spans, more) = self.hoping_for(names);
        notes.extend(more.into_iter().filter(|note| !notes.contains(note)).collect::<Vec<_>>());
        (Arc::new(TracesWhereTable::new(spans, any_span, limit)), notes)
    }

    /// The plan that reads some columns of the spans in a window.
    pub(super) fn reading(&self, projection: &[usize], filters: &[Expr], window: Window) -> Result<RemoteScanExec> {
        self.scanning(projection, filters, Chosen { window, start: Start::Asked })
    }

    fn scanning(&self, projection: &[usize], filters: &[Expr], chosen: Chosen) -> Result<RemoteScanExec> {
        let schema = Arc::new(self.schema.project(projection)?);
        let mut request = ExportRequest::new(&self.project, chosen.window);
        // Who wants every column there is should hear of those that nobody announced.
        let everything = (0..self.hoped_from).all(|index| projection.contains(&index));
        request.columns = (!everything).then(|| self.request_columns(projection));
        request.filters = filters.iter().cloned().map(unqualified).collect::<Result<_>>()?;
        request.announced = Arc::clone(&self.announced);
        let hoped = projection.iter().filter(|&&index| index >= self.hoped_from);
        let hoped = hoped.map(|&index| self.schema.field(index).name().clone()).collect();
        Ok(RemoteScanExec::new(Arc::clone(&self.source), request, chosen.start, schema, hoped))
    }

    fn request_columns(&self, projection: &[usize]) -> Vec<String> {
        let fields = self.schema.fields();
        let wanted = projection.iter().filter_map(|&index| fields.get(index)).map(|field| field.name().as_str());
        requested(wanted, &self.announced)
    }
}

/// The filter over columns without a table.
fn unqualified(filter: Expr) -> Result<Expr> {
    let bare = |expr| match expr {
        Expr::Column(Column { relation: Some(_), name, .. }) => {
            Ok(Transformed::yes(Expr::Column(Column::new_unqualified(name))))
        }
        other => Ok(Transformed::no(other)),
    };
    filter.transform(bare).data()
}

/// What a table of a source is called in messages.
pub(super) fn title(source: &dyn SpanSource, project: &str) -> String {
    format!("{}.{project}", source.name())
}

/// The columns to ask for so that the wanted ones can be made of what comes: those that identify a span and place it
/// in time, canonical columns in their order, then others by name.
pub(crate) fn requested<'a>(
    wanted: impl Iterator<Item = &'a str>,
    announced: &'a BTreeMap<String, DataType>,
) -> Vec<String> {
    let is_announced = |name: &str| announced.contains_key(name);
    let mut names: BTreeSet<&str> = [columns::TRACE_ID, columns::SPAN_ID, columns::START_TIME].into();
    for name in wanted {
        match name {
            // The table itself says where its spans come from.
            columns::PROJECT | columns::SOURCE => {}
            columns::LATENCY_MS => names.extend([columns::START_TIME, columns::END_TIME]),
            columns::EVENT_ATTRIBUTES => names.extend([columns::EVENTS]),
            columns::METADATA => {
                names.insert(name);
                // Keys that come on their own belong to the whole.
                names.extend(announced.keys().filter(|key| key.starts_with(METADATA_PREFIX)).map(String::as_str));
            }
            name if name.starts_with(METADATA_PREFIX) => {
                names.insert(columns::METADATA);
                names.extend(is_announced(name).then_some(name));
            }
            name => {
                names.insert(name);
                // It may be one of the keys that share a column.
                let shared = columns::canonical(name).is_none() && !is_announced(name) && is_announced(columns::REST);
                names.extend(shared.then_some(columns::REST));
                // Or it is in the text of another column.
                let own = is_announced(name);
                let holding = |holder: &&str| !own && (is_announced(holder) || announced.is_empty());
                names.extend(holders(name).map(|(holder, _)| holder).filter(holding));
            }
        }
    }
    let canonical = CANONICAL.iter().map(|column| column.name).filter(|name| names.contains(name));
    let open = names.iter().copied().filter(|name| columns::canonical(name).is_none());
    canonical.chain(open).map(str::to_owned).collect()
}

#[async_trait]
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

    async fn scan(
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

#[cfg(test)]
mod tests {
    use super::*;

    fn columns_for(wanted: &[&str], announced: &[&str]) -> String {
        let announced = announced.iter().map(|name| ((*name).to_owned(), DataType::Utf8)).collect();
        requested(wanted.iter().copied(), &announced).join(" ")
    }

    const IDS: &str = "context.trace_id context.span_id";

    #[test]
    fn only_what_is_needed_is_asked_for() {
        for (wanted, announced, expected) in [
            (&[][..], &[][..], format!("{IDS} start_time")),
            (&["project", "source", "name"], &[], format!("{IDS} name start_time")),
            (&["latency_ms"], &[], format!("{IDS} start_time end_time")),
            (&["event.attributes"], &[], format!("{IDS} start_time events")),
            (&["attributes.metadata.a"], &[], format!("{IDS} start_time attributes.metadata")),
            (
                &["attributes.metadata.a"],
                &["attributes.metadata.a"],
                format!("{IDS} start_time attributes.metadata attributes.metadata.a"),
            ),
            (
                &["attributes.metadata"],
                &["attributes.metadata.a", "attributes.b"],
                format!("{IDS} start_time attributes.metadata attributes.metadata.a"),
            ),
            (&["eval.x.label", "attributes.b"], &[], format!("{IDS} start_time attributes.b eval.x.label")),
            (&["attributes.b"], &["attributes.rest"], format!("{IDS} start_time attributes.b attributes.rest")),
            (&["attributes.metadata.a.b"], &["attributes.metadata.a"], format!("{IDS} start_time attributes.metadata")),
            (
                &["attributes.a.b.c"],
                &["attributes.a", "attributes.b"],
                format!("{IDS} start_time attributes.a attributes.a.b.c"),
            ),
            (&["attributes.a.b"], &["attributes.a", "attributes.a.b"], format!("{IDS} start_time attributes.a.b")),
            (
                &["attributes.input.value.q"],
                &[],
                format!("{IDS} start_time attributes.input.value attributes.input attributes.input.value.q"),
            ),
            (&["attributes.input.value.q"], &["name"], format!("{IDS} start_time attributes.input.value.q")),
            (&["attributes.b"], &["attributes.rest", "attributes.b"], format!("{IDS} start_time attributes.b")),
        ] {
            assert_eq!(columns_for(wanted, announced), expected, "{wanted:?}");
        }
    }
}
