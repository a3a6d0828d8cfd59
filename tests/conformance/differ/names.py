"""Random statements about output names and positions."""

from .engines import both
from .expressions import BOOL, FLOAT, INT, TEXT, TIME
from .statements import small
from .tables import STORED, Statement

FUNCTIONS = {
    TEXT: ["upper({})", "substr({}, 2)", "{} || 'z'", "coalesce({}, 'all')", "length({})", "lower({})"],
    INT: ["-{}", "{} + 1", "{} * 2", "abs({})", "coalesce({}, 0)", "7 - {}"],
    FLOAT: ["-{}", "abs({})", "{} * 2"],
    BOOL: ["NOT {}", "coalesce({}, TRUE)"],
    TIME: ["date_trunc('hour', {})", "date_trunc('day', {})"],
}
TESTS = {
    TEXT: ["{} LIKE '%a%'", "{} > 'a'", "{} IS NULL", "length({}) > 1"],
    INT: ["{} > 1", "{} < 2", "{} IS NULL"],
    FLOAT: ["{} > 0", "{} IS NOT NULL"],
    BOOL: ["{} IS TRUE", "{} IS NULL"],
    TIME: ["{} IS NULL", "{} > CAST('2026-10-28' AS TIMESTAMP)"],
}


def output(column):
    """An output name that is also a column's, for us; DuckDB gets another, so that nothing is left to its rules.

    PostgreSQL's rule is in where this stands: alone in ORDER BY or DISTINCT ON it is the output, elsewhere the input.
    """
    return both(column, f"o_{column}")


def shadowing(rng):
    """Output names that equal columns."""
    tables = []
    if rng.random() < 0.35:
        source = rng.choice(["spans", "traces"])
        columns = dict(STORED[source])
        c, d = rng.sample(
            [
                n
                for n in ("name", "kind", "input", "start_time", "session_id", "total_tokens", "status_code")
                if n in columns
            ],
            2,
        )
        stored = True
    else:
        table = small(rng, tables, 7)
        source, columns, stored = table.name, table.columns, False
        c, d = rng.sample(list(columns), 2)
    kind = columns[c]
    f, g = (rng.choice(FUNCTIONS[kind]).format(c) for _ in range(2))
    test, way = rng.choice(TESTS[kind]).format(rng.choice([c, g])) if kind != BOOL else f"{c} IS NOT NULL", rng.choice(
        ["", " DESC", " NULLS FIRST"]
    )
    if kind == TEXT and "length" in g and "length" in test or "LIKE" in test and g in test and "length" in g:
        test = f"{c} > 'a'"
    o, rest = output(c), ["2", "1"]
    limit = "20" if stored else None
    shape = rng.choice(
        [
            "larger",
            "larger",
            "alone",
            "having",
            "having",
            "group",
            "group",
            "rollup",
            "distinct on",
            "distinct on",
            "window",
            "swap",
            "aggregate",
            "case",
            "alias only",
        ]
    )
    if shape == "larger":
        order = [f"{g}{way}", *rest]
        if "-{}".format(c) != g and rng.random() < 0.3:
            order = [f"CASE WHEN {c} IS NULL THEN 1 ELSE 0 END{way}", f"{g}", *rest]
        return Statement(
            tables, {"select": [f"{f} AS {o}", d], "from": source, "order": order, "limit": limit}, ordered=True
        )
    if shape == "alone":
        order = [f"{o}{way}", d] if rng.random() < 0.5 else [d, f"{o}{way}"]
        return Statement(
            tables, {"select": [f"{f} AS {o}", d], "from": source, "order": order, "limit": limit}, ordered=True
        )
    if shape == "having":
        by = rng.choice([c, f])
        having = test if by == c else f"({f}) IS {rng.choice(['', 'NOT '])}NULL"
        return Statement(
            tables, {"select": [f"{f} AS {o}", "count(*) AS n"], "from": source, "group": [by], "having": having}
        )
    if shape == "group":
        by = rng.choice([[c], [f], ["1"], [f, d]])
        select = [f"{f} AS {o}", "count(*) AS n"] + ([d] if d in by else [])
        order = rng.choice([["1", "2"], [f, "2"], [f"{o} DESC", "2"]]) + (["3"] if d in by else [])
        return Statement(tables, {"select": select, "from": source, "group": by, "order": order}, ordered=True)
    if shape == "rollup":
        first = f"coalesce({c}, 'all')" if kind == TEXT else f
        order = rng.choice([None, ["2", "1", "3"], [f"{o}", "2", "3"], [f"grouping({c})", "1", "2", "3"]])
        return Statement(
            tables,
            {
                "select": [f"{first} AS {o}", "count(*) AS n", f"grouping({c}) AS g"],
                "from": source,
                "group": [f"{rng.choice(['ROLLUP', 'CUBE'])}({c})"],
                "order": order,
            },
            ordered=True,
        )
    if shape == "distinct on":
        # The first of each group is the only one, or all of them are the same.
        if rng.random() < 0.5:
            return Statement(
                tables,
                {"select": [f"DISTINCT ON ({o}) {f} AS {o}", f"{d} AS second"], "from": source, "order": [o, "second"]},
                ordered=True,
            )
        return Statement(
            tables,
            {
                "select": [f"DISTINCT ON ({g}) {f} AS {o}", f"{d} AS second"],
                "from": source,
                "order": [f"{g}{way}", "second", "1"],
            },
            ordered=True,
        )
    if shape == "window":
        over = rng.choice(
            [f"ORDER BY {c}{way}", f"ORDER BY {g}{way}", f"PARTITION BY {c}", f"PARTITION BY {f} ORDER BY {g}"]
        )
        call = rng.choice(["rank()", "dense_rank()"]) if "ORDER" in over else "count(*)"
        return Statement(tables, {"select": [f"{f} AS {o}", f"{call} OVER ({over}) AS r", d], "from": source})
    if shape == "swap":
        e = output(d)
        order = rng.choice(
            [
                [o, e],
                [f"{rng.choice(FUNCTIONS[kind]).format(c)}{way}", "1", "2"],
                [f"{rng.choice(FUNCTIONS[columns[d]]).format(d)}{way}", e, o],
            ]
        )
        return Statement(
            tables,
            {"select": [f"{d} AS {o}", f"{c} AS {e}"], "from": source, "order": order, "limit": limit},
            ordered=True,
        )
    if shape == "aggregate":
        call = f"{rng.choice(['max', 'min'])}({c})" if kind != BOOL else f"count({c})"
        parts = {"select": [f"{call} AS {o}", d], "from": source, "group": [d]}
        if rng.random() < 0.5:
            parts["having"] = rng.choice([f"{call} IS NOT NULL", f"count({c}) > 1"])
        parts["order"] = rng.choice(
            [
                [f"{call}{way}", "2"],
                [f"{o}{way}", "2"],
                [f"count({c})", "1", "2"],
                [f"coalesce({call}, {call}){way}", "2"],
            ]
        )
        return Statement(tables, parts, ordered=True)
    if shape == "case":
        item = f"CASE WHEN {test} THEN 1 ELSE 2 END"
        return Statement(
            tables,
            {"select": [f"{item} AS {o}", "count(*) AS n"], "from": source, "group": [item], "order": [f"{item} DESC"]},
            ordered=True,
        )
    # A name that is no column stands for the output in GROUP BY and HAVING, too.
    return Statement(
        tables,
        {
            "select": [f"{f} AS fresh", "count(*) AS n"],
            "from": source,
            "group": ["fresh"],
            "order": [f"fresh{way}", "2"],
        },
        ordered=True,
    )


def positions(rng):
    """Positions, and literals that are none."""
    tables = []
    table = small(rng, tables, 6)
    t, literal = table.name, rng.choice(["1", "2", "3", "100", "-1", "'x'", "0"])
    columns = list(table.columns)
    c = rng.choice(["a", "k"])
    everything = [str(at + 1) for at in range(3)]
    shapes = [
        ({"select": [c, f"{literal} AS one", "a AS z"], "from": t, "order": ["1", "3"]}, True),
        ({"select": [f"{literal} AS one", c, "a AS z"], "from": t, "order": ["2 DESC", "3", "1"]}, True),
        ({"select": [f"{literal} AS pct", c, "count(*) AS n"], "from": t, "group": ["pct", c], "order": [c]}, True),
        (
            {"select": [f"{literal} AS pct", c, "count(*) AS n"], "from": t, "group": ["1", "2"], "order": ["2", "3"]},
            True,
        ),
        (
            {
                "select": [c, f"{literal} AS pct", "count(*) AS n"],
                "from": t,
                "group": ["2", "1"],
                "order": ["pct", "1", "3"],
            },
            True,
        ),
        (
            {
                "select": ["one", c, "count(*) AS n"],
                "from": f"(SELECT {literal} AS one, {', '.join(columns)} FROM {t}) AS d",
                "group": ["one", c],
                "order": ["one", c],
            },
            True,
        ),
        (
            {
                "select": ["one", c, "a AS z"],
                "from": f"(SELECT {literal} AS one, {', '.join(columns)} FROM {t}) AS d",
                "order": ["one DESC", "2", "3"],
            },
            True,
        ),
        ({"select": [f"DISTINCT {literal} AS one", c], "from": t, "order": ["1", "2 DESC"]}, True),
        (
            {
                "select": [f"{literal} AS one", c, "a AS z"],
                "from": t,
                "order": ["one + 0" if literal not in ("'x'",) else "one", "2", "3"],
            },
            literal == "'x'",
        ),
        (
            {
                "select": [
                    c,
                    "a AS z",
                    f"rank() OVER (ORDER BY {literal}) AS r",
                    "count(*) OVER (PARTITION BY 1) AS n",
                ],
                "from": t,
            },
            False,
        ),
        (
            {
                "select": [c, "count(*) AS n", f"max({literal}) AS m"],
                "from": t,
                "group": ["1"],
                "having": f"{rng.choice(['1 = 1', 'count(*) > 1', 'TRUE'])}",
                "order": ["2", "1"],
            },
            True,
        ),
        ({"select": [f"{literal} AS one", "count(*) AS n"], "from": t, "group": ["one"]}, False),
        (
            {"select": [f"{literal} AS one", "max(a) AS z"], "from": t, "group": [c, "one"], "order": everything[:2]},
            True,
        ),
        (
            {
                "select": [c, f"{literal} AS one", "count(*) AS n"],
                "from": t,
                "group": [f"GROUPING SETS (({c}), ({c}, one))"],
                "order": ["1", "2", "3"],
            },
            True,
        ),
    ]
    parts, ordered = rng.choice(shapes)
    if "one + 0" in str(parts.get("order")):
        # An expression over an output is an error in PostgreSQL; a constant is no position.
        parts["order"], ordered = ["1", "2", "3"], True
    if parts["order"] if "order" in parts else False:
        if rng.random() < 0.3:
            parts["limit"] = str(rng.randint(1, 3))
    return Statement(tables, parts, ordered=ordered)
