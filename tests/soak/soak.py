#!/usr/bin/env python3
"""Work on one store with many processes at once, and stop and kill them at random.

Writers import spans (new traces, late spans of old ones, the same file again after a kill), readers count and export,
others vacuum with `--older-than 0s` and compact. Any of them may be killed, or stopped and continued, at any moment. What
an import acknowledged, by exit code 0, is written down; every reader must find what was written down before it began, each
span once, or be told that its version was removed and to ask again. At the end everything acknowledged is there once, and a
last vacuum leaves only files that the newest version names.

Prints what goes wrong; the last line is "N passed, N failed". Needs Python 3.11 and a system with signals.
"""
import argparse
import collections
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--bin", required=True, type=Path, help="the spanql binary")
parser.add_argument("--seconds", type=float, default=300, help="how long the processes are started anew")
parser.add_argument("--seed", type=int, default=1, help="another seed, other choices; timing is chance all the same")
args = parser.parse_args()

PROJECTS = ["p", "q"]
# Shares of processes that are killed, asked to end, or stopped for a while.
KILLED, ENDED, STOPPED = 0.3, 0.05, 0.15
# A process that takes longer hangs.
PATIENCE = 120
# What a reader may be told instead of an answer.
ASK_AGAIN = "was removed from the store while it was read, by a vacuum: ask again"


class State:
    """What all threads share."""

    def __init__(self, directory):
        self.directory = directory
        self.store = directory / "store"
        self.temporary = directory / "tmp"
        self.temporary.mkdir()
        self.lock = threading.Lock()
        self.written_down = open(directory / "acknowledged.jsonl", "w", encoding="utf-8")
        self.acknowledged = set()
        self.attempted = set()
        self.counts = collections.Counter()
        self.problems = []
        self.children = set()
        self.until = time.monotonic() + args.seconds

    def running(self):
        return time.monotonic() < self.until and len(self.problems) < 20

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def check(self, good, problem):
        with self.lock:
            if good:
                self.counts["checks"] += 1
            else:
                self.problems.append(problem)
                print(f"WRONG: {problem}", flush=True)

    def acknowledge(self, keys):
        with self.lock:
            for key in keys:
                self.written_down.write(json.dumps(key) + "\n")
            self.written_down.flush()
            os.fsync(self.written_down.fileno())
            self.acknowledged.update(keys)


class Outcome:
    """How a process ended, and what was done to it."""

    def __init__(self, code, out, err, harmed):
        self.code, self.out, self.err, self.harmed = code, out, err, harmed


def run(state, chance, *arguments):
    """Runs the binary on the store; `chance` decides what is done to it meanwhile, if it is not None."""
    environment = {**os.environ, "TMPDIR": str(state.temporary), "RUST_BACKTRACE": "0"}
    environment.pop("SPANQL_STORE", None)
    command = [args.bin, "-q", "--store", state.store, *arguments]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment)
        with state.lock:
            state.children.add(child)
        harmed = None
        fate = 1.0 if chance is None else chance.random()
        if fate < KILLED + ENDED + STOPPED:
            # Most of the work is done in the first second.
            wait = chance.random() ** 2 * 1.5
            try:
                child.wait(wait)
            except subprocess.TimeoutExpired:
                if fate < KILLED:
                    harmed = "killed"
                    child.kill()
                elif fate < KILLED + ENDED:
                    harmed = "ended"
                    child.terminate()
                else:
                    child.send_signal(signal.SIGSTOP)
                    time.sleep(chance.choice([0.1, 0.5, 1, 3]))
                    child.send_signal(signal.SIGCONT)
                    state.count("stopped")
                if harmed:
                    state.count(harmed)
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            state.check(False, f"{' '.join(map(str, arguments))}: still runs after {PATIENCE} s")
            child.kill()
            child.wait()
            harmed = "killed"
        with state.lock:
            state.children.discard(child)
        out.seek(0)
        err.seek(0)
        said = err.read().decode("utf-8", "replace")
        if "panicked" in said or "damaged" in said:
            state.check(False, f"{' '.join(map(str, arguments))}: {said.strip()}")
        return Outcome(child.returncode, out.read().decode("utf-8", "replace"), said, harmed)


def spans_of(chance, number, writer):
    """The spans of one import: of new traces, and late ones of traces of before."""
    spans = []
    for _ in range(chance.randint(1, 30)):
        trace = f"w{writer}-{chance.randint(0, number * 3 + 3)}"
        project = PROJECTS[hash_of(trace) % len(PROJECTS)]
        for _ in range(chance.randint(1, 6)):
            start = 1_767_225_600_000_000_000 + chance.randint(0, 10**12)
            spans.append({
                "project": project, "context.trace_id": trace, "context.span_id": f"{chance.getrandbits(40):010x}",
                "name": f"import {number}", "start_time": start, "end_time": start + 10**6,
                "attributes.input.value": "x" * chance.choice([1, 10, 2000]),
            })
    return spans


def hash_of(text):
    return sum(text.encode())


def write(state, writer, chance):
    """Imports file after file. One that was not acknowledged may be in the store or not, and is imported again."""
    number = 0
    while state.running():
        number += 1
        spans = spans_of(chance, number, writer)
        keys = {(s["project"], s["context.trace_id"], s["context.span_id"]) for s in spans}
        with state.lock:
            state.attempted |= keys
        path = state.directory / f"{writer}-{number}.jsonl"
        path.write_text("".join(json.dumps(span) + "\n" for span in spans), encoding="utf-8")
        for _ in range(chance.randint(1, 4)):
            done = run(state, chance, "import", path)
            if done.code == 0:
                state.acknowledge(keys)
                state.count("imports")
                break
            if done.harmed is None:
                state.check(False, f"an import failed that nobody harmed: {done.err.strip()}")
                break
        path.unlink()


def read(state, chance):
    """Counts or exports, and compares with what was acknowledged before."""
    while state.running():
        with state.lock:
            before = set(state.acknowledged)
        if chance.random() < 0.6:
            sql = """SELECT count(*) AS n, count(DISTINCT project || ' ' || trace_id || ' ' || span_id) AS keys,
                (SELECT sum(span_count) FROM traces) AS of_traces, count(name) AS named FROM spans"""
            done = run(state, chance, "query", sql, "-o", "jsonl")
            if judged(state, done, "a count"):
                row = json.loads(done.out)
                good = row["n"] == row["keys"] == row["named"] == (row["of_traces"] or 0) and row["n"] >= len(before)
                state.check(good, f"a count gave {row}, {len(before)} were acknowledged before")
        else:
            sql = "SELECT project, trace_id, span_id, name, input FROM spans"
            done = run(state, chance, "query", sql, "-o", "jsonl")
            if judged(state, done, "an export"):
                check_rows(state, done.out, before, "an export")


def judged(state, done, what):
    """Whether there is an answer to look at."""
    if done.code == 0:
        return True
    if ASK_AGAIN in done.err:
        state.count("asked again")
        state.check(True, "")
    elif done.harmed is None:
        state.check(False, f"{what} failed that nobody harmed: {done.err.strip()}")
    return False


def check_rows(state, text, expected, what):
    rows = [json.loads(line) for line in text.splitlines()]
    found = collections.Counter((row["project"], row["trace_id"], row["span_id"]) for row in rows)
    lost = expected - found.keys()
    doubled = [key for key, times in found.items() if times > 1]
    with state.lock:
        foreign = found.keys() - state.attempted
        state.counts["lost"] += len(lost)
        state.counts["doubled"] += len(doubled)
    good = not lost and not doubled and not foreign
    state.check(good, f"{what}: lost {sorted(lost)[:3]}, doubled {doubled[:3]}, foreign {sorted(foreign)[:3]}")


def keep(state, chance, *command):
    """Does something about the store again and again."""
    while state.running():
        done = run(state, chance, *command)
        if done.harmed is None:
            state.check(done.code == 0, f"{' '.join(command)} failed that nobody harmed: {done.err.strip()}")
        time.sleep(chance.random())


def finish(state):
    """What must hold when everybody is gone."""
    everything = "SELECT project, trace_id, span_id, name, input FROM spans"
    for what in ["at the end", "after a last vacuum"]:
        done = run(state, None, "query", everything, "-o", "jsonl")
        if state.acknowledged:
            state.check(done.code == 0, f"{what}: {done.err.strip()}")
        if done.code == 0:
            check_rows(state, done.out, state.acknowledged, what)
        done = run(state, None, "store", "vacuum", "--older-than", "0s")
        state.check(done.code == 0, f"{what}: {done.err.strip()}")
    done = run(state, None, "store", "versions", "-o", "jsonl")
    versions = [json.loads(line) for line in done.out.splitlines()]
    state.check(len(versions) <= 1, f"a last vacuum left versions: {versions}")
    segments = versions[0]["segments"] if versions else 0
    for folder in ["segments", "traces", "stats", "ids", "deletions", "patches", "staging", "ledger", "tombstones", "tmp"]:
        left = sorted(path.name for path in (state.store / folder).glob("**/*"))
        # The ledger is one file, of the imports.
        needed = {"segments": segments, "ledger": len(versions)}.get(folder, 0)
        # Small segments are one file.
        most = segments if folder in ("traces", "stats", "ids", "deletions") else needed
        enough = needed <= len(left) <= most
        state.check(enough, f"{folder} holds {len(left)} files where {needed} to {most} are needed: {left[:3]}")
    left = sorted(path.name for path in state.temporary.glob("**/*"))
    state.check(not left, f"left in the temporary directory: {left[:3]}")


def main():
    directory = Path(tempfile.mkdtemp(prefix="spanql-soak-"))
    state = State(directory)
    chances = (random.Random(args.seed * 1000 + number) for number in range(100))
    work = [lambda chance=next(chances), writer=writer: write(state, writer, chance) for writer in range(3)]
    work += [lambda chance=next(chances): read(state, chance) for _ in range(2)]
    vacuum = ["store", "vacuum", "--older-than", "0s"]
    work += [lambda chance=next(chances): keep(state, chance, *vacuum) for _ in range(2)]
    work += [lambda chance=next(chances): keep(state, chance, "store", "compact")]

    def guarded(job):
        try:
            job()
        except Exception as error:  # A thread that ends early would test nothing.
            state.check(False, f"the soak itself failed: {error!r}")

    threads = [threading.Thread(target=guarded, args=[job]) for job in work]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        finish(state)
    finally:
        for child in list(state.children):
            child.kill()
    counts = state.counts
    state.check(counts["imports"] > 0, "no import was acknowledged")
    print(
        f"{counts['imports']} imports of {len(state.acknowledged)} spans; {counts['killed']} processes killed, "
        f"{counts['ended']} ended, {counts['stopped']} stopped and continued; {counts['asked again']} readers asked to ask "
        f"again; {counts['lost']} spans lost, {counts['doubled']} doubled"
    )
    if state.problems:
        print(f"the store is kept in {directory}")
    else:
        shutil.rmtree(directory)
    print(f"{counts['checks']} passed, {len(state.problems)} failed")
    sys.exit(1 if state.problems else 0)


main()
