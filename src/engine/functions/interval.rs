//! `interval * number` and `interval / number`, which DataFusion has not: `interval '1 day' * $n`.
//!
//! As in PostgreSQL, what is no whole month becomes days of a month of 30, and what is no whole day becomes time.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, IntervalMonthDayNanoArray};
use datafusion::arrow::datatypes::{
    DataType, Float64Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
};
use datafusion::common::utils::take_function_args;
use datafusion::common::{DFSchema, ScalarValue, exec_datafusion_err};
use datafusion::error::Result;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, cast, lit,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;

/// The name of the function, which nobody types.
const NAME: &str = "interval_times";

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);
const NANOS_OF_DAY: f64 = 86_400e9;

static TIMES: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let numbers = [DataType::Int64, DataType::Float64];
    let types = numbers.map(|number| datafusion::logical_expr::TypeSignature::Exact(vec![INTERVAL, number]));
    Arc::new(ScalarUDF::from(Times { signature: Signature::one_of(types.into(), Volatility::Immutable) }))
});

/// The function itself, to be registered.
pub(super) fn udf() -> Arc<ScalarUDF> {
    Arc::clone(&TIMES)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Times {
    signature: Signature,
}

impl ScalarUDFImpl for Times {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(INTERVAL)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalars = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [intervals, factors] = take_function_args(NAME, &arrays)?;
        let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>();
        let mut product = IntervalMonthDayNanoArray::builder(intervals.len());
        for row in 0..intervals.len() {
            if intervals.is_null(row) || factors.is_null(row) {
                product.append_null();
                continue;
            }
            let interval = intervals.value(row);
            let times = match factors.data_type() {
                DataType::Int64 => by_integer(interval, factors.as_primitive::<Int64Type>().value(row)),
                _ => by_float(interval, factors.as_primitive::<Float64Type>().value(row)),
            };
            product.append_value(times.ok_or_else(|| exec_datafusion_err!("an interval is too long"))?);
        }
        let product: ArrayRef = Arc::new(product.finish());
        match scalars {
            true => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&product, 0)?)),
            false => Ok(ColumnarValue::Array(product)),
        }
    }
}

fn by_integer(interval: IntervalMonthDayNano, factor: i64) -> Option<IntervalMonthDayNano> {
    let part = |part: i32| i32::try_from(i64::from(part).checked_mul(factor)?).ok();
    Some(IntervalMonthDayNano::new(
        part(interval.months)?,
        part(interval.days)?,
        interval.nanoseconds.checked_mul(factor)?,
    ))
}

fn by_float(interval: IntervalMonthDayNano, factor: f64) -> Option<IntervalMonthDayNano> {
    let months = f64::from(interval.months) * factor;
    let days = f64::from(interval.days) * factor + months.fract() * 30.0;
    let nanos = interval.nanoseconds as f64 * factor + days.fract() * NANOS_OF_DAY;
    let whole = |part: f64| (part.abs() <= f64::from(i32::MAX)).then_some(part.trunc() as i32);
    let nanos = (nanos.abs() < i64::MAX as f64).then_some(nanos.round() as i64)?;
    Some(IntervalMonthDayNano::new(whole(months)?, whole(days)?, nanos))
}

/// Makes calls of products and quotients of an interval and a number.
#[derive(Debug)]
pub(crate) struct IntervalProducts;

impl ExprPlanner for IntervalProducts {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let interval = |expr: &Expr| matches!(expr.get_type(schema), Ok(DataType::Interval(_)));
        let number = |expr: &Expr| expr.get_type(schema).is_ok_and(|of| of.is_numeric() || of.is_null());
        let integer = |expr: &Expr| expr.get_type(schema).is_ok_and(|of| of.is_integer());
        let (left, right) = (&expr.left, &expr.right);
        let (of, factor) = match expr.op {
            BinaryOperator::Multiply if interval(left) && number(right) => (left, right.clone()),
            BinaryOperator::Multiply if number(left) && interval(right) => (right, left.clone()),
            BinaryOperator::Divide if interval(left) && number(right) => {
                (left, lit(1.0) / cast(right.clone(), DataType::Float64))
            }
            _ => return Ok(PlannerResult::Original(expr)),
        };
        let as_number = if integer(&factor) { DataType::Int64 } else { DataType::Float64 };
        let args = vec![cast(of.clone(), INTERVAL), cast(factor, as_number)];
        Ok(PlannerResult::Planned(TIMES.call(args)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_go_down_as_in_postgresql() {
        let of = IntervalMonthDayNano::new;
        assert_eq!(by_integer(of(1, 2, 3), 7), Some(of(7, 14, 21)));
        assert_eq!(by_integer(of(1, 0, 0), i64::MAX), None);
        assert_eq!(by_float(of(1, 0, 0), 1.5), Some(of(1, 15, 0)));
        assert_eq!(by_float(of(0, 1, 0), 0.5), Some(of(0, 0, 43_200_000_000_000)));
        assert_eq!(by_float(of(0, 0, 10), -0.5), Some(of(0, 0, -5)));
        assert_eq!(by_float(of(0, 1, 0), f64::NAN), None);
    }
}
