//! Conditions that hold for no row there is: `status_code = 'error'` where the column says `ERROR`, and `start_time >= '7d'`
//! on data that ended months ago.
//!
//! Such a condition is right SQL and its answer nothing, which a gate takes for good news.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::catalog::default_table_source::{provider_as_source, source_as_provider};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, ScalarValue};
use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::functions::unicode::expr_fn::character_length;
use datafusion::logical_expr::expr::{BinaryExpr, InList, Like, ScalarFunction};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Operator, cast as cast_expr, lit};
use datafusion::prelude::SessionContext;

use super::full_texts::{holds_answers, is_answered};
use super::tables::SegmentsTable;
use super::tree_node::{each_expr_of, each_plan, expr_up};
use spanql_model::columns::{END_TIME, START_TIME};
use spanql_model::nearest::as_typed;
use spanql_trace::TEXT_CHARS;

/// The columns of `traces` that hold beginnings of texts.
const CUT: [&str; 2] = ["input", "output"];
/// So many different values at most are few.
const FEW: usize = 20;
/// So many comparisons of a statement are looked at.
const MOST: usize = 32;

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

/// A column of a stored table and what a statement asks of its texts.
#[derive(Debug, Clone)]
pub(super) struct Compared {
    column: String,
    table: Arc<dyn TableProvider>,
    /// Whether its columns are kept as such, and not made of others.
    kept: bool,
    /// Whether it is the beginning of a text.
    cut: bool,
    asked: Vec<Asked>,
}

/// A condition on one text.
#[derive(Debug, Clone)]
struct Asked {
    condition: Expr,
    /// The condition in words, without the column: `is nowhere 'error'`.
    said: String,
    /// Whether other conditions let rows through, so that the number of rows tells nothing.
    partial: bool,
    /// Whether it looks at the whole of a text that the column has the beginning of.
    whole: bool,
}

/// The comparisons of columns of stored tables with texts in a plan.
pub(super) fn compared(
    plan: &LogicalPlan,
    is_stored: &dyn Fn(&Arc<dyn TableProvider>) -> bool,
) -> Result<Vec<Compared>> {
    let mut tables = vec![];
    let mut found = Found::default();
    each_plan(plan, &mut |node| {
        match node {
            LogicalPlan::SubqueryAlias(alias) if holds_answers(alias.alias.table()) => {
                return Ok(TreeNodeRecursion::Jump);
            }
            LogicalPlan::TableScan(scan) => {
                if let Ok(provider) = source_as_provider(&scan.source)
                    && is_stored(&provider)
                {
                    tables.push((scan.table_name.table().to_owned(), provider));
                }
            }
            LogicalPlan::Filter(filter) => found.see(&filter.predicate, false),
            _ => {}
        }
        if !matches!(node, LogicalPlan::Filter(_)) {
            node.apply_expressions(|expr| {
                found.see(expr, true);
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    let mut compared: Vec<Compared> = vec![];
    for (column, asked) in found.asked {
        let has = |(_, table): &&(String, Arc<dyn TableProvider>)| {
            table.schema().field_with_name(&column.name).is_ok_and(|field| holds_text(field.data_type()))
        };
        let of = column.relation.as_ref().map(|relation| relation.table());
        let named = tables.iter().filter(has).find(|(name, _)| Some(name.as_str()) == of);
        let Some((_, table)) = named.or_else(|| tables.iter().find(has)) else { continue };
        match compared.iter_mut().find(|known| known.column == column.name && Arc::ptr_eq(&known.table, table)) {
            Some(known) => known.asked.push(asked),
            None => {
                let (table, kept) = (Arc::clone(table), table.is::<SegmentsTable>());
                let cut = CUT.contains(&column.name.as_str()) && table.schema().index_of("root_span_id").is_ok();
                compared.push(Compared { column: column.name, table, kept, cut, asked: vec![asked] });
            }
        }
    }
    Ok(compared)
}

fn holds_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item) => *item.data_type() == DataType::Utf8,
        other => *other == DataType::Utf8,
    }
}

/// The conditions on one text that are found in a plan.
#[derive(Default)]
struct Found {
    asked: Vec<(Column, Asked)>,
    /// Whether the current place looks at whole texts.
    whole: bool,
}

impl Found {
    /// Looks at an expression; `partial` where its being false does not leave out a row.
    fn see(&mut self, expr: &Expr, partial: bool) {
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
                self.see(left, partial);
                self.see(right, partial);
            }
            Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::Eq | Operator::NotEq), right }) => {
                let (column, value) = if text_of(left).is_some() { (right, left) } else { (left, right) };
                if let Some(text) = text_of(value) {
                    let equal = column.as_ref().clone().eq(value.as_ref().clone());
                    self.add(column, equal, text, "is nowhere", partial || *op == Operator::NotEq);
                }
            }
            Expr::InList(InList { expr, list, negated }) => {
                for item in list {
                    if let Some(text) = text_of(item) {
                        let equal = expr.as_ref().clone().eq(item.clone());
                        self.add(expr, equal, text, "is nowhere", partial || *negated || list.len() > 1);
                    }
                }
            }
            Expr::Like(Like { negated, expr: column, pattern, .. }) => {
                if let Some(text) = text_of(pattern) {
                    let like = match expr {
                        Expr::Like(like) => Expr::Like(Like { negated: false, ..like.clone() }),
                        other => other.clone(),
                    };
                    self.add(column, like, text, "is nowhere like", partial || *negated);
                }
            }
            Expr::ScalarFunction(ScalarFunction { args, .. }) if is_answered(args) => {
                self.whole = true;
                args.iter().skip(1).for_each(|arg| self.see(arg, partial));
                self.whole = false;
            }
            Expr::ScalarFunction(ScalarFunction { func, args }) => {
                if let [column, value] = args.as_slice()
                    && let Some(text) = text_of(value)
                {
                    match func.name() {
                        "contains" => self.add(column, expr.clone(), text, "nowhere contains", partial),
                        "array_has" => self.add(column, expr.clone(), text, "nowhere holds", partial),
                        "starts_with" => self.add(column, expr.clone(), text, "nowhere begins with", partial),
                        _ => {}
                    }
                }
                args.iter().for_each(|arg| self.see(arg, true));
            }
            Expr::Case(case) => {
                if let Some(column) = &case.expr {
                    for (when, _) in &case.when_then_expr {
                        if let Some(text) = text_of(when) {
                            let equal = column.as_ref().clone().eq(when.as_ref().clone());
                            self.add(column, equal, text, "is nowhere", true);
                        }
                    }
                }
                self.see_inner(expr);
            }
            _ => self.see_inner(expr),
        }
    }

    fn see_inner(&mut self, expr: &Expr) {
        // The visitor cannot fail.
        let _ = expr.apply_children(|inner| {
            self.see(inner, true);
            Ok(TreeNodeRecursion::Continue)
        });
    }

    fn add(&mut self, compared: &Expr, condition: Expr, text: &str, words: &str, partial: bool) {
        let Some((column, plain)) = column_of(compared) else { return };
        let by_convention = column.name.ends_with("kind") || column.name.starts_with("status");
        if by_convention && KNOWN.iter().any(|known| *known == text || !plain && known.eq_ignore_ascii_case(text)) {
            return;
        }
        let quoted = format!("'{}'", text.replace('\'', "''"));
        let said = format!("{words} {quoted}{}", if plain { "" } else { ", in any case" });
        let found = self.asked.len();
        match self.asked.iter_mut().find(|(of, asked)| *of == column && asked.said == said) {
            Some((_, asked)) => {
                asked.partial &= partial;
                asked.whole &= self.whole;
            }
            None if found < MOST => {
                let whole = self.whole;
                self.asked.push((column, Asked { condition, said, partial, whole }));
            }
            None => {}
        }
    }
}

fn text_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(ScalarValue::Utf8(Some(text)), _) => Some(text),
        _ => None,
    }
}

/// The column that an expression is, and whether it is taken as it is; else its letters are of one case, or its nulls
/// are texts.
fn column_of(expr: &Expr) -> Option<(Column, bool)> {
    match expr {
        Expr::Column(column) => Some((column.clone(), true)),
        Expr::ScalarFunction(ScalarFunction { func, args }) => match (func.name(), args.as_slice()) {
            ("lower" | "upper", [inner]) => Some((column_of(inner)?.0, false)),
            ("as_list", [inner]) => column_of(inner),
            ("coalesce", [inner, other]) if text_of(other).is_some() => column_of(inner),
            _ => None,
        },
        _ => None,
    }
}

impl Compared {
    /// What to say where the column holds the beginnings of texts, and any of these is longer.
    pub(super) async fn remark_on_cut(&self, state: &SessionState) -> Result<Option<String>> {
        if !self.cut || self.asked.iter().all(|asked| asked.whole) {
            return Ok(None);
        }
        let source = provider_as_source(Arc::clone(&self.table));
        let column = Expr::Column(Column::new_unqualified(&self.column));
        let length = cast_expr(character_length(column), DataType::Int64);
        let plan = LogicalPlanBuilder::scan("compared", source, None)?
            .filter(length.gt_eq(lit(TEXT_CHARS as i64)))?
            .project([lit(1).alias("cut")])?
            .limit(0, Some(1))?
            .build()?;
        let batches = SessionContext::new_with_state(state.clone()).execute_logical_plan(plan).await?.collect().await?;
        let any = batches.iter().any(|batch| batch.num_rows() > 0);
        Ok(any.then(|| {
            let column = &self.column;
            format!("{column} of traces is looked at in its first 1,024 characters; spans have all of it")
        }))
    }

    /// What to say of each text that is none of the column's values, where these are few; without a full stop. `all` tells
    /// whether all conditions count, or only those beside which others let rows through, of columns that are quick to read.
    pub(super) async fn remarks(&self, state: &SessionState, all: bool) -> Result<Vec<String>> {
        let asked: Vec<&Asked> = self.asked.iter().filter(|asked| all || asked.partial && self.kept).collect();
        if asked.is_empty() {
            return Ok(vec![]);
        }
        let source = provider_as_source(Arc::clone(&self.table));
        let column = Expr::Column(Column::new_unqualified(&self.column));
        let lists = matches!(self.table.schema().field_with_name(&self.column)?.data_type(), DataType::List(_));
        let mut values = LogicalPlanBuilder::scan("compared", source, None)?.project([column.clone()])?;
        if lists {
            values = values.unnest_column(Column::new_unqualified(&self.column))?;
        }
        let values = values.filter(column.clone().is_not_null())?.distinct()?.limit(0, Some(FEW + 1))?;
        let conditions = asked.iter().enumerate().map(|(at, asked)| {
            let condition = expr_up(asked.condition.clone(), &mut |expr| {
                Ok(match expr {
                    Expr::Column(_) => Transformed::yes(column.clone()),
                    // Of a list, the elements.
                    Expr::ScalarFunction(ScalarFunction { func, mut args })
                        if lists && func.name() == "array_has" && args.len() == 2 =>
                    {
                        let text = args.remove(1);
                        Transformed::yes(column.clone().eq(text))
                    }
                    other => Transformed::no(other),
                })
            })?;
            Ok(condition.data.alias(format!("asked {at}")))
        });
        let conditions = conditions.collect::<Result<Vec<_>>>()?;
        let plan = values.project(std::iter::once(column.clone()).chain(conditions))?.build()?;
        let batches = SessionContext::new_with_state(state.clone()).execute_logical_plan(plan).await?.collect().await?;
        let (mut texts, mut held) = (vec![], vec![false; asked.len()]);
        for batch in batches {
            let column = cast(batch.column(0), &DataType::Utf8)?;
            texts.extend(column.as_string::<i32>().iter().flatten().map(str::to_owned));
            for (held, column) in held.iter_mut().zip(batch.columns().iter().skip(1)) {
                *held |= column.as_boolean_opt().is_none_or(|column| column.true_count() > 0);
            }
        }
        // What a cut text goes on with is not known here.
        let is_cut = |text: &String| self.cut && text.chars().nth(TEXT_CHARS - 1).is_some();
        if texts.len() > FEW || texts.iter().any(is_cut) {
            return Ok(vec![]);
        }
        texts.sort();
        let quoted = |text: &String| format!("'{}'", text.replace('\'', "''"));
        let has = match texts.len() {
            0 => "it has no value".to_owned(),
            _ => format!("it has {}", texts.iter().map(quoted).collect::<Vec<_>>().join(", ")),
        };
        let missing = asked.iter().zip(held).filter(|(_, held)| !held);
        Ok(missing.map(|(asked, _)| format!("{} {}: {has}", as_typed(&self.column), asked.said)).collect())
    }
}

/// What to say of the bounds in an optimized plan that lie behind the end of the data; without a full stop.
pub(super) fn beyond(plan: &LogicalPlan, data_end: Option<i64>) -> Result<Vec<String>> {
    let Some(data_end) = data_end else { return Ok(vec![]) };
    let mut any = false;
    each_expr_of(plan, &mut |expr| {
        let bound = match expr {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Gt | Operator::GtEq, right }) => later(left, right),
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Lt | Operator::LtEq, right }) => later(right, left),
            Expr::Between(between) if !between.negated => later(&between.expr, &between.low),
            _ => None,
        };
        any |= bound.is_some_and(|bound| bound > data_end);
    })?;
    if !any {
        return Ok(vec![]);
    }
    let end = DateTime::from_timestamp_nanos(data_end).to_rfc3339_opts(SecondsFormat::Secs, true);
    Ok(vec![format!(
        "the data ends at {end}, before a time that is asked for: an age such as last-7d counts back from there"
    )])
}

/// The time that a column of times must be behind.
fn later(column: &Expr, bound: &Expr) -> Option<i64> {
    match (column, bound) {
        (Expr::Column(column), Expr::Literal(ScalarValue::TimestampNanosecond(Some(nanos), _), _)) => {
            (column.name == START_TIME || column.name == END_TIME).then_some(*nanos)
        }
        _ => None,
    }
}
