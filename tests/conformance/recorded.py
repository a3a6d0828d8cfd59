#!/usr/bin/env python3
"""Pull from and write to servers that replay the recorded exchanges of Opik and of Arize's REST API, and go wrong as they did.

`recorded` is the directory that holds `opik-recorded` and `arize-recorded`: exchanges that the vendors' own clients had. A
stand-in gives the recorded answers, rows and errors as they are, and holds our requests to the shapes of the recorded ones:
methods, paths, parameters, members and their types, headers. Where a recorded client asked for small pages, the rows of all
its pages are given by the cursor that we send. Then the store must hold exactly the rows that were recorded, or the pull
must have failed and said why. What the vendors' clients wrote is written by our commands: the same requests, and the answers told.
Prints each case that fails; the last line is "N passed, N failed". Needs Python 3.11.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

KEY = "test-key-that-nobody-sees"
SEARCHES = {"/v1/private/traces/search": "traces", "/v1/private/spans/search": "spans"}
PROJECT = "demo"
passed = failed = 0


def check(name, holds, said=""):
    """Counts one check; says what is wrong when it does not hold."""
    global passed, failed
    if holds:
        passed += 1
    else:
        failed += 1
        print(f"{name}: {said}")


def read(directory):
    """The recorded cases of a vendor by their names."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(directory.glob("*.json"))}


def kind(value):
    """The type of a JSON value; numbers are one type."""
    return "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__


def shapes(cases):
    """What was sent to each endpoint: its parameters, and the members of its bodies with their types."""
    known = {}
    for case in cases.values():
        for exchange in case["exchanges"]:
            request = exchange["request"]
            if "path" not in request:
                continue
            url = urlsplit(request["path"])
            shape = known.setdefault((request["method"], url.path), (set(), {}))
            shape[0].update(name for name, _ in parse_qsl(url.query, keep_blank_values=True))
            for member, value in (request.get("body") or {}).items() if isinstance(request.get("body"), dict) else ():
                shape[1].setdefault(member, set()).add(kind(value))
    return known


class Server:
    """Answers requests, one thread each, and keeps what is wrong with them."""

    def __init__(self, known, headers, answer):
        self.wrong, self.asked = [], []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do(self):
                url = urlsplit(self.path)
                length = int(self.headers.get("content-length") or 0)
                text = self.rfile.read(length)
                body = json.loads(text) if text else None
                query = dict(parse_qsl(url.query, keep_blank_values=True))
                path = url.path.removeprefix("/api")
                outer.check(self.command, path, query, body, known)
                outer.asked.append((self.command, path, query, body))
                for name, value in headers.items():
                    if self.headers.get(name) != value:
                        return self.give(401, {"content-type": "application/json"}, b'{"code": 401, "message": "API key is wrong"}')
                status, more, content = answer(self.command, path, query, body)
                if content is None:
                    # In the middle of the answer, the connection is gone.
                    self.wfile.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n40\r\n{\"id\": \"0190")
                    self.close_connection = True
                    return None
                return self.give(status, more, content)

            def give(self, status, more, content):
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_DELETE = do

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def check(self, method, path, query, body, known):
        """Holds a request to what was recorded of its endpoint."""
        shape = known.get((method, path))
        if shape is None:
            if not re.fullmatch(r"/v1/private/(traces|spans)/[0-9a-f-]{36}", path):
                self.wrong.append(f"nobody asked {method} {path}")
            return
        self.wrong += [f"{path}: the parameter {name}" for name in query.keys() - shape[0]]
        for member, value in (body or {}).items():
            if member not in shape[1]:
                self.wrong.append(f"{path}: the member {member}")
            elif kind(value) not in shape[1][member] and value is not None:
                self.wrong.append(f"{path}: {member} is {kind(value)}, not {shape[1][member]}")
        for clause in (body or {}).get("filters") or []:
            if sorted(clause) != ["field", "key", "operator", "type", "value"] or not all(isinstance(v, str) for v in clause.values()):
                self.wrong.append(f"{path}: the filter {clause}")


def spanql(args, store, *command, **environment):
    """Runs the binary with nothing of the user's own around it."""
    home = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    command = [args.bin, "--store", f"{store}/store", "-q", *command]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=store, env={**home, "HOME": store, **environment})


def rows_of(args, store, sql):
    """What a statement gives, as objects."""
    done = spanql(args, store, "query", sql, "-o", "jsonl")
    return [json.loads(line) for line in done.stdout.splitlines()] if done.returncode == 0 else done.stderr


def opik_rows(case):
    """The rows of a case by what was asked, newest first, and the answers that are no rows."""
    rows, others = {"traces": [], "spans": []}, []
    for exchange in case["exchanges"]:
        response, path = exchange["response"], exchange["request"]["path"]
        if path not in SEARCHES:
            continue
        if response["status"] != 200 or response["body"].startswith("<"):
            others.append((response, path))
            continue
        rows[SEARCHES[path]] += response["body"].split("\n")
    return rows, others


def opik(args):
    """All recorded searches of traces and spans."""
    cases = read(args.recorded / "opik-recorded")
    known = shapes(cases)
    # The list of projects and single pages are asked of the same API; they were recorded in part.
    known[("GET", "/v1/private/projects")] = ({"page", "size", "name"}, {})
    for what in ("traces", "spans"):
        known.setdefault(("GET", f"/v1/private/{what}"), (set(), {}))[0].update({"page", "size", "project_name", "filters"})
        known[("POST", f"/v1/private/{what}/search")][1].setdefault("exclude", set()).add("list")
    retrieved = cases["project_retrieve"]["exchanges"][0]["response"]["body"]
    searches = {name: case for name, case in cases.items() if case["exchanges"][0]["request"]["path"] in SEARCHES}
    check("opik", len(searches) >= 20, f"only {len(searches)} searches were recorded")
    for name, case in searches.items():
        rows, others = opik_rows(case)
        trouble = list(others)
        raw = name.startswith("stream_")
        if name in ("search_bad_request", "search_server_error"):
            trouble *= 40
        lock = threading.Lock()

        def answer(method, path, query, body):
            if path == "/v1/private/projects/retrieve":
                if body["name"] != PROJECT:
                    return 404, {"content-type": "application/json"}, b'{"errors": ["Project not found"]}'
                return 200, {"content-type": "application/json"}, retrieved.encode()
            if path == "/v1/private/projects":
                content = {"page": 1, "size": 1, "total": 1, "content": [json.loads(retrieved)]}
                return 200, {"content-type": "application/json"}, json.dumps(content).encode()
            if method == "GET" and path.rsplit("/", 1)[-1] in rows:
                lines = [line for line in rows[path.rsplit("/", 1)[-1]] if line.strip()]
                # A server counts what it can give.
                page = {"page": 1, "size": 0, "total": sum("code" not in json.loads(line) for line in lines), "content": []}
                return 200, {"content-type": "application/json"}, json.dumps(page).encode()
            if method == "GET":
                found = [row for kind in rows.values() for row in kind if path.rsplit("/", 1)[-1] in row and row.startswith("{")]
                return (200, {"content-type": "application/json"}, found[0].encode()) if found else (404, {}, b'{"code": 404, "message": "not there"}')
            with lock:
                if trouble and trouble[0][1] == path:
                    response, _ = trouble.pop(0)
                    if response["body"].startswith("<"):
                        return 200, {}, None
                    return response["status"], response["headers"], response["body"].encode()
            lines = rows[SEARCHES[path]]
            after = body.get("last_retrieved_id")
            if not raw:
                lines = [line for line in lines if line.strip()]
                lines = [line for line in lines if after is None or json.loads(line).get("id", "") < after][: body["limit"]]
                text = "".join(f"{line}\n" for line in lines)
            else:
                # Whoever asks again behind what came is told of the same trouble.
                text = "\n".join(lines) if not after else "".join(f"{line}\n" for line in lines if '"code"' in line)
            return 200, {"content-type": "application/octet-stream"}, text.encode()

        server = Server(known, {"authorization": KEY, "comet-workspace": "ws1"}, answer)
        environment = {"OPIK_URL_OVERRIDE": f"http://127.0.0.1:{server.port}/api", "OPIK_API_KEY": KEY, "OPIK_WORKSPACE": "ws1"}
        with tempfile.TemporaryDirectory() as store:
            window = ["--start-time", "2025-01-01", "--end-time", "2025-01-02"]
            done = spanql(args, store, "pull", "opik", PROJECT, *window, "--timeout", "20s", **environment)
            check(f"opik {name}: the requests", not server.wrong, "; ".join(sorted(set(server.wrong))))
            check(f"opik {name}: the key", KEY not in done.stdout + done.stderr, "it is shown")
            found = rows_of(args, store, 'SELECT span_id, trace_id, name, "opik.entity" AS entity FROM spans')
            objects = {kind: [json.loads(line) for line in lines if line.strip()] for kind, lines in rows.items()}
            errors = [row for kind in objects.values() for row in kind if "code" in row]
            if name in ("search_bad_request", "search_server_error") or errors:
                said = json.loads(others[0][0]["body"])["message"] if others else errors[0]["message"]
                check(f"opik {name}: fails", done.returncode != 0 and said in done.stderr, f"exit {done.returncode}: {done.stderr}")
                check(f"opik {name}: no part of it", found == [], found)
                continue
            check(f"opik {name}: succeeds", done.returncode == 0, f"exit {done.returncode}: {done.stderr}")
            good = [row for kind in objects.values() for row in kind if "id" in row]
            want = sorted((row["id"], row.get("trace_id", row["id"]), row.get("name")) for row in good)
            have = found if isinstance(found, str) else sorted((row["span_id"], row["trace_id"], row.get("name")) for row in found)
            check(f"opik {name}: the rows", have == want, f"{have}, not {want}")
            bad = sum(len(kind) for kind in objects.values()) - len(good)
            check(f"opik {name}: what fits nowhere is said", not bad or f"{bad} " in done.stderr, done.stderr)
    # What no client recorded: a wrong key, and a project that is not there.
    environment["OPIK_API_KEY"] = "another"
    with tempfile.TemporaryDirectory() as store:
        done = spanql(args, store, "pull", "opik", PROJECT, *window, **environment)
        check("opik: a wrong key", done.returncode != 0 and "the key is not accepted" in done.stderr, done.stderr)
        environment["OPIK_API_KEY"] = KEY
        done = spanql(args, store, "pull", "opik", "dema", *window, **environment)
        check("opik: no such project", done.returncode != 0 and "did you mean demo?" in done.stderr, done.stderr)


def arize(args):
    """The recorded listings of spaces, projects and spans."""
    cases = read(args.recorded / "arize-recorded")
    cases = {name: case for name, case in cases.items() if case.get("exchanges") and all(e["request"].get("transport") == "http" for e in case["exchanges"])}
    known = shapes(cases)
    known = {key: shape for key, shape in known.items() if key[1] in ("/v2/spaces", "/v2/projects", "/v2/spans")}
    known[("POST", "/v2/spans")][1].setdefault("included_columns", set()).add("list")

    def of(path):
        return [e for case in cases.values() for e in case["exchanges"] if urlsplit(e["request"]["path"]).path == path]

    spaces, projects = of("/v2/spaces")[0]["response"]["body"], of("/v2/projects")[0]["response"]["body"]
    refusal = next(e["response"]["body"] for e in of("/v2/spans") if e["response"]["status"] == 400 and e["request"]["method"] == "POST")
    spans = {}
    for exchange in of("/v2/spans"):
        if "spans" in (exchange["response"].get("body") or {}):
            for span in exchange["response"]["body"]["spans"]:
                # The recordings shorten lists to their first span and a word.
                if isinstance(span, dict) and span["start_time"].startswith("2026-11-10"):
                    spans.setdefault(span["context"]["span_id"], span)
    spans = sorted(spans.values(), key=lambda span: span["start_time"], reverse=True)
    check("arize", len(spans) >= 3, f"only {len(spans)} spans were recorded")
    trouble = []

    def answer(method, path, query, body):
        kind = {"content-type": "application/json"}
        if path == "/v2/spaces":
            return 200, kind, json.dumps(spaces).encode()
        if path == "/v2/projects":
            return 200, kind, json.dumps(projects).encode()
        if trouble:
            status, more, content = trouble.pop(0)
            return status, {**kind, **more}, content
        # Two spans a page, in the form of the recorded cursors.
        start = int(query.get("cursor") or 0)
        page = spans[start : start + 2]
        pagination = {"has_more": start + 2 < len(spans)}
        if pagination["has_more"]:
            pagination["next_cursor"] = str(start + 2)
        return 200, kind, json.dumps({"spans": page, "pagination": pagination}).encode()

    server = Server(known, {"authorization": f"Bearer {KEY}"}, answer)
    environment = {"ARIZE_API_HOST": "127.0.0.1", "ARIZE_API_SCHEME": "http", "ARIZE_API_PORT": str(server.port), "ARIZE_API_KEY": KEY, "ARIZE_FLIGHT_HOST": "127.0.0.1", "ARIZE_FLIGHT_PORT": "9", "ARIZE_FLIGHT_SCHEME": "grpc"}
    whole = sorted((span["context"]["span_id"], span["name"], span.get("parent_id")) for span in spans)
    problem = json.dumps(refusal).encode()
    cases = [
        ("well", [], True, ""),
        ("429 with Retry-After", [(429, {"retry-after": "1"}, problem)], True, ""),
        ("429 without", [(429, {}, problem)], True, ""),
        ("a cut connection", [(200, {}, None)], True, ""),
        ("the recorded refusal", [(400, {}, problem)], False, refusal["detail"]),
        ("500", [(500, {}, b'{"title": "Internal Server Error"}')], False, "Internal Server Error"),
        ("half a page", [(200, {}, b'{"spans": [{"name": "x", "context": {"tra')] * 40, False, "spans"),
        ("a problem instead of spans", [(200, {}, problem)] * 40, False, "spans"),
    ]
    window = ["--start-time", "2026-11-10", "--end-time", "2026-11-11"]
    for name, faults, good, said in cases:
        trouble[:] = faults
        with tempfile.TemporaryDirectory() as store:
            done = spanql(args, store, "pull", "arize", PROJECT, "--rest", "--space", "main", *window, **environment)
            found = rows_of(args, store, "SELECT span_id, name, parent_id FROM spans")
            have = found if isinstance(found, str) else sorted((row["span_id"], row["name"], row.get("parent_id")) for row in found)
            check(f"arize {name}: the requests", not server.wrong, "; ".join(sorted(set(server.wrong))))
            check(f"arize {name}: the key", KEY not in done.stdout + done.stderr, "it is shown")
            if good:
                check(f"arize {name}: succeeds", done.returncode == 0, f"exit {done.returncode}: {done.stderr}")
                check(f"arize {name}: the spans", have == whole, f"{have}, not {whole}")
            else:
                check(f"arize {name}: fails", done.returncode != 0 and said in done.stderr, f"exit {done.returncode}: {done.stderr}")
                check(f"arize {name}: no part of it", have == [], have)
    with tempfile.TemporaryDirectory() as store:
        done = spanql(args, store, "pull", "arize", "dema", "--rest", "--space", "main", *window, **environment)
        check("arize: no such project", done.returncode != 0 and "did you mean demo?" in done.stderr, done.stderr)
        done = spanql(args, store, "pull", "arize", PROJECT, "--rest", "--space", "main", *window, **{**environment, "ARIZE_API_KEY": "another"})
        check("arize: a wrong key", done.returncode != 0 and "the key is not accepted" in done.stderr, done.stderr)
        done = spanql(args, store, "pull", "arize", PROJECT, "--rest", *window, **{**environment, "ARIZE_API_KEY": "another"})
        check("arize: a name and no space", done.returncode != 0 and "--space" in done.stderr, done.stderr)


def plain(value):
    """A body without nulls, with times in one form."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)", value):
        head, _, fraction = value.removesuffix("Z").removesuffix("+00:00").partition(".")
        return f"{head}.{fraction:0<6}"
    return value


def writes(args):
    """What the vendors' clients wrote, written by our commands."""
    of_arize, of_opik = (read(args.recorded / f"{vendor}-recorded") for vendor in ("arize", "opik"))
    count = 0
    for name, case in {**of_arize, **of_opik}.items():
        exchange = case["exchanges"][0] if case.get("exchanges") else None
        request = (exchange or {}).get("request") or {}
        method, path, body = request.get("method"), request.get("path"), request.get("body")
        options, rows = [], []
        if (method, path) == ("POST", "/v2/spans/annotate"):
            vendor, words, rows = "arize", ["annotate", "rows.jsonl", "--failed", "left.jsonl"], body["annotations"]
        elif (method, path) == ("DELETE", "/v2/spans"):
            vendor, words = "arize", ["delete", "--yes", *body["span_ids"]]
        elif method == "PUT" and path.endswith("s/feedback-scores") and "scores" in body:
            vendor, words = "opik", ["evaluate", "rows.jsonl"]
            words += ["--grain", {"spans": "span", "traces": "trace", "threads": "session"}[path.split("/")[-2]]]
            key = {"spans": "span_id", "traces": "trace_id", "threads": "session_id"}[path.split("/")[-2]]
            for score in body["scores"]:
                rows.append({key: score.get("id") or score["thread_id"], "name": score["name"], "score": score["value"],
                             "label": score.get("category_name"), "text": score.get("reason")})
        elif method == "POST" and path.endswith("/comments"):
            vendor, words = "opik", ["annotate", "rows.jsonl"]
            rows = [{"span_id": path.split("/")[-2], "name": "notes", "text": body["text"]}]
        else:
            continue
        count += 1
        response = exchange["response"]
        for option in ("start_time", "end_time"):
            if option in (body or {}):
                options += ["--" + option.replace("_", "-"), body[option]]
        said = response["body"]
        content = b"" if not said else said.encode() if isinstance(said, str) else json.dumps(said).encode()
        project = body.get("project_id", PROJECT) if vendor == "arize" else PROJECT
        headers = {"authorization": f"Bearer {KEY}" if vendor == "arize" else KEY}
        server = Server(shapes({name: case}), headers, lambda *_: (response["status"], {"content-type": "application/json"}, content))
        url = f"http://127.0.0.1:{server.port}"
        environment = {"OPIK_URL_OVERRIDE": f"{url}/api", "OPIK_API_KEY": KEY, "OPIK_WORKSPACE": "ws1", "ARIZE_API_KEY": KEY,
                       "ARIZE_API_HOST": "127.0.0.1", "ARIZE_API_SCHEME": "http", "ARIZE_API_PORT": str(server.port)}
        with tempfile.TemporaryDirectory() as store:
            Path(store, "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
            done = spanql(args, store, "--project", project, "spans", *words, "--to", vendor, *options, "-o", "json", **environment)
            check(f"write {name}: the request", not server.wrong and len(server.asked) == 1, f"{server.wrong} {server.asked} {done.stderr}")
            sent = server.asked[0][3] if server.asked else None
            check(f"write {name}: the body", plain(sent) == plain(body), f"{sent}, not {body}")
            check(f"write {name}: the key", KEY not in done.stdout + done.stderr, "it is shown")
            good = response["status"] < 400
            check(f"write {name}: the end", (done.returncode == 0) == good, f"exit {done.returncode}: {done.stderr}")
            answer = json.loads(done.stdout) if done.stdout else {}
            if good:
                absent = len((said or {}).get("not_deleted_span_ids", [])) if isinstance(said, dict) else 0
                ids = len(body.get("span_ids") or body.get("annotations") or body.get("scores") or [1])
                check(f"write {name}: the count", answer.get("spans_updated") == ids - absent, answer)
            else:
                check(f"write {name}: what was said", said["detail"] in done.stderr, done.stderr)
                left = Path(store, "left.jsonl").read_text(encoding="utf-8").splitlines()
                check(f"write {name}: what is left", len(left) == len(rows), left)
    check("writes", count >= 8, f"only {count} writes were recorded")


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--bin", required=True, type=Path, help="the spanql binary")
parser.add_argument("recorded", type=Path, help="the directory of recorded exchanges")
arguments = parser.parse_args()
arguments.bin = arguments.bin.resolve()
opik(arguments)
arize(arguments)
writes(arguments)
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
