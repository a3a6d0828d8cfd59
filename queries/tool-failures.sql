-- name: tool-failures
-- description: How often each tool is called, fails and is slow
-- param since time = null Only calls from this time on
-- param until time = null Only calls before this time
-- chart: bar x=tool y=error_percent title="Failed calls by tool" unit=%
SELECT coalesce(attributes.tool.name, name) AS tool,
       count(*) AS calls,
       count(*) FILTER (WHERE status_code = 'ERROR') AS errors,
       round(100.0 * count(*) FILTER (WHERE status_code = 'ERROR') / count(*), 1) AS error_percent,
       round(percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_ms)) AS p50_ms,
       round(percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms)) AS p95_ms
FROM spans
WHERE kind = 'TOOL'
  AND tree.wrapper IS NOT TRUE
  AND ($since IS NULL OR start_time >= $since)
  AND ($until IS NULL OR start_time < $until)
GROUP BY tool
ORDER BY error_percent DESC, calls DESC, tool
