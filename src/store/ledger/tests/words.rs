//! What is said of what is missing, at the limits of what is said.

use super::super::{Ledger, MissingReason, Projection, Pull, Slice, Status};
use super::{TEN, line, pull, window};
use spanql_model::time::NANOS;

const HOUR: i64 = 3_600 * NANOS;

#[test]
fn of_short_slices_those_count_that_are_still_missing() {
    let short = |start, announced| Slice::new(window(start, start + 10), Some(announced), 5);
    let mut first = pull("first", 0, window(0, 40), &[(30, 40)]);
    first.slices.extend([short(0, 6), short(10, 7), short(20, 8)]);
    let mut ledger = Ledger { pulls: vec![first] };
    assert_eq!(ledger.incomplete(None)[0].reason, MissingReason::Short { announced: 21, received: 15 });
    ledger.pulls.push(pull("before", 1, window(0, 10), &[(0, 10)]));
    ledger.pulls.push(pull("behind", 2, window(20, 30), &[(20, 30)]));
    let range = &ledger.incomplete(None)[0];
    assert_eq!(range.missing, [window(10, 20)]);
    assert_eq!(range.reason, MissingReason::Short { announced: 7, received: 5 });
}

#[test]
fn slices_that_make_up_for_each_other_are_missing_all_the_same() {
    let slice = |start, received| Slice::new(window(TEN + start * HOUR, TEN + (start + 1) * HOUR), Some(6), received);
    let mut pull = pull("a", 0, window(TEN, TEN + 2 * HOUR), &[]);
    pull.slices = vec![slice(0, 5), slice(1, 7)];
    let said = line(&Ledger { pulls: vec![pull] });
    assert!(said.contains("12 spans came where 12 were announced"), "{said}");
}

#[test]
fn five_columns_are_named() {
    let said = |count: usize| {
        let columns = (1..=count).map(|number| format!("c{number}")).collect();
        let projection = Projection { columns: Some(columns), ..Projection::default() };
        line(&Ledger { pulls: vec![Pull { projection, ..pull("a", 0, window(0, 10), &[(0, 10)]) }] })
    };
    for (count, named) in [(4, "c1, c2, c3, c4"), (5, "c1, c2, c3, c4, c5"), (6, "c1, c2, c3, c4, c5, …")] {
        assert!(said(count).contains(&format!("holds only {named} of ")), "{}", said(count));
    }
}

#[test]
fn a_unit_is_one_of_which_there_are_two() {
    for (hours, amount) in [(36, "36 of 36 hours are"), (48, "2 of 2 days are"), (1, "60 of 60 minutes are")] {
        let said = line(&Ledger { pulls: vec![pull("a", 0, window(TEN, TEN + hours * HOUR), &[])] });
        assert!(said.contains(&format!(": {amount} missing")), "{said}");
    }
}

#[test]
fn what_became_of_a_pull_has_a_word() {
    let words = [Status::Complete, Status::Sampled, Status::Incomplete].map(Status::as_str);
    assert_eq!(words, ["complete", "sampled", "incomplete"]);
}
