-- name: evaluation-agreement
-- description: What people said where evaluations had spoken: the labels that the same spans got from both
-- param annotators text[] = HUMAN Kinds of annotators that count as people; whoever says none counts, too
WITH pairs AS (
    SELECT e.name AS evaluation,
           e.label AS evaluated,
           e.score AS eval_score,
           a.name AS annotation,
           a.label AS annotated,
           a.score AS annotation_score
    FROM evals e
    JOIN annotations a ON a.project = e.project AND a.trace_id = e.trace_id AND a.span_id = e.span_id
    WHERE a.annotator_kind IN ($annotators) OR a.annotator_kind IS NULL
)
SELECT evaluation,
       evaluated,
       annotation,
       annotated,
       count(*) AS spans,
       round(100.0 * count(*) / sum(count(*)) OVER (PARTITION BY evaluation, evaluated, annotation), 1) AS percent,
       round(avg(eval_score), 3) AS eval_score,
       round(avg(annotation_score), 3) AS annotation_score
FROM pairs
GROUP BY evaluation, evaluated, annotation, annotated
ORDER BY evaluation, evaluated, annotation, spans DESC, annotated
