-- name: time-by-kind
-- description: Where traces spend their time: own time of the steps on the critical path, by kind
-- param since time = null Only steps from this time on
-- param until time = null Only steps before this time
-- chart: bar x=kind y=percent title="Share of the time on the critical path" unit=%
SELECT kind,
       count(*) FILTER (WHERE tree.wrapper IS NOT TRUE) AS steps,
       round(sum(tree.self_ms) / 1000, 1) AS seconds,
       round(100.0 * sum(tree.self_ms) / sum(sum(tree.self_ms)) OVER (), 1) AS percent
FROM spans
WHERE tree.critical
  AND ($since IS NULL OR start_time >= $since)
  AND ($until IS NULL OR start_time < $until)
GROUP BY kind
ORDER BY percent DESC NULLS LAST, kind
