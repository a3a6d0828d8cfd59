-- name: models
-- description: Calls, error rate, latency and cost by model
SELECT model,
       count(*) AS calls,
       round(100.0 * count(*) FILTER (WHERE status_code = 'ERROR') / count(*), 1) AS error_percent,
       round(approx_percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms)) AS p95_ms,
       sum(total_tokens) AS tokens,
       round(sum(cost), 2) AS cost
FROM spans
WHERE kind = 'LLM'
GROUP BY model
ORDER BY cost DESC NULLS LAST
