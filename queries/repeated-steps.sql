-- name: repeated-steps
-- description: Steps that one agent or chain repeats with the same input: retries and loops
-- param n int = 20 How many
SELECT trace_id,
       kind,
       name,
       count AS times,
       error_count AS errors,
       round(latency_ms / 1000, 1) AS seconds,
       left(input, 200) AS input
FROM repeats
ORDER BY times DESC, seconds DESC NULLS LAST, trace_id, name, first_span_id, project
LIMIT $n
