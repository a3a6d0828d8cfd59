#!/usr/bin/env python3
"""Measures pulling spans over Flight on loopback: rate, CPU and peak memory, beside two peers.

One server holds N spans. Three clients read all of them from it, one after the other and --runs times over, each a process of
its own:

  drain   reads the stream with pyarrow and drops it: what the server and the connection can give
  sdk     the official SDK's export_to_parquet: one file of what came
  pull    spanql pull: merged into a new store, with trees and summaries, committed

Spans come in two shapes: `wide` ones as `spanql demo` makes them, and `short` ones, of ids, names, times and numbers. Figures
are medians, with the least and the greatest rate; `server` is the CPU time that the server took meanwhile.

Limits: pull's peak and the server's peak stay under --limit-gib, of several sizes the largest needs at most --flat times the
memory of the smallest, and each store that was pulled into holds every span. Where the SDK is, pull is faster.
Exit status 1 if one is broken.

With --into BASE, a store of BASE short spans is pulled into, so that the pull has as many slices as its spans make; it says how
long the spans of its first slices took, and those of its last ones, which must be no slower by more than --slower.

usage: python3 benches/pull.py --python VENV/bin/python                          the real thing, by hand
       python3 benches/pull.py --shapes short --spans 1000000,5000000 --runs 1   whether memory stays flat
       python3 benches/pull.py --into 5000000 --spans 10000000                   200 slices into a store of five million
       python3 benches/pull.py --spans 20000 --runs 1                            a small try

VENV needs pyarrow for `drain` and for short spans, and arize for `sdk`; what is not there is left out, and that is said.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime

ROOT = pathlib.Path(__file__).resolve().parent.parent
MIB = 1 << 20
TOKEN = "bench-token"
START, END = "2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z"
# Short spans are this far apart, and begin here: ns.
EPOCH, STEP = 1_750_000_000_000_000_000, 50_000_000

DRAIN = """
import json, sys
import pyarrow.flight as flight
port, space, token, *projects = sys.argv[1:]
client = flight.connect(f"grpc+tcp://127.0.0.1:{port}")
options = flight.FlightCallOptions(headers=[(b"auth-token-bin", token.encode())])
rows = 0
for project in projects:
    command = {"spaceId": space, "modelId": project, "environment": "TRACING", "startTime": "%s", "endTime": "%s"}
    info = client.get_flight_info(flight.FlightDescriptor.for_command(json.dumps(command)), options)
    if info.total_records:
        for chunk in client.do_get(info.endpoints[0].ticket, options):
            rows += chunk.data.num_rows
print(rows)
""" % (START, END)

SDK = """
import logging, os, sys
from datetime import datetime
os.environ.update(ARIZE_LOG_ENABLE="false", TQDM_DISABLE="1")
from arize import ArizeClient
import pyarrow.parquet as pq
logging.disable(logging.CRITICAL)
port, space, token, folder, *projects = sys.argv[1:]
client = ArizeClient(api_key=token, flight_host="127.0.0.1", flight_port=int(port), flight_scheme="grpc+tcp")
rows = 0
times = [datetime.fromisoformat(text.replace("Z", "+00:00")) for text in ("%s", "%s")]
for number, project in enumerate(projects):
    path = os.path.join(folder, f"{number}.parquet")
    client.spans.export_to_parquet(path=path, space_id=space, project_name=project, start_time=times[0], end_time=times[1])
    rows += pq.read_metadata(path).num_rows
print(rows)
""" % (START, END)

# Writes short spans in traces of five, with numbers for ids from a first one on.
SHORT = """
import sys
import numpy, pyarrow as pa, pyarrow.parquet as pq
file, first, count, epoch, step = sys.argv[1], *map(int, sys.argv[2:])
hexed = lambda numbers, width: pa.array(["%0*x" % (width, number) for number in numbers.tolist()])
writer = None
for start in range(first, first + count, 100_000):
    n = numpy.arange(start, min(start + 100_000, first + count), dtype=numpy.int64)
    place, trace = n % 5, n // 5
    times = epoch + n * step
    rows = pa.table({
        "context.trace_id": hexed(trace + 1, 32),
        "context.span_id": hexed(n + 1, 16),
        "parent_id": pa.array(["%016x" % (number + 1) if at else None for number, at in zip((trace * 5).tolist(), place.tolist())]),
        "name": pa.array(["agent", "plan", "llm", "tool", "llm"]).take(pa.array(place)),
        "attributes.openinference.span.kind": pa.array(["AGENT", "CHAIN", "LLM", "TOOL", "LLM"]).take(pa.array(place)),
        "start_time": pa.array(times, pa.timestamp("ns", "UTC")),
        "end_time": pa.array(times + 1_000_000 * (1 + n % 997), pa.timestamp("ns", "UTC")),
        "status_code": pa.array(["OK", "ERROR"]).take(pa.array((n % 50 == 0).astype(numpy.int8))),
        "attributes.llm.token_count.prompt": pa.array(n % 1009, mask=(place % 2 == 1)),
        "attributes.llm.token_count.completion": pa.array(n % 211, mask=(place % 2 == 1)),
    })
    writer = writer or pq.ParquetWriter(file, rows.schema, compression="zstd")
    writer.write_table(rows)
writer.close()
"""


class Run:
    """What a command that has ended took."""

    def __init__(self, command, env=None, watch=None):
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            began = time.monotonic()
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=errors, env=env)
            while watch and os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                watch(process.pid)
                time.sleep(0.1)
            _, status, usage = os.wait4(process.pid, 0)
            self.seconds = time.monotonic() - began
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            errors.seek(0)
            if process.returncode != 0:
                sys.exit(f"{command[0]}: exit {process.returncode}\n{errors.read().decode(errors='replace')[-2000:]}")
            self.out = out.read().decode()
            self.peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
            self.cpu = usage.ru_utime + usage.ru_stime


def cpu_of(process):
    """Seconds of CPU of a process so far; 0 where the system does not say."""
    try:
        fields = pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Server:
    """`spanql serve` over a store, until the block ends."""

    def __init__(self, binary, store):
        # In the environment, so that the token is in no list of processes.
        environment = {**os.environ, "SPANQL_SERVE_TOKEN": TOKEN}
        command = [binary, "--store", store, "serve"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True)

    def __enter__(self):
        ready = json.loads(self.process.stdout.readline())
        self.projects = [project["name"] for project in ready["projects"]]
        self.arguments = [str(ready["flight_port"]), ready["space_id"], TOKEN]
        self.environment = {
            **os.environ, "ARIZE_API_KEY": TOKEN, "ARIZE_FLIGHT_HOST": "127.0.0.1", "ARIZE_FLIGHT_SCHEME": "grpc+tcp",
            "ARIZE_FLIGHT_PORT": str(ready["flight_port"]), "ARIZE_API_HOST": "127.0.0.1", "ARIZE_API_SCHEME": "http",
            "ARIZE_API_PORT": str(ready["http_port"]), "ARIZE_SPACE_ID": ready["space_id"],
        }
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def peak(self):
        """Peak resident bytes so far; 0 where the system does not say."""
        try:
            status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return 0
        return next((int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM")), 0)

    def cpu(self):
        """Seconds of CPU so far."""
        return cpu_of(self.process.pid)


class Bench:
    def __init__(self, binary, options, place):
        self.binary, self.options, self.place, self.failures = binary, options, place, []

    def has(self, module):
        return subprocess.run([self.options.python, "-c", f"import {module}"], capture_output=True).returncode == 0

    def spans_in(self, store):
        out = Run([self.binary, "-q", "--store", store, "query", "SELECT count(*) AS spans FROM spans", "-o", "json"]).out
        return json.loads(out)[0]["spans"]

    def short(self, store, first, count):
        """Imports short spans."""
        file = self.place / "short.parquet"
        Run([self.options.python, "-c", SHORT, str(file), *map(str, (first, count, EPOCH, STEP))])
        Run([self.binary, "-q", "--store", store, "import", file, "--as", "short"])
        file.unlink()

    def served(self, shape, spans):
        if self.options.store:
            return self.options.store
        store = self.place / f"{shape}-{spans}"
        if shape == "wide":
            Run([self.binary, "-q", "demo", "--spans", str(spans), "--keep", store])
        else:
            self.short(store, 0, spans)
        return store

    def clients(self):
        """What each client does: gives its spans, and what it took."""
        def python(code):
            return lambda server, *before: (lambda run: (int(run.out), [run]))(
                Run([self.options.python, "-c", code, *server.arguments, *before, *server.projects]))

        def pull(server):
            store = self.place / "pulled"
            runs = [Run(self.pulling(store, project), server.environment) for project in server.projects]
            rows = self.spans_in(store)
            shutil.rmtree(store)
            return rows, runs

        clients = {"drain": python(DRAIN) if self.has("pyarrow") else None}
        sdk = python(SDK) if self.has("arize") else None
        clients["sdk"] = sdk and (lambda server: sdk(server, str(self.place)))
        clients["pull"] = pull
        for name in [name for name, client in clients.items() if client is None]:
            print(f"{name} is left out: {self.options.python} lacks what it needs")
            del clients[name]
        return clients

    def pulling(self, store, project):
        return [self.binary, "-q", "--store", store, "pull", "arize", project, "--start-time", START, "--end-time", END]

    def compare(self, clients, shape, spans):
        """Runs all clients in turn; gives the peaks of the pull and the server."""
        served = self.served(shape, spans)
        total = self.spans_in(served)
        with Server(self.binary, served) as server:
            print(f"\n{total:,} {shape} spans in {len(server.projects)} projects, {self.options.runs} runs")
            print(f"{'client':<8}{'spans/s':>10}{'least':>10}{'most':>10}{'of drain':>10}{'of sdk':>8}{'CPU s':>8}"
                  f"{'server s':>10}{'peak MiB':>10}{'server MiB':>12}")
            taken = {name: [] for name in clients}
            for _ in range(self.options.runs):
                for name, client in clients.items():
                    before = server.cpu()
                    rows, runs = client(server)
                    if rows != total:
                        self.failures.append(f"{name} read {rows:,} of {total:,} spans")
                    taken[name].append((
                        rows / sum(run.seconds for run in runs), sum(run.cpu for run in runs), server.cpu() - before,
                        max(run.peak for run in runs), server.peak(),
                    ))
            rates = {name: statistics.median(rate for rate, *_ in of) for name, of in taken.items()}
            for name, of in taken.items():
                each = [rate for rate, *_ in of]
                share = [f"{rates[name] / rates[other]:.2f}" if other in rates else "?" for other in ("drain", "sdk")]
                cpu, server_cpu = (statistics.median(one[at] for one in of) for at in (1, 2))
                print(f"{name:<8}{rates[name]:>10,.0f}{min(each):>10,.0f}{max(each):>10,.0f}{share[0]:>10}{share[1]:>8}{cpu:>8.1f}"
                      f"{server_cpu:>10.1f}{max(one[3] for one in of) / MIB:>10,.0f}{of[-1][4] / MIB:>12,.0f}", flush=True)
            if rates.get("sdk", 0) >= rates["pull"]:
                self.failures.append(f"{shape} spans: the SDK writes faster what came")
            peaks = max(one[3] for one in taken["pull"]), server.peak()
        if not self.options.store:
            shutil.rmtree(served)
        return peaks

    def check(self, shape, peaks):
        """Holds the peaks of one shape, by size, to their limits."""
        for at, what in enumerate(("pull", "server")):
            used = [of[at] / (1 << 30) for of in peaks]
            kept = max(used) <= self.options.limit_gib
            growth = used[-1] / used[0] if used[0] else 1.0
            flat = len(used) == 1 or growth <= self.options.flat
            print(f"{shape} {what:<8}peak GiB {max(used):.2f}, limit {self.options.limit_gib:.2f}"
                  + (f"; {growth:.2f} times that of the smallest, limit {self.options.flat:.2f}" if len(used) > 1 else ""))
            if not kept or not flat:
                self.failures.append(f"{shape} spans: memory of {what}")

    def into(self, base, spans):
        """Pulls into a store that holds spans already, and compares the first slices with the last ones."""
        target, served = self.place / "target", self.place / "served"
        self.short(target, spans, base)
        self.short(served, 0, spans)
        used = []
        watch = lambda process: used.append((max(map(int, (name.stem for name in (target / "manifest").glob("*.json")))), cpu_of(process)))
        with Server(self.binary, served) as server:
            run = Run(self.pulling(target, "short"), server.environment, watch)
        if (rows := self.spans_in(target)) != base + spans:
            self.failures.append(f"there are {rows:,} spans, and not {base + spans:,}")
        # From the first slice on: what was there before was committed before the server had spans.
        commits = [commit for commit in self.commits(target) if commit[1] > base]
        first, last = (self.took(commits, base + spans * part // 10, base + spans * (part + 1) // 10) for part in (0, 9))
        print(f"{spans:,} short spans into a store of {base:,}: {spans / run.seconds:,.0f} spans/s, {len(commits)} commits, "
              f"peak {run.peak / MIB:,.0f} MiB")
        print(f"seconds for a million spans: {first:.2f} in the first tenth, {last:.2f} in the last one")
        spans_at = {version: count for _, count, version in self.commits(target)}
        used = [(cpu, spans_at[version], version) for version, cpu in used if version in spans_at]
        first, last = (self.took(used, base + spans * part // 10, base + spans * (part + 1) // 10) for part in (0, 9))
        print(f"of the processor: {first:.2f} in the first tenth, {last:.2f} in the last one")
        if last > first * self.options.slower:
            self.failures.append(f"the last slices took {last / first:.2f} times as long as the first")

    def commits(self, store):
        """When there were how many spans, in which version."""
        out = Run([self.binary, "-q", "--store", store, "store", "versions", "-o", "json"]).out
        seconds = lambda text: datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
        return [(seconds(row["committed"]), row["spans"], row["version"]) for row in json.loads(out)]

    def took(self, commits, start, end):
        """Seconds for a million spans between the commits that reached so many."""
        at = lambda spans: next((commit for commit in commits if commit[1] >= spans), commits[-1])
        began, ended = at(start), at(end)
        return (ended[0] - began[0]) / max(ended[1] - began[1], 1) * 1e6

    def run(self):
        if self.options.into:
            for spans in self.options.spans:
                self.into(self.options.into, spans)
        else:
            clients = self.clients()
            for shape in self.options.shapes:
                self.check(shape, [self.compare(clients, shape, spans) for spans in self.options.spans])
        for failure in self.failures:
            print(f"BROKEN: {failure}")
        return 1 if self.failures else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, help="the binary (default: the release build of this repository)")
    parser.add_argument("--python", default=sys.executable, help="a Python with pyarrow and arize")
    parser.add_argument("--spans", type=lambda text: [int(part) for part in text.split(",")], default=[1_000_000],
                        help="how many, or several sizes")
    parser.add_argument("--shapes", type=lambda text: text.split(","), default=["wide", "short"])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--store", help="serve this store instead of generated spans")
    parser.add_argument("--into", type=int, metavar="BASE", help="pull into a store of so many short spans")
    parser.add_argument("--dir", help="where to put files (default: the system's temporary directory)")
    parser.add_argument("--limit-gib", type=float, default=1.0)
    parser.add_argument("--flat", type=float, default=1.25)
    parser.add_argument("--slower", type=float, default=1.1)
    options = parser.parse_args()
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    binary = options.bin or target / "release" / "spanql"
    if not binary.is_file():
        sys.exit(f"{binary}: no such binary; run `cargo build --release`, or name one with --bin")
    with tempfile.TemporaryDirectory(dir=options.dir, prefix="spanql-pull-") as place:
        return Bench(binary, options, pathlib.Path(place)).run()


if __name__ == "__main__":
    sys.exit(main())
