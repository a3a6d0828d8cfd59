-- name: users-by-experience
-- description: Whom it went worst for: traces with errors, latency and repeated steps of each user
-- param since time = null Only traces that began from this time on
-- param until time = null Only traces that began before this time
-- param n int = 20 How many
-- chart: bar x=user_id y=error_percent title="Traces with errors by user, %"
WITH again AS (
    SELECT project, trace_id, sum(count - 1) AS times FROM repeats GROUP BY project, trace_id
)
SELECT t.user_id,
       count(*) AS traces,
       count(DISTINCT t.session_id) AS sessions,
       round(100.0 * count_if(t.error_count > 0) / count(*), 1) AS error_percent,
       sum(t.error_count) AS errors,
       round(p50(t.latency_ms) / 1000, 1) AS p50_seconds,
       round(p95(t.latency_ms) / 1000, 1) AS p95_seconds,
       coalesce(sum(a.times), 0) AS retries,
       max(t.start_time) AS last_seen
FROM traces t
LEFT JOIN again a ON a.project = t.project AND a.trace_id = t.trace_id
WHERE t.user_id IS NOT NULL
  AND ($since IS NULL OR t.start_time >= $since)
  AND ($until IS NULL OR t.start_time < $until)
GROUP BY t.user_id
ORDER BY errors DESC, retries DESC, p95_seconds DESC NULLS LAST, t.user_id
LIMIT $n
