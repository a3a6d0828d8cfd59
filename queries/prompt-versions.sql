-- name: prompt-versions
-- description: Versions of each prompt template compared: errors, latency, tokens, cost and an evaluation
-- param since time = null Only calls from this time on
-- param until time = null Only calls before this time
-- param evaluation text = Correctness The evaluation whose scores are averaged
WITH scores AS (
    SELECT project, trace_id, span_id, score
    FROM evals
    WHERE level = 'span' AND name = $evaluation
)
SELECT left(s.attributes.llm.prompt_template.template, 60) AS template,
       s.attributes.llm.prompt_template.version AS version,
       count(*) AS calls,
       round(100.0 * count(*) FILTER (WHERE s.status_code = 'ERROR') / count(*), 1) AS error_percent,
       round(percentile_cont(0.5) WITHIN GROUP (ORDER BY s.latency_ms)) AS p50_ms,
       round(avg(s.total_tokens)) AS tokens,
       round(avg(s.cost), 6) AS cost,
       count(e.score) AS evaluated,
       round(avg(e.score), 3) AS score
FROM spans s
LEFT JOIN scores e ON e.project = s.project AND e.trace_id = s.context.trace_id AND e.span_id = s.context.span_id
WHERE s.attributes.llm.prompt_template.template IS NOT NULL
  AND NOT EXISTS (
      SELECT 1
      FROM spans inner_span
      WHERE s.tree.wrapper
        AND inner_span.attributes.llm.prompt_template.template IS NOT NULL
        AND inner_span.kind = s.kind
        AND inner_span.project = s.project
        AND inner_span.context.trace_id = s.context.trace_id
        AND inner_span.parent_id = s.context.span_id
  )
  AND ($since IS NULL OR s.start_time >= $since)
  AND ($until IS NULL OR s.start_time < $until)
GROUP BY s.attributes.llm.prompt_template.template, version
ORDER BY s.attributes.llm.prompt_template.template, version
