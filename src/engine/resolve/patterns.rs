//! LIKE with ESCAPE, as LIKE with a backslash.

use datafusion::sql::sqlparser::ast::{Expr, Value, ValueWithSpan};

use super::ast::{call, literal, text};

/// Writes the pattern so that a backslash escapes, which is all that DataFusion knows.
pub(super) fn without_escape(pattern: &mut Expr, escape: &mut Option<ValueWithSpan>) {
    let Some(ValueWithSpan { value: Value::SingleQuotedString(typed), .. }) = escape else { return };
    let mut chars = typed.chars();
    let sign = match (chars.next(), chars.next()) {
        (sign, None) if sign != Some('\\') => sign,
        (Some(_), None) => {
            *escape = None;
            return;
        }
        // More than one character: DataFusion says so.
        _ => return,
    };
    *pattern = match literal(pattern) {
        Some(typed) => text(with_backslashes(typed, sign)),
        None => computed(std::mem::replace(pattern, Expr::value(Value::Null)), sign),
    };
    *escape = None;
}

fn with_backslashes(pattern: &str, sign: Option<char>) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.push_str("\\\\"),
            c if Some(c) == sign => {
                // At the end it means itself.
                out.push('\\');
                out.push(chars.next().unwrap_or(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// The same of a pattern that is known only when the statement runs.
fn computed(pattern: Expr, sign: Option<char>) -> Expr {
    let replace = |expr: Expr, from: &str, to: &str| call("replace", vec![expr, text(from), text(to)]);
    let doubled = replace(pattern, "\\", "\\\\");
    let Some(sign) = sign else { return doubled };
    let sign = sign.to_string();
    // A character that no text has stands for an escaped escape meanwhile.
    let kept = "\u{10ffff}";
    let escaped = replace(doubled, &sign.repeat(2), kept);
    replace(replace(escaped, &sign, "\\"), kept, &format!("\\{sign}"))
}

#[cfg(test)]
mod tests {
    use super::with_backslashes;

    #[test]
    fn any_sign_may_escape() {
        for (pattern, sign, expected) in [
            ("50!%", Some('!'), "50\\%"),
            ("!!_", Some('!'), "\\!_"),
            ("a\\b%", Some('!'), "a\\\\b%"),
            ("a%", None, "a%"),
            ("a\\%", None, "a\\\\%"),
            ("a#", Some('#'), "a\\#"),
        ] {
            assert_eq!(with_backslashes(pattern, sign), expected, "{pattern}");
        }
    }
}
