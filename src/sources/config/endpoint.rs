//! One URL that says where a server is, instead of settings.

use std::str::FromStr;

use reqwest::Url;

use super::environment::Environment;
use super::names::About;
use super::vendors::VENDORS;

/// The key that is shown to a server that was named by its URL, where no variable says one: a server without keys takes any.
const ANY_KEY: &str = "none";
/// Variables that name a server of another place than its hosts.
const OF_HOSTS: [&str; 1] = ["ARIZE_SPACE_ID"];

/// Where a server is: the URL that `spanql serve` prints, or that of a remote's REST API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    host: String,
    port: Option<u16>,
    tls: bool,
    grpc: bool,
    /// As it was typed, without a slash at its end.
    text: String,
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim().trim_end_matches('/');
        let write = "write what `spanql serve` prints, such as grpc://127.0.0.1:4711, or https://host of a REST API";
        let (scheme, rest) = text.split_once("://").ok_or(write)?;
        let (grpc, tls) = match scheme.to_ascii_lowercase().as_str() {
            "grpc" | "grpc+tcp" => (true, false),
            "grpcs" | "grpc+tls" => (true, true),
            "http" => (false, false),
            "https" => (false, true),
            _ => return Err(write.to_owned()),
        };
        let url = Url::parse(&format!("{}://{rest}", if tls { "https" } else { "http" })).map_err(|_| write)?;
        // Whoever looks at the list of processes would see it.
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a key does not belong into a URL: set ARIZE_API_KEY".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() || grpc && url.path() != "/" {
            return Err(write.to_owned());
        }
        let host = url.host_str().ok_or(write)?.to_owned();
        Ok(Self { host, port: url.port(), tls, grpc, text: text.to_owned() })
    }
}

impl Endpoint {
    /// Whether only a REST API is known to be there.
    pub fn is_rest(&self) -> bool {
        !self.grpc
    }

    /// What the process was started with, but for this server in place of all that says where remotes are.
    ///
    /// Nothing of files counts: a key in them is for another server.
    pub fn instead_of_hosts(&self, environment: &Environment) -> Environment {
        let names = VENDORS.iter().flat_map(|vendor| vendor.names);
        let of_hosts = names.filter(|name| {
            // How certificates are checked, the user says of any server.
            let of_trust = ["request_verify", "ssl_ca_cert", "check_tls_certificate"].contains(&name.name);
            matches!(name.about, About::Host | About::Way) && !of_trust
        });
        let gone = of_hosts.flat_map(|name| name.variables).copied().chain(OF_HOSTS);
        let port = self.port.unwrap_or(if self.tls { 443 } else { 80 }).to_string();
        let (flight, api) = if self.tls { ("grpc+tls", "https") } else { ("grpc+tcp", "http") };
        let mut set = vec![
            ("ARIZE_FLIGHT_HOST", self.host.as_str()),
            ("ARIZE_FLIGHT_PORT", &port),
            ("ARIZE_FLIGHT_SCHEME", flight),
            ("ARIZE_API_HOST", &self.host),
            ("ARIZE_API_PORT", &port),
            ("ARIZE_API_SCHEME", api),
            ("PHOENIX_COLLECTOR_ENDPOINT", &self.text),
            ("OPIK_URL_OVERRIDE", &self.text),
        ];
        if environment.get("ARIZE_API_KEY").is_none() {
            set.push(("ARIZE_API_KEY", ANY_KEY));
        }
        let mut changed = environment.but(gone, &set);
        (changed.home, changed.config, changed.working) = (None, None, None);
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;
    use crate::config::{ArizeSettings, Environment};

    #[test]
    fn a_server_is_named_by_its_url() {
        let environment = Environment::with(&[
            ("ARIZE_REGION", "US"),
            ("ARIZE_API_PORT", "7"),
            ("ARIZE_SPACE_ID", "elsewhere"),
            ("ARIZE_REQUEST_VERIFY", "false"),
        ]);
        for (text, flight, api) in [
            ("grpc://127.0.0.1:4711", "grpc://127.0.0.1:4711", "http://127.0.0.1:4711"),
            ("grpc+tls://host:1/", "grpc+tls://host:1", "https://host:1"),
            ("GRPCS://host", "grpc+tls://host:443", "https://host:443"),
            ("http://[::1]:8080", "grpc://[::1]:8080", "http://[::1]:8080"),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            let settings = ArizeSettings::find(&endpoint.instead_of_hosts(&environment), None).unwrap();
            assert_eq!(settings.flight.unwrap().to_string(), flight);
            assert_eq!(settings.api.as_deref(), Some(api));
            assert_eq!((settings.space, settings.verify, settings.key.expose()), (None, false, "none"));
        }
        let with_key = Environment::with(&[("ARIZE_API_KEY", "mine")]);
        let endpoint: Endpoint = "grpc://h:1".parse().unwrap();
        let settings = ArizeSettings::find(&endpoint.instead_of_hosts(&with_key), None).unwrap();
        assert_eq!(settings.key.expose(), "mine");
        for wrong in ["127.0.0.1:4711", "ftp://h", "grpc://", "grpc://h/path", "http://u:secret@h", "https://h?x=1"] {
            let error = wrong.parse::<Endpoint>().unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
