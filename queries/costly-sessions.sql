-- name: costly-sessions
-- description: The ten sessions that cost most, with their first words
SELECT session_id, user_id, trace_count AS turns, span_count, error_count, round(cost, 3) AS cost, first_input
FROM sessions
ORDER BY cost DESC NULLS LAST
LIMIT 10
