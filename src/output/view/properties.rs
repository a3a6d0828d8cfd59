//! What holds for any spans.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray, TimestampNanosecondArray};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;

use super::super::sanitize::is_hidden;
use super::tests::{BASE, Row, conversation, nested, spans, tree};
use super::{Focus, ViewOptions};
use crate::tests::batch;

/// Text of any characters, with those that act on a terminal more often.
fn any_text() -> impl Strategy<Value = String> {
    let c = prop_oneof![
        1 => any::<char>(),
        3 => proptest::char::range(' ', '~'),
        2 => proptest::sample::select("\n\r\t\u{1b}\u{9b}\u{202e}\u{2066}\u{200d}\u{feff}\u{fe0f}\u{301}❤👩日é…{\"".chars().collect::<Vec<_>>()),
    ];
    vec(c, 0..40).prop_map(|chars| chars.into_iter().collect())
}

fn any_row(count: usize) -> impl Strategy<Value = Row> {
    let id = move || (0..count + 2).prop_map(|at| format!("s{at}"));
    let text = || option::of(any_text());
    let kind = option::of(prop_oneof![Just("LLM".to_owned()), Just("TOOL".to_owned()), any_text()]);
    let status = option::of(prop_oneof![Just("OK".to_owned()), Just("ERROR".to_owned())]);
    let time = prop_oneof![3 => 0i64..10_000, 1 => -8_000_000_000_000i64..7_000_000_000_000];
    let first = (id(), option::of(id()), text(), kind, option::of((time.clone(), time)), status);
    let second = (text(), text(), option::of(any::<i64>()), option::of(any::<i64>()), option::of(any::<f64>()));
    (first, second, (text(), text())).prop_map(
        |((id, parent, name, kind, times, status), (message, model, prompt, completion, cost), texts)| Row {
            id,
            parent,
            name,
            kind,
            times,
            status,
            message,
            model,
            tokens: (prompt, completion),
            cost,
            texts,
        },
    )
}

/// Input, output, start and end of a turn.
type SideTexts = (Option<String>, Option<String>, i64, i64);

fn check(shown: &str, width: usize) -> Result<(), TestCaseError> {
    for line in shown.lines() {
        prop_assert!(line.width() <= width, "{} > {width}: {line:?}", line.width());
    }
    prop_assert!(!shown.chars().any(|c| c != '\n' && (c.is_control() || is_hidden(c))), "{shown:?}");
    Ok(())
}

fn any_focus() -> impl Strategy<Value = Focus> {
    (option::of(1u32..5), any::<bool>(), any::<bool>()).prop_map(|(depth, errors_only, steps)| Focus {
        depth,
        errors_only,
        steps,
    })
}

/// Spans in an object, and those that it says are hidden.
fn counted(object: &serde_json::Value) -> (u64, u64) {
    let children = object.get("spans").or_else(|| object.get("children")).and_then(|list| list.as_array());
    let below = children.into_iter().flatten().map(counted);
    let own = (u64::from(object.get("spans").is_none()), object["hidden"].as_u64().unwrap_or(0));
    below.fold(own, |(spans, hidden), more| (spans + more.0, hidden + more.1))
}

proptest! {
    #[test]
    fn whatever_is_asked_for_fits_and_all_is_accounted_for(
        rows in (1usize..12).prop_flat_map(|count| vec(any_row(count), count)),
        width in 1usize..220,
        focus in any_focus(),
        full: bool,
    ) {
        let batch = [spans(&rows)];
        check(&tree(&batch, ViewOptions { width: Some(width), focus, full, ..ViewOptions::default() }), width)?;
        let json = nested(&batch, focus);
        prop_assert!(!json.chars().any(|c| c != '\n' && c.is_control()));
        let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
        let (shown, hidden) = counted(&parsed);
        prop_assert_eq!(shown + hidden, rows.len() as u64, "{}", json);
        prop_assert!(hidden == 0 || focus != Focus::default());
    }

    #[test]
    fn trees_fit_and_hide_nothing(rows in (1usize..12).prop_flat_map(|count| vec(any_row(count), count)), width in 1usize..220) {
        let shown = tree(&[spans(&rows)], ViewOptions { width: Some(width), ..ViewOptions::default() });
        check(&shown, width)?;
        // The title, then a line each.
        prop_assert!(shown.lines().count() > rows.len());
        let colored = tree(&[spans(&rows)], ViewOptions { width: Some(width), color: true, ..ViewOptions::default() });
        prop_assert_eq!(colored.lines().count(), shown.lines().count());
    }

    #[test]
    fn conversations_fit_and_hide_nothing(
        turns in vec((option::of(any_text()), option::of(any_text()), any::<i64>(), any::<i64>()), 1..5),
        width in 1usize..200,
        full: bool,
    ) {
        let texts = |of: &dyn Fn(&SideTexts) -> Option<String>| -> ArrayRef {
            Arc::new(turns.iter().map(of).collect::<StringArray>())
        };
        let times = |of: &dyn Fn(&SideTexts) -> i64| -> ArrayRef {
            Arc::new(turns.iter().map(|turn| Some(BASE ^ of(turn))).collect::<TimestampNanosecondArray>())
        };
        let rows = batch(vec![
            ("trace_id", texts(&|turn| turn.0.clone())),
            ("input", texts(&|turn| turn.0.clone())),
            ("output", texts(&|turn| turn.1.clone())),
            ("start_time", times(&|turn| turn.2)),
            ("end_time", times(&|turn| turn.3)),
            ("span_count", Arc::new(turns.iter().map(|turn| Some(turn.2)).collect::<Int64Array>())),
        ]);
        let shown = conversation(&[rows], ViewOptions { width: Some(width), full, ..ViewOptions::default() });
        check(&shown, width)?;
        prop_assert!(shown.lines().count() >= turns.len() * 4);
    }
}
