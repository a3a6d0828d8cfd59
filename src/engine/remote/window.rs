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
mod tests {
    use datafusion::logical_expr::{cast, col, lit};
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_800_000_000_000_000_000;

    fn start() -> Expr {
        Expr::Column(datafusion::common::Column::new(Some("arize.p"), START_TIME))
    }

    fn at(time: i64) -> Expr {
        lit(ScalarValue::TimestampNanosecond(Some(time), Some("UTC".into())))
    }

    fn window(filters: &[Expr]) -> Option<(i64, i64, Start)> {
        Bounds::of(filters).window(NOW).map(|chosen| (chosen.window.start, chosen.window.end, chosen.start))
    }

    #[test]
    fn conjunctions_narrow_and_disjunctions_widen() {
        let days = DEFAULT_DAYS * DAY as i64;
        for (filters, expected) in [
            (vec![], Some((NOW - days, NOW, Start::BeforeNow))),
            (vec![col("name").eq(lit("x"))], Some((NOW - days, NOW, Start::BeforeNow))),
            (vec![start().gt_eq(at(5))], Some((5, NOW, Start::Asked))),
            (vec![start().gt(at(5)), start().lt(at(9))], Some((6, 9, Start::Asked))),
            (vec![start().lt_eq(at(9)).and(at(5).lt_eq(start()))], Some((5, 10, Start::Asked))),
            (vec![start().eq(at(5))], Some((5, 6, Start::Asked))),
            (vec![start().between(at(5), at(7))], Some((5, 8, Start::Asked))),
            (vec![start().in_list(vec![at(9), at(5)], false)], Some((5, 10, Start::Asked))),
            (vec![start().lt(at(days))], Some((0, days, Start::BeforeEnd))),
            (vec![start().eq(at(5)).or(start().eq(at(50)))], Some((5, 51, Start::Asked))),
            (vec![start().eq(at(5)).or(col("name").eq(lit("x")))], Some((NOW - days, NOW, Start::BeforeNow))),
            (vec![start().gt(at(5)), start().lt(at(5))], None),
            (vec![start().eq(lit(ScalarValue::TimestampNanosecond(None, None)))], None),
            (vec![start().gt(at(i64::MAX))], None),
            (vec![start().gt(at(NOW))], None),
            (vec![start().gt_eq(at(5)).and(start().eq(at(1)).or(start().eq(at(7))))], Some((5, 8, Start::Asked))),
        ] {
            assert_eq!(window(&filters), expected, "{filters:?}");
        }
    }

    #[test]
    fn coarser_units_are_read() {
        let date = || cast(start(), DataType::Date32);
        let day = DAY as i64;
        assert_eq!(window(&[date().eq(lit(ScalarValue::Date32(Some(3))))]), Some((3 * day, 4 * day, Start::Asked)));
        assert_eq!(window(&[date().gt(lit(ScalarValue::Date32(Some(3))))]), Some((4 * day, NOW, Start::Asked)));
        let second = || cast(start(), DataType::Timestamp(TimeUnit::Second, None));
        let at = |count| lit(ScalarValue::TimestampSecond(Some(count), None));
        assert_eq!(window(&[second().lt(at(8)), second().gt_eq(at(7))]).map(|w| (w.0, w.1)), {
            Some((7 * NANOS as i64, 8 * NANOS as i64))
        });
        // Another type than the column's is not compared by this reading.
        assert_eq!(Bounds::of(&[start().gt(at(7))]), Bounds::ALL);
    }

    /// A filter over the start time that can be evaluated by hand.
    #[derive(Debug, Clone)]
    enum Node {
        Compare { operator: Operator, value: i64, flipped: bool, unit: Option<DataType> },
        Between(i64, i64, bool),
        In(Vec<i64>, bool),
        Unknown(bool),
        And(Box<Node>, Box<Node>),
        Or(Box<Node>, Box<Node>),
        Not(Box<Node>),
    }

    /// A time as the engine casts it.
    fn in_unit(time: i64, unit: &DataType) -> i64 {
        match unit {
            DataType::Date32 => time.div_euclid(DAY as i64),
            other => time / unit_of(other).unwrap() as i64,
        }
    }

    impl Node {
        fn passes(&self, time: i64) -> bool {
            match self {
                Self::Compare { operator, value, flipped, unit } => {
                    let (time, value) = match unit {
                        Some(unit) => (in_unit(time, unit), in_unit(*value, unit)),
                        None => (time, *value),
                    };
                    let (a, b) = if *flipped { (value, time) } else { (time, value) };
                    match operator {
                        Operator::Lt => a < b,
                        Operator::LtEq => a <= b,
                        Operator::Gt => a > b,
                        Operator::GtEq => a >= b,
                        Operator::Eq => a == b,
                        _ => a != b,
                    }
                }
                Self::Between(low, high, negated) => (*low..=*high).contains(&time) != *negated,
                Self::In(list, negated) => list.contains(&time) != *negated,
                Self::Unknown(value) => *value,
                Self::And(a, b) => a.passes(time) && b.passes(time),
                Self::Or(a, b) => a.passes(time) || b.passes(time),
                Self::Not(a) => !a.passes(time),
            }
        }

        fn expr(&self) -> Expr {
            match self {
                Self::Compare { operator, value, flipped, unit } => {
                    let (time, value) = match unit {
                        Some(unit @ DataType::Date32) => {
                            let days = in_unit(*value, unit) as i32;
                            (cast(start(), unit.clone()), lit(ScalarValue::Date32(Some(days))))
                        }
                        Some(unit) => {
                            let value = ScalarValue::TimestampSecond(Some(in_unit(*value, unit)), None);
                            (cast(start(), unit.clone()), lit(value))
                        }
                        None => (start(), at(*value)),
                    };
                    let (left, right) = if *flipped { (value, time) } else { (time, value) };
                    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), *operator, Box::new(right)))
                }
                Self::Between(low, high, false) => start().between(at(*low), at(*high)),
                Self::Between(low, high, true) => start().not_between(at(*low), at(*high)),
                Self::In(list, negated) => start().in_list(list.iter().map(|time| at(*time)).collect(), *negated),
                Self::Unknown(value) => col("flag").eq(lit(*value)),
                Self::And(a, b) => a.expr().and(b.expr()),
                Self::Or(a, b) => a.expr().or(b.expr()),
                Self::Not(a) => Expr::Not(Box::new(a.expr())),
            }
        }
    }

    fn times() -> impl Strategy<Value = i64> {
        let near = -3 * DAY as i64..3 * DAY as i64;
        prop_oneof![4 => -5i64..5, 4 => near.clone(), 2 => near.prop_map(|t| t / NANOS as i64 * NANOS as i64),
            1 => any::<i64>(), 1 => Just(i64::MIN), 1 => Just(i64::MAX)]
    }

    fn nodes() -> impl Strategy<Value = Node> {
        let operator = prop::sample::select(vec![
            Operator::Lt,
            Operator::LtEq,
            Operator::Gt,
            Operator::GtEq,
            Operator::Eq,
            Operator::NotEq,
        ]);
        let unit = prop::sample::select(vec![
            None,
            None,
            Some(DataType::Date32),
            Some(DataType::Timestamp(TimeUnit::Second, None)),
        ]);
        let leaf = prop_oneof![
            8 => (operator, times(), any::<bool>(), unit)
                .prop_map(|(operator, value, flipped, unit)| Node::Compare { operator, value, flipped, unit }),
            2 => (times(), times(), any::<bool>()).prop_map(|(a, b, negated)| Node::Between(a, b, negated)),
            2 => (prop::collection::vec(times(), 1..4), any::<bool>()).prop_map(|(list, not)| Node::In(list, not)),
            1 => any::<bool>().prop_map(Node::Unknown),
        ];
        leaf.prop_recursive(4, 24, 2, |inner| {
            let two = || (inner.clone().prop_map(Box::new), inner.clone().prop_map(Box::new));
            prop_oneof![
                3 => two().prop_map(|(a, b)| Node::And(a, b)),
                3 => two().prop_map(|(a, b)| Node::Or(a, b)),
                1 => inner.prop_map(|a| Node::Not(Box::new(a))),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn what_passes_lies_inside(nodes in prop::collection::vec(nodes(), 1..3), times in prop::collection::vec(times(), 40)) {
            let filters: Vec<Expr> = nodes.iter().map(Node::expr).collect();
            let bounds = Bounds::of(&filters);
            for time in times {
                let inside = (bounds.first..=bounds.last).contains(&i128::from(time));
                prop_assert!(inside || !nodes.iter().all(|node| node.passes(time)), "{time} passes {nodes:?}, outside {bounds:?}");
            }
        }

        /// The window itself loses only what is before the default beginning or not yet there.
        #[test]
        fn windows_hold_their_bounds(first: i64, last: i64, now: i64) {
            let bounds = Bounds { first: first.into(), last: last.into() };
            let chosen = bounds.window(now);
            if first > last {
                prop_assert_eq!(chosen, None);
            } else if first > i64::MIN && last < i64::MAX {
                prop_assert_eq!(chosen, Some(Chosen { window: Window { start: first, end: last + 1 }, start: Start::Asked }));
            }
        }
    }
}
