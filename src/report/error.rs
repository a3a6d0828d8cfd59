//! What is wrong with a saved query, its parameters or its expectations.

use std::path::PathBuf;

/// Why a saved query cannot be read, found or run.
///
/// `Display` is one text for people: what failed, where (file:line), why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// A line of the leading comments is no directive as it should be.
    #[error("{place}:{line}: {reason}")]
    Header {
        /// Where the text is from: a file, or `built-in query NAME`.
        place: String,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong, and what could be written.
        reason: String,
        /// What could be written instead, where something near is known.
        suggestion: Option<String>,
    },
    /// Something in a report is not as it should be.
    #[error("{place}:{line}: {reason}{}", hint(.suggestion, ""))]
    Report {
        /// Where the text is from: a file, or `built-in report NAME`.
        place: String,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong, and what could be written.
        reason: String,
        /// What could be written instead, where something near is known.
        suggestion: Option<String>,
    },
    /// There is no report of that name, and no saved query.
    #[error("there is no report {name}{}", hint(.suggestion, "see `spanql report --list`"))]
    UnknownReport {
        /// The name.
        name: String,
        /// The nearest one.
        suggestion: Option<String>,
    },
    /// A file cannot be read.
    #[error("{}: {reason}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// Files of one directory give themselves the same name.
    #[error("{} have the same name, {name}; rename all but one of them", listed(files))]
    Twice {
        /// The name.
        name: String,
        /// The files, sorted.
        files: Vec<PathBuf>,
    },
    /// There is no saved query of that name.
    #[error("there is no saved query {name}{}", hint(.suggestion, "see `spanql run --list`"))]
    UnknownQuery {
        /// The name.
        name: String,
        /// The nearest one.
        suggestion: Option<String>,
    },
    /// A value was given to a parameter that is not there.
    #[error("there is no parameter {name}{}", hint(.suggestion, known))]
    UnknownParameter {
        /// The name.
        name: String,
        /// Which there are, in words.
        known: String,
        /// The nearest one.
        suggestion: Option<String>,
    },
    /// A value does not fit its parameter.
    #[error("the parameter {name}: {reason}")]
    BadValue {
        /// The parameter.
        name: String,
        /// What is wrong, and what is understood.
        reason: String,
    },
    /// Parameters without a default were not given.
    #[error("{} needed: {}", if .needed.len() == 1 { "a value is" } else { "values are" }, .needed.join(", "))]
    MissingParameters {
        /// Each as it would be given, with its type and description.
        needed: Vec<String>,
    },
    /// An expectation is about a column that the result does not have.
    #[error("the expectation {expectation}: the result has no column {column}{}", hint(.suggestion, ""))]
    UnknownColumn {
        /// The expectation as it was written.
        expectation: String,
        /// The column.
        column: String,
        /// The nearest one.
        suggestion: Option<String>,
    },
    /// An expectation cannot be checked on such a column.
    #[error("the expectation {expectation}: {reason}")]
    BadExpectation {
        /// The expectation as it was written.
        expectation: String,
        /// Why, and what to do.
        reason: String,
    },
}

impl ReportError {
    /// A short name of the kind of error in kebab case, stable for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Header { .. } => "bad-header",
            Self::Report { .. } => "bad-report",
            Self::UnknownReport { .. } => "unknown-report",
            Self::Unreadable { .. } => "file",
            Self::Twice { .. } => "ambiguous-query",
            Self::UnknownQuery { .. } => "unknown-query",
            Self::UnknownParameter { .. } => "unknown-parameter",
            Self::BadValue { .. } => "bad-parameter",
            Self::MissingParameters { .. } => "missing-parameter",
            Self::UnknownColumn { .. } => "unknown-column",
            Self::BadExpectation { .. } => "bad-expectation",
        }
    }

    /// What could be written instead, where something near is known.
    pub fn suggestion(&self) -> Option<&str> {
        match self {
            Self::Header { suggestion, .. }
            | Self::Report { suggestion, .. }
            | Self::UnknownReport { suggestion, .. }
            | Self::UnknownQuery { suggestion, .. }
            | Self::UnknownParameter { suggestion, .. }
            | Self::UnknownColumn { suggestion, .. } => suggestion.as_deref(),
            _ => None,
        }
    }

    /// Line and column, both counted from 1, of the place in the text, where it is known.
    pub fn position(&self) -> Option<(u64, u64)> {
        match self {
            Self::Header { line, .. } | Self::Report { line, .. } => Some((*line as u64, 1)),
            _ => None,
        }
    }

    /// Whether the values that were given are at fault, and not what was saved.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::UnknownParameter { .. } | Self::BadValue { .. } | Self::MissingParameters { .. })
    }
}

/// Files in words: `a`, `b` and `c`.
fn listed(files: &[PathBuf]) -> String {
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    match names.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => names.concat(),
    }
}

fn hint(suggestion: &Option<String>, otherwise: &str) -> String {
    match suggestion {
        Some(near) => format!("; did you mean {near}?"),
        None if otherwise.is_empty() => String::new(),
        None => format!("; {otherwise}"),
    }
}
