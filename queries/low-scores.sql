-- name: low-scores
-- description: Spans that evaluations scored low, with what went in and came out
-- param names text[] = null Only these evaluations
-- param below float = 0.5 What is low
-- param inverted text[] = Hallucination,Toxicity Evaluations in which a high score is bad
-- param n int = 20 How many
WITH judged AS (
    SELECT *, CASE WHEN name IN ($inverted) THEN 1 - score ELSE score END AS goodness
    FROM evals
    WHERE $names IS NULL OR name IN ($names)
)
SELECT j.name AS evaluation,
       j.label,
       round(j.score, 3) AS score,
       j.explanation,
       s.trace_id,
       s.span_id,
       s.name AS span,
       s.input,
       s.output
FROM judged j
JOIN spans s ON s.project = j.project AND s.context.trace_id = j.trace_id AND s.context.span_id = j.span_id
WHERE j.goodness < $below
ORDER BY j.goodness, evaluation, s.trace_id, s.span_id, j.level, s.project
LIMIT $n
