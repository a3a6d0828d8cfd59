//! CSV: what its header must have, and what its cells, which are all text, stand for.

use std::collections::HashSet;

use spanql_model::columns::{SPAN_ID, TRACE_ID};
use spanql_model::json::Value;

/// Checks that a header names the ids of a span, and nothing twice; the header of an empty file may name nothing.
///
/// Without the check, a file that is no export at all would pass as one without rows if it has but one line.
pub(super) fn check_header(names: &[&str]) -> Result<(), String> {
    if names.is_empty() {
        return Ok(());
    }
    let ids = [(TRACE_ID, "trace_id"), (SPAN_ID, "span_id")];
    let missing = ids.iter().filter(|(name, short)| !names.contains(name) && !names.contains(short));
    let missing: Vec<String> = missing.map(|(name, short)| format!("no column {name} (or {short})")).collect();
    if !missing.is_empty() {
        return Err(format!("the header has {}", missing.join(" and ")));
    }
    let mut seen = HashSet::new();
    match names.iter().find(|name| !name.is_empty() && !seen.insert(**name)) {
        Some(name) => Err(format!("the header has the column {name:?} twice")),
        None => Ok(()),
    }
}

/// Reads a cell as the number, truth value or text it spells; an empty cell is null.
///
/// Integers and decimals are numbers only in the form that a program prints them: `007`, `+1` and `1.` stay text.
pub(super) fn cell(text: &str) -> Value<'_> {
    match text {
        "" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        text if is_plain_number(text) => Value::Number(text),
        text => Value::Text(text),
    }
}

fn is_plain_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    digits(whole) && digits(fraction) && (whole == "0" || !whole.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_what_they_spell() {
        for number in ["0", "-1", "12", "0.5", "-12.50", "123456789012345678901234567890"] {
            assert_eq!(cell(number), Value::Number(number));
        }
        for text in ["007", "+1", "1.", ".5", "1e5", "True", "NaN", "-", "1-2", " 1", "0x1", "-01.5", "é"] {
            assert_eq!(cell(text), Value::Text(text));
        }
        assert_eq!(cell(""), Value::Null);
        assert_eq!(cell("false"), Value::Bool(false));
    }
}
