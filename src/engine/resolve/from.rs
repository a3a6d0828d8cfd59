//! FROM: tables, subqueries, joins.

use std::collections::HashSet;
use std::rc::Rc;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, FunctionArg, Ident, Join, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart,
    TableAlias, TableFactor, TableWithJoins,
};
use datafusion::sql::sqlparser::tokenizer::Span;

use super::super::catalog::SCHEMA;
use super::super::error::EngineError;
use super::super::limits::MAX_JOINS;
use super::super::table_functions;
use super::super::tables::has_estimates;
use super::ast::{call, name_span, object_name, quoted};
use super::file_tables::file_named;
use super::lists::as_list;
use super::names::Column;
use super::query::Shape;
use super::scope::{Level, Merged, Rel, Scopes, within};
use super::{Call, Resolver};
use spanql_model::names::expand_alias;

/// How many relations one FROM may list.
const MAX_RELATIONS: usize = MAX_JOINS;

impl Resolver<'_> {
    pub(super) fn from(&mut self, from: &mut [TableWithJoins], outer: &Scopes) -> Result<Level, EngineError> {
        if from.len() > MAX_RELATIONS {
            return Err(EngineError::new("limit", "FROM lists too many tables")
                .why(format!("the limit is {MAX_RELATIONS}"))
                .help("split it into several statements"));
        }
        let mut level = Level::default();
        for table in from {
            let joined = self.table_with_joins(table, outer, &level)?;
            level.append(joined);
        }
        let mut seen = HashSet::new();
        match level
            .relations
            .iter()
            .find(|relation| !relation.qualifier.is_empty() && !seen.insert(&relation.qualifier))
        {
            Some(twice) => {
                Err(EngineError::new("ambiguous-name", format!("two tables in FROM are called {}", twice.title()))
                    .help("give one of them another alias"))
            }
            None => Ok(level),
        }
    }

    /// Table functions are found by their lower case names.
    fn lower_function(&mut self, name: &mut ObjectName) {
        for part in &mut name.0 {
            if let ObjectNamePart::Identifier(ident) = part
                && ident.quote_style.is_none()
            {
                ident.value = ident.value.to_lowercase();
                let call = || Call { place: ident.span.start, grouped: false, typed: ident.value.clone() };
                self.places.functions.entry(ident.value.clone()).or_insert_with(call);
            }
        }
    }

    /// `before` are the relations to the left, which LATERAL ones may read.
    fn table_with_joins(
        &mut self,
        table: &mut TableWithJoins,
        outer: &Scopes,
        before: &Level,
    ) -> Result<Level, EngineError> {
        let mut left = self.factor(&mut table.relation, outer, before)?;
        for join in &mut table.joins {
            let mut visible = before.clone();
            visible.append(left.clone());
            let right = self.factor(&mut join.relation, outer, &visible)?;
            left = self.join(join, left, right, outer)?;
        }
        Ok(left)
    }

    fn factor(&mut self, factor: &mut TableFactor, outer: &Scopes, before: &Level) -> Result<Level, EngineError> {
        match factor {
            TableFactor::Table { name, alias, args, .. } if file_named(name, args.as_ref()).is_some() => {
                let typed = file_named(name, args.as_ref()).unwrap_or_default();
                *args = None;
                self.file(name, alias, &typed).map(Level::of)
            }
            TableFactor::Table { name, alias, args: None, .. } => {
                self.table_reference(name, alias.as_ref()).map(Level::of)
            }
            TableFactor::Table { name, alias, args: Some(arguments), .. } => {
                if let Some(relation) = self.function_table(name, &arguments.args, alias)? {
                    if let TableFactor::Table { args, .. } = factor {
                        *args = None;
                    }
                    return Ok(Level::of(relation));
                }
                self.expression(&mut arguments.args, &within(outer, before))?;
                self.lower_function(name);
                Ok(Level::of(opaque(alias.as_ref(), name.0.last().and_then(|part| part.as_ident()))))
            }
            TableFactor::Derived { lateral, subquery, alias, .. } => {
                let scopes = if *lateral { within(outer, before) } else { outer.clone() };
                let renames = alias.as_ref().is_some_and(|alias| !alias.columns.is_empty());
                let shape = self.query(subquery, &scopes, !renames)?;
                let columns = Rc::new(shape.into_columns(alias.as_ref()));
                // A name of its own keeps the subquery's columns apart from the output names around it.
                let unnamed = alias.is_none();
                let alias = alias.get_or_insert_with(|| {
                    self.unnamed += 1;
                    TableAlias {
                        explicit: true,
                        name: quoted(format!("subquery_{}", self.unnamed), Span::empty()),
                        columns: vec![],
                        at: None,
                    }
                });
                Ok(Level::of(Rel { unnamed, ..Rel::new(vec![alias.name.value.clone()], columns) }))
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                let level = self.table_with_joins(table_with_joins, outer, before)?;
                match alias {
                    Some(alias) => Ok(Level::of(opaque(Some(alias), None))),
                    None => Ok(level),
                }
            }
            TableFactor::UNNEST { alias, array_exprs, .. } => {
                self.expression(array_exprs, &within(outer, before))?;
                array_exprs.iter_mut().for_each(as_list);
                Ok(Level::of(opaque(alias.as_ref(), None)))
            }
            TableFactor::Function { name, args, alias, .. } => {
                let own = name.0.last().and_then(|part| part.as_ident()).map(|ident| ident.value.to_lowercase());
                if let Some(own) = own.filter(|own| table_functions::is_table_function(self.catalog, own)) {
                    return Err(EngineError::new("not-supported", format!("{own} cannot be LATERAL"))
                        .at_span(name_span(name))
                        .why("a table function is called before any row is read")
                        .help("give it a constant, or join the tables that it reads"));
                }
                self.expression(args, &within(outer, before))?;
                self.lower_function(name);
                Ok(Level::of(opaque(alias.as_ref(), name.0.last().and_then(|part| part.as_ident()))))
            }
            TableFactor::TableFunction { expr, alias } => {
                self.expression(expr, &within(outer, before))?;
                Ok(Level::of(opaque(alias.as_ref(), None)))
            }
            TableFactor::Pivot { table, alias, .. }
            | TableFactor::Unpivot { table, alias, .. }
            | TableFactor::MatchRecognize { table, alias, .. } => {
                self.factor(table, outer, before)?;
                Ok(Level::of(opaque(alias.as_ref(), None)))
            }
            _ => Ok(Level::of(opaque(None, None))),
        }
    }

    /// A table or WITH query by its name, which is rewritten to the exact one.
    pub(super) fn table_reference(
        &mut self,
        name: &mut ObjectName,
        alias: Option<&TableAlias>,
    ) -> Result<Rel, EngineError> {
        let span = name_span(name);
        let Some(parts) = self.name_parts(name) else { return Ok(opaque(alias, None)) };
        if let [only] = parts.as_slice()
            && let Some(cte) = self.cte_named(only)
        {
            self.count_tables(cte.tables)?;
            *name = object_name(std::slice::from_ref(&cte.name), span);
            let columns = match alias.filter(|alias| !alias.columns.is_empty()) {
                None => Rc::clone(&cte.columns),
                Some(_) => Rc::new(
                    Shape { shown: cte.columns.shown.clone(), opaque: cte.columns.opaque, ..Shape::default() }
                        .into_columns(alias),
                ),
            };
            return Ok(Rel::new(
                vec![alias.map_or_else(|| cte.name.clone(), |alias| alias.name.value.clone())],
                columns,
            ));
        }
        let found = self.catalog.table(&parts).map_err(|error| match error.code() {
            // Other errors of a remote are about the remote, not about a place in the text.
            "not-found" => error.at_span(span),
            _ => error,
        })?;
        let Some(table) = found else { return Err(self.unknown_table(name, &parts)) };
        self.count_tables(1)?;
        let path = table.key.path(parts.len());
        *name = object_name(&path, span);
        let hidden: Vec<String> = self.wanted.get(&table.key).into_iter().flatten().cloned().collect();
        let open = table.spans.then(|| table.key.clone());
        let shape = Shape { shown: table.columns, hidden, open, opaque: false, shadowing: false };
        let qualifier = alias.map_or(path, |alias| vec![alias.name.value.clone()]);
        let mut columns = shape.into_columns(alias);
        columns.estimates = (table.key.schema == SCHEMA && has_estimates(&table.key.table)).then_some(table.key);
        Ok(Rel::new(qualifier, Rc::new(columns)))
    }

    fn cte_named(&self, name: &str) -> Option<Rc<super::Cte>> {
        let lower = name.to_lowercase();
        let exact = self.ctes.iter().rev().find(|cte| cte.name == name);
        exact.or_else(|| self.ctes.iter().rev().find(|cte| cte.name.to_lowercase() == lower)).cloned()
    }

    /// The call of a table function of the engine, as a table of this statement.
    fn function_table(
        &mut self,
        name: &mut ObjectName,
        args: &[FunctionArg],
        alias: &mut Option<TableAlias>,
    ) -> Result<Option<Rel>, EngineError> {
        let parts = self.name_parts(name).unwrap_or_default();
        let [function] = parts.as_slice() else { return Ok(None) };
        let span = name_span(name);
        let Some(made) = table_functions::call(self.catalog, function, args, span)? else { return Ok(None) };
        self.count_tables(1)?;
        let key = made.key.clone();
        *name = object_name(&key.path(1), span);
        let alias = alias.get_or_insert_with(|| TableAlias {
            explicit: true,
            name: quoted(function.to_lowercase(), span),
            columns: vec![],
            at: None,
        });
        let hidden: Vec<String> = self.wanted.get(&key).into_iter().flatten().cloned().collect();
        let shape = Shape {
            shown: made.columns.clone(),
            hidden,
            open: made.spans.then(|| key.clone()),
            opaque: false,
            shadowing: false,
        };
        let relation = Rel::new(vec![alias.name.value.clone()], Rc::new(shape.into_columns(Some(alias))));
        if !self.function_tables.iter().any(|known| known.key == key) {
            self.function_tables.push(made);
        }
        Ok(Some(relation))
    }

    fn join(&mut self, join: &mut Join, left: Level, right: Level, outer: &Scopes) -> Result<Level, EngineError> {
        named_side(&mut join.join_operator);
        let side = Side::of(&join.join_operator);
        let Some(constraint) = constraint(&mut join.join_operator) else {
            let mut both = left;
            both.append(right);
            return Ok(both);
        };
        let mut both = left.clone();
        let offset = both.relations.len();
        both.append(right.clone());
        let names: Vec<Ident> = match constraint {
            JoinConstraint::On(expr) => {
                self.expression(expr, &within(outer, &both))?;
                vec![]
            }
            JoinConstraint::Using(_) | JoinConstraint::Natural if left.is_opaque() || right.is_opaque() => vec![],
            JoinConstraint::Using(names) => {
                names.iter().filter_map(|name| name.0.last().and_then(|part| part.as_ident().cloned())).collect()
            }
            JoinConstraint::Natural => {
                common_columns(&left, &right).into_iter().map(|name| quoted(name, Span::empty())).collect()
            }
            JoinConstraint::None => vec![],
        };
        let mut equalities = None;
        let (left_scopes, right_scopes) = (within(&Scopes::default(), &left), within(&Scopes::default(), &right));
        for ident in names {
            let (Some(a), Some(b)) = (
                self.column(std::slice::from_ref(&ident), &left_scopes)?,
                self.column(std::slice::from_ref(&ident), &right_scopes)?,
            ) else {
                continue;
            };
            merge(&mut both, offset, &ident, &a, &b, side);
            let equal = Expr::BinaryOp { left: Box::new(a.expr), op: BinaryOperator::Eq, right: Box::new(b.expr) };
            equalities = Some(match equalities {
                None => equal,
                Some(before) => {
                    Expr::BinaryOp { left: Box::new(before), op: BinaryOperator::And, right: Box::new(equal) }
                }
            });
        }
        if let Some(equalities) = equalities {
            *constraint = JoinConstraint::On(equalities);
        }
        Ok(match side {
            Side::OnlyLeft => left,
            Side::OnlyRight => right,
            _ => both,
        })
    }
}

/// Writes out which side a semi join shows.
fn named_side(operator: &mut JoinOperator) {
    *operator = match std::mem::replace(operator, JoinOperator::CrossJoin(JoinConstraint::None)) {
        JoinOperator::Semi(constraint) => JoinOperator::LeftSemi(constraint),
        JoinOperator::Anti(constraint) => JoinOperator::LeftAnti(constraint),
        other => other,
    };
}

/// Which side of a join gives the value of a column that both have.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Side {
    Left,
    Right,
    Either,
    OnlyLeft,
    OnlyRight,
}

impl Side {
    fn of(operator: &JoinOperator) -> Self {
        match operator {
            JoinOperator::Right(_) | JoinOperator::RightOuter(_) => Self::Right,
            JoinOperator::FullOuter(_) => Self::Either,
            JoinOperator::Semi(_) | JoinOperator::LeftSemi(_) | JoinOperator::Anti(_) | JoinOperator::LeftAnti(_) => {
                Self::OnlyLeft
            }
            JoinOperator::RightSemi(_) | JoinOperator::RightAnti(_) => Self::OnlyRight,
            _ => Self::Left,
        }
    }
}

fn constraint(operator: &mut JoinOperator) -> Option<&mut JoinConstraint> {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint)
        | JoinOperator::CrossJoin(constraint)
        | JoinOperator::Semi(constraint)
        | JoinOperator::LeftSemi(constraint)
        | JoinOperator::RightSemi(constraint)
        | JoinOperator::Anti(constraint)
        | JoinOperator::LeftAnti(constraint)
        | JoinOperator::RightAnti(constraint)
        | JoinOperator::AsOf { constraint, .. }
        | JoinOperator::StraightJoin(constraint) => Some(constraint),
        _ => None,
    }
}

/// The columns that both sides show, in the order of the left one.
fn common_columns(left: &Level, right: &Level) -> Vec<String> {
    let shown = |level: &Level| -> Vec<String> {
        let each =
            level.relations.iter().flat_map(|r| r.columns.shown.iter().filter(|name| !r.omitted.contains(*name)));
        each.cloned().collect()
    };
    let there = shown(right);
    shown(left).into_iter().filter(|name| there.contains(name)).collect()
}

/// Records that two columns are one from here on.
fn merge(both: &mut Level, offset: usize, ident: &Ident, a: &Column, b: &Column, side: Side) {
    let expr = match side {
        Side::Right => b.expr.clone(),
        Side::Either => call("coalesce", vec![a.expr.clone(), b.expr.clone()]),
        _ => a.expr.clone(),
    };
    let has = |relation: &Rel, name: &str| relation.columns.has(name) && !relation.omitted.contains(name);
    if a.name == b.name
        && let Some(relation) = both.relations[offset..].iter_mut().find(|relation| has(relation, &b.name))
    {
        relation.omitted.insert(b.name.clone());
    }
    let mut names = vec![ident.value.clone(), a.name.clone()];
    names.extend((a.name == b.name).then(|| expand_alias(&ident.value)).flatten());
    if let Some(earlier) = both.merged.iter_mut().find(|merged| merged.column == a.name && merged.relation < offset) {
        earlier.names.extend(names);
        earlier.expr = expr;
        return;
    }
    let relation = both.relations[..offset].iter().position(|relation| has(relation, &a.name)).unwrap_or(0);
    // Under another name than the right column's, the left column itself stays what it is.
    if a.name != b.name {
        names = vec![ident.value.clone()];
    }
    let column = if a.name == b.name { a.name.clone() } else { String::new() };
    both.merged.push(Merged { names, relation, column, expr });
}

/// A relation whose columns are known at most from its column list.
fn opaque(alias: Option<&TableAlias>, name: Option<&Ident>) -> Rel {
    let columns = Shape { opaque: true, ..Shape::default() }.into_columns(alias);
    let qualifier = alias.map(|alias| alias.name.value.clone()).or_else(|| name.map(|name| name.value.clone()));
    Rel::new(qualifier.into_iter().collect(), Rc::new(columns))
}
