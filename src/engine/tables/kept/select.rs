//! Which rows of a batch pass all conditions; of dictionaries, each value is asked once.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, RecordBatch, RecordBatchOptions, new_null_array,
};
use arrow::buffer::{BooleanBuffer, MutableBuffer};
use arrow::compute::{cast, concat, filter};
use arrow::datatypes::{DataType, Int32Type, SchemaRef};
use datafusion::common::{Result, internal_err};
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};
use datafusion::physical_expr::{PhysicalExpr, split_conjunction};

/// One condition.
#[derive(Debug, Clone)]
struct Condition {
    /// Over `schema`.
    expr: Arc<dyn PhysicalExpr>,
    schema: SchemaRef,
    /// Where the columns of `schema` are among those of all conditions.
    columns: Vec<usize>,
}

/// Conditions that must all be true, over some columns.
#[derive(Debug, Clone)]
pub(super) struct Conditions {
    all: Vec<Condition>,
}

/// What the values of a dictionary say to a condition, with null behind the last.
struct Truth {
    values: ArrayRef,
    truth: BooleanBuffer,
}

/// Truths of the dictionaries at hand, by condition.
pub(super) type Known = Vec<Option<Truths>>;

/// Of a dictionary, or that its values cannot be asked one by one.
pub(super) struct Truths(Option<Truth>, ArrayRef);

impl Conditions {
    /// The parts of a predicate over a table, of which `schema` has all the columns that it names.
    pub(super) fn new(predicate: Option<&Arc<dyn PhysicalExpr>>, schema: &SchemaRef) -> Result<Self> {
        let one = |expr: &Arc<dyn PhysicalExpr>| {
            let mut columns = Vec::new();
            for column in collect_columns(expr) {
                columns.push(schema.index_of(column.name())?);
            }
            columns.sort_unstable();
            columns.dedup();
            let schema: SchemaRef = Arc::new(schema.project(&columns)?);
            Ok(Condition { expr: reassign_expr_columns(Arc::clone(expr), &schema)?, schema, columns })
        };
        let parts = predicate.map(split_conjunction).unwrap_or_default();
        Ok(Self { all: parts.into_iter().map(one).collect::<Result<_>>()? })
    }

    /// Nothing known yet.
    pub(super) fn known(&self) -> Known {
        self.all.iter().map(|_| None).collect()
    }

    /// The rows that count and pass; `None` for all of them. Conditions on dictionaries come first, the others in their order,
    /// each asked only of what is left.
    pub(super) fn pass(
        &self,
        columns: &[ArrayRef],
        rows: usize,
        live: Option<BooleanBuffer>,
        known: &mut Known,
    ) -> Result<Option<BooleanBuffer>> {
        let mut passed = live;
        let mut open = Vec::new();
        for (condition, known) in self.all.iter().zip(known) {
            match condition.coded(columns, known) {
                Some(truth) => passed = Some(and(passed, truth)),
                None => open.push(condition),
            }
        }
        for condition in open {
            if passed.as_ref().is_some_and(|passed| passed.count_set_bits() == 0) {
                break;
            }
            let all = passed.as_ref().is_none_or(|passed| passed.count_set_bits() == rows);
            let truth = condition.asked(columns, rows, passed.as_ref().filter(|_| !all))?;
            passed = Some(match passed.filter(|_| !all) {
                Some(before) => scattered(&before, &truth),
                None => truth,
            });
        }
        Ok(passed.filter(|passed| passed.count_set_bits() < rows))
    }
}

impl Condition {
    /// The truth for all rows, by the codes of the one column that it is about.
    fn coded(&self, columns: &[ArrayRef], known: &mut Option<Truths>) -> Option<BooleanBuffer> {
        let [column] = self.columns.as_slice() else { return None };
        let coded = columns[*column].as_dictionary_opt::<Int32Type>()?;
        let is_known = known.as_ref().is_some_and(|Truths(_, values)| Arc::ptr_eq(values, coded.values()));
        if !is_known {
            // What a value of rows that do not count makes of it is no error: it is asked row by row then.
            let truth = self.of_values(coded.values()).ok();
            *known = Some(Truths(truth, Arc::clone(coded.values())));
        }
        let truth = known.as_ref()?.0.as_ref()?;
        Some(by_code(coded, truth))
    }

    fn of_values(&self, values: &ArrayRef) -> Result<Truth> {
        let null = new_null_array(values.data_type(), 1);
        let with_null = concat(&[values.as_ref(), null.as_ref()])?;
        let batch = RecordBatch::try_new(nullable(&self.schema), vec![with_null])?;
        Ok(Truth { values: Arc::clone(values), truth: truth(&self.expr, &batch)? })
    }

    /// The truth for the rows that are left.
    fn asked(&self, columns: &[ArrayRef], rows: usize, left: Option<&BooleanBuffer>) -> Result<BooleanBuffer> {
        let rows = left.map_or(rows, BooleanBuffer::count_set_bits);
        let left = left.map(|left| BooleanArray::new(left.clone(), None));
        let mut own = Vec::with_capacity(self.columns.len());
        for (place, field) in self.columns.iter().zip(self.schema.fields()) {
            own.push(plain(&columns[*place], left.as_ref(), field.data_type())?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        truth(&self.expr, &RecordBatch::try_new_with_options(Arc::clone(&self.schema), own, &options)?)
    }
}

/// The rows of a column that are left, in the table's type.
pub(super) fn plain(column: &ArrayRef, left: Option<&BooleanArray>, data_type: &DataType) -> Result<ArrayRef> {
    let column = match left {
        Some(left) => filter(column, left)?,
        None => Arc::clone(column),
    };
    Ok(if column.data_type() == data_type { column } else { cast(&column, data_type)? })
}

fn nullable(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(arrow::datatypes::Schema::new(fields.collect::<Vec<_>>()))
}

fn by_code(coded: &DictionaryArray<Int32Type>, Truth { values, truth }: &Truth) -> BooleanBuffer {
    let (keys, rows) = (coded.keys(), coded.len());
    if truth.count_set_bits() == truth.len() {
        return BooleanBuffer::new_set(rows);
    }
    let of_value: Vec<bool> = truth.iter().collect();
    let of_null = of_value[values.len()];
    let codes = keys.values();
    // What lies behind a null is any code.
    let of = |code: i32| usize::try_from(code).ok().and_then(|code| of_value.get(code)).copied().unwrap_or(false);
    match keys.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => BooleanBuffer::collect_bool(rows, |row| of(codes[row])),
        Some(nulls) => {
            BooleanBuffer::collect_bool(rows, |row| if nulls.is_valid(row) { of(codes[row]) } else { of_null })
        }
    }
}

/// The rows of a batch for which a condition is true.
fn truth(condition: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<BooleanBuffer> {
    let truth = condition.evaluate(batch)?.into_array(batch.num_rows())?;
    let Some(truth) = truth.as_boolean_opt() else {
        return internal_err!("a condition is {}, where true or false is expected", truth.data_type());
    };
    Ok(match truth.nulls() {
        Some(valid) => truth.values() & valid.inner(),
        None => truth.values().clone(),
    })
}

fn and(one: Option<BooleanBuffer>, other: BooleanBuffer) -> BooleanBuffer {
    match one {
        Some(one) => &one & &other,
        None => other,
    }
}

/// The truth of the rows that were left, among all.
pub(super) fn scattered(left: &BooleanBuffer, truth: &BooleanBuffer) -> BooleanBuffer {
    let mut bits = MutableBuffer::from_len_zeroed(left.len().div_ceil(8));
    for (row, is_true) in left.set_indices().zip(truth.iter()) {
        if is_true {
            arrow::util::bit_util::set_bit(bits.as_slice_mut(), row);
        }
    }
    BooleanBuffer::new(bits.into(), 0, left.len())
}
