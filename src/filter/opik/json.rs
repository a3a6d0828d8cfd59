//! Functions over JSON text for OQL's dictionary and list columns.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, StringArray};
use arrow::compute::cast;
use arrow::compute::kernels::comparison;
use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use datafusion_common::utils::take_function_args;
use datafusion_common::{DataFusionError, Result};
use datafusion_expr::{ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit};

use super::path::{Path, scalar_text};
use spanql_model::json::elements;

/// What a function makes of JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Make {
    /// The text of the scalar at a path.
    Text,
    /// Whether any element of a list is like a pattern in any case.
    AnyLike,
    /// Whether any element of a list is a text.
    AnyEqual,
    /// How many elements a list has.
    Length,
}

/// `f(json, constant)`, or `f(json)`; null for null.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OpikFunction {
    make: Make,
    signature: Signature,
}

impl OpikFunction {
    fn udf(make: Make) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::from(Self { make, signature: Signature::user_defined(Volatility::Immutable) }))
    }
}

static TEXT: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| OpikFunction::udf(Make::Text));
static ANY_LIKE: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| OpikFunction::udf(Make::AnyLike));
static ANY_EQUAL: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| OpikFunction::udf(Make::AnyEqual));
static LENGTH: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| OpikFunction::udf(Make::Length));

/// All functions of this file, to be registered.
pub fn udfs() -> Vec<Arc<ScalarUDF>> {
    [&TEXT, &ANY_LIKE, &ANY_EQUAL, &LENGTH].into_iter().map(|function| Arc::clone(function)).collect()
}

/// The text of the scalar that a path leads to; null where there is none.
pub(super) fn json_text(json: Expr, path: &str) -> Expr {
    TEXT.call(vec![json, lit(path)])
}

/// Whether any element of a list is like a pattern, in any case.
pub(super) fn any_like(list: Expr, pattern: &str) -> Expr {
    ANY_LIKE.call(vec![list, lit(pattern)])
}

/// Whether a list has this element.
pub(super) fn any_equal(list: Expr, element: &str) -> Expr {
    ANY_EQUAL.call(vec![list, lit(element)])
}

/// How many elements a list has.
pub(super) fn list_length(list: Expr) -> Expr {
    LENGTH.call(vec![list])
}

/// The arguments of a call of one of these functions, by its name.
pub(super) fn call<'a>(expr: &'a Expr, name: &str) -> Option<&'a [Expr]> {
    match expr {
        Expr::ScalarFunction(call) if call.func.name() == name => Some(&call.args),
        _ => None,
    }
}

impl ScalarUDFImpl for OpikFunction {
    fn name(&self) -> &str {
        match self.make {
            Make::Text => "opik_json_text",
            Make::AnyLike => "opik_any_like",
            Make::AnyEqual => "opik_any_equal",
            Make::Length => "opik_list_length",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.make {
            Make::Text => DataType::Utf8,
            Make::AnyLike | Make::AnyEqual => DataType::Boolean,
            Make::Length => DataType::Int64,
        })
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        if self.make == Make::Length {
            let [_] = take_function_args(self.name(), types)?;
        } else {
            let [_, _] = take_function_args(self.name(), types)?;
        }
        Ok(vec![DataType::Utf8; types.len()])
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let mut args = args.args.into_iter();
        let json = args.next().unwrap_or(ColumnarValue::Scalar(ScalarValue::Utf8(None)));
        let constant = match args.next() {
            None => String::new(),
            Some(ColumnarValue::Scalar(ScalarValue::Utf8(text))) => text.unwrap_or_default(),
            Some(_) => {
                return Err(DataFusionError::Execution(format!(
                    "the second value of {} must be constant",
                    self.name()
                )));
            }
        };
        let scalar = matches!(json, ColumnarValue::Scalar(_));
        let array = cast(&json.into_array(if scalar { 1 } else { rows })?, &DataType::Utf8)?;
        let made = self.make.of(array.as_string::<i32>(), &constant)?;
        Ok(if scalar {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&made, 0)?)
        } else {
            ColumnarValue::Array(made)
        })
    }
}

impl Make {
    fn of(self, texts: &StringArray, constant: &str) -> Result<ArrayRef> {
        Ok(match self {
            Self::Text => {
                let path = Path::read(constant).map_err(DataFusionError::Execution)?;
                Arc::new(texts.iter().map(|json| path.text(json?)).collect::<StringArray>())
            }
            Self::AnyLike => Arc::new(any_element_like(texts, constant)?),
            Self::AnyEqual => {
                let any = texts.iter().map(|list| Some(list_texts(list?).iter().any(|text| text == constant)));
                Arc::new(any.collect::<BooleanArray>())
            }
            Self::Length => {
                let lengths = texts.iter().map(|list| i64::try_from(list_texts(list?).len()).ok());
                Arc::new(lengths.collect::<Int64Array>())
            }
        })
    }
}

/// The texts of a list's elements; text that is no list is its one element, and blank text has none.
fn list_texts(list: &str) -> Vec<String> {
    match elements(list) {
        Some(elements) => elements.into_iter().filter_map(scalar_text).collect(),
        None if list.trim().is_empty() => vec![],
        None => vec![list.to_owned()],
    }
}

/// Compares the elements of all lists at once: the pattern is read once.
fn any_element_like(lists: &StringArray, pattern: &str) -> Result<BooleanArray> {
    let per_list: Vec<Option<Vec<String>>> = lists.iter().map(|list| list.map(list_texts)).collect();
    let elements: StringArray = per_list.iter().flatten().flatten().map(Some).collect();
    let alike = comparison::ilike(&elements, &StringArray::new_scalar(pattern))?;
    let mut next = 0;
    let any = per_list.iter().map(|list| {
        let count = list.as_ref()?.len();
        next += count;
        Some((next - count..next).any(|at| alike.value(at)))
    });
    Ok(any.collect())
}
