#!/usr/bin/env python3
"""Measures peak memory and time of imports, and says whether they keep their limits.

Each size is imported in two ways, each by a process of its own:

  demo       spanql demo --spans N --keep STORE: generated into one store, served, and pulled into another
  file       spanql import spans.jsonl, after writing that file with `spanql query "SELECT * FROM spans" -o spans.jsonl`

Limits, for each way: the largest size stays under --limit-gib, and needs at most --ratio times the memory of the smallest.
Exit status 1 if one is broken. Two million spans need about 15 GB of disk below --dir and, with a release build, some ten minutes.

usage: python3 benches/memory.py                          the real thing, by hand
       python3 benches/memory.py --sizes 20000,80000      a small try: shows that it works, not whether memory is bounded
"""
import argparse
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


def sizes(text):
    return sorted(int(part.replace("_", "")) for part in text.split(","))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, help="the binary (default: the release build of this repository)")
    parser.add_argument("--sizes", type=sizes, default=[500_000, 2_000_000], help="numbers of spans (default: 500000,2000000)")
    parser.add_argument("--dir", help="where to put files (default: the system's temporary directory)")
    parser.add_argument("--limit-gib", type=float, default=1.2, help="peak memory of the largest size (default: 1.2)")
    parser.add_argument("--ratio", type=float, default=1.3, help="its peak over that of the smallest (default: 1.3)")
    options = parser.parse_args()
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    binary = options.bin or target / "release" / "spanql"
    if not binary.is_file():
        sys.exit(f"{binary}: no such binary; run `cargo build --release`, or name one with --bin")

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
