"""Random statements in forms that people bring from DuckDB."""

from .expressions import FLOAT, INT, TEXT
from .tables import Small, Statement

OPERATORS = ["=", "<>", "<", "<=", ">", ">="]


def habits(rng):
    """GROUP BY ALL, names of items in other items, subqueries in odd places, arg_max, percentiles, products of intervals,
    lambdas, ESCAPE, powers, rows in subqueries."""
    number = lambda: rng.choice(["1", "2", "3", "4", "NULL"])
    text = lambda: rng.choice(["'a'", "'b'", "'a%b'", "'a_b'", "'A'", "''", "NULL"])
    tables = [
        Small("t", {"a": INT, "k": TEXT, "x": FLOAT}, [[number(), text(), f"{row}.5e0"] for row in range(rng.randint(1, 6))]),
        Small("u", {"b": INT, "j": TEXT, "y": FLOAT}, [[number(), text(), f"{row}.25e0"] for row in range(rng.randint(1, 5))]),
    ]
    operator, quantifier = rng.choice(OPERATORS), rng.choice(["ANY", "ALL"])
    # Of no rows, DuckDB counts null.
    aggregate = rng.choice(["sum(a)", "count(*)", "min(x)", "arg_max(k, x)", "arg_min(a, x)", "max_by(a, x)", "coalesce(count_if(a > 1), 0)"])
    where = rng.choice(["", f" WHERE a {rng.choice(OPERATORS)} {rng.randint(1, 3)}", " WHERE k IS NOT NULL"])
    correlated = rng.choice(["b = a", "j = k", "b = a AND y > 1"])
    inner = rng.choice([f"SELECT count(*) FROM u WHERE {correlated}", f"SELECT sum(y) FROM u WHERE {correlated}",
                        f"SELECT y FROM u WHERE {correlated} ORDER BY y DESC LIMIT 1"])
    outer = rng.choice(["", f" WHERE {correlated}"])
    bound = rng.randint(0, 3)
    share = rng.choice(["0", "1", "0.5", "0.95", repr(rng.random())])
    span = rng.choice(["1 day", "90 minutes", "1 month", "1 hour"])
    sign = rng.choice("!#a")
    pattern = "".join(rng.choice(["%", "_", "b", sign + "%", sign + "_", sign + sign]) for _ in range(rng.randint(1, 4)))
    return Statement(
        tables,
        ordered=False,
        text=rng.choice(
            [
                f"SELECT k, {aggregate} AS r FROM t{where} GROUP BY ALL",
                f"FROM t SELECT {aggregate} AS r{where}",
                f"FROM t{where}",
                f"SELECT a, a {operator} {quantifier} (SELECT b FROM u) AS r FROM t{where}",
                f"SELECT a FROM t WHERE a {operator} {quantifier} (SELECT b FROM u WHERE b > {bound})",
                f"SELECT a, a {operator} {quantifier} (SELECT b FROM u WHERE y > {bound}) AS r FROM t",
                f"SELECT x, ({inner}) AS r FROM t{where}",
                f"SELECT max(({inner})) AS r FROM t{where}",
                f"SELECT k, count(*) FILTER (WHERE EXISTS (SELECT 1 FROM u{outer})) AS r FROM t GROUP BY ALL",
                f"SELECT x, row_number() OVER (ORDER BY ({inner}) NULLS LAST, x) AS r FROM t",
                f"SELECT x FROM t WHERE x {operator} (SELECT avg(y) FROM u{outer})",
                f"SELECT t.x, u.y FROM t JOIN u ON a = b AND EXISTS (SELECT 1 FROM u AS w WHERE w.b = t.a AND w.j = u.j)",
                f"SELECT a + 1 AS c, c * 2 AS d, sum(c) OVER (ORDER BY x) AS s FROM t WHERE c > {bound}",
                f"SELECT k, a AS c FROM t QUALIFY row_number() OVER (PARTITION BY k ORDER BY x DESC) <= {bound}",
                f"SELECT k, sum(x) AS s FROM t GROUP BY k QUALIFY rank() OVER (ORDER BY s DESC) <= {bound}",
                f"SELECT a, list_filter([1, 2, 3, 4], e -> e > a) AS r FROM t",
                f"SELECT list_transform([1, 2, a], e -> e * {bound} + a) AS r FROM t",
                f"SELECT k, k LIKE '{pattern}' ESCAPE '{sign}' AS r FROM t",
                f"SELECT k, quantile_cont(x * 1e9, {share}) AS r FROM t{where} GROUP BY ALL",
                f"SELECT quantile_cont(DISTINCT x, {share}) AS r, median(x) AS m FROM t{where}",
                f"SELECT x, quantile_cont(x, {share}) OVER (ORDER BY x ROWS BETWEEN {bound} PRECEDING AND CURRENT ROW) AS r FROM t",
                f"SELECT k, quantile_disc(x, {share}) AS r, quantile_disc(k, {share}) AS q FROM t{where} GROUP BY ALL",
                f"SELECT a, x ^ 2 AS p, -a ^ 2 AS n, a // 2 AS d, mod(a, 3) AS m, len(k) AS l, sign(x - 2) AS s FROM t{where}",
                f"SELECT sum(a {operator} {bound}) AS r, sum(k IS NULL) AS n FROM t{where}",
                f"SELECT x FROM t WHERE (a, k) IN (SELECT b, j FROM u) AND x > {bound}",
                f"SELECT x FROM t {rng.choice(['SEMI', 'ANTI'])} JOIN u ON {correlated}",
                f"SELECT x, regexp_full_match(k, 'a.?b*') AS r FROM t",
                f"SELECT a, TIMESTAMP '2026-01-31 12:00:00' + INTERVAL '{span}' * a AS r FROM t",
                f"SELECT a, TIMESTAMP '2026-03-31 12:00:00' - a * INTERVAL '{span}' AS r FROM t",
                f"SELECT x FROM t WHERE TIMESTAMP '2026-01-31' + INTERVAL '1 hour' * a > TIMESTAMP '2026-01-31 01:30:00'",
                f"SELECT DISTINCT k, a, FROM t WHERE a IN (1, {bound},)",
            ]
        ),
    )
