//! The critical path of the steps of a program, between spans that say nothing of it.

use std::ops::Range;

use super::time::{CriticalPath, Step, in_order};
use super::tree::Tree;
use super::{TraceError, TreeInput};

/// Whether a span of this kind is a step of a program: an OpenInference kind says what it does. Servers, clients and databases
/// record spans without one.
pub fn is_step(kind: Option<&str>) -> bool {
    kind.is_some_and(|kind| !kind.is_empty() && !kind.eq_ignore_ascii_case("UNKNOWN"))
}

/// Finds the contributions to the critical path of the trace that lies in `rows` as
/// [`critical_path`](super::critical_path) does, but sees through spans that are no steps.
///
/// What of the path falls to a step is its own. What falls to another span, or to nobody, is given to the step that has
/// that moment on the path of the steps alone, and stays where it is when none does. The path of the steps alone begins at
/// the same top span; each step hangs from the nearest one above it, or from the top span.
///
/// So a span that is open all the while and waits, such as `http receive` of a server, takes nothing from the steps beside
/// it; and no step has less than on the whole path. What is said of contributions there holds here too.
pub fn critical_steps(
    input: &TreeInput<'_>,
    rows: Range<usize>,
    is_step: impl Fn(usize) -> bool,
) -> Result<Vec<Step>, TraceError> {
    let mut tree = Tree::default();
    tree.build(input, rows)?;
    let mut path = CriticalPath::default();
    let top = path.find(input, &tree);
    let whole = in_order(path.steps);
    let is_of_step = |step: &Step| step.row.is_some_and(&is_step);
    let Some(top) = top.filter(|_| !whole.iter().all(is_of_step)) else { return Ok(whole) };
    let tree = tree.keeping(input, |node| node == top || is_step(tree.row(node)));
    let mut alone = CriticalPath::default();
    alone.find_below(input, &tree, top);
    let mut alone = in_order(alone.steps);
    alone.retain(is_of_step);

    let mut found = Vec::with_capacity(whole.len() + alone.len());
    let mut next = 0;
    for part in whole {
        if is_of_step(&part) {
            found.push(part);
            continue;
        }
        let mut from = part.start_ns;
        while alone.get(next).is_some_and(|step| step.end_ns <= from) {
            next += 1;
        }
        // A step may go on behind the end of this part, and have some of the next one.
        for step in alone[next..].iter().take_while(|step| step.start_ns < part.end_ns) {
            let (start_ns, end_ns) = (step.start_ns.max(from), step.end_ns.min(part.end_ns));
            if from < start_ns {
                found.push(Step { start_ns: from, end_ns: start_ns, ..part });
            }
            found.push(Step { start_ns, end_ns, ..*step });
            from = end_ns;
        }
        if from < part.end_ns {
            found.push(Step { start_ns: from, ..part });
        }
    }
    Ok(in_order(found))
}

#[cfg(test)]
mod tests {
    use super::critical_steps;
    use crate::input::TreeArrays;
    use crate::testing::sample::{batch, table};

    /// The contributions as `id start-end` in milliseconds; spans whose id begins with a capital are steps.
    fn steps(text: &str) -> Vec<String> {
        let spans = table(text);
        let batch = batch(&spans);
        let id = |row: usize| spans[row].id.clone().unwrap();
        let is_step = |row: usize| id(row).starts_with(char::is_uppercase);
        let steps = critical_steps(&TreeArrays::read(&batch).unwrap().input(), 0..spans.len(), is_step).unwrap();
        let owner = |row: Option<usize>| row.map_or("-".to_owned(), id);
        let ms = |ns: i64| ns / 1_000_000;
        steps.iter().map(|s| format!("{} {}-{}", owner(s.row), ms(s.start_ns), ms(s.end_ns))).collect()
    }

    #[test]
    fn what_waits_beside_the_steps_takes_nothing_from_them() {
        let got = steps(
            "post    -     0 1000
             receive post  0 1000
             Agent   post  10 900
             Plan    Agent 20 300
             client  Agent 300 800
             Answer  client 320 780
             send    post  900 990",
        );
        assert_eq!(
            got,
            [
                "receive 0-10",
                "Agent 10-20",
                "Plan 20-300",
                "Agent 300-320",
                "Answer 320-780",
                "Agent 780-900",
                "receive 900-1000"
            ]
        );
    }

    #[test]
    fn time_of_no_step_stays_where_it_is() {
        assert_eq!(steps("post - 0 100\n query post 20 80"), ["post 0-20", "query 20-80", "post 80-100"]);
        // The request is what the call of the model takes.
        assert_eq!(steps("Llm - 0 100\n http Llm 5 95"), ["Llm 0-100"]);
        assert_eq!(
            steps("post - 0 10\n late post 50 60\n Step late 40 55"),
            ["post 0-10", "- 10-40", "Step 40-55", "late 55-60"]
        );
        assert_eq!(steps("a - 5 -"), Vec::<String>::new());
    }
}
