"""Checks that need no other engine: what must agree with itself.

Each takes the world and a random generator, and gives what is wrong in words, or None.
"""

import json
import os
import signal
import subprocess

from .engines import Spanql, our_text, same_rows
from .expressions import INT, TEXT, Writer
from .matrix import joined, shuffled_cells
from .scattered import Scattered, scattered
from .statements import chain, grouped, joins, linked, subqueried, subqueries, windows
from .tables import STORED, Statement
from .wholes import derived, extremes, tops

TOKEN = "differential-key"


class World:
    """The engines over one store; the slow ones are started when they are first needed."""

    def __init__(self, binary, store, duck, seed):
        self.binary, self.store, self.duck, self.seed, self.pieces = binary, store, duck, seed, None
        self.ours = Spanql(binary, store)
        self.started, self.server, self.single, self.remote, self.project = [self.ours], None, None, None, None

    def one_core(self):
        """The same engine with as many partitions as one core has."""
        if self.single is None:
            # Where a process cannot be kept to one core, it is at least another one.
            cpus = {min(os.sched_getaffinity(0))} if hasattr(os, "sched_getaffinity") else None
            self.single = Spanql(self.binary, self.store, cpus=cpus)
            self.started.append(self.single)
        return self.single

    def live(self):
        """The engine over an empty store beside a server of the store, and a project of that."""
        if self.remote is None:
            env = {**os.environ, "SPANQL_SERVE_TOKEN": TOKEN}
            self.server = subprocess.Popen(
                [self.binary, "-q", "--store", self.store, "serve"], stdout=subprocess.PIPE, env=env
            )
            ready = json.loads(self.server.stdout.readline())
            self.project = ready["projects"][0]["name"]
            self.remote = Spanql(
                self.binary,
                f"{self.ours.place.name}/empty",
                env={
                    "ARIZE_API_KEY": TOKEN,
                    "ARIZE_SPACE_ID": ready["space_id"],
                    "ARIZE_FLIGHT_HOST": "127.0.0.1",
                    "ARIZE_FLIGHT_PORT": str(ready["flight_port"]),
                    "ARIZE_FLIGHT_SCHEME": "grpc+tcp",
                    "ARIZE_API_HOST": f"127.0.0.1:{ready['http_port']}",
                    "ARIZE_API_SCHEME": "http",
                },
            )
            self.started.append(self.remote)
        return self.remote

    def scattered(self):
        """The same spans in a store that was filled piece by piece."""
        if self.pieces is None:
            self.pieces = Scattered(self.binary, self.store, self.seed, self.duck)
            self.started.append(self.pieces.ours)
        return self.pieces

    def close(self):
        for engine in self.started:
            engine.close()
        if self.server is not None:
            self.server.send_signal(signal.SIGTERM)
            try:
                self.server.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.server.kill()


def place(rng):
    """What is read: tables of the statement, the text after FROM, the columns, and whether it is of the store."""
    tables = []
    pick = rng.random()
    if pick < 0.35:
        table = rng.choice(list(STORED))
        return tables, f"{table} AS l", [(f"l.{column}", kind) for column, kind in STORED[table].items()], True
    if pick < 0.5:
        return tables, *linked(rng, 2), True
    return tables, *chain(rng, tables, rng.choice([1, 2, 2])), False


def asked(world, tables, select, source, where=None, group=None):
    return world.ours.ask(
        Statement(tables, {"select": [select], "from": source, "where": where, "group": group}).text()
    )


def shown(tables, source, condition, answers):
    given = Statement(tables, {"select": ["…"], "from": source, "where": condition}).text()
    return our_text(given) + "".join(f"\n     {name}: {answer.shown()}" for name, answer in answers.items())


def split(world, rng):
    """WHERE p, WHERE NOT p and WHERE p IS NULL add up to the whole."""
    tables, source, columns, stored = place(rng)
    writer = Writer(rng, columns, subqueries(rng, tables, columns, 0) if rng.random() < 0.3 else None)
    plain = Writer(rng, columns)
    p = writer.truth(2).text
    ways = {"whole": None, "p": p, "NOT p": f"NOT ({p})", "p IS NULL": f"({p}) IS NULL"}
    how = rng.choice(["rows", "count", "sum", "extremes", "distinct", "groups"])
    key, number = (plain.column(TEXT) or plain.column(INT)).text, (plain.column(INT) or plain.column(TEXT)).text
    if how == "rows" and stored:
        how = "groups"
    select, group = {
        "rows": (", ".join(f"{column} AS c{at}" for at, (column, _) in enumerate(columns)), None),
        "count": (f"count(*) AS n, count({number}) AS m", None),
        "sum": (f"count(*) AS n, coalesce(sum(length({key})), 0) AS s", None),
        "extremes": (f"min({number}) AS a, max({key}) AS b", None),
        "distinct": (f"DISTINCT {key} AS k", None),
        "groups": (f"{key} AS k, count(*) AS n", [key]),
    }[how]
    if how == "sum" and not plain.column(TEXT):
        select = "count(*) AS n"
    answers = {name: asked(world, tables, select, source, where, group) for name, where in ways.items()}
    if any(answer.error for answer in answers.values()):
        broken = [answer for answer in answers.values() if answer.broken]
        return shown(tables, source, f"({p}), split: {select}", answers) if broken else None
    whole, *parts = (answer.rows for answer in answers.values())
    if how == "rows":
        good = same_rows(sum(parts, []), whole, False)
    elif how in ("count", "sum"):
        good = same_rows([tuple(map(sum, zip(*(part[0] for part in parts))))], whole, True)
    elif how == "extremes":
        least, most = ([part[0][at] for part in parts if part[0][at] is not None] for at in (0, 1))
        good = same_rows([(min(least, default=None), max(most, default=None))], whole, True)
    elif how == "distinct":
        good = {row for part in parts for row in part} == set(whole) and len(set(whole)) == len(whole)
    else:
        sums = {}
        for name, count in (row for part in parts for row in part):
            sums[name] = sums.get(name, 0) + count
        good = sums == dict(whole)
    return None if good else shown(tables, source, f"({p}), split: {select}", answers)


def pushed(world, rng):
    """The count with a filter is the count of the same expression when it is selected."""
    tables, source, columns, _ = place(rng)
    if rng.random() < 0.3:
        items = ", ".join(f"{column} AS c{at}" for at, (column, _) in enumerate(columns))
        source, columns = f"(SELECT {items} FROM {source}) AS d", [
            (f"d.c{at}", kind) for at, (_, kind) in enumerate(columns)
        ]
    p = Writer(rng, columns, subqueries(rng, tables, columns, 0) if rng.random() < 0.2 else None).truth(2).text
    answers = {
        "WHERE": asked(world, tables, "count(*) AS n", source, p),
        "FILTER": asked(world, tables, f"count(*) FILTER (WHERE {p}) AS n", source),
        "CASE": asked(world, tables, f"coalesce(sum(CASE WHEN {p} THEN 1 ELSE 0 END), 0) AS n", source),
        "derived": asked(world, tables, "count(*) AS n", f"(SELECT {p} AS q FROM {source}) AS e", "q"),
    }
    if (
        any(answer.broken for answer in answers.values())
        or len({str(answer.rows) for answer in answers.values() if not answer.error}) > 1
    ):
        return shown(tables, source, p, answers)
    return None


def random_statement(rng):
    kind = rng.choice([joins, grouped, windows, extremes, tops, derived, subqueried, "matrix"])
    return joined(rng, rng.choice(shuffled_cells(0))) if kind == "matrix" else kind(rng)


def agree(statement, answers):
    first, *others = answers.values()
    for other in others:
        good = (
            same_rows(first.rows, other.rows, statement.ordered)
            if not first.error and not other.error
            else bool(first.error) == bool(other.error)
        )
        if not good or other.broken or first.broken:
            return our_text(statement.text()) + "".join(
                f"\n     {name}: {answer.shown()}" for name, answer in answers.items()
            )
    return None


def one_partition(world, rng):
    """One and many partitions agree."""
    statement = random_statement(rng)
    return agree(
        statement, {"all cores": world.ours.ask(statement.text()), "one core": world.one_core().ask(statement.text())}
    )


def twenty_runs(world, rng):
    """Twenty runs of one statement agree."""
    statement = rng.choice([extremes, extremes, extremes, grouped, derived, joins])(rng)
    answers = {f"run {at + 1}": world.ours.ask(statement.text()) for at in range(20)}
    first = answers["run 1"]
    return agree(
        statement,
        {
            "run 1": first,
            **{name: answer for name, answer in answers.items() if str(answer.rows) != str(first.rows) or answer.error},
        },
    )


def live(world, rng):
    """A live table and the store agree."""
    remote = world.live()
    columns = [(column, kind) for column, kind in STORED["spans"].items()]
    writer = Writer(rng, columns)
    day = rng.randint(20, 31)
    window = rng.choice(
        [
            "start_time >= '2026-10-01' AND start_time < '2026-11-01'",
            f"start_time >= '2026-10-{day}' AND start_time < '2026-11-01'",
        ]
    )
    where = f"{window} AND ({writer.truth(rng.choice([0, 1, 2])).text})" if rng.random() < 0.8 else window
    shape = rng.choice(["count", "groups", "rows", "extremes"])
    key, values = rng.choice(["kind", "status_code", "model", "session_id"]), [
        f"{rng.choice(['min', 'max'])}({writer.leaf(INT).text})" for _ in range(2)
    ]
    parts = {
        "count": {"select": ["count(*) AS n"]},
        "groups": {"select": [f"{key} AS k", "count(*) AS n", f"{values[0]} AS v"], "group": [key]},
        "rows": {
            "select": ["trace_id", "span_id", "name", "latency_ms", "total_tokens"],
            "order": ["2", "1"],
            "limit": "20",
        },
        "extremes": {"select": [f"{values[0]} AS a", f"{values[1]} AS b", "min(start_time) AS c"]},
    }[shape]
    there = Statement([], {**parts, "from": f'arize."{world.project}"', "where": where}, ordered=shape == "rows")
    here = Statement([], {**parts, "from": "spans", "where": f"project = '{world.project}' AND {where}"})
    return agree(there, {"live": remote.ask(there.text()), "store": world.ours.ask(here.text())})


def pieces(world, rng):
    """A store that was filled piece by piece, and one that was not."""
    return scattered(world, rng, random_statement)


ORACLES = {
    "split": split,
    "pushed": pushed,
    "partitions": one_partition,
    "runs": twenty_runs,
    "live": live,
    "scattered": pieces,
}
