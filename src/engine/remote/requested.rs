//! Which columns a remote is asked for.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::DataType;

use spanql_model::columns::{self, CANONICAL, METADATA_PREFIX};
use spanql_model::derived::holders;
use spanql_model::ingest::fillers;

/// The columns to ask for so that the wanted ones can be made of what comes: those that identify a span and place it
/// in time, canonical columns in their order, then others by name.
pub(crate) fn requested<'a>(
    wanted: impl Iterator<Item = &'a str>,
    remote_schema: &'a BTreeMap<String, DataType>,
) -> Vec<String> {
    let in_remote_schema = |name: &str| remote_schema.contains_key(name);
    let mut names: BTreeSet<&str> = [columns::TRACE_ID, columns::SPAN_ID, columns::START_TIME].into();
    for name in wanted {
        match name {
            // The table itself says where its spans come from.
            columns::PROJECT | columns::SOURCE => {}
            columns::LATENCY_MS => names.extend([columns::START_TIME, columns::END_TIME]),
            columns::EVENT_ATTRIBUTES => names.extend([columns::EVENTS]),
            columns::METADATA => {
                names.insert(name);
                // Keys that come on their own belong to the whole.
                names.extend(remote_schema.keys().filter(|key| key.starts_with(METADATA_PREFIX)).map(String::as_str));
            }
            name if name.starts_with(METADATA_PREFIX) => {
                names.insert(columns::METADATA);
                names.extend(in_remote_schema(name).then_some(name));
            }
            name => {
                names.insert(name);
                // It may be one of the keys that share a column.
                let shared =
                    columns::canonical(name).is_none() && !in_remote_schema(name) && in_remote_schema(columns::REST);
                names.extend(shared.then_some(columns::REST));
                // Or it is in the text of another column.
                let own = in_remote_schema(name);
                let holding = |holder: &&str| !own && (in_remote_schema(holder) || remote_schema.is_empty());
                names.extend(holders(name).map(|(holder, _)| holder).filter(holding));
            }
        }
    }
    add_fillers(&mut names, remote_schema);
    let canonical = CANONICAL.iter().map(|column| column.name).filter(|name| names.contains(name));
    let open = names.iter().copied().filter(|name| columns::canonical(name).is_none());
    canonical.chain(open).map(str::to_owned).collect()
}

/// Adds what a wanted column is filled from where it is null, of what the remote has.
fn add_fillers<'a>(names: &mut BTreeSet<&'a str>, remote_schema: &'a BTreeMap<String, DataType>) {
    let there = || remote_schema.keys().map(String::as_str);
    // What one is filled from may be filled in turn.
    let mut open: Vec<&str> = names.iter().copied().collect();
    while let Some(name) = open.pop() {
        let Some(fillers) = fillers(name).filter(|fillers| fillers.are_among(there())) else { continue };
        let read = there().filter(|name| fillers.read(name));
        open.extend(read.filter(|name| names.insert(name)).collect::<Vec<_>>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns_for(wanted: &[&str], remote_schema: &[&str]) -> String {
        let remote_schema = remote_schema.iter().map(|name| ((*name).to_owned(), DataType::Utf8)).collect();
        requested(wanted.iter().copied(), &remote_schema).join(" ")
    }

    const IDS: &str = "context.trace_id context.span_id";

    #[test]
    fn only_what_is_needed_is_asked_for() {
        for (wanted, remote_schema, expected) in [
            (&[][..], &[][..], format!("{IDS} start_time")),
            (&["project", "source", "name"], &[], format!("{IDS} name start_time")),
            (&["latency_ms"], &[], format!("{IDS} start_time end_time")),
            (&["event.attributes"], &[], format!("{IDS} start_time events")),
            (&["attributes.metadata.a"], &[], format!("{IDS} start_time attributes.metadata")),
            (
                &["attributes.metadata.a"],
                &["attributes.metadata.a"],
                format!("{IDS} start_time attributes.metadata attributes.metadata.a"),
            ),
            (
                &["attributes.metadata"],
                &["attributes.metadata.a", "attributes.b"],
                format!("{IDS} start_time attributes.metadata attributes.metadata.a"),
            ),
            (&["eval.x.label", "attributes.b"], &[], format!("{IDS} start_time attributes.b eval.x.label")),
            (&["attributes.b"], &["attributes.rest"], format!("{IDS} start_time attributes.b attributes.rest")),
            (&["attributes.metadata.a.b"], &["attributes.metadata.a"], format!("{IDS} start_time attributes.metadata")),
            (
                &["attributes.a.b.c"],
                &["attributes.a", "attributes.b"],
                format!("{IDS} start_time attributes.a attributes.a.b.c"),
            ),
            (&["attributes.a.b"], &["attributes.a", "attributes.a.b"], format!("{IDS} start_time attributes.a.b")),
            (
                &["attributes.input.value.q"],
                &[],
                format!("{IDS} start_time attributes.input.value attributes.input attributes.input.value.q"),
            ),
            (&["attributes.input.value.q"], &["name"], format!("{IDS} start_time attributes.input.value.q")),
            (&["attributes.b"], &["attributes.rest", "attributes.b"], format!("{IDS} start_time attributes.b")),
            (
                &["attributes.session.id"],
                &["attributes.a", "attributes.langfuse.session.id", "attributes.session.id", "events"],
                format!("{IDS} start_time attributes.session.id attributes.langfuse.session.id"),
            ),
        ] {
            assert_eq!(columns_for(wanted, remote_schema), expected, "{wanted:?}");
        }
    }
}
