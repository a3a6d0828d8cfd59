//! `spanql config` against a server on this machine, and at a terminal: settings that work are told from those that do
//! not, and a key is not shown.

use std::io::{Read as _, Write as _};
use std::process::Output;
use std::sync::Arc;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use serde_json::Value;
use spanql::store::Store;

use super::pull_support::User;
use super::serve_support::{KEY, Running};

/// A user who knows where a server is, and a key.
fn user_of(running: &Running, key: &str) -> User {
    let mut user = User::new(vec![]);
    user.set("ARIZE_API_KEY", key);
    user.set("ARIZE_SPACE_ID", running.ready.space_id.clone());
    for (name, port, scheme) in [
        ("ARIZE_API_HOST", ("ARIZE_API_PORT", running.ready.http_port), ("ARIZE_API_SCHEME", "http")),
        ("ARIZE_FLIGHT_HOST", ("ARIZE_FLIGHT_PORT", running.ready.flight_port), ("ARIZE_FLIGHT_SCHEME", "grpc")),
    ] {
        user.set(name, "127.0.0.1");
        user.set(port.0, port.1.to_string());
        user.set(scheme.0, scheme.1);
    }
    user
}

/// The value of a setting in the output of `config show -o json`.
fn shown(stdout: &str, setting: &str) -> String {
    let rows: Vec<Value> = serde_json::from_str(stdout).unwrap();
    let row = rows.iter().find(|row| row["setting"] == setting).unwrap_or_else(|| panic!("{setting}: {stdout}"));
    row["value"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_says_whether_settings_work() {
    let store = Arc::new(Store::open("memory://").unwrap());
    let running = Running::with_key(&store).await;
    let check = ["config", "show", "--check", "-o", "json", "--errors", "json"];

    let ran = user_of(&running, KEY).run(&check).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let said = shown(&ran.stdout, "arize.call");
    assert!(said.starts_with("ok: 1 space in 0.") && said.ends_with(" s"), "{said}");
    assert_eq!(shown(&ran.stdout, "arize.api"), format!("http://127.0.0.1:{}", running.ready.http_port));
    assert_eq!(shown(&ran.stdout, "arize.flight"), format!("grpc://127.0.0.1:{}", running.ready.flight_port));
    assert!(!ran.stdout.contains(KEY) && ran.stderr.is_empty(), "{ran:?}");

    let wrong = "another-key-0123456789";
    let ran = user_of(&running, wrong).run(&check).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(shown(&ran.stdout, "arize.call").starts_with("failed: "), "{ran:?}");
    assert!(ran.stderr.contains("\"code\":\"remote-denied\""), "{ran:?}");
    assert!(!ran.stdout.contains(wrong) && !ran.stderr.contains(wrong), "{ran:?}");

    let ran = user_of(&running, KEY).run(&[&check[..], &["--space", "spanqll"]].concat()).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.stderr.contains("\"code\":\"not-found\"") && ran.stderr.contains("\"suggestion\":\"spanql\""),
        "{ran:?}"
    );
    assert_eq!(shown(&ran.stdout, "arize.space"), "spanqll");

    // Without a check nobody is called.
    let user = user_of(&running, wrong);
    running.stop().await.unwrap();
    assert_eq!(user.run(&check[..2]).await.code, Some(0));
    let ran = user.run(&check).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("\"code\":\"remote-unreachable\""), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_were_written_work() {
    let store = Arc::new(Store::open("memory://").unwrap());
    let running = Running::with_key(&store).await;
    let user = User::new(vec![]);
    let run = |arguments: &[&str]| -> Output {
        let mut command = user.command(arguments);
        command.env_remove("ARIZE_API_KEY").env_remove("ARIZE_SPACE_ID").output().unwrap()
    };
    let ports = (running.ready.http_port.to_string(), running.ready.flight_port.to_string());
    for (name, value) in [
        ("arize.api_key", KEY),
        ("arize.space_id", &running.ready.space_id),
        ("arize.api_host", "127.0.0.1"),
        ("arize.flight_host", "127.0.0.1"),
        ("arize.api_port", &ports.0),
        ("arize.flight_port", &ports.1),
        ("arize.api_scheme", "http"),
        ("arize.flight_scheme", "grpc"),
    ] {
        let set = run(&["config", "set", name, value]);
        assert!(set.status.success(), "{set:?}");
    }
    let output = run(&["config", "show", "--check", "-o", "json"]);
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && shown(&stdout, "arize.call").starts_with("ok: "), "{stdout}");
    running.stop().await.unwrap();
}

#[cfg(unix)]
#[test]
fn a_key_that_is_typed_is_not_shown() {
    let user = User::new(vec![]);
    let plain = user.command(&["config", "set", "arize.api_key"]);
    let mut command = CommandBuilder::new(plain.get_program());
    command.args(plain.get_args());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        }
    }
    // Not even where colours are not wanted.
    command.env("TERM", "xterm");
    command.env("NO_COLOR", "1");
    command.env_remove("ARIZE_API_KEY");
    command.cwd(user.dir());
    let pty = native_pty_system().openpty(PtySize { rows: 24, cols: 80, ..PtySize::default() }).unwrap();
    let mut child = pty.slave.spawn_command(command).unwrap();
    drop(pty.slave);
    let mut reader = pty.master.try_clone_reader().unwrap();
    let mut writer = pty.master.take_writer().unwrap();
    let mut screen = Vec::new();
    let mut bytes = [0; 1024];
    while !String::from_utf8_lossy(&screen).contains("arize.api_key: ") {
        let count = reader.read(&mut bytes).unwrap();
        screen.extend_from_slice(&bytes[..count]);
        assert!(count > 0, "{}", String::from_utf8_lossy(&screen));
    }
    writer.write_all(b"typed-key-0123456789\r").unwrap();
    assert!(child.wait().unwrap().success());
    drop(writer);
    // The end of a terminal is an error on some systems.
    while let Ok(count @ 1..) = reader.read(&mut bytes) {
        screen.extend_from_slice(&bytes[..count]);
    }
    let screen = String::from_utf8_lossy(&screen);
    assert!(screen.contains("arize.api_key is set"), "{screen}");
    assert!(!screen.contains("typed") && !screen.contains("0123") && !screen.contains("6789"), "{screen}");
    let file = user.dir().join("home/spanql/config.toml");
    assert!(std::fs::read_to_string(file).unwrap().contains("\"typed-key-0123456789\""));
}
