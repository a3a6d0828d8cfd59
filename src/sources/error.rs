//! What can go wrong with a remote, always naming it.

/// An error of a remote source. No variant ever holds a key.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SourceError {
    /// A setting is missing or cannot be used.
    #[error("{0}")]
    Setting(String),
    /// No connection, or it broke, or an answer took too long.
    #[error("{endpoint}: {reason}")]
    Unreachable {
        /// What was called.
        endpoint: String,
        /// Why it cannot be reached.
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
        retry_after: Option<std::time::Duration>,
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

impl SourceError {
    /// Whether the same request may succeed a little later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Unavailable { .. })
    }

    /// The error as the cause of itself.
    pub(crate) fn itself(&self) -> Option<&Self> {
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
