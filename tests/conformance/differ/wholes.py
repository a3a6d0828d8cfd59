"""Random statements over whole tables: extremes, first rows, subqueries beside aggregates."""

from .expressions import FLOAT, INT, TEXT, TIME, Writer
from .statements import labelled, small, subqueries
from .tables import KEYS, STORED, Small, Statement


def extremes(rng):
    """Aggregates of whole tables, plain columns beside expressions: what prunes for the one may not prune for the other."""
    table = rng.choice(["spans", "spans", "traces", "sessions"])
    columns = STORED[table]
    writer = Writer(rng, [column for column in columns.items() if column[1] != TIME])
    items = []
    for at in range(rng.choice([2, 2, 3, 4])):
        function = rng.choice(["min", "max"])
        if rng.random() < (0.8, 0.2, 0.5, 0.5)[at]:
            value = rng.choice(list(columns))
        else:
            value = writer.value(1, rng.choice([INT, INT, FLOAT, TEXT])).text
        items.append(f"{function}({value})" + (f" FILTER (WHERE {writer.truth(1).text})" if rng.random() < 0.1 else ""))
    if rng.random() < 0.2:
        items.append(rng.choice(["count(*)", "sum(total_tokens)", "count(session_id)"]))
    parts = {"select": labelled(items), "from": table}
    if rng.random() < 0.3:
        parts["where"] = writer.truth(1).text
    return Statement([], parts)


def tops(rng):
    """The first rows in a total order: what is skipped on the way must not be among them."""
    table = rng.choice(["spans", "spans", "traces", "sessions"])
    alias, columns = "l", list(STORED[table].items())
    source = f"{table} AS l"
    if table == "spans" and rng.random() < 0.4:
        source += f" {rng.choice(['JOIN', 'LEFT JOIN'])} traces AS r ON l.trace_id = r.trace_id"
    columns = [(f"{alias}.{column}", kind) for column, kind in columns]
    writer = Writer(rng, columns)
    value = rng.choice(columns)[0] if rng.random() < 0.5 else writer.value(1, rng.choice([INT, FLOAT, TEXT])).text
    if "l." not in value:
        # DuckDB sorts by no literals.
        value = columns[0][0]
    ids = [f"l.{key}" for key in KEYS[table]]
    parts = {
        "select": [f"{value} AS v", *ids],
        "from": source,
        "order": [f"{value}{rng.choice(['', ' DESC', ' NULLS FIRST', ' DESC NULLS LAST'])}", *ids],
    }
    if rng.random() < 0.5:
        parts["where"] = writer.truth(1).text
    if rng.random() < 0.15:
        parts["select"][0] = f"DISTINCT {parts['select'][0]}"
    parts["limit"] = str(rng.choice([1, 3, 10, 100])) + (
        f" OFFSET {rng.choice([1, 5, 50])}" if rng.random() < 0.2 else ""
    )
    if rng.random() < 0.2:
        inner = Statement([], parts).text()
        return Statement(
            [],
            {
                "select": ["count(*) AS n", "count(v) AS m", "max(d.c1) AS k"],
                "from": f"({inner.replace(ids[0] + ',', ids[0] + ' AS c1,', 1)}) AS d",
            },
        )
    return Statement([], parts, ordered=True)


def derived(rng):
    """Scalar subqueries in a derived table's SELECT list, beside other aggregates."""
    tables = [Small.random(rng, "t1")]
    write = subqueries(rng, tables, [], correlated=0)
    columns = list(tables[0].columns.items())
    writer = Writer(rng, columns)
    inner_group = rng.random() < 0.4
    number = writer.leaf(INT).text
    stored = rng.random() < 0.25
    relation = rng.choice(["traces", "spans"]) if stored else "t1"
    if stored:
        number = "total_tokens"
        if rng.random() < 0.5:
            write = (
                lambda kind: "(SELECT max(x) FROM (SELECT max(prompt_tokens + completion_tokens) AS x FROM spans) AS i)"
            )
    w = rng.choice([f"max({number})", f"count({number})", f"sum({number})"]) if inner_group else number
    inner = (
        f"SELECT {w} AS w, {write('scalar')} AS m"
        + (f", {write('scalar')} AS v" if rng.random() < 0.3 else "")
        + f" FROM {relation}"
    )
    if inner_group and rng.random() < 0.5:
        inner += f" GROUP BY {'kind' if stored else 'k'}"
    if rng.random() < 0.3:
        inner = (
            f"SELECT w, {write('scalar')} AS m FROM (SELECT {w} AS w FROM {relation}) AS e" if inner_group else inner
        )
    outer = rng.choice(
        [
            "count(*) FILTER (WHERE m <> w) AS n",
            "max(m) AS a, min(w) AS b",
            "sum(w) AS a, count(m) AS b",
            "w, m, count(*) AS n",
            "max(w + m) AS a, count(*) AS n",
        ]
    )
    text = f"SELECT {outer} FROM ({inner}) AS d"
    if rng.random() < 0.3:
        text += f" WHERE {rng.choice(['w > m', 'm IS NOT NULL', 'w IS NULL OR m = w'])}"
    if outer.startswith("w, m"):
        text += " GROUP BY w, m"
    return Statement(tables if "t1" in text or len(tables) > 1 else [], text=text)


def unions(rng):
    """Branches that are told apart by constants, sorted and cut, grouped, filtered and joined by them."""
    tables = []
    stored = rng.random() < 0.3

    def branch():
        table, key, number = "", "name", "total_tokens"
        if stored:
            table = rng.choice(["spans", "traces"])
        else:
            small_table = small(rng, tables, 4)
            table, key, number = small_table.name, "k", rng.choice(["a", "7", "length(k)"])
        columns = STORED[table].items() if stored else tables[-1].columns.items()
        fixed = rng.choice(["1", "2", "3", "CAST(NULL AS BIGINT)", number])
        side = rng.choice(["'a'", "'b'", "'c'", key])
        test = f" WHERE {Writer(rng, columns).truth(0).text}" if rng.random() < 0.3 else ""
        return f"SELECT {key} AS k, {fixed} AS c, {side} AS s, {number} AS n FROM {table}{test}"

    text = " UNION ALL ".join(branch() for _ in range(rng.choice([2, 2, 3])))
    columns = ["k", "c", "s", "n"]
    rng.shuffle(columns)
    order = ", ".join(f"{column}{rng.choice(['', '', ' DESC', ' NULLS FIRST'])}" for column in columns)
    limit = f" LIMIT {rng.randint(1, 5)}" + rng.choice(["", "", " OFFSET 1"])
    shape = rng.choice(["sorted", "sorted", "sorted", "grouped", "filtered", "joined", "ranked", "outer"])
    if shape == "sorted":
        return Statement(tables, text=f"{text} ORDER BY {order}{limit}", ordered=True)
    if shape == "outer":
        return Statement(tables, text=f"SELECT * FROM ({text}) AS d ORDER BY {order}{limit}", ordered=True)
    if shape == "grouped":
        by = ", ".join(columns[:2])
        return Statement(
            tables,
            text=f"SELECT {by}, count(*) AS m FROM ({text}) AS d GROUP BY {by} ORDER BY {by}{limit}",
            ordered=True,
        )
    kinds = [(f"d.{column}", TEXT if column in "ks" else INT) for column in columns]
    if shape == "filtered":
        return Statement(
            tables,
            text=f"SELECT count(*) AS m, min(d.c) AS c FROM ({text}) AS d WHERE {Writer(rng, kinds).truth(1).text}",
        )
    if shape == "joined":
        word = rng.choice(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
        other = "(VALUES (1, 'a'), (3, 'b'), (NULL, 'c')) AS o(c, s)"
        on = rng.choice(["d.c = o.c", "d.s = o.s", "d.c = o.c AND d.s = o.s"])
        return Statement(
            tables, text=f"SELECT o.s, o.c, count(*) AS m FROM ({text}) AS d {word} {other} ON {on} GROUP BY o.s, o.c"
        )
    over = rng.choice([f"ORDER BY {order}", f"PARTITION BY {columns[0]} ORDER BY {columns[1]}, {columns[2]}"])
    return Statement(
        tables,
        text=f"SELECT r, count(*) AS m FROM (SELECT rank() OVER ({over}) AS r FROM ({text}) AS d) AS e GROUP BY r ORDER BY r{limit}",
        ordered=True,
    )
