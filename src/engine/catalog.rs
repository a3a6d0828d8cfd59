//! Tables as statements see them, and the tables that exist for one statement only.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::common::{ScalarValue, TableReference};
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::SessionState;
use tokio::runtime::Handle;

use super::error::EngineError;
use super::files::Files;
use super::remote::{RemoteSchema, RemoteTable};
use spanql_model::columns;
use spanql_sources::prices::PriceFile;

/// The catalog that holds everything.
pub(crate) const CATALOG: &str = "spanql";
/// The schema of tables that are named without one.
pub(crate) const SCHEMA: &str = "public";
const INFORMATION_SCHEMA: &str = "information_schema";

/// Something that FROM can name.
#[derive(Clone)]
pub enum Relation {
    /// A table of spans: any name of an open family is a column of it.
    Spans {
        /// The rows, in the columns of [`columns::spans_schema`].
        table: Arc<dyn TableProvider>,
        /// The names whose values lie in the JSON column [`columns::REST`], by their full names.
        rest: Arc<BTreeMap<String, DataType>>,
    },
    /// Any other table.
    Plain(Arc<dyn TableProvider>),
    /// A query over relations that were registered before; planned once, when it is registered.
    View(String),
}

impl fmt::Debug for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spans { rest, .. } => f.debug_struct("Spans").field("rest", rest).finish_non_exhaustive(),
            Self::Plain(_) => f.write_str("Plain"),
            Self::View(sql) => f.debug_tuple("View").field(sql).finish(),
        }
    }
}

/// A function in FROM: from its arguments, all literals, to a relation (no view).
pub type TableFunction = Arc<dyn Fn(&[ScalarValue]) -> Result<Relation, EngineError> + Send + Sync>;

/// The exact name of a table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TableKey {
    pub(crate) schema: String,
    pub(crate) table: String,
}

impl TableKey {
    pub(crate) fn public(table: impl Into<String>) -> Self {
        Self { schema: SCHEMA.to_owned(), table: table.into() }
    }

    /// The name in so many parts as were typed.
    pub(crate) fn path(&self, parts: usize) -> Vec<String> {
        let all = [CATALOG.to_owned(), self.schema.clone(), self.table.clone()];
        let wanted = if self.schema == SCHEMA { parts } else { parts.max(2) };
        all[3 - wanted.clamp(1, 3)..].to_vec()
    }
}

/// A table and its columns.
pub(crate) struct TableInfo {
    pub(crate) key: TableKey,
    pub(crate) columns: Vec<String>,
    pub(crate) spans: bool,
    pub(crate) provider: Arc<dyn TableProvider>,
}

/// What the engine was told beyond what DataFusion's session knows.
#[derive(Default, Clone)]
pub(crate) struct Registry {
    /// The tables of spans, and the names in their `attributes.rest`.
    pub(crate) spans: HashMap<TableKey, Arc<BTreeMap<String, DataType>>>,
    pub(crate) functions: HashMap<String, TableFunction>,
    /// What tables are that show only a part of it: see [`Engine::narrow`](super::Engine::narrow).
    pub(crate) whole: HashMap<TableKey, Arc<dyn TableProvider>>,
    /// The files that are tables.
    pub(crate) files: Files,
    /// The latest start of a span.
    pub(crate) data_end: Option<i64>,
    /// What models cost.
    pub(crate) prices: Option<Arc<PriceFile>>,
}

/// Looks up tables and functions for one statement; lookups may wait for a remote, so not on an async thread.
pub(crate) struct Catalog<'a> {
    pub(crate) state: &'a SessionState,
    pub(crate) registry: &'a Registry,
    pub(crate) handle: &'a Handle,
    /// The remote tables that were looked up: a statement sees each as it was the first time.
    pub(crate) remotes: RefCell<HashMap<TableKey, Arc<dyn TableProvider>>>,
}

/// The name among some that is meant: the exact one, else the one that differs by case only.
fn meant(names: Vec<String>, typed: &str) -> Option<String> {
    if names.iter().any(|name| name == typed) {
        return Some(typed.to_owned());
    }
    let lower = typed.to_lowercase();
    names.into_iter().find(|name| name.to_lowercase() == lower)
}

impl Catalog<'_> {
    /// Finds a table by the parts of its name, ignoring case.
    pub(crate) fn table(&self, parts: &[String]) -> Result<Option<TableInfo>, EngineError> {
        let (catalog, schema, table) = match parts {
            [table] => (CATALOG, SCHEMA, table),
            [schema, table] => (CATALOG, schema.as_str(), table),
            [catalog, schema, table] => (catalog.as_str(), schema.as_str(), table),
            _ => return Ok(None),
        };
        if !catalog.eq_ignore_ascii_case(CATALOG) {
            return Ok(None);
        }
        let Some((schema, provider)) = self.schema(schema) else { return Ok(None) };
        let Some(table) =
            meant(provider.table_names(), table).or_else(|| provider.table_exist(table).then(|| table.clone()))
        else {
            return Ok(None);
        };
        let key = TableKey { schema, table };
        let found = self.found(&key, provider.as_ref())?;
        Ok(found.map(|provider| {
            let columns = column_names(provider.as_ref());
            let live = key.schema != SCHEMA && key.schema != INFORMATION_SCHEMA && holds_spans(&columns);
            TableInfo { spans: live || self.registry.spans.contains_key(&key), key, columns, provider }
        }))
    }

    fn found(
        &self,
        key: &TableKey,
        schema: &dyn SchemaProvider,
    ) -> Result<Option<Arc<dyn TableProvider>>, EngineError> {
        if let Some(remote) = self.remotes.borrow().get(key) {
            return Ok(Some(Arc::clone(remote)));
        }
        let found = self.handle.block_on(schema.table(&key.table));
        let found = found.map_err(|error| EngineError::from_datafusion(&error))?;
        if let Some(table) = found.as_ref().filter(|table| table.is::<RemoteTable>()) {
            self.remotes.borrow_mut().insert(key.clone(), Arc::clone(table));
        }
        Ok(found)
    }

    /// The same, whole where it is narrowed.
    pub(crate) fn whole_table(&self, parts: &[String]) -> Result<Option<TableInfo>, EngineError> {
        let found = self.table(parts)?;
        Ok(found.map(|info| match self.registry.whole.get(&info.key) {
            Some(whole) => TableInfo { provider: Arc::clone(whole), ..info },
            None => info,
        }))
    }

    /// Whether a table that was looked up is read from a remote.
    pub(crate) fn is_remote(&self, key: &TableKey) -> bool {
        self.remotes.borrow().contains_key(key)
    }

    fn schema(&self, typed: &str) -> Option<(String, Arc<dyn SchemaProvider>)> {
        if typed.eq_ignore_ascii_case(INFORMATION_SCHEMA) {
            let any = TableReference::full(CATALOG, INFORMATION_SCHEMA, "tables");
            return Some((INFORMATION_SCHEMA.to_owned(), self.state.schema_for_ref(any).ok()?));
        }
        let catalog = self.state.catalog_list().catalog(CATALOG)?;
        let name = meant(catalog.schema_names(), typed)?;
        let provider = catalog.schema(&name)?;
        Some((name, provider))
    }

    /// The names of all tables, those outside the default schema with theirs.
    pub(crate) fn table_names(&self) -> Vec<String> {
        let Some(catalog) = self.state.catalog_list().catalog(CATALOG) else { return vec![] };
        let mut names = vec![];
        for schema in catalog.schema_names() {
            let tables = catalog.schema(&schema).map(|provider| provider.table_names()).unwrap_or_default();
            names.extend(
                tables.into_iter().map(|table| if schema == SCHEMA { table } else { format!("{schema}.{table}") }),
            );
        }
        names.sort();
        names
    }

    /// The schemas whose tables are projects of a remote, sorted.
    pub(crate) fn remotes(&self) -> Vec<String> {
        let Some(catalog) = self.state.catalog_list().catalog(CATALOG) else { return vec![] };
        let mut names = catalog.schema_names();
        names.retain(|name| catalog.schema(name).is_some_and(|schema| schema.is::<RemoteSchema>()));
        names.sort();
        names
    }

    /// Whether a function of this (lower case) name aggregates.
    pub(crate) fn is_aggregate(&self, name: &str) -> bool {
        self.state.aggregate_functions().contains_key(name)
    }

    /// Whether there is a scalar function of this (lower case) name.
    pub(crate) fn is_scalar(&self, name: &str) -> bool {
        self.state.scalar_functions().contains_key(name)
    }
}

/// Whether these are the columns of a table of spans.
fn holds_spans(columns: &[String]) -> bool {
    let has = |name: &str| columns.iter().any(|column| column == name);
    has(columns::TRACE_ID) && has(columns::SPAN_ID)
}

pub(super) fn column_names(provider: &dyn TableProvider) -> Vec<String> {
    provider.schema().fields().iter().map(|field| field.name().clone()).collect()
}

/// The catalogs of the session with some tables put in front of its own, for one statement.
#[derive(Debug)]
pub(crate) struct Overlay {
    base: Arc<dyn CatalogProviderList>,
    tables: Arc<HashMap<TableKey, Arc<dyn TableProvider>>>,
}

impl Overlay {
    pub(crate) fn new(base: Arc<dyn CatalogProviderList>, tables: HashMap<TableKey, Arc<dyn TableProvider>>) -> Self {
        Self { base, tables: Arc::new(tables) }
    }
}

impl CatalogProviderList for Overlay {
    fn register_catalog(&self, name: String, catalog: Arc<dyn CatalogProvider>) -> Option<Arc<dyn CatalogProvider>> {
        self.base.register_catalog(name, catalog)
    }

    fn catalog_names(&self) -> Vec<String> {
        self.base.catalog_names()
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        let base = self.base.catalog(name)?;
        if name != CATALOG {
            return Some(base);
        }
        Some(Arc::new(OverlayCatalog { base, tables: Arc::clone(&self.tables) }))
    }
}

#[derive(Debug)]
struct OverlayCatalog {
    base: Arc<dyn CatalogProvider>,
    tables: Arc<HashMap<TableKey, Arc<dyn TableProvider>>>,
}

impl CatalogProvider for OverlayCatalog {
    fn schema_names(&self) -> Vec<String> {
        self.base.schema_names()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let base = self.base.schema(name)?;
        Some(Arc::new(OverlaySchema { schema: name.to_owned(), base, tables: Arc::clone(&self.tables) }))
    }
}

#[derive(Debug)]
struct OverlaySchema {
    schema: String,
    base: Arc<dyn SchemaProvider>,
    tables: Arc<HashMap<TableKey, Arc<dyn TableProvider>>>,
}

impl OverlaySchema {
    fn own(&self, name: &str) -> Option<&Arc<dyn TableProvider>> {
        self.tables.get(&TableKey { schema: self.schema.clone(), table: name.to_owned() })
    }
}

#[async_trait]
impl SchemaProvider for OverlaySchema {
    fn table_names(&self) -> Vec<String> {
        self.base.table_names()
    }

    async fn table(&self, name: &str) -> DataFusionResult<Option<Arc<dyn TableProvider>>, DataFusionError> {
        match self.own(name) {
            Some(table) => Ok(Some(Arc::clone(table))),
            None => self.base.table(name).await,
        }
    }

    fn register_table(
        &self,
        name: String,
        table: Arc<dyn TableProvider>,
    ) -> DataFusionResult<Option<Arc<dyn TableProvider>>> {
        self.base.register_table(name, table)
    }

    fn deregister_table(&self, name: &str) -> DataFusionResult<Option<Arc<dyn TableProvider>>> {
        self.base.deregister_table(name)
    }

    fn table_exist(&self, name: &str) -> bool {
        self.own(name).is_some() || self.base.table_exist(name)
    }
}
