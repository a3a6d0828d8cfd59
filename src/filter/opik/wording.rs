//! Conditions on text as clauses.

use datafusion_expr::expr::Like;
use datafusion_expr::{Expr, Operator};

use super::columns::Op;
use super::field_ref::FieldRef;
use super::json::call;
use super::printer::{Printer, Wording, literal_text};

/// Text that Opik has, and how an expression reads it.
pub(super) struct Text<'e> {
    field: &'static str,
    key: &'e str,
    /// Whether it is in lower case.
    lower: bool,
    /// Whether absent text is read as empty text.
    filled: bool,
    /// Whether Opik compares it in any case.
    any_case: bool,
    /// Whether Opik may have it as JSON text: in quotes, and some characters escaped.
    quoted: bool,
}

impl<'e> Text<'e> {
    pub(super) fn of(printer: &Printer<'_>, expr: &'e Expr) -> Option<Self> {
        let (expr, lower) = match call(expr, "lower") {
            Some([inner]) => (inner, true),
            _ => (expr, false),
        };
        let (expr, filled) = match call(expr, "coalesce") {
            Some([inner, absent]) if literal_text(absent) == Some("") => (inner, true),
            _ => (expr, false),
        };
        if let Some((field, key)) = printer.dictionary(expr) {
            return Some(Self { field, key, lower, filled, any_case: true, quoted: false });
        }
        let any_case = |any_case| {
            printer.field_at(|field_ref| match field_ref {
                FieldRef::Text(at) => any_case && at == expr,
                FieldRef::Exact(at) => !any_case && at == expr,
                _ => false,
            })
        };
        let (field, any_case) =
            any_case(true).map(|at| (at, true)).or_else(|| any_case(false).map(|at| (at, false)))?;
        let quoted = matches!(field, "input" | "output");
        Some(Self { field, key: "", lower, filled, any_case, quoted })
    }

    fn clause(&self, printer: &Printer<'_>, op: Op, value: &str, exact: bool) -> Option<Wording> {
        let cut = matches!(self.field, "first_message" | "last_message");
        if value.trim().is_empty() || cut {
            return None;
        }
        if self.key.is_empty() {
            return printer.clause(self.field, "", op, value, exact);
        }
        if !survives_decoding(value) {
            return None;
        }
        // A number in a dictionary may be written otherwise there: 1000 for 1e3, 5 for 5.0.
        let in_number = value.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | 'e' | 'E'));
        let whole = value.chars().all(|c| c.is_ascii_digit());
        if in_number && !(whole && op == Op::Eq) {
            return None;
        }
        printer.clause(self.field, self.key, op, value, exact && !in_number)
    }

    /// A comparison with a text.
    pub(super) fn compare(&self, printer: &Printer<'_>, op: Operator, value: &str) -> Option<Wording> {
        if self.lower && value.to_lowercase() != value {
            return None;
        }
        // The opposite and the order of what Opik has otherwise cannot be said.
        let same_case = self.lower == self.any_case;
        match op {
            Operator::Eq => self.part(printer, Op::Eq, value, same_case && !self.filled),
            // An absent text differs from any there, and is unknown to a plain comparison here.
            Operator::IsDistinctFrom if same_case && !self.quoted => {
                self.clause(printer, Op::NotEq, value, value.is_ascii())
            }
            Operator::NotEq if same_case && !self.quoted => {
                self.clause(printer, Op::NotEq, value, self.filled && value.is_ascii())
            }
            _ if !same_case || self.quoted || !self.key.is_empty() || !value.is_ascii() => None,
            Operator::Gt => self.clause(printer, Op::Gt, value, true),
            Operator::Lt => self.clause(printer, Op::Lt, value, self.filled),
            _ => None,
        }
    }

    /// A text that is the value, or begins or ends with it.
    ///
    /// Opik puts only ASCII into lower case for these: of other text it is said that it contains the value.
    fn part(&self, printer: &Printer<'_>, op: Op, value: &str, exact: bool) -> Option<Wording> {
        if self.quoted || (self.lower && !value.is_ascii()) {
            return self.pattern(printer, value, false);
        }
        self.clause(printer, op, value, exact)
    }

    /// A text that contains a pattern, in any case.
    fn pattern(&self, printer: &Printer<'_>, value: &str, exact: bool) -> Option<Wording> {
        let escaped = |c: char| matches!(c, '"' | '/') || c.is_control();
        if !is_plain_pattern(value) || (self.quoted && value.contains(escaped)) {
            return None;
        }
        self.clause(printer, Op::Contains, value, exact)
    }
}

/// Says a condition that is about a part of a text.
pub(super) fn say_text(printer: &Printer<'_>, condition: &Expr) -> Option<Wording> {
    if let Expr::Like(Like { negated: false, expr, pattern, escape_char: None, case_insensitive }) = condition {
        let text = Text::of(printer, expr)?;
        let pattern = literal_text(pattern)?;
        let inner = pattern.strip_prefix('%').and_then(|rest| rest.strip_suffix('%'));
        let same_case = *case_insensitive == text.any_case && !text.lower && !text.filled;
        if let Some(inner) = inner.filter(|_| same_case) {
            return text.pattern(printer, inner, true);
        }
        // In any case, and with more around it, the pattern lets more through.
        return if text.any_case { text.pattern(printer, pattern.trim_matches('%'), false) } else { None };
    }
    for (name, op) in [("starts_with", Op::StartsWith), ("ends_with", Op::EndsWith), ("contains", Op::Contains)] {
        let Some([text, part]) = call(condition, name) else { continue };
        let (text, part) = (Text::of(printer, text)?, literal_text(part)?);
        if text.lower && part.to_lowercase() != part {
            return None;
        }
        let exact = text.lower == text.any_case && !text.filled;
        return match op {
            // What is a wildcard there matches itself, too.
            Op::Contains if text.any_case => text.pattern(printer, part, false),
            Op::Contains => None,
            _ => text.part(printer, op, part, exact),
        };
    }
    None
}

/// Whether the server reads a value of a type that is not text as it was sent: it decodes it as a part of a URL.
pub(super) fn survives_decoding(value: &str) -> bool {
    !value.contains(['+', '%'])
}

/// Whether a pattern means the same everywhere: a backslash escapes in some places only.
pub(super) fn is_plain_pattern(pattern: &str) -> bool {
    !pattern.contains('\\')
}
