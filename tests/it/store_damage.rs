//! Damaged files: an error that names the file or the right answer, never a wrong one and never a panic.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use spanql::store::{Progress, Pull, Segment, Store, StoreLocation};

use super::cases::all_cases;
use super::store_ledger::{key, seconds};
use super::support::{
    ALL_COLUMNS, ALL_SESSIONS, ALL_SPANS, ALL_TRACES, BASE_TIME, Cell, Random, Row, ask_text, batch, dump, engine,
    first_format, import, row,
};

const COUNT: &str = "SELECT count(*), min(start_time), count(attributes.n) FROM spans";
const ONE: &str = "SELECT context.span_id, tree.depth FROM spans WHERE context.trace_id = 'big-3' ORDER BY 1";
/// Each reads other parts of the files.
const STATEMENTS: [&str; 7] = [ALL_SPANS, ALL_TRACES, ALL_SESSIONS, ALL_COLUMNS, COUNT, ONE, "SELECT * FROM pulls"];

/// Every object of a store by its path.
type Objects = BTreeMap<String, Bytes>;

fn spans(project: &str, traces: std::ops::Range<usize>, text: usize) -> Vec<Row> {
    let mut random = Random(traces.start as u64);
    let mut rows = Vec::new();
    for trace in traces {
        for span in 0..3 {
            let mut row = row(project, &format!("{project}-{trace}"), &format!("{project}-{trace}-{span}"));
            row.insert("start_time".into(), Cell::Time(BASE_TIME + (trace * 10 + span) as i64));
            row.insert("attributes.n".into(), Cell::Int(span as i64));
            row.insert("attributes.session.id".into(), Cell::text(format!("session {}", trace % 2)));
            let noise = (0..text).map(|_| char::from(b' ' + random.below(95) as u8)).collect::<String>();
            row.insert("attributes.input.value".into(), Cell::Text(noise));
            if span > 0 {
                row.insert("parent_id".into(), Cell::text(format!("{project}-{trace}-0")));
            }
            rows.push(row);
        }
    }
    rows
}

/// What an import brings that touches every segment.
fn touching() -> Vec<Row> {
    let mut rows = Vec::new();
    for (project, trace) in [("small", 1), ("big", 3)] {
        let mut row = row(project, &format!("{project}-{trace}"), &format!("{project}-{trace}-1"));
        row.insert("name".into(), Cell::text("touched"));
        rows.push(row);
    }
    rows
}

fn store_on(objects: &Arc<InMemory>) -> Store {
    Store::at(StoreLocation::with_objects(
        "damaged",
        Arc::clone(objects) as Arc<dyn ObjectStore>,
        ObjectPath::default(),
    ))
}

async fn memory(objects: &Objects) -> Arc<InMemory> {
    let memory = Arc::new(InMemory::new());
    for (path, bytes) in objects {
        memory.put(&ObjectPath::from(path.as_str()), bytes.clone().into()).await.unwrap();
    }
    memory
}

/// A whole store, and what it answers.
struct Whole {
    objects: Objects,
    segments: Vec<Segment>,
    tombstones: String,
    ledger: String,
    manifest: String,
    answers: Vec<String>,
    /// Everything, after the import that touches every segment.
    touched: String,
}

impl Whole {
    /// Two projects, one of whose files spans several checksum blocks, and a deleted span.
    async fn new() -> Self {
        // In the first format every part of a segment is a file.
        let (first, text) = first_format();
        let memory = memory(&Objects::from([(first, text.into())])).await;
        let store = store_on(&memory);
        import(&store, &[batch(&spans("small", 0..4, 20))]).await.unwrap();
        import(&store, &[batch(&spans("big", 0..12, 25_000))]).await.unwrap();
        store.record_pull(&Pull::new(key("big"), seconds(0, 60))).await.unwrap();
        store.delete_spans("small", &["small-2-1"]).await.unwrap();
        // Versions that are gone leave only files that the newest version needs.
        store.vacuum(std::time::Duration::ZERO).await.unwrap();
        let mut objects = Objects::new();
        for meta in memory.list(None).try_collect::<Vec<_>>().await.unwrap() {
            let bytes = memory.get(&meta.location).await.unwrap().bytes().await.unwrap();
            objects.insert(meta.location.to_string(), bytes);
        }
        let manifest = store.snapshot().await.unwrap().manifest;
        let tombstones = objects.keys().find(|path| path.starts_with("tombstones/")).unwrap().clone();
        let ledger = objects.keys().find(|path| path.starts_with("ledger/")).unwrap().clone();
        let mut answers = Vec::new();
        for answer in ask_all(&objects, &STATEMENTS).await {
            answers.push(answer.unwrap());
        }
        import(&store, &[batch(&touching())]).await.unwrap();
        Self {
            segments: manifest.segments.clone(),
            tombstones,
            ledger,
            manifest: format!("manifest/{:020}.json", manifest.version),
            answers,
            touched: dump(&store).await.unwrap(),
            objects,
        }
    }

    fn with(&self, path: &str, bytes: Option<Bytes>) -> Objects {
        let mut objects = self.objects.clone();
        match bytes {
            Some(bytes) => drop(objects.insert(path.to_owned(), bytes)),
            None => drop(objects.remove(path)),
        }
        objects
    }

    /// The files of the larger segment and those of the store: of every kind one.
    fn kinds(&self) -> Vec<String> {
        let big = self.segments.iter().find(|segment| segment.project == "big").unwrap();
        let of_store = [&self.manifest, &self.tombstones, &self.ledger].map(String::clone);
        [big.spans_file(), big.traces_file(), big.stats_file()].into_iter().chain(of_store).collect()
    }

    /// The statements that cannot be answered without reading the file.
    fn needing(&self, path: &str) -> Vec<usize> {
        match path.split('/').next() {
            Some("manifest") => (0..STATEMENTS.len()).collect(),
            Some("segments") => vec![0],
            Some("traces") => vec![1, 2],
            Some("stats") => vec![0, 1, 2, 3],
            Some("ledger") => vec![6],
            _ => Vec::new(),
        }
    }

    /// Asks everything of a store with one damaged file; `gone` says that no statement can do with what is left.
    async fn check(&self, path: &str, bytes: Option<Bytes>, gone: bool, context: &str) {
        let objects = self.with(path, bytes);
        for (number, answer) in ask_all(&objects, &STATEMENTS).await.into_iter().enumerate() {
            let needs = gone && self.needing(path).contains(&number);
            self.judge(number, answer, path, needs, context);
        }
        self.check_import(&objects, path, gone, context).await;
    }

    fn judge(&self, number: usize, answer: Result<String, String>, path: &str, needs: bool, context: &str) {
        match answer {
            Ok(answer) => {
                assert!(answer == self.answers[number], "{context}: wrong answer to {}", STATEMENTS[number]);
                assert!(!needs, "{context}: {} was answered without the file", STATEMENTS[number]);
            }
            Err(error) => assert!(error.contains(path), "{context}: the error does not name {path}: {error}"),
        }
    }

    /// A write that reads the file either fails and names it, or gives what it gives to a whole store.
    async fn check_import(&self, objects: &Objects, path: &str, gone: bool, context: &str) {
        let store = store_on(&memory(objects).await);
        let outcome = if path == self.ledger {
            // Only a pull reads it.
            let mut import = store.begin();
            import.push(&batch(&touching())).unwrap();
            let pull = Pull::new(key("big"), seconds(0, 60));
            store.commit_pulled(import, &pull, vec![], &Progress::default()).await
        } else {
            import(&store, &[batch(&touching())]).await
        };
        match outcome {
            Ok(_) => {
                assert!(!gone, "{context}: an import did not miss the file");
                assert!(dump(&store).await.as_ref() == Ok(&self.touched), "{context}: wrong content after an import");
            }
            Err(error) => {
                let error = error.to_string();
                assert!(error.contains(path), "{context}: an import's error does not name {path}: {error}");
            }
        }
    }
}

async fn ask_all(objects: &Objects, statements: &[&str]) -> Vec<Result<String, String>> {
    let store = store_on(&memory(objects).await);
    let snapshot = match store.snapshot().await {
        Ok(snapshot) => snapshot,
        Err(error) => return statements.iter().map(|_| Err(error.to_string())).collect(),
    };
    let engine = engine(snapshot).await;
    let mut answers = Vec::new();
    for sql in statements {
        answers.push(ask_text(&engine, sql).await);
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_file_is_named() {
    let whole = Whole::new().await;
    for path in whole.kinds() {
        let bytes = &whole.objects[&path];
        let size = bytes.len();
        let lengths = [0, 4, size / 2, size - 1, 1, 3, 7, 8, size / 3, size - 8, size - 4];
        for length in &lengths[..if all_cases() { lengths.len() } else { 4 }] {
            whole.check(&path, Some(bytes.slice(..*length)), true, &format!("{path} cut to {length} of {size}")).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_never_changes_an_answer() {
    let whole = Whole::new().await;
    let mut random = Random(11);
    for path in whole.kinds() {
        let bytes = whole.objects[&path].clone();
        let relevant: Vec<usize> = match path.split('/').next() {
            Some("segments") => vec![0, 4, 5],
            Some("traces") => vec![1],
            Some("stats") => vec![3, 5],
            Some("ledger") => vec![6],
            Some("manifest") => vec![4],
            _ => vec![],
        };
        let mut errors = 0;
        let flips = if all_cases() { 80 } else { 28 };
        for number in 0..flips {
            let (at, bit) = match number {
                // The ends hold magic numbers and lengths.
                0..8 => (number, number % 8),
                8..16 => (bytes.len() + 7 - number, number % 8),
                _ => (random.below(bytes.len()), random.below(8)),
            };
            let mut changed = bytes.to_vec();
            changed[at] ^= 1 << bit;
            let objects = whole.with(&path, Some(changed.into()));
            let context = format!("{path} with bit {bit} of byte {at} flipped");
            let statements: Vec<&str> = relevant.iter().map(|&number| STATEMENTS[number]).collect();
            for (&number, answer) in relevant.iter().zip(ask_all(&objects, &statements).await) {
                errors += usize::from(answer.is_err());
                whole.judge(number, answer, &path, false, &context);
            }
            if number % 8 == 0 || relevant.is_empty() {
                // An import reads whole files. A manifest alone can say the same in other letters.
                whole.check_import(&objects, &path, path != whole.manifest, &context).await;
            }
        }
        assert!(relevant.is_empty() || errors >= flips / 2, "{path}: only {errors} of {flips} flips were found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_file_is_named() {
    let whole = Whole::new().await;
    for path in whole.kinds() {
        if path == whole.manifest {
            // Without its manifest a version does not exist: that is how versions are told from debris.
            let store = store_on(&memory(&whole.with(&path, None)).await);
            assert_eq!(store.snapshot().await.unwrap().manifest.version, 0);
            continue;
        }
        whole.check(&path, None, true, &format!("{path} missing")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_file_in_the_place_of_one_is_named() {
    let whole = Whole::new().await;
    let small = whole.segments.iter().find(|segment| segment.project == "small").unwrap();
    let foreign = {
        let other = Arc::new(InMemory::new());
        let store = store_on(&other);
        import(&store, &[batch(&spans("big", 0..12, 25_000)), batch(&spans("other", 0..1, 9))]).await.unwrap();
        let manifest = store.snapshot().await.unwrap().manifest;
        let segment = manifest.segments.iter().find(|segment| segment.project == "big").unwrap().clone();
        let mut files = Vec::new();
        for path in [segment.spans_file(), segment.traces_file(), segment.stats_file()] {
            files.push(other.get(&ObjectPath::from(path)).await.unwrap().bytes().await.unwrap());
        }
        let path = format!("manifest/{:020}.json", manifest.version);
        files.push(other.get(&ObjectPath::from(path)).await.unwrap().bytes().await.unwrap());
        files
    };
    for path in whole.kinds() {
        let mut others = vec![
            ("nothing", Bytes::new()),
            ("JSON", Bytes::from_static(b"{\"a\":[1,2,3]}")),
            ("a JSON list", Bytes::from_static(b"[]")),
            ("text", Bytes::from("x".repeat(whole.objects[&path].len()))),
            ("the small segment's spans", whole.objects[&small.spans_file()].clone()),
            ("the small segment's traces", whole.objects[&small.traces_file()].clone()),
            ("the small segment's statistics", whole.objects[&small.stats_file()].clone()),
            ("another store's spans", foreign[0].clone()),
            ("another store's traces", foreign[1].clone()),
            ("another store's statistics", foreign[2].clone()),
        ];
        if path != whole.manifest {
            // There it would be a whole version of the same number.
            others.push(("another store's manifest", foreign[3].clone()));
        }
        for (what, bytes) in others {
            if bytes == whole.objects[&path] {
                continue;
            }
            whole.check(&path, Some(bytes), true, &format!("{path} replaced by {what}")).await;
        }
    }
}
