//! What can be wrong with settings.

/// Why settings cannot be used. Never holds a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A file of settings cannot be read.
    #[error("{file}: {reason}")]
    File {
        /// Its path.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting cannot be what it is.
    #[error("{place}: {reason}")]
    Value {
        /// The setting, and where it stands.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting that is needed is not there.
    #[error("{0}")]
    Missing(String),
}
