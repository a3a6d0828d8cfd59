//! Tables, filtered: the table functions `spans_where`, `traces_where`, `oql`, and conditions that were read elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::catalog::default_table_source::provider_as_source;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, ScalarValue, TableReference};
use datafusion::datasource::ViewTable;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::{Expr, JoinType, LogicalPlanBuilder, lit};

use super::catalog::{Catalog, TableInfo};
use super::compare::compare_mixed_types;
use super::derived::with_open_names;
use super::error::EngineError;
use super::remote::RemoteTable;
use crate::filter::opik::{self, AnySpan, Entity};
use crate::filter::{self, Names, Unknown, arize};
use crate::model::columns::{PROJECT, SPAN_ID, TRACE_ID};

/// The names of the functions, sorted.
pub(crate) const FUNCTIONS: [&str; 3] = ["oql", "spans_where", "traces_where"];

/// What a trace's summary and its root span are called while traces are filtered.
const TRACES: &str = "traces";
const ROOT: &str = "root";
const SESSIONS: &str = "sessions";
const SPANS: &str = "spans";
/// What the spans are called that fulfil a condition, or what has them.
const MATCHING: &str = "matching";

/// Rows of a store's tables, by conditions over the names that [`Engine::span_columns`](super::Engine::span_columns)
/// gives.
#[derive(Debug, Clone)]
pub enum Selected {
    /// The spans for which it is true.
    Spans(Expr),
    /// The rows of `traces` for which all is true.
    Traces {
        /// On the row: a column of `traces` is qualified by that name, another one is the root span's.
        condition: Expr,
        /// On its spans; each is for itself.
        any_span: Vec<AnySpan>,
    },
    /// The rows of `sessions` for which all is true.
    Sessions {
        /// On the row: columns are qualified by `sessions`.
        condition: Expr,
        /// On the spans of its traces, which belong to it whole; each is for itself.
        any_span: Vec<AnySpan>,
    },
}

/// A table, filtered: built when it is known which open names are read from it.
#[derive(Debug, Clone)]
pub(crate) struct Filtered {
    table: Table,
    selects: Selects,
    notes: Vec<String>,
}

/// A table of spans, and the names in its `attributes.rest`.
#[derive(Debug, Clone)]
struct Table {
    name: String,
    provider: Arc<dyn TableProvider>,
    rest: Arc<BTreeMap<String, DataType>>,
}

#[derive(Debug, Clone)]
enum Selects {
    /// The spans for which it is true.
    Spans(Expr),
    /// All spans of the traces with such a span.
    SpansOfTraces(Expr),
    /// The rows of `traces`, by their root spans and what is said of any of their spans.
    Traces { summaries: Arc<dyn TableProvider>, condition: Expr, any_span: Vec<AnySpan> },
    /// The rows of `sessions`.
    Sessions {
        sessions: Arc<dyn TableProvider>,
        summaries: Arc<dyn TableProvider>,
        condition: Expr,
        any_span: Vec<AnySpan>,
    },
}

impl Filtered {
    /// The rows of a store's tables.
    pub(crate) fn of_store(catalog: &Catalog<'_>, selected: Selected) -> Result<Self, EngineError> {
        let selects = match selected {
            Selected::Spans(condition) => Selects::Spans(condition),
            Selected::Traces { condition, any_span } => {
                Selects::Traces { summaries: beside(catalog, TRACES)?, condition, any_span }
            }
            Selected::Sessions { condition, any_span } => Selects::Sessions {
                sessions: beside(catalog, SESSIONS)?,
                summaries: beside(catalog, TRACES)?,
                condition,
                any_span,
            },
        };
        Ok(Self { table: spans_table(catalog, SPANS)?, selects, notes: vec![] })
    }

    /// The names in its `attributes.rest`, if its rows are spans.
    pub(crate) fn rest(&self) -> Option<Arc<BTreeMap<String, DataType>>> {
        self.holds_spans().then(|| Arc::clone(&self.table.rest))
    }

    /// The columns it shows.
    pub(crate) fn schema(&self) -> SchemaRef {
        match &self.selects {
            Selects::Spans(_) | Selects::SpansOfTraces(_) => self.table.provider.schema(),
            Selects::Traces { summaries, .. } => summaries.schema(),
            Selects::Sessions { sessions, .. } => sessions.schema(),
        }
    }

    /// Whether its rows are spans.
    pub(crate) fn holds_spans(&self) -> bool {
        matches!(self.selects, Selects::Spans(_) | Selects::SpansOfTraces(_))
    }

    /// The table, with columns for these open names, and what the reader should know of names.
    pub(crate) fn build(&self, names: &BTreeSet<String>) -> DataFusionResult<(Arc<dyn TableProvider>, Vec<String>)> {
        let (table, notes) = self.rows(names)?;
        Ok((table, self.notes.iter().cloned().chain(notes).collect()))
    }

    fn rows(&self, names: &BTreeSet<String>) -> DataFusionResult<(Arc<dyn TableProvider>, Vec<String>)> {
        match &self.selects {
            Selects::Spans(condition) => {
                let (spans, notes) = self.table.with(names.iter().cloned().chain(filter::columns(condition)))?;
                let rows = self.table.scan(&spans)?.filter(typed(condition.clone(), &spans)?)?;
                Ok((view(rows.project(self.shown(names))?)?, notes))
            }
            Selects::SpansOfTraces(condition) => {
                if let Some(remote) = self.table.provider.downcast_ref::<RemoteTable>() {
                    let (traces, mut notes) = remote.traces_where(condition.clone(), names);
                    let (traces, absent) = self.table.view_of(traces, names)?;
                    notes.extend(absent);
                    return Ok((traces, notes));
                }
                let (spans, notes) = self.table.with(names.iter().cloned().chain(filter::columns(condition)))?;
                let matching = self.table.scan(&spans)?.filter(typed(condition.clone(), &spans)?)?;
                let matching = matching.project(vec![column(PROJECT), column(TRACE_ID)])?.alias(MATCHING)?.build()?;
                let ids = |table| [PROJECT, TRACE_ID].map(|name| named(table, name)).to_vec();
                let ids = (ids(&self.table.name), ids(MATCHING));
                let rows = self.table.scan(&spans)?.join(matching, JoinType::LeftSemi, ids, None)?;
                Ok((view(rows.project(self.shown(names))?)?, notes))
            }
            Selects::Traces { summaries, condition, any_span } => self.traces(summaries, condition, any_span),
            Selects::Sessions { sessions, summaries, condition, any_span } => {
                self.sessions(sessions, summaries, condition, any_span)
            }
        }
    }

    fn shown(&self, names: &BTreeSet<String>) -> Vec<Expr> {
        let schema = self.table.provider.schema();
        let own = schema.fields().iter().map(|field| column(field.name()));
        own.chain(names.iter().filter(|name| schema.index_of(name).is_err()).map(|name| column(name))).collect()
    }

    fn traces(
        &self,
        summaries: &Arc<dyn TableProvider>,
        condition: &Expr,
        any_span: &[AnySpan],
    ) -> DataFusionResult<(Arc<dyn TableProvider>, Vec<String>)> {
        let of_root = own_columns(condition)?;
        let any = any_span.iter().flat_map(|any| filter::columns(&any.expr));
        let (spans, notes) = self.table.with(of_root.iter().cloned().chain(any))?;
        let mut rows = scan(TRACES, summaries)?;
        if !of_root.is_empty() {
            // The root of a trace is a top span.
            let roots = self.table.scan(&spans)?.filter(column("tree.depth").eq(lit(1)))?.alias(ROOT)?.build()?;
            let (mut left, mut right) = trace_ids(ROOT);
            left.push(named(TRACES, "root_span_id"));
            right.push(named(ROOT, SPAN_ID));
            rows = rows.join(roots, JoinType::Left, (left, right), None)?;
        }
        // Columns without a table are the root's.
        let condition = condition.clone().transform_up(|expr| {
            Ok(match expr {
                Expr::Column(Column { relation: None, name, .. }) => Transformed::yes(Expr::Column(named(ROOT, &name))),
                other => Transformed::no(other),
            })
        })?;
        let condition = compare_mixed_types(condition.data, rows.schema())?.data;
        rows = rows.filter(condition)?;
        for AnySpan { expr, negated } in any_span {
            rows = self.with_span(rows, &spans, expr, matched(*negated))?;
        }
        let schema = summaries.schema();
        let shown = schema.fields().iter().map(|field| Expr::Column(named(TRACES, field.name())));
        Ok((view(rows.project(shown.collect::<Vec<_>>())?)?, notes))
    }

    fn sessions(
        &self,
        sessions: &Arc<dyn TableProvider>,
        summaries: &Arc<dyn TableProvider>,
        condition: &Expr,
        any_span: &[AnySpan],
    ) -> DataFusionResult<(Arc<dyn TableProvider>, Vec<String>)> {
        let (spans, notes) = self.table.with(any_span.iter().flat_map(|any| filter::columns(&any.expr)))?;
        let mut rows = scan(SESSIONS, sessions)?;
        let condition = compare_mixed_types(condition.clone(), rows.schema())?.data;
        rows = rows.filter(condition)?;
        for AnySpan { expr, negated } in any_span {
            let traces = self.with_span(scan(TRACES, summaries)?, &spans, expr, JoinType::LeftSemi)?;
            let session = Expr::Column(named(TRACES, "session_ids")).alias("session_id");
            let matching = traces.project(vec![Expr::Column(named(TRACES, PROJECT)).alias(PROJECT), session])?;
            let matching = matching.unnest_column("session_id")?.alias(MATCHING)?.build()?;
            let ids = |table| [PROJECT, "session_id"].map(|name| named(table, name)).to_vec();
            rows = rows.join(matching, matched(*negated), (ids(SESSIONS), ids(MATCHING)), None)?;
        }
        Ok((view(rows)?, notes))
    }

    /// The traces with a span for which it is true, or (`LeftAnti`) without one.
    fn with_span(
        &self,
        traces: LogicalPlanBuilder,
        spans: &Arc<dyn TableProvider>,
        condition: &Expr,
        join: JoinType,
    ) -> DataFusionResult<LogicalPlanBuilder> {
        let matching = self.table.scan(spans)?.filter(typed(condition.clone(), spans)?)?;
        let matching = matching.project(vec![column(PROJECT), column(TRACE_ID)])?.alias(MATCHING)?.build()?;
        traces.join(matching, join, trace_ids(MATCHING), None)
    }
}

/// What identifies a trace, in `traces` and in a table of spans.
fn trace_ids(spans: &str) -> (Vec<Column>, Vec<Column>) {
    let traces = [PROJECT, "trace_id"].map(|name| named(TRACES, name));
    (traces.into(), [PROJECT, TRACE_ID].map(|name| named(spans, name)).into())
}

fn matched(negated: bool) -> JoinType {
    if negated { JoinType::LeftAnti } else { JoinType::LeftSemi }
}

/// The names of the columns that are not qualified.
fn own_columns(condition: &Expr) -> DataFusionResult<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    condition.apply(|node| {
        if let Expr::Column(Column { relation: None, name, .. }) = node {
            names.insert(name.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(names)
}

impl Table {
    /// The table with columns for these names, as far as they are none of its own.
    fn with(&self, names: impl Iterator<Item = String>) -> DataFusionResult<(Arc<dyn TableProvider>, Vec<String>)> {
        let names: BTreeSet<String> = names.collect();
        let (provider, mut notes) = match self.provider.downcast_ref::<RemoteTable>() {
            Some(remote) => remote.with_hoped_for(&names),
            None => (Arc::clone(&self.provider), vec![]),
        };
        let (view, absent) = self.view_of(provider, &names)?;
        notes.extend(absent);
        Ok((view, notes))
    }

    /// A table in the place of this one, with columns for these open names, and what the reader should know of names.
    fn view_of(
        &self,
        provider: Arc<dyn TableProvider>,
        names: &BTreeSet<String>,
    ) -> DataFusionResult<(Arc<dyn TableProvider>, Vec<String>)> {
        let schema = provider.schema();
        let asked = |name: &&String| schema.index_of(name).is_err() || crate::model::derived::indexed(name).is_some();
        if !names.iter().any(|name| asked(&name)) {
            return Ok((provider, vec![]));
        }
        with_open_names(&self.name, provider, &self.rest, names)
    }

    fn scan(&self, provider: &Arc<dyn TableProvider>) -> DataFusionResult<LogicalPlanBuilder> {
        scan(&self.name, provider)
    }
}

fn scan(name: &str, provider: &Arc<dyn TableProvider>) -> DataFusionResult<LogicalPlanBuilder> {
    // The name is taken whole: a dot in it is no schema.
    LogicalPlanBuilder::scan(TableReference::bare(name), provider_as_source(Arc::clone(provider)), None)
}

/// A condition whose text is compared with numbers as SQL does.
fn typed(condition: Expr, table: &Arc<dyn TableProvider>) -> DataFusionResult<Expr> {
    let schema = datafusion::common::DFSchema::try_from(table.schema())?;
    Ok(compare_mixed_types(condition, &schema)?.data)
}

fn view(rows: LogicalPlanBuilder) -> DataFusionResult<Arc<dyn TableProvider>> {
    Ok(Arc::new(ViewTable::new(rows.build()?, None)))
}

fn column(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

fn named(relation: &str, name: &str) -> Column {
    Column::new(Some(TableReference::bare(relation)), name)
}

/// Calls one of the functions; `None` if it is none of them.
pub(crate) fn call(
    catalog: &Catalog<'_>,
    function: &str,
    arguments: &[ScalarValue],
) -> Result<Option<Filtered>, EngineError> {
    if !FUNCTIONS.contains(&function) {
        return Ok(None);
    }
    let mut texts = vec![];
    for (i, argument) in arguments.iter().enumerate() {
        match argument {
            ScalarValue::Utf8(Some(text)) => texts.push(text.as_str()),
            _ => return Err(bad_argument(format!("argument {} of {function} is no text", i + 1))),
        }
    }
    let usage = match function {
        "oql" => "oql('<filter>' [, 'spans'|'traces'|'threads'] [, '<table of spans>'])",
        "spans_where" => "spans_where('<filter>' [, '<table of spans>'])",
        _ => "traces_where('<filter>' [, '<table of spans>'])",
    };
    let wrong = || bad_argument(format!("{function} takes other arguments")).help(format!("write {usage}"));
    let (text, entity, table) = match (function, texts.as_slice()) {
        ("oql", [text]) => (*text, Entity::Spans, None),
        ("oql", [text, second]) => match second.parse() {
            Ok(entity) => (*text, entity, None),
            Err(()) => (*text, Entity::Spans, Some(*second)),
        },
        ("oql", [text, entity, table]) => (*text, entity.parse().map_err(|()| wrong())?, Some(*table)),
        (_, [text]) => (*text, Entity::Spans, None),
        (_, [text, table]) => (*text, Entity::Spans, Some(*table)),
        _ => return Err(wrong()),
    };
    let table = spans_table(catalog, table.unwrap_or(SPANS))?;
    let remote = table.provider.is::<RemoteTable>();
    let schema = table.provider.schema();
    let names = Names::new(&schema, &table.rest, if remote { Unknown::Silent } else { Unknown::Null });
    let mut notes = vec![];
    let selects = match function {
        "spans_where" => Selects::Spans(arize::parse(text, &names)?.expr),
        "traces_where" => Selects::SpansOfTraces(arize::parse(text, &names)?.expr),
        _ => {
            let oql = opik::parse(text, entity, &names)?;
            if remote && entity != Entity::Spans {
                return Err(EngineError::new("not-supported", format!("{} has no {entity}", table.name))
                    .why("they are made of spans when these enter a store")
                    .help("pull the project first, or ask for 'spans'"));
            }
            notes = oql.notes;
            match entity {
                Entity::Spans => Selects::Spans(oql.expr),
                Entity::Traces => {
                    Selects::Traces { summaries: beside(catalog, TRACES)?, condition: oql.expr, any_span: oql.any_span }
                }
                Entity::Threads => Selects::Sessions {
                    sessions: beside(catalog, SESSIONS)?,
                    summaries: beside(catalog, TRACES)?,
                    condition: oql.expr,
                    any_span: oql.any_span,
                },
            }
        }
    };
    Ok(Some(Filtered { table, selects, notes }))
}

fn bad_argument(what: String) -> EngineError {
    EngineError::new("bad-argument", what)
}

/// A table that stands beside `spans` in a store.
fn beside(catalog: &Catalog<'_>, name: &str) -> Result<Arc<dyn TableProvider>, EngineError> {
    match catalog.table(&[name.to_owned()])? {
        Some(TableInfo { provider, .. }) => Ok(provider),
        None => Err(EngineError::new("unknown-table", format!("there is no table {name} here"))),
    }
}

/// A table of spans by the name that was typed: `spans`, `arize.my-project`, `arize."my.project"`.
fn spans_table(catalog: &Catalog<'_>, typed: &str) -> Result<Table, EngineError> {
    let unquoted = |part: &str| match part.strip_prefix('"').and_then(|part| part.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => part.to_owned(),
    };
    let parts: Vec<String> = match typed.split_once('.') {
        Some((schema, table)) => vec![unquoted(schema), unquoted(table)],
        None => vec![unquoted(typed)],
    };
    let Some(TableInfo { key, spans, provider, .. }) = catalog.table(&parts)? else {
        let known = catalog.table_names();
        let near = crate::model::nearest::nearest(typed, known.iter().map(String::as_str));
        return Err(EngineError::new("unknown-table", format!("unknown table {typed}")).suggest(near));
    };
    if !spans {
        return Err(bad_argument(format!("{typed} is no table of spans"))
            .help("name spans, or a live table such as arize.my-project"));
    }
    let rest = catalog.registry.spans.get(&key).cloned().unwrap_or_default();
    let name = if catalog.is_remote(&key) { format!("{}.{}", key.schema, key.table) } else { key.table };
    Ok(Table { name, provider, rest })
}
