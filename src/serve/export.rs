//! `TraceService/Export` of OTLP over gRPC.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, Bytes};
use futures::future::BoxFuture;
use http_body::Body;
use prost::Message;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EnabledCompressionEncodings, EncodeBuf, Encoder};
use tonic::codegen::{Service, StdError, http};
use tonic::server::{Grpc, UnaryService};
use tonic::{Code, Request, Response, Status};

use super::access::to_write;
use super::backend::Backend;
use super::incoming::peer;
use super::messages::Exported;
use super::otlp;
use super::refusal::Refusal;
use spanql_sources::files::OtlpEncoding;

/// The path of the service.
pub(super) const PATH: &str = "/opentelemetry.proto.collector.";
const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Answers exporters of OpenTelemetry.
#[derive(Debug, Clone)]
pub(super) struct Exports(pub(super) Arc<Backend>);

impl<B> Service<http::Request<B>> for Exports
where
    B: Body + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = std::convert::Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let backend = Arc::clone(&self.0);
        Box::pin(async move {
            if request.uri().path() != EXPORT {
                return Ok(Status::unimplemented("only traces are taken: metrics and logs are not").into_http());
            }
            let mut gzip = EnabledCompressionEncodings::default();
            gzip.enable(CompressionEncoding::Gzip);
            let mut grpc = Grpc::new(Messages)
                .apply_compression_config(gzip, EnabledCompressionEncodings::default())
                .apply_max_message_size_config(Some(backend.intake().most()), None);
            let most = backend.intake().most();
            let response = grpc.unary(Exporter(backend), request).await;
            // What is called out of range, exporters send again and again.
            let refused = Status::from_header_map(response.headers());
            match refused.is_some_and(|status| status.code() == Code::OutOfRange) {
                true => Ok(Status::from(Refusal::too_large(most)).into_http()),
                false => Ok(response),
            }
        })
    }
}

struct Exporter(Arc<Backend>);

impl UnaryService<Bytes> for Exporter {
    type Response = Exported;
    type Future = BoxFuture<'static, Result<Response<Exported>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let backend = Arc::clone(&self.0);
        Box::pin(async move {
            to_write(request.extensions())?;
            let peer = peer(request.extensions())?;
            let _busy = peer.busy();
            let _admitted = backend.intake().admit(peer.address()).await?;
            Ok(Response::new(otlp::take(&backend, request.into_inner(), OtlpEncoding::Protobuf, &peer).await?))
        })
    }
}

/// Requests as their bytes, which are read as those over HTTP are.
#[derive(Debug, Clone, Copy)]
struct Messages;

impl Codec for Messages {
    type Encode = Exported;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Messages {
    type Item = Exported;
    type Error = Status;

    fn encode(&mut self, item: Exported, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item.encode_to_vec());
        Ok(())
    }
}

impl Decoder for Messages {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
