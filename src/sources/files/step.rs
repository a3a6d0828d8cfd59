//! What reading one row comes to.

/// What reading one row came to.
pub(super) enum Step {
    /// The row of this line was added.
    Row(u64),
    /// There was nothing to add.
    Blank,
    /// A row does not fit.
    Bad {
        /// The line, or the row in a file without lines.
        line: u64,
        /// Why.
        reason: String,
    },
    /// What the file begins with is nothing that holds spans.
    NoSpans {
        /// The line.
        line: u64,
        /// What was looked for, and what was found.
        reason: String,
    },
    /// There is nothing more.
    End,
}

/// Why a file cannot be read any further, and where.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) line: u64,
    pub(super) reason: String,
}

impl Failed {
    pub(super) fn at(line: u64, reason: impl ToString) -> Self {
        Self { line, reason: reason.to_string() }
    }
}
