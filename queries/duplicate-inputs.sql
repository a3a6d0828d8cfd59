-- name: duplicate-inputs
-- description: Inputs that came more than once, and what all answers to each have cost
-- param since time = null Only traces that began from this time on
-- param until time = null Only traces that began before this time
-- param n int = 20 How many
-- The table traces keeps the beginnings of inputs; whether two are the same, only the root spans know.
SELECT min(left(s.input, 200)) AS input,
       count(*) AS traces,
       count(DISTINCT t.user_id) AS users,
       count(DISTINCT md5(s.output)) AS outputs,
       round(sum(t.cost), 4) AS cost,
       min(t.start_time) AS first,
       max(t.start_time) AS last
FROM traces t
JOIN spans s ON s.project = t.project AND s.context.trace_id = t.trace_id AND s.context.span_id = t.root_span_id
WHERE trim(s.input) <> ''
  AND ($since IS NULL OR t.start_time >= $since)
  AND ($until IS NULL OR t.start_time < $until)
GROUP BY md5(s.input)
HAVING count(*) > 1
ORDER BY traces DESC, cost DESC NULLS LAST, input, md5(s.input)
LIMIT $n
