//! What a trace was asked and what it answered, where its root does not say: read from the calls of models.

use std::borrow::Cow;

use spanql_model::columns;
use spanql_model::json::Tree;
use spanql_model::messages::{Contents, Message, of_list, of_prompt, of_value};

/// Where a call of a model has the messages it was given: the first of these columns that has any counts.
pub const ASKED_IN: [&str; 2] = [columns::INPUT_MESSAGES, "attributes.gen_ai.input.messages"];
/// Where it has the messages that it gave.
pub const ANSWERED_IN: [&str; 2] = [columns::OUTPUT_MESSAGES, "attributes.gen_ai.output.messages"];

/// What the user says first in a call of a model: of its `messages` (JSON text of a list), else of those in its `input`,
/// else that input itself. Blank texts count as none.
pub fn asked(messages: Option<&str>, input: Option<&str>) -> Option<String> {
    let by_user = |messages: Vec<Message>| {
        let mut said = messages.into_iter().filter(|message| matches!(message.role.as_deref(), Some("user" | "human")));
        said.find_map(words)
    };
    let listed = messages.and_then(Tree::parse).and_then(|list| by_user(of_list(&list, Contents::Read)));
    listed.or_else(|| {
        let input = input.filter(|input| !input.trim().is_empty())?;
        let tree = Tree::parse(input);
        let found = tree.as_ref().and_then(|tree| {
            by_user(of_value(tree, Contents::Read)).or_else(|| of_prompt(tree).into_iter().find_map(words))
        });
        found.or_else(|| plain(tree.as_ref(), input))
    })
}

/// What a model says last in a call: of its `messages` (JSON text of a list), else of those in its `output`, else that
/// output itself. Blank texts count as none, and so do calls of tools.
pub fn answered(messages: Option<&str>, output: Option<&str>) -> Option<String> {
    let last = |messages: Vec<Message>| {
        let said = messages.into_iter().rev().filter(|message| !message.is_result());
        said.into_iter().find_map(words)
    };
    let listed = messages.and_then(Tree::parse).map(|list| of_list(&list, Contents::Read));
    if let Some(messages) = listed.filter(|messages| !messages.is_empty()) {
        return last(messages);
    }
    let output = output.filter(|output| !output.trim().is_empty())?;
    let tree = Tree::parse(output);
    let found = tree.as_ref().map(|tree| of_value(tree, Contents::Read)).filter(|messages| !messages.is_empty());
    match found {
        Some(messages) => last(messages),
        None => plain(tree.as_ref(), output),
    }
}

fn words(message: Message) -> Option<String> {
    message.content.filter(|content| !content.trim().is_empty())
}

/// A text as it is, or the text that a JSON string holds.
fn plain(tree: Option<&Tree<'_>>, text: &str) -> Option<String> {
    let text = tree.and_then(Tree::as_text).map_or(Cow::Borrowed(text), Cow::Borrowed);
    (!text.trim().is_empty()).then(|| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::{answered, asked};

    const LIST: &str = r#"[{"message":{"role":"system","content":"Be brief."}},
        {"message":{"role":"user","content":"Hi?"}},{"message":{"role":"assistant","content":"Yes."}},
        {"message":{"role":"user","content":"More?"}}]"#;

    #[test]
    fn the_first_user_asks() {
        assert_eq!(asked(Some(LIST), Some("input")).as_deref(), Some("Hi?"));
        assert_eq!(asked(Some("[]"), Some("input")).as_deref(), Some("input"));
        assert_eq!(asked(None, Some(r#"{"messages":[{"role":"user","content":"a"}]}"#)).as_deref(), Some("a"));
        assert_eq!(asked(None, Some(r#"{"prompt": "p", "formatted": false}"#)).as_deref(), Some("p"));
        assert_eq!(asked(None, Some(r#""quoted""#)).as_deref(), Some("quoted"));
        assert_eq!(asked(None, Some(r#"{"x": 1}"#)).as_deref(), Some(r#"{"x": 1}"#));
        assert_eq!(asked(None, Some("  ")), None);
        assert_eq!(asked(None, None), None);
        assert_eq!(asked(Some("no list"), None), None);
    }

    #[test]
    fn the_model_answers_last() {
        let said =
            r#"[{"message":{"role":"assistant","content":"One."}},{"message":{"role":"assistant","content":"Two."}}]"#;
        assert_eq!(answered(Some(said), Some("output")).as_deref(), Some("Two."));
        let calls = r#"[{"message":{"role":"assistant","tool_calls":[{"tool_call":{"function":{"name":"f"}}}]}}]"#;
        assert_eq!(answered(Some(calls), Some("output")), None);
        assert_eq!(answered(None, Some("output")).as_deref(), Some("output"));
        let choices = r#"{"choices":[{"message":{"role":"assistant","content":"c"}}]}"#;
        assert_eq!(answered(None, Some(choices)).as_deref(), Some("c"));
        assert_eq!(answered(None, None), None);
    }
}
