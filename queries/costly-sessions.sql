-- name: costly-sessions
-- description: The sessions that cost most, with their first words
-- param since time = null Only sessions that began from this time on
-- param until time = null Only sessions that began before this time
-- param n int = 20 How many
SELECT session_id,
       user_id,
       trace_count AS turns,
       span_count AS spans,
       error_count AS errors,
       round(cost, 4) AS cost,
       first_input
FROM sessions
WHERE ($since IS NULL OR start_time >= $since)
  AND ($until IS NULL OR start_time < $until)
ORDER BY cost DESC NULLS LAST, session_id, project
LIMIT $n
