//! Small JSON files that a manifest points at: written whole under a new id, checked when they are read.

use object_store::ObjectStoreExt;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{Result, StoreError};
use super::manifest::FileRef;
use super::place::Place;
use super::segment::new_id;

/// Reads the file of a folder that a manifest points at.
///
/// # Errors
/// [`StoreError::Damaged`] for other bytes than those that were written; [`StoreError::Storage`] when it is missing.
pub(crate) async fn load<T: DeserializeOwned>(place: &Place, folder: &str, reference: &FileRef) -> Result<T> {
    let file = reference.file(folder);
    let get = async { place.objects.get(&place.path(&file)).await?.bytes().await };
    let bytes = get.await.map_err(|error| StoreError::storage(&file, error))?;
    if crc32fast::hash(&bytes) != reference.crc32 {
        return Err(StoreError::damaged(file, "its checksum is not the one in the manifest"));
    }
    serde_json::from_slice(&bytes).map_err(|error| StoreError::damaged(file, error))
}

/// Writes a file into a folder, under an id that no other has.
pub(crate) async fn save<T: Serialize>(place: &Place, folder: &str, content: &T) -> Result<FileRef> {
    let bytes = serde_json::to_vec(content)
        .map_err(|error| StoreError::Internal(format!("{folder} do not encode: {error}")))?;
    let reference = FileRef { id: new_id(), crc32: crc32fast::hash(&bytes) };
    place.put(&reference.file(folder), bytes.into()).await?;
    Ok(reference)
}
