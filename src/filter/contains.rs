//! `contains(a, b)`: whether a text has another one in it.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArray};
use arrow::compute::kernels::comparison;
use arrow::datatypes::{DataType, Field};
use datafusion_common::Result;
use datafusion_common::utils::take_function_args;
use datafusion_expr::{ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

/// Case-sensitive, literal substring test; of a value that is no text, its text; of a list, in any element.
///
/// Null when either side is null. A null element of a list holds nothing.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Contains {
    signature: Signature,
}

static CONTAINS: LazyLock<Arc<ScalarUDF>> =
    LazyLock::new(|| Arc::new(ScalarUDF::from(Contains { signature: Signature::user_defined(Volatility::Immutable) })));

/// The function itself, to be registered.
pub fn contains_udf() -> &'static Arc<ScalarUDF> {
    &CONTAINS
}

/// Whether a text, or any element of a list, has this text in it.
pub fn contains(text: Expr, part: Expr) -> Expr {
    CONTAINS.call(vec![text, part])
}

impl ScalarUDFImpl for Contains {
    fn name(&self) -> &str {
        "contains"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [text, _] = take_function_args(self.name(), types)?;
        let text = match text {
            DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => {
                DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))
            }
            _ => DataType::Utf8,
        };
        Ok(vec![text, DataType::Utf8])
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [text, part] = take_function_args(self.name(), args.args)?;
        if let (ColumnarValue::Array(array), ColumnarValue::Scalar(part)) = (&text, &part)
            && array.data_type() == &DataType::Utf8
        {
            let found = comparison::contains(array.as_string::<i32>(), &part.to_scalar()?)?;
            return Ok(ColumnarValue::Array(Arc::new(found)));
        }
        let arrays = ColumnarValue::values_to_arrays(&[text, part])?;
        let parts = arrays[1].as_string::<i32>();
        let found = match arrays[0].data_type() {
            DataType::List(_) => any_element(&arrays[0], parts),
            _ => comparison::contains(arrays[0].as_string::<i32>(), parts)?,
        };
        Ok(ColumnarValue::Array(Arc::new(found)))
    }
}

fn any_element(lists: &ArrayRef, parts: &StringArray) -> BooleanArray {
    let lists = lists.as_list::<i32>();
    lists
        .iter()
        .zip(parts)
        .map(|(list, part)| {
            let (list, part) = (list?, part?);
            Some(list.as_string::<i32>().iter().flatten().any(|text| text.contains(part)))
        })
        .collect()
}
