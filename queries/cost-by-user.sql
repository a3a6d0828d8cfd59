-- name: cost-by-user
-- description: The users who cost most, and what each of their traces costs
-- param since time = null Only traces that began from this time on
-- param until time = null Only traces that began before this time
-- param n int = 20 How many
-- chart: bar x=user_id y=cost title="Cost by user"
SELECT user_id,
       count(*) AS traces,
       count(DISTINCT session_id) AS sessions,
       sum(total_tokens) AS tokens,
       round(sum(cost), 4) AS cost,
       round(sum(cost) / count(*), 5) AS cost_per_trace
FROM traces
WHERE user_id IS NOT NULL
  AND ($since IS NULL OR start_time >= $since)
  AND ($until IS NULL OR start_time < $until)
GROUP BY user_id
ORDER BY cost DESC NULLS LAST, user_id
LIMIT $n
