//! How a run ends: exit codes, and errors as people and machines read them.

use std::process::ExitCode;

use super::context::Context;
use crate::engine::EngineError;
use crate::output;

/// Exit code of an interrupted run.
pub(super) const INTERRUPTED: i32 = 130;
/// Exit code of wrong usage.
const USAGE: u8 = 2;

/// Ends that are no failure of the work itself.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("interrupted")]
    Interrupted,
    #[error("{0}")]
    Usage(String),
}

/// The form of errors on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ErrorFormat {
    /// One line for a person.
    Text,
    /// One JSON object with code, message, position and suggestion.
    Json,
}

impl Context {
    /// Reports an error and gives the exit code.
    pub(super) fn fail(&self, error: &anyhow::Error) -> ExitCode {
        if is_closed_pipe(error) {
            return ExitCode::SUCCESS;
        }
        match self.errors {
            ErrorFormat::Text => self.say(&format!("error: {}", message(error))),
            ErrorFormat::Json => self.say(&as_json(error)),
        }
        match error.downcast_ref() {
            Some(Failure::Usage(_)) => ExitCode::from(USAGE),
            _ => ExitCode::FAILURE,
        }
    }
}

/// The whole chain of causes, each said once.
fn message(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
    }
    text.lines().map(output::escape_terminal).collect::<Vec<_>>().join("\n")
}

fn as_json(error: &anyhow::Error) -> String {
    let engine = error.chain().find_map(|cause| cause.downcast_ref::<EngineError>());
    let position = engine.and_then(EngineError::position);
    serde_json::json!({
        "code": engine.map_or("failed".to_owned(), |engine| engine.code().to_string()),
        "message": message(error),
        "position": position.map(|(line, column)| serde_json::json!({"line": line, "column": column})),
        "suggestion": engine.and_then(EngineError::suggestion),
    })
    .to_string()
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
            || cause.downcast_ref::<output::Error>().is_some_and(output::Error::is_broken_pipe)
    })
}
