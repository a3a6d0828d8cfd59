-- name: slowest-traces
-- description: The traces that took longest
-- param since time = null Only traces that began from this time on
-- param until time = null Only traces that began before this time
-- param n int = 20 How many
SELECT trace_id,
       name,
       round(latency_ms / 1000, 1) AS seconds,
       span_count AS spans,
       error_count AS errors,
       input
FROM traces
WHERE ($since IS NULL OR start_time >= $since)
  AND ($until IS NULL OR start_time < $until)
ORDER BY latency_ms DESC NULLS LAST, trace_id, project
LIMIT $n
