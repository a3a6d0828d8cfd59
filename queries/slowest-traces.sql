-- name: slowest-traces
-- description: The ten traces that took longest
SELECT trace_id, name, round(latency_ms / 1000, 1) AS seconds, span_count AS spans, error_count AS errors, input
FROM traces
ORDER BY latency_ms DESC NULLS LAST
LIMIT 10
