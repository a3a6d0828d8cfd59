//! From a parsed statement to a plan.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::catalog::TableProvider;
use datafusion::catalog::default_table_source::source_as_provider;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::DataFusionError;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{SetExpr, Statement as SqlStatement};
use datafusion::sql::sqlparser::tokenizer::Location;
use tokio::runtime::Handle;

use super::catalog::{Catalog, Overlay, Registry, TableKey};
use super::compared::{beyond, compared};
use super::copy::name_target;
use super::derived::with_open_names;
use super::error::EngineError;
use super::full_texts::over_full_texts;
use super::functions::bounded::Limit;
use super::functions::estimate::{Sought, no_prices_note};
use super::limits::check_plan;
use super::long::LongTable;
use super::params::Params;
use super::parse::{Parsed, parse};
use super::prepared::{Prepared, Step};
use super::remote::{self, RemoteTable};
use super::resolve::{Places, resolve};
use super::stop::Stops;
use super::structure::StructureTable;
use super::summarize::summary;
use super::table_functions::{FunctionRows, FunctionTable};
use super::tables::{self, ESTIMATED_COST, QualityTable, SPANS, SegmentsTable};
use super::tree_node::{each_expr_of, each_plan};

/// A statement's logical plan, and the session it was made in.
pub(super) struct Planned {
    pub(super) plan: LogicalPlan,
    state: SessionState,
    notes: Vec<String>,
    places: Places,
}

/// What planning needs of the engine, as it was when planning began.
pub(super) struct Planner {
    pub(super) state: SessionState,
    pub(super) registry: Registry,
    pub(super) handle: Handle,
    pub(super) limit: Limit,
}

impl Planner {
    pub(super) fn catalog(&self) -> Catalog<'_> {
        Catalog { state: &self.state, registry: &self.registry, handle: &self.handle, remotes: RefCell::default() }
    }

    /// Resolves and plans a statement as far as to a logical plan.
    pub(super) fn logical(&self, parsed: &Parsed) -> Result<Planned, EngineError> {
        if !parsed.summarize {
            return self.logical_as_is(parsed);
        }
        let whole = self.logical_as_is(parsed)?;
        let statement = summary(&parsed.statement, whole.plan.schema().as_arrow())?;
        self.logical_as_is(&Parsed { statement, summarize: false, ..parsed.clone() })
    }

    fn logical_as_is(&self, parsed: &Parsed) -> Result<Planned, EngineError> {
        let catalog = self.catalog();
        let mut resolved = resolve(parsed, &catalog)?;
        name_target(&mut resolved.statement)?;
        let (state, mut notes) = self.statement_state(&catalog, &resolved.wanted, resolved.function_tables)?;
        add_new(&mut notes, resolved.notes);
        let places = resolved.places;
        let plan = self
            .handle
            .block_on(state.statement_to_plan(resolved.statement))
            .and_then(over_full_texts)
            .map_err(|error| self.placed(places.planning_error(&error, &catalog), parsed))?;
        Ok(Planned { plan, state, notes, places })
    }

    /// An error about sides of an operator with its place: it is planned once more, with places of columns.
    fn placed(&self, error: EngineError, parsed: &Parsed) -> EngineError {
        if error.position().is_some() || !error.is_of_operands() {
            return error;
        }
        match self.place_of_types(parsed) {
            Some(place) => error.at(place),
            None => error,
        }
    }

    fn place_of_types(&self, parsed: &Parsed) -> Option<Location> {
        let catalog = self.catalog();
        let resolved = resolve(parsed, &catalog).ok()?;
        let (mut state, _) = self.statement_state(&catalog, &resolved.wanted, resolved.function_tables).ok()?;
        state.config_mut().options_mut().sql_parser.collect_spans = true;
        let planned = self.handle.block_on(state.statement_to_plan(resolved.statement));
        let error = planned.and_then(|plan| state.optimize(&plan)).err()?;
        let start = error.diagnostic()?.span?.start;
        Some(Location { line: start.line, column: start.column })
    }

    /// The session with the tables that exist for one statement only.
    fn statement_state(
        &self,
        catalog: &Catalog<'_>,
        wanted: &BTreeMap<TableKey, BTreeSet<String>>,
        function_tables: Vec<FunctionTable>,
    ) -> Result<(SessionState, Vec<String>), EngineError> {
        let mut tables: HashMap<TableKey, Arc<dyn TableProvider>> = HashMap::new();
        let mut rests: HashMap<TableKey, Arc<BTreeMap<String, DataType>>> = self.registry.spans.clone();
        let mut notes: Vec<String> = vec![];
        let mut settled: BTreeSet<&TableKey> = BTreeSet::new();
        for made in function_tables {
            match made.rows {
                FunctionRows::Table(provider, rest) => {
                    rests.insert(made.key.clone(), rest);
                    tables.insert(made.key, provider);
                }
                FunctionRows::Filtered(filtered) => {
                    let names = wanted.get_key_value(&made.key);
                    settled.extend(names.map(|(key, _)| key));
                    let names = names.map(|(_, names)| names.clone()).unwrap_or_default();
                    let built = filtered.build(&names).map_err(|error| EngineError::from_datafusion(&error))?;
                    tables.insert(made.key, built.0);
                    add_new(&mut notes, built.1);
                }
            }
        }
        for (key, names) in wanted.iter().filter(|(key, _)| !settled.contains(key)) {
            let provider = match tables.get(key) {
                Some(provider) => Arc::clone(provider),
                None => match catalog.table(&key.path(2))? {
                    Some(table) => table.provider,
                    None => continue,
                },
            };
            if names.contains(ESTIMATED_COST) {
                if self.registry.prices.is_none() {
                    add_new(&mut notes, vec![no_prices_note()]);
                }
                tables.insert(key.clone(), self.with_estimates(catalog, key, provider)?);
                continue;
            }
            let rest = rests.get(key).cloned().unwrap_or_default();
            let (provider, mut new) = match provider.downcast_ref::<RemoteTable>() {
                Some(remote) => remote.with_unannounced(names),
                None => (provider, vec![]),
            };
            let (table, absent) = with_open_names(&key.table, provider, &rest, names)
                .map_err(|error| EngineError::from_datafusion(&error))?;
            tables.insert(key.clone(), table);
            new.extend(absent);
            add_new(&mut notes, new);
        }
        for (key, table) in catalog.remotes.borrow().iter() {
            tables.entry(key.clone()).or_insert_with(|| Arc::clone(table));
        }
        if tables.is_empty() {
            return Ok((self.state.clone(), notes));
        }
        let overlay = Overlay::new(Arc::clone(self.state.catalog_list()), tables);
        let state =
            SessionStateBuilder::new_from_existing(self.state.clone()).with_catalog_list(Arc::new(overlay)).build();
        Ok((state, notes))
    }

    /// `traces` or `sessions` with what the spans of each are estimated to cost.
    fn with_estimates(
        &self,
        catalog: &Catalog<'_>,
        key: &TableKey,
        provider: Arc<dyn TableProvider>,
    ) -> Result<Arc<dyn TableProvider>, EngineError> {
        let added = |estimates| {
            let table = tables::with_estimates(&key.table, Arc::clone(&provider), estimates);
            table.map_err(|error| EngineError::from_datafusion(&error))
        };
        if self.registry.prices.is_none() {
            return added(None);
        }
        let spans = catalog.whole_table(&[SPANS.to_owned()])?;
        let columns = spans.map(|spans| spans.columns).unwrap_or_default();
        // What a trace costs is the sum of all of its spans, whichever of them are asked about.
        let whole = Overlay::new(Arc::clone(self.state.catalog_list()), self.registry.whole.clone());
        let state =
            SessionStateBuilder::new_from_existing(self.state.clone()).with_catalog_list(Arc::new(whole)).build();
        let planner =
            Planner { state, registry: self.registry.clone(), handle: self.handle.clone(), limit: self.limit };
        let parsed = parse(&tables::estimates_sql(&key.table, &columns), &Params::new())?;
        let [parsed] = parsed.as_slice() else { return Err(EngineError::new("internal", "no query of estimates")) };
        added(Some(planner.logical_as_is(parsed)?.plan))
    }

    /// Plans a statement down to what runs.
    pub(super) fn prepare(&self, parsed: &Parsed, allow_write: bool) -> Result<Prepared, EngineError> {
        if !allow_write && is_write(&parsed.statement) {
            // What is refused anyway needs no plan, and no complaint about its columns.
            let schema = Arc::new(Schema::empty());
            let state = self.state.clone();
            return Ok(Prepared {
                notes: vec![],
                schema,
                reads_spans: false,
                state,
                step: Step::Refused,
                stops: Stops::default(),
                sought: Sought::default(),
                redacting: None,
                compared: vec![],
                beyond: vec![],
            });
        }
        let Planned { plan, mut state, mut notes, places } = self.logical(parsed)?;
        let read_only = is_read_only(&plan).map_err(|error| EngineError::from_datafusion(&error))?;
        let reads_spans = reads_segments(&plan).map_err(|error| EngineError::from_datafusion(&error))?;
        if !read_only {
            return Ok(Prepared {
                notes,
                schema: Arc::clone(plan.schema().inner()),
                reads_spans,
                state,
                step: if allow_write { Step::Write(plan, Mutex::default()) } else { Step::Refused },
                stops: Stops::default(),
                sought: Sought::default(),
                redacting: None,
                compared: vec![],
                beyond: vec![],
            });
        }
        let compared = compared(&plan, &|table| table_reads_segments(table).unwrap_or(false));
        let compared = compared.map_err(|error| EngineError::from_datafusion(&error))?;
        let explain = |error: DataFusionError| self.placed(places.planning_error(&error, &self.catalog()), parsed);
        let optimized = state.optimize(&plan).map_err(explain)?;
        let rows = self.limit.rows(largest_constant(&optimized).map_err(explain)?);
        if rows < state.config().batch_size() {
            *state.config_mut() = state.config().clone().with_batch_size(rows);
        }
        let physical = state.query_planner().create_physical_plan(&optimized, &state);
        let physical = self.handle.block_on(physical).map_err(explain)?;
        check_plan(&physical)?;
        notes.extend(remote::notes(&physical));
        Ok(Prepared {
            notes,
            schema: physical.schema(),
            reads_spans,
            state,
            step: Step::Read(physical, AtomicBool::new(false)),
            stops: Stops::default(),
            sought: Sought::default(),
            redacting: None,
            compared,
            beyond: beyond(&optimized, self.registry.data_end).map_err(explain)?,
        })
    }
}

fn add_new(notes: &mut Vec<String>, more: Vec<String>) {
    for note in more {
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
}

/// The size of the largest constant in a plan, in bytes: operators hold it once for every row of a batch.
fn largest_constant(plan: &LogicalPlan) -> Result<usize, DataFusionError> {
    let mut largest = 0;
    each_expr_of(plan, &mut |expr| {
        if let Expr::Literal(value, _) = expr {
            largest = largest.max(value.size());
        }
    })?;
    Ok(largest)
}

/// Whether running a plan changes nothing, neither data nor the session.
fn is_read_only(plan: &LogicalPlan) -> Result<bool, DataFusionError> {
    let mut read_only = true;
    each_plan(plan, &mut |node| {
        let writes = matches!(
            node,
            LogicalPlan::Ddl(_) | LogicalPlan::Dml(_) | LogicalPlan::Copy(_) | LogicalPlan::Statement(_)
        );
        read_only &= !writes;
        Ok(if writes { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(read_only)
}

/// Whether running a plan reads the files of a store, before anything is optimized away: an answer that needs no file
/// because none can match rests on them, too.
fn reads_segments(plan: &LogicalPlan) -> Result<bool, DataFusionError> {
    let mut reads = false;
    each_plan(plan, &mut |node| {
        match node {
            LogicalPlan::Explain(_) => return Ok(TreeNodeRecursion::Jump),
            LogicalPlan::TableScan(scan) => {
                reads |= match scan.source.get_logical_plan() {
                    Some(view) => reads_segments(&view)?,
                    None => table_reads_segments(&source_as_provider(&scan.source)?)?,
                };
            }
            _ => {}
        }
        Ok(if reads { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(reads)
}

fn table_reads_segments(mut table: &Arc<dyn TableProvider>) -> Result<bool, DataFusionError> {
    while let Some(structure) = table.downcast_ref::<StructureTable>() {
        table = structure.spans();
    }
    if let Some(plan) = tables::rests_on(table.as_ref()) {
        return reads_segments(plan);
    }
    match table.get_logical_plan() {
        Some(view) => reads_segments(&view),
        None => Ok(table.is::<SegmentsTable>() || table.is::<LongTable>() || table.is::<QualityTable>()),
    }
}

/// Whether a statement is one of those that change data or tables, as far as its syntax tells.
fn is_write(statement: &Statement) -> bool {
    match statement {
        Statement::Statement(statement) => is_sql_write(statement),
        Statement::Explain(explain) => is_write(&explain.statement),
        Statement::CopyTo(_) | Statement::CreateExternalTable(_) => true,
        Statement::Reset(_) => false,
    }
}

fn is_sql_write(statement: &SqlStatement) -> bool {
    match statement {
        SqlStatement::Explain { statement, .. } => is_sql_write(statement),
        SqlStatement::Query(query) => {
            let mut body = query.body.as_ref();
            while let SetExpr::Query(inner) = body {
                body = inner.body.as_ref();
            }
            matches!(body, SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_))
        }
        SqlStatement::Insert { .. }
        | SqlStatement::Update { .. }
        | SqlStatement::Delete { .. }
        | SqlStatement::Merge { .. }
        | SqlStatement::Truncate { .. }
        | SqlStatement::Copy { .. }
        | SqlStatement::CreateTable { .. }
        | SqlStatement::CreateView { .. }
        | SqlStatement::CreateIndex { .. }
        | SqlStatement::CreateSchema { .. }
        | SqlStatement::CreateDatabase { .. }
        | SqlStatement::CreateFunction { .. }
        | SqlStatement::AlterTable { .. }
        | SqlStatement::AlterView { .. }
        | SqlStatement::AlterSchema { .. }
        | SqlStatement::AlterIndex { .. }
        | SqlStatement::RenameTable { .. }
        | SqlStatement::Drop { .. }
        | SqlStatement::DropFunction { .. } => true,
        _ => false,
    }
}
