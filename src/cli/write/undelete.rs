//! `spanql spans undelete`.

use std::collections::BTreeSet;

use crate::cli::amounts::counted;
use crate::cli::args::UndeleteArguments;
use crate::cli::context::Context;
use crate::cli::failure::Failure;

pub(in crate::cli) async fn undelete(context: &Context, arguments: UndeleteArguments) -> anyhow::Result<()> {
    let UndeleteArguments { ids, all } = arguments;
    let store = context.store_to_write()?;
    let snapshot = store.snapshot().await.map_err(|error| context.explain(error))?;
    // All of a project may be deleted: then no segment names it.
    let deleted = snapshot.projects_with_deletions().await?;
    let projects: BTreeSet<&str> = match &context.project {
        Some(project) => BTreeSet::from([project.as_str()]),
        None => deleted.iter().map(String::as_str).collect(),
    };
    let project = match projects.iter().copied().collect::<Vec<_>>().as_slice() {
        [] => return Err(anyhow::anyhow!("nothing is deleted in {}", context.place())),
        [only] => (*only).to_owned(),
        several => {
            let why =
                format!("there are deletions in several projects, {}: name one with --project", several.join(", "));
            return Err(Failure::Usage(why).into());
        }
    };
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let wanted = if all { None } else { Some(ids.as_slice()) };
    let undeleted = store.undelete_spans(&project, wanted).await.map_err(|error| context.explain(error))?;
    context.warn_unsynced(undeleted.committed.not_synced.as_deref());
    context.report(&format!(
        "{} there again: {} version {}",
        counted(undeleted.restored, "span"),
        context.place(),
        undeleted.committed.version
    ));
    if undeleted.lifted > 0 {
        let spans = counted(undeleted.lifted, "span");
        context.note(&format!("{spans} in no version any more: a pull or an import brings them back now"));
    }
    if undeleted.unknown.is_empty() {
        return Ok(());
    }
    let unknown: Vec<&str> = undeleted.unknown.iter().map(String::as_str).collect();
    Err(anyhow::anyhow!("not deleted in project {project}: {}", super::known::some(&unknown)))
}
