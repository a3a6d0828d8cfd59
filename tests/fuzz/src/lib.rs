//! What reads input that strangers wrote, each as a function of bytes that panics where something is wrong.
//!
//! `fuzz_targets` let libFuzzer at them; `tests/it/fuzz.rs` mutates the same seeds with what stable Rust has.

pub mod filters;

use std::path::{Path, PathBuf};
use std::sync::{Once, OnceLock};

use arrow::array::RecordBatch;
use serde_json::Value as Json;
use serde_json::value::RawValue;
use spanql::demo::Generator;
use spanql::engine::{Engine, Params, StoreEngine};
use spanql::model::ingest::{IngestBuilder, Origin, convert_batch};
use spanql::sources::files::{FileReader, Format, Input, Limits, ReadOptions};
use spanql::store::{Progress, Store};
use spanql_model::json::{MAX_DEPTH, Tree, compact_list, compact_object, elements, members, read, text_at};
use spanql_model::panics;
use spanql_sources::files::{OtlpEncoding, OtlpReader, ipc_batches};
use tokio::runtime::Runtime;

/// A target: its name, which is that of its folder of seeds, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 9] = [
    ("json", json),
    ("filters", filters),
    ("names", names),
    ("rows", rows),
    ("flight", flight),
    ("csv", csv),
    ("otlp_json", otlp_json),
    ("otlp", otlp),
    ("files", files),
];

/// Limits under which no small input takes long.
const LIMITS: Limits = Limits { value: 1 << 20, ratio: 100, memory: 64 << 20 };

/// What arrow's readers panic at is an error of the bytes, which ours catch: libFuzzer would end there, and tests would say it.
fn expect_caught_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let said = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !panics::are_expected() {
                said(info);
            }
        }));
    });
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// The scanner of JSON: whatever serde takes for JSON it does, too, and with the same meaning.
pub fn json(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let ours = Tree::parse(text);
    assert_eq!(ours.is_some(), read(text).is_some(), "two readers disagree");
    let theirs = serde_json::from_str::<&RawValue>(text).ok();
    // Serde follows values that it skips to any depth.
    let is_shallow = bytes.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() < MAX_DEPTH;
    if theirs.is_some() && is_shallow {
        assert!(ours.is_some(), "serde takes this for JSON");
    }
    drop((members(text), elements(text), text_at(text, "a.b[0].c"), text_at(text, text)));
    let plain = serde_json::from_str::<Json>(text).ok();
    for compact in [compact_object(text), compact_list(text)].into_iter().flatten() {
        assert!(read(&compact).is_some(), "no JSON any more: {compact}");
        assert_eq!(compact_object(&compact).as_ref(), Some(&compact), "compact twice");
    }
    if let (Some(plain), Some(compact)) = (&plain, compact_object(text)) {
        assert_eq!(&serde_json::from_str::<Json>(&compact).unwrap(), plain, "another meaning: {compact}");
    }
    if let (Some(tree), Some(plain)) = (ours, plain) {
        let mut written = String::new();
        tree.write(&mut written);
        let again: Json = serde_json::from_str(&written).unwrap_or_else(|error| panic!("{error}: {written}"));
        assert_eq!(again, plain, "another meaning: {written}");
    }
}

/// All readers of filters, by the first byte.
pub fn filters(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    filters::read_arize(text);
    filters::read_opik(text);
    filters::read_phoenix(text);
    filters::read_pattern(text);
}

fn engine() -> &'static (Runtime, Engine) {
    static ENGINE: OnceLock<(Runtime, Engine)> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let runtime = Runtime::new().unwrap();
        let engine = runtime.block_on(async {
            let store = Store::open("memory://").unwrap();
            let mut import = store.begin();
            for batch in Generator::new(7, 50) {
                import.push(&batch).unwrap();
            }
            store.commit(import, "import", &Progress::default()).await.unwrap();
            StoreEngine::default().open(store.snapshot().await.unwrap()).await.unwrap()
        });
        (runtime, engine)
    })
}

/// Statements with dotted names, planned: an error is one for people.
pub fn names(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let (runtime, engine) = engine();
    if let Err(error) = runtime.block_on(engine.prepare(text, &Params::new())) {
        let said = error.to_string();
        // A name of ours that somebody typed may be said again.
        for internal in
            ["panicked", "__always_true", "__unnest_placeholder", "__scalar", "internal error", "Internal error"]
        {
            assert!(text.contains(internal) || !said.contains(internal), "said: {said}");
        }
    }
}

/// The invariants of an ingest batch: what it becomes as an arrival once more is the same.
fn ingested(batch: &RecordBatch) {
    let origin = Origin { source: "file", project: "default".into(), force_project: false };
    let again = convert_batch(batch, &origin).unwrap_or_else(|error| panic!("not taken again: {error}"));
    assert_eq!(again.batch.num_rows(), batch.num_rows(), "rows are lost");
}

/// Rows of JSON, one a line: a row is taken or refused, and none is lost.
pub fn rows(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    for strict in [false, true] {
        let origin = Origin { source: "file", project: "default".into(), force_project: false };
        let mut builder = IngestBuilder::new(origin).with_max_value(LIMITS.value).strict(strict);
        let taken = text.lines().filter(|line| builder.push_json(line).is_ok()).count();
        assert_eq!(builder.rows(), taken);
        match builder.finish().unwrap_or_else(|error| panic!("refused by Arrow: {error}")) {
            Some(batch) => {
                assert_eq!(batch.num_rows(), taken);
                ingested(&batch);
            }
            None => assert_eq!(taken, 0),
        }
    }
}

/// Streams of Arrow, as Flight and uploads bring them.
pub fn flight(bytes: &[u8]) {
    expect_caught_panics();
    let Ok(batches) = ipc_batches(bytes.to_vec(), LIMITS) else { return };
    for batch in batches {
        let origin = Origin { source: "arize", project: "default".into(), force_project: false };
        if let Ok(converted) = convert_batch(&batch, &origin) {
            assert!(converted.batch.num_rows() <= batch.num_rows());
            ingested(&converted.batch);
        }
    }
}

fn file(bytes: &[u8], format: Format) {
    expect_caught_panics();
    // One for each thread: tests run beside each other.
    let name = format!("spanql-fuzz-{}-{:?}", std::process::id(), std::thread::current().id());
    let path: PathBuf = std::env::temp_dir().join(name);
    std::fs::write(&path, bytes).unwrap();
    let mut kept = [0, 0];
    for (skip_bad, kept) in [false, true].into_iter().zip(&mut kept) {
        let input = Input::Path { path: path.clone(), size: Some(bytes.len() as u64) };
        let options = ReadOptions { format, skip_bad, limits: LIMITS, ..ReadOptions::default() };
        let mut reader = match FileReader::open(input, &options) {
            Ok(reader) => reader,
            Err(error) => {
                names_the_place(&error.to_string(), &path);
                continue;
            }
        };
        for batch in &mut reader {
            match batch {
                Ok(batch) => {
                    *kept += batch.num_rows();
                    ingested(&batch);
                }
                Err(error) => names_the_place(&error.to_string(), &path),
            }
        }
        assert!(reader.report().first_bad.iter().all(|bad| bad.line > 0), "a place: {:?}", reader.report());
    }
    assert!(kept[0] <= kept[1], "fewer rows where some are passed over: {kept:?}");
    std::fs::remove_file(&path).unwrap();
}

/// An error says which file it is about, and the line or row, or what the file is not.
fn names_the_place(error: &str, path: &Path) {
    let rest = error.strip_prefix(&format!("{}:", path.display())).unwrap_or_default();
    let line = rest.split(':').next().and_then(|line| line.parse::<u64>().ok());
    assert!(line.is_some_and(|line| line > 0) || rest.starts_with(' '), "no place: {error}");
    assert!(!error.contains("panicked"), "{error}");
}

/// Files of what tools write, whatever they are taken for.
pub fn files(bytes: &[u8]) {
    file(bytes, Format::Auto);
}

/// Tables of text.
pub fn csv(bytes: &[u8]) {
    file(bytes, Format::Csv);
}

/// Requests of OTLP as JSON, and files of them.
pub fn otlp_json(bytes: &[u8]) {
    request(bytes, OtlpEncoding::Json);
    file(bytes, Format::Auto);
}

/// Requests of OTLP as protocol buffers.
pub fn otlp(bytes: &[u8]) {
    request(bytes, OtlpEncoding::Protobuf);
}

fn request(bytes: &[u8], encoding: OtlpEncoding) {
    let reader = OtlpReader { project: "default".into(), max_value: LIMITS.value };
    let Ok(spans) = reader.read(bytes, encoding) else { return };
    assert_eq!(spans.batches.iter().map(RecordBatch::num_rows).sum::<usize>() as u64, spans.spans);
    assert_eq!(spans.reason.is_some(), spans.rejected > 0, "{spans:?}");
    spans.batches.iter().for_each(ingested);
}
