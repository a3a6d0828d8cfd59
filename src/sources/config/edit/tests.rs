use std::fs;

use proptest::prelude::*;

use super::{Key, set, unset};
use crate::config::{ArizeSettings, ConfigError, Environment, config_file};

fn directory() -> (tempfile::TempDir, Environment) {
    let dir = tempfile::tempdir().unwrap();
    let mut environment = Environment::with(&[]);
    environment.config = Some(dir.path().join("config"));
    (dir, environment)
}

fn key(name: &str) -> Key {
    Key::read(name, "default").unwrap()
}

fn text(environment: &Environment) -> String {
    fs::read_to_string(config_file(environment).unwrap()).unwrap()
}

fn write(environment: &Environment, text: &str) {
    let file = config_file(environment).unwrap();
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

#[test]
fn what_is_set_is_found_and_what_is_there_stays() {
    let (_dir, environment) = directory();
    assert!(set(&environment, &key("arize.api_key"), " ak-secret\n").unwrap().changed);
    assert_eq!(text(&environment), "[profiles.default.arize]\napi_key = \"ak-secret\"\n");
    set(&environment, &key("arize.space_id"), "My \"Space\"").unwrap();
    set(&environment, &key("arize.single_port"), "8443").unwrap();
    set(&environment, &key("arize.single_host"), "a.example").unwrap();
    set(&environment, &key("arize.request_verify"), "false").unwrap();
    let found = ArizeSettings::find(&environment, None).unwrap();
    assert_eq!((found.key.expose(), found.space.as_deref()), ("ak-secret", Some("My \"Space\"")));
    assert_eq!((found.flight.unwrap().to_string().as_str(), found.verify), ("grpc+tls://a.example:8443", false));
    assert!(!set(&environment, &key("arize.api_key"), "ak-secret").unwrap().changed);

    // Comments, other profiles and the order stay.
    let mine =
        "# mine\n[profiles.work.arize] # here\nregion = \"us\" # for now\n\n[profiles.home.arize]\nspace = 'Home'\n";
    write(&environment, mine);
    let of_work = |name: &str| Key::read(name, "work").unwrap();
    set(&environment, &of_work("arize.region"), "eu").unwrap();
    set(&environment, &of_work("arize.api_key"), "${WORK_KEY}").unwrap();
    set(&environment, &key("profile"), "work").unwrap();
    set(&environment, &Key::read("arize.space", "my own").unwrap(), "S").unwrap();
    assert_eq!(
        text(&environment),
        "profile = \"work\"\n# mine\n[profiles.work.arize] # here\nregion = \"eu\" # for now\napi_key = \"${WORK_KEY}\"\n\n\
         [profiles.home.arize]\nspace = 'Home'\n\n[profiles.\"my own\".arize]\nspace = \"S\"\n"
    );
    for name in ["arize.region", "arize.api_key"] {
        assert!(unset(&environment, &of_work(name)).unwrap().changed);
    }
    assert!(unset(&environment, &key("profile")).unwrap().changed);
    assert!(!unset(&environment, &key("arize.api_key")).unwrap().changed);
    let left = "# mine\n[profiles.work.arize] # here\n\n[profiles.home.arize]\nspace = 'Home'\n";
    assert!(text(&environment).starts_with(left), "{}", text(&environment));
    // Into the table that is empty now.
    set(&environment, &of_work("arize.space"), "S").unwrap();
    assert!(text(&environment).starts_with("# mine\n[profiles.work.arize] # here\nspace = \"S\"\n\n"));
}

#[test]
fn nothing_is_written_that_cannot_be() {
    let cases = [
        ("arize.single_port", "99999", "a port is a number"),
        ("arize.flight_port", "x", "a port is a number"),
        ("arize.region", "mars", "there is no mars"),
        ("arize.request_verify", "maybe", "true or false"),
        ("arize.flight_scheme", "http", "none of grpc+tls"),
        ("arize.api_key", "a\nb", "one line"),
        ("arize.api_key", "  ", "a value is needed"),
    ];
    let (_dir, environment) = directory();
    for (name, value, expected) in cases {
        let error = set(&environment, &key(name), value).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(!config_file(&environment).unwrap().exists());
    for (name, expected) in [
        ("arize.api_kay", "did you mean arize.api_key?"),
        ("arize.auth_method", "there is no setting"),
        ("profiles", "did you mean profile?"),
        ("zebra", "there are arize.api_key, "),
    ] {
        let error = Key::read(name, "default").unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    // A host alone may be completed by the next command.
    set(&environment, &key("arize.api_host"), "a.example").unwrap();
}

#[test]
fn files_in_other_forms_are_changed_right_or_not_at_all() {
    for (before, after) in [
        ("profiles.default.arize.api_key = \"old\"\n", Some("profiles.default.arize.api_key = \"new\"\n")),
        (
            "profiles = { default = { arize = { api_key = 'old' } } }",
            Some("profiles = { default = { arize = { api_key = \"new\" } } }\n"),
        ),
        (
            "[profiles.default]\narize = { space = 'S' }\n",
            Some("[profiles.default]\narize = { space = 'S' , api_key = \"new\" }\n"),
        ),
        ("[profiles.\"default\".arize]\n", Some("[profiles.\"default\".arize]\napi_key = \"new\"\n")),
        ("# mine\n", Some("# mine\n\n[profiles.default.arize]\napi_key = \"new\"\n")),
        (
            "[profiles.work.arize]\n# region = 'us'\n",
            Some("[profiles.work.arize]\n# region = 'us'\n\n[profiles.default.arize]\napi_key = \"new\"\n"),
        ),
        ("[profiles.default]\n", Some("[profiles.default]\n\n[profiles.default.arize]\napi_key = \"new\"\n")),
        ("[profiles.default.arize]", Some("[profiles.default.arize]\napi_key = \"new\"\n")),
        ("profile = \"default\"", Some("profile = \"default\"\n\n[profiles.default.arize]\napi_key = \"new\"\n")),
        (
            "[profiles.default.arize]\nspace = '''\nS\n'''\n",
            Some("[profiles.default.arize]\nspace = '''\nS\n'''\napi_key = \"new\"\n"),
        ),
        ("api_key = 'old'\n", None),
        ("[profiles.default.arize]\napi_kay = 'old'\n", None),
        ("[profiles", None),
    ] {
        let (_dir, environment) = directory();
        write(&environment, before);
        match (set(&environment, &key("arize.api_key"), "new"), after) {
            (Ok(_), Some(after)) => assert_eq!(text(&environment), after),
            (Err(ConfigError::File { .. }), None) => assert_eq!(text(&environment), before),
            (result, _) => panic!("{before:?}: {result:?}"),
        }
    }
}

#[test]
fn comments_above_what_is_taken_away_stay() {
    for (before, after) in [
        ("[profiles.default.arize]\n# of the team\napi_key = 'k'\n", "[profiles.default.arize]\n# of the team\n"),
        (
            "[profiles.default.arize] # here\nspace = 'S' # mine\n\n# of the team\napi_key = 'k' # old\nregion = 'us'\n",
            "[profiles.default.arize] # here\nspace = 'S' # mine\n\n# of the team\nregion = 'us'\n",
        ),
        ("profiles.default.arize = { api_key = 'k' }\n", "profiles.default.arize = {}\n"),
    ] {
        let (_dir, environment) = directory();
        write(&environment, before);
        assert!(unset(&environment, &key("arize.api_key")).unwrap().changed);
        assert_eq!(text(&environment), after);
    }
    let (_dir, environment) = directory();
    write(&environment, "# mine\nprofile = 'default'\n[profiles.default.arize]\n");
    assert!(unset(&environment, &key("profile")).unwrap().changed);
    assert_eq!(text(&environment), "# mine\n[profiles.default.arize]\n");
}

#[cfg(unix)]
#[test]
fn only_its_owner_reads_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let (dir, environment) = directory();
    let file = config_file(&environment).unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert!(!set(&environment, &key("arize.space"), "S").unwrap().was_open);
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let edited = set(&environment, &key("arize.space"), "S").unwrap();
    assert!(edited.was_open && !edited.changed);
    assert_eq!(mode(&file), 0o600);
    // A link stays one, and what it leads to is changed.
    let elsewhere = dir.path().join("elsewhere.toml");
    fs::rename(&file, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    set(&environment, &key("arize.space"), "T").unwrap();
    assert!(file.is_symlink() && fs::read_to_string(elsewhere).unwrap().contains("\"T\""));
}

proptest! {
    #[test]
    fn any_value_in_any_profile_comes_back(profile in "\\PC{0,12}", value in "\\PC{1,20}", again in "[^$\\p{C}]{1,9}") {
        prop_assume!(!value.trim().is_empty() && !value.trim().starts_with("${") && !again.trim().is_empty());
        let (_dir, environment) = directory();
        let key = Key::read("arize.api_key", &profile).unwrap();
        for value in [&value, &again] {
            set(&environment, &key, value).unwrap();
            let found = ArizeSettings::find(&environment, Some(&profile)).unwrap();
            prop_assert_eq!(found.key.expose(), value.trim());
        }
        unset(&environment, &key).unwrap();
        prop_assert!(ArizeSettings::find(&environment, Some(&profile)).is_err());
    }
}
