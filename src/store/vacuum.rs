//! Removing what nothing needs: old versions, and files that no version names.
//!
//! The order of the steps is what makes it safe beside writers, readers and other vacuums (see [`lease`](super::lease)):
//!
//! 1. The versions are listed, and those that are old and not the newest are doomed.
//! 2. The files are listed. Whatever is written later is not touched.
//! 3. The leases are looked at. What a running writer may need is spared: its files, and the versions from its base on.
//! 4. The newest version is looked through: while a file of it is missing, nothing is removed.
//! 5. The doomed manifests are removed, before any file of theirs, so that a reader that misses a file finds that its
//!    version is gone.
//! 6. The versions are listed again, and the files of the second step that none of them names are removed. Whoever makes
//!    an older version the newest looks behind that whether the older one is still there: then this list has the newer.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use object_store::ObjectStore;

use super::error::{Result, StoreError};
use super::folders::{DELETIONS, IDS, LEDGER, PATCHES, TEXTS, TOMBSTONES};
use super::lease;
use super::location::StoreLocation;
use super::maintained::Vacuumed;
use super::manifest::{self, Manifest};
use super::store::Store;
use super::versions;

/// Folders of files that manifests name, or nobody.
const FOLDERS: [&str; 10] = ["segments", "traces", "stats", DELETIONS, PATCHES, IDS, TEXTS, TOMBSTONES, LEDGER, "tmp"];

/// A file of the store as a listing shows it.
struct Listed {
    file: String,
    size: u64,
    written: DateTime<Utc>,
}

impl Listed {
    fn name(&self) -> &str {
        self.file.rsplit_once('/').map_or(&self.file, |(_, name)| name)
    }
}

impl Store {
    /// Removes versions other than the newest, and files that no remaining version needs, when they are older than
    /// `older_than`; and files that dead writers left, however old.
    ///
    /// What running writers have written and not committed stays, and so do the versions they rest on.
    ///
    /// # Errors
    /// [`StoreError::NotWhole`] when a file of the newest version is missing; nothing is removed then.
    pub async fn vacuum(&self, older_than: Duration) -> Result<Vacuumed> {
        // An age beyond all times is older than everything.
        let age = chrono::TimeDelta::from_std(older_than).ok();
        let horizon = age.and_then(|age| Utc::now().checked_sub_signed(age)).unwrap_or(DateTime::<Utc>::MIN_UTC);
        let mut done = Vacuumed::default();
        let versions = versions::list_versions(&self.location).await?;
        let newest = versions.last().map_or(0, |(newest, _)| *newest);
        let old = versions.iter().filter(|(version, written)| *version != newest && *written < horizon);
        let mut doomed: HashSet<u64> = old.map(|(version, _)| *version).collect();
        let files = list_files(&self.location).await?;
        let mut staged = self.location.staged().await?;
        let standing = lease::standing(&self.location).await?;
        doomed.retain(|version| !standing.needs(*version));
        done.writers = standing.writers();
        self.check_newest().await?;
        // A manifest that cannot be read may need any file: nothing is removed then.
        load_others(&self.location, &doomed).await?;
        for version in &doomed {
            let file = manifest::manifest_file(*version);
            done.bytes += self.location.size(&file).await;
            self.location.remove(&file).await?;
            done.versions += 1;
        }
        let needed: HashSet<String> =
            load_others(&self.location, &doomed).await?.iter().flat_map(Manifest::files).collect();
        let is_spare =
            |name: &str, written: DateTime<Utc>| standing.was_left(name) || (written < horizon && !standing.owns(name));
        for listed in files {
            if is_spare(listed.name(), listed.written) && !needed.contains(&listed.file) {
                self.location.remove(&listed.file).await?;
                done.files += 1;
                done.bytes += listed.size;
            }
        }
        staged.retain(|staged| is_spare(&staged.name(), staged.written));
        let (files, bytes) = self.location.clear_away(staged).await?;
        self.location.clear_empty().await?;
        done.files += files;
        done.bytes += bytes;
        Ok(done)
    }

    /// Removes what writers on a local disk left that died, as a killed import does: whoever writes next does it.
    ///
    /// It waits for nobody, and what cannot be removed now is left to a vacuum.
    pub(crate) async fn clear_after_the_dead(&self) -> Result<()> {
        if self.location.local.is_none() {
            return Ok(());
        }
        let standing = lease::standing(&self.location).await?;
        if standing.dead.is_empty() {
            return Ok(());
        }
        let files = list_files(&self.location).await?;
        let mut staged = self.location.staged().await?;
        let needed: HashSet<String> =
            load_others(&self.location, &HashSet::new()).await?.iter().flat_map(Manifest::files).collect();
        for listed in files.iter().filter(|listed| standing.was_left(listed.name()) && !needed.contains(&listed.file)) {
            self.location.remove(&listed.file).await?;
        }
        staged.retain(|staged| standing.was_left(&staged.name()));
        self.location.clear_away(staged).await.map(drop)
    }

    /// Checks that all files of the newest version are there.
    async fn check_newest(&self) -> Result<()> {
        loop {
            let newest = versions::load_newest(&self.location).await?;
            let reason = match self.location.check(newest.sized_files().collect()).await {
                Ok(()) => return Ok(()),
                Err(StoreError::Missing { file }) => format!("{file} is missing"),
                Err(StoreError::Damaged { file, reason }) => format!("{file}: {reason}"),
                Err(error) => return Err(error),
            };
            // Another one may have become the newest, and another vacuum may be at work.
            if versions::load_newest(&self.location).await?.version == newest.version {
                return Err(StoreError::NotWhole { version: newest.version, reason });
            }
        }
    }
}

/// Everything in the folders that manifests name files of.
async fn list_files(location: &StoreLocation) -> Result<Vec<Listed>> {
    let mut files = Vec::new();
    for folder in FOLDERS {
        let root = location.path(folder);
        let mut found = location.objects.list(Some(&root));
        while let Some(meta) = found.try_next().await.map_err(|error| StoreError::storage(folder, error))? {
            let Some(below) = meta.location.prefix_match(&root) else { continue };
            let below: Vec<_> = below.map(|part| part.as_ref().to_owned()).collect();
            let file = format!("{folder}/{}", below.join("/"));
            files.push(Listed { file, size: meta.size, written: meta.last_modified });
        }
    }
    Ok(files)
}

/// Loads all versions but the doomed ones.
async fn load_others(location: &StoreLocation, doomed: &HashSet<u64>) -> Result<Vec<Manifest>> {
    let mut manifests = Vec::new();
    for (version, _) in versions::list_versions(location).await? {
        if doomed.contains(&version) {
            continue;
        }
        match versions::load(location, version).await {
            Ok(manifest) => manifests.push(manifest),
            // Another vacuum has removed it; its last version stays.
            Err(StoreError::Missing { .. }) if !versions::is_listed(location, version).await? => {}
            Err(error) => return Err(error),
        }
    }
    Ok(manifests)
}
