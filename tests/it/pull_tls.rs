//! Encrypted connections: whom they trust, and what is said when they do not.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use spanql::serve::{Settings, TlsFiles};
use spanql::store::Store;
use tempfile::TempDir;

use super::pull_proxy::{Proxy, Way};
use super::pull_support::{Puller, User, day, empty, rows};
use super::serve_support::Running;
use super::support::{self, assert_same, batch, import};

/// An authority of one's own, and what it has signed.
pub(crate) struct Authority {
    dir: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let dir = TempDir::new().unwrap();
        std::fs::write(dir.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { dir, issuer }
    }

    /// The file of its own certificate.
    pub(crate) fn file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// Settings of a server with a certificate for a name.
    pub(crate) fn settings(&self, name: &str, change: impl Fn(&mut CertificateParams)) -> Settings {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        let place = TempDir::new_in(self.dir.path()).unwrap().keep();
        std::fs::write(place.join("cert.pem"), cert.pem()).unwrap();
        std::fs::write(place.join("key.pem"), key.serialize_pem()).unwrap();
        let tls = Some(TlsFiles { cert: place.join("cert.pem"), key: place.join("key.pem") });
        Settings { tls, ..Settings::default() }
    }
}

/// The variables of a Flight server that speaks TLS.
pub(crate) fn encrypted(port: u16) -> Vec<(&'static str, String)> {
    vec![("ARIZE_FLIGHT_HOST", "127.0.0.1".to_owned()), ("ARIZE_FLIGHT_PORT", port.to_string())]
}

async fn served() -> Arc<Store> {
    let store = empty();
    import(&store, &[batch(&rows(30, 60))]).await.unwrap();
    store
}

#[tokio::test(flavor = "multi_thread")]
async fn only_trusted_servers_are_shown_the_key() {
    let (authority, stranger) = (Authority::new("own"), Authority::new("strange"));
    let store = served().await;
    let expired = |params: &mut CertificateParams| {
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    };
    let good = Running::start(&store, authority.settings("127.0.0.1", |_| {})).await;
    let old = Running::start(&store, authority.settings("127.0.0.1", expired)).await;
    let other = Running::start(&store, authority.settings("flight.example", |_| {})).await;
    let strange = Running::start(&store, stranger.settings("127.0.0.1", |_| {})).await;
    let plain = Running::start(&store, Settings::default()).await;
    let expected = {
        let into = empty();
        Puller::of_port(plain.ready.flight_port).pull(&into, day()).await.unwrap();
        support::dump(&into).await.unwrap()
    };
    let cases = [
        ("expired", &old, "certificate expired", "ARIZE_SSL_CA_CERT"),
        ("another name", &other, "not valid for name", "ARIZE_SSL_CA_CERT"),
        ("an unknown authority", &strange, "UnknownIssuer", "ARIZE_SSL_CA_CERT"),
        ("no encryption", &plain, "corrupt message", "does it expect an unencrypted connection?"),
    ];
    for (what, server, said, help) in cases {
        let proxy = Proxy::start(server.ready.flight_port, Way::Through).await;
        let mut user = User::new(encrypted(proxy.port));
        user.set("ARIZE_SSL_CA_CERT", authority.file().display().to_string());
        let ran = user.pull(&["--errors", "json"]).await;
        assert_eq!(ran.code, Some(1), "{what}: {ran:?}");
        ran.says(
            what,
            &[&format!("grpc+tls://127.0.0.1:{}: ", proxy.port), said, help, "\"code\":\"remote-untrusted\""],
        );
        assert_eq!(proxy.connections(), 1, "{what}: it was tried again");
        // The same with a server that can be trusted.
        proxy.aim(good.ready.flight_port);
        user.pull(&["--require-complete"]).await.succeeded(what);
        assert_same(&user.dump().await, &expected, what);
    }

    // Names and ids go the same way.
    let rest = |server: &Running| {
        let mut user = User::new(encrypted(server.ready.flight_port));
        user.set("ARIZE_API_HOST", format!("127.0.0.1:{}", server.ready.http_port));
        user.set("ARIZE_SSL_CA_CERT", authority.file().display().to_string());
        user
    };
    for (what, server, said) in [("expired", &old, "expired"), ("an unknown authority", &strange, "UnknownIssuer")] {
        let ran = rest(server).pull(&[]).await;
        ran.failed(what, &[&format!("https://127.0.0.1:{}/v2/projects: ", server.ready.http_port), said]);
    }
    let user = rest(&good);
    user.pull(&[]).await.succeeded("REST over TLS");
    assert_same(&user.dump().await, &expected, "REST over TLS");

    // Whoever does not want certificates to be checked gets what they want.
    let mut careless = User::new(encrypted(strange.ready.flight_port));
    careless.set("ARIZE_REQUEST_VERIFY", "false");
    careless.pull(&[]).await.succeeded("unchecked");
    careless.set("ARIZE_REQUEST_VERIFY", "true");
    careless.set("ARIZE_SSL_CA_CERT", "no-such-file.pem");
    careless.pull(&[]).await.failed("no such file", &["no-such-file.pem"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_wants_encryption_is_recognised() {
    let authority = Authority::new("own");
    let server = Running::start(&served().await, authority.settings("127.0.0.1", |_| {})).await;
    let user = User::of_port(server.ready.flight_port);
    let ran = user.pull(&[]).await;
    ran.failed("plaintext", &[&format!("grpc://127.0.0.1:{}: ", server.ready.flight_port), "ARIZE_FLIGHT_SCHEME"]);
}
