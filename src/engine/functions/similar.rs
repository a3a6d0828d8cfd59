//! `SIMILAR TO`: the whole text against a pattern of SQL's wildcards and alternatives.
//!
//! DataFusion takes the pattern for a regular expression that may match anywhere in the text, `%` and `_` meaning
//! themselves.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::compute::kernels::regexp::{regexp_is_match, regexp_is_match_scalar};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::utils::take_function_args;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::Like;
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit, not,
};

use crate::error::EngineError;

/// `similar_to(text, pattern, escape)`; the escape is constant, and empty where none was given.
#[derive(Debug, PartialEq, Eq, Hash)]
struct SimilarTo {
    signature: Signature,
}

static SIMILAR_TO: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    Arc::new(ScalarUDF::from(SimilarTo { signature: Signature::user_defined(Volatility::Immutable) }))
});

pub(super) fn udf() -> ScalarUDF {
    SIMILAR_TO.as_ref().clone()
}

/// Puts the function where a statement says `SIMILAR TO`, ahead of DataFusion's coercion.
#[derive(Debug)]
pub(super) struct SimilarToRewrite;

impl FunctionRewrite for SimilarToRewrite {
    fn name(&self) -> &str {
        "similar_to"
    }

    fn rewrite(&self, expr: Expr, _: &DFSchema, _: &ConfigOptions) -> Result<Transformed<Expr>> {
        let Expr::SimilarTo(Like { negated, expr, pattern, escape_char, .. }) = expr else {
            return Ok(Transformed::no(expr));
        };
        if let Expr::Literal(literal, _) = pattern.as_ref()
            && let Some(Some(typed)) = literal.try_as_str()
        {
            // Said at once, and of no row.
            regex(typed, escape_char.unwrap_or('\\'))?;
        }
        let escape = escape_char.map(String::from).unwrap_or_default();
        let call = SIMILAR_TO.call(vec![*expr, *pattern, lit(escape)]);
        Ok(Transformed::yes(if negated { not(call) } else { call }))
    }
}

impl ScalarUDFImpl for SimilarTo {
    fn name(&self) -> &str {
        "similar_to"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [text, pattern, _] = take_function_args(self.name(), types)?;
        for side in [text, pattern] {
            let of = match side {
                DataType::Dictionary(_, values) => values.as_ref(),
                other => other,
            };
            if !(of.is_string() || of.is_null()) {
                return Err(EngineError::new("bad-argument", "SIMILAR TO takes text")
                    .why(format!("it was given {side}"))
                    .help("cast it, as in x::varchar")
                    .into());
            }
        }
        Ok(vec![DataType::Utf8; 3])
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let [text, pattern, escape] = take_function_args(self.name(), args.args)?;
        let escape = match &escape {
            ColumnarValue::Scalar(ScalarValue::Utf8(Some(escape))) => escape.chars().next().unwrap_or('\\'),
            _ => '\\',
        };
        let scalar = matches!((&text, &pattern), (ColumnarValue::Scalar(_), ColumnarValue::Scalar(_)));
        let texts = cast(&text.into_array(if scalar { 1 } else { rows })?, &DataType::Utf8)?;
        let texts = texts.as_string::<i32>();
        let matched = match &pattern {
            ColumnarValue::Scalar(pattern) => match pattern.try_as_str().flatten() {
                Some(pattern) => regexp_is_match_scalar(texts, &regex(pattern, escape)?, None)?,
                None => BooleanArray::new_null(texts.len()),
            },
            ColumnarValue::Array(patterns) => each(texts, patterns, escape)?,
        };
        let matched: ArrayRef = Arc::new(matched);
        Ok(if scalar {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&matched, 0)?)
        } else {
            ColumnarValue::Array(matched)
        })
    }
}

fn each(texts: &StringArray, patterns: &ArrayRef, escape: char) -> Result<BooleanArray> {
    let patterns = cast(patterns, &DataType::Utf8)?;
    let patterns = patterns.as_string::<i32>();
    let regexes = patterns.iter().map(|pattern| pattern.map(|pattern| regex(pattern, escape)).transpose());
    let regexes = regexes.collect::<Result<StringArray>>()?;
    Ok(regexp_is_match(texts, &regexes, None::<&StringArray>)?)
}

/// The error for a pattern; its text begins with the pattern in quotes, by which its place is found.
fn bad_pattern(pattern: &str, why: &str) -> DataFusionError {
    EngineError::new("bad-pattern", format!("'{pattern}' is no pattern for SIMILAR TO"))
        .why(why)
        .help("put a backslash before a sign that means itself")
        .into()
}

/// The regular expression that a whole text must match.
fn regex(pattern: &str, escape: char) -> Result<String> {
    let wrong = |why: &str| bad_pattern(pattern, why);
    let mut regex = String::from(r"\A(?s:");
    let mut chars = pattern.chars().peekable();
    // Whether there is something before the place that may be repeated.
    let mut repeatable = false;
    let mut open = 0;
    while let Some(c) = chars.next() {
        let repeats = matches!(c, '*' | '+' | '?' | '{') && c != escape;
        if repeats && !repeatable {
            return Err(wrong(&format!("there is nothing before {c} to repeat")));
        }
        match c {
            c if c == escape => {
                let Some(c) = chars.next() else { return Err(wrong("nothing follows the escape character")) };
                push_escaped(&mut regex, c).ok_or_else(|| wrong(&format!("{escape}{c} has no meaning")))?;
            }
            '%' => regex.push_str("(?:.*)"),
            '_' => regex.push('.'),
            '(' => {
                open += 1;
                regex.push_str("(?:");
            }
            ')' => {
                open -= 1;
                if open < 0 {
                    return Err(wrong(") closes nothing"));
                }
                regex.push(')');
            }
            '|' => regex.push('|'),
            '*' | '+' | '?' => regex.push(c),
            '{' => {
                let rest: String = chars.clone().collect();
                let counts = rest.split_once('}').map(|(counts, _)| counts).filter(|counts| are_counts(counts));
                let counts = counts.ok_or_else(|| wrong("{ counts as in {2}, {2,} or {2,5}"))?;
                regex.push_str(&format!("{{{counts}}}"));
                chars.nth(counts.len());
            }
            '[' => push_set(&mut regex, &mut chars, escape).map_err(|why| wrong(&why))?,
            other => push_literal(&mut regex, other),
        }
        repeatable = !repeats && !matches!(c, '(' | '|') || c == escape;
    }
    if open > 0 {
        return Err(wrong("( is never closed"));
    }
    regex.push_str(r")\z");
    Ok(regex)
}

/// Whether a text is what may stand between braces.
fn are_counts(text: &str) -> bool {
    let number = |text: &str| text.parse::<u16>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    match text.split_once(',') {
        None => number(text).is_some(),
        Some((least, "")) => number(least).is_some(),
        Some((least, most)) => number(least).is_some_and(|least| number(most).is_some_and(|most| least <= most)),
    }
}

fn push_literal(regex: &mut String, c: char) {
    if c.is_ascii_punctuation() {
        regex.push('\\');
    }
    regex.push(c);
}

/// What follows the escape character: a sign that means itself, or one of the classes of PostgreSQL.
fn push_escaped(regex: &mut String, c: char) -> Option<()> {
    match c {
        'd' | 'D' | 's' | 'S' | 'w' | 'W' => {
            regex.push('\\');
            regex.push(c);
        }
        c if c.is_ascii_alphanumeric() => return None,
        c => push_literal(regex, c),
    }
    Some(())
}

/// A set of characters as far as its bracket, which is open.
fn push_set(
    regex: &mut String,
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    escape: char,
) -> std::result::Result<(), String> {
    regex.push('[');
    if chars.next_if_eq(&'^').is_some() {
        regex.push('^');
    }
    // The sign before the place, where a range may begin with it.
    let mut from: Option<char> = None;
    let mut first = true;
    while let Some(c) = chars.next() {
        match c {
            ']' if !first => {
                regex.push(']');
                return Ok(());
            }
            '[' if chars.peek() == Some(&':') => {
                let name: String = chars.by_ref().take_while(|c| *c != ']').collect();
                if !CLASSES.contains(&name.as_str()) {
                    return Err(format!("[{name}] is no class of characters"));
                }
                regex.push_str(&format!("[{name}]"));
                from = None;
            }
            '-' if from.is_some() && chars.peek().is_some_and(|next| *next != ']') => {
                regex.push('-');
                let to = chars.next().filter(|c| *c != escape).or_else(|| chars.next());
                let to = to.ok_or("nothing follows the escape character")?;
                if from > Some(to) {
                    return Err(format!("the range that ends with {to} holds nothing"));
                }
                push_literal(regex, to);
                from = None;
            }
            c if c == escape => {
                let c = chars.next().ok_or("nothing follows the escape character")?;
                push_escaped(regex, c).ok_or_else(|| format!("{escape}{c} has no meaning"))?;
                from = Some(c).filter(|c| !c.is_ascii_alphanumeric());
            }
            other => {
                push_literal(regex, other);
                from = Some(other);
            }
        }
        first = false;
    }
    Err("[ is never closed".to_owned())
}

/// The classes of characters that a set can name, as PostgreSQL has them.
const CLASSES: [&str; 14] = [
    ":alnum:", ":alpha:", ":ascii:", ":blank:", ":cntrl:", ":digit:", ":graph:", ":lower:", ":print:", ":punct:",
    ":space:", ":upper:", ":word:", ":xdigit:",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(text: &str, pattern: &str, escape: char) -> bool {
        let texts = StringArray::from(vec![text]);
        regexp_is_match_scalar(&texts, &regex(pattern, escape).unwrap(), None).unwrap().value(0)
    }

    #[test]
    fn the_whole_text_with_wildcards() {
        for (text, pattern, matched) in [
            ("call", "call", true),
            ("recall", "call", false),
            ("call\n", "call", false),
            ("tool_call", "%(call|use)", true),
            ("a\nb", "a_b", true),
            ("a\nb", "a%", true),
            ("ab", "a|b", false),
            ("b", "a|b", true),
            ("abab", "(ab)*", true),
            ("", "(ab)*", true),
            ("abb", "ab{2}", true),
            ("abbb", "ab{2}", false),
            ("abbbb", "ab{2,}", true),
            ("abbb", "ab{1,2}", false),
            ("color", "colou?r", true),
            ("a.c", "a.c", true),
            ("abc", "a.c", false),
            ("^a$", "^a$", true),
            ("a", "^a$", false),
            ("x-1", "[a-z][-+][[:digit:]]", true),
            ("x]1", "[^0-9][]]1", true),
            ("q&&", "q[&]{2}", true),
            ("m", "[a-c-z]", false),
            ("-", "[a-c-z]", true),
            ("", "", true),
            ("a", "", false),
            ("ä", "_", true),
            ("7 x", r"\d\s\w", true),
            ("50%", r"50\%", true),
            ("50x", r"50\%", false),
            ("a}", "a}", true),
            ("aXb", "a%%b", true),
        ] {
            assert_eq!(matches(text, pattern, '\\'), matched, "{text:?} {pattern}");
        }
        assert!(matches("a%", "a#%", '#'));
        assert!(matches(r"a\b", r"a\b", '#'));
        assert!(matches("a(b", "a((b", '('));
    }

    #[test]
    fn malformed_patterns_are_refused() {
        for pattern in [
            "(a", "a)", "*a", "a|+", "(?a)", "a{", "a{x}", "a{3,2}", "a{,2}", "a}b{2", "a**", "[a", "[]", "[z-a]",
            "[[:x:]]", "a\\", "\\q",
        ] {
            let error = EngineError::from_datafusion(&regex(pattern, '\\').unwrap_err());
            assert!(error.to_string().starts_with(&format!("'{pattern}' is no pattern")), "{error}");
        }
    }
}
