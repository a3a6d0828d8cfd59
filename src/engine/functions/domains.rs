//! Functions that are not defined everywhere, such as `sqrt`, in orders.
//!
//! Asked how they order what they are given, DataFusion's fail where they might be given what they are not defined for.
//! It then forgets the order of the whole expression, even one that the rows were just sorted by, and refuses the plan.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

const FUNCTIONS: [&str; 10] = ["abs", "acos", "acosh", "asin", "atanh", "ln", "log", "log10", "log2", "sqrt"];

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

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.inner.invoke_with_args(args)
    }
}
