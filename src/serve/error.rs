//! Why a server cannot start or go on.

use std::path::PathBuf;

use spanql_engine::EngineError;
use spanql_store::StoreError;

/// An error of a server as a whole; what goes wrong with one request is told to its client only.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Others could reach the server, and it has no token.
    #[error("{host} is reachable from other machines, and there is no token: give one, or listen on 127.0.0.1")]
    Unprotected {
        /// The host as it was given.
        host: String,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// Host and port as they were given.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file for TLS cannot be read.
    #[error("cannot read {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Certificate or key are not what TLS needs.
    #[error("{path}: {reason}")]
    Tls {
        /// The file that is wrong.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine cannot be set up.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A listener that was running failed.
    #[error("the {transport} server stopped: {reason}")]
    Stopped {
        /// `Flight` or `HTTP`.
        transport: &'static str,
        /// What it said.
        reason: String,
    },
}
