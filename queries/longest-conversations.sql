-- name: longest-conversations
-- description: The sessions with the most turns
-- param since time = null Only sessions that began from this time on
-- param until time = null Only sessions that began before this time
-- param n int = 20 How many
SELECT session_id,
       user_id,
       trace_count AS turns,
       round(duration_ms / 60000, 1) AS minutes,
       error_count AS errors,
       total_tokens AS tokens,
       round(cost, 4) AS cost,
       first_input
FROM sessions
WHERE ($since IS NULL OR start_time >= $since)
  AND ($until IS NULL OR start_time < $until)
ORDER BY turns DESC, session_id, project
LIMIT $n
