-- name: latency-by-kind
-- description: How long steps take, by their kind: median and slow ones
-- param since time = null Only steps from this time on
-- param until time = null Only steps before this time
-- chart: bar x=kind y=p50_ms,p95_ms title="Latency by kind of step" unit=ms
SELECT kind,
       count(*) AS spans,
       round(percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_ms), 1) AS p50_ms,
       round(percentile_cont(0.9) WITHIN GROUP (ORDER BY latency_ms), 1) AS p90_ms,
       round(percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms), 1) AS p95_ms,
       round(percentile_cont(0.99) WITHIN GROUP (ORDER BY latency_ms), 1) AS p99_ms,
       round(max(latency_ms), 1) AS max_ms
FROM spans
WHERE latency_ms IS NOT NULL
  AND tree.wrapper IS NOT TRUE
  AND ($since IS NULL OR start_time >= $since)
  AND ($until IS NULL OR start_time < $until)
GROUP BY kind
ORDER BY p95_ms DESC, kind
