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
