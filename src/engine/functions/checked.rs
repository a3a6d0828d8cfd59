//! Arithmetic of integers that fails where a result does not fit.
//!
//! DataFusion wraps around. What puts these functions in the place of `+`, `-` and `*` is a rule of the analyzer: what
//! constants give is computed while planning, and only a function is asked again then.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Datum};
use datafusion::arrow::compute::kernels::numeric::{add, mul, neg, sub};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::arrow::error::ArrowError;
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, Expr, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::error::EngineError;
use spanql_model::nearest::as_typed;

/// How much of an expression an error shows.
const SHOWN: usize = 120;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Op {
    Add,
    Subtract,
    Multiply,
    Negate,
}

/// One of the operators, and the expression that it stands in, for an error.
#[derive(Debug)]
struct Checked {
    op: Op,
    text: String,
    signature: Signature,
}

// What the text says, the arguments say too.
impl PartialEq for Checked {
    fn eq(&self, other: &Self) -> bool {
        self.op == other.op
    }
}

impl Eq for Checked {}

impl Hash for Checked {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.op.hash(state);
    }
}

/// `left op right`, checked; nothing for an operator that cannot wrap around.
pub(crate) fn checked(left: &Expr, op: Operator, right: &Expr) -> Option<Expr> {
    let op = match op {
        Operator::Plus => Op::Add,
        Operator::Minus => Op::Subtract,
        Operator::Multiply => Op::Multiply,
        _ => return None,
    };
    let text = format!("{} {} {}", operand(left), op.sign(), operand(right));
    Some(call(op, text, vec![left.clone(), right.clone()]))
}

/// `-value`, checked.
pub(crate) fn checked_negative(value: &Expr) -> Expr {
    call(Op::Negate, format!("-{}", operand(value)), vec![value.clone()])
}

fn call(op: Op, text: String, args: Vec<Expr>) -> Expr {
    let signature = Signature::any(args.len(), Volatility::Immutable);
    ScalarUDF::from(Checked { op, text: cut(text), signature }).call(args)
}

fn cut(text: String) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// An operand as a person would write it.
fn operand(expr: &Expr) -> String {
    match expr {
        Expr::Column(column) => as_typed(&column.name),
        Expr::Literal(value, _) => value.to_string(),
        Expr::Cast(cast) => operand(&cast.expr),
        Expr::Alias(alias) => operand(&alias.expr),
        Expr::ScalarFunction(call) => match call.func.inner().downcast_ref::<Checked>() {
            Some(inner) => format!("({})", inner.text),
            None => expr.to_string(),
        },
        other => other.to_string(),
    }
}

impl Op {
    fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract | Self::Negate => "-",
            Self::Multiply => "*",
        }
    }
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match self.op {
            Op::Add => "checked_add",
            Op::Subtract => "checked_subtract",
            Op::Multiply => "checked_multiply",
            Op::Negate => "checked_negate",
        }
    }

    /// As the operator's: a plan's columns keep their names.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(match args {
            [left, right] => format!("{} {} {}", left.schema_name(), self.op.sign(), right.schema_name()),
            [value] => format!("(- {})", value.schema_name()),
            _ => self.name().to_owned(),
        })
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
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
        let scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let computed = match args.args.as_slice() {
            [left, right] => {
                let (left, right) = (datum(left)?, datum(right)?);
                match self.op {
                    Op::Add => add(left.as_ref(), right.as_ref()),
                    Op::Subtract => sub(left.as_ref(), right.as_ref()),
                    Op::Multiply | Op::Negate => mul(left.as_ref(), right.as_ref()),
                }
            }
            [value] => neg(&value.to_array(args.number_rows)?),
            _ => return Err(DataFusionError::Execution(format!("{} takes one or two arguments", self.name()))),
        };
        let computed = computed.map_err(|error| self.failure(error))?;
        Ok(if scalar {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&computed, 0)?)
        } else {
            ColumnarValue::Array(computed)
        })
    }
}

fn datum(value: &ColumnarValue) -> Result<Box<dyn Datum>> {
    Ok(match value {
        ColumnarValue::Array(array) => Box::new(ArrayRef::clone(array)),
        ColumnarValue::Scalar(scalar) => Box::new(scalar.to_scalar()?),
    })
}

impl Checked {
    fn failure(&self, error: ArrowError) -> DataFusionError {
        match error {
            ArrowError::ArithmeticOverflow(values) => {
                let values = values.trim_start_matches("Overflow happened on: ").to_owned();
                overflow(&self.text, values)
            }
            other => other.into(),
        }
    }
}

/// The error for a result that does not fit in its type.
pub(super) fn overflow(text: &str, values: String) -> DataFusionError {
    EngineError::new("overflow", format!("{text} does not fit in an integer"))
        .why(values)
        .help("compute it as another type, as in x::decimal(38, 0) or x::double")
        .into()
}
