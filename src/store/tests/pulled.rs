//! What a commit of pulled spans writes into the ledger.

use super::super::{Counts, Ledger, Progress, Projection, Pull, PullKey, Slice, Store};
use super::{ingest_batch, texts};
use spanql_model::window::Window;

fn slice(start: i64, end: i64, received: u64) -> Slice {
    Slice::new(Window { start, end }, Some(received), received)
}

fn now() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

#[tokio::test]
async fn the_last_slice_of_a_commit_has_its_counts() {
    let store = Store::open("memory://").unwrap();
    let key = PullKey {
        source: "arize".into(),
        remote: "flight.example.com".into(),
        space: None,
        project: "p".into(),
        into: "p".into(),
    };
    let before = now();
    let pull = Pull::new(key, Window { start: 0, end: 10 });
    assert!((before..=now()).contains(&pull.started));
    let commit = async |rows: &[(&str, &str, Option<i64>)], names: &[Option<&str>], slices: Vec<Slice>| {
        let mut import = store.begin();
        import.push(&ingest_batch(rows, &[("name", texts(names))])).unwrap();
        store.commit_pulled(import, &pull, slices, &Progress::default()).await.unwrap().counts
    };
    let rows: Vec<(&str, &str, Option<i64>)> =
        ["a", "b", "c", "d", "e", "f", "g"].into_iter().map(|id| ("t", id, Some(1))).collect();
    let counts = commit(&rows[..3], &[Some("one"); 3], vec![slice(0, 3, 1), slice(3, 6, 2)]).await;
    assert_eq!(counts, Counts { new: 3, ..Counts::default() });
    let mut names = [Some("one"); 7];
    names[..2].fill(Some("two"));
    let counts = commit(&rows, &names, vec![slice(6, 9, 7)]).await;
    assert_eq!(counts, Counts { new: 4, updated: 2, same: 1, deleted: 0 });

    let Ledger { pulls } = store.ledger().await.unwrap();
    let [recorded] = &pulls[..] else { panic!("one pull: {pulls:?}") };
    assert!(recorded.slices.iter().all(|slice| (before..=now()).contains(&slice.landed)), "{recorded:?}");
    let counts = recorded.slices.iter().map(|slice| (slice.stored, slice.new, slice.updated));
    assert_eq!(counts.collect::<Vec<_>>(), [(0, 0, 0), (3, 3, 0), (7, 4, 2)]);
    assert_eq!((recorded.announced(), recorded.received()), (Some(10), 10));
    assert_eq!((recorded.stored(), recorded.new_spans(), recorded.updated_spans()), (10, 7, 2));
    assert_eq!(recorded.parts(), 3);
    assert_eq!(recorded.projection, Projection::default());
    assert_eq!(recorded.status().as_str(), "incomplete");
}
