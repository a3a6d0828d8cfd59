//! The filter that a client sends.

use datafusion::prelude::DataFrame;

use super::backend::Project;
use super::refusal::Refusal;
use spanql_engine::compare_mixed_types;
use spanql_filter::{Filter, Names, Unknown, arize};

/// The longest filter, in bytes: clients ask for traces by listing all of their ids.
const MAX_BYTES: usize = 4 << 20;

/// The text of a filter; blanks only are none.
pub(super) fn text(filter: Option<String>) -> Option<String> {
    filter.filter(|text| !text.trim().is_empty())
}

/// Reads the filter of a request over the spans of a project.
///
/// # Errors
/// When it is not in the language, or names what no span has.
pub(super) fn read(project: &Project, text: Option<&str>) -> Result<Option<Filter>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let schema = project.schema();
    let names = Names::new(&schema, project.rest(), Unknown::Error);
    match arize::parse_upto(text, &names, MAX_BYTES) {
        Ok(filter) => Ok(Some(filter)),
        Err(error) => Err(Refusal::invalid(error.to_string())),
    }
}

/// The rows that match, of a table that has the columns of the filter.
pub(super) fn matching(rows: DataFrame, filter: Option<&Filter>) -> Result<DataFrame, Refusal> {
    let Some(filter) = filter else { return Ok(rows) };
    let condition = compare_mixed_types(filter.expr.clone(), rows.schema())?.data;
    Ok(rows.filter(condition)?)
}
