//! Changing our own file of settings: what is there stays, comments too, and nobody else may read it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Entry, Item, Table, Value};

use super::ConfigError;
use super::environment::Environment;
use super::file::{ConfigFile, own_file, parse, settings};
use super::general::PRICES;
use super::names::{About, Kind, Name};
use super::vendor::Vendor;
use super::vendors::VENDORS;
use spanql_model::nearest::nearest;

/// The name of the setting that chooses the profile.
const PROFILE: &str = "profile";
/// The settings that are in no profile.
const GENERAL: [&str; 2] = [PROFILE, PRICES];
/// How a setting is called elsewhere, and here.
const ALSO: (&str, &str) = ("arize.space_id", "arize.space");

/// A setting that can be changed.
#[derive(Debug, Clone)]
pub struct Key {
    /// The tables that it lies in, from the outermost.
    tables: Vec<String>,
    name: &'static str,
    /// Whose it is; `None` of those that are in no profile.
    of: Option<(&'static Vendor, &'static Name)>,
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
    /// A setting by its name, such as `arize.api_key`, in a profile; `profile` and `prices` are in none.
    ///
    /// # Errors
    /// When there is no such setting: the nearest is suggested.
    pub fn read(typed: &str, profile: &str) -> Result<Self, ConfigError> {
        if let Some(name) = GENERAL.into_iter().find(|name| typed == *name) {
            return Ok(Self { tables: vec![], name, of: None });
        }
        let full = if typed == ALSO.0 { ALSO.1 } else { typed };
        if let Some((vendor, name)) = settable().find(|(vendor, name)| full == format!("{}.{}", vendor.name, name.name))
        {
            let tables = ["profiles", profile, vendor.name].map(str::to_owned);
            return Ok(Self { tables: tables.to_vec(), name: name.name, of: Some((vendor, name)) });
        }
        let names: Vec<String> = settable().map(|(vendor, name)| format!("{}.{}", vendor.name, name.name)).collect();
        let names = || names.iter().map(String::as_str).chain(GENERAL);
        let near = nearest(typed, names()).map(|near| format!("; did you mean {near}?"));
        let near = near.unwrap_or_else(|| format!("; there are {}", names().collect::<Vec<_>>().join(", ")));
        Err(ConfigError::Missing(format!("there is no setting {typed}{near}")))
    }

    /// Whether its value must not be seen.
    pub fn is_secret(&self) -> bool {
        self.of.is_some_and(|(_, name)| name.about == About::Key)
    }

    /// Its name among those of its table.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whose it is, and so lies in a profile; `None` of those that are in none.
    pub fn vendor(&self) -> Option<&'static Vendor> {
        self.of.map(|(vendor, _)| vendor)
    }

    /// The value as it stands in the file.
    fn written(&self, value: &str) -> Result<Value, ConfigError> {
        let wrong = |reason: &str| ConfigError::Value { place: self.name.to_owned(), reason: reason.to_owned() };
        if value.chars().any(char::is_control) {
            return Err(wrong("a value is one line, without control characters"));
        }
        if let Some((vendor, name)) = self.of.filter(|_| !(value.starts_with("${") && value.ends_with('}'))) {
            vendor.check(name, value)?;
        }
        let plain = match self.of.map_or(Kind::Text, |(_, name)| name.kind) {
            Kind::Port => value.parse::<u16>().ok().map(|port| Value::from(i64::from(port))),
            Kind::Flag => value.parse::<bool>().ok().map(Value::from),
            Kind::Text => None,
        };
        Ok(plain.unwrap_or_else(|| Value::from(value)))
    }
}

/// The settings that a profile is of use with.
fn settable() -> impl Iterator<Item = (&'static Vendor, &'static Name)> {
    VENDORS.into_iter().flat_map(|vendor| vendor.settable().map(move |name| (vendor, name)))
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
    let value = key.written(value)?;
    change(environment, key, |document| put(document, key, value))
}

/// Takes a setting away.
///
/// # Errors
/// When the file cannot be read, changed or written.
pub fn unset(environment: &Environment, key: &Key) -> Result<Edited, ConfigError> {
    change(environment, key, |document| {
        take(document, key);
        Some(())
    })
}

/// Gives a setting a value: where it is, below the others of its table, or in a table of its own at the end. `None` when
/// something else stands in its place.
fn put(document: &mut DocumentMut, key: &Key, mut value: Value) -> Option<()> {
    let above = above_a_table_at_the_end(document);
    let mut is_new = false;
    let mut item = document.as_item_mut();
    for name in &key.tables {
        let table = item.as_table_like_mut()?;
        if !table.contains_key(name) {
            let mut new = Table::new();
            // No header is needed for a table that only holds others.
            new.set_implicit(true);
            table.insert(name, Item::Table(new));
            is_new = true;
        }
        item = table.get_mut(name)?;
    }
    match item.as_table_like_mut()?.entry(key.name) {
        Entry::Occupied(found) => {
            let old = found.into_mut().as_value_mut()?;
            // The comment behind it.
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        Entry::Vacant(place) => {
            place.insert(Item::Value(value));
        }
    }
    if let Some(table) = item.as_table_mut().filter(|_| is_new) {
        table.set_position(Some(isize::MAX));
        table.decor_mut().set_prefix(above);
        document.set_trailing("");
    }
    Some(())
}

/// The comments that a document ends with, and a blank line.
fn above_a_table_at_the_end(document: &DocumentMut) -> String {
    let comments = document.trailing().as_str().unwrap_or_default();
    let line_end = if comments.is_empty() || comments.ends_with('\n') { "" } else { "\n" };
    let blank = if document.is_empty() && comments.trim().is_empty() { "" } else { "\n" };
    format!("{comments}{line_end}{blank}")
}

/// Takes a setting away. Comments above it stay: they may be about what is left. `None` when it is not there.
fn take(document: &mut DocumentMut, key: &Key) -> Option<()> {
    let mut item = document.as_item_mut();
    for name in &key.tables {
        item = item.as_table_like_mut()?.get_mut(name)?;
    }
    let Some(table) = item.as_table_mut() else {
        item.as_table_like_mut()?.remove(key.name);
        return Some(());
    };
    let before = table.iter().map(|(name, _)| name.to_owned()).take_while(|name| name != key.name).last();
    let (removed, _) = table.remove_entry(key.name)?;
    let comments = removed.leaf_decor().prefix()?.as_str()?.trim_end();
    if comments.is_empty() {
        return Some(());
    }
    // They go behind what stands before them; the root has no header.
    match before {
        None if key.tables.is_empty() => table.decor_mut().set_prefix(format!("{comments}\n")),
        before => {
            let decor = match before {
                Some(name) => table.get_mut(&name)?.as_value_mut()?.decor_mut(),
                None => table.decor_mut(),
            };
            let line = decor.suffix().and_then(|suffix| suffix.as_str()).unwrap_or_default();
            let suffix = format!("{line}\n{comments}");
            decor.set_suffix(suffix);
        }
    }
    Some(())
}

fn cannot_change(key: &Key, file: &Path) -> ConfigError {
    let name = key.name;
    let reason = format!("{name} is written in a form that cannot be changed from here: change the file by hand");
    ConfigError::File { file: file.display().to_string(), reason }
}

/// Reads the file, changes a setting in it, and puts the new one in its place at once.
fn change(
    environment: &Environment,
    key: &Key,
    edit: impl FnOnce(&mut DocumentMut) -> Option<()>,
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
    // Says what is wrong without the line, which may hold a key.
    parse::<toml::Table>(&text, &file)?;
    let mut document: DocumentMut = text.parse().map_err(|_| cannot_change(key, &file))?;
    let before = document.to_string();
    edit(&mut document).ok_or_else(|| cannot_change(key, &file))?;
    let after = document.to_string();
    let read = parse::<ConfigFile>(&after, &file)?.check(&file)?;
    for profile in read.profiles.values() {
        for vendor in VENDORS {
            settings(vendor.names, profile.get(vendor.name).unwrap_or(&toml::Table::new()), &file, "")?;
        }
    }
    let was_open = is_there && is_open(&file);
    // Line ends alone are no change.
    let changed = after != before;
    if !changed && !was_open {
        return Ok(Edited { file, changed, was_open });
    }
    // A link stays one.
    let target = fs::canonicalize(&file).unwrap_or_else(|_| file.clone());
    replace(&target, if changed { &after } else { &text }).map_err(wrong)?;
    Ok(Edited { file, changed, was_open })
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
