//! How a run ends: exit codes, and errors as people and machines read them.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use serde_json::json;

use super::args::ErrorFormat;
use super::context::Context;
use super::failure::Failure;
use crate::pull::PullError;
use crate::report::ReportError;
use spanql_engine::EngineError;
use spanql_sources::SourceError;
use spanql_sources::config::ConfigError;
use spanql_sources::files::FileError;
use spanql_store::StoreError;

/// Exit code of an interrupted run.
pub(super) const INTERRUPTED: i32 = 130;
/// A longer message about wrong usage quotes something long.
const LONG_USAGE: usize = 4_000;
/// Exit code of wrong usage.
const USAGE: u8 = 2;

/// Exit code of a result that is not as it was expected.
pub(super) const EXPECTATION: u8 = 3;

/// Exit code of an answer that rests on incomplete data, where a complete one was required.
pub(super) const INCOMPLETE: u8 = 4;

impl Context {
    /// Reports an error and gives the exit code.
    pub(super) fn fail(&self, error: &anyhow::Error) -> ExitCode {
        if is_closed_pipe(error) {
            return ExitCode::SUCCESS;
        }
        if matches!(error.downcast_ref(), Some(Failure::AlreadyReported)) {
            return ExitCode::FAILURE;
        }
        match self.errors {
            ErrorFormat::Text => self.print_stderr(&format!("error: {}", message(error))),
            ErrorFormat::Json => self.print_stderr(&as_json(error)),
        }
        match error.downcast_ref() {
            Some(Failure::Usage(_) | Failure::Filter(_)) => ExitCode::from(USAGE),
            Some(Failure::Expectation(_)) => ExitCode::from(EXPECTATION),
            Some(Failure::Incomplete(_)) => ExitCode::from(INCOMPLETE),
            _ if error.downcast_ref().is_some_and(ReportError::is_usage) => ExitCode::from(USAGE),
            _ => ExitCode::FAILURE,
        }
    }
}

/// Says what is wrong with the arguments, or prints the help or version that they ask for; gives the exit code.
pub(super) fn end_of_parsing(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && asks_for_json(&std::env::args_os().collect::<Vec<_>>()) {
        let text = error.render().to_string();
        // The first paragraph is what is wrong; usage and tips follow.
        let message: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
        let message = message.join(" ");
        let message = message.trim_start_matches("error: ");
        let nearest = [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue]
            .iter()
            .find_map(|kind| error.get(*kind));
        let suggestion = match nearest {
            Some(ContextValue::String(one)) => Some(one),
            Some(ContextValue::Strings(several)) => several.first(),
            _ => None,
        };
        let line = json!({"code": "usage", "message": message, "position": null, "suggestion": suggestion});
        // There is no context yet to speak through, and nobody may be there to read it.
        drop(writeln!(std::io::stderr(), "{line}"));
    } else if error.use_stderr() && error.render().to_string().len() > LONG_USAGE {
        drop(write!(std::io::stderr(), "{}", shortened(&error.render().to_string())));
    } else {
        // A reader of the help that has gone away has seen enough.
        drop(error.print());
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE))
}

/// Whether `--errors json` is among arguments that could not be read as a whole.
fn asks_for_json(arguments: &[OsString]) -> bool {
    arguments.iter().any(|argument| argument == "--errors=json")
        || arguments.windows(2).any(|pair| pair[0] == "--errors" && pair[1] == "json")
}

/// The whole chain of causes, each said once.
pub(super) fn message(error: &anyhow::Error) -> String {
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
    shortened(&text).lines().map(spanql_output::escape_terminal).collect::<Vec<_>>().join("\n")
}

/// Cuts what nobody reads to its end, such as a value of a megabyte that an error quotes: long words, and long messages.
fn shortened(text: &str) -> String {
    /// No path or name that the rest of a message rests on is longer.
    const WORD: usize = 1_000;
    const MESSAGE: usize = 8_000;
    const KEPT: usize = 200;
    let mut out = String::new();
    for word in text.split_inclusive(char::is_whitespace) {
        let most = if word.len() > WORD { KEPT } else { word.len() };
        let end = (0..=most).rev().find(|end| word.is_char_boundary(*end)).unwrap_or(0);
        out.push_str(&word[..end]);
        if end < word.len() {
            out.push_str("… ");
        }
        if out.len() > MESSAGE {
            out.push_str(" …");
            break;
        }
    }
    out
}

fn as_json(error: &anyhow::Error) -> String {
    if let Some(Failure::Filter(error)) = error.downcast_ref() {
        return json!({
            "code": error.code(),
            "message": spanql_output::escape_terminal(&error.in_one_line()),
            "position": error.position().map(|(line, column)| json!({"line": line, "column": column})),
            "suggestion": error.suggestion(),
        })
        .to_string();
    }
    let code = match error.downcast_ref() {
        Some(Failure::Usage(_)) => "usage",
        Some(Failure::Incomplete(_)) => "incomplete",
        Some(Failure::Expectation(_)) => "expectation",
        _ if error.is::<StoreError>() => "store",
        _ if error.is::<FileError>() => "file",
        _ if error.is::<ConfigError>() => "setting",
        _ => "failed",
    };
    let report = error.downcast_ref::<ReportError>();
    let code = report.map_or(code, ReportError::code);
    let remote = error.chain().find_map(source_error);
    let code = remote.map_or(code, source_code);
    let engine = error.chain().find_map(|cause| cause.downcast_ref::<EngineError>());
    let position = engine.and_then(EngineError::position).or(report.and_then(ReportError::position));
    let suggestion = engine
        .and_then(EngineError::suggestion)
        .or(remote.and_then(SourceError::suggestion).or(report.and_then(ReportError::suggestion)).map(str::to_owned));
    json!({
        "code": engine.map_or(code, EngineError::code),
        "message": message(error),
        "position": position.map(|(line, column)| json!({"line": line, "column": column})),
        "suggestion": suggestion,
    })
    .to_string()
}

/// The remote's error, alone or as that of a pull.
fn source_error<'a>(cause: &'a (dyn std::error::Error + 'static)) -> Option<&'a SourceError> {
    let of_pull = cause.downcast_ref::<PullError>().and_then(PullError::source_error);
    of_pull.or_else(|| cause.downcast_ref::<SourceError>())
}

/// The names of a remote's endpoints in errors are for machines, too.
fn source_code(error: &SourceError) -> &'static str {
    match error {
        SourceError::Setting(_) => "setting",
        SourceError::Unreachable { .. } => "remote-unreachable",
        SourceError::Silent { .. } => "remote-silent",
        SourceError::Untrusted { .. } => "remote-untrusted",
        SourceError::Unavailable { .. } => "remote-unavailable",
        SourceError::Denied { .. } => "remote-denied",
        SourceError::Refused { .. } => "remote-refused",
        SourceError::NotFound { .. } => "not-found",
        SourceError::Protocol { .. } => "remote-protocol",
    }
}

pub(super) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
            || cause.downcast_ref::<spanql_output::Error>().is_some_and(spanql_output::Error::is_broken_pipe)
    })
}
