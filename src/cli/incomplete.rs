//! Answers that rest on incomplete data: said after the answer, and an exit code for scripts.

use indicatif::HumanCount;

use super::amounts::counted;
use super::context::Context;
use super::failure::Failure;
use spanql_output::escape_terminal;
use spanql_store::{FilesVerdict, MissingRange, Snapshot, StoreError, TooLarge};

/// Lines at most; the table `pulls` has the rest.
const SHOWN: usize = 3;

/// Says what is missing of the spans that an answer was made from.
///
/// # Errors
/// [`Failure::Incomplete`] instead of saying it when `required` and something is missing, or spans from files look cut;
/// whatever keeps the ledger from being read when `required`. Whether spans from files are all there is unknown otherwise:
/// that is said when `required`.
pub(super) async fn check(context: &Context, snapshot: &Snapshot, required: bool) -> anyhow::Result<()> {
    if !required {
        if !context.quiet {
            lines(context, snapshot).await.iter().for_each(|line| context.print_stderr(line));
        }
        return Ok(());
    }
    if snapshot.manifest.version == 0 {
        let why = format!("{} holds no spans: nothing was ever pulled or imported into it", context.place());
        return Err(Failure::Incomplete(why).into());
    }
    let (ranges, files, sums) =
        known(snapshot, context.project.as_deref()).await.map_err(|error| context.explain(error))?;
    let sums = too_large(&sums);
    let (suspect, unknown): (Vec<_>, Vec<_>) = files.into_iter().partition(FilesVerdict::is_suspect);
    let more = match ranges.len() {
        0 | 1 => String::new(),
        ranges => format!(" (and {} more: SELECT * FROM pulls)", ranges - 1),
    };
    let missing = ranges.first().map(|first| format!("{first}{more}")).or(sums);
    if let Some(missing) = missing {
        return Err(Failure::Incomplete(format!("the answer rests on incomplete data: {missing}")).into());
    }
    if let Some(first) = suspect.first() {
        let more = match suspect.len() {
            1 => String::new(),
            projects => format!(" (and {} more: SELECT * FROM quality)", projects - 1),
        };
        return Err(Failure::Incomplete(format!("the answer may rest on incomplete data: {first}{more}")).into());
    }
    for verdict in unknown.iter().take(SHOWN) {
        context.note(&escape_terminal(&verdict.to_string()));
    }
    if unknown.len() > SHOWN {
        context.note(&format!("and {} more came from files", counted((unknown.len() - SHOWN) as u64, "project")));
    }
    Ok(())
}

/// Says what is missing of the spans that an answer was made from, and which spans from files look cut: lines that a
/// terminal may show, each with a word that says how sure it is.
pub(super) async fn lines(context: &Context, snapshot: &Snapshot) -> Vec<String> {
    let (ranges, files, sums) = match known(snapshot, context.project.as_deref()).await {
        Ok(known) => known,
        Err(error) => {
            let error = error.to_string();
            return vec![format!("note: it is not known whether anything is missing: {}", escape_terminal(&error))];
        }
    };
    let suspect: Vec<FilesVerdict> = files.into_iter().filter(FilesVerdict::is_suspect).collect();
    let mut lines: Vec<String> = Vec::new();
    for range in ranges.iter().take(SHOWN) {
        lines.push(format!("incomplete: {}", escape_terminal(&range.to_string())));
    }
    if ranges.len() > SHOWN {
        lines.push(format!("incomplete: and {} more", ranges.len() - SHOWN));
    }
    for verdict in suspect.iter().take(SHOWN) {
        lines.push(format!("suspect: {}", escape_terminal(&verdict.to_string())));
    }
    if suspect.len() > SHOWN {
        lines.push(format!("suspect: and {} more", counted((suspect.len() - SHOWN) as u64, "project")));
    }
    if let Some(sums) = too_large(&sums) {
        lines.push(format!("incomplete: {}", escape_terminal(&sums)));
    }
    lines
}

type Known = (Vec<MissingRange>, Vec<FilesVerdict>, Vec<TooLarge>);

/// What the ledger and the manifest know: no span is read for it.
async fn known(snapshot: &Snapshot, project: Option<&str>) -> Result<Known, StoreError> {
    let ledger = snapshot.ledger().await?;
    let files = ledger.files_verdicts(&snapshot.manifest, project);
    Ok((ledger.incomplete(project), files, snapshot.too_large(project).await?))
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
