//! How Arize is reached: hosts, keys and certificates, by the settings of its own tools.

use std::path::PathBuf;

use serde::Deserialize;

use super::environment::{Environment, Variables};
use super::secret::Secret;
use super::{ConfigError, file};

const API_HOST: &str = "api.arize.com";
const FLIGHT_HOST: &str = "flight.arize.com";
const FLIGHT_PORT: u16 = 443;
/// With this, the names of variables begin.
const PREFIX: &str = "ARIZE_";
/// Regions by their names, and the short names that `ax` takes for some.
const REGIONS: [(&str, &str); 7] = [
    ("us-central-1a", "us-central-1a"),
    ("us-east-1b", "us-east-1b"),
    ("eu-west-1a", "eu-west-1a"),
    ("ca-central-1a", "ca-central-1a"),
    ("us", "us-east-1b"),
    ("eu", "eu-west-1a"),
    ("ca", "ca-central-1a"),
];

/// Everything needed to call Arize.
#[derive(Debug, Clone)]
pub struct ArizeSettings {
    /// The API key.
    pub key: Secret,
    /// Where Flight is.
    pub flight: FlightEndpoint,
    /// URL of the REST API without a slash at its end; `None` when only the host of Flight is known, because a key
    /// for that host must not go to another.
    pub api: Option<String>,
    /// The space as it was set: a name or an id.
    pub space: Option<String>,
    /// Whether certificates are checked.
    pub verify: bool,
    /// File of certificates that are trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
}

/// Where a Flight server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlightEndpoint {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether the connection is encrypted.
    pub tls: bool,
}

impl std::fmt::Display for FlightEndpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}:{}", if self.tls { "grpc+tls" } else { "grpc" }, self.host, self.port)
    }
}

/// Settings as one place gives them.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Given {
    api_key: Option<String>,
    /// Only `api-key` is understood; other methods have no key.
    auth_method: Option<String>,
    space: Option<String>,
    region: Option<String>,
    single_host: Option<String>,
    single_port: Option<Port>,
    base_domain: Option<String>,
    api_host: Option<String>,
    api_scheme: Option<String>,
    api_port: Option<Port>,
    flight_host: Option<String>,
    flight_scheme: Option<String>,
    flight_port: Option<Port>,
    request_verify: Option<Flag>,
    ssl_ca_cert: Option<String>,
}

/// A port as a number or as text.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Port {
    Number(u32),
    Text(String),
}

/// A boolean as one or as text.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Flag {
    Bool(bool),
    Text(String),
}

impl Port {
    fn number(&self, place: &str) -> Result<Option<u16>, ConfigError> {
        let number = match self {
            Self::Number(number) => u16::try_from(*number).ok(),
            Self::Text(text) => text.parse().ok(),
        };
        match number {
            Some(0) => Ok(None),
            Some(port) => Ok(Some(port)),
            None => Err(wrong(place, "a port is a number up to 65535")),
        }
    }
}

impl Flag {
    fn value(&self, place: &str) -> Result<bool, ConfigError> {
        match self {
            Self::Bool(value) => Ok(*value),
            Self::Text(text) => match text.to_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Ok(true),
                "false" | "0" | "no" | "off" => Ok(false),
                _ => Err(wrong(place, "write true or false")),
            },
        }
    }
}

fn wrong(place: &str, reason: &str) -> ConfigError {
    ConfigError::Value { place: place.to_owned(), reason: reason.to_owned() }
}

/// Whether a host, which may carry a port, is one of Arize's own.
fn is_vendors(host: &str) -> bool {
    let host = host.split(':').next().unwrap_or_default();
    host == "arize.com" || host.ends_with(".arize.com")
}

impl Given {
    /// The names of all settings.
    pub(super) const NAMES: [&str; 15] = [
        "api_key",
        "auth_method",
        "space",
        "region",
        "single_host",
        "single_port",
        "base_domain",
        "api_host",
        "api_scheme",
        "api_port",
        "flight_host",
        "flight_scheme",
        "flight_port",
        "request_verify",
        "ssl_ca_cert",
    ];

    fn of_variables(variables: &Variables) -> Self {
        let text = |name: &str| variables.get(name).map(str::to_owned);
        let port = |name: &str| text(name).map(Port::Text);
        Self {
            api_key: text("ARIZE_API_KEY"),
            auth_method: None,
            space: text("ARIZE_SPACE_ID"),
            region: text("ARIZE_REGION"),
            single_host: text("ARIZE_SINGLE_HOST"),
            single_port: port("ARIZE_SINGLE_PORT"),
            base_domain: text("ARIZE_BASE_DOMAIN"),
            api_host: text("ARIZE_API_HOST"),
            api_scheme: text("ARIZE_API_SCHEME"),
            api_port: port("ARIZE_API_PORT"),
            flight_host: text("ARIZE_FLIGHT_HOST"),
            flight_scheme: text("ARIZE_FLIGHT_SCHEME"),
            flight_port: port("ARIZE_FLIGHT_PORT"),
            request_verify: text("ARIZE_REQUEST_VERIFY").map(Flag::Text),
            ssl_ca_cert: ["ARIZE_SSL_CA_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"].into_iter().find_map(text),
        }
    }

    /// These settings, and the other's where these say nothing.
    ///
    /// How a host is reached, and whether its certificate is checked, belongs to the host: the first place that names
    /// one counts alone for all of that.
    pub(super) fn or(self, other: Self) -> Self {
        let other = if self.names_a_host() { other.without_hosts() } else { other };
        Self {
            api_key: self.api_key.or(other.api_key),
            auth_method: self.auth_method.or(other.auth_method),
            space: self.space.or(other.space),
            region: self.region.or(other.region),
            single_host: self.single_host.or(other.single_host),
            single_port: self.single_port.or(other.single_port),
            base_domain: self.base_domain.or(other.base_domain),
            api_host: self.api_host.or(other.api_host),
            api_scheme: self.api_scheme.or(other.api_scheme),
            api_port: self.api_port.or(other.api_port),
            flight_host: self.flight_host.or(other.flight_host),
            flight_scheme: self.flight_scheme.or(other.flight_scheme),
            flight_port: self.flight_port.or(other.flight_port),
            request_verify: self.request_verify.or(other.request_verify),
            ssl_ca_cert: self.ssl_ca_cert.or(other.ssl_ca_cert),
        }
    }

    /// Whether requests go where this place says.
    pub(super) fn names_a_host(&self) -> bool {
        self.names_all_hosts() || self.api_host.is_some() || self.flight_host.is_some()
    }

    pub(super) fn has_key(&self) -> bool {
        self.api_key.is_some()
    }

    fn names_all_hosts(&self) -> bool {
        self.region.is_some() || self.single_host.is_some() || self.single_port.is_some() || self.base_domain.is_some()
    }

    /// Without anything that says where requests go, or whom to trust.
    fn without_hosts(self) -> Self {
        Self { api_key: self.api_key, auth_method: self.auth_method, space: self.space, ..Self::default() }
    }

    /// With variables put in for `${NAME}`.
    pub(super) fn expanded(mut self, environment: &Environment, place: &str) -> Result<Self, ConfigError> {
        let texts = [
            &mut self.api_key,
            &mut self.space,
            &mut self.region,
            &mut self.single_host,
            &mut self.base_domain,
            &mut self.api_host,
            &mut self.api_scheme,
            &mut self.flight_host,
            &mut self.flight_scheme,
            &mut self.ssl_ca_cert,
        ];
        for text in texts {
            if let Some(value) = text.take() {
                let value = environment.expanded(place, &value)?;
                *text = Some(value).filter(|value| !value.trim().is_empty());
            }
        }
        for port in [&mut self.single_port, &mut self.api_port, &mut self.flight_port] {
            if let Some(Port::Text(text)) = port {
                let text = environment.expanded(place, text)?;
                *port = (!text.trim().is_empty()).then_some(Port::Text(text));
            }
        }
        if let Some(Flag::Text(text)) = &self.request_verify {
            self.request_verify = Some(Flag::Text(environment.expanded(place, text)?));
        }
        Ok(self)
    }

    fn settle(self) -> Result<ArizeSettings, ConfigError> {
        if self.auth_method.as_deref().is_some_and(|method| method != "api-key") && self.api_key.is_none() {
            return Err(ConfigError::Missing(
                "the profile of ax signs in without an API key, which spanql needs: set ARIZE_API_KEY".to_owned(),
            ));
        }
        let key = self.api_key.as_deref().map(Secret::new).filter(|key| !key.is_empty()).ok_or_else(|| {
            ConfigError::Missing(
                "no API key for Arize: set ARIZE_API_KEY, or api_key in a profile of config.toml or of ax".to_owned(),
            )
        })?;
        let chosen = [
            ("region", self.region.is_some()),
            ("single_host or single_port", self.single_host.is_some() || self.single_port.is_some()),
            ("base_domain", self.base_domain.is_some()),
        ];
        let chosen: Vec<&str> = chosen.iter().filter(|(_, set)| *set).map(|(name, _)| *name).collect();
        if let [first, second, ..] = chosen.as_slice() {
            return Err(wrong("Arize hosts", &format!("{first} and {second} are both set, and each names all hosts")));
        }
        let port = |port: &Option<Port>, place: &str| port.as_ref().map_or(Ok(None), |port| port.number(place));
        let single_port = port(&self.single_port, "single_port")?;
        let mut flight_port = port(&self.flight_port, "flight_port")?.or(single_port);
        let mut api_port = port(&self.api_port, "api_port")?.or(single_port);
        // A key that was given for one host is not sent to the vendor's own.
        let own = |host: &Option<String>| host.as_ref().is_some_and(|host| !is_vendors(host));
        let only_flight = own(&self.flight_host) && self.api_host.is_none() && !self.names_all_hosts();
        if own(&self.api_host) && self.flight_host.is_none() && !self.names_all_hosts() {
            let what = "a host for the REST API of Arize is set (api_host) and none for Flight: set ARIZE_FLIGHT_HOST";
            return Err(ConfigError::Missing(what.to_owned()));
        }
        let (flight_host, api_host) = if let Some(region) = &self.region {
            let known = REGIONS.iter().find(|(name, _)| name.eq_ignore_ascii_case(region)).map(|(_, region)| region);
            let region = known.ok_or_else(|| {
                let names: Vec<&str> = REGIONS[..4].iter().map(|(name, _)| *name).collect();
                wrong("Arize region", &format!("there is no {region}; regions are {}", names.join(", ")))
            })?;
            (flight_port, api_port) = (None, None);
            (format!("flight.{region}.arize.com"), format!("api.{region}.arize.com"))
        } else if let Some(domain) = &self.base_domain {
            (format!("flight.{domain}"), format!("api.{domain}"))
        } else if let Some(host) = &self.single_host {
            (host.clone(), host.clone())
        } else {
            let host = |host: Option<String>, default: &str| host.unwrap_or_else(|| default.to_owned());
            (host(self.flight_host, FLIGHT_HOST), host(self.api_host, API_HOST))
        };
        let tls = match self.flight_scheme.as_deref() {
            None | Some("grpc+tls") => true,
            Some("grpc" | "grpc+tcp") => false,
            Some(other) => {
                return Err(wrong("flight_scheme", &format!("{other} is none of grpc+tls, grpc+tcp and grpc")));
            }
        };
        let scheme = match self.api_scheme.as_deref() {
            None => "https",
            Some(scheme @ ("http" | "https")) => scheme,
            Some(other) => return Err(wrong("api_scheme", &format!("{other} is neither http nor https"))),
        };
        let api = match api_port {
            Some(port) => format!("{scheme}://{api_host}:{port}"),
            None => format!("{scheme}://{api_host}"),
        };
        Ok(ArizeSettings {
            key,
            flight: FlightEndpoint { host: flight_host, port: flight_port.unwrap_or(FLIGHT_PORT), tls },
            api: (!only_flight).then_some(api),
            space: self.space,
            verify: self.request_verify.map_or(Ok(true), |flag| flag.value("request_verify"))?,
            ca_file: self.ssl_ca_cert.map(PathBuf::from),
        })
    }
}

impl ArizeSettings {
    /// Finds the settings, with those of a profile of `config.toml` if one is named.
    ///
    /// # Errors
    /// When a file cannot be read, a value cannot be what it is, or there is no key.
    pub fn find(environment: &Environment, profile: Option<&str>) -> Result<Self, ConfigError> {
        let found = Given::of_variables(environment.variables()).or(file::own(environment, profile)?);
        // What cannot be read is an error where something of it would count.
        let enough = found.has_key() && found.names_a_host();
        let unread = |error| if enough { Ok(Given::default()) } else { Err(error) };
        let found = found.or(file::ax(environment).or_else(unread)?);
        let dot_env = Given::of_variables(&environment.dot_env(PREFIX).or_else(|error| match found.has_key() {
            true => Ok(Variables::default()),
            false => Err(error),
        })?);
        let dot_env = if found.has_key() { dot_env.without_hosts() } else { dot_env };
        found.or(dot_env).settle()
    }
}

#[cfg(test)]
mod tests;
