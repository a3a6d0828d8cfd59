//! The shell on a terminal: sessions are typed, and screens are looked at.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::readme::{blocks, pages};
use crate::shell::{Shell, settled};
use crate::support::spanql;
use crate::terminal::{CTRL_D, ENTER, TAB, Terminal, UP};

const SCREEN: (u16, u16) = (100, 30);

/// A directory with a store of demo spans in `.spanql`.
fn with_demo() -> Shell {
    let shell = Shell::new();
    let done = shell.run("spanql -q demo --spans 2000 --keep .spanql");
    assert_eq!(done.status, 0, "{}", done.stderr);
    shell
}

fn start(dir: &Path) -> Terminal {
    let terminal = Terminal::start(dir, SCREEN, &[], &[("PAGER", "cat")]);
    terminal.wait("spanql> ");
    terminal
}

/// The screen from the last place where this text stands.
fn from_last<'a>(screen: &'a str, text: &str) -> &'a str {
    &screen[screen.rfind(text).unwrap_or_else(|| panic!("{text:?} is not on the screen:\n{screen}"))..]
}

#[test]
fn a_statement_takes_several_lines() {
    let shell = with_demo();
    let mut terminal = start(shell.dir());
    assert!(terminal.screen().contains(" spans in 2 projects · \\? lists commands"), "{}", terminal.screen());
    terminal.ask("SELECT 'a;b' AS text, -- not the end;");
    terminal.ask("  count(*) > 1000 AS many");
    let screen = terminal.ask("FROM spans;");
    assert!(
        from_last(&screen, "FROM spans;").starts_with(
            "FROM spans;\n┌──────┬──────┐\n│ text │ many │\n├──────┼──────┤\n│ a;b  │ true │\n└──────┴──────┘\n1 row in "
        ),
        "{screen}"
    );
    terminal.press(CTRL_D);
    assert_eq!(terminal.ended(), 0);
}

#[test]
fn names_in_json_text_are_completed() {
    let shell = Shell::new();
    let span = r#"{"trace_id":"t1","span_id":"a","attributes.metadata":"{\"gateway\":{\"key\":{\"owner\":\"ops\"}}}"}"#;
    let done =
        shell.run(&format!("printf '%s\\n' '{span}' > spans.jsonl; spanql -q --store .spanql import spans.jsonl"));
    assert_eq!(done.status, 0, "{}", done.stderr);
    let mut terminal = start(shell.dir());
    terminal.press("SELECT metadata.gateway.key.o");
    terminal.complete_to("spanql> SELECT metadata.gateway.key.owner");
    terminal.clear();
    terminal.press("\\where attributes.metadata.gateway.key.o");
    terminal.complete_to("spanql> \\where attributes.metadata.gateway.key.owner");
    terminal.press(CTRL_D);
}

#[test]
fn names_values_and_ids_are_completed() {
    let shell = with_demo();
    let mut terminal = start(shell.dir());
    terminal.press("SELECT count(*) FROM spans WHERE status_code = 'ER");
    terminal.complete_to("spanql> SELECT count(*) FROM spans WHERE status_code = 'ERROR'");
    terminal.clear();
    terminal.press("SELECT attributes.llm.model_n");
    terminal.complete_to("spanql> SELECT attributes.llm.model_name");
    terminal.clear();
    terminal.press("\\struc");
    terminal.complete_to("spanql> \\structure");
    terminal.clear();
    terminal.press("\\use sup");
    terminal.complete_to("spanql> \\use support-agent");
    let screen = terminal.ask("");
    assert!(screen.ends_with("spanql(support-agent)>"), "{screen}");
    // Several that begin so are listed.
    terminal.press("SELECT * FROM tra");
    terminal.press(TAB);
    terminal.press(TAB);
    terminal.wait("traces_where");
}

#[test]
fn ctrl_c_cancels_a_query_and_clears_the_line() {
    let shell = with_demo();
    let mut terminal = start(shell.dir());
    terminal.press("SELECT nonsense");
    terminal.wait_line("spanql> SELECT nonsense");
    terminal.clear();
    // One that gives rows all the time, one that never does, and one by equal keys.
    for long in [
        "SELECT count(*) FROM spans a, spans b, spans c WHERE a.name || b.name <> c.name || a.span_id;",
        "SELECT count(*) FROM spans a, spans b, spans c WHERE a.latency_ms + b.latency_ms + c.latency_ms < 0;",
        "SELECT count(*) FROM spans a JOIN spans b USING (project) JOIN spans c USING (project) WHERE a.name || c.name <> b.name;",
    ] {
        terminal.press(long);
        terminal.press(ENTER);
        terminal.wait_idle(false);
        terminal.interrupt("cancelled");
        terminal.wait_idle(true);
    }
    let screen = terminal.ask("SELECT 40 + 2 AS answer;");
    assert!(screen.contains("│     42 │"), "{screen}");
}

#[test]
fn pasted_text_is_text() {
    let shell = with_demo();
    let mut terminal = start(shell.dir());
    // A tab would complete, and a line end would run the first statement.
    terminal.press("\x1b[200~SELECT 1 AS a,\n\t2 AS b;\nSELECT 'x\ty' AS c;\x1b[201~");
    terminal.wait("AS c;");
    let screen = terminal.ask("");
    assert!(screen.contains("│ a │ b │"), "{screen}");
    assert!(screen.contains("│ x\\ty │"), "{screen}");
}

#[test]
fn statements_in_a_pipe_run_as_they_come() {
    let shell = Shell::new();
    let mut child = spanql(&shell.dir().join("store")).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (sender, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || BufReader::new(output).lines().map_while(Result::ok).try_for_each(|l| sender.send(l)));
    // The text goes over two lines, and closes on one without a semicolon.
    for (typed, answer) in
        [("SELECT 'a;\nb' AS t\n, 1 AS n;\n", r#"{"t":"a;\nb","n":1}"#), ("SELECT 2 AS n;\n", r#"{"n":2}"#)]
    {
        input.write_all(typed.as_bytes()).unwrap();
        assert_eq!(lines.recv_timeout(Duration::from_secs(60)).unwrap(), answer);
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn what_is_typed_ahead_is_not_lost() {
    let shell = with_demo();
    let mut terminal = Terminal::start(shell.dir(), (100, 60), &[], &[]);
    terminal.wait("spanql> ");
    let lines: Vec<String> = (1..=6).map(|n| format!("SELECT {n} * 111 AS t{n};{ENTER}")).collect();
    terminal.press(&lines.concat());
    let screen = terminal.wait("│ 666 │");
    for n in 1..=6 {
        assert!(screen.contains(&format!("│ {} │", n * 111)), "{n}:\n{screen}");
    }
}

#[test]
fn what_is_taller_than_the_screen_goes_through_the_pager() {
    let shell = with_demo();
    let pager = ("PAGER", "sed -e 's/^/PAGED /' | tail -n 3");
    let mut terminal = Terminal::start(shell.dir(), SCREEN, &[], &[pager]);
    terminal.wait("spanql> ");
    let screen = terminal.ask("SELECT name FROM spans LIMIT 5;");
    assert!(!screen.contains("PAGED"), "{screen}");
    let screen = terminal.ask("SELECT name FROM spans LIMIT 100;");
    assert_eq!(screen.matches("PAGED").count(), 3, "{screen}");
    assert!(from_last(&screen, "PAGED").contains("100 rows in "), "{screen}");

    // A pager that is left early has shown enough.
    let mut terminal = Terminal::start(shell.dir(), SCREEN, &[], &[("PAGER", "head -n 2")]);
    terminal.wait("spanql> ");
    let screen = terminal.ask("SELECT * FROM spans;");
    assert!(!screen.contains("error"), "{screen}");
    let screen = terminal.ask("SELECT 40 + 2 AS answer;");
    assert!(screen.contains("│     42 │"), "{screen}");
}

#[test]
fn results_fit_a_screen_that_changes() {
    let shell = with_demo();
    let mut terminal = start(shell.dir());
    terminal.resize(46, 30);
    let screen = terminal.ask("SELECT * FROM traces LIMIT 1;");
    let frame = screen.lines().find(|line| line.starts_with('┌')).expect("a table");
    assert_eq!(frame.chars().count(), 46, "{screen}");
    assert!(screen.contains("columns left out to fit 46 columns"), "{screen}");
}

#[test]
fn history_is_remembered_for_its_user_alone() {
    let shell = with_demo();
    let mut terminal = start(shell.dir());
    terminal.ask("SELECT 'first' AS remembered;");
    terminal.ask(" SELECT 'secret' AS forgotten;");
    terminal.press(CTRL_D);
    assert_eq!(terminal.ended(), 0);
    let file = shell.dir().join("home/.local/state/spanql/history");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("remembered") && !text.contains("secret"), "{text}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let mut terminal = start(shell.dir());
    terminal.press(UP);
    terminal.wait_line("spanql> SELECT 'first' AS remembered;");
    terminal.clear();
    // What was typed before is hinted at; the arrow takes it.
    terminal.press("SELECT 'fi");
    terminal.wait_line("spanql> SELECT 'first' AS remembered;");
    terminal.press("\x1b[C");
    let screen = terminal.ask("");
    assert!(screen.contains("│ first      │"), "{screen}");
}

#[test]
fn commands_change_what_is_shown() {
    let shell = with_demo();
    // As high as the help is long.
    let mut terminal = Terminal::start(shell.dir(), (120, 60), &[], &[("PAGER", "cat")]);
    terminal.wait("spanql> ");
    let screen = terminal.ask("\\?");
    assert!(screen.contains("\\structure PATTERN"), "{screen}");
    let screen = terminal.ask("\\where status_code = 'ERROR' AND kind = 'TOOL'");
    assert!(screen.ends_with("spanql(| status_code = 'ERROR' AND kind =…)>"), "{screen}");
    let screen = terminal.ask("SELECT DISTINCT kind, status_code FROM spans;");
    assert!(screen.contains("│ TOOL │ ERROR       │") && screen.contains("\n1 row in "), "{screen}");
    let screen = terminal.ask("\\where nosuch = 1");
    assert!(screen.contains("error: "), "{screen}");
    let screen = terminal.ask("\\where");
    assert!(screen.ends_with("spanql>"), "{screen}");
    terminal.ask("\\x");
    let screen = terminal.ask("SELECT 1 AS one, 'two' AS other;");
    assert!(screen.contains("─[ 1 ]───\none   │ 1\nother │ two\n"), "{screen}");
    let screen = terminal.ask(".quti");
    assert!(screen.contains("error: unknown command \\quti: did you mean \\quit?"), "{screen}");
    terminal.press(".quit\r");
    assert_eq!(terminal.ended(), 0);
}

#[test]
fn text_of_strangers_is_harmless() {
    let shell = Shell::new();
    let evil = r#"\u001b[31mred\u001b]52;c;ZXZpbA==\u0007\u001b]8;;http://evil.example\u0007 \u202egnp\u200b"#;
    let script = format!(
        r#"printf '%s\n' '{{"context.trace_id":"t1","context.span_id":"{evil}","name":"{evil}","attributes.{evil}":"{evil}","attributes.session.id":"{evil}","start_time":"2026-10-01T00:00:00Z"}}' > s.jsonl
        spanql -q import --project '{}' s.jsonl"#,
        "p\u{1b}[32m"
    );
    let done = shell.run(&script);
    assert_eq!(done.status, 0, "{}", done.stderr);
    let mut terminal = start(shell.dir());
    terminal.press("SELECT * FROM spans WHERE context.trace_id = 't");
    terminal.complete_to("spanql> SELECT * FROM spans WHERE context.trace_id = 't1'");
    terminal.clear();
    for line in [
        "SELECT * FROM spans;",
        "\\x",
        "SELECT * FROM spans;",
        "\\x",
        "\\l",
        "\\trace t1",
        "\\d spans",
        "SELECT name FROM spans WHERE name = 1 / 0;",
    ] {
        terminal.ask(line);
    }
    for begun in ["SELECT attributes.", "SELECT * FROM spans WHERE name = '", "\\session ", "\\use "] {
        terminal.press(begun);
        terminal.press(TAB);
        terminal.press(TAB);
        terminal.clear();
    }
    // What is completed now was known before: the bad names could have been shown.
    terminal.press("\\struc");
    terminal.complete_to("spanql> \\structure");
    let text = String::from_utf8_lossy(&terminal.bytes()).into_owned();
    for bad in ["\x1b[31mred", "\x1b]52", "\x1b]8", "\u{202e}", "\u{200b}", "p\x1b[32m"] {
        assert!(!text.contains(bad), "{bad:?} reached the terminal");
    }
}

#[test]
fn the_sessions_on_the_pages_are_true() {
    let pages = pages();
    let blocks = pages.iter().flat_map(|(page, text)| blocks(text).into_iter().map(move |block| (page, block)));
    let is_session = |lines: &[String]| lines.first().is_some_and(|line| line.starts_with("spanql> "));
    let sessions = blocks.filter(|(_, (language, _, lines))| language == "text" && is_session(lines));
    let sessions: Vec<_> = sessions.collect();
    assert!(sessions.iter().any(|(page, _)| *page == "docs/shell.md"), "the page of the shell shows it");
    let made = Shell::new();
    assert_eq!(made.run("spanql -q demo --keep .spanql").status, 0);
    for (page, (_, line, lines)) in sessions {
        let shell = Shell::new();
        assert_eq!(shell.run(&format!("cp -r '{}/.spanql' .", made.dir().display())).status, 0);
        let screen = typed(shell.dir(), &lines);
        let first = screen.find(&lines[0]).expect("the session");
        let (shown, _) = screen[first..].rsplit_once('\n').expect("a prompt behind it");
        assert_eq!(settled(shown), settled(&lines.join("\n")), "{page}:{line}\n{screen}");
    }
}

/// The screen after what a person types in a session, answers left out.
fn typed(dir: &Path, session: &[String]) -> String {
    let mut terminal = Terminal::start(dir, (120, 100), &[], &[]);
    terminal.wait("spanql> ");
    let mut begun = false;
    for line in session {
        let typed = match line.strip_prefix("spanql").and_then(|prompt| prompt.split_once("> ")) {
            Some((_, typed)) => typed,
            // The prompt of a further line has eight columns.
            None if begun => line.get(8..).unwrap_or_default(),
            None => continue,
        };
        begun = !typed.starts_with('\\') && !typed.ends_with(';');
        terminal.ask(typed);
    }
    terminal.screen()
}
