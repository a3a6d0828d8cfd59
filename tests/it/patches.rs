//! Evaluations, annotations and metadata written on spans that a store holds.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use spanql::store::{Grain, Patch, Snapshot, Store, StoreError, UnknownIds};
use spanql_model::columns;

use super::patches_properties::patch_row;
use super::support::{BASE_TIME, Cell, Row, ask, ask_rows, ask_text, batch, demo, dump, engine, import, row, spans};

fn labels(ids: &[String], label: &str) -> Patch {
    let mut patch = Patch::new("p", Grain::Span);
    let text = |values: Vec<String>| -> ArrayRef { Arc::new(StringArray::from(values)) };
    let scores: ArrayRef = Arc::new(ids.iter().enumerate().map(|(at, _)| Some(at as f64)).collect::<Float64Array>());
    let columns = [
        (columns::SPAN_ID, text(ids.to_vec())),
        ("eval.right.label", text(vec![label.to_owned(); ids.len()])),
        ("eval.right.score", scores),
    ];
    patch.push(&RecordBatch::try_from_iter(columns).unwrap()).unwrap();
    patch
}

fn segments(snapshot: &Snapshot) -> BTreeSet<String> {
    snapshot.manifest.segments.iter().map(|segment| segment.id.clone()).collect()
}

async fn one(store: &Store, sql: &str) -> String {
    ask_text(&engine(store.snapshot().await.unwrap()).await, sql).await.unwrap()
}

#[tokio::test]
async fn labels_write_no_segment_again() {
    let store = Store::open("memory://").unwrap();
    for part in 0..3 {
        import(&store, &[spans("p", part * 1000..(part + 1) * 1000, "n")]).await.unwrap();
    }
    let before = store.snapshot().await.unwrap();
    let ids: Vec<String> = (0..3000).step_by(100).map(|trace| format!("s{trace}-1")).collect();
    let patched = store.patch(&labels(&ids, "wrong"), UnknownIds::Refuse, "annotate").await.unwrap();
    assert_eq!((patched.committed.counts.updated, patched.outcomes.len()), (30, 30));
    let after = store.snapshot().await.unwrap();
    assert_eq!(segments(&before), segments(&after));
    assert!(after.manifest.segments.iter().all(|segment| segment.patches.len() == 1));
    assert_eq!(after.manifest.files().filter(|file| file.starts_with("patches/")).collect::<BTreeSet<_>>().len(), 1);
    let wrong = "SELECT count(*) AS n, sum(eval.right.score) AS s FROM spans WHERE eval.right.label = 'wrong'";
    let rows = ask_rows(&engine(after).await, wrong).await.unwrap();
    assert_eq!((rows[0]["n"].as_str(), rows[0]["s"].as_str()), ("30", "435"));
    // The version before knows nothing of it.
    let rows = ask_rows(&engine(before).await, "SELECT * FROM columns WHERE name LIKE 'eval%'").await.unwrap();
    assert!(rows.is_empty());

    // Many commits make few patches, and a compaction none.
    for id in &ids {
        store.patch(&labels(std::slice::from_ref(id), "right"), UnknownIds::Refuse, "annotate").await.unwrap();
    }
    let patches = |snapshot: &Snapshot| -> usize {
        snapshot.manifest.segments.iter().map(|segment| segment.patches.len()).max().unwrap()
    };
    let many = store.snapshot().await.unwrap();
    assert!(patches(&many) <= 4, "{} patches", patches(&many));
    let answers = dump(&store).await.unwrap();
    store.compact().await.unwrap();
    assert_eq!(patches(&store.snapshot().await.unwrap()), 0);
    assert_eq!(dump(&store).await.unwrap(), answers);
    store.vacuum(std::time::Duration::ZERO).await.unwrap();
    assert_eq!(dump(&store).await.unwrap(), answers);
}

#[tokio::test]
async fn patching_most_of_a_segment_builds_it_again() {
    let store = Store::open("memory://").unwrap();
    import(&store, &[spans("p", 0..1000, "n")]).await.unwrap();
    let ids: Vec<String> = (0..1000).map(|trace| format!("s{trace}-1")).collect();
    store.patch(&labels(&ids[..200], "first"), UnknownIds::Refuse, "annotate").await.unwrap();
    assert_eq!(store.snapshot().await.unwrap().manifest.segments[0].patches.len(), 1);
    store.patch(&labels(&ids[100..], "second"), UnknownIds::Refuse, "annotate").await.unwrap();
    let snapshot = store.snapshot().await.unwrap();
    assert!(snapshot.manifest.segments.iter().all(|segment| segment.patches.is_empty()));
    let by_label = "SELECT eval.right.label AS label, count(*) AS n FROM spans GROUP BY 1 ORDER BY 1";
    let rows = ask_rows(&engine(snapshot).await, by_label).await.unwrap();
    let rows: Vec<_> = rows.iter().map(|row| (row.get("label").map(String::as_str), row["n"].as_str())).collect();
    assert_eq!(rows, [(Some("first"), "100"), (Some("second"), "900"), (None, "2000")]);
}

#[tokio::test]
async fn what_is_patched_is_never_pruned_by_what_files_say() {
    let store = Store::open("memory://").unwrap();
    import(&store, &demo(3, 2000)).await.unwrap();
    let snapshot = store.snapshot().await.unwrap();
    let project = snapshot.manifest.segments[0].project.clone();
    let some =
        format!("SELECT context.span_id AS id FROM spans WHERE project = '{project}' ORDER BY start_time LIMIT 40");
    let found = ask_rows(&engine(snapshot).await, &some).await.unwrap();
    let ids: Vec<String> = found.into_iter().map(|row| row["id"].clone()).collect();
    let mut patch = Patch::new(&project, Grain::Span);
    for id in &ids {
        let tier = Cell::text(r#"{"customer":"zz-unheard-of","n":7}"#);
        let last = Cell::text("zz-last");
        let values = [("eval.right.label", &last), (columns::METADATA_PATCH, &tier)];
        patch.push(&patch_row(None, id, &values)).unwrap();
    }
    store.patch(&patch, UnknownIds::Refuse, "annotate").await.unwrap();
    for (sql, expected) in [
        ("SELECT count(*) AS n FROM spans WHERE eval.right.label = 'zz-last'", "40"),
        ("SELECT count(*) AS n FROM spans WHERE eval.right.label > 'zz'", "40"),
        ("SELECT count(*) AS n FROM spans WHERE metadata.customer = 'zz-unheard-of'", "40"),
        ("SELECT sum(metadata.n) AS n FROM spans", "280"),
        ("SELECT count(*) AS n FROM spans WHERE metadata.n IS NOT NULL AND name IS NOT NULL", "40"),
        ("SELECT count(*) AS n FROM evals WHERE name = 'right' AND label = 'zz-last'", "40"),
        ("SELECT max(eval.right.label) AS n FROM spans", "zz-last"),
    ] {
        let rows = ask_rows(&engine(store.snapshot().await.unwrap()).await, sql).await.unwrap();
        assert_eq!(rows[0]["n"], expected, "{sql}");
    }
    let top = "SELECT eval.right.label AS l FROM spans ORDER BY eval.right.label DESC NULLS LAST LIMIT 41";
    let rows = ask_rows(&engine(store.snapshot().await.unwrap()).await, top).await.unwrap();
    assert_eq!(rows.iter().filter(|row| row.get("l").is_some_and(|label| label == "zz-last")).count(), 40);
}

#[tokio::test]
async fn traces_and_sessions_are_written_on_the_root_that_stands_for_them() {
    let at = |row: &mut Row, start: i64| drop(row.insert(columns::START_TIME.into(), Cell::Time(BASE_TIME + start)));
    let mut rows = Vec::new();
    for (trace, start) in [("t1", 50), ("t2", 10)] {
        for (span, parent) in [("child", Some("root")), ("root", None)] {
            let mut row = row("p", trace, &format!("{trace}-{span}"));
            at(&mut row, start);
            row.extend(parent.map(|parent| (columns::PARENT_ID.to_owned(), Cell::text(format!("{trace}-{parent}")))));
            row.extend((span == "child").then(|| (columns::SESSION_ID.to_owned(), Cell::text("s"))));
            rows.push(row);
        }
    }
    let store = Store::open("memory://").unwrap();
    import(&store, &[batch(&rows)]).await.unwrap();
    for (grain, column, id) in
        [(Grain::Trace, "trace_eval.goal.label", "t1"), (Grain::Session, "session_eval.goal.label", "s")]
    {
        let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text, "gone"])) };
        let mut patch = Patch::new("p", grain);
        patch
            .push(&RecordBatch::try_from_iter([(grain.column(), text(id)), (column, text("reached"))]).unwrap())
            .unwrap();
        let patched = store.patch(&patch, UnknownIds::Skip, "annotate").await.unwrap();
        assert_eq!(patched.outcomes.iter().map(|outcome| outcome.spans).collect::<Vec<_>>(), [1, 0]);
    }
    let written =
        |family: &str| format!("SELECT context.span_id AS id FROM spans WHERE {family}.goal.label = 'reached'");
    let held = engine(store.snapshot().await.unwrap()).await;
    assert_eq!(ask_rows(&held, &written("trace_eval")).await.unwrap()[0]["id"], "t1-root");
    assert_eq!(ask_rows(&held, &written("session_eval")).await.unwrap()[0]["id"], "t2-root");
}

#[tokio::test]
async fn unknown_ids_and_columns_are_refused_by_name() {
    let store = Store::open("memory://").unwrap();
    import(&store, &[spans("p", 0..3, "n")]).await.unwrap();
    let refused =
        store.patch(&labels(&["s0-1".into(), "x".into(), "y".into()], "l"), UnknownIds::Refuse, "annotate").await;
    let error = refused.unwrap_err();
    assert!(matches!(&error, StoreError::UnknownIds { ids, .. } if *ids == ["x", "y"]));
    assert_eq!(error.to_string(), "nothing was written: project p has no spans x, y");
    assert_eq!(store.snapshot().await.unwrap().manifest.version, 1);
    let mut patch = Patch::new("p", Grain::Span);
    let refused = patch.push(&patch_row(None, "s0-1", &[("attributes.x", &Cell::Int(1))])).unwrap_err();
    assert!(refused.to_string().contains("attributes.x"), "{refused}");
    let refused = patch.push(&patch_row(None, "s0-1", &[(columns::METADATA_PATCH, &Cell::text("[1]"))])).unwrap_err();
    assert!(refused.to_string().contains("no JSON object"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_side_by_side_lose_nothing() {
    let store = Arc::new(Store::open("memory://").unwrap());
    import(&store, &[spans("p", 0..400, "n")]).await.unwrap();
    let mut writers = Vec::new();
    for writer in 0..4 {
        let store = Arc::clone(&store);
        writers.push(tokio::spawn(async move {
            for at in 0..5 {
                let mut patch = Patch::new("p", Grain::Span);
                let document = Cell::text(format!(r#"{{"k{writer}_{at}":{at}}}"#));
                patch.push(&patch_row(None, "s7-1", &[(columns::METADATA_PATCH, &document)])).unwrap();
                let name = format!("eval.e{writer}_{at}.label");
                patch.push(&patch_row(None, &format!("s{at}-2"), &[(name.as_str(), &Cell::text("l"))])).unwrap();
                store.patch(&patch, UnknownIds::Refuse, "annotate").await.unwrap();
                import(&store, &[spans("p", 400 + writer * 5 + at..401 + writer * 5 + at, "n")]).await.unwrap();
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let metadata = one(&store, "SELECT attributes.metadata AS m FROM spans WHERE context.span_id = 's7-1'").await;
    let evals = ask(&engine(store.snapshot().await.unwrap()).await, "SELECT * FROM evals").await.unwrap().1;
    for writer in 0..4 {
        for at in 0..5 {
            assert!(metadata.contains(&format!(r#""k{writer}_{at}":{at}"#)), "{metadata}");
        }
    }
    assert_eq!(evals.iter().map(RecordBatch::num_rows).sum::<usize>(), 20);
    assert!(one(&store, "SELECT count(*) AS n FROM spans").await.contains("1260"));
}
