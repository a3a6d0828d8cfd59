//! Requests over gRPC on their way in: what all clients have sent, and not to its end, is bounded, and so is the time that
//! they take.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;
use tonic::Status;
use tonic::codegen::{Service, http};

use super::intake::{Held, Incomplete};
use super::pace::Pace;
use super::refusal::Refusal;

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
        self.service.call(request.map(|body| CountedBody::new(body, held, Pace::begin())))
    }
}

/// The body of a request; what it has brought counts until it has ended, and whoever sends it too slowly is refused.
#[derive(Debug)]
pub(super) struct CountedBody<B> {
    body: Pin<Box<B>>,
    held: Held,
    pace: Pace,
    late: Pin<Box<Sleep>>,
}

impl<B> CountedBody<B> {
    fn new(body: B, held: Held, pace: Pace) -> Self {
        let late = Box::pin(tokio::time::sleep_until(pace.ends()));
        Self { body: Box::pin(body), held, pace, late }
    }
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
        let refused = |refusal: Refusal| Some(Err(Status::from(refusal).into()));
        let this = self.as_mut().get_mut();
        let frame = match this.body.as_mut().poll_frame(context) {
            Poll::Ready(Some(frame)) => frame.map_err(Into::into)?,
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => return this.late.as_mut().poll(context).map(|()| refused(Refusal::too_slow())),
        };
        let bytes = frame.data_ref().map_or(0, Buf::remaining);
        if let Err(refusal) = this.held.add(bytes) {
            return Poll::Ready(refused(refusal));
        }
        this.pace.add(bytes);
        if this.pace.ends() > this.late.deadline() {
            this.late.as_mut().reset(this.pace.ends());
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

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use std::time::Duration;

    use bytes::Bytes;
    use http_body::{Body, Frame};
    use tonic::{Code, Status};

    use super::CountedBody;
    use crate::serve::intake::Intake;
    use crate::serve::pace::Pace;

    /// A body of which so many bytes come at once, and then nothing more.
    struct Stuck(usize);

    impl Body for Stuck {
        type Data = Bytes;
        type Error = tonic::codegen::StdError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            match std::mem::take(&mut self.0) {
                0 => Poll::Pending,
                bytes => Poll::Ready(Some(Ok(Frame::data(vec![0; bytes].into())))),
            }
        }
    }

    async fn ended(bytes: usize, ago: Duration) -> Option<Code> {
        let held = Intake::new(None).incomplete().begin();
        let mut body = CountedBody::new(Stuck(bytes), held, Pace::begun(ago));
        let next = async {
            loop {
                match std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return error.downcast::<Status>().unwrap().code(),
                    None => panic!("it has no end"),
                }
            }
        };
        tokio::time::timeout(Duration::from_millis(200), next).await.ok()
    }

    #[tokio::test]
    async fn who_sends_too_slowly_is_refused() {
        let late = Duration::from_secs(20);
        assert_eq!(ended(0, late).await, Some(Code::DeadlineExceeded));
        assert_eq!(ended(1_000, late).await, Some(Code::DeadlineExceeded));
        assert_eq!(ended(0, Duration::from_secs(10)).await, None, "there is time left");
        assert_eq!(ended(10 * (64 << 10), late).await, None, "what has come gives more time");
    }
}
