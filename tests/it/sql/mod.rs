//! SQL by example: each file in `tests/sql` is run against one small set of spans, `long.slt` and `nested.slt` against
//! stores.
//!
//! A result is written as the names of its columns, then its rows, then its notes. To write the results that the
//! engine gives now into the files, run with `SPANQL_UPDATE_SLT=1`, and read every change.

mod calls;
mod fixture;
mod fuzz;
mod limits;
mod over_flight;

use std::path::PathBuf;

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::TryStreamExt;
use spanql::engine::{Engine, EngineConfig, EngineError, Param, Params};
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};

struct Database {
    engine: Engine,
    params: Params,
}

/// All rows of all statements, with column names first and notes last, each as one text.
async fn lines(engine: &Engine, sql: &str, params: &Params) -> Result<Vec<String>, EngineError> {
    let mut lines = vec![];
    for prepared in engine.prepare(sql, params).await? {
        let names: Vec<String> = prepared.schema().fields().iter().map(|field| field.name().clone()).collect();
        lines.push(names.join(" | "));
        let stream = prepared.execute().await?;
        let batches: Vec<RecordBatch> =
            stream.try_collect().await.map_err(|error| EngineError::from_datafusion(&error))?;
        for batch in batches {
            assert_eq!(batch.num_columns(), names.len(), "{sql}");
            lines.extend(rows(&batch));
        }
        lines.extend(prepared.notes().iter().map(|note| format!("note: {note}")));
    }
    Ok(lines)
}

/// The rows of a batch, each as one text.
fn rows(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let columns: Vec<_> =
        batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options).unwrap()).collect();
    let row = |row: usize| {
        let cells = columns.iter().zip(batch.columns()).map(|(format, column)| {
            let text = format.value(row).to_string();
            if text.is_empty() && column.is_valid(row) { "(empty)".to_owned() } else { text }
        });
        cells.collect::<Vec<_>>().join(" | ")
    };
    (0..batch.num_rows()).map(row).collect()
}

/// The files, by name.
fn files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir("tests/sql")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "slt"))
        .collect();
    files.sort();
    files
}

/// The engine that a file is run against.
async fn engine_of(file: &str) -> Engine {
    match file {
        // The long tables are those of a store.
        "long" => fixture::long_engine().await,
        "nested" => fixture::nested_engine().await,
        _ => fixture::engine().await,
    }
}

#[async_trait::async_trait]
impl AsyncDB for Database {
    type Error = EngineError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, EngineError> {
        // `-- param name=value` lines before a statement give it parameters.
        let given = sql.lines().filter_map(|line| line.strip_prefix("-- param "));
        let params = given.map(spanql::engine::parse_param).collect::<Result<Params, _>>()?;
        self.params = params;
        let rows = lines(&self.engine, sql, &self.params).await?;
        // EXPLAIN has several lines in a cell.
        let rows = rows.iter().flat_map(|row| row.lines()).map(|line| vec![line.to_owned()]).collect();
        Ok(DBOutput::Rows { types: vec![DefaultColumnType::Any], rows })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        "spanql"
    }
}

#[test]
fn statements_by_example() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let files = files();
    let update = std::env::var_os("SPANQL_UPDATE_SLT").is_some();
    let mut failures = vec![];
    let mut statements = 0;
    runtime.block_on(async {
        for file in files {
            let records = sqllogictest::parse_file::<DefaultColumnType>(&file).unwrap();
            statements += records
                .iter()
                .filter(|record| {
                    matches!(record, sqllogictest::Record::Query { .. } | sqllogictest::Record::Statement { .. })
                })
                .count();
            let name = file.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let name = name.as_str();
            let mut runner =
                Runner::new(|| async move { Ok(Database { engine: engine_of(name).await, params: Params::new() }) });
            if update {
                runner
                    .update_test_file(
                        &file,
                        " ",
                        sqllogictest::default_validator,
                        sqllogictest::default_normalizer,
                        sqllogictest::default_column_validator,
                    )
                    .await
                    .unwrap();
            } else {
                for record in records {
                    if let Err(error) = runner.run_async(record).await {
                        failures.push(error.to_string());
                    }
                }
            }
        }
    });
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n\n"));
    assert!(statements >= 200, "only {statements} statements");
}

#[tokio::test]
async fn a_missing_parameter_is_named() {
    let engine = fixture::engine().await;
    let params = Params::from([("other".to_owned(), Param::Int(1))]);
    let error = engine.prepare("SELECT $limit", &params).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no value for the parameter $limit at 1:8: parameters given: other; give one as limit=value"
    );
    assert_eq!((error.code(), error.position()), ("missing-parameter", Some((1, 8))));
}

#[tokio::test]
async fn a_clause_that_is_not_supported_has_a_code_and_a_place() {
    let engine = fixture::engine().await;
    let error = engine.prepare("SELECT name\nFROM spans FINAL", &Params::new()).await.unwrap_err();
    assert_eq!((error.code(), error.position()), ("not-supported", Some((2, 12))));
    // The place is said only where it is beyond doubt.
    let twice = "SELECT 1 FROM spans FINAL WHERE EXISTS (SELECT 1 FROM spans FINAL)";
    let error = engine.prepare(twice, &Params::new()).await.unwrap_err();
    assert_eq!((error.code(), error.position()), ("not-supported", None));
}

#[tokio::test]
async fn nothing_is_written_unless_allowed() {
    let engine = fixture::engine().await;
    for sql in [
        "CREATE TABLE t AS SELECT 1 AS a",
        "CREATE VIEW v AS SELECT 1 AS a",
        "DROP TABLE traces",
        "INSERT INTO traces (name) VALUES ('x')",
        "INSERT INTO spans VALUES (1)",
        "EXPLAIN INSERT INTO nowhere VALUES (1)",
        "WITH x AS (SELECT 1 AS a) INSERT INTO spans SELECT a FROM x",
        "UPDATE spans SET nope = 1",
        "DELETE FROM spans WHERE nope = 1",
        "COPY (SELECT 1) TO 'spanql-must-not-exist.csv'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO 'spanql-must-not-exist.csv'",
        "SET datafusion.execution.batch_size = 1",
    ] {
        let prepared = engine.prepare(sql, &Params::new()).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert!(!prepared[0].is_read_only(), "{sql}");
        let error = prepared[0].execute().await.err().unwrap();
        assert_eq!(error.code(), "not-read-only", "{sql}");
    }
    assert!(!std::path::Path::new("spanql-must-not-exist.csv").exists());
    for sql in ["SELECT 1", "EXPLAIN SELECT 1", "DESCRIBE spans", "SHOW TABLES", "SHOW COLUMNS FROM spans"] {
        assert!(engine.prepare(sql, &Params::new()).await.unwrap()[0].is_read_only(), "{sql}");
    }
}

#[tokio::test]
async fn memory_that_is_not_enough_is_said() {
    let config = EngineConfig { memory_limit: Some(100), target_partitions: Some(1), ..EngineConfig::default() };
    let engine = fixture::engine_with(config).await;
    let error = lines(&engine, "SELECT name, count(*) FROM spans GROUP BY name", &Params::new()).await.unwrap_err();
    assert_eq!(error.code(), "memory", "{error}");
}
