//! Every chain over random forests gives what checking all tuples of spans one by one gives.

use std::time::Instant;

use arrow::array::AsArray;
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::Int32Type;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Asked, Chain, Matcher, Relation, Side};
use crate::properties::trace_of;
use crate::testing::naive::Naive;
use crate::testing::sample::{Sample, batch, table};
use crate::tree_columns_of;

const RELATIONS: [Relation; 5] =
    [Relation::Child, Relation::Descendant, Relation::Parent, Relation::Ancestor, Relation::Sibling];
const ASKED: [Asked; 4] =
    [Asked::Matches(Side::Left), Asked::Matches(Side::Right), Asked::Matches(Side::Both), Asked::Without];

fn is_related(naive: &Naive<'_>, relation: Relation, a: usize, b: usize) -> bool {
    match relation {
        Relation::Child => naive.parent(b) == Some(a),
        Relation::Descendant => naive.is_descendant(b, a),
        Relation::Parent => naive.parent(a) == Some(b),
        Relation::Ancestor => naive.is_descendant(a, b),
        Relation::Sibling => a != b && naive.parent(a).is_some() && naive.parent(a) == naive.parent(b),
    }
}

/// Tables of who is related to whom.
struct Pairs([Vec<Vec<bool>>; 5]);

impl Pairs {
    fn new(spans: &[Sample]) -> Self {
        let naive = Naive::new(spans);
        let n = spans.len();
        Self(
            RELATIONS
                .map(|relation| (0..n).map(|a| (0..n).map(|b| is_related(&naive, relation, a, b)).collect()).collect()),
        )
    }

    fn related(&self, relation: Relation, a: usize, b: usize) -> bool {
        self.0[relation as usize][a][b]
    }

    /// Of some spans, those with one of others to their right (or left).
    fn with(&self, relation: Relation, spans: &[bool], others: &[bool], to_the_right: bool) -> Vec<bool> {
        let related = |a: usize, b: usize| match to_the_right {
            true => self.related(relation, a, b),
            false => self.related(relation, b, a),
        };
        let n = spans.len();
        (0..n).map(|a| spans[a] && (0..n).any(|b| others[b] && related(a, b))).collect()
    }

    fn given(&self, chain: &Chain, sets: &[Vec<bool>]) -> Vec<bool> {
        let (relations, last) = (&chain.relations, sets.len() - 1);
        let led_to = |place: usize| {
            (0..place).fold(sets[0].clone(), |led, at| self.with(relations[at], &sets[at + 1], &led, false))
        };
        let beginning =
            || (0..last).rev().fold(sets[last].clone(), |going, at| self.with(relations[at], &sets[at], &going, true));
        match chain.asked {
            Asked::Matches(Side::Left) => beginning(),
            Asked::Matches(Side::Right) => led_to(last),
            Asked::Matches(Side::Both) => beginning().iter().zip(led_to(last)).map(|(a, b)| *a || b).collect(),
            Asked::Without if last == 0 => sets[0].clone(),
            Asked::Without => {
                let led = led_to(last - 1);
                let with = self.with(relations[last - 1], &led, &sets[last], true);
                led.iter().zip(with).map(|(led, with)| *led && !with).collect()
            }
        }
    }
}

fn found(spans: &[Sample], chain: &Chain, sets: &[Vec<bool>]) -> Vec<bool> {
    let tree = tree_columns_of(&batch(spans)).unwrap();
    let (left, right) = (tree[1].as_primitive::<Int32Type>(), tree[2].as_primitive::<Int32Type>());
    let places: Vec<BooleanBuffer> = sets.iter().map(|set| set.iter().copied().collect()).collect();
    let trace = 0..spans.len();
    let traces = std::slice::from_ref(&trace);
    Matcher::default().matches(chain, &places, left.values(), right.values(), traces).iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn chains_give_what_checking_all_spans_gives(
        spans in trace_of(300),
        sets in vec((vec(any::<bool>(), 300), 0..5_u8), 4),
        chains in vec(vec(prop::sample::select(RELATIONS.to_vec()), 0..=3), 4),
    ) {
        let pairs = Pairs::new(&spans);
        // From all spans to none.
        let sets: Vec<Vec<bool>> = sets
            .into_iter()
            .map(|(set, share)| (0..spans.len()).map(|i| share == 4 || set[i] && (i % 4) < usize::from(share)).collect())
            .collect();
        let single = RELATIONS.map(|relation| vec![relation]);
        for relations in single.into_iter().chain(chains) {
            for asked in ASKED {
                let chain = Chain { relations: relations.clone(), asked };
                let sets = &sets[..=relations.len()];
                prop_assert_eq!(found(&spans, &chain, sets), pairs.given(&chain, sets), "{:?}", chain);
            }
        }
    }
}

/// The ids of the spans that a chain gives, where a place fits the spans whose ids begin so.
fn ids(spans: &[Sample], relations: &[Relation], asked: Asked, places: &[&str]) -> String {
    let fits =
        |place: &&str| spans.iter().map(|span| span.id.as_deref().unwrap_or_default().starts_with(place)).collect();
    let sets: Vec<Vec<bool>> = places.iter().map(fits).collect();
    let found = found(spans, &Chain { relations: relations.to_vec(), asked }, &sets);
    let ids = spans.iter().zip(found).filter(|(_, found)| *found).filter_map(|(span, _)| span.id.clone());
    ids.collect::<Vec<_>>().join(" ")
}

#[test]
fn by_example() {
    let spans = table(
        "a1 -    0 9
         b1 a1   1 8
         c1 b1   2 3
         c2 b1   3 4
         b2 a1   4 5
         a2 -    5 6
         c3 gone 6 7",
    );
    use Relation::{Ancestor, Child, Descendant, Parent, Sibling};
    let (left, right, both) = (Asked::Matches(Side::Left), Asked::Matches(Side::Right), Asked::Matches(Side::Both));
    for (relations, asked, places, expected) in [
        (&[Child][..], right, &["a", "b"][..], "b1 b2"),
        (&[Child], left, &["a", "b"], "a1"),
        (&[Child], both, &["a", "b"], "a1 b1 b2"),
        (&[Child], right, &["a", "c"], ""),
        (&[Descendant], right, &["a", "c"], "c1 c2"),
        (&[Parent], right, &["c", ""], "b1"),
        (&[Ancestor], right, &["c", ""], "a1 b1"),
        (&[Sibling], right, &["", ""], "b1 c1 c2 b2"),
        (&[Sibling], left, &["c1", "c1"], ""),
        (&[Child, Descendant], right, &["a", "b", "c"], "c1 c2"),
        (&[Child, Child], left, &["a", "b2", "c"], ""),
        // The last span may be the first one.
        (&[Child, Parent], right, &["a", "b", "a"], "a1"),
        (&[Child, Sibling], both, &["b", "c1", "c"], "b1 c2"),
        (&[Descendant], Asked::Without, &["", "c"], "c1 c2 b2 a2 c3"),
        (&[Child, Child], Asked::Without, &["a", "b", "c"], "b2"),
        (&[Sibling], Asked::Without, &["b", "none"], "b1 b2"),
        (&[], right, &["b"], "b1 b2"),
        (&[], both, &["b"], "b1 b2"),
    ] {
        assert_eq!(ids(&spans, relations, asked, places), expected, "{relations:?} {asked:?} {places:?}");
    }
}

#[test]
fn sides_are_read_as_they_are_called() {
    for (side, name) in [Side::Left, Side::Right, Side::Both].into_iter().zip(Side::NAMES) {
        assert_eq!((side.as_str(), name.parse()), (name, Ok(side)));
    }
    assert_eq!("middle".parse::<Side>(), Err(()));
}

#[test]
fn traces_lie_side_by_side() {
    // Two traces of two spans: the second is the child of the first.
    let chain = Chain { relations: vec![Relation::Child], asked: Asked::Matches(Side::Right) };
    let all = BooleanBuffer::new_set(4);
    let found = Matcher::default().matches(&chain, &[all.clone(), all], &[1, 2, 2, 1], &[4, 3, 3, 4], &[0..2, 2..4]);
    assert_eq!(found.iter().collect::<Vec<_>>(), [false, true, true, false]);
}

#[test]
fn depth_and_width_cost_no_more_than_rows() {
    let n = 100_000;
    // A chain, and a span with all others for children.
    let left = (1..=n).chain(std::iter::once(1)).chain((1..n).map(|child| 2 * child));
    let right =
        (1..=n).map(|depth| 2 * n + 1 - depth).chain(std::iter::once(2 * n)).chain((1..n).map(|child| 2 * child + 1));
    let (left, right): (Vec<i32>, Vec<i32>) = (left.collect(), right.collect());
    let n = n as usize;
    let began = Instant::now();
    for (relation, deep, wide) in [
        (Relation::Child, n - 1, n - 1),
        (Relation::Descendant, n - 1, n - 1),
        (Relation::Parent, n - 1, 1),
        (Relation::Ancestor, n - 1, 1),
        (Relation::Sibling, 0, n - 1),
    ] {
        let all = BooleanBuffer::new_set(2 * n);
        let chain = Chain { relations: vec![relation], asked: Asked::Matches(Side::Right) };
        let places = [all.clone(), all];
        let found = Matcher::default().matches(&chain, &places, &left, &right, &[0..n, n..2 * n]);
        let count = |from: usize| found.slice(from, n).count_set_bits();
        assert_eq!((count(0), count(n)), (deep, wide), "{relation:?}");
    }
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}
