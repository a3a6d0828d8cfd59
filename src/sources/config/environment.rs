//! What the process was started with.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::ConfigError;

/// The option that names a server by its URL.
pub(super) const ENDPOINT: &str = "--endpoint";

/// Variables and directories that settings are looked for in.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: Variables,
    /// The user's home, where the vendors' tools keep their files.
    pub home: Option<PathBuf>,
    /// The user's directory for settings, which holds `spanql/config.toml`.
    pub config: Option<PathBuf>,
    /// The working directory, which may hold a `.env`.
    pub working: Option<PathBuf>,
    /// The variables that stand for a server that was named by its URL.
    of_endpoint: Vec<String>,
}

/// Variables by name; their values may be keys.
#[derive(Clone, Default)]
pub(super) struct Variables(BTreeMap<String, String>);

impl std::fmt::Debug for Variables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Variables {
    /// A variable that is set to something.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }
}

impl FromIterator<(String, String)> for Variables {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(pairs: T) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl Environment {
    /// That of this process.
    pub fn of_process() -> Self {
        // Settings are text: a variable that is none cannot be one.
        let text =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self {
            variables: text.collect(),
            home: dirs::home_dir(),
            config: dirs::config_dir(),
            working: std::env::current_dir().ok(),
            of_endpoint: vec![],
        }
    }

    /// One with these variables and no directories.
    pub fn with(variables: &[(&str, &str)]) -> Self {
        let pairs = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self { variables: pairs.collect(), ..Self::default() }
    }

    /// A variable that is set to something.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name)
    }

    /// The same without some variables, and with others.
    pub(super) fn but<'a>(&self, without: impl Iterator<Item = &'a str>, with: &[(&str, &str)]) -> Self {
        let mut changed = self.clone();
        without.for_each(|name| drop(changed.variables.0.remove(name)));
        changed.variables.0.extend(with.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        changed.of_endpoint = with.iter().map(|(name, _)| (*name).to_owned()).collect();
        changed
    }

    /// Where the value of a variable comes from.
    pub(super) fn origin(&self, variable: &str) -> String {
        let of_endpoint = self.of_endpoint.iter().any(|name| name == variable);
        if of_endpoint { ENDPOINT.to_owned() } else { format!("environment variable {variable}") }
    }

    pub(super) fn variables(&self) -> &Variables {
        &self.variables
    }

    /// The variables with a prefix that the working directory's `.env` sets; none without one.
    ///
    /// Other lines are not looked at. Nothing is put in for `$`: the file may be anybody's, and would get to see
    /// variables of this process.
    pub(super) fn dot_env(&self, prefix: &str) -> Result<Variables, ConfigError> {
        let Some(file) = self.working.as_ref().map(|dir| dir.join(".env")) else { return Ok(Variables::default()) };
        let wrong = |reason: String| ConfigError::File { file: file.display().to_string(), reason };
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Variables::default()),
            Err(error) => return Err(wrong(error.to_string())),
        };
        let mut pairs = Vec::new();
        for (number, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())) {
            let name = line.strip_prefix("export ").map_or(line, str::trim_start);
            if !name.starts_with(prefix) {
                continue;
            }
            if line.contains('$') {
                return Err(wrong(format!(
                    "line {number}: a value with $ is not read from here; set the variable itself"
                )));
            }
            for pair in dotenvy::from_read_iter(line.as_bytes()) {
                // The line may hold a key, so it is not shown.
                pairs.push(pair.map_err(|_| wrong(format!("line {number} is not NAME=value")))?);
            }
        }
        Ok(pairs.into_iter().collect())
    }

    /// A value in which `${NAME}` stands for a variable, and that variable's name.
    pub(super) fn expanded<'a>(&self, place: &str, value: &'a str) -> Result<(String, Option<&'a str>), ConfigError> {
        let Some(name) = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) else {
            return Ok((value.to_owned(), None));
        };
        let value = self.get(name).ok_or_else(|| ConfigError::Value {
            place: place.to_owned(),
            reason: format!("it names the variable {name}, which is not set"),
        })?;
        Ok((value.to_owned(), Some(name)))
    }
}
