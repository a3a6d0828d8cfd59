//! The key of placeholders: one for each user, so that they stay the same, and nobody else can try guesses.

use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::sync::OnceLock;

use super::ConfigError;
use super::environment::Environment;
use super::general::redactions;
use spanql_model::redact::Redactor;

/// The variable whose text makes the key, for those who share placeholders.
pub const REDACTION_KEY_VARIABLE: &str = "SPANQL_REDACTION_KEY";
/// What such a text has at least: a short one can be guessed.
const SHORTEST: usize = 16;
/// The file beside that of settings.
const FILE: &str = "redaction.key";
const CONTEXT: &str = "spanql 2026 placeholders";

/// What redacts, by the settings; they are read when somebody asks for it.
#[derive(Debug, Default)]
pub struct Redaction {
    environment: Environment,
    redactor: OnceLock<Result<Redactor, ConfigError>>,
    finder: OnceLock<Result<Redactor, ConfigError>>,
}

impl Redaction {
    /// By the settings that are found from here.
    pub fn new(environment: Environment) -> Self {
        Self { environment, ..Self::default() }
    }

    /// What redacts with the user's key, which is made when there is none, and own patterns.
    ///
    /// # Errors
    /// When settings cannot be read, a pattern is none, or the key cannot be kept.
    pub fn redactor(&self) -> Result<&Redactor, ConfigError> {
        let make = || with(key(&self.environment)?, &self.environment);
        self.redactor.get_or_init(make).as_ref().map_err(Clone::clone)
    }

    /// The same for those who only look for secrets: no key is made.
    ///
    /// # Errors
    /// When settings cannot be read, or a pattern is none.
    pub fn finder(&self) -> Result<&Redactor, ConfigError> {
        self.finder.get_or_init(|| with([0; 32], &self.environment)).as_ref().map_err(Clone::clone)
    }
}

fn with(key: [u8; 32], environment: &Environment) -> Result<Redactor, ConfigError> {
    Redactor::new(key, redactions(environment)?).map_err(|error| ConfigError::Missing(error.to_string()))
}

fn key(environment: &Environment) -> Result<[u8; 32], ConfigError> {
    if let Some(text) = environment.get(REDACTION_KEY_VARIABLE) {
        if text.len() < SHORTEST {
            let reason = format!("at least {SHORTEST} characters are needed: shorter ones can be guessed");
            return Err(ConfigError::Value { place: REDACTION_KEY_VARIABLE.to_owned(), reason });
        }
        return Ok(blake3::derive_key(CONTEXT, text.as_bytes()));
    }
    let Some(folder) = environment.config.as_ref().map(|dir| dir.join("spanql")) else {
        let why = format!(
            "there is no directory for settings, which keeps the key of placeholders: set {REDACTION_KEY_VARIABLE}"
        );
        return Err(ConfigError::Missing(why));
    };
    let file = folder.join(FILE);
    let wrong = |reason: String| ConfigError::File { file: file.display().to_string(), reason };
    match std::fs::read(&file) {
        Ok(bytes) => {
            bytes.try_into().map_err(|_| wrong("it is no key of 32 bytes; without it, a new one is made".into()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => make(&folder, &file).map_err(|error| {
            wrong(format!("the key of placeholders cannot be kept: {error}; or set {REDACTION_KEY_VARIABLE}"))
        }),
        Err(error) => Err(wrong(error.to_string())),
    }
}

/// Makes a key and keeps it, whole from the first moment; another process may have been faster.
fn make(folder: &Path, file: &Path) -> std::io::Result<[u8; 32]> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    let mut key = [0; 32];
    getrandom::getrandom(&mut key)?;
    // Nobody but the user may read it: so temporary files are.
    let mut made = tempfile::NamedTempFile::new_in(folder)?;
    made.write_all(&key)?;
    match made.persist_noclobber(file) {
        Ok(_) => Ok(key),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
            let known = std::fs::read(file)?;
            known.try_into().map_err(|_| std::io::Error::other("another process wrote something else"))
        }
        Err(error) => Err(error.error),
    }
}

#[cfg(test)]
mod tests {
    use super::Redaction;
    use crate::config::Environment;

    #[test]
    fn the_key_is_made_once_and_only_for_the_user() {
        let dir = tempfile::tempdir().unwrap();
        let mut environment = Environment::with(&[]);
        let made = |environment: &Environment| {
            let redaction = Redaction::new(environment.clone());
            redaction.redactor().map(|redactor| redactor.text("ada@example.org").into_owned())
        };
        assert!(made(&environment).is_err());
        environment.config = Some(dir.path().to_owned());
        let said = |environment: &Environment| made(environment).unwrap();
        let first = said(&environment);
        assert_eq!(said(&environment), first);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(dir.path().join("spanql/redaction.key")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let shared = Environment::with(&[("SPANQL_REDACTION_KEY", "one text for all of us")]);
        assert_eq!(said(&shared), said(&shared));
        assert_ne!(said(&shared), first);
        let short = Environment::with(&[("SPANQL_REDACTION_KEY", "short")]);
        assert!(made(&short).unwrap_err().to_string().contains("at least 16"));
        std::fs::write(dir.path().join("spanql/redaction.key"), "cut").unwrap();
        assert!(made(&environment).unwrap_err().to_string().contains("no key of 32 bytes"));
    }
}
