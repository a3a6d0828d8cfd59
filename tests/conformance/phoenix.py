#!/usr/bin/env python3
"""Checks `spanql pull phoenix` and live tables against a real Phoenix.

Starts the server that lies in --phoenix, loads real spans both ways (REST and OTLP), and pulls them back: they must be what
an import of the same spans gives, but for what Phoenix itself changes. Replays the filters, with each value that Phoenix
is known to compare in its own way: a pull with a filter must bring what the filter finds among all spans. Kills a pull and
takes it up again, loads spans while it runs, asks for a key, and puts an old server in front that ignores parameters.

Prints `ok CASE` or `FAIL CASE: why`, then "N passed, N failed". Exit code 1 if anything failed. Needs Python 3.11; where the
server cannot be installed, prints SKIPPED.
"""
import argparse
import contextlib
import gzip
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--bin", required=True, type=Path, help="the spanql binary")
parser.add_argument("--phoenix", required=True, type=Path, help="the directory with `start` and `load.py`")
parser.add_argument("--data", type=Path, help="the directory of real spans")
parser.add_argument("--url", help="a Phoenix that runs already, instead of starting one")
parser.add_argument("--only", help="only cases with this in their name")
args = parser.parse_args()
args.bin = args.bin.resolve()

ALL = ["--start-time", "2000-01-01", "--end-time", "2100-01-01"]
TRACE, SPAN, KIND = "context.trace_id", "context.span_id", "attributes.openinference.span.kind"
LISTS = [f"attributes.{name}" for name in (
    "llm.input_messages", "llm.output_messages", "llm.tools", "retrieval.documents", "reranker.input_documents",
    "reranker.output_documents", "embedding.embeddings")]
passed = failed = 0


def case(name, check):
    """Runs a check; it returns what is wrong, or nothing."""
    global passed, failed
    if args.only and args.only not in name:
        return
    began = time.monotonic()
    try:
        problem = check()
    except Exception as error:  # noqa: BLE001: the other cases are tried whatever happens
        problem = f"{type(error).__name__}: {error}"
    if problem:
        failed += 1
        print(f"FAIL {name}: {problem}"[:2000])
    else:
        passed += 1
        print(f"ok {name} ({time.monotonic() - began:.1f} s)")
    sys.stdout.flush()


class Failed(Exception):
    pass


class User:
    """The program as somebody calls it who has set up one Phoenix."""

    def __init__(self, url, key=None):
        self.home = tempfile.mkdtemp(prefix="spanql-phoenix-user-", dir=work)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PHOENIX_", "ARIZE_", "OPIK_", "SPANQL_"))}
        self.env = {**kept, "HOME": self.home, "XDG_CONFIG_HOME": self.home, "PHOENIX_COLLECTOR_ENDPOINT": url}
        if key:
            self.env["PHOENIX_API_KEY"] = key

    def start(self, *argv):
        return subprocess.Popen([args.bin, *map(str, argv)], env=self.env, cwd=self.home, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *argv, code=0):
        done = subprocess.run([args.bin, *map(str, argv)], env=self.env, cwd=self.home, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=300)
        if done.returncode != code:
            raise Failed(f"{' '.join(map(str, argv))}: exit {done.returncode}: {done.stderr[-600:]}")
        return done.stdout if code == 0 else done.stderr

    def pull(self, store, project, *options):
        window = [] if any(option in options for option in ("--start-time", "--new")) else ALL
        return self.run("-q", "--store", store, "pull", "phoenix", project, *window, *options)

    def query(self, store, sql):
        return [json.loads(line) for line in self.run("-q", "--store", store, "query", sql, "-o", "jsonl").splitlines()]

    def ids(self, store):
        return sorted(row["id"] for row in self.query(store, "SELECT context.span_id AS id FROM spans"))


stores = 0


def store():
    global stores
    stores += 1
    return work / f"store-{stores}"


def call(method, path, body=None, base=None, token=None):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request((base or url) + path, data=data, method=method, headers=headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read()
        return json.loads(text) if text else None


def load(spans, project, via="rest", base=None, token=None, wait=True):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", dir=work, delete=False) as file:
        file.writelines(json.dumps(span) + "\n" for span in spans)
    command = [sys.executable, args.phoenix / "load.py", file.name, "--base-url", base or url, "--project", project, "--via", via]
    if token:
        command += ["--token", token]
    if not wait:
        command += ["--no-wait"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"load.py: {done.stderr[-500:]}")


# ---------------------------------------------------------------- real spans

def micros(text):
    """A time without what is finer than microseconds."""
    return text and re.sub(r"(\.\d{6})\d+", r"\1", text)


def held(text):
    """What a text stands for, if it is a list or an object."""
    if isinstance(text, str) and text[:1] in "[{":
        with contextlib.suppress(ValueError):
            return json.loads(text)
    return text


def together(row):
    """A row whose lists stand in one column each, where the data set has them in parts."""
    lists, rest = {}, {}

    def put(place, keys, value):
        key, *below = keys
        if below:
            put(place.setdefault(key, {}), below, value)
        else:
            place[key] = value

    def made(place):
        if not isinstance(place, dict):
            return place
        if place and all(isinstance(key, int) for key in place):
            return [made(place[key]) for key in sorted(place)]
        return {key: made(value) for key, value in place.items()}

    for name, value in row.items():
        of = next((of for of in LISTS if re.match(re.escape(of) + r"\.\d+\.", name)), None)
        if of is None or row.get(of) is not None:
            rest[name] = value
            continue
        keys = re.split(r"\.?(?<!\d)(\d+)\.", name.removeprefix(of + "."))
        put(lists.setdefault(of, {}), [int(key) if key.isdigit() else key for key in keys if key], value)
    return {**rest, **{of: json.dumps(made(place)) for of, place in lists.items()}}


def changed(row, via):
    """A row as it must come back."""
    row = together({name: value for name, value in row.items() if value is not None})
    row["start_time"], row["end_time"] = micros(row.get("start_time")), micros(row.get("end_time"))
    row.setdefault("status_code", "UNSET")
    row.setdefault("status_message", "")
    # Phoenix says so where no kind was recorded, too.
    row[KIND] = None if row.get(KIND) == "UNKNOWN" else row.get(KIND)
    events = held(row.get("events") or "[]")
    for event in events:
        event["timestamp"] = micros(event["timestamp"])
        if via == "otlp" and event["name"] == "exception":
            kept = ("exception.type", "exception.message", "exception.stacktrace", "exception.escaped")
            event["attributes"] = {k: v for k, v in event["attributes"].items() if k in kept}
    row["events"] = json.dumps(events)
    return row


def rest_span(row):
    """A row in the shape that Phoenix takes."""
    attributes = {}
    for name, value in row.items():
        if name.startswith("attributes.") and name != KIND and value is not None:
            attributes[name.removeprefix("attributes.")] = held(value) if name in LISTS else value
    return {
        "name": row["name"], "context": {"trace_id": row[TRACE], "span_id": row[SPAN]}, "span_kind": row[KIND] or "UNKNOWN",
        "parent_id": row.get("parent_id"), "start_time": row["start_time"], "end_time": row["end_time"],
        "status_code": row["status_code"], "status_message": row["status_message"], "attributes": attributes,
        "events": held(row["events"]),
    }


def other_ids(row):
    """The row with other ids: Phoenix knows a span id once, and a trace in one project."""
    other = lambda text, digits: text and hashlib.md5(text.encode()).hexdigest()[:digits]
    return {**row, TRACE: other(row[TRACE], 32), SPAN: other(row[SPAN], 16), "parent_id": other(row.get("parent_id"), 16)}


def plain(row):
    """A row for comparing: JSON texts as what they stand for, times of events in one form."""
    def value(name, text):
        text = held(text)
        if name == "events":
            for event in text:
                event["timestamp"] = re.sub(r"(\.\d*?)0+(?=[Z+]|$)", r"\1", event["timestamp"]).replace(".Z", "Z")
                event["timestamp"] = event["timestamp"].replace("+00:00", "Z").replace(".Z", "Z")
        if name.endswith("documents") and isinstance(text, list):
            # Over OTLP, Phoenix makes objects of texts that are some.
            text = [{key: held(value) for key, value in document.items()} for document in text]
        return text
    left_out = ("source", "project", "latency_ms")
    return {name: value(name, text) for name, text in row.items() if text is not None and name not in left_out}


def real(name, via):
    def check():
        with gzip.open(args.data / f"{name}.spans.jsonl.gz", "rt", encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        rows = list({(row[TRACE], row[SPAN]): row for row in reversed(rows)}.values())
        if via == "otlp":
            rows = [other_ids(row) for row in rows]
        project = f"{name} {via}"
        expected = [changed(row, via) for row in rows]
        load([rest_span(row) for row in expected], project, via)
        pulled, imported = store(), store()
        user = User(url)
        user.pull(pulled, project)
        file = work / f"{project}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in expected))
        user.run("-q", "--store", imported, "import", file, "--project", "p")
        sql = f"SELECT * FROM spans ORDER BY {TRACE}, {SPAN}"
        found, wanted = (list(map(plain, user.query(place, sql))) for place in (pulled, imported))
        if len(found) != len(rows):
            return f"{len(found)} spans instead of {len(rows)}"
        for ours, theirs in zip(found, wanted):
            # What Phoenix adds to spans of OTLP: its own names of what has another.
            gen_ai = via == "otlp" and any("gen_ai." in key for key in theirs)
            for key in sorted(ours.keys() | theirs.keys()):
                added = gen_ai and key.startswith("attributes.llm.") and key not in theirs
                if ours.get(key) != theirs.get(key) and not added:
                    return f"span {theirs[SPAN]}, {key}: {str(ours.get(key))[:300]!r}, expected {str(theirs.get(key))[:300]!r}"
        return None
    return check


# ---------------------------------------------------------------- filters

def span(number, prefix="a", day=1, **members):
    base = {
        "name": f"n{number}", "context": {"trace_id": f"{prefix}{number // 3:031x}", "span_id": f"{prefix}{number:015x}"},
        "span_kind": "CHAIN", "parent_id": None, "start_time": f"2026-01-{day:02}T03:04:05.{number % 1000000:06}Z",
        "end_time": f"2026-01-{day:02}T03:04:06Z", "status_code": "OK", "attributes": {},
    }
    return {**base, **members}


VALUES = [
    "sess:abc:123", "12345", "true", '{"q": 1}', 'a "quoted" \\ back', "tab\tnew\nline\u0001", "", " blanks ", "é non-ASCII",
    "del\u007f", 12345, 2.0, 0.1, 1 / 3, 1e-5, -0.0, 1e15, True, False, ["a", "b"], 0, 1, 9007199254740993, "False", "0.10",
]
ASKED = [
    "sess:abc:123", '"sess:abc:123"', "12345", '"12345"', "true", '"true"', '"{\\"q\\": 1}"', json.dumps('a "quoted" \\ back'),
    json.dumps("tab\tnew\nline\u0001"), '""', " blanks ", json.dumps("é non-ASCII"), "é non-ASCII", json.dumps("del\u007f"),
    "12345.0", "1.2345e4", "2", "2.0", "0.1", "0.10", "1e-1", repr(1 / 3), "0.00001", "-0.0", "1e15", "false", "0", "1", "False",
    '"false"', "9007199254740993", "a", "absent", "NaN",
]


def filters():
    spans = [span(at, "b", attributes={"k": value, "session.id": f"s{at % 4}"}) for at, value in enumerate(VALUES)]
    kinds = ["LLM", "llm", "TOOL", "SOMETHING", "UNKNOWN", "PROMPT"]
    for at, kind in enumerate(kinds):
        spans.append(span(100 + at, "b", span_kind=kind, status_code=["OK", "ERROR", "UNSET"][at % 3], name="same"))
    # Parents that are none here, and one that is missing.
    for at, parent in enumerate(["", "0000000000000000", "000000000000dead", spans[0]["context"]["span_id"]]):
        spans.append(span(200 + at, "b", parent_id=parent))
    spans.append(span(300, "b", attributes={"user": "bob", "user.id": "u1"}))
    spans.append(span(301, "b", attributes={"llm": {"model_name": "gpt-4o", "input_messages": [{"message": {"role": "user"}}]},
                                            "metadata": '{"tier": "gold"}'}))
    spans.append(span(302, "b", attributes={"metadata": {"tier": "gold", "n": 3}}))
    # Those with values come last: what came last tells which attributes there are.
    load(spans[::-1], "filters")
    user, everything = User(url), store()
    user.pull(everything, "filters")
    case("all spans of the filters came", lambda: None if len(user.ids(everything)) == len(spans) else "not all")

    asked = [["--attribute", f"k:{value}"] for value in ASKED]
    asked += [["--span-kind", kind] for kind in ("LLM", "llm", "TOOL", "UNKNOWN", "PROMPT", "CHAIN")]
    asked += [["--status-code", status] for status in ("ok", "ERROR", "UNSET")]
    asked += [
        ["--name", "same"], ["--name", "Same"], ["--name", "n1", "--name", "n2"], ["--parent-id", "null"],
        ["--parent-id", spans[0]["context"]["span_id"]], ["--parent-id", "000000000000dead"],
        ["--trace-id", spans[0]["context"]["trace_id"]], ["--filter", f"trace_id = '{spans[0]['context']['trace_id'].upper()}'"],
        ["--span-id", spans[3]["context"]["span_id"], "--span-id", spans[5]["context"]["span_id"]],
        ["--session-id", "s1"], ["--attribute", "k:12345", "--attribute", "session.id:s2"],
        ["--attribute", "user.id:u1"], ["--attribute", "llm.model_name:gpt-4o"], ["--attribute", "metadata.tier:gold"],
        ["--span-kind", "LLM", "--status-code", "ERROR"],
        ["--filter", "parent_id IS NULL"], ["--filter", "kind != 'LLM'"], ["--filter", "name LIKE 'n%' AND status_code = 'OK'"],
        ["--filter", "attributes.k = 'sess:abc:123' OR name = 'same'"], ["--filter", "attributes.k IN ('true', '2.0')"],
        ["--filter", "start_time >= '2026-01-01T03:04:05.000003Z'"], ["--filter", "attributes.metadata.n > 2"],
    ]
    for options in asked:
        def check(options=options):
            pulled = store()
            user.pull(pulled, "filters", "--allow-unknown", *options)
            listed = user.run("-q", "--store", everything, "spans", "list", "--allow-unknown", *options, "-o", "jsonl")
            listed = sorted(json.loads(line)["span_id"] for line in listed.splitlines())
            found = user.ids(pulled)
            return None if found == listed else f"pulled {found}, of all spans it finds {listed}"
        case(f"filter {' '.join(options)!r}", check)

    def live():
        rows = user.run("-q", "query", "SELECT context.span_id AS id FROM phoenix.filters WHERE kind = 'LLM' AND "
                        "start_time >= '2026-01-01' ORDER BY id", "-o", "jsonl")
        found = [json.loads(line)["id"] for line in rows.splitlines()]
        wanted = user.query(everything, "SELECT context.span_id AS id FROM spans WHERE kind = 'LLM' ORDER BY id")
        return None if found == [row["id"] for row in wanted] else f"{found}, expected {wanted}"
    case("a live table gives the same", live)

    def explained():
        where = "kind = 'TOOL' AND start_time >= '2026-01-01' AND attributes.k = 'sess:abc:123' AND session_id = 's1'"
        plan = user.run("-q", "query", f"EXPLAIN SELECT name FROM phoenix.filters WHERE {where}", "-o", "csv")
        said = plan[plan.index("request={"):]
        asked = ("path: /v1/projects/filters/spans", "span_kind: TOOL", "attribute: k:", "start_time: 2026-01-01T00:00:00.000000Z")
        return None if all(part in said for part in asked) and "s1" not in said[:said.index("rest=")] else said
    case("EXPLAIN shows what is asked", explained)

    def limited():
        pulled = store()
        user.pull(pulled, "filters", "--limit", "7")
        return None if len(user.ids(pulled)) == 7 else "another number of spans"
    case("a limit is kept", limited)


def annotations():
    spans = [span(at, "c") for at in range(4)]
    load(spans, "annotated")
    ids = [each["context"]["span_id"] for each in spans]
    of = lambda at, name, kind, **more: {"span_id": ids[at], "name": name, "annotator_kind": kind, **more}
    call("POST", "/v1/span_annotations?sync=true", {"data": [
        of(0, "Correct", "LLM", result={"label": "yes", "score": 0.75, "explanation": "it 'fits'"}),
        of(1, "Correct", "CODE", result={"score": 1}, identifier="rule"),
        of(2, "Thumbs", "HUMAN", result={"label": "up", "score": 1}),
        of(2, "Thumbs", "LLM", result={"label": "down"}, identifier="second"),
    ]})
    call("POST", "/v1/span_notes", {"data": {"span_id": ids[3], "note": "look \u202e here"}})
    user, pulled = User(url), store()
    user.pull(pulled, "annotated")
    evals = user.query(pulled, "SELECT span_id, name, label, score, explanation FROM evals ORDER BY span_id, name")
    wanted = [
        {"span_id": ids[0], "name": "Correct", "label": "yes", "score": 0.75, "explanation": "it 'fits'"},
        {"span_id": ids[1], "name": "Correct", "label": None, "score": 1.0, "explanation": None},
        {"span_id": ids[2], "name": "Thumbs", "label": "down", "score": None, "explanation": None},
    ]
    if evals != wanted:
        return f"evaluations {evals}"
    said = user.query(pulled, "SELECT span_id, name, label, score, text, annotator_kind FROM annotations ORDER BY span_id")
    wanted = [
        {"span_id": ids[2], "name": "Thumbs", "label": "up", "score": 1.0, "text": None, "annotator_kind": "HUMAN"},
        {"span_id": ids[3], "name": "notes", "label": None, "score": None, "text": "look \u202e here", "annotator_kind": "HUMAN"},
    ]
    return None if said == wanted else f"annotations {said}"


def written():
    """What is written from here comes back as it was written, and unknown ids are told."""
    spans = [span(at, "w") for at in range(4)]
    load(spans, "written")
    ids = [each["context"]["span_id"] for each in spans]
    user, pulled, ghost = User(url), store(), "f" * 16
    user.pull(pulled, "written")
    rows = work / "written.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in [
        {"record_id": ids[0], "values": [{"name": "Quality", "label": "good", "score": 0.5, "text": "it 'fits' \u202e"}]},
        {"record_id": ids[1], "values": [{"name": "Quality", "label": "bad"}, {"name": "notes", "text": "look here"}]},
        {"record_id": ghost, "values": [{"name": "Quality", "label": "lost"}]},
    ]))
    left = work / "written-left.jsonl"
    to = ["--project", "written", "spans"]
    said = user.run("-q", *to, "annotate", rows, "--to", "phoenix", "--failed", left, code=1)
    if "1 id of 3 failed" not in said or ghost not in left.read_text() or ids[0] in left.read_text():
        return f"{said}; left: {left.read_text()}"
    user.run("-q", "--store", pulled, *to, "evaluate", "--to", "phoenix", "--name", "Correct", "--query",
             "SELECT span_id, 0.25 AS score FROM spans")
    again = store()
    user.pull(again, "written")
    # What is a text here is an explanation there.
    said = user.query(again, "SELECT span_id, name, label, score, coalesce(text, explanation) AS text FROM annotations "
                             "ORDER BY span_id, name")
    wanted = [
        {"span_id": ids[0], "name": "Quality", "label": "good", "score": 0.5, "text": "it 'fits' \u202e"},
        {"span_id": ids[1], "name": "Quality", "label": "bad", "score": None, "text": None},
        {"span_id": ids[1], "name": "notes", "label": None, "score": None, "text": "look here"},
    ]
    if said != wanted:
        return f"annotations {said}"
    scores = user.query(again, "SELECT count(*) AS n, min(score) AS s FROM evals WHERE name = 'Correct'")
    if scores != [{"n": 4, "s": 0.25}]:
        return f"evaluations {scores}"
    # Parts that are not said again stay, also those of traces.
    user.run("-q", *to, "annotate", "--to", "phoenix", "--name", "Quality", "--id", ids[0], "--label", "fair")
    trace = spans[0]["context"]["trace_id"]
    of_trace = ["evaluate", "--to", "phoenix", "--grain", "trace", "--name", "Whole", "--id", trace]
    user.run("-q", *to, *of_trace, "--label", "fine", "--text", "why")
    user.run("-q", *to, *of_trace, "--score", "0.75")
    kept = store()
    user.pull(kept, "written")
    said = user.query(kept, f"SELECT label, score, coalesce(text, explanation) AS text FROM annotations WHERE span_id = '{ids[0]}'")
    said += user.query(kept, "SELECT label, score, explanation AS text FROM evals WHERE name = 'Whole'")
    wanted = [{"label": "fair", "score": 0.5, "text": "it 'fits' \u202e"}, {"label": "fine", "score": 0.75, "text": "why"}]
    if said != wanted:
        return f"after a part alone: {said}"
    refused = user.run("-q", "--project", "writen", "spans", "annotate", "--to", "phoenix", "--name", "Quality", "--id", ids[0],
                       "--label", "lost", code=1)
    if "written" not in refused:
        return f"another project: {refused}"
    # A second time is the same, and not twice as much.
    user.run("-q", *to, "evaluate", "--to", "phoenix", "--name", "Correct", "--id", ids[0], "--score", "1")
    user.run("-q", *to, "delete", "--to", "phoenix", "--yes", ids[3], ghost)
    last = store()
    user.pull(last, "written")
    scores = user.query(last, "SELECT span_id, score FROM evals WHERE name = 'Correct' ORDER BY score DESC, span_id")
    wanted = [{"span_id": ids[0], "score": 1.0}] + [{"span_id": id, "score": 0.25} for id in ids[1:3]]
    return None if scores == wanted else f"the second time {scores}"


def levels():
    """What is said of traces and of sessions stands on one row each, whatever belongs to them."""
    spans = [span(at, "8") for at in range(6)]
    for at, each in enumerate(spans):
        # Two traces of three spans, in one session, the second of which began first.
        each["context"]["trace_id"] = f"{'8' * 31}{at // 3}"
        each["parent_id"] = None if at % 3 == 0 else spans[at // 3 * 3]["context"]["span_id"]
        each["attributes"]["session.id"] = "two turns?"
    spans[3]["start_time"] = "2020-01-01T00:00:00+00:00"
    load(spans, "levels")
    trace, session = spans[0]["context"]["trace_id"], "two turns?"
    said = lambda name, kind, **more: {"name": name, "annotator_kind": kind, **more}
    call("POST", "/v1/trace_annotations?sync=true", {"data": [
        {"trace_id": trace, **said("Helpful", "LLM", result={"label": "yes", "score": 0.5})},
        {"trace_id": trace, **said("Thumbs", "HUMAN", result={"label": "up"})},
    ]})
    call("POST", "/v1/session_annotations?sync=true", {"data": [
        {"session_id": session, **said("Solved", "CODE", result={"score": 1, "explanation": "both"})},
    ]})
    user, pulled = User(url), store()
    user.pull(pulled, "levels")
    evals = user.query(pulled, "SELECT level, span_id, name, label, score, explanation FROM evals ORDER BY level, name")
    first, second = spans[0]["context"]["span_id"], spans[3]["context"]["span_id"]
    wanted = [
        {"level": "session", "span_id": second, "name": "Solved", "label": None, "score": 1.0, "explanation": "both"},
        {"level": "trace", "span_id": first, "name": "Helpful", "label": "yes", "score": 0.5, "explanation": None},
        {"level": "trace", "span_id": first, "name": "Thumbs", "label": "up", "score": None, "explanation": None},
    ]
    if evals != wanted:
        return f"evaluations {evals}"
    live = "SELECT trace_eval.Helpful.score AS s FROM phoenix.levels WHERE trace_eval.Helpful.label = 'yes' AND start_time > '2000-01-01'"
    found = user.query(pulled, live)
    return None if found == [{"s": 0.5}] else f"live {found}"


# ---------------------------------------------------------------- between the program and the server

class Between(ThreadingHTTPServer):
    """A server that hands requests on, as `hook(path, query, number)` says: it returns another query, or an answer."""

    daemon_threads = True

    def __init__(self, hook):
        super().__init__(("127.0.0.1", 0), Hand)
        self.hook, self.asked = hook, []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass  # Who is killed does not say goodbye.


class Hand(BaseHTTPRequestHandler):
    def do_GET(self):
        path, _, query = self.path.partition("?")
        query = urllib.parse.parse_qsl(query, keep_blank_values=True)
        self.server.asked.append((path, query))
        told = self.server.hook(path, query, len(self.server.asked))
        if isinstance(told, tuple):
            status, body = told
            return self.answer(status, "text/plain", body.encode())
        request = urllib.request.Request(f"{url}{path}?{urllib.parse.urlencode(query if told is None else told)}")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, kind, body = answer.status, answer.headers["content-type"], answer.read()
        except urllib.error.HTTPError as error:
            status, kind, body = error.code, error.headers["content-type"], error.read()
        return self.answer(status, kind, body)

    def answer(self, status, kind, body):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def days():
    """A project with spans on 20 days."""
    load([span(at, "d", day=1 + at % 20) for at in range(300)], "days")
    return [f"d{at:015x}" for at in range(300)]


DAYS = ["--start-time", "2026-01-01", "--end-time", "2026-01-21", "--jobs", "1"]


def killed():
    def slow(path, query, number):
        time.sleep(0.15)
    between, pulled = Between(slow), store()
    user = User(between.url)
    process = user.start("-q", "--store", pulled, "pull", "phoenix", "days", *DAYS)
    slices = lambda: sum("start_time" in dict(query) for _, query in between.asked)
    deadline = time.monotonic() + 60
    while slices() < 4 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    process.stderr.close()
    landed, before = len(user.ids(pulled)), slices()
    if not 0 < landed < 300:
        return f"{landed} spans had landed when it was killed"
    user.pull(pulled, "days", *DAYS)
    if user.ids(pulled) != every_day:
        return f"{len(user.ids(pulled))} spans in the end"
    windows = [dict(query)["start_time"] for _, query in between.asked if "start_time" in dict(query)]
    first = windows[0]
    return f"{first} was asked for again" if first in windows[before:] else None


def meanwhile():
    more = [span(at, "e", day=1 + at % 20) for at in range(20)]

    def hook(path, query, number):
        if number == 4:
            load(more, "days", wait=True)
    between, pulled = Between(hook), store()
    user = User(between.url)
    user.pull(pulled, "days", *DAYS)
    found = set(user.ids(pulled))
    if not found.issuperset(every_day):
        return f"{len(found)} spans, without {sorted(set(every_day) - found)[:3]}"
    again = store()
    user.pull(again, "days", *DAYS)
    return None if len(user.ids(again)) == 320 else f"{len(user.ids(again))} spans when pulled anew"


def old():
    """A server that knows pages, and nothing else."""
    between = Between(lambda path, query, number: [(name, value) for name, value in query if name in ("limit", "cursor", "span_ids", "trace_ids", "session_ids")])
    user = User(between.url)
    here, there = store(), store()
    options = ["--start-time", "2026-01-03", "--end-time", "2026-01-05", "--status-code", "OK", "--span-kind", "CHAIN"]
    user.pull(here, "days", *options)
    User(url).pull(there, "days", *options)
    found, wanted = user.ids(here), user.ids(there)
    return None if found == wanted and wanted else f"{len(found)} spans, expected {len(wanted)}"


def faults():
    def hook(path, query, number):
        if number % 5 == 3:
            return [429, 503, 502][number % 3], "not now"
    between, pulled = Between(hook), store()
    user = User(between.url)
    user.pull(pulled, "days", "--start-time", "2026-01-01", "--end-time", "2026-01-06", "--jobs", "2")
    wanted = sorted(f"{prefix}{at:015x}" for prefix, count in (("d", 300), ("e", 20)) for at in range(count) if at % 20 < 5)
    found = [each for each in user.ids(pulled) if each in wanted]
    return None if set(found).issuperset(each for each in wanted if each[0] == "d") else f"{len(found)} spans"


def names():
    name = "odd/name? #1 100%"
    call("POST", "/v1/projects", {"name": name})
    project = next(each["id"] for each in call("GET", "/v1/projects?limit=1000")["data"] if each["name"] == name)
    load([span(at, "f") for at in range(3)], project)
    user = User(url)
    for typed in (name, project):
        pulled = store()
        user.pull(pulled, typed)
        rows = user.query(pulled, "SELECT project, count(*) AS n FROM spans GROUP BY project")
        if rows != [{"project": name, "n": 3}]:
            return f"{typed}: {rows}"
    listed = [json.loads(line)["name"] for line in user.run("-q", "projects", "phoenix", "-o", "jsonl").splitlines()]
    if name not in listed:
        return f"projects: {listed}"
    said = user.run("--store", store(), "pull", "phoenix", "day", *ALL, code=1)
    return None if "days" in said else f"a project that is missing: {said}"


@contextlib.contextmanager
def server(*options):
    """A Phoenix of its own; gives the line that it says when it is ready."""
    process = subprocess.Popen([sys.executable, args.phoenix / "start", *options], stdout=subprocess.PIPE, text=True,
                               stderr=subprocess.PIPE)
    line = process.stdout.readline()
    try:
        yield json.loads(line) if line else None
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)


def authorised():
    with server("--auth") as said:
        base, token = said["base_url"], said["admin_token"]
        load([span(at, "1") for at in range(5)], "locked", base=base, token=token)
        pulled = store()
        User(base, token).pull(pulled, "locked")
        if len(User(base).ids(pulled)) != 5:
            return "not all spans came with the key"
        header = User(base)
        header.env["PHOENIX_CLIENT_HEADERS"] = "authorization=" + urllib.parse.quote(f"Bearer {token}")
        pulled = store()
        header.pull(pulled, "locked")
        wrong = "wrong-key-that-nobody-sees"
        for user, key in ((User(base, wrong), wrong), (User(base), None)):
            said = user.run("--store", store(), "pull", "phoenix", "locked", *ALL, code=1)
            if "key" not in said or (key and key in said):
                return f"refused with: {said}"
    return None


with tempfile.TemporaryDirectory(prefix="spanql-conformance-") as made, contextlib.ExitStack() as stack:
    work = Path(made)
    if args.url:
        url = args.url
    else:
        said = stack.enter_context(server())
        if said is None:
            print("SKIPPED: Phoenix cannot be installed or started")
            sys.exit(0)
        url = said["base_url"]
    if args.data and args.data.is_dir():
        for name in ("smoltrace-openinference", "otlp-openinference", "phoenix-export"):
            for via in ("rest", "otlp"):
                case(f"real spans of {name} over {via}", real(name, via))
    if not args.only or "filter" in args.only:
        filters()
    case("annotations", annotations)
    case("what is written comes back", written)
    case("annotations of traces and sessions", levels)
    every_day = days()
    case("a pull that was killed is taken up again", killed)
    case("spans that arrive meanwhile", meanwhile)
    case("an old server that ignores parameters", old)
    case("a server that is busy now and then", faults)
    case("names that no path can have", names)
    case("a server with keys", authorised)

print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
