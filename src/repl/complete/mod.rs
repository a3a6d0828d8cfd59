//! Completion: from the text before the cursor and a snapshot of the catalog to what could stand there.
//!
//! ```text
//! words.rs  the snapshot
//! place.rs  what stands at the cursor: a table, a name, a value, …
//! ```
//!
//! Nothing here asks the store for anything.

mod place;
mod words;

use place::{Kind, Place, named, place, relations};
pub use words::{TableWords, Words};

use super::command::{self, COMMANDS, Takes};
use super::highlight::{OWN, SHOWN};
use super::input::Items;
use spanql_model::columns::METADATA_PREFIX;
use spanql_model::names::{ALIASES, expand_alias};
use spanql_model::nearest::as_typed;
use spanql_output::escape_terminal;

/// Candidates beyond this many help nobody.
const MOST: usize = 500;

/// The words that a statement can begin with.
const BEGINNINGS: [&str; 9] =
    ["SELECT", "WITH", "EXPLAIN", "DESCRIBE", "FROM", "SUMMARIZE", "SHOW TABLES", "SHOW COLUMNS FROM", "TABLE"];

/// Functions of FROM that take the id of a trace, and of a session.
const OF_TRACE: [&str; 2] = ["trace", "critical_path"];
const OF_SESSION: &str = "session";

/// What could stand in the place of a begun word.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Completion {
    /// Where the begun word begins, in bytes.
    pub start: usize,
    /// What could stand from there to the cursor, the likeliest first.
    pub candidates: Vec<String>,
    /// Whether names of files could stand there, too.
    pub files: bool,
}

/// Completes the word before the cursor, which is at the byte `at` of the text.
pub fn complete(words: &Words, text: &str, at: usize) -> Completion {
    let Some((before, after)) = text.split_at_checked(at) else { return Completion::default() };
    let items = Items::of(before);
    let found = match items.command {
        Some(start) => shifted(of_command(words, &before[start..]), start),
        None => {
            let rest = items.rest;
            let end = after.find(';').unwrap_or(after.len());
            let whole = format!("{}{}", &before[rest..], &after[..end]);
            shifted(of_statement(words, &before[rest..], &whole), rest)
        }
    };
    Completion { candidates: distinct(found.candidates), ..found }
}

fn shifted(found: Completion, by: usize) -> Completion {
    Completion { start: found.start + by, ..found }
}

/// Each once, and none that a terminal would not show as it is: names and values come from strangers.
fn distinct(candidates: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    let safe = candidates.into_iter().filter(|text| matches!(escape_terminal(text), std::borrow::Cow::Borrowed(_)));
    safe.filter(|text| seen.insert(text.clone())).take(MOST).collect()
}

fn begins(candidate: &str, typed: &str) -> bool {
    candidate.len() >= typed.len()
        && candidate.is_char_boundary(typed.len())
        && candidate[..typed.len()].eq_ignore_ascii_case(typed)
}

fn of_command(words: &Words, line: &str) -> Completion {
    let (name, _) = command::parts(line);
    let sign = &line[..1];
    let named = 1 + name.len();
    if line.len() <= named {
        let names = COMMANDS.iter().map(|command| command.name);
        // The names of other shells go with their dot.
        let also = COMMANDS.iter().flat_map(|command| command.also.iter().copied()).filter(|_| sign == ".");
        let mut names: Vec<&str> = names.chain(also).filter(|known| begins(known, name)).collect();
        names.sort_unstable();
        let candidates =
            names.into_iter().filter(|name| sign == "\\" || name.starts_with(|c: char| c.is_ascii_alphabetic()));
        return Completion {
            start: 0,
            candidates: candidates.map(|name| format!("{sign}{name} ")).collect(),
            files: false,
        };
    }
    let Ok(command) = command::find(name) else { return Completion::default() };
    let blank = line.rmatch_indices(char::is_whitespace).next();
    let start = blank.map_or(named, |(at, blank)| at + blank.len());
    let word = &line[start..];
    let first = line[named..start].trim().is_empty();
    let among = |names: &[String]| names.iter().filter(|name| begins(name, word)).cloned().collect::<Vec<_>>();
    let candidates = match command.takes {
        Takes::Table if first => {
            words.tables.iter().map(|table| table.name.clone()).filter(|name| begins(name, word)).collect()
        }
        Takes::TraceId if first => Words::beginning(&words.trace_ids, word).iter().take(MOST).cloned().collect(),
        Takes::SessionId if first => Words::beginning(&words.session_ids, word).iter().take(MOST).cloned().collect(),
        Takes::Query if first => among(&words.queries),
        Takes::Report if first => among(&words.reports),
        Takes::Project if first => among(&words.projects),
        Takes::Variable if first => among(&words.variables),
        Takes::Format if first => {
            let formats = spanql_output::Format::NAMES.iter().filter(|name| begins(name, word));
            formats.map(|name| (*name).to_owned()).collect()
        }
        Takes::Switch if first => {
            ["on", "off"].iter().filter(|name| begins(name, word)).map(|name| (*name).to_owned()).collect()
        }
        Takes::Remote if first => among(&words.sources),
        Takes::Sql => {
            let sql = line[named..].trim_start();
            return shifted(of_statement(words, sql, sql), line.len() - sql.len());
        }
        Takes::Filter | Takes::Pattern => return of_filter(words, line, named),
        Takes::File => return Completion { start, candidates: Vec::new(), files: true },
        _ => Vec::new(),
    };
    Completion { start, candidates, files: false }
}

/// A condition over spans, alone or in the last brace of a pattern.
fn of_filter(words: &Words, line: &str, named: usize) -> Completion {
    let from = line.rfind('{').map_or(named, |brace| brace + 1).max(named);
    const BEFORE: &str = "SELECT 1 FROM spans WHERE ";
    let statement = format!("{BEFORE}{}", line[from..].trim_start());
    let found = of_statement(words, &statement, &statement);
    let shift = line.len() - (statement.len() - BEFORE.len());
    // Functions and most keywords are not part of filters.
    let known = |text: &String| {
        let word = text.trim_end();
        !word.ends_with('(') && (!is_keyword(word) || FILTER_WORDS.contains(&word.to_uppercase().as_str()))
    };
    let candidates = found.candidates.into_iter().filter(known).collect();
    Completion { start: (found.start + shift).saturating_sub(BEFORE.len()), candidates, files: false }
}

const FILTER_WORDS: [&str; 11] =
    ["AND", "OR", "NOT", "IN", "IS", "NULL", "LIKE", "ILIKE", "BETWEEN", "CONTAINS", "TRUE"];

fn is_keyword(word: &str) -> bool {
    keywords().any(|keyword| keyword.eq_ignore_ascii_case(word))
}

fn keywords() -> impl Iterator<Item = String> {
    SHOWN.iter().map(|keyword| format!("{keyword:?}")).chain(OWN.map(str::to_owned))
}

/// Completes the end of `before`, the statement up to the cursor; `whole` is all of it.
fn of_statement(words: &Words, before: &str, whole: &str) -> Completion {
    let Place { start, kind } = place(before);
    let word = &before[start..];
    // The begun word is none of the statement's names yet.
    let others = || relations(&format!("{} {}", &before[..start], &whole[before.len()..]));
    let files = kind == Kind::File;
    let candidates = match kind {
        Kind::Beginning => {
            let words = BEGINNINGS.iter().filter(|beginning| begins(beginning, word));
            words.map(|beginning| format!("{} ", in_case(beginning, word))).collect()
        }
        Kind::Relation => relation_names(words, word),
        Kind::Variable => {
            let names = words.variables.iter().map(|name| format!("${name}"));
            names.filter(|name| begins(name, word)).collect()
        }
        Kind::Text | Kind::File => Vec::new(),
        Kind::Argument { function } => {
            let ids = match function.as_str() {
                function if OF_TRACE.contains(&function) => &words.trace_ids[..],
                OF_SESSION => &words.session_ids[..],
                _ => &[],
            };
            Words::beginning(ids, word).iter().take(MOST).map(|id| format!("{}'", quoted(id))).collect()
        }
        Kind::Value { compared } => {
            let values = values(words, &compared, &others());
            values
                .iter()
                .map(|value| quoted(value))
                .filter(|value| begins(value, word))
                .map(|value| value + "'")
                .collect()
        }
        Kind::Expression { compared } => {
            let relations = others();
            let mut found: Vec<String> = Vec::new();
            if let Some(compared) = compared.filter(|_| word.is_empty()) {
                found.extend(values(words, &compared, &relations).iter().map(|value| format!("'{}'", quoted(value))));
            }
            // `GROUP BY ALL` is what is meant the most.
            if before[..start].trim_end().to_ascii_lowercase().ends_with(" by") && begins("ALL", word) {
                found.push(in_case("ALL", word));
            }
            found.extend(expressions(words, word, &relations));
            // Names of what is selected come behind the columns.
            let named = named(whole).into_iter().filter(|name| begins(name, word) && !word.is_empty());
            let keywords = found.iter().position(|text| text.ends_with(['(', ' '])).unwrap_or(found.len());
            found.splice(keywords..keywords, named.map(|name| as_typed(&name)));
            found
        }
    };
    Completion { start, candidates, files }
}

/// A value inside the quotes of a text.
fn quoted(value: &str) -> String {
    value.replace('\'', "''")
}

/// A keyword in the case in which it was begun.
fn in_case(keyword: &str, typed: &str) -> String {
    if typed.chars().any(|c| c.is_ascii_lowercase()) { keyword.to_lowercase() } else { keyword.to_owned() }
}

fn relation_names(words: &Words, word: &str) -> Vec<String> {
    let tables = words.tables.iter().map(|table| as_typed(&table.name));
    let functions = words.table_functions.iter().map(|name| format!("{name}('"));
    // What projects a remote has is not asked for while somebody types.
    let sources = words.sources.iter().map(|source| format!("{source}."));
    tables.chain(functions).chain(sources).filter(|name| begins(name, word)).collect()
}

/// The values of a column that was typed, perhaps behind the alias of a relation.
fn values<'a>(words: &'a Words, typed: &str, relations: &[(String, String)]) -> &'a [String] {
    let own =
        typed.split_once('.').filter(|(first, _)| relations.iter().any(|(alias, _)| alias.eq_ignore_ascii_case(first)));
    let name = own.map_or(typed, |(_, rest)| rest);
    let column = expand_alias(name).unwrap_or_else(|| name.to_owned());
    words.values.get(&column).map_or(&[], Vec::as_slice)
}

/// Names, functions and keywords that begin so: columns of the statement's relations first.
fn expressions(words: &Words, word: &str, relations: &[(String, String)]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let tables: Vec<(&str, Vec<String>)> =
        relations.iter().map(|(alias, name)| (alias.as_str(), names_of(words, name))).collect();
    // Behind an alias and a dot stand columns of that relation.
    if let Some((first, rest)) = word.split_once('.')
        && let Some((_, names)) = tables.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(first))
    {
        found.extend(names.iter().filter(|name| begins(name, rest)).map(|name| format!("{first}.{name}")));
    }
    for (_, names) in &tables {
        found.extend(names.iter().filter(|name| begins(name, word)).cloned());
    }
    if relations.is_empty() {
        for table in &words.tables {
            found.extend(names_of(words, &table.name).into_iter().filter(|name| begins(name, word)));
        }
    }
    let aliases = relations.iter().map(|(alias, _)| alias).filter(|alias| begins(alias, word) && !alias.contains('.'));
    found.extend(aliases.map(|alias| format!("{alias}.")));
    if !word.contains('.') {
        found.extend(words.functions.iter().filter(|name| begins(name, word)).map(|name| format!("{name}(")));
        found.extend(keywords().filter(|keyword| begins(keyword, word)).map(|keyword| in_case(&keyword, word) + " "));
    }
    found
}

/// The names that stand for columns of a relation, as they are typed: short ones first.
fn names_of(words: &Words, relation: &str) -> Vec<String> {
    let (table, spans) = match relation.strip_suffix('(') {
        Some(function) if words.table_functions.iter().any(|known| known.eq_ignore_ascii_case(function)) => {
            (words.table("spans"), true)
        }
        _ => match words.table(relation) {
            Some(table) => (Some(table), table.spans),
            // A live table: its columns are not asked for while somebody types, and the canonical ones are the same.
            None if relation.contains('.') => (words.table("spans"), true),
            None => (None, false),
        },
    };
    let short = ALIASES.iter().map(|(alias, _)| (*alias).to_owned()).filter(|_| spans);
    let columns = || table.into_iter().flat_map(|table| table.columns.iter());
    let paths = || words.paths.iter().filter(|_| spans);
    let of_metadata = columns().filter(|_| spans).chain(paths());
    let of_metadata = of_metadata.filter_map(|name| Some(format!("metadata.{}", name.strip_prefix(METADATA_PREFIX)?)));
    let names = columns().cloned().chain(of_metadata).chain(paths().cloned());
    short.chain(names.map(|name| as_typed(&name))).collect()
}

#[cfg(test)]
mod tests;
