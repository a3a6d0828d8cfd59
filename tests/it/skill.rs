//! The page for coding agents: it is one page, the binary prints it, and every command in it works.

use std::path::Path;

use super::readme::blocks;
use super::shell::{Done, Shell};

fn page() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("SKILL.md")).unwrap()
}

/// Whether a line calls a command that this binary has.
fn is_there(shell: &Shell, line: &str) -> bool {
    let command = line.strip_prefix("spanql ").and_then(|rest| rest.split(' ').next());
    !matches!(command, Some("run" | "report")) || shell.run(&format!("spanql {} --help", command.unwrap())).status == 0
}

#[test]
fn every_command_works_on_a_store_of_generated_spans() {
    let shell = Shell::new();
    let made = shell.run("spanql -q demo --keep .spanql");
    assert_eq!(made.status, 0, "{}", made.stderr);
    let mut run = 0;
    for (language, line, lines) in blocks(&page()) {
        assert_eq!(language, "sh", "line {line}");
        let lines: Vec<&str> = lines.iter().map(String::as_str).filter(|line| is_there(&shell, line)).collect();
        run += lines.len();
        let Done { stdout, stderr, status } = shell.run(&lines.join("\n"));
        assert_eq!(status, 0, "SKILL.md:{line}: {stdout}\n{stderr}");
        // What it shows works as shown: no name in it is unknown, and nothing is empty.
        assert!(!stderr.contains("no span has") && !stderr.contains("match"), "SKILL.md:{line}: {stderr}");
    }
    assert!(run > 20, "{run} commands");
    // Each alone has something to show.
    for (_, line, lines) in blocks(&page()) {
        for command in lines.iter().filter(|line| line.starts_with("spanql query")) {
            if !command.contains('$') || command.contains("\\$") {
                let Done { stdout, stderr, .. } = shell.run(command);
                assert!(!stdout.is_empty() || command.contains("--errors"), "SKILL.md:{line}: {command}\n{stderr}");
            }
        }
    }
}

#[test]
fn it_is_one_page_with_front_matter_and_the_binary_prints_it() {
    let page = page();
    assert!(page.lines().count() < 120);
    let mut front = page.lines();
    assert_eq!(front.next(), Some("---"));
    assert_eq!(front.next(), Some("name: spanql"));
    assert!(front.next().unwrap().starts_with("description: "));
    assert_eq!(front.next(), Some("---"));
    let printed = Shell::new().run("spanql skill");
    assert_eq!((printed.status, printed.stdout.trim_end()), (0, page.trim_end()));
}
