//! How Phoenix is reached, by the settings of its own client.

use url::Url;

use super::ConfigError;
use super::environment::Environment;
use super::given::Given;
use super::secret::Secret;
use super::vendor::{About, Kind, Name, ShownSetting, Vendor};

/// The port of a server where nothing says another.
const PORT: u16 = 6006;
/// The path of the endpoint for traces, which may stand behind the address of the server.
const TRACES: &str = "/v1/traces";

/// The settings of Phoenix, by the names of its own client's variables.
pub(super) static VENDOR: Vendor = Vendor {
    name: "phoenix",
    prefix: "PHOENIX_",
    names: &[
        Name::new("collector_endpoint", Kind::Text, About::Host, &["PHOENIX_COLLECTOR_ENDPOINT"]),
        Name::new("host", Kind::Text, About::Host, &["PHOENIX_HOST"]),
        Name::new("port", Kind::Port, About::Way, &["PHOENIX_PORT"]),
        Name::new("api_key", Kind::Text, About::Key, &["PHOENIX_API_KEY"]),
        Name::new("client_headers", Kind::Text, About::Key, &["PHOENIX_CLIENT_HEADERS"]),
    ],
    of_tools: |_| Ok(Given::default()),
    places,
};

/// Everything needed to call Phoenix.
#[derive(Debug, Clone)]
pub struct PhoenixSettings {
    /// The URL of the server without a slash at its end; it may have a path.
    pub url: String,
    /// The API key; a server that asks for none needs none.
    pub key: Option<Secret>,
    /// Further headers of every request: names in lower case, and values.
    pub headers: Vec<(String, Secret)>,
}

impl PhoenixSettings {
    /// Finds the settings, with those of a profile of `config.toml` if one is named.
    ///
    /// # Errors
    /// When a file cannot be read, a value cannot be what it is, or nothing says where the server is.
    pub fn find(environment: &Environment, profile: Option<&str>) -> Result<Self, ConfigError> {
        let found = VENDOR.find(environment, profile)?;
        let given = found.given();
        let (url, _) = server(given)?.ok_or_else(|| {
            ConfigError::Missing(
                "it is not known where Phoenix is: set PHOENIX_COLLECTOR_ENDPOINT or PHOENIX_HOST, or \
                 phoenix.collector_endpoint in a profile of config.toml"
                    .to_owned(),
            )
        })?;
        let key = given.get("api_key").map(Secret::new).filter(|key| !key.is_empty());
        Ok(Self { url, key, headers: headers(given)? })
    }
}

/// The URL of the server, and where it comes from; `None` when nothing says where it is.
fn server(given: &Given) -> Result<Option<(String, &str)>, ConfigError> {
    let port = given.port("port")?.unwrap_or(PORT);
    let (name, setting) = match (given.setting("collector_endpoint"), given.setting("host")) {
        (Some(setting), _) => ("collector_endpoint", setting),
        (None, Some(setting)) => ("host", setting),
        (None, None) => return Ok(None),
    };
    let text = setting.value.trim().trim_end_matches('/');
    let text = text.strip_suffix(TRACES).unwrap_or(text).trim_end_matches('/');
    let url = match (name, text.contains("://")) {
        // What a server listens on, which nobody can call.
        ("host", false) if text == "0.0.0.0" || text == "::" => format!("http://127.0.0.1:{port}"),
        ("host", false) => format!("http://{text}:{port}"),
        _ => text.to_owned(),
    };
    let read = Url::parse(&url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let read = read.ok_or_else(|| given.wrong(name, "it is no URL such as http://localhost:6006"))?;
    if !read.username().is_empty() || read.password().is_some() || read.query().is_some() || read.fragment().is_some() {
        return Err(given.wrong(name, "it holds more than scheme, host, port and path; a key is set apart"));
    }
    Ok(Some((url, &setting.origin)))
}

fn places(given: &Given) -> Result<Vec<ShownSetting>, ConfigError> {
    headers(given)?;
    let (value, origin) = server(given)?.map(|(url, origin)| (url, origin.to_owned())).unzip();
    Ok(vec![ShownSetting { name: "url", value, origin }])
}

/// The headers that are set: `name=value` with commas between, both encoded as in URLs.
fn headers(given: &Given) -> Result<Vec<(String, Secret)>, ConfigError> {
    let decoded = |text: &str| percent_encoding::percent_decode_str(text.trim()).decode_utf8().ok().map(String::from);
    let pairs = given.get("client_headers").unwrap_or_default().split(',').map(str::trim);
    pairs
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=')?;
            let name = decoded(name).filter(|name| !name.is_empty())?;
            Some((name.to_lowercase(), Secret::new(&decoded(value)?)))
        })
        .collect::<Option<_>>()
        .ok_or_else(|| given.wrong("client_headers", "write name=value with commas between, encoded as in URLs"))
}

#[cfg(test)]
mod tests {
    use super::PhoenixSettings;
    use crate::config::{ConfigError, Environment};

    fn settings(variables: &[(&str, &str)]) -> Result<PhoenixSettings, ConfigError> {
        PhoenixSettings::find(&Environment::with(variables), None)
    }

    #[test]
    fn servers_are_named_as_for_the_vendors_client() {
        let url = |variables: &[(&str, &str)]| settings(variables).unwrap().url;
        for (variables, expected) in [
            (&[("PHOENIX_COLLECTOR_ENDPOINT", "http://localhost:6006/")][..], "http://localhost:6006"),
            (&[("PHOENIX_COLLECTOR_ENDPOINT", "https://a.example/p/v1/traces")], "https://a.example/p"),
            (&[("PHOENIX_COLLECTOR_ENDPOINT", "https://a.example"), ("PHOENIX_HOST", "b")], "https://a.example"),
            (&[("PHOENIX_HOST", "b.example")], "http://b.example:6006"),
            (&[("PHOENIX_HOST", "0.0.0.0"), ("PHOENIX_PORT", "7007")], "http://127.0.0.1:7007"),
            (&[("PHOENIX_HOST", "https://b.example"), ("PHOENIX_PORT", "7007")], "https://b.example"),
        ] {
            assert_eq!(url(variables), expected, "{variables:?}");
        }
        for (variables, said) in [
            (&[][..], "it is not known where Phoenix is"),
            (&[("PHOENIX_API_KEY", "secret-key")], "it is not known where Phoenix is"),
            (&[("PHOENIX_COLLECTOR_ENDPOINT", "localhost:6006")], "it is no URL"),
            (&[("PHOENIX_COLLECTOR_ENDPOINT", "https://me:secret-key@a.example")], "a key is set apart"),
            (&[("PHOENIX_HOST", "a"), ("PHOENIX_PORT", "x")], "a port is a number"),
            (&[("PHOENIX_HOST", "a"), ("PHOENIX_CLIENT_HEADERS", "secret-key")], "write name=value"),
        ] {
            let error = settings(variables).unwrap_err().to_string();
            assert!(error.contains(said) && !error.contains("secret-key"), "{variables:?}: {error}");
        }
    }

    #[test]
    fn keys_and_headers_are_not_shown() {
        let headers = "Authorization=Bearer%20secret-key-1, X-Team = a%2Cb,";
        let found = settings(&[
            ("PHOENIX_HOST", "a"),
            ("PHOENIX_API_KEY", " secret-key-2 "),
            ("PHOENIX_CLIENT_HEADERS", headers),
        ])
        .unwrap();
        let pairs: Vec<_> = found.headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        assert_eq!(pairs, [("authorization", "Bearer secret-key-1"), ("x-team", "a,b")]);
        assert_eq!(found.key.as_ref().unwrap().expose(), "secret-key-2");
        assert!(!format!("{found:?}").contains("secret-key"));
    }
}
