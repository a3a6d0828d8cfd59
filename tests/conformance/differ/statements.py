"""Random statements, a function for each kind. Each takes a random generator and gives a Statement."""

from .engines import both
from .expressions import BOOL, FLOAT, INT, TEXT, TIME, Writer, name
from .tables import SPANS, STORED, Small, Statement

JOINS = ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "LEFT SEMI JOIN", "LEFT ANTI JOIN", "CROSS JOIN"]
# Columns by which rows of the store are joined without too many pairs.
LINKS = [
    ("spans", "parent_id", "spans", "span_id"),
    ("spans", "span_id", "spans", "parent_id"),
    ("spans", "trace_id", "traces", "trace_id"),
    ("traces", "trace_id", "spans", "trace_id"),
    ("traces", "session_id", "sessions", "session_id"),
    ("sessions", "session_id", "traces", "session_id"),
]


def qualified(alias, columns):
    return [(f"{alias}.{column}", kind) for column, kind in columns.items()]


def small(rng, tables, most=6):
    table = Small.random(rng, f"t{len(tables) + 1}", most)
    tables.append(table)
    return table


def join_word(word):
    """DuckDB has no side before SEMI and ANTI: its left is meant."""
    return both(word, word.replace("LEFT ", "")) if "SEMI" in word or "ANTI" in word else word


def chain(rng, tables, count):
    """Small tables joined: the text after FROM, and the columns that can be seen."""
    first = small(rng, tables)
    text, columns = f"{first.name} AS l", qualified("l", first.columns)
    for at in range(count - 1):
        alias = "rsu"[at]
        table = small(rng, tables) if rng.random() < 0.8 or len(tables) < 2 else rng.choice(tables)
        theirs = qualified(alias, table.columns)
        word = rng.choice(JOINS)
        on = ""
        if word != "CROSS JOIN":
            key = rng.choice(["a", "k"])
            left = rng.choice(
                [column for column, kind in columns if kind == table.columns[key] or column.endswith(f".{key}")]
            )
            equal = f"{left} = {alias}.{key}"
            if rng.random() < 0.15 and at == 0:
                on = f" USING ({key})"
            else:
                more = Writer(
                    rng, columns + theirs, subqueries(rng, tables, columns + theirs) if rng.random() < 0.1 else None
                ).truth(1)
                on = (
                    f" ON {equal}"
                    if rng.random() < 0.4
                    else f" ON {equal} {rng.choice(['AND', 'AND', 'OR'])} {more.within(4)}"
                )
                if rng.random() < 0.15:
                    on = f" ON {more.text}"
        text += f" {join_word(word)} {table.name} AS {alias}{on}"
        if "SEMI" not in word and "ANTI" not in word:
            columns += theirs
    return text, columns


def linked(rng, count):
    """Tables of the store joined by ids."""
    link = rng.choice(LINKS)
    text, columns = f"{link[0]} AS l", qualified("l", STORED[link[0]])
    for at in range(count - 1):
        alias = "rs"[at]
        word = rng.choice(JOINS[:6])
        theirs = qualified(alias, STORED[link[2]])
        on = f"l.{link[1]} = {alias}.{link[3]}"
        if rng.random() < 0.4:
            on += f" AND {Writer(rng, columns + theirs).truth(1).within(4)}"
        text += f" {join_word(word)} {link[2]} AS {alias} ON {on}"
        if "SEMI" not in word and "ANTI" not in word:
            columns += theirs
    return text, columns


def subqueries(rng, tables, outer, correlated=0.3):
    """Writes subqueries over small tables and spans."""

    def write(kind):
        if rng.random() < 0.8:
            table = small(rng, tables, 4)
            relation, columns = f"{table.name} AS q", qualified("q", table.columns)
        else:
            relation, columns = "traces AS q", qualified("q", STORED["traces"])
        inner = Writer(rng, columns)
        where, linked_to_outer = "", False
        if rng.random() < 0.6:
            where = f" WHERE {inner.truth(1).text}"
        if outer and rng.random() < correlated:
            its = rng.choice([INT, TEXT])
            mine, other = inner.column(its), Writer(rng, outer).column(its)
            if mine and other:
                where, linked_to_outer = f" WHERE {mine.text} = {other.text}", True
        number = inner.leaf(INT).text
        total = rng.choice(["max({})", "min({})", "count({})", "sum({})"]).format(number)
        if kind == "exists":
            # An aggregate gives a row whatever it is of; and rows may be passed over.
            shape = rng.choice(["1"] * 5 + [total, f"{number} GROUP", "OFFSET", "LIMIT"])
            if shape == "OFFSET":
                return f"(SELECT 1 FROM {relation}{where} {rng.choice(['OFFSET 1', 'LIMIT 0', 'LIMIT 2 OFFSET 1'])})"
            if shape == "LIMIT":
                return f"(SELECT 1 FROM {relation}{where} LIMIT {rng.randint(1, 2)})"
            if shape.endswith(" GROUP"):
                return (
                    f"(SELECT {number} FROM {relation}{where} GROUP BY {number} HAVING count(*) > {rng.randint(0, 1)})"
                )
            return f"(SELECT {shape} FROM {relation}{where})"
        if kind == INT and rng.random() < 0.15:
            return f"(SELECT {total} FROM {relation}{where})"
        if kind == "scalar" and not linked_to_outer and rng.random() < 0.3:
            # One row or none, of a column that itself has no nulls.
            return f"(SELECT {rng.choice(['5', '1', '-1'])} FROM {relation}{where} LIMIT 1)"
        if kind == "scalar":
            return f"(SELECT {total} FROM {relation}{where})"
        item = inner.value(1, kind) if rng.random() < 0.3 else inner.leaf(kind)
        return f"(SELECT {item.text} FROM {relation}{where})"

    return write


def totals(rng, columns, count=3):
    """Aggregates over columns, exact in any order of the rows or nearly so."""
    items = ["count(*)"]
    numbers = Writer(rng, [column for column in columns if column[1] != TIME])
    for _ in range(count):
        kind = rng.choice([INT, INT, TEXT, FLOAT])
        value = numbers.value(rng.choice([0, 1]), kind).text
        function = rng.choice(["count", "min", "max", "count(DISTINCT"] + (["sum", "avg"] if kind != TEXT else []))
        item = f"{function} {value})" if "(" in function else f"{function}({value})"
        if rng.random() < 0.25:
            item += f" FILTER (WHERE {numbers.truth(1).text})"
        items.append(item)
    return items


def labelled(items):
    return [f"{item} AS c{at}" for at, item in enumerate(items)]


def joins(rng):
    tables = []
    stored = rng.random() < 0.35
    source, columns = linked(rng, 2) if stored else chain(rng, tables, rng.choice([2, 2, 2, 3]))
    writer = Writer(rng, columns)
    parts = {"from": source}
    if rng.random() < 0.3:
        # What a filter makes of a null-extended side shows where it asks of both sides.
        one, other = rng.choice(columns), rng.choice(columns)
        test = Writer(rng, [other] if other[1] != TIME else [("1", INT)]).compared(0).within(4)
        parts["where"] = f"{one[0]} IS {rng.choice(['', '', 'NOT '])}NULL AND {test}"
    elif rng.random() < 0.85:
        tests = [f"{rng.choice(columns)[0]} IS {rng.choice(['', 'NOT '])}NULL" for _ in range(rng.choice([0, 1, 1]))]
        tests += [writer.truth(rng.choice([0, 1, 2])).within(3) for _ in range(rng.choice([0, 1, 1, 2]))]
        parts["where"] = f" {rng.choice(['AND', 'AND', 'OR'])} ".join(tests) or None
    if stored or rng.random() < 0.3:
        parts["select"] = labelled(totals(rng, columns))
        if rng.random() < 0.3:
            key = (
                writer.column(TEXT if not stored else BOOL) or name("l.status_code")
                if not stored or "l.status_code" in dict(columns)
                else None
            )
            if key and not stored:
                parts["select"], parts["group"] = [f"{key.text} AS g", *parts["select"]], [key.text]
    else:
        # Few columns, in any order: what a join gives on decides how a filter above it is pushed down.
        few = rng.sample(columns, rng.randint(1, min(len(columns), 8)))
        parts["select"] = labelled(
            [column for column, _ in few] + ([writer.value(1).text] if rng.random() < 0.5 else [])
        )
    return Statement(tables, parts)


def subqueried(rng):
    """Subqueries in every place."""
    tables = [Small.random(rng, "t1")]
    columns = qualified("l", tables[0].columns)
    source = "t1 AS l"
    stored = rng.random() < 0.15
    if stored:
        table = rng.choice(["traces", "sessions", "spans"])
        tables, source, columns = [], f"{table} AS l", qualified("l", STORED[table])
    write = subqueries(rng, tables, columns, correlated=0 if stored else 0.3)
    writer, without = Writer(rng, columns, write), Writer(rng, columns)
    place = rng.choice(["where", "or", "select", "case", "having", "on", "not", "scalar"])
    parts = {"from": source, "select": ["count(*) AS n"] if stored else labelled([column for column, _ in columns])}
    test = lambda: writer.in_subquery(1)
    if place == "where":
        parts["where"] = test().text
    elif place == "or":
        parts["where"] = f"{test().within(2)} OR {rng.choice([test, lambda: without.truth(1)])().within(2)}"
    elif place == "scalar":
        value = write("scalar")
        ask = f"{rng.choice(['', 'NOT '])}{value} {rng.choice(['IS NULL', 'IS NOT NULL', '> 1', '= l.total_tokens' if stored else '<> l.a'])}"
        if rng.random() < 0.5:
            parts["where"] = ask
        else:
            value = f"coalesce({value}, 9)"
            parts["select"] = (
                [f"count(*) FILTER (WHERE {ask}) AS n"]
                if stored
                else [*parts["select"], f"{value} AS v", f"{ask} AS w"]
            )
    elif place == "not":
        parts["where"] = f"NOT ({test().text}{rng.choice([' AND ', ' OR '])}{without.truth(1).within(4)})"
    elif place == "select":
        value = test().text if rng.random() < 0.7 else write("scalar")
        parts["select"] = (
            [f"count(*) FILTER (WHERE {value}) AS n"]
            if stored and "SELECT max" not in value and not value.startswith("(SELECT")
            else [*parts["select"], f"{value} AS v"]
        )
    elif place == "case":
        item = f"CASE WHEN {test().text} THEN {without.value(0, INT).text} WHEN {test().text} THEN -7 {rng.choice(['', 'ELSE 9 '])}END"
        parts["select"] = [f"sum({item}) AS v"] if stored else [*parts["select"], f"{item} AS v"]
    elif place == "having":
        key = without.column(TEXT) or name("l.a")
        more = Writer(
            rng,
            [("count(*)", INT), (f"max({(without.column(INT) or name('1')).text})", INT), (key.text, TEXT)],
            subqueries(rng, tables, [], 0),
        )
        parts.update(select=[f"{key.text} AS g", "count(*) AS n"], group=[key.text], having=more.in_subquery(0).text)
    else:
        other = small(rng, tables)
        if not stored:
            columns = columns + qualified("r", other.columns)
            on = Writer(rng, columns, subqueries(rng, tables, [], 0)).in_subquery(0).within(4)
            parts[
                "from"
            ] += f" {rng.choice(['JOIN', 'LEFT JOIN', 'RIGHT JOIN', 'FULL JOIN'])} {other.name} AS r ON l.a = r.a AND {on}"
            parts["select"] = labelled([column for column, _ in columns])
    return Statement(tables, parts)


def grouped(rng):
    """GROUP BY, grouping sets, ROLLUP and CUBE, with constant keys, HAVING and ORDER BY."""
    tables = []
    if rng.random() < 0.3:
        source, columns = "spans", [(c, k) for c, k in SPANS.items()]
        keys = rng.sample(["kind", "status_code", "name", "model", "user_id"], 2)
    else:
        table = small(rng, tables, 8)
        source, columns = table.name, list(table.columns.items())
        keys = rng.sample(["a", "k"] + [c for c in ("b", "name", "p") if c in table.columns], 2)
    constant = rng.choice([None, "'x'", "7", "CAST(NULL AS VARCHAR)", "1"])
    if constant:
        # A constant that a plan can see through the derived table.
        source = f"(SELECT {constant} AS fixed, {', '.join(c for c, _ in columns)} FROM {source}) AS d"
        keys.insert(rng.randint(0, 2), "fixed")
    kind = rng.choice(["plain", "ROLLUP", "CUBE", "SETS", "mixed"])
    group = {
        "plain": keys,
        "ROLLUP": [f"ROLLUP({', '.join(keys)})"],
        "CUBE": [f"CUBE({', '.join(keys)})"],
        "SETS": [f"GROUPING SETS (({', '.join(keys)}), ({keys[0]}), ({keys[-1]}), ())"],
        "mixed": [keys[0], f"ROLLUP({', '.join(keys[1:])})"],
    }[kind]
    select = [*keys, *labelled(totals(rng, columns, 2))]
    if kind not in ("plain", "mixed"):
        select += [f"grouping({key}) AS g{at}" for at, key in enumerate(keys)]
    parts = {"select": select, "from": source, "group": group}
    if rng.random() < 0.4:
        types = {**dict(columns), "fixed": TEXT if constant and constant[0] in "'C" else INT}
        writer = Writer(
            rng, [("count(*)", INT), (f"max({keys[0]})", types[keys[0]]), *[(key, types[key]) for key in keys]]
        )
        parts["having"] = writer.truth(1).text
    if rng.random() < 0.5:
        first = rng.choice(keys) if rng.random() < 0.5 else "c0 DESC"
        # Sums of floats are last: those of two grouping sets over the same rows differ in their last digits by the
        # order in which rows are added, which no engine promises.
        places = sorted(range(len(select)), key=lambda at: select[at].startswith(("sum(", "avg(")))
        parts["order"] = [first, *[str(at + 1) for at in places]]
        if rng.random() < 0.3:
            parts["limit"] = str(rng.randint(1, 4))
    return Statement(tables, parts, ordered=True)


FRAMES = [
    "",
    "",
    "ROWS BETWEEN 1 PRECEDING AND CURRENT ROW",
    "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING",
    "ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
    "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
    "RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
    "ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING",
    "GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING",
    "ROWS 1 PRECEDING",
]


def windows(rng):
    tables = []
    if rng.random() < 0.3:
        source, columns, unique = "traces", list(STORED["traces"].items()), ["trace_id"]
    else:
        table = small(rng, tables, 8)
        source, columns, unique = table.name, list(table.columns.items()), list(table.columns)
    writer = Writer(rng, [column for column in columns if column[1] != TIME])
    items = []
    for _ in range(rng.randint(1, 3)):
        partition = (
            f"PARTITION BY {writer.value(rng.choice([0, 0, 1]), rng.choice([INT, TEXT])).text} "
            if rng.random() < 0.6
            else ""
        )
        value = writer.value(rng.choice([0, 0, 1]), rng.choice([INT, TEXT]))
        kind = rng.choice(["rank", "number", "sum", "sum", "edge", "near"])
        way = rng.choice(["", " DESC", " NULLS FIRST", " DESC NULLS LAST"])
        order = f"ORDER BY {value.text}{way}"
        total = f"{order}, {', '.join(unique)}"
        number = writer.value(rng.choice([0, 0, 1]), INT).text
        if kind == "rank":
            items.append(
                f"{rng.choice(['rank', 'dense_rank', 'percent_rank', 'cume_dist'])}() OVER ({partition}{order})"
            )
        elif kind == "number":
            items.append(f"{rng.choice(['row_number()', 'ntile(3)'])} OVER ({partition}{total})")
        elif kind == "sum":
            frame = rng.choice(FRAMES)
            by = total if frame.startswith("ROWS") else order if frame or rng.random() < 0.7 else ""
            # Rows that tie in everything have equal values, so their order in a frame of rows does not show.
            function = rng.choice(
                [f"sum({number})", f"count({number})", f"min({number})", f"max({number})", "count(*)", f"avg({number})"]
            )
            filtered = f" FILTER (WHERE {writer.truth(0).text})" if rng.random() < 0.2 else ""
            items.append(f"{function}{filtered} OVER ({partition}{by} {frame})")
        elif kind == "edge":
            frame = rng.choice([frame for frame in FRAMES if frame.startswith("ROWS")])
            items.append(f"{rng.choice(['first_value', 'last_value'])}({number}) OVER ({partition}{total} {frame})")
        else:
            items.append(
                f"{rng.choice(['lag', 'lead'])}({number}, {rng.randint(1, 2)}, {rng.choice(['NULL', '-9'])}) OVER ({partition}{total})"
            )
    parts = {"select": [*unique, *labelled(items)], "from": source}
    if rng.random() < 0.4:
        parts["where"] = writer.truth(1).text
    if rng.random() < 0.2:
        inner = f"SELECT {', '.join(parts['select'])} FROM {source}"
        parts = {
            "select": ["*"],
            "from": f"({inner}) AS d",
            "where": f"c0 {rng.choice(['IS NULL', 'IS NOT NULL', '= 1', '> 1'])}",
        }
    return Statement(tables, parts)


def set_operations(rng):
    tables = []

    def branch(columns):
        table = small(rng, tables, 6) if rng.random() < 0.8 or not tables else rng.choice(tables)
        writer = Writer(rng, table.columns.items())
        items = ", ".join(
            f"{writer.value(rng.choice([0, 0, 1]), kind).text} AS c{at}" for at, kind in enumerate(columns)
        )
        distinct = "DISTINCT " if rng.random() < 0.1 else ""
        return f"SELECT {distinct}{items} FROM {table.name}" + (
            f" WHERE {writer.truth(1).text}" if rng.random() < 0.3 else ""
        )

    columns = [rng.choice([INT, TEXT, BOOL]) for _ in range(rng.choice([1, 1, 2]))]
    text = branch(columns)
    operation = (
        lambda: f"{rng.choice(['UNION', 'INTERSECT', 'EXCEPT', 'EXCEPT', 'INTERSECT'])} {rng.choice(['', 'ALL', 'ALL'])}"
    )
    for _ in range(rng.choice([1, 1, 2])):
        # With and without parentheses: INTERSECT binds tighter than the others.
        text = rng.choice([f"{text} {operation()} {branch(columns)}", f"({text}) {operation()} ({branch(columns)})"])
    order = ", ".join(str(at + 1) for at in range(len(columns)))
    shape = rng.choice(["plain", "order", "limit", "derived", "in"])
    if shape == "order":
        return Statement(tables, text=f"{text} ORDER BY {order}", ordered=True)
    if shape == "limit":
        return Statement(tables, text=f"{text} ORDER BY {order} LIMIT {rng.randint(1, 4)}", ordered=True)
    if shape == "derived":
        return Statement(tables, text=f"SELECT c0, count(*) AS n FROM ({text}) AS d GROUP BY c0")
    if shape == "in" and len(columns) == 1:
        return Statement(
            tables,
            text=f"SELECT v FROM (VALUES (1), (NULL)) AS v(v) WHERE EXISTS (SELECT * FROM ({text}) AS d WHERE c0 IS NULL) OR v IS NULL",
        )
    return Statement(tables, text=text)
