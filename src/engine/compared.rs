//! Texts that a statement compares columns with and that no row has: `status_code = 'error'` where it says `ERROR`.
//!
//! Such a condition is right SQL and its answer nothing, which a gate takes for good news.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::catalog::default_table_source::{provider_as_source, source_as_provider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Column, ScalarValue};
use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::logical_expr::expr::{BinaryExpr, InList};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Operator};
use datafusion::prelude::SessionContext;

use super::tree_node::{each_expr_of, each_plan};
use spanql_model::nearest::as_typed;

/// So many different values at most are few.
const FEW: usize = 20;
/// So many comparisons of a statement are looked at.
const MOST: usize = 8;

/// What conventions say: no store need have it for a condition to mean it.
const KNOWN: [&str; 14] = [
    "OK",
    "ERROR",
    "UNSET",
    "AGENT",
    "CHAIN",
    "EMBEDDING",
    "EVALUATOR",
    "GUARDRAIL",
    "LLM",
    "PROMPT",
    "RERANKER",
    "RETRIEVER",
    "TOOL",
    "UNKNOWN",
];

/// A column and a text that it is compared with.
#[derive(Debug, Clone)]
pub(super) struct Compared {
    column: String,
    text: String,
    table: Arc<dyn TableProvider>,
}

/// The equalities of columns of stored tables with texts in a plan.
pub(super) fn compared(
    plan: &LogicalPlan,
    is_stored: &dyn Fn(&Arc<dyn TableProvider>) -> bool,
) -> Result<Vec<Compared>> {
    let mut tables = vec![];
    each_plan(plan, &mut |node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Ok(provider) = source_as_provider(&scan.source)
            && is_stored(&provider)
        {
            tables.push(provider);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    let mut pairs = BTreeSet::new();
    each_expr_of(plan, &mut |expr| {
        let mut add = |column: &Expr, value: &Expr| {
            if let (Expr::Column(column), Expr::Literal(ScalarValue::Utf8(Some(text)), _)) = (column, value)
                && !KNOWN.contains(&text.as_str())
            {
                pairs.insert((column.name.clone(), text.clone()));
            }
        };
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
                add(left, right);
                add(right, left);
            }
            Expr::InList(InList { expr, list, negated: false }) => list.iter().for_each(|value| add(expr, value)),
            _ => {}
        }
    })?;
    let of = |(column, text): (String, String)| {
        let has = |table: &&Arc<dyn TableProvider>| {
            table.schema().field_with_name(&column).is_ok_and(|field| *field.data_type() == DataType::Utf8)
        };
        let table = tables.iter().find(has)?;
        Some(Compared { table: Arc::clone(table), column, text })
    };
    Ok(pairs.into_iter().filter_map(of).take(MOST).collect())
}

impl Compared {
    /// What to say if the text is none of the column's values, and these are few; without a full stop.
    pub(super) async fn remark(&self, state: &SessionState) -> Result<Option<String>> {
        let source = provider_as_source(Arc::clone(&self.table));
        let column = Expr::Column(Column::new_unqualified(&self.column));
        let plan = LogicalPlanBuilder::scan("compared", source, None)?
            .project([column])?
            .distinct()?
            .limit(0, Some(FEW + 2))?
            .build()?;
        let batches = SessionContext::new_with_state(state.clone()).execute_logical_plan(plan).await?.collect().await?;
        let mut values = BTreeSet::new();
        for batch in batches {
            let texts = cast(batch.column(0), &DataType::Utf8)?;
            values.extend(texts.as_string::<i32>().iter().flatten().map(str::to_owned));
        }
        if values.len() > FEW || values.contains(&self.text) {
            return Ok(None);
        }
        let quoted = |text: &String| format!("'{}'", text.replace('\'', "''"));
        let has = match values.len() {
            0 => "it has no value".to_owned(),
            _ => format!("it has {}", values.iter().map(quoted).collect::<Vec<_>>().join(", ")),
        };
        Ok(Some(format!("{} is nowhere {}: {has}", as_typed(&self.column), quoted(&self.text))))
    }
}
