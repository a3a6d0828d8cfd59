#!/usr/bin/env python3
"""Checks whole traces of real spans: trace(), session(), critical_path(), structure() and exports, against plain Python.

Imports every NAME.spans.jsonl.gz of --data, and computes trees, relations and intervals from the files alone. Prints
`ok CASE` or `FAIL CASE: why`, then "N passed, N failed". Exit code 1 if anything failed.
"""
import argparse
import gzip
import itertools
import json
import random
import re
import subprocess
import sys
import tempfile
from calendar import timegm
from collections import defaultdict
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--bin", required=True, type=Path, help="the spanql binary")
parser.add_argument("--data", required=True, type=Path, help="the directory of real spans")
parser.add_argument("--only", help="only data sets with this in their name")
args = parser.parse_args()

TRACE, SPAN, KIND = "context.trace_id", "context.span_id", "attributes.openinference.span.kind"
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


def spanql(*argv):
    done = subprocess.run([args.bin, "-q", *map(str, argv)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise RuntimeError(f"exit {done.returncode}: {done.stderr.strip()[-300:]}")
    return done.stdout


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def nanos(text):
    if text is None:
        return None
    m = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|\+00:00)", text)
    return timegm(tuple(map(int, m.groups()[:6]))) * 10**9 + int((m.group(7) or "").ljust(9, "0"))


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


class Trace:
    """The spans of a trace: the first row of each id, and their tree. No data set has a cycle."""

    def __init__(self, spans):
        self.spans = spans
        self.parent = {s: row["parent_id"] if row["parent_id"] in spans else None for s, row in spans.items()}
        key = lambda s: ((start := nanos(spans[s]["start_time"])) is not None, start or 0, s)
        children = defaultdict(list)
        for s in sorted(spans, key=key):
            children[self.parent[s]].append(s)
        self.children = children
        self.order = []
        stack = list(reversed(children[None]))
        while stack:
            s = stack.pop()
            self.order.append(s)
            stack.extend(reversed(children[s]))

    def above(self, s):
        while (s := self.parent[s]) is not None:
            yield s

    def related(self, op, a, b):
        """Whether `a op b`."""
        if a == b:
            return False
        match op:
            case ">":
                return self.parent[b] == a
            case "<":
                return self.parent[a] == b
            case ">>":
                return a in self.above(b)
            case "<<":
                return b in self.above(a)
            case "~":
                return self.parent[a] is not None and self.parent[a] == self.parent[b]

    def times(self, s):
        start, end = nanos(self.spans[s]["start_time"]), nanos(self.spans[s]["end_time"])
        return (start, end) if start is not None and end is not None else None

    def ends(self):
        """When each span and all that it began is over; spans without times, and what is below them, have no end."""
        ends = {}
        for s in reversed(self.order):
            if times := self.times(s):
                ends[s] = max([*times, *(ends[c] for c in self.children[s] if c in ends)])
        return ends

    def path(self):
        """The contributions to the critical path as [start, end, span or None], moment by moment."""
        ends = self.ends()
        tops = [s for s in self.children[None] if s in ends]
        if not tops:
            return None
        # Among those that end together: one with a length, then the later start, then the larger id.
        start = lambda s: self.times(s)[0]
        top = max(tops, key=lambda s: (ends[s], start(s) < ends[s], start(s), s))
        waited_for = {}

        def waits(s, since):
            """The children that a span which counts from `since` on waits for, as (start, end, child)."""
            if s not in waited_for:
                clipped = [(ends[c], max(start(c), since), c) for c in self.children[s] if c in ends]
                found, until = [], ends[s]
                for end, begin, child in sorted(clipped, reverse=True):
                    if begin < end <= until:
                        found.append((begin, end, child))
                        until = begin
                waited_for[s] = found
            return waited_for[s]

        moments = sorted({t for s in ends for t in self.times(s)} | set(ends.values()))
        steps = []
        for begin, end in zip(moments, moments[1:]):
            if begin < start(top) or end > ends[top]:
                continue
            way, since = [top], start(top)
            while True:
                child = next((w for w in waits(way[-1], since) if w[0] <= begin and end <= w[1]), None)
                if child is None:
                    break
                way.append(child[2])
                since = child[0]
            runs = lambda s: self.times(s)[0] <= begin and end <= self.times(s)[1]
            owner = next((s for s in reversed(way) if runs(s)), None)
            if steps and steps[-1][2] == owner:
                steps[-1][1] = end
            else:
                steps.append([begin, end, owner])
        return steps, start(top), ends[top]

    def own(self, s):
        """The nanoseconds of a span that none of its children covers."""
        start, end = self.times(s)
        covered = sorted(t for c in self.children[s] if (t := self.times(c)) and t[0] <= t[1])
        own, at = 0, start
        for begin, stop in covered:
            own += max(0, min(begin, end) - at)
            at = max(at, stop)
        return own + max(0, end - at)


def load(path):
    traces = defaultdict(dict)
    with gzip.open(path, "rt") as file:
        for line in file:
            row = json.loads(line)
            traces[row[TRACE]].setdefault(row[SPAN], row)
    return {trace: Trace(spans) for trace, spans in traces.items()}


# What is between braces, and the same in Python.
BRACES = {
    "": lambda row: True,
    "status_code = 'ERROR'": lambda row: row["status_code"] == "ERROR",
    "attributes.openinference.span.kind = 'LLM'": lambda row: row.get(KIND) == "LLM",
    "attributes.openinference.span.kind = 'AGENT' OR attributes.openinference.span.kind = 'CHAIN'":
        lambda row: row.get(KIND) in ("AGENT", "CHAIN"),
    "name CONTAINS 'e}'": lambda row: "e}" in (row["name"] or ""),
    "name CONTAINS 'a'": lambda row: "a" in (row["name"] or ""),
    "parent_id IS NULL": lambda row: row["parent_id"] is None,
}
OPS = [">", ">>", "<", "<<", "~"]


def expected(traces, left, op, negated, right, side):
    found = []
    for trace, tree in traces.items():
        a = [s for s, row in tree.spans.items() if BRACES[left](row)]
        b = [s for s, row in tree.spans.items() if BRACES[right](row)]
        pairs = [(x, y) for x in a for y in b if tree.related(op, x, y)]
        lefts, rights = {x for x, _ in pairs}, {y for _, y in pairs}
        if negated:
            chosen = set(a) - lefts
        else:
            chosen = {"left": lefts, "right": rights, "both": lefts | rights}[side]
        found += [(trace, s) for s in chosen]
    return sorted(found)


def check_structure(name, store, traces):
    small = {trace: tree for trace, tree in traces.items() if len(tree.spans) <= 400}
    where = "" if len(small) == len(traces) else \
        " WHERE trace_id NOT IN (" + ", ".join(quoted(t) for t in traces if t not in small) + ")"
    queries = []
    # Some of all pairs, other ones for every data set, the same in every run.
    pairs = random.Random(name).sample(list(itertools.permutations(BRACES, 2)), 12)
    for (left, right), op in itertools.product(pairs, OPS):
        for negated, side in [(False, "left"), (False, "right"), (False, "both"), (True, None)]:
            queries.append((left, op, negated, right, side))
    # One process for all, its answers told apart by their numbers.
    statements = []
    for number, (left, op, negated, right, side) in enumerate(queries):
        pattern = f"{{{left}}} {'!' if negated else ''}{op} {{{right}}}"
        call = f"structure({quoted(pattern)}" + (f", '{side}')" if side and side != "right" else ")")
        statements.append(f"SELECT {number} AS q, trace_id, span_id FROM {call}{where};")
    got = defaultdict(list)
    for row in lines(spanql("--store", store, "query", "-o", "jsonl", "\n".join(statements))):
        got[row["q"]].append((row["trace_id"], row["span_id"]))
    for op in OPS:
        for negated in (False, True):
            wrong, some = None, 0
            for number, query in enumerate(queries):
                if query[1] == op and query[2] == negated:
                    want, have = expected(small, *query), sorted(got[number])
                    some += len(want)
                    if want != have and wrong is None:
                        wrong = f"{query}: {len(want)} expected, {len(have)} found"
            case(f"{name}/structure {'!' if negated else ''}{op} ({some} spans)", wrong)


def check_paths(name, store, traces):
    wrong, outliving, nobody = None, 0, 0
    critical = set()
    for trace, tree in traces.items():
        rows = lines(spanql("--store", store, "query", "-o", "jsonl", f"SELECT * FROM critical_path({quoted(trace)})"))
        expected = tree.path()
        if expected is None:
            wrong = wrong or (f"{trace}: a path without times" if rows else None)
            continue
        steps, start, end = expected
        ends = tree.ends()
        outliving += sum(ends[s] > max(tree.times(s)) for s in ends)
        nobody += sum(s is None for _, _, s in steps)
        critical |= {(trace, s) for _, _, s in steps if s is not None}
        found = [[nanos(row["start_time"]), nanos(row["end_time"]), row["span_id"]] for row in rows]
        if found != steps:
            at = next(i for i, (f, s) in enumerate(itertools.zip_longest(found, steps)) if f != s)
            wrong = wrong or f"{trace}: step {at + 1} is {(found + [None])[at]}, not {(steps + [None])[at]}"
        total, share = (sum(row[column] for row in rows) for column in ("contribution_ms", "share"))
        if abs(total - (end - start) / 1e6) > 1e-6 * max(1.0, total) or (rows and abs(share - 1) > 1e-9):
            wrong = wrong or f"{trace}: contributions sum to {total}, shares to {share}"
        if [row["step"] for row in rows] != list(range(1, len(rows) + 1)):
            wrong = wrong or f"{trace}: steps are not numbered"
    case(f"{name}/critical_path of {len(traces)} traces ({outliving} outlived spans, {nobody} steps of nobody)", wrong)

    rows = lines(spanql("--store", store, "query", "-o", "jsonl",
                        "SELECT trace_id, span_id, tree.critical AS critical, tree.self_ms AS own FROM spans"))
    wrong = None
    for row in rows:
        tree, span = traces[row["trace_id"]], row["span_id"]
        if row["critical"] != ((row["trace_id"], span) in critical):
            wrong = wrong or f"{row['trace_id']} {span}: tree.critical is {row['critical']}"
        own = tree.own(span) / 1e6 if tree.times(span) else None
        if (own is None) != (row["own"] is None) or (own is not None and abs(own - row["own"]) > 1e-6):
            wrong = wrong or f"{row['trace_id']} {span}: tree.self_ms is {row['own']}, not {own}"
    case(f"{name}/tree.critical and tree.self_ms of {len(rows)} spans", wrong)


CALLS = {"LLM", "TOOL", "EMBEDDING", "RETRIEVER", "RERANKER"}
TOKENS = [f"attributes.llm.token_count.{part}" for part in ("prompt", "completion", "total")]


def texts_in(value):
    """All texts in a JSON value, but for keys."""
    match value:
        case str():
            yield value.strip()
        case list():
            for item in value:
                yield from texts_in(item)
        case dict():
            for item in value.values():
                yield from texts_in(item)


def as_json(text):
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return text


def given(row):
    """What a call was given: its input, else its messages, which may be keys with numbers in them."""
    if (text := row.get("attributes.input.value")) is not None:
        value = as_json(text)
        return value.strip() if isinstance(value, str) else value
    messages = {key: value for key, value in row.items() if key.startswith("attributes.llm.input_messages")}
    return messages or None


def is_wrapper(tree, span):
    row = tree.spans[span]
    kind = row.get(KIND)
    alike = [c for c in tree.children[span] if tree.spans[c].get(KIND) == kind]
    if kind not in CALLS or len(alike) != 1:
        return False
    child = tree.spans[alike[0]]
    outer, inner = tree.times(span), tree.times(alike[0])
    if not outer or not inner or not (outer[0] <= inner[0] <= inner[1] <= outer[1]):
        return False
    uses = lambda row: any((row.get(name) or 0) > 0 for name in TOKENS)
    costs = lambda row: (row.get("attributes.llm.cost.total") or 0) > 0
    if (uses(row) and not uses(child)) or (costs(row) and not costs(child)):
        return False
    a, b = given(row), given(child)
    same = a is not None and a == b and a not in ("", [], {})
    if kind == "TOOL":
        names = [r.get("attributes.tool.name") for r in (row, child)]
        return same and (None in names or names[0] == names[1])
    if uses(child):
        both = [(row[name], child[name]) for name in TOKENS if row.get(name) is not None and child.get(name) is not None]
        if not uses(row) or (any(x > 0 for x, _ in both) and all(x == y for x, y in both)):
            return True
    for x, y in ((a, b), (b, a)):
        if isinstance(x, dict) and isinstance(y, dict) and y and all(x.get(key) == value for key, value in y.items()):
            same = True
        if isinstance(y, str) and y and not isinstance(x, str) and y in texts_in(x):
            same = True
    return same


def check_wrappers(name, ask, traces):
    wrong = None
    wrappers = {(t, s) for t, tree in traces.items() for s in tree.spans if is_wrapper(tree, s)}
    rows = ask("SELECT trace_id, span_id, kind FROM spans WHERE tree.wrapper")
    found = {(row["trace_id"], row["span_id"]) for row in rows}
    if found != wrappers:
        wrong = f"{len(wrappers)} expected, {len(found)} found, {len(found & wrappers)} of both"
    for row in ask("SELECT trace_id, llm_count, tool_count FROM traces"):
        spans = traces[row["trace_id"]].spans
        for column, kind in (("llm_count", "LLM"), ("tool_count", "TOOL")):
            count = sum(r.get(KIND) == kind and (row["trace_id"], s) not in wrappers for s, r in spans.items())
            if row[column] != count:
                wrong = wrong or f"{row['trace_id']}: {column} is {row[column]}, not {count}"
    case(f"{name}/{len(wrappers)} wrappers", wrong)


def check(path):
    name = path.name.removesuffix(".spans.jsonl.gz")
    traces = load(path)
    with tempfile.TemporaryDirectory() as directory:
        store = Path(directory) / "store"
        spanql("--store", store, "import", path, "--project", name)
        ask = lambda sql: lines(spanql("--store", store, "query", "-o", "jsonl", sql))

        wrong = None
        for trace, tree in traces.items():
            rows = ask(f"SELECT span_id FROM trace({quoted(trace)})")
            if [row["span_id"] for row in rows] != tree.order:
                wrong = wrong or f"{trace}: other spans, or another order"
        case(f"{name}/trace() of {len(traces)} traces", wrong)

        sessions = defaultdict(set)
        for trace, tree in traces.items():
            for row in tree.spans.values():
                if row.get("attributes.session.id") is not None:
                    sessions[row["attributes.session.id"]].add(trace)
        begins = lambda t: min((s for row in traces[t].spans.values() if (s := nanos(row["start_time"])) is not None))
        wrong = None
        for session, members in sessions.items():
            rows = ask(f"SELECT trace_id, span_id FROM session({quoted(session)})")
            order = sorted(members, key=lambda t: (begins(t), t))
            if [(r["trace_id"], r["span_id"]) for r in rows] != [(t, s) for t in order for s in traces[t].order]:
                wrong = wrong or f"{session}: other spans, or another order"
        case(f"{name}/session() of {len(sessions)} sessions", wrong)

        check_wrappers(name, ask, traces)
        check_paths(name, store, traces)
        check_structure(name, store, traces)

        rows = lines(spanql("--store", store, "traces", "export", "-o", "jsonl"))
        order = sorted(traces, key=lambda t: (-begins(t), t))
        want = [(t, s) for t in order for s in traces[t].order]
        case(f"{name}/export", None if [(r[TRACE], r[SPAN]) for r in rows] == want else "other spans, or another order")
        nested = json.loads(spanql("--store", store, "traces", "export"))
        have = [(span["context"]["trace_id"], span["context"]["span_id"]) for span in nested]
        case(f"{name}/export as json", None if have == want else "other spans, or another order")
        few = lines(spanql("--store", store, "traces", "export", "--limit", 2, "-o", "jsonl"))
        want = [(t, s) for t in order[:2] for s in traces[t].order]
        case(f"{name}/export of two", None if [(r[TRACE], r[SPAN]) for r in few] == want else "other spans")


for path in sorted(args.data.glob("*.spans.jsonl.gz")):
    if not args.only or args.only in path.name:
        try:
            check(path)
        except Exception as error:  # noqa: BLE001
            case(path.name, error)
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
