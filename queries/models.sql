-- name: models
-- description: Models side by side: calls, errors, latency, tokens and cost
-- param since time = null Only calls from this time on
-- param until time = null Only calls before this time
-- chart: bar x=model y=cost title="Cost by model"
SELECT model,
       count(*) AS calls,
       round(100.0 * count(*) FILTER (WHERE status_code = 'ERROR') / count(*), 1) AS error_percent,
       round(percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_ms)) AS p50_ms,
       round(percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms)) AS p95_ms,
       round(avg(completion_tokens)) AS tokens_per_answer,
       sum(total_tokens) AS tokens,
       round(sum(cost), 4) AS cost
FROM spans
WHERE kind = 'LLM'
  AND tree.wrapper IS NOT TRUE
  AND ($since IS NULL OR start_time >= $since)
  AND ($until IS NULL OR start_time < $until)
GROUP BY model
ORDER BY cost DESC NULLS LAST, model
