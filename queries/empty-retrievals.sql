-- name: empty-retrievals
-- description: Retrievals that gave no documents, failed or not, with what was asked
-- param since time = null Only retrievals from this time on
-- param until time = null Only retrievals before this time
-- param n int = 20 How many
SELECT trace_id,
       span_id,
       name,
       start_time,
       status_code,
       input
FROM spans s
WHERE kind = 'RETRIEVER'
  AND NOT EXISTS (
      SELECT 1
      FROM spans outer_span
      WHERE outer_span.kind = 'RETRIEVER'
        AND outer_span.tree.wrapper
        AND outer_span.project = s.project
        AND outer_span.context.trace_id = s.context.trace_id
        AND outer_span.context.span_id = s.parent_id
  )
  AND (attributes.retrieval.documents IS NULL OR attributes.retrieval.documents = '[]')
  AND ($since IS NULL OR start_time >= $since)
  AND ($until IS NULL OR start_time < $until)
ORDER BY start_time DESC NULLS LAST, trace_id, span_id, project
LIMIT $n
