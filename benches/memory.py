#!/usr/bin/env python3
"""Measures peak memory and time of imports, and says whether they keep their limits.

Each size is imported in two ways, each by a process of its own:

  demo       spanql demo --spans N --keep STORE: generated into one store, served, and pulled into another
  file       spanql import spans.jsonl, after writing that file with `spanql query "SELECT * FROM spans" -o spans.jsonl`

Limits, for each way: the largest size stays under --limit-gib, and needs at most --ratio times the memory of the smallest.
Exit status 1 if one is broken. Two million spans need about 15 GB of disk below --dir and, with a release build, some ten minutes.

With --trace, one trace of so many texts of 1 MB is imported instead, with --memory 1GB: new, again as it is, and with one
span more; then its texts are read. Each stays under --trace-limit-gib, and what is read is what was written. 3,000 texts need
about 20 GB of disk.

usage: python3 benches/memory.py                          the real thing, by hand
       python3 benches/memory.py --trace 3000             one trace of 3 GB
       python3 benches/memory.py --sizes 20000,80000      a small try: shows that it works, not whether memory is bounded
"""
import argparse
import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
MIB = 1 << 20


def run(command):
    """Runs a command; gives its peak resident bytes and its seconds."""
    with tempfile.TemporaryFile() as errors:
        began = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)
        # The figures of this one child; those of all children together would hide whose peak it was.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            said = errors.read().decode(errors="replace")
            sys.exit(f"{' '.join(map(str, command))}: exit {process.returncode}\n{said}")
    unit = 1 if sys.platform == "darwin" else 1024
    return usage.ru_maxrss * unit, seconds


def measure(binary, folder, spans):
    """Yields (way, peak bytes, seconds) for one size, and leaves nothing behind."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="spanql-memory-") as place:
        place = pathlib.Path(place)
        made, export, again = place / "made", place / "spans.jsonl", place / "again"
        yield "demo", *run([binary, "-q", "demo", "--spans", str(spans), "--keep", made])
        run([binary, "-q", "--store", made, "query", "SELECT * FROM spans", "-o", export])
        yield "file", *run([binary, "-q", "--store", again, "import", export])


TEXT = 1_000_000


def write_trace(file, spans):
    """Writes one trace whose texts hardly repeat, not in the order of their times."""
    with open(file, "w") as out:
        for n in range(spans):
            text = base64.b64encode(os.urandom(TEXT * 3 // 4)).decode()
            at = 1_790_000_000_000_000_000 + n * 7_919 % spans * 1_000_000
            span = {"context.trace_id": "large", "context.span_id": f"s{n}", "name": "step", "start_time": at, "end_time": at + 500_000}
            if n:
                span["parent_id"] = f"s{n // 2}"
            out.write(json.dumps({**span, "attributes.input.value": text}) + "\n")


def measure_trace(binary, folder, spans):
    """Yields (what, peak bytes, seconds) for one large trace, and leaves nothing behind."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="spanql-memory-") as place:
        place = pathlib.Path(place)
        file, late, store = place / "trace.jsonl", place / "late.jsonl", place / "store"
        write_trace(file, spans)
        late.write_text(json.dumps({"context.trace_id": "large", "context.span_id": "late", "parent_id": "s0", "name": "late"}) + "\n")
        spanql = [binary, "-q", "--store", store, "--memory", "1GB"]
        yield "new", *run([*spanql, "import", file])
        yield "again", *run([*spanql, "import", file])
        yield "late", *run([*spanql, "import", late])
        yield "read", *run([*spanql, "query", "SELECT span_id, input FROM spans WHERE input IS NOT NULL", "-o", place / "read.csv"])
        asked = "SELECT count(*) AS spans, count(DISTINCT input) AS texts, sum(length(input)) AS length FROM spans"
        said = subprocess.run([*spanql, "query", asked, "-o", "json"], capture_output=True, text=True, check=True).stdout
        expected = {"spans": spans + 1, "texts": spans, "length": spans * TEXT}
        if json.loads(said) != [expected]:
            sys.exit(f"{expected} was written, and this is read: {said}")
        read = (place / "read.csv").stat().st_size
        if read < spans * TEXT:
            sys.exit(f"{spans} texts were written, and {read} bytes are read")


def sizes(text):
    return sorted(int(part.replace("_", "")) for part in text.split(","))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, help="the binary (default: the release build of this repository)")
    parser.add_argument("--sizes", type=sizes, default=[500_000, 2_000_000], help="numbers of spans (default: 500000,2000000)")
    parser.add_argument("--trace", type=int, metavar="N", help="import one trace of N texts of 1 MB instead")
    parser.add_argument("--trace-limit-gib", type=float, default=1.86, help="its peak memory (default: 1.86, which is 2 GB)")
    parser.add_argument("--dir", help="where to put files (default: the system's temporary directory)")
    parser.add_argument("--limit-gib", type=float, default=1.2, help="peak memory of the largest size (default: 1.2)")
    parser.add_argument("--ratio", type=float, default=1.3, help="its peak over that of the smallest (default: 1.3)")
    options = parser.parse_args()
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    binary = options.bin or target / "release" / "spanql"
    if not binary.is_file():
        sys.exit(f"{binary}: no such binary; run `cargo build --release`, or name one with --bin")

    if options.trace:
        broken = False
        for what, peak, seconds in measure_trace(binary, options.dir, options.trace):
            kept = peak / (1 << 30) <= options.trace_limit_gib
            broken |= not kept
            print(f"{what:<10}{peak / MIB:>8,.0f} MiB{seconds:>10.1f} s  {'ok' if kept else 'BROKEN'}", flush=True)
        return 1 if broken else 0

    peaks = {}
    print(f"{'way':<10}{'spans':>12}{'peak MiB':>12}{'seconds':>10}{'spans/s':>12}", flush=True)
    for spans in options.sizes:
        for way, peak, seconds in measure(binary, options.dir, spans):
            peaks.setdefault(way, []).append(peak)
            print(f"{way:<10}{spans:>12,}{peak / MIB:>12,.0f}{seconds:>10.1f}{spans / seconds:>12,.0f}", flush=True)

    broken = False
    print()
    for way, of_way in peaks.items():
        most, ratio = of_way[-1] / (1 << 30), of_way[-1] / of_way[0]
        for what, value, limit in [("peak GiB", most, options.limit_gib), ("growth", ratio, options.ratio)]:
            kept = value <= limit
            broken |= not kept
            print(f"{way:<10}{what:<10}{value:>6.2f}  limit {limit:.2f}  {'ok' if kept else 'BROKEN'}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
