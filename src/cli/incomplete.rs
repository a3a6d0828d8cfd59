//! Answers that rest on incomplete data: said after the answer, and an exit code for scripts.

use indicatif::HumanCount;

use super::context::Context;
use super::failure::Failure;
use spanql_output::escape_terminal;
use spanql_store::{Snapshot, TooLarge};

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
    let project = context.project.as_deref();
    let known = async { Ok((snapshot.ledger().await?.incomplete(project), snapshot.too_large(project).await?)) };
    let (ranges, sums) = match known.await {
        Ok(known) => known,
        Err(error) if required => return Err(context.explain(error)),
        Err(error) => {
            context.note(&format!("it is not known whether anything is missing: {error}"));
            return Ok(());
        }
    };
    let sums = too_large(&sums);
    if required {
        let more = match ranges.len() {
            0 | 1 => String::new(),
            ranges => format!(" (and {} more: SELECT * FROM pulls)", ranges - 1),
        };
        let missing = ranges.first().map(|first| format!("{first}{more}")).or(sums);
        return match missing {
            Some(missing) => Err(Failure::Incomplete(format!("the answer rests on incomplete data: {missing}")).into()),
            None => Ok(()),
        };
    }
    for range in ranges.iter().take(SHOWN) {
        context.print_stderr(&format!("incomplete: {}", escape_terminal(&range.to_string())));
    }
    if ranges.len() > SHOWN {
        context.print_stderr(&format!("incomplete: and {} more", ranges.len() - SHOWN));
    }
    if let Some(sums) = sums {
        context.print_stderr(&format!("incomplete: {}", escape_terminal(&sums)));
    }
    Ok(())
}

/// Says which totals are left out because no integer holds them.
fn too_large(sums: &[TooLarge]) -> Option<String> {
    let TooLarge { trace_id, column } = sums.first()?;
    let more = match sums.len() - 1 {
        0 => String::new(),
        more => format!(" (and {} more)", HumanCount(more as u64)),
    };
    Some(format!("{column} of trace {trace_id} do not fit into 64 bits and are null{more}"))
}
