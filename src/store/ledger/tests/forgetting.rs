//! Whatever is forgotten, nothing seems to be missing that did not before.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::{Ledger, Projection, Pull, Slice};
use super::{pull, pulls, window};

/// A pull whose slices lie in its window, as those of a remote do; a whole one has got all of it.
fn within(mut pull: Pull, whole: bool) -> Pull {
    for slice in &mut pull.slices {
        let (start, end) = (pull.window.start, pull.window.end);
        slice.window = window(slice.window.start.clamp(start, end), slice.window.end.clamp(start, end));
    }
    if whole {
        pull.slices.push(Slice::new(pull.window, None, 5));
    }
    pull
}

proptest! {
    #[test]
    fn forgetting_changes_no_answer(pulls in pulls(), whole in vec(any::<bool>(), 8)) {
        let all = Ledger { pulls: pulls.into_iter().zip(whole).map(|(pull, whole)| within(pull, whole)).collect() };
        for kept in 0..all.pulls.len() {
            let mut some = all.clone();
            some.forget(kept);
            prop_assert!(some.pulls.len() >= kept);
            for (number, pull) in all.pulls.iter().enumerate() {
                let missing = all.missing_windows(number);
                match some.pulls.iter().position(|kept| kept.id == pull.id) {
                    Some(now) => {
                        prop_assert_eq!(some.missing_windows(now), missing);
                        prop_assert_eq!(some.partly_missing_windows(now), all.partly_missing_windows(number));
                    }
                    None => prop_assert_eq!(missing, []),
                }
            }
        }
    }
}

#[test]
fn a_pull_that_others_lean_on_stays() {
    let whole = pull("whole", 0, window(0, 10), &[(0, 10)]);
    let broken = pull("broken", 1, window(0, 10), &[(0, 5)]);
    let columns = Projection { columns: Some(vec!["name".into()]), ..Projection::default() };
    let names = Pull { projection: columns, ..pull("names", 2, window(0, 20), &[(0, 20)]) };
    // The second lacks what only the first got, the third all columns but one.
    let mut ledger = Ledger { pulls: vec![whole.clone(), broken, names.clone()] };
    ledger.forget(2);
    assert_eq!(ledger.pulls, [whole.clone(), names]);
    ledger.forget(1);
    assert_eq!(ledger.pulls, [whole.clone()]);
    // A sample that came as asked for lacks the rest.
    let share = Projection { sample_rate: Some(0.5), ..Projection::default() };
    let sample = Pull { projection: share, ..pull("sample", 3, window(0, 10), &[(0, 10)]) };
    ledger.pulls.push(sample);
    ledger.forget(1);
    assert_eq!(ledger.pulls, [whole]);
}
