//! Texts that have another one in them, found in one search through all of them.

use std::ops::Range;

use arrow::array::{BooleanBufferBuilder, StringArray};

/// The rows in whose texts something is found; whether a row is null is not looked at.
///
/// `find` gives the first place of it in some bytes. Texts lie one behind the other: most have nothing to be found, and to
/// begin with each of them takes longer than to go on.
pub fn rows_with(texts: &StringArray, find: impl Fn(&[u8]) -> Option<Range<usize>>) -> BooleanBufferBuilder {
    let (offsets, bytes) = (texts.value_offsets(), texts.value_data());
    let mut rows = BooleanBufferBuilder::new(offsets.len());
    rows.append_n(offsets.len().saturating_sub(1), false);
    let ends = offsets.get(1..).unwrap_or_default();
    let last = ends.last().map_or(0, |end| *end as usize);
    let (mut row, mut from) = (0, offsets.first().map_or(0, |start| *start as usize));
    while row < ends.len() {
        let Some(found) = find(&bytes[from..last]) else { break };
        let found = from + found.start..from + found.end;
        row = row_at(ends, row, found.start);
        let Some(end) = ends.get(row).map(|end| *end as usize) else { break };
        if found.end <= end {
            rows.set_bit(row, true);
            from = end;
            row += 1;
        } else {
            // It begins in one text and ends in another.
            from = found.start + 1;
        }
    }
    rows
}

/// The first row from this one on that ends behind a place, looked for among the next ones first.
fn row_at(ends: &[i32], mut row: usize, place: usize) -> usize {
    let mut step = 1;
    while ends.get(row + step).is_some_and(|end| *end as usize <= place) {
        row += step;
        step *= 2;
    }
    let near = &ends[row..ends.len().min(row + step)];
    row + near.partition_point(|end| *end as usize <= place)
}

#[cfg(test)]
mod tests {
    use arrow::array::Array;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

        #[test]
        fn each_text_is_looked_through(
            texts in prop::collection::vec(prop::option::of("[abé]{0,6}"), 0..20), part in "[abé]{1,3}",
            from in 0..20_usize, length in 0..20_usize,
        ) {
            let texts = StringArray::from(texts);
            let from = from.min(texts.len());
            let texts = texts.slice(from, length.min(texts.len() - from));
            let found = rows_with(&texts, |bytes| {
                let at = bytes.windows(part.len()).position(|window| window == part.as_bytes())?;
                Some(at..at + part.len())
            });
            prop_assert_eq!(found.len(), texts.len());
            for (row, text) in texts.iter().enumerate() {
                prop_assert_eq!(found.get_bit(row) && texts.is_valid(row), text.is_some_and(|text| text.contains(&part)));
            }
        }
    }
}
