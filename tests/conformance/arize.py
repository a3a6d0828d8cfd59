#!/usr/bin/env python3
"""Judge `spanql serve` by the official client of Arize.

Fills a store with generated spans and a file of real ones, serves it, and runs the judge against both projects. What is
expected is asked from the store with SQL, not from the server. Prints what the judge prints; its last line of each run
is "N passed, N failed". Needs Python 3.11, and an interpreter with the client for the judge.
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
parser.add_argument("--data", required=True, type=Path, help="a file of real spans")
parser.add_argument("--no-ax", action="store_true", help="leave out the command line client, which is slow to start")
parser.add_argument("--only", help="run the cases of this pattern only")
args = parser.parse_args()

TOKEN = "conformance-key"
# These need filters, which the server does not have yet.
NEED_FILTERS = ["flight_export_empty", "ax_spans_export_ids"]


def spanql(*argv):
    done = subprocess.run([args.bin, "-q", *argv], capture_output=True, text=True)
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
    path.write_text(json.dumps({"window": window, "total": row["total"], "traces": row["traces"], "spans": ids.name}))


def judge(ready, project, path, *options):
    command = [
        args.python, args.judge, "--read-only", "--expect", path, "--project", project, "--api-key", TOKEN,
        "--space-id", ready["space_id"], "--flight-host", "127.0.0.1", "--flight-port", ready["flight_port"],
        "--api-host", "127.0.0.1", "--api-port", ready["http_port"], *options,
    ]
    for name in NEED_FILTERS:
        command += ["--skip", name]
    return subprocess.run([str(part) for part in command]).returncode == 0


with tempfile.TemporaryDirectory(prefix="spanql-conformance-") as directory:
    store = Path(directory) / "store"
    spanql("demo", "--spans", "2000", "--keep", store)
    spanql("--store", store, "import", args.data, "--as", "real")
    environment = {**os.environ, "SPANQL_SERVE_TOKEN": TOKEN}
    server = subprocess.Popen([args.bin, "-q", "--store", store, "serve"], stdout=subprocess.PIPE, env=environment)
    good = False
    try:
        ready = json.loads(server.stdout.readline())
        generated = next(project["name"] for project in ready["projects"] if project["name"] != "real")
        good = True
        for project in ("real", generated):
            path = Path(directory) / f"{project}.json"
            expect(store, project, path)
            # Generated spans are broken on purpose, as HTTP clients do not like them: no name, or an end before the start.
            options = ["--no-ax", "--only", "flight_*"] if project == generated else ["--no-ax"] if args.no_ax else []
            if args.only:
                options += ["--only", args.only]
            good = judge(ready, project, path, *options) and good
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
