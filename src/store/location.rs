//! Where a store is: a local directory, or an `object_store` URL.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt};
use url::Url;

use super::blocking::blocking;
use super::content::Content;
use super::error::{Result, StoreError};
use super::folders::FOLDERS;
use super::newest::Newest;
use spanql_model::paths::{dangling_link, home_path, is_scheme, resolve};

/// The directory that a store is kept in when nobody names one and no user directory is known.
const LOCAL_DEFAULT: &str = ".spanql";

/// Environment variables with these prefixes configure cloud storage.
const CLOUD_VARIABLES: [&str; 3] = ["aws_", "google_", "azure_"];

/// A resolved location.
#[derive(Clone)]
pub struct StoreLocation {
    /// As typed, or the default; for messages.
    pub name: String,
    pub(crate) objects: Arc<dyn ObjectStore>,
    pub(crate) prefix: ObjectPath,
    /// The directory, when the location is on a local disk.
    pub(crate) local: Option<PathBuf>,
    /// Whether the objects are its files and nothing else stands between.
    pub(crate) is_plain: bool,
    /// A link on the way to that directory that led into nothing when the location was named.
    pub(crate) dangling: Option<PathBuf>,
    /// What is known of the newest version.
    pub(crate) newest: Arc<Newest>,
}

// By hand: a cloud client's own Debug form may hold credentials.
impl std::fmt::Debug for StoreLocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreLocation").field("name", &self.name).field("local", &self.local).finish_non_exhaustive()
    }
}

/// The default location, and where it comes from, in words: `$SPANQL_STORE`, else `./.spanql` if it exists, else `spanql`
/// in the user's data directory.
pub fn default_location() -> (String, &'static str) {
    if let Ok(location) = std::env::var("SPANQL_STORE")
        && !location.is_empty()
    {
        return (location, "environment variable SPANQL_STORE");
    }
    if Path::new(LOCAL_DEFAULT).is_dir() {
        return (LOCAL_DEFAULT.to_owned(), "working directory");
    }
    let location = dirs::data_dir().map(|dir| dir.join("spanql").join("store").display().to_string());
    (location.unwrap_or_else(|| LOCAL_DEFAULT.to_owned()), "default")
}

impl StoreLocation {
    /// Resolves a directory path, `file://`, `memory://` or a cloud URL such as `s3://bucket/prefix`.
    ///
    /// Cloud settings (keys, region, endpoint) come from the usual environment variables of each cloud, e.g.
    /// `AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT`. Nothing is created and nothing is read yet, except that a local
    /// directory which is something else than a store is refused.
    pub fn parse(name: &str) -> Result<Self> {
        let wrong = |reason: String| StoreError::Location { location: name.to_owned(), reason };
        let Some((scheme, _)) = name.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) else {
            return Self::local(name, &home_path(Path::new(name)));
        };
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
        let newest = Arc::default();
        Ok(Self {
            name: name.to_owned(),
            objects: objects.into(),
            prefix,
            local: None,
            is_plain: false,
            dangling: None,
            newest,
        })
    }

    /// A location in the given object store, below a prefix.
    pub fn with_objects(name: impl Into<String>, objects: Arc<dyn ObjectStore>, prefix: ObjectPath) -> Self {
        Self {
            name: name.into(),
            objects,
            prefix,
            local: None,
            is_plain: false,
            dangling: None,
            newest: Arc::default(),
        }
    }

    /// A local directory seen through the given wrapper of its file system: files are still made durable.
    pub fn with_local_objects(dir: &Path, wrap: impl FnOnce(LocalFileSystem) -> Arc<dyn ObjectStore>) -> Result<Self> {
        let mut location = Self::local(&dir.display().to_string(), dir)?;
        location.is_plain = false;
        (location.objects, location.prefix) = match &location.local {
            Some(root) => local_files(&location.name, root).map(|(files, prefix)| (wrap(files), prefix))?,
            None => (location.objects, location.prefix),
        };
        Ok(location)
    }

    fn local(name: &str, path: &Path) -> Result<Self> {
        let wrong = |reason: String| StoreError::Location { location: name.to_owned(), reason };
        if name.is_empty() {
            return Err(wrong("an empty path is no place for a store".into()));
        }
        let absolute = resolve(path).map_err(|error| wrong(error.to_string()))?;
        match std::fs::metadata(&absolute) {
            Ok(found) if !found.is_dir() => return Err(wrong("is a file; a store is a directory".into())),
            Ok(_) => refuse_foreign(name, &absolute)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(wrong(error.to_string())),
        }
        let (files, prefix) = local_files(name, &absolute)?;
        let dangling = dangling_link(path);
        let (objects, newest) = (Arc::new(files), Arc::default());
        Ok(Self { name: name.to_owned(), objects, prefix, local: Some(absolute), is_plain: true, dangling, newest })
    }

    /// Says of a location without any version that it lies behind a link into nothing: a disk may not be there.
    pub(crate) fn check_link(&self) -> Result<()> {
        let (Some(link), Some(root)) = (&self.dangling, &self.local) else { return Ok(()) };
        if link.exists() {
            return Ok(());
        }
        let reason = format!(
            "{} is a link into {}, and there is no such directory: make it, bring back the disk that it is on, or name \
             another store",
            link.display(),
            root.display()
        );
        Err(StoreError::Location { location: self.name.clone(), reason })
    }

    /// The object path of a file given by its path inside the store.
    pub(crate) fn path(&self, file: &str) -> ObjectPath {
        file.split('/').fold(self.prefix.clone(), |path, part| path.join(part))
    }

    /// A file of the store as messages name it: below the location as it was typed.
    fn shown(&self, file: &str) -> String {
        format!("{}/{file}", self.name.trim_end_matches('/'))
    }

    /// What the system said about a file of the store on a local disk.
    pub(crate) fn failed(&self, file: &str, error: &std::io::Error) -> StoreError {
        StoreError::Location { location: self.shown(file), reason: error.to_string() }
    }

    /// Creates the directories of a local store, readable by the owner only, to stay.
    pub(crate) async fn create(&self) -> Result<()> {
        let Some(root) = self.local.clone() else { return Ok(()) };
        let location = self.name.clone();
        // A new directory may be where a link leads, but not a new disk.
        if !root.parent().is_none_or(Path::is_dir) {
            self.check_link()?;
        }
        let make = move || -> std::io::Result<()> {
            let missing = root.ancestors().take_while(|dir| !dir.exists()).map(Path::to_owned);
            let mut missing: Vec<PathBuf> = missing.collect();
            for dir in std::iter::once(root.clone()).chain(FOLDERS.map(|folder| root.join(folder))) {
                if !dir.is_dir() {
                    create_private(&dir)?;
                    missing.push(dir);
                }
            }
            let parents: BTreeSet<&Path> = missing.iter().filter_map(|dir| dir.parent()).collect();
            for parent in parents {
                match sync_directory(parent) {
                    // Of a directory that may be entered and not read, entries cannot be synced.
                    Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {}
                    result => result?,
                }
            }
            Ok(())
        };
        blocking(move || make().map_err(|error| StoreError::Location { location, reason: error.to_string() })).await
    }

    /// Writes a new file of the store. On a local disk it is neither private nor durable before it was synced.
    pub(crate) async fn put(&self, file: &str, content: Content) -> Result<()> {
        let path = self.path(file);
        match content {
            Content::Memory(bytes) => self.objects.put(&path, bytes.into()).await.map(drop),
            Content::Disk(from) => {
                let mut upload = self.objects.put_multipart(&path).await.map_err(|e| StoreError::storage(file, e))?;
                let sent = send(from, upload.as_mut(), file).await;
                if sent.is_err() {
                    // What cannot be taken back is left to a vacuum, or to the storage's own rules.
                    let _ = upload.abort().await;
                }
                return sent;
            }
        }
        .map_err(|error| StoreError::storage(file, error))
    }

    /// Files that interrupted work left in the making on a local disk, which a listing of the storage does not show.
    pub(crate) async fn staged(&self) -> Result<Vec<Staged>> {
        let Some(root) = self.local.clone() else { return Ok(Vec::new()) };
        let location = self.clone();
        blocking(move || {
            let mut staged = Vec::new();
            for folder in FOLDERS {
                match staged_in(&root.join(folder), &mut staged) {
                    // A folder may not be there yet.
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(location.failed(folder, &error));
                    }
                    _ => {}
                }
            }
            Ok(staged)
        })
        .await
    }

    /// Removes files in the making. Gives the number of files and their bytes.
    pub(crate) async fn clear_away(&self, staged: Vec<Staged>) -> Result<(usize, u64)> {
        let Some(root) = self.local.clone() else { return Ok((0, 0)) };
        let location = self.clone();
        blocking(move || {
            let (mut files, mut bytes) = (0, 0);
            for Staged { path, size, .. } in staged {
                match std::fs::remove_file(&path) {
                    // It may be complete by now.
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        let file = path.strip_prefix(&root).unwrap_or(&path).display().to_string();
                        return Err(location.failed(&file, &error));
                    }
                    _ => (files, bytes) = (files + 1, bytes + size),
                }
            }
            Ok((files, bytes))
        })
        .await
    }

    /// Removes the empty directories that queries of an older spanql left.
    pub(crate) async fn clear_empty(&self) -> Result<()> {
        let Some(root) = self.local.clone() else { return Ok(()) };
        blocking(move || {
            for entry in std::fs::read_dir(root.join("tmp")).into_iter().flatten().flatten() {
                // Only an empty directory can be removed this way, which is what is wanted.
                let _ = std::fs::remove_dir(entry.path());
            }
            Ok(())
        })
        .await
    }
}

/// A file in the making.
#[derive(Debug)]
pub(crate) struct Staged {
    path: PathBuf,
    size: u64,
    /// When it was last written.
    pub(crate) written: chrono::DateTime<chrono::Utc>,
}

impl Staged {
    /// Its name, without folder.
    pub(crate) fn name(&self) -> std::borrow::Cow<'_, str> {
        self.path.file_name().unwrap_or_default().to_string_lossy()
    }
}

/// Bytes of a part of a file that is sent in parts.
const PART: u64 = 16 << 20;

/// Sends a file in parts.
async fn send(mut from: std::fs::File, upload: &mut dyn MultipartUpload, file: &str) -> Result<()> {
    loop {
        let read = blocking(move || {
            let mut part = Vec::with_capacity(PART as usize);
            let read = (&mut from).take(PART).read_to_end(&mut part);
            read.map_err(|source| StoreError::Spill { dir: std::env::temp_dir(), source })?;
            Ok((from, part))
        });
        let part;
        (from, part) = read.await?;
        if part.is_empty() {
            break;
        }
        upload.put_part(part.into()).await.map_err(|error| StoreError::storage(file, error))?;
    }
    upload.complete().await.map(drop).map_err(|error| StoreError::storage(file, error))
}

/// Adds the files in the making in a folder.
fn staged_in(folder: &Path, staged: &mut Vec<Staged>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if is_staged(&entry.file_name().to_string_lossy()) {
            let metadata = match entry.metadata() {
                // It was completed, or removed.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                metadata => metadata?,
            };
            if metadata.is_file() {
                staged.push(Staged { path: entry.path(), size: metadata.len(), written: metadata.modified()?.into() });
            }
        }
    }
    Ok(())
}

/// The files of a directory as an object store, and the path of the directory in it.
fn local_files(name: &str, dir: &Path) -> Result<(LocalFileSystem, ObjectPath)> {
    let wrong = |reason: String| StoreError::Location { location: name.to_owned(), reason };
    // Below its own root, a directory may have any name.
    if dir.is_dir() {
        let files = LocalFileSystem::new_with_prefix(dir).map_err(|error| wrong(error.to_string()))?;
        return Ok((files, ObjectPath::default()));
    }
    let prefix = ObjectPath::from_absolute_path(dir)
        .map_err(|error| wrong(format!("{error}; make the directory first, then it can be a store")))?;
    Ok((LocalFileSystem::new(), prefix))
}

fn sync_directory(dir: &Path) -> std::io::Result<()> {
    std::fs::File::open(dir)?.sync_all()
}

/// Whether a name is that of a file in the making, `<name>#<number>`, which becomes `<name>` when it is complete.
fn is_staged(name: &str) -> bool {
    let number = name.rsplit_once('#').map_or("", |(_, number)| number);
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// A directory with other files and no manifest is somebody else's.
fn refuse_foreign(name: &str, dir: &Path) -> Result<()> {
    let wrong = |error: std::io::Error| StoreError::Location { location: name.to_owned(), reason: error.to_string() };
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
            return Err(StoreError::Location { location: name.to_owned(), reason });
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
pub(crate) fn restrict(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
pub(crate) fn restrict(_: &std::fs::File) -> std::io::Result<()> {
    Ok(())
}
