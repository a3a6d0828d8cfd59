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
FROM spans
WHERE kind = 'RETRIEVER'
  AND (attributes.retrieval.documents IS NULL OR attributes.retrieval.documents = '[]')
  AND ($since IS NULL OR start_time >= $since)
  AND ($until IS NULL OR start_time < $until)
ORDER BY start_time DESC NULLS LAST, trace_id, span_id, project
LIMIT $n
