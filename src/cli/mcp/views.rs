//! One trace as a tree, one session as a conversation.

use futures::TryStreamExt as _;

use super::answer::Answer;
use super::arguments::{Session, Trace};
use super::capped::Capped;
use super::opened::Opened;
use super::rows::{Size, add_missing};
use crate::cli::show::{self, Turns};
use spanql_engine::{EngineError, IdKind};
use spanql_output::{Focus, SessionView, ViewOptions, write_trace};

/// A trace.
///
/// # Errors
/// When there is no such trace, several begin so, or it cannot be read.
pub(super) async fn trace(opened: &Opened, asked: Trace, size: Size) -> anyhow::Result<Answer> {
    let Trace { id, texts, depth, errors_only } = asked;
    let (engine, snapshot) = opened.newest().await?;
    let id = engine.resolve_id_prefix(IdKind::Trace, &id).await?;
    let focus = Focus { depth, errors_only, steps: false };
    let view = ViewOptions { full: texts, focus, zone: opened.context().zone(), ..ViewOptions::default() };
    let mut out = Capped::new(size.bytes);
    for (_, spans) in show::by_project(show::spans(&engine, &id, texts).await?)? {
        write_trace(&mut out, &spans, &view)?;
    }
    let narrower = if texts {
        "leave out texts, give depth or errors_only, or select input and output FROM trace('ID')"
    } else {
        "give depth or errors_only, or select columns FROM trace('ID')"
    };
    let mut answer = cut(out, size, narrower);
    add_missing(&mut answer, opened, &snapshot).await;
    Ok(answer)
}

/// A session.
///
/// # Errors
/// When there is no such session, several begin so, or it cannot be read.
pub(super) async fn session(opened: &Opened, asked: Session, size: Size) -> anyhow::Result<Answer> {
    let Session { id, texts } = asked;
    let (engine, snapshot) = opened.newest().await?;
    let id = engine.resolve_id_prefix(IdKind::Session, &id).await?;
    let view = ViewOptions { full: texts, zone: opened.context().zone(), ..ViewOptions::default() };
    let turns = Turns::plan(&engine, &id, texts).await?;
    let mut out = Capped::new(size.bytes);
    for (project, session) in show::sessions(&engine, &id).await? {
        let mut rows = turns.rows(Some(&project)).await?;
        let mut shown = SessionView::new(&mut out, &session, view)?;
        while let Some(batch) = rows.try_next().await.map_err(|error| EngineError::from_datafusion(&error))? {
            shown.write(&batch)?;
        }
        shown.finish()?;
    }
    let narrower = if texts {
        "leave out texts, or show one trace of it"
    } else {
        "select from turns WHERE session_id = 'ID', or show one trace of it"
    };
    let mut answer = cut(out, size, narrower);
    add_missing(&mut answer, opened, &snapshot).await;
    Ok(answer)
}

fn cut(out: Capped, size: Size, narrower: &str) -> Answer {
    let (data, more) = out.finish();
    let mut answer = Answer { data, ..Answer::default() };
    if more > 0 {
        let most = size.bytes;
        answer.head.push(format!("The first {most} bytes; {more} more lines do not fit: {narrower}."));
    }
    answer
}
