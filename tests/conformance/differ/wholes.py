"""Random statements over whole tables: extremes, first rows, subqueries beside aggregates."""

from .expressions import FLOAT, INT, TEXT, TIME, Writer
from .statements import labelled, subqueries
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
