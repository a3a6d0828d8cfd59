//! A table of spans, and the rows of it that a filter lets through.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray};
use arrow::datatypes::{DataType, Schema};
use datafusion::prelude::SessionContext;
use datafusion_expr::Expr;

use crate::compare::compare_mixed_types;
use crate::opik::{Clause, Entity, Oql, parse};
use crate::{FilterError, Names, Unknown};

pub(super) fn text(values: Vec<Option<&str>>) -> ArrayRef {
    Arc::new(StringArray::from(values))
}

pub(super) fn numbers(values: Vec<Option<f64>>) -> ArrayRef {
    Arc::new(Float64Array::from(values))
}

pub(super) fn integers(values: Vec<Option<i64>>) -> ArrayRef {
    Arc::new(Int64Array::from(values))
}

pub(super) fn times(values: Vec<Option<i64>>) -> ArrayRef {
    Arc::new(TimestampNanosecondArray::from(values).with_timezone("UTC"))
}

/// A batch whose rows are told by their column `row`.
pub(super) fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let count = columns[0].1.len() as i64;
    let rows = ("row", Arc::new(Int64Array::from_iter_values(0..count)) as ArrayRef);
    let columns = [rows].into_iter().chain(columns);
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap()
}

/// The rows of a batch, under a table's name, for which a condition is true.
pub(super) fn rows_where(batch: &RecordBatch, table: &str, condition: Expr) -> Vec<i64> {
    let frame = SessionContext::new().read_batch(batch.clone()).unwrap().alias(table).unwrap();
    let condition = compare_mixed_types(condition, frame.schema()).unwrap().data;
    let frame = frame.filter(condition).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let batches = runtime.block_on(frame.collect()).unwrap();
    let rows = |batch: RecordBatch| {
        let rows = batch.column_by_name("row").unwrap().as_primitive::<arrow::datatypes::Int64Type>().clone();
        rows.values().to_vec()
    };
    batches.into_iter().flat_map(rows).collect()
}

pub(super) fn parse_over(oql: &str, entity: Entity, schema: &Schema, unknown: Unknown) -> Result<Oql, FilterError> {
    let rest: BTreeMap<String, DataType> = BTreeMap::new();
    parse(oql, entity, &Names::new(schema, &rest, unknown))
}

/// The rows of a batch of spans that a filter lets through.
pub(super) fn spans_where(batch: &RecordBatch, oql: &str) -> Vec<i64> {
    let oql = parse_over(oql, Entity::Spans, &batch.schema(), Unknown::Error).map_err(|e| e.report()).unwrap();
    rows_where(batch, "spans", oql.expr)
}

/// Clauses as OQL text; `None` where a clause cannot be written so.
pub(super) fn written(clauses: &[Clause]) -> Option<String> {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let each = clauses.iter().map(|clause| {
        let key = match clause.kind.as_str() {
            "dictionary" | "feedback_scores_number" => format!(".{}", quoted(&clause.key)),
            _ if clause.key.is_empty() => String::new(),
            _ => return None,
        };
        let value = match clause.operator.as_str() {
            "is_empty" | "is_not_empty" if clause.kind == "dictionary" => return None,
            "is_empty" | "is_not_empty" => String::new(),
            "in" | "not_in" => format!("({})", quoted(&clause.value)),
            _ => quoted(&clause.value),
        };
        Some(format!("{}{key} {} {value}", clause.field, clause.operator))
    });
    Some(each.collect::<Option<Vec<_>>>()?.join(" AND "))
}
