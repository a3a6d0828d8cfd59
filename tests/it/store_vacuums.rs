//! A vacuum beside writers, readers and other vacuums: it removes nothing that any of them needs, and who loses something
//! all the same says so.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use spanql::store::{Committed, Grain, Patch, Store, StoreError, StoreLocation, UnknownIds};

use super::faulty::{Fault, Faulty};
use super::patches_properties::patch_row;
use super::support::{Cell, ask_text, assert_same, copy_dir, engine, files, fingerprint, import, spans};

/// More writes than anything here makes.
const ENOUGH: usize = 200;

/// Where a store is, and how to open it with a wrapper around its storage.
#[derive(Clone)]
pub(super) enum Site {
    Memory(Arc<InMemory>),
    Directory(std::path::PathBuf),
}

impl Site {
    pub(super) fn open(&self) -> Store {
        self.wrapped(|objects| objects)
    }

    fn wrapped(&self, wrap: impl FnOnce(Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore>) -> Store {
        Store::at(match self {
            Self::Memory(objects) => {
                let objects = Arc::clone(objects) as Arc<dyn ObjectStore>;
                StoreLocation::with_objects("store", wrap(objects), ObjectPath::default())
            }
            Self::Directory(dir) => StoreLocation::with_local_objects(dir, |files| wrap(Arc::new(files))).unwrap(),
        })
    }

    /// A store whose write of a number waits.
    fn pausing(&self, at: usize) -> (Store, Faulty) {
        let mut made = None;
        let store = self.wrapped(|objects| {
            let faulty = Faulty::new(objects, Fault::Pause, at);
            made = Some(faulty.clone());
            Arc::new(faulty)
        });
        (store, made.unwrap())
    }

    fn fork(&self, to: &Path) -> Self {
        match self {
            Self::Memory(objects) => Self::Memory(Arc::new(objects.fork())),
            Self::Directory(dir) => {
                copy_dir(dir, to);
                Self::Directory(to.to_owned())
            }
        }
    }
}

pub(super) async fn fill(store: &Store) {
    import(store, &[spans("a", 0..5, "old")]).await.unwrap();
    import(store, &[spans("b", 0..2, "old")]).await.unwrap();
    import(store, &[spans("b", 4..6, "old")]).await.unwrap();
    store.delete_spans("a", &["s0-0"]).await.unwrap();
}

/// What is done while a vacuum comes by.
#[derive(Debug, Clone, Copy)]
pub(super) enum Work {
    Import,
    Delete,
    Compact,
    Restore,
    Patch,
    Upgrade,
    Undelete,
}

const WORK: [Work; 5] = [Work::Import, Work::Delete, Work::Compact, Work::Restore, Work::Patch];

impl Work {
    async fn run(self, store: &Store) -> Result<(), StoreError> {
        match self {
            Self::Import => import(store, &[spans("a", 3..8, "new"), spans("c", 0..2, "new")]).await.map(drop),
            Self::Delete => store.delete_spans("a", &["s1-1"]).await.map(drop),
            Self::Compact => store.compact().await.map(drop),
            Self::Restore => store.restore(1).await.map(drop),
            Self::Patch => {
                let mut patch = Patch::new("a", Grain::Span);
                for span in ["s1-1", "s2-0", "s4-2"] {
                    patch.push(&patch_row(None, span, &[("eval.Q.label", &Cell::text("new"))])).unwrap();
                }
                store.patch(&patch, UnknownIds::Refuse, "evaluate").await.map(drop)
            }
            Self::Upgrade => store.upgrade(|_| {}).await.map(drop),
            Self::Undelete => store.undelete_spans("a", None).await.map(drop),
        }
    }
}

/// Lets work wait before each of its writes in turn, and does something meanwhile. `check` judges what came of it.
pub(super) async fn at_each_write<F, C>(work: Work, base: &Site, dir: &Path, meanwhile: F, check: C)
where
    F: AsyncFn(&Site),
    C: AsyncFn(&Site, Result<(), StoreError>, &str),
{
    for at in 0..ENOUGH {
        let copy = dir.join(format!("{work:?}-{at}"));
        let site = base.fork(&copy);
        let (store, faulty) = site.pausing(at);
        let running = async {
            let outcome = work.run(&store).await;
            // It never came that far.
            faulty.resume();
            outcome
        };
        let disturbing = async {
            let file = faulty.reached().await;
            meanwhile(&site).await;
            faulty.resume();
            file
        };
        tokio::pin!(running, disturbing);
        let (outcome, file) = tokio::select! {
            outcome = &mut running => (outcome, None),
            file = &mut disturbing => (running.await, Some(file)),
        };
        let context = format!("{work:?}, disturbed before write {at} to {file:?}");
        check(&site, outcome, &context).await;
        let _ = std::fs::remove_dir_all(&copy);
        if file.is_none() {
            assert!(at > 0, "{work:?} wrote nothing");
            return;
        }
    }
    panic!("{work:?} never came to an end");
}

pub(super) async fn sites(dir: &Path) -> [Site; 2] {
    let sites = [Site::Memory(Arc::new(InMemory::new())), Site::Directory(dir.join("base"))];
    for site in &sites {
        fill(&site.open()).await;
    }
    sites
}

pub(super) async fn vacuum(site: &Site) {
    site.open().vacuum(Duration::ZERO).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_running_writer_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    for base in sites(dir.path()).await {
        for work in WORK {
            let clean = base.fork(&dir.path().join("clean"));
            work.run(&clean.open()).await.unwrap();
            let new = fingerprint(&clean.open()).await;
            let _ = std::fs::remove_dir_all(dir.path().join("clean"));
            let check = async |site: &Site, outcome: Result<(), StoreError>, context: &str| {
                match outcome {
                    // The lease comes first, and before it nothing keeps a vacuum from what is to be restored.
                    Err(StoreError::NoVersion { .. }) if context.contains("staging/") => return,
                    outcome => outcome.unwrap_or_else(|error| panic!("{context}: {error}")),
                }
                let versions = site.open().versions().await.unwrap().len();
                assert_same(&fingerprint(&site.open()).await, &new, context);
                // Nothing had to be taken back, which would leave two versions more.
                vacuum(site).await;
                assert_same(&fingerprint(&site.open()).await, &new, &format!("{context}, then cleared"));
                assert!(versions <= 5, "{context}: {versions} versions");
            };
            at_each_write(work, &base, dir.path(), vacuum, check).await;
        }
    }
}

/// As a vacuum does with the lease of a writer that was silent for long.
pub(super) async fn void_leases(site: &Site) {
    match site {
        Site::Memory(objects) => {
            for meta in objects.list(Some(&ObjectPath::from("staging"))).try_collect::<Vec<_>>().await.unwrap() {
                objects.delete(&meta.location).await.unwrap();
            }
        }
        Site::Directory(dir) => {
            for lease in std::fs::read_dir(dir.join("staging")).unwrap() {
                std::fs::remove_file(lease.unwrap().path()).unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_was_taken_for_dead_does_its_work_again_or_fails() {
    let dir = tempfile::tempdir().unwrap();
    for base in sites(dir.path()).await {
        for work in WORK {
            let clean = base.fork(&dir.path().join("clean"));
            let old = fingerprint(&clean.open()).await;
            work.run(&clean.open()).await.unwrap();
            let new = fingerprint(&clean.open()).await;
            let _ = std::fs::remove_dir_all(dir.path().join("clean"));
            let rob = async |site: &Site| {
                void_leases(site).await;
                vacuum(site).await;
            };
            let check = async |site: &Site, outcome: Result<(), StoreError>, context: &str| {
                let held = fingerprint(&site.open()).await;
                match outcome {
                    Ok(()) => assert_same(&held, &new, context),
                    Err(StoreError::Removed { .. } | StoreError::NoVersion { .. }) if matches!(work, Work::Restore) => {
                        assert_same(&held, &old, context);
                    }
                    Err(error) => panic!("{context}: {error}"),
                }
                vacuum(site).await;
                assert_same(&fingerprint(&site.open()).await, &held, &format!("{context}, then cleared"));
            };
            at_each_write(work, &base, dir.path(), rob, check).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_vacuums_at_once_remove_nothing_that_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    for (base, twice) in sites(dir.path()).await.into_iter().flat_map(|site| [(site.clone(), false), (site, true)]) {
        for at in 0..ENOUGH {
            let copy = dir.path().join(format!("{at}"));
            let site = base.fork(&copy);
            let (store, faulty) = site.pausing(at);
            let first = tokio::spawn(async move { store.vacuum(Duration::ZERO).await });
            let reached = tokio::select! {
                file = faulty.reached() => Some(file),
                () = async { while !first.is_finished() { tokio::time::sleep(Duration::from_millis(2)).await } } => None,
            };
            if twice {
                vacuum(&site).await;
            }
            // One version is restored meanwhile, if it is still there, and one comes new.
            let restored = site.open().restore(2).await;
            import(&site.open(), &[spans("z", 0..1, "new")]).await.unwrap();
            let expected = fingerprint(&site.open()).await;
            faulty.resume();
            first.await.unwrap().unwrap();
            let context = format!("a vacuum that waited before {reached:?}, version 2 restored: {}", restored.is_ok());
            assert_same(&fingerprint(&site.open()).await, &expected, &context);
            let _ = std::fs::remove_dir_all(&copy);
            if reached.is_none() {
                assert!(at > 3, "a vacuum removed {at} files");
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_a_removed_version_is_told_to_ask_again() {
    let dir = tempfile::tempdir().unwrap();
    for base in sites(dir.path()).await {
        let snapshot = base.open().snapshot().await.unwrap();
        // Another one: what a store has read it remembers.
        let store = base.open();
        import(&store, &[spans("a", 0..5, "newer"), spans("b", 0..2, "newer")]).await.unwrap();
        vacuum(&base).await;
        let version = snapshot.manifest.version;
        let told = format!("version {version} was removed from the store while it was read, by a vacuum: ask again");
        for sql in ["SELECT max(name) FROM spans", "SELECT * FROM traces", "SELECT * FROM columns"] {
            let engine = engine(snapshot.clone()).await;
            let said = ask_text(&engine, sql).await.unwrap_err();
            assert!(said.contains(&told), "{sql}: {said}");
        }
        // A file that is missing in a version that is there is another matter.
        let manifest = store.snapshot().await.unwrap().manifest;
        let gone = manifest.segments[0].spans_file();
        match &base {
            Site::Memory(objects) => objects.delete(&ObjectPath::from(gone.as_str())).await.unwrap(),
            Site::Directory(dir) => std::fs::remove_file(dir.join(&gone)).unwrap(),
        }
        let whole = engine(base.open().snapshot().await.unwrap()).await;
        let said = ask_text(&whole, "SELECT max(name) FROM spans").await.unwrap_err();
        assert!(said.contains(&format!("{gone}: damaged store file: the file is missing")), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn older_versions_stay_while_the_newest_is_not_whole() {
    let dir = tempfile::tempdir().unwrap();
    for base in sites(dir.path()).await {
        let store = base.open();
        import(&store, &[spans("a", 0..5, "newer")]).await.unwrap();
        let manifest = store.snapshot().await.unwrap().manifest;
        let before = store.versions().await.unwrap().len();
        let old = store.snapshot_at(2).await.unwrap().manifest;
        let is_new = |file: &String| !old.files().any(|known| known == *file);
        for gone in manifest.files().filter(is_new) {
            let copy = dir.path().join("copy");
            let site = base.fork(&copy);
            match &site {
                Site::Memory(objects) => objects.delete(&ObjectPath::from(gone.as_str())).await.unwrap(),
                Site::Directory(dir) => std::fs::remove_file(dir.join(&gone)).unwrap(),
            }
            let said = site.open().vacuum(Duration::ZERO).await.unwrap_err().to_string();
            assert!(said.starts_with("nothing was removed") && said.contains(&gone), "{said}");
            assert_eq!(site.open().versions().await.unwrap().len(), before);
            site.open().restore(2).await.unwrap();
            vacuum(&site).await;
            assert!(fingerprint(&site.open()).await.contains("old"));
            let _ = std::fs::remove_dir_all(&copy);
        }
    }
}

#[tokio::test]
async fn no_age_is_too_great() {
    let store = Store::open("memory://").unwrap();
    let Committed { version, .. } = import(&store, &[spans("a", 0..1, "one")]).await.unwrap();
    import(&store, &[spans("a", 0..1, "two")]).await.unwrap();
    for age in [Duration::MAX, Duration::from_secs(u64::MAX), Duration::from_secs(99_999_999 * 86_400)] {
        store.vacuum(age).await.unwrap();
        assert_eq!(store.versions().await.unwrap()[0].number, version, "{age:?}");
    }
}

/// What a killed writer left goes when the next one comes, though the vacuum's age is not reached.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_writer_left_is_removed_by_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::Directory(dir.path().join("store"));
    fill(&site.open()).await;
    let before = files(&dir.path().join("store"));
    for at in 0..8 {
        let (store, faulty) = site.pausing(at);
        let running = tokio::spawn(async move { import(&store, &[spans("d", 0..3, "dead")]).await });
        let reached = faulty.reached().await;
        running.abort();
        // Only then it is dead.
        assert!(running.await.unwrap_err().is_cancelled());
        if reached.starts_with("manifest") {
            break;
        }
    }
    assert!(files(&dir.path().join("store")).len() > before.len(), "they left something");
    import(&site.open(), &[spans("a", 0..1, "next")]).await.unwrap();
    let manifests = site.open().versions().await.unwrap();
    let mut needed: Vec<String> =
        manifests.iter().flat_map(|version| version.manifest.as_ref().unwrap().files()).collect();
    needed.extend(manifests.iter().map(|version| format!("manifest/{:020}.json", version.number)));
    needed.sort();
    needed.dedup();
    assert_eq!(files(&dir.path().join("store")), needed);
}
