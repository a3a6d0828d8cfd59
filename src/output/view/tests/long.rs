//! Traces of any length: no recursion, and a line a span.

use std::time::{Duration, Instant};

use super::super::{Focus, ViewOptions};
use super::{ERRORS, Row, check_widths, levels, nested, row, spans, tree, wide};

fn chain(length: usize) -> Vec<Row> {
    let id = |at: usize| format!("s{at}");
    let span = |at: usize| Row { parent: at.checked_sub(1).map(id), ..row(&id(at), "-", "CHAIN", "step", 0, 10) };
    (0..length).map(span).collect()
}

/// Brackets that are open at once at most; as many are closed as opened.
fn deepest(json: &str) -> usize {
    let (mut open, mut most) = (0usize, 0);
    for c in json.chars() {
        match c {
            '{' | '[' => open += 1,
            '}' | ']' => open = open.checked_sub(1).unwrap(),
            _ => {}
        }
        most = most.max(open);
    }
    assert_eq!(open, 0);
    most
}

#[test]
fn chains_of_any_length_take_a_line_a_span() {
    let mut rows = chain(20_000);
    rows[19_000] = rows[19_000].clone().failed("too deep");
    let mut batches = vec![spans(&rows)];
    let began = Instant::now();
    let shown = tree(&batches, wide(100));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    check_widths(&shown, 100);
    assert_eq!(shown.matches(" CHAIN ").count(), 20_000);
    let lines: Vec<&str> = shown.lines().filter(|line| line.contains(" CHAIN ") || line.contains("deep")).collect();
    let cut = |line: &&str| line.split("  10 ms").next().unwrap_or_default().trim_end().to_owned();
    let some: Vec<String> = lines[..13].iter().chain(&lines[18_999..19_003]).map(cut).collect();
    insta::assert_snapshot!(some.join("\n"), @r#"
 CHAIN step
 └─ CHAIN step
    └─ CHAIN step
       └─ CHAIN step
          └─ CHAIN step
             └─ CHAIN step
                └─ CHAIN step
                   └─ CHAIN step
                      └─ CHAIN step
                         └─ CHAIN step
                            └─ CHAIN step
                               └─ CHAIN step
 …4                          └─ CHAIN step
 …18991                      └─ CHAIN step
 …18992                      └─ CHAIN ✗ step
                                │     too deep
 …18993                      └─ CHAIN step
"#);

    // What does not fail is counted, and objects nest without recursion.
    let errors = tree(&batches, ViewOptions { focus: ERRORS, ..wide(100) });
    assert_eq!(errors.matches(" CHAIN ").count(), 19_001);
    assert!(errors.contains(" └─ … 999 more\n"), "{}", &errors[errors.len() - 200..]);
    let shallow = tree(&batches, ViewOptions { focus: levels(2), ..wide(100) });
    assert!(shallow.contains("    └─ … 19,998 more below, 1 error\n"), "{shallow}");
    let objects = nested(&batches, Focus::default());
    assert_eq!(deepest(&objects), 40_002);
    assert!(objects.ends_with(&format!("{}\n", "]}".repeat(20_001))));

    // What is wide is no other: many children of one parent.
    rows.iter_mut().skip(1).for_each(|row| row.parent = Some("s0".to_owned()));
    batches = vec![spans(&rows)];
    assert_eq!(tree(&batches, wide(100)).matches("├─ CHAIN").count(), 19_998);
}

#[test]
fn chains_that_no_stack_would_hold() {
    let batch = [spans(&chain(100_000))];
    assert!(tree(&batch, wide(40)).lines().count() > 100_000);
    assert_eq!(nested(&batch, Focus::default()).matches("\"children\":[").count(), 100_000);
}
