-- name: missing_at_remote
-- description: Spans of the store that a live table does not show: sent by the app, and not there
-- param remote text = arize.default The live table to look in, e.g. arize.my-project
-- param project text = null The project in the store, if it is not called as at the remote
-- param since time = null Only spans that began from this time on
-- param until time = null Only spans that began before this time
-- param n int = 100 How many, the newest first
-- What has no start is in no window of a remote, and is left out. A remote may round times: its window is wider.
SELECT s.project,
       s.source,
       s.trace_id,
       s.span_id,
       s.name,
       s.start_time,
       s.status_code,
       count(*) OVER () AS missing
FROM spans s
WHERE s.project = coalesce($project, replace(substr($remote, strpos($remote, '.') + 1), '"', ''))
  AND s.start_time >= coalesce($since, TIMESTAMP '2000-01-01T00:00:00Z')
  AND s.start_time < coalesce($until, TIMESTAMP '2200-01-01T00:00:00Z')
  AND NOT EXISTS (
      SELECT 1
      FROM spans_where('context.span_id IS NOT NULL', $remote) r
      WHERE r.trace_id = s.trace_id
        AND r.span_id = s.span_id
        AND r.start_time >= coalesce($since, TIMESTAMP '2000-01-01T00:00:00Z') - INTERVAL '1 minute'
        AND r.start_time < coalesce($until, TIMESTAMP '2200-01-01T00:00:00Z') + INTERVAL '1 minute'
  )
ORDER BY s.start_time DESC, s.trace_id, s.span_id
LIMIT $n
