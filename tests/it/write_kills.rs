//! `SIGKILL` before or behind each write of a patch, a deletion, an undeletion, a compaction, an upgrade, and of late spans in a
//! large segment leaves what was there or what was to be there, and nothing that a vacuum cannot remove.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use arrow::compute::concat_batches;
use spanql::store::{Grain, Patch, Store, UnknownIds};
use spanql_model::columns;

use super::patches_properties::patch_row;
use super::store_kills::{ENOUGH, fill, kill_at, needed, open, store_that_stands_still};
use super::support::{Cell, Row, assert_same, batch, begin_in_first_format, copy_dir, dump, files, import, row};

/// The spans of project `a` that the patches are on: of several traces.
const IDS: [&str; 5] = ["0-0", "2-1", "3-3", "5-0", "7-2"];

async fn label(store: &Store, project: &str, ids: &[&str], label: &str) {
    let text = Cell::text(label);
    let document = Cell::text(format!("{{\"said\":\"{label}\",\"once\":null}}"));
    let rows: Vec<_> = ids
        .iter()
        .map(|id| patch_row(None, id, &[("annotation.Q.label", &text), (columns::METADATA_PATCH, &document)]))
        .collect();
    let mut patch = Patch::new(project, Grain::Span);
    patch.push(&concat_batches(&rows[0].schema(), &rows).unwrap()).unwrap();
    store.patch(&patch, UnknownIds::Refuse, "annotate").await.unwrap();
}

/// A project with a segment that is too large to be written again for little.
async fn fill_large(store: &Store) {
    let rows = (0..1_600).map(|trace| {
        let mut row = row("large", &format!("large-{trace}"), &format!("l{trace}"));
        row.insert(columns::NAME.into(), Cell::text("old"));
        row
    });
    import(store, &[batch(&rows.collect::<Vec<_>>())]).await.unwrap();
    label(store, "large", &["l4", "l1100"], "first").await;
}

/// Late spans of so many of its traces that a manifest does not list the rows that count no more.
fn late() -> Vec<Row> {
    let late = |trace: usize| {
        let mut late = row("large", &format!("large-{trace}"), &format!("late{trace}"));
        late.insert(columns::PARENT_ID.into(), Cell::text(format!("l{trace}")));
        late
    };
    (0..1_600).step_by(5).map(late).collect()
}

/// Patches over patches, deletions, and small segments beside them.
async fn prepare(store: &Store, what: &str) {
    if what == "late" {
        return fill_large(store).await;
    }
    fill(store).await;
    label(store, "a", &IDS, "first").await;
    label(store, "many", &["3-1"], "first").await;
    store.delete_spans("a", &["1-0", "6-3"]).await.unwrap();
    label(store, "a", &IDS[..2], "second").await;
}

async fn work(store: &Store, what: &str) {
    match what {
        "patch" => label(store, "a", &["2-1", "4-2", "5-0", "7-3"], "third").await,
        "deletion" => drop(store.delete_spans("a", &["2-1", "3-0", "3-1", "3-2", "3-3"]).await.unwrap()),
        "undeletion" => drop(store.undelete_spans("a", None).await.unwrap()),
        "compaction" => drop(store.compact().await.unwrap()),
        "upgrade" => drop(store.upgrade(|_| {}).await.unwrap()),
        "late" => drop(import(store, &[batch(&late())]).await.unwrap()),
        other => panic!("{other}"),
    }
}

/// Kills the work at each of its writes. Gives how often a folder was written to.
fn killed(what: &str, is_first_format: bool) -> BTreeMap<String, usize> {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (base, clean) = (dir.path().join("base"), dir.path().join("clean"));
    if is_first_format {
        begin_in_first_format(&base);
    }
    runtime.block_on(prepare(&open(&base), what));
    copy_dir(&base, &clean);
    runtime.block_on(work(&open(&clean), what));
    let content = |place: &Path| runtime.block_on(dump(&open(place))).unwrap();
    let (old, new) = (content(&base), content(&clean));
    assert_eq!(old == new, matches!(what, "compaction" | "upgrade"), "{what}");

    let mut written = BTreeMap::new();
    for how in ["before", "after"] {
        let mut committed = false;
        for at in 0..ENOUGH {
            let place = dir.path().join(format!("{how}-{at}"));
            copy_dir(&base, &place);
            let Some(folder) = kill_at(&format!("write_kills::{what}_that_stands_still"), &place, how, at) else {
                assert!(at > 0, "{what} writes nothing");
                break;
            };
            let context = format!("{what} killed {how} write {at}, to {folder}");
            committed |= how == "after" && folder == "manifest";
            assert_same(&content(&place), if committed { &new } else { &old }, &context);
            committed |= folder == "manifest";
            *written.entry(folder).or_default() += 1;

            runtime.block_on(work(&open(&place), what));
            assert_same(&content(&place), &new, &format!("{context}, then done again"));
            runtime.block_on(open(&place).vacuum(Duration::ZERO)).unwrap();
            assert_same(&content(&place), &new, &format!("{context}, then cleared"));
            let needed = runtime.block_on(needed(&open(&place)));
            assert_eq!(files(&place), needed, "{context}: only what the newest version needs is left");
            std::fs::remove_dir_all(&place).unwrap();
            assert!(at + 1 < ENOUGH);
        }
        assert!(committed, "{what}: no kill {how} its manifest");
    }
    println!("{what}: killed at writes to {written:?}");
    written
}

macro_rules! kills {
    ($($stands:ident $name:ident $what:literal $first:literal $folders:expr;)*) => {$(
        /// The process that is killed.
        #[test]
        fn $stands() {
            let Some(store) = store_that_stands_still() else { return };
            tokio::runtime::Runtime::new().unwrap().block_on(work(&store, $what));
        }

        #[test]
        fn $name() {
            let written = killed($what, $first);
            for folder in $folders {
                assert!(written.contains_key(folder), "no kill at a write to {folder}: {written:?}");
            }
        }
    )*};
}

kills! {
    patch_that_stands_still a_killed_patch_is_there_whole_or_not_at_all "patch" false ["patches", "manifest"];
    deletion_that_stands_still a_killed_deletion_is_there_whole_or_not_at_all "deletion" false ["tombstones", "manifest"];
    undeletion_that_stands_still a_killed_undeletion_is_there_whole_or_not_at_all "undeletion" false ["manifest"];
    compaction_that_stands_still a_killed_compaction_changes_nothing "compaction" false ["segments", "manifest"];
    late_that_stands_still killed_late_spans_are_there_whole_or_not_at_all "late" false ["segments", "deletions", "manifest"];
    upgrade_that_stands_still a_killed_upgrade_changes_nothing "upgrade" true ["manifest"];
}
