//! What changes of a value on its way in without making its row a bad one.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use arrow::util::display::array_value_to_string;

use super::canonical_builder::Rule;
use crate::json::{self, Scanner, Value};
use crate::time;

/// A change that a value went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// NaN or an infinity became null.
    NotFinite,
    /// A time lost digits behind its nanoseconds.
    TimeCut,
    /// One of several values of one key was left out.
    KeyTwice,
    /// A number has more digits than a 64-bit float keeps.
    DigitsLost,
}

impl Change {
    /// What becomes of so many values, for a summary: `2 times cut to nine digits`.
    pub fn counted(self, count: u64) -> String {
        let s = if count == 1 { "" } else { "s" };
        let became = if count == 1 { "it became" } else { "they became" };
        match self {
            Self::NotFinite => format!("{count} number{s} NaN or infinite: {became} null"),
            Self::TimeCut => format!("{count} time{s} cut to nine digits of a second"),
            Self::KeyTwice => format!("{count} key{s} given twice in one object: the last value counts"),
            Self::DigitsLost => format!("{count} number{s} with more digits than a 64-bit float keeps"),
        }
    }

    /// What is wrong with a value where nothing may change.
    pub(super) fn complaint(self) -> &'static str {
        match self {
            Self::NotFinite => "is not finite and would become null (--strict)",
            Self::TimeCut => "has more than nine digits of a second (--strict)",
            Self::KeyTwice => "is given twice in one object (--strict)",
            Self::DigitsLost => "has more digits than a 64-bit float keeps (--strict)",
        }
    }
}

/// Changes of a batch: each with its row and the column's name.
pub(super) type Changes = Vec<(usize, Change, String)>;

/// What a column of this rule, or an open one, would change of a value.
pub(super) fn of(rule: Option<Rule>, value: Value<'_>) -> Option<Change> {
    let text = match value {
        Value::Number(text) | Value::Text(text) => text.trim(),
        // Numbers and times have nothing to escape.
        Value::Escaped(body) if matches!(rule, Some(Rule::Json { .. })) && may_be_not_finite(body) => {
            return of(rule, Value::Text(&json::unescaped(body)));
        }
        Value::Nested(_) | Value::Escaped(_) | Value::Null | Value::Bool(_) => return None,
    };
    let number = matches!(value, Value::Number(_));
    match rule {
        Some(Rule::Time) if time::is_cut(text) => Some(Change::TimeCut),
        Some(Rule::Int) if text.parse::<i64>().is_ok() => None,
        Some(Rule::Float | Rule::Int) => of_number(text),
        Some(Rule::Json { .. }) if text.starts_with(['[', '{']) && may_be_not_finite(text) => {
            let mut scanner = Scanner::new(text);
            let whole = scanner.value(json::MAX_DEPTH).is_ok() && scanner.end().is_ok();
            (whole && scanner.nonfinite).then_some(Change::NotFinite)
        }
        // Integers that do not fit, and floats beyond all bounds, stay text in open columns.
        None if number && text.contains(['.', 'e', 'E']) => {
            of_number(text).filter(|change| *change == Change::DigitsLost)
        }
        _ => None,
    }
}

fn may_be_not_finite(text: &str) -> bool {
    text.contains("NaN") || text.contains("Infinity")
}

fn of_number(text: &str) -> Option<Change> {
    let is_short = text.len() <= 15 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-'));
    if is_short {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    if !number.is_finite() {
        return Some(Change::NotFinite);
    }
    (digits(text) != digits(&format!("{number:e}"))).then_some(Change::DigitsLost)
}

/// The significant digits of a number, which do not depend on how it is written.
fn digits(text: &str) -> String {
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    digits.trim_matches('0').to_owned()
}

/// The changes that an array of numbers, or of lists of them, goes through as Float64 or JSON.
pub(super) fn of_array(name: &str, array: &ArrayRef, changes: &mut Changes) {
    let data_type = array.data_type();
    let mut of_elements = |row: usize, elements: ArrayRef| {
        let mut inner = Changes::new();
        of_array(name, &elements, &mut inner);
        changes.extend(inner.into_iter().map(|(_, change, name)| (row, change, name)));
    };
    let rows = (0..array.len()).filter(|row| array.is_valid(*row));
    match data_type {
        DataType::List(item) if item.data_type().is_floating() => {
            rows.for_each(|row| of_elements(row, array.as_list::<i32>().value(row)));
        }
        DataType::LargeList(item) if item.data_type().is_floating() => {
            rows.for_each(|row| of_elements(row, array.as_list::<i64>().value(row)));
        }
        DataType::FixedSizeList(item, _) if item.data_type().is_floating() => {
            rows.for_each(|row| of_elements(row, array.as_fixed_size_list().value(row)));
        }
        _ => {}
    }
    if data_type.is_floating() {
        let Ok(floats) = cast(array, &DataType::Float64) else { return };
        let floats = floats.as_primitive::<Float64Type>();
        let lost = (0..floats.len()).filter(|row| floats.is_valid(*row) && !floats.value(*row).is_finite());
        changes.extend(lost.map(|row| (row, Change::NotFinite, name.to_owned())));
    } else if let DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) = data_type
        && *scale != 0
        && *precision > 15
    {
        for row in (0..array.len()).filter(|row| array.is_valid(*row)) {
            let change = array_value_to_string(array, row).ok().and_then(|text| of_number(&text));
            changes.extend(change.map(|change| (row, change, name.to_owned())));
        }
    }
}

/// Counts of changes, each with the first place where it happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeCounts {
    counts: BTreeMap<Change, (u64, String)>,
}

impl ChangeCounts {
    /// Adds a change; `place` says where it happened.
    pub fn add(&mut self, change: Change, place: impl FnOnce() -> String) {
        self.counts.entry(change).or_insert_with(|| (0, place())).0 += 1;
    }

    /// Adds later ones.
    pub fn extend(&mut self, later: &Self) {
        for (change, (count, place)) in &later.counts {
            self.counts.entry(*change).or_insert_with(|| (0, place.clone())).0 += count;
        }
    }

    /// Each change with its count and its first place.
    pub fn iter(&self) -> impl Iterator<Item = (Change, u64, &str)> {
        self.counts.iter().map(|(change, (count, place))| (*change, *count, place.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Decimal128Array, Float64Array, ListArray};
    use arrow::datatypes::Field;

    use super::*;

    #[test]
    fn numbers_that_change() {
        for (text, want) in [
            ("0.1", None),
            ("-12.50", None),
            ("100", None),
            ("1e3", None),
            ("0.30000000000000004", None),
            ("1.7976931348623157e308", None),
            ("9007199254740992", None),
            ("1234567890123456768", Some(Change::DigitsLost)),
            ("9007199254740993", Some(Change::DigitsLost)),
            ("9007199254740993.0", Some(Change::DigitsLost)),
            ("0.12345678901234567890", Some(Change::DigitsLost)),
            ("1e-400", Some(Change::DigitsLost)),
            ("1e400", Some(Change::NotFinite)),
            ("nan", Some(Change::NotFinite)),
            ("-inf", Some(Change::NotFinite)),
        ] {
            assert_eq!(of(Some(Rule::Float), Value::Text(text)), want, "{text}");
        }
        assert_eq!(of(Some(Rule::Int), Value::Text("9007199254740993")), None);
        assert_eq!(of(Some(Rule::Int), Value::Text("9007199254740993.0")), Some(Change::DigitsLost));
        assert_eq!(of(None, Value::Number("0.0015")), None);
        assert_eq!(of(None, Value::Number("0.12345678901234567890")), Some(Change::DigitsLost));
        assert_eq!(of(None, Value::Number("12345678901234567890")), None, "it stays text");
        assert_eq!(of(None, Value::Text("NaN")), None, "text stays text");
        assert_eq!(of(Some(Rule::Json { unwrap: true }), Value::Text("[NaN]")), Some(Change::NotFinite));
        assert_eq!(of(Some(Rule::Json { unwrap: true }), Value::Text("[\"NaN\"]")), None);
    }

    #[test]
    fn json_and_times_that_change() {
        let json = Some(Rule::Json { unwrap: true });
        for (value, want) in [
            (Value::Escaped(r#"{\"a\": NaN}"#), Some(Change::NotFinite)),
            (Value::Escaped(r#"{\"a\": \"NaN\"}"#), None),
            (Value::Text("NaN"), None),
            (Value::Text("[NaN] or so"), None),
        ] {
            assert_eq!(of(json, value), want, "{value:?}");
        }
        assert_eq!(of(Some(Rule::Time), Value::Text("2025-08-19T18:58:15.1234567891Z")), Some(Change::TimeCut));
        assert_eq!(of(Some(Rule::Time), Value::Text("2025-08-19T18:58:15.123456789Z")), None);
    }

    #[test]
    fn arrays_that_change() {
        let rows = |array: ArrayRef| {
            let mut changes = Changes::new();
            of_array("x", &array, &mut changes);
            changes.into_iter().map(|(row, change, _)| (row, change)).collect::<Vec<_>>()
        };
        let floats = vec![Some(1.0), Some(f64::NAN), None, Some(f64::INFINITY)];
        let lost = [(1, Change::NotFinite), (3, Change::NotFinite)];
        assert_eq!(rows(Arc::new(Float64Array::from(floats.clone()))), lost);
        let lists = floats.into_iter().map(|float| Some(vec![Some(0.5), float]));
        let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(lists));
        let item = Arc::new(Field::new_list_field(DataType::Float64, true));
        for to in [DataType::LargeList(Arc::clone(&item)), DataType::FixedSizeList(item, 2)] {
            assert_eq!(rows(cast(&lists, &to).unwrap()), lost, "{to}");
        }
        assert_eq!(rows(lists), lost);
        let decimals = |precision, scale| -> ArrayRef {
            let values = vec![Some(90_071_992_547_409_935), Some(25), None];
            Arc::new(Decimal128Array::from(values).with_precision_and_scale(precision, scale).unwrap())
        };
        assert_eq!(rows(decimals(17, 1)), [(0, Change::DigitsLost)]);
        assert_eq!(rows(decimals(17, 0)), [], "integers stay integers");
    }

    #[test]
    fn changes_are_counted_with_their_first_place() {
        let mut counts = ChangeCounts::default();
        counts.add(Change::TimeCut, || "line 1".to_owned());
        counts.add(Change::TimeCut, || "line 2".to_owned());
        let mut later = ChangeCounts::default();
        later.add(Change::TimeCut, || "line 3".to_owned());
        later.add(Change::NotFinite, || "line 4".to_owned());
        counts.extend(&later);
        counts.extend(&later);
        assert_eq!(
            counts.iter().collect::<Vec<_>>(),
            [(Change::NotFinite, 2, "line 4"), (Change::TimeCut, 4, "line 1")]
        );
        assert_eq!(Change::NotFinite.counted(1), "1 number NaN or infinite: it became null");
        assert_eq!(Change::NotFinite.counted(2), "2 numbers NaN or infinite: they became null");
    }
}
