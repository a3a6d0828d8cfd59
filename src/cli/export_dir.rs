//! A new directory for an export: named by what is exported and when, as `ax` names it.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chrono::{DateTime, Utc};

/// Where exports lie that nobody named a directory for.
pub(super) const TEMPORARY: &str = ".arize-tmp-traces";
/// Characters of an id that a name has room for.
const ID_LENGTH: usize = 50;
/// Exports of one second that find a name of their own.
const MOST_ALIKE: u32 = 1000;

/// A directory that is made when there is something to write.
#[derive(Debug)]
pub(super) struct ExportDir {
    parent: PathBuf,
    name: String,
}

impl ExportDir {
    /// The directory in `parent` for a thing with this id: `trace_3f2a_20261101_120000`.
    ///
    /// The id may be anybody's text: of other characters than letters, digits, `-`, `_` and `.`, each is `_`.
    pub(super) fn new(parent: &Path, (thing, id): &(&str, String), now: DateTime<Utc>) -> Self {
        let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        let id: String = id.chars().map(plain).take(ID_LENGTH).collect();
        Self { parent: parent.to_owned(), name: format!("{thing}_{id}_{}", now.format("%Y%m%d_%H%M%S")) }
    }

    /// Makes it, and what it lies in; gives its path, which no other export has.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn make(&self) -> anyhow::Result<PathBuf> {
        let cannot = |path: &Path| format!("cannot make the directory {}", path.display());
        fs::create_dir_all(&self.parent).with_context(|| cannot(&self.parent))?;
        ignore(&self.parent).with_context(|| format!("cannot write {TEMPORARY}/.gitignore"))?;
        let mut path = self.parent.join(&self.name);
        for another in 2..MOST_ALIKE {
            match fs::create_dir(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    path = self.parent.join(format!("{}_{another}", self.name));
                }
                made => return made.map(|()| path.clone()).with_context(|| cannot(&path)),
            }
        }
        anyhow::bail!("{}: exports of the same second have taken all names", cannot(&path))
    }
}

/// Tells git to leave alone what lies in the directory for exports that nobody named one for; what says so already
/// stays as it is.
fn ignore(directory: &Path) -> io::Result<()> {
    let temporary = directory.ancestors().find(|path| path.file_name() == Some(OsStr::new(TEMPORARY)));
    let Some(temporary) = temporary else { return Ok(()) };
    match OpenOptions::new().write(true).create_new(true).open(temporary.join(".gitignore")) {
        Ok(mut file) => file.write_all(b"*\n"),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(thing: &str, id: &str) -> String {
        let at = DateTime::from_timestamp(1_794_052_800, 0).unwrap();
        ExportDir::new(Path::new("x"), &(thing, id.to_owned()), at).name
    }

    #[test]
    fn names_are_those_of_ax_and_no_paths() {
        assert_eq!(name("spans", "all"), "spans_all_20261107_120000");
        assert_eq!(name("session", "a/b"), "session_a_b_20261107_120000");
        assert_eq!(name("session", "../..\\c:\u{202e}\n"), "session_.._.._c____20261107_120000");
        assert_eq!(name("trace", &"é".repeat(80)), format!("trace_{}_20261107_120000", "é".repeat(50)));
    }

    #[test]
    fn no_two_exports_share_one() {
        let dir = tempfile::tempdir().unwrap();
        let parent = dir.path().join("a").join(TEMPORARY).join("b");
        let at = DateTime::from_timestamp(1_794_052_800, 0).unwrap();
        let exports = ExportDir::new(&parent, &("spans", "all".to_owned()), at);
        let made = [exports.make().unwrap(), exports.make().unwrap(), exports.make().unwrap()];
        let names = made.map(|path| path.file_name().unwrap().to_string_lossy().into_owned());
        assert_eq!(names[0], "spans_all_20261107_120000");
        assert_eq!(names[2], "spans_all_20261107_120000_3");
        let ignored = dir.path().join("a").join(TEMPORARY).join(".gitignore");
        assert_eq!(fs::read_to_string(&ignored).unwrap(), "*\n");
        fs::write(&ignored, "mine").unwrap();
        exports.make().unwrap();
        assert_eq!(fs::read_to_string(ignored).unwrap(), "mine");
        assert!(!parent.join(".gitignore").exists() && !dir.path().join(".gitignore").exists());
    }
}
