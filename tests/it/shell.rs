//! Commands as a person types them, run by a shell that finds the built binary.

use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// Variables that would make the binary behave as its caller likes instead of as documented.
const PERSONAL: [&str; 13] = [
    "SPANQL_STORE",
    "SPANQL_PROFILE",
    "SPANQL_SERVE_TOKEN",
    "XDG_DATA_HOME",
    "XDG_CONFIG_HOME",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "COLUMNS",
    "LINES",
    "NO_COLOR",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "RUST_BACKTRACE",
];
/// With these, variables begin that say how remotes are reached.
const OF_REMOTES: [&str; 3] = ["ARIZE_", "PHOENIX_", "OPIK_"];

/// Set to 1, files of expected results are written anew instead of being compared.
const UPDATE: &str = "UPDATE_EXPECTED";

/// A directory of its own, in which commands run one after another.
pub(crate) struct Shell {
    dir: TempDir,
    variables: Vec<(String, String)>,
}

/// How a command ended, with its text as it is compared: see [`Shell::run`].
pub(crate) struct Done {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) status: i32,
}

impl Shell {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// The directory.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Sets a variable for all commands from now on.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.push((name.to_owned(), value.into()));
    }

    /// Runs a script; a pipeline fails with the last of its commands that fails.
    ///
    /// What differs from run to run is made equal in the text: the directory's path, durations, times of commits,
    /// sizes of files, and blanks at the end of a line.
    pub(crate) fn run(&self, script: &str) -> Done {
        let binary = Path::new(env!("CARGO_BIN_EXE_spanql"));
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("bash");
        command.args(["-e", "-o", "pipefail", "-c", script]).current_dir(self.dir.path()).stdin(Stdio::null());
        command.env("PATH", format!("{}:{path}", binary.parent().unwrap().display()));
        command.env("HOME", self.dir.path().join("home")).env("TZ", "UTC").env("LC_ALL", "C.UTF-8");
        for variable in PERSONAL {
            command.env_remove(variable);
        }
        let inherited = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        for variable in inherited.filter(|name| OF_REMOTES.iter().any(|prefix| name.starts_with(prefix))) {
            command.env_remove(variable);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let output = command.output().expect("bash runs");
        let text = |bytes: Vec<u8>| self.settled(&String::from_utf8(bytes).expect("output is UTF-8"));
        Done {
            stdout: text(output.stdout),
            stderr: text(output.stderr),
            status: output.status.code().expect("ended by itself"),
        }
    }

    fn settled(&self, text: &str) -> String {
        settled(&text.replace(&self.dir.path().display().to_string(), "DIR"))
    }
}

/// The text with everything that differs from run to run replaced by something that does not.
pub(crate) fn settled(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| settled_line(line.trim_end_matches(' '))).collect();
    lines.join("\n")
}

fn settled_line(line: &str) -> String {
    let line = replace_each(line, " in ", |rest| {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|end| *end > 0)?;
        let unit = [" s", " ms", " µs"].into_iter().find(|unit| rest[number..].starts_with(unit))?;
        Some((" in 0.0 s".to_owned(), number + unit.len()))
    });
    // Blocks of a report say it this way.
    let line = replace_each(&line, " … ", |rest| {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|end| *end > 0)?;
        rest[number..].starts_with(" s,").then(|| (" … 0.0".to_owned(), number))
    });
    let line = replace_each(&line, "\"bytes\":", |rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        Some(("\"bytes\":0".to_owned(), end))
    });
    // Commits are dated to the millisecond, times in spans to the nanosecond.
    let shape = "dddd-dd-ddTdd:dd:dd.dddZ";
    replace_each(&line, "20", |rest| {
        let fits = rest.len() + 2 >= shape.len()
            && rest.bytes().zip(shape.bytes().skip(2)).all(|(byte, wanted)| match wanted {
                b'd' => byte.is_ascii_digit(),
                other => byte == other,
            });
        fits.then(|| ("2026-01-01T00:00:00.000Z".to_owned(), shape.len() - 2))
    })
}

/// Replaces each place that starts with `start` and for which `found`, given what follows, names a text and how many
/// bytes after `start` it stands for.
fn replace_each(line: &str, start: &str, found: impl Fn(&str) -> Option<(String, usize)>) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(start) {
        let after = &rest[at + start.len()..];
        out.push_str(&rest[..at]);
        match found(after) {
            Some((text, length)) => {
                out.push_str(&text);
                rest = &after[length..];
            }
            None => {
                out.push_str(start);
                rest = after;
            }
        }
    }
    out + rest
}

/// Compares text with a file of the repository, or writes the file when told to.
pub(crate) fn check_file(path: &str, actual: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var(UPDATE).is_ok_and(|value| value == "1") {
        std::fs::write(&file, actual).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    if expected != actual {
        let different = difference(&expected, actual);
        panic!("{path} is not what happens now:\n{different}\nIf this is meant: {UPDATE}=1 cargo test --test it");
    }
}

/// The first lines in which two texts differ, with the line before.
pub(crate) fn difference(expected: &str, actual: &str) -> String {
    let (expected, actual): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), actual.lines().collect());
    let same = expected.iter().zip(&actual).take_while(|(a, b)| a == b).count();
    let shown = |lines: &[&str], sign: char| -> String {
        lines.iter().skip(same).take(8).map(|line| format!("{sign} {line}\n")).collect()
    };
    let before = same.checked_sub(1).map_or(String::new(), |at| format!("  {}\n", expected[at]));
    format!("line {}:\n{before}{}{}", same + 1, shown(&expected, '-'), shown(&actual, '+'))
}

#[test]
fn only_what_differs_from_run_to_run_is_settled() {
    assert_eq!(settled("2 spans in 12.3 s: made  \n"), "2 spans in 0.0 s: made");
    assert_eq!(settled("1 row in 84.2 µs"), "1 row in 0.0 s");
    assert_eq!(settled("in 12 steps, in time"), "in 12 steps, in time");
    assert_eq!(settled("{\"bytes\":123,\"x\":7}"), "{\"bytes\":0,\"x\":7}");
    assert_eq!(settled("a 2026-11-20T16:05:35.970Z b"), "a 2026-01-01T00:00:00.000Z b");
    assert_eq!(settled("2026-10-01T09:00:00.500000000Z 2020"), "2026-10-01T09:00:00.500000000Z 2020");
}
