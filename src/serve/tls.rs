//! TLS for both ports, from one certificate and its key.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::error::ServeError;
use super::settings::TlsFiles;

/// What both ports need, checked.
pub(super) struct Tls {
    /// For Flight.
    pub(super) flight: Arc<ServerConfig>,
    /// For HTTP.
    pub(super) http: Arc<ServerConfig>,
}

impl Tls {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// When a file cannot be read, is not what it should be, or the two do not belong together.
    pub(super) fn load(files: &TlsFiles) -> Result<Self, ServeError> {
        let read =
            |path: &Path| std::fs::read(path).map_err(|source| ServeError::File { path: path.to_owned(), source });
        let (cert, key) = (read(&files.cert)?, read(&files.key)?);
        let wrong = |path: &Path, reason: String| ServeError::Tls { path: path.to_owned(), reason };
        let chain = CertificateDer::pem_slice_iter(&cert)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| wrong(&files.cert, format!("is no PEM file: {error}")))?;
        if chain.is_empty() {
            return Err(wrong(&files.cert, "holds no certificate".to_owned()));
        }
        // What the file holds is not repeated: it is a secret.
        let private = PrivateKeyDer::from_pem_slice(&key)
            .map_err(|_| wrong(&files.key, "holds no private key in PEM form".to_owned()))?;
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private))
            .map_err(|error| wrong(&files.cert, format!("cannot be used with {}: {error}", files.key.display())))?;
        let speaking = |protocols: &[&[u8]]| {
            let mut config = config.clone();
            config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
            Arc::new(config)
        };
        Ok(Self { flight: speaking(&[b"h2", b"http/1.1"]), http: speaking(&[b"http/1.1"]) })
    }
}
