//! The versions of a store: which there are, the newest one, and reading them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::TryStreamExt;
use object_store::ObjectStore;

use super::blocking::blocking;
use super::error::{Result, StoreError};
use super::location::StoreLocation;
use super::manifest::{Manifest, manifest_file, taking_back, version_of};
use super::newest::folder_time;

/// The versions whose manifests exist, in order, each with the time its file was written.
pub(crate) async fn list_versions(location: &StoreLocation) -> Result<Vec<(u64, chrono::DateTime<chrono::Utc>)>> {
    let folder = location.path("manifest");
    let files: Vec<_> = location
        .objects
        .list(Some(&folder))
        .try_collect()
        .await
        .map_err(|error| StoreError::storage("manifest", error))?;
    let mut versions: Vec<_> =
        files.iter().filter_map(|meta| Some((version_of(meta.location.filename()?)?, meta.last_modified))).collect();
    if let Some(root) = &location.local {
        // What a listing passes over is a version that cannot be read, not one that never was: a directory, or a link
        // into nothing.
        let folder = root.join("manifest");
        let names = blocking(move || {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            Ok(entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect::<Vec<_>>())
        });
        let known: std::collections::HashSet<u64> = versions.iter().map(|(number, _)| *number).collect();
        let unlisted = names.await?.into_iter().filter_map(|name| version_of(&name));
        versions.extend(unlisted.filter(|number| !known.contains(number)).map(|number| (number, chrono::Utc::now())));
    }
    if versions.is_empty() {
        location.check_link()?;
    }
    versions.sort_unstable();
    Ok(versions)
}

/// The number of the newest version, be it readable or not: on a local disk from the names of the files alone, elsewhere
/// from a listing that begins at the newest one that this process has seen.
pub(crate) async fn newest_version(location: &StoreLocation) -> Result<Option<u64>> {
    let newest = match &location.local {
        Some(root) => {
            let (root, at) = (root.clone(), location.clone());
            match blocking(move || newest_on_disk(&at, &root)).await? {
                Some(newest) => Some(newest),
                None => list_versions(location).await?.pop().map(|(newest, _)| newest),
            }
        }
        None => {
            let seen = location.newest.seen.load(Ordering::Relaxed);
            // Whoever vacuums keeps the newest version, so there is one from here on, unless somebody emptied the place.
            let newest = if seen > 0 { newest_after(location, seen - 1).await? } else { None };
            let newest = match newest {
                Some(newest) => Some(newest),
                None => list_versions(location).await?.pop().map(|(newest, _)| newest),
            };
            location.newest.seen.store(newest.unwrap_or(0), Ordering::Relaxed);
            newest
        }
    };
    if newest.is_none() {
        location.check_link()?;
    }
    Ok(newest)
}

/// The same on a local disk, from the names of the files alone; those that this process knows are not listed again.
fn newest_on_disk(location: &StoreLocation, root: &Path) -> Result<Option<u64>> {
    if let Some(known) = location.newest.known(root) {
        return Ok(Some(known.version));
    }
    let folder = folder_time(root);
    let newest = match std::fs::read_dir(root.join("manifest")) {
        Ok(entries) => entries.flatten().filter_map(|entry| version_of(&entry.file_name().to_string_lossy())).max(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(location.failed("manifest", &error)),
    };
    if let Some(newest) = newest {
        location.newest.keep(root, folder, newest, None);
    }
    Ok(newest)
}

/// The newest of the versions behind one.
async fn newest_after(location: &StoreLocation, version: u64) -> Result<Option<u64>> {
    let (folder, offset) = (location.path("manifest"), location.path(&manifest_file(version)));
    let mut files = location.objects.list_with_offset(Some(&folder), &offset);
    let mut newest = None;
    while let Some(meta) = files.try_next().await.map_err(|error| StoreError::storage("manifest", error))? {
        newest = newest.max(meta.location.filename().and_then(version_of));
    }
    Ok(newest)
}

/// Whether a version is there, be it readable or not.
pub(crate) async fn is_listed(location: &StoreLocation, version: u64) -> Result<bool> {
    Ok(list_versions(location).await?.iter().any(|(number, _)| *number == version))
}

/// Loads one version.
pub(crate) async fn load(location: &StoreLocation, version: u64) -> Result<Manifest> {
    let file = manifest_file(version);
    let bytes = location.read(&file).await?;
    Manifest::from_bytes(&file, version, &bytes)
}

/// Loads the newest version; the empty store if there is none.
pub(crate) async fn load_newest(location: &StoreLocation) -> Result<Manifest> {
    let mut missing = None;
    loop {
        if let Some(root) = location.local.clone() {
            let at = location.clone();
            let known = blocking(move || Ok(at.newest.known(&root).and_then(|known| known.manifest))).await?;
            if let Some(manifest) = known {
                return Ok(Manifest::clone(&manifest));
            }
        }
        let Some(newest) = newest_version(location).await? else { return Ok(Manifest::empty()) };
        match load(location, newest).await {
            // A vacuum may remove a manifest between listing and reading, but then a newer one exists.
            Err(StoreError::Missing { .. }) if missing != Some(newest) => missing = Some(newest),
            Ok(manifest) => {
                location.newest.read(&manifest);
                return Ok(manifest);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Notes a version that was just created: it is the newest, unless a newer one follows at once.
pub(crate) async fn created(location: &StoreLocation, manifest: &Manifest) -> Result<()> {
    let Some(root) = location.local.clone() else { return Ok(()) };
    let (at, manifest) = (location.clone(), Arc::new(manifest.clone()));
    blocking(move || {
        at.newest.keep(&root, folder_time(&root), manifest.version, Some(manifest));
        Ok(())
    })
    .await
}

/// Says of a file that is missing in a version that is read whether that is because the version was removed since: its
/// manifest goes before any of its files. The same holds for one that its writer took back.
pub(crate) async fn explain(location: &StoreLocation, version: u64, error: StoreError) -> StoreError {
    if version == 0 || !matches!(error, StoreError::Missing { .. }) {
        return error;
    }
    let is_removed = async {
        let versions = list_versions(location).await?;
        if !versions.iter().any(|(number, _)| *number == version) {
            return Ok::<_, StoreError>(true);
        }
        for (newer, _) in versions.into_iter().filter(|(number, _)| *number > version) {
            if load(location, newer).await?.operation == taking_back(version) {
                return Ok(true);
            }
        }
        Ok(false)
    };
    match is_removed.await {
        Ok(true) => StoreError::Removed { version },
        // What is known for certain is that the file is missing.
        Ok(false) | Err(_) => error,
    }
}
