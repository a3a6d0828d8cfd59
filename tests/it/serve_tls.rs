//! Both ports over TLS, with a certificate of this machine's own.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use spanql::serve::{Server, Settings, TlsFiles, Token};
use spanql::store::Store;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

use super::serve_support::{Flight, KEY, PROJECT, Running};
use super::support::{batch, import, row};

struct Files {
    dir: tempfile::TempDir,
    pem: String,
}

impl Files {
    fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(dir.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        Self { dir, pem: made.cert.pem() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn settings(&self) -> Settings {
        let tls = Some(TlsFiles { cert: self.path("cert.pem"), key: self.path("key.pem") });
        Settings { token: Token::new(KEY), tls, ..Settings::default() }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ports_speak_tls() {
    let files = Files::new();
    let store = Arc::new(Store::open("memory://").unwrap());
    let mut span = row(PROJECT, "t", "s");
    span.insert("start_time".to_owned(), super::support::Cell::Time(super::support::BASE_TIME));
    import(&store, &[batch(&[span])]).await.unwrap();
    let server = Running::start(&store, files.settings()).await;
    assert!(server.ready.flight.starts_with("grpc+tls://127.0.0.1:"), "{}", server.ready.flight);
    assert!(server.ready.http.starts_with("https://127.0.0.1:"), "{}", server.ready.http);

    // Who connects and says nothing holds up nobody.
    let _silent = (
        tokio::net::TcpStream::connect(("127.0.0.1", server.ready.flight_port)).await.unwrap(),
        tokio::net::TcpStream::connect(("127.0.0.1", server.ready.http_port)).await.unwrap(),
    );

    let endpoint = |tls: ClientTlsConfig| {
        let address = format!("https://127.0.0.1:{}", server.ready.flight_port);
        Endpoint::from_shared(address).unwrap().tls_config(tls.domain_name("localhost")).unwrap()
    };
    let trusting = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&files.pem));
    let flight = Flight::new(endpoint(trusting).connect().await.unwrap(), KEY);
    assert_eq!(flight.export(&server.command(json!({}))).await.unwrap().rows(), 1);
    let other = Files::new();
    let strange = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&other.pem));
    assert!(endpoint(strange).connect().await.is_err(), "another certificate is not the server's");

    let root = reqwest::Certificate::from_pem(files.pem.as_bytes()).unwrap();
    let local = ([127, 0, 0, 1], server.ready.http_port).into();
    let client = reqwest::Client::builder().add_root_certificate(root).resolve("localhost", local).build().unwrap();
    let url = format!("https://localhost:{}/v2/spaces", server.ready.http_port);
    let response = client.get(&url).bearer_auth(KEY).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let distrusting = reqwest::Client::builder().resolve("localhost", local).build().unwrap();
    assert!(distrusting.get(&url).send().await.is_err());
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_do_not_fit_are_named() {
    let (files, other) = (Files::new(), Files::new());
    let store = Arc::new(Store::open("memory://").unwrap());
    let cases = [
        (files.path("none.pem"), files.path("key.pem"), "none.pem"),
        (files.path("key.pem"), files.path("key.pem"), "certificate"),
        (files.path("cert.pem"), files.path("cert.pem"), "private key"),
        (files.path("cert.pem"), other.path("key.pem"), "cannot be used with"),
    ];
    for (cert, key, words) in cases {
        let settings = Settings { tls: Some(TlsFiles { cert, key }), ..files.settings() };
        let error = Server::bind(Arc::clone(&store), settings).await.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
