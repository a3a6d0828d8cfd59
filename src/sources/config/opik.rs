//! How Opik is reached, by the settings of its own SDK.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use url::Url;

use super::ConfigError;
use super::environment::{ENDPOINT, Environment};
use super::given::Given;
use super::names::{About, Kind, Name, ShownSetting};
use super::secret::Secret;
use super::vendor::Vendor;
use spanql_model::paths::home_path;

/// Where requests go with a key that says nothing else.
const CLOUD: &str = "https://www.comet.com/opik/api";
/// The workspace where none is named.
const WORKSPACE: &str = "default";
/// The variable that names the file of the SDK.
const CONFIG_PATH: &str = "OPIK_CONFIG_PATH";

/// The settings of Opik, by the names of its own SDK.
pub(super) static VENDOR: Vendor = Vendor {
    name: "opik",
    prefix: "OPIK_",
    names: &[
        Name::new("api_key", Kind::Text, About::Key, &["OPIK_API_KEY"]),
        Name::new("workspace", Kind::Text, About::User, &["OPIK_WORKSPACE"]),
        Name::new("url_override", Kind::Text, About::Host, &["OPIK_URL_OVERRIDE"]),
        Name::new("check_tls_certificate", Kind::Flag, About::Way, &["OPIK_CHECK_TLS_CERTIFICATE"]),
    ],
    of_tools: of_sdk,
    places,
};

/// Everything needed to call Opik.
#[derive(Debug, Clone)]
pub struct OpikSettings {
    /// The URL of the API without a slash at its end.
    pub url: String,
    /// The API key; a server of one's own needs none.
    pub key: Option<Secret>,
    /// The workspace.
    pub workspace: String,
    /// Whether certificates are checked.
    pub verify: bool,
    /// Whether the server was named by its URL, so that no setting says where it is.
    pub by_url: bool,
}

impl OpikSettings {
    /// Finds the settings, with those of a profile of `config.toml` if one is named.
    ///
    /// # Errors
    /// When a file cannot be read, a value cannot be what it is, or there is neither a key nor a server.
    pub fn find(environment: &Environment, profile: Option<&str>) -> Result<Self, ConfigError> {
        let found = VENDOR.find(environment, profile)?;
        let given = found.given();
        let (url, origin) = server(given)?.ok_or_else(|| {
            ConfigError::Missing(
                "no API key for Opik and no server: set OPIK_API_KEY or OPIK_URL_OVERRIDE, or opik.api_key or \
                 opik.url_override in a profile of config.toml"
                    .to_owned(),
            )
        })?;
        Ok(Self {
            url,
            key: given.get("api_key").map(Secret::new).filter(|key| !key.is_empty()),
            workspace: given.get("workspace").map_or(WORKSPACE, str::trim).to_owned(),
            verify: given.flag("check_tls_certificate")?.unwrap_or(true),
            by_url: origin == ENDPOINT,
        })
    }
}

/// The URL of the API, and where it comes from; `None` when there is neither a server nor a key.
fn server(given: &Given) -> Result<Option<(String, String)>, ConfigError> {
    if let Some(setting) = given.setting("url_override") {
        let wrong = |reason: &str| given.wrong("url_override", reason);
        let read = Url::parse(setting.value.trim()).ok();
        let read = read.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let read = read.ok_or_else(|| wrong("it is no URL such as http://localhost:5173/api"))?;
        if !read.username().is_empty() || read.password().is_some() {
            return Err(wrong("it holds more than scheme, host, port and path; a key is set apart"));
        }
        return Ok(Some((setting.value.trim().trim_end_matches('/').to_owned(), setting.origin.clone())));
    }
    let Some(setting) = given.setting("api_key") else { return Ok(None) };
    Ok(Some(match server_of_key(&setting.value) {
        Some(server) => (server, setting.origin.clone()),
        None => (CLOUD.to_owned(), "default".to_owned()),
    }))
}

/// The URL that a key carries: behind a star, base64 of JSON with `baseUrl`.
fn server_of_key(key: &str) -> Option<String> {
    let (_, carried) = key.trim().split_once('*')?;
    let json: serde_json::Value = serde_json::from_slice(&BASE64_STANDARD.decode(carried).ok()?).ok()?;
    let base = json.get("baseUrl")?.as_str()?.trim_end_matches('/');
    let url = Url::parse(base).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.map(|_| format!("{base}/opik/api"))
}

fn places(given: &Given) -> Result<Vec<ShownSetting>, ConfigError> {
    let (value, origin) = server(given)?.unzip();
    Ok(vec![ShownSetting { name: "url", value, origin }])
}

/// What the file of the SDK says.
fn of_sdk(environment: &Environment) -> Result<Given, ConfigError> {
    let named = environment.get(CONFIG_PATH).map(|path| home_path(Path::new(path)));
    let Some(file): Option<PathBuf> = named.or(environment.home.as_ref().map(|home| home.join(".opik.config"))) else {
        return Ok(Given::default());
    };
    let wrong = |reason: String| ConfigError::File { file: file.display().to_string(), reason };
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Given::default()),
        Err(error) => return Err(wrong(error.to_string())),
    };
    let table = ini_section(&text, "opik").map_err(|line| wrong(format!("line {line} is not name = value")))?;
    let given = Given::of_table(VENDOR.names, &table, &file.display().to_string());
    given.ok_or_else(|| wrong("a value of another kind is expected".to_owned()))
}

/// The settings below a heading of an INI file, without blank ones, or the number of a line that is none.
fn ini_section(text: &str, section: &str) -> Result<toml::Table, usize> {
    let mut table = toml::Table::new();
    let mut inside = false;
    for (number, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(heading) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            inside = heading.trim() == section;
        } else if inside {
            let (name, value) = line.split_once(['=', ':']).ok_or(number)?;
            if !value.trim().is_empty() {
                table.insert(name.trim().to_lowercase(), toml::Value::String(value.trim().to_owned()));
            }
        }
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;

    use super::OpikSettings;
    use crate::config::{ConfigError, Environment};

    fn settings(variables: &[(&str, &str)]) -> Result<OpikSettings, ConfigError> {
        OpikSettings::find(&Environment::with(variables), None)
    }

    #[test]
    fn servers_are_those_of_the_sdk() {
        let url = |variables: &[(&str, &str)]| settings(variables).unwrap().url;
        let carried = format!("{}*{}", "k".repeat(25), BASE64_STANDARD.encode(r#"{"baseUrl":"https://a.example/"}"#));
        assert_eq!(url(&[("OPIK_API_KEY", "any")]), "https://www.comet.com/opik/api");
        assert_eq!(url(&[("OPIK_API_KEY", &carried)]), "https://a.example/opik/api");
        let own = ("OPIK_URL_OVERRIDE", "http://localhost:5173/api/");
        assert_eq!(url(&[own]), "http://localhost:5173/api");
        assert_eq!(url(&[own, ("OPIK_API_KEY", &carried)]), "http://localhost:5173/api");
        let found = settings(&[own, ("OPIK_CHECK_TLS_CERTIFICATE", "false")]).unwrap();
        assert_eq!((found.key.is_none(), found.workspace.as_str(), found.verify), (true, "default", false));
        for (variables, said) in [
            (&[][..], "no API key for Opik and no server"),
            (&[("OPIK_WORKSPACE", "w")], "no API key for Opik and no server"),
            (&[("OPIK_URL_OVERRIDE", "localhost")], "it is no URL"),
            (&[("OPIK_URL_OVERRIDE", "http://me:secret-key@a")], "a key is set apart"),
            (&[own, ("OPIK_CHECK_TLS_CERTIFICATE", "maybe")], "write true or false"),
        ] {
            let error = settings(variables).unwrap_err().to_string();
            assert!(error.contains(said) && !error.contains("secret-key"), "{variables:?}: {error}");
        }
    }

    #[test]
    fn the_file_of_the_sdk_is_read_behind_our_own() {
        let dir = tempfile::tempdir().unwrap();
        let text = "# mine\n[other]\napi_key = wrong\n[opik]\napi_key = from-file\nworkspace: team\nurl_override =\n";
        std::fs::write(dir.path().join(".opik.config"), text).unwrap();
        let mut environment = Environment::with(&[("OPIK_WORKSPACE", "mine")]);
        environment.home = Some(dir.path().to_owned());
        let found = OpikSettings::find(&environment, None).unwrap();
        assert_eq!((found.key.unwrap().expose(), found.workspace.as_str()), ("from-file", "mine"));
        std::fs::write(dir.path().join(".opik.config"), "[opik]\nsecret-key\n").unwrap();
        let error = OpikSettings::find(&environment, None).unwrap_err().to_string();
        assert!(error.ends_with(".opik.config: line 2 is not name = value"), "{error}");
    }

    #[test]
    fn a_host_from_a_directory_counts_with_its_own_key_only() {
        let dir = tempfile::tempdir().unwrap();
        let mut environment = Environment::with(&[]);
        environment.working = Some(dir.path().to_owned());
        std::fs::write(dir.path().join(".env"), "OPIK_URL_OVERRIDE=http://evil.example\n").unwrap();
        assert!(OpikSettings::find(&environment, None).is_err());
        std::fs::write(dir.path().join(".env"), "OPIK_URL_OVERRIDE=http://a.example\nOPIK_API_KEY=k\n").unwrap();
        assert_eq!(OpikSettings::find(&environment, None).unwrap().url, "http://a.example");
    }
}
