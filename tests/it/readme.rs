//! Every command in the README and on the pages under `docs/` runs, and says what is shown.
//!
//! Blocks fenced as `sh` are run as they are and must succeed. In blocks fenced as `console`, a line that begins with
//! `$ ` is a command, and what follows is what a terminal shows; a line `…` stands for any number of lines. The
//! commands of a page run one after another in a directory of their own. `repl.rs` types the sessions of the shell.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Mutex;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::shell::{Done, Shell, difference, settled};
use super::support::spanql;

/// Commands that are what runs this test.
const NOT_RUN: [&str; 1] = ["cargo test"];
const RUN: &str = "cargo run -- ";
/// How a page begins that asks a store of made-up spans: it is made once, and copied.
const MAKE: &str = "spanql -q demo --keep .spanql";
const ANYTHING: &str = "…";
const README: &str = "README.md";
const README_LINES: usize = 250;
/// Pages that run together.
const TOGETHER: usize = 4;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(page: &str) -> String {
    std::fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

/// The README and the pages under `docs/`, by their paths.
pub(crate) fn pages() -> Vec<(String, String)> {
    let docs = std::fs::read_dir(root().join("docs")).unwrap();
    let names = docs.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut paths: Vec<String> =
        names.filter(|name| name.ends_with(".md")).map(|name| format!("docs/{name}")).collect();
    paths.sort();
    paths.insert(0, README.to_owned());
    paths.into_iter().map(|path| (path.clone(), read(&path))).collect()
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

/// A line without the comment behind it.
fn bare(line: &str) -> &str {
    line.split(" #").next().unwrap_or_default().trim_end()
}

/// A line of a script as it can be run here; `made` is a store of made-up spans.
fn runnable(line: &str, made: &Path) -> String {
    if let Some(arguments) = line.strip_prefix(RUN) {
        return format!("spanql {arguments}");
    }
    if NOT_RUN.contains(&bare(line)) {
        return ":".to_owned();
    }
    if bare(line) == MAKE {
        return format!("cp -r '{}' .spanql", made.display());
    }
    assert!(!line.starts_with("cargo "), "{line}: neither run by this test nor known to it");
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
struct Remote {
    child: Child,
    /// The variables that lead to it.
    variables: Vec<(String, String)>,
}

impl Remote {
    fn start(store: &Path) -> Self {
        const KEY: &str = "key-of-the-pages";
        let mut command = spanql(store);
        let mut child =
            command.arg("serve").env("SPANQL_SERVE_TOKEN", KEY).stdout(Stdio::piped()).spawn().expect("serve starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("stdout is piped"))
            .read_line(&mut line)
            .expect("it says where it is");
        let ready: serde_json::Value = serde_json::from_str(&line).expect("one line of JSON");
        let text = |name: &str| ready[name].as_str().map_or_else(|| ready[name].to_string(), str::to_owned);
        let mut variables =
            vec![("ARIZE_API_KEY".to_owned(), KEY.to_owned()), ("ARIZE_SPACE_ID".to_owned(), text("space_id"))];
        for (service, port, scheme) in [("API", "http_port", "http"), ("FLIGHT", "flight_port", "grpc")] {
            variables.push((format!("ARIZE_{service}_HOST"), "127.0.0.1".to_owned()));
            variables.push((format!("ARIZE_{service}_PORT"), text(port)));
            variables.push((format!("ARIZE_{service}_SCHEME"), scheme.to_owned()));
        }
        Self { child, variables }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Runs the commands of a page in a directory of their own; gives what is not as the page says.
fn wrong_in(page: &str, text: &str, made: &Path, remote: &Remote) -> Vec<String> {
    let mut shell = Shell::new();
    for (name, value) in &remote.variables {
        shell.set(name, value);
    }
    let mut wrong = Vec::new();
    for (language, line, lines) in blocks(text) {
        match language.as_str() {
            "sh" => {
                let script: Vec<String> = lines.iter().map(|line| runnable(line, made)).collect();
                let Done { stdout, stderr, status } = shell.run(&script.join("\n"));
                if status != 0 {
                    wrong.push(format!("{page}:{line}: exit {status}\n{stdout}\n{stderr}"));
                }
            }
            "console" => {
                for (command, shown) in dialogue(&lines) {
                    let Done { stdout, status, .. } =
                        shell.run(&format!("exec 2>&1; {}", at_a_terminal(&runnable(&command, made))));
                    if shown.is_empty() && status != 0 {
                        wrong.push(format!("{page}:{line}: {command}: exit {status}\n{stdout}"));
                    }
                    let (expected, actual) = (settled(shown.join("\n").trim_end()), stdout.trim_end().to_owned());
                    let (expected, actual): (Vec<&str>, Vec<&str>) =
                        (expected.lines().collect(), actual.lines().collect());
                    if !shown.is_empty() && !fits(&expected, &actual) {
                        let different = difference(&expected.join("\n"), &actual.join("\n"));
                        wrong.push(format!("{page}:{line}: {command}: {different}"));
                    }
                }
            }
            _ => {}
        }
    }
    wrong
}

#[test]
fn every_command_runs_and_says_what_is_shown() {
    let shell = Shell::new();
    // What is served is a copy: whoever copies a store sees no file of it come or go.
    let Done { stderr, status, .. } = shell.run(&format!("{MAKE} > /dev/null; cp -r .spanql served"));
    assert_eq!(status, 0, "{stderr}");
    let made = shell.dir().join(".spanql");
    let remote = Remote::start(&shell.dir().join("served"));
    let left = Mutex::new(pages().into_iter());
    let next = || left.lock().unwrap().next();
    let wrong: Mutex<Vec<String>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..TOGETHER {
            scope.spawn(|| {
                while let Some((page, text)) = next() {
                    let found = wrong_in(&page, &text, &made, &remote);
                    wrong.lock().unwrap().extend(found);
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn the_first_block_is_the_demo_and_the_tests() {
    let text = read(README);
    let blocks = blocks(&text);
    let (language, _, lines) = blocks.first().expect("the README has a block");
    assert_eq!(language, "sh");
    let commands: Vec<&str> = lines.iter().map(|line| bare(line)).collect();
    assert_eq!(commands, ["cargo run -- demo", "cargo test"]);
}

#[test]
fn the_readme_is_short_and_leads_to_every_page() {
    let text = read(README);
    let lines = text.lines().count();
    assert!(lines <= README_LINES, "{lines} lines; what is beyond {README_LINES} belongs into docs/");
    let linked = outline(&text).links;
    for (page, _) in pages().into_iter().skip(1) {
        assert!(linked.contains(&page), "the README does not link {page}");
    }
}

/// What a page links, and what can be linked in it.
#[derive(Default)]
struct Outline {
    links: Vec<String>,
    anchors: BTreeSet<String>,
}

fn outline(text: &str) -> Outline {
    let mut outline = Outline::default();
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                outline.links.push(dest_url.into_string());
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(part) | Event::Code(part) => heading.iter_mut().for_each(|text| text.push_str(&part)),
            Event::End(TagEnd::Heading(_)) => outline.anchors.extend(heading.take().map(|text| anchor(&text))),
            _ => {}
        }
    }
    outline
}

/// The anchor of a heading, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>().to_lowercase()
}

/// All pages that people read on their way.
fn linked_pages() -> Vec<(String, String)> {
    let others = ["CONTRIBUTING.md", "CHANGELOG.md", "SKILL.md", "benches/README.md"];
    let others = others.map(|page| (page.to_owned(), read(page)));
    pages().into_iter().chain(others).collect()
}

#[test]
fn links_lead_to_files_and_headings_that_are_there() {
    let mut checked = 0;
    for (page, text) in linked_pages() {
        let folder = root().join(&page).parent().unwrap().to_owned();
        for link in outline(&text).links.iter().filter(|link| !link.contains("://")) {
            let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target: PathBuf = if path.is_empty() { root().join(&page) } else { folder.join(path) };
            assert!(target.exists(), "{page} links {link}, which is not there");
            if !fragment.is_empty() {
                let anchors = outline(&std::fs::read_to_string(&target).unwrap()).anchors;
                assert!(anchors.contains(fragment), "{page} links {link}, which has only {anchors:?}");
            }
            checked += 1;
        }
    }
    assert!(checked > 50, "{checked} links");
}

#[test]
fn files_that_pages_name_are_there() {
    let mut checked = 0;
    for (page, text) in linked_pages() {
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "/._-".contains(c)));
        let of_sources = words.map(|word| word.trim_end_matches('.')).filter(|word| {
            let beginnings = ["src/", "tests/", "benches/", "docs/"];
            let endings = [".rs", ".py", ".txt", ".md", ".html"];
            beginnings.iter().any(|beginning| word.starts_with(beginning))
                && endings.iter().any(|ending| word.ends_with(ending))
        });
        for file in of_sources {
            assert!(root().join(file).exists(), "{page} names {file}, which is not there");
            checked += 1;
        }
    }
    assert!(checked > 50, "{checked} files");
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

#[test]
fn anchors_are_those_of_github() {
    for (heading, expected) in [
        ("Where to add …", "where-to-add-"),
        ("Is the data complete?", "is-the-data-complete"),
        ("`spanql serve`, and more", "spanql-serve-and-more"),
    ] {
        let outline = outline(&format!("# {heading}\n"));
        assert_eq!(outline.anchors.into_iter().collect::<Vec<_>>(), [expected]);
    }
}
