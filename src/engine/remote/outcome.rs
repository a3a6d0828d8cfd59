//! What is known of a remote scan only after its rows were read.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use spanql_model::nearest::as_typed;
use spanql_sources::Ending;

/// How many names a remark lists.
const LISTED: usize = 5;

/// Something the reader of a result should know that was not known before the rows were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// A line without a full stop.
    pub text: String,
    /// Whether rows are missing that the statement asked for.
    pub incomplete: bool,
}

#[derive(Debug, Default)]
struct Seen {
    /// How each run that was read to its end ended.
    endings: Vec<Ending>,
    /// Columns that came and have no place in the table.
    left_out: BTreeSet<String>,
    /// Columns nobody announced that came.
    filled: BTreeSet<String>,
    rows: u64,
    /// Rows that were no spans, and why the first of them was none.
    unfit: Option<(u64, String)>,
    /// What sources say of how their spans came.
    said: BTreeSet<String>,
}

/// What the runs of one scan have seen.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    seen: Mutex<Seen>,
}

impl Outcome {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what came in a batch: how many rows, which columns that nobody announced, and which without a place.
    pub(super) fn batch(&self, rows: usize, filled: Vec<String>, left_out: Vec<String>) {
        let mut seen = self.lock();
        seen.rows += rows as u64;
        seen.filled.extend(filled);
        seen.left_out.extend(left_out);
    }

    /// Notes what a source says of how its spans come, if anything.
    pub(super) fn opened(&self, said: Option<String>) {
        self.lock().said.extend(said);
    }

    /// Notes how a stream ended that was read to its end, and which of its rows were no spans.
    pub(super) fn ended(&self, ending: Ending, unfit: Option<(u64, String)>) {
        let mut seen = self.lock();
        seen.endings.push(ending);
        if let Some((rows, why)) = unfit {
            seen.unfit.get_or_insert((0, why)).0 += rows;
        }
    }

    /// What to say of a scan of the table with this title that asked for these columns, which nobody announced.
    pub(super) fn remarks(&self, title: &str, unannounced: &[String]) -> Vec<Remark> {
        let seen = self.lock();
        let remark = |text: String| Remark { text, incomplete: false };
        let mut remarks: Vec<Remark> = seen.said.iter().map(|said| remark(format!("{title}: {said}"))).collect();
        for ending in &seen.endings {
            if let Ending::Miscounted { announced, received } = *ending {
                let text = format!("{title} announced {} and {} came", spans(announced), grouped(received));
                remarks.push(match received < announced {
                    true => Remark { text: format!("{text}: the answer is incomplete"), incomplete: true },
                    false => remark(text),
                });
            }
        }
        if let Some((rows, why)) = &seen.unfit {
            let (rows, are) =
                (grouped(*rows), if *rows == 1 { "row that is no span" } else { "rows that are no spans" });
            remarks.push(remark(format!("{title} sent {rows} {are}; the first: {why}")));
        }
        if !seen.left_out.is_empty() {
            remarks.push(remark(format!(
                "{title} also sent {}, which * leaves out: name what you want, or pull the project",
                listed(&seen.left_out)
            )));
        }
        let absent: BTreeSet<String> =
            unannounced.iter().filter(|name| !seen.filled.contains(*name)).cloned().collect();
        if seen.rows > 0 && !seen.endings.is_empty() && !absent.is_empty() {
            remarks.push(remark(format!("no span of {title} that was read has {}", listed(&absent))));
        }
        remarks
    }
}

fn spans(count: u64) -> String {
    format!("{} span{}", grouped(count), if count == 1 { "" } else { "s" })
}

fn listed(names: &BTreeSet<String>) -> String {
    let first: Vec<String> = names.iter().take(LISTED).map(|name| as_typed(name)).collect();
    match names.len().saturating_sub(LISTED) {
        0 => first.join(", "),
        more => format!("{} and {} more", first.join(", "), grouped(more as u64)),
    }
}

/// A number with its digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(outcome: &Outcome, unannounced: &[&str]) -> Vec<(String, bool)> {
        let unannounced: Vec<String> = unannounced.iter().map(|&name| name.to_owned()).collect();
        outcome.remarks("arize.p", &unannounced).into_iter().map(|remark| (remark.text, remark.incomplete)).collect()
    }

    #[test]
    fn only_missing_rows_make_an_answer_incomplete() {
        let outcome = Outcome::default();
        outcome.ended(Ending::Complete, None);
        assert!(texts(&outcome, &[]).is_empty());
        outcome.ended(Ending::Miscounted { announced: 5_000, received: 4_990 }, None);
        outcome.ended(Ending::Miscounted { announced: 1, received: 1_234_567 }, None);
        assert_eq!(
            texts(&outcome, &[]),
            [
                ("arize.p announced 5,000 spans and 4,990 came: the answer is incomplete".to_owned(), true),
                ("arize.p announced 1 span and 1,234,567 came".to_owned(), false),
            ]
        );
    }

    #[test]
    fn unannounced_columns_are_missed_only_after_all_rows() {
        let outcome = Outcome::default();
        outcome.batch(3, vec!["eval.b.label".to_owned()], vec![]);
        let unannounced = ["attributes.a c", "eval.b.label"];
        assert!(texts(&outcome, &unannounced).is_empty());
        outcome.ended(Ending::Complete, None);
        let said = ("no span of arize.p that was read has attributes.\"a c\"".to_owned(), false);
        assert_eq!(texts(&outcome, &unannounced), [said]);
    }

    #[test]
    fn rows_that_are_no_spans_are_said() {
        let outcome = Outcome::default();
        outcome.ended(Ending::Complete, Some((2, "no trace id".to_owned())));
        outcome.ended(Ending::Complete, Some((1, "no span id".to_owned())));
        let said = ("arize.p sent 3 rows that are no spans; the first: no trace id".to_owned(), false);
        assert_eq!(texts(&outcome, &[]), [said]);
    }

    #[test]
    fn many_names_are_cut() {
        let outcome = Outcome::default();
        outcome.batch(1, vec![], (0..7).map(|n| format!("attributes.x{n}")).collect());
        let said = texts(&outcome, &[]).remove(0).0;
        assert!(said.contains("attributes.x4 and 2 more, which * leaves out"), "{said}");
    }
}
