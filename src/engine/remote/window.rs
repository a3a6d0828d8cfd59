//! From filters to the window of start times that a remote is asked for.
//!
//! Translation answers "any time" for whatever it does not know: a window that is too wide costs time, one that is too
//! narrow loses rows. All filters are checked again on the rows that come.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::expr::{BinaryExpr, InList};
use datafusion::logical_expr::{Between, Cast, Expr, Operator, TryCast, lit};

use spanql_model::columns::START_TIME;
use spanql_sources::Window;

const NANOS: i128 = 1_000_000_000;
const DAY: i128 = 86_400 * NANOS;

/// How far a window reaches back where nothing says so.
const DEFAULT_DAYS: i64 = 30;

/// The start times that may pass some filters, both ends included, ns; none if the first is after the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    first: i128,
    last: i128,
}

/// A window, and whether its beginning is only a default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) window: Window,
    pub(super) start: Start,
}

/// Where a window's beginning comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// The filters.
    Asked,
    /// The default, counted back from now.
    BeforeNow,
    /// The default, counted back from the end that the filters give.
    BeforeEnd,
}

impl Bounds {
    const ALL: Self = Self { first: i64::MIN as i128, last: i64::MAX as i128 };
    const NONE: Self = Self { first: 1, last: 0 };

    /// The start times that can pass all of the filters.
    pub(super) fn of(filters: &[Expr]) -> Self {
        filters.iter().map(bounds).fold(Self::ALL, Self::and)
    }

    /// The start times in a window.
    pub(super) fn within(window: Window) -> Self {
        let bounds = Self { first: window.start.into(), last: i128::from(window.end) - 1 };
        if bounds.is_empty() { Self::NONE } else { bounds }
    }

    /// The same and the times before and after by so much.
    pub(super) fn widened(self, by: i64) -> Self {
        match self.is_empty() {
            true => Self::NONE,
            false => Self { first: self.first - i128::from(by), last: self.last + i128::from(by) }.and(Self::ALL),
        }
    }

    /// The window of just these times; `None` if there are none.
    pub(super) fn asked(self) -> Option<Window> {
        // Both lie within 64 bits.
        let window = Window { start: self.first as i64, end: (self.last as i64).saturating_add(1) };
        (!self.is_empty() && !window.is_empty()).then_some(window)
    }

    /// The same as conditions on the start time; none where it may be any time.
    pub(super) fn conditions(self) -> Vec<Expr> {
        let start = || Expr::Column(Column::new_unqualified(START_TIME));
        let at = |time: i128| lit(ScalarValue::TimestampNanosecond(Some(time as i64), Some("UTC".into())));
        if self.is_empty() {
            return vec![lit(false)];
        }
        let first = (self.first > Self::ALL.first).then(|| start().gt_eq(at(self.first)));
        let last = (self.last < Self::ALL.last).then(|| start().lt_eq(at(self.last)));
        first.into_iter().chain(last).collect()
    }

    fn is_empty(self) -> bool {
        self.first > self.last
    }

    pub(super) fn and(self, other: Self) -> Self {
        let both = Self { first: self.first.max(other.first), last: self.last.min(other.last) };
        if both.is_empty() { Self::NONE } else { both }
    }

    fn or(self, other: Self) -> Self {
        match (self.is_empty(), other.is_empty()) {
            (true, _) => other,
            (_, true) => self,
            _ => Self { first: self.first.min(other.first), last: self.last.max(other.last) },
        }
    }

    /// The window to ask for at the time `now` (ns); `None` if no span can pass.
    ///
    /// An open end is now; an open beginning is 30 days before the end.
    pub(super) fn window(self, now: i64) -> Option<Chosen> {
        if self.is_empty() {
            return None;
        }
        let open_end = self.last >= Self::ALL.last;
        // Both ends lie within 64 bits, and the last time before an end that does not is no span's.
        let end = if open_end { now } else { (self.last + 1) as i64 };
        let (start, from) = match (self.first <= Self::ALL.first, open_end) {
            (false, _) => (self.first as i64, Start::Asked),
            (true, open_end) => {
                let default = end.saturating_sub(DEFAULT_DAYS * DAY as i64);
                (default, if open_end { Start::BeforeNow } else { Start::BeforeEnd })
            }
        };
        let window = Window { start, end };
        (!window.is_empty()).then_some(Chosen { window, start: from })
    }
}

fn bounds(filter: &Expr) -> Bounds {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => bounds(left).and(bounds(right)),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => bounds(left).or(bounds(right)),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (unit(left), unit(right)) {
            (Some(unit), _) => compared(unit, *op, right),
            (_, Some(unit)) => op.swap().map_or(Bounds::ALL, |op| compared(unit, op, left)),
            _ => Bounds::ALL,
        },
        Expr::Between(Between { expr, negated: false, low, high }) => match unit(expr) {
            Some(unit) => compared(unit, Operator::GtEq, low).and(compared(unit, Operator::LtEq, high)),
            None => Bounds::ALL,
        },
        Expr::InList(InList { expr, list, negated: false }) => match unit(expr) {
            Some(unit) => list.iter().map(|item| compared(unit, Operator::Eq, item)).fold(Bounds::NONE, Bounds::or),
            None => Bounds::ALL,
        },
        Expr::Literal(ScalarValue::Boolean(Some(false) | None), _) => Bounds::NONE,
        _ => Bounds::ALL,
    }
}

/// How many nanoseconds one unit of an expression has that is the start time, or the start time in coarser units.
fn unit(expr: &Expr) -> Option<i128> {
    let is_start = |expr: &Expr| matches!(expr, Expr::Column(column) if column.name == START_TIME);
    match expr {
        Expr::Column(_) if is_start(expr) => Some(1),
        Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) if is_start(expr) => {
            unit_of(field.data_type())
        }
        _ => None,
    }
}

fn unit_of(data_type: &DataType) -> Option<i128> {
    match data_type {
        DataType::Timestamp(unit, _) => Some(nanos(*unit)),
        DataType::Date32 => Some(DAY),
        DataType::Date64 => Some(NANOS / 1_000),
        _ => None,
    }
}

fn nanos(unit: TimeUnit) -> i128 {
    match unit {
        TimeUnit::Second => NANOS,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}

/// The start times that compare so with a literal, where they are compared in units of so many nanoseconds.
fn compared(unit: i128, op: Operator, literal: &Expr) -> Bounds {
    let Expr::Literal(value, _) = literal else { return Bounds::ALL };
    if value.is_null() {
        // Unknown for every span, but for the comparisons that know null.
        let knows_null = matches!(op, Operator::IsDistinctFrom | Operator::IsNotDistinctFrom);
        return if knows_null { Bounds::ALL } else { Bounds::NONE };
    }
    let count = match value {
        ScalarValue::TimestampSecond(Some(count), _)
        | ScalarValue::TimestampMillisecond(Some(count), _)
        | ScalarValue::TimestampMicrosecond(Some(count), _)
        | ScalarValue::TimestampNanosecond(Some(count), _)
        | ScalarValue::Date64(Some(count)) => i128::from(*count),
        ScalarValue::Date32(Some(count)) => i128::from(*count),
        _ => return Bounds::ALL,
    };
    // Both sides have one type by now; where they do not, the comparison is not one this can read.
    if unit_of(&value.data_type()) != Some(unit) {
        return Bounds::ALL;
    }
    // Coarser units are cut off, for dates downwards, for times towards 1970: a count of them stands for any of the
    // times from its earliest to its latest.
    let earliest = |count: i128| if count > 0 { count * unit } else { count * unit - (unit - 1) };
    let latest = |count: i128| count * unit + (unit - 1);
    let from = |first: i128| Bounds { first, ..Bounds::ALL };
    let to = |last: i128| Bounds { last, ..Bounds::ALL };
    let raw = match op {
        Operator::Eq | Operator::IsNotDistinctFrom => from(earliest(count)).and(to(latest(count))),
        Operator::Gt => from(earliest(count + 1)),
        Operator::GtEq => from(earliest(count)),
        Operator::Lt => to(latest(count - 1)),
        Operator::LtEq => to(latest(count)),
        _ => Bounds::ALL,
    };
    raw.and(Bounds::ALL)
}

#[cfg(test)]
mod tests;
