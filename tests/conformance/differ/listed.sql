-- Statements that tell what a rule of an optimizer may do to their meaning, one on each line, over the tables t and u of
-- listed.py. They are compared with DuckDB's answers on every run, as far as its time goes.
SELECT * FROM t WHERE (a,k) IN ((1,'a'),(2,NULL))
SELECT * FROM t WHERE (a,k) NOT IN ((1,'a'))
SELECT * FROM t WHERE a = ANY (SELECT a FROM u)
SELECT * FROM t WHERE a > ALL (SELECT n FROM u)
SELECT * FROM t WHERE a <> ALL (SELECT a FROM u)
SELECT * FROM t WHERE a > ANY (SELECT a FROM u)
SELECT a, count(*) OVER (PARTITION BY k) c FROM t QUALIFY count(*) OVER (PARTITION BY k) > 1
SELECT a, count(*) OVER (PARTITION BY k) c FROM t QUALIFY c > 1
SELECT k, sum(a) s FROM t GROUP BY k HAVING s > 1
SELECT k, a+1 AS a1 FROM t WHERE a+1 > 2
SELECT a BETWEEN SYMMETRIC 3 AND 1 FROM t
SELECT count(*) FROM t NATURAL JOIN u
SELECT a, k, n FROM t NATURAL LEFT JOIN u
SELECT a, k FROM t NATURAL FULL JOIN u
SELECT a FROM t FULL JOIN u USING (a)
SELECT a, t.a AS ta, u.a AS ua FROM t FULL JOIN u USING (a)
SELECT a, count(*) FROM t FULL JOIN u USING (a) GROUP BY a
SELECT a FROM t FULL JOIN u USING (a) WHERE a IS NOT NULL ORDER BY a
SELECT a FROM t RIGHT JOIN u USING (a) WHERE a IS NOT NULL ORDER BY a
SELECT * FROM t RIGHT JOIN u USING (a, k)
SELECT * FROM t FULL JOIN u USING (a)
SELECT t.* FROM t FULL JOIN u USING (a)
SELECT sum(a) FILTER (WHERE k IN (SELECT k FROM u)) FROM t
SELECT k, (SELECT count(*) FROM u WHERE u.k = t.k) c FROM t
SELECT k FROM t WHERE 1 = (SELECT count(*) FROM u WHERE u.k = t.k)
SELECT k FROM t WHERE 0 = (SELECT count(*) FROM u WHERE u.k = t.k)
SELECT k FROM t WHERE coalesce((SELECT sum(n) FROM u WHERE u.k = t.k), 0) = 0
SELECT k FROM t WHERE (SELECT count(*) FROM u WHERE u.k = t.k) + 1 = 1
SELECT k FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.k) IS NOT TRUE
SELECT k FROM t WHERE NOT EXISTS (SELECT count(*) FROM u WHERE u.k = t.k)
SELECT k FROM t WHERE EXISTS (SELECT count(*) FROM u WHERE u.k = t.k)
SELECT k FROM t WHERE EXISTS (SELECT count(*) FROM u WHERE u.k = t.k HAVING count(*) > 5)
SELECT k FROM t WHERE a IN (SELECT max(a) FROM u WHERE u.k = t.k)
SELECT k FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.k LIMIT 0)
SELECT k FROM t WHERE EXISTS (SELECT 1 FROM u LIMIT 0)
SELECT k FROM t WHERE a NOT IN (SELECT a FROM u WHERE a IS NOT NULL LIMIT 0)
SELECT a, row_number() OVER (ORDER BY a NULLS FIRST, b, x) FROM t ORDER BY 2 LIMIT 3
SELECT k, sum(sum(a)) OVER (ORDER BY k) FROM t GROUP BY k
SELECT k, rank() OVER (ORDER BY count(*) DESC, k) FROM t GROUP BY k
SELECT DISTINCT k, count(*) OVER () FROM t GROUP BY k
SELECT DISTINCT ON (k) k, a FROM t ORDER BY k, a DESC
SELECT count(DISTINCT a), count(DISTINCT k), sum(DISTINCT a) FROM t
SELECT count(DISTINCT (a, k)) FROM t
SELECT k, string_agg(CAST(a AS VARCHAR), ',' ORDER BY a DESC) FROM t GROUP BY k
SELECT array_agg(a ORDER BY a NULLS FIRST) FROM t
SELECT sum(a) FROM t HAVING count(*) > 100
SELECT count(*) FROM t WHERE FALSE
SELECT count(*), max(a) FROM t WHERE FALSE GROUP BY k
SELECT sum(x), avg(x), min(x), max(x) FROM t
SELECT nullif(a, 1), coalesce(NULL, a), a % 2, -a % 2 FROM t
SELECT CASE a WHEN NULL THEN 'null' WHEN 1 THEN 'one' ELSE 'else' END FROM t
SELECT CASE WHEN a = 1 THEN 1 WHEN a = 2 THEN 2.5 END FROM t
SELECT a, k FROM t UNION SELECT a, k FROM u ORDER BY a DESC, k LIMIT 2
(SELECT a FROM t ORDER BY a LIMIT 1) UNION ALL (SELECT a FROM u ORDER BY a DESC LIMIT 1)
SELECT a FROM t EXCEPT SELECT a FROM u UNION ALL SELECT a FROM u
SELECT a FROM t UNION ALL SELECT a FROM u INTERSECT SELECT a FROM u
SELECT a FROM t UNION SELECT n FROM u EXCEPT SELECT a FROM t
SELECT a, x FROM t UNION ALL SELECT a, n FROM u
SELECT a FROM t UNION ALL SELECT x FROM t
SELECT x FROM t INTERSECT SELECT a FROM t
SELECT NULL AS z UNION ALL SELECT a FROM t
SELECT k || a FROM t
SELECT a FROM t WHERE k > 'a' OR NOT k > 'a'
SELECT a FROM t WHERE NOT (a > 1 AND b > 1)
SELECT a FROM t ORDER BY a + b NULLS FIRST, k, x
SELECT a FROM t ORDER BY b IS NULL, a, x
SELECT a AS b, b AS a FROM t ORDER BY b NULLS FIRST, a, x
SELECT max(a) AS a FROM t ORDER BY a
SELECT k, max(a) AS a FROM t GROUP BY k ORDER BY max(t.a), k
SELECT upper(k) AS k, count(*) FROM t GROUP BY upper(k) ORDER BY k
SELECT upper(k) AS k, count(*) FROM t GROUP BY k ORDER BY k, 2
SELECT a, sum(b) FROM t GROUP BY GROUPING SETS ((a), ()) HAVING a IS NULL
SELECT a, grouping(a), sum(b) FROM t GROUP BY ROLLUP(a) ORDER BY grouping(a), a
SELECT a, b, count(*) FROM t GROUP BY CUBE(a, b) ORDER BY a, b, 3
SELECT a, b, count(*) FROM t GROUP BY ROLLUP(a), ROLLUP(b)
SELECT a, k, count(*) FROM t GROUP BY a, GROUPING SETS ((k), ())
SELECT a, count(*) FROM t GROUP BY GROUPING SETS (a, a)
SELECT count(*) FROM t GROUP BY GROUPING SETS ((), ())
SELECT count(*) FROM t WHERE FALSE GROUP BY GROUPING SETS ((), (a))
SELECT count(*) FROM t WHERE FALSE GROUP BY ROLLUP(a)
SELECT k, count(*) FROM t GROUP BY k, 'x'
SELECT * FROM t l JOIN t r ON l.a = r.a AND l.x < r.x
SELECT * FROM t l LEFT JOIN u r ON l.a = r.a AND l.k = 'a'
SELECT * FROM t l RIGHT JOIN u r ON l.a IS NOT DISTINCT FROM r.a
SELECT * FROM t l FULL JOIN u r ON l.a = r.a AND FALSE
SELECT * FROM t l FULL JOIN u r ON l.a < r.n
SELECT * FROM t l FULL JOIN u r ON TRUE WHERE l.a IS NULL
SELECT * FROM t l LEFT JOIN u r ON TRUE WHERE r.n > 15 OR r.n IS NULL
SELECT l.a FROM t l LEFT JOIN (SELECT a, 1 AS one FROM u) r ON l.a = r.a WHERE r.one IS NULL
SELECT l.a, r.one FROM t l LEFT JOIN (SELECT a, 1 AS one FROM u) r ON l.a = r.a
SELECT l.a, coalesce(r.one, 0) FROM t l FULL JOIN (SELECT a, 1 AS one FROM u) r ON l.a = r.a
SELECT l.a, r.c FROM t l LEFT JOIN (SELECT a, count(*) AS c FROM u GROUP BY a) r ON l.a = r.a WHERE r.c IS NULL
SELECT a, lag(a) OVER (ORDER BY b, a, x), last_value(a) OVER (ORDER BY b, a, x) FROM t
SELECT a, sum(a) OVER (ORDER BY a RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM t
SELECT a, count(*) OVER (ORDER BY a RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t
SELECT a, count(*) OVER (ORDER BY a DESC RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t
SELECT a, sum(x) OVER (ORDER BY x RANGE BETWEEN 0.5 PRECEDING AND 0.5 FOLLOWING) FROM t
SELECT a, nth_value(a, 2) OVER (ORDER BY b, a, x) FROM t
SELECT a, lead(a, 1, 0) OVER (PARTITION BY k ORDER BY b, x) FROM t
SELECT unnest([1,2,3]) AS u
SELECT a, unnest([a, b]) AS u FROM t
SELECT round(2.5), round(-2.5), round(1.25e0, 1), trunc(-1.7), ceil(-0.5e0), floor(-0.5e0)
SELECT 5 / 2.0, 7 % 0.5e0, power(2, 10), sqrt(16), exp(0), ln(1)
SELECT concat('a', NULL, 'b'), concat_ws(',', 'a', NULL, 'b'), 'a' || NULL
SELECT greatest(1, NULL, 3), least(NULL, 2), greatest(NULL, NULL)
SELECT extract(year FROM DATE '2020-02-29'), extract(dow FROM DATE '2020-02-29'), extract(week FROM DATE '2021-01-03'), extract(epoch FROM TIMESTAMP '2020-01-01 00:00:00')
SELECT DATE '2020-01-31' + INTERVAL '1 month' = DATE '2020-02-29', DATE '2020-03-31' - INTERVAL '1 month' = DATE '2020-02-29'
SELECT date_trunc('week', TIMESTAMP '2021-01-03 10:00:00'), date_trunc('quarter', TIMESTAMP '2021-05-03 10:00:00')
SELECT TRY_CAST('x' AS INT), TRY_CAST('1.5' AS DOUBLE)
SELECT TRUE AND NULL, FALSE AND NULL, TRUE OR NULL, FALSE OR NULL, NOT NULL
SELECT NULL IN (1), 1 IN (NULL, 1), 2 IN (NULL, 1), 2 NOT IN (NULL, 1), NULL NOT IN (1)
SELECT NULL = NULL, NULL IS NOT DISTINCT FROM NULL, 1 IS DISTINCT FROM NULL
SELECT a = 1 OR NULL FROM t
SELECT corr(a, b), covar_pop(a, b), stddev(a), var_pop(a) FROM t
SELECT median(a), percentile_cont(0.5) WITHIN GROUP (ORDER BY x) FROM t
SELECT bool_and(a > 0), bool_or(a > 2), bit_and(a), bit_or(a), bit_xor(a) FROM t
SELECT max((SELECT max(n) FROM u)) FROM t
SELECT count(*) FROM (SELECT DISTINCT a FROM t LIMIT 2)
SELECT * FROM (SELECT a, k FROM t ORDER BY a, k, x LIMIT 2) ORDER BY a DESC, k
SELECT * FROM (SELECT a FROM t LIMIT 3) WHERE FALSE
SELECT a FROM t ORDER BY a, x OFFSET 2
SELECT a FROM t ORDER BY a, x LIMIT 2 OFFSET 10
SELECT a FROM t LIMIT 0
WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT sum(n) FROM r
WITH RECURSIVE r(n) AS (SELECT 1 UNION SELECT (n + 1) % 3 FROM r) SELECT sum(n) FROM r
SELECT k FROM t WHERE a NOT IN (SELECT max(a) FROM u WHERE u.k = t.k)
SELECT k FROM t WHERE a IN (SELECT count(*) FROM u WHERE u.k = t.k)
SELECT k FROM t WHERE 0 IN (SELECT count(*) FROM u WHERE u.k = t.k)
SELECT k FROM t WHERE a NOT IN (SELECT count(*) FROM u WHERE u.k = t.k)
SELECT k FROM t WHERE 7 NOT IN (SELECT max(n) FROM u WHERE u.k = t.k)
SELECT k FROM t WHERE EXISTS (SELECT max(n) FROM u WHERE u.k = t.k)
SELECT k FROM t WHERE EXISTS (SELECT max(n) FROM u WHERE u.k = t.k GROUP BY u.a)
SELECT k FROM t WHERE EXISTS (SELECT max(n) FROM u WHERE u.k = 'zz')
SELECT k FROM t WHERE NOT EXISTS (SELECT max(n) FROM u WHERE u.k = 'zz')
SELECT k FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.k GROUP BY u.k HAVING count(*) > 1)
SELECT k FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.k LIMIT 1)
SELECT k FROM t WHERE EXISTS (SELECT DISTINCT k FROM u WHERE u.k = t.k)
SELECT k FROM t WHERE EXISTS (SELECT 1 FROM u LEFT JOIN t r ON u.a = r.a WHERE r.k = t.k)
SELECT k FROM t WHERE a IN (SELECT u.a FROM u WHERE u.k = t.k AND u.n > 5)
SELECT k FROM t WHERE a NOT IN (SELECT u.a FROM u WHERE u.k = t.k OR u.n > 15)
SELECT k FROM t WHERE a NOT IN (SELECT u.a FROM u WHERE u.n > t.b)
SELECT k FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.n > t.b)
SELECT k FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.n > t.b OR u.k = t.k)
SELECT k FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE t.a > 1)
SELECT k FROM t WHERE EXISTS (SELECT 1 FROM u WHERE t.a > 1)
SELECT k, (SELECT count(n) FROM u WHERE u.k = t.k) + 1 AS z FROM t
SELECT k, (SELECT coalesce(max(n), 0) FROM u WHERE u.k = t.k) AS z FROM t
SELECT k, (SELECT CASE WHEN count(*) = 0 THEN 'none' ELSE 'some' END FROM u WHERE u.k = t.k) AS z FROM t
SELECT k, (SELECT count(*) FROM u WHERE u.k = t.k AND u.n > 100) AS z FROM t
SELECT k, (SELECT count(*) FROM u WHERE u.k = t.k HAVING count(*) > 0) AS z FROM t
SELECT k, (SELECT count(*) FROM u WHERE u.k = t.k GROUP BY u.k) AS z FROM t
SELECT k, (SELECT count(*) FROM u WHERE u.k = t.k AND u.a IN (SELECT a FROM t)) AS z FROM t
SELECT k, (SELECT count(*) FROM u WHERE u.k = t.k AND EXISTS (SELECT 1 FROM t r WHERE r.a = u.a)) AS z FROM t
SELECT k, (SELECT count(*) FROM u WHERE u.a = t.a AND u.k = t.k) AS z FROM t
SELECT k FROM t ORDER BY (SELECT max(n) FROM u WHERE u.k = t.k) NULLS FIRST, k, a, x
SELECT k FROM t GROUP BY k HAVING (SELECT max(n) FROM u WHERE u.k = t.k) > 5
SELECT k FROM t GROUP BY k HAVING count(*) > (SELECT count(*) FROM u WHERE u.k = t.k)
SELECT k, count(*) FROM t WHERE a = (SELECT min(a) FROM u) GROUP BY k
SELECT k FROM t WHERE (SELECT count(*) FROM u WHERE u.k = t.k) = 0 OR a = 3
SELECT k FROM t WHERE NOT ((SELECT count(*) FROM u WHERE u.k = t.k) > 0)
SELECT k FROM t WHERE (SELECT count(*) FROM u WHERE u.k = t.k) IS NULL
SELECT k FROM t WHERE (SELECT max(n) FROM u WHERE u.k = t.k) IS NULL
SELECT k FROM t WHERE (SELECT max(n) FROM u WHERE u.k = t.k) IS NULL OR FALSE
SELECT t.k, r.n FROM t LEFT JOIN u r ON t.a = r.a AND r.n = (SELECT max(n) FROM u)
SELECT t.k, r.n FROM t LEFT JOIN u r ON t.a = r.a WHERE r.n = (SELECT min(n) FROM u) OR r.n IS NULL
SELECT t.k, r.n FROM t FULL JOIN u r ON t.a = r.a AND EXISTS (SELECT 1 FROM u WHERE n > 5)
SELECT * FROM (SELECT k, (SELECT max(n) FROM u WHERE u.k = t.k) AS z FROM t) d WHERE z IS NULL
SELECT * FROM (SELECT k, (SELECT count(*) FROM u WHERE u.k = t.k) AS z FROM t) d WHERE z = 0
SELECT * FROM (SELECT k, max(a) AS w, (SELECT max(n) FROM u) AS z FROM t GROUP BY k) d WHERE z > 5 AND w > 1
SELECT * FROM (SELECT max(a) AS w, (SELECT max(n) FROM u) AS z FROM t) d WHERE z > 100
SELECT * FROM (SELECT max(a) AS w, 5 AS z FROM t) d WHERE z > 100
SELECT * FROM (SELECT max(a) AS w FROM t) d WHERE (SELECT max(n) FROM u) > 100
SELECT * FROM (SELECT max(a) AS w FROM t) d WHERE EXISTS (SELECT 1 FROM u WHERE n > 100)
SELECT * FROM (SELECT count(*) AS w FROM t) d WHERE 1 = 0
SELECT * FROM (SELECT count(*) AS w FROM t) d, (SELECT a FROM t WHERE FALSE) e
SELECT * FROM (SELECT count(*) AS w FROM t) d LEFT JOIN (SELECT a FROM t WHERE FALSE) e ON TRUE WHERE e.a IS NULL
SELECT * FROM (SELECT count(*) AS w, 1 AS one FROM t) d JOIN u ON u.n = 10 AND d.one = 2
SELECT a, sum(z) FROM (SELECT a, (SELECT max(n) FROM u) AS z FROM t) d GROUP BY a HAVING sum(z) > (SELECT max(n) FROM u)
SELECT * FROM (SELECT a, count(*) AS c FROM t GROUP BY ROLLUP(a)) d WHERE a IS NULL
SELECT * FROM (SELECT a, count(*) AS c FROM t GROUP BY ROLLUP(a)) d WHERE a = 1
SELECT * FROM (SELECT a, k, count(*) AS c FROM t GROUP BY CUBE(a, k)) d WHERE a = 1
SELECT * FROM (SELECT a, k, count(*) AS c FROM t GROUP BY GROUPING SETS ((a), (k), ())) d WHERE a IS NOT NULL
SELECT * FROM (SELECT a, k, count(*) AS c FROM t GROUP BY GROUPING SETS ((a), (k), ())) d WHERE a > 1 OR k = 'a'
SELECT * FROM (SELECT a, k, count(*) AS c FROM t GROUP BY GROUPING SETS ((a), (k), ())) d WHERE 1 = 2
SELECT * FROM (SELECT 5 AS z, count(*) AS c FROM t GROUP BY ROLLUP(a)) d WHERE z > 10
SELECT * FROM (SELECT a, count(*) AS c, 5 AS z FROM t GROUP BY GROUPING SETS ((a), ())) d WHERE z > 10
SELECT * FROM (SELECT a, count(*) AS c FROM t GROUP BY GROUPING SETS ((a), ()) HAVING 1 = 2) d
SELECT count(*) FROM t HAVING 1 = 2
SELECT max(a) FROM t HAVING (SELECT max(n) FROM u) > 100
SELECT * FROM (SELECT a, row_number() OVER (ORDER BY a, b, x) AS r FROM t) d WHERE a = 1
SELECT * FROM (SELECT k, a, rank() OVER (PARTITION BY k ORDER BY a) AS r FROM t) d WHERE k = 'a'
SELECT * FROM (SELECT k, a, count(*) OVER () AS r FROM t) d WHERE k = 'a'
SELECT * FROM (SELECT k, a, count(*) OVER (PARTITION BY k), sum(a) OVER () AS r FROM t) d WHERE k = 'a'
SELECT * FROM (SELECT k, a, count(*) OVER () AS r FROM t) d WHERE 1 = (SELECT count(*) FROM u WHERE n > 100)
SELECT * FROM (SELECT k, a, 5 AS z, count(*) OVER () AS r FROM t) d WHERE z > a
SELECT * FROM (SELECT DISTINCT ON (k) k, a FROM t ORDER BY k, a) d WHERE a > 1
SELECT * FROM (SELECT DISTINCT ON (k) k, a FROM t ORDER BY k, a) d WHERE k = 'a'
SELECT * FROM (SELECT a FROM t ORDER BY a DESC LIMIT 2) d WHERE a < 3
SELECT * FROM (SELECT a FROM t ORDER BY a DESC NULLS LAST LIMIT 2) d WHERE a < 3
SELECT * FROM (SELECT a FROM t ORDER BY a OFFSET 1) d WHERE a < 3
SELECT count(*) FROM (SELECT a FROM t LIMIT 2) d
SELECT count(*) FROM (SELECT a FROM t LIMIT 2 OFFSET 4) d
SELECT count(*) FROM (SELECT a FROM t UNION ALL SELECT a FROM u LIMIT 3) d
SELECT count(*) FROM (SELECT a FROM t UNION SELECT a FROM u LIMIT 3) d
SELECT count(*) FROM (SELECT DISTINCT a FROM (SELECT a FROM t LIMIT 1) e) d
SELECT * FROM (SELECT a, unnest([a, b]) AS v FROM t) d WHERE v = 2
SELECT * FROM (SELECT a, unnest([a, b]) AS v FROM t) d WHERE a = 1
SELECT count(*) FROM (SELECT unnest([a, b]) AS v FROM t LIMIT 3) d
SELECT * FROM (SELECT a, 'x' AS s FROM t UNION ALL SELECT a, 'y' FROM u) d WHERE s = 'y'
SELECT * FROM (SELECT a, 1 AS s FROM t UNION ALL SELECT n, 2.5 FROM u) d WHERE s > 2
SELECT * FROM (SELECT a FROM t EXCEPT SELECT a FROM u) d WHERE a IS NULL OR a > 1
SELECT * FROM (SELECT a FROM t INTERSECT ALL SELECT a FROM u) d WHERE a IS NULL
SELECT t.k, s.a FROM t LEFT JOIN (t AS s JOIN u ON s.a = u.a) ON t.a = s.a
SELECT t.k, s.a FROM t LEFT JOIN t AS s ON t.a = s.a LEFT JOIN u ON s.a = u.a AND s.k = 'a' WHERE u.n IS NULL
SELECT t.k FROM t LEFT JOIN u ON t.a = u.a LEFT JOIN u AS w ON u.n = w.n WHERE w.n IS NULL
SELECT a FROM t WHERE a IN (SELECT a FROM u) AND a NOT IN (SELECT n FROM u)
SELECT a FROM t WHERE (a IN (SELECT a FROM u)) = (k IN (SELECT k FROM u))
SELECT a FROM t WHERE (a IN (SELECT a FROM u)) IS NULL
SELECT a, a IN (SELECT a FROM u) AS r FROM t
SELECT a, count(*) FILTER (WHERE a IN (SELECT a FROM u)) AS r FROM t GROUP BY a
SELECT (a IN (SELECT a FROM u)) AS r, count(*) FROM t GROUP BY 1
SELECT a FROM t GROUP BY a HAVING a NOT IN (SELECT a FROM u WHERE a IS NOT NULL)
SELECT a FROM t ORDER BY a IN (SELECT a FROM u), a, k, x
SELECT sum(CASE WHEN a IN (SELECT a FROM u) THEN 1 ELSE 0 END) FROM t
SELECT min(x), max(x) FROM t WHERE x IS NOT NULL
SELECT a FROM t WHERE x = 0
SELECT a, b FROM t WHERE a + b > 3 AND a IS NOT NULL AND NOT (b IS NULL)
SELECT a FROM t WHERE a = a
SELECT a FROM t WHERE a <> a OR a = a
SELECT a FROM t WHERE NOT (a = a)
SELECT a FROM t WHERE a >= a AND k <= k
SELECT a - a, a * 0, a / a FROM t
SELECT a * 0 = 0, a % 1, 0 * a IS NULL FROM t
SELECT a | 0, a & a, a # a FROM t
SELECT k LIKE '%', k LIKE k, k NOT LIKE '%' FROM t
SELECT k = '' OR k <> '', k IN ('a', 'a'), k NOT IN ('a') FROM t
SELECT a > 1 AND a < 1, a > 1 OR a <= 1, a BETWEEN 2 AND 1 FROM t
SELECT CASE WHEN a > 1 THEN NULL ELSE TRUE END IS NULL FROM t
SELECT CASE WHEN NULL THEN 1 ELSE 2 END, CASE WHEN a = 1 THEN TRUE ELSE FALSE END FROM t
SELECT NOT (a BETWEEN 1 AND 2), a NOT BETWEEN NULL AND 1 FROM t
SELECT a IS NULL OR a = 1, NOT (a IS NULL AND k IS NULL) FROM t
SELECT sum(1), sum(a + 1), avg(1), count(DISTINCT 1), min('x') FROM t
SELECT sum(a) + sum(a), sum(a) * 2, sum(a * 2), sum(2) FROM t WHERE a > 100
SELECT k, sum(a + 1) AS s1, sum(a + 2) AS s2, sum(a - 1) AS s3 FROM t GROUP BY k
SELECT sum(a + b), sum(a) + sum(b) FROM t
SELECT sum(x + 1), sum(x) + count(x) FROM t
SELECT count(*) + count(a), count(*) - count(b) FROM t
SELECT bool_and(p), bool_or(p) FROM (SELECT a > 1 AS p FROM t) d
SELECT max(k), min(k), max(DISTINCT a) FROM t
SELECT max(a) FILTER (WHERE FALSE), count(*) FILTER (WHERE NULL) FROM t
SELECT k FROM t GROUP BY k HAVING NULL
SELECT DISTINCT NULL FROM t
SELECT DISTINCT a IS NULL, k IS NULL FROM t
SELECT a FROM t GROUP BY a, a
SELECT a + 1 FROM t GROUP BY a + 1
SELECT a + 1 + 1 FROM t GROUP BY a + 1
SELECT -a FROM t GROUP BY a ORDER BY -a
SELECT k, a FROM t GROUP BY k, a ORDER BY k, sum(b), a
SELECT k, 2 AS c FROM t UNION ALL SELECT k, 1 FROM u ORDER BY c, k LIMIT 2
SELECT k, 2 AS c FROM t UNION ALL SELECT k, 1 FROM u ORDER BY k, c LIMIT 2
SELECT k, 'b' AS c FROM t UNION ALL SELECT k, 'a' FROM u ORDER BY c DESC, k LIMIT 4 OFFSET 1
SELECT * FROM (SELECT k, 2 AS c FROM t UNION ALL SELECT k, 1 FROM u) d ORDER BY c, k LIMIT 2
SELECT k, c, row_number() OVER (ORDER BY c, k, n) AS r FROM (SELECT k, 2 AS c, 7 AS n FROM t UNION ALL SELECT k, 1, n FROM u) d
SELECT s, sum(n) FROM (SELECT 'x' AS s, a AS n FROM t UNION ALL SELECT 'y', n FROM u) d GROUP BY s ORDER BY s DESC LIMIT 1
SELECT a FROM t l WHERE 'B' NOT IN (SELECT 'B' FROM u WHERE u.k = l.k)
SELECT a FROM t WHERE (SELECT 5 FROM u WHERE n > 100) IS NULL
SELECT a, coalesce((SELECT 5 FROM u WHERE n > 100), 9) AS c FROM t
SELECT sum(a) OVER W AS s FROM t WINDOW w AS (ORDER BY a)
SELECT count(DISTINCT x), count(DISTINCT x * 2) FROM t
? SELECT min(CAST(a AS VARCHAR)), min(a), max(CAST(a AS DOUBLE)), max(a) FROM t
-- What may be refused, but not answered wrongly: correlated subqueries that cannot be made a join, and the like.
? SELECT * FROM t WHERE (a,k) IN (SELECT a,k FROM u)
? SELECT t.a, s.n FROM t, LATERAL (SELECT max(n) AS n FROM u WHERE u.a = t.a) s
? SELECT t.a, s.n FROM t LEFT JOIN LATERAL (SELECT n FROM u WHERE u.a = t.a) s ON TRUE
? SELECT t.a, s.n FROM t LEFT JOIN LATERAL (SELECT n FROM u WHERE u.a > t.a ORDER BY n LIMIT 1) s ON TRUE
? SELECT k, (SELECT sum(n) FROM u WHERE u.a <= t.a) c FROM t
? SELECT k, (SELECT n FROM u WHERE u.a = t.a) c FROM t
? SELECT k, (SELECT count(*) FROM u WHERE u.a <> t.a) c FROM t
? SELECT k FROM t WHERE a IN (SELECT a FROM u ORDER BY n LIMIT 1)
? SELECT k FROM t WHERE a IN (SELECT a FROM u WHERE u.k = t.k ORDER BY n LIMIT 1)
? SELECT 1 FROM t HAVING 1 = 1
? SELECT k FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.k UNION ALL SELECT 1 FROM u WHERE u.n = t.a)
? SELECT k FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.k UNION ALL SELECT 1 WHERE FALSE)
? SELECT k FROM t WHERE a IN (SELECT a FROM u WHERE u.k = t.k UNION SELECT 2)
? SELECT k FROM t WHERE EXISTS (SELECT 1 FROM u LEFT JOIN t r ON u.a = r.a AND r.k = t.k)
? SELECT k FROM t WHERE EXISTS (SELECT 1 FROM u RIGHT JOIN t r ON u.a = r.a AND u.k = t.k)
? SELECT k FROM t WHERE EXISTS (SELECT row_number() OVER (ORDER BY n) FROM u WHERE u.k = t.k)
? SELECT k FROM t WHERE 1 IN (SELECT row_number() OVER (ORDER BY n) FROM u WHERE u.k = t.k)
? SELECT k FROM t WHERE 2 IN (SELECT row_number() OVER (ORDER BY n) FROM u WHERE u.k = t.k)
? SELECT k FROM t WHERE EXISTS (SELECT t.a)
? SELECT k FROM t WHERE EXISTS (SELECT t.a WHERE t.a > 1)
? SELECT k FROM t WHERE (SELECT t.a + 1) = 2
? SELECT k, (SELECT t.a + 1) AS z FROM t
? SELECT k, (SELECT max(t.a)) AS z FROM t GROUP BY k
? SELECT k, (SELECT max(n + t.a) FROM u) AS z FROM t
? SELECT k, (SELECT max(n) + t.a FROM u) AS z FROM t
? SELECT k, (SELECT count(*) + t.a FROM u WHERE u.k = t.k) AS z FROM t
? SELECT k, (SELECT sum(c) FROM (SELECT count(*) AS c FROM u WHERE u.k = t.k) s) AS z FROM t
? SELECT k, (SELECT count(*) FROM (SELECT DISTINCT a FROM u WHERE u.k = t.k) s) AS z FROM t
? SELECT k, (SELECT max(n) FROM u WHERE u.k IS NOT DISTINCT FROM t.k) AS z FROM t
? SELECT k, (SELECT count(*) FROM u WHERE u.k IS NOT DISTINCT FROM t.k) AS z FROM t
? SELECT k, (SELECT count(*) FROM u WHERE upper(u.k) = upper(t.k)) AS z FROM t
? SELECT k, (SELECT count(*) FROM u WHERE u.k || 'x' = t.k || 'x') AS z FROM t
? SELECT k, sum((SELECT count(*) FROM u WHERE u.k = t.k)) AS z FROM t GROUP BY k
? SELECT sum((SELECT count(*) FROM u WHERE u.k = t.k)) AS z FROM t
? SELECT count(*) FROM (SELECT t.a FROM t LEFT JOIN u ON t.a = u.a LIMIT 3) d
? SELECT count(*) FROM (SELECT t.a FROM t RIGHT JOIN u ON t.a = u.a LIMIT 3) d
? SELECT count(*) FROM (SELECT t.a FROM t FULL JOIN u ON t.a = u.a LIMIT 6) d
? SELECT count(*) FROM (SELECT t.a FROM t CROSS JOIN u LIMIT 16) d
? SELECT count(*) FROM (SELECT t.a FROM t JOIN u ON FALSE LIMIT 16) d
? SELECT t.a, u.n FROM t LEFT JOIN u ON t.a = u.a WHERE coalesce(u.n, 0) = 0
? SELECT t.a, u.n FROM t LEFT JOIN u ON t.a = u.a WHERE CASE WHEN u.n IS NULL THEN TRUE ELSE u.n > 15 END
? SELECT t.a, u.n FROM t LEFT JOIN u ON t.a = u.a WHERE u.n IS NOT DISTINCT FROM NULL
? SELECT t.a, u.n FROM t LEFT JOIN u ON t.a = u.a WHERE NOT (u.n > 5) OR u.n IS NULL
? SELECT t.a, u.n FROM t LEFT JOIN u ON t.a = u.a WHERE (u.n > 5) IS UNKNOWN
? SELECT t.a, u.n FROM t LEFT JOIN u ON t.a = u.a WHERE (u.n = 10) IS NOT TRUE
? SELECT t.a, u.n FROM t LEFT JOIN u ON t.a = u.a WHERE u.n IN (10, NULL) OR u.n IS NULL
? SELECT t.a, u.n FROM t LEFT JOIN u ON t.a = u.a WHERE NOT (u.n IN (10, 20)) OR t.a = 2
? SELECT t.a, u.n FROM t LEFT JOIN u ON t.a = u.a WHERE concat(u.k, 'x') = 'x'
? SELECT t.a, u.n FROM t LEFT JOIN u ON t.a = u.a WHERE nullif(u.n, 10) IS NULL
? SELECT t.a, u.n FROM t LEFT JOIN u ON t.a = u.a WHERE greatest(u.n, 1) = 1
? SELECT t.a, u.n FROM t LEFT JOIN u ON t.a = u.a WHERE u.n IS NULL AND t.k = 'b'
? SELECT t.a, u.n FROM t FULL JOIN u ON t.a = u.a WHERE coalesce(t.k, u.k) = 'b'
? SELECT t.a, u.n FROM t FULL JOIN u ON t.a = u.a WHERE t.k = 'b' OR u.k = 'b'
? SELECT t.a, u.n FROM t FULL JOIN u ON t.a = u.a AND t.k = 'zz' WHERE u.n > 15
? SELECT t.a, u.n FROM t RIGHT JOIN u ON t.a = u.a AND u.n > 15 WHERE t.a IS NULL
? SELECT t.a, v.n FROM t LEFT JOIN (SELECT a, n FROM u WHERE n > 5 LIMIT 1) v ON t.a = v.a
? SELECT t.a, count(u.a) FROM t LEFT JOIN u ON t.a = u.a GROUP BY t.a
? SELECT t.a, count(*) FROM t LEFT JOIN u ON t.a = u.a GROUP BY t.a HAVING count(u.n) = 0
? SELECT a, rank() OVER (ORDER BY a IN (SELECT a FROM u)) FROM t
? SELECT count(a = 1), count(NULL), count(1), sum(NULL), max(NULL) FROM t
? SELECT k FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.k OFFSET 1)
SELECT a FROM t WHERE NOT (a IN (1, 2, 3, 4) AND a IN (5, 6, 7, 8))
SELECT a, a NOT IN (1, 2, 3, 4) OR a NOT IN (5, 6, 7, 8) FROM t
SELECT a, b FROM t WHERE a IN (b, 2, 3, 4) AND a NOT IN (2, 10, 11, 12)
SELECT a, b FROM t WHERE a IN (1, 2) AND a NOT IN (9, NULL)
SELECT a FROM (SELECT a, a IN (1, 2, 4) AS r FROM t) d WHERE NOT (r AND a IN (3, 5, 6))
SELECT a FROM t WHERE NOT ((a = 1 OR a = 2) AND (a = 3 OR a = 4))
SELECT k, sum(a) AS s FROM t GROUP BY ALL
SELECT k, upper(k) AS c, count(*) AS n FROM t GROUP BY ALL
SELECT a, k FROM t ORDER BY ALL
SELECT a, k FROM t ORDER BY ALL DESC NULLS LAST
FROM t SELECT a WHERE k = 'a'
FROM t WHERE a > 1
SELECT a, k, FROM t WHERE a IN (1, 3,)
SELECT arg_max(k, x), arg_min(k, x), max_by(a, x), min_by(x, a) FROM t
SELECT k, arg_max(a, x) AS m FROM t GROUP BY ALL
SELECT a + 1 AS c, c * 2 AS d FROM t WHERE c > 1
SELECT a, x AS y FROM t QUALIFY row_number() OVER (ORDER BY y) = 1
SELECT a, row_number() OVER w AS r FROM t WINDOW w AS (ORDER BY x)
SELECT a >= ALL (SELECT a FROM u) AS c, a <> ANY (SELECT a FROM u) AS d, a = ALL (SELECT a FROM u WHERE a > 5) AS e FROM t
SELECT k, (SELECT n FROM u WHERE u.k = t.k ORDER BY n DESC LIMIT 1) AS c FROM t
SELECT sum((SELECT max(n) FROM u WHERE u.k = t.k)) AS c FROM t
SELECT rank() OVER (ORDER BY sqrt(a)) AS r, a FROM t
SELECT k LIKE 'a!%' ESCAPE '!' AS r FROM t
SELECT list_transform([1, 2, 3], e -> e + a) AS r FROM t
SELECT list_filter([1, 2, 3], e -> e >= a) AS r FROM t
SELECT if(a > 1, 'x', 'y') AS r, ifnull(a, 9) AS s FROM t
SELECT year(DATE '2026-01-31') AS y, dayname(DATE '2026-01-31') AS d, date_diff('month', DATE '2025-12-31', DATE '2026-02-01') AS m
SELECT date_diff('day', TIMESTAMP '2026-01-01 23:00:00', TIMESTAMP '2026-01-02 01:00:00') AS d, date_diff('week', DATE '2026-11-01', DATE '2026-11-02') AS w
SELECT regexp_extract(k, '[a-z]') AS r, regexp_matches(k, '[a-z]') AS s, string_split('a,b', ',') AS t FROM t
SELECT json_extract_string('{"a":{"b":[1,"x"]}}', '$.a.b[1]') AS a, '{"a":{"b":5}}' ->> '$.a.b' AS b, json_array_length('[1,2]') AS n
