//! Reading, checking, removing and syncing single files of a store, wherever it is.

use std::collections::BTreeSet;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStoreExt;

use super::blocking::blocking;
use super::error::{Result, StoreError};
use super::location::{StoreLocation, restrict};

/// Files that are looked at side by side.
const PARALLEL: usize = 16;

/// Files that a disk is asked to write through side by side.
const SYNCS: usize = 16;

/// A file that was written, and its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WrittenFile {
    pub(crate) file: String,
    pub(crate) size: u64,
}

/// What a plain file has, of a range or whole; `None` for whatever else is there.
fn plain(path: &Path, range: Option<Range<u64>>) -> std::io::Result<Option<Bytes>> {
    // Opening a pipe would wait for its other end.
    let found = std::fs::metadata(path)?;
    let range = range.unwrap_or(0..found.len());
    if !found.is_file() || found.len() < range.end || range.start > range.end {
        return Ok(None);
    }
    let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap_or(usize::MAX)];
    let mut opened = std::fs::File::open(path)?;
    opened.seek(SeekFrom::Start(range.start))?;
    opened.read_exact(&mut bytes)?;
    Ok(Some(bytes.into()))
}

impl StoreLocation {
    /// Refuses what is there on a local disk and no regular file: reading a pipe would wait, and a device may have no end.
    /// And one that has fewer bytes than are read.
    async fn check_regular(&self, file: &str, needed: u64) -> Result<()> {
        let Some(root) = &self.local else { return Ok(()) };
        let (path, file) = (root.join(file), file.to_owned());
        blocking(move || match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => Err(StoreError::damaged(file, "it is a directory, not a file")),
            Ok(found) if !found.is_file() => Err(StoreError::damaged(file, "it is a pipe or a device, not a file")),
            Ok(found) if found.len() < needed => {
                Err(StoreError::damaged(file, format!("cut: {} bytes where {needed} were, or more", found.len())))
            }
            // Whatever else is wrong, reading it says.
            _ => Ok(()),
        })
        .await
    }

    /// What a plain file on a local disk has, of a range or whole, in one step off the threads that run tasks; `None` for
    /// whatever else is there, and where it cannot be read: the long way says why.
    async fn read_plain(&self, file: &str, range: Option<Range<u64>>) -> Result<Option<Bytes>> {
        let Some(root) = self.local.as_ref().filter(|_| self.is_plain) else { return Ok(None) };
        let path = root.join(file);
        blocking(move || Ok(plain(&path, range).ok().flatten())).await
    }

    /// Ranges of plain files on a local disk, all in one step; `None` for what cannot be read so.
    pub(crate) async fn read_plain_ranges(&self, ranges: Vec<(String, Range<u64>)>) -> Result<Vec<Option<Bytes>>> {
        let Some(root) = self.local.clone().filter(|_| self.is_plain && !ranges.is_empty()) else {
            return Ok(vec![None; ranges.len()]);
        };
        let read = move |(file, range): (String, Range<u64>)| plain(&root.join(file), Some(range)).ok().flatten();
        blocking(move || Ok(ranges.into_iter().map(read).collect())).await
    }

    /// The content of a file.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Damaged`] when it is no file, [`StoreError::Storage`].
    pub(crate) async fn read(&self, file: &str) -> Result<Bytes> {
        if let Some(bytes) = self.read_plain(file, None).await? {
            return Ok(bytes);
        }
        self.check_regular(file, 0).await?;
        let get = async { self.objects.get(&self.path(file)).await?.bytes().await };
        get.await.map_err(|error| StoreError::reading(file, error))
    }

    /// A range of a file that is as long as it should be.
    pub(crate) async fn read_range(&self, file: &str, range: Range<u64>) -> Result<Bytes> {
        if let Some(bytes) = self.read_plain(file, Some(range.clone())).await? {
            return Ok(bytes);
        }
        self.check_regular(file, range.end).await?;
        self.objects.get_range(&self.path(file), range).await.map_err(|error| StoreError::reading(file, error))
    }

    /// Whether a file is there.
    pub(crate) async fn exists(&self, file: &str) -> Result<bool> {
        match self.objects.head(&self.path(file)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(StoreError::storage(file, error)),
        }
    }

    /// The size of a file; 0 when it cannot be told.
    pub(crate) async fn size(&self, file: &str) -> u64 {
        self.objects.head(&self.path(file)).await.map_or(0, |meta| meta.size)
    }

    /// Removes a file; one that is gone already is no error.
    pub(crate) async fn remove(&self, file: &str) -> Result<()> {
        match self.objects.delete(&self.path(file)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(StoreError::storage(file, error)),
        }
    }

    /// Checks that files are there, with their sizes where these are known.
    ///
    /// # Errors
    /// [`StoreError::Missing`] or [`StoreError::Damaged`] for the first one that is not; [`StoreError::Storage`].
    pub(crate) async fn check(&self, files: Vec<(String, Option<u64>)>) -> Result<()> {
        let Some(files) = self.unlike(files).await? else { return Ok(()) };
        let check = |(file, size): (String, Option<u64>)| async move {
            self.check_regular(&file, 0).await?;
            let found = self.objects.head(&self.path(&file)).await;
            let found = found.map_err(|error| StoreError::reading(&file, error))?.size;
            match size {
                Some(size) if size != found => {
                    Err(StoreError::damaged(file, format!("it has {found} bytes where {size} were")))
                }
                _ => Ok(()),
            }
        };
        stream::iter(files.into_iter().map(check)).buffered(PARALLEL).try_collect().await
    }

    /// `None` where all files are on a local disk as they should be; else the files again: the long way says what is wrong.
    async fn unlike(&self, files: Vec<(String, Option<u64>)>) -> Result<Option<Vec<(String, Option<u64>)>>> {
        let Some(root) = self.local.clone().filter(|_| self.is_plain) else { return Ok(Some(files)) };
        blocking(move || {
            let is_right = |(file, size): &(String, Option<u64>)| {
                let found = std::fs::metadata(root.join(file));
                found.is_ok_and(|found| found.is_file() && size.is_none_or(|size| size == found.len()))
            };
            Ok((!files.iter().all(is_right)).then_some(files))
        })
        .await
    }

    /// Makes files that were written private and durable, together with their directory entries: each directory is
    /// synced once. All are asked for side by side, since a disk that writes one thing through writes others with it.
    pub(crate) async fn sync(&self, files: Vec<String>) -> Result<()> {
        let Some(root) = self.local.clone().filter(|_| !files.is_empty()) else { return Ok(()) };
        let folder_of = |file: &String| file.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        let folders: BTreeSet<String> = files.iter().map(folder_of).collect();
        let folders = folders.into_iter().map(|folder| (folder, true));
        let all = files.into_iter().map(|file| (file, false)).chain(folders).map(|(name, is_folder)| {
            let (root, location) = (root.clone(), self.clone());
            blocking(move || {
                let sync = || {
                    let handle = std::fs::File::open(root.join(&name))?;
                    if !is_folder {
                        restrict(&handle)?;
                    }
                    handle.sync_all()
                };
                sync().map_err(|error| location.failed(&name, &error))
            })
        });
        // In order, so that of several failures it is the first file that is named.
        stream::iter(all).buffered(SYNCS).try_collect().await
    }

    /// Whether files that were written are all there as they were written.
    pub(crate) async fn holds(&self, files: &[WrittenFile]) -> Result<bool> {
        let files = files.iter().map(|written| (written.file.clone(), Some(written.size))).collect();
        match self.check(files).await {
            Ok(()) => Ok(true),
            Err(StoreError::Missing { .. } | StoreError::Damaged { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
