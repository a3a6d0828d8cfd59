//! A short run of `tests/soak/soak.py`: processes that write, read, vacuum and compact one store, stopped and killed at
//! random.

#![cfg(unix)]

use std::process::Command;

use super::cases::cases;

#[test]
fn nothing_acknowledged_is_lost_or_doubled() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/soak/soak.py");
    // Enough for a dozen kills, or a few. CI runs the script for longer by itself.
    let seconds = cases(24).to_string();
    let mut command = Command::new("python3");
    command.arg(script).args(["--bin", env!("CARGO_BIN_EXE_spanql"), "--seconds", &seconds, "--seed", "7"]);
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => {
            println!("SKIPPED: python3 cannot be run: {error}");
            return;
        }
    };
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    println!("{said}");
    let last = said.lines().last().unwrap_or_default();
    assert!(last.ends_with(" passed, 0 failed") && !last.starts_with("0 "), "{last}");
}
