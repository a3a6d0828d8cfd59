//! Spans that exporters of OpenTelemetry send over gRPC.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes};
use spanql::serve::{Settings, Token};
use spanql::store::Store;
use tonic::client::Grpc;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Endpoint;
use tonic::{Code, Request, Status};

use super::serve_support::{KEY, Running};

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Messages as their bytes.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
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

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

fn within(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut length = bytes.len();
    let mut out = vec![number << 3 | 2];
    while length >= 128 {
        out.push((length % 128 + 128) as u8);
        length /= 128;
    }
    out.push(length as u8);
    out.extend_from_slice(bytes);
    out
}

/// A request with spans of these ids.
fn request(ids: &[[u8; 8]]) -> Vec<u8> {
    let span = |id: &[u8; 8]| within(2, &[within(1, &[1; 16]), within(2, id), within(5, b"name")].concat());
    within(1, &within(2, &ids.iter().map(span).collect::<Vec<_>>().concat()))
}

async fn send(
    server: &Running,
    path: &'static str,
    metadata: &[(&'static str, &str)],
    body: Vec<u8>,
    gzip: bool,
) -> Result<Bytes, Status> {
    let endpoint = Endpoint::from_shared(server.ready.flight.replace("grpc://", "http://")).unwrap();
    let host = metadata.iter().find(|(name, _)| *name == "host");
    let endpoint = match host {
        Some((_, host)) => endpoint.origin(format!("http://{host}").parse().unwrap()),
        None => endpoint,
    };
    let mut client = Grpc::new(endpoint.connect().await.unwrap());
    if gzip {
        client = client.send_compressed(CompressionEncoding::Gzip);
    }
    client.ready().await.unwrap();
    let mut request = Request::new(Bytes::from(body));
    for (name, value) in metadata.iter().filter(|(name, _)| *name != "host") {
        request.metadata_mut().insert(*name, value.parse().unwrap());
    }
    Ok(client.unary(request, PathAndQuery::from_static(path), Raw).await?.into_inner())
}

async fn served(settings: Settings) -> (Arc<Store>, Running) {
    let store = Arc::new(Store::open("memory://").unwrap());
    let server = Running::start(&store, settings).await;
    (store, server)
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_are_taken_in_every_way_that_a_key_is_shown() {
    let (store, server) = served(Settings { token: Token::new(KEY), ..Settings::default() }).await;
    let bearer = format!("Bearer {KEY}");
    for (number, (metadata, gzip)) in
        [([("authorization", bearer.as_str())], false), ([("api_key", KEY)], true), ([("authorization", KEY)], true)]
            .into_iter()
            .enumerate()
    {
        let taken = send(&server, EXPORT, &metadata, request(&[[number as u8 + 1; 8]]), gzip).await.unwrap();
        assert!(taken.is_empty(), "{taken:?}");
        assert_eq!(store.snapshot().await.unwrap().manifest.rows(), number as u64 + 1);
    }
    // One of two has no id, and the other is taken.
    let partial = send(&server, EXPORT, &[("api_key", KEY)], request(&[[9; 8], [0; 8]]), false).await.unwrap();
    assert_eq!(partial[..1], [0x0a], "a partial success");
    assert_eq!(store.snapshot().await.unwrap().manifest.rows(), 4);
    let manifest = store.snapshot().await.unwrap().manifest;
    assert!(manifest.segments.iter().all(|segment| segment.project == "default"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_to_be_taken_is_refused() {
    let settings = Settings {
        token: Token::new("to-read"),
        write_token: Token::new(KEY),
        memory_limit: Some(64 << 20),
        ..Settings::default()
    };
    let (store, server) = served(settings).await;
    let good = request(&[[7; 8]]);
    let large = request(&vec![[7; 8]; 120_000]);
    let bomb = vec![0; 32 << 20];
    let key = [("api_key", KEY)];
    for (path, metadata, body, gzip, code) in [
        (EXPORT, &[][..], &good, false, Code::Unauthenticated),
        (EXPORT, &[("api_key", "x")], &good, false, Code::Unauthenticated),
        (EXPORT, &[("api_key", "to-read")], &good, false, Code::PermissionDenied),
        (EXPORT, &[("api_key", KEY), ("origin", "http://evil.example")], &good, false, Code::PermissionDenied),
        (EXPORT, &[("api_key", KEY), ("origin", "null")], &good, false, Code::PermissionDenied),
        ("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", &key, &good, false, Code::Unimplemented),
        (EXPORT, &key, &b"hello".to_vec(), false, Code::InvalidArgument),
        (EXPORT, &key, &good[..good.len() - 1].to_vec(), false, Code::InvalidArgument),
        (EXPORT, &key, &good[..good.len() - 1].to_vec(), true, Code::InvalidArgument),
        (EXPORT, &key, &large, false, Code::ResourceExhausted),
        (EXPORT, &key, &bomb, true, Code::ResourceExhausted),
    ] {
        let status = send(&server, path, metadata, body.clone(), gzip).await.unwrap_err();
        assert_eq!(status.code(), code, "{metadata:?} {} bytes: {status}", body.len());
        assert!(!status.message().contains(KEY), "{status}");
    }
    assert_eq!(store.snapshot().await.unwrap().manifest.version, 0, "something was written");
    send(&server, EXPORT, &key, good, false).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_keys_only_programs_of_this_machine_write() {
    let (store, server) = served(Settings::default()).await;
    let good = request(&[[7; 8]]);
    for metadata in
        [&[("host", "evil.example")][..], &[("origin", "http://evil.example")], &[("origin", "http://localhost:1")]]
    {
        let status = send(&server, EXPORT, metadata, good.clone(), false).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{metadata:?}: {status}");
    }
    assert_eq!(store.snapshot().await.unwrap().manifest.version, 0, "something was written");
    send(&server, EXPORT, &[("host", "localhost:4317")], good, false).await.unwrap();
    assert_eq!(store.snapshot().await.unwrap().manifest.rows(), 1);
}
