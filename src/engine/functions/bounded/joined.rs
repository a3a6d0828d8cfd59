//! `left || right` of texts, with a limit to what it makes.

use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::compute::kernels::concat_elements::concat_elements_dyn;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::common::utils::take_function_args;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::limit::{Limit, too_much};
use super::sizes::Size;

#[derive(Debug, PartialEq, Eq, Hash)]
struct Joined {
    signature: Signature,
    limit: Limit,
}

/// The operator as a function; both sides have the same type, which is one of texts.
pub(crate) fn joined(left: Expr, right: Expr, limit: Limit) -> Expr {
    let signature = Signature::any(2, Volatility::Immutable);
    ScalarUDF::from(Joined { signature, limit }).call(vec![left, right])
}

impl ScalarUDFImpl for Joined {
    fn name(&self) -> &str {
        "joined"
    }

    /// As the operator's: a plan's columns keep their names.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let [left, right] = take_function_args(self.name(), args)?;
        Ok(format!("{} || {}", left.schema_name(), right.schema_name()))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Utf8))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(Field::new(self.name(), self.return_type(&types)?, nullable)))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let made = Size::Concatenated.of_call(&args.args, args.number_rows);
        if made.all() > u128::from(self.limit.all) {
            return Err(too_much("||", made.all(), self.limit.all));
        }
        let [left, right] = take_function_args(self.name(), args.args)?;
        let scalar = matches!((&left, &right), (ColumnarValue::Scalar(_), ColumnarValue::Scalar(_)));
        let rows = if scalar { 1 } else { args.number_rows };
        let texts: ArrayRef = Arc::new(concat_elements_dyn(&left.into_array(rows)?, &right.into_array(rows)?)?);
        Ok(if scalar {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&texts, 0)?)
        } else {
            ColumnarValue::Array(texts)
        })
    }
}
