-- name: cost-by-day
-- description: What each model costs, day by day
-- param since time = null Only calls from this time on
-- param until time = null Only calls before this time
-- param models text[] = null Only these models
-- chart: stacked x=day y=cost series=model title="Cost by day and model"
SELECT date_trunc('day', start_time) AS day,
       model,
       count(*) AS calls,
       sum(total_tokens) AS tokens,
       round(sum(cost), 4) AS cost
FROM spans
WHERE kind = 'LLM'
  AND tree.wrapper IS NOT TRUE
  AND ($models IS NULL OR model IN ($models))
  AND ($since IS NULL OR start_time >= $since)
  AND ($until IS NULL OR start_time < $until)
GROUP BY day, model
ORDER BY day, model
