//! LIKE with many wildcards: in time that grows with the text, whatever the pattern. And ILIKE of what is anywhere in a text:
//! in one search through all texts.
//!
//! Arrow makes a regular expression of a pattern with many wildcards, which takes time that grows with the product of both
//! lengths, and is refused where it is too large; and of one of ILIKE, which it asks of one text after the other.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::utils::take_function_args;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::Like;
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit, not,
};
use memchr::memmem;
use regex::bytes::RegexBuilder;

use crate::error::EngineError;
use spanql_filter::rows_with;

/// Wildcards and bytes of a pattern up to which it is left to Arrow.
const FEW: usize = 8;
const SHORT: usize = 200;
/// Characters between two `%`, some of which are `_`: each place of a text may be compared with all of them.
const MAX_PART: usize = 1_000;

/// `like_many(text, pattern, case_insensitive)`; pattern and case are constant.
#[derive(Debug, PartialEq, Eq, Hash)]
struct LikeMany {
    signature: Signature,
}

/// Its name.
pub(crate) const LIKE_MANY: &str = "like_many";

static UDF: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    Arc::new(ScalarUDF::from(LikeMany {
        signature: Signature::exact(vec![DataType::Utf8, DataType::Utf8, DataType::Boolean], Volatility::Immutable),
    }))
});

/// Puts the function where the pattern of LIKE or ILIKE is long, or has many wildcards.
#[derive(Debug)]
pub(super) struct LikeRewrite;

impl FunctionRewrite for LikeRewrite {
    fn name(&self) -> &str {
        LIKE_MANY
    }

    fn rewrite(&self, expr: Expr, schema: &DFSchema, _: &ConfigOptions) -> Result<Transformed<Expr>> {
        let Expr::Like(Like { negated, expr: text, pattern, escape_char: None | Some('\\'), case_insensitive }) = &expr
        else {
            return Ok(Transformed::no(expr));
        };
        let Expr::Literal(literal, _) = pattern.as_ref() else { return Ok(Transformed::no(expr)) };
        let Some(Some(typed)) = literal.try_as_str() else { return Ok(Transformed::no(expr)) };
        let is_short = typed.len() <= SHORT && typed.matches(['%', '_']).count() <= FEW;
        let is_found = *case_insensitive && anywhere(typed).is_some();
        if is_short && !is_found || !text.get_type(schema).is_ok_and(|of| of.is_string()) {
            return Ok(Transformed::no(expr));
        }
        // Said at once, and of no row.
        Pattern::read(typed, *case_insensitive)?;
        let call = UDF.call(vec![text.as_ref().clone(), lit(typed), lit(*case_insensitive)]);
        Ok(Transformed::yes(if *negated { not(call) } else { call }))
    }
}

impl ScalarUDFImpl for LikeMany {
    fn name(&self) -> &str {
        LIKE_MANY
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [text, pattern, fold] = take_function_args(self.name(), args.args)?;
        let fold = matches!(fold, ColumnarValue::Scalar(ScalarValue::Boolean(Some(true))));
        let ColumnarValue::Scalar(pattern) = pattern else {
            return Err(EngineError::new("bad-argument", "like_many takes a constant pattern").into());
        };
        let pattern = pattern.try_as_str().flatten().unwrap_or_default();
        let part = anywhere(pattern).filter(|_| fold);
        let pattern = Pattern::read(pattern, fold)?;
        let scalar = matches!(text, ColumnarValue::Scalar(_));
        let texts = cast(&text.into_array(if scalar { 1 } else { args.number_rows })?, &DataType::Utf8)?;
        let texts = texts.as_string::<i32>();
        let matched: BooleanArray = match part {
            Some(part) => having(texts, part, &pattern)?,
            None => texts.iter().map(|text| text.map(|text| pattern.matches(text))).collect(),
        };
        let matched: ArrayRef = Arc::new(matched);
        Ok(if scalar {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&matched, 0)?)
        } else {
            ColumnarValue::Array(matched)
        })
    }
}

/// What a pattern asks for anywhere in a text, if that is all it does and in letters of ASCII.
fn anywhere(pattern: &str) -> Option<&str> {
    let part = pattern.strip_prefix('%')?.strip_suffix('%')?;
    (!part.is_empty() && part.is_ascii() && !part.contains(['%', '_', '\\'])).then_some(part)
}

/// The texts that have a part in letters of any case.
fn having(texts: &StringArray, part: &str, pattern: &Pattern) -> Result<BooleanArray> {
    let finder = RegexBuilder::new(&regex::escape(part)).case_insensitive(true).unicode(false).build();
    let finder = finder.map_err(|error| EngineError::new("bad-pattern", error.to_string()))?;
    let mut found = rows_with(texts, |bytes| finder.find(bytes).map(|found| found.range()));
    // Letters beyond ASCII that differ from one of these in nothing but case.
    for (letter, odd) in [('k', '\u{212a}'), ('s', '\u{17f}')] {
        if part.contains([letter, letter.to_ascii_uppercase()]) {
            let mut bytes = [0; 4];
            let odd = memmem::Finder::new(odd.encode_utf8(&mut bytes));
            let mut odd = rows_with(texts, |bytes| odd.find(bytes).map(|at| at..at + odd.needle().len()));
            let odd = odd.finish();
            for row in odd.set_indices() {
                found.set_bit(row, pattern.matches(texts.value(row)));
            }
        }
    }
    Ok(BooleanArray::new(found.finish(), texts.nulls().cloned()))
}

/// What a pattern asks for, as far as that is texts: what stands between wildcards and escapes.
pub(crate) fn literal_parts(pattern: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match (c, parts.last_mut()) {
            ('%' | '_' | '\\', _) => {
                // What is behind a backslash may mean itself or not.
                if c == '\\' {
                    chars.next();
                }
                parts.push(String::new());
            }
            (c, Some(part)) => part.push(c),
            (_, None) => {}
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// What stands between two `%`.
#[derive(Debug, Default)]
struct Part {
    /// How many characters of any kind it begins with.
    any: usize,
    /// The rest: characters, `None` for one of any kind.
    rest: Vec<Option<char>>,
    /// The rest where it has none of any kind.
    text: Option<String>,
}

#[derive(Debug)]
struct Pattern {
    fold: bool,
    /// At least one; the first begins where the text does, the last ends where it does.
    parts: Vec<Part>,
}

impl Pattern {
    fn read(pattern: &str, fold: bool) -> Result<Self> {
        let (mut parts, mut part) = (Vec::new(), Part::default());
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            let sign = match c {
                // Of several in a row, one says it all.
                '%' => {
                    if parts.is_empty() || part.any > 0 || !part.rest.is_empty() {
                        parts.push(std::mem::take(&mut part));
                    }
                    continue;
                }
                '_' if part.rest.is_empty() => {
                    part.any += 1;
                    continue;
                }
                '_' => None,
                // At the end it means itself.
                '\\' => Some(chars.next().unwrap_or('\\')),
                other => Some(other),
            };
            part.rest.push(sign.map(|c| if fold { folded(c) } else { c }));
        }
        parts.push(part);
        for part in &mut parts {
            part.text = part.rest.iter().copied().collect();
            if part.text.is_none() && part.rest.len() > MAX_PART {
                return Err(EngineError::new("bad-pattern", "the pattern of LIKE is too long")
                    .why(format!("between two % it has more than {MAX_PART} characters with _ among them"))
                    .help("write a shorter one")
                    .into());
            }
        }
        Ok(Self { fold, parts })
    }

    fn matches(&self, text: &str) -> bool {
        if self.fold {
            self.matches_as_is(&text.chars().map(folded).collect::<String>())
        } else {
            self.matches_as_is(text)
        }
    }

    fn matches_as_is(&self, text: &str) -> bool {
        let [first, middle @ .., last] = self.parts.as_slice() else {
            return self.parts.first().is_none_or(|only| only.at_start(text) == Some(text.len()));
        };
        let Some(mut at) = first.at_start(text) else { return false };
        // The first place is as good as any: what follows may begin anywhere behind it.
        for part in middle {
            match part.find(&text[at..]) {
                Some(end) => at += end,
                None => return false,
            }
        }
        last.at_end(&text[at..])
    }
}

impl Part {
    /// Where it ends in a text that begins with it.
    fn at_start(&self, text: &str) -> Option<usize> {
        let from = skip(text, self.any)?;
        Some(from + self.rest_at_start(&text[from..])?)
    }

    fn rest_at_start(&self, text: &str) -> Option<usize> {
        if let Some(rest) = &self.text {
            return text.starts_with(rest).then_some(rest.len());
        }
        let mut chars = text.chars();
        for sign in &self.rest {
            let c = chars.next()?;
            if sign.is_some_and(|sign| sign != c) {
                return None;
            }
        }
        Some(text.len() - chars.as_str().len())
    }

    /// Where it ends in the first place that a text has it.
    fn find(&self, text: &str) -> Option<usize> {
        let from = skip(text, self.any)?;
        if let Some(rest) = &self.text {
            return Some(from + text[from..].find(rest)? + rest.len());
        }
        let starts = text[from..].char_indices().map(|(at, _)| from + at);
        starts.map(|at| (at, self.rest_at_start(&text[at..]))).find_map(|(at, end)| Some(at + end?))
    }

    /// Whether a text ends with it.
    fn at_end(&self, text: &str) -> bool {
        let length = self.any + self.rest.len();
        if length == 0 {
            return true;
        }
        let Some((at, _)) = text.char_indices().rev().nth(length - 1) else { return false };
        self.at_start(&text[at..]) == Some(text.len() - at)
    }
}

/// Where a text goes on behind so many characters.
fn skip(text: &str, count: usize) -> Option<usize> {
    match count.checked_sub(1) {
        None => Some(0),
        Some(last) => text.char_indices().nth(last).map(|(at, c)| at + c.len_utf8()),
    }
}

/// The one character that stands for all that differ in case only, as regular expressions see it.
fn folded(c: char) -> char {
    fn single(mut chars: impl Iterator<Item = char>, or: char) -> char {
        match (chars.next(), chars.next()) {
            (Some(c), None) => c,
            _ => or,
        }
    }
    match c {
        _ if c.is_ascii() => c.to_ascii_lowercase(),
        // Its capital letter is that of another one.
        'ı' => c,
        _ => {
            let upper = single(c.to_uppercase(), c);
            single(upper.to_lowercase(), upper)
        }
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::Scalar;
    use datafusion::arrow::compute::kernels::comparison::{ilike, like};
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, pattern: &str) -> std::result::Result<(), TestCaseError> {
        let (texts, patterns) = (StringArray::from(vec![text]), Scalar::new(StringArray::from(vec![pattern])));
        for (fold, expected) in [(false, like(&texts, &patterns)), (true, ilike(&texts, &patterns))] {
            let found = Pattern::read(pattern, fold).unwrap().matches(text);
            prop_assert_eq!(found, expected.unwrap().value(0), "{:?} LIKE {:?}, {}", text, pattern, fold);
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

        /// Arrow's own answer, where it has one.
        #[test]
        fn is_what_arrow_says(text in "[abAB%_\\\\äÄſsKkıİßẞσς\n]{0,12}", pattern in "([abABäsKiσ]|%|_|\\\\[ab%_\\\\]){0,9}") {
            // Without wildcards inside, a pattern is no regular expression there, and a backslash may mean itself.
            check(&text, &format!("_%{pattern}"))?;
            check(&text, &format!("{pattern}%_%"))?;
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn one_search_finds_what_arrow_does(
            texts in prop::collection::vec(prop::option::of("[abAksSKſKéi\n]{0,9}"), 0..30), part in "[abAksSi\n.(]{1,3}",
        ) {
            let pattern = format!("%{part}%");
            let texts = StringArray::from(texts);
            let expected = ilike(&texts, &Scalar::new(StringArray::from(vec![pattern.as_str()]))).unwrap();
            let found = having(&texts, anywhere(&pattern).unwrap(), &Pattern::read(&pattern, true).unwrap()).unwrap();
            prop_assert_eq!(found.iter().collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn parts_stand_between_wildcards_and_escapes() {
        assert_eq!(literal_parts(r"%foo_b\%ar\\x%%y\"), ["foo", "b", "ar", "x", "y"]);
        assert!(literal_parts("%_").is_empty());
        let asked =
            ["%abc%", "%a_c%", "%a%c%", "%é%", "%%", "%", "abc%", r"%a\%"].map(|pattern| anywhere(pattern).is_some());
        assert_eq!(asked, [true, false, false, false, false, false, false, false]);
    }

    #[test]
    fn long_patterns_take_no_time() {
        let text = "a".repeat(100_000);
        for pattern in ["%_a".repeat(15_000), "%a".repeat(15_000), format!("%{}b%", "_a".repeat(50))] {
            let found = Pattern::read(&pattern, true).unwrap().matches(&text);
            assert_eq!(found, !pattern.contains('b'));
        }
        assert!(Pattern::read(&"a_".repeat(600), false).is_err());
    }
}
