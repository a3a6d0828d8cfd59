//! What several tests need: rows and batches, stores and their whole content as text, the binary.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::array::{TimestampNanosecondArray, new_null_array};
use arrow::datatypes::{DataType, Float64Type, SchemaRef, TimestampNanosecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::TryStreamExt;
use spanql::demo::Generator;
use spanql::engine::{Engine, Params, StoreEngine};
use spanql::model::columns;
use spanql::store::{Committed, Progress, Snapshot, Store, StoreError};

/// 2026-01-01T00:00:00Z in nanoseconds.
pub(crate) const BASE_TIME: i64 = 1_767_225_600_000_000_000;

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    /// Nanoseconds since the epoch.
    Time(i64),
}

impl Cell {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// The value among texts: whole numbers without a fraction.
    pub(crate) fn plain(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Int(value) | Self::Time(value) => value.to_string(),
            Self::Float(value) => number_text(*value),
            Self::Bool(value) => value.to_string(),
        }
    }
}

/// A float as text, where whole numbers look like integers; for values of plain size only, and not for -0.
pub(crate) fn number_text(value: f64) -> String {
    value.to_string()
}

/// Values by column; a column that is not there is null.
pub(crate) type Row = BTreeMap<String, Cell>;

/// A row of the four columns that every ingest batch has.
pub(crate) fn row(project: &str, trace: &str, span: &str) -> Row {
    let cells =
        [(columns::PROJECT, project), (columns::SOURCE, "file"), (columns::TRACE_ID, trace), (columns::SPAN_ID, span)];
    cells.into_iter().map(|(name, text)| (name.to_owned(), Cell::text(text))).collect()
}

/// Rows as an ingest batch: canonical columns in their types, open ones in the narrowest that holds all values.
pub(crate) fn batch(rows: &[Row]) -> RecordBatch {
    let mut names: Vec<&String> = rows.iter().flat_map(BTreeMap::keys).collect();
    names.sort();
    names.dedup();
    let column = |name: &String| {
        let cells: Vec<Option<&Cell>> = rows.iter().map(|row| row.get(name)).collect();
        (name.clone(), array(&cells, columns::canonical(name).map(|column| &column.data_type)), true)
    };
    RecordBatch::try_from_iter_with_nullable(names.into_iter().map(column)).unwrap()
}

/// Traces of three spans each, all of one name.
pub(crate) fn spans(project: &str, traces: std::ops::Range<usize>, name: &str) -> RecordBatch {
    let mut rows: Vec<Row> = Vec::new();
    for trace in traces {
        for span in 0..3 {
            let mut row = row(project, &format!("t{trace}"), &format!("s{trace}-{span}"));
            row.insert("name".into(), Cell::text(name));
            row.insert("start_time".into(), Cell::Time(BASE_TIME + trace as i64));
            row.insert("attributes.n".into(), Cell::Int(span));
            rows.push(row);
        }
    }
    batch(&rows)
}

fn array(cells: &[Option<&Cell>], canonical: Option<&DataType>) -> ArrayRef {
    let given = || cells.iter().flatten();
    let data_type = match canonical {
        Some(data_type) => data_type.clone(),
        None => {
            let all = |check: &dyn Fn(&Cell) -> bool| given().all(|cell| check(cell));
            let exact = |cell: &Cell| matches!(cell, Cell::Int(value) if value.unsigned_abs() <= 1 << 53);
            if all(&|cell| matches!(cell, Cell::Int(_))) {
                DataType::Int64
            } else if all(&|cell| exact(cell) || matches!(cell, Cell::Float(_))) {
                DataType::Float64
            } else if all(&|cell| matches!(cell, Cell::Bool(_))) {
                DataType::Boolean
            } else {
                DataType::Utf8
            }
        }
    };
    macro_rules! collect {
        ($array:ty, $($pattern:pat => $value:expr),+) => {
            Arc::new(cells.iter().map(|cell| cell.map(|cell| match cell {
                $($pattern => $value,)+
                other => panic!("{other:?} in a column of {data_type}"),
            })).collect::<$array>())
        };
    }
    match &data_type {
        DataType::Utf8 => Arc::new(cells.iter().map(|cell| cell.map(Cell::plain)).collect::<StringArray>()),
        DataType::Int64 => collect!(Int64Array, Cell::Int(value) => *value),
        DataType::Float64 => collect!(Float64Array, Cell::Float(value) => *value, Cell::Int(value) => *value as f64),
        DataType::Boolean => collect!(BooleanArray, Cell::Bool(value) => *value),
        DataType::Timestamp(..) => {
            let times: TimestampNanosecondArray = cells
                .iter()
                .map(|cell| match cell {
                    Some(Cell::Time(time)) => Some(*time),
                    Some(other) => panic!("{other:?} is no time"),
                    None => None,
                })
                .collect();
            Arc::new(times.with_timezone("UTC"))
        }
        other => new_null_array(other, cells.len()),
    }
}

/// Rows as JSON lines, times as integers.
pub(crate) fn json_lines(rows: &[Row]) -> String {
    let value = |cell: &Cell| match cell {
        Cell::Text(text) => serde_json::Value::from(text.as_str()),
        Cell::Int(value) | Cell::Time(value) => (*value).into(),
        Cell::Float(value) => (*value).into(),
        Cell::Bool(value) => (*value).into(),
    };
    let line = |row: &Row| {
        let object: serde_json::Map<_, _> = row.iter().map(|(name, cell)| (name.clone(), value(cell))).collect();
        serde_json::Value::Object(object).to_string() + "\n"
    };
    rows.iter().map(line).collect()
}

/// Generated spans.
pub(crate) fn demo(seed: u64, spans: u64) -> Vec<RecordBatch> {
    Generator::new(seed, spans).collect()
}

/// Imports batches as one commit.
pub(crate) async fn import(store: &Store, batches: &[RecordBatch]) -> Result<Committed, StoreError> {
    let mut import = store.begin();
    for batch in batches {
        import.push(batch)?;
    }
    store.commit(import, "import", &Progress::default()).await
}

/// The path and the content of the first manifest of an empty store of the first format, in which it then stays.
pub(crate) fn first_format() -> (String, String) {
    let mut manifest = serde_json::to_value(spanql::store::Manifest::empty()).unwrap();
    (manifest["format"], manifest["version"]) = (1.into(), 1.into());
    let text = manifest.to_string();
    let crc32 = crc32fast::hash(text.as_bytes());
    (format!("manifest/{:020}.json", 1), format!("{{\"crc32\":\"{crc32:08x}\",\"manifest\":{text}}}"))
}

/// Makes such a store.
pub(crate) fn begin_in_first_format(place: &Path) {
    let (file, text) = first_format();
    std::fs::create_dir_all(place.join("manifest")).unwrap();
    std::fs::write(place.join(file), text).unwrap();
}

/// The engine over a snapshot.
pub(crate) async fn engine(snapshot: Snapshot) -> Engine {
    StoreEngine::default().open(snapshot).await.unwrap()
}

/// Runs one statement.
pub(crate) async fn ask(engine: &Engine, sql: &str) -> Result<(SchemaRef, Vec<RecordBatch>), String> {
    ask_with(engine, sql, &Params::new()).await
}

/// Runs one statement with parameters.
pub(crate) async fn ask_with(
    engine: &Engine,
    sql: &str,
    params: &Params,
) -> Result<(SchemaRef, Vec<RecordBatch>), String> {
    let text = |error: spanql::engine::EngineError| error.to_string();
    let prepared = engine.prepare(sql, params).await.map_err(text)?;
    let [statement] = prepared.as_slice() else { panic!("one statement, please: {sql}") };
    let stream = statement.execute().await.map_err(text)?;
    let batches = stream.try_collect().await;
    let batches = batches.map_err(|error| spanql::engine::EngineError::from_datafusion(&error).to_string())?;
    Ok((statement.schema(), batches))
}

/// The rows of a result, each with its values by column as [`Cell::plain`] gives them; nulls are left out.
pub(crate) async fn ask_rows(engine: &Engine, sql: &str) -> Result<Vec<BTreeMap<String, String>>, String> {
    ask(engine, sql).await.map(|(_, batches)| rows_of(&batches))
}

/// The rows of batches, in the form of [`ask_rows`].
pub(crate) fn rows_of(batches: &[RecordBatch]) -> Vec<BTreeMap<String, String>> {
    let options = FormatOptions::default();
    let mut rows = Vec::new();
    for batch in batches {
        let mut some: Vec<BTreeMap<String, String>> = vec![BTreeMap::new(); batch.num_rows()];
        for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
            let formatter = ArrayFormatter::try_new(array.as_ref(), &options).unwrap();
            for (at, row) in some.iter_mut().enumerate().filter(|(at, _)| array.is_valid(*at)) {
                let text = match array.data_type() {
                    DataType::Float64 => number_text(array.as_primitive::<Float64Type>().value(at)),
                    DataType::Timestamp(..) => array.as_primitive::<TimestampNanosecondType>().value(at).to_string(),
                    _ => formatter.value(at).to_string(),
                };
                row.insert(field.name().clone(), text);
            }
        }
        rows.extend(some);
    }
    rows
}

/// A result as text that is equal exactly if columns, types and rows are.
pub(crate) async fn ask_text(engine: &Engine, sql: &str) -> Result<String, String> {
    let (schema, batches) = ask(engine, sql).await?;
    let mut text = String::new();
    for field in schema.fields() {
        text.push_str(&format!("{}: {}\n", field.name(), field.data_type()));
    }
    let options = FormatOptions::default();
    for batch in &batches {
        let columns: Vec<_> = batch
            .schema()
            .fields()
            .iter()
            .zip(batch.columns())
            .map(|(field, array)| {
                (field.name().clone(), array.clone(), ArrayFormatter::try_new(array.as_ref(), &options).unwrap())
            })
            .collect();
        for at in 0..batch.num_rows() {
            for (name, _, formatter) in columns.iter().filter(|(_, array, _)| array.is_valid(at)) {
                text.push_str(&format!("{name}={} | ", formatter.value(at)));
            }
            text.push('\n');
        }
    }
    Ok(text)
}

pub(crate) const ALL_SPANS: &str = "SELECT * FROM spans ORDER BY project, context.trace_id, context.span_id";
pub(crate) const ALL_TRACES: &str = "SELECT * FROM traces ORDER BY project, trace_id";
/// Sums of floats depend on their order in the last digits, so the cost is rounded.
pub(crate) const ALL_SESSIONS: &str =
    "SELECT * EXCEPT (cost), round(cost, 6) AS cost FROM sessions ORDER BY project, session_id";
/// Which example is shown depends on how spans lie in segments.
pub(crate) const ALL_COLUMNS: &str = "SELECT project, name, type, filled FROM columns ORDER BY project, name";

/// Everything a snapshot holds, as text.
pub(crate) async fn dump_snapshot(snapshot: Snapshot) -> Result<String, String> {
    let engine = engine(snapshot).await;
    let mut text = String::new();
    for sql in [ALL_SPANS, ALL_TRACES, ALL_SESSIONS, ALL_COLUMNS] {
        text.push_str(sql);
        text.push('\n');
        text.push_str(&ask_text(&engine, sql).await?);
    }
    Ok(text)
}

/// Everything the newest version of a store holds, as text.
pub(crate) async fn dump(store: &Store) -> Result<String, String> {
    dump_snapshot(store.snapshot().await.map_err(|error| error.to_string())?).await
}

/// Enough of what a store holds to tell any two contents apart that a test makes from `name`, `start_time` and
/// `attributes.n`: cheaper than everything, for checks that are made hundreds of times.
pub(crate) async fn fingerprint(store: &Store) -> String {
    const SPANS: &str = "SELECT project, trace_id, span_id, name, start_time, attributes.n, tree.left, tree.right
        FROM spans ORDER BY project, trace_id, span_id";
    const TRACES: &str = "SELECT project, trace_id, name, start_time, span_count FROM traces ORDER BY 1, 2";
    let engine = engine(store.snapshot().await.unwrap()).await;
    let mut text = String::new();
    for sql in [SPANS, TRACES] {
        for row in ask_rows(&engine, sql).await.unwrap() {
            text.push_str(&format!("{row:?}\n"));
        }
    }
    text
}

/// Everything the store in a directory holds, as text.
pub(crate) async fn dump_dir(dir: &Path) -> String {
    dump(&Store::open(&dir.display().to_string()).unwrap()).await.unwrap()
}

/// Compares two dumps and shows the first lines that differ: whole dumps are too long to read.
#[track_caller]
pub(crate) fn assert_same(got: &str, expected: &str, context: &str) {
    if got == expected {
        return;
    }
    let (mut left, mut right) = (got.lines(), expected.lines());
    let mut number = 0;
    loop {
        number += 1;
        match (left.next(), right.next()) {
            (a, b) if a == b => {}
            (a, b) => panic!("{context}: line {number} differs\n got:      {a:?}\n expected: {b:?}"),
        }
    }
}

/// The binary on a store, without settings from the environment.
pub(crate) fn spanql(store: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spanql"));
    command.arg("--store").arg(store).env_remove("SPANQL_STORE").env_remove("RUST_BACKTRACE");
    command
}

/// Runs a command that must succeed; gives its stdout.
#[track_caller]
pub(crate) fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command that must fail with exit code 1 and a message, not a panic; gives its stderr.
#[track_caller]
pub(crate) fn fail(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let stderr = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{command:?}: {stderr}");
    assert!(!stderr.contains("panicked") && !stderr.contains("backtrace"), "{command:?}: {stderr}");
    stderr
}

/// What a command wrote to stderr.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Copies a directory and all below it.
pub(crate) fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The files below a directory by their paths in it, sorted.
pub(crate) fn files(dir: &Path) -> Vec<String> {
    fn walk(root: &Path, dir: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    let mut found = Vec::new();
    walk(dir, dir, &mut found);
    found.sort();
    found
}

/// A small generator of random numbers, so that every run makes the same choices.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }
}
