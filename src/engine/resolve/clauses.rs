//! The clauses that may use the names and positions of the same SELECT's output: DISTINCT ON, GROUP BY, HAVING,
//! QUALIFY and ORDER BY.
//!
//! The rules are PostgreSQL's. An output name that stands alone in ORDER BY or DISTINCT ON is the output; alone in
//! GROUP BY it is the output unless FROM has a column of that name. Inside larger expressions it is a column of FROM;
//! where there is none, it is the expression behind the output, which PostgreSQL refuses. A bare integer, as typed, is
//! a position, and nothing else is: neither a parameter nor the value behind a name.

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, Distinct, ExactNumberInfo, Expr, GroupByExpr, Ident, NamedWindowDefinition, NamedWindowExpr,
    OrderBy, OrderByExpr, OrderByKind, OrderByOptions, Query, Select, UnaryOperator, Value, ValueWithSpan,
};
use datafusion::sql::sqlparser::tokenizer::Span;

use super::super::error::EngineError;
use super::super::walk::{Flow, Walk, walk};
use super::Resolver;
use super::ast::{in_lower_case, quoted};
use super::operators::rows_in_subqueries;
use super::outputs::{Output, OutputUse, named};
use super::scope::{Level, Scopes};

/// The output of a SELECT, as the clauses behind it see it.
pub(super) struct SelectOutput<'a> {
    pub(super) items: &'a mut [Output],
    /// How many items a result shows: positions count these.
    pub(super) shown: usize,
    /// Whether there are items that are not known here, so that positions are not either.
    pub(super) opaque: bool,
}

impl SelectOutput<'_> {
    fn at_position(&self, number: &Position) -> Result<usize, EngineError> {
        let index = number.text.parse::<usize>().ok().and_then(|position| position.checked_sub(1));
        match index.filter(|&index| index < self.shown) {
            Some(index) => Ok(index),
            None => Err(EngineError::new("bad-position", format!("{} is no position in the SELECT list", number.text))
                .at_span(number.span)
                .why(format!("its positions are 1 to {}", self.shown))),
        }
    }
}

/// An integer that a person typed where a position can stand.
struct Position {
    text: String,
    span: Span,
}

impl Resolver<'_> {
    /// Everything between the items and ORDER BY.
    pub(super) fn clauses(
        &mut self,
        select: &mut Select,
        output: &mut SelectOutput<'_>,
        level: &Level,
        scopes: &Scopes,
    ) -> Result<(), EngineError> {
        if let Some(Distinct::On(exprs)) = &mut select.distinct {
            for expr in exprs.iter_mut() {
                match self.output_meant(expr, output)? {
                    Some(index) => *expr = output.items[index].expr.clone(),
                    None => self.expressions(expr, scopes, output.items, OutputUse::Expression)?,
                }
            }
            // A key that is there twice is one: ORDER BY names it once, too.
            let mut seen: Vec<Expr> = vec![];
            exprs.retain(|expr| {
                let new = !seen.contains(expr);
                seen.push(expr.clone());
                new
            });
        }
        self.expression(&mut select.prewhere, scopes)?;
        let outer = std::mem::replace(&mut self.not_grouped, true);
        select.selection.as_mut().map(rows_in_subqueries).transpose()?;
        let resolved = self.expressions(&mut select.selection, scopes, output.items, OutputUse::Fallback);
        self.not_grouped = outer;
        resolved?;
        if let GroupByExpr::Expressions(exprs, _) = &mut select.group_by {
            for expr in exprs {
                self.group_key(expr, output, level, scopes)?;
            }
        }
        self.expressions(&mut select.having, scopes, output.items, OutputUse::Expression)?;
        for NamedWindowDefinition(name, definition) in &mut select.named_window {
            in_lower_case(name);
            match definition {
                NamedWindowExpr::NamedWindow(other) => in_lower_case(other),
                NamedWindowExpr::WindowSpec(window) => window.window_name.iter_mut().for_each(in_lower_case),
            }
        }
        self.expressions(&mut select.named_window, scopes, output.items, OutputUse::Expression)?;
        self.expressions(&mut select.qualify, scopes, output.items, OutputUse::Expression)?;
        self.expression(&mut select.cluster_by, scopes)?;
        self.expression(&mut select.distribute_by, scopes)?;
        self.expression(&mut select.sort_by, scopes)
    }

    /// Resolves what GROUP BY names, also inside ROLLUP, CUBE and GROUPING SETS.
    fn group_key(
        &mut self,
        expr: &mut Expr,
        output: &mut SelectOutput<'_>,
        level: &Level,
        scopes: &Scopes,
    ) -> Result<(), EngineError> {
        match expr {
            Expr::Rollup(sets) | Expr::Cube(sets) | Expr::GroupingSets(sets) => {
                walk(&*sets, &mut NoQueries)?;
                for key in sets.iter_mut().flatten() {
                    self.group_key(key, output, level, scopes)?;
                }
                return Ok(());
            }
            Expr::Tuple(keys) => {
                for key in keys {
                    self.group_key(key, output, level, scopes)?;
                }
                return Ok(());
            }
            _ => {}
        }
        let index = match position(expr) {
            Some(number) if !output.opaque => Some(output.at_position(&number)?),
            Some(_) => None,
            None => match bare_name(expr) {
                Some(ident) if !level.names_a_column(&ident.value) => {
                    named(output.items, ident).filter(|&index| !output.items[index].computed)
                }
                _ => None,
            },
        };
        let Some(index) = index else {
            self.expressions(expr, scopes, output.items, OutputUse::GroupExpression)?;
            only_typed_positions(expr);
            return Ok(());
        };
        // The item must stay the same expression as the key, or it would not follow it to null in a subtotal.
        cast_number(&mut output.items[index].expr);
        *expr = output.items[index].expr.clone();
        Ok(())
    }

    pub(super) fn order_by(
        &mut self,
        order_by: &mut OrderBy,
        output: &SelectOutput<'_>,
        scopes: &Scopes,
        distinct_on: bool,
    ) -> Result<(), EngineError> {
        if let OrderByKind::All(options) = &order_by.kind {
            if output.opaque {
                return Err(unknown_columns());
            }
            let all = output.items[..output.shown].iter().map(|item| by_output(&item.name, options));
            order_by.kind = OrderByKind::Expressions(all.collect());
        }
        let OrderByKind::Expressions(exprs) = &mut order_by.kind else { return Ok(()) };
        for by in exprs.iter_mut() {
            let index = match self.output_meant(&by.expr, output)? {
                Some(index) => Some(index),
                None => {
                    self.expressions(&mut by.expr, scopes, output.items, OutputUse::Expression)?;
                    output.items.iter().position(|item| item.expr == by.expr && !is_number(&item.expr))
                }
            };
            match index {
                // DISTINCT ON compares its expressions with those of ORDER BY: both must be over the input.
                Some(index) if distinct_on => by.expr = output.items[index].expr.clone(),
                Some(index) => by.expr = Expr::Identifier(quoted(&output.items[index].name, Span::empty())),
                None => {}
            }
            only_typed_positions(&mut by.expr);
        }
        // What was ordered by before orders nothing, and DISTINCT ON wants no expression twice.
        let mut seen: Vec<Expr> = vec![];
        exprs.retain(|by| {
            let new = !seen.contains(&by.expr);
            seen.push(by.expr.clone());
            new
        });
        Ok(())
    }

    /// The output that a whole expression of ORDER BY or DISTINCT ON means, by position or by name.
    fn output_meant(&self, expr: &Expr, output: &SelectOutput<'_>) -> Result<Option<usize>, EngineError> {
        match position(expr) {
            Some(_) if output.opaque => Ok(None),
            Some(number) => output.at_position(&number).map(Some),
            None => Ok(bare_name(expr).and_then(|ident| named(output.items, ident))),
        }
    }
}

/// Refuses subqueries in what is grouped in several ways.
struct NoQueries;

impl Walk for NoQueries {
    fn pre_visit_query(&mut self, _: &Query) -> Flow {
        let error = EngineError::new("not-supported", "a subquery in ROLLUP, CUBE or GROUPING SETS is not supported");
        Flow::Break(error.help("compute it in a subquery of FROM, and group by its name"))
    }

    fn pre_visit_expr(&mut self, _: &Expr) -> Flow {
        Flow::Continue(())
    }
}

/// One column of a result in `ORDER BY ALL`.
pub(super) fn by_output(name: &str, options: &OrderByOptions) -> OrderByExpr {
    let expr = Expr::Identifier(quoted(name, Span::empty()));
    OrderByExpr { expr, options: *options, with_fill: None }
}

/// The error for `ORDER BY ALL` where it is not known what that is.
pub(super) fn unknown_columns() -> EngineError {
    EngineError::new("not-supported", "ORDER BY ALL cannot be used here")
        .why("the columns of the result are known only when it is planned")
        .help("name the columns")
}

/// An expression without the parentheses around it.
fn unnested(mut expr: &Expr) -> &Expr {
    while let Expr::Nested(inner) = expr {
        expr = inner;
    }
    expr
}

fn bare_name(expr: &Expr) -> Option<&Ident> {
    match unnested(expr) {
        Expr::Identifier(ident) => Some(ident),
        _ => None,
    }
}

/// A typed integer; that of a parameter stands nowhere in the text.
fn position(expr: &Expr) -> Option<Position> {
    match unnested(expr) {
        Expr::Value(ValueWithSpan { value: Value::Number(text, _), span })
            if *span != Span::empty() && text.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            Some(Position { text: text.clone(), span: *span })
        }
        _ => None,
    }
}

fn is_number(expr: &Expr) -> bool {
    matches!(unnested(expr), Expr::Value(ValueWithSpan { value: Value::Number(..), .. }))
}

/// Writes a number that no one typed as a position so that DataFusion does not take it for one.
pub(super) fn only_typed_positions(expr: &mut Expr) {
    if position(expr).is_none() {
        cast_number(expr);
    }
}

fn cast_number(expr: &mut Expr) {
    let number = match unnested(expr) {
        Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr: inner } => unnested(inner),
        other => other,
    };
    let Expr::Value(ValueWithSpan { value: Value::Number(text, _), .. }) = number else { return };
    let data_type = match text.parse::<i64>() {
        Ok(_) => DataType::BigInt(None),
        Err(_) => DataType::Double(ExactNumberInfo::None),
    };
    let number = Box::new(std::mem::replace(expr, Expr::value(Value::Null)));
    *expr = Expr::Cast { kind: CastKind::Cast, expr: number, data_type, format: None, array: false };
}
