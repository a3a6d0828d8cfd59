//! Operators and predicates that DataFusion has other words for, and rows in subqueries.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, ExactNumberInfo, Expr, SetExpr, TableFactor, UnaryOperator,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::super::error::EngineError;
use super::ast::{binary, call};

/// The operator `^`, `^@` or `//` as what it means in DuckDB and PostgreSQL.
pub(super) fn known_operator(left: &Expr, op: &BinaryOperator, right: &Expr) -> Option<Expr> {
    let double = |expr: &Expr| cast(expr.clone(), DataType::Double(ExactNumberInfo::None));
    match op {
        BinaryOperator::BitwiseXor | BinaryOperator::PGExp => Some(call("power", vec![double(left), double(right)])),
        BinaryOperator::PGStartsWith => Some(call("starts_with", vec![left.clone(), right.clone()])),
        BinaryOperator::DuckIntegerDivide | BinaryOperator::MyIntegerDivide => {
            Some(binary(left.clone(), BinaryOperator::Divide, right.clone()))
        }
        _ => None,
    }
}

/// `x LIKE ANY ('a%', 'b%')` as alternatives.
pub(super) fn any_pattern(expr: &Expr) -> Option<Expr> {
    let (Expr::Like { any: true, pattern, .. } | Expr::ILike { any: true, pattern, .. }) = expr else { return None };
    let patterns = match pattern.as_ref() {
        Expr::Tuple(patterns) => patterns.clone(),
        Expr::Array(array) => array.elem.clone(),
        Expr::Nested(inner) => match inner.as_ref() {
            Expr::Array(array) => array.elem.clone(),
            one => vec![one.clone()],
        },
        _ => return None,
    };
    let one = |of: Expr| match expr.clone() {
        Expr::Like { negated, expr, escape_char, .. } => {
            Expr::Like { negated, any: false, expr, pattern: Box::new(of), escape_char }
        }
        Expr::ILike { negated, expr, escape_char, .. } => {
            Expr::ILike { negated, any: false, expr, pattern: Box::new(of), escape_char }
        }
        other => other,
    };
    let alternatives = patterns.into_iter().map(one).reduce(|a, b| binary(a, BinaryOperator::Or, b))?;
    Some(Expr::Nested(Box::new(alternatives)))
}

/// A cast.
pub(super) fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type, format: None, array: false }
}

/// Whether an expression is, by how it is written, true or false.
pub(super) fn is_condition(expr: &Expr) -> bool {
    use BinaryOperator::{And, Eq, Gt, GtEq, Lt, LtEq, NotEq, Or};
    match expr {
        Expr::Nested(inner) => is_condition(inner),
        Expr::BinaryOp { op, .. } => matches!(op, And | Or | Eq | NotEq | Lt | LtEq | Gt | GtEq),
        Expr::UnaryOp { op: UnaryOperator::Not, .. }
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::IsTrue(_)
        | Expr::IsNotTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsNotFalse(_)
        | Expr::IsDistinctFrom(..)
        | Expr::IsNotDistinctFrom(..)
        | Expr::InList { .. }
        | Expr::Between { .. }
        | Expr::Like { .. }
        | Expr::ILike { .. } => true,
        _ => false,
    }
}

/// Writes `(a, b) IN (SELECT …)` among the conditions of WHERE as EXISTS: a row that is unknown to be there is left out like
/// one that is not.
pub(super) fn rows_in_subqueries(condition: &mut Expr) -> Result<(), EngineError> {
    match condition {
        Expr::Nested(inner) => rows_in_subqueries(inner),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            rows_in_subqueries(left)?;
            rows_in_subqueries(right)
        }
        Expr::InSubquery { expr, subquery, negated } => {
            let Expr::Tuple(row) = expr.as_ref() else { return Ok(()) };
            if *negated {
                let error = EngineError::new("not-supported", "NOT IN of rows is not supported");
                return Err(error.help("write NOT EXISTS (SELECT 1 FROM … WHERE …)"));
            }
            let name = |at: usize| format!("\"in {at}\"");
            let columns: Vec<String> = (0..row.len()).map(name).collect();
            let equal: Vec<String> = columns.iter().map(|column| format!("{column} = NULL")).collect();
            let template = format!(
                "EXISTS (SELECT 1 FROM (SELECT 1) AS \"in\"({}) WHERE {})",
                columns.join(", "),
                equal.join(" AND ")
            );
            let parsed = Parser::new(&GenericDialect {}).try_with_sql(&template).and_then(|mut made| made.parse_expr());
            let mut made = parsed.map_err(|error| EngineError::syntax(&error.to_string()))?;
            let select = match &mut made {
                Expr::Exists { subquery, .. } => match subquery.body.as_mut() {
                    SetExpr::Select(select) => Some(select),
                    _ => None,
                },
                _ => None,
            };
            if let Some(select) = select {
                if let Some(TableFactor::Derived { subquery: inner, .. }) =
                    select.from.first_mut().map(|table| &mut table.relation)
                {
                    inner.clone_from(subquery);
                }
                let mut left = row.iter().rev();
                if let Some(selection) = &mut select.selection {
                    fill(selection, &mut left);
                }
            }
            *condition = made;
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Puts values to the right of equalities, the last one first.
fn fill<'a>(condition: &mut Expr, values: &mut impl Iterator<Item = &'a Expr>) {
    match condition {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            fill(right, values);
            fill(left, values);
        }
        Expr::BinaryOp { right, .. } => {
            if let Some(value) = values.next() {
                **right = value.clone();
            }
        }
        _ => {}
    }
}
