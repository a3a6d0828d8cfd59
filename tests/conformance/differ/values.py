"""Random statements about comparison: mixed types, precedence of operators, odd floats."""

from .engines import both
from .expressions import CONCAT, FLOAT, INT, LIKE, TEXT, Expr, Writer
from .statements import labelled, small
from .tables import Small, Statement

BIG = ["9007199254740991", "9007199254740992", "9007199254740993", "1", "2", "0", "NULL"]


def mixed(rng):
    """Equalities of several types joined by OR, and their negations."""
    table = Small(
        "t1",
        {"a": INT, "k": TEXT, "x": FLOAT},
        [
            [
                rng.choice(BIG),
                rng.choice(["'1'", "'1.0'", "'2'", "'a'", "''", "NULL"]),
                rng.choice(["1.0e0", "1.5e0", "9007199254740992.0e0", "-0.0e0", "NULL"]),
            ]
            for _ in range(rng.randint(1, 6))
        ],
    )
    number = rng.choice(["1", "2", "1.5", "0"])
    equal, join = rng.choice([("=", "OR"), ("=", "OR"), ("<>", "AND")])
    quoted = f"'{number}'"
    terms = {
        "a": [
            f"a {equal} {rng.choice(BIG[:6])}",
            f"a {equal} {rng.choice(['1.5', '1.0', '2.5', '0.0'])}",
            f"a {equal} {both(quoted, number)}",
        ],
        "k": [
            f"k {equal} '{rng.choice(['1', '1.0', 'a', ''])}'",
            f"{both('k', 'TRY_CAST(k AS DOUBLE)')} {equal} {number}",
            f"k {equal} '2'",
        ],
        "x": [
            f"x {equal} {rng.choice(['1', '0', '9007199254740992', '2'])}",
            f"x {equal} {rng.choice(['1.5', '0.0'])}",
            f"x {equal} {both(quoted, number)}",
        ],
    }
    columns = rng.choice(["a", "k", "x", "ak", "ax"])
    picked = [rng.choice(terms[rng.choice(columns)]) for _ in range(rng.choice([2, 2, 3, 5]))]
    if rng.random() < 0.05:
        picked += [f"a {equal} {at}" for at in range(3, 400)]
    rng.shuffle(picked)
    test = f" {join} ".join(picked)
    if rng.random() < 0.2:
        test = f"NOT ({test})"
    if rng.random() < 0.5:
        return Statement([table], {"select": ["a", "k", "x"], "from": "t1", "where": test})
    return Statement([table], {"select": ["a", "k", "x", f"{test} AS r"], "from": "t1"})


def lists(rng):
    """IN lists over the same values under AND, OR and NOT, also where they meet only in the plan."""
    numbers = lambda: rng.choice(["1", "2", "3", "4", "5", "6", "NULL"])
    table = Small(
        "t1", {"a": INT, "b": INT, "k": TEXT}, [[numbers(), numbers(), "'a'"] for _ in range(rng.randint(1, 6))]
    )

    def term():
        of = rng.choice(["a", "a", "a", "b"])
        element = lambda: rng.choice(["b", "a", "NULL"]) if rng.random() < 0.15 else str(rng.randint(1, 6))
        if rng.random() < 0.3:
            equal, join = rng.choice([("=", "OR"), ("<>", "AND")])
            return f"({f' {join} '.join(f'{of} {equal} {element()}' for _ in range(rng.choice([1, 2, 3])))})"
        members = ", ".join(element() for _ in range(rng.choice([1, 2, 4, 5])))
        return f"({of} {rng.choice(['', 'NOT '])}IN ({members}))"

    def test(depth):
        if depth == 0:
            return term()
        both = f"({test(depth - 1)} {rng.choice(['AND', 'OR'])} {test(depth - 1)})"
        return rng.choice([both, both, f"(NOT {both})", f"({both} IS NULL)", f"({both} AND 1 = 1)"])

    outer = rng.choice(["a", "b"])
    return Statement(
        [table],
        rng.choice(
            [
                {"select": ["a", "b", f"{test(2)} AS r"], "from": "t1"},
                {"select": ["a", "b"], "from": "t1", "where": test(2)},
                {"select": ["a", "b", f"NOT (r AND {term()}) AS s"], "from": f"(SELECT a, b, {term()} AS r FROM t1) AS d"},
                {"select": ["a", "b"], "from": f"(SELECT a, b, {term()} AS r FROM t1) AS d", "where": f"NOT (r AND {term()})"},
                {"select": ["a", "b"], "from": f"(SELECT a, b FROM t1 WHERE {test(1)}) AS d", "where": test(1)},
                {"select": [f"count(*) FILTER (WHERE {test(1)}) AS n", f"{outer}"], "from": "t1", "where": test(1), "group by": [outer]},
            ]
        ),
    )


def precedence(rng):
    tables = []
    table = small(rng, tables, 4)
    writer = Writer(rng, table.columns.items())
    items = [writer.truth(rng.choice([1, 2, 3])) for _ in range(3)] + [writer.value(3)]
    # Truth values compared with each other: where the operators of comparison meet.
    left, right = (writer.compared(1) for _ in range(2))
    items += [
        Expr(f"{left.within(LIKE)} {rng.choice(['=', '<>', '<', '>='])} {right.within(LIKE)}", 5),
        Expr(f"{left.within(CONCAT)} {rng.choice(['', 'NOT '])}IN ({right.text}, NULL)", LIKE),
    ]
    return Statement(
        tables,
        {
            "select": labelled([*table.columns, *(item.text for item in items)]),
            "from": table.name,
            "where": writer.truth(2).text if rng.random() < 0.3 else None,
        },
    )


NAN = "CAST('NaN' AS DOUBLE)"


def floats(rng):
    """-0.0 beside 0.0, and NaN."""
    # On some machines zero by zero has a sign, which is that of no number.
    pool = [
        "0.0e0",
        "-0.0e0",
        "0.0e0",
        "-0.0e0",
        "1.5e0",
        "NULL",
        NAN,
        NAN,
        "0.0e0 / 0.0e0",
        "CAST('Infinity' AS DOUBLE)",
    ]
    rows = lambda: [[rng.choice(pool), str(rng.randint(1, 3))] for _ in range(rng.randint(2, 6))]
    tables = [Small("t1", {"x": FLOAT, "n": INT}, rows()), Small("t2", {"x": FLOAT, "n": INT}, rows())]
    shown = (
        lambda x: f"CASE WHEN {x} = {NAN} THEN 'nan' WHEN {x} = 0 THEN 'zero' WHEN {x} = 1.5e0 THEN 'half' WHEN {x} > 1e300 THEN 'infinite' ELSE 'null' END"
    )
    value = rng.choice(["0.0e0", "-0.0e0", NAN, "0", "1.5e0"])
    op = rng.choice(["=", "<>", "<", "<=", ">", ">="])
    statements = [
        f"SELECT {shown('x')} AS s, count(*) AS n FROM (SELECT DISTINCT x FROM t1) AS d GROUP BY 1",
        f"SELECT {shown('x')} AS s, n FROM (SELECT x, sum(n) AS n FROM t1 GROUP BY x) AS d",
        "SELECT count(DISTINCT x) AS c, count(x) AS n FROM t1",
        f"SELECT count(*) AS c, sum(n) AS n FROM t1 WHERE x {op} {value}",
        f"SELECT n FROM t1 WHERE x {rng.choice(['', 'NOT '])}IN ({value}, 2.0e0{rng.choice(['', ', NULL'])})",
        f"SELECT n FROM t1 WHERE x {rng.choice(['', 'NOT '])}BETWEEN {value} AND 1.0e0",
        "SELECT l.n AS a, r.n AS b FROM t1 AS l JOIN t2 AS r ON l.x = r.x",
        f"SELECT l.n AS a, r.n AS b FROM t1 AS l LEFT JOIN t2 AS r ON l.x {op} r.x",
        f"SELECT n FROM t1 WHERE x {rng.choice(['', 'NOT '])}IN (SELECT x FROM t2 WHERE x IS NOT NULL)",
        f"SELECT {shown('x')} AS s FROM (SELECT x FROM t1 {rng.choice(['UNION', 'INTERSECT', 'EXCEPT', 'INTERSECT ALL', 'EXCEPT ALL'])} SELECT x FROM t2) AS d",
        "SELECT n, count(*) OVER (PARTITION BY x) AS c, rank() OVER (ORDER BY x) AS r FROM t1",
        f"SELECT {shown('max(x)')} AS hi, {shown('min(x)')} AS lo FROM t1",
        f"SELECT n, {shown('max(x)')} AS hi FROM t1 GROUP BY n HAVING max(x) {op} {value}",
        f"SELECT {shown('x')} AS s, count(*) AS c FROM t1 GROUP BY ROLLUP(x)",
        f"SELECT n, CASE x WHEN {value} THEN 'yes' ELSE 'no' END AS c, x IS DISTINCT FROM {value} AS d, nullif(x, {value}) IS NULL AS e FROM t1",
        "SELECT l.n AS a, r.n AS b FROM t1 AS l FULL JOIN t2 AS r ON l.x = r.x AND l.n = r.n",
    ]
    if rng.random() < 0.25:
        return Statement(
            tables, text=f"SELECT n, {shown('x')} AS s FROM t1 ORDER BY x{rng.choice(['', ' DESC'])}, n", ordered=True
        )
    if rng.random() < 0.1:
        return Statement(
            tables, text=f"SELECT n, {shown('x')} AS s FROM t1 ORDER BY x, n LIMIT {rng.randint(1, 3)}", ordered=True
        )
    return Statement(tables, text=rng.choice(statements))
