//! Functions that read text as a number, a boolean or a time, and give null where it is none.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray, BooleanArray, Decimal128Array, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_common::ScalarValue;
use datafusion_common::utils::take_function_args;
use datafusion_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion_expr::{ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

/// What text is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Target {
    Number,
    /// A number to be compared with integers: as exact as they are.
    AmongIntegers,
    Boolean,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ReadText {
    target: Target,
    signature: Signature,
}

impl ReadText {
    fn udf(target: Target) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::from(Self { target, signature: Signature::user_defined(Volatility::Immutable) }))
    }
}

static NUMBER: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| ReadText::udf(Target::Number));
static AMONG_INTEGERS: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| ReadText::udf(Target::AmongIntegers));
static BOOLEAN: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| ReadText::udf(Target::Boolean));

/// Name of the function that reads the text of a column as numbers and leaves any other column alone.
pub const AS_NUMBER: &str = "as_number";

/// Name of the function that reads text as numbers.
pub const TEXT_TO_NUMBER: &str = "text_to_number";

/// All functions of this file.
pub fn all() -> impl Iterator<Item = ScalarUDF> {
    let read = [&NUMBER, &AMONG_INTEGERS, &BOOLEAN].into_iter().map(|function| function.as_ref().clone());
    read.chain([ScalarUDF::from(AsNumber { signature: Signature::user_defined(Volatility::Immutable) })])
}

/// Text as Float64, null where it is no finite number; a value of any other type as it is.
///
/// An open column is text as soon as one span says so, and when no span has it: sums over it plan all the same.
#[derive(Debug, PartialEq, Eq, Hash)]
struct AsNumber {
    signature: Signature,
}

/// Whether values of this type are texts.
pub fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

impl ScalarUDFImpl for AsNumber {
    fn name(&self) -> &str {
        AS_NUMBER
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [data_type] = take_function_args(self.name(), types)?;
        Ok(if is_text(data_type) { DataType::Float64 } else { data_type.clone() })
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [data_type] = take_function_args(self.name(), types)?;
        Ok(vec![if is_text(data_type) { DataType::Utf8 } else { data_type.clone() }])
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let [value] = take_function_args(self.name(), args)?;
        let simpler = if is_text(&info.get_data_type(&value)?) { text_to_number(value) } else { value };
        Ok(ExprSimplifyResult::Simplified(simpler))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if is_text(args.arg_fields[0].data_type()) {
            return NUMBER.invoke_with_args(args);
        }
        let [value] = take_function_args(self.name(), args.args)?;
        Ok(value)
    }
}

/// The number that a text is, as Float64; null where it is no finite number.
pub fn text_to_number(text: Expr) -> Expr {
    NUMBER.call(vec![text])
}

/// The place of a number among the integers: itself if it is one, else half way to the next. Null where the text is no
/// finite number.
///
/// A Float64 cannot tell integers beyond 2^53 apart, and ids and times are such integers.
pub fn text_among_integers(text: Expr) -> Expr {
    AMONG_INTEGERS.call(vec![text])
}

/// Digits and scale of a place among the integers: those of 64 bits, and a half.
const PLACE: (u8, i8) = (21, 1);

/// The place of a number among the integers, in tenths.
fn place_among_integers(text: &str) -> Option<i128> {
    const BEYOND: i128 = 99_999_999_999_999_999_999;
    let number = read_number(text)?;
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !plain(fraction) {
        // An exponent: as exact as the number it gives.
        let half = if number.fract() == 0.0 { 0 } else { 5 };
        let whole = (number.trunc().abs() as i128).min(BEYOND);
        return Some((whole * 10 + half) * if number < 0.0 { -1 } else { 1 });
    }
    let whole = if whole.is_empty() { 0 } else { whole.parse::<i128>().unwrap_or(BEYOND).min(BEYOND) };
    let half = if fraction.bytes().all(|digit| digit == b'0') { 0 } else { 5 };
    Some(sign * (whole * 10 + half))
}

/// The boolean that a text is; null where it is neither `true` nor `false`.
pub fn text_to_boolean(text: Expr) -> Expr {
    BOOLEAN.call(vec![text])
}

/// Reads a text, blanks around it aside, as a finite decimal number; zero has no sign.
pub fn read_number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|number| number.is_finite()).map(|number| number + 0.0)
}

/// Reads `true` and `false` in any case.
pub fn read_boolean(text: &str) -> Option<bool> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("true") { Some(true) } else { text.eq_ignore_ascii_case("false").then_some(false) }
}

impl ScalarUDFImpl for ReadText {
    fn name(&self) -> &str {
        match self.target {
            Target::Number => TEXT_TO_NUMBER,
            Target::AmongIntegers => "text_among_integers",
            Target::Boolean => "text_to_boolean",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.target {
            Target::Number => DataType::Float64,
            Target::AmongIntegers => DataType::Decimal128(PLACE.0, PLACE.1),
            Target::Boolean => DataType::Boolean,
        })
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [_] = take_function_args(self.name(), types)?;
        Ok(vec![DataType::Utf8])
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let [text] = take_function_args(self.name(), args.args)?;
        let scalar = matches!(text, ColumnarValue::Scalar(_));
        let array = cast(&text.into_array(if scalar { 1 } else { rows })?, &DataType::Utf8)?;
        let texts = array.as_string::<i32>().iter();
        let read: ArrayRef = match self.target {
            Target::Number => Arc::new(texts.map(|text| read_number(text?)).collect::<Float64Array>()),
            Target::AmongIntegers => {
                let places = texts.map(|text| place_among_integers(text?)).collect::<Decimal128Array>();
                Arc::new(places.with_precision_and_scale(PLACE.0, PLACE.1)?)
            }
            Target::Boolean => Arc::new(texts.map(|text| read_boolean(text?)).collect::<BooleanArray>()),
        };
        Ok(if scalar {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&read, 0)?)
        } else {
            ColumnarValue::Array(read)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finite_numbers_only() {
        for (text, number) in [
            ("5", Some(5.0)),
            ("-0.5", Some(-0.5)),
            (" 1e3 ", Some(1000.0)),
            ("inf", None),
            ("NaN", None),
            ("1e999", None),
            ("", None),
            ("5 ms", None),
            ("0x10", None),
            ("1_000", None),
        ] {
            assert_eq!(read_number(text), number, "{text}");
        }
        assert!(read_number("-0").is_some_and(f64::is_sign_positive), "zero has no sign");
    }

    #[test]
    fn places_among_integers_are_exact() {
        for (text, place) in [
            ("9007199254740993", Some(90_071_992_547_409_930)),
            (" -9223372036854775808 ", Some(-92_233_720_368_547_758_080)),
            ("7.000", Some(70)),
            ("-7.5", Some(-75)),
            ("0.0000000001", Some(5)),
            (".5", Some(5)),
            ("+1e3", Some(10_000)),
            ("1.5e0", Some(15)),
            ("-1.5e0", Some(-15)),
            ("-0e0", Some(0)),
            ("1e30", Some(999_999_999_999_999_999_990)),
            ("123456789012345678901234567890", Some(999_999_999_999_999_999_990)),
            ("abc", None),
            ("", None),
        ] {
            assert_eq!(place_among_integers(text), place, "{text}");
        }
    }

    #[test]
    fn booleans_in_any_case() {
        assert_eq!(read_boolean("TRUE"), Some(true));
        assert_eq!(read_boolean("False"), Some(false));
        assert_eq!(read_boolean("yes"), None);
    }

    #[test]
    fn texts_become_numbers_and_others_stay() {
        use arrow::array::AsArray;

        let context = datafusion::prelude::SessionContext::new();
        all().for_each(|function| context.register_udf(function));
        let sql = "SELECT as_number(text), as_number(3) FROM (VALUES ('5'), ('x')) AS t (text)";
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let batch = runtime.block_on(async { context.sql(sql).await.unwrap().collect().await.unwrap().remove(0) });
        let numbers = batch.column(0).as_primitive::<arrow::datatypes::Float64Type>();
        assert_eq!(numbers.iter().collect::<Vec<_>>(), [Some(5.0), None]);
        assert_eq!(batch.column(1).data_type(), &DataType::Int64);
        assert!(
            [DataType::Utf8, DataType::LargeUtf8, DataType::Utf8View].iter().all(is_text) && !is_text(&DataType::Int64)
        );
    }
}
