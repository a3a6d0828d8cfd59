//! Requests over gRPC on their way in: what all clients have sent, and not to its end, is bounded.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use tonic::Status;
use tonic::codegen::{Service, http};

use super::intake::{Held, Incomplete};

/// A service whose requests are counted while they come in.
#[derive(Debug, Clone)]
pub(super) struct Counted<S> {
    service: S,
    incomplete: Incomplete,
}

impl<S> Counted<S> {
    pub(super) fn new(service: S, incomplete: Incomplete) -> Self {
        Self { service, incomplete }
    }
}

impl<S, B> Service<http::Request<B>> for Counted<S>
where
    S: Service<http::Request<CountedBody<B>>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<B>) -> S::Future {
        let held = self.incomplete.begin();
        self.service.call(request.map(|body| CountedBody { body: Box::pin(body), held }))
    }
}

/// The body of a request; what it has brought counts until it has ended.
#[derive(Debug)]
pub(super) struct CountedBody<B> {
    body: Pin<Box<B>>,
    held: Held,
}

impl<B> Body for CountedBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<tonic::codegen::StdError>,
{
    type Data = Bytes;
    type Error = tonic::codegen::StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(frame) = ready!(self.body.as_mut().poll_frame(context)) else { return Poll::Ready(None) };
        let frame = frame.map_err(Into::into)?;
        let bytes = frame.data_ref().map_or(0, Buf::remaining);
        if let Err(refusal) = self.held.add(bytes) {
            return Poll::Ready(Some(Err(Status::from(refusal).into())));
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
