//! Batches that arrived, as rows of the columns that were promised.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringArray, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef};
use arrow::error::ArrowError;

use spanql_model::derived::holders;
use spanql_model::json::text_at;
use spanql_store::{type_of, widen};

/// Why a batch cannot be what was promised.
#[derive(Debug)]
pub(super) enum FitError {
    /// Values of a column cannot be read as its type without loss.
    Lost {
        /// The column.
        column: String,
        /// The type that was promised.
        promised: DataType,
        /// The type that came.
        came: DataType,
    },
    /// Arrow refuses the batch.
    Arrow(ArrowError),
}

impl From<ArrowError> for FitError {
    fn from(error: ArrowError) -> Self {
        Self::Arrow(error)
    }
}

/// The batch's columns in the order and types of the schema; what it lacks is null, what the schema lacks is dropped.
pub(super) fn fit(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, FitError> {
    let columns = schema
        .fields()
        .iter()
        .map(|field| match batch.column_by_name(field.name()) {
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            Some(array) => without_loss(array, field.data_type())?.ok_or_else(|| FitError::Lost {
                column: field.name().clone(),
                promised: field.data_type().clone(),
                came: array.data_type().clone(),
            }),
        })
        .collect::<Result<Vec<ArrayRef>, FitError>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}

/// Rows with columns for those of the names whose values are in the JSON text of other columns; what a span has under
/// the name itself counts first.
pub(super) fn with_held(rows: RecordBatch, names: &[String]) -> Result<RecordBatch, ArrowError> {
    let mut columns: Vec<ArrayRef> = rows.columns().to_vec();
    let mut fields: Vec<Arc<Field>> = rows.schema_ref().fields().iter().cloned().collect();
    for name in names {
        let texts = |holder| rows.column_by_name(holder).and_then(|column| column.as_string_opt::<i32>());
        let held: Vec<(&StringArray, &str)> =
            holders(name).filter_map(|(holder, path)| Some((texts(holder)?, path))).collect();
        if held.is_empty() {
            continue;
        }
        let own = rows.schema_ref().index_of(name).ok();
        let own_texts = own.map(|own| widened(&columns[own], &DataType::Utf8)).transpose()?;
        let own_texts = own_texts.as_ref().map(|texts| texts.as_string::<i32>());
        let values: StringArray = (0..rows.num_rows())
            .map(|row| {
                let text = |texts: &StringArray| texts.is_valid(row).then(|| texts.value(row).to_owned());
                own_texts.and_then(text).or_else(|| {
                    held.iter().find_map(|(texts, path)| text_at(texts.is_valid(row).then(|| texts.value(row))?, path))
                })
            })
            .collect();
        if values.null_count() == values.len() {
            continue;
        }
        let field = Arc::new(Field::new(name, DataType::Utf8, true));
        match own {
            Some(own) => (columns[own], fields[own]) = (Arc::new(values), field),
            None => {
                columns.push(Arc::new(values));
                fields.push(field);
            }
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn widened(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    widen(array, to).map_err(|error| ArrowError::CastError(error.to_string()))
}

/// The values in another type, if that can say all of them: a wider one, or a narrower one that happens to do.
fn without_loss(array: &ArrayRef, to: &DataType) -> Result<Option<ArrayRef>, ArrowError> {
    let from = array.data_type();
    if from == to {
        return Ok(Some(Arc::clone(array)));
    }
    let Some(came) = type_of(array.as_ref()) else { return Ok(Some(new_null_array(to, array.len()))) };
    let widens = match to {
        DataType::Utf8 => true,
        DataType::Float64 => came.unite(spanql_model::types::OpenType::Float64).data_type() == *to,
        _ => false,
    };
    if widens {
        return widened(array, to).map(Some);
    }
    match (from, to) {
        (DataType::Utf8, DataType::Int64 | DataType::Float64 | DataType::Boolean)
        | (DataType::Float64, DataType::Int64) => {}
        _ => return Ok(None),
    }
    let read = cast(array, to)?;
    let kept = match (from, to) {
        _ if read.null_count() > array.null_count() => false,
        (DataType::Utf8, DataType::Float64) => read.as_primitive::<Float64Type>().iter().flatten().all(f64::is_finite),
        (DataType::Utf8, DataType::Int64) => true,
        // `5.5` becomes `5`, and many words become `true`.
        _ => cast(&read, from)?.as_ref() == array.as_ref(),
    };
    Ok(kept.then_some(read))
}

#[cfg(test)]
mod tests {
    use arrow::array::{BooleanArray, Float64Array, Int64Array, StringArray};
    use arrow::datatypes::{Field, Schema};

    use super::*;

    fn fitted(array: ArrayRef, to: DataType) -> Option<Vec<Option<String>>> {
        let batch = RecordBatch::try_from_iter_with_nullable([("a", array, true)]).unwrap();
        let schema = Arc::new(Schema::new(vec![Field::new("a", to, true)]));
        let batch = fit(&batch, &schema).ok()?;
        assert_eq!(batch.schema(), schema);
        let texts = cast(batch.column(0), &DataType::Utf8).unwrap();
        Some(texts.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect())
    }

    fn texts(values: [&str; 2]) -> ArrayRef {
        Arc::new(StringArray::from(vec![Some(values[0]), None, Some(values[1])]))
    }

    #[test]
    fn types_change_only_where_nothing_is_lost() {
        use DataType::{Boolean, Float64, Int64, Utf8};
        let ints = |a, b| -> ArrayRef { Arc::new(Int64Array::from(vec![Some(a), None, Some(b)])) };
        let floats = |a, b| -> ArrayRef { Arc::new(Float64Array::from(vec![Some(a), None, Some(b)])) };
        let flags: ArrayRef = Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]));
        for (array, to, expected) in [
            (ints(5, 7), Utf8, Some(["5", "7"])),
            (floats(5.0, 0.5), Utf8, Some(["5", "0.5"])),
            (Arc::clone(&flags), Utf8, Some(["true", "false"])),
            (ints(5, 7), Float64, Some(["5.0", "7.0"])),
            (ints(5, (1 << 53) + 1), Float64, None),
            (ints(5, 7), Boolean, None),
            (floats(5.0, 7.0), Int64, Some(["5", "7"])),
            (floats(5.0, 0.5), Int64, None),
            (floats(5.0, 1e300), Int64, None),
            (Arc::clone(&flags), Int64, None),
            (flags, Float64, None),
            (texts(["5", "-7"]), Int64, Some(["5", "-7"])),
            (texts(["5", "7.5"]), Int64, None),
            (texts(["5", "7.5"]), Float64, Some(["5.0", "7.5"])),
            (texts(["5", "inf"]), Float64, None),
            (texts(["5", ""]), Float64, None),
            (texts(["true", "false"]), Boolean, Some(["true", "false"])),
            (texts(["true", "no"]), Boolean, None),
        ] {
            let expected = expected.map(|[a, b]| vec![Some(a.to_owned()), None, Some(b.to_owned())]);
            assert_eq!(fitted(Arc::clone(&array), to.clone()), expected, "{array:?} to {to}");
        }
    }

    #[test]
    fn missing_columns_are_null_and_others_are_dropped() {
        let batch = RecordBatch::try_from_iter([("a", texts(["x", "y"])), ("b", texts(["x", "y"]))]).unwrap();
        let schema = Arc::new(Schema::new(vec![Field::new("c", DataType::Int64, true)]));
        let fitted = fit(&batch, &schema).unwrap();
        assert_eq!((fitted.num_rows(), fitted.column(0).null_count()), (3, 3));
        let none = fit(&batch, &Arc::new(Schema::empty())).unwrap();
        assert_eq!((none.num_rows(), none.num_columns()), (3, 0));
    }
}
