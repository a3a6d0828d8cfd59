-- name: retrievals
-- description: How much retrievals find, how well it fits, and how long they take
-- param since time = null Only retrievals from this time on
-- param until time = null Only retrievals before this time
WITH found AS (
    SELECT project, trace_id, span_id, count(*) AS documents, max(score) AS best_score
    FROM documents
    WHERE source = 'retrieval'
    GROUP BY project, trace_id, span_id
)
SELECT s.name,
       count(*) AS retrievals,
       count(*) FILTER (WHERE f.documents IS NULL) AS without_documents,
       round(avg(f.documents), 1) AS documents,
       round(avg(f.best_score), 3) AS best_score,
       round(percentile_cont(0.95) WITHIN GROUP (ORDER BY s.latency_ms)) AS p95_ms
FROM spans s
LEFT JOIN found f ON f.project = s.project AND f.trace_id = s.context.trace_id AND f.span_id = s.context.span_id
WHERE s.kind = 'RETRIEVER'
  AND NOT EXISTS (
      SELECT 1
      FROM spans outer_span
      WHERE outer_span.kind = 'RETRIEVER'
        AND outer_span.tree.wrapper
        AND outer_span.project = s.project
        AND outer_span.context.trace_id = s.context.trace_id
        AND outer_span.context.span_id = s.parent_id
  )
  AND ($since IS NULL OR s.start_time >= $since)
  AND ($until IS NULL OR s.start_time < $until)
GROUP BY s.name
ORDER BY retrievals DESC, s.name
