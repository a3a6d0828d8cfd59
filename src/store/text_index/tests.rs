use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use bytes::Bytes;
use proptest::prelude::*;

use super::build::TextIndexBuilder;
use super::file::TextIndex;
use super::part::TextPart;
use spanql_model::columns::{INPUT, OUTPUT};

/// The index of texts that come again and again until they are several blocks.
fn index(texts: &[Option<String>], times: usize, bytes: u64) -> Option<TextIndex> {
    let mut builder = TextIndexBuilder::default();
    let column: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
    for _ in 0..times {
        builder.add(INPUT, &column);
        builder.add("name", &column);
    }
    let rows = (texts.len() * times) as u64;
    builder.finish(rows, bytes).map(|bytes| TextIndex::decode(Bytes::from(bytes)).unwrap())
}

#[test]
fn texts_are_found_where_they_are() {
    let mut builder = TextIndexBuilder::default();
    let text = |n: usize| format!("{n:06} {}", "the parcel was late ".repeat(20));
    for from in (0..4_000).step_by(1_000) {
        let rows: ArrayRef = Arc::new((from..from + 1_000).map(|n| Some(text(n))).collect::<StringArray>());
        builder.add(INPUT, &rows);
    }
    let bytes = builder.finish(4_000, 100_000_000).unwrap();
    assert!(bytes.len() < 10_000, "few trigrams take little room: {}", bytes.len());
    let index = TextIndex::decode(Bytes::from(bytes)).unwrap();
    let found = |part: &str| index.rows(INPUT, &TextPart::new(part, false).unwrap()).unwrap();
    let rows = found("003210");
    assert!(rows.value(3210) && rows.count_set_bits() < 2_600, "{}", rows.count_set_bits());
    assert_eq!(found("the parcel").count_set_bits(), 4_000);
    assert_eq!(found("zebra").count_set_bits(), 0);
    assert!(index.rows(OUTPUT, &TextPart::new("zebra", false).unwrap()).is_none(), "no rows of it were added");
    assert_eq!((TextPart::new("ab", false), TextPart::new("aéb", true), TextPart::new("é", false)), (None, None, None));
}

#[test]
fn letters_of_another_case_are_those_of_ascii_and_two_more() {
    let differs_in_case = |c: &char| {
        !c.is_ascii()
            && (c.to_lowercase().eq(['s'])
                || c.to_uppercase().any(|c| c.is_ascii())
                || c.to_lowercase().any(|c| c.is_ascii()))
    };
    let single = |c: &char| c.to_uppercase().count() == 1 && c.to_lowercase().count() == 1;
    let odd: String = ('\0'..=char::MAX).filter(differs_in_case).filter(single).collect();
    // That of the dotless i is no other case of i, as regular expressions see it.
    assert_eq!(odd, "ıſ\u{212a}");
    let index = index(&[Some("\u{212a}ilo".into()), Some("ſum".into())], 2, 1_000_000).unwrap();
    for part in ["kilo", "SUM"] {
        assert_eq!(index.rows(INPUT, &TextPart::new(part, true).unwrap()).unwrap().count_set_bits(), 4);
        assert_eq!(index.rows(INPUT, &TextPart::new(part, false).unwrap()).unwrap().count_set_bits(), 0);
    }
}

#[test]
fn what_json_says_is_found_however_it_is_escaped() {
    let texts = [r#"["the \"parcel\" 12"]"#, r#"["the \u0070arcel"]"#, r#"["the \\u0070arcel"]"#, r"[\u00e9\u0022\u00"];
    let index = index(&texts.map(|text| Some(text.to_owned())), 600, 1_000_000_000).unwrap();
    let found = |part: Option<TextPart>| index.rows(INPUT, &part.unwrap()).unwrap().count_set_bits();
    assert_eq!(found(TextPart::decoded("é, parcel\n", false)), 2_400);
    for escaped in [r"\u00e9", r"\u0022", "plain", r"\u00", r"\u00zz", r"\n"] {
        assert!(!super::trigrams::is_escaped(escaped.as_bytes()), "{escaped}");
    }
    for escaped in [r"x\u0041", r"\u0020", r"\u00e9\\u005f"] {
        assert!(super::trigrams::is_escaped(escaped.as_bytes()), "{escaped}");
    }
    assert_eq!(TextPart::decoded("a\"b\"c-d", false), None);
}

#[test]
fn a_file_that_is_cut_is_no_index() {
    let mut builder = TextIndexBuilder::default();
    builder.add(INPUT, &(Arc::new(StringArray::from(vec!["some text"; 10])) as ArrayRef));
    let bytes = Bytes::from(builder.finish(10, 1_000_000).unwrap());
    for end in 0..bytes.len() {
        assert!(TextIndex::decode(bytes.slice(..end)).is_none(), "{end}");
    }
    assert!(TextIndex::decode(bytes).is_some());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    /// Whatever room there is: rows that have a text are among those that may have it.
    #[test]
    fn no_row_is_lost(
        texts in prop::collection::vec(prop::option::weighted(0.9, "[aAbBkKsS éÉſK%_\\\\n\"0-9]{0,40}"), 1..40),
        times in 1..4_usize, at in any::<prop::sample::Index>(), from in 0..40_usize, length in 1..12_usize,
        bytes in prop::sample::select(vec![20_000_u64, 200_000, 10_000_000]),
    ) {
        let Some(index) = index(&texts, times, bytes) else { return Ok(()) };
        let Some(text) = at.get(&texts) else { return Ok(()) };
        let part: String = text.chars().skip(from).take(length).collect();
        let lower = part.to_lowercase();
        let rows: Vec<&Option<String>> = texts.iter().cycle().take(texts.len() * times).collect();
        if let Some(found) = TextPart::new(&part, false).and_then(|part| index.rows(INPUT, &part)) {
            prop_assert_eq!(found.len(), rows.len());
            for (row, text) in rows.iter().enumerate() {
                prop_assert!(found.value(row) || !text.as_ref().is_some_and(|text| text.contains(&part)));
            }
        }
        if let Some(found) = TextPart::new(&part, true).and_then(|part| index.rows(INPUT, &part)) {
            for (row, text) in rows.iter().enumerate() {
                // Of the long s it is the capital letter that is one of ASCII.
                let text = text.as_ref().map(|text| text.to_uppercase().to_lowercase());
                let lower = lower.to_uppercase().to_lowercase();
                prop_assert!(found.value(row) || !text.is_some_and(|text| text.contains(&lower)));
            }
        }
    }
}
