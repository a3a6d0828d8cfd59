//! `contains(a, b)`: whether a text has another one in it.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArray};
use arrow::compute::kernels::comparison;
use arrow::datatypes::{DataType, Field};
use datafusion_common::Result;
use datafusion_common::utils::take_function_args;
use datafusion_expr::{ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use memchr::memmem;

use super::find::rows_with;

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
            if let Some(part) = part.try_as_str().flatten().filter(|part| !part.is_empty()) {
                return Ok(ColumnarValue::Array(Arc::new(having(array.as_string(), part))));
            }
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

/// The texts that have a part.
fn having(texts: &StringArray, part: &str) -> BooleanArray {
    let finder = memmem::Finder::new(part);
    let mut found = rows_with(texts, |bytes| finder.find(bytes).map(|at| at..at + part.len()));
    BooleanArray::new(found.finish(), texts.nulls().cloned())
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

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, ListArray, RecordBatch, StringArray, new_null_array};
    use arrow::compute::{cast, concat};
    use datafusion::prelude::SessionContext;
    use datafusion_expr::{col, lit};

    use super::*;

    /// What the function says of rows, by a part for all of them and by the same part row by row.
    fn found(texts: ArrayRef, part: &str) -> Vec<Option<bool>> {
        let parts: ArrayRef = Arc::new(StringArray::from(vec![part; texts.len()]));
        let batch = RecordBatch::try_from_iter_with_nullable([("text", texts, true), ("part", parts, true)]).unwrap();
        let frame = SessionContext::new().read_batch(batch).unwrap();
        let asked = vec![contains(col("text"), lit(part)), contains(col("text"), col("part"))];
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let found = runtime.block_on(frame.select(asked).unwrap().collect()).unwrap().remove(0);
        assert_eq!(found.column(0), found.column(1));
        found.column(0).as_boolean().iter().collect()
    }

    #[test]
    fn texts_numbers_and_elements_of_lists() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("50%"), None, Some("0")]));
        assert_eq!(found(texts, "0%"), [Some(true), None, Some(false)]);
        assert_eq!(found(Arc::new(Int64Array::from(vec![105, 15])), "0"), [Some(true), Some(false)]);
        let mut lists = arrow::array::ListBuilder::new(arrow::array::StringBuilder::new());
        lists.append_value([Some("a"), None, Some("bc")]);
        lists.append_value([Some("b"), Some("c")]);
        let lists: ListArray = lists.finish();
        let none = new_null_array(lists.data_type(), 1);
        let lists = concat(&[&lists, &none]).unwrap();
        let large = DataType::LargeList(Arc::new(Field::new_list_field(DataType::LargeUtf8, true)));
        for lists in [cast(&lists, &large).unwrap(), lists] {
            assert_eq!(found(Arc::clone(&lists), "bc"), [Some(true), Some(false), None]);
            assert_eq!(found(lists, ","), [Some(false), Some(false), None], "a list is no text");
        }
    }
}
