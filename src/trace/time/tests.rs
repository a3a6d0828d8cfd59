use super::{critical_path, elapsed_ms};
use crate::input::TreeArrays;
use crate::testing::sample::{batch, table, tree_rows};
use crate::tree_columns_of;

fn self_ms(text: &str) -> Vec<Option<f64>> {
    let columns = tree_columns_of(&batch(&table(text))).unwrap();
    tree_rows(&columns).into_iter().map(|row| row.self_ms).collect()
}

/// The contributions as `id start-end` in milliseconds (`-` where nobody owns one), and the ids of the spans that are
/// called critical in row order.
fn path(text: &str) -> (Vec<String>, Vec<String>) {
    let spans = table(text);
    let batch = batch(&spans);
    let id = |row: usize| spans[row].id.clone().unwrap();
    let owner = |row: Option<usize>| row.map_or("-".to_owned(), id);
    let steps = critical_path(&TreeArrays::read(&batch).unwrap().input(), 0..spans.len()).unwrap();
    let ms = |ns: i64| ns / 1_000_000;
    let steps = steps.iter().map(|s| format!("{} {}-{}", owner(s.row), ms(s.start_ns), ms(s.end_ns))).collect();
    let rows = tree_rows(&tree_columns_of(&batch).unwrap());
    let on_path = rows.iter().enumerate().filter(|(_, row)| row.critical).map(|(row, _)| id(row)).collect();
    (steps, on_path)
}

#[test]
fn own_time_is_what_no_child_covers() {
    let got = self_ms(
        "root -    0 100
         a    root 10 30
         b    root 20 40
         c    root 25 28
         d    root 90 130
         e    root -20 5
         deep a    0 100",
    );
    assert_eq!(got, [Some(55.0), Some(0.0), Some(20.0), Some(3.0), Some(40.0), Some(25.0), Some(100.0)]);
}

#[test]
fn times_that_are_missing_or_reversed_cover_nothing() {
    let got = self_ms(
        "root     -        0 100
         open     root     10 -
         never    root     - -
         reversed root     50 40
         under    reversed 42 48
         late     root     - 90",
    );
    assert_eq!(got, [Some(100.0), None, None, Some(0.0), Some(6.0), None]);
}

#[test]
fn elapsed_time_reaches_over_all_of_time() {
    assert_eq!(elapsed_ms(1, 500_001), 0.5);
    assert_eq!(elapsed_ms(500_001, 1), -0.5);
    assert!(elapsed_ms(i64::MIN, i64::MAX) > 1.8e13);
}

#[test]
fn the_path_goes_back_from_the_last_end() {
    let (steps, on_path) = path(
        "root  -    0 100
         plan  root 5 20
         tool  root 20 60
         retry tool 30 60
         skip  root 55 80
         llm   root 60 90",
    );
    assert_eq!(steps, ["root 0-5", "plan 5-20", "tool 20-30", "retry 30-60", "llm 60-90", "root 90-100"]);
    assert_eq!(on_path, ["root", "plan", "tool", "retry", "llm"]);
}

#[test]
fn a_child_that_overlaps_the_one_taken_is_not_on_the_path() {
    let (steps, on_path) = path(
        "root -    0 100
         a    root 10 60
         b    root 50 100",
    );
    assert_eq!(steps, ["root 0-50", "b 50-100"]);
    assert_eq!(on_path, ["root", "b"]);
}

#[test]
fn children_begin_no_earlier_than_their_parent() {
    let (steps, on_path) = path(
        "root   -     10 100
         early  root  0 20
         before early 2 12
         gone   root  0 9
         gone2  gone  5 10",
    );
    assert_eq!(steps, ["before 10-12", "early 12-20", "root 20-100"]);
    assert_eq!(on_path, ["root", "early", "before"]);
}

#[test]
fn the_end_of_a_trace_waits_for_children_that_outlive_their_parent() {
    let (steps, on_path) = path(
        "root   -    0 100
         late   root 80 150
         inside late 90 140
         beyond late 120 130",
    );
    assert_eq!(steps, ["root 0-80", "late 80-90", "inside 90-140", "late 140-150"]);
    assert_eq!(on_path, ["root", "late", "inside"]);
}

#[test]
fn what_a_span_leaves_to_its_children_belongs_to_who_still_runs() {
    let (steps, on_path) = path(
        "root     -        0 100
         server   root     5 60
         dispatch server   10 20
         first    dispatch 15 30
         second   dispatch 50 80
         third    dispatch 120 140
         apart    -        0 135",
    );
    // Between the children of dispatch ran server, then root, then nobody; apart is no span above them.
    let want =
        ["root 0-5", "server 5-10", "dispatch 10-15", "first 15-30", "server 30-50", "second 50-80", "root 80-100"];
    assert_eq!(steps[..7], want);
    assert_eq!(steps[7..], ["- 100-120", "third 120-140"]);
    assert_eq!(on_path, ["root", "server", "dispatch", "first", "second", "third"]);
}

#[test]
fn one_stretch_may_have_several_owners() {
    let (steps, _) = path(
        "a -   0 50
         b a   1 40
         c b   2 30
         d c   3 35
         e d   4 10
         f e   90 95",
    );
    assert_eq!(
        steps,
        ["a 0-1", "b 1-2", "c 2-3", "d 3-4", "e 4-10", "d 10-35", "b 35-40", "a 40-50", "- 50-90", "f 90-95"]
    );
}

#[test]
fn what_goes_on_behind_a_child_is_one_stretch() {
    let (steps, on_path) = path(
        "root -    0 100
         late root 20 30
         end  late 60 60
         tail late 40 50",
    );
    assert_eq!(steps, ["root 0-20", "late 20-30", "root 30-40", "tail 40-50", "root 50-100"]);
    assert_eq!(on_path, ["root", "late", "tail"]);
}

#[test]
fn an_end_before_the_start_counts_as_the_start() {
    let (steps, on_path) = path(
        "root     -        0 100
         reversed root     60 40
         under    reversed 70 80
         back     root     90 10",
    );
    assert_eq!(steps, ["root 0-70", "under 70-80", "root 80-100"]);
    assert_eq!(on_path, ["root", "under"]);
    assert_eq!(path("a - 0 9\n b - 500 400"), (vec![], vec![]));
}

#[test]
fn what_lies_below_a_span_without_times_ends_nothing() {
    let (steps, _) = path(
        "root  -    0 100
         open  root 10 -
         under open 20 500",
    );
    assert_eq!(steps, ["root 0-100"]);
}

#[test]
fn of_children_that_end_together_the_later_start_then_the_larger_id_goes_first() {
    let (steps, _) = path(
        "root -    0 100
         b    root 50 100
         c    root 50 100
         a    root 40 100
         z    root 100 100
         y    root 50 50
         x    root 40 50",
    );
    assert_eq!(steps, ["root 0-40", "x 40-50", "c 50-100"]);
}

#[test]
fn of_twins_the_later_row_goes_first() {
    let spans = table(
        "root -    0 100
         a    root 50 100
         a    root 50 100",
    );
    let steps = critical_path(&TreeArrays::read(&batch(&spans)).unwrap().input(), 0..3).unwrap();
    assert_eq!(steps.iter().map(|step| step.row).collect::<Vec<_>>(), [Some(0), Some(2)]);
}

#[test]
fn a_span_covered_by_its_children_is_not_critical() {
    let (steps, on_path) = path(
        "root -    0 100
         a    root 0 40
         b    root 40 100",
    );
    assert_eq!(steps, ["a 0-40", "b 40-100"]);
    assert_eq!(on_path, ["a", "b"]);
}

#[test]
fn the_last_top_span_carries_the_path() {
    let (steps, on_path) = path(
        "root   -    0 100
         orphan gone 50 120
         tie    gone 60 120
         point  -    120 120
         open   -    0 -",
    );
    assert_eq!(steps, ["tie 60-120"]);
    assert_eq!(on_path, ["tie"]);
}

#[test]
fn a_trace_without_length_has_a_path_without_steps() {
    assert_eq!(path("a - 5 5"), (vec![], vec![]));
    assert_eq!(path("a - 5 -"), (vec![], vec![]));
}
