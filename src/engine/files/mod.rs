//! Files as tables: `FROM 'labels.csv'`, for labels and lists that are joined to spans.
//!
//! A file is read whole when a statement that names it is planned. Nothing but the rights of the process keeps a
//! statement from naming any file, so an engine reads none before it is told which.

mod csv;
mod json;
mod typed;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytesize::ByteSize;
use datafusion::datasource::MemTable;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::error::EngineError;
use spanql_model::nearest::nearest;

/// Bytes that the files of one name may have together: more belongs into a store.
const MOST_BYTES: u64 = 1 << 30;
/// Files that a pattern may match.
const MOST_FILES: usize = 1_000;

/// The files that statements may name in FROM.
#[derive(Debug, Clone, Default)]
pub enum Files {
    /// None: what is right for a server.
    #[default]
    Never,
    /// These, and those in these folders and below them. A file is named as it is here, or without its folder; others from
    /// the first of the folders on.
    Within(Vec<PathBuf>),
    /// All that the process may read.
    Any,
}

/// Whether a name in FROM, in single quotes, is that of a file; functions such as `read_csv` name one as well.
pub(crate) fn is_reader(function: &str) -> bool {
    matches!(
        function,
        "read_csv" | "read_csv_auto" | "read_json" | "read_json_auto" | "read_ndjson" | "read_parquet" | "parquet_scan"
    )
}

/// The rows of the file, or of all files that a pattern such as `labels/*.csv` matches.
///
/// # Errors
///
/// When files are not to be read here, there is none, or one cannot be read as a table.
pub(crate) fn table(files: &Files, typed: &str) -> Result<MemTable, EngineError> {
    let refused = |why: &str| EngineError::new("unknown-table", format!("'{typed}' is no table")).why(why);
    if matches!(files, Files::Never) {
        return Err(refused("files are read at the prompt and in `spanql query` alone"));
    }
    let paths = paths(files, typed)?;
    let mut bytes = 0;
    let mut tables = vec![];
    for path in &paths {
        if let Files::Within(folders) = files
            && !is_within(path, folders)
        {
            let error = refused("a saved query reads files in its own folder, and those named behind it");
            return Err(error.help("put the file beside it, or name it: `spanql run QUERY FILE`"));
        }
        bytes += fs::metadata(path).map_err(|error| unreadable(path, &error.to_string()))?.len();
        if bytes > MOST_BYTES {
            let error = EngineError::new("limit", format!("'{typed}' is too large for a table"));
            return Err(error.why(format!("the limit is {}", ByteSize(MOST_BYTES))).help("import it into a store"));
        }
        tables.push(read(path)?);
    }
    let batch = together(&tables).map_err(|error| unreadable(Path::new(typed), &error.to_string()))?;
    MemTable::try_new(batch.schema(), vec![vec![batch]]).map_err(|error| EngineError::from_datafusion(&error))
}

fn unreadable(path: &Path, why: &str) -> EngineError {
    EngineError::new("bad-file", format!("{} cannot be read as a table", path.display())).why(why.trim_end_matches('.'))
}

fn paths(files: &Files, typed: &str) -> Result<Vec<PathBuf>, EngineError> {
    let folder = match files {
        Files::Within(places) => {
            let named = |place: &&PathBuf| {
                place.is_file() && (place.as_path() == Path::new(typed) || place.file_name() == Some(typed.as_ref()))
            };
            if let Some(named) = places.iter().find(named) {
                return Ok(vec![named.clone()]);
            }
            places.iter().find(|place| place.is_dir()).cloned().unwrap_or_default()
        }
        _ => PathBuf::new(),
    };
    let path = folder.join(typed);
    if path.is_file() {
        return Ok(vec![path]);
    }
    let unknown = || EngineError::new("unknown-table", format!("there is no file {}", path.display()));
    if !typed.contains(['*', '?', '[']) {
        let names = siblings(&path);
        return Err(unknown().suggest(nearest(typed, names.iter().map(String::as_str)).map(|near| format!("'{near}'"))));
    }
    let pattern = path.to_str().ok_or_else(unknown)?;
    let found = glob::glob(pattern).map_err(|error| unknown().why(error.to_string()))?;
    let mut found: Vec<PathBuf> = found.filter_map(Result::ok).filter(|path| path.is_file()).collect();
    found.sort();
    match found.len() {
        0 => Err(unknown().why("nothing matches the pattern")),
        count if count > MOST_FILES => {
            let error = EngineError::new("limit", format!("'{typed}' matches too many files"));
            Err(error.why(format!("there are {count} and the limit is {MOST_FILES}")))
        }
        _ => Ok(found),
    }
}

/// The names of the files beside one that is not there, as they would be typed.
fn siblings(path: &Path) -> Vec<String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).take(MOST_FILES);
    let names = entries.filter(|entry| entry.path().is_file()).map(|entry| entry.file_name());
    names.filter_map(|name| name.into_string().ok()).collect()
}

/// Whether a file lies in one of some folders, links followed.
fn is_within(path: &Path, folders: &[PathBuf]) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    folders.iter().any(|folder| folder.canonicalize().is_ok_and(|folder| path.starts_with(folder)))
}

fn read(path: &Path) -> Result<RecordBatch, EngineError> {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    let told = |error: &dyn std::fmt::Display| unreadable(path, &error.to_string());
    match ending.as_str() {
        "parquet" | "pq" => parquet(path).map_err(|error| told(&error)),
        "csv" | "tsv" | "tab" | "psv" | "txt" => csv::read(&text(path)?).map_err(|error| told(&error)),
        "json" | "jsonl" | "ndjson" => json::read(&text(path)?).map_err(|error| told(&error)),
        _ => Err(unreadable(path, "its name ends in none of .csv, .tsv, .json, .jsonl and .parquet")),
    }
}

fn parquet(path: &Path) -> Result<RecordBatch, Box<dyn std::error::Error>> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(path)?)?;
    let schema = Arc::clone(reader.schema());
    let batches = reader.build()?.collect::<Result<Vec<_>, _>>()?;
    Ok(concat_batches(&schema, &batches)?)
}

/// The text of a file: UTF-8, or UTF-16 with a byte order mark.
fn text(path: &Path) -> Result<String, EngineError> {
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error.to_string()))?;
    let wide = |unit: fn([u8; 2]) -> u16| {
        let units = bytes[2..].chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        char::decode_utf16(units).collect::<Result<String, _>>().map_err(|_| unreadable(path, "it is not UTF-16"))
    };
    match bytes.as_slice() {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        [0, a, 0, b, ..] | [a, 0, b, 0, ..] if *a != 0 && *b != 0 => {
            let error = unreadable(path, "it is UTF-16 without a byte order mark");
            Err(error.help("convert it to UTF-8, for example with iconv -f UTF-16LE -t UTF-8"))
        }
        _ => {
            let text = String::from_utf8(bytes).map_err(|_| unreadable(path, "it is not UTF-8"))?;
            Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
        }
    }
}

/// The rows of several tables: columns by their names, those of several types as text.
fn together(tables: &[RecordBatch]) -> Result<RecordBatch, arrow::error::ArrowError> {
    if let [only] = tables {
        return Ok(only.clone());
    }
    let mut fields: Vec<Field> = vec![];
    for field in tables.iter().flat_map(|table| table.schema_ref().fields()) {
        match fields.iter_mut().find(|known| known.name() == field.name()) {
            Some(known) if known.data_type() == field.data_type() => {}
            Some(known) => known.set_data_type(DataType::Utf8),
            None => fields.push(field.as_ref().clone().with_nullable(true)),
        }
    }
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let fitted = tables.iter().map(|table| {
        let columns = schema.fields().iter().map(|field| match table.column_by_name(field.name()) {
            Some(column) => cast(column, field.data_type()),
            None => Ok(new_null_array(field.data_type(), table.num_rows())),
        });
        let columns = columns.collect::<Result<Vec<ArrayRef>, _>>()?;
        RecordBatch::try_new(Arc::clone(&schema), columns)
    });
    concat_batches(&schema, &fitted.collect::<Result<Vec<_>, _>>()?)
}
