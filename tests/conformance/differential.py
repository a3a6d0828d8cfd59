#!/usr/bin/env python3
"""Compares random statements with DuckDB on the same rows, and our answers with themselves.

Kinds of statements (in the directory differ) are tried in turn; so are the join matrix, oracles that need no
other engine (differ/oracles.py), and the statements of DataFusion's own tests that need no tables (differ/suite.py; they
are fetched, and left out where that cannot be). Differences that are right are listed in differ/known.py, each with its
reason. Prints each case that fails with both answers, made small; `--seed N --only KIND:NUMBER` repeats it. Errors are
counted once for each message. The last line is "N passed, N failed". Needs Python 3.11 with duckdb and pyarrow.
"""

import argparse
import random
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

# Nothing is written beside the sources.
sys.dont_write_bytecode = True

from differ import habits, listed, matrix, names, nested, oracles, statements, suite, values, wholes  # noqa: E402
from differ.engines import Duck, our_text, same, their_text  # noqa: E402
from differ.known import reason  # noqa: E402
from differ.tables import fill  # noqa: E402

# A kind, and its share of the time.
KINDS = {
    "joins": (statements.joins, 3),
    "subqueries": (statements.subqueried, 3),
    "grouping": (statements.grouped, 2),
    "windows": (statements.windows, 2),
    "sets": (statements.set_operations, 2),
    "names": (names.shadowing, 3),
    "positions": (names.positions, 1),
    "mixed": (values.mixed, 1),
    "lists": (values.lists, 2),
    "precedence": (values.precedence, 2),
    "floats": (values.floats, 1),
    "extremes": (wholes.extremes, 1),
    "tops": (wholes.tops, 1),
    "nested": (nested.nested, 3),
    "unions": (wholes.unions, 2),
    "derived": (wholes.derived, 1),
    "habits": (habits.habits, 3),
}
SHARES = {
    **{kind: share for kind, (_, share) in KINDS.items()},
    "listed": 8,
    "matrix": 3,
    "suite": 6,
    "split": 2,
    "pushed": 1,
    "partitions": 1,
    "runs": 3,
    "live": 1,
    "scattered": 4,
}

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--bin", required=True, type=Path, help="the spanql binary")
parser.add_argument("--seconds", type=float, default=120, help="how long to go on")
parser.add_argument("--seed", type=int, help="of the statements; a fresh one is made and printed")
parser.add_argument("--only", help="kinds, or one case of one: joins,windows or joins:17")
parser.add_argument("--spans", type=int, default=2000, help="spans in the store")
parser.add_argument("--most", type=int, default=20, help="failures of a kind that are shown")
args = parser.parse_args()

binary = args.bin.resolve()
seed = args.seed if args.seed is not None else random.SystemRandom().randrange(10**6)


def plainly(message):
    """An error without what is of its statement alone."""
    return re.sub(r"\d+|'[^']*'|\"[^\"]*\"|\b(\w+\.)+\w+", "…", message)[:120]


class Run:
    """What came out so far."""

    def __init__(self, world):
        self.world, self.passed, self.failed = world, Counter(), Counter()
        self.messages, self.known, self.skipped = Counter(), Counter(), Counter()

    def fail(self, name, text, message=None):
        kind = name.split(":")[0]
        if message is not None:
            message = plainly(message)
            self.messages[message] += 1
            if self.messages[message] > 1:
                return
        self.failed[kind] += 1
        if self.failed[kind] <= args.most or args.only:
            print(f"FAIL {name} --seed {seed}: {text}", flush=True)

    def compare(self, name, statement, may_refuse=False):
        kind = name.split(":")[0]
        ours, theirs = self.world.ours.ask(statement.text()), self.world.duck.ask(statement.text())
        if same(ours, theirs, statement.ordered) or (may_refuse and ours.error and not ours.broken):
            self.passed[kind] += 1
            return
        why = reason(kind, our_text(statement.text()), ours, theirs)
        if why:
            self.known[why] += 1
            self.passed[kind] += 1
            return
        one_sided = ours.error if ours.error and not ours.broken else None
        if one_sided is None or self.messages[plainly(one_sided)] == 0:
            statement, ours, theirs = self.shrink(statement, ours, theirs)
        self.fail(
            name, describe(statement.text(), ours, theirs), one_sided or (theirs.error and f"duckdb: {theirs.error}")
        )

    def shrink(self, statement, ours, theirs):
        """The statement with all left out that the difference does not need."""
        until = time.monotonic() + 10
        again = True
        while again and time.monotonic() < until:
            again = False
            for smaller in statement.smaller():
                a, b = self.world.ours.ask(smaller.text()), self.world.duck.ask(smaller.text())
                if b.error is None and not same(a, b, smaller.ordered) and (a.error is None) == (ours.error is None):
                    statement, ours, theirs, again = smaller, a, b, True
                    break
        return statement, ours, theirs


def describe(sql, ours, theirs):
    text = f"{our_text(sql)}\n     ours:   {ours.shown()}\n     duckdb: {theirs.shown()}"
    return text if our_text(sql) == their_text(sql) else f"{text}\n     as DuckDB got it: {their_text(sql)}"


def of_suite(run, name, record):
    """A statement of DataFusion's tests: as DuckDB answers it, or else as they do."""
    ours = run.world.ours.ask(record.sql)
    if ours.code == "unknown-table":
        run.skipped["suite: a statement that needs tables"] += 1
        return
    if ours.code == "unknown-function":
        run.skipped["suite: a function that is not built in"] += 1
        return
    where = f"{record.file}:{record.line}: {record.sql}"
    theirs = run.world.duck.ask(record.sql)
    expected = ours.error is None and suite.as_expected(record, ours.rows)
    if ours.error is None and (
        same(ours, theirs, False)
        or expected and theirs.error
        or not theirs.error and suite.among_ties(record.sql, ours.rows, theirs.rows, run.world.duck)
    ):
        run.passed["suite"] += 1
        return
    why = reason("suite", where, ours, theirs, expected)
    if why:
        run.known[why] += 1
        run.passed["suite"] += 1
        return
    run.fail(
        name,
        f"{where}\n     ours:   {ours.shown()}\n     duckdb: {theirs.shown()}\n     expected: {record.rows[:8]}",
        ours.error,
    )


def version():
    """The version of DataFusion that is built in."""
    lock = Path(__file__).resolve().parents[2] / "Cargo.lock"
    return re.search(r'name = "datafusion"\nversion = "([^"]+)"', lock.read_text()).group(1)


def main():
    only, number = (args.only or "").split(":") if args.only and ":" in args.only else (args.only or "", None)
    chosen = [kind for kind in SHARES if not only or kind in only.split(",")]
    print(f"seed {seed}", flush=True)
    cells, fixed = matrix.shuffled_cells(seed), list(listed.listed())
    random.Random(f"{seed}/listed").shuffle(fixed)
    tests = []
    if "suite" in chosen:
        folder = suite.fetch(version())
        if folder is None:
            print("SKIPPED: DataFusion's own statements: they are not here and cannot be fetched")
            chosen.remove("suite")
        else:
            tests = list(suite.records(folder))
            random.Random(f"{seed}/suite").shuffle(tests)
    with tempfile.TemporaryDirectory(prefix="spanql-differential-") as place:
        duck = Duck()
        world = oracles.World(binary, fill(binary, place, duck, args.spans), duck, seed)
        run = Run(world)

        def one(kind, at):
            name, rng = f"{kind}:{at}", random.Random(f"{seed}/{kind}/{at}")
            if kind == "suite":
                of_suite(run, name, tests[at])
            elif kind == "listed":
                run.compare(name, *fixed[at])
            elif kind in oracles.ORACLES:
                wrong = oracles.ORACLES[kind](world, rng)
                if wrong is None:
                    run.passed[kind] += 1
                else:
                    run.fail(name, wrong)
            else:
                run.compare(name, matrix.joined(rng, cells[at]) if kind == "matrix" else KINDS[kind][0](rng))

        try:
            if number is not None:
                one(chosen[0], int(number))
                chosen = []
            most = {"suite": len(tests), "matrix": len(cells), "listed": len(fixed)}
            spent, done = dict.fromkeys(chosen, 0.0), Counter()
            until = time.monotonic() + args.seconds
            while chosen and time.monotonic() < until:
                # The kind that had least of its share is next.
                kind = min(chosen, key=lambda kind: spent[kind] / SHARES[kind])
                began = time.monotonic()
                one(kind, done[kind])
                spent[kind] += time.monotonic() - began
                done[kind] += 1
                if done[kind] == most.get(kind):
                    chosen.remove(kind)
        finally:
            world.close()
    for kind in SHARES:
        if run.passed[kind] or run.failed[kind]:
            print(f"{kind}: {run.passed[kind]} agree, {run.failed[kind]} differ")
    for what, count in [*run.skipped.items(), *(("known: " + why, count) for why, count in run.known.items())]:
        print(f"{count} times {what}")
    for message, count in run.messages.items():
        print(f"{count} times refused: {message}")
    passed, failed = run.passed.total(), run.failed.total()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


sys.exit(main())
