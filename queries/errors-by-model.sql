-- name: errors-by-model
-- description: How many calls of each model fail, day by day
-- param since time = null Only calls from this time on
-- param until time = null Only calls before this time
-- param models text[] = null Only these models
-- chart: line x=day y=error_percent series=model title="Failed calls, %"
SELECT date_trunc('day', start_time) AS day,
       model,
       count(*) AS calls,
       count(*) FILTER (WHERE status_code = 'ERROR') AS errors,
       round(100.0 * count(*) FILTER (WHERE status_code = 'ERROR') / count(*), 1) AS error_percent
FROM spans
WHERE kind = 'LLM'
  AND tree.wrapper IS NOT TRUE
  AND ($models IS NULL OR model IN ($models))
  AND ($since IS NULL OR start_time >= $since)
  AND ($until IS NULL OR start_time < $until)
GROUP BY day, model
ORDER BY day, model
