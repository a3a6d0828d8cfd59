//! The connection to a Flight server: address, encryption, key, patience.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::{FlightData, FlightDescriptor, FlightInfo, Ticket};
use bytes::Bytes;
use futures::{TryStreamExt, stream};
use tonic::metadata::MetadataValue;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Streaming};

use super::status::{by_url, from_status, from_transport};
use crate::config::{ArizeSettings, Secret};
use crate::error::SourceError;
use crate::http::certificates;

/// Largest message that is read. Spans with long conversations make messages of tens of megabytes; the vendor's own
/// client has no limit, and one that lies about a length must not take all memory.
const MAX_MESSAGE: usize = 512 << 20;
/// What is called, and what is said, where only the REST API is known.
const UNKNOWN: &str = "Flight of Arize";
const NO_FLIGHT: &str =
    "no Flight host of Arize is known beside the REST host: set ARIZE_FLIGHT_HOST; a pull with --rest needs none";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes that may be under way before they are read, for one stream and for all.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;

/// A connection that is made when it is first needed, and made again when it broke.
#[derive(Clone)]
pub(super) struct Connection {
    name: Arc<str>,
    /// `None` where its host is not known.
    client: Option<FlightServiceClient<Channel>>,
    key: Secret,
    /// Whether the server was named by its URL.
    by_url: bool,
    /// How long the server may say nothing.
    pub(super) timeout: Duration,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Connection {
    pub(super) fn new(settings: &ArizeSettings, timeout: Duration) -> Result<Self, SourceError> {
        let (key, by_url) = (settings.key.clone(), settings.by_url);
        let Some(flight) = &settings.flight else {
            return Ok(Self { name: UNKNOWN.into(), client: None, key, by_url, timeout });
        };
        let name: Arc<str> = flight.to_string().into();
        let scheme = if flight.tls { "https" } else { "http" };
        let wrong = |error: &dyn std::fmt::Display| SourceError::Setting(format!("{name}: {error}"));
        let mut endpoint = Endpoint::from_shared(format!("{scheme}://{}:{}", flight.host, flight.port))
            .map_err(|error| wrong(&error))?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_keepalive(Some(Duration::from_secs(30)))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        if flight.tls {
            let tls = ClientTlsConfig::new();
            endpoint = if !settings.verify || flight.host == "localhost" {
                // As the vendor's client does, for servers on one's own machine.
                endpoint.tls_config_with_verifier(tls, Arc::new(TrustAll::default()))
            } else if let Some(file) = &settings.ca_file {
                let pem = certificates(file)?;
                endpoint.tls_config(tls.ca_certificate(Certificate::from_pem(pem)))
            } else {
                endpoint.tls_config(tls.with_native_roots())
            }
            .map_err(|error| wrong(&error))?;
        }
        let client = FlightServiceClient::new(endpoint.connect_lazy())
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE);
        Ok(Self { name, client: Some(client), key, by_url, timeout })
    }

    /// Whether its host is known.
    pub(super) fn is_known(&self) -> bool {
        self.client.is_some()
    }

    fn client(&self) -> Result<FlightServiceClient<Channel>, SourceError> {
        self.client.clone().ok_or_else(|| SourceError::Setting(NO_FLIGHT.to_owned()))
    }

    /// The server's URL.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn key(&self) -> &Secret {
        &self.key
    }

    pub(super) async fn info(&self, descriptor: FlightDescriptor) -> Result<FlightInfo, SourceError> {
        let mut client = self.client()?;
        let call = client.get_flight_info(self.request(descriptor));
        Ok(self.answer(call).await?.into_inner())
    }

    pub(super) async fn get(&self, ticket: Ticket) -> Result<Streaming<FlightData>, SourceError> {
        let mut client = self.client()?;
        let call = client.do_get(self.request(ticket));
        Ok(self.answer(call).await?.into_inner())
    }

    /// Sends one batch by DoPut; gives what the server says of it.
    pub(super) async fn put(
        &self,
        name: &str,
        command: &serde_json::Value,
        batch: &RecordBatch,
    ) -> Result<Bytes, SourceError> {
        let descriptor = FlightDescriptor::new_cmd(command.to_string());
        let batch = Ok::<_, FlightError>(batch.clone());
        let data: Vec<FlightData> = FlightDataEncoderBuilder::new()
            .with_flight_descriptor(Some(descriptor))
            .build(stream::iter([batch]))
            .try_collect()
            .await
            .map_err(|error| SourceError::Setting(format!("{name}: {error}")))?;
        let mut client = self.client()?;
        let call = client.do_put(self.request(stream::iter(data)));
        let mut answers = self.answer(call).await?.into_inner();
        match self.answer(answers.message()).await? {
            Some(answer) => Ok(answer.app_metadata),
            None => Err(SourceError::Protocol {
                endpoint: self.name.to_string(),
                reason: "the server closed DoPut without saying what became of it".to_owned(),
            }),
        }
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let metadata = request.metadata_mut();
        // The key's own bytes: the transport encodes them.
        metadata.insert_bin("auth-token-bin", MetadataValue::from_bytes(self.key.expose().as_bytes()));
        metadata.insert("sdk-language", MetadataValue::from_static("rust"));
        metadata.insert("sdk-package-name", MetadataValue::from_static("spanql"));
        metadata.insert("sdk-version", MetadataValue::from_static(env!("CARGO_PKG_VERSION")));
        request
    }

    /// Waits for the server's answer, but not forever.
    async fn answer<T>(&self, call: impl Future<Output = Result<T, tonic::Status>>) -> Result<T, SourceError> {
        match tokio::time::timeout(self.timeout, call).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(status)) => Err(self.failed(&status)),
            Err(_) => Err(self.silent()),
        }
    }

    fn failed(&self, status: &tonic::Status) -> SourceError {
        use std::error::Error as _;
        let connecting = status.source().and_then(|cause| cause.downcast_ref::<tonic::transport::Error>());
        let error = match connecting {
            Some(error) => from_transport(&self.name, &self.key, error),
            None => from_status(&self.name, &self.key, status),
        };
        if self.by_url { by_url(error) } else { error }
    }

    /// The error of a server that says nothing any more.
    pub(super) fn silent(&self) -> SourceError {
        SourceError::silent(&*self.name, self.timeout)
    }
}

/// Accepts any certificate.
#[derive(Debug)]
struct TrustAll(Arc<rustls::crypto::CryptoProvider>);

impl Default for TrustAll {
    fn default() -> Self {
        Self(Arc::new(rustls::crypto::ring::default_provider()))
    }
}

impl rustls::client::danger::ServerCertVerifier for TrustAll {
    fn verify_server_cert(
        &self,
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &[rustls::pki_types::CertificateDer<'_>],
        _: &rustls::pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &rustls::pki_types::CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &rustls::pki_types::CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
