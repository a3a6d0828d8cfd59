#!/usr/bin/env python3
"""Commits a few spans thousands of times into a store that holds many, as an exporter does, and says what that leaves behind.

Each commit is an import of 20 spans: new traces, and late spans of traces that the store holds. What is measured: how long a
commit takes, beside the start of a process and what it waits for the disk, and how much of the processor; how many files queries
open beyond the large segments; the size of what counts beside one import of the same spans; how long queries take beside the same
ones on the compacted store. A commit waits for the disk twice, one after the other: for its files, and for the manifest that names
them. What such a wait costs is measured between the commits, by a new file as large as theirs that is written through.
`cargo bench --bench commits` does the same in one process, as a server commits. Needs pyarrow. The full size, for which a release build is asked for: --spans 1000000 --commits 3600.
"""

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

# How often a commit waits for the disk, one after the other.
SYNCS = 2
BASE = 1_767_225_600_000_000_000
QUERIES = [
    "SELECT name, count(*), sum(attributes.llm.token_count.total) FROM spans GROUP BY name ORDER BY name",
    "SELECT count(*) FROM traces WHERE span_count > 4",
    "SELECT trace_id, start_time FROM spans ORDER BY start_time DESC LIMIT 20",
    "SELECT session_id, trace_count FROM sessions ORDER BY 2 DESC, 1 LIMIT 10",
    "SELECT * FROM spans WHERE trace_id = 't500'",
]


def span(trace, number, late=False):
    start = BASE + trace * 1_000_000 + number * 1000
    return {
        "trace_id": f"t{trace}",
        "span_id": f"{trace:x}-{number}",
        "parent_id": f"{trace:x}-0" if number else None,
        "name": ["agent", "llm", "tool", "chain", "retriever", "late"][number],
        "start_time": start,
        "end_time": start + 500_000,
        "attributes.session.id": f"s{trace % 5000}",
        "attributes.llm.token_count.total": trace % 900 if number == 1 else None,
        "attributes.input.value": f"question {trace * 7919 % 1000003}" if number == 0 else None,
    }


def commits(spans, count):
    """Four new traces of four spans, and four late spans: two of the base, two of what came lately."""
    chance = random.Random(1)
    base, next_trace = spans // 5, spans // 5
    for _ in range(count):
        rows = [span(trace, number) for trace in range(next_trace, next_trace + 4) for number in range(4)]
        next_trace += 4
        old = chance.sample(range(base), 2) + chance.sample(range(max(base, next_trace - 400), next_trace), 2)
        rows += [span(trace, 5) for trace in old]
        yield rows


def table(rows):
    columns = list(rows[0])
    arrays = {name: [row[name] for row in rows] for name in columns}
    out = pa.table(arrays)
    for name in ("start_time", "end_time"):
        at = out.schema.get_field_index(name)
        out = out.set_column(at, name, out[name].cast(pa.timestamp("ns", tz="UTC")))
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/spanql")
    parser.add_argument("--spans", type=int, default=100_000)
    parser.add_argument("--commits", type=int, default=300)
    parser.add_argument("--keep", help="directory for the stores, which stay")
    options = parser.parse_args()
    binary = os.path.abspath(options.binary)
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(options.keep or temporary)
        place.mkdir(exist_ok=True)
        return measure(binary, place, options)


def run(binary, store, *args, stdin=None):
    done = subprocess.run([binary, "-q", "--store", str(store), *args], input=stdin, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{args}: {done.stderr}")
    return done.stdout


def timed(work, *args, **more):
    began = time.perf_counter()
    work(*args, **more)
    return time.perf_counter() - began


def processor(work, *args, **more):
    """The seconds of the processor that a child takes."""
    used = lambda: sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    began = used()
    work(*args, **more)
    return used() - began


def synced(probe):
    """How long a new file takes to be on disk, when it was written."""
    with open(probe, "wb") as file:
        file.write(b"x" * 40_000)
        file.flush()
        took = timed(os.fsync, file.fileno())
    probe.unlink()
    return took


def manifest(store):
    newest = max((store / "manifest").glob("*.json"))
    return json.loads(newest.read_text())["manifest"]


def live(store):
    """The files of the newest version and their bytes."""
    files = set()
    for segment in manifest(store)["segments"]:
        files.add(f"segments/{segment['id']}.parquet")
        if not segment.get("bundle"):
            files |= {f"traces/{segment['id']}.parquet", f"stats/{segment['id']}.json"}
        files |= {side["file"] for side in segment.get("side", {}).values()}
        if (segment.get("deletions") or {}).get("file"):
            files.add(f"deletions/{segment['deletions']['file']['id']}.json")
    return {file: (store / file).stat().st_size for file in files}


def queries(binary, store):
    return [statistics.median(timed(run, binary, store, "query", sql) for _ in range(5)) for sql in QUERIES]


def measure(binary, place, options):
    traces = options.spans // 5
    base = [place / f"base{part}.parquet" for part in range(10)]
    for part, file in enumerate(base):
        rows = [span(trace, n) for trace in range(traces * part // 10, traces * (part + 1) // 10) for n in range(5)]
        pq.write_table(table(rows), file)
    store, once = place / "store", place / "once"
    run(binary, store, "import", "--project", "p", *map(str, base))
    large = len(manifest(store)["segments"])
    start = statistics.median(timed(run, binary, store, "--version") for _ in range(20))
    start_cpu = statistics.median(processor(run, binary, store, "--version") for _ in range(20))
    took, cpu, every, fsyncs = [], [], [], []
    for rows in commits(options.spans, options.commits):
        every += rows
        lines = "".join(json.dumps({k: v for k, v in row.items() if v is not None}) + "\n" for row in rows)
        began = time.perf_counter()
        cpu.append(processor(run, binary, store, "import", "--project", "p", "-", stdin=lines))
        took.append(time.perf_counter() - began)
        fsyncs.append(synced(place / "probe"))
    pq.write_table(table(every), place / "every.parquet")
    run(binary, once, "import", "--project", "p", *map(str, base), str(place / "every.parquet"))
    opened, segments = len(live(store)), len(manifest(store)["segments"])
    size, size_once = sum(live(store).values()), sum(live(once).values())
    before = queries(binary, store)
    answers = [run(binary, store, "query", sql) for sql in QUERIES[:2]]
    if answers != [run(binary, once, "query", sql) for sql in QUERIES[:2]]:
        sys.exit("the stores answer differently")
    tenth = max(1, len(took) // 10)
    fsync = statistics.median(fsyncs)
    print(f"start of a process {start * 1e3:.1f} ms, fsync of 40 kB {fsync * 1e3:.2f} ms")
    for name, part in (("first tenth", took[:tenth]), ("last tenth", took[-tenth:]), ("all", took)):
        part = [one - start for one in part]
        worst = max(part) * 1e3
        print(f"commits, {name}: median {statistics.median(part) * 1e3:.1f} ms, worst {worst:.1f} ms, without the start")
    each = (statistics.median(cpu) - start_cpu) * 1e3
    print(f"of the processor, each commit: median {each:.1f} ms, without the start, which takes {start_cpu * 1e3:.1f} ms")
    print(f"segments: {large} before, {segments} after; files that queries open: {opened}")
    print(f"bytes that count: {size:,}, of one import {size_once:,}: {size / size_once:.2f} times")
    print(f"compaction: {timed(run, binary, store, 'store', 'compact'):.1f} s")
    after = queries(binary, store)
    for sql, was, now in zip(QUERIES, before, after):
        print(f"{was * 1e3:7.1f} ms, compacted {now * 1e3:7.1f} ms: {was / now:.2f} times: {sql[:70]}")
    beyond = segments - large
    slower = max(was / now for was, now in zip(before, after))
    commit = statistics.median(took) - start - SYNCS * fsync
    holds = beyond <= 30 and size <= 1.3 * size_once and slower <= 1.5 and commit < 0.020
    print(f"{beyond} small files (30), {size / size_once:.2f} of the size (1.3), {slower:.2f} of the time (1.5), "
          f"{commit * 1e3:.1f} ms a commit beside {SYNCS} fsyncs (20): {'holds' if holds else 'DOES NOT HOLD'}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
