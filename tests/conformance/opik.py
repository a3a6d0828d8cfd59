#!/usr/bin/env python3
"""Judge `spanql filter --from opik --to opik` by recorded answers of Opik's own parser.

The vectors are JSON lines of {"entity", "filter", "ok", "parsed" or "error_kind"}: what the vendor's SDK made of an OQL
text. Where it was read, the same list of clauses (or null) must come out; where it was refused, it must be refused,
with the same kind of error. Prints each vector that fails; the last line is "N passed, N failed". Needs Python 3.11.
"""
import argparse
import json
import subprocess
import sys
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--bin", required=True, type=Path, help="the spanql binary")
parser.add_argument("vectors", type=Path, help="a file of vectors")
args = parser.parse_args()


def wrong(vector):
    """What is wrong with the answer to a vector, in words; None when it is right."""
    command = [args.bin, "-q", "--errors", "json", "filter", "--from", "opik", "--to", "opik"]
    # Standing alone behind --, a text may begin with a dash.
    command += ["--entity", vector["entity"], "--", vector["filter"]]
    done = subprocess.run(command, capture_output=True, text=True)
    if not vector["ok"]:
        if done.returncode not in (1, 2):
            return f"exit {done.returncode}, expected a refusal: {done.stdout.strip()}"
        expected = vector["error_kind"].replace("_", "-")
        return None if expected in done.stderr else f"expected {expected}: {done.stderr.strip()}"
    if done.returncode != 0:
        return f"exit {done.returncode}: {done.stderr.strip()}"
    found = json.loads(done.stdout)
    return None if found == vector["parsed"] else f"found {json.dumps(found)}"


passed = failed = 0
for line in args.vectors.read_text(encoding="utf-8").splitlines():
    vector = json.loads(line)
    problem = wrong(vector)
    if problem is None:
        passed += 1
    else:
        failed += 1
        print(f"{vector['entity']} {vector['filter']!r}: {problem}")
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
