//! What a call was given, short enough to be kept: whether another call was given the same can be told from it.

use std::hash::{DefaultHasher, Hash, Hasher};

use spanql_model::json::Tree;

/// Members of an object, and texts inside of JSON, that are remembered.
const KEPT: usize = 16;
/// Longer texts are compared as a whole only.
const LOOKED_INTO: usize = 4 << 20;

/// The marks of an input: two calls with the same input have the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallInput {
    whole: u64,
    /// Whether it is neither a list nor an object.
    plain: bool,
    /// The members of an object with their values, sorted; none of one that has too many.
    members: Vec<u64>,
    /// The first texts inside of a list or an object.
    texts: Vec<u64>,
}

impl CallInput {
    /// The marks of a text; `None` where nothing is given: a blank text, `null`, an empty list or object.
    pub fn of(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let tree = if text.len() > LOOKED_INTO { None } else { Tree::parse(text) };
        let mut input = Self { whole: mark(text), plain: true, members: vec![], texts: vec![] };
        match &tree {
            None | Some(Tree::Scalar(_)) => {}
            Some(Tree::Null) => return None,
            Some(Tree::Text(text)) => return Self::of_plain(text),
            Some(tree @ (Tree::List(_) | Tree::Object(_))) => {
                if matches!(tree, Tree::List(items) if items.is_empty()) {
                    return None;
                }
                if let Tree::Object(members) = tree {
                    if members.is_empty() {
                        return None;
                    }
                    if members.len() <= KEPT {
                        input.members = members.iter().map(|(key, value)| mark(&(key, value.text()))).collect();
                        input.members.sort_unstable();
                        input.members.dedup();
                    }
                }
                input.whole = mark(&tree.text().unwrap_or_default());
                input.plain = false;
                add_texts(tree, &mut input.texts);
            }
        }
        Some(input)
    }

    fn of_plain(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self { whole: mark(text), plain: true, members: vec![], texts: vec![] })
    }

    /// Whether both are the same; blanks between the elements of JSON, and around texts, mean nothing.
    pub(super) fn is(&self, other: &Self) -> bool {
        (self.whole, self.plain) == (other.whole, other.plain)
    }

    /// Whether one is the other with something around it: an object with all members of the other, or a text that the
    /// other holds.
    pub(super) fn is_with_more(&self, other: &Self) -> bool {
        let holds = |a: &Self, b: &Self| {
            let all = !b.members.is_empty() && b.members.iter().all(|member| a.members.binary_search(member).is_ok());
            all || (b.plain && a.texts.contains(&b.whole))
        };
        self.is(other) || holds(self, other) || holds(other, self)
    }

    /// The marks as text, for [`CallInput::from_text`].
    pub fn to_text(&self) -> String {
        let words = |words: &[u64]| words.iter().map(|word| format!("{word:x}")).collect::<Vec<_>>().join(" ");
        let kind = if self.plain { "p" } else { "j" };
        format!("{kind}{:x},{},{}", self.whole, words(&self.members), words(&self.texts))
    }

    /// Reads the text of marks; `None` for any other.
    pub fn from_text(text: &str) -> Option<Self> {
        let number = |word: &str| u64::from_str_radix(word, 16).ok();
        let numbers = |words: &str| words.split_ascii_whitespace().map(number).collect::<Option<Vec<_>>>();
        let mut parts = text.split(',');
        let (whole, members, texts) = (parts.next()?, parts.next()?, parts.next()?);
        let plain = whole.starts_with('p');
        let whole = number(whole.strip_prefix(if plain { 'p' } else { 'j' })?)?;
        Some(Self { whole, plain, members: numbers(members)?, texts: numbers(texts)? })
    }
}

fn add_texts(tree: &Tree<'_>, texts: &mut Vec<u64>) {
    if texts.len() == KEPT {
        return;
    }
    match tree {
        Tree::Null | Tree::Scalar(_) => {}
        Tree::Text(text) => texts.extend(CallInput::of_plain(text).map(|plain| plain.whole)),
        Tree::List(items) => items.iter().for_each(|item| add_texts(item, texts)),
        Tree::Object(members) => members.iter().for_each(|(_, value)| add_texts(value, texts)),
    }
}

fn mark<T: Hash + ?Sized>(value: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::CallInput;

    fn with_more(a: &str, b: &str) -> bool {
        let (a, b) = (CallInput::of(a).unwrap(), CallInput::of(b).unwrap());
        assert_eq!(a.is_with_more(&b), b.is_with_more(&a));
        a.is_with_more(&b)
    }

    #[test]
    fn blanks_mean_nothing() {
        let same = |a: &str, b: &str| CallInput::of(a).unwrap().is(&CallInput::of(b).unwrap());
        assert!(same(r#"{"a": [1, 2]}"#, r#" {"a":[1,2]}"#));
        assert!(same("\"hello\"", " hello\n"));
        assert!(!same(r#"{"a": 1}"#, r#"{"a": 2}"#));
        assert!(!same("[1]", "\"[1]\""));
        assert!(!same(r#"{"a": 1}"#, r#"{"a": 1, "b": 2}"#));
    }

    #[test]
    fn nothing_given_is_like_nothing() {
        for text in ["", " \n", "null", "{}", "[ ]", "\"\"", "\" \""] {
            assert_eq!(CallInput::of(text), None, "{text:?}");
        }
    }

    #[test]
    fn parameters_may_be_added() {
        assert!(with_more(r#"{"prompt": "Say \"hi\""}"#, r#"{"prompt": "Say \"hi\"", "formatted": false}"#));
        assert!(!with_more(r#"{"prompt": "a", "n": 1}"#, r#"{"prompt": "a", "n": 2}"#));
        assert!(with_more("what is it?", r#"{"query_bundle": {"query_str": "what is it?", "path": null}}"#));
        assert!(!with_more("what is it?", r#"{"what is it?": "something else"}"#));
        assert!(with_more("5", "5"));
        assert!(!with_more("5", r#"{"n": 5}"#));
    }

    #[test]
    fn large_objects_are_compared_as_a_whole() {
        let object =
            |n: usize| format!("{{{}}}", (0..n).map(|i| format!("\"k{i}\":{i}")).collect::<Vec<_>>().join(","));
        assert!(with_more(&object(40), &object(40)));
        assert!(!with_more(&object(39), &object(40)));
        assert!(!with_more(&object(3), &object(40)));
    }

    proptest! {
        #[test]
        fn any_text_has_marks_that_can_be_written(text in "[\\[\\]{}:,\"\\\\na0-2é ]{0,40}") {
            if let Some(input) = CallInput::of(&text) {
                prop_assert!(input.is(&input) && input.is_with_more(&input));
                prop_assert_eq!(CallInput::from_text(&input.to_text()), Some(input));
            }
        }

        #[test]
        fn any_text_may_be_read_as_marks(text in "[pj0-9a-f, é]{0,40}") {
            let _ = CallInput::from_text(&text);
        }
    }
}
