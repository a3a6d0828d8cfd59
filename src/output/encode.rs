//! Cells of Arrow columns as text.
//!
//! The type of a column is looked at once per batch: each column becomes a closure that appends one cell.

use std::fmt::Write as _;
use std::ops::Range;

use arrow::array::{Array, ArrayAccessor, ArrowNativeTypeOp, ArrowPrimitiveType, AsArray, PrimitiveArray, types as t};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{ArrowNativeType, DataType, TimeUnit};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono_tz::Tz;
use serde::Serialize;

use super::json_text::push_string;
use super::time;

/// How cells are to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// JSON values.
    Json,
    /// Bare text for machines: JSON without the quotes around scalars; NaN and infinities in words.
    Plain,
    /// Bare text for people: timestamps in a zone, trimmed.
    Human(Tz),
}

type WriteCell<'a> = Box<dyn Fn(usize, &mut Vec<u8>) + 'a>;

/// Appends the cells of one column of one batch.
pub(super) struct Encoder<'a> {
    nulls: Option<NullBuffer>,
    write: WriteCell<'a>,
}

impl<'a> Encoder<'a> {
    /// Prepares a column.
    ///
    /// Lists, structs and maps are JSON in every style. Binary is lower-case hexadecimal text. Types without a form of
    /// their own (dates, times, durations and intervals in ISO style, unions) are text as Arrow displays them.
    pub(super) fn new(array: &'a dyn Array, style: Style) -> Result<Self, ArrowError> {
        Ok(Self { nulls: array.logical_nulls(), write: cell_writer(array, style)? })
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    /// Appends a cell that is not null.
    pub(super) fn value(&self, row: usize, out: &mut Vec<u8>) {
        (self.write)(row, out);
    }

    /// Appends a cell, `null` if it is null.
    pub(super) fn value_or_null(&self, row: usize, out: &mut Vec<u8>) {
        if self.is_null(row) {
            out.extend_from_slice(b"null");
        } else {
            self.value(row, out);
        }
    }
}

/// Whether cells of this type are numbers: right-aligned, and never mistaken for a formula.
pub fn is_number(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => is_number(value),
        other => other.is_numeric(),
    }
}

fn cell_writer<'a>(array: &'a dyn Array, style: Style) -> Result<WriteCell<'a>, ArrowError> {
    Ok(match array.data_type() {
        DataType::Null => Box::new(|_, out| out.extend_from_slice(b"null")),
        DataType::Boolean => {
            let array = array.as_boolean();
            Box::new(move |row, out| out.extend_from_slice(if array.value(row) { b"true" } else { b"false" }))
        }
        DataType::Int8 => integers::<t::Int8Type>(array),
        DataType::Int16 => integers::<t::Int16Type>(array),
        DataType::Int32 => integers::<t::Int32Type>(array),
        DataType::Int64 => integers::<t::Int64Type>(array),
        DataType::UInt8 => integers::<t::UInt8Type>(array),
        DataType::UInt16 => integers::<t::UInt16Type>(array),
        DataType::UInt32 => integers::<t::UInt32Type>(array),
        DataType::UInt64 => integers::<t::UInt64Type>(array),
        DataType::Float16 => {
            let array = array.as_primitive::<t::Float16Type>();
            Box::new(move |row, out| float(array.value(row).to_f32(), array.value(row).to_f64(), style, out))
        }
        DataType::Float32 => {
            let array = array.as_primitive::<t::Float32Type>();
            Box::new(move |row, out| float(array.value(row), f64::from(array.value(row)), style, out))
        }
        DataType::Float64 => {
            let array = array.as_primitive::<t::Float64Type>();
            Box::new(move |row, out| float(array.value(row), array.value(row), style, out))
        }
        DataType::Decimal32(..) => decimals(array.as_primitive::<t::Decimal32Type>()),
        DataType::Decimal64(..) => decimals(array.as_primitive::<t::Decimal64Type>()),
        DataType::Decimal128(..) => decimals(array.as_primitive::<t::Decimal128Type>()),
        DataType::Decimal256(..) => decimals(array.as_primitive::<t::Decimal256Type>()),
        DataType::Utf8 => strings(array.as_string::<i32>(), style),
        DataType::LargeUtf8 => strings(array.as_string::<i64>(), style),
        DataType::Utf8View => strings(array.as_string_view(), style),
        DataType::Binary => hexadecimal(array.as_binary::<i32>(), style),
        DataType::LargeBinary => hexadecimal(array.as_binary::<i64>(), style),
        DataType::BinaryView => hexadecimal(array.as_binary_view(), style),
        DataType::FixedSizeBinary(_) => hexadecimal(array.as_fixed_size_binary(), style),
        DataType::Timestamp(unit, _) => match unit {
            TimeUnit::Second => timestamps(array.as_primitive::<t::TimestampSecondType>(), *unit, style),
            TimeUnit::Millisecond => timestamps(array.as_primitive::<t::TimestampMillisecondType>(), *unit, style),
            TimeUnit::Microsecond => timestamps(array.as_primitive::<t::TimestampMicrosecondType>(), *unit, style),
            TimeUnit::Nanosecond => timestamps(array.as_primitive::<t::TimestampNanosecondType>(), *unit, style),
        },
        DataType::List(_) => offset_lists::<i32>(array)?,
        DataType::LargeList(_) => offset_lists::<i64>(array)?,
        DataType::ListView(_) => view_lists::<i32>(array)?,
        DataType::LargeListView(_) => view_lists::<i64>(array)?,
        DataType::FixedSizeList(_, _) => {
            let array = array.as_fixed_size_list();
            let size = usize::try_from(array.value_length()).unwrap_or_default();
            lists(array.values().as_ref(), move |row| {
                let start = usize::try_from(array.value_offset(row)).unwrap_or_default();
                start..start + size
            })?
        }
        DataType::Struct(_) => structs(array)?,
        DataType::Map(..) => maps(array)?,
        DataType::Dictionary(..) => dictionary(array, style)?,
        _ => displayed(array, style)?,
    })
}

fn integers<T: ArrowPrimitiveType>(array: &dyn Array) -> WriteCell<'_>
where
    T::Native: Serialize,
{
    let values = array.as_primitive::<T>().values();
    Box::new(move |row, out| number(&values[row], out))
}

/// Appends a number as serde_json prints it: integers exactly, floats in the shortest form that reads back the same.
fn number<N: Serialize>(value: &N, out: &mut Vec<u8>) {
    // Writing a number into a vector cannot fail.
    serde_json::to_writer(out, value).ok();
}

fn float<N: Serialize>(value: N, wide: f64, style: Style, out: &mut Vec<u8>) {
    let word: &[u8] = if wide.is_finite() {
        return number(&value, out);
    } else if style == Style::Json {
        b"null"
    } else if wide.is_nan() {
        b"NaN"
    } else if wide > 0.0 {
        b"inf"
    } else {
        b"-inf"
    };
    out.extend_from_slice(word);
}

fn decimals<T: t::DecimalType>(array: &PrimitiveArray<T>) -> WriteCell<'_> {
    let below_one = array.scale() >= 0;
    Box::new(move |row, out| {
        // Arrow fills the places of a negative scale with zeros, behind a zero too: `000` is no number in JSON.
        if below_one || !array.value(row).is_zero() {
            out.extend_from_slice(array.value_as_string(row).as_bytes());
        } else {
            out.push(b'0');
        }
    })
}

fn strings<'a, A: ArrayAccessor<Item = &'a str> + 'a>(array: A, style: Style) -> WriteCell<'a> {
    match style {
        Style::Json => Box::new(move |row, out| push_string(array.value(row), out)),
        Style::Plain | Style::Human(_) => Box::new(move |row, out| out.extend_from_slice(array.value(row).as_bytes())),
    }
}

/// Wraps text that needs no escaping in quotes where the style wants them.
fn quoted<'a>(style: Style, text: impl Fn(usize, &mut Vec<u8>) + 'a) -> WriteCell<'a> {
    match style {
        Style::Json => Box::new(move |row, out| {
            out.push(b'"');
            text(row, out);
            out.push(b'"');
        }),
        Style::Plain | Style::Human(_) => Box::new(text),
    }
}

fn hexadecimal<'a, A: ArrayAccessor<Item = &'a [u8]> + 'a>(array: A, style: Style) -> WriteCell<'a> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    quoted(style, move |row, out| {
        for byte in array.value(row) {
            out.push(DIGITS[usize::from(byte >> 4)]);
            out.push(DIGITS[usize::from(byte & 15)]);
        }
    })
}

fn timestamps<T: ArrowPrimitiveType<Native = i64>>(
    array: &PrimitiveArray<T>,
    unit: TimeUnit,
    style: Style,
) -> WriteCell<'_> {
    let values = array.values();
    match style {
        Style::Human(zone) => Box::new(move |row, out| time::write_zoned(values[row], unit, zone, out)),
        Style::Json | Style::Plain => quoted(style, move |row, out| time::write_utc(values[row], unit, out)),
    }
}

fn offset_lists<O: arrow::array::OffsetSizeTrait>(array: &dyn Array) -> Result<WriteCell<'_>, ArrowError> {
    let array = array.as_list::<O>();
    let offsets = array.value_offsets();
    lists(array.values().as_ref(), move |row| offsets[row].as_usize()..offsets[row + 1].as_usize())
}

fn view_lists<O: arrow::array::OffsetSizeTrait>(array: &dyn Array) -> Result<WriteCell<'_>, ArrowError> {
    let array = array.as_list_view::<O>();
    lists(array.values().as_ref(), move |row| {
        let start = array.value_offset(row).as_usize();
        start..start + array.value_size(row).as_usize()
    })
}

fn lists<'a>(values: &'a dyn Array, range: impl Fn(usize) -> Range<usize> + 'a) -> Result<WriteCell<'a>, ArrowError> {
    let values = Encoder::new(values, Style::Json)?;
    Ok(Box::new(move |row, out| {
        out.push(b'[');
        for (at, item) in range(row).enumerate() {
            if at > 0 {
                out.push(b',');
            }
            values.value_or_null(item, out);
        }
        out.push(b']');
    }))
}

fn structs(array: &dyn Array) -> Result<WriteCell<'_>, ArrowError> {
    let array = array.as_struct();
    let mut members = Vec::with_capacity(array.num_columns());
    for (field, column) in array.fields().iter().zip(array.columns()) {
        let mut key = Vec::new();
        push_string(field.name(), &mut key);
        key.push(b':');
        members.push((key, Encoder::new(column.as_ref(), Style::Json)?));
    }
    Ok(Box::new(move |row, out| {
        out.push(b'{');
        for (at, (key, member)) in members.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(key);
            member.value_or_null(row, out);
        }
        out.push(b'}');
    }))
}

fn maps(array: &dyn Array) -> Result<WriteCell<'_>, ArrowError> {
    let array = array.as_map();
    let offsets = array.value_offsets();
    let keys = Encoder::new(array.keys().as_ref(), Style::Plain)?;
    let values = Encoder::new(array.values().as_ref(), Style::Json)?;
    Ok(Box::new(move |row, out| {
        let range = offsets[row].as_usize()..offsets[row + 1].as_usize();
        out.push(b'{');
        let mut key = Vec::new();
        for (at, item) in range.enumerate() {
            if at > 0 {
                out.push(b',');
            }
            // Keys of a JSON object are text, whatever they are in the map.
            key.clear();
            keys.value_or_null(item, &mut key);
            push_string(&String::from_utf8_lossy(&key), out);
            out.push(b':');
            values.value_or_null(item, out);
        }
        out.push(b'}');
    }))
}

fn dictionary(array: &dyn Array, style: Style) -> Result<WriteCell<'_>, ArrowError> {
    let array = array.as_any_dictionary();
    let values = Encoder::new(array.values().as_ref(), style)?;
    // Without values every cell is null, and there is nothing that keys could be clamped to.
    let keys = if array.values().is_empty() { Vec::new() } else { array.normalized_keys() };
    Ok(Box::new(move |row, out| values.value(keys[row], out)))
}

fn displayed(array: &dyn Array, style: Style) -> Result<WriteCell<'_>, ArrowError> {
    let options = FormatOptions::new();
    let formatter = ArrayFormatter::try_new(array, &options)?;
    Ok(Box::new(move |row, out| {
        let mut text = String::new();
        // Writing into a string cannot fail, and values that cannot be displayed say so themselves.
        _ = write!(text, "{}", formatter.value(row));
        match style {
            Style::Json => push_string(&text, out),
            Style::Plain | Style::Human(_) => out.extend_from_slice(text.as_bytes()),
        }
    }))
}
