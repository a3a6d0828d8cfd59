//! Statements beyond the limits are errors, soon, and never end the process.

use std::time::{Duration, Instant};

use spanql::engine::{Engine, Params};

use super::{fixture, lines};

async fn refused(engine: &Engine, what: &str, sql: &str) {
    let start = Instant::now();
    let error = engine.prepare(sql, &Params::new()).await.err().unwrap_or_else(|| panic!("{what} was planned"));
    assert!(start.elapsed() < Duration::from_secs(20), "{what} took {:?}", start.elapsed());
    assert!(["limit", "syntax", "unknown-column"].contains(&error.code()), "{what}: {} {error}", error.code());
}

#[tokio::test]
async fn endless_statements_are_refused() {
    let engine = fixture::engine().await;
    let n = 100_000;
    for (what, sql) in [
        ("OR", format!("SELECT 1 FROM spans WHERE {}", vec!["name > '1'"; n].join(" OR "))),
        ("parentheses", format!("SELECT {}1{}", "(".repeat(n), ")".repeat(n))),
        ("open parentheses", format!("SELECT {}", "(".repeat(n))),
        ("open parentheses in FROM", format!("SELECT * FROM {}", "(".repeat(n))),
        ("brackets", format!("SELECT {}", "[".repeat(n))),
        ("NOT", format!("SELECT {} true", "NOT ".repeat(n))),
        ("minus", format!("SELECT {}1", "- ".repeat(n))),
        ("CASE", format!("SELECT {}1{}", "CASE WHEN true THEN ".repeat(30_000), " END".repeat(30_000))),
        ("plus", format!("SELECT {} FROM spans", vec!["1"; n].join("+"))),
        ("concatenation", format!("SELECT {} FROM spans", vec!["name"; n].join("||"))),
        ("comparison", format!("SELECT {} FROM spans", vec!["1"; n].join("="))),
        ("NOT behind operators", format!("SELECT {} 1", "1 = NOT ".repeat(n))),
        ("UNION ALL", vec!["SELECT 1"; 5_000].join(" UNION ALL ")),
        ("functions", format!("SELECT {}1", "abs(".repeat(n))),
        ("subqueries", format!("SELECT * FROM {}", "(SELECT * FROM ".repeat(n / 2))),
        ("types", format!("SELECT CAST(1 AS {}", "ARRAY<".repeat(n))),
        ("casts", format!("SELECT 1{}", "::int".repeat(n))),
        ("subscripts", format!("SELECT name{} FROM spans", "[1]".repeat(n))),
        ("dots", format!("SELECT a{} FROM spans", ".b".repeat(n))),
        ("dots of a root", format!("SELECT attributes{} FROM spans", ".a".repeat(n))),
        ("dots of numbers", format!("SELECT attributes{} FROM spans", ".0".repeat(n))),
        ("EXPLAIN", "EXPLAIN ".repeat(n)),
        ("joins", format!("SELECT 1 FROM {}", vec!["spans"; 5_000].join(" NATURAL JOIN "))),
        ("tables", format!("SELECT 1 FROM {}", vec!["spans"; 5_000].join(", "))),
        ("statements", "SELECT 1;".repeat(n)),
        ("text", format!("SELECT '{}'", "x".repeat(1_100_000))),
        ("IS NULL", format!("SELECT 1{}", " IS NULL".repeat(n))),
        ("BETWEEN", format!("SELECT 1{}", " BETWEEN 1 AND 2".repeat(50_000))),
        (
            "WITH",
            format!(
                "WITH a0 AS (SELECT 1), {} SELECT * FROM a0",
                (1..5_000).map(|i| format!("a{i} AS (SELECT * FROM a{})", i - 1)).collect::<Vec<_>>().join(", ")
            ),
        ),
        (
            "doubling WITH",
            format!(
                "WITH a0 AS (SELECT 1), {} SELECT * FROM a60",
                (1..=60)
                    .map(|i| format!("a{i} AS (SELECT * FROM a{0} UNION ALL SELECT * FROM a{0})", i - 1))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        ),
        ("INTERVAL", format!("SELECT {} 1", "INTERVAL ".repeat(n))),
        (
            "deep plan",
            format!(
                "WITH a0 AS (SELECT DISTINCT name FROM spans), {} SELECT count(*) AS n FROM a199",
                (1..200)
                    .map(|i| format!("a{i} AS (SELECT name FROM a{} GROUP BY name)", i - 1))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        ),
        ("pipes", format!("FROM spans {}", "|> WHERE true ".repeat(5_000))),
    ] {
        refused(&engine, what, &sql).await;
    }
}

#[tokio::test]
async fn long_lists_of_values_are_fine() {
    let engine = fixture::engine().await;
    let ids: Vec<String> = (0..20_000).map(|i| format!("'x{i}'")).chain(["'a2'".to_owned()]).collect();
    let ors: Vec<String> = ids.iter().map(|id| format!("s.span_id = {id}")).collect();
    let sql = format!("SELECT span_id FROM spans s WHERE ({}) AND model = 'gpt-4o'", ors.join(" OR "));
    assert_eq!(lines(&engine, &sql, &Params::new()).await.unwrap(), ["span_id", "a2"]);
    let sql = format!("SELECT span_id FROM spans WHERE span_id IN ({})", ids.join(", "));
    assert_eq!(lines(&engine, &sql, &Params::new()).await.unwrap(), ["span_id", "a2"]);
}

/// What the limits let through must also run, on threads with ordinary stacks.
#[tokio::test]
async fn statements_at_the_limits_run() {
    let engine = fixture::engine().await;
    for (what, sql) in [
        (
            "OR",
            format!(
                "SELECT count(*) AS n FROM spans WHERE {}",
                (0..999).map(|i| format!("latency_ms > {i}")).collect::<Vec<_>>().join(" OR ")
            ),
        ),
        (
            "AND",
            format!(
                "SELECT count(*) AS n FROM spans WHERE {}",
                (0..999).map(|i| format!("latency_ms <> {i}")).collect::<Vec<_>>().join(" AND ")
            ),
        ),
        (
            "OR of columns",
            format!(
                "SELECT count({}) AS n FROM spans",
                (0..300).map(|i| format!("latency_ms * {i} > 1")).collect::<Vec<_>>().join(" OR ")
            ),
        ),
        ("plus", format!("SELECT count({}) AS n FROM spans", vec!["latency_ms"; 200].join("+"))),
        ("parentheses", format!("SELECT {}1{} AS n", "(1 + ".repeat(50), ")".repeat(50))),
        ("functions", format!("SELECT {}1{} AS n", "abs(".repeat(50), ")".repeat(50))),
        ("CASE", format!("SELECT {}1{} AS n", "CASE WHEN true THEN ".repeat(50), " END".repeat(50))),
        ("UNION ALL", format!("SELECT count(*) AS n FROM ({})", vec!["SELECT 1 AS a"; 200].join(" UNION ALL "))),
        ("NOT", format!("SELECT {} true AS n", "NOT ".repeat(50))),
        ("subqueries", format!("SELECT count(*) AS n FROM {}spans{}", "(SELECT name FROM ".repeat(45), ")".repeat(45))),
        (
            "WITH",
            format!(
                "WITH a0 AS (SELECT DISTINCT name FROM spans), {} SELECT count(*) AS n FROM a49",
                (1..50)
                    .map(|i| format!("a{i} AS (SELECT name FROM a{} GROUP BY name)", i - 1))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        ),
        (
            "windows",
            format!(
                "WITH a0 AS (SELECT 1 AS n), {} SELECT n FROM a59",
                (1..60)
                    .map(|i| format!("a{i} AS (SELECT count(*) OVER () AS n FROM a{} LIMIT 5)", i - 1))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        ),
        (
            "joins",
            format!(
                "SELECT count(*) AS n FROM traces t0 {}",
                (1..=50)
                    .map(|i| format!("JOIN traces t{i} ON t{i}.trace_id = t{}.trace_id", i - 1))
                    .collect::<Vec<_>>()
                    .join(" ")
            ),
        ),
        ("UNION", vec!["SELECT 1 AS n"; 200].join(" UNION ")),
        ("concatenation", format!("SELECT count({}) AS n FROM spans", vec!["name"; 200].join("||"))),
        ("casts", format!("SELECT count(name{}) AS n FROM spans", "::text::bytea".repeat(90))),
    ] {
        let start = Instant::now();
        let rows = lines(&engine, &sql, &Params::new()).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(rows.len(), 2, "{what}: {rows:?}");
        assert!(start.elapsed() < Duration::from_secs(60), "{what} took {:?}", start.elapsed());
    }
}

/// No keyword, however often repeated, sends the parser into a recursion that nothing stops.
#[tokio::test]
async fn repeated_keywords_are_refused_or_read() {
    let engine = fixture::engine().await;
    // All keywords take minutes: a part that differs from run to run would make failures hard to repeat.
    let all = std::env::var_os("SPANQL_ALL_KEYWORDS").is_some();
    let chosen = [
        "NOT", "EXPLAIN", "CASE", "INTERVAL", "ARRAY", "STRUCT", "PRIOR", "DATE", "EXISTS", "WITH", "LATERAL", "FROM",
        "SELECT", "PREPARE", "DESCRIBE", "UNION",
    ];
    for keyword in
        datafusion::sql::sqlparser::keywords::ALL_KEYWORDS.iter().filter(|keyword| all || chosen.contains(keyword))
    {
        for (before, each) in [
            ("", "K "),
            ("SELECT ", "K "),
            ("SELECT ", "K 1 "),
            ("SELECT * FROM ", "K "),
            ("SELECT * FROM t ", "K t "),
            ("SELECT 1 ", "K 1 "),
            ("", "K x AS "),
            ("SELECT CAST(1 AS ", "K<"),
        ] {
            let sql = format!("{before}{}", each.replace('K', keyword).repeat(5_000));
            let start = Instant::now();
            let result = engine.prepare(&sql, &Params::new()).await;
            assert!(start.elapsed() < Duration::from_secs(20), "{keyword} {before}{each} took {:?}", start.elapsed());
            assert!(result.err().is_none_or(|error| error.code() != "internal"), "{keyword}");
        }
    }
}
