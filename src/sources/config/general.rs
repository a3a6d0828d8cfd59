//! Settings that are of no vendor, and in no profile.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::ConfigError;
use super::environment::Environment;
use super::file::{ConfigFile, own_file, read};
use spanql_model::paths::home_path;

/// The setting that names the file of prices.
pub const PRICES: &str = "prices";
/// The variable that names it.
pub const PRICES_VARIABLE: &str = "SPANQL_PRICES";

/// The file of prices, and where its name comes from, in words; a relative one lies beside the file of settings.
///
/// # Errors
/// When the file of settings cannot be read.
pub fn price_file(environment: &Environment) -> Result<Option<(PathBuf, String)>, ConfigError> {
    if let Some(path) = environment.get(PRICES_VARIABLE) {
        let path = home_path(std::path::Path::new(path));
        return Ok(Some((path, format!("environment variable {PRICES_VARIABLE}"))));
    }
    let Some(file) = own_file(environment) else { return Ok(None) };
    let named = read::<ConfigFile>(&file)?.and_then(|config| config.prices);
    let beside = |path: PathBuf| file.parent().map_or_else(|| path.clone(), |folder| folder.join(&path));
    Ok(named.map(|path| (beside(home_path(&path)), file.display().to_string())))
}

/// Own patterns of what to redact, by the names of their placeholders: the table `redact`.
///
/// # Errors
/// When the file of settings cannot be read.
pub fn redactions(environment: &Environment) -> Result<BTreeMap<String, String>, ConfigError> {
    let Some(file) = own_file(environment) else { return Ok(BTreeMap::new()) };
    Ok(read::<ConfigFile>(&file)?.map(|config| config.redact).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::{price_file, redactions};
    use crate::config::Environment;

    #[test]
    fn the_file_of_prices_lies_beside_that_of_settings() {
        let dir = tempfile::tempdir().unwrap();
        let mut environment = Environment::with(&[]);
        assert_eq!(price_file(&environment), Ok(None));
        environment.config = Some(dir.path().to_owned());
        assert_eq!(price_file(&environment), Ok(None));
        std::fs::create_dir(dir.path().join("spanql")).unwrap();
        let file = dir.path().join("spanql/config.toml");
        std::fs::write(&file, "prices = \"p.json\"\n[redact]\nticket = 'T-\\d+'\n").unwrap();
        let found = price_file(&environment).unwrap().unwrap();
        assert_eq!(found, (dir.path().join("spanql/p.json"), file.display().to_string()));
        let own = redactions(&environment).unwrap();
        assert_eq!(own.get("ticket").map(String::as_str), Some("T-\\d+"));
        let mut named = Environment::with(&[("SPANQL_PRICES", "/other.csv")]);
        named.config = environment.config.clone();
        assert_eq!(price_file(&named).unwrap().unwrap().0, std::path::Path::new("/other.csv"));
    }
}
