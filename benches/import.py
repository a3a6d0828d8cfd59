#!/usr/bin/env python3
"""Measures imports of many short spans beside DuckDB's plain load of the same file, and says whether they keep their limits.

The spans are made up without chance, as many as asked for, in traces of ten with a tree of four levels: about fifteen columns,
a short input and output, tokens, a session. Columns are what SQL of DuckDB makes of numbers, so that ten million take seconds.

  parquet    spanql import spans.parquet: trees, summaries and all; DuckDB: CREATE TABLE … AS SELECT * FROM 'spans.parquet'
  jsonl      the same with JSON lines; DuckDB reads them by read_json

Each is done --runs times, by turns, each time by a process of its own; the medians count. The size of the store is compared with that of
the same spans as plain Parquet, compressed by zstd, as `spanql query "SELECT * FROM spans"` has them.

Limits, of the largest size: spans a second, times DuckDB's time (an aim: it is only shown), peak memory, growth of the peak from the
smallest size, the size of the store. Exit status 1 if one is broken.

usage: python3 benches/import.py                                the real thing: 1 and 10 million spans
       python3 benches/import.py --spans 20000 --runs 1         a small try: shows that it works, and not how fast it is

Needs the Python package duckdb.
"""
import argparse
import importlib.util
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

from memory import ROOT, run

SPANS = """
SELECT 'shop' AS project,
  md5('t' || trace::VARCHAR) AS "context.trace_id",
  substr(md5('s' || n::VARCHAR), 1, 16) AS "context.span_id",
  CASE WHEN nth > 0 THEN substr(md5('s' || (trace * 10 + (nth - 1) // 3)::VARCHAR), 1, 16) END AS "parent_id",
  ['agent', 'plan', 'search', 'answer', 'rerank'][1 + nth % 5] AS "name",
  ['AGENT', 'CHAIN', 'RETRIEVER', 'LLM', 'TOOL'][1 + nth % 5] AS "attributes.openinference.span.kind",
  make_timestamp_ns((1793700000000000000 + trace * 150000000 + nth * 7000000)::BIGINT) AS "start_time",
  make_timestamp_ns((1793700000000000000 + trace * 150000000 + nth * 7000000 + 2000000 + hash(n) % 90000000)::BIGINT) AS "end_time",
  CASE WHEN hash(n) % 40 = 0 THEN 'ERROR' ELSE 'OK' END AS "status_code",
  'Where is my parcel number ' || (hash(n + 1) % 1000000)::VARCHAR || '?' AS "attributes.input.value",
  'It left the depot ' || (hash(n + 2) % 1000)::VARCHAR || ' hours ago.' AS "attributes.output.value",
  CASE WHEN nth % 5 = 3 THEN ['gpt-5', 'claude-opus', 'gemini-3'][1 + trace % 3] END AS "attributes.llm.model_name",
  CASE WHEN nth % 5 = 3 THEN (hash(n + 3) % 2000)::BIGINT END AS "attributes.llm.token_count.prompt",
  CASE WHEN nth % 5 = 3 THEN (hash(n + 4) % 500)::BIGINT END AS "attributes.llm.token_count.completion",
  'session-' || (trace // 4)::VARCHAR AS "attributes.session.id",
  CASE WHEN nth % 5 = 2 THEN (hash(n + 5) % 20)::BIGINT END AS "attributes.retries"
FROM (SELECT n, n // 10 AS trace, n % 10 AS nth FROM range({spans}) r(n))
"""


def copy(query, file, form):
    """Writes what a query gives. In a process of its own: a child begins with the peak of the process that made it."""
    statement = f"COPY ({query}) TO '{file}' ({form})"
    subprocess.run([sys.executable, "-c", "import sys, duckdb; duckdb.sql(sys.argv[1])", statement], stdout=subprocess.DEVNULL, check=True)


def write(file, spans, form):
    """Writes the spans; lines have the times as nanoseconds, which no reader rounds."""
    query = SPANS.format(spans=spans)
    if form == "jsonl":
        times = "epoch_ns(start_time) AS start_time, epoch_ns(end_time) AS end_time"
        query = f"SELECT * REPLACE ({times}) FROM ({query})"
        copy(query, file, "FORMAT json")
    else:
        copy(query, file, "FORMAT parquet, COMPRESSION zstd")


LOAD = """
import sys, duckdb
database, file, form = sys.argv[1:]
read = f"read_json('{file}', format='newline_delimited')" if form == "jsonl" else f"'{file}'"
duckdb.connect(database).sql(f"CREATE TABLE spans AS SELECT * FROM {read}")
"""


def size_of(folder):
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def measure(options, binary, form, spans, place):
    """Gives the medians of one format and size: seconds, peak bytes, DuckDB's seconds, and how large the store is to plain Parquet."""
    file, store, plain = place / f"spans.{form}", place / "store", place / "plain.parquet"
    write(file, spans, form)
    ours, peaks, theirs, ratio = [], [], [], 0.0
    for turn in range(options.runs):
        shutil.rmtree(store, ignore_errors=True)
        peak, seconds = run([binary, "-q", "--store", store, "import", file])
        ours.append(seconds)
        peaks.append(peak)
        if turn == 0:
            asked = "SELECT count(*) AS n FROM spans"
            said = subprocess.run([binary, "-q", "--store", store, "query", asked, "-o", "csv"], capture_output=True, text=True, check=True)
            if said.stdout.split() != ["n", str(spans)]:
                sys.exit(f"{spans} spans were written, and this is read: {said.stdout}")
            run([binary, "-q", "--store", store, "query", "SELECT * FROM spans", "-o", plain])
            # Written anew by DuckDB: nothing of how the store orders its pages is in the size it is compared with.
            again = place / "again.parquet"
            copy(f"SELECT * FROM '{plain}'", again, "FORMAT parquet, COMPRESSION zstd")
            ratio = size_of(store) / again.stat().st_size
            again.unlink()
            plain.unlink()
        database = place / "spans.duckdb"
        _, seconds = run([sys.executable, "-c", LOAD, database, file, form])
        theirs.append(seconds)
        database.unlink()
    shutil.rmtree(store)
    file.unlink()
    return statistics.median(ours), statistics.median(peaks), statistics.median(theirs), ratio


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, help="the binary (default: the release build of this repository)")
    parser.add_argument("--spans", default="1000000,10000000", help="numbers of spans (default: 1000000,10000000)")
    parser.add_argument("--formats", default="parquet,jsonl", help="what is imported (default: parquet,jsonl)")
    parser.add_argument("--runs", type=int, default=3, help="how often each is done (default: 3)")
    parser.add_argument("--dir", help="where to put files (default: the system's temporary directory)")
    parser.add_argument("--parquet-rate", type=int, default=400_000, help="spans a second from Parquet (default: 400000)")
    parser.add_argument("--jsonl-rate", type=int, default=150_000, help="spans a second from JSON lines (default: 150000)")
    parser.add_argument("--peak-mb", type=int, default=700, help="peak memory in MB (default: 700)")
    parser.add_argument("--growth", type=float, default=1.3, help="peak of the largest size to that of the smallest (default: 1.3)")
    parser.add_argument("--store-ratio", type=float, default=1.2, help="size of the store to plain Parquet (default: 1.2)")
    options = parser.parse_args()
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    binary = options.bin or target / "release" / "spanql"
    if not binary.is_file():
        sys.exit(f"{binary}: no such binary; run `cargo build --release`, or name one with --bin")
    if importlib.util.find_spec("duckdb") is None:
        sys.exit("the Python package duckdb is missing: pip install duckdb")

    broken = False
    print(f"{'format':<9}{'spans':>12}{'seconds':>9}{'spans/s':>10}{'duckdb s':>10}{'times':>7}{'peak MB':>9}{'store':>7}", flush=True)
    for form in options.formats.split(","):
        peaks = []
        for spans in sorted(int(part.replace("_", "")) for part in options.spans.split(",")):
            with tempfile.TemporaryDirectory(dir=options.dir, prefix="spanql-import-") as place:
                seconds, peak, theirs, ratio = measure(options, binary, form, spans, pathlib.Path(place))
            peaks.append(peak)
            rate = spans / seconds
            line = f"{form:<9}{spans:>12,}{seconds:>9.2f}{rate:>10,.0f}{theirs:>10.2f}{seconds / theirs:>7.2f}{peak / 1e6:>9,.0f}{ratio:>7.2f}"
            print(line, flush=True)
        wanted = options.parquet_rate if form == "parquet" else options.jsonl_rate
        limits = [("spans/s", rate, wanted, rate >= wanted), ("peak MB", peak / 1e6, options.peak_mb, peak / 1e6 <= options.peak_mb),
                  ("growth", peaks[-1] / peaks[0], options.growth, peaks[-1] / peaks[0] <= options.growth),
                  ("store", ratio, options.store_ratio, ratio <= options.store_ratio)]
        for what, value, limit, kept in limits:
            broken |= not kept
            print(f"{form:<9}{what:<9}{value:>12,.2f}  limit {limit:,.2f}  {'ok' if kept else 'BROKEN'}", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
