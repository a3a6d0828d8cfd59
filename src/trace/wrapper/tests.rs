use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};

use crate::testing::sample::{batch, table, tree_rows, with_column};
use crate::tree_columns_of;
use spanql_model::columns::{self, INPUT, INPUT_MESSAGES, KIND, PROMPT_TOKENS, TOOL_NAME, TOTAL_TOKENS};

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(values.iter().map(|text| (*text != "-").then_some(*text)).collect::<StringArray>())
}

fn ints(values: &[Option<i64>]) -> ArrayRef {
    Arc::new(values.iter().copied().collect::<Int64Array>())
}

fn wrappers(batch: &RecordBatch) -> Vec<bool> {
    tree_rows(&tree_columns_of(batch).unwrap()).into_iter().map(|row| row.wrapper).collect()
}

/// An outer span and one in it.
fn pair(kind: &str) -> RecordBatch {
    let spans = batch(&table(
        "outer -     0 10
         inner outer 1 9",
    ));
    with_column(&spans, KIND, texts(&[kind, kind]))
}

#[test]
fn the_same_input_makes_a_wrapper_of_calls_only() {
    for (kind, wraps) in [
        ("LLM", true),
        ("TOOL", true),
        ("EMBEDDING", true),
        ("RETRIEVER", true),
        ("RERANKER", true),
        ("AGENT", false),
        ("CHAIN", false),
        ("-", false),
    ] {
        let spans = with_column(&pair(kind), INPUT, texts(&["question", "question"]));
        assert_eq!(wrappers(&spans), [wraps, false], "{kind}");
        let other = with_column(&spans, INPUT, texts(&["question", "another"]));
        assert_eq!(wrappers(&other), [false, false], "{kind}");
        assert_eq!(wrappers(&pair(kind)), [false, false], "{kind}");
    }
}

#[test]
fn parameters_around_an_input_change_it_for_tools_only() {
    let inputs = texts(&[r#"{"prompt": "p"}"#, r#"{"prompt": "p", "formatted": false}"#]);
    assert_eq!(wrappers(&with_column(&pair("LLM"), INPUT, Arc::clone(&inputs))), [true, false]);
    assert_eq!(wrappers(&with_column(&pair("TOOL"), INPUT, inputs)), [false, false]);
    let tools = with_column(&pair("TOOL"), INPUT, texts(&["a", "a"]));
    assert_eq!(wrappers(&with_column(&tools, TOOL_NAME, texts(&["search", "fetch"]))), [false, false]);
    assert_eq!(wrappers(&with_column(&tools, TOOL_NAME, texts(&["search", "-"]))), [true, false]);
    // Two tools without arguments have nothing in common.
    assert_eq!(wrappers(&with_column(&tools, INPUT, texts(&["{}", "{}"]))), [false, false]);
}

#[test]
fn messages_are_an_input_too() {
    let list = r#"[{"message":{"role":"user","content":"hello"}}]"#;
    let spans = with_column(&pair("LLM"), INPUT_MESSAGES, texts(&[list, list]));
    assert_eq!(wrappers(&spans), [true, false]);
    assert_eq!(wrappers(&with_column(&spans, INPUT, texts(&["hello", "-"]))), [true, false]);
    assert_eq!(wrappers(&with_column(&spans, INPUT, texts(&["hello", "hi"]))), [false, false]);
}

#[test]
fn the_usage_of_the_child_makes_a_wrapper() {
    let with = |prompt: [Option<i64>; 2], total: [Option<i64>; 2]| {
        let spans = with_column(&pair("LLM"), PROMPT_TOKENS, ints(&prompt));
        wrappers(&with_column(&spans, TOTAL_TOKENS, ints(&total)))[0]
    };
    assert!(with([Some(5), Some(5)], [Some(7), Some(7)]));
    assert!(with([Some(5), Some(5)], [Some(7), None]));
    assert!(with([None, Some(5)], [None, Some(7)]));
    assert!(with([Some(0), Some(5)], [None, None]));
    assert!(!with([Some(5), Some(5)], [Some(7), Some(8)]));
    assert!(!with([Some(5), None], [Some(7), None]));
    assert!(!with([Some(5), None], [None, Some(5)]));
    assert!(!with([Some(0), Some(0)], [Some(0), Some(0)]));
    // A tool that calls a model through another tool is no wrapper for that.
    let tools = with_column(&pair("TOOL"), PROMPT_TOKENS, ints(&[None, Some(5)]));
    assert_eq!(wrappers(&tools), [false, false]);
}

#[test]
fn usage_that_only_the_outer_span_has_is_kept() {
    let spans = with_column(&pair("LLM"), INPUT, texts(&["q", "q"]));
    let cost = |values: [Option<f64>; 2]| -> ArrayRef { Arc::new(values.into_iter().collect::<Float64Array>()) };
    assert_eq!(wrappers(&with_column(&spans, TOTAL_TOKENS, ints(&[Some(5), None]))), [false, false]);
    assert_eq!(wrappers(&with_column(&spans, TOTAL_TOKENS, ints(&[Some(5), Some(4)]))), [true, false]);
    assert_eq!(wrappers(&with_column(&spans, columns::COST, cost([Some(0.5), Some(0.0)]))), [false, false]);
    assert_eq!(wrappers(&with_column(&spans, columns::COST, cost([Some(0.5), Some(0.5)]))), [true, false]);
}

#[test]
fn several_calls_in_one_are_calls_of_their_own() {
    let spans = batch(&table(
        "outer -     0 10
         one   outer 1 4
         chain outer 4 5
         two   outer 5 9",
    ));
    let spans = with_column(&spans, INPUT, texts(&["a", "a", "a", "a"]));
    assert_eq!(wrappers(&with_column(&spans, KIND, texts(&["LLM", "LLM", "CHAIN", "LLM"]))), [false; 4]);
    let one = with_column(&spans, KIND, texts(&["LLM", "LLM", "CHAIN", "TOOL"]));
    assert_eq!(wrappers(&one), [true, false, false, false]);
}

#[test]
fn a_call_in_a_call_in_a_call_is_one() {
    let spans = batch(&table(
        "a - 0 10
         b a 0 10
         c b 1 9",
    ));
    let spans = with_column(&spans, KIND, texts(&["LLM"; 3]));
    assert_eq!(wrappers(&with_column(&spans, INPUT, texts(&["q"; 3]))), [true, true, false]);
}

#[test]
fn a_wrapper_lies_around() {
    for (times, wraps) in [("0 10", true), ("0 11", false), ("-1 5", false), ("5 -", false), ("7 6", false)] {
        let spans = batch(&table(&format!("outer - 0 10\n inner outer {times}")));
        let spans = with_column(&spans, KIND, texts(&["LLM", "LLM"]));
        assert_eq!(wrappers(&with_column(&spans, INPUT, texts(&["q", "q"]))), [wraps, false], "{times}");
    }
}

#[test]
fn rows_may_lie_in_any_order() {
    let mut spans = table(
        "inner outer 1 9
         other -     0 1
         outer -     0 10",
    );
    spans[1].trace = "another".into();
    let spans = with_column(&batch(&spans), KIND, texts(&["LLM"; 3]));
    assert_eq!(wrappers(&with_column(&spans, INPUT, texts(&["q", "z", "q"]))), [false, false, true]);
}

#[test]
fn many_children_take_no_more_than_their_number() {
    const MANY: usize = 200_000;
    let mut text = String::from("root - 0 10\n");
    (0..MANY).for_each(|n| text.push_str(&format!("s{n} root 1 2\n")));
    let spans = batch(&table(&text));
    let kinds: Vec<&str> = (0..=MANY).map(|n| if n < 2 { "LLM" } else { "CHAIN" }).collect();
    let spans = with_column(&spans, KIND, texts(&kinds));
    let spans = with_column(&spans, columns::INPUT, texts(&vec!["q"; MANY + 1]));
    let clock = Instant::now();
    assert_eq!(wrappers(&spans).iter().filter(|wraps| **wraps).count(), 1);
    assert!(clock.elapsed().as_secs() < 20, "{:?}", clock.elapsed());
}
