//! Changing our own file of settings: what is there stays, comments too, and nobody else may read it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::ConfigError;
use super::arize::check;
use super::environment::Environment;
use super::file::{ConfigFile, own_file, parse, settings};
use super::given::{Kind, NAMES};
use spanql_model::nearest::nearest;

/// The name of the setting that chooses the profile.
const PROFILE: &str = "profile";
/// With this, the names of settings of Arize begin.
const ARIZE: &str = "arize.";
/// How the space is called elsewhere.
const SPACE_ID: (&str, &str) = ("arize.space_id", "space");

/// A setting that can be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The tables that it lies in, from the outermost.
    tables: Vec<String>,
    name: &'static str,
    kind: Kind,
}

/// What became of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The file.
    pub file: PathBuf,
    /// Whether anything changed.
    pub changed: bool,
    /// Whether others could read it before.
    pub was_open: bool,
}

impl Key {
    /// A setting by its name, such as `arize.api_key`, in a profile; `profile` is in none.
    ///
    /// # Errors
    /// When there is no such setting: the nearest is suggested.
    pub fn read(typed: &str, profile: &str) -> Result<Self, ConfigError> {
        if typed == PROFILE {
            return Ok(Self { tables: vec![], name: PROFILE, kind: Kind::Text });
        }
        let of_arize = typed.strip_prefix(ARIZE).map(|name| if typed == SPACE_ID.0 { SPACE_ID.1 } else { name });
        let known = of_arize.and_then(|typed| settable().find(|(name, _)| *name == typed));
        match known {
            Some((name, kind)) => {
                let tables = ["profiles", profile, "arize"].map(str::to_owned);
                Ok(Self { tables: tables.to_vec(), name, kind })
            }
            None => {
                let names: Vec<String> = settable().map(|(name, _)| format!("{ARIZE}{name}")).collect();
                let names = || names.iter().map(String::as_str).chain([PROFILE]);
                let near = nearest(typed, names()).map(|near| format!("; did you mean {near}?"));
                let near = near.unwrap_or_else(|| format!("; there are {}", names().collect::<Vec<_>>().join(", ")));
                Err(ConfigError::Missing(format!("there is no setting {typed}{near}")))
            }
        }
    }

    /// Whether its value must not be seen.
    pub fn is_secret(&self) -> bool {
        self.name == "api_key"
    }

    /// Its name among those of its table.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it is one of Arize, so that it lies in a profile.
    pub fn is_of_arize(&self) -> bool {
        !self.tables.is_empty()
    }

    /// The value as it stands in the file.
    fn written(&self, value: &str) -> Result<String, ConfigError> {
        let wrong = |reason: &str| ConfigError::Value { place: self.name.to_owned(), reason: reason.to_owned() };
        if value.chars().any(char::is_control) {
            return Err(wrong("a value is one line, without control characters"));
        }
        if self.is_of_arize() && !(value.starts_with("${") && value.ends_with('}')) {
            check(self.name, value)?;
        }
        Ok(match self.kind {
            Kind::Port if value.bytes().all(|byte| byte.is_ascii_digit()) => value.to_owned(),
            Kind::Flag if ["true", "false"].contains(&value) => value.to_owned(),
            // Without control characters a JSON string is a TOML string, too.
            _ => serde_json::Value::from(value).to_string(),
        })
    }
}

/// The settings that a profile is of use with.
fn settable() -> impl Iterator<Item = (&'static str, Kind)> {
    NAMES.into_iter().filter(|(name, _)| *name != "auth_method")
}

/// Where our own file of settings is, or would be; `None` when there is no directory for settings.
pub fn config_file(environment: &Environment) -> Option<PathBuf> {
    own_file(environment)
}

/// Gives a setting a value.
///
/// # Errors
/// When it cannot have this value, or the file cannot be read, changed or written.
pub fn set(environment: &Environment, key: &Key, value: &str) -> Result<Edited, ConfigError> {
    let value = value.trim();
    if value.is_empty() {
        let reason = "a value is needed; `spanql config unset` takes a setting away".to_owned();
        return Err(ConfigError::Value { place: key.name.to_owned(), reason });
    }
    let written = key.written(value)?;
    change(environment, key, toml::from_str(&format!("value = {written}")).ok(), |text| with_value(text, key, &written))
}

/// Takes a setting away.
///
/// # Errors
/// When the file cannot be read, changed or written.
pub fn unset(environment: &Environment, key: &Key) -> Result<Edited, ConfigError> {
    change(environment, key, None, |text| without(text, key))
}

fn cannot_change(key: &Key, file: &Path) -> ConfigError {
    let name = key.name;
    let reason = format!("{name} is written in a form that cannot be changed from here: change the file by hand");
    ConfigError::File { file: file.display().to_string(), reason }
}

/// Puts a value, or none, where a setting lies.
fn put(table: &mut toml::Table, key: &Key, value: Option<toml::Table>) {
    let value = value.and_then(|mut table| table.remove("value"));
    let mut at = table;
    for name in &key.tables {
        if value.is_none() && !at.contains_key(name) {
            return;
        }
        let next = at.entry(name.clone()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        let toml::Value::Table(next) = next else { return };
        at = next;
    }
    match value {
        Some(value) => at.insert(key.name.to_owned(), value),
        None => at.remove(key.name),
    };
}

/// The table that a setting lies in.
fn innermost<'a, 'text>(root: &'a DeTable<'text>, key: &Key) -> Option<&'a DeTable<'text>> {
    key.tables.iter().try_fold(root, |table, name| {
        match table.iter().find(|(known, _)| known.get_ref() == name.as_str())?.1.get_ref() {
            DeValue::Table(table) => Some(table),
            _ => None,
        }
    })
}

/// The text with a value put in the place of another, below the others of its table, or in a table of its own at the
/// end.
fn with_value(text: &str, key: &Key, value: &str) -> Option<String> {
    let root = DeTable::parse(text).ok()?;
    let table = innermost(root.get_ref(), key);
    let old = table.and_then(|table| table.iter().find(|(name, _)| name.get_ref() == key.name));
    if let Some((_, old)) = old {
        let span = old.span();
        return Some(format!("{}{value}{}", text.get(..span.start)?, text.get(span.end..)?));
    }
    let line = format!("{} = {value}\n", key.name);
    if key.tables.is_empty() {
        // Below a table it would belong to that.
        return Some(format!("{line}{}", text));
    }
    let last = table.and_then(|table| table.values().map(|value| value.span().end).max());
    let own_header = table.is_some().then(|| header_end(text, key)).flatten();
    Some(match last.or(own_header) {
        Some(end) => {
            let end = text.get(end..)?.find('\n').map_or(text.len(), |line_end| end + line_end + 1);
            let (before, after) = text.split_at_checked(end)?;
            let break_before = if before.ends_with('\n') { "" } else { "\n" };
            format!("{before}{break_before}{line}{after}")
        }
        None => {
            let break_before = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
            let blank = if text.trim().is_empty() { "" } else { "\n" };
            let header = header(key);
            format!("{text}{break_before}{blank}{header}\n{line}")
        }
    })
}

/// The header of a setting's table: `[profiles.work.arize]`.
fn header(key: &Key) -> String {
    let plain = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    };
    let part = |name: &String| match plain(name) {
        true => name.clone(),
        false => serde_json::Value::from(name.as_str()).to_string(),
    };
    format!("[{}]", key.tables.iter().map(part).collect::<Vec<_>>().join("."))
}

/// The end of the line that begins an empty table.
fn header_end(text: &str, key: &Key) -> Option<usize> {
    let header = header(key);
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with(&header) {
            return Some(start + line.trim_end_matches('\n').len());
        }
        start += line.len();
    }
    None
}

/// The text without a setting, and without its line if nothing else stands there.
fn without(text: &str, key: &Key) -> Option<String> {
    let root = DeTable::parse(text).ok()?;
    let found =
        innermost(root.get_ref(), key).and_then(|table| table.iter().find(|(name, _)| name.get_ref() == key.name));
    let Some((name, value)) = found else { return Some(text.to_owned()) };
    let start = text.get(..name.span().start)?.rfind('\n').map_or(0, |line_end| line_end + 1);
    let end = value.span().end;
    let end = text.get(end..)?.find('\n').map_or(text.len(), |line_end| end + line_end + 1);
    Some(format!("{}{}", text.get(..start)?, text.get(end..)?))
}

/// Reads the file, changes its text so that a setting has a value or none, and puts the new one in its place at once.
fn change(
    environment: &Environment,
    key: &Key,
    value: Option<toml::Table>,
    edit: impl FnOnce(&str) -> Option<String>,
) -> Result<Edited, ConfigError> {
    let Some(file) = own_file(environment) else {
        return Err(ConfigError::Missing("there is no directory for settings: set HOME or XDG_CONFIG_HOME".to_owned()));
    };
    let wrong =
        |error: std::io::Error| ConfigError::File { file: file.display().to_string(), reason: error.to_string() };
    let _lock = lock(&file).map_err(wrong)?;
    let (text, is_there) = match fs::read_to_string(&file) {
        Ok(text) => (text, true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => (String::new(), false),
        Err(error) => return Err(wrong(error)),
    };
    let mut expected: toml::Table = parse(&text, &file)?;
    put(&mut expected, key, value);
    // Whatever the file looks like: it has to say this now, and nothing else has to be different.
    let changed = edit(&text).filter(|changed| toml::from_str::<toml::Table>(changed).is_ok_and(|now| now == expected));
    let changed = changed.ok_or_else(|| cannot_change(key, &file))?;
    let read: ConfigFile = parse(&changed, &file)?;
    for profile in read.profiles.values() {
        settings(profile.arize.as_ref().unwrap_or(&toml::Table::new()), &file, "")?;
    }
    let was_open = is_there && is_open(&file);
    if changed == text && !was_open {
        return Ok(Edited { file, changed: false, was_open });
    }
    // A link stays one.
    let target = fs::canonicalize(&file).unwrap_or_else(|_| file.clone());
    replace(&target, &changed).map_err(wrong)?;
    Ok(Edited { changed: changed != text, file, was_open })
}

/// Waits until no other process changes a file, and keeps others from it until dropped. Makes its directory.
fn lock(file: &Path) -> std::io::Result<fs::File> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(file.parent().unwrap_or(Path::new(".")))?;
    let mut options = fs::OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // The file itself is replaced: whoever waits for it would have the one before. Nobody removes this one.
    let lock = options.open(file.with_extension("toml.lock"))?;
    lock.lock()?;
    Ok(lock)
}

/// Puts a file that only its owner can read in the place of another.
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let dir = file.parent().unwrap_or(Path::new("."));
    // Made with 0600 from the start.
    let mut new = tempfile::NamedTempFile::new_in(dir)?;
    new.write_all(text.as_bytes())?;
    new.as_file().sync_all()?;
    new.persist(file).map_err(|error| error.error)?;
    Ok(())
}

/// Whether others than its owner may read a file.
pub fn is_open(file: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(file).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        false
    }
}

#[cfg(test)]
mod tests;
