//! Other tools read a store's Parquet files as they are.

use std::path::Path;
use std::process::Command;

use spanql::store::Store;

use super::support::{demo, import, spanql, succeed};

/// Reads the segments that the newest manifest names, and prints what it counts as one line of JSON.
const DUCKDB: &str = r#"
import duckdb, glob, json, os, sys
place = sys.argv[1]
manifest = json.load(open(sorted(glob.glob(os.path.join(place, "manifest", "*.json")))[-1]))["manifest"]
paths = [os.path.join(place, "segments", s["id"] + ".parquet") for s in manifest["segments"]]
summaries = [os.path.join(place, "traces", s["id"] + ".parquet") for s in manifest["segments"]]
spans = duckdb.sql("SELECT * FROM read_parquet(%r, union_by_name=true)" % paths)
one = duckdb.sql("""SELECT count(*), count(DISTINCT project || "context.trace_id"),
    sum("attributes.llm.token_count.total")::BIGINT, round(sum("attributes.llm.cost.total"), 6),
    epoch_ns(min(start_time)), epoch_ns(max(end_time)), sum("tree.depth")::BIGINT, count("attributes.input.value"),
    sum(length("attributes.output.value"))::BIGINT FROM spans""").fetchall()[0]
two = duckdb.sql("SELECT count(*), sum(span_count)::BIGINT FROM read_parquet(%r)" % summaries).fetchall()[0]
print(json.dumps(list(one) + list(two)))
"#;

/// The same with pyarrow.
const PYARROW: &str = r#"
import glob, json, os, sys
import pyarrow as pa, pyarrow.compute as pc, pyarrow.parquet as pq
place = sys.argv[1]
manifest = json.load(open(sorted(glob.glob(os.path.join(place, "manifest", "*.json")))[-1]))["manifest"]
read = lambda folder: pa.concat_tables(
    [pq.ParquetFile(os.path.join(place, folder, s["id"] + ".parquet")).read() for s in manifest["segments"]],
    promote_options="permissive")
spans, traces = read("segments"), read("traces")
total = lambda name: pc.sum(spans[name]).as_py()
keys = pc.binary_join_element_wise(spans["project"], spans["context.trace_id"], "")
time = lambda value: value.value
print(json.dumps([
    spans.num_rows, pc.count_distinct(keys).as_py(), total("attributes.llm.token_count.total"),
    round(total("attributes.llm.cost.total"), 6), time(pc.min(spans["start_time"])), time(pc.max(spans["end_time"])),
    total("tree.depth"), spans.num_rows - spans["attributes.input.value"].null_count,
    pc.sum(pc.utf8_length(spans["attributes.output.value"])).as_py(),
    traces.num_rows, pc.sum(traces["span_count"]).as_py()]))
"#;

/// Python interpreters to try, with the one that the environment names first.
fn interpreters() -> Vec<String> {
    let named = std::env::var("SPANQL_TEST_PYTHON").ok().filter(|python| !python.is_empty());
    named.into_iter().chain(["python3".to_owned()]).collect()
}

fn has(python: &str, module: &str) -> bool {
    let import = Command::new(python).args(["-c", &format!("import {module}")]).output();
    import.is_ok_and(|output| output.status.success())
}

fn our_answer(place: &Path) -> Vec<serde_json::Value> {
    let ask = |sql: &str| -> serde_json::Value {
        let line = succeed(spanql(place).args(["query", sql, "-o", "jsonl"]));
        serde_json::from_str(line.trim()).unwrap()
    };
    let spans = ask("SELECT count(*) AS a, count(DISTINCT project || trace_id) AS b, sum(total_tokens) AS c, \
         round(sum(cost), 6) AS d, CAST(min(start_time) AS BIGINT) AS e, CAST(max(end_time) AS BIGINT) AS f, \
         sum(tree.depth) AS g, count(input) AS h, sum(length(output)) AS i FROM spans");
    let traces = ask("SELECT count(*) AS a, sum(span_count) AS b FROM traces");
    let pick = |object: &serde_json::Value, names: &str| -> Vec<serde_json::Value> {
        names.chars().map(|name| object[name.to_string()].clone()).collect()
    };
    [pick(&spans, "abcdefghi"), pick(&traces, "ab")].concat()
}

#[test]
fn duckdb_and_pyarrow_read_the_files_of_a_store() {
    let readers: Vec<(String, &str, &str)> = interpreters()
        .into_iter()
        .flat_map(|python| [("duckdb", DUCKDB), ("pyarrow", PYARROW)].map(|(m, s)| (python.clone(), m, s)))
        .filter(|(python, module, _)| has(python, module))
        .collect();
    if readers.is_empty() {
        println!("SKIPPED: neither duckdb nor pyarrow can be imported by python3; name one in SPANQL_TEST_PYTHON");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("store");
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let store = Store::open(&place.display().to_string()).unwrap();
        import(&store, &demo(9, 12_000)).await.unwrap();
        // Rows that were built again, rows that were copied, and columns that some segments lack.
        import(&store, &demo(9, 400)).await.unwrap();
        import(&store, &demo(10, 300)).await.unwrap();
        // Other tools do not know what of a segment counts no more, nor small segments.
        store.compact().await.unwrap();
    });
    let ours = our_answer(&place);
    for (python, module, script) in readers {
        let output = Command::new(&python).args(["-c", script]).arg(&place).output().unwrap();
        assert!(output.status.success(), "{module}: {}", String::from_utf8_lossy(&output.stderr));
        let theirs: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(theirs, ours, "{module} run by {python}");
        println!("{module} run by {python}: {theirs:?}");
    }
}
