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
async fn statistics_answer_for_another_aggregate() {
    still_wrong(
        "SELECT count(*) FILTER (WHERE a > 7) FROM (SELECT count(*) AS a FROM (VALUES (1), (2)))",
        "0",
        "UnfilteredStatistics",
    )
    .await;
}
