#!/usr/bin/env python3
"""Runs every built-in query on real spans, and on an empty store: none may fail.

Imports every NAME.spans.jsonl.gz of --data. Each query runs without parameters, and with a window for those that take
one. Prints `ok CASE` or `FAIL CASE: why`, then "N passed, N failed". Exit code 1 if anything failed.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--bin", required=True, type=Path, help="the spanql binary")
parser.add_argument("--data", required=True, type=Path, help="the directory of real spans")
parser.add_argument("--only", help="only data sets with this in their name")
args = parser.parse_args()

binary = args.bin.resolve()
passed = failed = 0


def case(name, problem):
    global passed, failed
    if problem is None:
        passed += 1
        print(f"ok {name}")
    else:
        failed += 1
        print(f"FAIL {name}: {problem}"[:600])
    sys.stdout.flush()


def spanql(place, *argv):
    # A directory of its own, so that no ./queries and no settings hide what is built in.
    env = {**os.environ, "XDG_CONFIG_HOME": str(place / "settings")}
    done = subprocess.run(
        [binary, "-q", *map(str, argv)], cwd=place, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        raise RuntimeError(f"exit {done.returncode}: {done.stderr.strip()[-300:]}")
    return done.stdout


def check(name, files):
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        if files:
            spanql(place, "--store", "store", "import", "--project", name, *files)
        for query in json.loads(spanql(place, "run", "--list", "-o", "json")):
            ways = [[]]
            if "since time" in query["parameters"]:
                ways.append(["-p", "since=2020-01-01", "-p", "until=now"])
            # The store itself stands for the remote.
            remote = ["-p", "remote=spans"] if "remote text" in query["parameters"] else []
            wrong = None if query["origin"] == "built in" else f"is not built in, but {query['origin']}"
            for way in ways:
                try:
                    rows = json.loads(spanql(place, "--store", "store", "run", query["name"], *way, *remote, "-o", "json"))
                    if rows and not files:
                        wrong = wrong or f"{len(rows)} rows out of nothing"
                except Exception as error:  # noqa: BLE001
                    wrong = wrong or f"{' '.join(way)}: {error}"
            case(f"{name}/{query['name']}", wrong)


check("empty", [])
for path in sorted(args.data.resolve().glob("*.spans.jsonl.gz")):
    if not args.only or args.only in path.name:
        try:
            check(path.name.removesuffix(".spans.jsonl.gz"), [path])
        except Exception as error:  # noqa: BLE001
            case(path.name, error)
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
