//! Floats with one zero and one NaN.
//!
//! DataFusion tells floats apart by their bits: 0.0 and -0.0, which are equal everywhere else, would be two groups.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float32Type, Float64Type};
use datafusion::common::ScalarValue;
use datafusion::common::utils::take_function_args;
use datafusion::error::Result;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// The name of the function.
pub(crate) const ONE_ZERO: &str = "one_zero";

#[derive(Debug, PartialEq, Eq, Hash)]
struct OneZero {
    signature: Signature,
}

static FUNCTION: LazyLock<Arc<ScalarUDF>> =
    LazyLock::new(|| Arc::new(ScalarUDF::from(OneZero { signature: Signature::any(1, Volatility::Immutable) })));

/// The number, without the sign of a zero or of a NaN.
pub(crate) fn one_zero(number: Expr) -> Expr {
    FUNCTION.call(vec![number])
}

impl ScalarUDFImpl for OneZero {
    fn name(&self) -> &str {
        ONE_ZERO
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [number] = take_function_args(self.name(), types)?;
        Ok(number.clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let [number] = take_function_args(self.name(), args.arg_fields)?;
        Ok(Arc::new(Field::new(self.name(), number.data_type().clone(), number.is_nullable())))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        Ok(inputs.first().map_or(SortProperties::Unordered, |input| input.sort_properties))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [number] = take_function_args(self.name(), args.args)?;
        let scalar = matches!(number, ColumnarValue::Scalar(_));
        let numbers = number.into_array(if scalar { 1 } else { args.number_rows })?;
        let plain: ArrayRef = match numbers.data_type() {
            DataType::Float64 => {
                let plain = |number: f64| if number.is_nan() { f64::NAN } else { number + 0.0 };
                Arc::new(numbers.as_primitive::<Float64Type>().unary::<_, Float64Type>(plain))
            }
            other => {
                let plain = |number: f32| if number.is_nan() { f32::NAN } else { number + 0.0 };
                let narrow = cast(&numbers, &DataType::Float32)?;
                let plain: ArrayRef = Arc::new(narrow.as_primitive::<Float32Type>().unary::<_, Float32Type>(plain));
                cast(&plain, other)?
            }
        };
        Ok(if scalar {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&plain, 0)?)
        } else {
            ColumnarValue::Array(plain)
        })
    }
}
