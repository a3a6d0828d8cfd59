-- name: tokens-by-day
-- description: Traces, tokens and cost, day by day
-- param since time = null Only traces that began from this time on
-- param until time = null Only traces that began before this time
-- chart: stacked x=day y=prompt_tokens,completion_tokens title="Tokens by day"
SELECT date_trunc('day', start_time) AS day,
       count(*) AS traces,
       sum(prompt_tokens) AS prompt_tokens,
       sum(completion_tokens) AS completion_tokens,
       sum(total_tokens) AS total_tokens,
       round(sum(cost), 4) AS cost
FROM traces
WHERE ($since IS NULL OR start_time >= $since)
  AND ($until IS NULL OR start_time < $until)
GROUP BY day
ORDER BY day
