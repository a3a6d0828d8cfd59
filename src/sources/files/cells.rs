//! What the text of a cell stands for.

use spanql_model::json::Value;

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

/// Whether a text is a number in the form that a program prints.
pub(super) fn is_plain_number(text: &str) -> bool {
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
