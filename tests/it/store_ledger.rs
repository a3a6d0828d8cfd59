//! The pull ledger in a store: recorded with the spans, never lost or doubled, restored and vacuumed with its version.

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use spanql::model::window::Window;
use spanql::store::{
    Committed, Counts, Ledger, Progress, Projection, Pull, PullKey, Slice, Status, Store, StoreError, StoreLocation,
};

use super::faulty::{Fault, Faulty};
use super::support::{BASE_TIME, Cell, Row, ask_rows, batch, copy_dir, engine, files, import, row};

const SECOND: i64 = 1_000_000_000;

pub(crate) fn key(project: &str) -> PullKey {
    PullKey {
        source: "arize".into(),
        remote: "flight.example.com".into(),
        space: Some("U3BhY2U6MQ==".into()),
        project: project.into(),
        into: project.into(),
    }
}

/// The window of some seconds after [`BASE_TIME`].
pub(crate) fn seconds(from: i64, to: i64) -> Window {
    Window { start: BASE_TIME + from * SECOND, end: BASE_TIME + to * SECOND }
}

/// A span for every second of a window; every second trace goes on into the next window.
fn spans(project: &str, window: Window, name: &str) -> RecordBatch {
    let span = |second: i64| -> Row {
        let mut row = row(project, &format!("t{}", second / 3), &format!("s{second}"));
        row.insert("name".into(), Cell::text(name));
        row.insert("start_time".into(), Cell::Time(BASE_TIME + second * SECOND));
        row.insert("attributes.n".into(), Cell::Int(second));
        row
    };
    let second = |time: i64| (time - BASE_TIME) / SECOND;
    batch(&(second(window.start)..second(window.end)).map(span).collect::<Vec<_>>())
}

/// Commits slices of a pull with a span for every second of each.
pub(crate) async fn land(store: &Store, pull: &Pull, windows: &[Window]) -> Result<Committed, StoreError> {
    let mut import = store.begin();
    let mut slices = Vec::new();
    for window in windows {
        if !window.is_empty() {
            import.push(&spans(&pull.key.into, *window, "pulled"))?;
        }
        let count = window.length() / SECOND.unsigned_abs();
        slices.push(Slice::new(*window, Some(count), count));
    }
    store.commit_pulled(import, pull, slices, &Progress::default()).await
}

fn memory(objects: &Arc<InMemory>) -> Store {
    Store::at(StoreLocation::with_objects("memory", Arc::clone(objects) as Arc<dyn ObjectStore>, ObjectPath::default()))
}

/// How many spans a store holds, and its ledger without times of the clock.
async fn held(store: &Store) -> (u64, Ledger) {
    let mut ledger = store.ledger().await.unwrap();
    for pull in &mut ledger.pulls {
        for slice in &mut pull.slices {
            assert!(slice.landed > 0);
            slice.landed = 0;
        }
    }
    (store.snapshot().await.unwrap().manifest.rows(), ledger)
}

#[tokio::test(flavor = "multi_thread")]
async fn slices_are_recorded_with_their_spans() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("store");
    let store = Store::open(&place.display().to_string()).unwrap();
    assert_eq!(store.ledger().await.unwrap(), Ledger::default());
    let pull = Pull::new(key("checkout"), seconds(0, 30));
    store.record_pull(&pull).await.unwrap();
    assert_eq!(store.ledger().await.unwrap().pulls, std::slice::from_ref(&pull));

    let first = land(&store, &pull, &[seconds(0, 10)]).await.unwrap();
    assert_eq!((first.version, first.counts), (2, Counts { new: 10, ..Counts::default() }));
    let ledger = store.ledger().await.unwrap();
    let slice = &ledger.pulls[0].slices[0];
    assert_eq!((slice.announced, slice.received, slice.stored, slice.new, slice.updated), (Some(10), 10, 10, 10, 0));
    assert_eq!(ledger.resumable(&pull.key, &Projection::default(), pull.started), Some(&ledger.pulls[0]));

    // An import takes no part in it, and keeps it.
    import(&store, &[spans("checkout", seconds(8, 12), "imported")]).await.unwrap();
    assert_eq!(store.ledger().await.unwrap(), ledger);

    // Spans that the store holds just so change nothing but the ledger.
    import(&store, &[spans("checkout", seconds(20, 30), "pulled")]).await.unwrap();
    let before = store.snapshot().await.unwrap();
    let same = land(&store, &pull, &[seconds(20, 30)]).await.unwrap();
    assert_eq!(same.counts, Counts { same: 10, ..Counts::default() });
    let after = store.snapshot().await.unwrap();
    assert_eq!(
        (after.manifest.version, &after.manifest.segments),
        (before.manifest.version + 1, &before.manifest.segments)
    );
    assert_eq!(after.manifest.operation, "pull");
    assert_eq!(before.ledger().await.unwrap(), ledger, "a snapshot keeps its ledger");

    let done = Pull { finished: Some(pull.started + 5), ..pull.clone() };
    let both = land(&store, &done, &[seconds(10, 15), seconds(15, 20)]).await.unwrap();
    assert_eq!(both.counts, Counts { new: 8, updated: 2, ..Counts::default() });
    let complete = store.ledger().await.unwrap();
    let pull = &complete.pulls[0];
    assert_eq!((pull.status(), pull.finished, pull.slices.len()), (Status::Complete, done.finished, 1));
    assert_eq!((pull.parts(), pull.announced(), pull.received()), (4, Some(30), 30));
    assert_eq!((pull.stored(), pull.new_spans(), pull.updated_spans()), (30, 18, 2));
    assert_eq!(complete.covered(&pull.key, &Projection::default()), [seconds(0, 30)]);
    assert_eq!(complete.incomplete(None), []);

    let ledgers = || files(&place).into_iter().filter(|file| file.starts_with("ledger/")).count();
    #[cfg(unix)]
    for file in files(&place) {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(place.join(&file)).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
    assert_eq!(ledgers(), 4);
    store.restore(2).await.unwrap();
    assert_eq!(store.ledger().await.unwrap(), ledger, "the ledger says what the restored version holds");
    store.vacuum(std::time::Duration::ZERO).await.unwrap();
    assert_eq!(ledgers(), 1);
    assert_eq!(store.ledger().await.unwrap(), ledger);
}

/// Writers that race for every version: two that take up the same pull, two with pulls of their own, and imports.
async fn race(open: impl Fn() -> Store) {
    let slices: Vec<Window> = (0..8).map(|number| seconds(number * 4, number * 4 + 4)).collect();
    let shared = Pull::new(key("checkout"), seconds(0, 32));
    let others = [Pull::new(key("checkout"), seconds(0, 32)), Pull::new(key("search"), seconds(0, 32))];
    let mut writers = tokio::task::JoinSet::new();
    for (number, pull) in [&shared, &shared, &others[0], &others[1]].into_iter().enumerate() {
        let (store, pull, mut slices) = (open(), pull.clone(), slices.clone());
        if number == 1 {
            slices.reverse();
        }
        writers.spawn(async move {
            for pair in slices.chunks(if number == 3 { 2 } else { 1 }) {
                land(&store, &pull, pair).await.unwrap();
            }
            store.record_pull(&Pull { finished: Some(pull.started + 1), ..pull }).await.unwrap();
        });
    }
    for number in 0..2 {
        let store = open();
        writers.spawn(async move {
            for at in 0..6 {
                let window = seconds(at * 5 + number, at * 5 + 4 + number);
                import(&store, &[spans("checkout", window, "imported")]).await.unwrap();
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    let store = open();
    let ledger = store.ledger().await.unwrap();
    assert_eq!(ledger.pulls.len(), 3);
    for pull in [&shared, &others[0], &others[1]] {
        let pull = ledger.pulls.iter().find(|known| known.id == pull.id).unwrap();
        assert_eq!((pull.status(), pull.slices.len(), pull.finished.is_some()), (Status::Complete, 1, true));
        assert_eq!((pull.announced(), pull.received(), pull.parts()), (Some(32), 32, 8), "{pull:?}");
        assert_eq!(pull.stored(), 32);
    }
    let of = |project: &'static str| ledger.pulls.iter().filter(move |pull| pull.key.into == project);
    assert_eq!(of("search").map(Pull::new_spans).sum::<u64>(), 32);
    // Some of the spans came by the imports first.
    assert!(of("checkout").map(Pull::new_spans).sum::<u64>() <= 32);
    let held = engine(store.snapshot().await.unwrap()).await;
    let sql = "SELECT project, count(*) AS n, count(DISTINCT context.span_id) AS d FROM spans GROUP BY 1 ORDER BY 1";
    let rows = ask_rows(&held, sql).await.unwrap();
    let counts: Vec<_> = rows.iter().map(|row| (row["n"].as_str(), row["d"].as_str())).collect();
    assert_eq!(counts, [("32", "32"), ("32", "32")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_that_race_lose_and_double_no_slice() {
    for _ in 0..3 {
        let objects = Arc::new(InMemory::new());
        race(|| memory(&objects)).await;
    }
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("store").display().to_string();
    race(|| Store::open(&place).unwrap()).await;
    let store = Store::open(&place).unwrap();
    let needed: Vec<String> = store.snapshot().await.unwrap().manifest.files().collect();
    store.vacuum(std::time::Duration::ZERO).await.unwrap();
    assert_eq!(files(Path::new(&place)).len(), needed.len() + 1, "and the manifest");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_whose_storage_fails_records_what_landed_and_can_go_on() {
    let base = Arc::new(InMemory::new());
    let pull = Pull::new(key("checkout"), seconds(0, 30));
    land(&memory(&base), &pull, &[seconds(0, 10)]).await.unwrap();
    import(&memory(&base), &[spans("checkout", seconds(9, 12), "old")]).await.unwrap();
    let old = held(&memory(&base)).await;
    // Spans that change, and a slice that changes none.
    for window in [seconds(10, 20), seconds(0, 10)] {
        let clean = Arc::new(base.fork());
        let slices = if window == seconds(10, 20) { vec![window] } else { vec![window, seconds(20, 20)] };
        land(&memory(&clean), &pull, &slices).await.unwrap();
        let new = held(&memory(&clean)).await;
        let faults = [Fault::RefusedWrite, Fault::LostReply, Fault::RetriedWrite, Fault::FailedRead, Fault::CutRead];
        for fault in faults {
            for at in 0.. {
                assert!(at < 200);
                let objects = Arc::new(base.fork());
                let faulty = Faulty::new(Arc::clone(&objects) as Arc<dyn ObjectStore>, fault, at);
                let store =
                    Store::at(StoreLocation::with_objects("faulty", Arc::new(faulty.clone()), ObjectPath::default()));
                let context = format!("{fault:?} at {at}");
                let outcome = land(&store, &pull, &slices).await;
                let whole = memory(&objects);
                let after = held(&whole).await;
                match outcome {
                    Ok(_) => assert_eq!(after, new, "{context}"),
                    Err(error) => {
                        assert!(error.to_string().contains("injected"), "{context}: {error}");
                        assert!(after == old || after == new, "{context}: neither old nor new");
                    }
                }
                land(&whole, &pull, &slices).await.unwrap();
                let again = held(&whole).await;
                assert_eq!(again.0, new.0, "{context}, done again");
                let sums = |ledger: &Ledger| {
                    let pull = &ledger.pulls[0];
                    (pull.landed(), pull.announced(), pull.received(), pull.stored(), pull.new_spans())
                };
                assert_eq!(sums(&again.1), sums(&new.1), "{context}, done again");
                if !faulty.struck() {
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_damaged_ledger_is_named_and_harms_no_spans() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().join("base");
    let store = Store::open(&base.display().to_string()).unwrap();
    let pull = Pull::new(key("checkout"), seconds(0, 30));
    land(&store, &pull, &[seconds(0, 10)]).await.unwrap();
    let file = files(&base).into_iter().find(|file| file.starts_with("ledger/")).unwrap();
    for damage in ["cut", "flip", "missing"] {
        let place = dir.path().join(damage);
        copy_dir(&base, &place);
        let mut bytes = std::fs::read(place.join(&file)).unwrap();
        match damage {
            "cut" => bytes.truncate(bytes.len() / 2),
            _ => bytes[9] ^= 1,
        }
        std::fs::write(place.join(&file), bytes).unwrap();
        if damage == "missing" {
            std::fs::remove_file(place.join(&file)).unwrap();
        }
        let store = Store::open(&place.display().to_string()).unwrap();
        for error in [
            store.ledger().await.unwrap_err(),
            store.record_pull(&pull).await.unwrap_err(),
            land(&store, &pull, &[seconds(10, 20)]).await.unwrap_err(),
        ] {
            assert!(error.to_string().contains(&file), "{damage}: {error}");
        }
        import(&store, &[spans("checkout", seconds(10, 20), "imported")]).await.unwrap();
        let held = engine(store.snapshot().await.unwrap()).await;
        assert_eq!(ask_rows(&held, "SELECT count(*) AS n FROM spans").await.unwrap()[0]["n"], "20");
        assert!(ask_rows(&held, "SELECT * FROM pulls").await.unwrap_err().contains(&file));
    }
}
