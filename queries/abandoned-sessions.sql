-- name: abandoned-sessions
-- description: Sessions whose last turn had an error: what was asked, and after how many turns it ended
-- param since time = null Only sessions that ended from this time on
-- param until time = null Only sessions that ended before this time
-- param n int = 20 How many
WITH numbered AS (
    SELECT *, max(turn) OVER (PARTITION BY project, session_id) AS last_turn
    FROM turns
)
SELECT session_id,
       last_turn AS turns,
       trace_id AS last_trace,
       end_time AS ended,
       error_count AS errors,
       input AS last_input,
       output AS last_output
FROM numbered
WHERE turn = last_turn
  AND error_count > 0
  AND ($since IS NULL OR end_time >= $since)
  AND ($until IS NULL OR end_time < $until)
ORDER BY ended DESC NULLS LAST, session_id, project
LIMIT $n
