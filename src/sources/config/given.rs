//! Settings of Arize as one place gives them, each with where it comes from.

use std::collections::BTreeMap;

use super::ConfigError;
use super::environment::{Environment, Variables};

/// With this, the names of variables begin.
pub(super) const PREFIX: &str = "ARIZE_";

/// What the value of a setting may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// A number, or text that is one.
    Port,
    /// True or false, or text that is one of these.
    Flag,
}

/// All settings, with what they may be.
pub(super) const NAMES: [(&str, Kind); 15] = [
    ("api_key", Kind::Text),
    // Only `api-key` is understood; other methods have no key.
    ("auth_method", Kind::Text),
    ("space", Kind::Text),
    ("region", Kind::Text),
    ("single_host", Kind::Text),
    ("single_port", Kind::Port),
    ("base_domain", Kind::Text),
    ("api_host", Kind::Text),
    ("api_scheme", Kind::Text),
    ("api_port", Kind::Port),
    ("flight_host", Kind::Text),
    ("flight_scheme", Kind::Text),
    ("flight_port", Kind::Port),
    ("request_verify", Kind::Flag),
    ("ssl_ca_cert", Kind::Text),
];

/// Settings that do not say where requests go, or whom to trust.
const OF_THE_USER: [&str; 3] = ["api_key", "auth_method", "space"];

/// Settings by name. Values may be keys, so there is no `Debug` form.
#[derive(Clone, Default)]
pub(super) struct Given(BTreeMap<&'static str, Setting>);

#[derive(Clone)]
pub(super) struct Setting {
    pub(super) value: String,
    /// Where it comes from, in words.
    pub(super) origin: String,
}

/// The variable of a setting.
fn variable(name: &str) -> Option<String> {
    match name {
        // Its value is known once there is a key.
        "auth_method" => None,
        "space" => Some("ARIZE_SPACE_ID".to_owned()),
        name => Some(format!("{PREFIX}{}", name.to_uppercase())),
    }
}

impl Given {
    /// What variables say, which are found where `origin` says of each.
    pub(super) fn of_variables(variables: &Variables, origin: impl Fn(&str) -> String) -> Self {
        let mut given = Self::default();
        for (name, _) in NAMES {
            let mut names: Vec<String> = variable(name).into_iter().collect();
            if name == "ssl_ca_cert" {
                names.extend(["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"].map(str::to_owned));
            }
            let found = names.iter().find_map(|variable| Some((variable, variables.get(variable)?)));
            if let Some((variable, value)) = found {
                given.0.insert(name, Setting { value: value.to_owned(), origin: origin(variable) });
            }
        }
        given
    }

    /// What a table says; names that are none are not looked at. `None` when a value cannot be of its kind.
    pub(super) fn of_table(table: &toml::Table, origin: &str) -> Option<Self> {
        let mut given = Self::default();
        for (name, kind) in NAMES {
            let value = match (table.get(name), kind) {
                (None, _) => continue,
                (Some(toml::Value::String(text)), _) => text.clone(),
                (Some(toml::Value::Integer(number)), Kind::Port) => number.to_string(),
                (Some(toml::Value::Boolean(flag)), Kind::Flag) => flag.to_string(),
                _ => return None,
            };
            given.0.insert(name, Setting { value, origin: origin.to_owned() });
        }
        Some(given)
    }

    /// These settings, and the other's where these say nothing.
    ///
    /// How a host is reached, and whether its certificate is checked, belongs to the host: the first place that names
    /// one counts alone for all of that.
    pub(super) fn or(mut self, other: Self) -> Self {
        let other = if self.names_a_host() { other.without_hosts() } else { other };
        for (name, setting) in other.0 {
            self.0.entry(name).or_insert(setting);
        }
        self
    }

    pub(super) fn setting(&self, name: &str) -> Option<&Setting> {
        self.0.get(name)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|setting| setting.value.as_str())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn has_key(&self) -> bool {
        self.has("api_key")
    }

    /// Whether requests go where this place says.
    pub(super) fn names_a_host(&self) -> bool {
        self.names_all_hosts() || self.has("api_host") || self.has("flight_host")
    }

    pub(super) fn names_all_hosts(&self) -> bool {
        ["region", "single_host", "single_port", "base_domain"].iter().any(|name| self.has(name))
    }

    /// Without anything that says where requests go, or whom to trust.
    pub(super) fn without_hosts(mut self) -> Self {
        self.0.retain(|name, _| OF_THE_USER.contains(name));
        self
    }

    /// With variables put in for `${NAME}`; what is blank then is not set.
    pub(super) fn expanded(mut self, environment: &Environment, place: &str) -> Result<Self, ConfigError> {
        for (name, setting) in &mut self.0 {
            if *name == "auth_method" {
                continue;
            }
            let (value, variable) = environment.expanded(place, &setting.value)?;
            if let Some(variable) = variable {
                setting.origin = format!("{}: variable {variable}", setting.origin);
            }
            setting.value = value;
        }
        self.0.retain(|_, setting| !setting.value.trim().is_empty());
        Ok(self)
    }

    /// One setting alone.
    pub(super) fn only(name: &'static str, value: &str) -> Self {
        Self([(name, Setting { value: value.to_owned(), origin: String::new() })].into())
    }

    /// A port; 0 is none.
    pub(super) fn port(&self, name: &str) -> Result<Option<u16>, ConfigError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match text.trim().parse::<u16>() {
            Ok(0) => Ok(None),
            Ok(port) => Ok(Some(port)),
            Err(_) => Err(self.wrong(name, "a port is a number up to 65535")),
        }
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, ConfigError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match text.to_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(Some(true)),
            "false" | "0" | "no" | "off" => Ok(Some(false)),
            _ => Err(self.wrong(name, "write true or false")),
        }
    }

    /// The error that a setting cannot be what it is.
    pub(super) fn wrong(&self, name: &str, reason: &str) -> ConfigError {
        let origin = self.setting(name).map(|setting| setting.origin.as_str()).filter(|origin| !origin.is_empty());
        let place = origin.map_or_else(|| name.to_owned(), |origin| format!("{name} ({origin})"));
        ConfigError::Value { place, reason: reason.to_owned() }
    }
}
