//! How Arize is reached: hosts, keys and certificates, by the settings of its own tools.

use std::path::{Path, PathBuf};

use super::environment::{Environment, Variables};
use super::given::{Given, NAMES, PREFIX};
use super::secret::Secret;
use super::{ConfigError, file};
use spanql_model::paths::home_path;

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

/// What was found of the settings of Arize, and where.
#[derive(Clone)]
pub struct FoundArize(Given);

/// A setting as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownSetting {
    /// Its name in a profile.
    pub name: &'static str,
    /// Its value; of a key, that there is one. `None` when it is not set.
    pub value: Option<String>,
    /// Where it comes from, in words.
    pub origin: Option<String>,
}

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
        let variables =
            Given::of_variables(environment.variables(), |variable| format!("environment variable {variable}"));
        let found = variables.or(file::own(environment, profile)?);
        // What cannot be read is an error where something of it would count.
        let enough = found.has_key() && found.names_a_host();
        let unread = |error| if enough { Ok(Given::default()) } else { Err(error) };
        let found = found.or(file::ax(environment).or_else(unread)?);
        let dot_env = environment.dot_env(PREFIX).or_else(|error| match found.has_key() {
            true => Ok(Variables::default()),
            false => Err(error),
        })?;
        let dot_env = Given::of_variables(&dot_env, |variable| format!(".env: {variable}"));
        let dot_env = if found.has_key() { dot_env.without_hosts() } else { dot_env };
        Ok(Self(found.or(dot_env)))
    }

    /// All settings in a fixed order.
    pub fn shown(&self) -> Vec<ShownSetting> {
        let key = self.0.get("api_key").map(Secret::new);
        let shown = |name: &'static str| {
            let setting = self.0.setting(name);
            let value = setting.map(|setting| match &key {
                Some(key) if name == "api_key" => key.masked(),
                // It may have been set in the wrong place, too.
                Some(key) => key.redact(&setting.value),
                None => setting.value.clone(),
            });
            ShownSetting { name, value, origin: setting.map(|setting| setting.origin.clone()) }
        };
        // How ax signs in is shown where it says so.
        let names = NAMES.iter().filter(|(name, _)| *name != "auth_method" || self.0.has(name));
        names.map(|(name, _)| shown(name)).collect()
    }

    /// Whether there is a key.
    pub fn has_key(&self) -> bool {
        self.0.get("api_key").is_some_and(|key| !key.trim().is_empty())
    }

    /// Where Flight is, and the URL of the REST API if that is known.
    ///
    /// # Errors
    /// When a value cannot be what it is.
    pub fn endpoints(&self) -> Result<(FlightEndpoint, Option<String>), ConfigError> {
        endpoints(&self.0)
    }

    /// Where the choice of hosts comes from; `None` when nothing names one.
    pub fn origin_of_hosts(&self) -> Option<&str> {
        let names = ["region", "base_domain", "single_host", "single_port", "flight_host", "api_host"];
        names.iter().find_map(|name| Some(self.0.setting(name)?.origin.as_str()))
    }

    /// What follows from them.
    ///
    /// # Errors
    /// When a value cannot be what it is, or there is no key.
    pub fn settle(&self) -> Result<ArizeSettings, ConfigError> {
        let given = &self.0;
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
        })
    }
}

impl std::fmt::Debug for FoundArize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.shown()).finish()
    }
}

/// Says what is wrong with a value alone, as far as that can be said.
pub(super) fn check(name: &'static str, value: &str) -> Result<(), ConfigError> {
    let given = Given::only(name, value);
    for checked in [given.flag("request_verify").err(), endpoints(&given).err()] {
        // That more is needed is no fault of this one.
        if let Some(error @ ConfigError::Value { .. }) = checked {
            return Err(error);
        }
    }
    Ok(())
}

/// Where Flight is, and the URL of the REST API if that is known.
fn endpoints(given: &Given) -> Result<(FlightEndpoint, Option<String>), ConfigError> {
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
    let only_flight = own("flight_host") && !given.has("api_host") && !given.names_all_hosts();
    if own("api_host") && !given.has("flight_host") && !given.names_all_hosts() {
        let what = "a host for the REST API of Arize is set (api_host) and none for Flight: set ARIZE_FLIGHT_HOST";
        return Err(ConfigError::Missing(what.to_owned()));
    }
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
    Ok((flight, (!only_flight).then_some(api)))
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
