#!/usr/bin/env python3
"""Clients that mean no good, against `spanql serve` with few files and little memory.

Fills a store, serves it under `ulimit -n 256` and `--memory 256MB`, and lets each kind of client of a table at it: slow,
stalled, half open, enormous, malformed, cancelled. All the while a client that behaves asks over HTTP and Flight, and
must be answered in time; the server's memory stays bounded; and asked to end, it ends within two seconds, whatever its
clients do. Prints each case; the last line is "N passed, N failed". Needs Linux and Python 3.11.
"""
import argparse
import base64
import http.client
import json
import os
import random
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--bin", required=True, type=Path, help="the spanql binary")
parser.add_argument("--answer-within", type=float, default=3.0, help="seconds; 1 for a release build (default: 3, for a debug build)")
parser.add_argument("--seconds", type=float, default=5.0, help="how long each kind of client goes on (default: 5)")
parser.add_argument("--only", help="run the cases whose name holds this text")
args = parser.parse_args()

TOKEN = "key-of-the-hostile"
MEMORY_MB = 256
PEAK_MB = 1.5 * MEMORY_MB + 150
PROJECT = "p"
SPANS, TEXT = 1_500, 20_000
BEARER = {"Authorization": f"Bearer {TOKEN}"}
WINDOW = {"start": "2000-01-01T00:00:00Z", "end": "2100-01-01T00:00:00Z"}


# HTTP/2 and gRPC, as far as needed: header fields without compression, and answers of which only the frames are read.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def number(value, bits):
    """An integer of HPACK."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([value])
    out, value = [most], value - most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes(out + [value])


def fields(pairs):
    text = lambda value: number(len(value), 7) + value
    return b"".join(b"\0" + text(name.encode()) + text(value.encode()) for name, value in pairs)


def varint(value):
    out = b""
    while value >= 128:
        out += bytes([value % 128 + 128])
        value //= 128
    return out + bytes([value])


def field(tag, value):
    """A field of a protobuf message: bytes, or a number."""
    if isinstance(value, bytes):
        return varint(tag << 3 | 2) + varint(len(value)) + value
    return varint(tag << 3) + varint(value)


def find(message, *path):
    """The bytes of the first field at a path of tags."""
    at = 0

    def read():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        key = read()
        if key & 7 == 2:
            length = read()
            value, at = message[at:at + length], at + length
            if key >> 3 == path[0]:
                return value if len(path) == 1 else find(value, *path[1:])
        elif key & 7 == 0:
            read()
        else:
            return None
    return None


class Flight:
    """A connection of HTTP/2 that makes calls of Flight."""

    def __init__(self, port, window=65_535):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.stream = -1
        settings = struct.pack(">HI", 4, window)
        self.socket.sendall(PREFACE + frame(SETTINGS, 0, 0, settings))
        if window > 65_535:
            self.socket.sendall(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", window - 65_535)))
        # What the server takes at once holds from when its settings are acknowledged.
        self.early, self.takes = [], {0: 65_535}
        settings = self.read_frame()[3]
        known = dict(struct.unpack(">HI", settings[at:at + 6]) for at in range(0, len(settings), 6))
        self.first = known.get(4, 65_535)
        self.socket.sendall(frame(SETTINGS, 1, 0))

    def call(self, method, message, send=None, **more):
        """Begins a call; `send`: how many bytes of the message are sent, all of them if not given."""

        self.stream += 2
        pairs = [
            (":method", "POST"), (":scheme", "http"), (":path", f"/arrow.flight.protocol.FlightService/{method}"),
            (":authority", "localhost"), ("content-type", "application/grpc"), ("te", "trailers"),
            ("auth-token-bin", base64.b64encode(TOKEN.encode()).decode().rstrip("=")), *more.items(),
        ]
        self.socket.sendall(frame(HEADERS, 4, self.stream, fields(pairs)))
        body = b"\0" + struct.pack(">I", len(message)) + message
        whole = send is None
        body = body if whole else body[:send]
        parts = [body[at:at + 16_384] for at in range(0, len(body), 16_384)] or [b""]
        for at, part in enumerate(parts):
            self.wait_to_send(self.stream, len(part))
            self.socket.sendall(frame(DATA, int(whole and at == len(parts) - 1), self.stream, part))
        return self.stream

    def wait_to_send(self, stream, count):
        """Waits until the server takes so many bytes of a call."""
        early = []
        while min(self.takes[0], self.takes.setdefault(stream, self.first)) < count:
            early.append(self.read_frame())
        self.early = early + self.early
        for window in (0, stream):
            self.takes[window] -= count

    def exact(self, count):
        out = b""
        while len(out) < count:
            part = self.socket.recv(count - len(out))
            if not part:
                raise ConnectionError("the connection ended")
            out += part
        return out

    def read_frame(self):
        if self.early:
            return self.early.pop(0)
        head = self.exact(9)
        kind, stream, payload = head[3], struct.unpack(">I", head[5:])[0], self.exact(int.from_bytes(head[:3], "big"))
        if kind == WINDOW_UPDATE:
            self.takes[stream] = self.takes.get(stream, self.first) + struct.unpack(">I", payload)[0]
        return kind, head[4], stream, payload

    def read(self, stream):
        """What a call gives, to its end."""
        data = b""
        while True:
            kind, flags, of, payload = self.read_frame()
            length = len(payload)
            if kind == SETTINGS and not flags & 1:
                self.socket.sendall(frame(SETTINGS, 1, 0))
            elif kind == PING and not flags & 1:
                self.socket.sendall(frame(PING, 1, 0, payload))
            elif kind == DATA:
                data += payload
                if length:
                    update = struct.pack(">I", length)
                    self.socket.sendall(frame(WINDOW_UPDATE, 0, 0, update) + frame(WINDOW_UPDATE, 0, of, update))
            elif kind in (RST, GOAWAY):
                raise ConnectionError(f"the call was ended by frame {kind}")
            if of == stream and kind in (DATA, HEADERS) and flags & 1:
                return data


def command(**changes):
    asked = {"spaceId": server.ready["space_id"], "modelId": PROJECT, "environment": "TRACING", "startTime": WINDOW["start"], "endTime": WINDOW["end"]}
    return field(1, 2) + field(2, json.dumps({**asked, **changes}).encode())


def ticket(**changes):
    flight = Flight(server.ready["flight_port"], 1 << 24)
    data = flight.read(flight.call("GetFlightInfo", command(**changes)))
    flight.socket.close()
    found = find(data[5:], 3, 1, 1)
    if not found:
        raise ValueError("GetFlightInfo gave no ticket")
    return found


def body(**changes):
    project = next(project["id"] for project in server.ready["projects"] if project["name"] == PROJECT)
    return json.dumps({"project_id": project, "start_time": WINDOW["start"], "end_time": WINDOW["end"], **changes})


def ask(method, path, text=None, timeout=30, **headers):
    """The status of a request, and its answer."""
    web = http.client.HTTPConnection("127.0.0.1", server.ready["http_port"], timeout=timeout)
    try:
        web.request(method, path, text, {**BEARER, **headers})
        answer = web.getresponse()
        return answer.status, answer.read()
    finally:
        web.close()


def raw(port, data=b""):
    """A connection on which something was sent, and nothing is read."""
    connection = socket.create_connection(("127.0.0.1", server.ready[port]), timeout=5)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    if data:
        connection.sendall(data)
    return connection


def request(text, path="/v2/spans?limit=500", length=None, end=b"\r\n\r\n"):
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {len(text) if length is None else length}"
    return head.encode() + end + text.encode()


class Server:
    def __init__(self, store):
        limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
        argv = [args.bin, "-q", "--store", store, "--memory", f"{MEMORY_MB}MB", "serve"]
        environment = {**os.environ, "SPANQL_SERVE_TOKEN": TOKEN}
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, env=environment, preexec_fn=limit)
        self.ready = json.loads(self.process.stdout.readline())

    def peak(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024

    def end(self):
        """How long it takes to end, and with which code."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = "killed"
        return time.monotonic() - began, code


class Behaved(threading.Thread):
    """A client that asks for little, again and again, and notes how long it waits."""

    def __init__(self):
        super().__init__(daemon=True)
        self.worst, self.problems, self.asked, self.over = 0.0, [], 0, threading.Event()

    def run(self):
        while not self.over.is_set():
            for name, question in (("projects", self.projects), ("spans", self.spans), ("flight", self.flight)):
                began = time.monotonic()
                try:
                    question()
                except Exception as error:
                    self.problems.append(f"{name}: {type(error).__name__} {error}")
                took = time.monotonic() - began
                if took > args.answer_within:
                    self.problems.append(f"{name} took {took:.1f} s")
                self.worst, self.asked = max(self.worst, took), self.asked + 1
            self.over.wait(0.2)

    def projects(self):
        status, answer = ask("GET", "/v2/projects")
        assert status == 200 and len(json.loads(answer)["projects"]) == 1, status

    def spans(self):
        status, answer = ask("POST", "/v2/spans?limit=5", body(included_columns=["attributes.llm.model_name"]))
        assert status == 200 and len(json.loads(answer)["spans"]) == 5, (status, answer[:200])

    def flight(self):
        flight = Flight(server.ready["flight_port"], 1 << 24)
        try:
            assert flight.read(flight.call("DoGet", NAMES)), "no rows over Flight"
        finally:
            flight.socket.close()


def opened(count, make):
    """As many connections as are taken."""
    found = []
    for _ in range(count):
        try:
            found.append(make())
        except OSError:
            pass
    return found


def silent():
    return opened(150, lambda: raw("http_port")) + opened(150, lambda: raw("flight_port"))


def trickling():
    connections = opened(150, lambda: raw("http_port", b"GET /v2/projects HT"))
    for _ in range(3):
        time.sleep(0.5)
        for connection in connections:
            try:
                connection.sendall(b"x")
            except OSError:
                pass
    return connections


def half_bodies():
    return opened(80, lambda: raw("http_port", request("{" + " " * 400_000, length=900_000)))


def half_messages():
    def make():
        flight = Flight(server.ready["flight_port"])
        flight.socket.settimeout(0.5)
        for _ in range(8):
            flight.call("GetFlightInfo", b"x" * 1_000_000, send=900_000)
        return flight

    return opened(20, make)


def slow_pages():
    return opened(30, lambda: raw("http_port", request(body())))


def slow_traces():
    return opened(30, lambda: raw("http_port", request(body(), "/v2/traces?limit=50")))


def stalled_streams(connections=20, calls=1):
    whole = ticket()

    def make():
        flight = Flight(server.ready["flight_port"])
        for _ in range(calls):
            flight.call("DoGet", field(1, whole))
        return flight

    return opened(connections, make)


def many_stalled_streams():
    return stalled_streams(20, 8)


def abandoned():
    whole = ticket()
    for _ in range(40):
        raw("http_port", request(body())).close()
        flight = Flight(server.ready["flight_port"])
        stream = flight.call("DoGet", field(1, whole))
        flight.socket.sendall(frame(RST, 0, stream, struct.pack(">I", 8)))
        flight.socket.close()


def garbage():
    noise = random.Random(7)
    for port in ("http_port", "flight_port"):
        for start in (b"", b"\x16\x03\x01\x02\x00", PREFACE, b"GET / HTTP/1.1\r\n", b"POST /v2/spans HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"):
            for _ in range(10):
                try:
                    raw(port, start + noise.randbytes(2_000)).close()
                except OSError:
                    pass


def refused(what, status, allowed):
    assert status in allowed, f"{what}: status {status}, expected one of {allowed}"


def enormous():
    """Requests that ask for too much; each is answered, and refused where it says so."""
    flight = Flight(server.ready["flight_port"])
    flight.read(flight.call("GetFlightInfo", command(projectedColumns=[f"attributes.x{i}" for i in range(30_000)])))
    flight.read(flight.call("GetFlightInfo", command(modelId="x" * 1_000_000)))
    flight.socket.close()
    refused("a long project", ask("POST", "/v2/spans", body(project_id="x" * 900_000))[0], (404,))
    refused("many columns", ask("POST", "/v2/spans", body(included_columns=[f"attributes.x{i}" for i in range(30_000)]))[0], (422,))
    refused("a long filter", ask("POST", "/v2/spans", body(filter="(" * 500_000))[0], (400,))
    status, answer = ask("POST", "/v2/spans", body(project_id="y" * 900_000))
    assert len(answer) < 5_000, f"{len(answer)} bytes say that there is no such project"
    for headers in ({"X-Long": "x" * 2_000_000}, {f"X-{i}": "x" for i in range(5_000)}):
        try:
            refused("long headers", ask("GET", "/v2/projects", **headers)[0], (400, 431))
        except OSError:
            pass
    try:
        refused("a long body", ask("POST", "/v2/spans", "x" * 20_000_000)[0], (413,))
    except OSError:
        pass


def patterns():
    """Filters whose patterns have thousands of wildcards."""
    for pattern in ("%_a" * 1_500, "%a" * 15_000, "%a_" * 10_000, "_" * 20_000, "%" * 50_000):
        for operator in ("LIKE", "ILIKE", "NOT LIKE"):
            text = body(filter=f"attributes.input.value {operator} '{pattern}'")
            refused(f"{operator} of {len(pattern)} characters", ask("POST", "/v2/spans?limit=1", text, timeout=60)[0], (200, 400))


def foreign():
    """Requests of web pages."""
    for origin in ("http://evil.example", "null"):
        refused(origin, ask("GET", "/v2/projects", Origin=origin)[0], (403,))
    flight = Flight(server.ready["flight_port"])
    data = flight.read(flight.call("GetFlightInfo", command(), origin="http://evil.example"))
    assert not data, "a web page was answered over Flight"


CASES = [silent, trickling, half_bodies, half_messages, slow_pages, slow_traces, stalled_streams, many_stalled_streams, abandoned, garbage, enormous, patterns, foreign]
# What goes on while the server is asked to end.
ENDS = [silent, slow_pages, stalled_streams, patterns]


def close(kept):
    for connection in kept or ():
        getattr(connection, "socket", connection).close()


def problems_of(case):
    """What is wrong while clients of a kind are there."""
    found = []
    behaved = Behaved()
    behaved.start()
    kept = None
    began = time.monotonic()
    try:
        kept = case()
    except Exception as error:
        found.append(f"{type(error).__name__}: {error}")
    time.sleep(max(args.seconds - (time.monotonic() - began), 1))
    behaved.over.set()
    behaved.join(timeout=30)
    close(kept)
    if server.process.poll() is not None:
        return [f"the server ended with {server.process.returncode}"]
    if behaved.is_alive() or not behaved.asked:
        found.append("the client that behaves is not answered")
    found += behaved.problems[:3]
    peak = server.peak()
    if peak > PEAK_MB:
        found.append(f"{peak:.0f} MB of memory, over {PEAK_MB:.0f}")
    print(f"  {case.__name__}: {behaved.asked} answers, the slowest in {behaved.worst:.2f} s; peak {peak:.0f} MB", flush=True)
    return found


def end_problems(case):
    """What is wrong with the end of a server that has clients of a kind."""
    kept = []

    def attack():
        try:
            kept.extend(case() or ())
        except Exception:
            # The server ends meanwhile.
            pass

    threading.Thread(target=attack, daemon=True).start()
    time.sleep(2)
    took, code = server.end()
    close(kept)
    print(f"  end with {case.__name__}: {took:.2f} s", flush=True)
    found = [] if took <= 2.0 else [f"it took {took:.1f} s to end"]
    return found if code == 0 else [*found, f"it ended with {code}"]


def fill(directory):
    words = random.Random(5)
    known = ["".join(words.choices("abcdefghijklmnopqrstuvwxyz", k=words.randint(2, 9))) for _ in range(4_000)]
    file = Path(directory) / "spans.jsonl"
    with file.open("w") as out:
        for i in range(SPANS):
            start = f"2026-01-01T{i // 3600:02}:{i // 60 % 60:02}:{i % 60:02}Z"
            text = " ".join(words.choices(known, k=TEXT // 6))
            out.write(json.dumps({
                "context.trace_id": f"{i // 5 + 1:032x}", "context.span_id": f"{i + 1:016x}", "name": "step", "start_time": start,
                "end_time": start, "attributes.input.value": text, "attributes.output.value": text[::-1], "attributes.llm.model_name": "m",
            }) + "\n")
    store = Path(directory) / "store"
    subprocess.run([args.bin, "-q", "--store", store, "import", file, "--as", PROJECT], check=True)
    file.unlink()
    return store


passed = failed = 0


def judged(name, problems):
    global passed, failed
    if problems:
        failed += 1
        print(f"FAILED {name}: {'; '.join(problems)}", flush=True)
    else:
        passed += 1


if not sys.platform.startswith("linux"):
    print("SKIPPED: the memory of a process is read as Linux has it\n0 passed, 0 failed")
    sys.exit(0)
with tempfile.TemporaryDirectory(prefix="spanql-hostile-") as directory:
    store = fill(directory)
    chosen = lambda cases: [case for case in cases if not args.only or args.only in case.__name__]
    server = Server(store)
    try:
        NAMES = field(1, ticket(projectedColumns=["name"]))
        for case in chosen(CASES):
            judged(case.__name__, problems_of(case))
            if server.process.poll() is not None:
                server = Server(store)
        took, code = server.end()
        judged("end", [] if took <= 2.0 and code == 0 else [f"{took:.1f} s, code {code}"])
        for case in chosen(ENDS):
            server = Server(store)
            judged(f"end with {case.__name__}", end_problems(case))
    finally:
        if server.process.poll() is None:
            server.process.kill()
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
