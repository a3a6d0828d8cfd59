//! Functions that are not defined everywhere, such as `sqrt`: in orders, and at the ends of their arguments.
//!
//! Asked how they order what they are given, DataFusion's fail where they might be given what they are not defined for.
//! It then forgets the order of the whole expression, even one that the rows were just sorted by, and refuses the plan.
//!
//! `array_position` counts one down from where it is to begin, without looking whether there is a number below.

use std::sync::Arc;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

const POSITION: &str = "array_position";

const FUNCTIONS: [&str; 11] = ["abs", "acos", "acosh", POSITION, "asin", "atanh", "ln", "log", "log10", "log2", "sqrt"];

/// A function of DataFusion's that always says how it orders.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Domain {
    inner: Arc<ScalarUDF>,
}

/// Puts these functions in the place of DataFusion's of the same names.
pub(super) fn register(registry: &mut dyn FunctionRegistry) -> Result<()> {
    for name in FUNCTIONS {
        let inner = registry.udf(name)?;
        registry.register_udf(Arc::new(Domain { inner }.into()))?;
    }
    Ok(())
}

impl ScalarUDFImpl for Domain {
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

    fn evaluate_bounds(&self, input: &[&Interval]) -> Result<Interval> {
        self.inner.evaluate_bounds(input)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        Ok(self.inner.output_ordering(inputs).unwrap_or(SortProperties::Unordered))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if self.inner.name() == POSITION
            && let Some(start) = args.args.get_mut(2)
        {
            no_less_than_none(start);
        }
        self.inner.invoke_with_args(args)
    }
}

/// Makes places ahead of a list 0, which is refused as they are: places count from 1.
fn no_less_than_none(start: &mut ColumnarValue) {
    match start {
        ColumnarValue::Scalar(ScalarValue::Int64(Some(start))) => *start = (*start).max(0),
        ColumnarValue::Array(array) if array.data_type() == &DataType::Int64 => {
            *array = Arc::new(array.as_primitive::<Int64Type>().unary::<_, Int64Type>(|start| start.max(0)));
        }
        _ => {}
    }
}
