//! What of a plan's columns may be null, after rules put functions in the place of operators.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, Operator, Union, binary_expr, lit};
use datafusion::optimizer::AnalyzerRule;

use crate::tree_node::{expr_up, plan_up, with_names};

/// Derives the schemas of all nodes anew; comes after the rules that change expressions.
///
/// DataFusion refuses to group what may be null by its physical plan and not by its logical one. `recompute_schema` does
/// most of it, and leaves a union's schema as it was.
#[derive(Debug)]
pub(super) struct Nullability;

impl AnalyzerRule for Nullability {
    fn name(&self) -> &str {
        "nullability"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let derived = plan_up(plan, &mut |node| match node {
            LogicalPlan::Union(union) => widened(union).map(Transformed::yes),
            // Their conditions are read by what they push them to.
            node @ (LogicalPlan::Filter(_) | LogicalPlan::Join(_) | LogicalPlan::TableScan(_)) => {
                node.recompute_schema().map(Transformed::yes)
            }
            other => with_names(other, &mut |expr| expr_up(expr, &mut |expr| Ok(compared_truth(expr))))?
                .data
                .recompute_schema()
                .map(Transformed::yes),
        });
        derived.data()
    }
}

/// `x IS TRUE` as the comparison that it is planned as: the plan says of it that it may be null, where the test says that it
/// never is.
fn compared_truth(expr: Expr) -> Transformed<Expr> {
    let (value, op, truth) = match expr {
        Expr::IsTrue(value) => (value, Operator::IsNotDistinctFrom, true),
        Expr::IsNotTrue(value) => (value, Operator::IsDistinctFrom, true),
        Expr::IsFalse(value) => (value, Operator::IsNotDistinctFrom, false),
        Expr::IsNotFalse(value) => (value, Operator::IsDistinctFrom, false),
        Expr::IsUnknown(value) => return Transformed::yes(Expr::IsNull(value)),
        Expr::IsNotUnknown(value) => return Transformed::yes(Expr::IsNotNull(value)),
        other => return Transformed::no(other),
    };
    Transformed::yes(binary_expr(*value, op, lit(truth)))
}

/// A column of a union may be null where a column of one of its inputs may.
fn widened(union: Union) -> Result<LogicalPlan> {
    let Union { inputs, schema } = union;
    let fields: Vec<_> = schema
        .iter()
        .enumerate()
        .map(|(at, (_, field))| {
            let nullable = inputs.iter().any(|input| {
                let fields = input.schema().fields();
                fields.get(at).is_none_or(|field| field.is_nullable())
            });
            if nullable && !field.is_nullable() {
                Arc::new(Field::clone(field).with_nullable(true))
            } else {
                Arc::clone(field)
            }
        })
        .collect();
    let qualifiers = schema.iter().map(|(qualifier, _)| qualifier.cloned()).collect();
    let fields = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
    let schema = Arc::new(DFSchema::from_field_specific_qualified_schema(qualifiers, &fields)?);
    Ok(LogicalPlan::Union(Union { inputs, schema }))
}
