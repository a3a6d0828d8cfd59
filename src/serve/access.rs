//! Who may do what: keys, and where a request comes from.

use std::net::IpAddr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;

use super::refusal::Refusal;
use super::settings::Token;

/// What a request may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

impl Access {
    /// Refuses who may only read.
    pub(super) fn to_write(self) -> Result<(), Refusal> {
        match self {
            Self::Write => Ok(()),
            Self::Read => Err(Refusal::read_only()),
        }
    }
}

/// Refuses requests over gRPC that may only read.
pub(super) fn to_write(extensions: &tonic::Extensions) -> Result<(), Refusal> {
    extensions.get::<Access>().copied().unwrap_or(Access::Read).to_write()
}

/// The keys of a server.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    token: Option<Token>,
    write: Option<Token>,
}

impl Keys {
    pub(super) fn new(token: Option<Token>, write: Option<Token>) -> Self {
        Self { token, write }
    }

    /// Whether some requests are answered without a key. The server then listens on this machine only.
    pub(super) fn is_open(&self) -> bool {
        self.token.is_none()
    }

    /// What the request may do that shows these keys, one of which must be right.
    pub(super) fn access<'a>(&self, shown: impl Iterator<Item = &'a [u8]>) -> Result<Access, Refusal> {
        let (mut reads, mut writes) = (false, false);
        for shown in shown {
            reads |= self.token.as_ref().is_some_and(|token| token.matches(shown));
            writes |= self.write.as_ref().is_some_and(|token| token.matches(shown));
        }
        match (&self.token, &self.write) {
            (None, None) => Ok(Access::Write),
            (Some(_), None) if reads => Ok(Access::Write),
            (_, Some(_)) if writes => Ok(Access::Write),
            (Some(_), Some(_)) if reads => Ok(Access::Read),
            (None, Some(_)) => Ok(Access::Read),
            _ => Err(Refusal::key()),
        }
    }
}

/// The key in a header `authorization`: behind the word `Bearer`, in any case, or alone, as uploads of Arize have it.
pub(super) fn bearer(value: &[u8]) -> &[u8] {
    let scheme = b"Bearer ";
    match value.split_at_checked(scheme.len()) {
        Some((word, key)) if word.eq_ignore_ascii_case(scheme) => key.trim_ascii(),
        _ => value.trim_ascii(),
    }
}

/// The password in a header `authorization` of a client that asks for a name and a password: it is the key, whatever the name.
pub(super) fn basic(value: &[u8]) -> Option<Vec<u8>> {
    let scheme = b"Basic ";
    let (word, coded) = value.split_at_checked(scheme.len())?;
    let coded = coded.trim_ascii();
    // Some clients fill the last group up, others do not.
    let whole = coded.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let pair = BASE64_STANDARD_NO_PAD.decode(&coded[..whole]).ok().filter(|_| word.eq_ignore_ascii_case(scheme))?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(pair[colon + 1..].to_vec())
}

/// Headers that carry a key as it is: of Arize's and Phoenix's exporters, and a common one.
pub(super) const KEY_HEADERS: [&str; 3] = ["api_key", "api-key", "x-api-key"];

/// Whether a Host header, which may have a port, names an address or `localhost`: no page on the web can be called so.
pub(super) fn is_of_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::{Access, Keys, basic, bearer, is_of_machine};
    use crate::serve::settings::Token;

    #[test]
    fn what_each_key_allows() {
        let access = |token: Option<&str>, write: Option<&str>, shown: &[u8]| {
            let keys = Keys::new(token.and_then(Token::new), write.and_then(Token::new));
            keys.access([shown].into_iter()).ok()
        };
        assert_eq!(access(None, None, b"any"), Some(Access::Write));
        assert_eq!(access(Some("r"), None, b"r"), Some(Access::Write));
        assert_eq!(access(Some("r"), None, b"x"), None);
        assert_eq!(access(Some("r"), Some("w"), b"r"), Some(Access::Read));
        assert_eq!(access(Some("r"), Some("w"), b"w"), Some(Access::Write));
        assert_eq!(access(Some("r"), Some("w"), b"x"), None);
        assert_eq!(access(None, Some("w"), b"w"), Some(Access::Write));
        assert_eq!(access(None, Some("w"), b"x"), Some(Access::Read));
        let keys = Keys::new(Token::new("r"), None);
        assert!(keys.access(std::iter::empty()).is_err());
    }

    #[test]
    fn a_key_comes_with_or_without_its_scheme() {
        for value in [&b"Bearer k"[..], b"bearer  k ", b"k", b" k"] {
            assert_eq!(bearer(value), b"k");
        }
    }

    #[test]
    fn a_password_is_a_key() {
        assert_eq!(basic(b"Basic YW55Om15OmtleQ=="), Some(b"my:key".to_vec()));
        assert_eq!(basic(b"Basic YW55Om15OmtleQ"), Some(b"my:key".to_vec()));
        assert_eq!(basic(b"basic YW55Og=="), Some(vec![]));
        for value in [&b"Bearer YW55Om15OmtleQ=="[..], b"Basic ???", b"Basic YW55", b"k"] {
            assert_eq!(basic(value), None);
        }
    }

    #[test]
    fn only_names_that_no_page_has_are_of_this_machine() {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:8051", "[::1]:8051", "[::1]"] {
            assert!(is_of_machine(host), "{host}");
        }
        for host in ["evil.example", "evil.example:8051", "localhost.evil.example", "", "127.0.0.1.evil.example:1"] {
            assert!(!is_of_machine(host), "{host}");
        }
    }
}
