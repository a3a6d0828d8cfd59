//! Comparison of text with numbers, booleans and times.
//!
//! DataFusion casts the text to the other side's type and fails the whole query on the first text that is none. Here
//! the text is read as the other side's type, and what cannot be read is null: unknown, under NOT too. A literal is
//! read once, at planning, so that a comparison of a column with it can still prune.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Column, DFSchema, DataFusionError, Result, ScalarValue};
use datafusion_expr::expr::{BinaryExpr, Case, InList, InSubquery};
use datafusion_expr::logical_plan::Subquery;
use datafusion_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion_expr::{Between, Expr, ExprSchemable, LogicalPlanBuilder, Operator, cast, not, try_cast};
use sqlparser::ast::BinaryOperator;

use spanql_model::time::{self, Clock};

use super::numbers::{read_boolean, read_number, text_among_integers, text_to_boolean, text_to_number};

/// What a type is for comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Boolean,
    Time,
    Other,
}

impl Kind {
    fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text,
            DataType::Boolean => Self::Boolean,
            DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => Self::Time,
            DataType::Dictionary(_, values) => Self::of(values),
            other if other.is_numeric() => Self::Number,
            _ => Self::Other,
        }
    }

    /// Whether text must be read as something else to be compared with this.
    fn is_read_from_text(self) -> bool {
        matches!(self, Self::Number | Self::Boolean | Self::Time)
    }
}

fn type_of(expr: &Expr, schema: &DFSchema) -> DataType {
    // An expression without a type is an error of its own, which DataFusion tells.
    expr.get_type(schema).unwrap_or(DataType::Null)
}

/// The text of a literal.
fn literal_text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text) | ScalarValue::Utf8View(text), _) => {
            text.as_deref()
        }
        _ => None,
    }
}

/// A text expression as the type it is compared with.
fn read_as(text: Expr, other: &DataType, clock: &Clock) -> Result<Expr> {
    let literal = |value: ScalarValue| Ok(Expr::Literal(value, None));
    match (Kind::of(other), literal_text(&text)) {
        (Kind::Number, Some(typed)) => match (other.is_integer(), typed.trim().parse::<i64>(), read_number(typed)) {
            (true, Ok(int), _) => literal(ScalarValue::Int64(Some(int))),
            (true, _, None) => literal(ScalarValue::Int64(None)),
            (_, _, number) => literal(ScalarValue::Float64(number)),
        },
        (Kind::Number, None) if other.is_integer() => Ok(text_among_integers(text)),
        (Kind::Number, None) => Ok(text_to_number(text)),
        (Kind::Boolean, Some(typed)) => literal(ScalarValue::Boolean(read_boolean(typed))),
        (Kind::Boolean, None) => Ok(text_to_boolean(text)),
        (Kind::Time, Some(typed)) => match read_time(typed, other, clock) {
            Some(time) => literal(time),
            None => Err(unreadable_time(typed)),
        },
        (Kind::Time, None) => Ok(try_cast(text, other.clone())),
        _ => Ok(text),
    }
}

/// The time that a person typed, as a value of this type.
pub(crate) fn read_time(typed: &str, data_type: &DataType, clock: &Clock) -> Option<ScalarValue> {
    if let Ok(time) = ScalarValue::Utf8(Some(typed.to_owned())).cast_to(data_type) {
        return Some(time).filter(|time| !time.is_null());
    }
    let nanos = time::typed(typed, clock).ok()?;
    ScalarValue::TimestampNanosecond(Some(nanos), Some("UTC".into())).cast_to(data_type).ok()
}

/// A text that is compared with a time, and is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{typed}' is no time")]
pub struct UnreadableTime {
    /// The text as it stands in the query.
    pub typed: String,
}

fn unreadable_time(typed: &str) -> DataFusionError {
    DataFusionError::External(Box::new(UnreadableTime { typed: typed.to_owned() }))
}

/// Both sides of a comparison, the text read as the other's type.
pub fn pair(left: Expr, right: Expr, schema: &DFSchema, clock: &Clock) -> Result<Transformed<(Expr, Expr)>> {
    let (left_type, right_type) = (type_of(&left, schema), type_of(&right, schema));
    match (Kind::of(&left_type), Kind::of(&right_type)) {
        (Kind::Text, other) if other.is_read_from_text() && !is_null(&left) => {
            Ok(Transformed::yes((read_as(left, &right_type, clock)?, right)))
        }
        (other, Kind::Text) if other.is_read_from_text() && !is_null(&right) => {
            let right = read_as(right, &left_type, clock)?;
            Ok(Transformed::yes((left, right)))
        }
        _ => Ok(Transformed::no((left, right))),
    }
}

/// Both sides of a comparison, what is compared with text as text.
pub fn pair_as_text(left: Expr, right: Expr, schema: &DFSchema) -> (Expr, Expr) {
    match (Kind::of(&type_of(&left, schema)), Kind::of(&type_of(&right, schema))) {
        (Kind::Text, other) if other.is_read_from_text() => (left, cast(right, DataType::Utf8)),
        (other, Kind::Text) if other.is_read_from_text() => (cast(left, DataType::Utf8), right),
        _ => (left, right),
    }
}

fn is_null(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(value, _) if value.is_null())
}

fn is_comparison(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

/// Rewrites the comparisons in an expression over rows of this schema; names of expressions may change.
///
/// # Errors
///
/// When a time is compared with a literal that is no time.
pub fn compare_mixed_types(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    compare_at(expr, schema, &Clock::now(None))
}

/// The same, with times that count from a clock.
///
/// # Errors
///
/// When a time is compared with a literal that is no time.
pub fn compare_at(expr: Expr, schema: &DFSchema, clock: &Clock) -> Result<Transformed<Expr>> {
    expr.transform_up(|expr| match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(op) => {
            let sides = pair(*left, *right, schema, clock)?;
            Ok(sides
                .update_data(|(left, right)| Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))))
        }
        Expr::InList(list) => in_list(list, schema, clock),
        Expr::Between(between) => self::between(between, schema, clock),
        Expr::InSubquery(found) => Ok(in_subquery(found, schema, clock)?.update_data(Expr::InSubquery)),
        Expr::Case(Case { expr: Some(expr), when_then_expr, else_expr }) => {
            simple_case(*expr, when_then_expr, else_expr, schema, clock)
        }
        other => Ok(Transformed::no(other)),
    })
}

/// Elements that must be compared with the same reading of the left side stay in one list, as long as they are of one
/// kind: all of a list are compared as one type, and beside a float that would be one that cannot tell large integers
/// apart. Elements that are computed from columns become equalities: DataFusion tries them on no rows, and takes what
/// gives a plain value there, as CASE does, for a constant.
fn in_list(InList { expr, list, negated }: InList, schema: &DFSchema, clock: &Clock) -> Result<Transformed<Expr>> {
    let unread = list.clone();
    let mut groups: Vec<(Expr, bool, Vec<Expr>)> = vec![];
    let mut read = false;
    let mut computed: Vec<Expr> = vec![];
    for item in list {
        let sides = pair(expr.as_ref().clone(), item, schema, clock)?;
        read |= sides.transformed;
        let (left, item) = sides.data;
        if !matches!(item, Expr::Column(_)) && (item.any_column_refs() || item.contains_outer()) {
            computed.push(left.eq(item));
            continue;
        }
        let float = type_of(&item, schema).is_floating();
        match groups.iter_mut().find(|(known, floats, _)| *known == left && *floats == float) {
            Some((_, _, items)) => items.push(item),
            None => groups.push((left, float, vec![item])),
        }
    }
    // Beside a column of floats, every number is compared as one anyhow.
    if !read && computed.is_empty() && (groups.len() < 2 || type_of(&expr, schema).is_floating()) {
        return Ok(Transformed::no(Expr::InList(InList { expr, list: unread, negated })));
    }
    if let ([_], []) = (groups.as_slice(), computed.as_slice())
        && let Some((left, _, items)) = groups.pop()
    {
        return Ok(Transformed::yes(Expr::InList(InList { expr: Box::new(left), list: items, negated })));
    }
    let lists = groups
        .into_iter()
        .map(|(left, _, items)| Expr::InList(InList { expr: Box::new(left), list: items, negated: false }));
    let any = lists
        .chain(computed)
        .reduce(Expr::or)
        .unwrap_or_else(|| Expr::Literal(ScalarValue::Boolean(Some(false)), None));
    Ok(Transformed::yes(if negated { not(any) } else { any }))
}

fn between(
    Between { expr, negated, low, high }: Between,
    schema: &DFSchema,
    clock: &Clock,
) -> Result<Transformed<Expr>> {
    let lower = pair(expr.as_ref().clone(), *low, schema, clock)?;
    let upper = pair(expr.as_ref().clone(), *high, schema, clock)?;
    let changed = lower.transformed || upper.transformed;
    let ((left, low), (right, high)) = (lower.data, upper.data);
    let float = |expr: &Expr| type_of(expr, schema).is_floating();
    let split = left != right || (!float(&left) && float(&low) != float(&high));
    let changed = changed || split;
    let made = if !split {
        Expr::Between(Between { expr: Box::new(left), negated, low: Box::new(low), high: Box::new(high) })
    } else {
        let both = left.gt_eq(low).and(right.lt_eq(high));
        if negated { not(both) } else { both }
    };
    Ok(if changed { Transformed::yes(made) } else { Transformed::no(made) })
}

/// Rewrites one IN with a subquery so that both sides have comparable types: what cannot be read is null there.
pub fn compare_in_subquery(found: InSubquery, schema: &DFSchema) -> Result<Transformed<InSubquery>> {
    in_subquery(found, schema, &Clock::now(None))
}

fn in_subquery(
    InSubquery { expr, subquery, negated }: InSubquery,
    schema: &DFSchema,
    clock: &Clock,
) -> Result<Transformed<InSubquery>> {
    let unchanged = |expr, subquery| Ok(Transformed::no(InSubquery { expr, subquery, negated }));
    let left = type_of(&expr, schema);
    let fields = subquery.subquery.schema().fields();
    let Some(right) = fields.first().filter(|_| fields.len() == 1).map(|field| field.data_type().clone()) else {
        return unchanged(expr, subquery);
    };
    match (Kind::of(&left), Kind::of(&right)) {
        (Kind::Text, other) if other.is_read_from_text() => {
            let expr = Box::new(read_as(*expr, &right, clock)?);
            Ok(Transformed::yes(InSubquery { expr, subquery, negated }))
        }
        (other, Kind::Text) if other.is_read_from_text() => {
            let column = Expr::Column(Column::from(subquery.subquery.schema().qualified_field(0)));
            let read = read_as(column, &left, clock)?.alias(fields[0].name());
            let plan = LogicalPlanBuilder::from(subquery.subquery.as_ref().clone()).project(vec![read])?;
            // DataFusion takes a column that no relation is named for as two; one that looks outside has to stay bare.
            let looks_outside = !subquery.outer_ref_columns.is_empty();
            let plan = if looks_outside { plan } else { plan.alias("__in")? }.build()?;
            let subquery = Subquery { subquery: Arc::new(plan), ..subquery };
            Ok(Transformed::yes(InSubquery { expr, subquery, negated }))
        }
        _ => unchanged(expr, subquery),
    }
}

type Whens = Vec<(Box<Expr>, Box<Expr>)>;

/// `CASE text WHEN number …` compares as well; where the left side must be read, or where all of it would be compared
/// as floats because of one, it is written as `WHEN a = b`.
fn simple_case(
    expr: Expr,
    whens: Whens,
    otherwise: Option<Box<Expr>>,
    schema: &DFSchema,
    clock: &Clock,
) -> Result<Transformed<Expr>> {
    let mut pairs = vec![];
    let (mut changed, mut same_left) = (false, true);
    let mut floats = vec![];
    for (when, then) in whens {
        let sides = pair(expr.clone(), *when, schema, clock)?;
        changed |= sides.transformed;
        same_left &= sides.data.0 == expr;
        floats.push(type_of(&sides.data.1, schema).is_floating());
        pairs.push((sides.data, then));
    }
    let mixed = floats.contains(&true) && floats.contains(&false);
    if mixed && !type_of(&expr, schema).is_floating() {
        (changed, same_left) = (true, false);
    }
    let case = if same_left {
        let whens = pairs.into_iter().map(|((_, when), then)| (Box::new(when), then)).collect();
        Expr::Case(Case::new(Some(Box::new(expr)), whens, otherwise))
    } else {
        let whens = pairs.into_iter().map(|((left, when), then)| (Box::new(left.eq(when)), then)).collect();
        Expr::Case(Case::new(None, whens, otherwise))
    };
    Ok(if changed { Transformed::yes(case) } else { Transformed::no(case) })
}

/// Rewrites comparisons while SQL becomes expressions: DataFusion refuses some, such as text with a boolean, before
/// any rule sees them.
#[derive(Debug)]
pub struct MixedComparisonPlanner {
    /// Where the data ends, in nanoseconds since the epoch.
    pub data_end: Option<i64>,
}

impl ExprPlanner for MixedComparisonPlanner {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
        if !matches!(expr.op, Eq | NotEq | Lt | LtEq | Gt | GtEq) {
            return Ok(PlannerResult::Original(expr));
        }
        let (left, right) = pair(expr.left, expr.right, schema, &Clock::now(self.data_end))?.data;
        Ok(PlannerResult::Original(RawBinaryExpr { op: expr.op, left, right }))
    }
}

#[cfg(test)]
mod tests;
