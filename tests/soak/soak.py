#!/usr/bin/env python3
"""Work on one store with many processes at once, and stop and kill them at random.

The store is of format 1 at first, and upgraded meanwhile. Writers, by commands and at a server that is killed and started
again, import and log spans, annotate, evaluate, change metadata, delete, purge and take deletions back; others compact and
vacuum; readers ask all the while. Any of them may be killed, or stopped and continued, at any moment.

A writer alone changes its spans, and keeps what must be there (world.py). Whoever reads must find each writer's spans as they
were behind one of its writes, the last one acknowledged before or a later one: all of it, nothing half, nothing twice. A killed
write is there whole or not at all. In the first half of the time no version is removed, and whatever is deleted can be taken
back; in the second half vacuums and purges remove all that they may. At the end a last vacuum leaves only files that the newest
version names, and of purged spans nothing is left in any file.

Prints what goes wrong, and the seed; the last line is "N passed, N failed". Needs Python 3.11 and a system with signals; with
pyarrow it looks into the files, too.
"""
import argparse
import json
import random
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

# Nothing is written beside the sources.
sys.dont_write_bytecode = True

from processes import Server, Shared, run  # noqa: E402
from world import SELECT, History, State, rows_of  # noqa: E402
from writers import Remote, Writer  # noqa: E402

try:
    import pyarrow.parquet
except ImportError:
    pyarrow = None

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--bin", required=True, type=Path, help="the spanql binary")
parser.add_argument("--seconds", type=float, default=300, help="how long the processes are started anew")
parser.add_argument("--seed", type=int, help="another seed, other choices; timing is chance all the same")
parser.add_argument("--writers", type=int, default=3, help="writers that run commands")
parser.add_argument("--remote", type=int, default=1, help="writers that ask a server")
parser.add_argument("--keep", action="store_true", help="keep the store and the log of what was done")
args = parser.parse_args()

# What a reader may be told instead of an answer.
ASK_AGAIN = "was removed from the store while it was read, by a vacuum: ask again"
OLD = Path(__file__).resolve().parents[1] / "stores" / "format1" / "demo"


def ask(shared, chance, sql):
    """The answer to a statement; None if there is none to look at."""
    done = run(shared, chance, "query", sql, "-o", "jsonl")
    if done.code == 0:
        return done.out
    if ASK_AGAIN in done.err:
        shared.count("asked again")
    elif done.harmed is None:
        shared.check(False, f"a reader failed that nobody harmed: {done.err.strip()}")
    return None


def read(shared, chance, world):
    """Reads everything again and again, and looks for each writer's spans among its states."""
    while shared.running():
        since = {project: history.since() for project, history in world.items()}
        answer = ask(shared, chance, SELECT)
        if answer is not None:
            judge(shared, answer, world, since)


def judge(shared, answer, world, since):
    rows, wrong = rows_of(answer)
    shared.check(not wrong, f"a reader found: {wrong[:3]}")
    by_project = {project: {} for project in world}
    for (project, trace, span), cells in rows.items():
        by_project.setdefault(project, {})[trace, span] = cells
    shared.check(by_project.keys() == world.keys(), f"foreign projects: {by_project.keys() - world.keys()}")
    for project, history in world.items():
        wrong = history.wrong(since[project], by_project[project])
        shared.check(wrong is None, f"a reader of {project} found: {wrong}")


def keep(shared, chance, *commands):
    """Does something about the store again and again."""
    while shared.running():
        command = chance.choice(commands)
        if command[:2] == ("store", "vacuum"):
            # What is deleted can be taken back in the first half.
            command = (*command, "--older-than", "0s" if time.monotonic() > shared.half else "1h")
        done = run(shared, chance, *command)
        shared.note(command=command, code=done.code, harmed=done.harmed, err=done.err[-300:])
        if done.harmed is None:
            shared.check(done.code == 0, f"{' '.join(command)} failed that nobody harmed: {done.err.strip()}")
        time.sleep(chance.random() * 2)


def finish(shared, world):
    """What must hold when everybody is gone."""
    since = {project: history.since() for project, history in world.items()}

    def everything(when):
        answer = ask(shared, None, SELECT)
        shared.check(answer is not None, f"no answer {when}")
        if answer is not None:
            judge(shared, answer, world, since)

    def succeed(*command):
        done = run(shared, None, *command)
        shared.check(done.code == 0, f"at the end: {' '.join(command)}: {done.err.strip()}")
        return done.out

    everything("at the end")
    for command in ("upgrade", "compact"):
        succeed("store", command)
        everything(f"behind a last {command}")
    purge(shared, world, succeed)
    since = {project: history.since() for project, history in world.items()}
    everything("behind a purge")
    succeed("store", "vacuum", "--older-than", "0s")
    everything("behind a last vacuum")
    versions = [json.loads(line) for line in succeed("store", "versions", "-o", "jsonl").splitlines()]
    shared.check(len(versions) == 1, f"a last vacuum left versions: {versions}")
    newest = max((shared.store / "manifest").glob("*.json"))
    manifest = json.loads(newest.read_text())["manifest"]
    shared.check(manifest["format"] == 2, f"an upgrade left format {manifest['format']}")
    segments = manifest["segments"]
    needed = {
        "manifest": {newest.name},
        "segments": {f"{segment['id']}.parquet" for segment in segments},
        "patches": {f"{patch['id']}.parquet" for segment in segments for patch in segment.get("patches", [])},
        "staging": set(),
        "tmp": set(),
        "ledger": {f"{manifest['ledger']['id']}.json"} if manifest["ledger"] else set(),
        "tombstones": {f"{manifest['tombstones']['id']}.json"} if manifest["tombstones"] else set(),
    }
    for folder in [path.name for path in shared.store.iterdir() if path.is_dir()]:
        left = {path.name for path in (shared.store / folder).glob("**/*")}
        if folder in needed:
            shared.check(left == needed[folder], f"{folder} holds {sorted(left ^ needed[folder])[:4]} too much or not")
        else:
            # A segment that is one file has none of these.
            stems = {name.split(".")[0] for name in left}
            ids = {segment["id"] for segment in segments}
            ids |= {(segment.get("deletions") or {}).get("file", {}).get("id") for segment in segments}
            ids |= {side.get("id") for segment in segments for side in segment.get("side", {}).values()}
            shared.check(stems <= ids, f"{folder} holds files that nobody needs: {sorted(stems - ids)[:3]}")
    left = sorted(path.name for path in shared.temporary.glob("**/*"))
    shared.check(not left, f"left in the temporary directory: {left[:3]}")


def purge(shared, world, succeed):
    """Purges spans, and with them those of the project that were deleted before; no file holds anything of them behind it."""
    gone = set()
    for project, history in world.items():
        state = history.now().copy()
        keys = sorted(state.rows)[:6]
        if len(keys) < 6 or project == "demo":
            continue
        ids = [span for _, span in keys]
        succeed("--project", project, "spans", "delete", "--yes", *ids[:3])
        succeed("--project", project, "spans", "delete", "--yes", "--purge", *ids[3:])
        state.delete(keys)
        history.settle(state)
        gone.update(ids)
    if pyarrow is None:
        print("SKIPPED: whether files hold what was purged: there is no pyarrow")
        return
    for path in shared.store.glob("**/*.parquet"):
        names = pyarrow.parquet.read_schema(path).names
        for name in set(names) & {"context.span_id", "parent_id"}:
            held = set(pyarrow.parquet.read_table(path, columns=[name]).column(0).to_pylist())
            shared.check(not held & gone or name == "parent_id", f"{path.name} holds purged spans: {sorted(held & gone)[:3]}")


def main():
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(10**6)
    print(f"seed {seed}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="spanql-soak-"))
    shared = Shared(args.bin.resolve(), directory, args.seconds)
    chances = (random.Random(f"{seed}/{number}") for number in range(100))
    shutil.copytree(OLD, shared.store)
    server = Server(shared)
    writers = [Writer(shared, next(chances), number) for number in range(args.writers)]
    writers += [Remote(shared, next(chances), args.writers + number, server) for number in range(args.remote)]
    world = {writer.project: writer.history for writer in writers}
    held, wrong = rows_of(ask(shared, None, SELECT))
    shared.check(held and not wrong, f"the store of format 1: {wrong}")
    for (project, trace, span), cells in held.items():
        world.setdefault(project, History()).now().rows[trace, span] = cells
    work = [writer.write for writer in writers]
    work += [lambda chance=next(chances): read(shared, chance, world) for _ in range(2)]
    work += [lambda chance=next(chances): keep(shared, chance, ("store", "vacuum")) for _ in range(2)]
    work += [lambda chance=next(chances): keep(shared, chance, ("store", "compact"), ("store", "upgrade"))]
    if args.remote:
        work += [lambda chance=next(chances): server.keep(chance)]

    def guarded(job):
        try:
            job()
        except Exception as error:  # A thread that ends early would test nothing.
            shared.check(False, f"the soak itself failed: {error!r}")
            raise

    threads = [threading.Thread(target=guarded, args=[job]) for job in work]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if server.process is not None:
            server.kill()
        finish(shared, world)
    finally:
        for child in list(shared.children):
            child.kill()
    counts = shared.counts
    for what in ["imports", "patches", "deletions", "undeletions"]:
        shared.check(counts[what] > 0 or args.seconds < 60, f"no {what} were acknowledged")
    print(", ".join(f"{count} {what}" for what, count in sorted(counts.items())))
    if shared.problems or args.keep:
        print(f"the store and the log of what was done are kept in {directory}")
    else:
        shutil.rmtree(directory)
    print(f"{counts['checks']} passed, {len(shared.problems)} failed")
    sys.exit(1 if shared.problems else 0)


main()
