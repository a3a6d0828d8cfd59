//! One SELECT: its items and their names, and the clauses that may use these names.

use std::collections::HashSet;

use datafusion::sql::sqlparser::ast::{
    Distinct, ExcludeSelectItem, Expr, Ident, ObjectName, OrderBy, Query, RenameSelectItem, Select, SelectItem,
    SelectItemQualifiedWildcardKind, WildcardAdditionalOptions,
};
use datafusion::sql::sqlparser::tokenizer::Span;

use super::super::catalog::{Catalog, TableKey};
use super::super::error::EngineError;
use super::super::walk::{Flow, Walk, walk};
use super::Resolver;
use super::ast::quoted;
use super::clauses::SelectOutput;
use super::outputs::Output;
use super::query::Shape;
use super::scope::{Level, Match, Rel, Scopes, within};
use super::shadowing::hide_names;
use spanql_model::names::{expand_alias, is_open_name};
use spanql_model::nearest::{as_typed, nearest};

/// A select item on its way: its name is not unique yet.
struct Item {
    name: String,
    expr: Expr,
}

/// The items of a SELECT, and the table whose open names its `*` passes on.
struct Items {
    list: Vec<Item>,
    open: Option<(TableKey, Rel)>,
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
        let mut items = Items { list: vec![], open: None };
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
                self.expression(&mut expr, scopes)?;
                items.list.push(Item { name, expr });
            }
            SelectItem::ExprWithAlias { mut expr, alias } => {
                self.expression(&mut expr, scopes)?;
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

    /// Writes out `*` over some relations.
    fn star(
        &mut self,
        relations: &[usize],
        level: &Level,
        options: WildcardAdditionalOptions,
        scopes: &Scopes,
        items: &mut Items,
    ) -> Result<(), EngineError> {
        let mut list = vec![];
        for &i in relations {
            let relation = &level.relations[i];
            for name in &relation.columns.shown {
                let merged = level.merged.iter().find(|merged| merged.relation == i && merged.column == *name);
                match merged {
                    Some(merged) if relations.len() > 1 => {
                        list.push(Item { name: name.clone(), expr: merged.expr.clone() })
                    }
                    _ if relations.len() > 1 && relation.omitted.contains(name) => {}
                    _ => list.push(Item { name: name.clone(), expr: relation.column(name, Span::empty()) }),
                }
            }
        }
        let open: Vec<&Rel> =
            relations.iter().map(|&i| &level.relations[i]).filter(|relation| relation.columns.open.is_some()).collect();
        if let ([relation], None) = (open.as_slice(), &items.open) {
            items.open = relation.columns.open.clone().map(|table| (table, (*relation).clone()));
        }
        self.star_options(options, &mut list, !open.is_empty(), scopes)?;
        items.list.extend(list);
        Ok(())
    }

    fn star_options(
        &mut self,
        options: WildcardAdditionalOptions,
        list: &mut Vec<Item>,
        open: bool,
        scopes: &Scopes,
    ) -> Result<(), EngineError> {
        let mut dropped: Vec<Ident> = vec![];
        if let Some(except) = options.opt_except {
            dropped.push(except.first_element);
            dropped.extend(except.additional_elements);
        }
        let excluded = match options.opt_exclude {
            Some(ExcludeSelectItem::Single(name)) => vec![name],
            Some(ExcludeSelectItem::Multiple(names)) => names,
            None => vec![],
        };
        dropped.extend(excluded.into_iter().filter_map(|name| name.0.last().and_then(|part| part.as_ident().cloned())));
        for ident in dropped {
            // What no span has need not be left out.
            let absent = expand_alias(&ident.value).unwrap_or_else(|| ident.value.clone());
            if open && is_open_name(&absent) && list.iter().all(|item| item.name != absent && item.name != ident.value)
            {
                continue;
            }
            let name = starred(list, &ident)?;
            if let Some(name) = name {
                list.retain(|item| item.name != name);
            }
        }
        if let Some(ilike) = options.opt_ilike {
            let pattern = ilike.pattern.to_lowercase();
            list.retain(|item| like(&item.name.to_lowercase(), &pattern));
        }
        for replacement in options.opt_replace.into_iter().flat_map(|replace| replace.items) {
            let mut expr = replacement.expr;
            self.expression(&mut expr, scopes)?;
            let name = starred(list, &replacement.column_name)?;
            for item in list.iter_mut().filter(|item| Some(&item.name) == name.as_ref()) {
                item.expr = expr.clone();
            }
        }
        let renamed = match options.opt_rename {
            Some(RenameSelectItem::Single(one)) => vec![one],
            Some(RenameSelectItem::Multiple(several)) => several,
            None => vec![],
        };
        for rename in renamed {
            let name = starred(list, &rename.ident)?;
            for item in list.iter_mut().filter(|item| Some(&item.name) == name.as_ref()) {
                item.name.clone_from(&rename.alias.value);
            }
        }
        Ok(())
    }
}

/// The column of a written-out `*` that EXCEPT, REPLACE or RENAME names; `None` if it is there no more.
fn starred(list: &[Item], ident: &Ident) -> Result<Option<String>, EngineError> {
    let columns = super::scope::Columns::new(list.iter().map(|item| item.name.clone()).collect(), vec![], None);
    if let Match::One(name) = columns.find(&ident.value) {
        return Ok(Some(name));
    }
    if let Match::Several(mut names) = columns.find(&ident.value) {
        // The same name from two relations: all of them are meant.
        return Ok(names.pop());
    }
    let target = expand_alias(&ident.value);
    if let Some(target) = target.filter(|target| columns.has(target)) {
        return Ok(Some(target));
    }
    let near = nearest(&ident.value, columns.shown.iter().map(String::as_str));
    Err(EngineError::new("unknown-column", format!("unknown column {}", as_typed(&ident.value)))
        .at_span(ident.span)
        .why("'*' has no such column")
        .suggest(near.map(as_typed)))
}

/// SQL LIKE without an escape character.
fn like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    // reach[i]: the pattern so far matches the first i characters.
    let mut reach = vec![false; text.len() + 1];
    reach[0] = true;
    for p in pattern {
        let mut next = vec![false; text.len() + 1];
        for i in 0..=text.len() {
            next[i] = match p {
                '%' => reach[i] || (i > 0 && next[i - 1]),
                _ => i > 0 && reach[i - 1] && (p == '_' || p == text[i - 1]),
            };
        }
        reach = next;
    }
    reach[text.len()]
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

#[cfg(test)]
mod tests {
    use super::like;

    #[test]
    fn like_matches() {
        assert!(like("attributes.llm.model_name", "%llm%"));
        assert!(like("abc", "a_c"));
        assert!(like("", "%"));
        assert!(!like("abc", "ab"));
        assert!(!like("abc", "a_b%"));
    }
}
