//! `text_may_have(text, part, any_case)`: what the scan of spans looks up in the index of texts.
//!
//! Tables that read JSON ask it of the columns that they read, of parts of what the strings in them say. It is true of
//! every text: that rows are left out which cannot have the part is the work of the scan.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, BooleanArray};
use datafusion::arrow::buffer::BooleanBuffer;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::common::utils::take_function_args;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility, lit,
};

/// Its name.
pub(crate) const MAY_HAVE: &str = "text_may_have";

#[derive(Debug, PartialEq, Eq, Hash)]
struct MayHave {
    signature: Signature,
}

static UDF: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let signature = Signature::new(TypeSignature::Any(3), Volatility::Immutable);
    Arc::new(ScalarUDF::from(MayHave { signature }))
});

/// Whether a column may have this part, as far as its index says; false of a null.
pub(crate) fn may_have(column: Expr, part: &str, any_case: bool) -> Expr {
    UDF.call(vec![column, lit(part), lit(any_case)])
}

impl ScalarUDFImpl for MayHave {
    fn name(&self) -> &str {
        MAY_HAVE
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [text, ..] = take_function_args::<3, _>(self.name(), args.args)?;
        Ok(match text {
            ColumnarValue::Scalar(text) => ColumnarValue::Scalar(ScalarValue::Boolean(Some(!text.is_null()))),
            ColumnarValue::Array(texts) => {
                let filled = texts.logical_nulls().map(|nulls| nulls.into_inner());
                let filled = filled.unwrap_or_else(|| BooleanBuffer::new_set(texts.len()));
                ColumnarValue::Array(Arc::new(BooleanArray::new(filled, None)))
            }
        })
    }
}
