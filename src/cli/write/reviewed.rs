//! What a review gives, written as the other commands write.

use super::{judge, local, send};
use crate::cli::args::WriteTo;
use crate::cli::context::Context;
use spanql_sources::Remote;
use spanql_sources::writes::{Grain, Judgement, Writing, judgement_batch};

/// Writes the annotation of one trace into the store.
pub(in crate::cli) async fn keep_judgement(context: &Context, project: &str, given: &Judgement) -> anyhow::Result<()> {
    let batch = judgement_batch([given], judge::id_column(Grain::Trace))?;
    local::write(context, project.to_owned(), spanql_store::Grain::Trace, &batch, "annotate").await.1
}

/// Sends the annotations of traces to a remote.
pub(in crate::cli) async fn send_judgements(
    context: &Context,
    remote: &Remote,
    given: &[Judgement],
    to: &WriteTo,
) -> anyhow::Result<()> {
    let again = |of: &[usize]| judge::again(of.iter().filter_map(|at| given.get(*at)), Grain::Trace);
    send::send(context, remote, Writing::Judgements(given), to, again).await
}
