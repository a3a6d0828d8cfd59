//! Code as text, the same however its lines were broken: at most one blank between two words.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::ToTokens;

/// The text of a piece of code. A comma at the end, or ahead of what closes, is left out, even that of a tuple of one.
pub(super) fn text(code: &impl ToTokens) -> String {
    let mut words = vec![];
    split(code.to_token_stream(), &mut words);
    let mut out = String::new();
    let mut before = "";
    for (position, word) in words.iter().enumerate() {
        let closes = |next: &String| matches!(next.as_str(), ")" | "]" | "}" | ">");
        if word == "," && words.get(position + 1).is_none_or(closes) {
            continue;
        }
        if !before.is_empty() && are_apart(before, word) {
            out.push(' ');
        }
        out.push_str(word);
        before = word;
    }
    out
}

/// Adds the words of code: names, lifetimes, literals, operators and brackets.
fn split(code: TokenStream, words: &mut Vec<String>) {
    let mut goes_on = false;
    for token in code {
        let (word, joint) = match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                let bracket = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
                words.extend(bracket(open));
                split(group.stream(), words);
                words.extend(bracket(close));
                goes_on = false;
                continue;
            }
            TokenTree::Punct(punct) => (punct.as_char().to_string(), punct.spacing() == Spacing::Joint),
            other => (other.to_string(), false),
        };
        match words.last_mut().filter(|_| goes_on) {
            Some(last) => last.push_str(&word),
            None => words.push(word),
        }
        goes_on = joint;
    }
}

/// Whether a blank stands between two words.
fn are_apart(before: &str, after: &str) -> bool {
    if matches!(before, "(" | "[" | "<" | "&" | "*" | "::" | "!" | "#" | "?" | "-" | "." | "..") {
        return false;
    }
    match after {
        ")" | "]" | ">" | "," | ";" | ":" | "::" | "." | ".." => false,
        // A call or arguments of a type, if it is behind a name.
        "(" | "<" => {
            let is_word = before.starts_with(|c: char| c.is_alphanumeric() || c == '_');
            matches!(before, "as" | "const" | "dyn" | "in" | "mut" | "where") || !(is_word || before == ">")
        }
        _ => true,
    }
}
