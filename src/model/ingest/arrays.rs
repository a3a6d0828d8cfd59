//! Arrow arrays of any type, read as text, as JSON, or as what a column must hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Float64Array, ListArray, PrimitiveArray, StringArray, StringBuilder,
    UInt64Array,
};
use arrow::compute::{cast, is_not_null, kernels::zip::zip, max, take};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, TimeUnit, TimestampNanosecondType, UInt64Type};
use arrow::error::ArrowError;
use arrow::json::writer::{EncoderOptions, make_encoder};
use arrow::util::display::array_value_to_string;

use super::RowError;
use super::canonical_builder::{CanonicalBuilder, Rule, out_of_range, whole};
use super::changes::{self, Change, Changes};
use super::open_builder::integer_type;
use crate::columns::{CANONICAL, NOTES, timestamp_type};
use crate::ids;
use crate::json::{self, Value};
use crate::time;
use crate::types::{OpenType, float_text};

/// Rows that do not fit, with the first reason for each.
pub(super) type Bad = BTreeMap<usize, RowError>;

/// The type of an array's values without dictionary or run-length encoding around them.
pub(super) fn plain_type(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => plain_type(values),
        DataType::RunEndEncoded(_, values) => plain_type(values.data_type()),
        plain => plain,
    }
}

/// The array without dictionary or run-length encoding around its values.
pub(super) fn plain(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let plain_values = match array.data_type() {
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            take(dictionary.values(), dictionary.keys(), None)?
        }
        DataType::RunEndEncoded(_, values) => cast(array, values.data_type())?,
        _ => return Ok(Arc::clone(array)),
    };
    plain(&plain_values)
}

pub(super) fn is_nested(data_type: &DataType) -> bool {
    use DataType::{FixedSizeList, LargeList, LargeListView, List, ListView, Map, Struct};
    matches!(
        data_type,
        List(_) | LargeList(_) | FixedSizeList(..) | ListView(_) | LargeListView(_) | Struct(_) | Map(..)
    )
}

/// Every value as text; lists, structs and maps as JSON.
pub(super) fn texts(array: &ArrayRef) -> Result<StringArray, ArrowError> {
    let text = |array: &dyn Array| Ok(cast(array, &DataType::Utf8)?.as_string::<i32>().clone());
    match array.data_type() {
        data_type if is_nested(data_type) => json_texts(array),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            Ok(finite(array)?.iter().map(|value| value.map(float_text)).collect())
        }
        DataType::Timestamp(unit, _) => text(&cast(array, &DataType::Timestamp(*unit, Some("UTC".into())))?),
        DataType::FixedSizeBinary(_) => Ok(array.as_fixed_size_binary().iter().map(|bytes| bytes.map(hex)).collect()),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            let bytes = cast(array, &DataType::Binary)?;
            let bytes: &BinaryArray = bytes.as_binary();
            // Writers that know no text type write text as bytes.
            let text = |bytes: &[u8]| simdutf8::basic::from_utf8(bytes).map_or_else(|_| hex(bytes), str::to_owned);
            Ok(bytes.iter().map(|bytes| bytes.map(text)).collect())
        }
        _ => text(array),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every value as JSON; members of structs that are null are left out.
pub(super) fn json_texts(array: &ArrayRef) -> Result<StringArray, ArrowError> {
    let field = Arc::new(Field::new("", array.data_type().clone(), true));
    let options = EncoderOptions::default();
    let mut encoder = make_encoder(&field, array, &options)?;
    let mut out = StringBuilder::new();
    let mut buffer = Vec::new();
    for row in 0..array.len() {
        if encoder.is_null(row) {
            out.append_null();
            continue;
        }
        buffer.clear();
        encoder.encode(row, &mut buffer);
        let text = simdutf8::basic::from_utf8(&buffer).map_err(|error| ArrowError::JsonError(error.to_string()))?;
        out.append_value(text);
    }
    Ok(out.finish())
}

/// Numbers as Float64, with null for those that are not finite, and with one zero: its sign means nothing.
fn finite(array: &ArrayRef) -> Result<Float64Array, ArrowError> {
    let floats = cast(array, &DataType::Float64)?;
    Ok(floats.as_primitive::<Float64Type>().unary_opt(|value| value.is_finite().then_some(value + 0.0)))
}

/// The array as the canonical column of this index; what does not fit is null, and its row is noted in `bad`.
pub(super) fn canonical(
    index: usize,
    array: &ArrayRef,
    bad: &mut Bad,
    changes: &mut Changes,
) -> Result<ArrayRef, ArrowError> {
    let rule = Rule::at(index);
    let data_type = array.data_type();
    let unix_time = |wide: &PrimitiveArray<Int64Type>| {
        wide.unary_opt::<_, TimestampNanosecondType>(|value| {
            time::from_integer(value.into()).and_then(time::in_calendar).ok()
        })
    };
    let zoned = |times: PrimitiveArray<TimestampNanosecondType>| times.with_timezone("UTC");
    match rule {
        _ if is_nested(data_type) => by_row(index, &json_texts(array)?, true, bad, changes),
        Rule::Text => Ok(Arc::new(texts(array)?)),
        // Ids and words come mostly as they stay.
        _ if keeps_all(rule, array) => Ok(Arc::clone(array)),
        Rule::Bool if *data_type == DataType::Boolean => Ok(Arc::clone(array)),
        Rule::Float if data_type.is_integer() || data_type.is_floating() => Ok(Arc::new(finite(array)?)),
        Rule::Int if data_type.is_integer() => {
            let wide = cast(array, &DataType::Int64)?;
            note_lost(index, array, &wide, "is not a 64-bit integer", bad)?;
            Ok(wide)
        }
        Rule::Int if data_type.is_floating() => {
            let floats: ArrayRef = Arc::new(finite(array)?);
            let wide: ArrayRef = Arc::new(floats.as_primitive::<Float64Type>().unary_opt::<_, Int64Type>(whole));
            note_lost(index, &floats, &wide, "is not an integer", bad)?;
            Ok(wide)
        }
        Rule::Time => {
            let (from, times): (ArrayRef, ArrayRef) = match data_type {
                DataType::Timestamp(..) => (Arc::clone(array), cast(array, &timestamp_type())?),
                DataType::Date32 | DataType::Date64 => {
                    // By way of seconds, which hold every date.
                    let seconds = cast(array, &DataType::Timestamp(TimeUnit::Second, Some("UTC".into())))?;
                    (Arc::clone(array), cast(&seconds, &timestamp_type())?)
                }
                data_type if data_type.is_integer() => {
                    let wide = cast(array, &DataType::Int64)?;
                    (Arc::clone(array), Arc::new(zoned(unix_time(wide.as_primitive()))))
                }
                data_type if data_type.is_floating() => {
                    let floats = finite(array)?;
                    let times = floats.unary_opt(|value| time::from_float(value).and_then(time::in_calendar).ok());
                    (Arc::new(floats), Arc::new(zoned(times)))
                }
                _ => return by_row(index, &texts(array)?, false, bad, changes),
            };
            let times: ArrayRef = Arc::new(zoned(
                times.as_primitive::<TimestampNanosecondType>().unary_opt(|nanos| time::in_calendar(nanos).ok()),
            ));
            note_lost(index, &from, &times, "", bad)?;
            Ok(times)
        }
        _ => by_row(index, &texts(array)?, false, bad, changes),
    }
}

/// The elements of each list of texts; `None` for other arrays.
fn lists_of_texts(array: &ArrayRef) -> Result<Option<ListArray>, ArrowError> {
    match array.data_type() {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _)
            if matches!(item.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) =>
        {
            Ok(cast(array, &DataType::new_list(DataType::Utf8, true))?.as_list_opt().cloned())
        }
        _ => Ok(None),
    }
}

/// Lists whose elements are JSON texts as the canonical column of this index, one of lists; `None` for other arrays.
pub(super) fn canonical_of_json_lists(
    index: usize,
    array: &ArrayRef,
    bad: &mut Bad,
    changes: &mut Changes,
) -> Result<Option<ArrayRef>, ArrowError> {
    let Some(lists) = lists_of_texts(array)? else { return Ok(None) };
    let texts = lists.values().as_string::<i32>();
    let mut column = CanonicalBuilder::new(index);
    for (row, places) in lists.value_offsets().windows(2).enumerate().filter(|(row, _)| lists.is_valid(*row)) {
        let elements = (places[0] as usize..places[1] as usize).map(|at| texts.is_valid(at).then(|| texts.value(at)));
        match column.put_list(row, elements) {
            Ok(true) => changes.push((row, Change::NotFinite, CANONICAL[index].name.to_owned())),
            Ok(false) => {}
            Err(row_error) => {
                bad.entry(row).or_insert(row_error);
            }
        }
    }
    column.finish(lists.len()).map(Some)
}

/// Notes whose elements are JSON texts as text of their lists; `None` for other arrays.
pub(super) fn notes_of_json_lists(array: &ArrayRef) -> Result<Option<ArrayRef>, ArrowError> {
    let Some(lists) = lists_of_texts(array)? else { return Ok(None) };
    let text = |list: ArrayRef| {
        let mut text = String::new();
        json::write_list(list.as_string::<i32>().iter(), &mut text);
        text
    };
    let notes: StringArray = lists.iter().map(|list| list.map(text)).collect();
    Ok(Some(Arc::new(notes)))
}

/// Whether an array is text that its column's rule leaves as it is.
fn keeps_all(rule: Rule, array: &ArrayRef) -> bool {
    array.as_string_opt::<i32>().is_some_and(|texts| texts.iter().flatten().all(|text| rule.keeps(text)))
}

/// Notes the rows that had a value before a conversion and have none after it; without a complaint, it is a time.
fn note_lost(
    index: usize,
    before: &ArrayRef,
    after: &ArrayRef,
    complaint: &str,
    bad: &mut Bad,
) -> Result<(), ArrowError> {
    if before.null_count() == after.null_count() {
        return Ok(());
    }
    for row in (0..before.len()).filter(|row| before.is_valid(*row) && after.is_null(*row)) {
        let text = array_value_to_string(before, row)?;
        let reason = match complaint {
            "" => format!("{text} {}", out_of_range(&text)),
            complaint => format!("{text} {complaint}"),
        };
        let column = CANONICAL[index].name.to_owned();
        bad.entry(row).or_insert(RowError::Value { column, reason });
    }
    Ok(())
}

/// Gives each value to the canonical column's own rule, as text or as JSON text.
fn by_row(
    index: usize,
    texts: &StringArray,
    nested: bool,
    bad: &mut Bad,
    changes: &mut Changes,
) -> Result<ArrayRef, ArrowError> {
    let rule = Rule::at(index);
    let mut column = CanonicalBuilder::new(index);
    let mut scratch = String::new();
    for (row, text) in texts.iter().enumerate() {
        let Some(text) = text else { continue };
        let value = if nested { Value::Nested(text) } else { Value::Text(text) };
        if let Err(row_error) = column.put(row, value, &mut scratch) {
            bad.entry(row).or_insert(row_error);
        } else if !rule.is_plain()
            && let Some(change) = changes::of(Some(rule), value)
        {
            changes.push((row, change, CANONICAL[index].name.to_owned()));
        }
    }
    column.finish(texts.len())
}

/// The open type that values of this type become in a column, unless they are integers too big for it.
pub(super) fn open_type_of(name: &str, data_type: &DataType) -> OpenType {
    match plain_type(data_type) {
        DataType::Boolean => OpenType::Boolean,
        plain if plain.is_integer() => OpenType::Int64,
        DataType::Decimal32(_, 0)
        | DataType::Decimal64(_, 0)
        | DataType::Decimal128(_, 0)
        | DataType::Decimal256(_, 0) => OpenType::Int64,
        DataType::Timestamp(..) if is_updated_at(name) => OpenType::Int64,
        plain if plain.is_floating() || plain.is_decimal() => OpenType::Float64,
        _ => OpenType::Utf8,
    }
}

/// Whether a column holds when an annotation changed, in milliseconds.
fn is_updated_at(name: &str) -> bool {
    name.starts_with("annotation.") && name.ends_with(".updated_at")
}

/// The array as an open column: Boolean, Int64, Float64 or Utf8; `None` when it has no value.
pub(super) fn open(name: &str, array: &ArrayRef) -> Result<Option<ArrayRef>, ArrowError> {
    let data_type = array.data_type();
    let converted: ArrayRef = match data_type {
        DataType::Boolean => Arc::clone(array),
        DataType::UInt64 => {
            let fits = max::<UInt64Type>(array.as_primitive()).is_none_or(|largest| i64::try_from(largest).is_ok());
            cast(array, if fits { &DataType::Int64 } else { &DataType::Utf8 })?
        }
        data_type if data_type.is_integer() => cast(array, &DataType::Int64)?,
        data_type if data_type.is_floating() => Arc::new(finite(array)?),
        DataType::Decimal32(_, 0)
        | DataType::Decimal64(_, 0)
        | DataType::Decimal128(_, 0)
        | DataType::Decimal256(_, 0) => {
            let integers = cast(array, &DataType::Int64)?;
            if integers.null_count() == array.null_count() { integers } else { Arc::new(texts(array)?) }
        }
        data_type if data_type.is_decimal() => Arc::new(finite(array)?),
        DataType::Timestamp(..) if is_updated_at(name) => {
            cast(&cast(array, &DataType::Timestamp(TimeUnit::Millisecond, None))?, &DataType::Int64)?
        }
        // Notes come as a list of JSON texts as well as of objects, and are the same notes.
        _ if name == NOTES => {
            let canonical = |text: &str| json::compact_list(text).unwrap_or_else(|| text.to_owned());
            Arc::new(texts(array)?.iter().map(|text| text.map(canonical)).collect::<StringArray>())
        }
        _ if ids::is_of_whom(name) => {
            Arc::new(texts(array)?.iter().map(|text| text.filter(|id| !id.is_empty())).collect::<StringArray>())
        }
        _ => Arc::new(texts(array)?),
    };
    Ok((converted.null_count() < converted.len()).then_some(converted))
}

/// `later` where it has a value, else `earlier`.
pub(super) fn over(later: &ArrayRef, earlier: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    zip(&is_not_null(later)?, later, earlier)
}

/// Open columns of one name as one, of the type that holds them all; where two have a value the later wins.
pub(super) fn united(arrays: &[ArrayRef]) -> Result<Option<ArrayRef>, ArrowError> {
    let Some(to) = arrays.iter().map(open_type).reduce(OpenType::unite) else { return Ok(None) };
    let mut united: Option<ArrayRef> = None;
    for array in arrays {
        let wide: ArrayRef = match (array.data_type(), to.data_type()) {
            (from, to) if *from == to => Arc::clone(array),
            (_, DataType::Float64) => cast(array, &DataType::Float64)?,
            _ => Arc::new(texts(array)?),
        };
        united = Some(match united {
            Some(earlier) => over(&wide, &earlier)?,
            None => wide,
        });
    }
    Ok(united)
}

fn open_type(array: &ArrayRef) -> OpenType {
    match array.data_type() {
        DataType::Boolean => OpenType::Boolean,
        DataType::Int64 => {
            let values = array.as_primitive::<Int64Type>();
            values.iter().flatten().map(integer_type).reduce(OpenType::unite).unwrap_or(OpenType::Int64)
        }
        DataType::Float64 => OpenType::Float64,
        _ => OpenType::Utf8,
    }
}

/// The entry of a map that each row takes, if any, as `take` wants it.
pub(super) fn indices(of_rows: Vec<Option<usize>>) -> UInt64Array {
    of_rows.into_iter().map(|entry| entry.map(|entry| entry as u64)).collect()
}
