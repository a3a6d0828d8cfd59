//! Columns whose texts are JSON lists, where a function takes a list.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, ListBuilder, StringBuilder};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::common::utils::take_function_args;
use datafusion::error::Result;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use spanql_filter::numbers::is_text;
use spanql_model::json::{elements, text_of};

/// Name of the function that reads the JSON text of a list, and leaves any other value alone.
pub(crate) const AS_LIST: &str = "as_list";

/// Text as a list of texts, null where it is no JSON list; a value of any other type as it is.
#[derive(Debug, PartialEq, Eq, Hash)]
struct AsList {
    signature: Signature,
}

pub(super) fn udf() -> ScalarUDF {
    ScalarUDF::from(AsList { signature: Signature::user_defined(Volatility::Immutable) })
}

impl ScalarUDFImpl for AsList {
    fn name(&self) -> &str {
        AS_LIST
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [only] = take_function_args(self.name(), types)?;
        Ok(if is_text(only) { DataType::new_list(DataType::Utf8, true) } else { only.clone() })
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [only] = take_function_args(self.name(), types)?;
        Ok(vec![if is_text(only) { DataType::Utf8 } else { only.clone() }])
    }

    fn simplify(&self, args: Vec<Expr>, context: &SimplifyContext) -> Result<ExprSimplifyResult> {
        match args.as_slice() {
            [only] if !is_text(&context.get_data_type(only)?) => Ok(ExprSimplifyResult::Simplified(only.clone())),
            _ => Ok(ExprSimplifyResult::Original(args)),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let [value] = take_function_args(self.name(), args.args)?;
        if !is_text(&value.data_type()) {
            return Ok(value);
        }
        let scalar = matches!(value, ColumnarValue::Scalar(_));
        let texts = cast(&value.into_array(if scalar { 1 } else { rows })?, &DataType::Utf8)?;
        let mut lists = ListBuilder::new(StringBuilder::new());
        for text in texts.as_string::<i32>() {
            let list = text.and_then(elements);
            let is_list = list.is_some();
            for element in list.into_iter().flatten() {
                lists.values().append_option(text_of(element));
            }
            lists.append(is_list);
        }
        let lists: ArrayRef = Arc::new(lists.finish());
        Ok(if scalar {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&lists, 0)?)
        } else {
            ColumnarValue::Array(lists)
        })
    }
}
