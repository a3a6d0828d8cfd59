-- name: tool-retries
-- description: Tools called again with the same input, and how often the last call worked after an error
-- param since time = null Only traces that began from this time on
-- param until time = null Only traces that began before this time
WITH tries AS (
    SELECT project,
           trace_id,
           coalesce(attributes.tool.name, name) AS tool,
           input,
           count(*) AS calls,
           min(start_time) FILTER (WHERE status_code = 'ERROR') AS first_error,
           max(start_time) AS last_call,
           last_value(status_code ORDER BY start_time, span_id) AS last_status
    FROM spans
    WHERE kind = 'TOOL'
      AND tree.wrapper IS NOT TRUE
      AND ($since IS NULL OR start_time >= $since)
      AND ($until IS NULL OR start_time < $until)
    GROUP BY project, trace_id, tool, input
)
SELECT tool,
       sum(calls) AS calls,
       sum(calls - 1) AS retries,
       round(100.0 * sum(calls - 1) / sum(calls), 1) AS retry_percent,
       count(*) FILTER (WHERE first_error < last_call) AS after_errors,
       count(*) FILTER (WHERE first_error < last_call AND last_status IS DISTINCT FROM 'ERROR') AS recovered,
       max(calls) AS most_calls
FROM tries
WHERE input IS NOT NULL
GROUP BY tool
ORDER BY retries DESC, tool
