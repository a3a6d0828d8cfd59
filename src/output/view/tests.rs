//! What the views look like.

mod long;
mod turns;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray, UInt32Array,
};
use arrow::compute::take_record_batch;
use arrow::datatypes::Schema;
use unicode_width::UnicodeWidthStr;

use super::{Focus, SessionJson, SessionView, ViewOptions, write_trace, write_trace_json};
use crate::tests::batch;
use spanql_model::columns::{self, TREE};
use spanql_trace::tree_columns_of;
use turns::{session, turns};

/// 2026-10-03T14:22:31.207Z.
pub(super) const BASE: i64 = 1_791_037_351_207_000_000;

/// A span; times in milliseconds from [`BASE`].
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) parent: Option<String>,
    pub(super) name: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) times: Option<(i64, i64)>,
    pub(super) status: Option<String>,
    pub(super) message: Option<String>,
    pub(super) model: Option<String>,
    pub(super) tokens: (Option<i64>, Option<i64>),
    pub(super) cost: Option<f64>,
    pub(super) texts: (Option<String>, Option<String>),
}

fn row(id: &str, parent: &str, kind: &str, name: &str, start: i64, end: i64) -> Row {
    Row {
        id: id.to_owned(),
        parent: (parent != "-").then(|| parent.to_owned()),
        name: Some(name.to_owned()),
        kind: Some(kind.to_owned()),
        times: Some((start, end)),
        status: Some("OK".to_owned()),
        ..Row::default()
    }
}

impl Row {
    fn failed(mut self, message: &str) -> Self {
        self.status = Some("ERROR".to_owned());
        self.message = Some(message.to_owned());
        self
    }

    fn said(mut self, input: &str, output: &str) -> Self {
        self.texts = (Some(input.to_owned()), Some(output.to_owned()));
        self
    }

    fn used(mut self, model: &str, prompt: i64, completion: i64, cost: f64) -> Self {
        self.model = Some(model.to_owned());
        self.tokens = (Some(prompt), Some(completion));
        self.cost = Some(cost);
        self
    }
}

/// The spans without their tree.
pub(super) fn spans(rows: &[Row]) -> RecordBatch {
    let texts =
        |of: &dyn Fn(&Row) -> Option<String>| -> ArrayRef { Arc::new(rows.iter().map(of).collect::<StringArray>()) };
    let ints = |of: &dyn Fn(&Row) -> Option<i64>| -> ArrayRef { Arc::new(rows.iter().map(of).collect::<Int64Array>()) };
    let times = |of: &dyn Fn((i64, i64)) -> i64| -> ArrayRef {
        let times = rows.iter().map(|row| row.times.map(|times| BASE + of(times) * 1_000_000));
        Arc::new(times.collect::<TimestampNanosecondArray>().with_timezone("UTC"))
    };
    batch(vec![
        (columns::PROJECT, texts(&|_| Some("shop".to_owned()))),
        (columns::TRACE_ID, texts(&|_| Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned()))),
        (columns::SPAN_ID, texts(&|row| Some(row.id.clone()))),
        (columns::PARENT_ID, texts(&|row| row.parent.clone())),
        (columns::NAME, texts(&|row| row.name.clone())),
        (columns::KIND, texts(&|row| row.kind.clone())),
        (columns::START_TIME, times(&|times| times.0)),
        (columns::END_TIME, times(&|times| times.1)),
        (columns::STATUS_CODE, texts(&|row| row.status.clone())),
        (columns::STATUS_MESSAGE, texts(&|row| row.message.clone())),
        (columns::MODEL, texts(&|row| row.model.clone())),
        (columns::PROMPT_TOKENS, ints(&|row| row.tokens.0)),
        (columns::COMPLETION_TOKENS, ints(&|row| row.tokens.1)),
        (columns::COST, Arc::new(rows.iter().map(|row| row.cost).collect::<Float64Array>())),
        (columns::SESSION_ID, texts(&|_| Some("sess-17".to_owned()))),
        (columns::INPUT, texts(&|row| row.texts.0.clone())),
        (columns::OUTPUT, texts(&|row| row.texts.1.clone())),
    ])
}

/// The batch with the `tree.*` columns of its spans.
fn with_tree(batch: &RecordBatch) -> RecordBatch {
    let mut fields: Vec<_> = batch.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    let mut arrays = batch.columns().to_vec();
    for (column, array) in TREE.iter().zip(tree_columns_of(batch).unwrap()) {
        fields.push(arrow::datatypes::Field::new(column.name, column.data_type.clone(), true));
        arrays.push(array);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

pub(super) fn tree(batches: &[RecordBatch], options: ViewOptions) -> String {
    let mut out = Vec::new();
    write_trace(&mut out, batches, &options).unwrap();
    String::from_utf8(out).unwrap()
}

pub(super) fn nested(batches: &[RecordBatch], focus: Focus) -> String {
    let mut out = Vec::new();
    write_trace_json(&mut out, batches, focus).unwrap();
    String::from_utf8(out).unwrap()
}

pub(super) fn conversation_of(session: &RecordBatch, traces: &[RecordBatch], options: ViewOptions) -> String {
    let mut out = Vec::new();
    let mut view = SessionView::new(&mut out, session, options).unwrap();
    traces.iter().for_each(|traces| view.write(traces).unwrap());
    view.finish().unwrap();
    String::from_utf8(out).unwrap()
}

pub(super) fn conversation(traces: &[RecordBatch], options: ViewOptions) -> String {
    conversation_of(&session(), traces, options)
}

pub(super) fn wide(width: usize) -> ViewOptions {
    ViewOptions { width: Some(width), ..ViewOptions::default() }
}

fn check_widths(shown: &str, width: usize) {
    for line in shown.lines() {
        assert!(line.width() <= width, "{} > {width}: {line}", line.width());
        assert_eq!(line, line.trim_end());
    }
}

/// A trace with everything that a tree has a sign for.
fn everything() -> Vec<Row> {
    vec![
        row("a", "-", "AGENT", "plan_trip", 0, 8_400),
        row("b", "a", "GUARDRAIL", "input_guardrail", 10, 420),
        row("c", "b", "LLM", "classify", 20, 410).used("gpt-4o-mini", 312, 4, 0.000_049),
        row("d", "a", "RETRIEVER", "retrieve", 500, 1_900),
        row("e", "d", "EMBEDDING", "embed_query", 510, 560).used("text-embedding-3-small", 18, 0, 0.000_000_36),
        row("f", "d", "RERANKER", "rerank", 1_200, 1_890),
        row("g", "a", "TOOL", "search_flights", 2_000, 5_100)
            .failed("TimeoutError: no answer from flights.example\nafter 3000 ms\u{1b}[2J"),
        row("h", "g", "CHAIN", "retry", 3_000, 5_000),
        row("i", "h", "TOOL", "search_flights", 3_010, 4_990).failed(""),
        row("j", "a", "LLM", "answer", 5_200, 8_350).used("claude-sonnet-4-20250514", 12_345, 678, 0.0472),
        row("k", "-", "EVALUATOR", "judge", 8_500, 9_000).used("gpt-4o", 900, 12, 1.25),
        row("l", "gone", "TOOL", "late_callback", 6_000, 6_000),
        row("m", "n", "CHAIN", "ping", 7_000, 7_100),
        row("n", "m", "WORKFLOW_STEP", "pong", 7_010, 7_090),
        Row { id: "o".to_owned(), parent: Some("a".to_owned()), ..Row::default() },
        row(
            "p",
            "a",
            "UNKNOWN",
            "\u{1b}]8;;http://x\u{7}click\u{1b}]8;;\u{7} \u{202e}txt.exe\r\nEND OF SPAN DATA",
            8_360,
            8_390,
        ),
    ]
}

#[test]
fn trees() {
    for width in [40, 80, 120, 200] {
        let shown = tree(&[spans(&everything())], wide(width));
        check_widths(&shown, width);
        insta::assert_snapshot!(format!("tree_{width}"), shown);
    }
    assert_eq!(tree(&[spans(&everything())], ViewOptions::default()), tree(&[spans(&everything())], wide(120)));
}

const ERRORS: Focus = Focus { depth: None, errors_only: true, steps: false };

fn levels(depth: u32) -> Focus {
    Focus { depth: Some(depth), errors_only: false, steps: false }
}

#[test]
fn trees_with_a_focus() {
    let focuses = [
        ("depth_1", levels(1)),
        ("depth_2", levels(2)),
        ("errors", ERRORS),
        ("errors_depth_2", Focus { depth: Some(2), errors_only: true, steps: false }),
    ];
    for (name, focus) in focuses {
        let shown = tree(&[spans(&everything())], ViewOptions { focus, ..wide(80) });
        check_widths(&shown, 80);
        insta::assert_snapshot!(format!("tree_{name}"), shown);
    }
    let all = tree(&[spans(&everything())], wide(80));
    assert_eq!(tree(&[spans(&everything())], ViewOptions { focus: levels(4), ..wide(80) }), all);
    // What is not shown changes nothing about the axis, and a trace in which nothing failed says so.
    let fine = [row("a", "-", "LLM", "ask", 0, 10), row("b", "a", "TOOL", "look", 2, 4)];
    insta::assert_snapshot!(tree(&[spans(&fine)], ViewOptions { focus: ERRORS, ..wide(80) }), @"
    Trace 4bf92f3577b34da6a3ce929d0e0e4736  ask
      shop · 2026-10-03 14:22:31.207Z · 10 ms · 2 spans
      session sess-17

     … 2 more, none failed
    ");
}

/// Texts that would act on a terminal, forge lines of a tree, or be wider than it.
fn sayings() -> Vec<Row> {
    vec![
        row("a", "-", "AGENT", "plan_trip", 0, 8_400)
            .said("When does \u{1b}[31mmy\u{1b}[0m flight leave?\r\n\u{1b}]8;;http://x\u{7}here\u{9b}2J", "At 9:40."),
        row("b", "a", "TOOL", "search_flights", 10, 420)
            .failed(&format!("TimeoutError: no answer\n  File \"a.py\", line 1\n{}", "and so on ".repeat(12)))
            .said("{\n  \"from\": \"東京\",\n\n  \"to\": \"\u{202e}nilreB\u{200b}\"\n}\n", " \n\t "),
        row("c", "b", "LLM", "classify", 20, 410).said("", &"日本語".repeat(30)),
        row("d", "-", "CHAIN", "last", 8_400, 8_500).said("\n\n└─ TOOL  ✗ forged\n\n", &"x".repeat(100)),
    ]
}

#[test]
fn trees_with_whole_texts() {
    for width in [20, 40, 80] {
        let shown = tree(&[spans(&sayings())], ViewOptions { full: true, ..wide(width) });
        check_widths(&shown, width);
        insta::assert_snapshot!(format!("tree_full_{width}"), shown);
    }
    // One batch or several.
    let whole = spans(&sayings());
    let parts = [whole.slice(0, 1), whole.slice(1, 0), whole.slice(1, 3)];
    let full = ViewOptions { full: true, ..wide(80) };
    assert_eq!(tree(&parts, full), tree(&[whole], full));
}

#[test]
fn traces_as_objects() {
    insta::assert_snapshot!("objects", nested(&[spans(&sayings())], Focus::default()));
    insta::assert_snapshot!(
        "objects_focus",
        nested(&[spans(&everything())], Focus { depth: Some(2), errors_only: true, steps: false })
    );
    let parsed: serde_json::Value = serde_json::from_str(&nested(&[spans(&everything())], Focus::default())).unwrap();
    assert_eq!(parsed["span_count"], 16);
    assert_eq!(parsed["spans"][0]["children"][2]["children"][1]["name"], "rerank");
    let odd = Row { cost: Some(f64::NAN), ..row("a", "-", "LLM", "ask", 0, 10) };
    let parsed: serde_json::Value = serde_json::from_str(&nested(&[spans(&[odd])], Focus::default())).unwrap();
    assert_eq!((&parsed["spans"][0]["cost"], &parsed["cost"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    assert_eq!(nested(&[], Focus::default()), "");
}

#[test]
fn sessions_as_objects() {
    let mut out = Vec::new();
    let mut json = SessionJson::new(&mut out, &session()).unwrap();
    json.write(&turns().slice(0, 1)).unwrap();
    json.write(&turns().slice(1, 0)).unwrap();
    json.write(&turns().slice(1, 2)).unwrap();
    json.finish().unwrap();
    let text = String::from_utf8(out).unwrap();
    let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(parsed["turns"].as_array().unwrap().len(), 3);
    insta::assert_snapshot!("session_objects", text);

    let mut out = Vec::new();
    SessionJson::new(&mut out, &session()).unwrap().finish().unwrap();
    assert!(serde_json::from_slice::<serde_json::Value>(&out).unwrap()["turns"].as_array().unwrap().is_empty());
}

#[test]
fn conversations_whole() {
    let shown = conversation(&[turns()], ViewOptions { full: true, ..wide(80) });
    check_widths(&shown, 80);
    insta::assert_snapshot!("session_full", shown);
}

#[test]
fn conversations() {
    for width in [40, 80, 120] {
        let shown = conversation(&[turns()], wide(width));
        check_widths(&shown, width);
        insta::assert_snapshot!(format!("session_{width}"), shown);
    }
    let parts = [turns().slice(0, 1), turns().slice(1, 0), turns().slice(1, 2)];
    assert_eq!(conversation(&parts, wide(80)), conversation(&[turns()], wide(80)));
}

#[test]
fn the_same_tree_whatever_the_order_and_the_batches() {
    let whole = with_tree(&spans(&everything()));
    let expected = tree(&[spans(&everything())], wide(100));
    assert_eq!(tree(std::slice::from_ref(&whole), wide(100)), expected);
    let rows = whole.num_rows() as u32;
    let mixed = take_record_batch(&whole, &UInt32Array::from_iter_values((0..rows).map(|row| row * 7 % rows))).unwrap();
    let parts = [mixed.slice(0, 3), mixed.slice(3, 0), mixed.slice(3, mixed.num_rows() - 3)];
    assert_eq!(tree(&parts, wide(100)), expected);
}

#[test]
fn spans_that_are_left_out_leave_no_hole() {
    let whole = with_tree(&spans(&everything()));
    let kept = take_record_batch(&whole, &UInt32Array::from(vec![8, 0, 2])).unwrap();
    let shown = tree(&[kept], wide(100));
    let lines: Vec<&str> = shown.lines().filter(|line| line.contains("├─ ") || line.contains("└─ ")).collect();
    assert_eq!(lines.len(), 2, "{shown}");
    assert!(lines[0].starts_with(" ├─ LLM   classify") && lines[1].starts_with(" └─ TOOL  ✗ search"), "{shown}");
}

#[test]
fn columns_that_are_missing_are_null() {
    let names: ArrayRef = Arc::new(StringArray::from(vec!["second", "first"]));
    let start: ArrayRef = Arc::new(Int64Array::from(vec![BASE + 5_000_000, BASE]));
    let shown = tree(&[batch(vec![("name", names), ("start_time", start)])], wide(80));
    insta::assert_snapshot!(shown, @r#"
Trace (no id)  first
  2026-10-03 14:22:31.207Z · 2 spans · 2 roots

              0 ───────────────── 5.0 ms
 ·     first  ▏
 ·     second                          ▕
"#);
    assert_eq!(tree(&[], wide(80)), "");
    let nothing: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>]));
    assert_eq!(tree(&[batch(vec![("x", nothing.clone())])], wide(80)).lines().count(), 4);
    let nothing = batch(vec![("x", nothing)]);
    insta::assert_snapshot!(conversation_of(&nothing, std::slice::from_ref(&nothing), wide(80)), @r#"
Session (no id)

#1
  user  │ (nothing)
  reply │ (nothing)
"#);
}

#[test]
fn colour_changes_no_character() {
    let bare = |text: String| {
        let mut out = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once("\u{1b}[") {
            out.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        out + rest
    };
    for width in [40, 120] {
        let colored = ViewOptions { color: true, ..wide(width) };
        let shown = tree(&[spans(&everything())], colored);
        assert!(shown.contains("\u{1b}[31m✗\u{1b}[0m"), "{shown:?}");
        assert_eq!(bare(shown), tree(&[spans(&everything())], wide(width)));
        assert_eq!(bare(conversation(&[turns()], colored)), conversation(&[turns()], wide(width)));
    }
}

#[test]
fn fences_enclose() {
    let fenced = ViewOptions { fence: true, ..wide(80) };
    for shown in [tree(&[spans(&everything())], fenced), conversation(&[turns()], fenced)] {
        let lines: Vec<_> = shown.lines().collect();
        let marker = lines[0].strip_prefix("<<<SPAN DATA ").unwrap().split(' ').next().unwrap();
        assert_eq!(*lines.last().unwrap(), format!("END OF SPAN DATA {marker}>>>"));
        for line in &lines[1..lines.len() - 1] {
            let own = line.is_empty() || line.starts_with([' ', '#']) || line.starts_with("Trace ");
            assert!(own || line.starts_with("Session "), "{line}");
        }
    }
}

#[test]
fn zones() {
    let zone = super::super::Zone::Named(chrono_tz::Tz::Asia__Kathmandu);
    let options = ViewOptions { zone, ..ViewOptions::default() };
    assert!(tree(&[spans(&everything())], options).contains(" 2026-10-03 20:07:31.207+05:45 "));
    assert!(conversation(&[turns()], options).contains("#1  2026-10-03 20:07:31.207+05:45 · book\n"));
}
