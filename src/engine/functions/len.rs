//! `len(x)`: the characters of a text, or the elements of a list.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::utils::take_function_args;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

#[derive(Debug, PartialEq, Eq, Hash)]
struct Len {
    signature: Signature,
}

pub(super) fn udf() -> ScalarUDF {
    ScalarUDF::from(Len { signature: Signature::user_defined(Volatility::Immutable) })
}

impl ScalarUDFImpl for Len {
    fn name(&self) -> &str {
        "len"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [of] = take_function_args(self.name(), types)?;
        Ok(vec![match of {
            DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
                DataType::List(Arc::clone(item))
            }
            _ => DataType::Utf8,
        }])
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [of] = take_function_args(self.name(), &args.args)?;
        let array = of.to_array(args.number_rows)?;
        let lengths: Int64Array = match array.data_type() {
            DataType::List(_) => {
                let lists = array.as_list::<i32>();
                let length = |row: usize| lists.is_valid(row).then(|| i64::from(lists.value_length(row)));
                (0..lists.len()).map(length).collect()
            }
            _ => array.as_string::<i32>().iter().map(|text| text.map(|text| text.chars().count() as i64)).collect(),
        };
        let lengths: ArrayRef = Arc::new(lengths);
        Ok(ColumnarValue::Array(lengths))
    }
}
