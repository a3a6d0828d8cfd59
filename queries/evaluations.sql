-- name: evaluations
-- description: What evaluations say: how many, average score, and the share of each label
SELECT level,
       name AS evaluation,
       label,
       count(*) AS evaluated,
       round(100.0 * count(*) / sum(count(*)) OVER (PARTITION BY level, name), 1) AS percent,
       round(avg(score), 3) AS score
FROM evals
GROUP BY level, name, label
ORDER BY level, evaluation, evaluated DESC, label
