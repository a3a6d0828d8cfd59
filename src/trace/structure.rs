//! Which spans of a trace stand to others in a chain of relations.

use std::ops::Range;
use std::str::FromStr;

use arrow::array::BooleanBufferBuilder;
use arrow::buffer::BooleanBuffer;

/// How the span on the right of a relation stands to the span on its left. No span is related to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// It is a child.
    Child,
    /// It is a child, or a child's descendant.
    Descendant,
    /// It is the parent.
    Parent,
    /// It is the parent, or the parent's ancestor.
    Ancestor,
    /// It is another child of the same parent; top spans have no siblings.
    Sibling,
}

impl Relation {
    /// How the span on the left stands to the span on the right.
    fn inverse(self) -> Self {
        match self {
            Self::Child => Self::Parent,
            Self::Parent => Self::Child,
            Self::Descendant => Self::Ancestor,
            Self::Ancestor => Self::Descendant,
            Self::Sibling => Self::Sibling,
        }
    }
}

/// Which spans of the full matches of a chain are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Side {
    /// Those of the first place.
    Left,
    /// Those of the last place.
    #[default]
    Right,
    /// Those of the first and those of the last place.
    Both,
}

impl Side {
    /// The names of the sides.
    pub const NAMES: [&str; 3] = ["left", "right", "both"];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

impl FromStr for Side {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "left" => Ok(Self::Left),
            "right" => Ok(Self::Right),
            "both" => Ok(Self::Both),
            _ => Err(()),
        }
    }
}

/// What is asked of the spans of a trace, each place of the chain having a set of spans that fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The relations between the places, left to right; one less than there are places.
    pub relations: Vec<Relation>,
    /// Which spans are given.
    pub asked: Asked,
}

/// Which spans a chain gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Those of its full matches.
    Matches(Side),
    /// Those that match all places but the last, at the last but one, and to which no span of the last place is related.
    Without,
}

/// Finds the spans that a chain gives, trace by trace. One value serves many traces: its buffers are kept.
///
/// Relations follow the tree that the nested-set numbers say, whatever the spans' ids are.
#[derive(Debug, Default)]
pub struct Matcher {
    /// The rows in the order of their left numbers: every span before those below it.
    rows: Vec<usize>,
    /// The place of the parent in that order; [`TOP`] for a top span.
    parent: Vec<usize>,
    open: Vec<usize>,
    counts: Vec<usize>,
}

const TOP: usize = usize::MAX;

/// By place in the tree's order.
type Set = Vec<bool>;

impl Matcher {
    /// Finds the spans of a batch of whole traces: one bit a row.
    ///
    /// `places` says for each place of the chain which rows fit, `left` and `right` are the nested-set numbers, and
    /// `traces` are ranges of rows. Takes O(n) per relation, and O(n log n) per trace where its rows are not in the
    /// tree's order.
    ///
    /// # Panics
    ///
    /// Panics when a range reaches beyond the rows, or the places are not one more than the relations.
    pub fn matches(
        &mut self,
        chain: &Chain,
        places: &[BooleanBuffer],
        left: &[i32],
        right: &[i32],
        traces: &[Range<usize>],
    ) -> BooleanBuffer {
        assert_eq!(places.len(), chain.relations.len() + 1, "places and relations");
        let mut found = BooleanBufferBuilder::new(left.len());
        found.append_n(left.len(), false);
        let needed = match chain.asked {
            Asked::Matches(_) => places,
            Asked::Without => &places[..places.len() - 1],
        };
        for trace in traces {
            let fits = |place: &BooleanBuffer| place.slice(trace.start, trace.len()).count_set_bits() > 0;
            if !needed.iter().all(fits) {
                continue;
            }
            self.build(left, right, trace.clone());
            let sets: Vec<Set> =
                places.iter().map(|place| self.rows.iter().map(|&row| place.value(row)).collect()).collect();
            let given = self.given(chain, &sets);
            for (&row, _) in self.rows.iter().zip(given).filter(|(_, given)| *given) {
                found.set_bit(row, true);
            }
        }
        found.finish()
    }

    /// Reads the parents off the nested-set numbers.
    fn build(&mut self, left: &[i32], right: &[i32], trace: Range<usize>) {
        self.rows.clear();
        self.rows.extend(trace);
        self.rows.sort_unstable_by_key(|&row| left[row]);
        self.parent.clear();
        self.open.clear();
        for (place, &row) in self.rows.iter().enumerate() {
            while self.open.pop_if(|open| right[self.rows[*open]] < left[row]).is_some() {}
            self.parent.push(self.open.last().copied().unwrap_or(TOP));
            self.open.push(place);
        }
    }

    fn given(&mut self, chain: &Chain, sets: &[Set]) -> Set {
        let matched = chain.relations.len();
        match chain.asked {
            Asked::Matches(Side::Right) => self.forward(chain, sets, matched),
            Asked::Matches(Side::Left) => self.backward(chain, sets),
            Asked::Matches(Side::Both) => {
                let mut both = self.forward(chain, sets, matched);
                let first = self.backward(chain, sets);
                both.iter_mut().zip(first).for_each(|(given, first)| *given |= first);
                both
            }
            Asked::Without => {
                let Some(last) = matched.checked_sub(1) else { return sets[0].clone() };
                let mut without = self.forward(chain, sets, last);
                let related = self.related(chain.relations[last].inverse(), &sets[matched]);
                without.iter_mut().zip(related).for_each(|(given, related)| *given &= !related);
                without
            }
        }
    }

    /// The spans of a place to which a match of all places before it leads.
    fn forward(&mut self, chain: &Chain, sets: &[Set], place: usize) -> Set {
        let mut reached = sets[0].clone();
        for (&relation, set) in chain.relations[..place].iter().zip(&sets[1..]) {
            reached = self.related(relation, &reached);
            reached.iter_mut().zip(set).for_each(|(reached, fits)| *reached &= *fits);
        }
        reached
    }

    /// The spans of the first place from which a match of all others goes on.
    fn backward(&mut self, chain: &Chain, sets: &[Set]) -> Set {
        let places = chain.relations.len();
        let mut reached = sets[places].clone();
        for place in (0..places).rev() {
            reached = self.related(chain.relations[place].inverse(), &reached);
            reached.iter_mut().zip(&sets[place]).for_each(|(reached, fits)| *reached &= *fits);
        }
        reached
    }

    /// The spans that stand so to one of these.
    fn related(&mut self, relation: Relation, to: &Set) -> Set {
        let parents = || self.parent.iter().copied().enumerate().filter(|(_, parent)| *parent != TOP);
        let mut related = vec![false; to.len()];
        match relation {
            Relation::Child => parents().for_each(|(place, parent)| related[place] = to[parent]),
            // Parents come before their children, so what is said of a parent is already known.
            Relation::Descendant => {
                parents().for_each(|(place, parent)| related[place] = to[parent] || related[parent]);
            }
            Relation::Parent => parents().for_each(|(place, parent)| related[parent] |= to[place]),
            Relation::Ancestor => {
                for (place, &parent) in self.parent.iter().enumerate().rev().filter(|(_, parent)| **parent != TOP) {
                    related[parent] |= to[place] || related[place];
                }
            }
            Relation::Sibling => {
                self.counts.clear();
                self.counts.resize(to.len(), 0);
                for (place, &parent) in self.parent.iter().enumerate().filter(|(_, parent)| **parent != TOP) {
                    self.counts[parent] += usize::from(to[place]);
                }
                let counts = &self.counts;
                parents().for_each(|(place, parent)| related[place] = counts[parent] > usize::from(to[place]));
            }
        }
        related
    }
}

#[cfg(test)]
mod tests;
