"""Asks spanql, DuckDB (over Parquet, and its own table), Polars, chDB and DataFusion the same questions of the same spans.

The spans are written once to a Parquet file, which each loads in its own way. Then each question is asked of all in turn, --runs times, and the
medians count: warm, of one process that was asked it once before, and cold, of a process for each question. Answers that differ end it with
exit status 1. Times of peers are those of the call alone: Python's own start and imports count for none, warm or cold. A ratio is the
peer's time to spanql's: more is better.

What is shown is kept as JSON lines too, by default in benches/results/.

usage: python3 benches/compare --spans 1000000              short spans, warm and cold
       python3 benches/compare --shapes short,wide --spans 100000,1000000,5000000
       python3 benches/compare --spans 20000 --runs 1       a small try: shows that it works
"""
import argparse
import datetime
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

import report
import spans
import tools
from engines import Peer, Shell, equal, forget_peak, peak_mib, timed
from questions import QUESTIONS, text

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# Of a peer that needs so many seconds for a question, one run is enough.
LONG = 5.0


def size_of(folder):
    return sum(file.stat().st_size for file in pathlib.Path(folder).rglob("*") if file.is_file())


def load(options, binary, python, engines, file, shape, scale, place):
    """Loads the file into everybody; gives the lines that say how long it took."""
    lines, store = [], place / f"{file.stem}.store"
    if not store.is_dir():
        began = time.perf_counter()
        subprocess.run([binary, "-q", "--store", store, "import", file], check=True, stdout=subprocess.DEVNULL)
        lines.append({"load": "spanql", "shape": shape, "scale": scale, "ms": (time.perf_counter() - began) * 1000, "bytes": size_of(store)})
    lines.append({"load": "parquet", "shape": shape, "scale": scale, "ms": 0.0, "bytes": file.stat().st_size})
    for engine, kept in (("duckdb-native", f"{file.stem}.duckdb"), ("chdb", f"{file.stem}.chdb")):
        if engine in engines and not (place / kept).exists():
            peer = Peer(python, engine, file, place)
            peer.close()
            if "load" in peer.opened:
                lines.append({"load": engine, "shape": shape, "scale": scale, "ms": peer.opened["load"] * 1000, "bytes": peer.opened["bytes"]})
    return lines, store


def warm(options, binary, python, engines, file, store, place, asked_of, check):
    opened = {}
    for engine in engines:
        if engine == "spanql":
            opened[engine] = Shell(binary, store)
        elif engine != "duckdb-cli":
            opened[engine] = Peer(python, engine, file, place)
    for question in asked_of(None):
        times, peaks, left_out = {}, {}, {}
        for turn in range(options.runs + 1):
            for engine, process in opened.items():
                asked = asked_of(question, engine)
                if asked is None or engine in left_out or (turn > 1 and times[engine][0] > LONG * 1000):
                    continue
                if process.process.poll() is not None:
                    process = opened[engine] = Shell(binary, store) if engine == "spanql" else Peer(python, engine, file, place)
                forget_peak(process.pid)
                answer = process.ask(asked, options.timeout)
                if "skipped" in answer:
                    left_out[engine] = answer["skipped"]
                    continue
                peaks[engine] = max(peaks.get(engine, 0.0), peak_mib(process.pid))
                check(question, engine, answer["rows"])
                # The first is for warmth, unless it is the only one.
                if turn == 0 and answer["ms"] > LONG * 1000:
                    times[engine] = [answer["ms"]]
                elif turn == 0:
                    times[engine] = []
                else:
                    times[engine].append(answer["ms"])
        for engine in opened:
            if engine in left_out:
                yield {"question": question, "engine": engine, "state": "warm", "skipped": left_out[engine]}
            elif times.get(engine):
                yield {"question": question, "engine": engine, "state": "warm", "ms": statistics.median(times[engine]), "peak_mib": peaks[engine]}
    for process in opened.values():
        process.close()


def cold(options, binary, python, engines, file, store, place, asked_of, check):
    cli = python.parent / "duckdb"
    view = f"CREATE VIEW spans AS SELECT {options.aliased[file]} FROM '{file}'; "
    for question in ["", *asked_of(None)]:
        times, peaks, left_out = {}, {}, {}
        for _ in range(options.runs):
            for engine in engines:
                asked = asked_of(question, engine) if question else {"sql": "SELECT 1 AS one", "question": "SELECT 1", "out": None, "trace": ""}
                if asked is None or engine in left_out or (times.get(engine) and times[engine][0] > LONG * 1000):
                    continue
                if engine == "spanql":
                    target = ["-o", asked["out"]] if asked["out"] else ["-o", "jsonl"]
                    answer = timed([binary, "-q", "--store", store, "query", asked["sql"], *target])
                elif engine == "duckdb-cli":
                    sql = f"COPY ({asked['sql']}) TO '{asked['out']}' (FORMAT json)" if asked["out"] else asked["sql"]
                    answer = timed([cli, "-json", "-c", view + sql])
                elif engine == "polars" and not question:
                    continue
                else:
                    began = Peer(python, engine, file, place)
                    answer = began.ask(asked, options.timeout) if "load" in began.opened else dict(began.opened)
                    if "ms" in answer:
                        answer["peak_mib"] = peak_mib(began.pid)
                        answer["ms"] += began.opened["load"] * 1000
                        check(question, engine, answer["rows"])
                    began.close()
                if "skipped" in answer:
                    left_out[engine] = answer["skipped"]
                    continue
                times.setdefault(engine, []).append(answer["ms"])
                peaks[engine] = max(peaks.get(engine, 0.0), answer["peak_mib"])
        for engine, all_of in times.items():
            yield {"question": question or "SELECT 1", "engine": engine, "state": "cold", "ms": statistics.median(all_of), "peak_mib": peaks[engine]}
        for engine, why in left_out.items():
            yield {"question": question or "SELECT 1", "engine": engine, "state": "cold", "skipped": why}


def compare(options, binary, python, engines, shape, scale, place):
    """Yields what is measured of one shape and scale; `differ` of the options gets what is not equal."""
    file = spans.write(python, binary, shape, scale, place)
    columns = subprocess.run([python, "-c", "import sys, duckdb\nfrom peers import aliased\n"
                              "print(aliased([r[0] for r in duckdb.sql(f\"DESCRIBE SELECT * FROM '{sys.argv[1]}'\").fetchall()]), end='')", file],
                             env={**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parent)}, capture_output=True, text=True, check=True)
    options.aliased = {file: columns.stdout}
    lines, store = load(options, binary, python, engines, file, shape, scale, place)
    yield from lines
    sql = "SELECT trace_id FROM traces ORDER BY start_time, trace_id LIMIT 1 OFFSET 777"
    trace = timed([binary, "-q", "--store", store, "query", sql, "-o", "csv"])["written"].decode().split()[-1]
    first = {}

    def asked_of(question, engine=None):
        if engine is None:
            wanted = [name for name, asked in QUESTIONS.items() if shape in asked["shapes"]]
            return [name for name in wanted if not options.questions or any(part in name for part in options.questions)]
        sql = text(question, "duckdb" if engine == "duckdb-cli" else engine, trace)
        # Working trees out by joins takes these minutes and all memory.
        if sql is None or (QUESTIONS[question].get("tree") and engine in options.no_trees and scale > options.trees_up_to):
            return None
        out = str(place / "out.jsonl") if "lines" in QUESTIONS[question] else None
        return {"question": question, "sql": sql, "trace": trace, "out": out}

    def check(question, engine, rows):
        known = first.setdefault(question, (engine, rows))
        if question and not equal(known[1], rows, QUESTIONS[question].get("sorted", False)):
            difference = f"{scale:,} {shape} spans: {question}: {known[0]} and {engine} differ: {str(known[1])[:300]} | {str(rows)[:300]}"
            if difference not in options.differ:
                options.differ.append(difference)
                print(f"DIFFERENT: {difference}", file=sys.stderr, flush=True)

    for state in options.states:
        measure = warm if state == "warm" else cold
        for line in measure(options, binary, python, engines, file, store, place, asked_of, check):
            rows = first.get(line["question"], (None, None))[1]
            yield {**line, "shape": shape, "scale": scale, "rows": None if rows is None else len(rows)}


def main():
    parser = argparse.ArgumentParser(prog="benches/compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, help="the binary (default: the release build of this repository)")
    parser.add_argument("--spans", default="100000,1000000,5000000", help="numbers of spans (default: 100000,1000000,5000000)")
    parser.add_argument("--shapes", default="short", help="short, wide, or both (default: short)")
    parser.add_argument("--engines", help="who is asked beside spanql (default: all that are there)")
    parser.add_argument("--states", default="warm,cold", help="warm, cold, or both (default: both)")
    parser.add_argument("--questions", help="only those whose name has one of these parts, separated by commas")
    parser.add_argument("--runs", type=int, default=5, help="how often each is asked (default: 5)")
    parser.add_argument("--timeout", type=int, default=60, help="seconds after which a question is given up (default: 60)")
    parser.add_argument("--trees-up-to", type=int, default=1_000_000, help="trees are asked of peers over plain Parquet up to so many spans (default: 1000000)")
    parser.add_argument("--dir", type=pathlib.Path, help="where spans and stores are kept (default: a folder that is removed)")
    parser.add_argument("--results", type=pathlib.Path, help="the file of JSON lines (default: benches/results/compare-DATE.jsonl)")
    options = parser.parse_args()
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    binary = options.bin or target / "release" / "spanql"
    if not binary.is_file():
        sys.exit(f"{binary}: no such binary; run `cargo build --release`, or name one with --bin")
    python, versions = tools.environment()
    if "duckdb" not in versions:
        sys.exit("DuckDB, which writes the spans, could not be installed")
    options.questions = options.questions.split(",") if options.questions else []
    options.states, options.differ = options.states.split(","), []
    options.no_trees = {"duckdb-parquet", "duckdb-cli", "datafusion", "chdb", "polars"}
    there = [engine for engine, package in tools.NEEDS.items() if package in versions]
    chosen = options.engines.split(",") if options.engines else there
    engines = ["spanql", *(engine for engine in chosen if engine in there)]
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    print(f"spanql {said}, " + ", ".join(f"{name} {version}" for name, version in versions.items()) + f"; {os.cpu_count()} cores", flush=True)
    place = options.dir or pathlib.Path(ROOT / "target" / "compare")
    place.mkdir(parents=True, exist_ok=True)
    lines = [{"versions": {"spanql": said, **versions}, "cores": os.cpu_count()}]
    try:
        for shape in options.shapes.split(","):
            for scale in sorted(int(part.replace("_", "")) for part in options.spans.split(",")):
                found = list(compare(options, binary, python, engines, shape, scale, place))
                lines += found
                tables = [report.table(found, shape, scale, state) for state in options.states]
                print("\n\n".join(part for part in (report.loads(found), *tables, report.notes(found)) if part), end="\n\n", flush=True)
    finally:
        if options.dir is None:
            shutil.rmtree(place)
        day = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%d-%H%M%S")
        report.keep(options.results or ROOT / "benches" / "results" / f"compare-{day}.jsonl", lines)
    return 1 if options.differ else 0


if __name__ == "__main__":
    sys.exit(main())
