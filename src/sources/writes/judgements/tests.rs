use serde_json::{Value, json};

use super::{Given, judgements};
use crate::writes::{Grain, Judgement, Kind, Row, Rules, WriteError};

const NOW: i64 = 1_800_000_000_000;

fn rows(rows: Value, typed: bool) -> Vec<Row> {
    let row = |cells: &Value| Row { place: "f:1".into(), cells: cells.as_object().unwrap().clone(), typed };
    rows.as_array().unwrap().iter().map(row).collect()
}

fn given(kind: Kind) -> Given {
    Given { kind, grain: Grain::Span, name: None, rules: Rules::Arize, now: NOW }
}

fn read(kind: Kind, cells: Value) -> Result<Vec<Judgement>, WriteError> {
    judgements(&rows(cells, false), &given(kind))
}

fn said(judgement: &Judgement) -> Value {
    let Judgement { id, name, label, score, text, .. } = judgement;
    json!([id, name, label, score, text])
}

#[test]
fn every_shape_says_the_same() {
    let expected = json!(["01", "Q", "good", 1.0, "why"]);
    for shape in [
        json!([{"record_id": "01", "values": [{"name": "Q", "label": "good", "score": 1, "text": "why"}]}]),
        json!([{"span_id": "01", "values": "[{\"name\":\"Q\",\"label\":\"good\",\"score\":1,\"text\":\"why\"}]"}]),
        json!([{"context.span_id": "01", "annotation.Q.label": "good", "annotation.Q.score": "1.0", "annotation.Q.text": "why"}]),
        json!([{"span_id": "01", "name": "Q", "label": "good", "score": "1", "text": "why"}]),
        json!([{"span_id": "01", "name": "Q", "label": "good", "score": 1, "explanation": "why"}]),
    ] {
        let found = read(Kind::Annotation, shape.clone()).unwrap();
        assert_eq!(found.iter().map(said).collect::<Vec<_>>(), vec![expected.clone()], "{shape}");
    }
    let wide = json!([{"span_id": "01", "eval.Q.label": "good", "eval.Q.score": 1, "eval.Q.explanation": "why"}]);
    assert_eq!(said(&read(Kind::Evaluation, wide).unwrap()[0]), expected);
    let named = Given { name: Some("Q".into()), ..given(Kind::Annotation) };
    let found = judgements(&rows(json!([{"span_id": "01", "label": "good"}]), true), &named).unwrap();
    assert_eq!(said(&found[0]), json!(["01", "Q", "good", null, null]));
}

#[test]
fn digits_stay_text() {
    let id = |cells: Value| read(Kind::Annotation, json!([cells])).map(|found| found[0].id.clone());
    assert_eq!(id(json!({"span_id": "0012", "name": "Q", "label": "x"})).unwrap(), "0012");
    assert_eq!(
        id(json!({"record_id": 1234567890123456_u64, "values": [{"name": "Q", "label": "x"}]})).unwrap(),
        "1234567890123456"
    );
    assert!(id(json!({"span_id": 1e30, "name": "Q", "label": "x"})).unwrap_err().to_string().contains("leading zeros"));
    let typed = rows(json!([{"span_id": 12, "name": "Q", "label": "x"}]), true);
    assert!(judgements(&typed, &given(Kind::Annotation)).unwrap_err().to_string().contains("leading zeros"));
}

#[test]
fn notes_are_a_list() {
    for notes in [
        json!("seen"),
        json!(["seen"]),
        json!("{\"text\": \"seen\", \"updated_by\": \"SDK\"}"),
        json!(["{\"text\": \"seen\"}"]),
        json!("[\"seen\"]"),
    ] {
        let found = read(Kind::Annotation, json!([{"span_id": "a", "annotation.notes": notes}])).unwrap();
        assert!(
            found.len() == 1 && found[0].is_note() && found[0].text.as_deref() == Some("seen"),
            "{notes}: {found:?}"
        );
    }
    let record = json!([{"record_id": "a", "values": [{"name": "notes", "text": "v"}]}]);
    assert!(read(Kind::Annotation, record).unwrap()[0].is_note());
    let labelled = json!([{"record_id": "a", "values": [{"name": "notes", "label": "v"}]}]);
    assert!(read(Kind::Annotation, labelled).unwrap_err().to_string().contains("text alone"));
}

#[test]
fn what_says_nothing_is_passed_over() {
    let cells = json!([
        {"span_id": "a", "eval.Q.label": null, "eval.Q.score": "NaN", "trace_eval.T.label": null},
        {"span_id": null, "eval.Q.label": null},
        {"span_id": "b", "trace_eval.T.label": "x", "session_eval.S.score": 2},
    ]);
    let found = read(Kind::Evaluation, cells).unwrap();
    let of: Vec<_> = found.iter().map(|judgement| (judgement.id.as_str(), judgement.column_prefix())).collect();
    assert_eq!(of, [("b", "trace_eval.T.".to_owned()), ("b", "session_eval.S.".to_owned())]);
}

#[test]
fn what_would_be_lost_or_is_wrong_is_refused() {
    let long = |part: &str, value: Value| json!([{"span_id": "a", "name": "Q", part: value}]);
    let e = Kind::Evaluation;
    let a = Kind::Annotation;
    for (kind, cells, said) in [
        (e, json!([{"span_id": "a", "eval.my-eval.label": "x"}]), "dropped without a word"),
        (e, json!([{"span_id": "a", "eval.A.B.label": "x"}]), "dropped without a word"),
        (e, json!([{"span_id": "a", "eval.Q.text": "x"}]), "would be lost"),
        (e, json!([{"span_id": "a", "annotation.Q.label": "x"}]), "`spans annotate` takes it"),
        (a, json!([{"span_id": "a", "eval.Q.label": "x"}]), "`spans evaluate` takes it"),
        (a, json!([{"span_id": "a", "annotation.Q.labels": "x"}]), "would be lost"),
        (a, json!([{"span_id": "a", "colour": "red", "name": "Q", "label": "x"}]), "the column colour"),
        (e, json!([{"span_id": "a", "eval.Q.explanation": "x"}]), "neither a label nor a score"),
        (a, json!([{"record_id": "a", "values": [{"name": "Q", "lable": "x"}]}]), "has lable"),
        (a, json!([{"record_id": "a", "values": {"name": "Q"}}]), "no list"),
        (a, json!([{"span_id": "a", "label": "x"}]), "--name"),
        (a, json!([{"name": "Q", "label": "x"}]), "no id"),
        (a, json!([{"span_id": " ", "name": "Q", "label": "x"}]), "is empty"),
        (a, long("label", json!("x".repeat(101))), "at most 100"),
        (a, long("text", json!("é".repeat(10_001))), "at most 10000"),
        (a, long("score", json!("high")), "where a number belongs"),
        (a, long("label", json!([1])), "where text belongs"),
        (a, json!([{"span_id": "a", "annotation.Q.label": "x", "annotation.Q.updated_at": NOW + 1}]), "in the future"),
        (a, json!([{"span_id": "a", "annotation.Q.label": "x", "annotation.Q.updated_at": 0}]), "above 0"),
        (
            a,
            json!([{"span_id": "a", "annotation.Q.label": "x", "annotation.Q.updated_by": "x".repeat(101)}]),
            "more than 100",
        ),
    ] {
        let error = read(kind, cells.clone()).expect_err(&cells.to_string()).to_string();
        assert!(error.contains(said), "{cells}: {error}");
    }
    let of_100 = long("label", json!("é".repeat(100)));
    assert!(read(a, of_100).is_ok());
    let any = Given { rules: Rules::Any, ..given(a) };
    assert!(judgements(&rows(json!([{"span_id": "a", "name": "my-eval", "label": ""}]), true), &any).is_ok());
}
