"""Random statements about names, positions, literals and odd numbers; and the join matrix."""
import itertools
import random

from .engines import both
from .expressions import BOOL, CONCAT, FLOAT, INT, LIKE, TEXT, TIME, Expr, Writer
from .statements import labelled, small, subqueries
from .tables import STORED, Small, Statement

FUNCTIONS = {
    TEXT: ["upper({})", "substr({}, 2)", "{} || 'z'", "coalesce({}, 'all')", "length({})", "lower({})"],
    INT: ["-{}", "{} + 1", "{} * 2", "abs({})", "coalesce({}, 0)", "7 - {}"],
    FLOAT: ["-{}", "abs({})", "{} * 2"],
    BOOL: ["NOT {}", "coalesce({}, TRUE)"],
    TIME: ["date_trunc('hour', {})", "date_trunc('day', {})"],
}
TESTS = {TEXT: ["{} LIKE '%a%'", "{} > 'a'", "{} IS NULL", "length({}) > 1"], INT: ["{} > 1", "{} < 2", "{} IS NULL"], FLOAT: ["{} > 0", "{} IS NOT NULL"],
         BOOL: ["{} IS TRUE", "{} IS NULL"], TIME: ["{} IS NULL", "{} > CAST('2026-10-28' AS TIMESTAMP)"]}


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
        c, d = rng.sample([n for n in ("name", "kind", "input", "start_time", "session_id", "total_tokens", "status_code") if n in columns], 2)
        stored = True
    else:
        table = small(rng, tables, 7)
        source, columns, stored = table.name, table.columns, False
        c, d = rng.sample(list(columns), 2)
    kind = columns[c]
    f, g = (rng.choice(FUNCTIONS[kind]).format(c) for _ in range(2))
    test, way = rng.choice(TESTS[kind]).format(rng.choice([c, g])) if kind != BOOL else f"{c} IS NOT NULL", rng.choice(["", " DESC", " NULLS FIRST"])
    if kind == TEXT and "length" in g and "length" in test or "LIKE" in test and g in test and "length" in g:
        test = f"{c} > 'a'"
    o, rest = output(c), ["2", "1"]
    limit = "20" if stored else None
    shape = rng.choice(["larger", "larger", "alone", "having", "having", "group", "group", "rollup", "distinct on", "distinct on", "window", "swap", "aggregate", "case", "alias only"])
    if shape == "larger":
        order = [f"{g}{way}", *rest]
        if "-{}".format(c) != g and rng.random() < 0.3:
            order = [f"CASE WHEN {c} IS NULL THEN 1 ELSE 0 END{way}", f"{g}", *rest]
        return Statement(tables, {"select": [f"{f} AS {o}", d], "from": source, "order": order, "limit": limit}, ordered=True)
    if shape == "alone":
        order = [f"{o}{way}", d] if rng.random() < 0.5 else [d, f"{o}{way}"]
        return Statement(tables, {"select": [f"{f} AS {o}", d], "from": source, "order": order, "limit": limit}, ordered=True)
    if shape == "having":
        by = rng.choice([c, f])
        having = test if by == c else f"({f}) IS {rng.choice(['', 'NOT '])}NULL"
        return Statement(tables, {"select": [f"{f} AS {o}", "count(*) AS n"], "from": source, "group": [by], "having": having})
    if shape == "group":
        by = rng.choice([[c], [f], ["1"], [f, d]])
        select = [f"{f} AS {o}", "count(*) AS n"] + ([d] if d in by else [])
        order = rng.choice([["1", "2"], [f, "2"], [f"{o} DESC", "2"]]) + (["3"] if d in by else [])
        return Statement(tables, {"select": select, "from": source, "group": by, "order": order}, ordered=True)
    if shape == "rollup":
        first = f"coalesce({c}, 'all')" if kind == TEXT else f
        order = rng.choice([None, ["2", "1", "3"], [f"{o}", "2", "3"], [f"grouping({c})", "1", "2", "3"]])
        return Statement(tables, {"select": [f"{first} AS {o}", "count(*) AS n", f"grouping({c}) AS g"], "from": source, "group": [f"{rng.choice(['ROLLUP', 'CUBE'])}({c})"],
                                  "order": order}, ordered=True)
    if shape == "distinct on":
        # The first of each group is the only one, or all of them are the same.
        if rng.random() < 0.5:
            return Statement(tables, {"select": [f"DISTINCT ON ({o}) {f} AS {o}", f"{d} AS second"], "from": source, "order": [o, "second"]}, ordered=True)
        return Statement(tables, {"select": [f"DISTINCT ON ({g}) {f} AS {o}", f"{d} AS second"], "from": source, "order": [f"{g}{way}", "second", "1"]}, ordered=True)
    if shape == "window":
        over = rng.choice([f"ORDER BY {c}{way}", f"ORDER BY {g}{way}", f"PARTITION BY {c}", f"PARTITION BY {f} ORDER BY {g}"])
        call = rng.choice(["rank()", "dense_rank()"]) if "ORDER" in over else "count(*)"
        return Statement(tables, {"select": [f"{f} AS {o}", f"{call} OVER ({over}) AS r", d], "from": source})
    if shape == "swap":
        e = output(d)
        order = rng.choice([[o, e], [f"{rng.choice(FUNCTIONS[kind]).format(c)}{way}", "1", "2"], [f"{rng.choice(FUNCTIONS[columns[d]]).format(d)}{way}", e, o]])
        return Statement(tables, {"select": [f"{d} AS {o}", f"{c} AS {e}"], "from": source, "order": order, "limit": limit}, ordered=True)
    if shape == "aggregate":
        call = f"{rng.choice(['max', 'min'])}({c})" if kind != BOOL else f"count({c})"
        parts = {"select": [f"{call} AS {o}", d], "from": source, "group": [d]}
        if rng.random() < 0.5:
            parts["having"] = rng.choice([f"{call} IS NOT NULL", f"count({c}) > 1"])
        parts["order"] = rng.choice([[f"{call}{way}", "2"], [f"{o}{way}", "2"], [f"count({c})", "1", "2"], [f"coalesce({call}, {call}){way}", "2"]])
        return Statement(tables, parts, ordered=True)
    if shape == "case":
        item = f"CASE WHEN {test} THEN 1 ELSE 2 END"
        return Statement(tables, {"select": [f"{item} AS {o}", "count(*) AS n"], "from": source, "group": [item], "order": [f"{item} DESC"]}, ordered=True)
    # A name that is no column stands for the output in GROUP BY and HAVING, too.
    return Statement(tables, {"select": [f"{f} AS fresh", "count(*) AS n"], "from": source, "group": ["fresh"], "order": [f"fresh{way}", "2"]}, ordered=True)


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
        ({"select": [f"{literal} AS pct", c, "count(*) AS n"], "from": t, "group": ["1", "2"], "order": ["2", "3"]}, True),
        ({"select": [c, f"{literal} AS pct", "count(*) AS n"], "from": t, "group": ["2", "1"], "order": ["pct", "1", "3"]}, True),
        ({"select": ["one", c, "count(*) AS n"], "from": f"(SELECT {literal} AS one, {', '.join(columns)} FROM {t}) AS d", "group": ["one", c], "order": ["one", c]}, True),
        ({"select": ["one", c, "a AS z"], "from": f"(SELECT {literal} AS one, {', '.join(columns)} FROM {t}) AS d", "order": ["one DESC", "2", "3"]}, True),
        ({"select": [f"DISTINCT {literal} AS one", c], "from": t, "order": ["1", "2 DESC"]}, True),
        ({"select": [f"{literal} AS one", c, "a AS z"], "from": t, "order": [f"one + 0" if literal not in ("'x'",) else "one", "2", "3"]}, literal == "'x'"),
        ({"select": [c, "a AS z", f"rank() OVER (ORDER BY {literal}) AS r", "count(*) OVER (PARTITION BY 1) AS n"], "from": t}, False),
        ({"select": [c, "count(*) AS n", f"max({literal}) AS m"], "from": t, "group": ["1"], "having": f"{rng.choice(['1 = 1', 'count(*) > 1', 'TRUE'])}", "order": ["2", "1"]}, True),
        ({"select": [f"{literal} AS one", "count(*) AS n"], "from": t, "group": ["one"]}, False),
        ({"select": [f"{literal} AS one", "max(a) AS z"], "from": t, "group": [c, "one"], "order": everything[:2]}, True),
        ({"select": [c, f"{literal} AS one", "count(*) AS n"], "from": t, "group": [f"GROUPING SETS (({c}), ({c}, one))"], "order": ["1", "3"]}, True),
    ]
    parts, ordered = rng.choice(shapes)
    if "one + 0" in str(parts.get("order")):
        # An expression over an output is an error in PostgreSQL; a constant is no position.
        parts["order"], ordered = ["1", "2", "3"], True
    if parts["order"] if "order" in parts else False:
        if rng.random() < 0.3:
            parts["limit"] = str(rng.randint(1, 3))
    return Statement(tables, parts, ordered=ordered)


BIG = ["9007199254740991", "9007199254740992", "9007199254740993", "1", "2", "0", "NULL"]


def mixed(rng):
    """Equalities of several types joined by OR, and their negations."""
    table = Small("t1", {"a": INT, "k": TEXT, "x": FLOAT}, [
        [rng.choice(BIG), rng.choice(["'1'", "'1.0'", "'2'", "'a'", "''", "NULL"]), rng.choice(["1.0e0", "1.5e0", "9007199254740992.0e0", "-0.0e0", "NULL"])] for _ in range(rng.randint(1, 6))])
    number = rng.choice(["1", "2", "1.5", "0"])
    equal, join = rng.choice([("=", "OR"), ("=", "OR"), ("<>", "AND")])
    quoted = f"'{number}'"
    terms = {
        "a": [f"a {equal} {rng.choice(BIG[:6])}", f"a {equal} {rng.choice(['1.5', '1.0', '2.5', '0.0'])}", f"a {equal} {both(quoted, number)}"],
        "k": [f"k {equal} '{rng.choice(['1', '1.0', 'a', ''])}'",
              f"{both('k', 'TRY_CAST(k AS DOUBLE)')} {equal} {number}", f"k {equal} '2'"],
        "x": [f"x {equal} {rng.choice(['1', '0', '9007199254740992', '2'])}", f"x {equal} {rng.choice(['1.5', '0.0'])}", f"x {equal} {both(quoted, number)}"],
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


def precedence(rng):
    tables = []
    table = small(rng, tables, 4)
    writer = Writer(rng, table.columns.items())
    items = [writer.truth(rng.choice([1, 2, 3])) for _ in range(3)] + [writer.value(3)]
    # Truth values compared with each other: where the operators of comparison meet.
    left, right = (writer.compared(1) for _ in range(2))
    items += [Expr(f"{left.within(LIKE)} {rng.choice(['=', '<>', '<', '>='])} {right.within(LIKE)}", 5), Expr(f"{left.within(CONCAT)} {rng.choice(['', 'NOT '])}IN ({right.text}, NULL)", LIKE)]
    return Statement(tables, {"select": labelled([*table.columns, *(item.text for item in items)]), "from": table.name, "where": writer.truth(2).text if rng.random() < 0.3 else None})


NAN = "CAST('NaN' AS DOUBLE)"


def floats(rng):
    """-0.0 beside 0.0, and NaN."""
    pool = ["0.0e0", "-0.0e0", "0.0e0", "-0.0e0", "1.5e0", "NULL", NAN]
    rows = lambda: [[rng.choice(pool), str(rng.randint(1, 3))] for _ in range(rng.randint(2, 6))]
    tables = [Small("t1", {"x": FLOAT, "n": INT}, rows()), Small("t2", {"x": FLOAT, "n": INT}, rows())]
    shown = lambda x: f"CASE WHEN {x} = {NAN} THEN 'nan' WHEN {x} = 0 THEN 'zero' WHEN {x} = 1.5e0 THEN 'half' ELSE 'null' END"
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
        f"SELECT l.n AS a, r.n AS b FROM t1 AS l FULL JOIN t2 AS r ON l.x = r.x AND l.n = r.n",
    ]
    if rng.random() < 0.25:
        return Statement(tables, text=f"SELECT n, {shown('x')} AS s FROM t1 ORDER BY x{rng.choice(['', ' DESC'])}, n", ordered=True)
    if rng.random() < 0.1:
        return Statement(tables, text=f"SELECT n, {shown('x')} AS s FROM t1 ORDER BY x, n LIMIT {rng.randint(1, 3)}", ordered=True)
    return Statement(tables, text=rng.choice(statements))


def extremes(rng):
    """Aggregates of whole tables, plain columns beside expressions: what prunes for the one may not prune for the other."""
    table = rng.choice(["spans", "spans", "traces", "sessions"])
    columns = STORED[table]
    writer = Writer(rng, [column for column in columns.items() if column[1] != TIME])
    items = []
    for _ in range(rng.choice([2, 2, 3, 4])):
        function = rng.choice(["min", "max"])
        if rng.random() < 0.5:
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
            write = lambda kind: "(SELECT max(x) FROM (SELECT max(prompt_tokens + completion_tokens) AS x FROM spans) AS i)"
    w = rng.choice([f"max({number})", f"count({number})", f"sum({number})"]) if inner_group else number
    inner = f"SELECT {w} AS w, {write('scalar')} AS m" + (f", {write('scalar')} AS v" if rng.random() < 0.3 else "") + f" FROM {relation}"
    if inner_group and rng.random() < 0.5:
        inner += f" GROUP BY {'kind' if stored else 'k'}"
    if rng.random() < 0.3:
        inner = f"SELECT w, {write('scalar')} AS m FROM (SELECT {w} AS w FROM {relation}) AS e" if inner_group else inner
    outer = rng.choice(["count(*) FILTER (WHERE m <> w) AS n", "max(m) AS a, min(w) AS b", "sum(w) AS a, count(m) AS b", "w, m, count(*) AS n", "max(w + m) AS a, count(*) AS n"])
    text = f"SELECT {outer} FROM ({inner}) AS d"
    if rng.random() < 0.3:
        text += f" WHERE {rng.choice(['w > m', 'm IS NOT NULL', 'w IS NULL OR m = w'])}"
    if outer.startswith("w, m"):
        text += " GROUP BY w, m"
    return Statement(tables if "t1" in text or len(tables) > 1 else [], text=text)


def cells():
    """The join matrix: kind of join, what WHERE and ON ask of which side, tests for null, same or other names, literals or columns."""
    kinds = ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "LEFT SEMI JOIN", "LEFT ANTI JOIN"]
    asked = ["{l} IS NULL", "{r} IS NULL", "{l} IS NOT NULL", "{r} IS NOT NULL", "{l} > {v}", "{r} > {v}", "{l} = {r}", "{l} IS NULL AND {r} > {v}", "{r} IS NULL AND {l} > {v}",
             "{l} IS NULL OR {r} > {v}", "NOT ({l} > {v})", "NOT ({r} > {v})", "coalesce({l}, 9) > {v}", "coalesce({r}, 9) > {v}", "({l} > {v}) IS NOT TRUE", "{r} IS DISTINCT FROM {v}"]
    ons = [None, "{l} > {v}", "{r} > {v}", "{l} IS NULL", "{r} IS NULL", "{l} = {r}", "{l} > {v} OR {r} > {v}", "FALSE"]
    return list(itertools.product(kinds, asked, ons, ["same", "other"], ["literal", "column"], ["all", "values", "some", "count"]))


def matrix(rng, cell):
    word, asked, on, names, comparand, shown = cell
    semi = "SEMI" in word or "ANTI" in word
    key, number = ("k", "n") if names == "same" else ("j", "m")
    keys, numbers = ["'a'", "'b'", "'b'", "'c'", "NULL"], ["NULL", "1", "2", "3"]
    rows = lambda: [[rng.choice(keys), rng.choice(numbers)] for _ in range(rng.randint(2, 5))]
    tables = [Small("t1", {"k": TEXT, "n": INT}, rows()), Small("t2", {key: TEXT, number: INT}, rows())]
    filled = lambda text: text.format(l="l.n", r=f"r.{number}", v=rng.choice(["1", "2"]) if comparand == "literal" else rng.choice(["l.n", f"r.{number}"]))
    condition = f"l.k = r.{key}" + (f" AND ({filled(on)})" if on else "")
    where = filled(asked)
    if semi:
        where = where.replace(f"r.{number}", "l.n")
    columns = ["l.k", "l.n"] + ([] if semi else [f"r.{key}", f"r.{number}"])
    # What a join gives on decides how a filter above it is pushed down.
    chosen = {"all": columns, "values": columns[:0:-2], "some": rng.sample(columns, rng.randint(1, len(columns)))}
    select = labelled(chosen[shown]) if shown in chosen else ["count(*) AS n", f"count({rng.choice(columns)}) AS m"]
    word = both(word, word.replace("LEFT ", "")) if semi else word
    return Statement(tables, {"select": select, "from": f"t1 AS l {word} t2 AS r ON {condition}", "where": where})


def shuffled_cells(seed):
    all_cells = cells()
    random.Random(f"{seed}/cells").shuffle(all_cells)
    return all_cells
