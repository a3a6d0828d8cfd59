//! Random conditions and rows for the tests of what is said.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::prelude::SessionContext;
use datafusion_common::{Column, DFSchema, ScalarValue};
use datafusion_expr::{BinaryExpr, Expr, LogicalPlan, Operator, ident, lit, not};
use proptest::prelude::*;
use proptest::sample::select;

use super::{contains, join};
use crate::compare::compare_mixed_types;
use spanql_model::columns::timestamp_type;

/// A column of texts, JSON, integers, floats (two), booleans, times, and one that is null where it is empty or zeros.
pub(super) fn schema() -> SchemaRef {
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    Arc::new(Schema::new(vec![
        field("name", DataType::Utf8),
        field("parent_id", DataType::Utf8),
        field("attributes.metadata", DataType::Utf8),
        field("attributes.size", DataType::Int64),
        field("eval.q q.score", DataType::Float64),
        field("latency_ms", DataType::Float64),
        field("attributes.flag", DataType::Boolean),
        field("start_time", timestamp_type()),
    ]))
}

const TEXTS: [&str; 18] = [
    "", "a", "A", "b", "it's", "''", "50%", "_", "a\\b", "é", "名 x", "a\nb", "5", "-0", "1e300", "NaN", "true", "a%_b",
];
const ZEROS: [&str; 5] = ["0", "000", "0X00", "0x0000000000000000", "00000000-0000-0000-0000-000000000000"];
const JSON: [&str; 5] =
    ["{\"on call\":true}", "{\"a\":\"On call\",\"n\":[1,2.5]}", "{\"n\":1e5,\"x\":null}", "{}", "é"];
const INTEGERS: [i64; 10] = [0, 1, -1, 5, 1_000, (1 << 53) - 1, 1 << 53, (1 << 53) + 1, i64::MAX, i64::MIN];
const FLOATS: [f64; 14] = [
    0.0,
    -0.0,
    0.5,
    1.0,
    -1.5,
    5.0,
    1e300,
    f64::MIN_POSITIVE,
    1e15,
    9_007_199_254_740_992.0,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    0.1,
];
const LATENCIES: [f64; 8] = [0.0, 0.3, 999.5, 1_000.0, 1_000.4, -0.7, -1.0, 5.0];
const TIMES: [i64; 4] = [0, 1, 1_700_000_000_123_456_789, -1_500_000_000];

/// The values of a column, null first.
fn values(column: usize) -> Vec<ScalarValue> {
    let texts = |texts: &[&str]| texts.iter().map(|text| ScalarValue::from(*text)).collect::<Vec<_>>();
    let floats = |floats: &[f64]| floats.iter().map(|value| ScalarValue::from(*value)).collect();
    let mut values = match column {
        0 => texts(&TEXTS),
        1 => texts(&[&TEXTS[..], &ZEROS[..]].concat()),
        2 => texts(&JSON),
        3 => INTEGERS.iter().map(|value| ScalarValue::from(*value)).collect(),
        4 => floats(&FLOATS),
        5 => floats(&LATENCIES),
        6 => vec![ScalarValue::from(false), ScalarValue::from(true)],
        _ => TIMES.iter().map(|value| ScalarValue::TimestampNanosecond(Some(*value), Some("UTC".into()))).collect(),
    };
    values.insert(0, ScalarValue::try_new_null(schema().field(column).data_type()).unwrap());
    values
}

fn cell(column: usize) -> impl Strategy<Value = ScalarValue> {
    select(values(column))
}

/// Some rows, at times all values of each column.
pub(super) fn rows() -> impl Strategy<Value = RecordBatch> {
    let row = (0..schema().fields().len()).map(cell).collect::<Vec<_>>();
    let all = |index: usize| {
        (0..schema().fields().len()).map(move |column| values(column)[index % values(column).len()].clone())
    };
    let all: Vec<Vec<ScalarValue>> = (0..=TEXTS.len()).map(|index| all(index).collect()).collect();
    prop_oneof![2 => Just(all), 1 => proptest::collection::vec(row, 1..24)].prop_map(|rows| {
        let column = |index: usize| ScalarValue::iter_to_array(rows.iter().map(|row| row[index].clone())).unwrap();
        let columns: Vec<ArrayRef> = (0..schema().fields().len()).map(column).collect();
        RecordBatch::try_new(schema(), columns).unwrap()
    })
}

/// A literal to compare a column with: mostly of its type, and at times of another, or null.
fn literal(column: usize) -> BoxedStrategy<Expr> {
    let as_written = |value: ScalarValue| match value {
        ScalarValue::Utf8(Some(text)) if text.len() % 2 == 1 => ScalarValue::Utf8View(Some(text)),
        value => value,
    };
    let texts = |texts: &[&str]| select(texts.iter().map(|text| ScalarValue::from(*text)).collect::<Vec<_>>());
    let other = match column {
        0..=2 => prop_oneof![cell(0), cell(3), cell(4)].boxed(),
        3..=5 => prop_oneof![cell(3), cell(4), cell(5), cell(0)].boxed(),
        6 => texts(&["true", "False", "x"]).boxed(),
        _ => texts(&["2026-01-31", "1970-01-01T00:00:00Z"]).boxed(),
    };
    prop_oneof![3 => cell(column), 1 => other].prop_map(move |value| lit(as_written(value))).boxed()
}

fn column() -> impl Strategy<Value = (usize, Expr)> {
    (0..schema().fields().len(), any::<bool>()).prop_map(|(index, qualified)| {
        let name = schema().field(index).name().clone();
        let column = if qualified { Expr::Column(Column::new(Some("arize.demo"), name)) } else { ident(name) };
        (index, column)
    })
}

fn compare(left: Expr, op: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))
}

fn simple() -> BoxedStrategy<Expr> {
    use Operator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    let operator = select(vec![Eq, NotEq, Lt, LtEq, Gt, GtEq]);
    let comparison = column()
        .prop_flat_map(|(index, column)| (Just(column), literal(index)))
        .prop_flat_map(move |(column, literal)| (Just(column), operator.clone(), Just(literal), any::<bool>()))
        .prop_map(
            |(column, op, literal, flipped)| {
                if flipped { compare(literal, op, column) } else { compare(column, op, literal) }
            },
        );
    let list = column()
        .prop_flat_map(|(index, column)| (Just(column), proptest::collection::vec(literal(index), 1..5), any::<bool>()))
        .prop_map(|(column, list, negated)| column.in_list(list, negated));
    let between = column()
        .prop_flat_map(|(index, column)| (Just(column), literal(index), literal(index), any::<bool>()))
        .prop_map(
            |(column, low, high, negated)| {
                if negated { column.not_between(low, high) } else { column.between(low, high) }
            },
        );
    let columns = (select(vec![(3, 4), (4, 5), (0, 1), (1, 2), (3, 3), (0, 3)]), select(vec![Eq, Lt, NotEq])).prop_map(
        |((left, right), op)| compare(ident(schema().field(left).name()), op, ident(schema().field(right).name())),
    );
    let text = || select(vec![0_usize, 1, 2]).prop_map(|index| ident(schema().field(index).name()));
    let parts = select(vec!["", "a", "A", "'", "%", "_", "\\", "é", "on call", " on", "n", "1e", "true", ":"]);
    let part = (text(), parts, any::<bool>()).prop_map(|(text, part, negated)| {
        let contains = contains(text, lit(part));
        if negated { not(contains) } else { contains }
    });
    let patterns = select(vec!["a%", "%b", "_", "50\\%", "%'%", "", "%"]);
    let like = (text(), patterns, 0..4).prop_map(|(text, pattern, form)| match form {
        0 => text.like(lit(pattern)),
        1 => text.not_like(lit(pattern)),
        2 => text.ilike(lit(pattern)),
        _ => text.not_ilike(lit(pattern)),
    });
    let null = (column(), any::<bool>())
        .prop_map(|((_, column), no)| if no { column.is_not_null() } else { column.is_null() });
    let flag = select(vec![0, 1, 2, 3, 4]).prop_map(|form| match form {
        4 => ident("attributes.flag").is_not_true(),
        0 => ident("attributes.flag"),
        1 => not(ident("attributes.flag")),
        2 => ident("attributes.flag").is_true(),
        _ => lit(true),
    });
    prop_oneof![4 => comparison, 2 => list, 1 => between, 1 => columns, 2 => part, 1 => like, 1 => null, 1 => flag]
        .boxed()
}

/// A condition over [`schema`].
pub(super) fn condition() -> impl Strategy<Value = Expr> {
    let tree = simple().prop_recursive(4, 24, 4, |inner| {
        let several = || proptest::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            2 => several().prop_map(join::all_of),
            2 => several().prop_map(join::any_of),
            1 => inner.prop_map(not),
        ]
    });
    prop_oneof![simple(), tree]
}

static CONTEXT: LazyLock<SessionContext> = LazyLock::new(SessionContext::new);

/// Whether each row fulfils the condition; `None` when nothing can compare like that.
pub(super) fn truths(condition: &Expr, rows: &RecordBatch) -> Option<Vec<Option<bool>>> {
    let condition = unqualified(condition);
    let schema = DFSchema::try_from(rows.schema()).unwrap();
    let condition = compare_mixed_types(condition, &schema).ok()?.data;
    let physical = CONTEXT.create_physical_expr(condition, &schema).ok()?;
    let array = physical.evaluate(rows).ok()?.into_array(rows.num_rows()).unwrap();
    if array.data_type() == &DataType::Null {
        return Some(vec![None; rows.num_rows()]);
    }
    Some(array.as_boolean().iter().collect())
}

/// What DataFusion's optimizer makes of a condition; `None` when nothing can compare like that.
pub(super) fn optimized(condition: &Expr, rows: &RecordBatch) -> Option<Vec<Expr>> {
    let schema = DFSchema::try_from(rows.schema()).unwrap();
    let condition = compare_mixed_types(unqualified(condition), &schema).ok()?.data;
    let plan = CONTEXT.read_batch(rows.clone()).unwrap().filter(condition).ok()?.into_optimized_plan().ok()?;
    match plan {
        LogicalPlan::Filter(filter) => Some(join::conjuncts(filter.predicate)),
        LogicalPlan::TableScan(_) => Some(vec![]),
        _ => None,
    }
}

fn unqualified(condition: &Expr) -> Expr {
    use datafusion_common::tree_node::{Transformed, TreeNode};
    let bare = condition.clone().transform(|expr| match expr {
        Expr::Column(column) => Ok(Transformed::yes(ident(column.name))),
        other => Ok(Transformed::no(other)),
    });
    bare.unwrap().data
}
