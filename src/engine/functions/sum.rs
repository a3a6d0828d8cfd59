//! `sum` of integers, exact: the total has 128 bits, and fails only if it does not fit at the end.
//!
//! DataFusion's wraps around. An error at the first intermediate total that does not fit would depend on the order of
//! the rows.

use std::collections::HashMap;
use std::mem::size_of_val;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Decimal128Array, Int64Array, PrimitiveArray,
    UInt64Array,
};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Int64Type, UInt64Type};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, EmitTo, GroupsAccumulator, ReversedUDAF,
    SetMonotonicity, Signature,
};

use super::checked::overflow;

/// What a total is between the partitions: wide enough for 2^63 integers of 64 bits.
const TOTAL: DataType = DataType::Decimal128(38, 0);

/// DataFusion's `sum`, but for integers and durations.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Sum {
    inner: Arc<AggregateUDF>,
}

pub(super) fn udaf() -> AggregateUDF {
    AggregateUDF::from(Sum { inner: sum_udaf() })
}

fn is_exact(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Int64 | DataType::UInt64 | DataType::Duration(_))
}

impl AggregateUDFImpl for Sum {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match (is_exact(args.return_field.data_type()), args.is_distinct) {
            (false, _) => self.inner.accumulator(args),
            (true, false) => Ok(Box::new(Total { sum: 0, count: 0, result: Totals::of(&args) })),
            (true, true) => Ok(Box::new(DistinctTotal { counts: HashMap::new(), sum: 0, result: Totals::of(&args) })),
        }
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if is_exact(args.return_field.data_type()) {
            return self.accumulator(args);
        }
        self.inner.create_sliding_accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        if args.is_distinct || !is_exact(args.return_type()) {
            return self.inner.state_fields(args);
        }
        Ok(vec![Arc::new(Field::new(format_state_name(args.name, "sum"), TOTAL, true))])
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        if !is_exact(args.return_field.data_type()) {
            return self.inner.create_groups_accumulator(args);
        }
        Ok(Box::new(GroupTotals { sums: vec![], seen: vec![], result: Totals::of(&args) }))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.inner.inner().set_monotonicity(data_type)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

/// How totals become results.
#[derive(Debug)]
struct Totals {
    data_type: DataType,
    name: String,
}

impl Totals {
    fn of(args: &AccumulatorArgs<'_>) -> Self {
        Self { data_type: args.return_field.data_type().clone(), name: args.name.to_owned() }
    }

    fn results(&self, totals: impl Iterator<Item = Option<i128>>) -> Result<ArrayRef> {
        let fitting = |total: i128| overflow(&self.name, format!("it is {total}"));
        let results: ArrayRef = if self.data_type == DataType::UInt64 {
            let totals =
                totals.map(|total| total.map(|total| u64::try_from(total).map_err(|_| fitting(total))).transpose());
            Arc::new(totals.collect::<Result<UInt64Array>>()?)
        } else {
            let totals =
                totals.map(|total| total.map(|total| i64::try_from(total).map_err(|_| fitting(total))).transpose());
            Arc::new(totals.collect::<Result<Int64Array>>()?)
        };
        Ok(if results.data_type() == &self.data_type { results } else { cast(&results, &self.data_type)? })
    }

    fn result(&self, total: Option<i128>) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&self.results(std::iter::once(total))?, 0)
    }
}

fn total_scalar(total: Option<i128>) -> ScalarValue {
    ScalarValue::Decimal128(total, 38, 0)
}

/// Durations as the integers that they are.
fn integers(values: &ArrayRef) -> Result<ArrayRef> {
    Ok(match values.data_type() {
        DataType::Duration(_) => cast(values, &DataType::Int64)?,
        _ => Arc::clone(values),
    })
}

/// The sum of an array, and how many values it has.
fn total(values: &ArrayRef) -> Result<(i128, i128)> {
    fn of<T: ArrowPrimitiveType>(values: &PrimitiveArray<T>) -> i128
    where
        T::Native: Into<i128>,
    {
        match values.nulls().filter(|nulls| nulls.null_count() > 0) {
            None => values.values().iter().fold(0, |sum, value| sum + (*value).into()),
            Some(nulls) => nulls.valid_slices().fold(0, |sum, (from, to)| {
                values.values()[from..to].iter().fold(sum, |sum, value| sum + (*value).into())
            }),
        }
    }
    let values = integers(values)?;
    let count = (values.len() - values.null_count()) as i128;
    let sum = match values.data_type() {
        DataType::UInt64 => of(values.as_primitive::<UInt64Type>()),
        DataType::Decimal128(..) => of(values.as_primitive::<Decimal128Type>()),
        _ => of(values.as_primitive::<Int64Type>()),
    };
    Ok((sum, count))
}

/// The total of all rows, or of those in a window's frame.
#[derive(Debug)]
struct Total {
    sum: i128,
    count: i128,
    result: Totals,
}

impl Accumulator for Total {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (sum, count) = total(&values[0])?;
        self.sum += sum;
        self.count += count;
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (sum, count) = total(&values[0])?;
        self.sum -= sum;
        self.count -= count;
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![total_scalar((self.count > 0).then_some(self.sum))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.result.result((self.count > 0).then_some(self.sum))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// The total of the different values.
#[derive(Debug)]
struct DistinctTotal {
    /// How often each value is in the window's frame.
    counts: HashMap<i128, usize>,
    sum: i128,
    result: Totals,
}

impl DistinctTotal {
    fn each(values: &ArrayRef, mut each: impl FnMut(i128)) -> Result<()> {
        let values = integers(values)?;
        match values.data_type() {
            DataType::UInt64 => {
                values.as_primitive::<UInt64Type>().iter().flatten().for_each(|value| each(value.into()))
            }
            _ => values.as_primitive::<Int64Type>().iter().flatten().for_each(|value| each(value.into())),
        }
        Ok(())
    }

    fn add(&mut self, value: i128) {
        let count = self.counts.entry(value).or_insert(0);
        if *count == 0 {
            self.sum += value;
        }
        *count += 1;
    }
}

impl Accumulator for DistinctTotal {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        Self::each(&values[0], |value| self.add(value))
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for list in states[0].as_list::<i32>().iter().flatten() {
            Self::each(&list, |value| self.add(value))?;
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        Self::each(&values[0], |value| {
            if let Some(count) = self.counts.get_mut(&value) {
                *count -= 1;
                if *count == 0 {
                    self.counts.remove(&value);
                    self.sum -= value;
                }
            }
        })
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values = self.result.results(self.counts.keys().map(|value| Some(*value)))?;
        let values =
            (0..values.len()).map(|at| ScalarValue::try_from_array(&values, at)).collect::<Result<Vec<_>>>()?;
        Ok(vec![ScalarValue::List(ScalarValue::new_list_nullable(&values, &self.result.data_type))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.result.result((!self.counts.is_empty()).then_some(self.sum))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.counts.capacity() * size_of::<(i128, usize)>()
    }
}

/// The totals of groups.
#[derive(Debug)]
struct GroupTotals {
    sums: Vec<i128>,
    /// Which groups have a value.
    seen: Vec<bool>,
    result: Totals,
}

impl GroupTotals {
    fn add<T: ArrowPrimitiveType>(
        &mut self,
        values: &PrimitiveArray<T>,
        groups: &[usize],
        filter: Option<&BooleanArray>,
    ) where
        T::Native: Into<i128>,
    {
        let nulls = values.nulls().filter(|nulls| nulls.null_count() > 0);
        if nulls.is_none() && filter.is_none() {
            for (value, &group) in values.values().iter().zip(groups) {
                self.sums[group] += (*value).into();
                self.seen[group] = true;
            }
            return;
        }
        for (row, (value, &group)) in values.values().iter().zip(groups).enumerate() {
            let wanted = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            if wanted && nulls.is_none_or(|nulls| nulls.is_valid(row)) {
                self.sums[group] += (*value).into();
                self.seen[group] = true;
            }
        }
    }

    fn take(&mut self, emit_to: EmitTo) -> impl Iterator<Item = Option<i128>> + use<> {
        let seen = emit_to.take_needed(&mut self.seen);
        let sums = emit_to.take_needed(&mut self.sums);
        seen.into_iter().zip(sums).map(|(seen, sum)| seen.then_some(sum))
    }
}

fn totals(totals: impl Iterator<Item = Option<i128>>) -> Result<ArrayRef> {
    Ok(Arc::new(totals.collect::<Decimal128Array>().with_data_type(TOTAL)))
}

impl GroupsAccumulator for GroupTotals {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        self.sums.resize(total_groups, 0);
        self.seen.resize(total_groups, false);
        let values = integers(&values[0])?;
        match values.data_type() {
            DataType::UInt64 => self.add(values.as_primitive::<UInt64Type>(), groups, filter),
            _ => self.add(values.as_primitive::<Int64Type>(), groups, filter),
        }
        Ok(())
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total_groups: usize) -> Result<()> {
        self.sums.resize(total_groups, 0);
        self.seen.resize(total_groups, false);
        self.add(values[0].as_primitive::<Decimal128Type>(), groups, None);
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let totals = self.take(emit_to);
        self.result.results(totals)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![totals(self.take(emit_to))?])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let state = cast(&integers(&values[0])?, &TOTAL)?;
        let Some(filter) = filter else { return Ok(vec![state]) };
        let wanted = NullBuffer::new(filter.iter().map(|wanted| wanted == Some(true)).collect());
        let state = state.as_primitive::<Decimal128Type>().clone();
        let (data_type, sums, nulls) = state.into_parts();
        let nulls = NullBuffer::union(nulls.as_ref(), Some(&wanted));
        Ok(vec![Arc::new(Decimal128Array::new(sums, nulls).with_data_type(data_type))])
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<i128>() + self.seen.capacity()
    }
}
