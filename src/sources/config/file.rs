//! Our own file of settings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::ConfigError;
use super::environment::Environment;
use super::given::Given;
use super::names::Name;
use spanql_model::nearest::nearest;

/// The profile that is used when none is named.
pub(super) const DEFAULT_PROFILE: &str = "default";
/// The variable that names the profile.
pub const PROFILE_VARIABLE: &str = "SPANQL_PROFILE";
const OTHER_KIND: &str = "a value of another kind is expected";

/// The tables that a profile may have, one for each vendor.
pub(super) const TABLES: [&str; 3] = ["arize", "phoenix", "opik"];

/// `config.toml`.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigFile {
    /// Name of the profile that is used when none is named elsewhere.
    pub(super) profile: Option<String>,
    /// The file of prices.
    pub(super) prices: Option<PathBuf>,
    /// Own patterns of what to redact, by the names of their placeholders.
    #[serde(default)]
    pub(super) redact: BTreeMap<String, String>,
    /// The settings of each profile, by vendors.
    #[serde(default)]
    pub(super) profiles: BTreeMap<String, BTreeMap<String, toml::Table>>,
}

/// Where our own file is, or would be.
pub(super) fn own_file(environment: &Environment) -> Option<PathBuf> {
    environment.config.as_ref().map(|dir| dir.join("spanql").join("config.toml"))
}

impl ConfigFile {
    /// Refuses tables that are of no vendor: a name may be a typing error.
    pub(super) fn check(self, file: &Path) -> Result<Self, ConfigError> {
        let unknown = self.profiles.values().flat_map(BTreeMap::keys).find(|name| !TABLES.contains(&name.as_str()));
        match unknown {
            None => Ok(self),
            Some(name) => Err(ConfigError::File {
                file: file.display().to_string(),
                reason: format!("a profile has no table {name}; it may have {}", TABLES.join(", ")),
            }),
        }
    }
}

/// The profile that counts if it is there, and where its name comes from, in words.
///
/// # Errors
/// When the file of settings cannot be read.
pub fn profile_in_use(environment: &Environment, option: Option<&str>) -> Result<(String, String), ConfigError> {
    if let Some(name) = option {
        return Ok((name.to_owned(), "--profile".to_owned()));
    }
    if let Some(name) = environment.get(PROFILE_VARIABLE) {
        return Ok((name.to_owned(), format!("environment variable {PROFILE_VARIABLE}")));
    }
    if let Some(file) = own_file(environment)
        && let Some(name) = read::<ConfigFile>(&file)?.and_then(|config| config.profile)
    {
        return Ok((name, file.display().to_string()));
    }
    Ok((DEFAULT_PROFILE.to_owned(), "default".to_owned()))
}

/// What our own file says of a vendor, in the profile that is named, else the file's own choice, else `default`.
pub(super) fn own(
    environment: &Environment,
    profile: Option<&str>,
    vendor: &str,
    names: &[Name],
) -> Result<Given, ConfigError> {
    let Some(file) = own_file(environment) else {
        return unnamed(profile, "there is no directory for settings");
    };
    let Some(config) = read::<ConfigFile>(&file)? else {
        return unnamed(profile, &format!("there is no {}", file.display()));
    };
    let mut config = config.check(&file)?;
    let named = profile.map(str::to_owned).or(config.profile);
    let name = named.as_deref().unwrap_or(DEFAULT_PROFILE);
    match config.profiles.remove(name) {
        Some(mut profile) => {
            let path = file.display().to_string();
            let table = profile.remove(vendor).unwrap_or_default();
            settings(names, &table, &file, &format!("{path}, profile {name}"))?.expanded(environment, &path)
        }
        None if named.is_none() => Ok(Given::default()),
        None => {
            let known: Vec<&str> = config.profiles.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Err(ConfigError::Missing(format!("{} has no profile {name}; it has {known}", file.display())))
        }
    }
}

/// Our own settings, where a name that nobody knows is an error: it may be a typing error.
pub(super) fn settings(known: &[Name], table: &toml::Table, file: &Path, origin: &str) -> Result<Given, ConfigError> {
    let names = || known.iter().map(|name| name.name);
    if let Some(unknown) = table.keys().find(|name| !names().any(|known| known == name.as_str())) {
        let near = nearest(unknown, names()).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        let reason = format!("there is no setting {unknown}{near}");
        return Err(ConfigError::File { file: file.display().to_string(), reason });
    }
    Given::of_table(known, table, origin).ok_or_else(|| of_another_kind(file))
}

pub(super) fn of_another_kind(file: &Path) -> ConfigError {
    ConfigError::File { file: file.display().to_string(), reason: OTHER_KIND.to_owned() }
}

/// What is wrong, without the value: it may be a key.
fn reason(error: &toml::de::Error) -> String {
    let said = error.message();
    let shows_value = ["invalid type", "invalid value", "invalid length"].iter().any(|start| said.starts_with(start));
    if shows_value { OTHER_KIND.to_owned() } else { said.to_owned() }
}

fn unnamed(profile: Option<&str>, why: &str) -> Result<Given, ConfigError> {
    match profile {
        None => Ok(Given::default()),
        Some(profile) => Err(ConfigError::Missing(format!("profile {profile}: {why}"))),
    }
}

/// A file as TOML; `None` when it is not there.
pub(super) fn read<T: DeserializeOwned>(file: &Path) -> Result<Option<T>, ConfigError> {
    match std::fs::read_to_string(file) {
        Ok(text) => parse(&text, file).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ConfigError::File { file: file.display().to_string(), reason: error.to_string() }),
    }
}

/// The text of a file as TOML.
pub(super) fn parse<T: DeserializeOwned>(text: &str, file: &Path) -> Result<T, ConfigError> {
    // The error's own text shows the line, which may hold a key.
    toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| text[..span.start.min(text.len())].lines().count().max(1));
        let reason = match line {
            Some(line) => format!("line {line}: {}", reason(&error)),
            None => reason(&error),
        };
        ConfigError::File { file: file.display().to_string(), reason }
    })
}
