//! Names of columns as Arize takes them.

use spanql_model::columns;

/// What is always asked for: a span cannot be told from others, or put into a window, without them.
const ALWAYS: [&str; 3] = [columns::TRACE_ID, columns::SPAN_ID, columns::START_TIME];
/// Columns that are made here, and what they are made from.
const MADE: [(&str, &[&str]); 4] = [
    (columns::PROJECT, &[]),
    (columns::SOURCE, &[]),
    (columns::LATENCY_MS, &[columns::START_TIME, columns::END_TIME]),
    (columns::EVENT_ATTRIBUTES, &[columns::EVENTS]),
];

/// The columns to ask for so that these can be filled.
pub(super) fn on_the_wire(wanted: &[String]) -> Vec<String> {
    let mut asked: Vec<String> = ALWAYS.iter().map(|name| (*name).to_owned()).collect();
    let mut ask = |name: &str| {
        if !asked.iter().any(|known| known == name) {
            asked.push(name.to_owned());
        }
    };
    for name in wanted {
        match MADE.iter().find(|(made, _)| made == name) {
            Some((_, sources)) => sources.iter().for_each(|source| ask(source)),
            None if name.starts_with(columns::METADATA_PREFIX) => ask(columns::METADATA),
            None if name.starts_with("tree.") => {}
            None => ask(name),
        }
    }
    asked
}
