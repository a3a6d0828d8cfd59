//! How Opik is reached, by the settings of its own tools.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde::Deserialize;

use super::ConfigError;
use super::environment::Environment;
use super::file::of_another_kind;
use super::given::Given;
use super::secret::Secret;
use super::vendor::{About, Found, Kind, Name, ShownSetting, Vendor};
use spanql_model::paths::home_path;

/// The settings of Opik, by the names of its own tools.
pub(super) static VENDOR: Vendor = Vendor {
    name: "opik",
    prefix: "OPIK_",
    names: &[
        Name::new("api_key", Kind::Text, About::Key, &["OPIK_API_KEY"]),
        Name::new("workspace", Kind::Text, About::User, &["OPIK_WORKSPACE"]),
        Name::new("url_override", Kind::Text, About::Host, &["OPIK_URL_OVERRIDE"]),
        Name::new("check_tls_certificate", Kind::Flag, About::Way, &["OPIK_CHECK_TLS_CERTIFICATE"]),
        Name::new("ssl_ca_cert", Kind::Text, About::Way, &["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"]),
    ],
    of_tools: ini,
    places,
};

/// Where the vendor's own service is.
const CLOUD: &str = "https://www.comet.com/opik/api";
/// What a server that a key names has its API below.
const BELOW_A_SERVER: &str = "/opik/api";
const DEFAULT_WORKSPACE: &str = "default";
/// The file of the vendor's tools, in the home directory, and the variable that names another.
const FILE: &str = ".opik.config";
const FILE_VARIABLE: &str = "OPIK_CONFIG_PATH";
/// Its section that counts.
const SECTION: &str = "opik";

/// Everything needed to call Opik.
#[derive(Debug, Clone)]
pub struct OpikSettings {
    /// URL of the API without a slash at its end.
    pub url: String,
    /// The workspace.
    pub workspace: String,
    /// The API key, which an installation of one's own may not need.
    pub key: Option<Secret>,
    /// Whether certificates are checked.
    pub verify: bool,
    /// File of certificates that are trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
}

impl OpikSettings {
    /// Finds the settings, with those of a profile of `config.toml` if one is named.
    ///
    /// # Errors
    /// When a file cannot be read, a value cannot be what it is, or there is no key for the vendor's own service.
    pub fn find(environment: &Environment, profile: Option<&str>) -> Result<Self, ConfigError> {
        Self::settle(&VENDOR.find(environment, profile)?)
    }

    fn settle(found: &Found) -> Result<Self, ConfigError> {
        let given = found.given();
        let key = given.get("api_key").map(Secret::new).filter(|key| !key.is_empty());
        let url = url(given)?;
        if key.is_none() && url == CLOUD {
            return Err(ConfigError::Missing(
                "no API key for Opik: set OPIK_API_KEY, or api_key in a profile of config.toml or in ~/.opik.config; for a server \
                 of your own, set OPIK_URL_OVERRIDE"
                    .to_owned(),
            ));
        }
        Ok(Self {
            url,
            workspace: given.get("workspace").unwrap_or(DEFAULT_WORKSPACE).to_owned(),
            key,
            verify: given.flag("check_tls_certificate")?.unwrap_or(true),
            ca_file: given.get("ssl_ca_cert").map(|file| home_path(Path::new(file))),
        })
    }
}

fn places(given: &Given) -> Result<Vec<ShownSetting>, ConfigError> {
    let origin = given.setting("url_override").map(|setting| setting.origin.clone());
    Ok(vec![ShownSetting { name: "url", value: Some(url(given)?), origin }])
}

/// Where the API is: as set, else at the server that the key names, else at the vendor's own.
fn url(given: &Given) -> Result<String, ConfigError> {
    if let Some(url) = given.get("url_override") {
        let is_http = |url: &url::Url| matches!(url.scheme(), "http" | "https") && url.has_host();
        return match url::Url::parse(url).ok().filter(is_http) {
            Some(_) => Ok(url.trim_end_matches('/').to_owned()),
            None => Err(given.wrong("url_override", "write a URL such as http://localhost:5173/api")),
        };
    }
    let server = given.get("api_key").and_then(server_of_key);
    Ok(server.map_or_else(|| CLOUD.to_owned(), |server| format!("{}{BELOW_A_SERVER}", server.trim_end_matches('/'))))
}

/// The server that a key names: behind an asterisk, base64 of JSON.
fn server_of_key(key: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Attributes {
        #[serde(rename = "baseUrl")]
        base_url: String,
    }
    let (_, encoded) = key.trim().split_once('*')?;
    let decoded = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD].iter().find_map(|base64| base64.decode(encoded).ok())?;
    let Attributes { base_url } = serde_json::from_slice(&decoded).ok()?;
    url::Url::parse(&base_url).is_ok_and(|url| matches!(url.scheme(), "http" | "https")).then_some(base_url)
}

/// What the file of the vendor's tools says.
fn ini(environment: &Environment) -> Result<Given, ConfigError> {
    let named = environment.get(FILE_VARIABLE).map(|file| home_path(Path::new(file)));
    let Some(file) = named.or_else(|| Some(environment.home.as_ref()?.join(FILE))) else { return Ok(Given::default()) };
    let path = file.display().to_string();
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Given::default()),
        Err(error) => return Err(ConfigError::File { file: path, reason: error.to_string() }),
    };
    Given::of_table(&VENDOR, &section(&text), &path).ok_or_else(|| of_another_kind(&file))
}

/// The section of an INI file, its values as text. A line that is none of INI is not looked at: it may hold a key.
fn section(text: &str) -> toml::Table {
    let mut inside = false;
    let mut table = toml::Table::new();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = name.trim() == SECTION;
        } else if let Some((name, value)) = line.split_once(['=', ':']).filter(|_| inside) {
            let value = value.trim();
            if !value.is_empty() {
                table.insert(name.trim().to_lowercase(), toml::Value::String(value.to_owned()));
            }
        }
    }
    table
}

#[cfg(test)]
mod tests;
