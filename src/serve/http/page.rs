//! Pages as they are written: small ones whole, others in pieces while they are fetched.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};

use super::noted::Noted;
use super::problem::Problem;
use crate::serve::backend::Backend;
use crate::serve::connections::Peer;
use crate::serve::outlet::{self, Outlet};
use crate::serve::refusal::Refusal;

/// Bytes of a piece; an answer that has no more comes whole.
const PIECE: usize = 512 << 10;

/// A part of an answer.
pub(super) struct Part {
    text: Vec<u8>,
    /// Whether nothing comes before it and nothing behind.
    whole: bool,
    /// What the log says of the answer.
    note: String,
}

/// The text of an answer while it is made.
pub(super) struct Page {
    out: Outlet<Part>,
    text: Vec<u8>,
    sent: usize,
    note: String,
}

impl Page {
    /// Adds text.
    ///
    /// # Errors
    /// When the client has gone, or takes nothing.
    pub(super) async fn push(&mut self, text: &str) -> Result<(), Refusal> {
        self.text.extend_from_slice(text.as_bytes());
        if self.text.len() > PIECE {
            let text = std::mem::take(&mut self.text);
            self.sent += text.len();
            self.out.send(Part { text, whole: false, note: self.note.clone() }).await?;
        }
        Ok(())
    }

    /// What the log says of the answer; once it is being sent, that is not changed any more.
    pub(super) fn note(&mut self, note: String) {
        self.note = note;
    }

    /// How many bytes it has so far.
    pub(super) fn bytes(&self) -> usize {
        self.sent + self.text.len()
    }

    /// Does something that takes time, unless the client goes meanwhile.
    pub(super) async fn unless_gone<R>(&self, work: impl Future<Output = Result<R, Refusal>>) -> Result<R, Refusal> {
        self.out.unless_gone(work).await.flatten()
    }

    /// Who reads it.
    pub(super) fn peer(&self) -> &Peer {
        self.out.peer()
    }

    async fn end(self) -> Result<(), Refusal> {
        self.out.send(Part { text: self.text, whole: self.sent == 0, note: self.note }).await?;
        self.out.end().await
    }
}

/// Answers with a page, written by a query on a thread of its own.
pub(super) async fn answer<F>(
    backend: Arc<Backend>,
    peer: Arc<Peer>,
    write: impl FnOnce(Arc<Backend>, Page) -> F + Send + 'static,
) -> Result<Response, Problem>
where
    F: Future<Output = Result<Page, Refusal>>,
{
    let busy = peer.busy();
    let mut parts = outlet::run(&backend, peer, |backend, out| async move {
        let page = Page { out, text: Vec::new(), sent: 0, note: String::new() };
        write(backend, page).await?.end().await
    });
    let first = match parts.next().await {
        Some(first) => first?,
        None => return Err(Refusal::internal("there is no answer").into()),
    };
    let mut response = if first.whole {
        first.text.into_response()
    } else {
        let rest = parts.map(move |part| {
            // The client sees that the answer ends too soon.
            let _busy = &busy;
            part.map(|part| Bytes::from(part.text)).map_err(|refusal| {
                backend.log(|| format!("HTTP an answer was cut: {}", refusal.message));
                std::io::Error::other(refusal.message)
            })
        });
        Body::from_stream(stream::iter([Ok(Bytes::from(first.text))]).chain(rest)).into_response()
    };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.extensions_mut().insert(Noted(first.note));
    Ok(response)
}
