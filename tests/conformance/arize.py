#!/usr/bin/env python3
"""Judge `spanql serve` by the official client of Arize.

Fills a store with generated spans and files of real ones, serves it, and runs the judge against each project: reads, then
writes, and on the first of the real ones all of it twice, since what was written must not be in the way of what comes
later. What is expected is asked from the store with SQL, not from the server. Then each project is exported by the client
and pulled by spanql, which must give the same spans. Prints what the judge prints; its last line of each run is "N passed,
N failed". Needs Python 3.11, and an interpreter with the client for the judge.
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--bin", required=True, type=Path, help="the spanql binary")
parser.add_argument("--python", required=True, type=Path, help="an interpreter that has the client")
parser.add_argument("--judge", required=True, type=Path)
parser.add_argument("--data", required=True, type=Path, action="append", help="a file of real spans; may be repeated")
parser.add_argument("--no-ax", action="store_true", help="leave out the command line client, which is slow to start")
parser.add_argument("--only", help="run the cases of this pattern only")
args = parser.parse_args()

TOKEN = "conformance-key"
# All spans of all projects start in it.
WINDOW = ("2000-01-01T00:00:00Z", "2100-01-01T00:00:00Z")
# Filters, and the same conditions in SQL: what the server finds is counted in another language.
FILTERS = {
    "status_code = 'ERROR'": "status_code = 'ERROR'",
    "status_code != 'OK' AND parent_id IS NOT NULL": "status_code <> 'OK' AND parent_id IS NOT NULL",
    "attributes.openinference.span.kind IN ('LLM', 'TOOL')": "kind = 'LLM' OR kind = 'TOOL'",
    "latency_ms > 1000 or attributes.llm.token_count.total > 500": "NOT coalesce(latency_ms <= 1000, true) OR total_tokens >= 501",
    "attributes.input.value CONTAINS 'the'": "strpos(input, 'the') > 0",
    "\"attributes.input.value\" = null": "input IS NULL",
    "name = 'nothing is called so'": "false",
}
BAD_FILTERS = ["no_such_column = 1", "status_code = ERROR", "name CONTAINS", "attributes.no.such.name = 'x'", "(name = 'a'"]


def spanql(*argv, environment={}):
    done = subprocess.run([args.bin, "-q", *argv], capture_output=True, text=True, env={**os.environ, **environment})
    if done.returncode != 0:
        sys.exit(f"spanql {' '.join(map(str, argv))}: {done.stderr}")
    return done.stdout


def ask(store, project, sql, *options):
    return spanql("--store", store, "--project", project, "query", sql, *options)


def expect(store, project, path):
    """Writes what a client must find in a project."""
    sql = """SELECT count(*) AS total, count(DISTINCT trace_id) AS traces,
                    date_trunc('second', min(start_time)) AS first,
                    date_trunc('second', max(start_time)) + INTERVAL '1' SECOND AS last FROM spans"""
    row = json.loads(ask(store, project, sql, "-o", "jsonl"))
    ids = path.with_suffix(".parquet")
    ask(store, project, "SELECT context.span_id FROM spans", "-o", ids)
    window = {"start": row["first"][:19] + "Z", "end": row["last"][:19] + "Z"}
    number = lambda sql: json.loads(ask(store, project, sql, "-o", "jsonl"))
    filters = {text: number(f"SELECT count(*) AS n FROM spans WHERE {sql}")["n"] for text, sql in FILTERS.items()}
    whole = """SELECT count(*) AS spans, count(DISTINCT trace_id) AS traces FROM spans
               WHERE trace_id IN (SELECT trace_id FROM spans WHERE {})"""
    with_any = {text: number(whole.format(FILTERS[text])) for text in list(FILTERS)[:3] if filters[text]}
    sessions = ask(store, project, "SELECT session_id, count(*) AS n FROM spans WHERE session_id IS NOT NULL GROUP BY 1 ORDER BY 1 LIMIT 2")
    path.write_text(json.dumps({
        "window": window, "total": row["total"], "traces": row["traces"], "spans": ids.name,
        "filters": filters, "bad_filters": BAD_FILTERS, "traces_with": with_any,
        "sessions": {row["session_id"]: row["n"] for row in map(json.loads, sessions.splitlines())},
    }))


def judge(ready, project, path, *options):
    command = [
        args.python, args.judge, "--expect", path, "--project", project, "--api-key", TOKEN,
        "--space-id", ready["space_id"], "--flight-host", "127.0.0.1", "--flight-port", ready["flight_port"],
        "--api-host", "127.0.0.1", "--api-port", ready["http_port"], *options,
    ]
    return subprocess.run([str(part) for part in command]).returncode == 0


def same(ready, project, directory):
    """Whether the client's export and a pull of a project hold the same spans."""
    # A store of its own each time: what was deleted since would stay in one that was filled before.
    pulled = Path(tempfile.mkdtemp(prefix="pulled-", dir=directory)) / project
    path = pulled.with_name("spans.parquet")
    start, end = WINDOW
    here = {
        "ARIZE_API_KEY": TOKEN, "ARIZE_SPACE_ID": ready["space_id"],
        "ARIZE_FLIGHT_HOST": "127.0.0.1", "ARIZE_FLIGHT_SCHEME": "grpc+tcp", "ARIZE_FLIGHT_PORT": str(ready["flight_port"]),
        "ARIZE_API_HOST": "127.0.0.1", "ARIZE_API_SCHEME": "http", "ARIZE_API_PORT": str(ready["http_port"]),
    }
    spanql("--store", pulled, "pull", "arize", project, "--start-time", start, "--end-time", end, environment=here)
    ask(pulled, project, "SELECT * FROM spans", "-o", path)
    command = [
        # Not this folder first on the path: this file has the name of the client.
        args.python, "-P", Path(__file__).with_name("arize_same.py"), "--project", project, "--api-key", TOKEN,
        "--space-id", ready["space_id"], "--flight-port", ready["flight_port"], "--start", start, "--end", end, "--pulled", path,
    ]
    return subprocess.run([str(part) for part in command]).returncode == 0


with tempfile.TemporaryDirectory(prefix="spanql-conformance-") as directory:
    store = Path(directory) / "store"
    spanql("demo", "--spans", "2000", "--keep", store)
    for file in args.data:
        spanql("--store", store, "import", file, "--as", file.name.split(".")[0])
    environment = {**os.environ, "SPANQL_SERVE_TOKEN": TOKEN}
    server = subprocess.Popen([args.bin, "-q", "--store", store, "serve"], stdout=subprocess.PIPE, env=environment)
    good = False
    try:
        ready = json.loads(server.stdout.readline())
        real = [file.name.split(".")[0] for file in args.data]
        generated = next(project["name"] for project in ready["projects"] if project["name"] not in real)
        good = True
        for project in (*real, generated, real[0]):
            path = Path(directory) / f"{project}.json"
            if not path.exists():
                expect(store, project, path)
            # Generated spans are broken on purpose, as HTTP clients do not like them: no name, or an end before the start.
            options = ["--read-only", "--no-ax", "--only", "flight_*"] if project == generated else ["--no-ax"] if args.no_ax else []
            if args.only:
                options += ["--only", args.only]
            good = judge(ready, project, path, *options) and good
            good = same(ready, project, Path(directory)) and good
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            status = server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            server.kill()
            status = "killed"
    if status != 0:
        print(f"the server did not end well: {status}")
        good = False
sys.exit(0 if good else 1)
