-- name: slowest-steps
-- description: The steps that took longest by themselves, without the steps below them
-- param since time = null Only steps from this time on
-- param until time = null Only steps before this time
-- param kind text = null Only steps of this kind, such as LLM or TOOL
-- param n int = 20 How many
SELECT trace_id,
       span_id,
       kind,
       name,
       model,
       round(tree.self_ms) AS own_ms,
       round(latency_ms) AS latency_ms,
       tree.critical AS on_critical_path
FROM spans
WHERE tree.self_ms IS NOT NULL
  AND ($kind IS NULL OR kind = upper($kind))
  AND ($since IS NULL OR start_time >= $since)
  AND ($until IS NULL OR start_time < $until)
ORDER BY tree.self_ms DESC, trace_id, span_id, project
LIMIT $n
