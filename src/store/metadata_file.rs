//! Small JSON files that a manifest points at: written whole under a new id, checked when they are read.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{Result, StoreError};
use super::files::WrittenFile;
use super::location::StoreLocation;
use super::manifest::FileRef;

/// Reads the file of a folder that a manifest points at.
///
/// # Errors
/// [`StoreError::Damaged`] for other bytes than those that were written; [`StoreError::Missing`].
pub(crate) async fn load<T: DeserializeOwned>(
    location: &StoreLocation,
    folder: &str,
    reference: &FileRef,
) -> Result<T> {
    let file = reference.file(folder);
    let bytes = location.read(&file).await?;
    if crc32fast::hash(&bytes) != reference.crc32 {
        return Err(StoreError::damaged(file, "its checksum is not the one in the manifest"));
    }
    serde_json::from_slice(&bytes).map_err(|error| StoreError::damaged(file, error))
}

/// Writes a file into a folder, under an id that no other has; gives its size, too.
pub(crate) async fn save<T: Serialize>(
    location: &StoreLocation,
    folder: &str,
    id: String,
    content: &T,
) -> Result<(FileRef, WrittenFile)> {
    let bytes = serde_json::to_vec(content)
        .map_err(|error| StoreError::Internal(format!("{folder} do not encode: {error}")))?;
    let reference = FileRef { id, crc32: crc32fast::hash(&bytes) };
    let written = WrittenFile { file: reference.file(folder), size: bytes.len() as u64 };
    location.put(&written.file, bytes.into()).await?;
    Ok((reference, written))
}
