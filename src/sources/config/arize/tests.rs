use super::ArizeSettings;
use crate::config::{ConfigError, Environment};

fn settings(variables: &[(&str, &str)]) -> Result<ArizeSettings, ConfigError> {
    ArizeSettings::find(&Environment::with(variables), None)
}

fn places(variables: &[(&str, &str)]) -> (String, Option<String>) {
    let key = ("ARIZE_API_KEY", "ak-secret");
    let settings = settings(&[&[key], variables].concat()).unwrap();
    (settings.flight.map(|flight| flight.to_string()).unwrap_or_default(), settings.api)
}

/// A home, a directory of settings and a working directory, all in one.
fn on_disk(files: &[(&str, &str)], variables: &[(&str, &str)]) -> (tempfile::TempDir, Environment) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let mut environment = Environment::with(variables);
    for place in [&mut environment.home, &mut environment.config, &mut environment.working] {
        *place = Some(dir.path().to_owned());
    }
    (dir, environment)
}

#[test]
fn hosts_are_derived_as_by_the_vendors_tools() {
    let https = |host: &str| Some(format!("https://{host}"));
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, Option<String>);
    let cases: [Case<'_>; 10] = [
        (&[], "grpc+tls://flight.arize.com:443", https("api.arize.com")),
        (
            &[("ARIZE_REGION", "eu-west-1a")],
            "grpc+tls://flight.eu-west-1a.arize.com:443",
            https("api.eu-west-1a.arize.com"),
        ),
        (&[("ARIZE_REGION", "EU")], "grpc+tls://flight.eu-west-1a.arize.com:443", https("api.eu-west-1a.arize.com")),
        (&[("ARIZE_BASE_DOMAIN", "a.example")], "grpc+tls://flight.a.example:443", https("api.a.example")),
        (
            &[("ARIZE_SINGLE_HOST", "a.example"), ("ARIZE_SINGLE_PORT", "8443")],
            "grpc+tls://a.example:8443",
            https("a.example:8443"),
        ),
        (
            &[("ARIZE_FLIGHT_HOST", "127.0.0.1"), ("ARIZE_FLIGHT_PORT", "5005"), ("ARIZE_FLIGHT_SCHEME", "grpc+tcp")],
            "grpc://127.0.0.1:5005",
            None,
        ),
        (
            &[("ARIZE_API_HOST", "api.arize.com:81"), ("ARIZE_API_SCHEME", "http")],
            "grpc+tls://flight.arize.com:443",
            Some("http://api.arize.com:81".into()),
        ),
        (&[("ARIZE_API_PORT", "0"), ("ARIZE_REGION", "")], "grpc+tls://flight.arize.com:443", https("api.arize.com")),
        (
            &[("ARIZE_API_HOST", "b.example"), ("ARIZE_FLIGHT_HOST", "a.example"), ("ARIZE_FLIGHT_SCHEME", "grpc")],
            "grpc://a.example:443",
            https("b.example"),
        ),
        // A key for one host is for no other.
        (&[("ARIZE_API_HOST", "arize.corp.example")], "", https("arize.corp.example")),
    ];
    for (variables, flight, api) in cases {
        assert_eq!(places(variables), (flight.to_owned(), api), "{variables:?}");
    }
}

#[test]
fn what_cannot_be_is_said() {
    let key = ("ARIZE_API_KEY", "ak-secret");
    let cases: [(&[(&str, &str)], &str); 6] = [
        (&[], "set ARIZE_API_KEY"),
        (&[key, ("ARIZE_REGION", "mars-1")], "there is no mars-1"),
        (&[key, ("ARIZE_REGION", "us"), ("ARIZE_BASE_DOMAIN", "a.example")], "region and base_domain are both set"),
        (&[key, ("ARIZE_FLIGHT_PORT", "99999")], "a port is a number"),
        (&[key, ("ARIZE_FLIGHT_SCHEME", "http")], "none of grpc+tls"),
        (&[key, ("ARIZE_REQUEST_VERIFY", "maybe")], "true or false"),
    ];
    for (variables, expected) in cases {
        let error = settings(variables).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("ak-secret"), "{error}");
    }
}

#[test]
fn the_first_place_that_has_a_setting_counts() {
    let own = r#"profile = "work"
        [profiles.work.arize]
        api_key = "${WORK_KEY}"
        region = "us"
        [profiles.home.arize]
        api_key = "ak-home"
        space = "Home""#;
    let ax = r#"[profile]
        name = "p"
        [auth]
        auth_method = "api-key"
        api_key = "ak-ax"
        [routing]
        single_host = "ax.example"
        single_port = "444"
        [security]
        request_verify = false
        [output]
        format = "table""#;
    let files = [("spanql/config.toml", own), (".arize/.active_profile", "p\n"), (".arize/profiles/p.toml", ax)];
    let (_dir, environment) = on_disk(&files, &[("WORK_KEY", "ak-work")]);
    let work = ArizeSettings::find(&environment, None).unwrap();
    assert_eq!(work.key.expose(), "ak-work");
    assert_eq!(work.flight.unwrap().to_string(), "grpc+tls://flight.us-east-1b.arize.com:443");
    assert!(work.verify, "what was set for another host does not count");
    let home = ArizeSettings::find(&environment, Some("home")).unwrap();
    assert_eq!((home.key.expose(), home.space.as_deref()), ("ak-home", Some("Home")));
    assert_eq!((home.flight.unwrap().to_string().as_str(), home.verify), ("grpc+tls://ax.example:444", false));
    let error = ArizeSettings::find(&environment, Some("play")).unwrap_err().to_string();
    assert!(error.ends_with("has no profile play; it has home, work"), "{error}");
    let (_dir, environment) = on_disk(&files[1..], &[("ARIZE_SPACE_ID", "S")]);
    let ax = ArizeSettings::find(&environment, None).unwrap();
    assert_eq!((ax.key.expose(), ax.space.as_deref()), ("ak-ax", Some("S")));
}

#[test]
fn a_directory_cannot_send_a_key_elsewhere() {
    let dot_env = "ARIZE_API_KEY=ak-here\nARIZE_SINGLE_HOST=evil.example\nARIZE_SPACE_ID=S\n";
    let (_dir, environment) = on_disk(&[(".env", dot_env)], &[("ARIZE_API_KEY", "ak-mine")]);
    let mine = ArizeSettings::find(&environment, None).unwrap();
    assert_eq!((mine.key.expose(), mine.flight.unwrap().host.as_str()), ("ak-mine", "flight.arize.com"));
    assert_eq!(mine.space.as_deref(), Some("S"));
    let (_dir, environment) = on_disk(&[(".env", dot_env)], &[]);
    let here = ArizeSettings::find(&environment, None).unwrap();
    assert_eq!((here.key.expose(), here.flight.unwrap().host.as_str()), ("ak-here", "evil.example"));
    let (_dir, environment) = on_disk(&[(".env", "OTHER=hello world\nexport ARIZE_API_KEY=ak-here\n")], &[]);
    assert_eq!(ArizeSettings::find(&environment, None).unwrap().key.expose(), "ak-here");
}

#[test]
fn what_is_not_needed_need_not_be_readable() {
    let broken =
        [(".env", "ARIZE_SPACE_ID='S\n"), (".arize/profiles/default.toml", "[auth]\napi_key = \"${NO_SUCH}\"\n")];
    let enough = [("ARIZE_API_KEY", "ak-mine"), ("ARIZE_REGION", "us")];
    let (_dir, environment) = on_disk(&broken, &enough);
    assert_eq!(ArizeSettings::find(&environment, None).unwrap().key.expose(), "ak-mine");
    let (_dir, environment) = on_disk(&broken[1..], &enough[..1]);
    assert!(ArizeSettings::find(&environment, None).is_err(), "the profile may name the host");
    let unknown =
        [(".arize/profiles/default.toml", "[auth]\nauth_method = \"oauth\"\nrefresh = \"r\"\napi_key = \"ak-ax\"\n")];
    let (_dir, environment) = on_disk(&unknown, &[]);
    assert_eq!(ArizeSettings::find(&environment, None).unwrap().key.expose(), "ak-ax");
}

#[test]
fn broken_files_are_named_and_their_lines_not_shown() {
    let files = [
        ("spanql/config.toml", "[profiles.default.arize]\napi_key = ak-secret\n"),
        ("spanql/config.toml", "[profiles.default.arize]\napi_kay = \"ak-secret\"\n"),
        (".arize/profiles/default.toml", "[auth]\napi_key = \"ak-secret\n"),
        (".env", "ARIZE_API_KEY='ak-secret\n"),
        (".env", "ARIZE_API_KEY=${HOME}ak-secret\n"),
        ("spanql/config.toml", "[profiles.default]\narize = \"ak-secret\"\n"),
        ("spanql/config.toml", "[profiles.default.arize]\nregion = \"us\"\nsingle_port = [\"ak-secret\"]\n"),
        (".arize/profiles/default.toml", "auth = \"ak-secret\"\n"),
        ("spanql/config.toml", "[profiles.default.arize]\napi_key = \"${NO_SUCH}\"\n"),
    ];
    for file in files {
        let (_dir, environment) = on_disk(&[file], &[]);
        let error = ArizeSettings::find(&environment, None).unwrap_err().to_string();
        assert!(error.contains(file.0.rsplit('/').next().unwrap()) && !error.contains("ak-secret"), "{error}");
    }
}

#[test]
fn debug_forms_hold_no_key() {
    let (_dir, environment) = on_disk(&[], &[("ARIZE_API_KEY", "ak-secret")]);
    let settings = ArizeSettings::find(&environment, None).unwrap();
    assert!(!format!("{environment:?} {settings:?}").contains("ak-secret"));
}
