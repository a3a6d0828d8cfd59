-- name: traffic-by-hour
-- description: When traces begin and how many of them fail, by hour of the day (UTC)
-- param since time = null Only traces that began from this time on
-- param until time = null Only traces that began before this time
-- chart: bar x=hour y=traces title="Traces by hour of the day (UTC)"
SELECT date_part('hour', start_time) AS hour,
       count(*) AS traces,
       count(*) FILTER (WHERE error_count > 0) AS with_errors,
       round(avg(latency_ms)) AS avg_ms
FROM traces
WHERE start_time IS NOT NULL
  AND ($since IS NULL OR start_time >= $since)
  AND ($until IS NULL OR start_time < $until)
GROUP BY hour
ORDER BY hour
