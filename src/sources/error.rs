//! What can go wrong with a remote, always naming it.

use std::error::Error;
use std::time::Duration;

use super::config::ConfigError;

/// The variable that names the certificates to trust for Arize.
pub(crate) const CA_VARIABLE: &str = "ARIZE_SSL_CA_CERT";

/// An error of a remote source. No variant ever holds a key.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SourceError {
    /// A setting is missing or cannot be used.
    #[error("{0}")]
    Setting(String),
    /// No connection, or it broke.
    #[error("{endpoint}: {reason}")]
    Unreachable {
        /// What was called.
        endpoint: String,
        /// Why it cannot be reached.
        reason: String,
    },
    /// The remote said nothing for as long as one was willing to wait.
    #[error("{endpoint}: {reason}")]
    Silent {
        /// What was called.
        endpoint: String,
        /// For how long.
        reason: String,
    },
    /// Encryption cannot be agreed on: a certificate that is not trusted, or no encryption on one side.
    #[error("{endpoint}: {reason}")]
    Untrusted {
        /// What was called.
        endpoint: String,
        /// Why, and what to check.
        reason: String,
    },
    /// The remote answered that it cannot do it now.
    #[error("{endpoint}: {reason}")]
    Unavailable {
        /// What was called.
        endpoint: String,
        /// What it said.
        reason: String,
        /// After how long it may be asked again, where it says so.
        retry_after: Option<Duration>,
    },
    /// The remote does not accept the key, or the key may not do this.
    #[error("{endpoint}: {reason}")]
    Denied {
        /// What was called.
        endpoint: String,
        /// What it said, and what to check.
        reason: String,
    },
    /// The remote refuses the request itself.
    #[error("{endpoint}: {reason}")]
    Refused {
        /// What was called.
        endpoint: String,
        /// What it said.
        reason: String,
    },
    /// Something that was named is not there.
    #[error("{what}{}", suggestion.as_ref().map(|name| format!("; did you mean {name}?")).unwrap_or_default())]
    NotFound {
        /// What is not there, and where.
        what: String,
        /// The nearest name there is.
        suggestion: Option<String>,
    },
    /// The remote does not keep to the protocol.
    #[error("{endpoint}: {reason}")]
    Protocol {
        /// What was called.
        endpoint: String,
        /// What does not fit.
        reason: String,
    },
}

impl From<ConfigError> for SourceError {
    fn from(error: ConfigError) -> Self {
        Self::Setting(error.to_string())
    }
}

impl SourceError {
    /// Whether the same request may succeed a little later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Unavailable { .. })
    }

    /// The error of an endpoint that said nothing for so long.
    pub fn silent(endpoint: impl Into<String>, waited: Duration) -> Self {
        let reason = format!("no answer for {} s; --timeout gives it longer", waited.as_secs_f64());
        Self::Silent { endpoint: endpoint.into(), reason }
    }

    /// The error of an endpoint with which encryption cannot be agreed on, if that is among the causes of an error.
    pub fn untrusted(endpoint: &str, error: &(dyn Error + 'static)) -> Option<Self> {
        Self::untrusted_by(endpoint, error, CA_VARIABLE)
    }

    /// The same, where another variable names the certificates to trust.
    pub(crate) fn untrusted_by(endpoint: &str, error: &(dyn Error + 'static), ca_variable: &str) -> Option<Self> {
        let mut next = Some(error);
        let tls = loop {
            let cause = next?;
            // An I/O error shows what it wraps, and is not caused by it.
            let wrapped = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
            let wrapped = wrapped.and_then(|inner| inner.downcast_ref::<rustls::Error>());
            match wrapped.or_else(|| cause.downcast_ref()) {
                Some(tls) => break tls,
                None => next = cause.source(),
            }
        };
        let help = match tls {
            rustls::Error::InvalidCertificate(wrong) if format!("{wrong:?}").contains("CaUsedAsEndEntity") => {
                "; the server shows a certificate that is made to sign others: it needs one with basicConstraints=CA:FALSE"
                    .to_owned()
            }
            rustls::Error::InvalidCertificate(_) => format!("; {ca_variable} names the certificates to trust"),
            rustls::Error::InvalidMessage(_) => "; does it expect an unencrypted connection?".to_owned(),
            _ => String::new(),
        };
        Some(Self::Untrusted { endpoint: endpoint.to_owned(), reason: format!("{tls}{help}") })
    }

    /// The error as the cause of itself.
    pub fn itself(&self) -> Option<&Self> {
        Some(self)
    }

    /// The name that was probably meant.
    pub fn suggestion(&self) -> Option<&str> {
        match self {
            Self::NotFound { suggestion, .. } => suggestion.as_deref(),
            _ => None,
        }
    }
}
