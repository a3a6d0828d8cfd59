//! Errors about names: what they could mean, and what was perhaps meant.

use datafusion::sql::sqlparser::ast::Ident;
use datafusion::sql::sqlparser::tokenizer::Span;

use super::super::catalog::TableKey;
use super::super::error::EngineError;
use super::scope::{Rel, Scopes};
use spanql_model::names::ALIASES;
use spanql_model::nearest::{as_typed, nearest};

pub(super) fn qualified_name(relation: &Rel, name: &str) -> String {
    let qualifier = relation.title();
    if qualifier.is_empty() { as_typed(name) } else { format!("{qualifier}.{}", as_typed(name)) }
}

pub(super) fn qualified_names<'a>(relations: impl Iterator<Item = &'a Rel>, name: &str) -> Vec<String> {
    relations.map(|relation| qualified_name(relation, name)).collect()
}

pub(super) fn ambiguous(name: &str, names: &[String], span: Span) -> EngineError {
    EngineError::new("ambiguous-name", format!("{} is ambiguous", as_typed(name)))
        .at_span(span)
        .why(format!("it could be {}", names.join(" or ")))
        .help("write which one is meant")
}

pub(super) fn known_names<'a>(relations: impl Iterator<Item = &'a Rel>) -> Vec<&'a str> {
    let mut names = vec![];
    for relation in relations {
        names.extend(relation.columns.shown.iter().map(String::as_str));
        names.extend(ALIASES.iter().filter(|(_, column)| relation.columns.has(column)).map(|(alias, _)| *alias));
    }
    names
}

pub(super) fn relation_title(relation: &Rel) -> String {
    match relation.title() {
        _ if relation.qualifier.is_empty() => "the result".to_owned(),
        _ if relation.unnamed => "the subquery".to_owned(),
        title => title,
    }
}

/// The column that other tools call so.
fn other_word(name: &str) -> Option<&'static str> {
    const WORDS: [(&str, &str); 12] = [
        ("created_at", "start_time"),
        ("duration", "latency_ms"),
        ("duration_ms", "latency_ms"),
        ("elapsed", "latency_ms"),
        ("error_message", "status_message"),
        ("latency", "latency_ms"),
        ("parent_span_id", "parent_id"),
        ("span_name", "name"),
        ("status", "status_code"),
        ("timestamp", "start_time"),
        ("tokens", "total_tokens"),
        ("user", "user_id"),
    ];
    WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(name)).map(|(_, column)| *column)
}

/// The error for a name that is nowhere in scope.
pub(super) fn unknown_column(ident: &Ident, scopes: &Scopes) -> EngineError {
    let name = ident.value.as_str();
    let error = EngineError::new("unknown-column", format!("unknown column {}", as_typed(name))).at_span(ident.span);
    let known = known_names(scopes.iter().flat_map(|level| &level.relations));
    let near = other_word(name).filter(|near| known.contains(near)).or_else(|| nearest(name, known.iter().copied()));
    let text = ident.quote_style == Some('"') && !name.contains('.');
    let error = match (near, text) {
        (Some(near), _) => error.suggest(Some(as_typed(near))),
        (None, true) => error.help(format!("for text, write '{}' in single quotes", name.replace('\'', "''"))),
        (None, false) => error,
    };
    let tables: Vec<String> =
        scopes.last().into_iter().flat_map(|level| &level.relations).map(relation_title).collect();
    match tables.as_slice() {
        [] => error.why("the statement reads no table"),
        [one] => error.why(format!("{one} has no such column")),
        several => error.why(format!("none of {} has it", several.join(", "))),
    }
}

/// The error for a column that only spans in a store have, read from a table that is none.
pub(super) fn only_in_a_store(name: &str, table: &TableKey, span: Span) -> EngineError {
    EngineError::new("unknown-column", format!("unknown column {}", as_typed(name)))
        .at_span(span)
        .why(format!("it is computed when spans enter a store, and {}.{} is read live", table.schema, table.table))
        .help("pull the project first")
}

/// The error for a qualifier that is no relation in scope.
pub(super) fn unknown_relation(qualifier: &[String], name: &str, scopes: &Scopes, span: Span) -> EngineError {
    let typed = qualifier.join(".");
    let titles = scopes.iter().flat_map(|level| &level.relations).map(Rel::title);
    let known: Vec<String> = titles.filter(|title| !title.is_empty()).collect();
    let whole = format!("{typed}.{name}");
    let error = EngineError::new("unknown-column", format!("unknown column {}", as_typed(&whole))).at_span(span);
    let error = error.why(match known.as_slice() {
        [] => format!("no table or alias {typed} is in scope"),
        known => format!("no table or alias {typed} is in scope, but {}", known.join(", ")),
    });
    let columns = known_names(scopes.iter().flat_map(|level| &level.relations));
    match nearest(&typed, known.iter().map(String::as_str)) {
        Some(near) => error.suggest(Some(format!("{near}.{name}"))),
        None => error.suggest(nearest(&whole, columns).map(as_typed)),
    }
}
