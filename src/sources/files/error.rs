//! What can go wrong with a file.

use std::io;

/// An error in an export file. The message names the file, and the line where there is one.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A path names nothing.
    #[error("{path}: no such file, and no file matches it")]
    Missing {
        /// The path as given.
        path: String,
    },
    /// A directory holds nothing to read.
    #[error("{path}: no file in it ends in {endings} (also with .gz or .zst)")]
    EmptyDirectory {
        /// The directory as given.
        path: String,
        /// The endings looked for.
        endings: String,
    },
    /// A glob pattern is malformed.
    #[error("{path}: not a file, and as a pattern: {reason}")]
    Pattern {
        /// The pattern as given.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing tells what the file is.
    #[error("{file}: {reason}")]
    Format {
        /// The file.
        file: String,
        /// What was found, and what to do.
        reason: String,
    },
    /// The file cannot be read.
    #[error("{file}: {source}")]
    Io {
        /// The file.
        file: String,
        /// What the system says.
        source: io::Error,
    },
    /// The file ends too early or is broken; rows before that place are good.
    #[error("{file}:{line}: {reason}")]
    Damaged {
        /// The file.
        file: String,
        /// The line, or the row in a file without lines, from 1.
        line: u64,
        /// What is broken.
        reason: String,
    },
    /// A row does not fit.
    #[error("{file}:{line}: {reason}")]
    Row {
        /// The file.
        file: String,
        /// The line, or the row in a file without lines, from 1.
        line: u64,
        /// The column, the value's beginning and what is wrong with it.
        reason: String,
    },
}
