-- name: estimated-costs
-- description: What was recorded as cost beside what the configured prices say, by model
-- param since time = null Only calls from this time on
-- param until time = null Only calls before this time
-- chart: bar x=model y=recorded,estimated title="Recorded and estimated cost"
-- Of calls that have both, so that the two can be compared; what was never recorded stands apart.
WITH calls AS (
    SELECT coalesce(model, attributes.embedding.model_name) AS model, total_tokens, cost, estimated_cost AS estimate
    FROM spans
    WHERE kind IN ('LLM', 'EMBEDDING')
      AND tree.wrapper IS NOT TRUE
      AND ($since IS NULL OR start_time >= $since)
      AND ($until IS NULL OR start_time < $until)
)
SELECT model,
       count(*) AS calls,
       count_if(cost IS NOT NULL AND estimate IS NOT NULL) AS compared,
       round(sum(cost) FILTER (WHERE estimate IS NOT NULL), 4) AS recorded,
       round(sum(estimate) FILTER (WHERE cost IS NOT NULL), 4) AS estimated,
       round(100 * (sum(estimate) FILTER (WHERE cost IS NOT NULL) / nullif(sum(cost) FILTER (WHERE estimate IS NOT NULL), 0) - 1), 1)
           AS difference_percent,
       count_if(cost IS NULL) AS without_cost,
       round(sum(estimate) FILTER (WHERE cost IS NULL), 4) AS estimated_of_these
FROM calls
GROUP BY model
ORDER BY calls DESC, model
