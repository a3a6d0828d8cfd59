//! Parameters of saved queries: values reach the statement as they are, and are never read as SQL.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::datasource::MemTable;
use proptest::prelude::*;
use spanql::engine::{Engine, EngineConfig, Params, Relation};
use spanql::model::time::{Clock, parse};
use spanql::report::{Declared, bind};
use tokio::runtime::Runtime;

use super::cases::cases;
use super::support::{Row, ask_with, rows_of};

fn now() -> Clock {
    Clock { now: parse("2026-11-21T18:30:00Z").unwrap(), data_end: None }
}

fn bound(declared: &[&str], given: &[(&str, &str)]) -> Params {
    let declared: Vec<Declared> = declared.iter().map(|text| Declared::parse(text).unwrap()).collect();
    let given: Vec<_> = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    bind(&declared, &given, &now()).unwrap()
}

/// Two spans, one of them with this name.
async fn spans_named(engine: &Engine, name: &str) {
    let text = |values: [&str; 2]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    let columns = [
        ("context.trace_id", text(["t", "t"])),
        ("context.span_id", text(["a", "b"])),
        ("name", text([name, "another name, surely"])),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let table = Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap());
    engine.register("spans", Relation::Spans { table, rest: Arc::default() }).await.unwrap();
}

async fn only_row(engine: &Engine, sql: &str, params: &Params) -> std::collections::BTreeMap<String, String> {
    let (_, batches) = ask_with(engine, sql, params).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let rows = rows_of(&batches);
    assert_eq!(rows.len(), 1, "{sql}");
    rows.into_iter().next().unwrap()
}

/// An element of a list as a person writes it.
fn element(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// Texts made of what has a meaning in SQL, in filters and in lists, and of anything else but NUL.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "'",
            "''",
            "\"",
            "\\",
            "\\'",
            "--",
            "/*",
            "*/",
            ";",
            "$",
            "$x",
            ":x",
            "$$",
            "?",
            ",",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            "%",
            "_",
            "=",
            " ",
            "\n",
            "\t",
            "\r",
            "\u{1}",
            "\u{1b}[31m",
            "\u{7f}",
            "\u{202e}",
            "\u{200b}",
            "é",
            "日本",
            "🦀",
            "null",
            "true",
            " OR 1=1",
            "'; DROP TABLE spans; --",
            "E'\\x27'",
            "U&'\\0027'",
            "1e9",
        ])
        .prop_map(str::to_owned),
        "[^\\x00]{0,6}",
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(200) as u32))]

    #[test]
    fn texts_come_back_as_they_were(x in text(), y in text()) {
        let runtime = Runtime::new().unwrap();
        runtime.block_on(async {
            let engine = Engine::new(EngineConfig::default()).unwrap();
            spans_named(&engine, &x).await;

            let params = bound(&["x text", "y text = ''"], &[("x", &x), ("y", &y)]);
            let row = only_row(&engine, "SELECT $x AS x, :y AS y, $x || $y AS both, 'x' AS end", &params).await;
            prop_assert_eq!(&row["x"], &x);
            prop_assert_eq!(&row["y"], &y);
            prop_assert_eq!(&row["both"], &format!("{x}{y}"));
            prop_assert_eq!(&row["end"], "x");

            let both = [element(&x), element(&y)].join(" , ");
            let params = bound(&["x text", "names text[]"], &[("x", &x), ("names", &both), ("names", &element(&x))]);
            let sql = "SELECT count(*) AS n, min(name) AS name, array_length($names) AS length,
                              array_to_string($names, '') AS all FROM spans WHERE name IN ($names) AND name = $x";
            let row = only_row(&engine, sql, &params).await;
            prop_assert_eq!(&row["n"], "1");
            prop_assert_eq!(&row["name"], &x);
            prop_assert_eq!(&row["length"], "3");
            prop_assert_eq!(&row["all"], &format!("{x}{y}{x}"));

            let filter = format!("name = {}", element(&x));
            let sql = "SELECT count(*) AS n, min(name) AS name FROM spans_where($filter)";
            let row = only_row(&engine, sql, &bound(&["filter text"], &[("filter", &filter)])).await;
            prop_assert_eq!(&row["n"], "1");
            prop_assert_eq!(&row["name"], &x);
            Ok(())
        })?;
    }

    /// As a filter, any text is a filter that is understood or refused.
    #[test]
    fn a_filter_stays_a_filter(x in text()) {
        let runtime = Runtime::new().unwrap();
        runtime.block_on(async {
            let engine = Engine::new(EngineConfig::default()).unwrap();
            spans_named(&engine, &x).await;
            let params = bound(&["x text"], &[("x", &x)]);
            let sql = "SELECT 'one' AS one FROM spans_where($x) UNION SELECT 'one'";
            if let Ok((schema, batches)) = ask_with(&engine, sql, &params).await {
                prop_assert_eq!(schema.fields().len(), 1);
                prop_assert_eq!(rows_of(&batches).len(), 1);
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn values_have_types() {
    let engine = Engine::new(EngineConfig::default()).unwrap();
    let types = |names: &str| {
        let items = names.split(' ').map(|name| format!("arrow_typeof(${name}) AS {name}"));
        format!("SELECT {}", items.collect::<Vec<_>>().join(", "))
    };
    let declared = [
        "text text = null",
        "int int = null",
        "float float = null",
        "bool bool = null",
        "time time = null",
        "texts text[] = null",
        "ints int[] = null",
        "floats float[] = null",
    ];
    let names = "text int float bool time texts ints floats";
    let wanted = [
        ("text", "Utf8"),
        ("int", "Int64"),
        ("float", "Float64"),
        ("bool", "Boolean"),
        ("time", "Timestamp(ns, \"UTC\")"),
        ("texts", "List(Utf8)"),
        ("ints", "List(Int64)"),
        ("floats", "List(Float64)"),
    ];
    let given = [
        ("text", "7"),
        ("int", "7"),
        ("float", "7"),
        ("bool", "yes"),
        ("time", "7d"),
        ("texts", "7"),
        ("ints", "7, -8"),
        ("floats", "7"),
    ];
    let empty = [
        ("text", ""),
        ("int", "-7"),
        ("float", "-7"),
        ("bool", "no"),
        ("time", "1969-12-31"),
        ("texts", ""),
        ("ints", ""),
        ("floats", ""),
    ];
    for values in [&[][..], &given[..], &empty[..]] {
        let row = only_row(&engine, &types(names), &bound(&declared, values)).await;
        for (name, data_type) in wanted {
            assert_eq!(row[name], data_type, "{name} of {values:?}");
        }
    }
    let params = bound(&declared, &[("time", "7d"), ("ints", "1,2"), ("ints", "3")]);
    let sql = "SELECT $time::bigint AS time, $ints AS ints, 3 IN ($ints) AS three, 4 IN ($ints, 4) AS four,
                      4 NOT IN ($ints) AS no, 1 IN ($texts) AS unknown";
    let row = only_row(&engine, sql, &params).await;
    let wanted =
        [("four", "true"), ("ints", "[1, 2, 3]"), ("no", "true"), ("three", "true"), ("time", "1794681000000000000")];
    assert_eq!(row.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>(), wanted);
}

/// An empty list holds nothing; no list at all is unknown.
#[tokio::test]
async fn lists_without_elements() {
    let engine = Engine::new(EngineConfig::default()).unwrap();
    spans_named(&engine, "plan").await;
    let sql = "SELECT count(*) FILTER (WHERE name IN ($names)) AS inside,
                      count(*) FILTER (WHERE name NOT IN ($names)) AS outside,
                      count(*) FILTER (WHERE $names IS NULL OR name IN ($names)) AS optional FROM spans";
    for (given, wanted) in [(None, ["0", "0", "2"]), (Some(""), ["0", "2", "0"]), (Some("plan,x"), ["1", "1", "1"])] {
        let given: Vec<(&str, &str)> = given.map(|value| ("names", value)).into_iter().collect();
        let row = only_row(&engine, sql, &bound(&["names text[] = null"], &given)).await;
        assert_eq!(["inside", "outside", "optional"].map(|name| row[name].as_str()), wanted, "{given:?}");
    }
}

/// A bound on the time reaches the scan as a literal; one that is not given leaves nothing behind.
#[tokio::test(flavor = "multi_thread")]
async fn bounds_on_time_reach_the_scan() {
    let store = spanql::store::Store::open("memory://").unwrap();
    let row: Row = super::support::row("p", "t", "s");
    super::support::import(&store, &[super::support::batch(&[row])]).await.unwrap();
    let engine = super::support::engine(store.snapshot().await.unwrap()).await;
    let sql = "EXPLAIN SELECT name FROM spans WHERE ($since IS NULL OR start_time >= $since) AND ($until IS NULL OR start_time < $until)";
    let declared = ["since time = null", "until time = null"];
    let plan = |params: Params| {
        let engine = engine.clone();
        async move { format!("{:?}", rows_of(&ask_with(&engine, sql, &params).await.unwrap().1)) }
    };
    let bounded = plan(bound(&declared, &[("since", "2026-11-01T01:00:00+01:00")])).await;
    assert!(bounded.contains("predicate=start_time@7 >= 1793491200000000000, pruning_predicate="), "{bounded}");
    assert!(!bounded.contains("start_time <") && !bounded.contains("IS NULL"), "{bounded}");
    let free = plan(bound(&declared, &[])).await;
    assert!(!free.contains("predicate") && !free.contains("Filter"), "{free}");
}
