//! The ledger against the same rules, asked of every second.

use proptest::prelude::*;

use super::super::{Ledger, Projection, Pull, PullKey, Slice, Status};
use super::{END, inside, key, of_pulls, projection, pulls, seconds};

/// What the rules say of one second.
struct Naive<'a>(&'a [Pull]);

impl Naive<'_> {
    fn gives(own: &Projection, projection: &Projection) -> bool {
        let rate = |projection: &Projection| projection.sample_rate.unwrap_or(1.0);
        let filter = own.filter.is_none() || own.filter == projection.filter;
        let columns = match (&own.columns, &projection.columns) {
            (Some(own), Some(others)) => others.iter().filter(|column| own.contains(column)).count() == others.len(),
            (own, _) => own.is_none(),
        };
        filter && columns && (rate(own) == 1.0 || rate(own) == rate(projection))
    }

    fn landed(pull: &Pull, second: i64) -> bool {
        pull.slices
            .iter()
            .any(|slice| inside(&[slice.window], second) && slice.announced.is_none_or(|n| n == slice.received))
    }

    fn covered(&self, first: usize, key: &PullKey, projection: &Projection, second: i64) -> bool {
        self.0[first..].iter().any(|pull| {
            pull.key == *key
                && pull.limit.is_none()
                && Self::gives(&pull.projection, projection)
                && Self::landed(pull, second)
        })
    }

    fn lacks(&self, number: usize, second: i64) -> bool {
        let pull = &self.0[number];
        let all = Projection { sample_rate: None, ..pull.projection.clone() };
        let asked = inside(&[pull.window], second);
        let short =
            |slice: &Slice| slice.announced.is_some_and(|n| n != slice.received) && inside(&[slice.window], second);
        (asked && !self.covered(0, &pull.key, &all, second))
            || (pull.limit.is_none() && pull.slices.iter().any(short) && !self.covered(number, &pull.key, &all, second))
    }

    /// What the answer to "what is incomplete" counts: where a pull brought what it asked for, the columns and the
    /// spans it did not ask for.
    fn is_incomplete(&self, number: usize, second: i64) -> bool {
        if (0..END).any(|any| self.lacks(number, any)) {
            return self.lacks(number, second);
        }
        let pull = &self.0[number];
        let part = pull.projection.columns.is_some() || pull.projection.filter.is_some();
        let asked = inside(&[pull.window], second);
        part && asked && !self.covered(0, &pull.key, &Projection::default(), second)
    }

    fn missing(&self, key: &PullKey, projection: &Projection, second: i64) -> bool {
        let all = |projection: &Projection| Projection { sample_rate: None, ..projection.clone() };
        self.0.iter().enumerate().any(|(number, pull)| {
            let (own, projection) = (all(&pull.projection), all(projection));
            pull.key == *key
                && Self::gives(&own, &projection)
                && Self::gives(&projection, &own)
                && self.lacks(number, second)
        })
    }
}

proptest! {
    #[test]
    fn answers_are_what_every_second_says(pulls in pulls(), projection in projection()) {
        let naive = Naive(&pulls);
        let ledger = of_pulls(pulls.clone());
        for key in [key("checkout"), key("search")] {
            let covered: Vec<i64> = (0..END).filter(|second| naive.covered(0, &key, &projection, *second)).collect();
            prop_assert_eq!(seconds(&ledger.covered(&key, &projection)), covered.clone());
            prop_assert_eq!(ledger.frontier(&key, &projection), covered.last().map(|last| last + 1));
            let missing: Vec<i64> = (0..END).filter(|second| naive.missing(&key, &projection, *second)).collect();
            prop_assert_eq!(seconds(&ledger.missing(&key, &projection)), missing);
        }
        let ranges = ledger.incomplete(None);
        for key in [key("checkout"), key("search")] {
            let of_key: Vec<usize> = (0..pulls.len()).filter(|number| pulls[*number].key == key).collect();
            let lacking: Vec<i64> =
                (0..END).filter(|second| of_key.iter().any(|number| naive.is_incomplete(*number, *second))).collect();
            let found: Vec<_> = ranges.iter().filter(|range| range.key == key).collect();
            prop_assert_eq!(found.len(), usize::from(!lacking.is_empty()));
            prop_assert_eq!(seconds(found.first().map_or(&[], |range| &range.windows)), lacking);
            prop_assert_eq!(ledger.incomplete(Some(&key.into)).len(), found.len());
        }
        for pull in &pulls {
            let all = (pull.window.start..pull.window.end).all(|second| Naive::landed(pull, second));
            prop_assert_eq!(pull.remaining().is_empty(), all);
            prop_assert_eq!(pull.status() == Status::Complete, all && !pull.is_sample());
        }
    }

    #[test]
    fn recording_changes_no_answer(pulls in pulls(), order in any::<u64>(), projection in projection()) {
        let direct = of_pulls(pulls.clone());
        let mut recorded = Ledger::default();
        // Pulls are recorded side by side, and every third slice twice, as when nobody knows whether it was.
        let mut waiting: Vec<(usize, usize)> =
            pulls.iter().enumerate().flat_map(|(p, pull)| (0..pull.slices.len()).map(move |s| (p, s))).collect();
        for pull in &pulls {
            recorded.record(&Pull { slices: vec![], ..pull.clone() }, &[]);
        }
        let mut random = order;
        while !waiting.is_empty() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (p, _) = waiting[(random >> 33) as usize % waiting.len()];
            // The slices of one pull keep their order.
            let at = waiting.iter().position(|next| next.0 == p).unwrap();
            let (p, s) = waiting.remove(at);
            for _ in 0..=usize::from(random % 3 == 0) {
                recorded.record(&Pull { slices: vec![], ..pulls[p].clone() }, &pulls[p].slices[s..=s]);
            }
        }
        for key in [key("checkout"), key("search")] {
            prop_assert_eq!(recorded.covered(&key, &projection), direct.covered(&key, &projection));
        }
        prop_assert_eq!(recorded.pulls.len(), pulls.len());
        for (recorded, direct) in recorded.pulls.iter().zip(&direct.pulls) {
            prop_assert_eq!(recorded.landed(), direct.landed());
            prop_assert_eq!(recorded.status(), direct.status());
        }
        let text = serde_json::to_string(&recorded).unwrap();
        prop_assert_eq!(serde_json::from_str::<Ledger>(&text).unwrap(), recorded);
    }
}
