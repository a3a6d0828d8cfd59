//! What a call makes, from its arguments alone.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type, IntervalMonthDayNanoType, IntervalUnit};
use datafusion::logical_expr::ColumnarValue;

/// Steps that a call may take for a row.
pub(super) const MOST_STEPS: u64 = 1_000_000_000;

/// How the size of a result follows from the arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Size {
    /// A text so many times.
    Repeated,
    /// Text filled up to so many characters.
    Padded,
    /// Each occurrence replaced by a text.
    Replaced,
    /// The same, of a pattern, with groups put in.
    RegexReplaced,
    /// All texts behind each other.
    Concatenated,
    /// The same, with the first between them.
    Separated,
    /// A value so many times.
    RepeatedList,
    /// A list filled up to so many elements.
    ResizedList,
    /// The numbers or times between two.
    Series,
    /// The elements of a list with a text between them.
    JoinedList,
    /// Steps, not bytes: a text compared with another.
    Steps,
    /// About what is given.
    Given,
}

/// The functions that are bounded.
pub(super) const ALL: &[(&str, Size)] = &[
    ("repeat", Size::Repeated),
    ("lpad", Size::Padded),
    ("rpad", Size::Padded),
    ("replace", Size::Replaced),
    ("regexp_replace", Size::RegexReplaced),
    ("concat", Size::Concatenated),
    ("concat_ws", Size::Separated),
    ("array_repeat", Size::RepeatedList),
    ("array_resize", Size::ResizedList),
    ("range", Size::Series),
    ("generate_series", Size::Series),
    ("array_to_string", Size::JoinedList),
    ("levenshtein", Size::Steps),
    ("overlay", Size::Given),
    ("translate", Size::Given),
    ("upper", Size::Given),
    ("lower", Size::Given),
    ("initcap", Size::Given),
    ("encode", Size::Given),
];

/// What a call makes, in bytes.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// Beyond what the arguments hold.
    pub(super) added: u128,
    /// What the arguments hold that goes into it.
    given: u128,
    rows: Vec<u128>,
}

impl Made {
    pub(super) fn all(&self) -> u128 {
        self.added.saturating_add(self.given)
    }

    /// What is made for the row for which most is made.
    pub(super) fn largest(&self) -> u128 {
        self.rows.iter().copied().max().unwrap_or_default()
    }

    /// How many rows from one on make no more than a limit together; at least one.
    pub(super) fn rows_within(&self, from: usize, limit: u64) -> usize {
        let mut sum = 0_u128;
        let rows = self.rows[from.min(self.rows.len())..].iter();
        let within = rows.take_while(|bytes| {
            sum = sum.saturating_add(**bytes);
            sum <= u128::from(limit)
        });
        within.count().max(1)
    }
}

impl Size {
    /// Whether a call makes exactly that, and not perhaps less.
    pub(super) fn is_exact(self) -> bool {
        !matches!(self, Self::Replaced | Self::RegexReplaced | Self::Given)
    }

    pub(super) fn of_call(self, args: &[ColumnarValue], rows: usize) -> Made {
        let given: u128 = args.iter().map(held).sum();
        let arg = |at: usize| args.get(at);
        let texts = |at: usize| arg(at).map(text).unwrap_or_default();
        let numbers = |at: usize| arg(at).map(number).unwrap_or_default();
        let per_row: Box<dyn Fn(usize) -> u128> = match self {
            Self::Repeated => {
                let (of, times) = (texts(0), numbers(1));
                Box::new(move |row| of.at(row) * positive(times.at(row)))
            }
            Self::Padded => {
                let (to, fill) = (numbers(1), arg(2).map_or(1, widest));
                Box::new(move |row| positive(to.at(row)) * fill)
            }
            Self::Replaced => {
                let (of, from, to) = (texts(0), texts(1), texts(2));
                Box::new(move |row| (of.at(row) / from.at(row).max(1) + 1) * to.at(row))
            }
            Self::RegexReplaced => {
                let (of, to) = (texts(0), texts(2));
                // A reference to a group has two characters at least, and gives a part of the text.
                Box::new(move |row| (of.at(row) + 1) * to.at(row) + to.at(row) / 2 * of.at(row))
            }
            Self::Concatenated | Self::Given => {
                let added = args.iter().map(constant).sum::<u128>() * rows as u128;
                return Made { added, given, rows: vec![added] };
            }
            Self::Separated => {
                let Some((separator, texts)) = args.split_first() else { return Made::default() };
                let gaps = texts.len().saturating_sub(1) as u128;
                let per_row = texts.iter().map(constant).sum::<u128>() + constant(separator) * gaps;
                let added = per_row * rows as u128;
                let given = texts.iter().map(held).sum::<u128>() + held(separator) * gaps;
                return Made { added, given, rows: vec![added] };
            }
            Self::RepeatedList => {
                let (bytes, times) = (arg(0).map_or(0, |of| element(of, rows)), numbers(1));
                Box::new(move |row| positive(times.at(row)) * bytes)
            }
            Self::ResizedList => {
                let bytes = arg(2).map_or(8, |fill| element(fill, rows)).max(8);
                let to = numbers(1);
                Box::new(move |row| positive(to.at(row)) * bytes)
            }
            Self::Series => {
                let series = Series::of(args);
                Box::new(move |row| series.count(row) * 8)
            }
            Self::JoinedList => {
                let (lists, between) = (arg(0).map(elements).unwrap_or_default(), texts(1));
                let null = texts(2);
                Box::new(move |row| lists.at(row) * (between.at(row) + null.at(row)))
            }
            Self::Steps => {
                let (left, right) = (texts(0), texts(1));
                Box::new(move |row| left.at(row) * right.at(row))
            }
        };
        let scalar = args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows: Vec<u128> = (0..if scalar { 1 } else { rows }).map(per_row).collect();
        Made { added: rows.iter().fold(0, |sum, bytes| sum.saturating_add(*bytes)), given, rows }
    }
}

/// Makes negative lengths of a column 0, as they are for constants: DataFusion takes them for huge ones.
pub(super) fn no_less_than_none(lengths: &mut ColumnarValue) {
    if let ColumnarValue::Array(array) = lengths
        && array.data_type() == &DataType::Int64
    {
        let from_none = array.as_primitive::<Int64Type>().unary::<_, Int64Type>(|length| length.max(0));
        *array = Arc::new(from_none);
    }
}

fn positive(number: Option<i64>) -> u128 {
    number.and_then(|number| u128::try_from(number).ok()).unwrap_or_default()
}

/// A number for every row, or one for all of them.
#[derive(Debug)]
enum Numbers {
    One(Option<i64>),
    Each(ArrayRef),
}

impl Default for Numbers {
    fn default() -> Self {
        Self::One(None)
    }
}

impl Numbers {
    fn at(&self, row: usize) -> Option<i64> {
        match self {
            Self::One(number) => *number,
            Self::Each(array) => {
                let numbers = array.as_primitive::<Int64Type>();
                (row < numbers.len() && numbers.is_valid(row)).then(|| numbers.value(row))
            }
        }
    }
}

fn number(arg: &ColumnarValue) -> Numbers {
    let as_numbers = |array: &ArrayRef| cast(array, &DataType::Int64).ok();
    match arg {
        ColumnarValue::Array(array) => as_numbers(array).map(Numbers::Each).unwrap_or_default(),
        ColumnarValue::Scalar(value) => {
            let one = value.to_array().ok().and_then(|array| as_numbers(&array));
            Numbers::One(one.and_then(|array| Numbers::Each(array).at(0)))
        }
    }
}

/// Lengths for every row, or one for all of them.
#[derive(Debug)]
enum Lengths {
    One(u128),
    Each(Vec<u32>),
}

impl Default for Lengths {
    fn default() -> Self {
        Self::One(0)
    }
}

impl Lengths {
    fn at(&self, row: usize) -> u128 {
        match self {
            Self::One(length) => *length,
            Self::Each(lengths) => lengths.get(row).copied().unwrap_or_default().into(),
        }
    }
}

/// The lengths of texts in bytes; nothing for what is no text.
fn text(arg: &ColumnarValue) -> Lengths {
    match arg {
        ColumnarValue::Scalar(value) => Lengths::One(value.try_as_str().flatten().map_or(0, |text| text.len() as u128)),
        ColumnarValue::Array(array) => {
            let of = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
            Lengths::Each(match array.data_type() {
                DataType::Utf8 => {
                    array.as_string::<i32>().iter().map(|text| of(text.unwrap_or_default().len())).collect()
                }
                DataType::LargeUtf8 => {
                    array.as_string::<i64>().iter().map(|text| of(text.unwrap_or_default().len())).collect()
                }
                DataType::Utf8View => {
                    array.as_string_view().iter().map(|text| of(text.unwrap_or_default().len())).collect()
                }
                _ => vec![],
            })
        }
    }
}

/// The numbers of elements of lists.
fn elements(arg: &ColumnarValue) -> Lengths {
    let of = |array: &ArrayRef| match array.data_type() {
        DataType::List(_) => Some(array.as_list::<i32>().offsets().lengths().map(|n| n as u32).collect()),
        DataType::LargeList(_) => Some(array.as_list::<i64>().offsets().lengths().map(|n| n as u32).collect()),
        DataType::FixedSizeList(_, size) => Some(vec![u32::try_from(*size).unwrap_or_default(); array.len()]),
        _ => None,
    };
    match arg {
        ColumnarValue::Array(array) => Lengths::Each(of(array).unwrap_or_default()),
        ColumnarValue::Scalar(value) => {
            let lengths: Option<Vec<u32>> = value.to_array().ok().and_then(|array| of(&array));
            Lengths::One(lengths.and_then(|lengths| lengths.first().copied()).unwrap_or_default().into())
        }
    }
}

/// Bytes that a row takes as an element of a list, on average.
fn element(arg: &ColumnarValue, rows: usize) -> u128 {
    let bytes = match arg {
        ColumnarValue::Scalar(value) => value.size() as u128,
        ColumnarValue::Array(array) => array_bytes(array) / rows.max(1) as u128,
    };
    bytes.max(8)
}

/// The length of a text that is the same for all rows.
fn constant(arg: &ColumnarValue) -> u128 {
    match arg {
        ColumnarValue::Scalar(value) => value.try_as_str().flatten().map_or(0, |text| text.len() as u128),
        ColumnarValue::Array(_) => 0,
    }
}

/// Bytes that an argument holds for all rows.
fn held(arg: &ColumnarValue) -> u128 {
    match arg {
        ColumnarValue::Scalar(_) => 0,
        ColumnarValue::Array(array) => array_bytes(array),
    }
}

/// Bytes of the values of an array: of those in its buffers only, of which it may be a small slice.
fn array_bytes(array: &ArrayRef) -> u128 {
    match array.data_type() {
        DataType::Utf8View => array.as_string_view().iter().flatten().map(|text| text.len() as u128).sum(),
        _ => array.to_data().get_slice_memory_size().unwrap_or_else(|_| array.get_array_memory_size()) as u128,
    }
}

/// Bytes that a character of a text takes at most.
fn widest(arg: &ColumnarValue) -> u128 {
    let ascii = match arg {
        ColumnarValue::Scalar(value) => value.try_as_str().flatten().is_none_or(str::is_ascii),
        ColumnarValue::Array(_) => false,
    };
    if ascii { 1 } else { 4 }
}

/// The bounds and steps of series.
struct Series {
    start: Bound,
    stop: Bound,
    step: Step,
}

/// A number, or a time that counts so many nanoseconds.
struct Bound(Numbers, i128);

enum Step {
    Number(Numbers),
    /// Months, days and nanoseconds between times.
    Interval(ArrayRef),
}

impl Bound {
    fn of(arg: &ColumnarValue) -> Self {
        use datafusion::arrow::datatypes::TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
        let unit = match arg.data_type() {
            DataType::Date32 => 86_400_000_000_000,
            DataType::Date64 | DataType::Timestamp(Millisecond, _) => 1_000_000,
            DataType::Timestamp(Second, _) => 1_000_000_000,
            DataType::Timestamp(Microsecond, _) => 1_000,
            DataType::Timestamp(Nanosecond, _) => 1,
            _ => 1,
        };
        Self(number(arg), unit)
    }

    fn at(&self, row: usize) -> Option<i128> {
        self.0.at(row).map(|number| i128::from(number) * self.1)
    }
}

impl Series {
    fn of(args: &[ColumnarValue]) -> Self {
        let none = || Bound(Numbers::default(), 1);
        let bound = |at: usize| args.get(at).map_or_else(none, Bound::of);
        let (start, stop) =
            if args.len() == 1 { (Bound(Numbers::One(Some(0)), 1), bound(0)) } else { (bound(0), bound(1)) };
        let interval = args.get(2).filter(|step| matches!(step.data_type(), DataType::Interval(_)));
        let interval = interval.and_then(|step| {
            let steps = step.to_array(1).ok()?;
            cast(&steps, &DataType::Interval(IntervalUnit::MonthDayNano)).ok()
        });
        let step = match interval {
            Some(steps) => Step::Interval(steps),
            None => Step::Number(args.get(2).map_or(Numbers::One(Some(1)), number)),
        };
        Self { start, stop, step }
    }

    fn count(&self, row: usize) -> u128 {
        let (Some(start), Some(stop)) = (self.start.at(row), self.stop.at(row)) else { return 0 };
        let span = start.abs_diff(stop);
        match &self.step {
            Step::Number(step) => {
                let Some(step) = step.at(row) else { return 0 };
                if (stop > start) != (step > 0) {
                    return 1;
                }
                span.checked_div(step.unsigned_abs().into()).unwrap_or_default() + 1
            }
            Step::Interval(steps) => {
                let steps = steps.as_primitive::<IntervalMonthDayNanoType>();
                let at = if row < steps.len() { row } else { 0 };
                if steps.is_empty() || steps.is_null(at) {
                    return 0;
                }
                let step = steps.value(at);
                const DAY: u128 = 86_400_000_000_000;
                let nanoseconds = u128::from(step.nanoseconds.unsigned_abs())
                    + u128::from(step.days.unsigned_abs()) * DAY
                    + u128::from(step.months.unsigned_abs()) * 28 * DAY;
                span / nanoseconds.max(1) + 1
            }
        }
    }
}
