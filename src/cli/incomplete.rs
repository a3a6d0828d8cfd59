//! Answers that rest on incomplete data: said after the answer, and an exit code for scripts.

use super::context::Context;
use super::exit::Failure;
use crate::output::escape_terminal;
use crate::store::Snapshot;

/// Lines at most; the table `pulls` has the rest.
const SHOWN: usize = 3;

/// Says what is missing of the spans that an answer was made from.
///
/// # Errors
/// [`Failure::Incomplete`] instead of saying it when `required` and something is missing; whatever keeps the ledger
/// from being read when `required`.
pub(super) async fn check(context: &Context, snapshot: &Snapshot, required: bool) -> anyhow::Result<()> {
    if context.quiet && !required {
        return Ok(());
    }
    let gaps = match snapshot.ledger().await {
        Ok(ledger) => ledger.incomplete(context.project.as_deref()),
        Err(error) if required => return Err(context.explain(error)),
        Err(error) => {
            context.note(&format!("it is not known whether anything is missing: {error}"));
            return Ok(());
        }
    };
    let Some(first) = gaps.first() else { return Ok(()) };
    if required {
        let more = match gaps.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more: SELECT * FROM pulls)"),
        };
        return Err(Failure::Incomplete(format!("the answer rests on incomplete data: {first}{more}")).into());
    }
    for gap in gaps.iter().take(SHOWN) {
        context.say(&format!("incomplete: {}", escape_terminal(&gap.to_string())));
    }
    if gaps.len() > SHOWN {
        context.say(&format!("incomplete: and {} more", gaps.len() - SHOWN));
    }
    Ok(())
}
