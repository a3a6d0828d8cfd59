//! How Phoenix is reached: its URL and key, by the settings of its own client.

use url::{Url, form_urlencoded};

use super::ConfigError;
use super::environment::Environment;
use super::given::Given;
use super::names::{About, Kind, Name, ShownSetting};
use super::secret::Secret;
use super::vendor::Vendor;

/// The settings of Phoenix, by the names of its client.
pub(super) static VENDOR: Vendor = Vendor {
    name: "phoenix",
    prefix: "PHOENIX_",
    names: &[
        Name::new("api_key", Kind::Text, About::Key, &["PHOENIX_API_KEY"]),
        // Some of these are keys, so all are kept like one.
        Name::new("client_headers", Kind::Text, About::Key, &["PHOENIX_CLIENT_HEADERS"]),
        Name::new("collector_endpoint", Kind::Text, About::Host, &["PHOENIX_COLLECTOR_ENDPOINT"]),
        Name::new("host", Kind::Text, About::Host, &["PHOENIX_HOST"]),
        Name::new("port", Kind::Port, About::Way, &["PHOENIX_PORT"]),
    ],
    of_tools: |_| Ok(Given::default()),
    places,
};

const PORT: u16 = 6006;
/// Where spans are sent to, which the endpoint is often set with.
const COLLECTOR: &str = "/v1/traces";

/// Everything needed to call a Phoenix.
#[derive(Debug, Clone)]
pub struct PhoenixSettings {
    /// Its URL, which may have a path, without a slash at its end.
    pub url: String,
    /// The API key; a Phoenix on one's own machine mostly needs none.
    pub key: Option<Secret>,
    /// Further headers of every request: names and values.
    pub headers: Vec<(String, Secret)>,
}

impl PhoenixSettings {
    /// Finds the settings, with those of a profile of `config.toml` if one is named. Where nothing says where Phoenix is,
    /// it is on this machine.
    ///
    /// # Errors
    /// When a file cannot be read, or a value cannot be what it is.
    pub fn find(environment: &Environment, profile: Option<&str>) -> Result<Self, ConfigError> {
        let found = VENDOR.find(environment, profile)?;
        let given = found.given();
        let key = given.get("api_key").map(Secret::new).filter(|key| !key.is_empty());
        Ok(Self { url: url(given)?, key, headers: headers(given)? })
    }
}

fn places(given: &Given) -> Result<Vec<ShownSetting>, ConfigError> {
    headers(given)?;
    let origin = ["collector_endpoint", "host", "port"].iter().find_map(|name| given.setting(name));
    let origin = origin.map_or("default", |setting| setting.origin.as_str()).to_owned();
    Ok(vec![ShownSetting { name: "api", value: Some(url(given)?), origin: Some(origin) }])
}

/// The URL without a slash at its end.
fn url(given: &Given) -> Result<String, ConfigError> {
    if let Some(endpoint) = given.get("collector_endpoint") {
        let url = checked(given, "collector_endpoint", endpoint.trim())?;
        return Ok(url.strip_suffix(COLLECTOR).unwrap_or(&url).to_owned());
    }
    let host = given.get("host").unwrap_or("localhost").trim();
    if host.contains("://") {
        return checked(given, "host", host);
    }
    let port = given.port("port")?;
    let host = match host {
        // Where a server listens is everywhere, and nowhere to call.
        "0.0.0.0" | "::" | "[::]" => "127.0.0.1".to_owned(),
        bare if bare.matches(':').count() > 1 && !bare.starts_with('[') => format!("[{bare}]"),
        other => other.to_owned(),
    };
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let url = if has_port { format!("http://{host}") } else { format!("http://{host}:{}", port.unwrap_or(PORT)) };
    checked(given, "host", &url)
}

/// A URL that requests can be made of.
fn checked(given: &Given, name: &str, text: &str) -> Result<String, ConfigError> {
    let wrong = |reason: &str| given.wrong(name, reason);
    let url = Url::parse(text).map_err(|_| wrong("write a URL such as http://localhost:6006"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(wrong("write a URL such as http://localhost:6006"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("a key does not go into the URL: set PHOENIX_API_KEY, or PHOENIX_CLIENT_HEADERS"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("a URL here ends with its path, without ? and #"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// The headers: `name=value`, separated by commas, both encoded as in URLs, as in W3C baggage.
fn headers(given: &Given) -> Result<Vec<(String, Secret)>, ConfigError> {
    let parts =
        given.get("client_headers").unwrap_or_default().split(',').map(str::trim).filter(|part| !part.is_empty());
    let header = |part: &str| {
        // The value is not shown: it may be a key.
        let wrong = || given.wrong("client_headers", "write headers like name=value,other=value");
        let (name, value) = part.split_once('=').ok_or_else(wrong)?;
        let name = decoded(name.trim()).to_ascii_lowercase();
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_name) {
            return Err(wrong());
        }
        Ok((name, Secret::new(&decoded(value.trim()))))
    };
    parts.map(header).collect()
}

/// A text without the encoding of URLs, in which a plus is a plus.
fn decoded(text: &str) -> String {
    let one = format!("x={}", text.replace('+', "%2B").replace('&', "%26"));
    form_urlencoded::parse(one.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{ConfigError, Environment, PhoenixSettings};

    fn found(variables: &[(&str, &str)]) -> Result<PhoenixSettings, ConfigError> {
        PhoenixSettings::find(&Environment::with(variables), None)
    }

    #[test]
    fn the_url_follows_from_what_is_set() {
        let endpoint = "PHOENIX_COLLECTOR_ENDPOINT";
        for (variables, url) in [
            (vec![], "http://localhost:6006"),
            (vec![(endpoint, "https://app.phoenix.arize.com/s/mine/")], "https://app.phoenix.arize.com/s/mine"),
            (vec![(endpoint, "http://h:1/v1/traces"), ("PHOENIX_HOST", "other")], "http://h:1"),
            (vec![("PHOENIX_HOST", "https://h/p"), ("PHOENIX_PORT", "7")], "https://h/p"),
            (vec![("PHOENIX_HOST", "h")], "http://h:6006"),
            (vec![("PHOENIX_HOST", "h"), ("PHOENIX_PORT", "7")], "http://h:7"),
            (vec![("PHOENIX_HOST", "h:8")], "http://h:8"),
            (vec![("PHOENIX_HOST", "0.0.0.0")], "http://127.0.0.1:6006"),
            (vec![("PHOENIX_HOST", "::1")], "http://[::1]:6006"),
            (vec![("PHOENIX_PORT", "7")], "http://localhost:7"),
        ] {
            assert_eq!(found(&variables).unwrap().url, url, "{variables:?}");
        }
        for (name, value) in [
            (endpoint, "localhost:6006"),
            (endpoint, "ftp://h"),
            (endpoint, "http://user:pass@h"),
            (endpoint, "http://h?x=1"),
            ("PHOENIX_HOST", "a b"),
            ("PHOENIX_PORT", "tcp://10.0.0.1:6006"),
            ("PHOENIX_CLIENT_HEADERS", "secret"),
            ("PHOENIX_CLIENT_HEADERS", "a b=c"),
        ] {
            let error = found(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(name) && !error.contains("pass") && !error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn keys_and_headers_are_found_and_not_shown() {
        let headers = "api_key=ab%2Cc, Authorization=Bearer%20xyzxyzxyz,x-plus=a+b";
        let settings = found(&[("PHOENIX_API_KEY", " key-12345\n"), ("PHOENIX_CLIENT_HEADERS", headers)]).unwrap();
        assert_eq!(settings.key.as_ref().unwrap().expose(), "key-12345");
        let headers: Vec<_> = settings.headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        assert_eq!(headers, [("api_key", "ab,c"), ("authorization", "Bearer xyzxyzxyz"), ("x-plus", "a+b")]);
        let shown = format!("{settings:?}");
        assert!(!shown.contains("12345") && !shown.contains("xyz") && !shown.contains("ab,c"), "{shown}");
        assert!(found(&[]).unwrap().key.is_none());
    }

    #[test]
    fn a_host_from_a_directory_needs_its_own_key() {
        let dir = tempfile::tempdir().unwrap();
        let url = |dot_env: &str, variables: &[(&str, &str)]| {
            std::fs::write(dir.path().join(".env"), dot_env).unwrap();
            let mut environment = Environment::with(variables);
            environment.working = Some(dir.path().to_owned());
            PhoenixSettings::find(&environment, None).unwrap().url
        };
        let host = "PHOENIX_COLLECTOR_ENDPOINT=http://elsewhere:1\n";
        let both = format!("{host}PHOENIX_API_KEY=key-of-this-file\n");
        assert_eq!(url(&both, &[]), "http://elsewhere:1");
        assert_eq!(url(&both, &[("PHOENIX_API_KEY", "key-of-the-user")]), "http://localhost:6006");
        assert_eq!(url(host, &[]), "http://localhost:6006");
    }
}
