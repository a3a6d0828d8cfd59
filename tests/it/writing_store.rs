//! Deleting and undeleting, at random, beside imports and annotations: what is deleted stays away whatever comes, and what
//! comes back is as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use spanql::store::{Grain, Patch, Store, UnknownIds};

use super::store_vacuums::{Work, at_each_write, sites};
use super::support::{Random, ask_rows, engine, import, spans};

const PROJECT: &str = "p";
const TRACES: usize = 6;

/// The labels of the spans that a store holds.
async fn held(store: &Store) -> BTreeMap<String, Option<String>> {
    let engine = engine(store.snapshot().await.unwrap()).await;
    let sql = "SELECT context.span_id AS id, annotation.Q.label AS label FROM spans";
    let rows = ask_rows(&engine, sql).await.unwrap();
    rows.into_iter().map(|mut row| (row.remove("id").unwrap(), row.remove("label"))).collect()
}

async fn annotate(store: &Store, ids: &[&str], label: &str) -> usize {
    let column = |texts: Vec<&str>| Arc::new(StringArray::from(texts)) as ArrayRef;
    let labels = vec![label; ids.len()];
    let columns = [("context.span_id", column(ids.to_vec())), ("annotation.Q.label", column(labels))];
    let mut patch = Patch::new(PROJECT, Grain::Span);
    patch.push(&RecordBatch::try_from_iter(columns).unwrap()).unwrap();
    let patched = store.patch(&patch, UnknownIds::Skip, "annotate").await.unwrap();
    patched.outcomes.iter().filter(|outcome| outcome.spans > 0).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_hold_until_they_are_taken_back() {
    for seed in 0..6 {
        let mut random = Random(seed);
        let store = Store::open("memory://").unwrap();
        let all = [spans(PROJECT, 0..TRACES, "n"), spans("other", 0..2, "n")];
        import(&store, &all).await.unwrap();
        let ids: Vec<String> =
            (0..TRACES).flat_map(|trace| (0..3).map(move |span| format!("s{trace}-{span}"))).collect();
        let mut labels: BTreeMap<String, Option<String>> = ids.iter().map(|id| (id.clone(), None)).collect();
        let mut deleted: BTreeSet<String> = BTreeSet::new();
        for step in 0..25 {
            let chosen: Vec<&str> = ids.iter().filter(|_| random.below(4) == 0).map(String::as_str).collect();
            let context = format!("seed {seed}, step {step}");
            match random.below(5) {
                0 => {
                    let committed = store.delete_spans(PROJECT, &chosen).await.unwrap();
                    let new: Vec<_> = chosen.iter().filter(|id| !deleted.contains(**id)).collect();
                    assert_eq!(committed.counts.deleted, new.len() as u64, "{context}");
                    deleted.extend(chosen.iter().map(|id| (*id).to_owned()));
                }
                1 => {
                    let undeleted = store.undelete_spans(PROJECT, Some(&chosen)).await.unwrap();
                    let back = chosen.iter().filter(|id| deleted.remove(**id)).count();
                    assert_eq!((undeleted.restored, undeleted.lifted), (back as u64, 0), "{context}");
                    assert_eq!(undeleted.unknown.len(), chosen.len() - back, "{context}");
                }
                2 => drop(import(&store, &all).await.unwrap()),
                3 => {
                    let label = format!("l{step}");
                    let there: Vec<&&str> = chosen.iter().filter(|id| !deleted.contains(**id)).collect();
                    if !chosen.is_empty() {
                        assert_eq!(annotate(&store, &chosen, &label).await, there.len(), "{context}");
                    }
                    there.iter().for_each(|id| drop(labels.insert((**id).to_string(), Some(label.clone()))));
                }
                _ => {
                    let undeleted = store.undelete_spans(PROJECT, None).await.unwrap();
                    assert_eq!(undeleted.restored, deleted.len() as u64, "{context}");
                    deleted.clear();
                }
            }
            let engine = engine(store.snapshot().await.unwrap()).await;
            let sql = "SELECT context.span_id AS id, annotation.Q.label AS label FROM spans WHERE project = 'p'";
            let rows = ask_rows(&engine, sql).await.unwrap();
            let found: BTreeMap<_, _> = rows.iter().map(|row| (row["id"].clone(), row.get("label").cloned())).collect();
            let expected: BTreeMap<_, _> =
                labels.iter().filter(|(id, _)| !deleted.contains(*id)).map(|(id, l)| (id.clone(), l.clone())).collect();
            assert_eq!((found.len(), found), (rows.len(), expected), "{context}");
            let sql = "SELECT count(*) AS n FROM spans WHERE project = 'other'";
            assert_eq!(ask_rows(&engine, sql).await.unwrap()[0]["n"], "6", "{context}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_version_holds_is_only_let_in_again() {
    let store = Store::open("memory://").unwrap();
    let all = [spans(PROJECT, 0..2, "n")];
    import(&store, &all).await.unwrap();
    store.delete([(PROJECT, "t0", "s0-1"), (PROJECT, "t1", "s0-1"), (PROJECT, "t1", "s1-1")]).await.unwrap();
    assert_eq!(held(&store).await.len(), 4, "a span of another trace is another span");
    store.vacuum(std::time::Duration::ZERO).await.unwrap();
    let undeleted = store.undelete_spans(PROJECT, Some(&["s0-1"])).await.unwrap();
    assert_eq!((undeleted.restored, undeleted.lifted), (0, 2));
    import(&store, &all).await.unwrap();
    let held: Vec<String> = held(&store).await.into_keys().collect();
    assert_eq!(held, ["s0-0", "s0-1", "s0-2", "s1-0", "s1-2"]);
}

/// Somebody else takes the deletion back, too, and the span changes, while the first one sleeps.
#[tokio::test(flavor = "multi_thread")]
async fn taking_back_leaves_alone_what_came_later() {
    let dir = tempfile::tempdir().unwrap();
    for base in sites(dir.path()).await {
        at_each_write(
            Work::Undelete,
            &base,
            dir.path(),
            async |site| {
                site.open().undelete_spans("a", None).await.unwrap();
                import(&site.open(), &[spans("a", 0..1, "newer")]).await.unwrap();
            },
            async |site, outcome, context| {
                outcome.unwrap_or_else(|error| panic!("{context}: {error}"));
                let engine = engine(site.open().snapshot().await.unwrap()).await;
                let sql = "SELECT name FROM spans WHERE project = 'a' AND trace_id = 't0' ORDER BY span_id";
                let rows = ask_rows(&engine, sql).await.unwrap();
                let names: Vec<&str> = rows.iter().map(|row| row["name"].as_str()).collect();
                // Disturbed or not: where nothing came later, it is as it was.
                let expected = if context.ends_with("to None") { "old" } else { "newer" };
                assert_eq!(names, [expected; 3], "{context}");
            },
        )
        .await;
    }
}
