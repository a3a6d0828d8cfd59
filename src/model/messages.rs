//! The messages of a language model's input and output, in the shapes that clients and frameworks record.
//!
//! Known are lists of OpenInference (`message.role`, nested or dotted), OpenAI (`messages`, `choices`, items of
//! responses), LangChain (`kwargs`, `type`, `generations`), LlamaIndex (`blocks`), Gemini (`contents`, `candidates`,
//! `parts`), Anthropic (`tool_use`, `tool_result`) and the `gen_ai` conventions (`parts`).

use std::borrow::Cow;

use super::json::Tree;

/// Lists and objects inside each other that are looked through for messages.
const LEVELS: usize = 6;

/// One message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Its place among the messages, from 0; the index it was recorded under, where it has one.
    pub position: usize,
    /// Who speaks: as recorded, but for class names and types, which become `user`, `assistant`, `system` or `tool`.
    pub role: Option<String>,
    /// The text, of several parts by lines; JSON where there is no text.
    pub content: Option<String>,
    /// The name of who speaks.
    pub name: Option<String>,
    /// The call whose result this is.
    pub tool_call_id: Option<String>,
    /// The calls that it asks for, in order.
    pub calls: Vec<Call>,
}

/// The call of a tool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Call {
    /// Its id.
    pub id: Option<String>,
    /// The name of the tool.
    pub name: Option<String>,
    /// The arguments: their text as recorded, else JSON.
    pub arguments: Option<String>,
}

impl Message {
    /// Whether this is the result of a call.
    pub fn is_result(&self) -> bool {
        matches!(self.role.as_deref(), Some("tool" | "function"))
    }
}

/// Whether the text of messages is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// It is.
    Read,
    /// It may be left out, as it is not looked at.
    Skip,
}

/// The messages of a list that is known to be one of messages, or of an object whose keys are indexes.
pub fn of_list(list: &Tree<'_>, contents: Contents) -> Vec<Message> {
    let mut messages = vec![];
    for (index, element) in list.items() {
        push_unwrapped(element, index, contents, &mut messages);
    }
    messages
}

/// The messages of JSON in any known shape; nothing where there is no message in it.
pub fn of_value(value: &Tree<'_>, contents: Contents) -> Vec<Message> {
    let mut messages = vec![];
    for (index, element) in elements(value, LEVELS).unwrap_or_default().into_iter().enumerate() {
        push_unwrapped(element, index, contents, &mut messages);
    }
    if !messages.is_empty() {
        return messages;
    }
    if let Tree::List(items) = value
        && !items.is_empty()
        && items.iter().all(is_call)
    {
        return vec![of_calls(items.iter().map(call).collect())];
    }
    vec![]
}

/// What is asked of a model without roles, which its user says: a `prompt`, or `contents` that are text.
pub fn of_prompt(value: &Tree<'_>) -> Vec<Message> {
    let prompt = value.any(&["prompt", "contents"]).and_then(Tree::as_text);
    prompt.map(|text| vec![spoken("user", text)]).unwrap_or_default()
}

/// What a model gave, where it is recorded without a role: calls, else text.
pub fn of_answer(text: &str, contents: Contents) -> Vec<Message> {
    let messages = Tree::parse(text).map(|value| of_value(&value, contents)).unwrap_or_default();
    if messages.is_empty() { vec![spoken("assistant", text)] } else { messages }
}

fn spoken(role: &str, text: &str) -> Message {
    Message { role: Some(role.to_owned()), content: Some(text.to_owned()), ..Message::default() }
}

fn of_calls(calls: Vec<Call>) -> Message {
    Message { role: Some("assistant".to_owned()), calls, ..Message::default() }
}

/// The elements that are messages, where they are looked for.
fn elements<'t, 'a>(value: &'t Tree<'a>, levels: usize) -> Option<Vec<&'t Tree<'a>>> {
    let levels = levels.checked_sub(1)?;
    match value {
        Tree::List(items) if !items.is_empty() && items.iter().all(|item| matches!(item, Tree::List(_))) => {
            let inner = items.iter().flat_map(|item| item.items().into_iter().map(|(_, item)| item));
            let inner: Vec<_> = inner.collect();
            inner.iter().any(|item| is_message(item)).then_some(inner)
        }
        Tree::List(items) => items.iter().any(is_message).then(|| items.iter().collect()),
        Tree::Object(_) if is_message(value) => Some(vec![value]),
        Tree::Object(_) => {
            let known =
                ["messages", "choices", "generations", "candidates", "contents", "raw", "output", "input", "message"];
            known.iter().filter_map(|key| value.get(key)).find_map(|inner| elements(inner, levels))
        }
        _ => None,
    }
}

/// Whether an element is a message by its looks.
fn is_message(value: &Tree<'_>) -> bool {
    let object = |path| matches!(value.get(path), Some(Tree::Object(_)));
    let text = |path| value.get(path).is_some_and(|value| value.as_text().is_some());
    let said = || value.any(&["content", "parts", "blocks", "kwargs", "tool_calls", "contents"]).is_some();
    if text("role") {
        return true;
    }
    let inside = text("message.role") || object("message.kwargs") || object("message.content") || text("message.type");
    let typed = || value.get("type").and_then(Tree::as_text).is_some_and(|name| known_type(name).is_some());
    let constructed = || object("kwargs") && value.get("id").is_some();
    inside || (typed() && said()) || constructed() || text("content.role") || item_type(value).is_some()
}

/// What an item of a response is that is no message.
fn item_type<'t>(value: &'t Tree<'_>) -> Option<&'t str> {
    let known = |name: &&str| matches!(*name, "function_call" | "function_call_output");
    let called = value.any(&["arguments", "output"]).is_some();
    value.get("type").and_then(Tree::as_text).filter(known).filter(|_| called)
}

/// The role that a type or the name of a class stands for.
fn known_type(name: &str) -> Option<&'static str> {
    Some(match name {
        "human" | "HumanMessage" | "HumanMessageChunk" => "user",
        "ai" | "AIMessage" | "AIMessageChunk" => "assistant",
        "system" | "SystemMessage" | "SystemMessageChunk" => "system",
        "tool" | "ToolMessage" | "ToolMessageChunk" => "tool",
        "function" | "FunctionMessage" | "FunctionMessageChunk" => "function",
        _ => return None,
    })
}

/// Appends the messages of an element, which may be JSON text in a JSON string.
fn push_unwrapped(element: &Tree<'_>, index: usize, contents: Contents, messages: &mut Vec<Message>) {
    match element {
        Tree::Text(text) => {
            if let Some(inner @ Tree::Object(_)) = Tree::parse(text) {
                push(&inner, index, contents, messages);
            }
        }
        Tree::Object(_) => push(element, index, contents, messages),
        _ => {}
    }
}

/// Where the members of a message are: in an object, with this before their names.
struct Body<'t, 'a> {
    value: &'t Tree<'a>,
    prefix: &'static str,
}

impl<'t, 'a> Body<'t, 'a> {
    fn of(element: &'t Tree<'a>) -> Self {
        const DOTTED: &str = "message.";
        let object = |path| element.get(path).filter(|value| matches!(value, Tree::Object(_)));
        let plain = |value| Self { value, prefix: "" };
        if let Some(inner) = object("message.kwargs").or_else(|| object("message")).or_else(|| object("kwargs")) {
            return plain(inner);
        }
        if let Tree::Object(members) = element
            && members.iter().any(|(key, _)| key.starts_with(DOTTED))
        {
            return Self { value: element, prefix: DOTTED };
        }
        // A candidate's content has the parts and the role.
        plain(object("content").filter(|content| content.get("parts").is_some()).unwrap_or(element))
    }

    fn field(&self, name: &str) -> Option<&'t Tree<'a>> {
        if self.prefix.is_empty() {
            return self.value.get(name);
        }
        let Tree::Object(members) = self.value else { return None };
        let found = members.iter().find(|(key, _)| key.strip_prefix(self.prefix) == Some(name));
        found.map(|(_, value)| value).filter(|value| **value != Tree::Null)
    }

    fn text(&self, name: &str) -> Option<String> {
        self.field(name).and_then(Tree::text)
    }
}

fn push(element: &Tree<'_>, index: usize, contents: Contents, messages: &mut Vec<Message>) {
    let next = messages.last().map_or(0, |last| last.position.saturating_add(1));
    let position = index.max(next);
    let at = |message: Message| Message { position, ..message };
    match item_type(element) {
        Some("function_call") => return messages.push(at(of_calls(vec![call(element)]))),
        Some(_) => {
            let content = element.get("output").and_then(words);
            let tool_call_id = element.get("call_id").and_then(Tree::text);
            let role = Some("tool".to_owned());
            return messages.push(at(Message { role, content, tool_call_id, ..Message::default() }));
        }
        None => {}
    }
    let body = Body::of(element);
    let parts: Vec<&Tree<'_>> = ["content", "contents", "parts"]
        .iter()
        .filter_map(|name| body.field(name))
        .flat_map(|list| list.items().into_iter().map(|(_, part)| part))
        .collect();
    let mut calls = listed_calls(&body);
    if calls.is_empty() {
        calls = parts.iter().filter(|part| is_call(part)).map(|part| call(part)).collect();
    }
    let role = role(element, &body);
    let results: Vec<Message> = parts.iter().filter_map(|part| result(part)).collect();
    // Only what has neither a role nor calls is a message for its text alone.
    let read = contents == Contents::Read || !results.is_empty() || role.is_none();
    let message = Message {
        position,
        content: if read { content(&body) } else { None },
        name: body.text("name"),
        tool_call_id: body.field("tool_call_id").or_else(|| body.field("tool_use_id")).and_then(Tree::text),
        calls,
        role,
    };
    let mut position = position;
    let has_own = message.content.is_some() || !message.calls.is_empty();
    if has_own || (results.is_empty() && (message.role.is_some() || message.tool_call_id.is_some())) {
        messages.push(message);
        position = position.saturating_add(1);
    }
    for result in results {
        messages.push(Message { position, ..result });
        position = position.saturating_add(1);
    }
}

fn role(element: &Tree<'_>, body: &Body<'_, '_>) -> Option<String> {
    if let Some(role) = body.field("role").or_else(|| element.get("role")).and_then(Tree::as_text) {
        return Some(role.to_owned());
    }
    let class = |value: &Tree<'_>| {
        let names = value.get("id").map(Tree::items).unwrap_or_default();
        names.last().and_then(|(_, name)| known_type(name.as_text()?))
    };
    let typed = |value: Option<&Tree<'_>>| value.and_then(Tree::as_text).and_then(known_type);
    let known = typed(body.field("type")).or_else(|| typed(element.get("type")));
    known.or_else(|| class(element)).or_else(|| element.get("message").and_then(class)).map(str::to_owned)
}

fn listed_calls(body: &Body<'_, '_>) -> Vec<Call> {
    let lists = [body.field("tool_calls"), body.field("additional_kwargs").and_then(|more| more.get("tool_calls"))];
    let listed = lists.into_iter().flatten().map(Tree::items).find(|items| !items.is_empty());
    if let Some(items) = listed {
        return items
            .into_iter()
            .filter(|(_, item)| matches!(item, Tree::Object(_)))
            .map(|(_, item)| call(item))
            .collect();
    }
    body.field("function_call").filter(|call| call.get("name").is_some()).map(call).into_iter().collect()
}

/// Whether a part of a message, or an element of a list, asks for a call.
fn is_call(part: &Tree<'_>) -> bool {
    let typed = || matches!(part.get("type").and_then(Tree::as_text), Some("tool_call" | "tool_use" | "tool-call"));
    if is_result_type(part) {
        return false;
    }
    part.any(&["function_call.name", "functionCall.name", "toolName", "tool.name"]).is_some()
        || (typed() && part.get("name").is_some())
}

fn call(value: &Tree<'_>) -> Call {
    let value = value.any(&["function_call", "functionCall"]).unwrap_or(value);
    let text = |paths: &[&str]| value.any(paths).and_then(Tree::text);
    Call {
        id: text(&["tool_call.id", "call_id", "toolCallId", "tool_call_id", "id"]),
        name: text(&["tool_call.function.name", "function.name", "toolName", "tool.name", "name"]),
        arguments: text(&[
            "tool_call.function.arguments",
            "function.arguments",
            "tool.args",
            "arguments",
            "args",
            "input",
        ]),
    }
}

/// The result of a call that a part of a message is.
fn result(part: &Tree<'_>) -> Option<Message> {
    let nested = part.any(&["function_response", "functionResponse"]).filter(|inner| inner.get("response").is_some());
    let value = nested.or_else(|| is_result_type(part).then_some(part))?;
    // The Vercel AI SDK says of which type the output is.
    let output = value.get("output.type").and_then(|_| value.get("output.value"));
    Some(Message {
        role: Some("tool".to_owned()),
        content: output.or_else(|| value.any(&["response", "result", "content", "output"])).and_then(words),
        name: value.any(&["name", "toolName"]).and_then(Tree::text),
        tool_call_id: value.any(&["tool_use_id", "tool_call_id", "toolCallId", "id"]).and_then(Tree::text),
        ..Message::default()
    })
}

/// Whether a part says that it is a result: one that names its tool looks like a call otherwise.
fn is_result_type(part: &Tree<'_>) -> bool {
    matches!(part.get("type").and_then(Tree::as_text), Some("tool_call_response" | "tool_result" | "tool-result"))
}

/// What a message says; an empty text only where it says nothing else.
fn content(body: &Body<'_, '_>) -> Option<String> {
    let mut empty = None;
    for name in ["content", "contents", "parts", "blocks"] {
        match body.field(name).and_then(words) {
            Some(text) if text.is_empty() => empty = Some(text),
            Some(text) => return Some(text),
            None => {}
        }
    }
    empty
}

/// The text of a content: its own, or that of its parts by lines, else JSON.
fn words(value: &Tree<'_>) -> Option<String> {
    let items = match value {
        Tree::Object(_) => match value.get("parts") {
            Some(parts) => return words(parts),
            None => value.items(),
        },
        _ => value.items(),
    };
    if items.is_empty() {
        return value.text().filter(|_| *value != Tree::List(vec![]));
    }
    if items.iter().any(|(_, part)| part_text(part).is_some()) {
        let said = items.iter().filter_map(|(_, part)| match part_text(part) {
            Some(text) => Some(Cow::Borrowed(text)),
            None => unsaid(part).map(Cow::Owned),
        });
        return Some(said.collect::<Vec<_>>().join("\n"));
    }
    let others = items.iter().filter(|(_, part)| !is_call(part) && result(part).is_none() && **part != Tree::Null);
    let others: Vec<Tree<'_>> = others.map(|(_, part)| (*part).clone()).collect();
    if others.is_empty() { None } else { Tree::List(others).text() }
}

/// What stands for a part without text beside others, such as an image.
fn unsaid(part: &Tree<'_>) -> Option<String> {
    let kind = part.any(&["message_content.type", "type", "block_type"]).and_then(Tree::as_text);
    kind.filter(|_| !is_call(part) && result(part).is_none()).map(|kind| format!("[{kind}]"))
}

fn part_text<'t>(part: &'t Tree<'_>) -> Option<&'t str> {
    if let Tree::Text(text) = part {
        return Some(text);
    }
    let of_text = || {
        let kind = part.any(&["type", "block_type"]).and_then(Tree::as_text);
        part.get("content").filter(|_| matches!(kind, None | Some("text"))).and_then(Tree::as_text)
    };
    let text = part.any(&["message_content.text", "text", "text.value"]).and_then(Tree::as_text);
    text.or_else(of_text)
}

#[cfg(test)]
mod tests;
