//! What a person would call the text of an input or output: the words in it, without the JSON around them.

use std::borrow::Cow;

use serde_json::Value;

/// Values inside values that are looked through for text.
const LEVELS: usize = 10;

/// Members that hold what was said, the likelier ones first; then those of one side.
const KNOWN: [&str; 10] = [
    "messages",
    "choices",
    "candidates",
    "new_message",
    "message",
    "kwargs",
    "content",
    "contents",
    "parts",
    "message.content",
];
const ASKED: [&str; 8] = ["input", "question", "query", "prompt", "user_input", "text", "input_value", "task"];
const ANSWERED: [&str; 8] =
    ["output", "answer", "result", "response", "completion", "text", "output_value", "final_output"];

/// Whose words are looked for in a list of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// What the user said last.
    Input,
    /// What was said last.
    Output,
}

/// The words in a recorded input or output; the text as it is where it is no JSON or nothing in it is known.
///
/// Known are a JSON string, the objects and lists in which clients and frameworks keep messages (of several the last one,
/// of the user where the input is asked for), objects with a member such as `question` or `answer`, and objects with a
/// single member. Calls of tools are said where nothing else was: `name(arguments)`. JSON that was cut off is read as far as
/// it goes.
pub(super) fn message_text(text: &str, side: Side) -> Cow<'_, str> {
    if !text.trim_start().starts_with(['{', '[', '"']) {
        return Cow::Borrowed(text);
    }
    let parsed = serde_json::from_str(text).ok().or_else(|| parse_cut(text));
    match parsed.and_then(|value| words(&value, side, LEVELS)) {
        Some(words) => Cow::Owned(words),
        None => Cow::Borrowed(text),
    }
}

/// The words in a value, if there are any but blanks.
fn words(value: &Value, side: Side, levels: usize) -> Option<String> {
    let levels = levels.checked_sub(1)?;
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.trim().is_empty()),
        Value::Array(items) if items.iter().all(Value::is_array) => words(items.last()?, side, levels),
        Value::Array(items) => of_messages(items, side, levels),
        Value::Object(members) => {
            let of_side = if side == Side::Input { ASKED } else { ANSWERED };
            let known = KNOWN.iter().chain(&of_side).filter_map(|key| Some((*key, members.get(*key)?)));
            let said = known.into_iter().find_map(|(key, value)| match (key, value) {
                ("content" | "parts", Value::Array(items)) => parts(items, side, levels),
                _ => words(value, side, levels),
            });
            let calls = || calls(["tool_calls", "toolCalls"].iter().find_map(|key| members.get(*key)?.as_array())?);
            let only = || members.iter().next().filter(|(key, _)| members.len() == 1 && *key != "role");
            said.or_else(calls).or_else(|| words(only()?.1, side, levels))
        }
        _ => None,
    }
}

/// The words of the last message that has any, of the user if those are wanted and there are any.
fn of_messages(items: &[Value], side: Side, levels: usize) -> Option<String> {
    let is_message = |item: &Value| {
        ["role", "message", "kwargs", "content", "parts", "message.content"].iter().any(|key| item.get(key).is_some())
    };
    if !items.iter().any(is_message) {
        return parts(items, side, levels);
    }
    let last = |wanted: &dyn Fn(&Value) -> bool| {
        items.iter().rev().filter(|item| wanted(item)).find_map(|item| words(item, side, levels))
    };
    let by_user = |item: &Value| role(item).is_some_and(|role| matches!(role, "user" | "human" | "HumanMessage"));
    let users = if side == Side::Input { last(&by_user) } else { None };
    users.or_else(|| last(&|_| true))
}

/// Who speaks, in the shapes that clients and frameworks write.
fn role(message: &Value) -> Option<&str> {
    let inner = |outer: &str, key: &str| message.get(outer).and_then(|inner| inner.get(key));
    [message.get("role"), message.get("message.role"), inner("message", "role"), inner("kwargs", "type")]
        .into_iter()
        // A serialised object names its class last.
        .chain([message.get("id").and_then(Value::as_array).and_then(|id| id.last()), message.get("type")])
        .flatten()
        .find_map(Value::as_str)
}

/// The texts of what comes in parts, else the calls among them.
fn parts(items: &[Value], side: Side, levels: usize) -> Option<String> {
    let text = |part: &Value| match part {
        Value::String(text) => Some(text.clone()),
        _ => match part.get("text").or_else(|| part.get("content"))? {
            Value::String(text) => Some(text.clone()),
            other => words(other, side, levels),
        },
    };
    let texts: Vec<String> = items.iter().filter_map(text).filter(|text| !text.trim().is_empty()).collect();
    if texts.is_empty() { calls(items) } else { Some(texts.join("\n")) }
}

/// Calls of tools, one a line.
fn calls(items: &[Value]) -> Option<String> {
    let calls: Vec<String> = items.iter().filter_map(call).collect();
    (!calls.is_empty()).then(|| calls.join("\n"))
}

fn call(item: &Value) -> Option<String> {
    let call = ["function", "functionCall", "function_call"].iter().find_map(|key| item.get(key)).unwrap_or(item);
    let member = |keys: &[&str]| keys.iter().find_map(|key| call.get(key));
    let name = member(&["name", "toolName", "tool_call.function.name"])?.as_str()?;
    let arguments = match member(&["arguments", "args", "input", "tool_call.function.arguments"])? {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Some(format!("{name}({arguments})"))
}

/// Reads JSON whose end is missing: what is open is closed, else the last element is left out.
fn parse_cut(text: &str) -> Option<Value> {
    let mut open: Vec<char> = Vec::new();
    let mut in_string = false;
    // Where the escape that the text may end in began.
    let mut escape: Option<usize> = None;
    // The end of the last element that is whole, and how many brackets were open there.
    let mut whole = (0, 0);
    for (at, c) in text.char_indices() {
        if in_string {
            match escape {
                Some(began) if at == began + 1 && c == 'u' => {}
                Some(began) if at == began + 1 || at == began + 5 => escape = None,
                Some(_) => {}
                None if c == '\\' => escape = Some(at),
                None if c == '"' => in_string = false,
                None => {}
            }
            continue;
        }
        match c {
            '"' => in_string = true,
            '{' => open.push('}'),
            '[' => open.push(']'),
            '}' | ']' => _ = open.pop(),
            ',' => whole = (at, open.len()),
            _ => {}
        }
        if matches!(c, '{' | '[') {
            whole = (at + 1, open.len());
        }
    }
    let closed = |end: usize, quote: bool, depth: usize| {
        let mut text = text.get(..end)?.to_owned();
        text.push_str(if quote { "\"" } else { "" });
        text.extend(open.iter().take(depth).rev());
        serde_json::from_str(&text).ok()
    };
    let end = escape.filter(|_| in_string).unwrap_or(text.len());
    closed(end, in_string, open.len()).or_else(|| closed(whole.0, false, whole.1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_in_known_shapes() {
        let cases = [
            ("plain text", "plain text", "plain text"),
            (r#""quoted \"text\"""#, "quoted \"text\"", "quoted \"text\""),
            (r#"{"query": "why?"}"#, "why?", "why?"),
            (r#"{"input": {"question": "why?"}}"#, "why?", "why?"),
            (r#"{"a": 1, "b": "c"}"#, r#"{"a": 1, "b": "c"}"#, r#"{"a": 1, "b": "c"}"#),
            (
                r#"{"messages":[{"role":"system","content":"be kind"},{"role":"user","content":"hi"},{"role":"assistant","content":"hello"}],"model":"m"}"#,
                "hi",
                "hello",
            ),
            (
                r#"[{"role":"user","content":[{"type":"text","text":"one"},{"type":"image"},{"text":"two"}]}]"#,
                "one\ntwo",
                "one\ntwo",
            ),
            (r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"done"}}],"id":"x"}"#, "done", "done"),
            (
                r#"{"messages":[[{"lc":1,"kwargs":{"content":"hey","type":"human"}},{"kwargs":{"content":"yes","type":"ai"}}]]}"#,
                "hey",
                "yes",
            ),
            (
                r#"{"user_id":"u","new_message":{"parts":[{"text":"hi"},{"text":"there"}],"role":"user"},"config":{"n":1}}"#,
                "hi\nthere",
                "hi\nthere",
            ),
            (r#"{"content":{"parts":[{"text":"Hello!"}],"role":"model"},"finish_reason":"STOP"}"#, "Hello!", "Hello!"),
            (r#"{"candidates":[{"content":{"parts":[{"text":"Yes."}],"role":"model"}}],"n":1}"#, "Yes.", "Yes."),
            (r#"{"model":"m","contents":"What is it?"}"#, "What is it?", "What is it?"),
            (
                r#"[{"role":"system","parts":[{"type":"text","content":"be kind"}]},{"role":"user","parts":[{"type":"text","content":"one"},{"type":"text","content":"two"}]}]"#,
                "one\ntwo",
                "one\ntwo",
            ),
            (
                r#"{"messages":[{"lc":1,"type":"constructor","id":["m","HumanMessage"],"kwargs":{"content":"hey"}},{"type":"constructor","id":["m","AIMessage"],"kwargs":{"content":"","tool_calls":[{"name":"look","args":{"at":"it"}}]}}]}"#,
                "hey",
                r#"look({"at":"it"})"#,
            ),
            (
                r#"{"messages":[{"role":"user","content":"hey"},{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"look","arguments":"{}"}}]}]}"#,
                "hey",
                "look({})",
            ),
            (
                r#"[{"toolCallId":"1","toolName":"look","input":"{\"at\":1}"}]"#,
                r#"look({"at":1})"#,
                r#"look({"at":1})"#,
            ),
            (r#"{"query":"why?","result":"because","n":1}"#, "why?", "because"),
            (r#"[{"message.role":"user","message.content":"hi"}]"#, "hi", "hi"),
            (
                r#"{"output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"ok"}]}],"id":"r"}"#,
                r#"{"output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"ok"}]}],"id":"r"}"#,
                "ok",
            ),
            (r#"[{"message.role":"x"}]"#, r#"[{"message.role":"x"}]"#, r#"[{"message.role":"x"}]"#),
            (
                r#"{"role":"assistant","content":"","tool_calls":[]}"#,
                r#"{"role":"assistant","content":"","tool_calls":[]}"#,
                r#"{"role":"assistant","content":"","tool_calls":[]}"#,
            ),
            ("{broken", "{broken", "{broken"),
            ("[]", "[]", "[]"),
        ];
        for (text, input, output) in cases {
            assert_eq!(message_text(text, Side::Input), input, "{text}");
            assert_eq!(message_text(text, Side::Output), output, "{text}");
        }
    }

    #[test]
    fn what_was_cut_off_is_read_as_far_as_it_goes() {
        let text =
            r#"{"messages":[{"role":"user","content":"say \"hi\" and é\n"},{"role":"user","content":"more"}],"n":12}"#;
        let at = |part: &str| text.find(part).unwrap();
        let cases = [
            (at(" and"), "say \"hi\""),
            (at("\"hi") + 1, "say \""),
            (at("\"hi"), "say "),
            (at("é"), "say \"hi\" and "),
            (at("\"content\":\"more") + 4, "say \"hi\" and é\n"),
            (at("more") + 2, "mo"),
            (at("12") + 1, "more"),
            (at("],\"n"), "more"),
        ];
        for (end, words) in cases {
            assert_eq!(message_text(&text[..end], Side::Input), words, "{}", &text[..end]);
        }
        assert_eq!(message_text("{\"text\":\"a\\u00", Side::Input), "a");
        assert_eq!(message_text("{\"text\":\"a\\u00e9b", Side::Input), "aéb");
    }

    #[test]
    fn deep_nesting_is_left_as_it_is() {
        let deep = "[".repeat(100_000);
        assert_eq!(message_text(&deep, Side::Input), deep);
        let objects = format!("{}1{}", "{\"a\":".repeat(50), "}".repeat(50));
        assert_eq!(message_text(&objects, Side::Output), objects);
    }

    proptest! {
        #[test]
        fn any_text_gives_text(text in "[\\[\\]{}:,\"\\\\u0 a]{0,40}", json in "\\{\"messages\": \\[[{}\":,a-c]{0,20}") {
            for text in [text, json] {
                prop_assert!(text.is_empty() || !message_text(&text, Side::Input).is_empty());
            }
        }
    }
}
