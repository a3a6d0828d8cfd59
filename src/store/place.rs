//! Where a store is: a local directory, or an `object_store` URL.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use url::Url;

use super::error::{Result, StoreError};

/// The directory that a store is kept in when nobody names one and no user directory is known.
const LOCAL_DEFAULT: &str = ".spanql";

/// Environment variables with these prefixes configure cloud storage.
const CLOUD_VARIABLES: [&str; 3] = ["aws_", "google_", "azure_"];

/// What a store's directory holds.
const FOLDERS: [&str; 7] = ["manifest", "segments", "traces", "stats", "tombstones", "ledger", "tmp"];

/// A resolved place.
#[derive(Clone)]
pub struct Place {
    /// As typed, or the default; for messages.
    pub name: String,
    pub(crate) objects: Arc<dyn ObjectStore>,
    pub(crate) prefix: ObjectPath,
    /// The directory, when the place is on a local disk.
    pub(crate) local: Option<PathBuf>,
}

// By hand: a cloud client's own Debug form may hold credentials.
impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place").field("name", &self.name).field("local", &self.local).finish_non_exhaustive()
    }
}

/// The default place, and where it comes from, in words: `$SPANQL_STORE`, else `./.spanql` if it exists, else `spanql`
/// in the user's data directory.
pub fn found_place() -> (String, &'static str) {
    if let Ok(place) = std::env::var("SPANQL_STORE")
        && !place.is_empty()
    {
        return (place, "environment variable SPANQL_STORE");
    }
    if Path::new(LOCAL_DEFAULT).is_dir() {
        return (LOCAL_DEFAULT.to_owned(), "working directory");
    }
    let place = dirs::data_dir().map(|dir| dir.join("spanql").join("store").display().to_string());
    (place.unwrap_or_else(|| LOCAL_DEFAULT.to_owned()), "default")
}

impl Place {
    /// Resolves a directory path, `file://`, `memory://` or a cloud URL such as `s3://bucket/prefix`.
    ///
    /// Cloud settings (keys, region, endpoint) come from the usual environment variables of each cloud, e.g.
    /// `AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT`. Nothing is created and nothing is read yet, except that a local
    /// directory which is something else than a store is refused.
    pub fn parse(name: &str) -> Result<Self> {
        let wrong = |reason: String| StoreError::Place { place: name.to_owned(), reason };
        let Some((scheme, _)) = name.split_once("://") else { return Self::local(name, Path::new(name)) };
        let url = Url::parse(name).map_err(|error| wrong(format!("not a URL: {error}")))?;
        if scheme == "file" {
            let path = url.to_file_path().map_err(|()| wrong("a file URL needs an absolute path".into()))?;
            return Self::local(name, &path);
        }
        let environment = std::env::vars()
            .map(|(key, value)| (key.to_ascii_lowercase(), value))
            .filter(|(key, _)| CLOUD_VARIABLES.iter().any(|prefix| key.starts_with(prefix)));
        let (objects, prefix) = object_store::parse_url_opts(&url, environment).map_err(|error| {
            wrong(format!("cannot be opened: {error}; use a directory, memory://, s3://, gs:// or az:// place"))
        })?;
        Ok(Self { name: name.to_owned(), objects: objects.into(), prefix, local: None })
    }

    /// A place in the given object store, below a prefix.
    pub fn with_objects(name: impl Into<String>, objects: Arc<dyn ObjectStore>, prefix: ObjectPath) -> Self {
        Self { name: name.into(), objects, prefix, local: None }
    }

    /// A local directory seen through the given wrapper of its file system: files are still made durable.
    pub fn with_local_objects(dir: &Path, wrap: impl FnOnce(LocalFileSystem) -> Arc<dyn ObjectStore>) -> Result<Self> {
        let mut place = Self::local(&dir.display().to_string(), dir)?;
        place.objects = wrap(LocalFileSystem::new());
        Ok(place)
    }

    fn local(name: &str, path: &Path) -> Result<Self> {
        let wrong = |reason: String| StoreError::Place { place: name.to_owned(), reason };
        if name.is_empty() {
            return Err(wrong("an empty path is no place for a store".into()));
        }
        let absolute = std::path::absolute(path).map_err(|error| wrong(error.to_string()))?;
        match std::fs::metadata(&absolute) {
            Ok(found) if !found.is_dir() => return Err(wrong("is a file; a store is a directory".into())),
            Ok(_) => refuse_foreign(name, &absolute)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(wrong(error.to_string())),
        }
        let prefix = ObjectPath::from_absolute_path(&absolute).map_err(|error| wrong(error.to_string()))?;
        let objects = Arc::new(LocalFileSystem::new());
        Ok(Self { name: name.to_owned(), objects, prefix, local: Some(absolute) })
    }

    /// The object path of a file given by its path inside the store.
    pub(crate) fn path(&self, file: &str) -> ObjectPath {
        file.split('/').fold(self.prefix.clone(), |path, part| path.join(part))
    }

    /// Creates the directories of a local store, readable by the owner only.
    pub(crate) fn create(&self) -> Result<()> {
        let Some(root) = &self.local else { return Ok(()) };
        for dir in std::iter::once(root.clone()).chain(FOLDERS.map(|folder| root.join(folder))) {
            create_private(&dir)
                .map_err(|error| StoreError::Place { place: dir.display().to_string(), reason: error.to_string() })?;
        }
        Ok(())
    }

    /// Writes a new file of the store; on a local disk it is private to the owner and synced before this returns.
    pub(crate) async fn put(&self, file: &str, bytes: bytes::Bytes) -> Result<()> {
        let path = self.path(file);
        self.objects.put(&path, bytes.into()).await.map_err(|error| StoreError::storage(file, error))?;
        self.make_durable(file)
    }

    /// Files in the making on a local disk that were last written before a time, with their sizes.
    ///
    /// They are what an interrupted write leaves; a listing of the storage does not show them.
    pub(crate) fn staged_before(&self, horizon: chrono::DateTime<chrono::Utc>) -> Result<Vec<(PathBuf, u64)>> {
        let Some(root) = &self.local else { return Ok(Vec::new()) };
        let mut staged = Vec::new();
        for folder in FOLDERS.map(|folder| root.join(folder)) {
            let mut list = || -> std::io::Result<()> {
                for entry in std::fs::read_dir(&folder)? {
                    let entry = entry?;
                    if is_staged(&entry.file_name().to_string_lossy()) {
                        let metadata = entry.metadata()?;
                        if metadata.is_file() && chrono::DateTime::<chrono::Utc>::from(metadata.modified()?) < horizon {
                            staged.push((entry.path(), metadata.len()));
                        }
                    }
                }
                Ok(())
            };
            match list() {
                // A file may be complete, and a folder not there yet.
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    let place = folder.display().to_string();
                    return Err(StoreError::Place { place, reason: error.to_string() });
                }
                _ => {}
            }
        }
        Ok(staged)
    }

    /// Removes the directories that queries which were killed left behind, once their files are gone.
    pub(crate) fn remove_empty_temporary_directories(&self) {
        let Some(entries) = self.local.as_ref().and_then(|root| std::fs::read_dir(root.join("tmp")).ok()) else {
            return;
        };
        for entry in entries.flatten() {
            // Only an empty directory can be removed this way, which is what is wanted.
            let _ = std::fs::remove_dir(entry.path());
        }
    }

    /// Makes a file that was just written private and durable, together with its directory entry.
    pub(crate) fn make_durable(&self, file: &str) -> Result<()> {
        let Some(root) = &self.local else { return Ok(()) };
        let path = root.join(file);
        let sync = || -> std::io::Result<()> {
            let handle = std::fs::File::open(&path)?;
            restrict(&handle)?;
            handle.sync_all()?;
            match path.parent() {
                Some(dir) => std::fs::File::open(dir)?.sync_all(),
                None => Ok(()),
            }
        };
        sync().map_err(|error| StoreError::Place { place: path.display().to_string(), reason: error.to_string() })
    }
}

/// Whether a name is that of a file in the making, `<name>#<number>`, which becomes `<name>` when it is complete.
fn is_staged(name: &str) -> bool {
    let number = name.rsplit_once('#').map_or("", |(_, number)| number);
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// A directory with other files and no manifest is somebody else's.
fn refuse_foreign(name: &str, dir: &Path) -> Result<()> {
    let wrong = |error: std::io::Error| StoreError::Place { place: name.to_owned(), reason: error.to_string() };
    if dir.join("manifest").is_dir() {
        return Ok(());
    }
    // Directories of ours without a manifest are what an interrupted first write leaves.
    for entry in std::fs::read_dir(dir).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        if !FOLDERS.iter().any(|known| entry.file_name() == *known) {
            let found = entry.file_name().to_string_lossy().into_owned();
            let reason =
                format!("is not a spanql store: it holds {found:?} and no manifest/; name an empty or new directory");
            return Err(StoreError::Place { place: name.to_owned(), reason });
        }
    }
    Ok(())
}

#[cfg(unix)]
fn create_private(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

#[cfg(not(unix))]
fn create_private(dir: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)
}

#[cfg(unix)]
fn restrict(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn restrict(_: &std::fs::File) -> std::io::Result<()> {
    Ok(())
}
