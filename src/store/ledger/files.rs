//! What the ledger says of files: which of them count, and what is known of the projects whose spans came from them.

use std::collections::BTreeMap;

use super::imports::{CAPS, Doubt, FileImport, FilesVerdict, ImportedFile, ImportedProject};
use super::pulls::Ledger;
use crate::manifest::Manifest;

/// Imports that are kept, unless more of them say that something is missing.
const KEPT: usize = 1_000;
/// Of imports from pipes against which nothing speaks, so many are kept: a commit every second would fill the ledger with
/// them, which each commit writes again.
const KEPT_UNNAMED: usize = 100;

impl Ledger {
    /// Writes down an import.
    pub(super) fn record_import(&mut self, import: FileImport) {
        self.imports.push(import);
        let unnamed: Vec<usize> = (0..self.imports.len()).filter(|number| self.imports[*number].is_unnamed()).collect();
        for number in unnamed.iter().take(unnamed.len().saturating_sub(KEPT_UNNAMED)).rev() {
            // That a project came from files is known by the last of them.
            let is_later = |of: &ImportedProject| {
                let later = self.imports.iter().skip(number + 1).flat_map(|import| &import.projects);
                later.into_iter().any(|later| later.project == of.project)
            };
            if self.imports[*number].projects.iter().all(is_later) {
                self.imports.remove(*number);
            }
        }
        while self.imports.len() > KEPT {
            let spare = |number: &usize| {
                let import = &self.imports[*number];
                import.files.iter().all(|file| self.is_read_again(*number, file) || file.doubts().next().is_none())
            };
            let Some(number) = (0..self.imports.len()).find(spare) else { return };
            self.imports.remove(number);
        }
    }

    /// Whether an import that brought nothing would add nothing here either: its files are known as they are, or are not
    /// known and do not matter.
    pub(super) fn knows(&self, import: &FileImport) -> bool {
        let latest = |file: &ImportedFile| {
            let known = self.imports.iter().rev().flat_map(|import| import.files.iter().rev());
            known.into_iter().find(|known| file.path.is_some() && known.path == file.path)
        };
        import.files.iter().all(|file| latest(file).is_none_or(|known| known == file))
    }

    /// Whether a file of the numbered import was imported again later: that one counts.
    fn is_read_again(&self, number: usize, file: &ImportedFile) -> bool {
        let mut later = self.imports.iter().skip(number + 1).flat_map(|import| &import.files);
        file.path.is_some() && later.any(|later| later.path == file.path)
    }

    /// What the files of an import say that were not imported again later.
    pub fn doubts(&self, import: &FileImport) -> Vec<Doubt> {
        let number = self.imports.iter().position(|known| known.id == import.id).unwrap_or(self.imports.len());
        let latest = import.files.iter().filter(|file| !self.is_read_again(number, file));
        latest.flat_map(ImportedFile::doubts).collect()
    }

    /// What is known of the projects whose spans came from files, in the order of their names: those of a version of a
    /// store, of one project or all.
    ///
    /// A file that was imported again is judged by the latest import of it. Orphans and traces without a root are those
    /// that the version holds. The version must be the one whose ledger this is.
    pub fn files_verdicts(&self, manifest: &Manifest, project: Option<&str>) -> Vec<FilesVerdict> {
        let mut found: BTreeMap<&str, (Vec<Doubt>, [u64; 3])> = BTreeMap::new();
        // What was written before imports were remembered came from files by its own word; where there are pulls, they
        // are what is known of it.
        let imported =
            |name: &str| self.imports.iter().flat_map(|import| &import.projects).any(|of| of.project == name);
        let pulled = |name: &str| self.pulls.iter().any(|pull| pull.key.into == name);
        for segment in manifest.segments.iter().filter(|segment| project.is_none_or(|name| segment.project == name)) {
            if let Some(files) = segment.of_files.filter(|_| imported(&segment.project) || !pulled(&segment.project)) {
                let (_, sums) = found.entry(&segment.project).or_default();
                for (sum, more) in sums.iter_mut().zip([files.spans, files.orphans, files.rootless]) {
                    *sum += more;
                }
            }
        }
        let holds = |project: &str| manifest.segments.iter().any(|segment| segment.project == project);
        for import in &self.imports {
            let doubts = self.doubts(import);
            for of in import.projects.iter().filter(|of| project.is_none_or(|name| of.project == name)) {
                if holds(&of.project) {
                    found.entry(&of.project).or_default().0.extend(doubts.iter().cloned());
                }
            }
        }
        let verdict = |(project, (mut doubts, [spans, orphans, rootless])): (&str, (Vec<Doubt>, [u64; 3]))| {
            let is_told = doubts.iter().any(|doubt| matches!(doubt, Doubt::Round { rows, .. } if *rows == spans));
            if CAPS.contains(&spans) && !is_told {
                doubts.push(Doubt::RoundSpans(spans));
            }
            doubts.extend((orphans > 0).then_some(Doubt::Orphans(orphans)));
            doubts.extend((rootless > 0).then_some(Doubt::Rootless(rootless)));
            FilesVerdict { project: project.to_owned(), doubts }
        };
        found.into_iter().map(verdict).collect()
    }
}

#[cfg(test)]
mod tests;
