-- name: sample-traces
-- description: Some traces to read: a sample that stays the same until there are new ones
-- param since time = null Only traces that began from this time on
-- param until time = null Only traces that began before this time
-- param n int = 10 How many
SELECT trace_id,
       name,
       start_time,
       round(latency_ms / 1000, 1) AS seconds,
       span_count AS spans,
       error_count AS errors,
       input,
       output
FROM traces
WHERE ($since IS NULL OR start_time >= $since)
  AND ($until IS NULL OR start_time < $until)
ORDER BY md5(trace_id), project
LIMIT $n
