//! What holds for any spans.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray, TimestampNanosecondArray};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;

use super::super::sanitize::is_hidden;
use super::tests::{Row, conversation, spans, tree};
use super::{ViewOptions, tests::BASE};
use crate::output::tests::batch;

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
    (first, second).prop_map(|((id, parent, name, kind, times, status), (message, model, prompt, completion, cost))| {
        Row { id, parent, name, kind, times, status, message, model, tokens: (prompt, completion), cost }
    })
}

/// Input, output, start and end of a turn.
type Said = (Option<String>, Option<String>, i64, i64);

fn check(shown: &str, width: usize) -> Result<(), TestCaseError> {
    for line in shown.lines() {
        prop_assert!(line.width() <= width, "{} > {width}: {line:?}", line.width());
    }
    prop_assert!(!shown.chars().any(|c| c != '\n' && (c.is_control() || is_hidden(c))), "{shown:?}");
    Ok(())
}

proptest! {
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
    fn conversations_fit_and_hide_nothing(turns in vec((option::of(any_text()), option::of(any_text()), any::<i64>(), any::<i64>()), 1..5), width in 1usize..200) {
        let texts = |of: &dyn Fn(&Said) -> Option<String>| -> ArrayRef {
            Arc::new(turns.iter().map(of).collect::<StringArray>())
        };
        let times = |of: &dyn Fn(&Said) -> i64| -> ArrayRef {
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
        let shown = conversation(&[rows], ViewOptions { width: Some(width), ..ViewOptions::default() });
        check(&shown, width)?;
        prop_assert!(shown.lines().count() >= turns.len() * 4);
    }
}
