//! Lists of messages in the shape of OpenInference, from those of other conventions.

use std::borrow::Cow;

use super::state::nested;
use crate::json::{Tree, write_string};
use crate::messages::{Contents, Message, of_answer, of_list, of_prompt, of_value};

/// Holes in the numbers of the messages of a list that are kept, each as an empty object.
const HOLES: usize = 1_000;
/// Parts of a message that are told by its content and its calls.
const TOLD: [&str; 9] = [
    "text",
    "tool_call",
    "tool-call",
    "tool_use",
    "tool_call_response",
    "tool-result",
    "tool_result",
    "input_text",
    "output_text",
];

/// JSON text of a list of messages in the making.
#[derive(Debug, Default)]
pub(super) struct List {
    out: String,
    count: usize,
    /// The length up to the last message of a user.
    asked: Option<usize>,
}

impl List {
    /// Adds a message as some convention writes it, and the results of calls in it as messages of their own; `role` is
    /// for a message that names none.
    pub(super) fn add(&mut self, element: Tree<'_>, role: Option<&str>) {
        let alone = Tree::List(vec![element]);
        let mut told = of_list(&alone, Contents::Read);
        if let Some(first) = told.first_mut()
            && first.role.is_none()
        {
            first.role = role.map(str::to_owned);
        }
        let parts = parts(&alone);
        for (index, message) in told.iter().enumerate() {
            self.write(message, if index == 0 && !message.is_result() { &parts } else { &[] });
        }
    }

    /// Adds messages, each at its place.
    pub(super) fn add_all(&mut self, messages: &[Message]) {
        let mut holes = 0;
        for message in messages {
            while self.count < message.position && message.position - self.count <= HOLES - holes {
                self.separate();
                self.out.push_str("{}");
                holes += 1;
            }
            self.write(message, &[]);
        }
    }

    pub(super) fn finish(self) -> Option<String> {
        (self.count > 0).then(|| self.out + "]")
    }

    /// As [`finish`](Self::finish), without what comes after the last message of a user.
    pub(super) fn finish_asked(mut self) -> Option<String> {
        if let Some(length) = self.asked {
            self.out.truncate(length);
        }
        self.finish()
    }

    fn separate(&mut self) {
        self.out.push(if self.count == 0 { '[' } else { ',' });
        self.count += 1;
    }

    fn write(&mut self, message: &Message, parts: &[(&str, &Tree<'_>)]) {
        self.separate();
        let out = &mut self.out;
        let mut separator = '{';
        let mut member = |key: &str, out: &mut String| {
            out.push(separator);
            separator = ',';
            write_string(key, out);
            out.push(':');
        };
        let content = match parts {
            [] => message.content.as_deref().map(Cow::Borrowed),
            parts => content_of(parts).map(Cow::Owned),
        };
        let scalars = [
            ("message.role", message.role.as_deref()),
            ("message.content", content.as_deref()),
            ("message.name", message.name.as_deref()),
            ("message.tool_call_id", message.tool_call_id.as_deref()),
        ];
        for (key, value) in scalars {
            if let Some(value) = value {
                member(key, out);
                write_string(value, out);
            }
        }
        if !parts.is_empty() {
            member("message.contents", out);
            write_parts(parts, out);
        }
        if !message.calls.is_empty() {
            member("message.tool_calls", out);
            let mut before = '[';
            for call in &message.calls {
                out.push(before);
                before = ',';
                let members = [
                    ("tool_call.id", &call.id),
                    ("tool_call.function.name", &call.name),
                    ("tool_call.function.arguments", &call.arguments),
                ];
                write_object(members.iter().filter_map(|(key, value)| Some((*key, value.as_deref()?))), out);
            }
            out.push(']');
        }
        if separator == '{' {
            out.push('{');
        }
        out.push('}');
        if message.role.as_deref() == Some("user") {
            self.asked = Some(self.out.len());
        }
    }
}

fn write_object<'t>(members: impl Iterator<Item = (&'t str, &'t str)>, out: &mut String) {
    let mut separator = '{';
    for (key, value) in members {
        out.push(separator);
        separator = ',';
        write_string(key, out);
        out.push(':');
        write_string(value, out);
    }
    if separator == '{' {
        out.push('{');
    }
    out.push('}');
}

/// The parts of a message, the one of its list, with their types, where a content and calls do not tell all of them: reasoning, images.
fn parts<'t>(alone: &'t Tree<'_>) -> Vec<(&'t str, &'t Tree<'t>)> {
    let element = alone.items().into_iter().next();
    let items =
        element.and_then(|(_, element)| element.any(&["parts", "content"])).map(Tree::items).unwrap_or_default();
    let typed = items.into_iter().filter_map(|(_, part)| Some((part.get("type")?.as_text()?, part)));
    let parts: Vec<(&str, &Tree<'_>)> = typed.collect();
    if parts.iter().all(|(kind, _)| TOLD.contains(kind)) { vec![] } else { parts }
}

/// What a part of text says.
fn text_of<'t>(kind: &str, part: &'t Tree<'_>) -> Option<Cow<'t, str>> {
    let said = matches!(kind, "text" | "input_text" | "output_text");
    part.any(&["content", "text"]).and_then(Tree::as_text).filter(|_| said).map(Cow::Borrowed)
}

/// What parts say, by lines: reasoning is not said, and other parts are named. Nothing where none has text.
fn content_of(parts: &[(&str, &Tree<'_>)]) -> Option<String> {
    parts.iter().find_map(|(kind, part)| text_of(kind, part))?;
    let said = parts.iter().filter_map(|(kind, part)| match *kind {
        kind if TOLD.contains(&kind) => text_of(kind, part),
        "reasoning" | "thinking" => None,
        kind => {
            let name = part.get("modality").and_then(Tree::as_text).unwrap_or(kind);
            Some(Cow::Owned(format!("[{name}]")))
        }
    });
    Some(said.collect::<Vec<_>>().join("\n"))
}

/// Appends parts as contents: text and reasoning with what they say, images with where they are, others as JSON.
fn write_parts(parts: &[(&str, &Tree<'_>)], out: &mut String) {
    const TYPE: &str = "message_content.type";
    const TEXT: &str = "message_content.text";
    let mut before = '[';
    for (kind, part) in parts {
        let called = TOLD.contains(kind) && text_of(kind, part).is_none();
        if called {
            continue;
        }
        out.push(before);
        before = ',';
        let said = part.any(&["content", "text", "thinking"]).and_then(Tree::as_text);
        let image = part.any(&["image_url.url", "image_url", "uri", "image"]).and_then(Tree::as_text);
        let modality = part.get("modality").and_then(Tree::as_text);
        let members = match (*kind, said, image) {
            (kind, Some(text), _) if text_of(kind, part).is_some() => [(TYPE, "text"), (TEXT, text)],
            ("reasoning" | "thinking", Some(text), _) => [(TYPE, "reasoning"), (TEXT, text)],
            ("image" | "image_url" | "input_image", _, Some(place)) => {
                [(TYPE, "image"), ("message_content.image.image.url", place)]
            }
            ("uri", _, Some(place)) if modality == Some("image") => {
                [(TYPE, "image"), ("message_content.image.image.url", place)]
            }
            (kind, ..) => {
                let json = part.text().unwrap_or_default();
                write_object([(TYPE, kind), (TEXT, json.as_str())].into_iter(), out);
                continue;
            }
        };
        write_object(members.into_iter(), out);
    }
    out.push_str(if before == '[' { "[]" } else { "]" });
}

/// Messages after instructions, which are parts or text; instructions that a message repeats are not told twice.
pub(super) fn chat(text: &str, instructions: Option<&str>) -> Option<String> {
    let items = match nested(text)? {
        Tree::List(items) => items,
        other => vec![other],
    };
    let mut list = List::default();
    let has_own = items.first().and_then(|first| first.get("role")?.as_text()) == Some("system");
    if let Some(instructions) = instructions.filter(|_| !has_own) {
        instruct(instructions, &mut list);
    }
    let before = list.count;
    if items.iter().any(|item| matches!(item, Tree::Object(_))) {
        items.into_iter().for_each(|item| list.add(item, None));
    }
    if list.count == before { None } else { list.finish() }
}

/// Adds instructions as the message of a system.
pub(super) fn instruct(instructions: &str, list: &mut List) {
    let content = match nested(instructions) {
        Some(parts @ Tree::List(_)) => parts,
        _ => Tree::Text(Cow::Borrowed(instructions)),
    };
    list.add(Tree::Object(vec![("content".into(), content)]), Some("system"));
}

/// Messages of JSON in any shape; with a role also a prompt, and other text as what that role says.
pub(super) fn of_text(text: &str, role: Option<&str>) -> Option<String> {
    let value = nested(text);
    let mut messages = value.as_ref().map(|value| of_value(value, Contents::Read)).unwrap_or_default();
    if messages.is_empty() && role == Some("user") {
        messages = value.as_ref().map(of_prompt).unwrap_or_default();
    }
    if messages.is_empty() {
        let said = Message { role: Some(role?.to_owned()), content: Some(text.to_owned()), ..Message::default() };
        messages = if role == Some("assistant") { of_answer(text, Contents::Read) } else { vec![said] };
    }
    let mut list = List::default();
    list.add_all(&messages);
    list.finish()
}

/// One message of a model: its text, and its calls as JSON.
pub(super) fn answer(text: Option<&str>, calls: Option<&str>) -> Option<String> {
    let calls = calls.and_then(nested).map(|value| of_value(&value, Contents::Read)).unwrap_or_default();
    let calls = calls.into_iter().flat_map(|message| message.calls).collect::<Vec<_>>();
    if text.is_none() && calls.is_empty() {
        return None;
    }
    let content = text.map(str::to_owned);
    let mut list = List::default();
    list.add_all(&[Message { role: Some("assistant".to_owned()), content, calls, ..Message::default() }]);
    list.finish()
}

/// Messages by their indexes.
pub(super) fn indexed(tree: &Tree<'_>) -> Option<String> {
    let mut list = List::default();
    list.add_all(&of_list(tree, Contents::Read));
    list.finish()
}

/// The messages up to the last one of a user.
pub(super) fn asked(text: &str) -> Option<String> {
    let Some(Tree::List(items)) = nested(text) else { return None };
    let mut list = List::default();
    items.into_iter().for_each(|item| list.add(item, None));
    list.finish_asked()
}
