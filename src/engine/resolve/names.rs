//! What a name in an expression means.

use datafusion::sql::sqlparser::ast::{Expr, Ident};
use datafusion::sql::sqlparser::tokenizer::Span;

use super::super::catalog::TableKey;
use super::super::error::EngineError;
use super::Resolver;
use super::outputs::Output;
use super::scope::{Level, Match, Rel, Scopes};
use super::time_calls::day;
use super::unknown::{
    ambiguous, known_names, only_in_a_store, qualified_name, qualified_names, relation_title, unknown_column,
    unknown_relation,
};
use spanql_model::derived::indexed;
use spanql_model::names::{expand_alias, is_open_name};
use spanql_model::nearest::{as_typed, nearest};

/// A name and what it means.
pub(super) struct Column {
    pub(super) expr: Expr,
    /// The name of the column behind it.
    pub(super) name: String,
}

/// What FROM has of a name.
enum Found {
    Column(Box<Column>),
    /// Some relation has columns that are not known here.
    Unknown,
    Nothing,
}

/// One way to read a name: the relation it is said to belong to, and the name of its column.
struct Reading {
    qualifier: Vec<String>,
    name: String,
}

impl Resolver<'_> {
    /// The column that a name means, or `None` where that is for DataFusion to find out.
    pub(super) fn column(&mut self, idents: &[Ident], scopes: &Scopes) -> Result<Option<Column>, EngineError> {
        self.column_or(idents, scopes, &|| None)
    }

    /// The column that a name means, or else, if there is none, this output.
    pub(super) fn column_or(
        &mut self,
        idents: &[Ident],
        scopes: &Scopes,
        output: &dyn Fn() -> Option<Output>,
    ) -> Result<Option<Column>, EngineError> {
        let Some((last, qualifiers)) = idents.split_last() else { return Ok(None) };
        if idents[0].quote_style.is_none() && idents[0].value.starts_with('@') {
            return Ok(None);
        }
        let span = idents[0].span;
        let typed_qualifier: Vec<String> = qualifiers.iter().map(|ident| ident.value.clone()).collect();
        if let Some(parts) = self.joined_parts(last).map(<[String]>::to_vec) {
            for split in 1..parts.len().min(4) {
                let qualifier = [typed_qualifier.as_slice(), &parts[..split]].concat();
                let reading = Reading { qualifier, name: parts[split..].join(".") };
                if let Some(column) = self.qualified_if_there(&reading, scopes, span) {
                    return Ok(Some(column));
                }
            }
        }
        let reading = Reading { qualifier: typed_qualifier, name: last.value.clone() };
        if reading.qualifier.is_empty() {
            return self.unqualified(last, scopes, output);
        }
        if let Some(relation) = relation_named(&reading.qualifier, scopes) {
            return self.in_relation(&relation, &reading.name, span);
        }
        // `relation.column.field` and `column.field` of a struct: the column is ours, the field DataFusion's.
        for split in (1..reading.qualifier.len()).rev() {
            let named = relation_named(&reading.qualifier[..split], scopes);
            if let Some(relation) =
                named.filter(|relation| relation.columns.find(&reading.qualifier[split]) != Match::None)
            {
                let Some(Column { expr, name }) = self.in_relation(&relation, &reading.qualifier[split], span)? else {
                    continue;
                };
                let Expr::CompoundIdentifier(mut path) = expr else { continue };
                path.extend(idents[split + 1..].iter().cloned());
                return Ok(Some(Column { expr: field(path), name }));
            }
        }
        let anything_opaque = scopes.iter().any(|level| level.is_opaque());
        match self.unqualified(&idents[0], scopes, &|| None) {
            Ok(Some(Column { expr, name })) => {
                let mut path = match expr {
                    Expr::Identifier(ident) => vec![ident],
                    Expr::CompoundIdentifier(path) => path,
                    _ => return Ok(None),
                };
                path.extend(idents[1..].iter().cloned());
                Ok(Some(Column { expr: field(path), name }))
            }
            _ if anything_opaque => Ok(None),
            _ => Err(unknown_relation(&reading.qualifier, &reading.name, scopes, span)),
        }
    }

    /// Reads a dotted name as a column of a relation that the statement calls like the name's first parts.
    fn qualified_if_there(&self, reading: &Reading, scopes: &Scopes, span: Span) -> Option<Column> {
        let relation = relation_named(&reading.qualifier, scopes)?;
        let name = match relation.columns.find(&reading.name) {
            Match::One(name) => name,
            _ => expand_alias(&reading.name).filter(|target| relation.columns.has(target))?,
        };
        Some(Column { expr: relation.column(&name, span), name })
    }

    fn in_relation(&mut self, relation: &Rel, name: &str, span: Span) -> Result<Option<Column>, EngineError> {
        match relation.columns.find(name) {
            Match::One(found) if indexed(&found).is_some() => return Ok(Some(self.want(relation, found, span))),
            Match::One(found) => return Ok(Some(Column { expr: relation.column(&found, span), name: found })),
            Match::Several(names) => return Err(ambiguous(name, &names, span)),
            Match::None => {}
        }
        let target = expand_alias(name).unwrap_or_else(|| name.to_owned());
        if relation.columns.has(&target) {
            return Ok(Some(Column { expr: relation.column(&target, span), name: target }));
        }
        if let Some(column) = self.estimated(relation, name, span) {
            return Ok(Some(column));
        }
        if is_open_name(&target) && relation.columns.open.is_some() {
            return Ok(Some(self.want(relation, target, span)));
        }
        if relation.columns.opaque {
            return Ok(None);
        }
        if let Some(table) = self.remote_without(&target, std::iter::once(relation)) {
            return Err(only_in_a_store(&target, table, span));
        }
        let error = EngineError::new("unknown-column", format!("unknown column {}", as_typed(name))).at_span(span);
        let near = nearest(name, known_names(std::iter::once(relation)));
        let error = error.why(format!("{} has no such column", relation_title(relation)));
        Err(error.suggest(near.map(as_typed)))
    }

    fn unqualified(
        &mut self,
        ident: &Ident,
        scopes: &Scopes,
        output: &dyn Fn() -> Option<Output>,
    ) -> Result<Option<Column>, EngineError> {
        let (name, span) = (ident.value.as_str(), ident.span);
        let there = self.column_there(ident, scopes);
        if let Ok(Found::Column(column)) = there {
            return Ok(Some(*column));
        }
        if let Some(output) = output() {
            return Ok(Some(Column { expr: output.expr, name: output.name }));
        }
        match there? {
            Found::Unknown => return Ok(None),
            Found::Nothing | Found::Column(_) => {}
        }
        if let Some(column) = self.estimated_in(scopes, name, span)? {
            return Ok(Some(column));
        }
        let target = expand_alias(name);
        let target = target.unwrap_or_else(|| name.to_owned());
        if is_open_name(&target) {
            for level in scopes.iter().rev() {
                let open: Vec<Rel> =
                    level.relations.iter().filter(|relation| relation.columns.open.is_some()).cloned().collect();
                match open.as_slice() {
                    [] => {}
                    [relation] => return Ok(Some(self.want(relation, target, span))),
                    several => return Err(ambiguous(name, &qualified_names(several.iter(), name), span)),
                }
            }
        }
        match self.remote_without(&target, scopes.iter().flat_map(|level| &level.relations)) {
            Some(table) => Err(only_in_a_store(&target, table, span)),
            None => match day(ident) {
                Some(expr) => Ok(Some(Column { expr, name: ident.value.clone() })),
                None => Err(unknown_column(ident, scopes)),
            },
        }
    }

    /// The column that is there of a name, in the innermost FROM that has one.
    fn column_there(&mut self, ident: &Ident, scopes: &Scopes) -> Result<Found, EngineError> {
        let (name, span) = (ident.value.as_str(), ident.span);
        let target = expand_alias(name);
        for level in scopes.iter().rev() {
            if let Some(column) = in_level(level, name, span)? {
                if indexed(&column.name).is_some() {
                    for relation in level.relations.iter().filter(|relation| relation.columns.has(&column.name)) {
                        self.want(relation, column.name.clone(), span);
                    }
                }
                return Ok(Found::Column(Box::new(column)));
            }
            if let Some(target) = &target
                && let Some(column) = in_level_by_alias(level, name, target, span)?
            {
                return Ok(Found::Column(Box::new(column)));
            }
            if level.is_opaque() {
                return Ok(Found::Unknown);
            }
        }
        Ok(Found::Nothing)
    }

    /// The first table read live among some relations, for a name of a column that such tables lack.
    fn remote_without<'a>(&self, name: &str, relations: impl Iterator<Item = &'a Rel>) -> Option<&'a TableKey> {
        let mut tables = relations.filter_map(|relation| relation.columns.open.as_ref());
        tables.find(|table| name.starts_with("tree.") && self.catalog.is_remote(table))
    }

    /// Asks the table behind a relation for a name that is more than a column of it.
    fn want(&mut self, relation: &Rel, name: String, span: Span) -> Column {
        if let Some(table) = &relation.columns.open {
            self.again |= self.wanted.entry(table.clone()).or_default().insert(name.clone());
        }
        Column { expr: relation.column(&name, span), name }
    }
}

/// The field of a struct: in parentheses, so that it is not taken for a column, whose name needs no alias.
fn field(path: Vec<Ident>) -> Expr {
    Expr::Nested(Box::new(Expr::CompoundIdentifier(path)))
}

/// The innermost relation that a qualifier names.
fn relation_named(qualifier: &[String], scopes: &Scopes) -> Option<Rel> {
    scopes.iter().rev().find_map(|level| {
        let best = level.relations.iter().max_by_key(|relation| relation.answers_to(qualifier))?;
        (best.answers_to(qualifier) > 0).then(|| best.clone())
    })
}

/// The real column that a name means in one FROM.
fn in_level(level: &Level, name: &str, span: Span) -> Result<Option<Column>, EngineError> {
    let merged = level.merged.iter().find(|merged| merged.names.iter().any(|known| known == name)).or_else(|| {
        let lower = name.to_lowercase();
        level
            .merged
            .iter()
            .find(|merged| merged.names.iter().any(|known| !known.contains('.') && known.to_lowercase() == lower))
    });
    if let Some(merged) = merged {
        return Ok(Some(Column { expr: merged.expr.clone(), name: merged.column.clone() }));
    }
    let mut exact = vec![];
    let mut other_case = vec![];
    for relation in &level.relations {
        match relation.columns.find(name) {
            Match::One(found) if found == name => exact.push((relation, found)),
            Match::One(found) => other_case.push((relation, found)),
            Match::Several(found) => other_case.extend(found.into_iter().map(|found| (relation, found))),
            Match::None => {}
        }
    }
    let found = if exact.is_empty() { other_case } else { exact };
    match found.as_slice() {
        [] => Ok(None),
        [(relation, found)] => Ok(Some(Column { expr: relation.column(found, span), name: found.clone() })),
        several => {
            let names: Vec<String> = several.iter().map(|(relation, found)| qualified_name(relation, found)).collect();
            Err(ambiguous(name, &names, span))
        }
    }
}

/// The column that an alias stands for in one FROM.
fn in_level_by_alias(level: &Level, name: &str, target: &str, span: Span) -> Result<Option<Column>, EngineError> {
    if let Some(merged) = level.merged.iter().find(|merged| merged.names.iter().any(|known| known == target)) {
        return Ok(Some(Column { expr: merged.expr.clone(), name: merged.column.clone() }));
    }
    let having: Vec<&Rel> = level.relations.iter().filter(|relation| relation.columns.has(target)).collect();
    match having.as_slice() {
        [] => Ok(None),
        [relation] => Ok(Some(Column { expr: relation.column(target, span), name: target.to_owned() })),
        several => Err(ambiguous(name, &qualified_names(several.iter().copied(), name), span)),
    }
}
