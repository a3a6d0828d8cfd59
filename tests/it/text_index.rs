//! What is asked of texts has the same answer with an index as without, whatever was deleted, patched or built again.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};

use spanql::engine::Engine;
use spanql::store::{Grain, Patch, Store, UnknownIds};

use super::cases::cases;
use super::structure::reading;
use super::support::{BASE_TIME, Cell, Random, Row, ask_rows, batch, engine, import, row};
use spanql_model::columns;

const WORDS: [&str; 14] = [
    "parcel",
    "Parcel",
    "DEPOT",
    "depot",
    "späť",
    "Äpfel",
    "äpfel",
    "50%_off",
    r"back\slash",
    "\u{212a}ilo",
    "kilo",
    "ſum",
    "line\nend",
    "\"quoted\"",
];

/// Spans with texts of a few hundred bytes, in which most words come up in some stretches and not in others.
fn spans(traces: std::ops::Range<usize>, salt: u64) -> Vec<Row> {
    let span = |trace: usize, span: usize| {
        let n = trace * 2 + span;
        let mut random = Random(n as u64 * 7919 + salt);
        let mut cells = row("p", &format!("t{trace}"), &format!("s{trace}-{span}"));
        cells.insert(columns::START_TIME.to_owned(), Cell::Time(BASE_TIME + n as i64 * 1_000_000));
        cells.insert(columns::KIND.to_owned(), Cell::text(["LLM", "TOOL"][n % 2]));
        let mut text = |from: usize| {
            let words = (0..12 + random.below(12)).map(|_| match random.below(40) {
                0 => WORDS[(n / 3_000 + random.below(4)) % WORDS.len()].to_owned(),
                1 => format!("{:x}", n * 7919 + from),
                _ => ["the", "and", "was", "not", "found", "in"][random.below(6)].to_owned(),
            });
            words.collect::<Vec<_>>().join(" ")
        };
        cells.insert(columns::INPUT.to_owned(), Cell::text(text(1)));
        if !n.is_multiple_of(3) {
            cells.insert(columns::OUTPUT.to_owned(), Cell::text(text(2)));
        }
        if n.is_multiple_of(4) {
            let escaped = if n.is_multiple_of(64) { r"\u0070arcel" } else { "" };
            let content = serde_json::to_string(&text(3)).unwrap();
            let message = format!(
                r#"[{{"message.role":"user","message.content":{content}}},{{"message.role":"tool","message.content":"{escaped}"}}]"#
            );
            cells.insert(columns::INPUT_MESSAGES.to_owned(), Cell::text(message));
        }
        if n.is_multiple_of(5) {
            let content = serde_json::to_string(&text(4)).unwrap();
            let documents = format!(r#"[{{"document.content":{content},"document.score":0.5}}]"#);
            cells.insert("attributes.retrieval.documents".to_owned(), Cell::text(documents));
        }
        cells
    };
    traces.flat_map(|trace| [span(trace, 0), span(trace, 1)]).collect()
}

/// A text to look for: a piece of one that is there, most often, in letters of some case.
fn needle(spans: &BTreeMap<String, Row>, random: &mut Random) -> String {
    let Some((_, row)) = spans.iter().nth(random.below(spans.len())) else { return String::new() };
    let text = row.get(columns::INPUT).map(Cell::plain).unwrap_or_default();
    let start = random.below(text.chars().count());
    let piece: String = text.chars().skip(start).take(1 + random.below(14)).collect();
    match random.below(6) {
        0 => WORDS[random.below(WORDS.len())].to_owned(),
        1 => piece.to_uppercase(),
        2 => format!("{piece}zq"),
        _ => piece,
    }
}

/// Conditions that the index serves, and the same in a form that it does not know.
fn conditions(random: &mut Random, needle: &str) -> Vec<(String, String)> {
    let quoted = needle.replace('\'', "''");
    let wild = quoted.replace(' ', if random.below(2) == 0 { "%" } else { "_" });
    let escaped = quoted.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_");
    let forms = [
        format!("$input CONTAINS '{quoted}'"),
        format!("$input LIKE '%{quoted}%'"),
        format!("$output ILIKE '%{quoted}%'"),
        format!("$input ILIKE '%{wild}%'"),
        format!("$input LIKE '%{escaped}%' OR $output LIKE '{wild}%'"),
        format!("$input CONTAINS '{quoted}' AND kind = 'LLM' AND NOT ($output ILIKE '%{quoted}%')"),
        format!("$input CONTAINS '{quoted}' OR $output IS NULL"),
        format!("($input CONTAINS '{quoted}' AND $output CONTAINS 'found') OR $input = '{quoted}'"),
        format!("$input NOT CONTAINS '{quoted}'"),
    ];
    forms
        .into_iter()
        .map(|form| (with(&form, "input", "output"), with(&form, "(input || '')", "(output || '')")))
        .collect()
}

fn with(form: &str, input: &str, output: &str) -> String {
    form.replace("$input", input).replace("$output", output)
}

async fn rows(engine: &Engine, sql: &str) -> Vec<String> {
    let rows = ask_rows(engine, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let mut rows: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
    rows.sort();
    rows
}

/// Asks with and without the index: of kept columns, of files, of files with a limit, and with columns that are patched.
async fn agree(store: &Store, spans: &BTreeMap<String, Row>, seed: u64, when: &str) {
    let segments = &store.snapshot().await.unwrap().manifest.segments;
    assert!(segments.iter().any(|segment| segment.side.contains_key("text_trigrams")), "{when}");
    let kept = engine(store.snapshot().await.unwrap()).await;
    let files = engine(store.snapshot().await.unwrap()).await;
    reading(&files, 1_000);
    let mut random = Random(seed);
    for turn in 0..cases(8) {
        let needle = needle(spans, &mut random);
        let found = |row: &&Row| row.get(columns::INPUT).is_some_and(|text| text.plain().contains(&needle));
        let expected = spans.values().filter(found).count().to_string();
        let counted = format!("SELECT count(*) AS n FROM spans WHERE input CONTAINS '{}'", needle.replace('\'', "''"));
        assert_eq!(ask_rows(&kept, &counted).await.unwrap()[0]["n"], expected, "{when}: {needle:?}");
        for (number, (known, unknown)) in conditions(&mut random, &needle).into_iter().enumerate() {
            let select =
                ["SELECT span_id, input FROM spans WHERE", "SELECT span_id, eval.right.label FROM spans WHERE"];
            let select = select[(turn + number) % 2];
            let expected = rows(&files, &format!("{select} ({unknown})")).await;
            let (engine, limit) = [(&kept, ""), (&files, ""), (&kept, " LIMIT 100000")][(turn + number) % 3];
            assert_eq!(rows(engine, &format!("{select} ({known}){limit}")).await, expected, "{when}: {known}");
        }
        let quoted = needle.replace('\'', "''");
        for (table, condition) in
            [("messages", format!("$input CONTAINS '{quoted}'")), ("documents", format!("$input ILIKE '%{quoted}%'"))]
        {
            let select = format!("SELECT span_id, position, content FROM {table} WHERE");
            let expected = rows(&files, &format!("{select} {}", with(&condition, "(content || '')", ""))).await;
            let known = with(&condition, "content", "");
            assert_eq!(rows(&kept, &format!("{select} {known}")).await, expected, "{when}: {table} {known}");
        }
    }
}

#[tokio::test]
async fn an_index_takes_no_row_away() {
    let store = Store::open("memory://").unwrap();
    let key = |row: &Row| row[columns::SPAN_ID].plain();
    let all = spans(0..10_000, 1);
    let mut there: BTreeMap<String, Row> = all.iter().map(|row| (key(row), row.clone())).collect();
    import(&store, &[batch(&all)]).await.unwrap();
    let manifest = store.snapshot().await.unwrap().manifest;
    let bytes: u64 = manifest.segments.iter().map(|segment| segment.bytes_on_disk()).sum();
    let side: u64 =
        manifest.segments.iter().flat_map(|segment| segment.side.get("text_trigrams")).map(|side| side.bytes).sum();
    assert!(side > 0 && side * 100 <= bytes * 8, "{side} of {bytes} bytes");
    agree(&store, &there, 11, "imported").await;

    let gone: Vec<String> = (0..10_000).step_by(9).map(|trace| format!("s{trace}-1")).collect();
    store.delete_spans("p", &gone.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
    there.retain(|span, _| !gone.contains(span));
    agree(&store, &there, 12, "deleted").await;

    let mut patch = Patch::new("p", Grain::Span);
    let text = |values: Vec<String>| -> ArrayRef { Arc::new(StringArray::from(values)) };
    let ids: Vec<String> = (0..200).map(|trace| format!("s{trace}-0")).collect();
    let labels = vec!["right".to_owned(); ids.len()];
    let written = [(columns::SPAN_ID, text(ids)), ("eval.right.label", text(labels))];
    patch.push(&RecordBatch::try_from_iter(written).unwrap()).unwrap();
    store.patch(&patch, UnknownIds::Refuse, "annotate").await.unwrap();
    agree(&store, &there, 13, "patched").await;

    // Much of the first row groups: the segment is built again, the last row group is copied.
    let again = spans(0..4_000, 2);
    import(&store, &[batch(&again)]).await.unwrap();
    for row in again.into_iter().filter(|row| !gone.contains(&key(row))) {
        there.entry(key(&row)).or_default().extend(row);
    }
    agree(&store, &there, 14, "built again").await;
}
