//! What redacts: patterns, and the key of the placeholders.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::patterns::{BadPattern, KINDS, Patterns};

/// Digits of a hash in a placeholder: of a million different texts, two are the same once in a million stores.
const DIGITS: usize = 10;

/// The patterns that are built in, read when the first text comes. They are known to be right: a test reads them.
static BUILT_IN: LazyLock<Patterns> =
    LazyLock::new(|| Patterns::new(std::iter::empty()).unwrap_or_else(|error| unreachable!("{error}")));

/// Replaces what looks like a secret by placeholders.
///
/// Cheap to make where there are no patterns of one's own.
#[derive(Debug)]
pub struct Redactor {
    key: [u8; 32],
    own: BTreeMap<String, String>,
    /// All patterns, where some are one's own.
    patterns: Option<Patterns>,
}

impl Redactor {
    /// One with a key for its placeholders, and patterns of one's own, by the names of their placeholders. A pattern with
    /// a group replaces the first group only.
    ///
    /// # Errors
    /// When a pattern is none, or matches the empty text.
    pub fn new(key: [u8; 32], own: BTreeMap<String, String>) -> Result<Self, BadPattern> {
        let read = || Patterns::new(own.iter().map(|(name, pattern)| (name.as_str(), pattern.as_str())));
        let patterns = (!own.is_empty()).then(read).transpose()?;
        Ok(Self { key, own, patterns })
    }

    pub(super) fn patterns(&self) -> &Patterns {
        self.patterns.as_ref().unwrap_or(&BUILT_IN)
    }

    /// The names that kinds of secrets have in placeholders.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        KINDS.into_iter().chain(self.own.keys().map(String::as_str))
    }

    /// What stands in the place of a secret: numbers and addresses are the same however they are written.
    pub(super) fn placeholder(&self, kind: &str, secret: &str) -> String {
        let plain: Cow<'_, str> = match kind {
            "card" | "phone" => secret.chars().filter(char::is_ascii_digit).collect::<String>().into(),
            "email" => secret.to_lowercase().into(),
            _ => secret.into(),
        };
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(kind.as_bytes()).update(&[0]).update(plain.as_bytes());
        let hash = hasher.finalize().to_hex();
        format!("[{kind}-{}]", &hash.as_str()[..DIGITS])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::Redactor;

    fn redactor() -> Redactor {
        Redactor::new([7; 32], BTreeMap::new()).unwrap()
    }

    #[test]
    fn placeholders_stay_and_depend_on_the_key() {
        let redactor = redactor();
        let one = redactor.text("ada@example.org").into_owned();
        assert!(one.starts_with("[email-") && one.ends_with(']') && one.len() == 18, "{one}");
        assert_eq!(redactor.text("to Ada@Example.org!"), format!("to {one}!"));
        assert_eq!(redactor.text(&one), one, "a placeholder is no secret");
        let other = Redactor::new([8; 32], BTreeMap::new()).unwrap();
        assert_ne!(other.text("ada@example.org"), one);
        assert_eq!(redactor.text("4111 1111 1111 1111"), redactor.text("4111111111111111"));
    }

    #[test]
    fn json_stays_json() {
        let redactor = redactor();
        let (mail, card) =
            (redactor.text("ada@example.org").into_owned(), redactor.text("4111111111111111").into_owned());
        for (text, expected) in [
            (r#"{"a":"x\nada@example.org"}"#.to_owned(), format!(r#"{{"a":"x\n{mail}"}}"#)),
            (r#"{"ada@example.org":[4111111111111111,1.5]}"#.to_owned(), format!(r#"{{"{mail}":["{card}",1.5]}}"#)),
            (r#"["{\"to\":\"\\tada@example.org\"}"]"#.to_owned(), format!(r#"["{{\"to\":\"\\t{mail}\"}}"]"#)),
            (r#"{"a":"ada\u0040example.org"}"#.to_owned(), format!(r#"{{"a":"{mail}"}}"#)),
            ("[INFO] ada@example.org said \"ada@example.org".to_owned(), format!("[INFO] {mail} said \"{mail}")),
            ("[\"ada@example.org\"".to_owned(), format!("[\"{mail}\"")),
            ("C:\\nada@example.org".to_owned(), format!("C:\\{}", redactor.text("nada@example.org"))),
        ] {
            assert_eq!(redactor.text(&text), expected);
        }
    }

    proptest! {
        #[test]
        fn what_has_no_secret_is_not_touched(text in "[a-zA-Z0-9 {}\\[\\]\",:\\\\\n]{0,80}") {
            let redactor = redactor();
            if !redactor.finds(&text, None) {
                prop_assert_eq!(redactor.text(&text), text.as_str());
            }
        }

        #[test]
        fn valid_json_stays_valid_and_loses_its_secrets(
            words in prop::collection::vec("[a-z\n\"\\\\ é]{0,6}( ada@example\\.org | 4111111111111111 |)[a-z\n\" ]{0,3}", 0..5),
        ) {
            let json = serde_json::to_string(&serde_json::json!({"a": words, "b": 4111111111111111u64})).unwrap();
            let redactor = redactor();
            let redacted = redactor.text(&json);
            let read: Result<serde_json::Value, _> = serde_json::from_str(&redacted);
            prop_assert!(read.is_ok(), "{redacted}");
            prop_assert!(!redacted.contains("example") && !redacted.contains("4111111111111111"), "{redacted}");
        }
    }
}
