//! Removing old traces for good, and remembering from when on traces are kept.

use std::collections::{BTreeSet, HashMap};

use super::committed::{Committed, Deletions};
use super::error::Result;
use super::import_buffer::ImportBuffer;
use super::ledger::{Record, Retained};
use super::merge::Deleted;
use super::progress::Progress;
use super::store::Store;
use super::versions;

impl Store {
    /// Removes spans of a project, given as trace id and span id, and records from which time on its traces are kept.
    ///
    /// No tombstones are written: of what is old there is too much to list. [`Ledger::kept_from`] says what is to be left
    /// out when it comes again. Older versions hold the spans until a vacuum removes them.
    ///
    /// # Errors
    /// Any error of the store; it then holds what it held before.
    ///
    /// [`Ledger::kept_from`]: super::Ledger::kept_from
    pub async fn retain<'a>(
        &self,
        retained: Retained,
        spans: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Committed> {
        let spans: Deleted =
            spans.into_iter().map(|(trace_id, span_id)| (trace_id.to_owned(), span_id.to_owned())).collect();
        let old = HashMap::from([(retained.project.clone(), spans)]);
        let deletions = Deletions { lists_none: true, ..Deletions::from(old) };
        let record = Record::Retained(retained);
        let buffer = ImportBuffer::new(self.spill_dir());
        self.merge(buffer, deletions, Some(&record), "retain", &Progress::default()).await
    }

    /// Lets traces of any age in again when they come, of one project or all; gives the projects that this changes.
    ///
    /// # Errors
    /// Any error of the store; it then holds what it held before.
    pub async fn keep_all(&self, project: Option<&str>) -> Result<(Committed, BTreeSet<String>)> {
        let ledger = self.ledger().await?;
        let of = |name: &String| project.is_none_or(|project| project == name);
        let projects: BTreeSet<String> =
            ledger.retained.iter().map(|retained| retained.project.clone()).filter(of).collect();
        if projects.is_empty() {
            return Ok((Committed::unchanged(versions::load_newest(&self.location).await?.version), projects));
        }
        let record = Record::KeepAll(project.map(str::to_owned));
        let buffer = ImportBuffer::new(self.spill_dir());
        let done = self.merge(buffer, Deletions::new(), Some(&record), "retain", &Progress::default()).await?;
        Ok((done, projects))
    }
}
