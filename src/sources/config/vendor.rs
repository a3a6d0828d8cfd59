//! What there is to set of a vendor, and where that is looked for.

use super::ConfigError;
use super::environment::{Environment, Variables};
use super::file;
use super::given::Given;
use super::names::{About, Kind, Name, ShownSetting};

/// A vendor's settings.
pub struct Vendor {
    /// The word for the source, and for the table of a profile.
    pub name: &'static str,
    /// With this, the names of the variables begin that count in a `.env`.
    pub(super) prefix: &'static str,
    /// All settings, in the order in which they are shown.
    pub(super) names: &'static [Name],
    /// What the files of the vendor's own tools say.
    pub(super) of_tools: fn(&Environment) -> Result<Given, ConfigError>,
    /// The URLs that follow from settings, which need not be all there are.
    pub(super) places: fn(&Given) -> Result<Vec<ShownSetting>, ConfigError>,
}

impl std::fmt::Debug for Vendor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// What was found of a vendor's settings, and where.
#[derive(Clone)]
pub struct Found {
    vendor: &'static Vendor,
    given: Given,
}

impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.shown()).finish()
    }
}

impl Vendor {
    /// Looks in all places, with a profile of `config.toml` if one is named.
    ///
    /// # Errors
    /// When a file cannot be read that may say something that counts.
    pub fn find(&'static self, environment: &Environment, profile: Option<&str>) -> Result<Found, ConfigError> {
        let variables = Given::of_variables(self.names, environment.variables(), |name| environment.origin(name));
        let found = variables.or(file::own(environment, profile, self.name, self.names)?);
        // What cannot be read is an error where something of it would count.
        let enough = found.has_key() && found.names_a_host();
        let unread = |error| if enough { Ok(Given::default()) } else { Err(error) };
        let found = found.or((self.of_tools)(environment).or_else(unread)?);
        let dot_env = environment.dot_env(self.prefix).or_else(|error| match found.has_key() {
            true => Ok(Variables::default()),
            false => Err(error),
        })?;
        let dot_env = Given::of_variables(self.names, &dot_env, |variable| format!(".env: {variable}"));
        let with_its_key = !found.has_key() && dot_env.has_key();
        let given = found.or(if with_its_key { dot_env } else { dot_env.without_hosts() });
        Ok(Found { vendor: self, given })
    }

    /// The settings that a profile of `config.toml` is of use with.
    pub(super) fn settable(&self) -> impl Iterator<Item = &'static Name> {
        self.names.iter().filter(|name| name.about != About::Tool)
    }

    /// Says what is wrong with a value alone, as far as that can be said.
    pub(super) fn check(&self, name: &'static Name, value: &str) -> Result<(), ConfigError> {
        let given = Given::only(name, value);
        let flag = if name.kind == Kind::Flag { given.flag(name.name).err() } else { None };
        for error in [flag, (self.places)(&given).err()] {
            // That more is needed is no fault of this one.
            if let Some(error @ ConfigError::Value { .. }) = error {
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Found {
    /// All settings in a fixed order.
    pub fn shown(&self) -> Vec<ShownSetting> {
        // What the vendor's tool says of itself is shown where it does.
        let names = self.vendor.names.iter().filter(|name| name.about != About::Tool || self.given.has(name.name));
        names.map(|name| self.given.shown(name)).collect()
    }

    /// Whether there is a key.
    pub fn has_key(&self) -> bool {
        self.given.has_key()
    }

    /// Whether it is said where requests go.
    pub fn names_a_host(&self) -> bool {
        self.given.names_a_host()
    }

    /// The URLs that requests go to, by their names, each with where the choice comes from; no value when it is not
    /// known.
    ///
    /// # Errors
    /// When a value cannot be what it is.
    pub fn places(&self) -> Result<Vec<ShownSetting>, ConfigError> {
        (self.vendor.places)(&self.given)
    }

    pub(super) fn given(&self) -> &Given {
        &self.given
    }
}
