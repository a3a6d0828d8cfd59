-- name: error-messages
-- description: The commonest errors, by kind of step; numbers in messages read as #
-- param since time = null Only errors from this time on
-- param until time = null Only errors before this time
-- param n int = 20 How many
SELECT kind,
       regexp_replace(left(coalesce(attributes.exception.message, status_message), 500), '[0-9]+', '#', 'g') AS message,
       count(*) AS errors,
       count(DISTINCT trace_id) AS traces,
       min(start_time) AS first_seen,
       max(start_time) AS last_seen,
       min(trace_id) AS a_trace
FROM spans
WHERE status_code = 'ERROR'
  AND ($since IS NULL OR start_time >= $since)
  AND ($until IS NULL OR start_time < $until)
GROUP BY kind, message
ORDER BY errors DESC, kind, message
LIMIT $n
