-- name: tokens-by-turn
-- description: How the context grows from turn to turn of a session
-- param since time = null Only turns from this time on
-- param until time = null Only turns before this time
-- param n int = 20 How many turns
-- chart: line x=turn y=context_tokens title="Largest prompt of a turn, average" unit=tokens
SELECT turn,
       count(*) AS sessions,
       round(avg(context_tokens)) AS context_tokens,
       max(context_tokens) AS largest_context,
       round(avg(context_growth)) AS growth,
       round(avg(total_tokens)) AS total_tokens,
       round(avg(cost), 5) AS cost
FROM turns
WHERE ($since IS NULL OR start_time >= $since)
  AND ($until IS NULL OR start_time < $until)
GROUP BY turn
ORDER BY turn
LIMIT $n
