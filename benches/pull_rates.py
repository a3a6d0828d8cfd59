#!/usr/bin/env python3
"""Measures pulling beside the vendors' own clients, in one run, each reading the same spans from the same server.

  arize     `spanql serve` over Flight: `spanql pull arize` beside the SDK's `export_to_parquet`, and again, for fewer spans, beside
            `ax spans export --all`
  phoenix   a real Phoenix (--phoenix, or its URL): `spanql pull phoenix`, and the client's `get_spans`
  opik      a stand-in that pages prepared rows: `spanql pull opik`, and the SDK's `search_traces` and `search_spans`

Of the vendors' clients only the calls are timed, not the start of Python; of spanql and of `ax` the whole process. Each client
goes once a round, so that what slows the machine down slows all of them; the medians of the rounds are compared. A pull ends
with a store that holds every span, with trees and summaries. Exit status 1 if a client did not get every span, or if a pull's
rate is below --least of that of the vendor's client. What is not installed is left out, and that is said.

usage: python3 benches/pull_rates.py --python VENV/bin/python --phoenix ../shared/phoenix

VENV needs arize, arize-phoenix-client and opik.
"""
import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ROOT = pathlib.Path(__file__).resolve().parent.parent
KEY = "bench-key"
START, END = "2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z"
# When the spans that are made here start.
DAY = ("2026-01-02", "2026-01-03")

# Each prints how many spans it read and the seconds that its calls took.
SDK = """
import logging, os, sys, time
from datetime import datetime
os.environ.update(ARIZE_LOG_ENABLE="false", TQDM_DISABLE="1")
from arize import ArizeClient
import pyarrow.parquet as pq
logging.disable(logging.CRITICAL)
port, space, key, folder, *projects = sys.argv[1:]
client = ArizeClient(api_key=key, flight_host="127.0.0.1", flight_port=int(port), flight_scheme="grpc+tcp")
times = [datetime.fromisoformat(text.replace("Z", "+00:00")) for text in ("%s", "%s")]
began, rows = time.monotonic(), 0
for number, project in enumerate(projects):
    path = os.path.join(folder, f"{number}.parquet")
    client.spans.export_to_parquet(path=path, space_id=space, project_name=project, start_time=times[0], end_time=times[1])
    rows += pq.read_metadata(path).num_rows
print(rows, time.monotonic() - began)
""" % (START, END)

PHOENIX = """
import sys, time
from phoenix.client import Client
url, project = sys.argv[1:]
client = Client(base_url=url)
began = time.monotonic()
print(len(client.spans.get_spans(project_identifier=project, limit=10**9)), time.monotonic() - began)
"""

OPIK = """
import logging, os, sys, time
url, workspace, project = sys.argv[1:]
os.environ.update(OPIK_URL_OVERRIDE=url, OPIK_WORKSPACE=workspace, OPIK_TRACK_DISABLE="true", OPIK_CONSOLE_LOGGING_LEVEL="CRITICAL")
import opik
logging.disable(logging.CRITICAL)
client = opik.Opik(project_name=project)
began = time.monotonic()
traces = client.search_traces(project_name=project, max_results=10**9, truncate=False)
spans = client.search_spans(project_name=project, max_results=10**9, truncate=False)
print(len(traces) + len(spans), time.monotonic() - began)
"""


def run(command, environment=None):
    """Runs a command; gives its stdout and its seconds."""
    began = time.monotonic()
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command[:4]))}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout, time.monotonic() - began


def has(python, module):
    return subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode == 0


class Bench:
    def __init__(self, options, place):
        self.options, self.place, self.failures = options, place, []
        print(f"{'remote':<9}{'client':<9}{'spans':>10}{'seconds':>10}{'spans/s':>11}{'pull is':>9}", flush=True)

    def pull(self, source, projects, environment, window=(START, END)):
        """Pulls into a new store; gives the spans in it and the seconds."""
        store = self.place / "pulled"
        shutil.rmtree(store, ignore_errors=True)
        seconds = 0
        for project in projects:
            command = [self.options.bin, "-q", "--store", store, "pull", source, project, "--start-time", window[0], "--end-time", window[1]]
            seconds += run(command, {**os.environ, **environment})[1]
        out, _ = run([self.options.bin, "-q", "--store", store, "query", "SELECT count(*) AS n FROM spans", "-o", "json"])
        return json.loads(out)[0]["n"], seconds

    def script(self, script, *arguments):
        out, _ = run([self.options.python, "-c", script, *arguments])
        rows, seconds = out.split()[-2:]
        return int(rows), float(seconds)

    def compare(self, source, total, clients):
        """Lets each client read everything, round by round; `clients` begins with the pull."""
        times = {name: [] for name in clients}
        for _ in range(self.options.rounds):
            for name, client in clients.items():
                rows, seconds = client()
                times[name].append(seconds)
                if rows != total:
                    self.failures.append(f"{source}: {name} read {rows:,} of {total:,} spans")
        pull = statistics.median(times["pull"])
        for name, seconds in times.items():
            median = statistics.median(seconds)
            ratio = "" if name == "pull" else f"{median / pull:>9.2f}"
            print(f"{source:<9}{name:<9}{total:>10,}{median:>10.2f}{total / median:>11,.0f}{ratio}", flush=True)
            if name != "pull" and median / pull < self.options.least:
                self.failures.append(f"{source}: pull has {median / pull:.2f} of the rate of {name}")

    def arize(self):
        if has(self.options.python, "arize"):
            self.flight("sdk", self.options.spans)
        else:
            print("arize    sdk      left out: no arize")
        ax = pathlib.Path(self.options.python).parent / "ax"
        if ax.exists():
            # It takes seconds to start and twenty times as long for a span: of as many as for the SDK, minutes a round.
            self.flight("ax", self.options.ax_spans)
        else:
            print(f"arize    ax       left out: no {ax}")

    def flight(self, client, spans):
        """Compares the pull with one client, which both read so many spans."""
        served = self.place / "served"
        shutil.rmtree(served, ignore_errors=True)
        run([self.options.bin, "-q", "demo", "--spans", spans, "--keep", served])
        out, _ = run([self.options.bin, "-q", "--store", served, "query", "SELECT count(*) AS n FROM spans", "-o", "json"])
        total = json.loads(out)[0]["n"]
        # In the environment, so that the key is in no list of processes.
        environment = {**os.environ, "SPANQL_SERVE_TOKEN": KEY}
        command = [self.options.bin, "--store", served, "serve"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True)
        try:
            ready = json.loads(server.stdout.readline())
            projects = [project["name"] for project in ready["projects"]]
            flight, http, space = str(ready["flight_port"]), str(ready["http_port"]), ready["space_id"]
            environment = {
                "ARIZE_API_KEY": KEY, "ARIZE_FLIGHT_HOST": "127.0.0.1", "ARIZE_FLIGHT_SCHEME": "grpc+tcp", "ARIZE_FLIGHT_PORT": flight,
                "ARIZE_API_HOST": "127.0.0.1", "ARIZE_API_SCHEME": "http", "ARIZE_API_PORT": http, "ARIZE_SPACE_ID": space,
            }
            clients = {"pull": lambda: self.pull("arize", projects, environment)}
            if client == "sdk":
                clients["sdk"] = lambda: self.script(SDK, flight, space, KEY, self.place, *projects)
            else:
                ax = pathlib.Path(self.options.python).parent / "ax"
                clients["ax"] = lambda: self.ax(ax, projects, environment)
            self.compare("arize", total, clients)
        finally:
            server.terminate()
            server.wait()

    def ax(self, ax, projects, environment):
        rows = seconds = 0
        # It goes nowhere without a profile of its own.
        profiles = self.place / ".arize" / "profiles"
        profiles.mkdir(parents=True, exist_ok=True)
        (profiles.parent / ".active_profile").write_text("bench")
        (profiles / "bench.toml").write_text("\n".join([
            "[profile]", 'name = "bench"', "[auth]", 'auth_method = "api-key"', f'api_key = "{KEY}"', "[routing]",
            'api_host = "127.0.0.1"', 'api_scheme = "http"', 'flight_host = "127.0.0.1"', f"flight_port = \"{environment['ARIZE_FLIGHT_PORT']}\"",
            'flight_scheme = "grpc+tcp"', "[update]", "enabled = false", "",
        ]))
        for project in projects:
            folder = self.place / "ax"
            shutil.rmtree(folder, ignore_errors=True)
            command = [ax, "spans", "export", project, "--space", environment["ARIZE_SPACE_ID"], "--all", "--start-time", START,
                       "--end-time", END, "--output-dir", folder]
            seconds += run(command, {**os.environ, **environment, "HOME": str(self.place)})[1]
            rows += sum(len(json.loads(path.read_text())) for path in folder.rglob("*.json"))
        return rows, seconds

    def phoenix(self):
        if not self.options.phoenix:
            return print("phoenix  left out: no --phoenix")
        if not has(self.options.python, "phoenix.client"):
            return print("phoenix  left out: no arize-phoenix-client")
        with contextlib.ExitStack() as stack:
            url = self.options.phoenix
            if not url.startswith("http"):
                server = subprocess.Popen([f"{url}/start"], stdout=subprocess.PIPE, text=True)
                stack.callback(server.wait)
                stack.callback(server.send_signal, signal.SIGTERM)
                url = json.loads(server.stdout.readline())["base_url"]
            total = self.options.phoenix_spans
            file = self.place / "phoenix.jsonl"
            with open(file, "w", encoding="utf-8") as out:
                for number in range(total):
                    out.write(json.dumps(phoenix_span(number)) + "\n")
            load = pathlib.Path(self.options.phoenix_load or f"{self.options.phoenix}/load.py")
            run([sys.executable, load, file, "--base-url", url, "--project", "rates", "--via", "rest"])
            clients = {
                "pull": lambda: self.pull("phoenix", ["rates"], {"PHOENIX_COLLECTOR_ENDPOINT": url}, DAY),
                "client": lambda: self.script(PHOENIX, url, "rates"),
            }
            self.compare("phoenix", total, clients)
        return None

    def opik(self):
        if not has(self.options.python, "opik"):
            return print("opik     left out: no opik")
        server = OpikStandin(self.options.opik_spans)
        url = f"http://127.0.0.1:{server.server_address[1]}/api/"
        environment = {"OPIK_URL_OVERRIDE": url, "OPIK_WORKSPACE": "default"}
        clients = {
            "pull": lambda: self.pull("opik", ["rates"], environment, DAY),
            "sdk": lambda: self.script(OPIK, url, "default", "rates"),
        }
        self.compare("opik", server.total, clients)
        server.shutdown()
        return None


def phoenix_span(number):
    text = f"the question number {number} " * 12
    return {
        "name": f"step {number % 7}", "context": {"trace_id": f"{number // 8 + 1:032x}", "span_id": f"{number + 1:016x}"},
        "span_kind": "LLM", "parent_id": f"{number:016x}" if number % 8 else None, "start_time": f"2026-01-02T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z",
        "end_time": "2026-01-03T03:04:06Z", "status_code": "OK",
        "attributes": {
            "llm.model_name": "gpt-4o", "llm.token_count.total": number % 900, "input.value": text, "output.value": text[::-1],
            "llm.input_messages": [{"message": {"role": "user", "content": text}}], "session.id": f"s{number // 64}",
        },
    }


class OpikStandin(ThreadingHTTPServer):
    """Gives prepared rows of traces and spans, newest first, page by page."""

    daemon_threads = True

    def __init__(self, spans):
        self.rows = {"traces": [], "spans": []}
        identifier = lambda number: f"0190{number >> 32:04x}-{number >> 16 & 0xffff:04x}-7000-8000-{number & 0xffff:012x}"
        for number in reversed(range(spans)):
            trace, text = number // 8, f"the question number {number} " * 12
            at = f"2026-01-02T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z"
            row = {
                "id": identifier(number + 1), "trace_id": identifier(trace + (1 << 40)), "name": f"step {number % 7}", "type": "llm", "start_time": at,
                "parent_span_id": identifier(number) if number % 8 else None, "end_time": at, "input": {"messages": [{"role": "user", "content": text}]},
                "output": {"answer": text[::-1]}, "model": "gpt-4o", "usage": {"total_tokens": number % 900, "prompt_tokens": 1},
                "tags": ["a"], "metadata": {"n": number}, "total_estimated_cost": 0.01, "project_id": identifier(7),
            }
            self.rows["spans"].append((row["id"], json.dumps(row).encode() + b"\r\n"))
            if number % 8 == 0:
                row = {"id": row["trace_id"], "name": "run", "start_time": at, "end_time": at, "input": row["input"], "output": row["output"], "thread_id": f"s{trace // 8}"}
                self.rows["traces"].append((row["id"], json.dumps(row).encode() + b"\r\n"))
        self.total = sum(map(len, self.rows.values()))
        self.places = {kind: {id: at for at, (id, _) in enumerate(rows)} for kind, rows in self.rows.items()}
        self.project = json.dumps({"id": identifier(7), "name": "rates"}).encode()
        super().__init__(("127.0.0.1", 0), OpikHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class OpikHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def give(self, content, kind="application/json", status=200):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        path = self.path.split("?")[0]
        if path.endswith("/projects"):
            return self.give(b'{"page": 1, "size": 1, "total": 1, "content": [' + self.server.project + b"]}")
        kind = path.rsplit("/", 1)[-1]
        rows = self.server.rows.get(kind, [])
        content = rows[0][1] if rows else b""
        return self.give(b'{"page": 1, "size": 1, "total": %d, "content": [%s]}' % (len(rows), content))

    def do_POST(self):
        text = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.headers.get("content-encoding") == "gzip":
            import gzip

            text = gzip.decompress(text)
        parts = self.path.split("?")[0].strip("/").split("/")
        if parts[-1] == "retrieve":
            return self.give(self.server.project)
        if parts[-1] != "search":
            return self.give(b"{}")
        body = json.loads(text)
        rows, places = self.server.rows[parts[-2]], self.server.places[parts[-2]]
        after = body.get("last_retrieved_id")
        start = places[after] + 1 if after else 0
        return self.give(b"".join(row for _, row in rows[start : start + (body.get("limit") or 500)]), "application/octet-stream")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, help="the binary (default: the release build of this repository)")
    parser.add_argument("--python", default=sys.executable, help="a Python with the vendors' clients; `ax` lies beside it")
    parser.add_argument("--phoenix", help="the directory of what starts and fills a Phoenix, or the URL of one that runs")
    parser.add_argument("--phoenix-load", help="what fills a Phoenix that is named by its URL")
    parser.add_argument("--spans", type=int, default=200_000, help="spans of the Flight server")
    parser.add_argument("--ax-spans", type=int, default=20_000, help="spans of the Flight server that `ax` reads")
    parser.add_argument("--phoenix-spans", type=int, default=4_000, help="storing them takes a second for a hundred")
    parser.add_argument("--opik-spans", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--least", type=float, default=0.95)
    parser.add_argument("--only", choices=["arize", "phoenix", "opik"])
    options = parser.parse_args()
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    options.bin = (options.bin or target / "release" / "spanql").resolve()
    if not options.bin.is_file():
        sys.exit(f"{options.bin}: no such binary; run `cargo build --release`, or name one with --bin")
    with tempfile.TemporaryDirectory(prefix="spanql-rates-") as place:
        bench = Bench(options, pathlib.Path(place))
        for source in ["arize", "phoenix", "opik"]:
            if options.only in (None, source):
                getattr(bench, source)()
    for failure in bench.failures:
        print(f"BROKEN: {failure}")
    return 1 if bench.failures else 0


if __name__ == "__main__":
    sys.exit(main())
