//! Which rows of which table: what a call or a selection is made into.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::internal_datafusion_err;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::{Expr, JoinType, lit};

use super::table::{MATCHING, SESSIONS, TRACES, Table, beside, column, named, spans_table, typed, view};
use super::trees::Session;
use crate::catalog::Catalog;
use crate::error::EngineError;
use crate::remote::{RemoteTable, traces_where};
use crate::tables::CriticalPathTable;
use spanql_filter::opik::AnySpan;
use spanql_filter::pattern::Pattern;
use spanql_model::columns::{PROJECT, TRACE_ID};

/// Rows of a store's tables, by conditions over the names that
/// [`Engine::span_columns`](super::super::Engine::span_columns) gives.
#[derive(Debug, Clone)]
pub enum Selected {
    /// The spans for which it is true.
    Spans(Expr),
    /// All spans of the traces that have, for each of these, a span for which it is true.
    ///
    /// The traces that begin last come first, each depth first; those of a remote, of which no tree is known, by id and
    /// time.
    WholeTraces {
        /// The conditions, each for itself; at most 64.
        any_span: Vec<Expr>,
        /// So many traces, those that begin last; of a remote, those with the latest span that matches.
        limit: Option<usize>,
    },
    /// The spans that a pattern gives.
    Structure {
        /// The pattern.
        pattern: Pattern,
        /// On the spans that it gives.
        condition: Expr,
    },
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
    pub(super) table: Table,
    pub(super) selects: Selects,
    pub(super) notes: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) enum Selects {
    /// The spans for which it is true.
    Spans(Expr),
    /// All spans of the traces with such a span.
    SpansOfTraces(Expr),
    /// All spans of the traces with such spans, trace after trace.
    WholeTraces { summaries: Option<Arc<dyn TableProvider>>, any_span: Vec<Expr>, limit: Option<usize> },
    /// The spans of the trace with this id, depth first.
    Trace(String),
    /// The spans of a session's traces, trace after trace.
    Session(Session),
    /// The critical path of the trace with this id.
    CriticalPath {
        /// Its id.
        id: String,
        /// Whether time of spans without a kind goes to the steps of that moment.
        steps: bool,
    },
    /// The spans that a pattern gives, if it is true of them.
    Structure { pattern: Pattern, condition: Expr },
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

/// The columns of a table of spans by the name that was typed, and the names in its `attributes.rest`.
pub(crate) fn span_columns(
    catalog: &Catalog<'_>,
    table: &str,
) -> Result<(SchemaRef, Arc<BTreeMap<String, DataType>>), EngineError> {
    let Table { provider, rest, .. } = spans_table(catalog, table)?;
    Ok((provider.schema(), rest))
}

impl Filtered {
    /// Rows of a table of spans, by the name that was typed, or of the tables beside it.
    pub(crate) fn of_table(catalog: &Catalog<'_>, table: &str, selected: Selected) -> Result<Self, EngineError> {
        let table = spans_table(catalog, table)?;
        let remote = table.provider.is::<RemoteTable>();
        let selects = match selected {
            Selected::WholeTraces { any_span, limit } => {
                let summaries = if remote { None } else { Some(beside(catalog, TRACES)?) };
                Selects::WholeTraces { summaries, any_span, limit }
            }
            Selected::Spans(condition) => Selects::Spans(condition),
            Selected::Structure { pattern, condition } => Selects::Structure { pattern, condition },
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
        Ok(Self { table, selects, notes: vec![] })
    }

    /// The names in its `attributes.rest`, if its rows are spans.
    pub(crate) fn rest(&self) -> Option<Arc<BTreeMap<String, DataType>>> {
        self.holds_spans().then(|| Arc::clone(&self.table.rest))
    }

    /// The columns it shows.
    pub(crate) fn schema(&self) -> SchemaRef {
        match &self.selects {
            Selects::CriticalPath { .. } => CriticalPathTable::columns(),
            Selects::Traces { summaries, .. } => summaries.schema(),
            Selects::Sessions { sessions, .. } => sessions.schema(),
            _ => self.table.provider.schema(),
        }
    }

    /// Whether its rows are spans.
    pub(crate) fn holds_spans(&self) -> bool {
        match self.selects {
            Selects::Spans(_) | Selects::SpansOfTraces(_) | Selects::Structure { .. } => true,
            Selects::WholeTraces { .. } | Selects::Trace(_) | Selects::Session(_) => true,
            Selects::CriticalPath { .. } | Selects::Traces { .. } | Selects::Sessions { .. } => false,
        }
    }

    /// The table, with columns for these open names, and what the reader should know of names.
    pub(crate) fn build(&self, names: &BTreeSet<String>) -> DataFusionResult<(Arc<dyn TableProvider>, Vec<String>)> {
        let (table, notes) = self.rows(names)?;
        Ok((table, self.notes.iter().cloned().chain(notes).collect()))
    }

    fn rows(&self, names: &BTreeSet<String>) -> DataFusionResult<(Arc<dyn TableProvider>, Vec<String>)> {
        match &self.selects {
            Selects::Spans(condition) => {
                let (spans, notes) = self.table.with(names.iter().cloned().chain(spanql_filter::columns(condition)))?;
                let rows = self.table.scan(&spans)?.filter(typed(condition.clone(), &spans)?)?;
                Ok((view(rows.project(self.table.shown(names))?)?, notes))
            }
            Selects::SpansOfTraces(condition) => {
                if let Some(remote) = self.table.provider.downcast_ref::<RemoteTable>() {
                    return self.whole_traces(remote, std::slice::from_ref(condition), None, names);
                }
                let (spans, notes) = self.table.with(names.iter().cloned().chain(spanql_filter::columns(condition)))?;
                let matching = self.table.scan(&spans)?.filter(typed(condition.clone(), &spans)?)?;
                let matching = matching.project(vec![column(PROJECT), column(TRACE_ID)])?.alias(MATCHING)?.build()?;
                let ids = |table| [PROJECT, TRACE_ID].map(|name| named(table, name)).to_vec();
                let ids = (ids(&self.table.name), ids(MATCHING));
                let rows = self.table.scan(&spans)?.join(matching, JoinType::LeftSemi, ids, None)?;
                Ok((view(rows.project(self.table.shown(names))?)?, notes))
            }
            Selects::WholeTraces { summaries, any_span, limit } => {
                let Some(summaries) = summaries else {
                    let remote = self.table.provider.downcast_ref::<RemoteTable>();
                    let remote = remote.ok_or_else(|| internal_datafusion_err!("whole traces without summaries"))?;
                    let (traces, notes) = self.whole_traces(remote, any_span, *limit, names)?;
                    return Ok((self.table.by_trace(&traces, self.table.shown(names))?, notes));
                };
                let any_span: Vec<AnySpan> =
                    any_span.iter().map(|expr| AnySpan { expr: expr.clone(), negated: false }).collect();
                let (traces, mut notes) = self.table.traces(summaries, &lit(true), &any_span)?;
                let (spans, absent) = self.table.with(names.iter().cloned())?;
                notes.extend(absent);
                Ok((self.table.newest_first(&spans, &traces, *limit, self.table.shown(names))?, notes))
            }
            Selects::Trace(id) => {
                let (spans, notes) = self.table.with(names.iter().cloned())?;
                Ok((self.table.trace(&spans, id, self.table.shown(names))?, notes))
            }
            Selects::Session(session) => {
                let (spans, notes) = self.table.with(names.iter().cloned())?;
                Ok((self.table.session(&spans, session, self.table.shown(names))?, notes))
            }
            Selects::CriticalPath { id, steps } => {
                Ok((self.table.critical_path(&self.table.provider, id, *steps)?, vec![]))
            }
            Selects::Structure { pattern, condition } => self.table.structure(pattern, condition, names),
            Selects::Traces { summaries, condition, any_span } => self.table.traces(summaries, condition, any_span),
            Selects::Sessions { sessions, summaries, condition, any_span } => {
                self.table.sessions(sessions, summaries, condition, any_span)
            }
        }
    }

    /// All spans of the traces of a remote that have a span for each condition.
    fn whole_traces(
        &self,
        remote: &RemoteTable,
        any_span: &[Expr],
        limit: Option<usize>,
        names: &BTreeSet<String>,
    ) -> DataFusionResult<(Arc<dyn TableProvider>, Vec<String>)> {
        let (traces, mut notes) = traces_where(remote, any_span.to_vec(), limit, names);
        let (traces, absent) = self.table.view_of(traces, names)?;
        notes.extend(absent);
        Ok((traces, notes))
    }
}
