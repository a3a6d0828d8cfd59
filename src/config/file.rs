//! Files of settings: our own, and those of the vendors' tools.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::ConfigError;
use super::arize::Given;
use super::environment::Environment;
use crate::model::nearest::nearest;

/// The profile that is used when none is named.
const DEFAULT_PROFILE: &str = "default";

/// `config.toml`.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    /// Name of the profile that is used when none is named elsewhere.
    profile: Option<String>,
    #[serde(default)]
    profiles: BTreeMap<String, Profile>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Profile {
    arize: Option<toml::Table>,
}

/// What our own file says of Arize, in the profile that is named, else the file's own choice, else `default`.
pub(super) fn own(environment: &Environment, profile: Option<&str>) -> Result<Given, ConfigError> {
    let Some(file) = environment.config.as_ref().map(|dir| dir.join("spanql").join("config.toml")) else {
        return unnamed(profile, "there is no directory for settings");
    };
    let Some(mut config) = read::<ConfigFile>(&file)? else {
        return unnamed(profile, &format!("there is no {}", file.display()));
    };
    let named = profile.map(str::to_owned).or(config.profile);
    let name = named.as_deref().unwrap_or(DEFAULT_PROFILE);
    match config.profiles.remove(name) {
        Some(profile) => {
            settings(profile.arize.unwrap_or_default(), &file)?.expanded(environment, &file.display().to_string())
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
fn settings(table: toml::Table, file: &Path) -> Result<Given, ConfigError> {
    if let Some(unknown) = table.keys().find(|name| !Given::NAMES.contains(&name.as_str())) {
        let near = nearest(unknown, Given::NAMES).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        let reason = format!("there is no setting {unknown}{near}");
        return Err(ConfigError::File { file: file.display().to_string(), reason });
    }
    table.try_into().map_err(|error: toml::de::Error| ConfigError::File {
        file: file.display().to_string(),
        reason: reason(&error),
    })
}

/// What is wrong, without the value: it may be a key.
fn reason(error: &toml::de::Error) -> String {
    let said = error.message();
    let shows_value = ["invalid type", "invalid value", "invalid length"].iter().any(|start| said.starts_with(start));
    if shows_value { "a value of another kind is expected".to_owned() } else { said.to_owned() }
}

fn unnamed(profile: Option<&str>, why: &str) -> Result<Given, ConfigError> {
    match profile {
        None => Ok(Given::default()),
        Some(profile) => Err(ConfigError::Missing(format!("profile {profile}: {why}"))),
    }
}

/// A profile of `ax`.
#[derive(Deserialize, Default)]
struct AxProfile {
    #[serde(default)]
    auth: Given,
    #[serde(default)]
    routing: Given,
    #[serde(default)]
    security: Given,
}

/// What the active profile of `ax` says.
pub(super) fn ax(environment: &Environment) -> Result<Given, ConfigError> {
    let Some(dir) = environment.home.as_ref().map(|home| home.join(".arize")) else { return Ok(Given::default()) };
    let active = std::fs::read_to_string(dir.join(".active_profile")).unwrap_or_default();
    let active = if active.trim().is_empty() { DEFAULT_PROFILE } else { active.trim() };
    let file = dir.join("profiles").join(format!("{active}.toml"));
    let Some(profile) = read::<AxProfile>(&file)? else { return Ok(Given::default()) };
    profile.auth.or(profile.security).or(profile.routing).expanded(environment, &file.display().to_string())
}

/// A file as TOML; `None` when it is not there.
fn read<T: DeserializeOwned>(file: &Path) -> Result<Option<T>, ConfigError> {
    let wrong = |reason: String| ConfigError::File { file: file.display().to_string(), reason };
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong(error.to_string())),
    };
    // The error's own text shows the line, which may hold a key.
    toml::from_str(&text).map(Some).map_err(|error| {
        let line = error.span().map(|span| text[..span.start.min(text.len())].lines().count().max(1));
        wrong(match line {
            Some(line) => format!("line {line}: {}", reason(&error)),
            None => reason(&error),
        })
    })
}
