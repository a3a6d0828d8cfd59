//! The tables that are filtered: how they are found by name, and what plans are made of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::catalog::default_table_source::provider_as_source;
use datafusion::common::{Column, TableReference};
use datafusion::datasource::ViewTable;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder};

use crate::catalog::{Catalog, TableInfo};
use crate::derived::with_open_names;
use crate::error::EngineError;
use crate::remote::RemoteTable;
use spanql_filter::compare::compare_mixed_types;
use spanql_model::columns::{PROJECT, TRACE_ID};

pub(super) const TRACES: &str = "traces";
pub(super) const SESSIONS: &str = "sessions";
pub(super) const SPANS: &str = "spans";
/// What the spans are called that fulfil a condition, or what has them.
pub(super) const MATCHING: &str = "matching";

/// A table of spans, and the names in its `attributes.rest`.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) provider: Arc<dyn TableProvider>,
    pub(super) rest: Arc<BTreeMap<String, DataType>>,
}

impl Table {
    /// The table with columns for these names, as far as they are none of its own.
    pub(super) fn with(
        &self,
        names: impl Iterator<Item = String>,
    ) -> DataFusionResult<(Arc<dyn TableProvider>, Vec<String>)> {
        let names: BTreeSet<String> = names.collect();
        let (provider, mut notes) = match self.provider.downcast_ref::<RemoteTable>() {
            Some(remote) => remote.with_unannounced(&names),
            None => (Arc::clone(&self.provider), vec![]),
        };
        let (view, absent) = self.view_of(provider, &names)?;
        notes.extend(absent);
        Ok((view, notes))
    }

    /// A table in the place of this one, with columns for these open names, and what the reader should know of names.
    pub(super) fn view_of(
        &self,
        provider: Arc<dyn TableProvider>,
        names: &BTreeSet<String>,
    ) -> DataFusionResult<(Arc<dyn TableProvider>, Vec<String>)> {
        let schema = provider.schema();
        let asked = |name: &&String| schema.index_of(name).is_err() || spanql_model::derived::indexed(name).is_some();
        if !names.iter().any(|name| asked(&name)) {
            return Ok((provider, vec![]));
        }
        with_open_names(&self.name, provider, &self.rest, names)
    }

    pub(super) fn scan(&self, provider: &Arc<dyn TableProvider>) -> DataFusionResult<LogicalPlanBuilder> {
        scan(&self.name, provider)
    }

    /// All of its columns, and those of these open names.
    pub(super) fn shown(&self, names: &BTreeSet<String>) -> Vec<Expr> {
        let schema = self.provider.schema();
        let own = schema.fields().iter().map(|field| column(field.name()));
        own.chain(names.iter().filter(|name| schema.index_of(name).is_err()).map(|name| column(name))).collect()
    }
}

pub(super) fn scan(name: &str, provider: &Arc<dyn TableProvider>) -> DataFusionResult<LogicalPlanBuilder> {
    // The name is taken whole: a dot in it is no schema.
    LogicalPlanBuilder::scan(TableReference::bare(name), provider_as_source(Arc::clone(provider)), None)
}

/// A condition whose text is compared with numbers as SQL does.
pub(super) fn typed(condition: Expr, table: &Arc<dyn TableProvider>) -> DataFusionResult<Expr> {
    let schema = datafusion::common::DFSchema::try_from(table.schema())?;
    Ok(compare_mixed_types(condition, &schema)?.data)
}

pub(super) fn view(rows: LogicalPlanBuilder) -> DataFusionResult<Arc<dyn TableProvider>> {
    Ok(Arc::new(ViewTable::new(rows.build()?, None)))
}

pub(super) fn column(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

pub(super) fn named(relation: &str, name: &str) -> Column {
    Column::new(Some(TableReference::bare(relation)), name)
}

/// What identifies a trace, in `traces` and in a table of spans.
pub(super) fn trace_ids(spans: &str) -> (Vec<Column>, Vec<Column>) {
    let traces = [PROJECT, "trace_id"].map(|name| named(TRACES, name));
    (traces.into(), [PROJECT, TRACE_ID].map(|name| named(spans, name)).into())
}

pub(super) fn bad_argument(what: String) -> EngineError {
    EngineError::new("bad-argument", what)
}

/// A table that stands beside `spans` in a store.
pub(super) fn beside(catalog: &Catalog<'_>, name: &str) -> Result<Arc<dyn TableProvider>, EngineError> {
    match catalog.whole_table(&[name.to_owned()])? {
        Some(TableInfo { provider, .. }) => Ok(provider),
        None => Err(EngineError::new("unknown-table", format!("there is no table {name} here"))),
    }
}

/// A table of spans by the name that was typed: `spans`, `arize.my-project`, `arize."my.project"`.
pub(super) fn spans_table(catalog: &Catalog<'_>, typed: &str) -> Result<Table, EngineError> {
    let unquoted = |part: &str| match part.strip_prefix('"').and_then(|part| part.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => part.to_owned(),
    };
    let parts: Vec<String> = match typed.split_once('.') {
        Some((schema, table)) => vec![unquoted(schema), unquoted(table)],
        None => vec![unquoted(typed)],
    };
    let Some(TableInfo { key, spans, provider, .. }) = catalog.whole_table(&parts)? else {
        let known = catalog.table_names();
        let near = spanql_model::nearest::nearest(typed, known.iter().map(String::as_str));
        let error = EngineError::new("unknown-table", format!("unknown table {typed}"));
        let remotes = catalog.remotes();
        return Err(match parts.len() > 1 && near.is_none() && !remotes.is_empty() {
            true => error.why(format!("live tables are those of {}", remotes.join(", "))),
            false => error.suggest(near),
        });
    };
    if !spans {
        return Err(bad_argument(format!("{typed} is no table of spans"))
            .help("name spans, or a live table such as arize.my-project"));
    }
    let rest = catalog.registry.spans.get(&key).cloned().unwrap_or_default();
    let name = if catalog.is_remote(&key) { format!("{}.{}", key.schema, key.table) } else { key.table };
    Ok(Table { name, provider, rest })
}
