//! Spans that a write names by ids: those of them that are there.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::AsArray;
use datafusion::logical_expr::lit;

use crate::serve::backend::{Backend, Project, column, starts_in};
use crate::serve::connections::Peer;
use crate::serve::refusal::Refusal;
use crate::serve::threads::apart;
use spanql_model::columns::SPAN_ID;
use spanql_sources::Window;

/// What is looked for.
#[derive(Debug, Clone)]
pub(super) struct Named {
    /// The column that the ids are in.
    pub(super) column: &'static str,
    /// Whether only spans at the top of their traces are meant.
    pub(super) top: bool,
    pub(super) window: Option<Window>,
}

/// Which of the ids are in a project of this id, and its name.
pub(super) async fn find(
    backend: &Arc<Backend>,
    project_id: String,
    ids: Vec<String>,
    named: Named,
    peer: &Arc<Peer>,
) -> Result<(String, BTreeSet<String>), Refusal> {
    let (shared, peer) = (Arc::clone(backend), Arc::clone(peer));
    let work = move || async move {
        let view = shared.newest().await?;
        let _part = shared.room_to_find(&view, None, &peer).await?;
        let project = view.project_by_id(&project_id).await?;
        let found = known(&project, &ids, &named).await?;
        Ok((project.name.clone(), found))
    };
    apart(backend.shutdown(), work).await?
}

async fn known(project: &Project, ids: &[String], named: &Named) -> Result<BTreeSet<String>, Refusal> {
    let list = ids.iter().map(|id| lit(id.as_str())).collect();
    let mut spans = project.spans()?.filter(column(named.column).in_list(list, false))?;
    if let Some(window) = named.window {
        spans = spans.filter(starts_in(window))?;
    }
    if named.top {
        spans = spans.filter(column("tree.root_id").eq(column(SPAN_ID)))?;
    }
    let batches = spans.select(vec![column(named.column)])?.collect().await?;
    let found = batches.iter().flat_map(|batch| batch.column(0).as_string::<i32>().iter().flatten());
    Ok(found.map(str::to_owned).collect())
}
