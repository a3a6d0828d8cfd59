//! Creating a manifest, which is what commits: whoever creates a number first has won.

use bytes::Bytes;
use object_store::{ObjectStore, PutMode, PutOptions};

use super::error::{Result, StoreError};
use super::location::StoreLocation;
use super::manifest::{Manifest, manifest_file};
use super::versions;

/// How an attempt to commit ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Commit {
    /// The manifest is there for every reader; why the disk did not confirm it, if it did not.
    Won { unsynced: Option<String> },
    /// Another writer was first.
    Lost,
}

/// Creates the manifest file if it is absent.
///
/// The answer of the storage alone does not tell: it may be lost on its way, and a client that then asks again by
/// itself is told that the file is there already. So whatever else than success comes is checked against what lies there.
pub(crate) async fn create(location: &StoreLocation, manifest: &Manifest) -> Result<Commit> {
    let file = manifest_file(manifest.version);
    let bytes = Bytes::from(manifest.to_bytes()?);
    let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    let put = location.objects.put_opts(&location.path(&file), bytes.clone().into(), options).await;
    if let Err(error) = put {
        if matches!(error, object_store::Error::NotImplemented { .. } | object_store::Error::NotSupported { .. }) {
            return Err(StoreError::Location {
                location: location.name.clone(),
                reason: format!("this storage cannot create a file only if it is absent, which a store needs: {error}"),
            });
        }
        let was_there =
            matches!(error, object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. });
        match location.read(&file).await {
            Ok(found) if found == bytes => {}
            // Nothing can take its place any more.
            Ok(_) => {
                location.newest.forget();
                return Ok(Commit::Lost);
            }
            // One that was vacuumed since: there are newer ones.
            Err(StoreError::Missing { .. }) if was_there => {
                location.newest.forget();
                return Ok(Commit::Lost);
            }
            Err(StoreError::Missing { .. }) => return Err(StoreError::storage(file, error)),
            Err(unread) => {
                let version = manifest.version;
                return Err(StoreError::Uncertain {
                    file,
                    version,
                    source: Box::new(error),
                    unread: unread.to_string(),
                });
            }
        }
    }
    // Every reader sees it from now on: that the disk does not confirm it does not undo it.
    let unsynced = location.sync(vec![file]).await.err().map(|error| error.to_string());
    versions::created(location, manifest).await?;
    Ok(Commit::Won { unsynced })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;
    use object_store::path::Path;

    use super::{Commit, Manifest, StoreLocation, create};
    use crate::versions::load_newest;

    fn first(operation: &str) -> Manifest {
        Manifest::after(0, &Manifest::empty(), operation.to_owned())
    }

    #[tokio::test]
    async fn whoever_finds_its_own_bytes_has_won() {
        let location = StoreLocation::with_objects("m", Arc::new(InMemory::new()), Path::default());
        let (mine, theirs) = (first("restore 1"), first("restore 1"));
        assert_eq!(create(&location, &mine).await.unwrap(), Commit::Won { unsynced: None });
        // As a client does that got no answer.
        assert_eq!(create(&location, &mine).await.unwrap(), Commit::Won { unsynced: None });
        // The same in every word, by somebody else in the same millisecond.
        let theirs = Manifest { created: mine.created.clone(), ..theirs };
        assert_eq!(create(&location, &theirs).await.unwrap(), Commit::Lost);
    }

    #[tokio::test]
    async fn what_the_disk_does_not_confirm_is_there_all_the_same() {
        let mut location = StoreLocation::with_objects("m", Arc::new(InMemory::new()), Path::default());
        location.local = Some(tempfile::tempdir().unwrap().path().join("gone"));
        let manifest = first("import");
        let Commit::Won { unsynced: Some(why) } = create(&location, &manifest).await.unwrap() else {
            panic!("lost, or confirmed by a disk that is not there");
        };
        assert!(why.starts_with("m/manifest/00000000000000000001.json: "), "{why}");
        assert_eq!(load_newest(&location).await.unwrap(), manifest);
    }
}
