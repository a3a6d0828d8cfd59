//! Every command in the README runs, and says what the README shows.
//!
//! Blocks fenced as `sh` are run as they are and must succeed. In blocks fenced as `console`, a line that begins with
//! `$ ` is a command, and what follows is what a terminal shows; a line `…` stands for any number of lines.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use super::shell::{Done, Shell, difference, settled};
use super::support::spanql;

/// Commands that build or test: they are what runs this test, or need a network.
const NOT_RUN: [&str; 4] =
    ["cargo test", "cargo build --release", "cargo build --profile dist", "cargo install --path . --locked"];
const RUN: &str = "cargo run --release -- ";
const ANYTHING: &str = "…";

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// The fenced blocks in order: language, line number of the first line, text.
pub(crate) fn blocks(text: &str) -> Vec<(String, usize, Vec<String>)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, usize, Vec<String>)> = None;
    let mut fence = "";
    for (at, line) in text.lines().enumerate() {
        let ticks = &line[..line.len() - line.trim_start_matches('`').len()];
        match &mut open {
            // A longer fence holds shorter ones.
            Some(_) if line == fence => blocks.extend(open.take()),
            Some((_, _, lines)) => lines.push(line.to_owned()),
            None if ticks.len() >= 3 => {
                fence = ticks;
                open = Some((line[ticks.len()..].to_owned(), at + 2, Vec::new()));
            }
            None => {}
        }
    }
    assert!(open.is_none(), "the last block is not closed");
    blocks
}

/// A line of a script as it can be run here.
fn runnable(line: &str) -> String {
    let bare = line.split(" #").next().unwrap_or_default().trim_end();
    if let Some(arguments) = line.strip_prefix(RUN) {
        return format!("spanql {arguments}");
    }
    if NOT_RUN.contains(&bare) {
        return ":".to_owned();
    }
    assert!(!bare.starts_with("cargo "), "{bare}: neither run by this test nor known to it");
    line.to_owned()
}

/// The command as it behaves at a terminal, where results are tables unless they go elsewhere.
fn at_a_terminal(command: &str) -> String {
    let mut quote = None;
    let mut unquoted = String::new();
    for c in command.chars() {
        match quote {
            Some(open) if open == c => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None => unquoted.push(c),
        }
    }
    let answers = [" query ", " run ", " store info", " store versions", " projects", " spaces"]
        .iter()
        .any(|part| unquoted.contains(part));
    let elsewhere = [" -o", "|", ">"].iter().any(|part| unquoted.contains(part));
    if answers && !elsewhere { format!("{command} -o table") } else { command.to_owned() }
}

/// Whether lines are as expected, `…` standing for any number of them.
fn fits(expected: &[&str], actual: &[&str]) -> bool {
    match expected.split_first() {
        None => actual.is_empty(),
        Some((&ANYTHING, rest)) => (0..=actual.len()).any(|skipped| fits(rest, &actual[skipped..])),
        Some((line, rest)) => actual.split_first().is_some_and(|(first, others)| first == line && fits(rest, others)),
    }
}

/// The commands of a console block, each with the lines that follow it.
fn dialogue(lines: &[String]) -> Vec<(String, Vec<&str>)> {
    let mut dialogue: Vec<(String, Vec<&str>)> = Vec::new();
    for line in lines {
        match (line.strip_prefix("$ "), dialogue.last_mut()) {
            (Some(command), _) => dialogue.push((command.to_owned(), Vec::new())),
            // An open quote, a backslash or a text that is not at its end continues the command.
            (None, Some((command, shown))) if shown.is_empty() && is_open(command) => {
                command.push('\n');
                command.push_str(line);
            }
            (None, Some((_, shown))) => shown.push(line),
            (None, None) => panic!("a console block begins with a command, not with {line:?}"),
        }
    }
    dialogue
}

fn is_open(command: &str) -> bool {
    if command.contains("<<'END'") {
        return !command.ends_with("\nEND");
    }
    command.ends_with('\\') || command.matches('"').count() % 2 == 1
}

/// A server of generated spans, which stands for Arize.
struct Remote(Child);

impl Remote {
    /// Starts it, and sets the variables that lead to it.
    fn start(shell: &mut Shell) -> Self {
        const KEY: &str = "key-of-the-readme";
        let served = shell.dir().join("home").join("served");
        let made = shell.run(&format!("spanql -q demo --keep {} > /dev/null", served.display()));
        assert_eq!(made.status, 0, "{}", made.stderr);
        let mut command = spanql(&served);
        let mut child =
            command.arg("serve").env("SPANQL_SERVE_TOKEN", KEY).stdout(Stdio::piped()).spawn().expect("serve starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("stdout is piped"))
            .read_line(&mut line)
            .expect("it says where it is");
        let ready: serde_json::Value = serde_json::from_str(&line).expect("one line of JSON");
        let text = |name: &str| ready[name].as_str().map_or_else(|| ready[name].to_string(), str::to_owned);
        shell.set("ARIZE_API_KEY", KEY);
        shell.set("ARIZE_SPACE_ID", text("space_id"));
        for (service, port, scheme) in [("API", "http_port", "http"), ("FLIGHT", "flight_port", "grpc")] {
            shell.set(&format!("ARIZE_{service}_HOST"), "127.0.0.1");
            shell.set(&format!("ARIZE_{service}_PORT"), text(port));
            shell.set(&format!("ARIZE_{service}_SCHEME"), scheme);
        }
        Self(child)
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn every_command_runs_and_says_what_is_shown() {
    let mut shell = Shell::new();
    let _remote = Remote::start(&mut shell);
    let mut wrong = Vec::new();
    let text = readme();
    for (language, line, lines) in blocks(&text) {
        match language.as_str() {
            "sh" => {
                let script: Vec<String> = lines.iter().map(|line| runnable(line)).collect();
                let Done { stdout, stderr, status } = shell.run(&script.join("\n"));
                if status != 0 {
                    wrong.push(format!("README.md:{line}: exit {status}\n{stdout}\n{stderr}"));
                }
            }
            "console" => {
                for (command, shown) in dialogue(&lines) {
                    let Done { stdout, status, .. } =
                        shell.run(&format!("exec 2>&1; {}", at_a_terminal(&runnable(&command))));
                    if shown.is_empty() && status != 0 {
                        wrong.push(format!("README.md:{line}: {command}: exit {status}\n{stdout}"));
                    }
                    let (expected, actual) = (settled(shown.join("\n").trim_end()), stdout.trim_end().to_owned());
                    let (expected, actual): (Vec<&str>, Vec<&str>) =
                        (expected.lines().collect(), actual.lines().collect());
                    if !shown.is_empty() && !fits(&expected, &actual) {
                        let different = difference(&expected.join("\n"), &actual.join("\n"));
                        wrong.push(format!("README.md:{line}: {command}: {different}"));
                    }
                }
            }
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn the_first_block_is_the_demo_and_the_tests() {
    let text = readme();
    let blocks = blocks(&text);
    let (language, _, lines) = blocks.first().expect("the README has a block");
    assert_eq!(language, "sh");
    let commands: Vec<&str> = lines.iter().map(|line| line.split(" #").next().unwrap_or_default().trim()).collect();
    assert_eq!(commands, ["cargo run --release -- demo", "cargo test"]);
}

#[test]
fn results_are_tables_only_where_a_terminal_would_show_them() {
    assert_eq!(at_a_terminal("spanql query \"SELECT 1 > 0\""), "spanql query \"SELECT 1 > 0\" -o table");
    for same in ["spanql query \"SELECT 1\" | wc -l", "spanql query \"SELECT 1\" -o json", "spanql import a"] {
        assert_eq!(at_a_terminal(same), same);
    }
    assert!(fits(&["a", ANYTHING, "d"], &["a", "b", "c", "d"]) && fits(&[ANYTHING], &[]));
    assert!(!fits(&["a", ANYTHING, "d"], &["a", "b"]) && !fits(&["a"], &["a", "b"]));
}
