//! `structure('<pattern>')`: spans by their place among the others of their trace, in one pass over whole traces.
//!
//! ```text
//! store     a trace lies together in one segment ──▶ traces are passed on as they come, with the tree that is stored
//! others    rows lie anywhere ──▶ all are gathered, and the tree is computed
//!
//! filters in braces ──▶ a column of truth each ──▶ the chain over the nested-set numbers ──▶ rows that are given
//! ```

mod exec;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::TableType;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;

use super::remote::around;
use super::rows::{over_columns, physical};
use super::tables::SegmentsTable;
use crate::scan::scan_by;
use exec::{StructureExec, Tree};
use spanql_filter::pattern::Pattern;
use spanql_filter::{columns as columns_of, with_stack};
use spanql_model::columns::{END_TIME, PARENT_ID, PROJECT, SPAN_ID, START_TIME, TRACE_ID, is_of_tree};
use spanql_trace::WRAPPER_COLUMNS;
use spanql_trace::structure::Chain;

const LEFT: &str = "tree.left";
const RIGHT: &str = "tree.right";
const WRAPPER: &str = "tree.wrapper";

/// The spans of a table that a pattern gives, in the columns of that table.
///
/// The tree is the one that is stored; spans that no segment holds have the one that is computed of them, in filters
/// inside the pattern too.
#[derive(Debug)]
pub(crate) struct StructureTable {
    spans: Arc<dyn TableProvider>,
    /// Whether the spans are those of a remote, which must be told of the time.
    remote: bool,
    text: String,
    chain: Chain,
    /// The condition of each place, over the table's columns; `None` for every span.
    places: Vec<Option<Expr>>,
}

impl StructureTable {
    /// The spans of a table with these names in its `attributes.rest`.
    pub(crate) fn new(
        spans: Arc<dyn TableProvider>,
        rest: Arc<BTreeMap<String, DataType>>,
        pattern: &Pattern,
        remote: bool,
    ) -> Result<Self> {
        let stored = spans.is::<SegmentsTable>();
        let schema = if stored { spans.schema() } else { exec::with_tree(&spans.schema()) };
        let over = |place: &Option<Expr>| match place {
            Some(condition) => with_stack(|| over_columns(condition.clone(), &schema, &rest)).map(Some),
            None => Ok(None),
        };
        let places = pattern.places.iter().map(over).collect::<Result<_>>()?;
        Ok(Self { spans, remote, text: pattern.text.clone(), chain: pattern.chain.clone(), places })
    }

    /// The table whose spans it gives.
    pub(crate) fn spans(&self) -> &Arc<dyn TableProvider> {
        &self.spans
    }

    /// The filters that the scan of the spans may know of: they must not take a part of a trace away.
    fn passed_on(&self, filters: &[Expr]) -> Vec<Expr> {
        if self.spans.is::<SegmentsTable>() {
            // These choose segments, which hold whole traces.
            return filters.to_vec();
        }
        let of_trace = |filter: &&Expr| {
            let names = columns_of(filter);
            !filter.is_volatile() && !names.is_empty() && names.iter().all(|name| name == PROJECT || name == TRACE_ID)
        };
        let of_traces = filters.iter().filter(of_trace).cloned();
        of_traces.chain(if self.remote { around(filters) } else { vec![] }).collect()
    }
}

impl TableProvider for StructureTable {
    fn schema(&self) -> SchemaRef {
        self.spans.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    scan_by!(StructureTable::plan_scan);
}

impl StructureTable {
    async fn plan_scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = self.schema();
        let stored = self.spans.is::<SegmentsTable>();
        let mut read: Vec<usize> = match projection {
            Some(projection) => projection.clone(),
            None => (0..schema.fields().len()).collect(),
        };
        let shown = read.len();
        let of_tree: &[&str] = if stored { &[LEFT, RIGHT] } else { &[SPAN_ID, PARENT_ID, START_TIME, END_TIME] };
        let conditions: Vec<String> = self.places.iter().flatten().flat_map(columns_of).collect();
        // Whether a span is a wrapper takes long columns to tell: they are read where somebody asks.
        let asked = !stored && conditions.iter().any(|name| name == WRAPPER);
        let of_tree = of_tree.iter().chain(if asked { &WRAPPER_COLUMNS[..] } else { &[] });
        let conditions = conditions.into_iter();
        // The tree that is computed replaces one that is there.
        let conditions = conditions.filter(|name| stored || !is_of_tree(name));
        let needed = [PROJECT, TRACE_ID].iter().chain(of_tree).map(|name| (*name).to_owned()).chain(conditions);
        for index in needed.filter_map(|name| schema.index_of(&name).ok()) {
            if !read.contains(&index) {
                read.push(index);
            }
        }
        let input = self.spans.scan(session, Some(&read), &self.passed_on(filters), None).await?;
        let rows = input.schema();
        let evaluated = if stored { Arc::clone(&rows) } else { exec::with_tree(&rows) };
        let compile = |place: &Option<Expr>| match place {
            Some(condition) => with_stack(|| physical(condition.clone(), &evaluated)).map(Some),
            None => Ok(None),
        };
        let places = self.places.iter().map(compile).collect::<Result<Vec<_>>>()?;
        let tree = match stored {
            true => Tree::Stored { left: rows.index_of(LEFT)?, right: rows.index_of(RIGHT)? },
            false => Tree::Computed,
        };
        Ok(Arc::new(StructureExec::new(input, self.text.clone(), self.chain.clone(), places, tree, shown)?))
    }
}
