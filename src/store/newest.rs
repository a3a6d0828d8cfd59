//! The newest version as this process knows it: whoever commits or asks again and again need not read it each time.
//!
//! On a local disk, what was read stays true as long as the folder of manifests has the time it had, no next version is
//! there, and the file is the same. A folder keeps its time when something is made in it within the clock's own step,
//! so the next version is looked for as well; and its time is looked at last, so that it speaks for all before it.

use std::fs::Metadata;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::manifest::{Manifest, manifest_file};

/// The newest version of a store as this process knows it.
#[derive(Debug, Default)]
pub(crate) struct Newest {
    /// A version that was there, 0 before one was looked for: the newest is none below it.
    pub(crate) seen: AtomicU64,
    known: Mutex<Option<Known>>,
}

/// The newest version of a store on a local disk.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) version: u64,
    /// What it says, if that was read.
    pub(crate) manifest: Option<Arc<Manifest>>,
    /// When the folder last changed before it was looked for.
    folder: SystemTime,
    file: FileMark,
}

/// What tells a file from another one in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileMark {
    size: u64,
    modified: SystemTime,
    inode: u64,
}

impl FileMark {
    fn of(found: &Metadata) -> Option<Self> {
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(found);
        #[cfg(not(unix))]
        let inode = 0;
        Some(Self { size: found.len(), modified: found.modified().ok()?, inode })
    }
}

/// When the folder of manifests of a store last changed.
pub(crate) fn folder_time(root: &Path) -> Option<SystemTime> {
    std::fs::metadata(root.join("manifest")).ok()?.modified().ok()
}

impl Newest {
    /// What is known and still true.
    pub(crate) fn known(&self, root: &Path) -> Option<Known> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        if root.join(manifest_file(known.version + 1)).symlink_metadata().is_ok() {
            return None;
        }
        let file = std::fs::metadata(root.join(manifest_file(known.version))).ok()?;
        let is_same = FileMark::of(&file)? == known.file && folder_time(root)? == known.folder;
        is_same.then_some(known)
    }

    /// Keeps what was found after the folder had last changed at that time.
    pub(crate) fn keep(&self, root: &Path, folder: Option<SystemTime>, version: u64, manifest: Option<Arc<Manifest>>) {
        let file = std::fs::metadata(root.join(manifest_file(version))).ok();
        let known = folder.zip(file.as_ref().and_then(FileMark::of));
        let known = known.map(|(folder, file)| Known { version, manifest, folder, file });
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }

    /// Notes what the version says that is known to be the newest.
    pub(crate) fn read(&self, manifest: &Manifest) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.as_mut().filter(|known| known.version == manifest.version) {
            known.manifest = Some(Arc::new(manifest.clone()));
        }
    }

    /// Forgets all of it: it was wrong.
    pub(crate) fn forget(&self) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
