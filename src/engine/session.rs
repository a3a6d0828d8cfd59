//! The engine: relations in, statements planned, results out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::TableReference;
use datafusion::datasource::ViewTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, LogicalPlan, lit};
use datafusion::prelude::SessionContext;
use tokio::runtime::Handle;

use super::catalog::{CATALOG, Registry, Relation, TableFunction, TableKey};
use super::config::EngineConfig;
use super::error::EngineError;
use super::files::Files;
use super::filtered::{self, Filtered, Selected};
use super::functions::bounded::Limit;
use super::functions::estimate::Sought;
use super::ids::{IdKind, resolve_id_prefix};
use super::params::Params;
use super::parse::parse;
use super::planner::Planner;
use super::prepared::Prepared;
use super::remote::RemoteSchema;
use super::state::session_state;
use super::stop::Stops;
use super::view::LazyView;
use spanql_filter::opik::AnySpan;
use spanql_sources::SpanSource;
use spanql_sources::config::Redaction;
use spanql_store::Segments;

/// The stack of the thread that parses and plans: enough for everything the limits let through.
const PLANNING_STACK: usize = 64 << 20;

/// Runs SQL over registered relations.
///
/// Cheap to clone; clones share their relations.
///
/// ```
/// use std::sync::Arc;
/// use datafusion::arrow::{array::{RecordBatch, StringArray}, datatypes::{DataType, Field, Schema}};
/// use datafusion::datasource::MemTable;
/// use futures::TryStreamExt;
/// use spanql_engine::{Engine, EngineConfig, Params, Relation};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let schema = Arc::new(Schema::new(vec![Field::new("context.trace_id", DataType::Utf8, true)]));
/// let batch = RecordBatch::try_new(schema.clone(), vec![Arc::new(StringArray::from(vec!["t1", "t2"]))])?;
/// let table = Arc::new(MemTable::try_new(schema, vec![vec![batch]])?);
///
/// let engine = Engine::new(EngineConfig::default())?;
/// engine.register("spans", Relation::Spans { table, rest: Arc::default() }).await?;
/// for prepared in engine.prepare("SELECT trace_id, eval.Tone.label FROM spans", &Params::new()).await? {
///     assert_eq!(prepared.notes(), ["no span has eval.Tone.label (read as null)"]);
///     let batches: Vec<RecordBatch> = prepared.execute().await?.try_collect().await?;
///     assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 2);
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    context: SessionContext,
    registry: RwLock<Registry>,
    allow_write: bool,
    limit: Limit,
    stops: Stops,
    sought: Sought,
    /// The views that may not be planned yet.
    views: Mutex<Vec<Arc<LazyView>>>,
    /// What redacts the rows of statements.
    redacting: Option<Arc<Redaction>>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("allow_write", &self.shared.allow_write).finish_non_exhaustive()
    }
}

impl Engine {
    /// Makes an engine without relations.
    ///
    /// # Errors
    ///
    /// When the temporary directory cannot be used.
    pub fn new(config: EngineConfig) -> Result<Self, EngineError> {
        Self::over(config, None)
    }

    /// The same over the segments of a store, whose kept columns count against the memory, too.
    pub(super) fn over(config: EngineConfig, segments: Option<Segments>) -> Result<Self, EngineError> {
        let sought = Sought::default();
        let state = session_state(&config, Arc::clone(&sought), segments)
            .map_err(|error| EngineError::from_datafusion(&error))?;
        let context = SessionContext::new_with_state(state);
        let registry = Registry { data_end: config.data_end, prices: config.prices, ..Registry::default() };
        let shared = Shared {
            context,
            registry: RwLock::new(registry),
            allow_write: config.allow_write,
            limit: Limit::of_memory(config.memory_limit),
            stops: Stops::default(),
            sought,
            views: Mutex::default(),
            redacting: config.redact_results.then(|| config.redaction.unwrap_or_default()),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Gives a relation a name; one of the same name is replaced. `schema.name` puts it into a schema.
    ///
    /// # Errors
    ///
    /// When a view's query cannot be planned.
    pub async fn register(&self, name: &str, relation: Relation) -> Result<(), EngineError> {
        let key = match name.split_once('.') {
            Some((schema, table)) => TableKey { schema: schema.to_owned(), table: table.to_owned() },
            None => TableKey::public(name),
        };
        let (table, rest): (Arc<dyn TableProvider>, _) = match relation {
            Relation::Spans { table, rest } => (table, Some(rest)),
            Relation::Plain(table) => (table, None),
            Relation::View(sql) => (self.view(sql).await?, None),
        };
        self.register_table(key, table, rest)
    }

    /// Gives the query of a view of our own a name; it is planned when a statement first looks at it.
    pub(super) fn register_lazily(&self, name: &str, sql: &'static str) -> Result<(), EngineError> {
        // What the engine holds does not hold the engine.
        let (shared, handle) = (Arc::downgrade(&self.shared), Handle::current());
        let view = LazyView::new(sql, move || {
            let shared = shared.upgrade().ok_or_else(|| EngineError::new("internal", "the engine is gone"))?;
            let handle = Handle::try_current().unwrap_or_else(|_| handle.clone());
            let planner = Self { shared }.planner(handle);
            let work = || view_plan(&planner, sql);
            // It may be asked for where nothing can be waited for: on a thread that runs tasks.
            std::thread::scope(|scope| {
                let thread = planning_thread().spawn_scoped(scope, work).map_err(no_thread)?;
                thread.join().unwrap_or_else(|_| Err(EngineError::new("internal", "planning ended unexpectedly")))
            })
        });
        self.shared.views.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&view));
        self.register_table(TableKey::public(name), view, None)
    }

    fn register_table(
        &self,
        key: TableKey,
        table: Arc<dyn TableProvider>,
        rest: Option<Arc<BTreeMap<String, DataType>>>,
    ) -> Result<(), EngineError> {
        self.add_schema(&key.schema);
        let reference = TableReference::full(CATALOG, key.schema.as_str(), key.table.as_str());
        if self.shared.context.table_exist(reference.clone()).map_err(|error| EngineError::from_datafusion(&error))? {
            // They are of the relations as they were.
            let views = std::mem::take(&mut *self.shared.views.lock().unwrap_or_else(PoisonError::into_inner));
            views.iter().try_for_each(|view| view.planned().map(drop))?;
        }
        let replace = || -> Result<(), DataFusionError> {
            self.shared.context.deregister_table(reference.clone())?;
            self.shared.context.register_table(reference.clone(), table)?;
            Ok(())
        };
        replace().map_err(|error| EngineError::from_datafusion(&error))?;
        let mut registry = self.shared.registry.write().unwrap_or_else(PoisonError::into_inner);
        match rest {
            Some(rest) => registry.spans.insert(key, rest),
            None => registry.spans.remove(&key),
        };
        Ok(())
    }

    /// Gives rows of a table of spans (`spans`, or a live one such as `arize.my-project`), or of the tables beside it, a
    /// name; returns what the reader should know of the names in the conditions, each a line without a full stop.
    ///
    /// # Errors
    ///
    /// When there is no such table, or the conditions cannot be planned over it.
    pub async fn register_selected(
        &self,
        name: &str,
        table: &str,
        selected: Selected,
    ) -> Result<Vec<String>, EngineError> {
        let table = table.to_owned();
        let planned = self.planned(move |planner| {
            let filtered = Filtered::of_table(&planner.catalog(), &table, selected)?;
            let built = filtered.build(&BTreeSet::new()).map_err(|error| EngineError::from_datafusion(&error))?;
            Ok((built, filtered.rest()))
        });
        let ((table, notes), rest) = planned.await?;
        let relation = match rest {
            Some(rest) => Relation::Spans { table, rest },
            None => Relation::Plain(table),
        };
        self.register(name, relation).await?;
        Ok(notes)
    }

    /// Narrows `spans` to the spans for which a condition is true, and `traces` and `sessions` to those that have such a
    /// span; what these say of a trace or a session stays whole. Functions of FROM and the long tables are not narrowed.
    ///
    /// Returns what the reader should know of the names in the condition. Done once for an engine.
    ///
    /// # Errors
    ///
    /// When one of the tables is missing, or the condition cannot be planned over them.
    pub async fn narrow(&self, condition: Expr) -> Result<Vec<String>, EngineError> {
        let any_span = vec![AnySpan { expr: condition.clone(), negated: false }];
        let parts = [
            ("spans", Selected::Spans(condition)),
            ("traces", Selected::Traces { condition: lit(true), any_span: any_span.clone() }),
            ("sessions", Selected::Sessions { condition: lit(true), any_span }),
        ];
        let whole = self.planned(move |planner| {
            let catalog = planner.catalog();
            let names = ["spans", "traces", "sessions"];
            let found = names.into_iter().map(|name| catalog.table(&[name.to_owned()]));
            let found: Vec<_> = found.collect::<Result<Vec<_>, EngineError>>()?;
            Ok(found.into_iter().flatten().map(|info| (info.key, info.provider)).collect::<Vec<_>>())
        });
        let whole = whole.await?;
        self.shared.registry.write().unwrap_or_else(PoisonError::into_inner).whole.extend(whole);
        let mut notes = Vec::new();
        for (name, selected) in parts {
            for note in self.register_selected(name, "spans", selected).await? {
                if !notes.contains(&note) {
                    notes.push(note);
                }
            }
        }
        Ok(notes)
    }

    /// The columns of a table of spans (`spans`, or a live one such as `arize.my-project`), and the names whose values
    /// lie in its `attributes.rest`: what [`Names`](spanql_filter::Names) of a filter are made of.
    ///
    /// # Errors
    ///
    /// When there is no such table.
    pub async fn span_columns(&self, table: &str) -> Result<(SchemaRef, Arc<BTreeMap<String, DataType>>), EngineError> {
        let table = table.to_owned();
        self.planned(move |planner| filtered::span_columns(&planner.catalog(), &table)).await
    }

    /// The whole id that begins as a person typed it, among those of the tables `traces` and `spans`; one that is there
    /// exactly so wins.
    ///
    /// # Errors
    ///
    /// When no id begins so (the nearest is suggested), or several do, or fewer than four characters were typed.
    pub async fn resolve_id_prefix(&self, kind: IdKind, typed: &str) -> Result<String, EngineError> {
        resolve_id_prefix(&self.shared.context.state(), kind, typed).await
    }

    /// Makes the projects of a remote tables, as `FROM arize."my-project"` with the source's name for the schema.
    ///
    /// Nothing is asked of the remote before a statement names one: then planning asks for the project's columns (and
    /// remembers them for ten minutes), and running it for spans. Bounds on `start_time`, conditions as far as
    /// the remote's language says them, and a LIMIT narrow what is sent, and every condition is checked again on what
    /// comes; without a lower bound on `start_time` the last 30 days are read, and a note says so.
    pub fn register_source(&self, source: Arc<dyn SpanSource>) {
        if let Some(catalog) = self.shared.context.catalog(CATALOG) {
            let name = source.name();
            // The in-memory catalog takes any schema.
            drop(catalog.register_schema(name, Arc::new(RemoteSchema::new(source))));
        }
    }

    /// Lets statements name files in FROM, as `FROM 'labels.csv'`; before that they may name none.
    pub fn read_files(&self, files: Files) {
        self.shared.registry.write().unwrap_or_else(PoisonError::into_inner).files = files;
    }

    /// Gives a table function a name, to be used as `FROM name(…)`; one of the same name is replaced.
    pub fn register_function(&self, name: &str, function: TableFunction) {
        let mut registry = self.shared.registry.write().unwrap_or_else(PoisonError::into_inner);
        registry.functions.insert(name.to_lowercase(), function);
    }

    /// The names of the functions that FROM can call, sorted.
    pub fn table_functions(&self) -> Vec<String> {
        let registry = self.shared.registry.read().unwrap_or_else(PoisonError::into_inner);
        let state = self.shared.context.state();
        let mut names: Vec<String> = registry.functions.keys().chain(state.table_functions().keys()).cloned().collect();
        names.extend(filtered::FUNCTIONS.map(str::to_owned));
        names.sort();
        names.dedup();
        names
    }

    /// Whether a table was registered as one of spans.
    pub(super) fn is_of_spans(&self, key: &TableKey) -> bool {
        self.shared.registry.read().unwrap_or_else(PoisonError::into_inner).spans.contains_key(key)
    }

    /// Where the data ends, in nanoseconds since the epoch, where that is known.
    pub fn data_end(&self) -> Option<i64> {
        self.shared.registry.read().unwrap_or_else(PoisonError::into_inner).data_end
    }

    /// DataFusion's session underneath: to add functions, schemas of live tables, or object stores.
    pub fn context(&self) -> &SessionContext {
        &self.shared.context
    }

    fn add_schema(&self, schema: &str) {
        let catalog = self.shared.context.catalog(CATALOG);
        if let Some(catalog) = catalog.filter(|catalog| catalog.schema(schema).is_none()) {
            // The in-memory catalog takes any schema; another one says so when the table is registered.
            drop(catalog.register_schema(schema, Arc::new(datafusion::catalog::MemorySchemaProvider::new())));
        }
    }

    async fn view(&self, sql: String) -> Result<Arc<dyn TableProvider>, EngineError> {
        let text = sql.clone();
        let plan = self.planned(move |planner| view_plan(planner, &text)).await?;
        Ok(Arc::new(ViewTable::new(plan, Some(sql))))
    }

    /// Parses, resolves and plans statements separated by semicolons; nothing is run.
    ///
    /// All are planned over the relations as they are now: what one of them creates, the others do not see.
    ///
    /// # Errors
    ///
    /// At the first statement that cannot be read or planned, or is beyond a limit.
    pub async fn prepare(&self, sql: &str, params: &Params) -> Result<Vec<Prepared>, EngineError> {
        let (sql, params) = (sql.to_owned(), params.clone());
        let allow_write = self.shared.allow_write;
        let redacting = self.shared.redacting.clone();
        let (stops, sought) = (Arc::clone(&self.shared.stops), Arc::clone(&self.shared.sought));
        self.planned(move |planner| {
            let parsed = parse(&sql, &params)?;
            let prepared = parsed.iter().map(|parsed| planner.prepare(parsed, allow_write));
            prepared
                .map(|prepared| {
                    let (stops, sought, redacting) = (Arc::clone(&stops), Arc::clone(&sought), redacting.clone());
                    Ok(Prepared { stops, sought, redacting, ..prepared? })
                })
                .collect()
        })
        .await
    }

    /// Stops all statements that run now: their streams end with an error, soon, and however busy they are.
    pub fn stop(&self) {
        self.shared.stops.fetch_add(1, Ordering::Relaxed);
    }

    /// Runs a step of planning on a thread with a large stack.
    pub(super) async fn planned<T: Send + 'static>(
        &self,
        step: impl FnOnce(&Planner) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, EngineError> {
        let planner = self.planner(Handle::current());
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let work = move || {
            let result = step(&planner);
            // The receiver is gone when the caller has given up.
            drop(sender.send(result));
        };
        planning_thread().spawn(work).map_err(no_thread)?;
        receiver.await.unwrap_or_else(|_| Err(EngineError::new("internal", "planning ended unexpectedly")))
    }

    fn planner(&self, handle: Handle) -> Planner {
        let registry = self.shared.registry.read().unwrap_or_else(PoisonError::into_inner).clone();
        Planner { state: self.shared.context.state(), registry, handle, limit: self.shared.limit }
    }
}

fn planning_thread() -> std::thread::Builder {
    std::thread::Builder::new().name("spanql-plan".to_owned()).stack_size(PLANNING_STACK)
}

fn no_thread(error: std::io::Error) -> EngineError {
    EngineError::new("internal", "no thread for planning could be started").why(error.to_string())
}

fn view_plan(planner: &Planner, sql: &str) -> Result<LogicalPlan, EngineError> {
    let plans = parse(sql, &Params::new())?.iter().map(|parsed| Ok(planner.logical(parsed)?.plan)).collect();
    let plans: Result<Vec<_>, EngineError> = plans;
    <[LogicalPlan; 1]>::try_from(plans?).map(|[plan]| plan).map_err(|_| EngineError::new("plan", "a view is one query"))
}
