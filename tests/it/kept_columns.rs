//! Answers from columns that are kept in memory are those of the files, whatever was kept before, deleted or patched.

use spanql::engine::Engine;
use spanql::store::{Grain, Patch, Store, UnknownIds};

use super::structure::reading;
use super::support::{BASE_TIME, Cell, Row, ask_rows, batch, demo, engine, import, row};
use spanql_model::columns;

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};

/// Spans enough for several batches of a row group: some columns have few values, some many, some none here and there.
fn many(traces: std::ops::Range<usize>) -> Vec<Row> {
    let span = |trace: usize, span: usize| {
        let n = trace * 2 + span;
        let mut cells = row("p", &format!("t{trace}"), &format!("s{trace}-{span}"));
        let start = BASE_TIME + n as i64 * 1_000_000;
        cells.insert(columns::START_TIME.to_owned(), Cell::Time(start));
        cells.insert(columns::END_TIME.to_owned(), Cell::Time(start + (n % 97) as i64 * 1_000_000));
        let kind = ["LLM", "TOOL", "AGENT"][n % 3];
        cells.insert(columns::KIND.to_owned(), Cell::text(kind));
        if !n.is_multiple_of(5) {
            cells
                .insert(columns::STATUS_CODE.to_owned(), Cell::text(if n.is_multiple_of(41) { "ERROR" } else { "OK" }));
        }
        cells.insert(columns::NAME.to_owned(), Cell::text(if n % 1000 == 7 { "rare" } else { "common" }));
        cells.insert("attributes.input.value".to_owned(), Cell::text(format!("parcel {}", n * 7919 % 100_003)));
        if n.is_multiple_of(11) {
            cells.insert("attributes.size".to_owned(), Cell::Float(n as f64 / 2.0));
        }
        cells
    };
    traces.flat_map(|trace| [span(trace, 0), span(trace, 1)]).collect()
}

const QUESTIONS: &[&str] = &[
    "SELECT count(*) AS n FROM spans WHERE status_code = 'ERROR' AND latency_ms > 50 AND kind = 'LLM'",
    "SELECT kind, status_code, count(*) AS n, round(sum(latency_ms), 3) AS ms FROM spans GROUP BY kind, status_code",
    "SELECT count(*) AS n FROM spans WHERE status_code IS NULL OR name = 'rare'",
    "SELECT count(*) AS n FROM spans WHERE NOT (status_code = 'ERROR')",
    "SELECT span_id, input, name FROM spans WHERE name = 'rare' AND kind <> 'TOOL'",
    "SELECT span_id, kind FROM spans WHERE input LIKE '%9999%' AND status_code = 'OK'",
    "SELECT count(*) AS n, min(start_time) AS a, max(end_time) AS b FROM spans WHERE coalesce(status_code, 'none') = 'none'",
    "SELECT start_time, span_id, input FROM spans WHERE status_code = 'ERROR' ORDER BY start_time DESC, span_id LIMIT 20",
    "SELECT name, kind FROM spans WHERE attributes.size > 9000",
    "SELECT attributes.size, attributes.nowhere FROM spans WHERE attributes.size IS NOT NULL AND name LIKE 'r%'",
    "SELECT kind, count(*) AS n FROM traces_where('status_code = ''ERROR''') GROUP BY kind",
    "SELECT count(*) AS n FROM structure('{kind = ''LLM''} ~ {status_code = ''ERROR''}')",
    "SELECT tree.depth, count(*) AS n FROM spans WHERE kind || name = 'LLMrare' GROUP BY 1",
    "SELECT trace_id, span_count, latency_ms FROM traces WHERE error_count > 1",
    "SELECT a.kind, b.kind AS other, count(*) AS n FROM spans a JOIN spans b ON a.trace_id = b.trace_id AND a.name = b.name WHERE a.status_code = 'ERROR' GROUP BY 1, 2",
    "SELECT date_trunc('second', start_time) AS at, count(*) AS n FROM spans WHERE start_time > '2025-01-01' GROUP BY 1",
    "SELECT eval.right.label, count(*) AS n FROM spans WHERE eval.right.label IS NOT NULL OR name = 'rare' GROUP BY 1",
    "SELECT count(*) AS n FROM spans WHERE 10 / nullif(length(input) - 8, 0) > 2 AND name = 'common'",
];

async fn rows(engine: &Engine, sql: &str) -> Result<Vec<String>, String> {
    let mut rows: Vec<String> = ask_rows(engine, sql).await?.iter().map(|row| format!("{row:?}")).collect();
    rows.sort();
    Ok(rows)
}

/// Asks all questions again and again, of kept columns and of files alone.
async fn agree(store: &Store, when: &str) {
    let kept = engine(store.snapshot().await.unwrap()).await;
    let files = engine(store.snapshot().await.unwrap()).await;
    // Batches of another size are read from files.
    reading(&files, 1_000);
    for question in QUESTIONS {
        let expected = rows(&files, question).await;
        for turn in 0..3 {
            assert_eq!(rows(&kept, question).await, expected, "{when}, turn {turn}: {question}");
        }
    }
}

#[tokio::test]
async fn kept_columns_answer_as_files_do() {
    let store = Store::open("memory://").unwrap();
    import(&store, &[batch(&many(0..10_000))]).await.unwrap();
    agree(&store, "imported").await;
    let kept = store.snapshot().await.unwrap().segments;
    assert!(kept.columns().bytes() > 1_000_000, "{}", kept.columns().bytes());

    let ids: Vec<String> = (0..10_000).step_by(9).map(|trace| format!("s{trace}-1")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    store.delete_spans("p", &ids).await.unwrap();
    agree(&store, "deleted").await;

    let mut patch = Patch::new("p", Grain::Span);
    let text = |values: Vec<String>| -> ArrayRef { Arc::new(StringArray::from(values)) };
    let ids: Vec<String> = (0..200).map(|trace| format!("s{trace}-0")).collect();
    let labels = vec!["right".to_owned(); ids.len()];
    let written = [(columns::SPAN_ID, text(ids)), ("eval.right.label", text(labels))];
    patch.push(&RecordBatch::try_from_iter(written).unwrap()).unwrap();
    store.patch(&patch, UnknownIds::Refuse, "annotate").await.unwrap();
    agree(&store, "patched").await;

    // A column of numbers becomes one of text.
    let mut odd = row("p", "later", "later");
    odd.insert("attributes.size".to_owned(), Cell::text("large"));
    import(&store, &[batch(&[odd])]).await.unwrap();
    import(&store, &demo(5, 300)).await.unwrap();
    agree(&store, "widened").await;

    // No room: everything is read again each time.
    kept.columns().set_budget(0);
    agree(&store, "nothing kept").await;
    assert_eq!(kept.columns().bytes(), 0);
}

/// Files have other columns than their table, each at a place of its own: row groups are left out by the statistics of the
/// column that is asked for.
#[tokio::test]
async fn statistics_are_those_of_the_column() {
    let store = Store::open("memory://").unwrap();
    let mut wide = row("p", "t", "s");
    for (name, value) in [("attributes.b", 900), ("attributes.m", 1), ("attributes.y", 700)] {
        wide.insert(name.to_owned(), Cell::Int(value));
    }
    let mut narrow = row("q", "t", "s");
    narrow.insert("attributes.m".to_owned(), Cell::Int(1));
    narrow.insert("attributes.z".to_owned(), Cell::Int(5));
    import(&store, &[batch(&[wide]), batch(&[narrow])]).await.unwrap();
    let engine = engine(store.snapshot().await.unwrap()).await;
    for (condition, expected) in [
        ("attributes.m = 1", 2),
        ("CAST(attributes.m AS varchar) = '1'", 2),
        ("attributes.z = 5", 1),
        ("attributes.b = 900", 1),
        ("attributes.y = 700 OR attributes.z = 5", 2),
        ("attributes.z IS NULL", 1),
        ("attributes.m < 1", 0),
    ] {
        let rows = ask_rows(&engine, &format!("SELECT count(*) AS n FROM spans WHERE {condition}")).await.unwrap();
        assert_eq!(rows[0]["n"], expected.to_string(), "{condition}");
    }
}
