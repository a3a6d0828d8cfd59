//! Integers that never wrap around.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::BinaryExpr;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Operator, cast};
use datafusion::optimizer::AnalyzerRule;

use super::functions::bounded::{Limit, joined};
use super::functions::checked::{checked, checked_negative};
use super::tree_node::{expr_up, plan_up, with_names};

/// Differences of counts as signed numbers, ahead of DataFusion's coercion: two ranks or lengths are unsigned there, and
/// so would be what lies between them.
#[derive(Debug)]
pub(super) struct SignedDifferences;

impl AnalyzerRule for SignedDifferences {
    fn name(&self) -> &str {
        "signed_differences"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        rewrite(plan, signed)
    }
}

/// Checked arithmetic in the place of what wraps around, after DataFusion's coercion has made both sides one type.
///
/// So is `||`, of which a few levels make a text of any length.
#[derive(Debug)]
pub(super) struct CheckedArithmetic(pub(super) Limit);

impl AnalyzerRule for CheckedArithmetic {
    fn name(&self) -> &str {
        "checked_arithmetic"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        rewrite(plan, |expr, schema| arithmetic(expr, schema, self.0))
    }
}

fn rewrite(plan: LogicalPlan, each: impl Fn(Expr, &DFSchema) -> Transformed<Expr>) -> Result<LogicalPlan> {
    let rewritten = plan_up(plan, &mut |node| {
        let schema = merge_schema(&node.inputs());
        let rewritten = with_names(node, &mut |expr| expr_up(expr, &mut |expr| Ok(each(expr, &schema))))?;
        if rewritten.transformed { rewritten.map_data(LogicalPlan::recompute_schema) } else { Ok(rewritten) }
    })?;
    Ok(rewritten.data)
}

fn type_of(expr: &Expr, schema: &DFSchema) -> DataType {
    // An expression without a type is an error of its own, which DataFusion tells.
    expr.get_type(schema).unwrap_or(DataType::Null)
}

fn signed(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let unsigned = |expr: &Expr| type_of(expr, schema).is_unsigned_integer();
    let as_signed = |expr: Box<Expr>| Box::new(cast(*expr, DataType::Int64));
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: op @ Operator::Minus, right })
            if unsigned(&left) && unsigned(&right) =>
        {
            Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(as_signed(left), op, as_signed(right))))
        }
        other => Transformed::no(other),
    }
}

fn arithmetic(expr: Expr, schema: &DFSchema, limit: Limit) -> Transformed<Expr> {
    let wraps = |expr: &Expr| {
        let data_type = type_of(expr, schema);
        data_type.is_integer() || matches!(data_type, DataType::Interval(_))
    };
    let made = match &expr {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: op @ (Operator::Plus | Operator::Minus | Operator::Multiply),
            right,
        }) if wraps(left) && type_of(left, schema) == type_of(right, schema) => checked(left, *op, right),
        Expr::Negative(value) if wraps(value) || matches!(type_of(value, schema), DataType::Duration(_)) => {
            Some(checked_negative(value))
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::StringConcat, right })
            if matches!(type_of(left, schema), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
                && type_of(left, schema) == type_of(right, schema) =>
        {
            Some(joined(left.as_ref().clone(), right.as_ref().clone(), limit))
        }
        _ => None,
    };
    match made {
        Some(made) => Transformed::yes(made),
        None => Transformed::no(expr),
    }
}
