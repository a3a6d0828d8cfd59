//! Values that stream: whatever comes at once, the same items are found, and what came whole is kept.

use std::io::BufReader;

use super::super::items::Item;
use super::super::values::Values;
use super::*;

/// The items of a text that comes in pieces of this size, with their lines, and the error at the end if there is one.
fn cut(text: &str, chunk: usize, longest: usize) -> (Vec<(u64, String)>, Option<String>) {
    let mut reader = BufReader::with_capacity(chunk, text.as_bytes());
    let (mut values, mut buffer, mut found) = (Values::new(), Vec::new(), vec![]);
    loop {
        match values.next(&mut reader, &mut buffer, longest) {
            Ok(Some(Item::Whole(line))) => {
                found.push((line, String::from_utf8(buffer.clone()).unwrap().trim().to_owned()))
            }
            Ok(Some(Item::TooLong(line))) => found.push((line, "too long".to_owned())),
            Ok(None) => return (found, None),
            Err(error) => return (found, Some(error.to_string())),
        }
    }
}

#[test]
fn the_elements_of_a_known_list_are_items() {
    let rows: Vec<String> = (0..50).map(|at| row(at).replacen('{', "{\n ", 1)).collect();
    for (before, after) in [
        ("{\"data\": [", "], \"next_cursor\": null}"),
        ("{\"a\": {\"data\": [1]}, \"b\\\"]\": \"data\", \"data\" :\n [", "]}\n"),
        ("[", "]"),
    ] {
        let text = format!("{before}{}{after}", rows.join(" ,\n"));
        let first = before.matches('\n').count() as u64 + 1;
        let want: Vec<(u64, String)> =
            rows.iter().enumerate().map(|(at, row)| (first + 2 * at as u64, row.clone())).collect();
        for chunk in [1, 2, 3, 7, 64, 1 << 20] {
            assert_eq!(cut(&text, chunk, 1 << 20), (want.clone(), None), "{chunk} {before}");
        }
    }
}

#[test]
fn values_follow_each_other() {
    let page = format!("{{\n\"data\": [{},\n{}],\n\"traces\": [{}]}}", row(0), row(1), row(2));
    let other = "{\"data\": [1, 2],\n \"x\": {}}";
    let text = format!("{page}\n{other}{page} [ {} ]\n{{\"spans\": []}}\n", row(3));
    for chunk in [1, 3, 64, 1 << 20] {
        let (found, error) = cut(&text, chunk, 1 << 20);
        assert_eq!(error, None);
        let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
        let (a, b, c, d) = (row(0), row(1), row(2), row(3));
        assert_eq!(texts, [&a, &b, &c, other, &a, &b, &c, &d, "{\"spans\": []}"], "{chunk}");
        assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3, 4, 5, 7, 8, 9, 9, 10], "{chunk}");
    }
}

#[test]
fn what_is_too_long_is_passed_over() {
    let long = row(1).replace("\"s1\"", &format!("\"{}\"", "x".repeat(200)));
    let text = format!(
        "{{\"data\": [{},\n{long},\n{}], \"rest\": \"{}\"}}\n{long}\n{}",
        row(0),
        row(2),
        "y".repeat(500),
        row(3)
    );
    for chunk in [1, 7, 1 << 20] {
        let (found, error) = cut(&text, chunk, 100);
        let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!((texts, error), (vec![row(0).as_str(), "too long", &row(2), "too long", &row(3)], None), "{chunk}");
    }
}

#[test]
fn what_came_whole_of_a_cut_file_is_kept() {
    let span = |id: &str| {
        format!(
            r#"{{"traceId": "42b0987b11a08b3d6b8e6460c7844da9", "spanId": "{id}", "name": "n", "startTimeUnixNano": "1793700000000000000"}}"#
        )
    };
    let spans = ["4313136e32912a13", "4313136e32912a14", "4313136e32912a15"].map(|id| span(id)).join(",\n");
    let document = format!(
        "{{\"resourceSpans\": [{{\"resource\": {{}}, \"scopeSpans\": [{{\"scope\": {{}}, \"spans\": [\n{spans}\n]}}]}}]}}"
    );
    let third = document.find("4313136e32912a15").unwrap();
    let skipping = ReadOptions { skip_bad: true, ..options() };
    for text in [&document[..third], &document[..third].replace('\n', " ")] {
        for options in [&options(), &skipping] {
            let (batches, report, failed) = read_as("cut.json", text.as_bytes(), options);
            assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 2, "{text}");
            assert_eq!(report.bad, 0);
            let failed = failed.unwrap();
            assert!(failed.contains("cut.json:") && failed.contains("the file ends inside"), "{failed}");
        }
    }
    for cut in 1..document.len() {
        let (_, report, failed) = read_as("cut.json", &document.as_bytes()[..cut], &skipping);
        assert!(failed.is_some() || report.bad > 0, "{cut}: {}", &document[..cut]);
    }
}

#[test]
fn a_broken_line_does_not_spoil_the_next() {
    let skipping = ReadOptions { skip_bad: true, ..options() };
    let filler = "x".repeat(100_000);
    let long = row(0).replace("\"t\"", &format!("\"{filler}\""));
    for first in [row(0), long] {
        let text = format!("{first}\n{{\"context.trace_id\": {{\"a\": 1\n{}\n", row(1));
        let (batches, report, failed) = read_as("a.jsonl", text.as_bytes(), &skipping);
        assert_eq!((failed, ats(&batches), report.bad), (None, vec![0, 1], 1));
        assert_eq!(report.first_bad[0].line, 2);
    }
    let text = format!("{{\"context.trace_id\": {{\"a\": 1\n{}\n", row(1));
    let (batches, report, _) = read_as("a.jsonl", text.as_bytes(), &skipping);
    assert_eq!((ats(&batches), report.bad), (vec![1], 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_text_gives_the_same_items_in_any_pieces(text in "[\\[\\]{}:,\"\\\\ \nd]{0,60}", chunk in 1usize..9) {
        let text = text.replace('d', "\"data\"");
        prop_assert_eq!(cut(&text, chunk, 1 << 20), cut(&text, 1 << 20, 1 << 20));
    }

    #[test]
    fn damaged_shapes_never_panic(
        at in any::<prop::sample::Index>(),
        with in "[\\[\\]{}:,\"\\\\ 0a]{0,3}",
        cut in any::<prop::sample::Index>(),
    ) {
        let span = r#"{"traceID":"a","spanID":"b","operationName":"x","startTime":1,"duration":2,"processID":"p","tags":[{"key":"k","type":"int64","value":1}],"logs":[{"timestamp":1,"fields":[]}],"references":[]}"#;
        let otlp = r#"{"resource":{"attributes":[]},"scopeSpans":[{"scope":{"name":"s"},"spans":[{"traceId":"a","spanId":"b","status":{"code":1},"attributes":[{"key":"k","value":{"arrayValue":{"values":[{"intValue":"1"}]}}}]}]}]}"#;
        let langfuse = r#"{"trace":{"id":"t","scores":[{"name":"n","value":1}]},"observations":[{"id":"o","traceId":"t","type":"SPAN","startTime":"2025-01-01","metadata":"{\"attributes\":{}}"}]}"#;
        let sdk = r#"{"context":{"trace_id":"0xa","span_id":1},"kind":"SpanKind.CLIENT","status":{"status_code":"OK"},"resource":{"attributes":{}},"parent":{"span_id":2}}"#;
        let opik = r#"{"trace":{"id":"t","thread_id":"x"},"spans":[{"id":"s","trace_id":"t","start_time":"2025-01-01","type":"llm"}]}"#;
        for text in [format!("{{\"data\":[{{\"traceID\":\"a\",\"spans\":[{span}],\"processes\":{{\"p\":{{}}}}}}]}}"), format!("{{\"resourceSpans\":[{otlp}]}}"), langfuse.to_owned(), sdk.to_owned(), opik.to_owned()] {
            let place = at.index(text.len());
            let changed = format!("{}{with}{}", &text[..place], &text[place..]);
            let skipping = ReadOptions { skip_bad: true, ..options() };
            for text in [&changed, &text[..cut.index(text.len())]] {
                let (_, _, failed) = read_as("a.json", text.as_bytes(), &skipping);
                prop_assert!(failed.is_none_or(|error| error.contains("a.json")));
            }
        }
    }
}
