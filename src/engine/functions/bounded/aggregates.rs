//! Aggregates with a limit: those that keep all they are given, because over a window that grows every row gets all that
//! came before it, and those that are told how much to take ahead.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::ColumnarValue;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, GroupsAccumulator, ReversedUDAF, Signature,
};

use super::limit::{Limit, too_much};
use crate::error::EngineError;

/// Centroids that a percentile may be computed with: each is memory that is taken ahead.
const MOST_CENTROIDS: i64 = 100_000;

/// An aggregate of DataFusion's whose results are counted.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Counted {
    inner: AggregateUDF,
    limit: Limit,
}

/// Puts counted aggregates in the place of DataFusion's of the same names.
pub(super) fn register(registry: &mut dyn FunctionRegistry, limit: Limit) -> Result<()> {
    for name in ["array_agg", "string_agg", "approx_percentile_cont", "approx_percentile_cont_with_weight"] {
        let inner = registry.udaf(name)?.as_ref().clone();
        registry.register_udaf(Arc::new(Counted { inner, limit }.into()))?;
    }
    Ok(())
}

impl Counted {
    fn check_centroids(&self, args: &AccumulatorArgs<'_>) -> Result<()> {
        let name = self.inner.name();
        if !name.starts_with("approx_percentile") {
            return Ok(());
        }
        let centroids = args.exprs.iter().skip(1).filter_map(|expr| {
            let value = expr.evaluate(&RecordBatch::new_empty(Arc::new(args.schema.clone()))).ok()?;
            match value {
                ColumnarValue::Scalar(value) if value.data_type().is_integer() => {
                    value.cast_to(&DataType::Int64).ok().map(|value| i64::try_from(value).unwrap_or(i64::MAX))
                }
                _ => None,
            }
        });
        match centroids.max() {
            Some(most) if most > MOST_CENTROIDS => {
                Err(EngineError::new("bad-argument", format!("{name}() takes at most {MOST_CENTROIDS} centroids"))
                    .why(format!("{most} were asked for"))
                    .into())
            }
            _ => Ok(()),
        }
    }

    fn counted(&self, inner: Box<dyn Accumulator>) -> Box<dyn Accumulator> {
        Box::new(CountedAccumulator { name: self.inner.name().to_owned(), inner, given: 0, limit: self.limit })
    }
}

impl AggregateUDFImpl for Counted {
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

    fn return_field(&self, fields: &[FieldRef]) -> Result<FieldRef> {
        self.inner.return_field(fields)
    }

    fn is_nullable(&self) -> bool {
        self.inner.is_nullable()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.check_centroids(&args)?;
        Ok(self.counted(self.inner.accumulator(args)?))
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.check_centroids(&args)?;
        Ok(self.counted(self.inner.create_sliding_accumulator(args)?))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.inner.state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        self.inner.create_groups_accumulator(args)
    }

    fn with_beneficial_ordering(self: Arc<Self>, ordered: bool) -> Result<Option<Arc<dyn AggregateUDFImpl>>> {
        let inner = self.inner.clone().with_beneficial_ordering(ordered)?;
        Ok(inner.map(|inner| Arc::new(Self { inner, limit: self.limit }) as Arc<dyn AggregateUDFImpl>))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.inner.order_sensitivity()
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        match self.inner.reverse_udf() {
            ReversedUDAF::Reversed(inner) => {
                let inner = inner.as_ref().clone();
                ReversedUDAF::Reversed(Arc::new(Self { inner, limit: self.limit }.into()))
            }
            other => other,
        }
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        self.inner.default_value(data_type)
    }

    fn supports_null_handling_clause(&self) -> bool {
        self.inner.supports_null_handling_clause()
    }

    fn supports_within_group_clause(&self) -> bool {
        self.inner.supports_within_group_clause()
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

/// Counts what it gives back.
#[derive(Debug)]
struct CountedAccumulator {
    name: String,
    inner: Box<dyn Accumulator>,
    /// Bytes of all results so far.
    given: u128,
    limit: Limit,
}

impl Accumulator for CountedAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.update_batch(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let value = self.inner.evaluate()?;
        self.given = self.given.saturating_add(value.size() as u128);
        if self.given > u128::from(self.limit.all) {
            return Err(too_much(&self.name, self.given, self.limit.all));
        }
        Ok(value)
    }

    fn size(&self) -> usize {
        self.inner.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.retract_batch(values)
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }
}
