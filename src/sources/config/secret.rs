//! Keys: values that are sent, and never shown.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// What stands where a key would.
const HIDDEN: &str = "<key>";

/// A key. Its `Debug` form does not show it, and it has no `Display` form.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a key; blanks and line ends around it are not part of it.
    pub fn new(key: &str) -> Self {
        Self(key.trim().to_owned())
    }

    /// The key itself, to be sent.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// That there is a key, with its end if that is a small part of it.
    pub fn masked(&self) -> String {
        let long = self.0.len() >= 20 && self.0.is_ascii();
        match self.0.len().checked_sub(4).filter(|_| long) {
            Some(end) => format!("set (ends in {})", &self.0[end..]),
            None => "set".to_owned(),
        }
    }

    /// A text in which the key does not occur, neither as it is nor as it goes over the wire: remotes sometimes repeat
    /// what they were sent.
    pub fn redact(&self, text: &str) -> String {
        // A key this short is a placeholder, and would tear holes into words.
        if self.0.len() < 8 {
            return text.to_owned();
        }
        let wire = [STANDARD_NO_PAD, URL_SAFE_NO_PAD].map(|encoding| encoding.encode(&self.0));
        wire.iter().fold(text.replace(&self.0, HIDDEN), |text, wire| text.replace(wire, HIDDEN))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn is_never_shown() {
        let key = Secret::new(" ak-12345\n");
        assert_eq!(key.expose(), "ak-12345");
        assert_eq!(format!("{key:?}"), "<key>");
        assert_eq!(key.redact("bad key ak-12345!"), "bad key <key>!");
        assert_eq!(key.redact("auth-token-bin: YWstMTIzNDU="), "auth-token-bin: <key>=");
        assert_eq!(Secret::new("a").redact("a man"), "a man");
        assert_eq!((key.masked(), Secret::new("日本日本日本日本").masked()), ("set".into(), "set".into()));
        assert_eq!(Secret::new("ak-0123456789-0123456").masked(), "set (ends in 3456)");
    }
}
