//! Settings of a vendor as one place gives them, each with where it comes from.

use std::collections::BTreeMap;

use super::ConfigError;
use super::environment::{Environment, Variables};
use super::names::{About, Kind, Name, ShownSetting};
use super::secret::Secret;

/// Settings by name. Values may be keys, so there is no `Debug` form.
#[derive(Clone, Default)]
pub(super) struct Given(BTreeMap<&'static str, Setting>);

#[derive(Clone)]
pub(super) struct Setting {
    about: About,
    pub(super) value: String,
    /// Where it comes from, in words.
    pub(super) origin: String,
}

impl Given {
    /// What variables say, which are found where `origin` says of each.
    pub(super) fn of_variables(names: &[Name], variables: &Variables, origin: impl Fn(&str) -> String) -> Self {
        let mut given = Self::default();
        for name in names {
            let found = name.variables.iter().find_map(|variable| Some((variable, variables.get(variable)?)));
            if let Some((variable, value)) = found {
                given.set(name, value.to_owned(), origin(variable));
            }
        }
        given
    }

    /// What a table says; names that are none are not looked at. `None` when a value cannot be of its kind.
    pub(super) fn of_table(names: &[Name], table: &toml::Table, origin: &str) -> Option<Self> {
        let mut given = Self::default();
        for name in names {
            let value = match (table.get(name.name), name.kind) {
                (None, _) => continue,
                (Some(toml::Value::String(text)), _) => text.clone(),
                (Some(toml::Value::Integer(number)), Kind::Port) => number.to_string(),
                (Some(toml::Value::Boolean(flag)), Kind::Flag) => flag.to_string(),
                _ => return None,
            };
            given.set(name, value, origin.to_owned());
        }
        Some(given)
    }

    fn set(&mut self, name: &Name, value: String, origin: String) {
        self.0.insert(name.name, Setting { about: name.about, value, origin });
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

    /// Whether there is something to send that nobody may see.
    pub(super) fn has_key(&self) -> bool {
        self.keys().any(|key| !key.is_empty())
    }

    fn keys(&self) -> impl Iterator<Item = Secret> {
        self.0.values().filter(|setting| setting.about == About::Key).map(|setting| Secret::new(&setting.value))
    }

    /// Whether requests go where this place says.
    pub(super) fn names_a_host(&self) -> bool {
        self.0.values().any(|setting| setting.about == About::Host)
    }

    /// Without anything that says where requests go, or whom to trust.
    pub(super) fn without_hosts(mut self) -> Self {
        self.0.retain(|_, setting| !matches!(setting.about, About::Host | About::Way));
        self
    }

    /// With variables put in for `${NAME}`; what is blank then is not set.
    pub(super) fn expanded(mut self, environment: &Environment, place: &str) -> Result<Self, ConfigError> {
        for setting in self.0.values_mut().filter(|setting| setting.about != About::Tool) {
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
    pub(super) fn only(name: &Name, value: &str) -> Self {
        let mut given = Self::default();
        given.set(name, value.to_owned(), String::new());
        given
    }

    /// A setting as it may be shown.
    pub(super) fn shown(&self, name: &Name) -> ShownSetting {
        let setting = self.setting(name.name);
        let value = setting.map(|setting| match setting.about {
            About::Key => Secret::new(&setting.value).masked(),
            // A key may have been set in the wrong place, too.
            _ => self.keys().fold(setting.value.clone(), |text, key| key.redact(&text)),
        });
        ShownSetting { name: name.name, value, origin: setting.map(|setting| setting.origin.clone()) }
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
