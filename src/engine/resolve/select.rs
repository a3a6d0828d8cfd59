//! One SELECT: its items and their names, and the clauses that may use these names.

use std::collections::HashSet;

use datafusion::sql::sqlparser::ast::{
    Distinct, Expr, ObjectName, OrderBy, Query, Select, SelectItem, SelectItemQualifiedWildcardKind,
};
use datafusion::sql::sqlparser::tokenizer::Span;

use super::super::catalog::{Catalog, TableKey};
use super::super::error::EngineError;
use super::super::walk::{Flow, Walk, walk};
use super::Resolver;
use super::ast::quoted;
use super::clauses::SelectOutput;
use super::outputs::{Output, OutputUse};
use super::query::Shape;
use super::scope::{Level, Rel, Scopes, within};
use super::shadowing::hide_names;
use spanql_model::names::expand_alias;
use spanql_model::nearest::nearest;

/// A select item on its way: its name is not unique yet.
pub(super) struct Item {
    pub(super) name: String,
    pub(super) expr: Expr,
}

/// The items of a SELECT, and the table whose open names its `*` passes on.
pub(super) struct Items {
    pub(super) list: Vec<Item>,
    pub(super) open: Option<(TableKey, Rel)>,
    /// Those that were given a name: what comes behind them may use it.
    aliased: Vec<Output>,
}

impl Resolver<'_> {
    /// Resolves a SELECT with the ORDER BY that belongs to it.
    ///
    /// With `pass_hidden`, columns that exist for this statement only go through `*` as well, behind all others.
    pub(super) fn select(
        &mut self,
        select: &mut Select,
        order_by: Option<&mut OrderBy>,
        outer: &Scopes,
        pass_hidden: bool,
    ) -> Result<Shape, EngineError> {
        let level = self.from(&mut select.from, outer)?;
        let scopes = within(outer, &level);
        let projection = std::mem::take(&mut select.projection);
        let texts =
            self.parsed.texts.get(&select.select_token.0.span.start).filter(|texts| texts.len() == projection.len());
        let mut opaque_star = false;
        let mut items = Items { list: vec![], open: None, aliased: vec![] };
        let mut opaque_items = vec![];
        for (i, item) in projection.into_iter().enumerate() {
            let text = texts.map(|texts| texts[i].clone());
            if let Some(left_alone) = self.item(item, text, &level, &scopes, &mut items)? {
                opaque_star = true;
                opaque_items.push((items.list.len(), left_alone));
            }
        }
        let mut outputs = name_outputs(items.list, self.catalog);
        let shown: Vec<String> = outputs.iter().map(|output| output.name.clone()).collect();
        let mut hidden = vec![];
        let open = items.open.filter(|_| pass_hidden && !opaque_star);
        if let Some((_, relation)) = &open {
            for name in relation.columns.hidden.iter().filter(|name| !shown.contains(name)) {
                hidden.push(name.clone());
                outputs.push(Output {
                    name: name.clone(),
                    expr: relation.column(name, Span::empty()),
                    computed: false,
                });
            }
        }
        let mut output = SelectOutput { items: &mut outputs, shown: shown.len(), opaque: opaque_star };
        self.clauses(select, &mut output, &level, &scopes)?;
        let mut shadowing = false;
        if let Some(order_by) = order_by {
            let distinct_on = matches!(select.distinct, Some(Distinct::On(_)));
            self.order_by(order_by, &output, &scopes, distinct_on)?;
            shadowing = !opaque_star && hide_names(select, &mut outputs, order_by);
        }
        select.projection = outputs.into_iter().map(select_item).collect();
        for (at, item) in opaque_items.into_iter().rev() {
            select.projection.insert(at, item);
        }
        let from_first = select.projection.is_empty() && !level.relations.is_empty();
        let open = open.map(|(table, _)| table);
        Ok(Shape { shown, hidden, open, opaque: opaque_star || from_first, shadowing })
    }

    /// Resolves one item into the list; what cannot be written out is returned as it is.
    fn item(
        &mut self,
        item: SelectItem,
        text: Option<String>,
        level: &Level,
        scopes: &Scopes,
        items: &mut Items,
    ) -> Result<Option<SelectItem>, EngineError> {
        match item {
            SelectItem::UnnamedExpr(mut expr) => {
                let plain = self.plain_name(&expr, scopes);
                let name = plain.or(text).unwrap_or_else(|| expr.to_string());
                self.expressions(&mut expr, scopes, &items.aliased, OutputUse::Fallback)?;
                check_size(&expr, &items.aliased)?;
                items.list.push(Item { name, expr });
            }
            SelectItem::ExprWithAlias { mut expr, alias } => {
                self.expressions(&mut expr, scopes, &items.aliased, OutputUse::Fallback)?;
                check_size(&expr, &items.aliased)?;
                let computed = holds_groups(&expr, self.catalog);
                items.aliased.push(Output { name: alias.value.clone(), expr: expr.clone(), computed });
                items.list.push(Item { name: alias.value, expr });
            }
            SelectItem::ExprWithAliases { mut expr, aliases } => {
                self.expression(&mut expr, scopes)?;
                return Ok(Some(SelectItem::ExprWithAliases { expr, aliases }));
            }
            SelectItem::Wildcard(options) => {
                if level.is_opaque() || level.relations.is_empty() {
                    return Ok(Some(SelectItem::Wildcard(options)));
                }
                let all = (0..level.relations.len()).collect::<Vec<_>>();
                self.star(&all, level, options, scopes, items)?;
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                let Some(parts) = self.name_parts(&name) else {
                    return Ok(Some(SelectItem::QualifiedWildcard(
                        SelectItemQualifiedWildcardKind::ObjectName(name),
                        options,
                    )));
                };
                let best = (0..level.relations.len())
                    .max_by_key(|&i| (level.relations[i].answers_to(&parts), std::cmp::Reverse(i)));
                match best.filter(|&i| level.relations[i].answers_to(&parts) > 0) {
                    Some(i) if !level.relations[i].columns.opaque => self.star(&[i], level, options, scopes, items)?,
                    Some(_) => {
                        return Ok(Some(SelectItem::QualifiedWildcard(
                            SelectItemQualifiedWildcardKind::ObjectName(name),
                            options,
                        )));
                    }
                    None => return Err(unknown_alias(&name, &parts, level)),
                }
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(mut expr), options) => {
                self.expression(&mut expr, scopes)?;
                return Ok(Some(SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(expr), options)));
            }
        }
        Ok(None)
    }

    /// The output name of an item that is no more than a column: as typed, without the relation it belongs to.
    fn plain_name(&mut self, expr: &Expr, scopes: &Scopes) -> Option<String> {
        let idents = match expr {
            Expr::Identifier(ident) => std::slice::from_ref(ident),
            Expr::CompoundIdentifier(idents) => idents.as_slice(),
            _ => return None,
        };
        let last = idents.last()?;
        let Some(parts) = self.joined_parts(last).map(<[String]>::to_vec) else { return Some(last.value.clone()) };
        // Where the first parts name a relation, they are its qualifier and no part of the name.
        let column = self.column(idents, scopes).ok()??;
        let qualifier_dropped = (1..parts.len()).map(|split| parts[split..].join(".")).find(|rest| {
            let reached = column.name == *rest
                || column.name.eq_ignore_ascii_case(rest)
                || expand_alias(rest).is_some_and(|target| target == column.name);
            reached && expand_alias(&last.value).as_deref() != Some(column.name.as_str())
        });
        if column.name == last.value {
            Some(last.value.clone())
        } else {
            Some(qualifier_dropped.unwrap_or_else(|| last.value.clone()))
        }
    }
}

/// How many parts an expression may have in which the names of other items stand for what these compute.
const MAX_PARTS: usize = 2_000;

/// Refuses an item that is too large with others written out in it: each use of a name doubles what it names.
fn check_size(expr: &Expr, aliased: &[Output]) -> Result<(), EngineError> {
    struct Counter(usize);
    impl Walk for Counter {
        fn pre_visit_expr(&mut self, _: &Expr) -> Flow {
            self.0 += 1;
            if self.0 <= MAX_PARTS {
                return Flow::Continue(());
            }
            let error = EngineError::new("limit", "an item of SELECT is too large");
            let error = error.why("with the names of other items written out it has more than 2000 parts");
            Flow::Break(error.help("compute those in a subquery or WITH"))
        }
    }
    if aliased.is_empty() { Ok(()) } else { walk(expr, &mut Counter(0)) }
}

fn unknown_alias(name: &ObjectName, parts: &[String], level: &Level) -> EngineError {
    let titles: Vec<String> = level.relations.iter().map(Rel::title).collect();
    let typed = parts.join(".");
    let near = nearest(&typed, titles.iter().map(String::as_str));
    EngineError::new("unknown-table", format!("unknown table or alias {typed}"))
        .at_span(super::name_span(name))
        .suggest(near)
}

/// Gives every item a name of its own: a repeated one gets `_2`, `_3`, and so on, past names that are there already.
fn name_outputs(items: Vec<Item>, catalog: &Catalog<'_>) -> Vec<Output> {
    let mut taken: HashSet<String> = items.iter().map(|item| item.name.clone()).collect();
    let mut seen: HashSet<String> = HashSet::new();
    let mut outputs = Vec::with_capacity(items.len());
    for Item { name, expr } in items {
        let computed = holds_groups(&expr, catalog);
        let unique = if seen.insert(name.clone()) {
            name
        } else {
            let mut number = 2_usize;
            loop {
                let candidate = format!("{name}_{number}");
                if taken.insert(candidate.clone()) {
                    break candidate;
                }
                number += 1;
            }
        };
        outputs.push(Output { name: unique, expr, computed });
    }
    outputs
}

/// Whether an expression holds an aggregate or a window function outside of subqueries.
fn holds_groups(expr: &Expr, catalog: &Catalog<'_>) -> bool {
    struct Finder<'a> {
        catalog: &'a Catalog<'a>,
        depth: usize,
        found: bool,
    }
    impl Walk for Finder<'_> {
        fn pre_visit_query(&mut self, _: &Query) -> Flow {
            self.depth += 1;
            Flow::Continue(())
        }
        fn post_visit_query(&mut self, _: &Query) -> Flow {
            self.depth -= 1;
            Flow::Continue(())
        }
        fn pre_visit_expr(&mut self, expr: &Expr) -> Flow {
            if let Expr::Function(function) = expr
                && self.depth == 0
            {
                let name = function.name.0.last().and_then(|part| part.as_ident()).map(|ident| ident.value.as_str());
                self.found |= function.over.is_some() || name.is_some_and(|name| self.catalog.is_aggregate(name));
            }
            Flow::Continue(())
        }
    }
    let mut finder = Finder { catalog, depth: 0, found: false };
    // It never breaks off.
    let _ = walk(expr, &mut finder);
    finder.found
}

fn select_item(output: Output) -> SelectItem {
    let own_name = match &output.expr {
        Expr::Identifier(ident) => Some(&ident.value),
        Expr::CompoundIdentifier(idents) => idents.last().map(|ident| &ident.value),
        _ => None,
    };
    if own_name == Some(&output.name) {
        SelectItem::UnnamedExpr(output.expr)
    } else {
        SelectItem::ExprWithAlias { expr: output.expr, alias: quoted(output.name, Span::empty()) }
    }
}
