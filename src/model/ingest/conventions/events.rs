//! Messages in events: those of spans, and lists of them in an attribute.
//!
//! The OpenTelemetry conventions up to 1.36 have an event for each message (`gen_ai.user.message`, `gen_ai.choice`), older
//! ones an event for all of a side (`gen_ai.content.prompt`), newer ones one for a whole call
//! (`gen_ai.client.inference.operation.details`). Pydantic AI writes the same events to an attribute.

use std::borrow::Cow;

use super::messages::{List, chat, of_text};
use super::state::nested;
use crate::json::Tree;

/// What of a call, or of an agent's run, is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// What a model was given.
    Given,
    /// What it gave.
    Gave,
    /// What an agent was asked.
    Asked,
}

/// The messages of one side in a JSON list of events.
pub(super) fn messages(text: &str, side: Side) -> Option<String> {
    // A cheap look: most events are no messages.
    memchr::memmem::find(text.as_bytes(), b"gen_ai.")?;
    let Some(Tree::List(events)) = nested(text) else { return None };
    let mut list = List::default();
    for event in &events {
        let Some(name) = event.any(&["event.name", "name"]).and_then(Tree::as_text) else { continue };
        let attributes = event.get("attributes").unwrap_or(event);
        let role = match (name, side) {
            ("gen_ai.system.message", Side::Given | Side::Asked) => "system",
            ("gen_ai.user.message", Side::Given | Side::Asked) => "user",
            ("gen_ai.assistant.message", Side::Given | Side::Asked) => "assistant",
            ("gen_ai.tool.message", Side::Given | Side::Asked) => "tool",
            ("gen_ai.choice", Side::Gave) => "assistant",
            _ => match whole_side(name, side, attributes) {
                Some(whole) => return Some(whole),
                None => continue,
            },
        };
        add(attributes, role, &mut list);
    }
    if side == Side::Asked { list.finish_asked() } else { list.finish() }
}

/// All messages of a side, where one event has them.
fn whole_side(name: &str, side: Side, attributes: &Tree<'_>) -> Option<String> {
    let text = |paths: &[&str]| attributes.any(paths).and_then(Tree::text);
    match (name, side) {
        ("gen_ai.content.prompt", Side::Given) => of_text(&text(&["gen_ai.prompt", "content"])?, Some("user")),
        ("gen_ai.content.completion", Side::Gave) => {
            of_text(&text(&["gen_ai.completion", "content"])?, Some("assistant"))
        }
        ("gen_ai.client.inference.operation.details", Side::Given) => {
            let instructions = text(&["gen_ai.system_instructions"]);
            chat(&text(&["gen_ai.input.messages"])?, instructions.as_deref())
        }
        ("gen_ai.client.inference.operation.details", Side::Gave) => chat(&text(&["gen_ai.output.messages"])?, None),
        _ => None,
    }
}

/// Adds the message that an event's attributes are, or that one of them holds as JSON text.
fn add(attributes: &Tree<'_>, role: &str, list: &mut List) {
    const INSIDE: [&str; 2] = ["gen_ai.event.content", "message"];
    let inside = attributes.any(&INSIDE).and_then(Tree::as_text);
    if let Some(inner) = inside.and_then(nested) {
        return add_message(inner.get("message").unwrap_or(&inner), role, list);
    }
    add_message(attributes.get("message").unwrap_or(attributes), role, list);
}

fn add_message(message: &Tree<'_>, role: &str, list: &mut List) {
    let Tree::Object(members) = message else {
        let said = message.text().map(|text| Tree::Object(vec![("content".into(), Tree::Text(text.into()))]));
        return said.into_iter().for_each(|said| list.add(said, Some(role)));
    };
    // Attributes hold lists as text, and the id of a tool's message is that of its call.
    let known = |key: &str| match key {
        "role" | "content" | "name" | "tool_calls" | "tool_call_id" | "parts" => Some(Cow::Owned(key.to_owned())),
        "id" if role == "tool" => Some(Cow::Borrowed("tool_call_id")),
        _ => None,
    };
    let texts: Vec<(Cow<'_, str>, &Tree<'_>)> =
        members.iter().filter_map(|(key, value)| Some((known(key)?, value))).collect();
    let value = |value: &Tree<'_>| value.as_text().and_then(nested).is_some();
    let unwrapped = texts.iter().map(|(key, of)| {
        let text = of.as_text().filter(|_| matches!(key.as_ref(), "tool_calls" | "parts") && value(of));
        (key.clone(), text.and_then(nested).unwrap_or_else(|| (*of).clone()))
    });
    list.add(Tree::Object(unwrapped.collect()), Some(role));
}
