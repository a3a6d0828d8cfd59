//! Storage that fails at any one operation: the store holds the old or the new content, and the work can be done again.

use std::path::Path;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use spanql::store::{Store, StoreError, StoreLocation};

use super::cases::cases;
use super::faulty::{Fault, Faulty};
use super::support::{
    BASE_TIME, Cell, ask_rows, assert_same, batch, copy_dir, engine, fingerprint, import, row, spans,
};

const WRITES: [Fault; 3] = [Fault::RefusedWrite, Fault::LostReply, Fault::RetriedWrite];
const READS: [Fault; 2] = [Fault::FailedRead, Fault::CutRead];
/// More operations than anything here needs.
const ENOUGH: usize = 500;

/// Segments after which the next one makes a commit join them all.
const ALMOST_MANY: usize = 7;

/// Two projects: one in a segment, the other in so many small ones.
async fn fill(store: &Store, small: usize) {
    import(store, &[spans("a", 0..5, "old")]).await.unwrap();
    for number in 0..small {
        import(store, &[spans("b", number..number + 1, "old")]).await.unwrap();
    }
}

/// What is done to a store while its storage fails.
#[derive(Debug, Clone, Copy)]
enum Work {
    Import,
    Delete,
    Compact,
    Restore,
    Vacuum,
}

impl Work {
    async fn run(self, store: &Store) -> Result<(), StoreError> {
        match self {
            Self::Import => {
                // One segment is built again, one trace of it moves, and small segments get company.
                let mut early = row("a", "t3", "s3-early");
                early.insert("start_time".into(), Cell::Time(BASE_TIME - 9));
                let batches = [spans("a", 1..2, "new"), batch(&[early]), spans("b", 20..22, "new")];
                import(store, &batches).await.map(drop)
            }
            Self::Delete => store.delete_spans("a", &["s1-0", "s2-2"]).await.map(drop),
            Self::Compact => store.compact().await.map(drop),
            Self::Restore => store.restore(2).await.map(drop),
            Self::Vacuum => store.vacuum(std::time::Duration::ZERO).await.map(drop),
        }
    }
}

fn store_on(objects: Arc<dyn ObjectStore>) -> Store {
    Store::at(StoreLocation::with_objects("faulty", objects, ObjectPath::default()))
}

fn store_in(dir: &Path, wrap: impl FnOnce(Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore>) -> Store {
    Store::at(StoreLocation::with_local_objects(dir, |files| wrap(Arc::new(files))).unwrap())
}

/// Checks a store after one run of work whose storage failed, and that the work can be done again.
async fn check(outcome: Result<(), StoreError>, store: &Store, work: Work, old: &str, new: &str, context: &str) {
    let held = fingerprint(store).await;
    match outcome {
        Ok(()) => assert_same(&held, new, &format!("{context} succeeded")),
        Err(error) => {
            // What is in the store is not said to be lost.
            assert_same(&held, old, &format!("{context} failed with {error}"));
            let text = error.to_string();
            assert!(text.contains("injected"), "{context}: {text}");
        }
    }
    if held == new {
        return;
    }
    work.run(store).await.unwrap_or_else(|error| panic!("again after {context}: {error}"));
    assert_same(&fingerprint(store).await, new, &format!("{context}, done again"));
}

/// Fails each operation in turn, or every fourth, until the work goes through without reaching the one that fails.
async fn fail_each_in_memory(base: &InMemory, work: Work, fault: Fault) -> usize {
    let old = fingerprint(&store_on(Arc::new(base.fork()))).await;
    let clean = store_on(Arc::new(base.fork()));
    work.run(&clean).await.unwrap();
    let new = fingerprint(&clean).await;
    for at in (0..ENOUGH).step_by(ENOUGH / cases(ENOUGH)) {
        let objects: Arc<dyn ObjectStore> = Arc::new(base.fork());
        let faulty = Faulty::new(Arc::clone(&objects), fault, at);
        let outcome = work.run(&store_on(Arc::new(faulty.clone()))).await;
        check(outcome, &store_on(objects), work, &old, &new, &format!("{work:?} with {fault:?} at {at}")).await;
        if !faulty.struck() {
            return at;
        }
    }
    panic!("{work:?} never came to an end");
}

async fn filled_memory(small: usize) -> InMemory {
    let base = Arc::new(InMemory::new());
    fill(&store_on(Arc::clone(&base) as Arc<dyn ObjectStore>), small).await;
    base.fork()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_whose_writes_fail_leaves_the_old_or_the_new_content() {
    let base = filled_memory(ALMOST_MANY).await;
    for fault in WRITES {
        let operations = fail_each_in_memory(&base, Work::Import, fault).await;
        assert!(operations > 10, "{operations} writes: the import joins segments, too");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_whose_reads_fail_leaves_the_old_or_the_new_content() {
    for (fault, small) in READS.into_iter().zip([ALMOST_MANY, 1]) {
        let base = filled_memory(small).await;
        let operations = fail_each_in_memory(&base, Work::Import, fault).await;
        assert!(operations > 10, "{operations} reads");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_import_whose_storage_fails_can_be_done_again() {
    for fault in WRITES.into_iter().chain(READS) {
        fail_each_in_memory(&InMemory::new(), Work::Import, fault).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_writers_whose_storage_fails_leave_the_old_or_the_new_content() {
    let base = filled_memory(2).await;
    for work in [Work::Delete, Work::Compact, Work::Restore, Work::Vacuum] {
        for fault in [Fault::RefusedWrite, Fault::LostReply, Fault::RetriedWrite, Fault::FailedRead] {
            let operations = fail_each_in_memory(&base, work, fault).await;
            assert!(operations > 0, "{work:?} with {fault:?} did nothing");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_into_a_directory_whose_file_system_fails_leaves_the_old_or_the_new_content() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().join("base");
    fill(&store_in(&base, |files| files), 1).await;
    let old = fingerprint(&store_in(&base, |files| files)).await;
    let clean = dir.path().join("clean");
    copy_dir(&base, &clean);
    Work::Import.run(&store_in(&clean, |files| files)).await.unwrap();
    let new = fingerprint(&store_in(&clean, |files| files)).await;
    for fault in WRITES {
        for at in 0..ENOUGH {
            let place = dir.path().join(format!("{fault:?}-{at}"));
            copy_dir(&base, &place);
            let mut faulty = None;
            let store = store_in(&place, |files| {
                let made = Faulty::new(files, fault, at);
                faulty = Some(made.clone());
                Arc::new(made)
            });
            let outcome = Work::Import.run(&store).await;
            let context = format!("import into a directory with {fault:?} at {at}");
            check(outcome, &store_in(&place, |files| files), Work::Import, &old, &new, &context).await;
            std::fs::remove_dir_all(&place).unwrap();
            if !faulty.unwrap().struck() {
                break;
            }
            assert!(at + 1 < ENOUGH);
        }
    }
}

/// The answer of the commit is lost, and what lies there cannot be read back: that is said, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_of_which_nothing_is_heard_is_uncertain() {
    let base = filled_memory(1).await;
    let mut uncertain = 0;
    for at in 0..ENOUGH {
        let objects: Arc<dyn ObjectStore> = Arc::new(base.fork());
        let faulty = Faulty::new(Arc::clone(&objects), Fault::Vanishes, at);
        let before = store_on(Arc::clone(&objects)).snapshot().await.unwrap().manifest.version;
        let outcome = import(&store_on(Arc::new(faulty.clone())), &[spans("c", 0..3, "new")]).await;
        let after = store_on(objects).snapshot().await.unwrap().manifest.version;
        let said = outcome.as_ref().err().map(ToString::to_string).unwrap_or_default();
        let unknown = format!("whether version {after} was committed is not known, `spanql store versions` says");
        assert_eq!(said.contains(&unknown), after > before && outcome.is_err(), "{at}: {said}");
        uncertain += usize::from(said.contains(&unknown));
        if !faulty.struck() {
            break;
        }
    }
    assert_eq!(uncertain, 1, "one write is the manifest");
}

/// Two writers at the same storage, one of which loses the answer of its commit: nothing of either is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_does_not_harm_another_writer() {
    let base = filled_memory(1).await;
    for fault in [Fault::LostReply, Fault::RetriedWrite] {
        // A new segment has three files; the write after them is the manifest.
        for at in 0..6 {
            let objects: Arc<dyn ObjectStore> = Arc::new(base.fork());
            let faulty = store_on(Arc::new(Faulty::new(Arc::clone(&objects), fault, at)));
            let other = store_on(Arc::clone(&objects));
            let (mine, theirs) = ([spans("c", 0..3, "mine")], [spans("c", 2..5, "theirs")]);
            let (first, second) = tokio::join!(import(&faulty, &mine), import(&other, &theirs));
            second.unwrap();
            if first.is_err() {
                import(&other, &mine).await.unwrap();
            }
            let held = engine(other.snapshot().await.unwrap()).await;
            let sql = "SELECT count(*) AS n, count(DISTINCT context.span_id) AS d FROM spans WHERE project = 'c'";
            let rows = ask_rows(&held, sql).await.unwrap();
            assert_eq!((rows[0]["n"].as_str(), rows[0]["d"].as_str()), ("15", "15"), "{fault:?} at {at}");
        }
    }
}
