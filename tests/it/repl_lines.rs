//! Statements that are typed line after line: what the prompt says, what ends them, what is kept.

use std::time::Duration;

use crate::shell::Shell;
use crate::terminal::{CTRL_C, CTRL_D, ENTER, Terminal, UP};

fn start(shell: &Shell, variables: &[(&str, &str)]) -> Terminal {
    let variables: Vec<(&str, &str)> = variables.iter().copied().chain([("PAGER", "cat")]).collect();
    let terminal = Terminal::start(shell.dir(), (100, 60), &["--store", "none"], &variables);
    terminal.wait("spanql> ");
    terminal
}

/// The last lines of a screen.
fn last(screen: &str, lines: usize) -> String {
    let all: Vec<&str> = screen.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[test]
fn the_prompt_says_what_is_open() {
    let shell = Shell::new();
    let mut terminal = start(&shell, &[]);
    for (line, prompt) in [
        ("SELECT 'it''s", "   '..>"),
        ("open' AS a,", "   ...>"),
        ("(1 +", "   (..>"),
        ("[2", "   [..>"),
        ("][1]) AS \"b", "   \"..>"),
        ("c\", /* why", "   /*.>"),
        ("no ; */ 3", "   ...>"),
    ] {
        let screen = terminal.ask(line);
        assert!(screen.ends_with(prompt), "{line}: {prompt}\n{screen}");
    }
    let screen = terminal.ask("AS d;");
    assert!(screen.contains("│ it's↵open │ 3 │ 3 │") || screen.contains("d"), "{screen}");
    assert!(screen.ends_with("spanql>"), "{screen}");
    // Ctrl-C throws all of it away.
    terminal.ask("SELECT (");
    terminal.clear();
    assert!(terminal.screen().ends_with("spanql>"), "{}", terminal.screen());
    let screen = terminal.ask("SELECT 40 + 2 AS answer;");
    assert!(screen.contains("│     42 │"), "{screen}");
}

#[test]
fn commands_work_in_the_middle_of_a_statement() {
    let shell = Shell::new();
    let mut terminal = start(&shell, &[]);
    terminal.ask("SELECT 40 +");
    let screen = terminal.ask("2 AS answer \\g");
    assert!(screen.contains("│     42 │") && screen.ends_with("spanql>"), "{screen}");
    let screen = terminal.ask("\\gx");
    assert!(screen.contains("answer │ 42"), "{screen}");
    // One that leaves the statement alone, and one that shows it.
    terminal.ask("SELECT 7 AS one,");
    let screen = terminal.ask("  8 \\timing off");
    assert!(last(&screen, 2) == "timing is off\n   ...>", "{screen}");
    let screen = terminal.ask("\\p");
    assert!(last(&screen, 4).starts_with("   ...> \\p\nSELECT 7 AS one,"), "{screen}");
    // What is wrong with a command is not wrong with the statement.
    let screen = terminal.ask("\\nonsense");
    assert!(screen.contains("unknown command \\nonsense") && screen.ends_with("   ...>"), "{screen}");
    let screen = terminal.ask("AS two;");
    assert!(screen.contains("│   7 │   8 │"), "{screen}");
    terminal.ask("SELECT nonsense");
    let screen = terminal.ask("\\r");
    assert!(screen.ends_with("what was typed is forgotten\nspanql>"), "{screen}");
    // Into a file, and then to the screen again.
    terminal.ask("SELECT 'kept' AS text \\g kept.csv");
    assert_eq!(std::fs::read_to_string(shell.dir().join("kept.csv")).unwrap(), "text\nkept\n");
    let screen = terminal.ask("SELECT 'shown' AS text;");
    assert!(screen.contains("│ shown │"), "{screen}");
    terminal.ask("SELECT 'a");
    let screen = terminal.ask("exit");
    assert!(screen.contains("\\q leaves"), "{screen}");
    let screen = terminal.ask("\\q' AS text;");
    assert!(screen.contains("│ a↵exit↵\\q │"), "a backslash in a text is text:\n{screen}");
    terminal.ask("SELECT 1,");
    terminal.press("\\q\r");
    assert_eq!(terminal.ended(), 0);
    let mut terminal = start(&shell, &[]);
    terminal.ask("SELECT (");
    terminal.press(CTRL_D);
    assert_eq!(terminal.ended(), 0);
}

#[test]
fn the_editor_gets_what_is_typed() {
    let shell = Shell::new();
    std::fs::write(shell.dir().join("edit.sh"), "sed -i 's/forty/40/; $ s/$/ + 2 AS answer;/' \"$1\"\n").unwrap();
    let mut terminal = start(&shell, &[("EDITOR", "sh edit.sh")]);
    terminal.ask("SELECT");
    let screen = terminal.ask("forty \\e");
    assert!(screen.ends_with("spanql> SELECT\n40 + 2 AS answer;"), "{screen}");
    let screen = terminal.ask("");
    assert!(screen.contains("│     42 │"), "{screen}");
}

#[test]
fn the_arrow_goes_back_to_the_lines_before() {
    let shell = Shell::new();
    let mut terminal = start(&shell, &[]);
    terminal.ask("SELECT 4 AS a,");
    terminal.ask("  5 AS b");
    terminal.press(UP);
    terminal.wait_line("spanql> SELECT 4 AS a,\n  5 AS b");
    assert!(!terminal.screen().contains("...>"), "the lines are drawn once:\n{}", terminal.screen());
    let screen = terminal.ask(", 6 AS c;");
    assert!(screen.contains("│ 4 │ 5 │ 6 │"), "{screen}");
    // The history holds statements, not lines.
    terminal.press(UP);
    terminal.wait_line("spanql> SELECT 4 AS a,\n  5 AS b, 6 AS c;");
}

#[test]
fn keys_typed_right_after_ctrl_c_are_kept() {
    let shell = Shell::new();
    let mut terminal = start(&shell, &[]);
    // At the prompt, in one go with it.
    for n in 1..=5 {
        let screen = {
            terminal.press(&format!("SELECT nonsense{CTRL_C}SELECT {n} * 111 AS t{n};{ENTER}"));
            terminal.wait(&format!("│ {} │", n * 111))
        };
        assert!(!screen.contains("error"), "{screen}");
        // What is pressed while a statement is about to end is meant for that.
        terminal.ask("");
    }
    // While a statement runs.
    for n in 6..=8 {
        let long = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.value * b.value = -1;";
        terminal.press(&format!("{long}{ENTER}"));
        terminal.wait_idle(false);
        std::thread::sleep(Duration::from_millis(200));
        terminal.press(&format!("{CTRL_C}SELECT {n} * 111 AS t{n};{ENTER}"));
        terminal.wait(&format!("│ {} │", n * 111));
    }
}

#[test]
fn ctrl_c_does_not_reach_what_is_typed_after_it() {
    let shell = Shell::new();
    let mut terminal = start(&shell, &[]);
    for n in 1..=15 {
        // As it is when a statement has just ended.
        terminal.signal();
        let screen = terminal.ask(&format!("SELECT {n} * 111 AS t{n};"));
        assert!(screen.contains(&format!("│ {} │", n * 111)) && !screen.contains("cancelled"), "{screen}");
    }
}

#[test]
fn the_same_commands_work_in_a_pipe() {
    let shell = Shell::new();
    let done = shell.run("printf '%s\\n' 'SELECT 40 +' '2 AS n \\g' 'SELECT 1 AS a, \\timing' '2 AS b;' 'SELECT 3 \\q' | spanql --store none");
    assert_eq!((done.status, done.stdout.as_str()), (0, "{\"n\":42}\n{\"a\":1,\"b\":2}"), "{}", done.stderr);
}
