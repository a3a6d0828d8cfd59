//! Wrong calls of every function: the message speaks of what was typed, and in no words of what is inside.

use spanql::engine::{Engine, FunctionKind, Params};

use super::fixture;
use crate::cases::cases;

/// What no message may hold.
const INTERNAL: [&str; 14] = [
    "__",
    "DataFusion",
    "Signature",
    "coercion",
    "Coercion",
    "Utf8",
    "Int64",
    "Float64",
    "NativeType",
    "TypeSignature",
    "Internal error",
    "Execution error",
    "placeholder",
    "ScalarFunction",
];

const ARGUMENTS: [&str; 9] = [
    "",
    "1",
    "'a'",
    "true",
    "now(), 1",
    "[1], 'a'",
    "named_struct('a', 1)",
    "interval '1 day', name",
    "1, 2, 3, 4, 5, 6, 7",
];

async fn message(engine: &Engine, sql: &str) -> Option<String> {
    engine.prepare(sql, &Params::new()).await.err().map(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_calls_are_said_without_internals() {
    let engine = fixture::engine().await;
    let mut wrong = vec![];
    for (number, function) in engine.describe().await.functions.into_iter().enumerate() {
        // Each with some of them, and in turn with other ones.
        let tried = cases(ARGUMENTS.len());
        for arguments in ARGUMENTS.iter().cycle().skip(number).take(tried) {
            let call = format!("{}({arguments})", function.name);
            let sql = match function.kind {
                FunctionKind::Scalar | FunctionKind::Aggregate => format!("SELECT {call} FROM spans"),
                FunctionKind::Window => format!("SELECT {call} OVER () FROM spans"),
                FunctionKind::Table => format!("SELECT 1 FROM {call}"),
            };
            let Some(message) = message(&engine, &sql).await else { continue };
            if INTERNAL.iter().any(|word| message.contains(word)) {
                wrong.push(format!("{sql}\n    {message}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn wrong_statements_are_said_without_internals() {
    let engine = fixture::engine().await;
    for sql in [
        "SELECT DISTINCT ON (name, name) name, upper(name, 1) FROM spans ORDER BY name",
        "SELECT rank() OVER (ORDER BY sqrt(name, 1)) FROM spans",
        "SELECT count(*) FROM spans GROUP BY ROLLUP (name IN (SELECT name, kind FROM spans))",
        "SELECT name FROM spans WHERE name IN (SELECT name, kind FROM spans)",
        "SELECT (SELECT name, kind FROM spans) FROM spans",
        "SELECT name + interval '1 day' FROM spans",
        "SELECT start_time * 2 FROM spans",
        "SELECT start_time + start_time FROM spans",
        "SELECT -name FROM spans",
        "SELECT NOT start_time FROM spans",
        "SELECT name AND true FROM spans",
        "SELECT CASE WHEN name THEN 1 END FROM spans",
        "SELECT [1, 'a', now()] FROM spans",
        "SELECT unnest(1)",
        "SELECT sum(sum(latency_ms)) FROM spans",
        "SELECT sum(rank() OVER ()) FROM spans",
        "SELECT name FROM spans LIMIT 'a'",
        "SELECT name FROM spans LIMIT -1",
        "SELECT name FROM spans s JOIN traces t ON s.name",
        "SELECT name FROM spans UNION SELECT latency_ms, name FROM spans",
        "SELECT 1 UNION SELECT now()",
        "SELECT name FROM spans ORDER BY sum(latency_ms)",
        "SELECT x.y.z.w FROM spans",
        "SELECT name[1]['a'] FROM spans",
        "SELECT CAST(start_time AS boolean) FROM spans",
        "SELECT CAST([1] AS double) FROM spans",
        "SELECT EXTRACT(nothing FROM start_time) FROM spans",
        "SELECT name FROM spans HAVING count(*) > 1",
        "SELECT * FROM (VALUES (1), (1, 2)) AS t",
        "SELECT * FROM (VALUES (1), ('a')) AS t WHERE column1 = now()",
        "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n, n FROM t) SELECT * FROM t",
        "SELECT lag(name, 'a') OVER (ORDER BY name) FROM spans",
        "SELECT ntile('a') OVER (ORDER BY name) FROM spans",
        "SELECT sum(latency_ms) OVER (ROWS BETWEEN 'a' PRECEDING AND CURRENT ROW) FROM spans",
        "SELECT array_agg(name ORDER BY nothing(name)) FROM spans",
        "SELECT name FROM spans WHERE EXISTS (SELECT 1 FROM traces WHERE traces.trace_id = spans.nothing)",
    ] {
        let Some(message) = message(&engine, sql).await else { continue };
        let found: Vec<&&str> = INTERNAL.iter().filter(|word| message.contains(**word)).collect();
        assert!(found.is_empty(), "{sql}\n{message}\n{found:?}");
    }
}
