#!/usr/bin/env python3
"""Judge `spanql traces show` and `spanql sessions show` on recorded spans.

Imports every NAME.spans.jsonl.gz of a directory into a store of its own, as the project NAME, and shows each trace (plain,
--full, as JSON) and each session: nothing may fail, no control or bidirectional character may come out raw, no line may be
wider than 120 columns, and the JSON of a trace holds each of its spans exactly once, below its parent where that is in the
trace, else at the top. Some views are compared with files in snapshots/, which --update writes. Prints `ok CASE` or
`FAIL CASE: why`; the last line is "N passed, N failed". Needs Python 3.11.
"""
import argparse
import gzip
import json
import re
import subprocess
import sys
import tempfile
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

WIDTH = 120
RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
SNAPSHOTS = Path(__file__).parent / "snapshots"

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--bin", required=True, type=Path, help="the spanql binary")
parser.add_argument("--data", required=True, type=Path, help="a directory of NAME.spans.jsonl.gz")
parser.add_argument("--update", action="store_true", help="write the snapshots instead of comparing with them")
parser.add_argument("--jobs", type=int, default=2, help="commands side by side")
args = parser.parse_args()


class Wrong(Exception):
    """What is wrong with a view, in words."""


def columns(line):
    """Columns of a terminal that a line takes."""
    width = 0
    for at, c in enumerate(line):
        if c == "\ufe0f":
            # Emoji presentation of a character that is narrow by itself.
            width += 1 if at and unicodedata.east_asian_width(line[at - 1]) not in "WF" else 0
        elif unicodedata.category(c) not in ("Mn", "Me", "Cf"):
            width += 2 if unicodedata.east_asian_width(c) in "WF" else 1
    return width


def show(*arguments):
    """The text of a view, without characters that act on a terminal."""
    done = subprocess.run([args.bin.resolve(), "-q", "--store", store, *arguments], capture_output=True)
    if done.returncode != 0:
        raise Wrong(f"exit {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
    text = done.stdout.decode("utf-8")
    if raw := RAW.search(text):
        raise Wrong(f"raw U+{ord(raw[0]):04X} in {text[max(0, raw.start() - 20):raw.end()]!r}")
    return text


def view(*arguments):
    """A view for people, of which no line is too wide."""
    text = show(*arguments)
    for line in text.splitlines():
        if columns(line) > WIDTH:
            raise Wrong(f"{columns(line)} columns: {line}")
    return text


def check_json(text, parents):
    """Whether the JSON of a trace has its spans, each below its parent."""
    below, found = [(span, None) for span in json.loads(text)["spans"]], {}
    while below:
        span, parent = below.pop()
        if span["span_id"] in found:
            raise Wrong(f"span {span['span_id']} twice")
        found[span["span_id"]] = parent
        below += [(child, span["span_id"]) for child in span["children"]]
    expected = {span: parent if parent in parents else None for span, parent in parents.items()}
    if found != expected:
        differ = sorted(span for span in found.keys() | expected.keys() if found.get(span, 0) != expected.get(span, 0))
        raise Wrong(f"{len(differ)} spans are missing or hang elsewhere, e.g. {differ[0]}")


def check_trace(project, trace, parents):
    """All views of a trace."""
    place = ["--project", project, "traces", "show", trace]
    plain = view(*place)
    if not plain.startswith("Trace ") or len(plain.splitlines()) < len(parents):
        raise Wrong(f"{len(plain.splitlines())} lines for {len(parents)} spans")
    view(*place, "--full")
    check_json(show(*place, "-o", "json"), parents)


def check_session(project, session, traces):
    """All views of a session."""
    place = ["--project", project, "sessions", "show", session]
    for text in (view(*place), view(*place, "--full")):
        turns = len(re.findall(r"^#\d", text, re.M))
        if turns != len(traces):
            raise Wrong(f"{turns} turns for {len(traces)} traces")
    turns = [turn["trace_id"] for turn in json.loads(show(*place, "-o", "json"))["turns"]]
    if sorted(turns) != sorted(traces):
        raise Wrong(f"turns {turns}, expected {sorted(traces)}")


def check_snapshot(name, arguments):
    """A view as it was before."""
    text, path = view(*arguments), SNAPSHOTS / f"{name}.txt"
    if args.update:
        path.write_text(text, encoding="utf-8")
    elif not path.exists():
        raise Wrong(f"{path} is missing: --update writes it")
    elif path.read_text(encoding="utf-8") != text:
        raise Wrong(f"differs from {path}: look at both, then --update")


def read(path):
    """Of distinct spans: parents by span by trace, traces by session, and by trace what is remarkable about its spans."""
    traces, sessions, remarks = {}, {}, {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for span in map(json.loads, lines):
            trace = span["context.trace_id"]
            traces.setdefault(trace, {}).setdefault(span["context.span_id"], span["parent_id"])
            if (session := span.get("attributes.session.id")) is not None:
                sessions.setdefault(session, set()).add(trace)
            remarks.setdefault(trace, set())
            if span["status_code"] == "ERROR":
                remarks[trace].add(f"error {span['context.span_id']}")
            if not (span.get("attributes.output.value") or "").isascii():
                remarks[trace].add("foreign")
    return traces, sessions, remarks


def depth(parents):
    """Spans on the longest chain."""
    def length(span):
        seen = set()
        while span in parents and span not in seen:
            seen.add(span)
            span = parents[span]
        return len(seen)

    return max(map(length, parents))


def pick(data):
    """What the snapshots show: name and arguments."""
    def trace(project, key):
        """Of the traces for which the key is greatest, the one with the fewest spans."""
        traces, _, remarks = data[project]
        best = max(sorted(traces), key=lambda id: (key(traces[id], remarks[id]), -len(traces[id])))
        return ["--project", project, "traces", "show", best]

    langfuse = sorted(data["langfuse-frameworks"][1])
    return {
        "orphans-only": trace("phoenix-export", lambda parents, _: None not in parents.values()),
        "several-roots": trace("opik-demo", lambda parents, _: list(parents.values()).count(None) > 1),
        "errors": trace("smoltrace-openinference", lambda _, remarks: len(remarks)),
        "deep": trace("otlp-openinference", lambda parents, _: depth(parents)),
        "session": ["--project", "langfuse-frameworks", "sessions", "show", langfuse[1]],
        "non-ascii": [*trace("otel-jsonl-a", lambda _, remarks: "foreign" in remarks), "--full"],
    }


cases, data = [], {}
with tempfile.TemporaryDirectory() as directory:
    store = str(Path(directory) / "store")
    for path in sorted(args.data.glob("*.spans.jsonl.gz")):
        name = path.name.removesuffix(".spans.jsonl.gz")
        data[name] = traces, sessions, _ = read(path)
        show("import", str(path), "--as", name)
        cases += [(f"{name} trace {id}", check_trace, (name, id, traces[id])) for id in sorted(traces)]
        cases += [(f"{name} session {id}", check_session, (name, id, sessions[id])) for id in sorted(sessions)]
    cases += [(f"snapshot {name}", check_snapshot, (name, arguments)) for name, arguments in pick(data).items()]

    def run(case):
        """What is wrong with a case; None when it is right."""
        _, check, arguments = case
        try:
            return check(*arguments)
        except (Wrong, ValueError, KeyError, TypeError) as problem:
            return f"{type(problem).__name__}: {problem}" if not isinstance(problem, Wrong) else str(problem)

    failed = 0
    with ThreadPoolExecutor(args.jobs) as jobs:
        for (name, _, _), problem in zip(cases, jobs.map(run, cases)):
            print(f"FAIL {name}: {problem}" if problem else f"ok {name}", flush=True)
            failed += bool(problem)
print(f"{len(cases) - failed} passed, {failed} failed")
sys.exit(1 if failed else 0)
