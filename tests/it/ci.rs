//! The functions of `.ci/run` that add up what its steps find.

#![cfg(unix)]

use std::process::Command;

use super::support::succeed;

/// The outcome of steps in a directory, beside which the shared data lies or does not: `passed failed`.
fn outcome(steps: &str, ci: &str, shared: bool) -> String {
    let dir = tempfile::tempdir().unwrap();
    let clone = dir.path().join("clone");
    std::fs::create_dir(&clone).unwrap();
    if shared {
        std::fs::create_dir(dir.path().join("shared")).unwrap();
    }
    let functions = concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/steps.sh");
    let script = format!("set -euo pipefail; log=log; source '{functions}'; {steps}; echo \"$passed $failed\"");
    let mut bash = Command::new("bash");
    bash.args(["-c", &script]).current_dir(&clone).env("CI", ci);
    let said = succeed(&mut bash);
    said.lines().last().unwrap().to_owned()
}

#[test]
fn tests_that_run_nothing_have_failed() {
    for (steps, everywhere, strictly) in [
        ("count echo '3 passed, 1 failed'", "3 1", "3 1"),
        ("count echo 'test result: ok. 2 passed; 0 failed; 0 ignored'", "2 0", "2 0"),
        ("count echo '0 passed, 0 failed'", "0 1", "0 1"),
        ("count true", "0 1", "0 1"),
        ("count false", "0 1", "0 1"),
        ("count echo 'SKIPPED: there is no browser'", "0 0", "0 1"),
        ("count bash -c 'echo SKIPPED: no; exit 1'", "0 1", "0 1"),
        ("skip 'no network'", "0 0", "0 1"),
        ("count_with ../shared/none echo '1 passed, 0 failed'", "0 0", "0 1"),
        ("count_with . echo '1 passed, 0 failed'", "1 0", "1 0"),
        ("check false", "0 1", "0 1"),
    ] {
        for (ci, shared) in [("1", false), ("", true), ("", false)] {
            assert_eq!(outcome(steps, ci, shared), everywhere, "{steps} with CI={ci}, {shared}");
        }
        assert_eq!(outcome(steps, "1", true), strictly, "{steps} where all must be tried");
    }
}
