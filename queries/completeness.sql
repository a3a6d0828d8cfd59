-- name: completeness
-- description: Whether exports look cut: orphans, traces without a root, counts that stop at a round number
SELECT project,
       source,
       sum(span_count) AS spans,
       count(*) AS traces,
       count(*) FILTER (WHERE root_count = 0) AS without_root,
       sum(orphan_count) AS orphans,
       count(*) FILTER (WHERE span_count IN (50, 100, 500, 1000)) AS round_traces,
       sum(span_count) IN (50, 100, 500, 1000) OR count(*) IN (50, 100, 500, 1000) AS suspect,
       min(start_time) AS first,
       max(start_time) AS last
FROM traces
GROUP BY project, source
ORDER BY project, source
