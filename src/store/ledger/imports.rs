//! Files that were imported, as they are remembered, and what speaks against their being whole.

use std::collections::BTreeMap;
use std::fmt;

use indicatif::HumanCount;
use serde::{Deserialize, Serialize};

use crate::ids::new_id;
use crate::merge::Counts;

/// The numbers of rows that exports are known to stop at without a word.
pub const CAPS: [u64; 4] = [50, 100, 500, 1_000];
/// Reasons that a line names.
const SHOWN: usize = 4;

/// One import of files: what they held, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileImport {
    /// Its id, see [`FileImport::new`].
    pub id: String,
    /// When it was committed, ms since the epoch, UTC.
    pub committed: i64,
    /// The files, in the order in which they were read.
    pub files: Vec<ImportedFile>,
    /// The projects of their rows.
    pub projects: Vec<ImportedProject>,
}

/// What an import read of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedFile {
    /// Its absolute path; nothing for what came from a pipe, which has no name to know it by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Rows of it that were taken.
    pub rows: u64,
    /// Rows of it that did not fit and were passed over.
    #[serde(default, skip_serializing_if = "is_none")]
    pub bad: u64,
    /// Why it was not read to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<String>,
}

/// What an import brought into one project.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedProject {
    /// Its name.
    pub project: String,
    /// Rows of all files.
    pub rows: u64,
    /// Spans that the store did not hold.
    pub new: u64,
    /// Spans that it held with other values.
    pub updated: u64,
    /// Spans that it held just so.
    pub same: u64,
    /// Rows left out because their span was deleted.
    #[serde(default, skip_serializing_if = "is_none")]
    pub deleted: u64,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

/// What is known of a project whose spans came from files: nobody said how many there are.
///
/// Shows as one line for people, which holds names as they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesVerdict {
    /// The project.
    pub project: String,
    /// What speaks against their being whole; nothing where nothing is known.
    pub doubts: Vec<Doubt>,
}

/// A sign that what was imported is not all there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// A file was not read to its end, for this reason.
    Cut(String),
    /// A file holds exactly as many rows as exports are known to stop at.
    Round {
        /// The file.
        file: String,
        /// Its rows.
        rows: u64,
    },
    /// All spans of the project that came from files are exactly that many.
    RoundSpans(u64),
    /// Rows of a file were passed over.
    Skipped {
        /// The file.
        file: String,
        /// How many.
        rows: u64,
    },
    /// So many spans name a parent that is not there.
    Orphans(u64),
    /// So many traces have no root.
    Rootless(u64),
}

impl FileImport {
    /// An import of files that was not committed yet, under an id that no other has.
    pub fn new(files: Vec<ImportedFile>) -> Self {
        Self { id: new_id(), committed: 0, files, projects: Vec::new() }
    }

    /// The same with the rows of each project.
    pub(crate) fn with_rows(&self, rows: BTreeMap<String, u64>) -> Self {
        let project = |(project, rows)| ImportedProject { project, rows, ..ImportedProject::default() };
        Self { projects: rows.into_iter().map(project).collect(), ..self.clone() }
    }

    /// The same with what a commit did, by project, and when that was.
    pub(super) fn landed(&self, counts: &BTreeMap<String, Counts>, committed: i64) -> Self {
        let with_counts = |project: &ImportedProject| {
            let Counts { new, updated, same, deleted } = counts.get(&project.project).copied().unwrap_or_default();
            ImportedProject { new, updated, same, deleted, ..project.clone() }
        };
        Self { committed, projects: self.projects.iter().map(with_counts).collect(), ..self.clone() }
    }

    /// Whether nothing of it has a name, and nothing speaks against it.
    pub(super) fn is_unnamed(&self) -> bool {
        self.files.iter().all(|file| file.path.is_none() && file.doubts().next().is_none())
    }

    /// What its files alone say.
    pub fn doubts(&self) -> Vec<Doubt> {
        self.files.iter().flat_map(ImportedFile::doubts).collect()
    }
}

impl ImportedFile {
    /// What messages call it.
    pub fn name(&self) -> &str {
        self.path.as_deref().unwrap_or("stdin")
    }

    pub(super) fn doubts(&self) -> impl Iterator<Item = Doubt> {
        let file = || self.name().to_owned();
        let round =
            CAPS.contains(&(self.rows + self.bad)).then(|| Doubt::Round { file: file(), rows: self.rows + self.bad });
        let skipped = (self.bad > 0).then(|| Doubt::Skipped { file: file(), rows: self.bad });
        self.cut.clone().map(Doubt::Cut).into_iter().chain(round).chain(skipped)
    }
}

impl ImportedProject {
    /// Rows that were of a span that another row was of, too.
    pub fn repeated(&self) -> u64 {
        self.rows.saturating_sub(self.new + self.updated + self.same + self.deleted)
    }
}

impl FilesVerdict {
    /// Whether something speaks against the spans being whole.
    pub fn is_suspect(&self) -> bool {
        !self.doubts.is_empty()
    }
}

impl fmt::Display for FilesVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "project {} came from files, ", self.project)?;
        if self.doubts.is_empty() {
            return f.write_str("and nobody said how many spans there are: whether they are all there is unknown");
        }
        f.write_str("and they look cut: ")?;
        let shown: Vec<String> = self.doubts.iter().take(SHOWN).map(ToString::to_string).collect();
        f.write_str(&shown.join("; "))?;
        match self.doubts.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "; and {more} more signs"),
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (s, was) =
            (|count: &u64| if *count == 1 { "" } else { "s" }, |count: &u64| if *count == 1 { "was" } else { "were" });
        let has = |count: &u64| if *count == 1 { "has" } else { "have" };
        match self {
            Self::Cut(reason) => write!(f, "not read to the end: {reason}"),
            Self::Round { file, rows } => {
                write!(f, "{file} has exactly {} rows, where exports are cut", HumanCount(*rows))
            }
            Self::RoundSpans(spans) => {
                write!(f, "there are exactly {} spans, where exports are cut", HumanCount(*spans))
            }
            Self::Skipped { file, rows } => {
                write!(f, "{} row{} of {file} did not fit and {} left out", HumanCount(*rows), s(rows), was(rows))
            }
            Self::Orphans(count) => {
                write!(f, "the parent of {} span{} is not there", HumanCount(*count), s(count))
            }
            Self::Rootless(count) => {
                write!(f, "{} trace{} {} no root", HumanCount(*count), s(count), has(count))
            }
        }
    }
}
