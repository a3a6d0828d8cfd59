#!/usr/bin/env python3
"""`spanql serve` as clients of Flight SQL see it: the ADBC driver, with pyarrow, polars and pandas on top.

Every table of a store of made-up spans is read and compared with what the command line writes; parameters, metadata, keys and
saved queries; hostile statements are refused or stopped; two hundred statements at once stay within the memory limit. Prints each case;
the last line is "N passed, N failed". Needs an interpreter with adbc-driver-flightsql, pyarrow, polars and pandas; Linux.
"""
import argparse
import datetime
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import adbc_driver_flightsql
import adbc_driver_flightsql.dbapi as flight_sql
import pandas
import polars
import pyarrow
import pyarrow.ipc

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--bin", required=True, type=Path, help="the spanql binary")
parser.add_argument("--statements", type=int, default=200, help="statements at once (default: 200)")
args = parser.parse_args()
binary = str(args.bin.resolve())
TOKEN = "key-of-the-statements"

passed = failed = 0


def check(name, held, shown=""):
    global passed, failed
    if held:
        passed += 1
        print(f"ok      {name}", flush=True)
    else:
        failed += 1
        print(f"FAILED  {name}\n{str(shown)[:2000]}", flush=True)


def spanql(*arguments):
    done = subprocess.run([binary, *arguments], capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        sys.exit(f"spanql {' '.join(arguments)}: {done.stderr}")
    return done.stdout


class Server:
    """A server process over a store."""

    def __init__(self, store, *arguments):
        self.process = subprocess.Popen([binary, "-q", "--store", store, "serve", "--token", TOKEN, *arguments], stdout=subprocess.PIPE, text=True)
        self.ready = json.loads(self.process.stdout.readline())
        self.address = f"grpc://127.0.0.1:{self.ready['flight_port']}"

    def connect(self, **options):
        options = options or {adbc_driver_flightsql.DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {TOKEN}"}
        return flight_sql.connect(self.address, db_kwargs=options, autocommit=True)

    def peak(self):
        """The most memory that it had, in bytes."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) << 10

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=10)


def fetch(connection, sql, parameters=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetch_arrow_table()


def refused(connection, sql, parameters=None):
    """What the driver says to it; None where there is an answer."""
    try:
        fetch(connection, sql, parameters)
        return None
    except Exception as error:
        return str(error)


def plain(table):
    """Rows without an order."""
    rows = table.to_pylist()
    return sorted(json.dumps(row, default=str, sort_keys=True) for row in rows)


def from_shell(store, sql, folder, *more):
    path = folder / "result.arrow"
    path.unlink(missing_ok=True)
    spanql("-q", "--store", store, "query", sql, "-o", str(path), *more)
    with pyarrow.ipc.open_file(path) as reader:
        return reader.read_all()


def tables(server, store, folder):
    with server.connect() as connection:
        names = [table["name"] for table in json.loads(spanql("-q", "--store", store, "schema", "-o", "json"))["tables"]]
        check("there are tables", len(names) >= 13, names)
        for name in names:
            sql = f"SELECT * FROM {name}"
            here, there = fetch(connection, sql), from_shell(store, sql, folder)
            check(f"{name}: types", [(field.name, field.type) for field in here.schema] == [(field.name, field.type) for field in there.schema],
                  f"{here.schema}\n{there.schema}")
            check(f"{name}: values ({there.num_rows} rows)", plain(here) == plain(there))
        sql = "SELECT kind, model, count(*) AS spans, sum(cost) AS usd, max(start_time) AS last FROM spans GROUP BY kind, model ORDER BY spans DESC, kind, model"
        there = from_shell(store, sql, folder)
        check("polars", polars.read_database(sql, connection).to_dicts() == polars.from_arrow(there).to_dicts())
        here = pandas.read_sql(sql, connection)
        check("pandas", len(here) == there.num_rows and list(here["spans"]) == there["spans"].to_pylist()
              and list(here.columns) == there.column_names, here)
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM spans ORDER BY start_time, span_id")
            sizes = [len(batch) for batch in cursor.fetch_record_batch()]
        check("rows come in batches", sum(sizes) == fetch(connection, "SELECT span_id FROM spans").num_rows, sizes)


STATEMENTS = [
    "SELECT attributes.llm.model_name, count(*) FROM spans GROUP BY attributes.llm.model_name ORDER BY 1",
    "SELECT name, kind, input FROM spans WHERE input CONTAINS 'refund' ORDER BY span_id LIMIT 5",
    "SELECT name FROM spans WHERE eval.Correctness.label = 'correct' ORDER BY span_id LIMIT 5",
    "SELECT count(*) AS n FROM spans_where('status_code = ''ERROR'' AND latency_ms > 10')",
    "SELECT count(*) AS n FROM traces_where('status_code = ''ERROR''')",
    "SELECT count(*) AS n FROM oql('total_estimated_cost > 0.001', 'traces')",
    "SELECT count(*) AS n FROM structure('{ kind = ''AGENT'' } >> { status_code = ''ERROR'' }')",
    "SELECT metadata.tier, count(*) AS n FROM spans GROUP BY metadata.tier ORDER BY n DESC, 1",
    "SELECT date_trunc('day', start_time) AS day, count(*) FILTER (WHERE status_code = 'ERROR') AS errors FROM spans GROUP BY day ORDER BY day",
    "SELECT attributes.nobody.has.this FROM spans LIMIT 2",
    "SELECT session_id, trace_count, models FROM sessions ORDER BY session_id LIMIT 5",
    "EXPLAIN SELECT 1",
    "SHOW TABLES",
    "DESCRIBE traces",
]


def as_in_the_shell(server, store, folder):
    with server.connect() as connection:
        for sql in STATEMENTS:
            here, there = fetch(connection, sql), from_shell(store, sql, folder)
            # What is shown has no order.
            same = plain(here) == plain(there) if sql.startswith("SHOW") else here.to_pydict() == there.to_pydict()
            check(sql[:90], same and here.column_names == there.column_names, f"{here}\n{there}")
        note = fetch(connection, STATEMENTS[9]).schema.metadata or {}
        check("notes come with the schema", "read as null" in note.get(b"spanql.notes", b"").decode(), note)
        here = fetch(connection, "\\run errors-by-model")
        path = folder / "saved.arrow"
        spanql("-q", "--store", store, "run", "errors-by-model", "-o", str(path))
        there = pyarrow.ipc.open_file(path).read_all()
        check("\\run: a saved query", here.to_pydict() == there.to_pydict(), f"{here}\n{there}")
        said = refused(connection, "\\run errors-by-modell")
        check("\\run: the nearest name", said and "errors-by-model" in said, said)
        check("\\run: no file", "names" in (refused(connection, "\\run /etc/passwd") or ""))
        for sql, words in [("SELECT nmae FROM spans", "did you mean name?"), ("SELECT name FROM spanz", "did you mean spans?"),
                           ("SELECT name FROM spans WHERE", "1:"), ("SELECT 1; SELECT 2", "give one")]:
            said = refused(connection, sql)
            check(f"{sql}: what is wrong", said and words in said and "INVALID_ARGUMENT" in said.upper().replace("INVALIDARGUMENT", "INVALID_ARGUMENT"), said)


def parameters(server, store, folder):
    count = "SELECT count(*) AS n FROM spans WHERE kind = {} AND latency_ms > {}"
    there = from_shell(store, count.format("'LLM'", "100"), folder)
    with server.connect() as connection:
        check("parameters in order", fetch(connection, count.format("$1", "$2"), ("LLM", 100)) .to_pydict() == there.to_pydict())
        names = pyarrow.record_batch({"ms": pyarrow.array([100.0]), "kind": pyarrow.array(["LLM"])})
        check("parameters by name", fetch(connection, count.format("$kind", "$ms"), names).to_pydict() == there.to_pydict())
        check("parameters in the order in which they stand", fetch(connection, count.format("$kind", "$ms"), ("LLM", 100)).to_pydict() == there.to_pydict())
        moment = datetime.datetime(2026, 10, 20, tzinfo=datetime.timezone.utc)
        there = from_shell(store, "SELECT count(*) AS n FROM spans WHERE start_time < '2026-10-20T00:00:00Z'", folder)
        check("a time", fetch(connection, "SELECT count(*) AS n FROM spans WHERE start_time < $1", (moment,)).to_pydict() == there.to_pydict())
        table = fetch(connection, "SELECT $1 AS t, $2 AS i, $3 AS f, $4 AS b, $5 AS nothing", ("it's; --", -5, 0.5, True, None))
        check("values of all types", table.to_pylist() == [{"t": "it's; --", "i": -5, "f": 0.5, "b": True, "nothing": None}], table)
        traces = fetch(connection, "SELECT trace_id FROM traces ORDER BY trace_id LIMIT 3")["trace_id"].to_pylist()
        table = fetch(connection, "SELECT count(*) AS n FROM trace($1)", (traces[0],))
        check("in a function of FROM", table.to_pylist()[0]["n"] > 0, table)
        table = fetch(connection, "SELECT count(*) AS n FROM traces WHERE trace_id IN ($1)", pyarrow.record_batch({"0": pyarrow.array([traces])}))
        check("a list", table.to_pylist() == [{"n": 3}], table)
        with connection.cursor() as cursor:
            rows = []
            for limit in (1, 2, 3):
                cursor.execute("SELECT span_id FROM spans LIMIT $1", (limit,))
                rows.append(len(cursor.fetchall()))
        check("prepared once, run thrice", rows == [1, 2, 3], rows)
        said = refused(connection, "SELECT $1", ("a", "b"))
        check("too many values", said and "2 values were given for 1" in said, said)
        said = refused(connection, "SELECT $name")
        check("no value", said and "$name" in said, said)
        with connection.cursor() as cursor:
            schema = cursor.adbc_prepare("SELECT $b AS x, $a AS y, $b AS z")
        check("the names of parameters", schema.names == ["b", "a"], schema)


def metadata(server, store):
    with server.connect() as connection:
        info = connection.adbc_get_info()
        check("info", info["vendor_name"] == "spanql", info)
        check("table types", connection.adbc_get_table_types() == ["TABLE"])
        objects = connection.adbc_get_objects(depth="all").read_all().to_pylist()
        schemas = objects[0]["catalog_db_schemas"]
        found = {table["table_name"]: [column["column_name"] for column in table["table_columns"]] for table in schemas[0]["db_schema_tables"]}
        check("catalog and schema", [one["catalog_name"] for one in objects] == ["spanql"] and [one["db_schema_name"] for one in schemas] == ["public"], objects)
        described = {table["name"]: [column["name"] for column in table["columns"]] for table in json.loads(spanql("-q", "--store", store, "schema", "-o", "json"))["tables"]}
        check("tables and columns", set(found) == set(described) and found["traces"] == described["traces"]
              and set(found["spans"]) <= set(described["spans"]), found)
        some = connection.adbc_get_objects(depth="tables", table_name_filter="s%").read_all().to_pylist()
        names = [table["table_name"] for table in some[0]["catalog_db_schemas"][0]["db_schema_tables"]]
        check("tables by pattern", sorted(names) == ["sessions", "spans"], names)
        schema = connection.adbc_get_table_schema("traces")
        check("the schema of a table", schema.names == described["traces"], schema)


def keys(server):
    options = adbc_driver_flightsql.DatabaseOptions
    for name, given, held in [
        ("a bearer token", {options.AUTHORIZATION_HEADER.value: f"Bearer {TOKEN}"}, True),
        ("a name and a password", {"username": "anybody", "password": TOKEN}, True),
        ("a wrong token", {options.AUTHORIZATION_HEADER.value: "Bearer wrong"}, False),
        ("a wrong password", {"username": "anybody", "password": "wrong"}, False),
        ("nothing", {"adbc.flight.sql.client_option.tls_skip_verify": "true"}, False),
    ]:
        try:
            with server.connect(**given) as connection:
                answer = fetch(connection, "SELECT 1 AS one").to_pylist()
            check(f"keys: {name}", held and answer == [{"one": 1}], answer)
        except Exception as error:
            check(f"keys: {name}", not held and "unauthenticated" in str(error).lower(), error)


ENDLESS = "SELECT count(*) FROM spans a, spans b, spans c, spans d WHERE a.name <> b.name AND c.latency_ms < d.latency_ms"


def hostile(store, folder):
    secret = folder / "secret.csv"
    secret.write_text("word\nhidden-word\n")
    made = folder / "made.csv"
    refusals = [
        f"COPY (SELECT 1) TO '{made}'", "CREATE TABLE t AS SELECT 1", "CREATE VIEW v AS SELECT 1", "DROP TABLE spans",
        "INSERT INTO spans SELECT * FROM spans", "DELETE FROM spans", "UPDATE spans SET name = 'x'", "TRUNCATE spans",
        "SET datafusion.execution.batch_size = 1", "RESET datafusion.execution.batch_size",
        "EXPLAIN ANALYZE INSERT INTO spans SELECT * FROM spans", f"SELECT * FROM '{secret}'", f"SELECT * FROM read_csv('{secret}')",
        "SELECT * FROM 'https://example.com/x.csv'", "SELECT * FROM '/etc/passwd'", "SELECT * FROM arize.anything",
        f"CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '{secret}'", "PREPARE p AS SELECT 1", "SELECT " + "(" * 500 + "1" + ")" * 500,
        "SELECT 1 WHERE " + " OR ".join(f"{n} = {n + 1}" for n in range(3000)), "GRANT ALL ON spans TO public",
    ]
    stops = [
        "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t",
        "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT t.n + 1 FROM t, generate_series(1, 100)) SELECT max(n) FROM t",
        ENDLESS,
        "SELECT x, repeat('x', 1000) AS y FROM generate_series(1, 100000000) AS t(x) ORDER BY y DESC, x DESC LIMIT 3 OFFSET 90000000",
        "SELECT count(DISTINCT x::text || repeat('y', 500)) FROM generate_series(1, 1000000000) AS t(x)",
    ]
    codes = ["invalid_argument", "invalidargument", "permission_denied", "permissiondenied", "unauthorized", "deadline", "timeout", "resource_exhausted",
             "resourceexhausted", "unimplemented", "not_implemented"]
    before = sorted(path.relative_to(store) for path in Path(store).rglob("*") if path.suffix in (".parquet", ".json"))
    with Server(store, "--statement-timeout", "4", "--write-token", "another") as server, server.connect() as connection:
        for sql in refusals:
            said = refused(connection, sql)
            check(f"refused: {sql[:70]}", said and "hidden-word" not in said and any(code in said.lower() for code in codes), said)
        for sql in stops:
            began = time.monotonic()
            said = refused(connection, sql)
            took = time.monotonic() - began
            check(f"stopped: {sql[:70]}", said and took < 15 and any(code in said.lower() for code in codes), f"{took:.1f} s: {said}")
        try:
            with connection.cursor() as cursor:
                cursor.adbc_ingest("t", pyarrow.table({"a": [1]}), mode="create")
            check("bulk ingestion is refused", False)
        except Exception as error:
            check("bulk ingestion is refused", "only reads" in str(error) or "not" in str(error).lower(), error)
        check("others are answered", fetch(connection, "SELECT count(*) AS n FROM spans").to_pylist()[0]["n"] > 0)
        batch = fetch(connection, "SELECT 1 AS one")
        check("no setting outlives its statement", batch.to_pylist() == [{"one": 1}])
    with Server(store) as server, server.connect() as connection:
        # As many as run at a time, and more: cancelled, they make place.
        for _ in range(20):
            cursor = connection.cursor()
            timer = threading.Timer(0.3, cursor.adbc_cancel)
            timer.start()
            try:
                cursor.execute(ENDLESS)
                cursor.fetchall()
                check("cancelled", False)
            except Exception:
                pass
            timer.cancel()
            cursor.close()
        began = time.monotonic()
        fetch(connection, "SELECT count(*) AS n FROM spans")
        check("cancelled statements make place", time.monotonic() - began < 10)
    check("nothing was written", not made.exists() and before == sorted(
        path.relative_to(store) for path in Path(store).rglob("*") if path.suffix in (".parquet", ".json")))


def many(store, folder):
    """Statements that sort, group and join, all at once."""
    texts = [
        "SELECT trace_id, span_id, input, output FROM spans ORDER BY output DESC, input, span_id",
        "SELECT name, model, count(DISTINCT trace_id) AS traces, array_agg(span_id ORDER BY span_id) AS ids FROM spans GROUP BY name, model ORDER BY name, model",
        "SELECT a.span_id, b.span_id AS child FROM spans a JOIN spans b ON a.span_id = b.parent_id ORDER BY a.span_id, b.span_id",
        "SELECT * FROM messages ORDER BY trace_id, span_id LIMIT 5000",
    ]
    expected = [from_shell(store, sql, folder).num_rows for sql in texts]
    limit = 512 << 20
    with Server(store, "--memory", "512MiB") as server:
        wrong, lock, start = [], threading.Lock(), threading.Barrier(args.statements)

        def ask(number):
            try:
                with server.connect() as connection:
                    start.wait(timeout=120)
                    rows = fetch(connection, texts[number % len(texts)]).num_rows
                if rows != expected[number % len(texts)]:
                    raise ValueError(f"{rows} rows, not {expected[number % len(texts)]}")
            except Exception as error:
                with lock:
                    wrong.append(str(error))

        threads = [threading.Thread(target=ask, args=[number]) for number in range(args.statements)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        peak = server.peak()
        print(f"        {args.statements} statements in {time.monotonic() - began:.1f} s, at most {peak >> 20} MiB")
        check(f"{args.statements} statements at once are answered", not wrong, (len(wrong), wrong[:3]))
        check(f"{args.statements} statements at once stay within the memory", peak < limit, f"{peak >> 20} MiB")


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        store, large = str(folder / "store"), str(folder / "large")
        spanql("-q", "demo", "--spans", "2000", "--keep", store)
        spanql("-q", "demo", "--spans", "20000", "--keep", large)
        with Server(store) as server:
            keys(server)
            metadata(server, store)
            as_in_the_shell(server, store, folder)
            parameters(server, store, folder)
            tables(server, store, folder)
        hostile(store, folder)
        many(large, folder)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
