//! `mode(x)` and `histogram(x)`: how often each value is there.
//!
//! Nulls do not count. Of several values that are as frequent, `mode` gives the smallest, as PostgreSQL does.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StructArray, UInt64Array};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, UInt64Type};
use datafusion::common::ScalarValue;
use datafusion::common::utils::take_function_args;
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, DocumentationBuilder, Signature, Volatility,
};

/// What is made of the counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Made {
    Mode,
    Histogram,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Frequency {
    made: Made,
    signature: Signature,
}

/// `mode` and `histogram`.
pub(super) fn udafs() -> [AggregateUDF; 2] {
    [Made::Mode, Made::Histogram]
        .map(|made| AggregateUDF::from(Frequency { made, signature: Signature::any(1, Volatility::Immutable) }))
}

fn entries(key: &DataType) -> Fields {
    Fields::from(vec![Field::new("key", key.clone(), false), Field::new("value", DataType::UInt64, false)])
}

fn map_type(key: &DataType) -> DataType {
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries(key)), false)), true)
}

impl AggregateUDFImpl for Frequency {
    fn name(&self) -> &str {
        match self.made {
            Made::Mode => "mode",
            Made::Histogram => "histogram",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [only] = take_function_args(self.name(), types)?;
        Ok(match self.made {
            Made::Mode => only.clone(),
            Made::Histogram => map_type(only),
        })
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let data_type = args.expr_fields.first().map_or(DataType::Null, |field| field.data_type().clone());
        Ok(Box::new(Counts { made: self.made, data_type, counts: HashMap::new(), bytes: 0 }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let of = args.input_fields.first().map_or(DataType::Null, |field| field.data_type().clone());
        let list = |name: &str, of: DataType| {
            let name = format_state_name(args.name, name);
            Arc::new(Field::new(name, DataType::new_list(of, true), true))
        };
        Ok(vec![list("values", of), list("counts", DataType::UInt64)])
    }

    fn documentation(&self) -> Option<&Documentation> {
        static MODE: LazyLock<Documentation> =
            LazyLock::new(|| documented("The most frequent value; of several the smallest.", "mode(value)"));
        static HISTOGRAM: LazyLock<Documentation> =
            LazyLock::new(|| documented("A map of each value to how often it is there.", "histogram(value)"));
        Some(match self.made {
            Made::Mode => &MODE,
            Made::Histogram => &HISTOGRAM,
        })
    }
}

fn documented(what: &str, form: &str) -> Documentation {
    DocumentationBuilder::new_with_details(Default::default(), what, form).build()
}

#[derive(Debug)]
struct Counts {
    made: Made,
    data_type: DataType,
    counts: HashMap<ScalarValue, u64>,
    /// What the values hold.
    bytes: usize,
}

impl Counts {
    fn add(&mut self, values: &ArrayRef, row: usize, count: u64) -> Result<()> {
        let value = ScalarValue::try_from_array(values, row)?;
        match self.counts.get_mut(&value) {
            Some(known) => *known += count,
            None => {
                let value = value.compacted();
                self.bytes += value.size();
                self.counts.insert(value, count);
            }
        }
        Ok(())
    }

    /// All values, the smallest first.
    fn sorted(&self) -> Vec<(&ScalarValue, u64)> {
        let mut sorted: Vec<_> = self.counts.iter().map(|(value, count)| (value, *count)).collect();
        sorted.sort_by(|(a, _), (b, _)| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        sorted
    }

    fn map(&self) -> Result<ScalarValue> {
        if self.counts.is_empty() {
            return ScalarValue::try_from(&map_type(&self.data_type));
        }
        let sorted = self.sorted();
        let keys = ScalarValue::iter_to_array(sorted.iter().map(|(value, _)| (*value).clone()))?;
        let counts: ArrayRef = Arc::new(sorted.iter().map(|(_, count)| *count).collect::<UInt64Array>());
        let rows = counts.len();
        let fields = entries(&self.data_type);
        let inner = StructArray::try_new(fields.clone(), vec![keys, counts], None)?;
        let field = Arc::new(Field::new("entries", DataType::Struct(fields), false));
        let map = MapArray::try_new(field, OffsetBuffer::from_lengths([rows]), inner, None, true)?;
        Ok(ScalarValue::Map(Arc::new(map)))
    }
}

impl Accumulator for Counts {
    fn update_batch(&mut self, arrays: &[ArrayRef]) -> Result<()> {
        let [values] = take_function_args("mode", arrays)?;
        (0..values.len()).filter(|&row| values.is_valid(row)).try_for_each(|row| self.add(values, row, 1))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        match self.made {
            Made::Histogram => self.map(),
            Made::Mode => {
                let sorted = self.sorted();
                let mut best: Option<(&ScalarValue, u64)> = None;
                for (value, count) in sorted {
                    if best.is_none_or(|(_, most)| count > most) {
                        best = Some((value, count));
                    }
                }
                best.map_or_else(|| ScalarValue::try_from(&self.data_type), |(value, _)| Ok(value.clone()))
            }
        }
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.bytes + self.counts.capacity() * size_of::<(ScalarValue, u64)>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let (values, counts): (Vec<_>, Vec<_>) =
            self.counts.iter().map(|(value, count)| (value.clone(), ScalarValue::UInt64(Some(*count)))).unzip();
        let list =
            |values: &[ScalarValue], of: &DataType| ScalarValue::List(ScalarValue::new_list_nullable(values, of));
        Ok(vec![list(&values, &self.data_type), list(&counts, &DataType::UInt64)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [values, counts] = take_function_args("mode", states)?;
        let (values, counts): (&ListArray, &ListArray) = (values.as_list(), counts.as_list());
        for state in 0..values.len() {
            let (values, counts) = (values.value(state), counts.value(state));
            let counts = counts.as_primitive::<UInt64Type>();
            for row in 0..values.len() {
                self.add(&values, row, counts.value(row))?;
            }
        }
        Ok(())
    }
}
