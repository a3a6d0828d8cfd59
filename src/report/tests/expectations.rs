//! What is expected of a result: how it is written, and whether it holds.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Schema;

use super::super::{Checks, Expectation, ReportError, bound};
use spanql_engine::{Param, ParamType, Params};

#[test]
fn expectations_are_read() {
    for text in [
        "rows > 0",
        "rows>=0",
        "max(cost) < 5",
        "MIN( latency_ms ) <= -1.5e3",
        "count(model) = 3",
        "status = 'OK'",
        "name != 'it''s < x'",
        "\"p95 <ms>\" < 3",
        "avg(\"p95 ms\") <> 3",
        "suspect = false",
        "eval.Correctness.score >= 0.5",
    ] {
        assert_eq!(Expectation::parse(text).unwrap().text(), text);
    }
    for (text, wanted) in [
        (
            "rows > many",
            "'many' is no value to compare with: write a number, 'text' in single quotes, true, false or $parameter",
        ),
        ("rows = 'a'", "'rows = 'a'' compares a number with 'a'; write a number"),
        ("mx(cost) < 5", "there is no aggregate mx; did you mean max?"),
        ("max(cost < 5", "'max(cost' is never closed: write max(column)"),
        (
            "p95 ms < 3",
            "'p95 ms' is no name of a column: write one in double quotes if it is more than letters, digits and _",
        ),
        ("> 3", "nothing stands before >; write rows > 0, max(column) < 5, or column = 'text' (for every row)"),
        (
            "x = 'a'b'",
            "''a'b'' is no value to compare with: write a number, 'text' in single quotes, true, false or $parameter",
        ),
        (
            "x == 3",
            "'= 3' is no value to compare with: write a number, 'text' in single quotes, true, false or $parameter",
        ),
        (
            "x < nan",
            "'nan' is no value to compare with: write a number, 'text' in single quotes, true, false or $parameter",
        ),
    ] {
        assert_eq!(Expectation::parse(text).unwrap_err(), wanted, "{text}");
    }
}

#[test]
fn expectations_are_compared_with_parameters() {
    let params: Params = [
        ("most", Param::Int(5)),
        ("model", Param::Text("a".into())),
        ("since", Param::Time(0)),
        ("none", Param::NullOf(ParamType::Float)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let said = |text: &str| match bound(&[Expectation::parse(text).unwrap()], &params) {
        Ok(bound) => bound[0].text().to_owned(),
        Err(error) => error.to_string(),
    };
    for (text, wanted) in [
        ("max(cost) < $most", "max(cost) < 5 ($most)"),
        ("rows<=$most ", "rows<=5 ($most)"),
        ("model = $model", "model = 'a' ($model)"),
        ("rows > 0", "rows > 0"),
        ("rows > $model", "the expectation rows > $model: a number is compared with 'a', the value of $model"),
        ("cost < $mots", "the expectation cost < $mots: there is no parameter $mots; did you mean $most?"),
        ("cost < $none", "the expectation cost < $none: $none is null: compare with a number, a text, true or false"),
        (
            "cost < $since",
            "the expectation cost < $since: $since is 1970-01-01T00:00:00Z: compare with a number, a text, true or false",
        ),
    ] {
        assert_eq!(said(text), wanted, "{text}");
    }
}

fn result() -> [RecordBatch; 2] {
    let batch = |model: Vec<Option<&str>>, calls: Vec<i64>, cost: Vec<Option<f64>>, ok: Vec<bool>| {
        RecordBatch::try_from_iter([
            ("model", Arc::new(StringArray::from(model)) as ArrayRef),
            ("Calls", Arc::new(Int64Array::from(calls))),
            ("cost", Arc::new(Float64Array::from(cost))),
            ("ok", Arc::new(BooleanArray::from(ok))),
        ])
        .unwrap()
    };
    [
        batch(vec![Some("a"), Some("b")], vec![1, 2], vec![Some(0.5), None], vec![true, true]),
        batch(vec![None], vec![4], vec![Some(2.0)], vec![false]),
    ]
}

fn outcome(text: &str, batches: &[RecordBatch], schema: &Schema) -> Result<(bool, String), ReportError> {
    let mut checks = Checks::new(&[Expectation::parse(text).unwrap()], schema)?;
    for batch in batches {
        checks.see(batch)?;
    }
    let outcome = checks.finish().remove(0);
    assert_eq!(outcome.expectation, text);
    Ok((outcome.held, outcome.found))
}

#[test]
fn expectations_are_checked() {
    let batches = result();
    let schema = batches[0].schema();
    for (text, held, found) in [
        ("rows = 3", true, "rows = 3"),
        ("rows > 3", false, "rows = 3"),
        ("sum(calls) = 7", true, "sum(calls) = 7"),
        ("max(cost) < 2", false, "max(cost) = 2"),
        ("min(cost) <= 0.5", true, "min(cost) = 0.5"),
        ("avg(cost) = 1.25", true, "avg(cost) = 1.25"),
        ("count(cost) = 2", true, "count(cost) = 2"),
        ("count(model) >= 3", false, "count(model) = 2"),
        ("min(model) = 'a'", true, "min(model) = 'a'"),
        ("calls >= 1", true, "all 3 rows"),
        ("calls < 2", false, "calls = 2 in row 2, 2 of 3 rows do not hold"),
        ("cost > 0", false, "cost = null in row 2, 1 of 3 rows do not hold"),
        ("model != 'x'", false, "model = null in row 3, 1 of 3 rows do not hold"),
        ("ok = true", false, "ok = false in row 3, 1 of 3 rows do not hold"),
    ] {
        assert_eq!(outcome(text, &batches, &schema).unwrap(), (held, found.to_owned()), "{text}");
    }
    for (text, held, found) in [
        ("rows = 0", true, "rows = 0"),
        ("max(cost) < 2", false, "no rows"),
        ("count(cost) = 0", true, "count(cost) = 0"),
        ("cost > 2", true, "no rows"),
    ] {
        assert_eq!(outcome(text, &[], &schema).unwrap(), (held, found.to_owned()), "{text}");
    }
    for (text, wanted) in [
        ("csot > 1", "the expectation csot > 1: the result has no column csot; did you mean cost?"),
        ("zebra > 1", "the expectation zebra > 1: the result has no column zebra"),
        ("model > 1", "the expectation model > 1: model is text: compare it with 'text' in single quotes"),
        ("cost = 'x'", "the expectation cost = 'x': cost is a number: compare it with a number"),
        ("sum(model) > 1", "the expectation sum(model) > 1: model is text, and only numbers can be added"),
    ] {
        assert_eq!(outcome(text, &batches, &schema).unwrap_err().to_string(), wanted);
    }
}

#[test]
fn long_texts_are_shortened() {
    let long = "x".repeat(5_000_000);
    let batch = RecordBatch::try_from_iter([("t", Arc::new(StringArray::from(vec![long.as_str()])) as ArrayRef)]);
    let batch = batch.unwrap();
    let (held, found) = outcome("t = 'y'", std::slice::from_ref(&batch), &batch.schema()).unwrap();
    assert!(!held && found.chars().count() < 120, "{found}");
}
