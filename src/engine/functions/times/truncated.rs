//! `date_trunc` of times in UTC, where hours and days are as long as ever.
//!
//! DataFusion asks the calendar of each time that has a zone, be it UTC: that is most of the time of a histogram by hour.

use std::sync::Arc;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{DataType, FieldRef, TimeUnit, TimestampNanosecondType};
use datafusion::error::Result;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

/// The function of DataFusion's that it stands in for.
pub(super) const FUNCTION: &str = "date_trunc";

const UTC: &str = "UTC";

#[derive(Debug, PartialEq, Eq, Hash)]
struct Truncated {
    inner: Arc<ScalarUDF>,
}

/// The function, faster for times in UTC.
pub(super) fn in_utc(inner: Arc<ScalarUDF>) -> ScalarUDF {
    Truncated { inner }.into()
}

impl ScalarUDFImpl for Truncated {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn simplify(&self, args: Vec<Expr>, context: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.inner.simplify(args, context)
    }

    fn is_strict(&self) -> bool {
        self.inner.inner().is_strict()
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_utc = |value: &ColumnarValue| match value {
            ColumnarValue::Array(times) => {
                matches!(times.data_type(), DataType::Timestamp(TimeUnit::Nanosecond, Some(zone)) if **zone == *UTC)
            }
            ColumnarValue::Scalar(_) => false,
        };
        let Some(ColumnarValue::Array(times)) = args.args.get_mut(1).filter(|value| is_utc(value)) else {
            return self.inner.invoke_with_args(args);
        };
        // Without a zone the same numbers are truncated by arithmetic.
        *times = Arc::new(times.as_primitive::<TimestampNanosecondType>().clone().with_timezone_opt(None::<Arc<str>>));
        let without_zone = |field: &FieldRef| -> FieldRef {
            let data_type = DataType::Timestamp(TimeUnit::Nanosecond, None);
            Arc::new(field.as_ref().clone().with_data_type(data_type))
        };
        if let Some(field) = args.arg_fields.get_mut(1) {
            *field = without_zone(field);
        }
        args.return_field = without_zone(&args.return_field);
        Ok(match self.inner.invoke_with_args(args)? {
            ColumnarValue::Array(times) => {
                let times = times.as_primitive::<TimestampNanosecondType>().clone();
                ColumnarValue::Array(Arc::new(times.with_timezone(UTC)))
            }
            ColumnarValue::Scalar(scalar) => ColumnarValue::Scalar(scalar),
        })
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{ArrayRef, TimestampNanosecondArray};
    use datafusion::arrow::datatypes::Field;
    use datafusion::common::ScalarValue;
    use datafusion::common::config::ConfigOptions;
    use datafusion::functions::datetime::date_trunc;
    use proptest::prelude::*;

    use super::*;

    fn truncated(function: &ScalarUDF, unit: &str, times: &ArrayRef) -> ArrayRef {
        let field = |data_type: &DataType| Arc::new(Field::new("t", data_type.clone(), true));
        let args = ScalarFunctionArgs {
            args: vec![ScalarValue::from(unit).into(), ColumnarValue::Array(Arc::clone(times))],
            arg_fields: vec![field(&DataType::Utf8), field(times.data_type())],
            number_rows: times.len(),
            return_field: field(times.data_type()),
            config_options: Arc::new(ConfigOptions::default()),
        };
        function.invoke_with_args(args).unwrap().into_array(times.len()).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

        #[test]
        fn it_says_what_the_calendar_says(times in prop::collection::vec(prop::option::of(-5_000_000_000_000_000_000..9_000_000_000_000_000_000_i64), 0..20)) {
            let times: ArrayRef = Arc::new(TimestampNanosecondArray::from(times).with_timezone(UTC));
            for unit in ["microsecond", "millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year"] {
                let ours = truncated(&in_utc(date_trunc()), unit, &times);
                prop_assert_eq!(&ours, &truncated(&date_trunc(), unit, &times), "{}", unit);
            }
        }
    }
}
