-- name: slow-starts
-- description: How long traces run before they first ask a model, by name of the trace
-- param since time = null Only traces that began from this time on
-- param until time = null Only traces that began before this time
WITH first_calls AS (
    SELECT project, trace_id, min(start_time) AS asked
    FROM spans
    WHERE kind = 'LLM'
    GROUP BY project, trace_id
),
waits AS (
    SELECT t.name, (asked::bigint - t.start_time::bigint) / 1e6 AS wait_ms
    FROM traces t
    JOIN first_calls f ON f.project = t.project AND f.trace_id = t.trace_id
    WHERE ($since IS NULL OR t.start_time >= $since)
      AND ($until IS NULL OR t.start_time < $until)
)
SELECT name,
       count(*) AS traces,
       round(percentile_cont(0.5) WITHIN GROUP (ORDER BY wait_ms), 1) AS p50_ms,
       round(percentile_cont(0.95) WITHIN GROUP (ORDER BY wait_ms), 1) AS p95_ms,
       round(max(wait_ms), 1) AS max_ms
FROM waits
WHERE wait_ms IS NOT NULL
GROUP BY name
ORDER BY p95_ms DESC, name
