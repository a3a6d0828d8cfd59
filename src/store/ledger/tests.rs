//! The ledger's answers against a model that looks at every second, and its words.

mod forgetting;
mod seconds;
mod words;

use proptest::collection::vec;
use proptest::prelude::*;

use super::record::KEPT;
use super::{Ledger, MissingReason, Projection, Pull, PullKey, Slice, Status};
use spanql_model::time::NANOS;
use spanql_model::window::Window;

const END: i64 = 24;
/// 2026-11-18T10:00:00Z.
const TEN: i64 = 1_795_000_000_000_000_000 - 1_795_000_000_000_000_000 % (86_400 * NANOS) + 36_000 * NANOS;
const DAY: i64 = 86_400 * NANOS;

fn key(project: &str) -> PullKey {
    PullKey {
        source: "arize".into(),
        remote: "flight.example.com".into(),
        space: Some("space".into()),
        project: project.into(),
        into: project.into(),
    }
}

fn window(start: i64, end: i64) -> Window {
    Window { start, end }
}

fn pull(id: &str, started: i64, window: Window, slices: &[(i64, i64)]) -> Pull {
    let slices =
        slices.iter().map(|(start, end)| Slice::new(Window { start: *start, end: *end }, Some(5), 5)).collect();
    Pull { id: id.into(), started, slices, ..Pull::new(key("checkout"), window) }
}

fn of_pulls(pulls: Vec<Pull>) -> Ledger {
    Ledger { pulls, ..Ledger::default() }
}

fn seconds(windows: &[Window]) -> Vec<i64> {
    (0..END).filter(|second| inside(windows, *second)).collect()
}

fn inside(windows: &[Window], second: i64) -> bool {
    windows.iter().any(|window| window.start <= second && second < window.end)
}

fn windows() -> impl Strategy<Value = Window> {
    (0..END, 0..10_i64).prop_map(|(start, length)| window(start, (start + length).min(END)))
}

fn slices() -> impl Strategy<Value = Slice> {
    (windows(), prop_oneof![4 => Just(Some(5)), 2 => Just(None), 2 => Just(Some(7))])
        .prop_map(|(window, announced)| Slice { landed: END, ..Slice::new(window, announced, 5) })
}

fn projection() -> impl Strategy<Value = Projection> {
    let columns = prop_oneof![
        6 => Just(None),
        1 => Just(Some(vec!["a".to_owned()])),
        1 => Just(Some(vec!["a".to_owned(), "b".to_owned()])),
        1 => Just(Some(vec!["b".to_owned(), "a".to_owned()])),
    ];
    let filter = prop_oneof![4 => Just(None), 1 => Just(Some("x".to_owned())), 1 => Just(Some("y".to_owned()))];
    let rate = prop_oneof![6 => Just(None), 1 => Just(Some(1.0)), 1 => Just(Some(0.5)), 1 => Just(Some(0.1))];
    (filter, columns, rate).prop_map(|(filter, columns, sample_rate)| Projection { filter, columns, sample_rate })
}

fn pulls() -> impl Strategy<Value = Vec<Pull>> {
    let limit = prop_oneof![5 => Just(None), 1 => Just(Some(100))];
    let one = (0..2, windows(), projection(), limit, vec(slices(), 0..5));
    vec(one, 0..8).prop_map(|pulls| {
        let numbered = pulls.into_iter().enumerate();
        let pull = |(number, (project, window, projection, limit, slices))| Pull {
            id: format!("{number}"),
            started: number as i64,
            projection,
            limit,
            slices,
            ..Pull::new(key(if project == 0 { "checkout" } else { "search" }), window)
        };
        numbered.map(pull).collect()
    })
}

#[test]
fn slices_of_a_complete_pull_become_one() {
    let mut ledger = Ledger::default();
    let whole = pull("a", 1, window(0, 30), &[]);
    let slice = |start, end, announced| Slice {
        stored: 5,
        new: 4,
        updated: 1,
        landed: start,
        ..Slice::new(window(start, end), announced, 5)
    };
    ledger.record(&whole, &[slice(20, 30, Some(5)), slice(0, 10, Some(5))]);
    assert_eq!(ledger.pulls[0].slices.len(), 2);
    assert_eq!(ledger.pulls[0].remaining(), [window(10, 20)]);
    ledger.record(&whole, &[slice(10, 20, Some(8))]);
    assert_eq!(ledger.pulls[0].status(), Status::Incomplete, "a short slice does not count");
    assert_eq!(ledger.pulls[0].slices.len(), 3);
    // Asked for again: nothing is new this time but what did not come before.
    let again = Slice { new: 3, updated: 0, stored: 8, received: 8, ..slice(10, 20, Some(8)) };
    ledger.record(&Pull { finished: Some(9), ..whole.clone() }, &[again]);
    let pull = &ledger.pulls[0];
    assert_eq!(pull.status(), Status::Complete);
    let one = Slice {
        window: window(0, 30),
        announced: Some(18),
        received: 18,
        stored: 18,
        new: 15,
        updated: 3,
        landed: 20,
        parts: 3,
    };
    assert_eq!((pull.slices.as_slice(), pull.finished), ([one.clone()].as_slice(), Some(9)));
    // A commit of which nobody knew that it was made is made again.
    ledger.record(&Pull { finished: Some(9), ..whole }, &[Slice { new: 0, updated: 0, ..slice(20, 30, Some(5)) }]);
    assert_eq!(ledger.pulls[0].slices, [one]);
}

#[test]
fn a_broken_pull_is_taken_up_again_within_a_day() {
    let hour = 3_600_000;
    let filtered = Projection { filter: Some("x".into()), ..Projection::default() };
    let everything = Projection::default();
    let mut ledger = of_pulls(vec![pull("a", 0, window(0, 30), &[(0, 10)])]);
    let find = |ledger: &Ledger, projection: &Projection, now: i64| {
        ledger.resumable(&key("checkout"), projection, now).map(|pull| pull.id.clone())
    };
    assert_eq!(find(&ledger, &everything, 23 * hour).as_deref(), Some("a"));
    assert_eq!(find(&ledger, &everything, 24 * hour), None, "too old");
    assert_eq!(find(&ledger, &filtered, hour), None, "another filter");
    assert_eq!(ledger.resumable(&key("search"), &everything, hour), None, "another project");
    ledger.pulls.push(Pull { projection: filtered.clone(), ..pull("b", 1, window(0, 30), &[]) });
    ledger.pulls.push(Pull { limit: Some(3), ..pull("c", 2, window(0, 30), &[]) });
    assert_eq!(find(&ledger, &everything, hour).as_deref(), Some("a"));
    assert_eq!(find(&ledger, &filtered, hour).as_deref(), Some("b"));
    ledger.pulls.push(pull("d", 3, window(0, 9), &[(0, 10)]));
    assert_eq!(find(&ledger, &everything, hour), None, "the latest one is complete");
}

fn line(ledger: &Ledger) -> String {
    let ranges = ledger.incomplete(None);
    assert_eq!(ranges.len(), 1, "{ranges:?}");
    ranges[0].to_string()
}

#[test]
fn what_is_missing_is_said_in_a_line() {
    // 2026-11-20T14:02:00Z
    let started = (TEN / NANOS + 2 * 86_400 + 4 * 3_600 + 120) * 1000;
    let month = window(TEN - 30 * DAY, TEN);
    let mut broken = pull("a", started, month, &[(TEN - 27 * DAY, TEN - 9 * DAY), (TEN - 9 * DAY, TEN)]);
    let of = |pull: &Pull| line(&of_pulls(vec![pull.clone()]));
    assert_eq!(
        of(&broken),
        "project checkout of arize: 3 of 30 days are missing (pull of 2026-11-20 14:02 UTC has not ended); run the \
         same pull again"
    );
    broken.error = Some("reset".into());
    broken.slices[0].window.start = TEN - 30 * DAY + 40 * 60 * NANOS;
    broken.key.project = "Checkout Service".into();
    assert_eq!(
        of(&broken),
        "project checkout (Checkout Service of arize): 40 minutes of 30 days are missing (pull of 2026-11-20 14:02 \
         UTC broke off); run the same pull again"
    );
    let mut short = pull("b", started, window(TEN, TEN + 2 * 3_600 * NANOS), &[]);
    short.slices = vec![
        Slice::new(window(TEN, TEN + 3_600 * NANOS), Some(5_000), 4_988),
        Slice::new(window(TEN + 3_600 * NANOS, TEN + 7_200 * NANOS), Some(3), 3),
    ];
    assert_eq!(
        of(&short),
        "project checkout of arize: 12 of 5,000 announced spans did not come (2026-11-18T10:00Z to 11:00Z); run the \
         same pull again"
    );
    short.slices[0].received = 5_001;
    short.slices[0].window.start += NANOS;
    short.window.start += NANOS;
    assert_eq!(
        of(&short),
        "project checkout of arize: 5,001 spans came where 5,000 were announced (2026-11-18T10:00:01Z to 11:00:00Z); \
         run the same pull again"
    );
    let sample = Pull { limit: Some(1_000), ..pull("c", started, window(TEN - DAY, TEN), &[(TEN - DAY, TEN)]) };
    let text = "project checkout of arize: holds a sample (limit 1,000) of 2026-11-17T10:00Z to 2026-11-18T10:00Z; a \
                pull of all of it completes it";
    assert_eq!(of(&sample), text);
    let mut both = of_pulls(vec![broken, sample]);
    both.pulls[0].key = key("checkout");
    let rate = Projection { sample_rate: Some(0.25), ..Projection::default() };
    both.pulls.push(Pull { projection: rate, ..pull("d", started, month, &[]) });
    assert_eq!(both.incomplete(None)[0].reason, MissingReason::Sample { limit: None, rate: Some(0.25) });
    assert!(line(&both).contains("(sample rate 0.25) of 2026-10-19T10:00Z to "), "{}", line(&both));
    both.pulls.push(pull("e", started, month, &[(month.start, month.end)]));
    assert_eq!(both.incomplete(None), [], "a later pull of all of it takes them off the list");
}

#[test]
fn a_short_slice_after_a_whole_one_is_missing() {
    let mut short = pull("b", 2, window(0, 10), &[]);
    short.slices = vec![Slice::new(window(0, 5), Some(9), 8), Slice::new(window(5, 10), Some(1), 1)];
    let mut ledger = of_pulls(vec![pull("a", 1, window(0, 10), &[(0, 10)]), short]);
    let everything = Projection::default();
    assert_eq!(ledger.missing(&key("checkout"), &everything), [window(0, 5)]);
    ledger.pulls.push(pull("c", 3, window(0, 3), &[(0, 3)]));
    assert_eq!(ledger.missing(&key("checkout"), &everything), [window(3, 5)]);
    ledger.pulls[1].slices.push(Slice::new(window(3, 5), None, 8));
    assert_eq!(ledger.missing(&key("checkout"), &everything), []);
    assert_eq!(ledger.pulls[1].status(), Status::Incomplete);
}

#[test]
fn numbers_of_a_remote_do_not_overflow() {
    let mut huge = pull("a", i64::MAX, window(i64::MIN, i64::MAX), &[]);
    huge.slices = vec![Slice::new(window(i64::MIN, 0), Some(u64::MAX), u64::MAX); 2];
    huge.slices.push(Slice::new(window(0, i64::MAX), Some(u64::MAX), 1));
    assert_eq!((huge.announced(), huge.received()), (Some(u64::MAX), u64::MAX));
    let mut ledger = Ledger::default();
    ledger.record(&huge, &[Slice::new(window(0, i64::MAX), Some(u64::MAX), u64::MAX)]);
    assert_eq!(ledger.pulls[0].status(), Status::Complete);
    huge.slices.clear();
    assert!(line(&of_pulls(vec![huge])).contains("days are missing"));
}

#[test]
fn pulls_that_say_nothing_any_more_are_forgotten() {
    let count = KEPT as i64;
    let day = |number: i64| pull(&format!("day {number}"), number, window(number, number + 1), &[(number, number + 1)]);
    let mut ledger = of_pulls((0..count).map(day).collect());
    // Broken off at first, and made up for by the pull of the day.
    ledger.pulls[3] = pull("broken", 3, window(3, 5), &[(3, 4)]);
    // Nothing made up for this one.
    ledger.pulls[0] = pull("lost", 0, window(-2, 1), &[(0, 1)]);
    let ids = |ledger: &Ledger, count: usize| -> Vec<String> {
        ledger.pulls.iter().take(count).map(|pull| pull.id.clone()).collect()
    };
    ledger.record(&pull("again", count, window(6, 8), &[(6, 8)]), &[]);
    assert_eq!(ids(&ledger, 8), ["lost", "day 1", "day 2", "broken", "day 4", "day 5", "day 7", "day 8"]);
    assert_eq!(ledger.pulls.len(), KEPT);
    ledger.record(&day(count + 1), &[]);
    assert_eq!(ids(&ledger, 4), ["lost", "day 1", "day 2", "broken"], "day 7 is covered by `again`, too");
    for number in 2..5 {
        ledger.record(&day(count + number), &[]);
    }
    // The day after the break is what takes it off the list, so the broken pull goes first.
    assert_eq!(ids(&ledger, 3), ["lost", "day 4", "day 5"]);
    assert_eq!(ledger.missing(&key("checkout"), &Projection::default()), [window(-2, 0)]);
    assert_eq!(ledger.pulls.len(), KEPT);
}

#[test]
fn what_lies_in_the_future_is_not_there_yet() {
    let landed_at_ten = Slice { landed: 10_000, ..Slice::new(window(0, 60 * NANOS), Some(5), 5) };
    let pull = Pull { slices: vec![landed_at_ten], ..pull("a", 0, window(0, 60 * NANOS), &[]) };
    let ledger = of_pulls(vec![pull]);
    assert_eq!(ledger.frontier(&key("checkout"), &Projection::default()), Some(10 * NANOS));
}

#[test]
fn some_columns_are_not_everything() {
    let projection = Projection { columns: Some(vec!["name".into()]), ..Projection::default() };
    let some = Pull { projection, ..pull("a", 0, window(0, 60 * NANOS), &[(0, 60 * NANOS)]) };
    let ledger = of_pulls(vec![some.clone()]);
    let ranges: Vec<String> = ledger.incomplete(None).iter().map(ToString::to_string).collect();
    let said = "project checkout of arize: holds only name of 1970-01-01T00:00Z to 00:01Z; a pull without --columns \
                completes it";
    assert_eq!(ranges, [said]);
    // It brought what it asked for, so there is nothing that the same pull would bring.
    assert!(ledger.missing(&some.key, &some.projection).is_empty());
    let whole = pull("b", 1, window(0, 60 * NANOS), &[(0, 60 * NANOS)]);
    assert!(of_pulls(vec![some, whole]).incomplete(None).is_empty());
}

#[test]
fn a_filter_is_not_everything() {
    let minute = window(0, 60 * NANOS);
    let filter = Some(format!("status_code = 'ERROR' OR name = '{}'", "x".repeat(200)));
    let filtered = Projection { filter, ..Projection::default() };
    let some = Pull { projection: filtered.clone(), ..pull("a", 0, minute, &[(0, 60 * NANOS)]) };
    let ledger = of_pulls(vec![some.clone()]);
    let shown = "x".repeat(100 - "status_code = 'ERROR' OR name = '".len());
    assert_eq!(
        line(&ledger),
        format!(
            "project checkout of arize: holds only the spans that match status_code = 'ERROR' OR name = '{shown}…, of \
             1970-01-01T00:00Z to 00:01Z; a pull without a filter completes it"
        )
    );
    let everything = Projection::default();
    assert!(ledger.missing(&some.key, &filtered).is_empty(), "it brought what it asked for");
    assert_eq!(ledger.frontier(&some.key, &filtered), Some(0), "nothing landed at any time of the clock");
    assert!(ledger.covered(&some.key, &everything).is_empty());
    assert_eq!(ledger.frontier(&some.key, &everything), None);
    let both = Projection { columns: Some(vec!["name".into()]), filter: Some("a".into()), ..Projection::default() };
    let both = Pull { projection: both, ..some.clone() };
    let said = line(&of_pulls(vec![both]));
    assert!(said.contains("holds only name of the spans that match a, of "), "{said}");
    assert!(said.ends_with("a pull without a filter and --columns completes it"), "{said}");
    // Some columns of everything are not everything, nor do they and a filter add up to it.
    let columns = Projection { columns: Some(vec!["name".into()]), ..Projection::default() };
    let columns = Pull { projection: columns, ..pull("b", 1, minute, &[(0, 60 * NANOS)]) };
    assert_eq!(of_pulls(vec![some.clone(), columns]).incomplete(None)[0].earlier, 1);
    let whole = pull("c", 2, minute, &[(0, 60 * NANOS)]);
    assert!(of_pulls(vec![some, whole]).incomplete(None).is_empty());
}

#[test]
fn a_sample_of_what_is_there_lacks_nothing() {
    let whole = pull("a", 0, window(0, 60 * NANOS), &[(0, 60 * NANOS)]);
    let cut_short = Slice::new(window(0, 60 * NANOS), Some(500), 5);
    let sample = Pull { limit: Some(5), slices: vec![cut_short], ..pull("b", 1, window(0, 60 * NANOS), &[]) };
    assert!(of_pulls(vec![whole, sample.clone()]).incomplete(None).is_empty());
    assert_eq!(of_pulls(vec![sample]).incomplete(None).len(), 1);
}

#[test]
fn incomplete_pulls_are_never_forgotten() {
    let broken = |number: i64| pull(&format!("{number}"), number, window(number, number + 2), &[]);
    let mut ledger = of_pulls((0..KEPT as i64).map(broken).collect());
    ledger.record(&broken(KEPT as i64), &[]);
    assert_eq!(ledger.pulls.len(), KEPT + 1);
}
