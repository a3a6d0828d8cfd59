"""Random statements of several levels: what one level knows must hold in the next."""

from .expressions import INT, TEXT, Writer
from .statements import labelled, small, subqueries, totals
from .tables import Statement


def level(rng, tables, deep):
    """A query in parentheses with columns a, k, n and m, and what it is called."""
    if deep <= 0:
        table = small(rng, tables, 5)
        b = "b" if "b" in table.columns else "a"
        return f"(SELECT a, k, {b} AS n, {rng.choice(['a', b, 'length(k)', '7'])} AS m FROM {table.name})"
    inner = level(rng, tables, deep - 1)
    columns = [("i.a", INT), ("i.k", TEXT), ("i.n", INT), ("i.m", INT)]
    writer = Writer(rng, columns)
    where = f" WHERE {writer.truth(1).text}" if rng.random() < 0.4 else ""
    shape = rng.choice(
        ["group", "all", "all", "window", "distinct", "union", "join", "limit", "values", "scalar", "group"]
    )
    if shape == "group":
        having = (
            f" HAVING {rng.choice(['count(*) > 1', 'max(i.n) IS NOT NULL', 'sum(i.m) > 0', 'count(i.n) = count(*)'])}"
            if rng.random() < 0.4
            else ""
        )
        value = rng.choice(
            ["count(*)", "sum(i.n)", "max(i.m)", "count(DISTINCT i.a)", "sum(i.n) FILTER (WHERE i.m > 0)"]
        )
        key = rng.choice(["i.a", "i.a", "coalesce(i.a, 0)", "i.a + 1"])
        return f"(SELECT {key} AS a, i.k AS k, {value} AS n, max(i.m) AS m FROM {inner} AS i{where} GROUP BY {key}, i.k{having})"
    if shape == "all":
        # What is no aggregate says nothing of the rows below, and the row is there even if they are not.
        fixed = rng.choice(["sum(i.m)", "5", "1 + 1", subqueries(rng, tables, [], 0)("scalar")])
        return f"(SELECT max(i.a) AS a, min(i.k) AS k, count(*) AS n, {fixed} AS m FROM {inner} AS i{where})"
    if shape == "window":
        call = rng.choice(["rank()", "sum(i.n)", "count(*)", "max(i.m)", "min(i.a)"])
        over = rng.choice(
            [
                "PARTITION BY i.k",
                "PARTITION BY i.k ORDER BY i.a",
                "ORDER BY i.n, i.m",
                "PARTITION BY i.a ORDER BY i.k DESC",
            ]
        )
        return f"(SELECT i.a AS a, i.k AS k, {call} OVER ({over}) AS n, i.m AS m FROM {inner} AS i{where})"
    if shape == "distinct":
        return f"(SELECT DISTINCT i.a AS a, i.k AS k, {writer.leaf(INT).text} AS n, 3 AS m FROM {inner} AS i{where})"
    if shape == "union":
        operation = rng.choice(["UNION", "UNION ALL", "EXCEPT", "INTERSECT", "EXCEPT ALL", "INTERSECT ALL"])
        return f"(SELECT i.a AS a, i.k AS k, i.n AS n, i.m AS m FROM {inner} AS i{where} {operation} SELECT a, k, n, m FROM {level(rng, tables, 0)} AS o)"
    if shape == "join":
        word = rng.choice(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
        other = level(rng, tables, rng.choice([0, 1]))
        on = rng.choice(["i.a = o.a", "i.k = o.k", "i.a = o.a AND i.k = o.k", "i.n = o.m", "i.a = o.a AND i.m > 0"])
        test = (
            f" WHERE {Writer(rng, columns + [('o.a', INT), ('o.n', INT), ('o.k', TEXT)]).truth(1).text}"
            if rng.random() < 0.5
            else ""
        )
        return f"(SELECT {rng.choice(['i.a', 'o.a', 'coalesce(i.a, o.a)'])} AS a, {rng.choice(['i.k', 'o.k'])} AS k, o.n AS n, i.m AS m FROM {inner} AS i {word} {other} AS o ON {on}{test})"
    if shape == "limit":
        # All that is selected is sorted by: rows that tie are the same.
        way = rng.choice(["", " DESC", " NULLS FIRST"])
        return f"(SELECT i.a AS a, i.k AS k, i.n AS n, i.m AS m FROM {inner} AS i{where} ORDER BY i.n{way}, i.a, i.k, i.m LIMIT {rng.randint(1, 3)})"
    if shape == "values":
        return f"(SELECT i.a AS a, i.k AS k, v.n AS n, i.m AS m FROM {inner} AS i CROSS JOIN (VALUES (1), (NULL)) AS v(n){where})"
    return f"(SELECT i.a AS a, i.k AS k, {subqueries(rng, tables, [], 0)('scalar')} AS n, i.m AS m FROM {inner} AS i{where})"


def nested(rng):
    tables = []
    source = f"{level(rng, tables, rng.choice([2, 2, 3]))} AS d"
    columns = [("d.a", INT), ("d.k", TEXT), ("d.n", INT), ("d.m", INT)]
    writer = Writer(rng, columns)
    parts = {"select": labelled([column for column, _ in columns]), "from": source}
    if rng.random() < 0.3:
        parts["select"] = labelled(totals(rng, columns, 2))
    elif rng.random() < 0.2:
        parts["select"] = labelled(
            [
                "d.k",
                "string_agg(d.k, ',' ORDER BY d.k)",
                "count(DISTINCT d.a)",
                "sum(d.n)",
                "sum(sum(d.m)) OVER (ORDER BY d.k)",
            ]
        )
        parts["group"] = ["d.k"]
    if rng.random() < 0.6:
        parts["where"] = writer.truth(rng.choice([0, 1])).text
    return Statement(tables, parts)
