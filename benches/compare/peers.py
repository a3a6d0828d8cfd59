"""One peer in a process of its own: asked by lines of JSON on stdin, answers by lines of JSON on stdout.

usage: peers.py ENGINE PARQUET PLACE        (by the Python of the environment, see tools.py)
"""
import datetime
import json
import os
import pathlib
import sys
import time

from questions import COLUMNS


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def aliased(columns):
    """All columns, the canonical ones by their short names."""
    short = {long: name for name, long in COLUMNS.items()}
    return ", ".join(f"{quoted(name)} AS {quoted(short[name])}" if name in short else quoted(name) for name in columns)


class DuckDb:
    def __init__(self, file, place, native):
        import duckdb
        self.native = native
        self.database = pathlib.Path(place) / f"{file.stem}.duckdb"
        self.connection = duckdb.connect(str(self.database)) if native else duckdb.connect()
        columns = [row[0] for row in self.connection.sql(f"DESCRIBE SELECT * FROM '{file}'").fetchall()]
        self.made = f"{'TABLE' if native else 'VIEW'} IF NOT EXISTS spans AS SELECT {aliased(columns)} FROM '{file}'"

    def load(self):
        self.connection.execute(f"CREATE {self.made}")
        if self.native:
            self.connection.execute("CHECKPOINT")

    def size(self):
        return self.database.stat().st_size if self.native else 0

    def ask(self, asked):
        if asked["out"]:
            self.connection.execute(f"COPY ({asked['sql']}) TO '{asked['out']}' (FORMAT json)")
            return None
        return self.connection.execute(asked["sql"]).fetchall()


class DataFusion:
    def __init__(self, file, place):
        import datafusion
        self.context, self.file = datafusion.SessionContext(), file

    def load(self):
        self.context.register_parquet("file", str(self.file))
        columns = self.context.sql("SELECT * FROM file").schema().names
        self.context.sql(f"CREATE VIEW spans AS SELECT {aliased(columns)} FROM file").collect()

    def size(self):
        return 0

    def ask(self, asked):
        frame = self.context.sql(asked["sql"])
        if asked["out"]:
            frame.write_json(asked["out"])
            return None
        return [row for batch in frame.collect() for row in rows_of(batch)]


def rows_of(batch):
    import pyarrow
    columns = [column.cast(pyarrow.timestamp("us", column.type.tz), safe=False) if pyarrow.types.is_timestamp(column.type) else column
               for column in batch.columns]
    return zip(*(column.to_pylist() for column in columns)) if columns else []


class Polars:
    def __init__(self, file, place):
        import polars
        import polars_questions
        self.polars, self.asked, self.file = polars, polars_questions, file

    def load(self):
        short = {long: name for name, long in COLUMNS.items()}
        self.spans = self.polars.scan_parquet(self.file).rename(short, strict=False)

    def size(self):
        return 0

    def ask(self, asked):
        if asked["out"]:
            self.spans.head(10_000).sink_ndjson(asked["out"], engine="streaming")
            return None
        if asked["question"] == "one trace":
            plan = self.asked.one_trace(self.spans, asked["trace"])
        elif asked["question"] in self.asked.QUESTIONS:
            plan = self.asked.QUESTIONS[asked["question"]](self.spans)
        else:
            raise NotImplementedError
        return plan.collect(engine="streaming").rows()


class ChDb:
    def __init__(self, file, place):
        from chdb import session
        self.folder, self.file = pathlib.Path(place) / f"{file.stem}.chdb", file
        self.session = session.Session(str(self.folder))

    def load(self):
        tables = self.run("SHOW TABLES FROM default")
        if "spans" in str(tables):
            return
        described = self.run(f"DESCRIBE file('{self.file}', Parquet)")
        coded = {"project", "name", "kind", "status_code", "model"}
        columns = [row[0] for row in described]
        short = {long: name for name, long in COLUMNS.items()}
        chosen = ", ".join(f"toLowCardinality({quoted(name)}) AS {quoted(short[name])}" if short.get(name) in coded
                           else aliased([name]) for name in columns)
        self.run(f"CREATE TABLE default.spans ENGINE = MergeTree ORDER BY start_time SETTINGS allow_nullable_key = 1 AS SELECT {chosen} FROM file('{self.file}', Parquet)")

    def size(self):
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())

    def run(self, sql):
        answer = self.session.query(sql, "JSONCompactEachRow")
        return [json.loads(line) for line in str(answer).splitlines() if line]

    def ask(self, asked):
        if asked["out"]:
            pathlib.Path(asked["out"]).unlink(missing_ok=True)
            self.run(f"{asked['sql']} INTO OUTFILE '{asked['out']}' FORMAT JSONEachRow")
            return None
        return self.run(asked["sql"])


def plain(value):
    """A value as JSON has it; times as text of microseconds in UTC."""
    if isinstance(value, datetime.datetime):
        value = value.astimezone(datetime.timezone.utc).replace(tzinfo=None) if value.tzinfo else value
        return value.isoformat(timespec="microseconds")
    if isinstance(value, datetime.date):
        return value.isoformat()
    return float(value) if type(value).__name__ == "Decimal" else value


def main():
    engine, file, place = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
    # What a library prints is no answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    makers = {"duckdb-parquet": lambda: DuckDb(file, place, False), "duckdb-native": lambda: DuckDb(file, place, True),
              "polars": lambda: Polars(file, place), "datafusion": lambda: DataFusion(file, place), "chdb": lambda: ChDb(file, place)}
    began = time.perf_counter()
    peer = makers[engine]()
    peer.load()
    # The time of Python itself and of its imports counts for nobody but in `open`.
    print(json.dumps({"load": time.perf_counter() - began, "bytes": peer.size()}), file=answers, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        began = time.perf_counter()
        try:
            rows = peer.ask(asked)
        except NotImplementedError:
            answer = {"skipped": "not written for it"}
        except Exception as error:
            answer = {"skipped": str(error).strip().splitlines()[0][:200]}
        else:
            seconds = time.perf_counter() - began
            answer = {"ms": seconds * 1000, "rows": rows and [[plain(value) for value in row] for row in rows]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
