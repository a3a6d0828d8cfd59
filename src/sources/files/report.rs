//! The account of what a file held, and of what did not fit.

use std::collections::BTreeSet;

use super::error::FileError;
use spanql_model::ingest::ChangeCounts;

/// A row that was passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// The file it is in.
    pub file: String,
    /// Its line, or its row number in a file without lines, from 1.
    pub line: u64,
    /// The column, the value's beginning and what is wrong with it.
    pub reason: String,
}

/// What became of a file's rows so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadReport {
    /// Rows handed out.
    pub rows: u64,
    /// Rows passed over.
    pub bad: u64,
    /// The first ten of the rows passed over.
    pub first_bad: Vec<BadRow>,
    /// Root columns that were kept as `attributes.<name>`.
    pub renamed: BTreeSet<String>,
    /// What changed of values on the way in.
    pub changes: ChangeCounts,
}

const BAD_KEPT: usize = 10;

impl ReadReport {
    /// Adds the account of another file.
    pub fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.bad += other.bad;
        let room = BAD_KEPT.saturating_sub(self.first_bad.len());
        self.first_bad.extend(other.first_bad.iter().take(room).cloned());
        self.renamed.extend(other.renamed.iter().cloned());
        self.changes.extend(&other.changes);
    }

    /// Notes a row that is passed over; where none may be, that is the error.
    pub(super) fn note_bad(&mut self, skip: bool, file: &str, line: u64, reason: String) -> Result<(), FileError> {
        let file = file.to_owned();
        if !skip {
            return Err(FileError::Row { file, line, reason });
        }
        self.bad += 1;
        if self.first_bad.len() < BAD_KEPT {
            self.first_bad.push(BadRow { file, line, reason });
        }
        Ok(())
    }
}
