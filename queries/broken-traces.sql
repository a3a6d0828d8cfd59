-- name: broken-traces
-- description: Traces that are not whole: no root or several, spans without their parent, cycles, no end
-- param n int = 20 How many
WITH unfinished AS (
    SELECT project, trace_id, count(*) AS spans
    FROM spans
    WHERE end_time IS NULL
    GROUP BY project, trace_id
)
SELECT t.project,
       t.trace_id,
       t.name,
       t.start_time,
       t.span_count AS spans,
       t.root_count AS roots,
       t.orphan_count AS orphans,
       t.cycle_count AS in_cycles,
       coalesce(u.spans, 0) AS unfinished
FROM traces t
LEFT JOIN unfinished u ON u.project = t.project AND u.trace_id = t.trace_id
WHERE t.root_count <> 1 OR t.orphan_count > 0 OR t.cycle_count > 0 OR u.spans > 0
ORDER BY orphans + in_cycles + unfinished DESC, t.project, t.trace_id
LIMIT $n
