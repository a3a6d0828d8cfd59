-- name: agents-without-tools
-- description: Agents that never called a tool, not even through another agent
-- param since time = null Only agents from this time on
-- param until time = null Only agents before this time
-- param n int = 20 How many
SELECT trace_id,
       span_id,
       name,
       start_time,
       tree.descendants AS steps,
       status_code,
       input
FROM structure('{ kind = ''AGENT'' } !>> { kind = ''TOOL'' }')
WHERE ($since IS NULL OR start_time >= $since)
  AND ($until IS NULL OR start_time < $until)
ORDER BY start_time DESC NULLS LAST, trace_id, span_id, project
LIMIT $n
