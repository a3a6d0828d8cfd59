//! Files and directories under another name for the time that they are made.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Those of this process.
static MADE: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A name beside another; what has it is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Partial(PathBuf);

impl Partial {
    /// The name for what is to be at a path; nothing is made yet.
    pub(super) fn beside(path: &Path) -> Self {
        let mut name = path.file_name().map(OsString::from).unwrap_or_default();
        name.push(format!(".partial-{}", std::process::id()));
        let partial = path.with_file_name(name);
        MADE.lock().unwrap_or_else(PoisonError::into_inner).insert(partial.clone());
        Self(partial)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Gives what was made its name.
    ///
    /// # Errors
    /// When the system refuses; it is removed then.
    pub(super) fn rename_to(self, path: &Path) -> std::io::Result<()> {
        fs::rename(&self.0, path)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        MADE.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
        remove(&self.0);
    }
}

/// Removes all of them because the process ends, whatever its threads are at.
pub(super) fn remove_all() {
    for partial in MADE.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        remove(partial);
    }
}

/// What was renamed is not there any more, and what cannot be removed harms nothing: it has another name.
fn remove(partial: &Path) {
    let _ = if partial.is_dir() { fs::remove_dir_all(partial) } else { fs::remove_file(partial) };
}
