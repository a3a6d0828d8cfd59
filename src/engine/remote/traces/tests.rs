use super::*;

fn chunks(ids: Vec<String>) -> Vec<Vec<String>> {
    let mut waiting = ids;
    let mut chunks = vec![];
    loop {
        match next_chunk(&mut waiting) {
            chunk if chunk.is_empty() => return chunks,
            chunk => chunks.push(chunk),
        }
    }
}

#[test]
fn ids_are_asked_for_in_requests_of_bounded_size() {
    assert!(chunks(vec![]).is_empty());
    let ids: Vec<String> = (0..2_500).map(|n| format!("{n:08}")).collect();
    let sizes: Vec<usize> = chunks(ids.clone()).iter().map(Vec::len).collect();
    assert_eq!(sizes, [1_000, 1_000, 500]);
    // Ids of 32 digits: fewer fit into the text.
    let long: Vec<String> = (0..2_000).map(|n| format!("{n:032x}")).collect();
    let each = chunks(long.clone());
    assert!(each.iter().all(|chunk| chunk.iter().map(|id| id.len() + 4).sum::<usize>() <= MOST_BYTES));
    assert_eq!(each.len(), 3);
    let mut all: Vec<String> = each.into_iter().flatten().collect();
    all.sort();
    assert_eq!(all, long);
    // One that is longer than a request is asked for alone, and quotes count twice.
    let odd = chunks(vec!["a".into(), "x".repeat(MOST_BYTES), "b".into()]);
    assert_eq!(odd.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1]);
    assert_eq!(chunks(vec!["'".repeat(MOST_BYTES / 3); 2]).len(), 2);
}

#[test]
fn any_number_of_conditions_can_be_met() {
    for conditions in [0, 1, 2, 63, 64, 65, 127, 128, 129, 1_000] {
        let mut trace = Found::of(conditions);
        for condition in (0..conditions).rev() {
            assert_eq!(trace.met(), conditions - 1 - condition, "{conditions}");
            trace.note(condition);
            trace.note(condition);
        }
        assert_eq!(trace.met(), conditions);
    }
}
