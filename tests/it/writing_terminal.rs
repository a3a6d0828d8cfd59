//! Writing on a terminal: reviews by keys, `\\annotate` and `\\delete` on the rows that were shown, and the question before
//! a deletion.

use std::path::Path;

use super::shell::Shell;
use super::terminal::{CTRL_C, CTRL_D, ENTER, Terminal};

const SCREEN: (u16, u16) = (100, 40);

/// A directory with a store of three traces, one of which has two spans.
fn filled() -> Shell {
    let shell = Shell::new();
    let line = |trace: &str, span: &str, parent: &str, hour: u32| {
        format!(
            r#"{{"trace_id":"{trace}","span_id":"{span}"{parent},"name":"{trace} {span}","start_time":"2026-11-01T{hour:02}:00:00Z"}}"#
        )
    };
    let child = r#","parent_id":"a001""#;
    let lines = [
        line("t1", "a001", "", 10),
        line("t1", "a002", child, 11),
        line("t2", "b001", "", 12),
        line("t3", "c001", "", 13),
    ];
    std::fs::write(shell.dir().join("spans.jsonl"), lines.join("\n")).unwrap();
    let done = shell.run("spanql -q --store .spanql import spans.jsonl --project shop");
    assert_eq!(done.status, 0, "{}", done.stderr);
    shell
}

fn start(dir: &Path, words: &[&str]) -> Terminal {
    Terminal::start(dir, SCREEN, words, &[("PAGER", "cat")])
}

/// Labels and texts of the review by trace.
fn reviewed(shell: &Shell) -> String {
    let sql = "SELECT trace_id, annotation.review.label AS label, annotation.review.text AS text FROM spans \
               WHERE annotation.review.label IS NOT NULL OR annotation.review.text IS NOT NULL ORDER BY trace_id";
    let done = shell.run(&format!("spanql -q query \"{sql}\" -o csv"));
    assert_eq!(done.status, 0, "{}", done.stderr);
    done.stdout
}

#[test]
fn one_key_gives_a_label() {
    let shell = filled();
    let labels = ["--label", "right", "--label", "wrong", "--label", "x=made up"];
    let mut terminal = start(shell.dir(), &[&["traces", "review"], &labels[..]].concat());
    terminal.wait("1/3");
    // A note is typed, and a key puts a label to it.
    terminal.press("n");
    terminal.wait("note: ");
    terminal.press("made it up\r");
    terminal.wait("the note alone");
    terminal.press("w");
    terminal.wait("2/3");
    terminal.press("z");
    terminal.wait("none of these keys");
    terminal.press("r");
    terminal.wait("3/3");
    // Back to the second, and to the first, which is written: what is not said anew stays.
    terminal.press("u");
    terminal.wait_count("2/3", 3);
    terminal.press("u");
    terminal.wait("another label takes its place");
    terminal.wait_count("1/3", 2);
    terminal.press("x");
    terminal.wait_count("2/3", 4);
    terminal.press("s");
    terminal.wait_count("3/3", 2);
    // Ctrl-C keeps what was given.
    terminal.press(CTRL_C);
    assert_eq!(terminal.ended(), 0);
    assert_eq!(reviewed(&shell), "trace_id,label,text\nt3,made up,made it up");

    // It goes on where it was left, and back to what is written.
    let mut terminal = start(shell.dir(), &["traces", "review"]);
    terminal.wait("1/2");
    terminal.press("r");
    terminal.wait("2/2");
    terminal.press("u");
    terminal.wait_count("1/2", 2);
    terminal.press("w");
    terminal.wait_count("2/2", 2);
    terminal.press("n");
    terminal.wait("note: ");
    terminal.press("unclear\r");
    terminal.wait("the note alone");
    terminal.press(ENTER);
    let screen = terminal.wait("reviewed of");
    assert!(screen.contains("2 traces reviewed of 2"), "{screen}");
    assert_eq!(terminal.ended(), 0);
    assert_eq!(reviewed(&shell), "trace_id,label,text\nt1,,unclear\nt2,wrong,\nt3,made up,made it up");
}

#[test]
fn rows_that_are_shown_are_annotated_and_deleted() {
    let shell = filled();
    let mut terminal = start(shell.dir(), &[]);
    terminal.wait("spanql> ");
    terminal.ask("SELECT span_id FROM spans WHERE trace_id = 't1';");
    let screen = terminal.ask("\\annotate Tone rude said so");
    assert!(screen.contains("version 2"), "{screen}");
    let screen = terminal.ask("SELECT count(*) AS n FROM spans WHERE annotation.Tone.text = 'said so';");
    assert!(screen.contains("\u{2502} 2 \u{2502}"), "{screen}");
    // The rows shown last name nothing now.
    let screen = terminal.ask("\\delete");
    assert!(screen.contains("no rows were shown that name spans"), "{screen}");
    terminal.ask("SELECT span_id FROM spans WHERE span_id = 'c001';");
    for (times, answer, said) in [(1, "n", "nothing was deleted"), (2, "y", "1 span deleted")] {
        terminal.press("\\delete\r");
        terminal.wait_count("delete 1 span in 1 trace of project shop from .spanql? [y/N]", times);
        let screen = terminal.ask(answer);
        assert!(screen.contains(said), "{screen}");
        terminal.ask("SELECT span_id FROM spans WHERE span_id = 'c001';");
    }
    terminal.press(CTRL_D);
    assert_eq!(terminal.ended(), 0);
    let done = shell.run("spanql -q query 'SELECT count(*) AS n FROM spans' -o csv");
    assert_eq!(done.stdout, "n\n3");
}

#[test]
fn a_deletion_asks_first() {
    let shell = filled();
    for (keys, code, left) in [("\r", 1, "4"), ("no\r", 1, "4"), ("yes\r", 0, "2")] {
        let mut terminal = start(shell.dir(), &["spans", "delete", "--filter", "trace_id = 't1'"]);
        terminal.wait("delete 2 spans in 1 trace of project shop from .spanql? [y/N]");
        terminal.press(keys);
        assert_eq!(terminal.ended(), code, "{keys:?}");
        let done = shell.run("spanql -q query 'SELECT count(*) AS n FROM spans' -o csv");
        assert_eq!(done.stdout, format!("n\n{left}"), "{keys:?}");
    }
}
