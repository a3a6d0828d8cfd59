-- name: tool-errors
-- description: What failing tools say, the most frequent first; numbers in messages read as #
-- param since time = null Only calls from this time on
-- param until time = null Only calls before this time
-- param n int = 20 How many
SELECT coalesce(attributes.tool.name, name) AS tool,
       attributes.exception.type AS exception,
       regexp_replace(left(coalesce(attributes.exception.message, status_message), 500), '[0-9]+', '#', 'g') AS message,
       count(*) AS errors,
       max(start_time) AS last_seen,
       min(trace_id) AS a_trace
FROM spans
WHERE kind = 'TOOL'
  AND status_code = 'ERROR'
  AND ($since IS NULL OR start_time >= $since)
  AND ($until IS NULL OR start_time < $until)
GROUP BY tool, exception, message
ORDER BY errors DESC, tool, exception, message
LIMIT $n
