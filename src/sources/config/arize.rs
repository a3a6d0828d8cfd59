//! How Arize is reached: hosts, keys and certificates, by the settings of its own tools.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::environment::{ENDPOINT, Environment};
use super::given::Given;
use super::names::{About, Kind, Name, ShownSetting};
use super::secret::Secret;
use super::vendor::{Found, Vendor};
use super::{ConfigError, file};
use spanql_model::paths::home_path;

/// The settings of Arize, by the names of its own tools.
pub(super) static VENDOR: Vendor = Vendor {
    name: "arize",
    prefix: "ARIZE_",
    names: &[
        Name::new("api_key", Kind::Text, About::Key, &["ARIZE_API_KEY"]),
        // Only `api-key` is understood; other methods have no key.
        Name::new("auth_method", Kind::Text, About::Tool, &[]),
        Name::new("space", Kind::Text, About::User, &["ARIZE_SPACE_ID"]),
        Name::new("region", Kind::Text, About::Host, &["ARIZE_REGION"]),
        Name::new("single_host", Kind::Text, About::Host, &["ARIZE_SINGLE_HOST"]),
        Name::new("single_port", Kind::Port, About::Host, &["ARIZE_SINGLE_PORT"]),
        Name::new("base_domain", Kind::Text, About::Host, &["ARIZE_BASE_DOMAIN"]),
        Name::new("api_host", Kind::Text, About::Host, &["ARIZE_API_HOST"]),
        Name::new("api_scheme", Kind::Text, About::Way, &["ARIZE_API_SCHEME"]),
        Name::new("api_port", Kind::Port, About::Way, &["ARIZE_API_PORT"]),
        Name::new("flight_host", Kind::Text, About::Host, &["ARIZE_FLIGHT_HOST"]),
        Name::new("flight_scheme", Kind::Text, About::Way, &["ARIZE_FLIGHT_SCHEME"]),
        Name::new("flight_port", Kind::Port, About::Way, &["ARIZE_FLIGHT_PORT"]),
        Name::new("request_verify", Kind::Flag, About::Way, &["ARIZE_REQUEST_VERIFY"]),
        Name::new("ssl_ca_cert", Kind::Text, About::Way, &["ARIZE_SSL_CA_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"]),
    ],
    of_tools: ax,
    places,
};

const API_HOST: &str = "api.arize.com";
const FLIGHT_HOST: &str = "flight.arize.com";
const FLIGHT_PORT: u16 = 443;
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
    /// Where Flight is; `None` when only the host of the REST API is known, for the same reason.
    pub flight: Option<FlightEndpoint>,
    /// URL of the REST API without a slash at its end; `None` when only the host of Flight is known, because a key
    /// for that host must not go to another.
    pub api: Option<String>,
    /// The space as it was set: a name or an id.
    pub space: Option<String>,
    /// Whether certificates are checked.
    pub verify: bool,
    /// File of certificates that are trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Whether the server was named by its URL, so that no setting says where it is.
    pub by_url: bool,
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

/// What was found of the settings of Arize, and where.
#[derive(Debug, Clone)]
pub struct FoundArize(Found);

/// Whether a host, which may carry a port, is one of Arize's own.
fn is_vendors(host: &str) -> bool {
    let host = host.split(':').next().unwrap_or_default();
    host == "arize.com" || host.ends_with(".arize.com")
}

fn wrong(place: &str, reason: &str) -> ConfigError {
    ConfigError::Value { place: place.to_owned(), reason: reason.to_owned() }
}

impl FoundArize {
    /// Looks in all places, with a profile of `config.toml` if one is named.
    ///
    /// # Errors
    /// When a file cannot be read that may say something that counts.
    pub fn find(environment: &Environment, profile: Option<&str>) -> Result<Self, ConfigError> {
        VENDOR.find(environment, profile).map(Self)
    }

    /// All settings in a fixed order.
    pub fn shown(&self) -> Vec<ShownSetting> {
        self.0.shown()
    }

    /// Whether there is a key.
    pub fn has_key(&self) -> bool {
        self.0.has_key()
    }

    /// Where Flight is, and the URL of the REST API, as far as they are known.
    ///
    /// # Errors
    /// When a value cannot be what it is.
    pub fn endpoints(&self) -> Result<(Option<FlightEndpoint>, Option<String>), ConfigError> {
        endpoints(self.0.given())
    }

    /// Where the choice of hosts comes from; `None` when nothing names one.
    pub fn origin_of_hosts(&self) -> Option<&str> {
        origin_of_hosts(self.0.given())
    }

    /// What follows from them.
    ///
    /// # Errors
    /// When a value cannot be what it is, or there is no key.
    pub fn settle(&self) -> Result<ArizeSettings, ConfigError> {
        let given = self.0.given();
        let other_method = given.get("auth_method").is_some_and(|method| method != "api-key");
        if other_method && !given.has_key() {
            return Err(ConfigError::Missing(
                "the profile of ax signs in without an API key, which spanql needs: set ARIZE_API_KEY".to_owned(),
            ));
        }
        let key = given.get("api_key").map(Secret::new).filter(|key| !key.is_empty()).ok_or_else(|| {
            ConfigError::Missing(
                "no API key for Arize: set ARIZE_API_KEY, or api_key in a profile of config.toml or of ax".to_owned(),
            )
        })?;
        let (flight, api) = endpoints(given)?;
        Ok(ArizeSettings {
            key,
            flight,
            api,
            space: given.get("space").map(str::to_owned),
            verify: given.flag("request_verify")?.unwrap_or(true),
            ca_file: given.get("ssl_ca_cert").map(|file| home_path(Path::new(file))),
            by_url: given.setting("api_host").is_some_and(|setting| setting.origin == ENDPOINT),
        })
    }
}

fn names_all_hosts(given: &Given) -> bool {
    ["region", "single_host", "single_port", "base_domain"].iter().any(|name| given.has(name))
}

/// Where the choice of hosts comes from; `None` when nothing names one.
fn origin_of_hosts(given: &Given) -> Option<&str> {
    let names = ["region", "base_domain", "single_host", "single_port", "flight_host", "api_host"];
    names.iter().find_map(|name| Some(given.setting(name)?.origin.as_str()))
}

/// The URLs of Flight and of the REST API.
fn places(given: &Given) -> Result<Vec<ShownSetting>, ConfigError> {
    let (flight, api) = endpoints(given)?;
    let origin = || Some(origin_of_hosts(given).unwrap_or("default").to_owned());
    let (flight_origin, api_origin) = (flight.as_ref().and_then(|_| origin()), api.as_ref().and_then(|_| origin()));
    Ok(vec![
        ShownSetting { name: "flight", value: flight.map(|flight| flight.to_string()), origin: flight_origin },
        ShownSetting { name: "api", value: api, origin: api_origin },
    ])
}

/// A profile of `ax`.
#[derive(Deserialize, Default)]
struct AxProfile {
    #[serde(default)]
    auth: toml::Table,
    #[serde(default)]
    routing: toml::Table,
    #[serde(default)]
    security: toml::Table,
}

/// What the active profile of `ax` says.
fn ax(environment: &Environment) -> Result<Given, ConfigError> {
    let Some(dir) = environment.home.as_ref().map(|home| home.join(".arize")) else { return Ok(Given::default()) };
    let active = std::fs::read_to_string(dir.join(".active_profile")).unwrap_or_default();
    let active = if active.trim().is_empty() { file::DEFAULT_PROFILE } else { active.trim() };
    let file = dir.join("profiles").join(format!("{active}.toml"));
    let Some(profile) = file::read::<AxProfile>(&file)? else { return Ok(Given::default()) };
    let path = file.display().to_string();
    let part =
        |table: &toml::Table| Given::of_table(VENDOR.names, table, &path).ok_or_else(|| file::of_another_kind(&file));
    part(&profile.auth)?.or(part(&profile.security)?).or(part(&profile.routing)?).expanded(environment, &path)
}

/// Where Flight is, and the URL of the REST API, as far as they are known.
fn endpoints(given: &Given) -> Result<(Option<FlightEndpoint>, Option<String>), ConfigError> {
    let chosen = [
        ("region", given.has("region")),
        ("single_host or single_port", given.has("single_host") || given.has("single_port")),
        ("base_domain", given.has("base_domain")),
    ];
    let chosen: Vec<&str> = chosen.iter().filter(|(_, set)| *set).map(|(name, _)| *name).collect();
    if let [first, second, ..] = chosen.as_slice() {
        return Err(wrong("Arize hosts", &format!("{first} and {second} are both set, and each names all hosts")));
    }
    let single_port = given.port("single_port")?;
    let mut flight_port = given.port("flight_port")?.or(single_port);
    let mut api_port = given.port("api_port")?.or(single_port);
    // A key that was given for one host is not sent to the vendor's own.
    let own = |name: &str| given.get(name).is_some_and(|host| !is_vendors(host));
    let only_flight = own("flight_host") && !given.has("api_host") && !names_all_hosts(given);
    let only_api = own("api_host") && !given.has("flight_host") && !names_all_hosts(given);
    let (flight_host, api_host) = if let Some(region) = given.get("region") {
        let known = REGIONS.iter().find(|(name, _)| name.eq_ignore_ascii_case(region)).map(|(_, region)| region);
        let region = known.ok_or_else(|| {
            let names: Vec<&str> = REGIONS[..4].iter().map(|(name, _)| *name).collect();
            wrong("Arize region", &format!("there is no {region}; regions are {}", names.join(", ")))
        })?;
        (flight_port, api_port) = (None, None);
        (format!("flight.{region}.arize.com"), format!("api.{region}.arize.com"))
    } else if let Some(domain) = given.get("base_domain") {
        (format!("flight.{domain}"), format!("api.{domain}"))
    } else if let Some(host) = given.get("single_host") {
        (host.to_owned(), host.to_owned())
    } else {
        let host = |name: &str, default: &str| given.get(name).unwrap_or(default).to_owned();
        (host("flight_host", FLIGHT_HOST), host("api_host", API_HOST))
    };
    let tls = match given.get("flight_scheme") {
        None | Some("grpc+tls") => true,
        Some("grpc" | "grpc+tcp") => false,
        Some(other) => {
            return Err(given.wrong("flight_scheme", &format!("{other} is none of grpc+tls, grpc+tcp and grpc")));
        }
    };
    let scheme = match given.get("api_scheme") {
        None => "https",
        Some(scheme @ ("http" | "https")) => scheme,
        Some(other) => return Err(given.wrong("api_scheme", &format!("{other} is neither http nor https"))),
    };
    let api = match api_port {
        Some(port) => format!("{scheme}://{api_host}:{port}"),
        None => format!("{scheme}://{api_host}"),
    };
    let flight = FlightEndpoint { host: flight_host, port: flight_port.unwrap_or(FLIGHT_PORT), tls };
    Ok(((!only_api).then_some(flight), (!only_flight).then_some(api)))
}

impl ArizeSettings {
    /// Finds the settings, with those of a profile of `config.toml` if one is named.
    ///
    /// # Errors
    /// When a file cannot be read, a value cannot be what it is, or there is no key.
    pub fn find(environment: &Environment, profile: Option<&str>) -> Result<Self, ConfigError> {
        FoundArize::find(environment, profile)?.settle()
    }
}

#[cfg(test)]
mod tests;
