//! `*` written out, with EXCEPT, EXCLUDE, REPLACE, RENAME and ILIKE.

use datafusion::sql::sqlparser::ast::{ExcludeSelectItem, Ident, RenameSelectItem, WildcardAdditionalOptions};
use datafusion::sql::sqlparser::tokenizer::Span;

use super::super::error::EngineError;
use super::Resolver;
use super::scope::{Columns, Level, Match, Rel, Scopes};
use super::select::{Item, Items};
use spanql_model::names::{expand_alias, is_open_name};
use spanql_model::nearest::{as_typed, nearest};

impl Resolver<'_> {
    /// Writes out `*` over some relations.
    pub(super) fn star(
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
    let columns = Columns::new(list.iter().map(|item| item.name.clone()).collect(), vec![], None);
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
