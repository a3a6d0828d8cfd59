//! What DataFusion gets wrong by itself, and spanql replaces: when one of these fails, the replacement can go.
//!
//! `docs/datafusion.md` says what stands in for each.

use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::{SessionConfig, SessionContext};

/// The rows of a statement in DataFusion as it comes, or its error.
async fn rows(sql: &str) -> String {
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2));
    let answer = async { context.sql(sql).await?.collect().await };
    match answer.await {
        Ok(batches) => {
            let table = pretty_format_batches(&batches).map(|table| table.to_string()).unwrap_or_default();
            let cells = |line: &str| {
                let cells = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned());
                cells.collect::<Vec<_>>().join(" ")
            };
            let lines = table.lines().filter(|line| line.starts_with('|')).skip(1).map(cells);
            lines.collect::<Vec<_>>().join("; ")
        }
        Err(error) => format!("error: {error}"),
    }
}

/// Fails when DataFusion gives the right answer.
async fn still_wrong(sql: &str, right: &str, ours: &str) {
    let answer = rows(sql).await;
    assert_ne!(answer, right, "DataFusion answers this rightly now, so {ours} is needed no more: {sql}");
}

/// Fails when DataFusion gives another answer than the wrong one that is known.
async fn still(sql: &str, wrong: &str, ours: &str) {
    let answer = rows(sql).await;
    assert_eq!(answer, wrong, "DataFusion answers this otherwise now: see whether {ours} is needed: {sql}");
}

#[tokio::test]
async fn integers_wrap_around() {
    let largest = "(VALUES (9223372036854775807), (1)) t(x)";
    still(&format!("SELECT sum(x) FROM {largest}"), "-9223372036854775808", "our sum").await;
    still(&format!("SELECT x + 1 AS y FROM {largest} WHERE x > 1"), "-9223372036854775808", "CheckedArithmetic").await;
    still(
        "SELECT x IN (9007199254740993, 1.5) AS y FROM (VALUES (9007199254740992)) t(x)",
        "true",
        "the splitting of lists in `compare.rs`",
    )
    .await;
}

#[tokio::test]
async fn patterns_mean_something_else() {
    still("SELECT 'recall' SIMILAR TO 'call' AS y", "true", "`similar.rs`").await;
    still("SELECT to_char(CAST('2026-11-03T10:00:00' AS TIMESTAMP), 'YYYY') AS y", "YYYY", "`times/write.rs`").await;
}

#[tokio::test]
async fn filters_go_to_the_wrong_side_of_a_join() {
    still_wrong(
        "SELECT b.n AS b, a.n AS a FROM (VALUES ('x', 1)) a(k, n) RIGHT JOIN (VALUES ('z', 3)) b(k, n) ON a.k = b.k \
         WHERE a.n IS NULL AND b.n > 1",
        "3",
        "UnambiguousPushdown",
    )
    .await;
}

#[tokio::test]
async fn not_in_knows_no_nulls() {
    still_wrong("SELECT 1 AS x WHERE 'a' NOT IN (SELECT column1 FROM (VALUES ('b'), (NULL)))", "", "ThreeValuedIn")
        .await;
    still_wrong(
        "SELECT count(*) FROM (VALUES ('a', 1), ('b', 2)) t(k, v) \
         WHERE k NOT IN (SELECT column1 FROM (VALUES ('c'), (NULL))) OR v = 2",
        "1",
        "ThreeValuedIn",
    )
    .await;
}

#[tokio::test]
async fn lists_over_one_value_are_taken_together() {
    still_wrong(
        "SELECT x FROM (VALUES (9, 9)) t(x, y) WHERE x IN (y, 2, 3, 4) AND x NOT IN (9, 10, 11, NULL)",
        "",
        "ThreeValuedLists",
    )
    .await;
    still_wrong(
        "SELECT x FROM (VALUES (1), (NULL)) t(x) WHERE NOT (x IN (1, 2, 3, 4) AND x IN (5, 6, 7, 8))",
        "1",
        "ThreeValuedLists",
    )
    .await;
}

#[tokio::test]
async fn set_operations_do_not_count() {
    still_wrong(
        "SELECT * FROM ((VALUES (1), (1), (2)) EXCEPT ALL (VALUES (1))) t(x) ORDER BY x",
        "1; 2",
        "MultisetOperations",
    )
    .await;
    still_wrong("SELECT * FROM ((VALUES (1), (1)) INTERSECT ALL (VALUES (1))) t(x)", "1", "MultisetOperations").await;
}

#[tokio::test]
async fn subtotals_are_taken_for_constants() {
    still_wrong(
        "SELECT c, count(*) AS n FROM (SELECT 'x' AS c, column1 AS k FROM (VALUES ('a'), ('b'))) \
         GROUP BY ROLLUP(c) ORDER BY c NULLS LAST",
        "x 2; 2",
        "ForgetOrder",
    )
    .await;
}

#[tokio::test]
async fn constants_of_a_branch_are_taken_for_those_of_a_union() {
    still_wrong(
        "SELECT k, 2 AS c FROM (VALUES ('a'), ('b'), ('a')) t(k) UNION ALL SELECT k, 1 FROM (VALUES ('a'), ('b')) u(k) \
         ORDER BY c, k LIMIT 2",
        "a 1; b 1",
        "ForgetOrder",
    )
    .await;
}

#[tokio::test]
async fn statistics_answer_for_another_aggregate() {
    still_wrong(
        "SELECT count(*) FILTER (WHERE a > 7) FROM (SELECT count(*) AS a FROM (VALUES (1), (2)))",
        "0",
        "UnfilteredStatistics",
    )
    .await;
}

#[tokio::test]
async fn conditions_go_below_an_aggregate_that_has_a_row_for_none() {
    still_wrong(
        "SELECT * FROM (SELECT max(a) AS w, 5 AS z FROM (VALUES (1)) t(a)) d WHERE z > 100",
        "",
        "NotBelowGlobalAggregates",
    )
    .await;
}

#[tokio::test]
async fn correlated_aggregates_without_a_group_lose_their_row() {
    still_wrong(
        "WITH t(k) AS (VALUES ('a'), ('z')), u(k) AS (VALUES ('a')) \
         SELECT k FROM t WHERE EXISTS (SELECT count(*) FROM u WHERE u.k = t.k) ORDER BY k",
        "a; z",
        "what `correlated.rs` says of EXISTS over one row",
    )
    .await;
    still_wrong(
        "WITH t(k) AS (VALUES ('a'), ('b')), u(k, n) AS (VALUES ('a', 10), ('b', 20)) \
         SELECT k FROM t WHERE 1 IN (SELECT row_number() OVER (ORDER BY n) FROM u WHERE u.k = t.k) ORDER BY k",
        "a; b",
        "what `correlated.rs` refuses of window functions",
    )
    .await;
}

#[tokio::test]
async fn a_subquery_without_a_row_is_taken_for_not_null() {
    still_wrong(
        "SELECT a FROM (VALUES (1)) t(a) WHERE (SELECT q.b FROM (VALUES (2)) q(b) WHERE q.b > 5) IS NULL",
        "1",
        "the function or_null in `correlated.rs`",
    )
    .await;
}

#[tokio::test]
async fn subqueries_in_on_are_refused_or_wrong() {
    still_wrong(
        "SELECT count(*) FROM (VALUES (1)) l(a) RIGHT JOIN (VALUES (1)) r(a) \
         ON l.a = r.a AND CAST(NULL AS VARCHAR) NOT IN (SELECT 'x') WHERE l.a IS NULL",
        "1",
        "what ThreeValuedIn does to joins",
    )
    .await;
}

/// The bound of one aggregate's column skips rows that the expression of another needs.
#[tokio::test]
async fn bounds_of_one_aggregate_skip_rows_of_another() -> datafusion::error::Result<()> {
    let dir = tempfile::tempdir().map_err(|error| datafusion::error::DataFusionError::External(error.into()))?;
    let file = dir.path().join("numbers.parquet");
    let config = SessionConfig::new().with_target_partitions(2).with_batch_size(100);
    let context = SessionContext::new_with_config(config);
    let write = format!(
        "COPY (SELECT value AS a, value AS b FROM generate_series(1, 10000)) TO '{}' \
         OPTIONS ('format.max_row_group_size' '100')",
        file.display()
    );
    context.sql(&write).await?.collect().await?;
    for setting in ["execution.parquet.pushdown_filters = true", "optimizer.repartition_file_min_size = 0"] {
        context.sql(&format!("SET datafusion.{setting}")).await?.collect().await?;
    }
    context.register_parquet("t", file.to_string_lossy().as_ref(), Default::default()).await?;
    let batches = context.sql("SELECT min(a), max(a + b) FROM t").await?.collect().await?;
    let answer = pretty_format_batches(&batches)?.to_string();
    assert!(
        !answer.contains("20000"),
        "DataFusion answers this rightly now, so enable_aggregate_dynamic_filter_pushdown can be on: {answer}"
    );
    Ok(())
}

#[tokio::test]
async fn subqueries_are_refused_in_items() {
    let ours = "src/engine/optimizer/quantified.rs";
    still_wrong("SELECT x > ALL (SELECT 1) AS r FROM (VALUES (2)) t(x)", "true", ours).await;
    let first = "SELECT (SELECT y FROM (VALUES (1, 2), (1, 3)) u(x, y) WHERE u.x = t.x ORDER BY y LIMIT 1) AS r \
                 FROM (VALUES (1)) t(x)";
    still_wrong(first, "2", ours).await;
}
