//! Functions whose results may be far larger than what they are given, such as `repeat()`: what a call would make is
//! computed ahead of the work, and too much of it is an error.
//!
//! DataFusion's functions take what they need from the allocator, which ends the process when there is no such memory, and
//! some panic when a column of text goes beyond 2 GiB.

mod aggregates;
mod joined;
mod limit;
mod sizes;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::compute::concat;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use crate::error::EngineError;
use spanql_model::panics;

pub(crate) use joined::joined;
pub(crate) use limit::Limit;
use limit::too_much;
use sizes::{Made, Size};

/// A function of DataFusion's, with a limit to what a call may make.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    size: Size,
    limit: Limit,
}

/// Puts bounded functions in the place of DataFusion's of the same names.
pub(super) fn register(registry: &mut dyn FunctionRegistry, limit: Limit) -> Result<()> {
    for (name, size) in sizes::ALL {
        let inner = registry.udf(name)?;
        registry.register_udf(Arc::new(Bounded { inner, size: *size, limit }.into()))?;
    }
    aggregates::register(registry, limit)
}

impl Bounded {
    fn call(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let name = self.inner.name();
        match panics::caught(|| self.inner.invoke_with_args(args)) {
            Ok(outcome) => outcome,
            Err(panic) => Err(failed(name, panic.as_ref())),
        }
    }

    /// Calls the function for a few rows at a time, and looks at what they made.
    fn in_slices(&self, args: &ScalarFunctionArgs, made: &Made) -> Result<ColumnarValue> {
        let mut parts: Vec<ArrayRef> = vec![];
        let (mut bytes, mut from) = (0, 0);
        while from < args.number_rows {
            let rows = made.rows_within(from, self.limit.added);
            let part = self.call(slice(args, from, rows))?.into_array(rows)?;
            bytes += part.get_array_memory_size() as u64;
            if bytes > self.limit.all {
                return Err(too_much(self.inner.name(), u128::from(bytes), self.limit.all));
            }
            parts.push(part);
            from += rows;
        }
        let parts: Vec<_> = parts.iter().map(AsRef::as_ref).collect();
        Ok(ColumnarValue::Array(concat(&parts)?))
    }
}

fn slice(args: &ScalarFunctionArgs, from: usize, rows: usize) -> ScalarFunctionArgs {
    let arg = |arg: &ColumnarValue| match arg {
        ColumnarValue::Array(array) => ColumnarValue::Array(array.slice(from, rows)),
        scalar @ ColumnarValue::Scalar(_) => scalar.clone(),
    };
    ScalarFunctionArgs {
        args: args.args.iter().map(arg).collect(),
        arg_fields: args.arg_fields.clone(),
        number_rows: rows,
        return_field: Arc::clone(&args.return_field),
        config_options: Arc::clone(&args.config_options),
    }
}

fn failed(name: &str, panic: &(dyn Any + Send)) -> DataFusionError {
    let error = EngineError::new("execution", format!("{name}() cannot be computed"));
    match panics::message(panic).and_then(|said| said.lines().next()) {
        Some(said) if said.contains("overflow") => error.why("its result is larger than a column can be"),
        Some(said) => error.why(said),
        None => error,
    }
    .into()
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        self.inner.schema_name(args)
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

    fn is_strict(&self) -> bool {
        self.inner.inner().is_strict()
    }

    fn evaluate_bounds(&self, input: &[&Interval]) -> Result<Interval> {
        self.inner.evaluate_bounds(input)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if self.size == Size::Padded
            && let Some(length) = args.args.get_mut(1)
        {
            sizes::no_less_than_none(length);
        }
        let made = self.size.of_call(&args.args, args.number_rows);
        let too_many = |bytes: u128, limit: u64| bytes > u128::from(limit);
        if !too_many(made.added, self.limit.added) && !too_many(made.all(), self.limit.all) {
            return self.call(args);
        }
        let name = self.inner.name();
        // The least that is certain is said, and what may be is tried.
        match self.size {
            Size::Steps if too_many(made.largest(), sizes::MOST_STEPS) => Err(too_long(name)),
            Size::Steps => self.call(args),
            size if size.is_exact() || too_many(made.largest(), self.limit.added) => {
                let (bytes, limit) = if too_many(made.added, self.limit.added) {
                    (made.added, self.limit.added)
                } else {
                    (made.all(), self.limit.all)
                };
                Err(too_much(name, bytes, limit))
            }
            _ => self.in_slices(&args, &made),
        }
    }
}

fn too_long(name: &str) -> DataFusionError {
    EngineError::new("limit", format!("{name}() of texts that long would not end"))
        .help("compare the first part of them, as in left(x, 1000)")
        .into()
}
