//! Requests for pages, also such that are made before their answers are wanted.

use tokio::task::JoinSet;

use super::api::{Api, Query};
use super::page::Page;
use crate::http::HttpError;
use crate::retry::retrying;

/// Bytes of a page that are read. A page that is longer is asked for in parts.
const MAX_PAGE: usize = 256 << 20;

/// The text of a page, and the cursor behind it.
pub(super) type Answer = Result<(String, Option<String>), HttpError>;

/// Asks for a page, so many times at most.
pub(super) async fn ask(api: &Api, path: &str, query: &Query, attempts: usize) -> Answer {
    let text = retrying(attempts, || api.text(path, query, MAX_PAGE), HttpError::error).await?;
    let next = Page::read(&text).map(|page| page.next).map_err(|reason| api.wrong(path, reason))?;
    Ok((text, next))
}

/// A request under way. Dropping it gives it up.
pub(super) struct Ahead {
    query: Query,
    answer: JoinSet<Answer>,
}

impl Ahead {
    /// Begins to ask for a page.
    pub(super) fn begin(api: &Api, path: &str, query: Query, attempts: usize) -> Self {
        let (api, path, asked) = (api.clone(), path.to_owned(), query.clone());
        let mut answer = JoinSet::new();
        answer.spawn(async move { ask(&api, &path, &asked, attempts).await });
        Self { query, answer }
    }

    /// The answer, if it is this that was asked for.
    pub(super) async fn answer(mut self, query: &Query) -> Option<Answer> {
        if self.query != *query {
            return None;
        }
        self.answer.join_next().await?.ok()
    }
}
