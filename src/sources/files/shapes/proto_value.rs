//! Attributes of OTLP's protobuf as JSON text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use spanql_model::json::{MAX_DEPTH, write_string};

use super::wire::{Fields, NoMessage, Wire};

/// A value that has been found to be one, down to its depth.
#[derive(Debug, Clone, Copy)]
pub(in crate::files) struct AnyValue<'a>(&'a [u8]);

/// The key and the value of an attribute.
pub(in crate::files) fn pair(attribute: &[u8]) -> Result<(&str, AnyValue<'_>), NoMessage> {
    let (mut key, mut value) = ("", AnyValue(&[]));
    for field in Fields::new(attribute) {
        match field? {
            (1, Wire::Bytes(text)) => key = simdutf8::basic::from_utf8(text).map_err(|_| NoMessage)?,
            (2, Wire::Bytes(bytes)) => value = AnyValue(bytes),
            _ => {}
        }
    }
    check(value.0, MAX_DEPTH)?;
    Ok((key, value))
}

/// Looks at a value and at those in it: whether they are well formed, and not nested too deep.
fn check(value: &[u8], room: usize) -> Result<(), NoMessage> {
    let room = room.checked_sub(1).ok_or(NoMessage)?;
    for field in Fields::new(value) {
        match field? {
            (1, Wire::Bytes(text)) => {
                simdutf8::basic::from_utf8(text).map_err(|_| NoMessage)?;
            }
            (number @ (5 | 6), Wire::Bytes(list)) => {
                for element in Fields::new(list) {
                    match (number, element?) {
                        (5, (1, Wire::Bytes(element))) => check(element, room)?,
                        (6, (1, Wire::Bytes(attribute))) => {
                            for field in Fields::new(attribute) {
                                match field? {
                                    (1, Wire::Bytes(key)) => {
                                        simdutf8::basic::from_utf8(key).map_err(|_| NoMessage)?;
                                    }
                                    (2, Wire::Bytes(value)) => check(value, room)?,
                                    _ => {}
                                }
                            }
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Appends the value as JSON; nothing where it has none.
pub(super) fn write_any(value: AnyValue<'_>, out: &mut String) {
    // Of several values the last counts.
    match Fields::new(value.0).flatten().last() {
        Some((1, Wire::Bytes(text))) => write_string(&String::from_utf8_lossy(text), out),
        Some((2, Wire::Varint(flag))) => out.push_str(if flag != 0 { "true" } else { "false" }),
        Some((3, Wire::Varint(number))) => out.push_str(&(number as i64).to_string()),
        Some((4, Wire::Fixed64(bits))) => write_float(f64::from_bits(bits), out),
        Some((5, Wire::Bytes(list))) => {
            out.push('[');
            let elements = Fields::new(list).flatten().filter_map(|field| match field {
                (1, Wire::Bytes(element)) => Some(AnyValue(element)),
                _ => None,
            });
            for (at, element) in elements.enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_or_null(element, out);
            }
            out.push(']');
        }
        Some((6, Wire::Bytes(list))) => {
            let pairs = Fields::new(list).flatten().filter_map(|field| match field {
                (1, Wire::Bytes(attribute)) => bare_pair(attribute),
                _ => None,
            });
            write_pairs(&pairs.collect::<Vec<_>>(), out);
        }
        Some((7, Wire::Bytes(bytes))) => write_string(&STANDARD.encode(bytes), out),
        _ => {}
    }
}

/// A pair inside of a value that has been looked at.
fn bare_pair(attribute: &[u8]) -> Option<(&str, AnyValue<'_>)> {
    let (mut key, mut value) = ("", AnyValue(&[]));
    for field in Fields::new(attribute).flatten() {
        match field {
            (1, Wire::Bytes(text)) => key = simdutf8::basic::from_utf8(text).ok()?,
            (2, Wire::Bytes(bytes)) => value = AnyValue(bytes),
            _ => {}
        }
    }
    Some((key, value))
}

/// Appends pairs as an object.
pub(super) fn write_pairs(pairs: &[(&str, AnyValue<'_>)], out: &mut String) {
    out.push('{');
    for (at, (key, value)) in pairs.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write_string(key, out);
        out.push(':');
        write_or_null(*value, out);
    }
    out.push('}');
}

fn write_or_null(value: AnyValue<'_>, out: &mut String) {
    let before = out.len();
    write_any(value, out);
    if out.len() == before {
        out.push_str("null");
    }
}

/// A float in a form that reads back as the same, and as a float.
fn write_float(number: f64, out: &mut String) {
    match number {
        f64::INFINITY => out.push_str("Infinity"),
        f64::NEG_INFINITY => out.push_str("-Infinity"),
        number if number.is_nan() => out.push_str("NaN"),
        number => out.push_str(&format!("{number:?}")),
    }
}
