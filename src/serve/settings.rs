//! What a server is told before it starts.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use subtle::ConstantTimeEq;

use spanql_engine::Engine;
use spanql_sources::config::Redaction;
use spanql_sources::prices::PriceFile;

/// How long transfers may go on after the end was asked for: within what process managers and shells wait without asking
/// again.
const GRACE: Duration = Duration::from_millis(1_500);
/// How long a statement may take.
const STATEMENT: Duration = Duration::from_secs(300);

/// A key that clients must show. Its text appears in no `Debug` form.
#[derive(Clone)]
pub struct Token(Box<str>);

impl Token {
    /// A key; `None` for blank text, which protects nothing.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        (!text.trim().is_empty()).then(|| Self(text.into()))
    }

    /// Whether a client shows this key; takes equally long wherever the two differ.
    pub(super) fn matches(&self, shown: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(shown).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The PEM files of a certificate chain and its private key.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate, then those that lead to its root.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Takes a line about each request.
pub type Log = Arc<dyn Fn(&str) + Send + Sync>;

/// Where and how a server answers.
#[derive(Clone)]
pub struct Settings {
    /// The address or name to listen on.
    pub host: String,
    /// The port of Flight; 0 for any free one.
    pub flight_port: u16,
    /// The port of HTTP; 0 for any free one.
    pub http_port: u16,
    /// The key that clients must show; without one, any key is accepted, and only loopback addresses are listened on.
    pub token: Option<Token>,
    /// The key that clients must show to write. With it, `token` only reads; without it, `token` does both.
    pub write_token: Option<Token>,
    /// Listens on the ports of OpenTelemetry too: 4317 for gRPC and 4318 for HTTP.
    pub otlp: bool,
    /// Certificate and key for both ports; without them, plaintext.
    pub tls: Option<TlsFiles>,
    /// The one project that is served, and that spans are stored in which name none; all of them if not set.
    pub project: Option<String>,
    /// Bytes that all requests together may take: half of them for what queries sort and join before they spill to disk,
    /// half for what they read and send.
    pub memory_limit: Option<usize>,
    /// How long a statement of Flight SQL may take, from its request until its last row is sent; 300 s if not set otherwise.
    pub statement_timeout: Duration,
    /// What models cost, for statements that estimate it.
    pub prices: Option<Arc<PriceFile>>,
    /// What `redact` and `looks_like_secret` go by in statements.
    pub redaction: Option<Arc<Redaction>>,
    /// The engine that statements of Flight SQL are asked of, with tables of the embedding program; that of the newest
    /// version of the store if not set.
    pub engine: Option<Engine>,
    /// How long transfers that are under way may go on when the server is asked to end; 1.5 s if not set otherwise.
    pub grace: Duration,
    /// Is told of each request; the text may hold names by strangers.
    pub log: Option<Log>,
}

impl Default for Settings {
    /// Plaintext on free ports of 127.0.0.1, for everyone on this machine.
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            flight_port: 0,
            http_port: 0,
            token: None,
            write_token: None,
            otlp: false,
            tls: None,
            project: None,
            memory_limit: None,
            statement_timeout: STATEMENT,
            prices: None,
            redaction: None,
            engine: None,
            grace: GRACE,
            log: None,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("host", &self.host)
            .field("flight_port", &self.flight_port)
            .field("http_port", &self.http_port)
            .field("token", &self.token)
            .field("write_token", &self.write_token)
            .field("otlp", &self.otlp)
            .field("tls", &self.tls)
            .field("project", &self.project)
            .field("memory_limit", &self.memory_limit)
            .field("statement_timeout", &self.statement_timeout)
            .field("grace", &self.grace)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{Settings, Token};

    #[test]
    fn a_token_matches_itself_only_and_is_not_shown() {
        let token = Token::new("s3cret-key").unwrap();
        assert!(token.matches(b"s3cret-key"));
        for other in [&b""[..], b"s3cret-keY", b"s3cret-ke", b"s3cret-key "] {
            assert!(!token.matches(other));
        }
        assert!(Token::new("  ").is_none());
        let settings = Settings { token: Some(token), ..Settings::default() };
        assert!(!format!("{settings:?}").contains("s3cret"), "{settings:?}");
    }
}
