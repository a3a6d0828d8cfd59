#!/usr/bin/env python3
"""Measures what crosses the wire for a selective filter on a live remote.

A server holds N generated spans; between it and the client stands a relay that counts bytes. Each query is asked twice: as a
plain SELECT, of which the remote leaves out what does not match, and with the same condition in a form that no remote is
asked for, so that every span of the window comes and is checked here. Both must give the same rows.

Limit: a condition that one trace fulfils moves less than --limit-kib. Exit status 1 if it does not, or if answers differ.

usage: python3 benches/pushdown.py                  the real thing, by hand: a million spans in one project
       python3 benches/pushdown.py --spans 20000    a small try
"""
import argparse
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOKEN = "bench-token"
WINDOW = "start_time >= '2020-01-01' AND start_time < '2030-01-01'"


class Relay:
    """Passes connections on, and counts the bytes that come back."""

    def __init__(self, port):
        self.to, self.bytes = port, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.to))
            threading.Thread(target=self.copy, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self.copy, args=(far, near, True), daemon=True).start()

    def copy(self, source, sink, counted):
        try:
            while data := source.recv(1 << 18):
                if counted:
                    self.bytes += len(data)
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def spanql(binary, *arguments, env=None):
    done = subprocess.run([binary, "-q", *map(str, arguments)], capture_output=True, text=True, env=env)
    if done.returncode != 0:
        sys.exit(f"{arguments}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, help="the binary (default: the release build of this repository)")
    parser.add_argument("--spans", type=int, default=1_700_000, help="of all projects; the biggest one, which is asked, has six tenths")
    parser.add_argument("--limit-kib", type=int, default=256)
    parser.add_argument("--dir", help="where to put files (default: the system's temporary directory)")
    options = parser.parse_args()
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    binary = options.bin or target / "release" / "spanql"
    if not binary.is_file():
        sys.exit(f"{binary}: no such binary; run `cargo build --release`, or name one with --bin")
    with tempfile.TemporaryDirectory(dir=options.dir, prefix="spanql-pushdown-") as place:
        return measure(binary, options, pathlib.Path(place))


def measure(binary, options, place):
    store = place / "served"
    spanql(binary, "demo", "--spans", options.spans, "--keep", store)
    rows = json.loads(spanql(binary, "--store", store, "query",
                             "SELECT project, count(*) AS spans FROM spans GROUP BY 1 ORDER BY 2 DESC LIMIT 1", "-o", "json"))
    project, total = rows[0]["project"], rows[0]["spans"]
    some = json.loads(spanql(binary, "--store", store, "--project", project, "query",
                             "SELECT trace_id, session_id FROM traces WHERE session_id IS NOT NULL ORDER BY start_time LIMIT 1", "-o", "json"))[0]
    server = subprocess.Popen([binary, "--store", store, "serve"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              env={**os.environ, "SPANQL_SERVE_TOKEN": TOKEN}, text=True)
    try:
        ready = json.loads(server.stdout.readline())
        relay = Relay(ready["flight_port"])
        environment = {
            **os.environ, "ARIZE_API_KEY": TOKEN, "ARIZE_SPACE_ID": ready["space_id"], "ARIZE_FLIGHT_HOST": "127.0.0.1",
            "ARIZE_FLIGHT_PORT": str(relay.port), "ARIZE_FLIGHT_SCHEME": "grpc+tcp", "ARIZE_API_HOST": "127.0.0.1",
            "ARIZE_API_PORT": str(ready["http_port"]), "ARIZE_API_SCHEME": "http", "SPANQL_STORE": str(place / "none"),
        }
        return compare(binary, options, relay, environment, project, total, some)
    finally:
        server.terminate()
        server.wait()


def compare(binary, options, relay, environment, project, total, some):
    good = True
    print(f"{total:,} spans in {project}")
    print(f"{'condition':<44}{'rows':>9}{'KiB asked':>11}{'KiB all':>11}{'ratio':>9}{'s asked':>9}{'s all':>8}", flush=True)
    for name, condition, limit in [
        ("one trace", f"trace_id = '{some['trace_id']}'", True),
        ("one session", f"session_id = '{some['session_id']}'", True),
        ("errors of tools", "status_code = 'ERROR' AND kind = 'TOOL'", False),
        ("long model calls", "kind = 'LLM' AND latency_ms > 20000", False),
        ("nothing", "name = 'no span is called so'", True),
    ]:
        figures = []
        # No remote is asked for what stands in a CASE.
        for asked in (condition, f"CASE WHEN {condition} THEN true ELSE false END"):
            sql = f'SELECT span_id, name, input FROM arize."{project}" WHERE {WINDOW} AND {asked} ORDER BY span_id'
            before, began = relay.bytes, time.monotonic()
            answer = spanql(binary, "query", sql, "-o", "jsonl", env=environment)
            figures.append((answer, (relay.bytes - before) / 1024, time.monotonic() - began))
        (answer, kib, seconds), (other, all_kib, all_seconds) = figures
        rows = answer.count("\n")
        print(f"{name:<44}{rows:>9,}{kib:>11,.0f}{all_kib:>11,.0f}{kib / all_kib:>9.4f}{seconds:>9.2f}{all_seconds:>8.2f}", flush=True)
        if answer != other:
            print(f"the answers differ: {condition}")
            good = False
        if limit and kib > options.limit_kib:
            print(f"more than {options.limit_kib} KiB came for {condition}")
            good = False
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
