//! Many writers and readers at once, in the library and at a server: no reader ever sees half a write.
//!
//! Each writer has a group of spans, in several traces. All that it does, it does to all of them in one write: they come again
//! with one name, get one label, go, and come back. So whoever reads finds either all spans of a group or none, all of one name and
//! of one label, and names that never get older.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use serde_json::{Value, json};
use spanql::engine::StoreEngine;
use spanql::model::columns::{END_TIME, NAME, START_TIME};
use spanql::store::{Grain, Patch, Store, UnknownIds};

use super::serve_support::{KEY, PROJECT, Running};
use super::support::{BASE_TIME, Cell, Random, ask_rows, batch, import, row};

const WRITERS: usize = 4;
const READERS: usize = 3;
const STEPS: usize = 14;
const TRACES: usize = 3;
const SPANS: usize = 4;
/// Writers of a server's test do as many.
const REQUESTS: usize = 9;

/// The seed that is given, or one of the clock.
fn seed() -> u64 {
    let given = std::env::var("SPANQL_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let clock = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    let seed = given.unwrap_or_else(clock);
    println!("SPANQL_TEST_SEED={seed}");
    seed
}

/// Traces and spans of a writer.
fn ids(writer: usize) -> impl Iterator<Item = (String, String)> {
    (0..TRACES).flat_map(move |trace| {
        (0..SPANS).map(move |span| {
            (
                format!("{:032x}", (writer + 1) * 100 + trace),
                format!("{:016x}", (writer + 1) * 10_000 + trace * 100 + span),
            )
        })
    })
}

fn arrivals(writer: usize, generation: usize) -> RecordBatch {
    let rows = ids(writer).map(|(trace, span)| {
        let mut row = row(PROJECT, &trace, &span);
        row.insert(NAME.into(), Cell::text(format!("{generation:04}")));
        row.insert(START_TIME.into(), Cell::Time(BASE_TIME));
        row.insert(END_TIME.into(), Cell::Time(BASE_TIME + 1000));
        row
    });
    batch(&rows.collect::<Vec<_>>())
}

fn labelled(writer: usize, label: &str) -> Patch {
    let spans: Vec<String> = ids(writer).map(|(_, span)| span).collect();
    let labels = vec![label; spans.len()];
    let columns: [(&str, ArrayRef); 2] = [
        ("context.span_id", Arc::new(StringArray::from(spans))),
        ("annotation.Q.label", Arc::new(StringArray::from(labels))),
    ];
    let mut patch = Patch::new(PROJECT, Grain::Span);
    patch.push(&RecordBatch::try_from_iter(columns).unwrap()).unwrap();
    patch
}

/// What a reader saw: names by group.
type Seen = BTreeMap<usize, String>;

/// A span: its trace's id, its name, its label, and how many spans the summary of the trace has, where that is known.
type SeenSpan = (String, String, Option<String>, Option<usize>);

/// Looks at spans.
fn judge(rows: &[SeenSpan], seen: &mut Seen, context: &str) {
    let mut groups: BTreeMap<usize, Vec<&SeenSpan>> = BTreeMap::new();
    for row in rows {
        let writer = usize::from_str_radix(&row.0, 16).unwrap() / 100 - 1;
        groups.entry(writer).or_default().push(row);
    }
    for (writer, rows) in groups {
        assert_eq!(rows.len(), TRACES * SPANS, "{context}: half of group {writer}: {rows:?}");
        let first = rows[0];
        assert!(rows.iter().all(|row| (&row.1, &row.2) == (&first.1, &first.2)), "{context}: a half write: {rows:?}");
        assert!(rows.iter().all(|row| row.3.is_none_or(|count| count == SPANS)), "{context}: summaries: {rows:?}");
        let before = seen.insert(writer, first.1.clone()).unwrap_or_default();
        assert!(before <= first.1, "{context}: {} after {before}", first.1);
    }
}

/// The work of one writer. Every step is acknowledged, or panics.
async fn write(store: Arc<Store>, writer: usize, mut random: Random) {
    let spans: Vec<String> = ids(writer).map(|(_, span)| span).collect();
    let spans: Vec<&str> = spans.iter().map(String::as_str).collect();
    for step in 0..STEPS {
        match random.below(6) {
            0 | 1 => drop(import(&store, &[arrivals(writer, step)]).await.unwrap()),
            2 | 3 => {
                let patch = labelled(writer, &format!("l{step}"));
                let patched = store.patch(&patch, UnknownIds::Skip, "annotate").await.unwrap();
                let found = patched.outcomes.iter().filter(|outcome| outcome.spans > 0).count();
                assert!(found == 0 || found == spans.len(), "group {writer}: {found} spans patched");
            }
            4 => {
                let committed = store.delete_spans(PROJECT, &spans).await.unwrap();
                assert!([0, spans.len() as u64].contains(&committed.counts.deleted), "{committed:?}");
            }
            _ => drop(store.undelete_spans(PROJECT, None).await.unwrap()),
        }
    }
}

async fn maintain(store: Arc<Store>, left: Arc<AtomicUsize>, removes: bool) {
    while left.load(Ordering::SeqCst) > 0 {
        store.compact().await.unwrap();
        if removes {
            store.vacuum(Duration::ZERO).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn read(store: Arc<Store>, left: Arc<AtomicUsize>) -> usize {
    const SQL: &str = "SELECT s.trace_id AS trace, s.name AS name, s.annotation.Q.label AS label, t.span_count AS n
        FROM spans s LEFT JOIN traces t ON t.project = s.project AND t.trace_id = s.trace_id";
    let (mut seen, mut reads) = (Seen::new(), 0);
    while left.load(Ordering::SeqCst) > 0 {
        let snapshot = store.snapshot().await.unwrap();
        let version = snapshot.manifest.version;
        let rows = match StoreEngine::default().open(snapshot).await {
            Ok(engine) => ask_rows(&engine, SQL).await,
            Err(error) => Err(error.to_string()),
        };
        let rows = match rows {
            Ok(rows) => rows,
            Err(error) if error.contains("ask again") => continue,
            Err(error) => panic!("{error}"),
        };
        let row = |row: &BTreeMap<String, String>| {
            let count = Some(row.get("n").map_or(0, |n| n.parse().unwrap()));
            (row["trace"].clone(), row["name"].clone(), row.get("label").cloned(), count)
        };
        judge(&rows.iter().map(row).collect::<Vec<_>>(), &mut seen, &format!("version {version}"));
        reads += 1;
    }
    reads
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_reader_of_the_library_sees_half_a_write() {
    let seed = seed();
    for removes in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        // Writers in one process have one store or several.
        let open = || Arc::new(Store::open(&dir.path().join("store").display().to_string()).unwrap());
        let (store, left) = (open(), Arc::new(AtomicUsize::new(WRITERS)));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let store = if writer % 2 == 0 { Arc::clone(&store) } else { open() };
                let work = tokio::spawn(write(store, writer, Random(seed.wrapping_add(writer as u64))));
                let left = Arc::clone(&left);
                // Readers end with the writers, however these end.
                tokio::spawn(async move {
                    let done = work.await;
                    left.fetch_sub(1, Ordering::SeqCst);
                    done.unwrap();
                })
            })
            .collect();
        let keeper = tokio::spawn(maintain(open(), Arc::clone(&left), removes));
        let readers: Vec<_> = (0..READERS).map(|_| tokio::spawn(read(open(), Arc::clone(&left)))).collect();
        for writer in writers {
            writer.await.unwrap();
        }
        keeper.await.unwrap();
        let mut reads = 0;
        for reader in readers {
            reads += reader.await.unwrap();
        }
        assert!(reads > 0);
        println!("{reads} reads");
    }
}

/// One group's writes at a server: spans by OTLP, labels and deletions by REST.
async fn request(http: String, project: String, writer: usize, mut random: Random) {
    let client = reqwest::Client::new();
    let send = async |method: &str, path: &str, body: Value| {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = client.request(method, format!("{http}{path}")).bearer_auth(KEY);
        let request = request.header("content-type", "application/json").body(body.to_string());
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.text().await.unwrap())
    };
    let spans: Vec<String> = ids(writer).map(|(_, span)| span).collect();
    for step in 0..REQUESTS {
        match random.below(if step < 3 { 4 } else { 5 }) {
            0 | 1 => {
                let span = |(trace, span): (String, String)| {
                    json!({"traceId": trace, "spanId": span, "name": format!("{step:04}"),
                        "startTimeUnixNano": BASE_TIME.to_string(), "endTimeUnixNano": (BASE_TIME + 1000).to_string()})
                };
                let spans: Vec<Value> = ids(writer).map(span).collect();
                let name = json!({"key": "openinference.project.name", "value": {"stringValue": PROJECT}});
                let scope = json!([{"spans": spans}]);
                let body = json!({"resourceSpans": [{"resource": {"attributes": [name]}, "scopeSpans": scope}]});
                let (status, text) = send("POST", "/v1/traces", body).await;
                assert_eq!(status, 200, "{text}");
            }
            2 | 3 => {
                let record = |span: &String| {
                    let values = json!([{"name": "Q", "label": format!("l{step}")}]);
                    json!({"record_id": span, "values": values})
                };
                let records: Vec<Value> = spans.iter().map(record).collect();
                let body = json!({"project_id": project, "annotations": records});
                let (status, text) = send("POST", "/v2/spans/annotate", body).await;
                // Before its spans came, or behind their deletion, they are unknown.
                assert!([202, 404].contains(&status), "{status}: {text}");
            }
            _ => {
                let (status, text) =
                    send("DELETE", "/v2/spans", json!({"project_id": project, "span_ids": spans})).await;
                assert_eq!(status, 200, "{text}");
            }
        }
    }
}

/// Reads by Flight, as the clients of Arize do.
async fn export(server: &Running, left: &AtomicUsize) -> usize {
    let flight = server.flight(KEY).await;
    let (mut seen, mut reads) = (Seen::new(), 0);
    while left.load(Ordering::SeqCst) > 0 {
        let export = match flight.export(&server.command(json!({}))).await {
            Ok(export) => export,
            Err(status) if status.message().contains("ask again") => continue,
            Err(status) => panic!("{status:?}"),
        };
        let mut rows = Vec::new();
        for batch in &export.batches {
            let text = |name: &str| -> Vec<Option<String>> {
                let Some(column) = batch.column_by_name(name) else { return vec![None; batch.num_rows()] };
                let column = arrow::compute::cast(column, &arrow::datatypes::DataType::Utf8).unwrap();
                arrow::array::AsArray::as_string::<i32>(&column).iter().map(|text| text.map(str::to_owned)).collect()
            };
            let (traces, names, labels) = (text("context.trace_id"), text("name"), text("annotation.Q.label"));
            for ((trace, name), label) in traces.into_iter().zip(names).zip(labels) {
                rows.push((trace.unwrap(), name.unwrap(), label, None));
            }
        }
        judge(&rows, &mut seen, "an export");
        reads += 1;
    }
    reads
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_reader_of_a_server_sees_half_a_write() {
    let seed = seed();
    let dir = tempfile::tempdir().unwrap();
    let open = || Arc::new(Store::open(&dir.path().join("store").display().to_string()).unwrap());
    import(&open(), &[arrivals(WRITERS, 0)]).await.unwrap();
    let server = Running::with_key(&open()).await;
    let (http, project) = (format!("http://127.0.0.1:{}", server.ready.http_port), server.ready.projects[0].id.clone());
    let left = Arc::new(AtomicUsize::new(WRITERS));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let random = Random(seed.wrapping_add(writer as u64));
            let work = tokio::spawn(request(http.clone(), project.clone(), writer, random));
            let left = Arc::clone(&left);
            tokio::spawn(async move {
                let done = work.await;
                left.fetch_sub(1, Ordering::SeqCst);
                done.unwrap();
            })
        })
        .collect();
    let keeper = tokio::spawn(maintain(open(), Arc::clone(&left), false));
    let library = tokio::spawn(read(open(), Arc::clone(&left)));
    let (one, two) = tokio::join!(export(&server, &left), export(&server, &left));
    for writer in writers {
        writer.await.unwrap();
    }
    keeper.await.unwrap();
    println!("{} exports, {} reads of the store", one + two, library.await.unwrap());
    assert!(one > 0 && two > 0);
    server.stop().await.unwrap();
}
