//! What can go wrong in a store, always naming the file or location.

use std::path::PathBuf;

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The location given for a store cannot be one.
    #[error("{location}: {reason}")]
    Location {
        /// The location as typed.
        location: String,
        /// Why it cannot be a store, and what to do.
        reason: String,
    },
    /// A file of the store is missing, cut, changed or foreign.
    #[error("{file}: damaged store file: {reason}; `spanql store versions` lists versions that may still be whole")]
    Damaged {
        /// Path inside the store.
        file: String,
        /// What does not match.
        reason: String,
    },
    /// A file of the store is not there.
    #[error(
        "{file}: damaged store file: the file is missing; `spanql store versions` lists versions that may still be whole"
    )]
    Missing {
        /// Path inside the store.
        file: String,
    },
    /// A version was removed while it was read.
    #[error("version {version} was removed from the store while it was read, by a vacuum: ask again")]
    Removed {
        /// The version that was read.
        version: u64,
    },
    /// A vacuum found that the newest version, which it keeps, is not whole.
    #[error(
        "nothing was removed: version {version}, the newest, is not whole: {reason}; `spanql store restore N` makes an \
         older version of `spanql store versions` the newest again"
    )]
    NotWhole {
        /// The newest version.
        version: u64,
        /// What is wrong with which file.
        reason: String,
    },
    /// Files that a commit was about to name, or had just named, were removed by somebody else.
    #[error(
        "{location}: the commit was not made: files that it had written were removed meanwhile, by a vacuum that took it for \
         dead or by another program; run the command again"
    )]
    FilesRemoved {
        /// The store.
        location: String,
    },
    /// As [`FilesRemoved`](Self::FilesRemoved), and the version that names the files could not be taken back.
    #[error(
        "version {version} names files that were removed while it was committed, and could not be taken back ({reason}); \
         `spanql store versions` lists older versions, `spanql store restore N` makes one the newest"
    )]
    NotTakenBack {
        /// The version that is not whole.
        version: u64,
        /// Why it could not be taken back.
        reason: String,
    },
    /// A version that was asked for does not exist any more, or never did.
    #[error("version {version} is not in the store: it has {known}")]
    NoVersion {
        /// The version asked for.
        version: u64,
        /// The versions there are, as text.
        known: String,
    },
    /// The storage refused an operation.
    #[error("{file}: {source}")]
    Storage {
        /// Path inside the store.
        file: String,
        /// What the storage said.
        source: object_store::Error,
    },
    /// The storage refused a commit, or lost its answer, and cannot be asked which.
    #[error(
        "{file}: {source}; nor can it be read back ({unread}): whether version {version} was committed is not known, \
         `spanql store versions` says"
    )]
    Uncertain {
        /// Path of the manifest inside the store.
        file: String,
        /// Its version.
        version: u64,
        /// What the storage said.
        source: Box<object_store::Error>,
        /// What it said when it was asked for the file.
        unread: String,
    },
    /// A temporary file could not be written or read.
    #[error("temporary file in {dir}: {source}")]
    Spill {
        /// The directory of the file.
        dir: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Spans that break the contract of an ingest batch.
    #[error("spans do not fit the schema: {0}")]
    Ingest(String),
    /// A patch that cannot be written.
    #[error("the patch cannot be written: {0}")]
    Patch(String),
    /// A patch names what the project does not have; nothing was written.
    #[error(
        "nothing was written: project {project} has no {} {}",
        if ids.len() == 1 { what.0 } else { what.1 },
        listed(ids)
    )]
    UnknownIds {
        /// The project.
        project: String,
        /// What the ids name, for one and for many.
        what: (&'static str, &'static str),
        /// All of the ids that it does not have.
        ids: Vec<String>,
    },
    /// An Arrow computation failed.
    #[error("{context}: {source}")]
    Arrow {
        /// What was being computed, on which file.
        context: String,
        /// What Arrow said.
        source: arrow::error::ArrowError,
    },
    /// Writing a Parquet file failed.
    #[error("{file}: {source}")]
    Parquet {
        /// The file being written.
        file: String,
        /// What Parquet said.
        source: parquet::errors::ParquetError,
    },
    /// Too many writers kept winning.
    #[error("gave up after {attempts} attempts: other writers kept committing to {location}; run the command again")]
    Contended {
        /// The store.
        location: String,
        /// Attempts made.
        attempts: usize,
    },
    /// A background task of the store ended abnormally.
    #[error("internal: {0}")]
    Internal(String),
}

impl StoreError {
    pub(crate) fn damaged(file: impl Into<String>, reason: impl ToString) -> Self {
        Self::Damaged { file: file.into(), reason: reason.to_string() }
    }

    pub(crate) fn storage(file: impl ToString, source: object_store::Error) -> Self {
        Self::Storage { file: file.to_string(), source }
    }

    /// What the storage said when a file was to be read.
    pub(crate) fn reading(file: &str, source: object_store::Error) -> Self {
        match source {
            object_store::Error::NotFound { .. } => Self::Missing { file: file.to_owned() },
            source => Self::storage(file, source),
        }
    }

    pub(crate) fn arrow(context: impl Into<String>) -> impl FnOnce(arrow::error::ArrowError) -> Self {
        let context = context.into();
        move |source| Self::Arrow { context, source }
    }

    pub(crate) fn parquet(file: impl Into<String>) -> impl FnOnce(parquet::errors::ParquetError) -> Self {
        let file = file.into();
        move |source| Self::Parquet { file, source }
    }
}

/// The first of the ids, and how many there are beyond them.
fn listed(ids: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown = ids[..ids.len().min(SHOWN)].join(", ");
    if ids.len() > SHOWN { format!("{shown} and {} more", ids.len() - SHOWN) } else { shown }
}

/// Result of a store operation.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;
