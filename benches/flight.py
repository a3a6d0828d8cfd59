#!/usr/bin/env python3
"""Measures pulling spans over Flight on loopback: rate and peak memory, client and server, beside two peers.

One server holds N generated spans. Three clients read all of them from it, one after the other, each a process of its own:

  drain   reads the stream with pyarrow and drops it: what the server and the connection can give
  sdk     the official SDK's export_to_parquet: one file of what came
  pull    spanql pull: merged into a store, with trees and summaries

Limits: pull's peak and the server's peak stay under --limit-gib, and the store pulled into holds every span.
Exit status 1 if one is broken.

usage: python3 benches/flight.py --python VENV/bin/python    the real thing, by hand: two million spans
       python3 benches/flight.py --spans 20000               a small try

VENV needs pyarrow for `drain`, and arize for `sdk`; what is not there is left out, and that is said.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
MIB = 1 << 20
TOKEN = "bench-token"
START, END = "2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z"

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


def run(command, env=None):
    """Runs a command; gives its stdout, its peak resident bytes and its seconds."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        began = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=errors, env=env)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        errors.seek(0)
        if process.returncode != 0:
            sys.exit(f"{command[0]}: exit {process.returncode}\n{errors.read().decode(errors='replace')[-2000:]}")
        unit = 1 if sys.platform == "darwin" else 1024
        return out.read().decode(), usage.ru_maxrss * unit, seconds


def peak_of(process):
    """Peak resident bytes of a process that still runs; 0 where the system does not say."""
    try:
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM")), 0)


def has(python, module):
    return subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode == 0


def spans_in(binary, store):
    out, _, _ = run([binary, "-q", "--store", store, "query", "SELECT count(*) AS spans FROM spans", "-o", "json"])
    return json.loads(out)[0]["spans"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, help="the binary (default: the release build of this repository)")
    parser.add_argument("--python", default=sys.executable, help="a Python with pyarrow and arize")
    parser.add_argument("--spans", type=int, default=2_000_000)
    parser.add_argument("--store", help="serve this store instead of generated spans")
    parser.add_argument("--dir", help="where to put files (default: the system's temporary directory)")
    parser.add_argument("--limit-gib", type=float, default=1.0)
    options = parser.parse_args()
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    binary = options.bin or target / "release" / "spanql"
    if not binary.is_file():
        sys.exit(f"{binary}: no such binary; run `cargo build --release`, or name one with --bin")
    with tempfile.TemporaryDirectory(dir=options.dir, prefix="spanql-flight-") as place:
        return measure(binary, options, pathlib.Path(place))


def measure(binary, options, place):
    served = options.store or place / "served"
    if not options.store:
        run([binary, "-q", "demo", "--spans", str(options.spans), "--keep", served])
    total = spans_in(binary, served)
    command = [binary, "--store", served, "serve"]
    # In the environment, so that the token is in no list of processes.
    environment = {**os.environ, "SPANQL_SERVE_TOKEN": TOKEN}
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True)
    try:
        ready = json.loads(server.stdout.readline())
        projects = [project["name"] for project in ready["projects"]]
        where = [str(ready["flight_port"]), ready["space_id"], TOKEN]
        return compare(binary, options, place, server, ready, projects, where, total)
    finally:
        server.terminate()
        server.wait()


def compare(binary, options, place, server, ready, projects, where, total):
    print(f"{total:,} spans in {len(projects)} projects")
    print(f"{'client':<8}{'spans':>12}{'seconds':>10}{'spans/s':>12}{'of drain':>10}{'peak MiB':>10}{'server MiB':>12}", flush=True)
    drained = None
    failures = []

    def line(name, rows, seconds, peak):
        nonlocal drained
        rate = rows / seconds
        drained = drained or (rate if name == "drain" else None)
        share = f"{rate / drained:>10.2f}" if drained else f"{'?':>10}"
        print(f"{name:<8}{rows:>12,}{seconds:>10.1f}{rate:>12,.0f}{share}{peak / MIB:>10,.0f}{peak_of(server) / MIB:>12,.0f}", flush=True)
        if rows != total:
            failures.append(f"{name} read {rows:,} of {total:,} spans")

    if has(options.python, "pyarrow"):
        out, peak, seconds = run([options.python, "-c", DRAIN, *where, *projects])
        line("drain", int(out), seconds, peak)
    else:
        print("drain    left out: no pyarrow")
    if has(options.python, "arize"):
        out, peak, seconds = run([options.python, "-c", SDK, *where, str(place), *projects])
        line("sdk", int(out), seconds, peak)
    else:
        print("sdk      left out: no arize")
    store, peak, seconds = place / "pulled", 0, 0.0
    environment = {
        **os.environ, "ARIZE_API_KEY": TOKEN, "ARIZE_FLIGHT_HOST": "127.0.0.1", "ARIZE_FLIGHT_SCHEME": "grpc+tcp",
        "ARIZE_FLIGHT_PORT": str(ready["flight_port"]), "ARIZE_API_HOST": "127.0.0.1", "ARIZE_API_SCHEME": "http",
        "ARIZE_API_PORT": str(ready["http_port"]), "ARIZE_SPACE_ID": ready["space_id"],
    }
    for project in projects:
        command = [binary, "-q", "--store", store, "pull", "arize", project, "--start-time", START, "--end-time", END]
        _, one_peak, one = run(command, environment)
        peak, seconds = max(peak, one_peak), seconds + one
    line("pull", spans_in(binary, store), seconds, peak)
    print()
    for what, bytes_used in [("pull", peak), ("server", peak_of(server))]:
        used = bytes_used / (1 << 30)
        kept = used <= options.limit_gib
        print(f"{what:<8}peak GiB {used:.2f}  limit {options.limit_gib:.2f}  {'ok' if kept else 'BROKEN'}")
        if not kept:
            failures.append(f"{what} needed {used:.2f} GiB")
    for failure in failures:
        print(f"BROKEN: {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
