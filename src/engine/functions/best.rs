//! `arg_max(x, by)` and `arg_min(x, by)`: what a row says for which something else is largest or smallest.
//!
//! As in DuckDB, rows of which one of both is null do not count, and of several that are as good the first one wins.

use std::cmp::Ordering;
use std::sync::Arc;

use datafusion::arrow::array::make_comparator;
use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::common::utils::take_function_args;
use datafusion::error::Result;
use datafusion::logical_expr::DocumentationBuilder;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, Signature, Volatility};

use crate::error::EngineError;

#[derive(Debug, PartialEq, Eq, Hash)]
struct Best {
    largest: bool,
    signature: Signature,
    aliases: [String; 2],
}

/// `arg_max` and `arg_min`.
pub(super) fn udafs() -> [AggregateUDF; 2] {
    [true, false].map(|largest| {
        let aliases = if largest { ["max_by", "argmax"] } else { ["min_by", "argmin"] };
        let signature = Signature::user_defined(Volatility::Immutable);
        AggregateUDF::from(Best { largest, signature, aliases: aliases.map(str::to_owned) })
    })
}

impl AggregateUDFImpl for Best {
    fn name(&self) -> &str {
        if self.largest { "arg_max" } else { "arg_min" }
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [value, by] = take_function_args(self.name(), types)?;
        if by.is_nested() {
            return Err(EngineError::new("bad-argument", format!("{} orders by a plain value", self.name()))
                .why(format!("it was given {by}"))
                .into());
        }
        Ok(vec![value.clone(), by.clone()])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [value, _] = take_function_args(self.name(), types)?;
        Ok(value.clone())
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let null = |at: usize| -> Result<ScalarValue> {
            let field = args.expr_fields.get(at).map_or(&DataType::Null, |field| field.data_type());
            ScalarValue::try_from(field)
        };
        Ok(Box::new(BestAccumulator { largest: self.largest, value: null(0)?, by: null(1)? }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let state = args.input_fields.iter().zip(["value", "by"]);
        let state = state.map(|(field, name)| {
            Arc::new(Field::new(format_state_name(args.name, name), field.data_type().clone(), true))
        });
        Ok(state.collect())
    }

    fn documentation(&self) -> Option<&Documentation> {
        static LARGEST: std::sync::LazyLock<Documentation> =
            std::sync::LazyLock::new(|| documented("arg_max", "largest"));
        static SMALLEST: std::sync::LazyLock<Documentation> =
            std::sync::LazyLock::new(|| documented("arg_min", "smallest"));
        Some(if self.largest { &LARGEST } else { &SMALLEST })
    }
}

fn documented(name: &str, which: &str) -> Documentation {
    let what = format!("The value of the row whose second value is the {which}.");
    DocumentationBuilder::new_with_details(Default::default(), what, format!("{name}(value, by)")).build()
}

#[derive(Debug)]
struct BestAccumulator {
    largest: bool,
    value: ScalarValue,
    by: ScalarValue,
}

impl Accumulator for BestAccumulator {
    fn update_batch(&mut self, arrays: &[ArrayRef]) -> Result<()> {
        let [values, by] = take_function_args("arg_max", arrays)?;
        let counts = |row: usize| values.is_valid(row) && by.is_valid(row);
        let better = |ordering: Ordering| ordering == if self.largest { Ordering::Greater } else { Ordering::Less };
        let compare = make_comparator(by, by, SortOptions::default())?;
        let mut best: Option<usize> = None;
        for row in (0..by.len()).filter(|&row| counts(row)) {
            if best.is_none_or(|best| better(compare(row, best))) {
                best = Some(row);
            }
        }
        let Some(row) = best else { return Ok(()) };
        let found = ScalarValue::try_from_array(by, row)?;
        let takes = self.by.is_null() || {
            let (known, found) = (self.by.to_array()?, found.to_array()?);
            better(make_comparator(&found, &known, SortOptions::default())?(0, 0))
        };
        if takes {
            self.value = ScalarValue::try_from_array(values, row)?;
            self.by = found;
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.value.clone())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.value.size() + self.by.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.value.clone(), self.by.clone()])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }
}
