use super::*;

fn environment(variables: &[(&str, &str)], files: &[(&str, &str)]) -> (tempfile::TempDir, Environment) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = dir.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    let path = |name: &str| Some(dir.path().join(name));
    let environment =
        Environment { home: path("home"), config: path("config"), working: path("work"), ..Environment::with(variables) };
    (dir, environment)
}

fn settings(variables: &[(&str, &str)], files: &[(&str, &str)]) -> Result<OpikSettings, ConfigError> {
    OpikSettings::find(&environment(variables, files).1, None)
}

/// URL, workspace and key.
fn found(variables: &[(&str, &str)], files: &[(&str, &str)]) -> (String, String, Option<String>) {
    let (_dir, environment) = environment(variables, files);
    let found = OpikSettings::find(&environment, None).unwrap();
    (found.url, found.workspace, found.key.map(|key| key.expose().to_owned()))
}

fn expected(url: &str, workspace: &str, key: Option<&str>) -> (String, String, Option<String>) {
    (url.to_owned(), workspace.to_owned(), key.map(str::to_owned))
}

const INI: &str = "# of the SDK\n[other]\napi_key = no\n[opik]\nurl_override = http://ini/api/\nworkspace: team\napi_key=of-ini\n";

#[test]
fn the_first_place_that_says_something_counts() {
    let ini = [("home/.opik.config", INI)];
    assert_eq!(found(&[], &ini), expected("http://ini/api", "team", Some("of-ini")));
    assert_eq!(
        found(&[("OPIK_API_KEY", "of-env"), ("OPIK_WORKSPACE", "w")], &ini),
        expected("http://ini/api", "w", Some("of-env"))
    );
    let profile = ("config/spanql/config.toml", "[profiles.default.opik]\nworkspace = 'p'\nurl_override = 'http://own:5173/api'");
    assert_eq!(found(&[], &[profile, ini[0]]), expected("http://own:5173/api", "p", Some("of-ini")));
    assert_eq!(found(&[("OPIK_API_KEY", "k")], &[]), expected(CLOUD, "default", Some("k")));
    // A server of one's own may have no keys.
    let local = ("OPIK_URL_OVERRIDE", "http://localhost:5173/api/");
    assert_eq!(found(&[local], &[]), expected("http://localhost:5173/api", "default", None));
}

#[test]
fn another_file_may_be_named() {
    let (dir, mut environment) = environment(&[], &[("elsewhere.ini", INI)]);
    let file = dir.path().join("elsewhere.ini").display().to_string();
    environment = Environment { home: environment.home, ..Environment::with(&[("OPIK_CONFIG_PATH", &file)]) };
    assert_eq!(OpikSettings::find(&environment, None).unwrap().workspace, "team");
}

#[test]
fn a_host_from_dot_env_needs_a_key_from_there() {
    let both = ("work/.env", "OPIK_URL_OVERRIDE=http://env/api\nOPIK_API_KEY=of-dot-env\n");
    assert_eq!(found(&[], &[both]), expected("http://env/api", "default", Some("of-dot-env")));
    assert_eq!(found(&[("OPIK_API_KEY", "mine")], &[both]), expected(CLOUD, "default", Some("mine")));
    let host = ("work/.env", "OPIK_URL_OVERRIDE=http://env/api\n");
    assert!(settings(&[], &[host]).unwrap_err().to_string().contains("no API key for Opik"));
}

#[test]
fn a_key_may_name_its_server() {
    let key = format!("{}*{}", "k".repeat(25), STANDARD.encode(r#"{"baseUrl": "https://opik.example.com/"}"#));
    assert_eq!(found(&[("OPIK_API_KEY", &key)], &[]), expected("https://opik.example.com/opik/api", "default", Some(&key)));
    let other = ("OPIK_URL_OVERRIDE", "http://x/api");
    assert_eq!(found(&[("OPIK_API_KEY", &key), other], &[]).0, "http://x/api");
    for plain in ["abc*def", "abc*", "*"] {
        assert_eq!(found(&[("OPIK_API_KEY", plain)], &[]).0, CLOUD);
    }
}

#[test]
fn wrong_values_are_said_without_keys() {
    let wrong = |variables: &[(&str, &str)]| settings(variables, &[]).unwrap_err().to_string();
    assert!(wrong(&[]).contains("OPIK_API_KEY"));
    assert!(wrong(&[("OPIK_URL_OVERRIDE", "localhost")]).contains("write a URL"));
    let flag = [("OPIK_API_KEY", "k-123456789"), ("OPIK_CHECK_TLS_CERTIFICATE", "maybe")];
    let said = wrong(&flag);
    assert!(said.contains("true or false") && !said.contains("k-123456789"), "{said}");
    let shown = format!("{:?}", settings(&[("OPIK_API_KEY", "k-123456789")], &[]).unwrap());
    assert!(!shown.contains("k-123456789"), "{shown}");
}
