//! Leases: how a vacuum knows which files a running writer has written and not committed yet.
//!
//! A writer takes a lease, `staging/<writer>.json`, before its first file and before it looks for the newest version, and
//! the names of all its files begin with its id. The lease says which version was the newest then, its *base*.
//!
//! * On a local disk the writer holds a lock of the operating system on the file of its lease: it outlives any
//!   suspension and ends with the process. A vacuum that gets the lock knows that the writer is dead.
//! * In an object store the writer gives a sign of life every few seconds. One that has been silent for long may only be
//!   suspended, so a vacuum *voids* its lease, by deleting it, before it removes anything; and the writer looks for its
//!   lease directly before and directly after it creates a manifest. A lease is written once and never again, so that one
//!   that was voided stays so.
//!
//! The order of steps carries the rest. A vacuum lists versions, then files, then leases; whoever takes a lease after that
//! sees at least the newest version of the first list, and writes only files that the second one does not have. While a
//! lease stands, no version from its base on is removed: a number that was taken once could be taken again otherwise,
//! below newer versions, by a writer that slept.

use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use futures::TryStreamExt;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};

use super::blocking::blocking;
use super::error::{Result, StoreError};
use super::folders::STAGING;
use super::ids::new_id;
use super::location::StoreLocation;
use super::versions;

/// How often a writer at an object store gives a sign of life.
const BEAT: Duration = Duration::from_secs(20);
/// After so long without one, the writer is taken for dead.
const SILENCE: chrono::TimeDelta = chrono::TimeDelta::minutes(15);
/// Attempts to take a lease on a local disk: one fails when a vacuum looks at it in the moment in which it is made.
const ATTEMPTS: usize = 20;

/// What the file of a lease says.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    /// The newest version when the lease was taken.
    base: u64,
    /// Whether the writer holds a lock on the file; else it gives signs of life.
    locked: bool,
}

/// A writer's claim to the files whose names begin with its id.
#[derive(Debug)]
pub(crate) struct Lease {
    location: StoreLocation,
    writer: String,
    lock: Option<File>,
    beat: Option<tokio::task::AbortHandle>,
}

fn lease_file(writer: &str) -> String {
    format!("{STAGING}/{writer}.json")
}

fn beat_file(writer: &str) -> String {
    format!("{STAGING}/{writer}.beat")
}

/// The writer of a file of the store by its name; none of files of an older spanql.
fn writer_of(name: &str) -> Option<&str> {
    name.split_once('-').map(|(writer, _)| writer)
}

impl Lease {
    /// Takes a lease in a store that is there; the base is the newest version, or the given one where that is older.
    pub(crate) async fn take(location: &StoreLocation, base: Option<u64>) -> Result<Self> {
        let newest = versions::newest_version(location).await?.unwrap_or(0);
        let base = base.map_or(newest, |base| base.min(newest));
        if let Some(root) = location.local.clone() {
            let location = location.clone();
            let locked = blocking(move || lock_new(&location, &root, base)).await?;
            if let Some(lease) = locked {
                return Ok(lease);
            }
        }
        let writer = new_id();
        let note = encode(&Note { base, locked: false })?;
        location.put(&lease_file(&writer), note.into()).await?;
        let (beating, file) = (location.clone(), beat_file(&writer));
        let beat = tokio::spawn(async move {
            loop {
                tokio::time::sleep(BEAT).await;
                // One that is missed is no harm.
                let _ = beating.put(&file, Vec::new().into()).await;
            }
        });
        Ok(Self { location: location.clone(), writer, lock: None, beat: Some(beat.abort_handle()) })
    }

    /// A new id for a file of this writer.
    pub(crate) fn file_id(&self) -> String {
        file_id(&self.writer)
    }

    /// The id of the writer.
    pub(crate) fn writer(&self) -> &str {
        &self.writer
    }

    /// Whether no vacuum has taken the writer for dead.
    pub(crate) async fn stands(&self) -> Result<bool> {
        self.location.exists(&lease_file(&self.writer)).await
    }

    /// Gives the lease up: what of its files no manifest names is anybody's.
    pub(crate) async fn release(mut self) {
        // One that stays is taken for that of a dead writer, which it is.
        let file = lease_file(&self.writer);
        if let (Some(lock), Some(root)) = (self.lock.take(), &self.location.local) {
            let path = root.join(file);
            let _ = tokio::task::spawn_blocking(move || std::fs::remove_file(path).map(|()| drop(lock))).await;
            return;
        }
        if let Some(beat) = self.beat.take() {
            beat.abort();
            let _ = self.location.objects.delete(&self.location.path(&beat_file(&self.writer))).await;
        }
        let _ = self.location.objects.delete(&self.location.path(&file)).await;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(beat) = self.beat.take() {
            beat.abort();
        }
    }
}

/// A new id for a file of a writer.
pub(crate) fn file_id(writer: &str) -> String {
    format!("{writer}-{}", new_id())
}

fn encode(note: &Note) -> Result<Vec<u8>> {
    serde_json::to_vec(note).map_err(|error| StoreError::Internal(format!("a lease does not encode: {error}")))
}

/// Makes a lease on a local disk and locks it; `None` where the file system has no locks.
fn lock_new(location: &StoreLocation, root: &Path, base: u64) -> Result<Option<Lease>> {
    let failed = |writer: &str, error: std::io::Error| location.failed(&lease_file(writer), &error);
    for _ in 0..ATTEMPTS {
        let writer = new_id();
        let path = root.join(lease_file(&writer));
        let file = File::options().create_new(true).write(true).open(&path).map_err(|error| failed(&writer, error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => continue,
            Err(TryLockError::Error(_)) => {
                std::fs::remove_file(&path).map_err(|error| failed(&writer, error))?;
                return Ok(None);
            }
        }
        let note = encode(&Note { base, locked: true })?;
        std::io::Write::write_all(&mut &file, &note).map_err(|error| failed(&writer, error))?;
        // A vacuum may have come between making and locking it.
        if path.exists() {
            return Ok(Some(Lease { location: location.clone(), writer, lock: Some(file), beat: None }));
        }
    }
    Err(StoreError::Contended { location: location.name.clone(), attempts: ATTEMPTS })
}

/// The writers whose leases stand.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    writers: HashSet<String>,
    /// The oldest base among them.
    base: Option<u64>,
    /// Writers that died and left their lease.
    pub(crate) dead: HashSet<String>,
}

impl Standing {
    /// Whether a file, by its name without folder, is that of a running writer.
    pub(crate) fn owns(&self, name: &str) -> bool {
        writer_of(name).is_some_and(|writer| self.writers.contains(writer))
    }

    /// Whether a file, by its name without folder, was left by a dead writer.
    pub(crate) fn was_left(&self, name: &str) -> bool {
        writer_of(name).is_some_and(|writer| self.dead.contains(writer))
    }

    /// Whether a running writer needs to find the version, or its number taken.
    pub(crate) fn needs(&self, version: u64) -> bool {
        self.base.is_some_and(|base| version >= base)
    }

    /// How many writers run.
    pub(crate) fn writers(&self) -> usize {
        self.writers.len()
    }

    fn add(&mut self, writer: &str, note: Option<&Note>) {
        self.writers.insert(writer.to_owned());
        // Of one that is being written, nothing is known yet.
        let base = note.map_or(0, |note| note.base);
        self.base = Some(self.base.map_or(base, |oldest| oldest.min(base)));
    }
}

/// Finds out whose leases stand, and voids those of dead writers.
pub(crate) async fn standing(location: &StoreLocation) -> Result<Standing> {
    standing_at(location, chrono::Utc::now()).await
}

async fn standing_at(location: &StoreLocation, now: chrono::DateTime<chrono::Utc>) -> Result<Standing> {
    let folder = location.path(STAGING);
    let files: Vec<ObjectMeta> = location
        .objects
        .list(Some(&folder))
        .try_collect()
        .await
        .map_err(|error| StoreError::storage(STAGING, error))?;
    let mut standing = Standing::default();
    let silent = |meta: &ObjectMeta| now.signed_duration_since(meta.last_modified) > SILENCE;
    let find = |name: &str| files.iter().find(|meta| meta.location.filename() == Some(name));
    for meta in &files {
        let Some(name) = meta.location.filename() else { continue };
        if let Some(writer) = name.strip_suffix(".beat") {
            if find(&format!("{writer}.json")).is_none() && silent(meta) {
                location.remove(&beat_file(writer)).await?;
            }
            continue;
        }
        let Some(writer) = name.strip_suffix(".json") else { continue };
        let note = match location.read(&lease_file(writer)).await {
            Ok(bytes) => serde_json::from_slice::<Note>(&bytes).ok(),
            // Given up meanwhile.
            Err(StoreError::Missing { .. }) => continue,
            Err(error) => return Err(error),
        };
        let beats = note.as_ref().is_some_and(|note| !note.locked) || location.local.is_none();
        let lives = if beats {
            !silent(meta) || find(&format!("{writer}.beat")).is_some_and(|beat| !silent(beat))
        } else {
            let (location, writer) = (location.clone(), writer.to_owned());
            blocking(move || is_locked(&location, &writer)).await?
        };
        if lives {
            standing.add(writer, note.as_ref());
        } else {
            if beats {
                location.remove(&lease_file(writer)).await?;
                location.remove(&beat_file(writer)).await?;
            }
            standing.dead.insert(writer.to_owned());
        }
    }
    Ok(standing)
}

/// Whether a writer holds the lock on its lease; else the lease is gone behind this.
fn is_locked(location: &StoreLocation, writer: &str) -> Result<bool> {
    let Some(root) = &location.local else { return Ok(false) };
    let file = lease_file(writer);
    let path = root.join(&file);
    let gone = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(false),
        _ => Err(location.failed(&file, &error)),
    };
    let lease = match File::open(&path) {
        Ok(lease) => lease,
        Err(error) => return gone(error),
    };
    match lease.try_lock() {
        // Removed while it is held: whoever makes it just now sees one or the other.
        Ok(()) => std::fs::remove_file(&path).map(|()| false).or_else(gone),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(location.failed(&file, &error)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;
    use object_store::path::Path as ObjectPath;

    use super::*;

    #[tokio::test]
    async fn in_an_object_store_a_lease_stands_until_its_writer_was_silent_for_long() {
        let location = StoreLocation::with_objects("m", Arc::new(InMemory::new()), ObjectPath::default());
        let lease = Lease::take(&location, None).await.unwrap();
        let name = format!("{}.parquet", lease.file_id());
        let now = chrono::Utc::now();
        let found = standing_at(&location, now + SILENCE - chrono::TimeDelta::minutes(1)).await.unwrap();
        assert!(found.owns(&name) && found.needs(0) && found.writers() == 1 && lease.stands().await.unwrap());
        let found = standing_at(&location, now + SILENCE + chrono::TimeDelta::minutes(1)).await.unwrap();
        assert!(!found.owns(&name) && !found.needs(0) && found.was_left(&name));
        assert!(!lease.stands().await.unwrap(), "it is told so");
        // A sign of life behind that does not bring it back.
        location.put(&beat_file(lease.writer()), Vec::new().into()).await.unwrap();
        assert!(!lease.stands().await.unwrap() && standing(&location).await.unwrap().writers() == 0);
        lease.release().await;
        assert!(location.objects.list(None).try_next().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn on_a_disk_a_lease_stands_as_long_as_its_writer_lives() {
        let dir = tempfile::tempdir().unwrap();
        let location = StoreLocation::parse(&dir.path().join("store").display().to_string()).unwrap();
        location.create().await.unwrap();
        let lease = Lease::take(&location, None).await.unwrap();
        let name = format!("{}.parquet", lease.file_id());
        let later = chrono::Utc::now() + SILENCE * 100;
        assert!(standing_at(&location, later).await.unwrap().owns(&name) && lease.stands().await.unwrap());
        // As a process ends that is killed.
        drop(lease);
        let found = standing(&location).await.unwrap();
        assert!(found.was_left(&name) && !found.owns(&name));
        assert_eq!(std::fs::read_dir(dir.path().join("store/staging")).unwrap().count(), 0);
        let lease = Lease::take(&location, None).await.unwrap();
        lease.release().await;
        assert_eq!(std::fs::read_dir(dir.path().join("store/staging")).unwrap().count(), 0);
    }
}
