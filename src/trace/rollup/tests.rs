use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, StringArray};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use arrow::json::ArrayWriter;
use arrow::record_batch::RecordBatch;

use super::{TEXT_CHARS, summarize};
use crate::testing::sample::{batch, table, with_column};
use crate::{traces_schema, tree_columns_of};
use spanql_model::columns::{self, TREE};

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(values.iter().map(|text| (*text != "-").then_some(*text)).collect::<StringArray>())
}

fn ints(values: &[Option<i64>]) -> ArrayRef {
    Arc::new(values.iter().copied().collect::<Int64Array>())
}

fn summary(batch: &RecordBatch, traces: &[Range<usize>]) -> RecordBatch {
    let got = summarize(batch, traces).unwrap();
    assert_eq!(got.rows.schema(), traces_schema());
    assert_eq!(got.too_large, []);
    got.rows
}

/// The first row as a JSON object, without nulls.
fn row(summary: &RecordBatch) -> serde_json::Value {
    let mut writer = ArrayWriter::new(Vec::new());
    writer.write(summary).unwrap();
    writer.finish().unwrap();
    let rows: serde_json::Value = serde_json::from_slice(&writer.into_inner()).unwrap();
    rows[0].clone()
}

fn agent() -> RecordBatch {
    let spans = batch(&table(
        "llm2  agent 50 90
         agent -     0 100
         llm1  agent 10 40
         tool  llm1  20 45
         lost  gone  30 130",
    ));
    let spans = with_column(&spans, columns::PROJECT, texts(&["p"; 5]));
    let spans = with_column(&spans, columns::SOURCE, texts(&["file", "demo", "file", "file", "file"]));
    let spans = with_column(&spans, columns::NAME, texts(&["l2", "run", "l1", "t", "x"]));
    let spans = with_column(&spans, columns::KIND, texts(&["LLM", "AGENT", "LLM", "TOOL", "-"]));
    let spans = with_column(&spans, columns::STATUS_CODE, texts(&["OK", "UNSET", "ERROR", "ERROR", "-"]));
    let spans = with_column(&spans, columns::MODEL, texts(&["gpt", "-", "claude", "-", "gpt"]));
    let spans = with_column(&spans, columns::SESSION_ID, texts(&["s2", "-", "s3", "s1", "s2"]));
    let spans = with_column(&spans, columns::USER_ID, texts(&["u2", "u1", "-", "-", "-"]));
    let spans = with_column(&spans, columns::INPUT, texts(&["a", "question", "b", "c", "d"]));
    let spans = with_column(&spans, columns::OUTPUT, texts(&["a", "-", "b", "c", "d"]));
    let spans = with_column(&spans, columns::PROMPT_TOKENS, ints(&[Some(10), Some(17), Some(7), Some(0), None]));
    let spans = with_column(&spans, columns::COMPLETION_TOKENS, ints(&[Some(1), None, Some(2), None, None]));
    let spans = with_column(&spans, columns::TOTAL_TOKENS, ints(&[None, Some(20), Some(9), None, None]));
    let cost = [Some(0.5), Some(0.75), Some(0.25), None, None].into_iter().collect::<Float64Array>();
    with_column(&spans, columns::COST, Arc::new(cost))
}

#[test]
fn a_trace_becomes_one_row() {
    let want = serde_json::json!({
        "project": "p", "source": "demo", "trace_id": "t", "root_span_id": "agent", "name": "run", "kind": "AGENT",
        "session_id": "s3", "session_ids": ["s1", "s2", "s3"], "user_id": "u1",
        "start_time": "1970-01-01T00:00:00Z", "end_time": "1970-01-01T00:00:00.130Z", "latency_ms": 130.0,
        "status_code": "UNSET", "span_count": 5, "root_count": 1, "orphan_count": 1, "cycle_count": 0,
        "error_count": 2, "llm_count": 2, "tool_count": 1, "max_depth": 3, "models": ["claude", "gpt"],
        "prompt_tokens": 17, "completion_tokens": 3, "total_tokens": 20, "reported_tokens": 29, "cost": 0.75,
        "input": "question", "output": "a"
    });
    assert_eq!(row(&summary(&agent(), std::slice::from_ref(&(0..5)))), want);
}

#[test]
fn calls_of_models_speak_where_the_root_is_silent() {
    let spans = batch(&table(
        "root - 0 100
         b root 50 90
         a root 10 40
         c root 60 70
         d root 5  6",
    ));
    let list = |role: &str, text: &str| format!(r#"[{{"message":{{"role":"{role}","content":"{text}"}}}}]"#);
    let spans = with_column(&spans, columns::KIND, texts(&["CHAIN", "LLM", "LLM", "LLM", "TOOL"]));
    let spans = with_column(&spans, columns::INPUT, texts(&["-", "second", "first", "third", "tool"]));
    let spans = with_column(&spans, columns::OUTPUT, texts(&["-", "second", "first", "-", "tool"]));
    let said = |batch: &RecordBatch| {
        let row = row(&summary(batch, std::slice::from_ref(&(0..5))));
        ["input", "output"].map(|name| row.get(name).and_then(|text| text.as_str()).map(str::to_owned))
    };
    let some = |input: &str, output: &str| [Some(input.to_owned()), Some(output.to_owned())];
    // The latest call has said nothing.
    assert_eq!(said(&spans), some("first", "second"));
    let asked = list("user", "hello?");
    let with = with_column(&spans, columns::INPUT_MESSAGES, texts(&["-", "-", &asked, "-", "-"]));
    let answered = list("assistant", &"é".repeat(TEXT_CHARS + 5));
    let with = with_column(&with, columns::OUTPUT_MESSAGES, texts(&["-", "-", "-", &answered, "-"]));
    assert_eq!(said(&with), some("hello?", &"é".repeat(TEXT_CHARS)));
    // The root's own words go first, also where they are empty.
    let own = with_column(&with, columns::INPUT, texts(&["asked", "-", "-", "-", "-"]));
    let own = with_column(&own, columns::OUTPUT, Arc::new(StringArray::from(vec!["", "b", "b", "b", "b"])));
    assert_eq!(said(&own), some("asked", ""));
    let silent = with_column(&spans, columns::KIND, texts(&["CHAIN", "TOOL", "TOOL", "-", "TOOL"]));
    assert_eq!(said(&silent), [None, None]);
}

#[test]
fn calls_that_are_recorded_twice_count_once() {
    let spans = batch(&table(
        "outer - 0 9
         inner outer 1 8
         tool outer 2 3
         tool2 tool 2 3",
    ));
    let spans = with_column(&spans, columns::KIND, texts(&["LLM", "LLM", "TOOL", "TOOL"]));
    let spans = with_column(&spans, columns::INPUT, texts(&["q", "q", "{\"a\":1}", "{\"a\":1}"]));
    let row = row(&summary(&spans, std::slice::from_ref(&(0..4))));
    assert_eq!((&row["llm_count"], &row["tool_count"]), (&1.into(), &1.into()));
}

#[test]
fn tree_columns_are_taken_or_computed() {
    let plain = agent();
    let columns = tree_columns_of(&plain).unwrap();
    let with_tree =
        TREE.iter().zip(columns).fold(plain.clone(), |batch, (column, array)| with_column(&batch, column.name, array));
    let traces = std::slice::from_ref(&(0..5));
    assert_eq!(summary(&with_tree, traces), summary(&plain, traces));
}

#[test]
fn a_column_counts_by_itself() {
    let spans = batch(&table(
        "root -    0 9
         a    root 1 8
         b    a    2 7",
    ));
    let spans = with_column(&spans, columns::PROMPT_TOKENS, ints(&[Some(5), Some(3), Some(0)]));
    let spans = with_column(&spans, columns::COMPLETION_TOKENS, ints(&[Some(5), None, None]));
    let got = summary(&spans, std::slice::from_ref(&(0..3)));
    let value = |name: &str| got.column_by_name(name).unwrap().as_primitive::<Int64Type>().iter().next().unwrap();
    assert_eq!(value("prompt_tokens"), Some(3));
    assert_eq!(value("completion_tokens"), Some(5));
    assert_eq!(value("total_tokens"), Some(10));
    assert_eq!(value("reported_tokens"), None);
}

#[test]
fn sums_of_integers_that_do_not_fit_are_null_and_said() {
    let spans = batch(&table(
        "a - 0 9
         b - 1 8
         c - 2 7",
    ));
    let spans = with_column(&spans, columns::PROMPT_TOKENS, ints(&[Some(1), Some(i64::MAX), Some(1)]));
    let spans = with_column(&spans, columns::COMPLETION_TOKENS, ints(&[Some(2), Some(i64::MAX), Some(i64::MIN)]));
    let spans = with_column(&spans, columns::TOTAL_TOKENS, ints(&[None, None, Some(i64::MIN)]));
    let got = summarize(&spans, &[0..1, 1..3]).unwrap();
    assert_eq!(got.too_large, [(1, "prompt_tokens")]);
    let row = row(&got.rows.slice(1, 1));
    assert_eq!((row.get("prompt_tokens"), &row["completion_tokens"]), (None, &(-1).into()));
    // Twice the largest and the smallest together are in reach again: no step of a sum is cut.
    assert_eq!((&row["total_tokens"], &row["reported_tokens"]), (&(i64::MAX - 1).into(), &i64::MIN.into()));

    let all = summarize(&spans, std::slice::from_ref(&(0..2))).unwrap();
    assert_eq!(all.too_large, [(0, "prompt_tokens"), (0, "completion_tokens"), (0, "total_tokens")]);
}

#[test]
fn without_a_root_the_earliest_top_span_speaks() {
    let row = row(&summary(
        &batch(&table(
            "c d    5 6
             d c    7 8
             e gone 4 6",
        )),
        std::slice::from_ref(&(0..3)),
    ));
    assert_eq!((&row["root_span_id"], &row["root_count"], &row["cycle_count"]), (&"e".into(), &0.into(), &2.into()));
}

#[test]
fn a_root_goes_before_an_earlier_orphan() {
    let row = row(&summary(
        &batch(&table(
            "a gone 1 2
             c -    3 4
             b ''   3 4",
        )),
        std::slice::from_ref(&(0..3)),
    ));
    assert_eq!((&row["root_span_id"], &row["root_count"]), (&"b".into(), &2.into()));
}

#[test]
fn missing_columns_are_null_and_lists_empty() {
    let got = summary(&batch(&table("a - - -")), std::slice::from_ref(&(0..1)));
    let want = serde_json::json!({
        "trace_id": "t", "root_span_id": "a", "session_ids": [], "models": [], "span_count": 1, "root_count": 1,
        "orphan_count": 0, "cycle_count": 0, "error_count": 0, "llm_count": 0, "tool_count": 0, "max_depth": 1
    });
    assert_eq!(row(&got), want);
    assert_eq!(got.column_by_name("models").unwrap().null_count(), 0);
}

#[test]
fn latency_spans_the_whole_trace() {
    let got = summary(
        &batch(&table(
            "a - 10 -
             b - -  5",
        )),
        std::slice::from_ref(&(0..2)),
    );
    assert_eq!(got.column_by_name("latency_ms").unwrap().as_primitive::<Float64Type>().value(0), -5.0);
}

#[test]
fn long_texts_are_cut_after_whole_characters() {
    let (exact, long) = ("é".repeat(TEXT_CHARS), "é🦀".repeat(TEXT_CHARS));
    let spans = batch(&table("a - 0 1"));
    let spans = with_column(&spans, columns::INPUT, texts(&[&exact]));
    let view = cast(&texts(&[&long]), &DataType::Utf8View).unwrap();
    let spans = with_column(&spans, columns::OUTPUT, view);
    let row = row(&summary(&spans, std::slice::from_ref(&(0..1))));
    assert_eq!(row["input"], exact);
    assert_eq!(row["output"], "é🦀".repeat(TEXT_CHARS / 2));
}

#[test]
fn rows_come_in_the_order_of_the_ranges() {
    let spans = concat_batches(&agent().schema(), [&agent(), &agent()]).unwrap();
    let got = summary(&spans, &[5..10, 0..0, 0..5]);
    assert_eq!(got.num_rows(), 3);
    assert_eq!(got.slice(0, 1), got.slice(2, 1));
    assert_eq!(row(&got.slice(1, 1))["span_count"], 0);
    assert_eq!(summary(&spans, &[]).num_rows(), 0);
}
