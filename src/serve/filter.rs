//! The filter that a client sends.

use super::refusal::Refusal;

/// Checks the filter of a request; text of blanks only is none.
///
/// # Errors
/// Any other filter: none can be applied yet, and leaving one out would answer another question.
pub(super) fn check(filter: Option<&str>) -> Result<(), Refusal> {
    match filter.map(str::trim) {
        None | Some("") => Ok(()),
        Some(_) => Err(Refusal::invalid(
            "filters are not supported by this server yet: leave the filter out, and filter what arrives",
        )),
    }
}
