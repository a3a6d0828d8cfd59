-- name: before-after
-- description: What changed from the days before a time to the days from it on, seven each, by step and model
-- param at time = null The time; the middle of all spans' if not given
-- param before int = 7 Days before it
-- param after int = 7 Days from it on
-- param n int = 50 How many
WITH change AS (
    SELECT coalesce($at, to_timestamp((epoch(min(start_time)) + epoch(max(start_time))) / 2)) AS at FROM spans
), calls AS (
    SELECT kind, name, model, latency_ms, cost,
           start_time >= at AS after,
           CASE WHEN status_code = 'ERROR' THEN 1.0 ELSE 0.0 END AS failed
    FROM spans, change
    WHERE start_time >= at - INTERVAL '1 day' * $before
      AND start_time < at + INTERVAL '1 day' * $after
      AND tree.wrapper IS NOT TRUE
), sides AS (
    SELECT kind, name, model,
           count_if(NOT after) AS before, count_if(after) AS after,
           p50(latency_ms) FILTER (WHERE NOT after) AS p50_before, p50(latency_ms) FILTER (WHERE after) AS p50_after,
           avg(failed) FILTER (WHERE NOT after) AS failed_before, avg(failed) FILTER (WHERE after) AS failed_after,
           avg(cost) FILTER (WHERE NOT after) AS cost_before, avg(cost) FILTER (WHERE after) AS cost_after,
           avg(latency_ms) FILTER (WHERE NOT after) AS mean_before, avg(latency_ms) FILTER (WHERE after) AS mean_after,
           var_samp(latency_ms) FILTER (WHERE NOT after) / count_if(NOT after AND latency_ms IS NOT NULL)
               + var_samp(latency_ms) FILTER (WHERE after) / count_if(after AND latency_ms IS NOT NULL) AS mean_variance,
           var_samp(cost) FILTER (WHERE NOT after) / count_if(NOT after AND cost IS NOT NULL)
               + var_samp(cost) FILTER (WHERE after) / count_if(after AND cost IS NOT NULL) AS cost_variance
    FROM calls
    GROUP BY ALL
)
SELECT kind, name, model, before, after,
       round(p50_before) AS p50_ms_before,
       round(p50_after) AS p50_ms_after,
       round(100 * failed_before, 1) AS error_percent_before,
       round(100 * failed_after, 1) AS error_percent_after,
       -- A margin is half the width of the interval in which the difference of the means lies with 95 % certainty.
       round(196 * sqrt(failed_before * (1 - failed_before) / before + failed_after * (1 - failed_after) / after), 1)
           AS error_percent_margin,
       round(cost_before, 6) AS cost_before,
       round(cost_after, 6) AS cost_after,
       round(mean_before) AS mean_ms_before,
       round(mean_after) AS mean_ms_after,
       round(1.96 * sqrt(mean_variance)) AS mean_ms_margin,
       round(1.96 * sqrt(cost_variance), 6) AS cost_margin
FROM sides
WHERE before > 0 AND after > 0
ORDER BY abs(failed_after - failed_before) DESC, abs(p50_after - p50_before) DESC, kind, name, model
LIMIT $n
