//! The providers: which columns of spans are read, and which rows of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::common::{Column, DFSchema};
use datafusion::datasource::TableType;
use datafusion::error::Result;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExec;

use super::columns::{Cell, Long};
use super::exec::ExpandExec;
use super::reads::Names;
use super::source::{Made, Possible};
use super::{lists, messages, repeats, scores, sought};
use crate::scan::scan_by;
use crate::tables::SegmentsTable;
use crate::tree_node::expr_up;
use spanql_model::columns::{KIND, MODEL, PROJECT, TRACE_ID};

/// What a table is made from, where a store has any of it. `wanted` says of each column whether it is read; `possible`
/// says of the constants' values whether their rows are.
fn source(table: Long, names: &Names, wanted: &[bool], possible: &Possible<'_>) -> Result<Option<Made>> {
    match table {
        Long::Evals => scores::evals(names, possible),
        Long::Annotations => scores::annotations(names, possible),
        Long::Events => Ok(lists::events(names)),
        Long::Messages => messages::messages(names, wanted, possible),
        Long::Documents => lists::documents(names, possible),
        Long::Repeats => Ok(repeats::repeats(names)),
    }
}

/// A long table over the spans of a store.
///
/// Reads the ids and what the rows are made from, of the spans that have any of it; conditions on ids go to the scan
/// of spans, and conditions on what is the same in many rows leave out columns.
#[derive(Debug)]
pub(crate) struct LongTable {
    table: Long,
    spans: Arc<SegmentsTable>,
    names: Names,
    schema: SchemaRef,
}

impl LongTable {
    /// A table over these spans, whose `attributes.rest` has these names.
    pub(crate) fn new(table: Long, spans: Arc<SegmentsTable>, rest: Arc<BTreeMap<String, DataType>>) -> Self {
        let names = Names { schema: spans.schema(), rest };
        Self { table, spans, names, schema: table.schema() }
    }

    /// A condition on the table's own columns as one on those of spans.
    fn of_spans(&self, condition: &Expr) -> Result<Expr> {
        let columns = self.table.columns();
        expr_up(condition.clone(), &mut |expr| {
            let of = match &expr {
                Expr::Column(column) => columns.iter().find(|(name, _)| *name == column.name),
                _ => None,
            };
            Ok(match of {
                Some((_, Cell::Of(name))) => Transformed::yes(Expr::Column(Column::new_unqualified(*name))),
                _ => Transformed::no(expr),
            })
        })
        .data()
    }

    /// Which values of the constants may pass the conditions on them alone.
    fn possible(&self, state: &dyn Session, filters: &[Expr], values: &[Vec<String>]) -> Result<Vec<bool>> {
        let constants = self.table.constants();
        let filters = filters.iter().filter(|filter| is_on(filter, constants)).cloned();
        let (Some(filter), false) = (conjunction(filters), values.is_empty()) else {
            return Ok(vec![true; values.len()]);
        };
        let fields = constants.iter().map(|name| Field::new(*name, DataType::Utf8, true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let column =
            |place: usize| -> ArrayRef { Arc::new(values.iter().map(|row| row.get(place)).collect::<StringArray>()) };
        let batch = RecordBatch::try_new(Arc::clone(&schema), (0..constants.len()).map(column).collect())?;
        let filter = bare(filter)?;
        let filter = state.create_physical_expr(filter, &DFSchema::try_from(schema)?)?;
        let passes = filter.evaluate(&batch)?.into_array(values.len())?;
        Ok(passes.as_boolean().iter().map(|passes| passes == Some(true)).collect())
    }
}

/// A condition whose columns have no table before their names.
fn bare(condition: Expr) -> Result<Expr> {
    expr_up(condition, &mut |expr| {
        Ok(match expr {
            Expr::Column(column) => Transformed::yes(Expr::Column(Column::new_unqualified(column.name))),
            other => Transformed::no(other),
        })
    })
    .data()
}

/// Whether a condition is on some of these columns, and no others.
fn is_on(condition: &Expr, columns: &[&str]) -> bool {
    let used = condition.column_refs();
    !used.is_empty() && used.iter().all(|column| columns.contains(&column.name.as_str())) && !condition.is_volatile()
}

impl TableProvider for LongTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let (pushed, constants) = (self.table.pushed(false), self.table.constants());
        let of_text = |filter: &Expr| self.table.content().is_some_and(|content| sought::seeks(filter, content));
        let helps = |filter: &&Expr| is_on(filter, pushed) || is_on(filter, constants) || of_text(filter);
        let support = |filter| match helps(filter) {
            true => TableProviderFilterPushDown::Inexact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(support).collect())
    }

    scan_by!(LongTable::plan_scan);
}

impl LongTable {
    async fn plan_scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let columns = self.table.columns();
        let projection = projection.cloned().unwrap_or_else(|| (0..columns.len()).collect());
        let schema = Arc::new(self.schema.project(&projection)?);
        let wanted: Vec<bool> = (0..columns.len()).map(|column| projection.contains(&column)).collect();
        let possible = |values: &[Vec<String>]| self.possible(state, filters, values);
        let Some(made) = source(self.table, &self.names, &wanted, &possible)? else {
            return Ok(Arc::new(EmptyExec::new(schema)));
        };
        // Segments that cannot match are left out here; the plan pushes the conditions further, to the scan.
        let pushed = self.table.pushed(made.whole_traces);
        let conditions = filters.iter().filter(|filter| is_on(filter, pushed)).map(|filter| self.of_spans(filter));
        let mut conditions: Vec<Expr> = conditions.collect::<Result<_>>()?;
        conditions.push(made.condition.clone());

        let mut condition = made.condition.clone();
        if let Some(content) = self.table.content().filter(|_| !made.whole_traces) {
            let texts = made.reads.columns().filter(|name| ![KIND, MODEL].contains(name)).collect();
            condition =
                sought::of_spans(filters, content, &texts).map_or(condition.clone(), |asked| condition.and(asked));
        }

        let mut read: BTreeSet<&str> = made.reads.columns().collect();
        read.extend(projection.iter().filter_map(|&column| match columns.get(column) {
            Some((_, Cell::Of(name))) => Some(*name),
            _ => None,
        }));
        if made.whole_traces {
            read.extend([PROJECT, TRACE_ID]);
        }
        let used = condition.column_refs();
        read.extend(used.iter().map(|column| column.name.as_str()));
        let spans = &self.names.schema;
        let mut places = read.into_iter().map(|name| spans.index_of(name)).collect::<Result<Vec<_>, _>>()?;
        places.sort_unstable();
        let input = self.spans.scan(state, Some(&places), &conditions, None).await?;
        let filtered = DFSchema::try_from(input.schema().as_ref().clone())?;
        let condition = state.create_physical_expr(condition.clone(), &filtered)?;
        let input = Arc::new(FilterExec::try_new(condition, input)?);
        Ok(Arc::new(ExpandExec::new(self.table, projection, schema, made, input)))
    }
}
