//! What the binary says and does, by the cases in `tests/cli/`.
//!
//! A file holds commands that run one after another in an empty directory:
//!
//! ```text
//! # why this case is here
//! $ command
//! > its next line
//! what it writes to stdout
//! ! what it writes to stderr
//! [exit 2]
//! ```
//!
//! An exit code of 0 is not written.

use std::path::Path;

use super::shell::{Done, Shell, check_file};

const PROMPT: &str = "$ ";
const CONTINUED: &str = "> ";
const COMMENT: char = '#';

struct Case {
    comments: Vec<String>,
    command: Vec<String>,
}

/// The cases of a file without their results, which are found by running them.
fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut comments = Vec::new();
    let mut in_command = false;
    for line in text.lines() {
        if let Some(command) = line.strip_prefix(PROMPT) {
            cases.push(Case { comments: std::mem::take(&mut comments), command: vec![command.to_owned()] });
            in_command = true;
        } else if let Some(more) = line.strip_prefix(CONTINUED).filter(|_| in_command) {
            cases.last_mut().expect("a command has begun").command.push(more.to_owned());
        } else {
            in_command = false;
            if line.starts_with(COMMENT) {
                comments.push(line.to_owned());
            }
        }
    }
    cases
}

/// A case with what came of it, as it stands in a file.
fn written(case: &Case, done: &Done) -> String {
    let mut lines = case.comments.clone();
    lines.push(format!("{PROMPT}{}", case.command[0]));
    lines.extend(case.command[1..].iter().map(|line| format!("{CONTINUED}{line}")));
    lines.extend(done.stdout.lines().map(str::to_owned));
    lines.extend(done.stderr.lines().map(|line| format!("! {line}").trim_end().to_owned()));
    if done.status != 0 {
        lines.push(format!("[exit {}]", done.status));
    }
    for line in lines.iter().skip(case.comments.len() + case.command.len()) {
        assert!(!line.starts_with([COMMENT, '$']), "a case cannot hold the output {line:?}");
    }
    lines.join("\n") + "\n"
}

fn check(name: &str) {
    let path = format!("tests/cli/{name}.txt");
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&path)).unwrap();
    let shell = Shell::new();
    let actual: Vec<String> =
        cases(&text).iter().map(|case| written(case, &shell.run(&case.command.join("\n")))).collect();
    assert!(!actual.is_empty(), "{path} holds no case");
    check_file(&path, &actual.join("\n"));
}

macro_rules! files {
    ($($name:ident)*) => {
        $(#[test] fn $name() { check(stringify!($name)); })*

        const FILES: &[&str] = &[$(stringify!($name)),*];
    };
}

files! { changes gates steps media prices redact retain file_tables whole_files help import mistakes formats statements filter nested attributes lists show structure export output untrusted errors store schema config repl report run paths remotes writing }

#[test]
fn every_file_of_cases_is_run() {
    let mut found: Vec<String> = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "txt"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    found.sort();
    let mut run = FILES.to_vec();
    run.sort_unstable();
    assert_eq!(found, run);
}
