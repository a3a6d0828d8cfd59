//! `spanql filter`: a filter in another language.

use super::args::FilterArguments;
use super::context::Context;
use super::failure::Failure;
use spanql_filter::{Language, TranslateError, translate};
use spanql_output::escape_terminal;

pub(super) fn run(context: &Context, arguments: &FilterArguments) -> anyhow::Result<()> {
    let list = arguments.text.trim_start().starts_with('[');
    let from = arguments.from.unwrap_or(if list { Language::Opik } else { Language::Arize });
    let translation =
        translate(&arguments.text, from, arguments.to, arguments.entity).map_err(|error| match error {
            TranslateError::Filter(error) => Failure::Filter(error).into(),
            unsaid => anyhow::Error::new(unsaid),
        })?;
    context.print(&translation.text)?;
    for note in translation.notes {
        context.note(&escape_terminal(&note));
    }
    Ok(())
}
