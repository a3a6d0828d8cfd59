"""What statements read: the tables of the store, and small tables full of nulls that stand in the statement itself."""

import json
import subprocess
from pathlib import Path

from .expressions import BOOL, FLOAT, INT, TEXT, TIME

# Columns of the store by the names that both engines have.
SPANS = {
    "trace_id": TEXT,
    "span_id": TEXT,
    "parent_id": TEXT,
    "name": TEXT,
    "kind": TEXT,
    "start_time": TIME,
    "end_time": TIME,
    "latency_ms": FLOAT,
    "status_code": TEXT,
    "status_message": TEXT,
    "input": TEXT,
    "output": TEXT,
    "model": TEXT,
    "prompt_tokens": INT,
    "completion_tokens": INT,
    "total_tokens": INT,
    "cost": FLOAT,
    "session_id": TEXT,
    "user_id": TEXT,
}
TRACES = {
    "project": TEXT,
    "trace_id": TEXT,
    "name": TEXT,
    "kind": TEXT,
    "session_id": TEXT,
    "user_id": TEXT,
    "start_time": TIME,
    "latency_ms": FLOAT,
    "status_code": TEXT,
    "span_count": INT,
    "error_count": INT,
    "prompt_tokens": INT,
    "total_tokens": INT,
    "cost": FLOAT,
    "input": TEXT,
}
SESSIONS = {
    "project": TEXT,
    "session_id": TEXT,
    "user_id": TEXT,
    "trace_count": INT,
    "span_count": INT,
    "start_time": TIME,
    "duration_ms": FLOAT,
    "error_count": INT,
    "prompt_tokens": INT,
    "total_tokens": INT,
    "cost": FLOAT,
}
STORED = {"spans": SPANS, "traces": TRACES, "sessions": SESSIONS}
# What makes a row of them one of a kind.
KEYS = {"spans": ("trace_id", "span_id"), "traces": ("project", "trace_id"), "sessions": ("project", "session_id")}


def fill(binary, place, duck, spans=2000):
    """Makes a store of generated spans, and gives DuckDB the same rows from its files; gives where the store is."""
    store = Path(place) / "store"
    run = lambda *argv: subprocess.run(
        [binary, "-q", *map(str, argv)], check=True, capture_output=True, text=True
    ).stdout
    run("demo", "--spans", spans, "--keep", store)
    # Then all rows of the files count.
    run("--store", store, "store", "compact")
    read = {
        name: f"read_parquet({[str(file) for file in files]}, union_by_name = true)"
        for name, files in files_of(store, Path(place) / "summaries").items()
    }
    # Sessions are in no file: they are rolled up from the traces.
    run("--store", store, "query", "SELECT * FROM sessions", "-o", Path(place) / "sessions.parquet")
    read["sessions"] = f"read_parquet('{place}/sessions.parquet')"
    long = json.loads(run("--store", store, "schema", "-o", "json"))["aliases"]
    for table, columns in STORED.items():
        there = {row[0] for row in duck.connection.execute(f"DESCRIBE SELECT * FROM {read[table]}").fetchall()}
        named = [(column, column if column in there else long[column]) for column in columns]
        items = ", ".join(
            (f'"{source}"::TIMESTAMP_NS AS "{column}"' if columns[column] == TIME else f'"{source}" AS "{column}"')
            for column, source in named
        )
        duck.connection.execute(f"CREATE TABLE {table} AS SELECT {items} FROM {read[table]}")
    return store


def files_of(store, summaries):
    """The Parquet files of the newest version: of spans, and of summaries, which may be part of a file of spans."""
    newest = max((store / "manifest").glob("*.json"))
    segments = json.loads(newest.read_text())["manifest"]["segments"]
    files = {"spans": [], "traces": []}
    summaries.mkdir()
    for segment in segments:
        spans = store / "segments" / f"{segment['id']}.parquet"
        traces = store / "traces" / spans.name
        if bundle := segment.get("bundle"):
            traces = summaries / spans.name
            first = bundle["summaries"]
            traces.write_bytes(spans.read_bytes()[first : first + segment["summary_bytes"]])
        files["spans"].append(spans)
        files["traces"].append(traces)
    return files


class Small:
    """A table of a few rows that a statement brings along as a CTE."""

    COLUMNS = {"a": INT, "b": INT, "k": TEXT, "name": TEXT, "x": FLOAT, "p": BOOL}
    VALUES = {
        INT: ["NULL", "NULL", "0", "1", "1", "2", "3", "-1"],
        TEXT: ["NULL", "NULL", "''", "'a'", "'a'", "'b'", "'ab'", "'B'"],
        FLOAT: ["NULL", "0.0e0", "-0.0e0", "1.5e0", "-1.5e0", "2.0e0"],
        BOOL: ["NULL", "TRUE", "FALSE"],
    }

    def __init__(self, name, columns, rows):
        self.name, self.columns, self.rows = name, columns, rows

    @classmethod
    def random(cls, rng, name, most=6):
        names = ["a", "k"] + [column for column in ("b", "name", "x", "p") if rng.random() < 0.5]
        columns = {column: cls.COLUMNS[column] for column in names}
        count = 0 if rng.random() < 0.06 else rng.randint(1, most)
        return cls(name, columns, [[rng.choice(cls.VALUES[its]) for its in columns.values()] for _ in range(count)])

    def text(self):
        if not self.rows:
            items = ", ".join(f"CAST(NULL AS {its}) AS {column}" for column, its in self.columns.items())
            return f"{self.name} AS (SELECT {items} WHERE 1 = 0)"
        # The first row says the types.
        first = [f"CAST({value} AS {its})" for value, its in zip(self.rows[0], self.columns.values())]
        rows = ", ".join(f"({', '.join(row)})" for row in [first, *self.rows[1:]])
        return f"{self.name}({', '.join(self.columns)}) AS (VALUES {rows})"

    def without(self, row):
        return Small(self.name, self.columns, self.rows[:row] + self.rows[row + 1 :])


class Statement:
    """A statement with its small tables. `parts` are its clauses by name; those in DROPPABLE can go when it is shrunk."""

    ORDER = ["select", "from", "where", "group", "having", "window", "order", "limit"]
    WORDS = {
        "select": "SELECT",
        "from": "FROM",
        "where": "WHERE",
        "group": "GROUP BY",
        "having": "HAVING",
        "window": "WINDOW",
        "order": "ORDER BY",
        "limit": "LIMIT",
    }

    def __init__(self, tables, parts=None, text=None, ordered=False):
        self.tables, self.parts, self.body = list(tables), parts, text
        self.ordered = ordered and bool(text or parts.get("order"))

    def text(self):
        body = self.body or " ".join(
            f"{self.WORDS[key]} {self.joined(key)}" for key in self.ORDER if self.parts.get(key)
        )
        return (f"WITH {', '.join(table.text() for table in self.tables)} " if self.tables else "") + body

    def joined(self, key):
        part = self.parts[key]
        return ", ".join(part) if isinstance(part, list) else part

    def smaller(self):
        """Statements with something left out, the largest pieces first."""
        if self.parts:
            for key in ("limit", "order", "having", "where"):
                if self.parts.get(key) and not (key == "order" and self.parts.get("limit")):
                    yield Statement(self.tables, {**self.parts, key: None}, ordered=self.ordered and key != "order")
            for key in ("select", "group"):
                part = self.parts.get(key)
                if isinstance(part, list) and len(part) > 1:
                    for at in range(len(part)):
                        yield Statement(
                            self.tables, {**self.parts, key: part[:at] + part[at + 1 :]}, ordered=self.ordered
                        )
        for at, table in enumerate(self.tables):
            if table.name not in (self.body or " ".join(map(str, filter(None, self.parts.values())))):
                yield self.with_tables(self.tables[:at] + self.tables[at + 1 :])
            for row in range(len(table.rows)):
                yield self.with_tables([*self.tables[:at], table.without(row), *self.tables[at + 1 :]])

    def with_tables(self, tables):
        return Statement(tables, self.parts, self.body, self.ordered)
