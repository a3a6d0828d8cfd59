//! Queries: WITH, set operations, ORDER BY over them, pipes.

use std::rc::Rc;

use datafusion::sql::sqlparser::ast::{
    Cte as SqlCte, Expr, LimitClause, OrderBy, OrderByKind, Query, SetExpr, SetQuantifier, Statement, TableAlias, Value,
};
use datafusion::sql::sqlparser::tokenizer::Location;

use super::super::catalog::TableKey;
use super::super::error::EngineError;
use super::clauses::{by_output, only_typed_positions, unknown_columns};
use super::scope::{Columns, Level, Rel, Scopes, within};
use super::shadowing::show_names;
use super::{Cte, MAX_CTES, Resolver};

/// The columns that a query gives.
#[derive(Debug, Default)]
pub(super) struct Shape {
    pub(super) shown: Vec<String>,
    /// Columns behind the shown ones that exist for this statement only.
    pub(super) hidden: Vec<String>,
    pub(super) open: Option<TableKey>,
    pub(super) opaque: bool,
    /// Whether the SELECT gives its outputs other names than those listed here.
    pub(super) shadowing: bool,
}

impl Shape {
    fn unknown() -> Self {
        Self { opaque: true, ..Self::default() }
    }

    /// The columns as a relation shows them, with the names of a column list in place of the first ones.
    pub(super) fn into_columns(self, alias: Option<&TableAlias>) -> Columns {
        let renamed: Vec<String> =
            alias.into_iter().flat_map(|alias| &alias.columns).map(|column| column.name.value.clone()).collect();
        if self.opaque {
            if renamed.is_empty() { Columns::unknown() } else { Columns::new(renamed, vec![], None) }
        } else if renamed.is_empty() {
            Columns::new(self.shown, self.hidden, self.open)
        } else {
            let kept = self.shown.into_iter().skip(renamed.len());
            Columns::new(renamed.iter().cloned().chain(kept).collect(), vec![], None)
        }
    }
}

/// Where a side of a set operation begins.
fn begin(body: &SetExpr) -> Location {
    match body {
        SetExpr::Select(select) => select.select_token.0.span.start,
        SetExpr::Query(query) => begin(&query.body),
        SetExpr::SetOperation { left, .. } => begin(left),
        _ => Location::empty(),
    }
}

/// Takes the last select items away again.
fn drop_last(body: &mut SetExpr, count: usize) {
    match body {
        SetExpr::Select(select) => {
            let kept = select.projection.len().saturating_sub(count);
            select.projection.truncate(kept);
        }
        SetExpr::Query(query) => drop_last(&mut query.body, count),
        SetExpr::SetOperation { left, right, .. } => {
            drop_last(left, count);
            drop_last(right, count);
        }
        _ => {}
    }
}

/// `FETCH FIRST 5 ROWS ONLY` is `LIMIT 5`.
fn fetch_as_limit(query: &mut Query) {
    let Some(fetch) = query.fetch.take() else { return };
    let one = || Expr::value(Value::Number("1".to_owned(), false));
    let limit = Some(fetch.quantity.unwrap_or_else(one));
    let offset = match query.limit_clause.take() {
        Some(LimitClause::LimitOffset { offset, .. }) => offset,
        _ => None,
    };
    query.limit_clause = Some(LimitClause::LimitOffset { limit, offset, limit_by: vec![] });
}

impl Resolver<'_> {
    /// Resolves a query.
    ///
    /// With `pass_hidden`, the result may have hidden columns behind those it shows: only for a query in FROM or WITH,
    /// whose reader names the columns it wants.
    pub(super) fn query(&mut self, query: &mut Query, outer: &Scopes, pass_hidden: bool) -> Result<Shape, EngineError> {
        let ctes = self.ctes.len();
        let outer_place = std::mem::take(&mut self.not_grouped);
        fetch_as_limit(query);
        if let Some(with) = &mut query.with {
            for cte in &mut with.cte_tables {
                self.cte(cte, with.recursive, outer)?;
            }
        }
        let pass_hidden = pass_hidden && query.pipe_operators.is_empty();
        let shape = match query.body.as_mut() {
            SetExpr::Select(select) => {
                let shape = self.select(select, query.order_by.as_mut(), outer, pass_hidden)?;
                if shape.shadowing {
                    show_names(query, shape.shown.iter().chain(&shape.hidden));
                }
                shape
            }
            body => {
                let shape = self.body(body, outer, pass_hidden)?;
                if let Some(order_by) = &mut query.order_by {
                    self.order_by_columns(order_by, &shape, outer)?;
                }
                shape
            }
        };
        self.ctes.truncate(ctes);
        self.not_grouped = outer_place;
        Ok(if query.pipe_operators.is_empty() { shape } else { Shape::unknown() })
    }

    fn cte(&mut self, cte: &mut SqlCte, recursive: bool, outer: &Scopes) -> Result<(), EngineError> {
        self.cte_count += 1;
        if self.cte_count > MAX_CTES {
            return Err(EngineError::new("limit", "the statement has too many WITH queries")
                .at_span(cte.alias.name.span)
                .why(format!("the limit is {MAX_CTES}"))
                .help("split it into several statements"));
        }
        let before = self.tables;
        let name = cte.alias.name.value.clone();
        let renames = !cte.alias.columns.is_empty();
        let columns = match (recursive, cte.query.body.as_mut(), cte.query.with.is_none()) {
            (true, SetExpr::SetOperation { left, right, .. }, true) => {
                let shape = self.body(left, outer, false)?;
                let columns = Rc::new(shape.into_columns(Some(&cte.alias)));
                self.ctes.push(Rc::new(Cte { name: name.clone(), columns: Rc::clone(&columns), tables: 1 }));
                self.body(right, outer, false)?;
                self.ctes.pop();
                columns
            }
            _ => Rc::new(self.query(&mut cte.query, outer, !renames)?.into_columns(Some(&cte.alias))),
        };
        let tables = (self.tables - before).max(1);
        self.tables = before;
        self.ctes.push(Rc::new(Cte { name, columns, tables }));
        Ok(())
    }

    fn body(&mut self, body: &mut SetExpr, outer: &Scopes, pass_hidden: bool) -> Result<Shape, EngineError> {
        match body {
            SetExpr::Select(select) => self.select(select, None, outer, pass_hidden),
            SetExpr::Query(query) => self.query(query, outer, pass_hidden),
            SetExpr::SetOperation { left, right, op, set_quantifier } => {
                let mut shape = self.body(left, outer, pass_hidden)?;
                let other = self.body(right, outer, pass_hidden)?;
                let by_name = matches!(
                    set_quantifier,
                    SetQuantifier::ByName | SetQuantifier::AllByName | SetQuantifier::DistinctByName
                );
                if !by_name && !shape.opaque && !other.opaque && shape.shown.len() != other.shown.len() {
                    let (one, two) = (shape.shown.len(), other.shown.len());
                    return Err(EngineError::new(
                        "set-operation",
                        format!("the sides of {op} have other numbers of columns"),
                    )
                    .at(begin(right))
                    .why(format!("the left one has {one}, the right one {two}")));
                }
                // Both sides must have the same columns in the same places: either both pass all on, or neither.
                if shape.open != other.open || shape.hidden != other.hidden {
                    drop_last(left, shape.hidden.len());
                    drop_last(right, other.hidden.len());
                    shape.hidden.clear();
                    shape.open = None;
                }
                shape.opaque |= other.opaque && shape.shown.is_empty();
                Ok(shape)
            }
            SetExpr::Values(values) => {
                let width = values.rows.first().map_or(0, |row| row.len());
                self.expression(&mut values.rows, outer)?;
                Ok(Shape { shown: (1..=width).map(|i| format!("column{i}")).collect(), ..Shape::default() })
            }
            SetExpr::Insert(Statement::Insert(insert)) => {
                if let Some(source) = &mut insert.source {
                    self.query(source, outer, false)?;
                }
                Ok(Shape::unknown())
            }
            _ => Ok(Shape::unknown()),
        }
    }

    /// ORDER BY behind a set operation or VALUES sees the columns of the result and nothing else.
    fn order_by_columns(&mut self, order_by: &mut OrderBy, shape: &Shape, outer: &Scopes) -> Result<(), EngineError> {
        if let OrderByKind::All(options) = &order_by.kind {
            if shape.opaque {
                return Err(unknown_columns());
            }
            let all = shape.shown.iter().map(|name| by_output(name, options));
            order_by.kind = OrderByKind::Expressions(all.collect());
        }
        let OrderByKind::Expressions(exprs) = &mut order_by.kind else { return Ok(()) };
        if shape.opaque {
            return Ok(());
        }
        let columns = Columns::new(shape.shown.clone(), vec![], None);
        let scopes = within(outer, &Level::of(Rel::new(vec![], Rc::new(columns))));
        for by in exprs {
            self.expression(&mut by.expr, &scopes)?;
            only_typed_positions(&mut by.expr);
        }
        Ok(())
    }
}
