//! The shell's own commands: their names, what they take, and what they do.

use spanql_model::nearest::nearest;

/// What a word after a command is, for completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// The name of a table, or a pattern.
    Table,
    /// A filter in Arize's language.
    Filter,
    /// The id of a trace.
    TraceId,
    /// The id of a session.
    SessionId,
    /// A pattern of spans.
    Pattern,
    /// The name of a saved query.
    Query,
    /// The name of a report.
    Report,
    /// A remote.
    Remote,
    /// The name of a format.
    Format,
    /// A file.
    File,
    /// `on` or `off`.
    Switch,
    /// A statement.
    Sql,
    /// A parameter.
    Variable,
    /// A project of the store.
    Project,
    /// Anything.
    Text,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Say what commands there are.
    Help,
    /// Describe tables.
    Describe,
    /// List projects.
    Projects,
    /// Narrow the tables.
    Where,
    /// Show a trace.
    Trace,
    /// Show a session.
    Session,
    /// List spans by a pattern.
    Structure,
    /// Run a saved query.
    Run,
    /// Keep the last statement as a saved query.
    Save,
    /// Render a report.
    Report,
    /// Pull from a remote.
    Pull,
    /// Annotate the rows that were shown last.
    Annotate,
    /// Delete the spans that were shown last.
    Delete,
    /// Choose the format of results.
    Format,
    /// Send results to a file.
    Output,
    /// One column a line.
    Expanded,
    /// Time after results.
    Timing,
    /// Show a plan.
    Explain,
    /// Translate a filter.
    Filter,
    /// Set a parameter, or list them.
    Set,
    /// Forget a parameter.
    Unset,
    /// Look at one project only.
    Use,
    /// Run a statement again and again.
    Watch,
    /// Run what is typed.
    Send,
    /// The same, with one column a line.
    SendExpanded,
    /// Show what is typed.
    Print,
    /// Forget what is typed.
    Reset,
    /// Edit what is typed, or the last statement.
    Edit,
    /// Read statements from a file.
    Include,
    /// Run a command of the system.
    System,
    /// Leave.
    Quit,
}

/// A command of the shell.
#[derive(Debug)]
pub struct Command {
    /// Its name, behind a backslash or a dot.
    pub name: &'static str,
    /// Other names, as users of other shells know them.
    pub also: &'static [&'static str],
    /// What it takes, as the help shows it.
    pub arguments: &'static str,
    /// What it takes, for completion.
    pub takes: Takes,
    /// What it does, in one line.
    pub help: &'static str,
    /// What to do.
    pub action: Action,
}

const fn command(
    name: &'static str,
    also: &'static [&'static str],
    arguments: &'static str,
    takes: Takes,
    help: &'static str,
    action: Action,
) -> Command {
    Command { name, also, arguments, takes, help, action }
}

/// All commands, as the help lists them.
pub const COMMANDS: &[Command] = &[
    command("?", &["help", "h"], "", Takes::Nothing, "this list", Action::Help),
    command(
        "d",
        &["tables", "schema", "dt", "d+", "dt+", "dv", "describe", "desc"],
        "[TABLE|PATTERN]",
        Takes::Table,
        "tables, or the columns of one",
        Action::Describe,
    ),
    command(
        "l",
        &["databases", "projects", "l+", "list"],
        "",
        Takes::Nothing,
        "projects of the store",
        Action::Projects,
    ),
    command("use", &["c"], "[PROJECT]", Takes::Project, "look at one project only, or at all again", Action::Use),
    command(
        "where",
        &[],
        "[FILTER]",
        Takes::Filter,
        "show in spans, traces and sessions only what matches, or everything again",
        Action::Where,
    ),
    command("trace", &[], "ID [--full]", Takes::TraceId, "one trace as a tree", Action::Trace),
    command("session", &[], "ID [--full]", Takes::SessionId, "one session as a conversation", Action::Session),
    command(
        "structure",
        &[],
        "PATTERN",
        Takes::Pattern,
        "spans by their place: { kind = 'AGENT' } !>> { kind = 'TOOL' }",
        Action::Structure,
    ),
    command("run", &[], "[NAME [-p name=value]…]", Takes::Query, "a saved query, or the list of them", Action::Run),
    command("save", &[], "NAME [DESCRIPTION]", Takes::Text, "keep the last statement as a saved query", Action::Save),
    command("report", &[], "[NAME [-o FILE]]", Takes::Report, "a report, or the list of them", Action::Report),
    command("pull", &[], "SOURCE PROJECT [OPTIONS]", Takes::Remote, "spans of a remote into the store", Action::Pull),
    command(
        "annotate",
        &[],
        "NAME LABEL|SCORE [TEXT]",
        Takes::Text,
        "annotate the spans, traces or sessions shown last",
        Action::Annotate,
    ),
    command("delete", &[], "[--yes] [--purge]", Takes::Text, "delete the spans shown last", Action::Delete),
    command("filter", &[], "TEXT", Takes::Filter, "say a filter in all languages", Action::Filter),
    command("explain", &[], "[SQL]", Takes::Sql, "the plan of a statement, or of the last one", Action::Explain),
    command(
        "watch",
        &[],
        "SECONDS [SQL]",
        Takes::Text,
        "run a statement, or the last one, until Ctrl-C",
        Action::Watch,
    ),
    command(
        "format",
        &["mode", "pset"],
        "[FORMAT]",
        Takes::Format,
        "of results: table json jsonl csv tsv md",
        Action::Format,
    ),
    command(
        "o",
        &["output", "out"],
        "[FILE]",
        Takes::File,
        "write results to a file, or to the screen again",
        Action::Output,
    ),
    command("x", &["expanded"], "[on|off]", Takes::Switch, "one column a line", Action::Expanded),
    command("timing", &["timer"], "[on|off]", Takes::Switch, "say how long each statement took", Action::Timing),
    command("set", &[], "[NAME VALUE]", Takes::Variable, "give $NAME a value, or list the values", Action::Set),
    command("unset", &[], "NAME", Takes::Variable, "forget $NAME", Action::Unset),
    command(
        "g",
        &["go"],
        "[FILE]",
        Takes::File,
        "run what is typed, or the last statement again; into a file",
        Action::Send,
    ),
    command("gx", &[], "[FILE]", Takes::File, "the same, one column a line", Action::SendExpanded),
    command(
        "p",
        &["print", "echo"],
        "[TEXT]",
        Takes::Text,
        "show a text, or what is typed, or the last statement",
        Action::Print,
    ),
    command("r", &["reset"], "", Takes::Nothing, "forget what is typed", Action::Reset),
    command("e", &["edit"], "", Takes::Nothing, "edit what is typed, or the last statement, in $EDITOR", Action::Edit),
    command("i", &["read", "include"], "FILE", Takes::File, "run the statements of a file", Action::Include),
    command("!", &["shell", "system", "sh"], "COMMAND", Takes::Text, "run a command of the system", Action::System),
    command("q", &["quit", "exit"], "", Takes::Nothing, "leave; so does Ctrl-D", Action::Quit),
];

/// The line that the text begins with, if it is a command: from a backslash, or a dot and a letter, to the line's end.
pub(super) fn command_line(text: &str) -> Option<&str> {
    let mut chars = text.chars();
    let is_command = match chars.next()? {
        '\\' => true,
        '.' => chars.next().is_some_and(|c| c.is_ascii_alphabetic()),
        _ => false,
    };
    is_command.then(|| text.lines().next().unwrap_or_default())
}

/// Whether a command in the middle of a statement takes what was typed of it; else the statement goes on.
pub(super) fn takes_statement(line: &str) -> bool {
    let (name, rest) = parts(line);
    find(name).is_ok_and(|command| match command.action {
        Action::Send | Action::SendExpanded | Action::Edit | Action::Reset => true,
        Action::Explain => rest.is_empty(),
        // Seconds, and no statement behind them.
        Action::Watch => !rest.contains(char::is_whitespace),
        _ => false,
    })
}

/// Cuts a command's line into the name and the rest, both without blanks around them, and without the semicolon that people
/// put at the end.
pub fn parts(line: &str) -> (&str, &str) {
    let line = line.trim().trim_start_matches(['\\', '.']);
    let line = if line.starts_with('!') { line } else { line.strip_suffix(';').unwrap_or(line).trim_end() };
    // `\!ls` and `\?` need no blank behind them.
    let length = if line.starts_with(['!', '?']) { 1 } else { line.find(char::is_whitespace).unwrap_or(line.len()) };
    (&line[..length], line[length..].trim())
}

/// Finds a command by the name that was typed, without backslash or dot; else says what is nearest.
pub fn find(name: &str) -> Result<&'static Command, Option<&'static str>> {
    let lower = name.to_lowercase();
    let names = |command: &'static Command| std::iter::once(command.name).chain(command.also.iter().copied());
    COMMANDS
        .iter()
        .find(|command| names(command).any(|known| known == lower))
        .ok_or_else(|| nearest(&lower, COMMANDS.iter().flat_map(names)))
}

/// The command that a statement stands for which other shells have for what is none here: `USE x`, `SHOW DATABASES`.
pub fn spoken(statement: &str) -> Option<String> {
    let (first, rest) = statement.trim().split_once(char::is_whitespace)?;
    let (first, rest) = (first.to_ascii_lowercase(), rest.trim());
    match first.as_str() {
        "use" if !rest.is_empty() => Some(format!("\\use {rest}")),
        "show" if ["databases", "projects", "schemas"].contains(&rest.to_ascii_lowercase().as_str()) => {
            Some("\\l".to_owned())
        }
        _ => None,
    }
}

/// What to do instead of what commands of other shells do, which are not here.
pub fn instead(name: &str) -> Option<&'static str> {
    let lower = name.to_lowercase();
    NOT_HERE.iter().find(|(names, _)| names.contains(&lower.as_str())).map(|(_, instead)| *instead)
}

const NOT_HERE: [(&[&str], &str); 9] = [
    (&["copy", "once", "excel", "dump", "backup"], "\\g FILE and \\o FILE write results, by the ending of the name"),
    (&["import", "load"], "FROM 'file.csv' reads a file, and `spanql import` takes spans in"),
    (
        &["open", "attach", "connect", "conninfo"],
        "`spanql --store DIR` opens a store, \\use PROJECT looks at one project",
    ),
    (&["df", "df+", "da", "functions"], "Tab completes functions, and `spanql schema` lists them"),
    (
        &["dn", "du", "dp", "di", "ds", "z", "indexes"],
        "there are no users, schemas or indexes: \\d lists tables, \\l projects",
    ),
    (&["a", "t", "html", "headers", "header", "nullvalue", "separator", "width"], "\\format chooses how results look"),
    (&["maxrows", "maxwidth", "columns", "rows"], "LIMIT says how many rows, and \\x shows one column a line"),
    (&["s", "history"], "Ctrl-R looks back"),
    (&["w", "write"], "\\save NAME keeps the last statement"),
];

/// What `on`, `off` or nothing makes of a switch; `None` for any other word.
pub fn switched(now: bool, word: &str) -> Option<bool> {
    match word.to_lowercase().as_str() {
        "" => Some(!now),
        "on" | "true" | "1" => Some(true),
        "off" | "false" | "0" => Some(false),
        _ => None,
    }
}

/// The list of commands, a line each.
pub fn help() -> String {
    let left = |command: &Command| format!("\\{} {}", command.name, command.arguments);
    let width = COMMANDS.iter().map(|command| left(command).trim_end().len()).max().unwrap_or_default();
    let mut text = String::new();
    for command in COMMANDS {
        let left = left(command);
        text += &format!("  {:width$}  {}\n", left.trim_end(), command.help);
    }
    text + "\nA statement ends with a semicolon, and may take several lines: the prompt says what is open, and ↑ goes back to\n\
            the lines before. Commands with a backslash work in its middle, too. At its begin a dot does: .tables .mode .quit\n\
            Tab completes names, values, ids and files; Ctrl-R looks back; Ctrl-C stops a query or clears what is typed.\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_near_ones_suggested() {
        assert_eq!(find("tables").unwrap().action, Action::Describe);
        assert_eq!(find("Q").unwrap().action, Action::Quit);
        assert_eq!(find("formt").unwrap_err(), Some("format"));
        let mut names: Vec<&str> =
            COMMANDS.iter().flat_map(|c| std::iter::once(c.name).chain(c.also.iter().copied())).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "two commands share a name");
        for (not_here, _) in NOT_HERE {
            assert!(not_here.iter().all(|name| find(name).is_err()), "{not_here:?}");
        }
    }

    #[test]
    fn some_statements_are_commands() {
        assert_eq!(spoken(" USE  demo ").as_deref(), Some("\\use demo"));
        assert_eq!(spoken("use \"my project\"").as_deref(), Some("\\use \"my project\""));
        assert_eq!(spoken("show\nDatabases").as_deref(), Some("\\l"));
        for other in ["use", "SHOW TABLES", "SELECT 1", "user x"] {
            assert_eq!(spoken(other), None, "{other}");
        }
    }

    #[test]
    fn lines_have_a_name_and_a_rest() {
        assert_eq!(parts("\\!ls -l"), ("!", "ls -l"));
        assert_eq!(parts(".mode  csv "), ("mode", "csv"));
        assert_eq!(parts("\\where a = '\\x'"), ("where", "a = '\\x'"));
        assert_eq!(parts("\\?"), ("?", ""));
        assert_eq!(parts("\\run models; "), ("run", "models"));
        assert_eq!(parts("\\! a; b;"), ("!", "a; b;"));
        assert_eq!(parts("\\"), ("", ""));
    }
}
