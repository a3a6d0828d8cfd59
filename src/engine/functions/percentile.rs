//! `percentile_cont`: DataFusion's, but for how it interpolates between two values.
//!
//! DataFusion cuts the place between them at six digits, so that `p95` of `1e9` and `2e9` is off by hundreds. Here the
//! values are gathered by DataFusion's accumulators, and the percentile is computed from their state.

use std::cmp::Ordering;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Float64Builder, RecordBatch};
use datafusion::arrow::datatypes::{DataType, FieldRef, Float64Type, Schema};
use datafusion::common::utils::take_function_args;
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::Result;
use datafusion::functions_aggregate::percentile_cont::percentile_cont_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, Documentation, EmitTo, GroupsAccumulator, Signature,
};

#[derive(Debug, PartialEq, Eq, Hash)]
struct Percentile {
    inner: Arc<AggregateUDF>,
}

/// `percentile_cont`, and `quantile_cont`.
pub(super) fn udaf() -> AggregateUDF {
    AggregateUDF::from(Percentile { inner: percentile_cont_udaf() })
}

/// Which of the ordered values is meant.
#[derive(Debug, Clone, Copy)]
struct Rank {
    share: f64,
    descending: bool,
}

impl Rank {
    fn of(args: &AccumulatorArgs) -> Result<Self> {
        let [_, share] = take_function_args("percentile_cont", args.exprs)?;
        let none = RecordBatch::new_empty(Arc::new(Schema::empty()));
        let ColumnarValue::Scalar(share) = share.evaluate(&none)? else {
            return exec_err!("the share of percentile_cont is not a constant");
        };
        let ScalarValue::Float64(Some(share)) = share.cast_to(&DataType::Float64)? else {
            return exec_err!("the share of percentile_cont is null");
        };
        Ok(Self { share, descending: args.order_bys.first().is_some_and(|by| by.options.descending) })
    }

    fn among(self, values: &Float64Array) -> Option<f64> {
        let mut values: Vec<f64> = values.iter().flatten().collect();
        let place = self.share * values.len().checked_sub(1)? as f64;
        let (below, fraction) = (place.floor(), place.fract());
        let compare = |a: &f64, b: &f64| -> Ordering { if self.descending { b.total_cmp(a) } else { a.total_cmp(b) } };
        let (_, low, above) = values.select_nth_unstable_by(below as usize, compare);
        let low = *low;
        let high = above.iter().copied().min_by(compare);
        Some(match high {
            Some(high) if fraction > 0.0 && high != low => low * (1.0 - fraction) + high * fraction,
            _ => low,
        })
    }
}

impl AggregateUDFImpl for Percentile {
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

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.inner.state_fields(args)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if !is_double(&args) {
            return self.inner.accumulator(args);
        }
        let (rank, distinct) = (Rank::of(&args)?, args.is_distinct);
        Ok(Box::new(Values { inner: self.inner.accumulator(args)?, rank, distinct, taken: None }))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        if !is_double(&args) {
            return self.inner.create_groups_accumulator(args);
        }
        let rank = Rank::of(&args)?;
        Ok(Box::new(Groups { inner: self.inner.create_groups_accumulator(args)?, rank }))
    }

    fn simplify(&self) -> Option<AggregateFunctionSimplification> {
        self.inner.simplify()
    }

    fn supports_within_group_clause(&self) -> bool {
        true
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

fn is_double(args: &AccumulatorArgs) -> bool {
    args.expr_fields.first().is_some_and(|field| *field.data_type() == DataType::Float64)
}

#[derive(Debug)]
struct Values {
    inner: Box<dyn Accumulator>,
    rank: Rank,
    distinct: bool,
    /// The state that was taken to compute a value, which is all there is: a window goes on with it.
    taken: Option<ArrayRef>,
}

impl Values {
    fn inner(&mut self) -> Result<&mut Box<dyn Accumulator>> {
        if let Some(taken) = self.taken.take() {
            self.inner.merge_batch(&[taken])?;
        }
        Ok(&mut self.inner)
    }
}

impl Accumulator for Values {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner()?.update_batch(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let state = self.inner()?.state()?;
        let [state] = take_function_args("percentile_cont", state)?;
        let lists = state.to_array()?;
        let values = lists.as_list::<i32>().value(0);
        let value = self.rank.among(values.as_primitive::<Float64Type>());
        // That of distinct values stays where it is.
        self.taken = (!self.distinct).then_some(lists);
        Ok(ScalarValue::Float64(value))
    }

    fn size(&self) -> usize {
        self.inner.size() + self.taken.as_ref().map_or(0, |taken| taken.get_array_memory_size())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner()?.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner()?.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner()?.retract_batch(values)
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }
}

struct Groups {
    inner: Box<dyn GroupsAccumulator>,
    rank: Rank,
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.inner.update_batch(values, group_indices, opt_filter, total_num_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let [lists] = take_function_args("percentile_cont", self.inner.state(emit_to)?)?;
        let lists = lists.as_list::<i32>();
        let mut found = Float64Builder::with_capacity(lists.len());
        for values in lists.iter() {
            found.append_option(values.and_then(|values| self.rank.among(values.as_primitive::<Float64Type>())));
        }
        Ok(Arc::new(found.finish()))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.inner.state(emit_to)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.inner.merge_batch(values, group_indices, total_num_groups)
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        self.inner.convert_to_state(values, opt_filter)
    }

    fn size(&self) -> usize {
        self.inner.size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_not_rounded() {
        let of = |share: f64, descending: bool, values: &[f64]| {
            Rank { share, descending }.among(&Float64Array::from(values.to_vec()))
        };
        assert_eq!(of(0.5, false, &[]), None);
        assert_eq!(of(0.95, false, &[7.0]), Some(7.0));
        assert_eq!(of(0.5, false, &[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(of(1.0, false, &[3.0, 1.0, 2.0]), Some(3.0));
        assert_eq!(of(0.25, true, &[3.0, 1.0, 2.0]), Some(2.5));
        // DataFusion has 1428571428.571000.
        let exact = 1e9 + 1e9 * (1.0 / 7.0 * 3.0);
        assert!((of(3.0 / 7.0, false, &[1e9, 2e9]).unwrap() - exact).abs() < 1e-6);
    }
}
