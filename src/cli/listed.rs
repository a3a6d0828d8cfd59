//! The list of saved queries, and that of reports.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};

use super::context::Context;
use crate::report::{Declared, Origin, ReportError};

/// What is said of one: name, parameters, description, origin.
type Row = [Option<String>; 4];

pub(super) fn row(name: String, params: &[Declared], description: Option<String>, origin: &Origin) -> Row {
    let params: Vec<String> = params.iter().map(ToString::to_string).collect();
    let origin = match origin {
        Origin::File(path) => path.display().to_string(),
        Origin::BuiltIn => "built in".to_owned(),
    };
    [Some(name), Some(params.join(", ")), description, Some(origin)]
}

/// Writes a list. What cannot be read says so where its description would stand.
pub(super) fn write(
    context: &Context,
    listed: impl Iterator<Item = Result<Row, ReportError>>,
    output: Option<&str>,
) -> anyhow::Result<()> {
    let unreadable = |error| match &error {
        ReportError::Twice { name, .. } => [Some(name.clone()), None, Some(format!("cannot be run: {error}")), None],
        _ => [None, None, Some(format!("cannot be read: {error}")), None],
    };
    let rows: Vec<Row> = listed.map(|row| row.unwrap_or_else(unreadable)).collect();
    let column =
        |at: usize| -> ArrayRef { Arc::new(rows.iter().map(|row| row[at].as_deref()).collect::<StringArray>()) };
    let columns = ["name", "parameters", "description", "origin"];
    let columns = columns.into_iter().enumerate().map(|(at, name)| (name, column(at), true));
    context.write(output, &RecordBatch::try_from_iter_with_nullable(columns)?)
}
