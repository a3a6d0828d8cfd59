//! How long it takes to plan 1,000 statements: parsed, names resolved, planned and optimised, not run.
//!
//! They are of every kind that people type: joins, subqueries, windows, dotted names, the forms of other shells. Prints
//! milliseconds for all of them, by the clock and of the processor, the least of some rounds. Instructions are the better measure
//! on a busy machine: `perf stat -e instructions:u` or `valgrind --tool=callgrind` with `SPANQL_BENCH_ROUNDS=1`, less those with
//! `SPANQL_BENCH_ROUNDS=0`, which are spent before the first statement.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a bench fails by panicking")]

use std::time::{Duration, Instant};

use spanql::demo::Generator;
use spanql::engine::{Engine, Params, StoreEngine};
use spanql::store::{Progress, Store};

const STATEMENTS: usize = 1_000;
const ROUNDS: usize = 5;

/// `$n` is another number in each statement.
const FORMS: [&str; 32] = [
    "SELECT count(*) FROM spans WHERE latency_ms > $n",
    "SELECT * FROM spans WHERE status_code = 'ERROR' AND total_tokens < $n ORDER BY start_time DESC LIMIT 10",
    "SELECT kind, count(*) AS n, avg(latency_ms) AS ms FROM spans WHERE cost < $n GROUP BY kind ORDER BY n DESC",
    "SELECT model, sum(total_tokens) FROM spans WHERE model LIKE 'gpt%$n' GROUP BY 1 HAVING count(*) > 1",
    "SELECT attributes.llm.token_count.total, attributes.metadata.tier FROM spans WHERE attributes.metadata.seats > $n",
    "SELECT s.context.span_id, t.span_count FROM spans s JOIN traces t USING (trace_id) WHERE t.cost > $n",
    "SELECT trace_id FROM traces WHERE trace_id IN (SELECT trace_id FROM spans WHERE latency_ms > $n)",
    "SELECT t.name FROM traces t WHERE EXISTS (SELECT 1 FROM spans s WHERE s.trace_id = t.trace_id AND s.cost > $n)",
    "SELECT name, (SELECT max(latency_ms) FROM spans s WHERE s.trace_id = t.trace_id) AS m FROM traces t LIMIT $n",
    "SELECT name, rank() OVER (PARTITION BY kind ORDER BY latency_ms DESC) AS r FROM spans WHERE total_tokens > $n",
    "SELECT name, latency_ms FROM spans QUALIFY row_number() OVER (PARTITION BY trace_id ORDER BY start_time) = $n",
    "WITH slow AS (SELECT * FROM spans WHERE latency_ms > $n) SELECT kind, count(*) FROM slow GROUP BY ALL ORDER BY ALL",
    "WITH a AS (SELECT trace_id, count(*) AS n FROM spans GROUP BY 1), b AS (SELECT * FROM a WHERE n > $n) SELECT avg(n) FROM b",
    "SELECT * EXCLUDE (input, output) FROM spans WHERE name = 'n$n'",
    "SELECT count(*) FILTER (WHERE status_code = 'ERROR') * 100.0 / count(*) FROM spans WHERE latency_ms > $n",
    "SELECT date_trunc('hour', start_time) AS h, count(*) FROM spans WHERE total_tokens <> $n GROUP BY 1 ORDER BY 1",
    "SELECT arg_max(name, latency_ms), any_value(model), mode(kind) FROM spans WHERE total_tokens <> $n",
    "SELECT strftime(start_time, '%Y-%m-%d') AS d, p95(latency_ms) FROM spans WHERE cost <> $n GROUP BY d",
    "SELECT time_bucket(INTERVAL '$n minutes', start_time) AS b, sum(cost) FROM spans GROUP BY b",
    "SELECT session_id, trace_count FROM sessions WHERE trace_count > $n ORDER BY duration_ms DESC",
    "SELECT name, label, count(*) FROM evals WHERE score < $n GROUP BY ALL",
    "SELECT eval.Correctness.label, count(*) FROM spans WHERE eval.Correctness.score >= $n GROUP BY 1",
    "SELECT name FROM spans WHERE kind = 'LLM' UNION ALL SELECT name FROM traces WHERE span_count > $n",
    "SELECT DISTINCT model FROM spans EXCEPT SELECT model FROM spans WHERE total_tokens > $n",
    "SELECT a.name, b.name FROM spans a LEFT JOIN spans b ON a.parent_id = b.span_id AND b.latency_ms > $n WHERE b.span_id IS NULL",
    "SELECT CASE WHEN latency_ms > $n THEN 'slow' ELSE 'fast' END AS c, count(*) FROM spans GROUP BY c",
    "SELECT name FROM spans WHERE start_time > now() - interval '$n days' AND name NOT IN ('a', 'b', 'c') AND cost BETWEEN 0 AND $n",
    "SELECT role, count(*) FROM messages WHERE length(content) > $n GROUP BY role",
    "SELECT input->>'$.a.b', json_extract(output, '$.c') FROM spans WHERE total_tokens = $n",
    "FROM spans SELECT name, tree.depth WHERE tree.depth < $n",
    "SELECT d.k, sum(d.n) FROM (SELECT kind AS k, count(*) AS n FROM spans GROUP BY 1) d WHERE d.n > $n GROUP BY d.k",
    "SELECT list_filter([1, 2, 3], x -> x > $n), greatest(latency_ms, $n), coalesce(model, 'none') FROM spans LIMIT 5",
];

fn statements() -> Vec<String> {
    let of = |number: usize| FORMS[number % FORMS.len()].replace("$n", &(number / FORMS.len() + 1).to_string());
    (0..STATEMENTS).map(of).collect()
}

async fn engine() -> Engine {
    let store = Store::open("memory://").expect("a store in memory");
    let mut import = store.begin();
    for batch in Generator::new(7, 2_000) {
        import.push(&batch).expect("made-up spans");
    }
    store.commit(import, "import", &Progress::default()).await.expect("a commit");
    StoreEngine::default().open(store.snapshot().await.expect("a snapshot")).await.expect("an engine")
}

/// Processor time that this process has used.
fn processor() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or_default();
    // Of 10 ms each, as Linux says it.
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

fn main() {
    let rounds = std::env::var("SPANQL_BENCH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (engine, statements) = (engine().await, statements());
        let mut best: Option<(Duration, Duration)> = None;
        for _ in 0..rounds {
            let (began, before) = (Instant::now(), processor());
            for sql in &statements {
                let prepared = engine.prepare(sql, &Params::new()).await;
                assert!(
                    prepared.is_ok(),
                    "{sql}: {}",
                    prepared.err().map(|error| error.to_string()).unwrap_or_default()
                );
            }
            let took = (began.elapsed(), processor().saturating_sub(before));
            best = Some(best.map_or(took, |best| (best.0.min(took.0), best.1.min(took.1))));
        }
        if let Some((clock, processor)) = best {
            println!(
                "{STATEMENTS} statements planned in {} ms, {} ms of processor",
                clock.as_millis(),
                processor.as_millis()
            );
        }
    });
}
