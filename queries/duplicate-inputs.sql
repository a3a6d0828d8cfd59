-- name: duplicate-inputs
-- description: Inputs that came more than once, and what answering them again has cost
-- param since time = null Only traces that began from this time on
-- param until time = null Only traces that began before this time
-- param n int = 20 How many
SELECT input,
       count(*) AS traces,
       count(DISTINCT user_id) AS users,
       count(DISTINCT output) AS outputs,
       round(sum(cost), 4) AS cost,
       min(start_time) AS first,
       max(start_time) AS last
FROM traces
WHERE trim(input) <> ''
  AND ($since IS NULL OR start_time >= $since)
  AND ($until IS NULL OR start_time < $until)
GROUP BY input
HAVING count(*) > 1
ORDER BY traces DESC, cost DESC NULLS LAST, input
LIMIT $n
