//! Stores that an older spanql wrote: it is said, nothing claims to be newer than it is, and an upgrade computes again.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use spanql::model::columns;
use spanql::store::{Manifest, Store};

use super::support::{
    BASE_TIME, Cell, Row, ask_rows, batch, begin_in_first_format, engine, files, import, row, spanql, succeed,
};

const MS: i64 = 1_000_000;

fn span(project: &str, trace: &str, id: &str, parent: Option<&str>, times: (i64, i64)) -> Row {
    let mut span = row(project, trace, id);
    span.insert("name".into(), Cell::text(id));
    span.insert("start_time".into(), Cell::Time(BASE_TIME + times.0 * MS));
    span.insert("end_time".into(), Cell::Time(BASE_TIME + times.1 * MS));
    if let Some(parent) = parent {
        span.insert("parent_id".into(), Cell::text(parent));
    }
    span
}

/// A trace whose last span outlives its parent; that span alone makes the path longer.
fn trace(project: &str, id: &str) -> Vec<Row> {
    vec![
        span(project, id, "root", None, (0, 50)),
        span(project, id, "late", Some("root"), (10, 90)),
        span(project, id, "back", Some("root"), (60, 40)),
    ]
}

async fn newest(store: &Store) -> Arc<Manifest> {
    store.snapshot().await.unwrap().manifest
}

/// Changes the newest manifest as the file on disk has it.
fn change_manifest(place: &Path, change: impl FnOnce(&mut Value)) {
    let mut files: Vec<_> =
        std::fs::read_dir(place.join("manifest")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let file = files.pop().unwrap();
    let mut envelope: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    change(&mut envelope["manifest"]);
    let text = envelope["manifest"].to_string();
    let crc32 = crc32fast::hash(text.as_bytes());
    std::fs::write(file, format!("{{\"crc32\":\"{crc32:08x}\",\"manifest\":{text}}}")).unwrap();
}

/// The rows of a Parquet file, changed and written again in the same row groups.
fn change_rows(file: &Path, change: impl Fn(&str, &ArrayRef) -> ArrayRef) -> Vec<u8> {
    let bytes = bytes::Bytes::from(std::fs::read(file).unwrap());
    let open = || ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).unwrap().with_batch_size(1 << 20);
    let schema = Arc::clone(open().schema());
    let mut writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), None).unwrap();
    for group in 0..open().metadata().num_row_groups() {
        for batch in open().with_row_groups(vec![group]).build().unwrap() {
            let batch = batch.unwrap();
            let arrays = schema.fields().iter().zip(batch.columns()).map(|(field, array)| change(field.name(), array));
            writer.write(&RecordBatch::try_new(Arc::clone(&schema), arrays.collect()).unwrap()).unwrap();
        }
        writer.flush().unwrap();
    }
    let bytes = writer.into_inner().unwrap();
    std::fs::write(file, &bytes).unwrap();
    bytes
}

/// Makes the newest version one that an older spanql wrote: no segment says whose rules its columns follow, and they
/// hold what that spanql computed, and ids that it took as they came.
fn age(place: &Path) {
    change_manifest(place, |manifest| {
        for segment in manifest["segments"].as_array_mut().unwrap() {
            let id = segment["id"].as_str().unwrap().to_owned();
            let spans = change_rows(&place.join(format!("segments/{id}.parquet")), |name, array| {
                let some = |row: usize| array.is_valid(row);
                match name {
                    "tree.critical" => Arc::new(BooleanArray::from(vec![true; array.len()])),
                    "tree.self_ms" => Arc::new(Float64Array::from(vec![-20.0; array.len()])),
                    columns::PARENT_ID => {
                        let texts: &StringArray = array.as_any().downcast_ref().unwrap();
                        let zeros = "0000000000000000";
                        Arc::new(
                            (0..array.len())
                                .map(|at| if some(at) { texts.value(at) } else { zeros })
                                .map(Some)
                                .collect::<StringArray>(),
                        )
                    }
                    columns::SESSION_ID => Arc::new(StringArray::from(vec![""; array.len()])),
                    _ => Arc::clone(array),
                }
            });
            let stats_file = place.join(format!("stats/{id}.json"));
            let mut stats: Value = serde_json::from_slice(&std::fs::read(&stats_file).unwrap()).unwrap();
            let sums = spans.chunks(256 * 1024).map(|block| format!("{:08x}", crc32fast::hash(block)));
            stats["spans"] = sums.collect::<String>().into();
            stats["columns"][columns::SESSION_ID] = serde_json::json!({"filled": 1, "example": ""});
            stats["columns"][columns::PARENT_ID]["filled"] = segment["rows"].clone();
            let stats = stats.to_string();
            std::fs::write(stats_file, &stats).unwrap();
            segment["bytes"] = spans.len().into();
            segment["card_crc32"] = crc32fast::hash(stats.as_bytes()).into();
            segment.as_object_mut().unwrap().remove("computed").expect("segments say whose rules they follow");
        }
    });
}

const SPANS: &str = "SELECT project, trace_id, span_id, parent_id, session_id, latency_ms, tree.critical AS critical,
        tree.self_ms AS own, tree.depth AS depth, tree.orphan AS orphan FROM spans ORDER BY 1, 2, 3";
const TRACES: &str = "SELECT project, trace_id, name, root_count, orphan_count, session_id FROM traces ORDER BY 1, 2";

async fn answers(store: &Store) -> Vec<String> {
    let engine = engine(store.snapshot().await.unwrap()).await;
    let mut all = Vec::new();
    for sql in [SPANS, TRACES] {
        all.extend(ask_rows(&engine, sql).await.unwrap().iter().map(|row| format!("{row:?}")));
    }
    all
}

/// A store of three segments in two projects, and what it answers.
fn filled(place: &Path) -> Vec<String> {
    begin_in_first_format(place);
    run(async {
        let store = Store::open(&place.display().to_string()).unwrap();
        for (project, id) in [("a", "t1"), ("a", "t2"), ("b", "t3")] {
            import(&store, &[batch(&trace(project, id))]).await.unwrap();
        }
        answers(&store).await
    })
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(work)
}

#[test]
fn an_upgrade_computes_again_what_an_older_one_computed() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("s");
    let right = filled(&place);
    age(&place);
    run(async {
        let store = Store::open(&place.display().to_string()).unwrap();
        assert_ne!(answers(&store).await, right);
        let before = newest(&store).await;
        assert_eq!((before.outdated(), before.segments.len()), (3, 3));

        let mut left = vec![];
        let done = store.upgrade(|segments| left.push(segments)).await.unwrap();
        // The two of one project become one.
        assert_eq!((done.segments_before, done.segments_after), (3, 2));
        assert_eq!(left, [3, 1, 0]);
        assert_eq!(answers(&store).await, right);
        let after = newest(&store).await;
        assert_eq!((after.outdated(), after.format, after.version), (0, 2, before.version + 3));
        assert_eq!(after.operation, "upgrade");

        // Nothing is left to do, and the version before stays as it was.
        assert_eq!(store.upgrade(|_| ()).await.unwrap().segments_before, 0);
        assert_eq!(newest(&store).await.version, after.version);
        assert_eq!(store.snapshot_at(before.version).await.unwrap().manifest.outdated(), 3);
    });
}

#[test]
fn what_is_written_again_for_another_reason_follows_the_new_rules_whole() {
    let dir = tempfile::tempdir().unwrap();
    // Two traces in row groups of their own, of which one would be copied as it is.
    let long = |id: &str| {
        let steps = (0..9_000).map(|n| span("a", id, &format!("step {n}"), Some("root"), (0, 0)));
        trace("a", id).into_iter().chain(steps).collect::<Vec<_>>()
    };
    for way in ["arrival", "delete", "compact"] {
        let place = dir.path().join(way);
        begin_in_first_format(&place);
        run(async {
            let store = Store::open(&place.display().to_string()).unwrap();
            import(&store, &[batch(&[long("t1"), long("t2")].concat())]).await.unwrap();
            import(&store, &[batch(&trace("a", "t3"))]).await.unwrap();
        });
        age(&place);
        run(async {
            let store = Store::open(&place.display().to_string()).unwrap();
            let late = span("a", "t1", "more", Some("late"), (20, 120));
            match way {
                "arrival" => drop(import(&store, &[batch(&[late])]).await.unwrap()),
                "delete" => drop(store.delete_spans("a", &["step 7", "back"]).await.unwrap()),
                _ => drop(store.compact().await.unwrap()),
            }
            let manifest = newest(&store).await;
            let outdated: u64 = manifest.segments.iter().filter(|s| s.is_outdated()).map(|s| s.rows).sum();
            assert_eq!(outdated, if way == "arrival" { 3 } else { 0 }, "{way}");
            let engine = engine(store.snapshot().await.unwrap()).await;
            let wrong = "SELECT count(*) AS n FROM spans WHERE tree.self_ms < 0 OR session_id IS NOT NULL OR parent_id LIKE '0%'";
            let wrong = ask_rows(&engine, wrong).await.unwrap();
            assert_eq!(wrong[0]["n"], outdated.to_string(), "{way}");
        });
    }
}

#[test]
fn an_older_store_says_so_once() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("s");
    filled(&place);
    let stderr = |arguments: &[&str]| {
        let output = spanql(&place).args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let count = ["query", "SELECT count(*) FROM spans"];
    assert_eq!(stderr(&count), "");
    age(&place);
    let note = format!(
        "note: {}: trees and totals in 3 of 3 segments follow the rules of an older spanql: `spanql store upgrade` \
         computes them again\n",
        place.display()
    );
    assert_eq!(stderr(&count), note);
    assert_eq!(stderr(&["-q", count[0], count[1]]), "");
    assert_eq!(stderr(&["query", "SELECT 1; SELECT count(*) FROM traces"]), note);
    assert_eq!(stderr(&["traces", "list"]), note);
    assert!(stderr(&["--at-version", "4", count[0], count[1]]).contains("an older spanql"));
    let info = succeed(spanql(&place).args(["store", "info", "-o", "json"]));
    assert!(info.contains("\"outdated_segments\":3"), "{info}");
    let upgraded = stderr(&["store", "upgrade"]);
    let format = "changed to format 2, which an older spanql does not read";
    assert_eq!(upgraded, format!("computed 3 segments again, {format}: {} version 7\n", place.display()));
    assert_eq!(stderr(&["store", "upgrade"]), "nothing to upgrade\n");
    assert_eq!(stderr(&count), "");
}

#[test]
fn marks_of_a_newer_spanql_are_kept_apart() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("s");
    filled(&place);
    change_manifest(&place, |manifest| {
        for segment in manifest["segments"].as_array_mut().unwrap() {
            segment["computed"] = 1_000.into();
            segment["of_the_future"] = true.into();
        }
    });
    run(async {
        let store = Store::open(&place.display().to_string()).unwrap();
        assert_eq!(newest(&store).await.outdated(), 0);
        // What is computed here follows the rules of here.
        import(&store, &[batch(&[span("a", "t1", "more", Some("late"), (20, 120))])]).await.unwrap();
        let marks: Vec<u32> = newest(&store).await.segments.iter().map(|segment| segment.computed).collect();
        assert_eq!(marks.iter().filter(|mark| **mark < 1_000).count(), 1, "{marks:?}");
    });
}

#[test]
fn a_newer_store_is_refused_by_name_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("s");
    filled(&place);
    let late = dir.path().join("late.jsonl");
    std::fs::write(&late, r#"{"trace_id": "t1", "span_id": "x"}"#).unwrap();
    let late = late.display().to_string();
    let refused = |why: &str| {
        let before = files(&place);
        for arguments in [
            &["query", "SELECT count(*) FROM spans"][..],
            &["import", "--project", "a", &late],
            &["store", "compact"],
            &["store", "upgrade"],
            &["store", "vacuum", "--older-than", "0s"],
        ] {
            let output = spanql(&place).args(arguments).output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(!output.status.success() && said.contains(why), "{arguments:?}: {said}");
            assert_eq!(files(&place), before, "{arguments:?}");
        }
    };
    change_manifest(&place, |manifest| {
        manifest["format"] = 3.into();
        // What it says besides may have another form.
        manifest["segments"][0]["rows"] = "many".into();
    });
    refused("format 3 is newer than this spanql reads (2): upgrade spanql");
    change_manifest(&place, |manifest| {
        manifest["format"] = 2.into();
        manifest["segments"][0]["rows"] = 3.into();
        manifest["requires"] = serde_json::json!(["zorder"]);
    });
    refused("it needs \"zorder\", which this spanql does not know: upgrade spanql");
}

#[test]
fn small_segments_need_not_say_the_ids_of_their_traces() {
    let dir = tempfile::tempdir().unwrap();
    for with_ids in [true, false] {
        let place = dir.path().join(format!("{with_ids}"));
        let late = async |span: Row| {
            // Nothing is kept of what was read before.
            let store = Store::open(&place.display().to_string()).unwrap();
            import(&store, &[batch(&[span])]).await.map(drop)
        };
        run(async {
            let store = Store::open(&place.display().to_string()).unwrap();
            import(&store, &[batch(&trace("a", "t1"))]).await.unwrap();
            import(&store, &[batch(&trace("a", "t2"))]).await.unwrap();
        });
        change_manifest(&place, |manifest| {
            for segment in manifest["segments"].as_array_mut().unwrap() {
                let bundle = segment["bundle"].as_object_mut().unwrap();
                assert!(bundle["ids"]["bytes"] == 8);
                if !with_ids {
                    bundle.remove("ids");
                }
            }
        });
        run(async {
            late(span("a", "t1", "more", Some("late"), (20, 120))).await.unwrap();
            let store = Store::open(&place.display().to_string()).unwrap();
            let manifest = newest(&store).await;
            assert_eq!((manifest.rows(), manifest.traces(), manifest.segments.len()), (7, 2, 2));
        });
        if with_ids {
            change_manifest(&place, |manifest| manifest["segments"][0]["bundle"]["ids"]["crc32"] = 7.into());
            let error = run(late(span("a", "t2", "more", None, (0, 1)))).unwrap_err().to_string();
            assert!(error.contains("the checksum of its ids is not the one in the manifest"), "{error}");
        }
    }
}

#[test]
fn side_files_of_an_unknown_kind_are_passed_over_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("s");
    let right = filled(&place);
    std::fs::create_dir(place.join("future")).unwrap();
    std::fs::write(place.join("future/side.bin"), "?").unwrap();
    change_manifest(&place, |manifest| {
        manifest["format"] = 2.into();
        manifest["segments"][0]["side"] =
            serde_json::json!({"of_the_future": {"file": "future/side.bin", "bytes": 1, "crc32": 7}});
    });
    run(async {
        let store = Store::open(&place.display().to_string()).unwrap();
        assert_eq!(answers(&store).await, right);
        import(&store, &[batch(&trace("c", "t9"))]).await.unwrap();
        store.vacuum(std::time::Duration::ZERO).await.unwrap();
        let sides: usize = newest(&store).await.segments.iter().map(|segment| segment.side.len()).sum();
        assert!(sides == 1 && place.join("future/side.bin").exists());
    });
}
