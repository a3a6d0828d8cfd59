#!/usr/bin/env python3
"""Requests that want to write and must not, or not so, against `spanql serve`: each is refused with its status, and nothing of it
is written.

A table of cases, over HTTP and gRPC: without the right key, from web pages, of the wrong kind, broken, cut, wrong-typed, too
large, packed to unpack to too much, and too slow. Behind each the store must have the version it had; at the end requests of each kind that are right
are taken by the same server. Prints each case; the last line is "N passed, N failed". Needs Linux and Python 3.11; with
pyarrow also the cases of Arrow tables.
"""
import argparse
import base64
import gzip
import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path

try:
    import pyarrow
except ImportError:
    pyarrow = None

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--bin", required=True, type=Path, help="the spanql binary")
parser.add_argument("--only", help="run the cases whose name holds this text")
args = parser.parse_args()

READ, WRITE = "key-to-read", "key-to-write"
MOST = 4 << 20  # the largest request under --memory 128MB
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PROTO, JSON = {"Content-Type": "application/x-protobuf"}, {"Content-Type": "application/json"}
results = []


def report(name, good, why=""):
    results.append(good)
    print(f"{'ok' if good else 'FAIL'} {name}{'' if good else ': ' + why}", flush=True)


# ---- messages --------------------------------------------------------------------------------
def varint(value):
    out = b""
    while value >= 128:
        out += bytes([value % 128 + 128])
        value //= 128
    return out + bytes([value])


def field(tag, value):
    if isinstance(value, bytes):
        return varint(tag << 3 | 2) + varint(len(value)) + value
    return varint(tag << 3) + varint(value)


def fixed64(tag, value):
    return varint(tag << 3 | 1) + struct.pack("<Q", value)


def span(trace=bytes.fromhex(TRACE), span_id=bytes.fromhex(SPAN), name=b"n", more=b""):
    return (field(1, trace) + field(2, span_id) + field(5, name) + fixed64(7, 1_790_000_000 * 10**9)
            + fixed64(8, 1_790_000_001 * 10**9) + more)


def request(*spans, resource=b""):
    scope = b"".join(field(2, one) for one in spans)
    return field(1, field(1, resource) + field(2, scope))


def attribute(key, value):
    return field(1, key) + field(2, field(1, value))


def json_request(spans, resource=None):
    return {"resourceSpans": [{"resource": {} if resource is None else resource, "scopeSpans": [{"spans": spans}]}]}


def json_span(**changes):
    return {"traceId": TRACE, "spanId": SPAN, "name": "n", "startTimeUnixNano": "1790000000000000000",
            "endTimeUnixNano": "1790000001000000000", **changes}


DEEP = b""
for _ in range(2_000):
    DEEP = field(5, field(1, DEEP))  # an array in an array
DEEP_JSON = '{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":' + "[" * 100_000

GOOD = request(span())
GOOD_JSON = json.dumps(json_request([json_span()]))


def arrow_table(columns, schema_text="CgoKBGRlbW8gBSgHQgA=", compression=None):
    table = pyarrow.table(columns)
    if schema_text is not None:
        table = table.replace_schema_metadata({"arize-schema": schema_text})
    sink = pyarrow.BufferOutputStream()
    options = pyarrow.ipc.IpcWriteOptions(compression=compression)
    with pyarrow.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


ROW = {"context.trace_id": [TRACE], "context.span_id": ["c" * 16], "name": ["n"],
       "start_time": [1_790_000_000 * 10**9], "end_time": [1_790_000_001 * 10**9]}


# ---- HTTP/2 ----------------------------------------------------------------------------------
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
PUT = "/arrow.flight.protocol.FlightService/DoPut"
# How `grpc-status` is written in a block of headers, and digits behind it.
STATUS = bytes.fromhex("9acac8b21234da8f")
DIGITS = {"00000": "0", "00001": "1", "00010": "2", **{f"{0b011001 + at:06b}": str(3 + at) for at in range(7)}}


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def grpc_head(path, token, **more):
    texts = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "127.0.0.1", "content-type": "application/grpc",
             "te": "trailers", **({"authorization": f"Bearer {token}"} if token else {}), **more}
    text = lambda value: bytes([len(value)]) + value.encode()
    block = b"".join(b"\0" + text(name) + text(value) for name, value in texts.items())
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0) + frame(1, 4, 1, block)


def grpc_message(message, packed=False, length=None):
    return bytes([packed]) + struct.pack(">I", len(message) if length is None else length) + message


def grpc_status(block):
    """The status among trailers; -1 if there is none."""
    at = block.find(STATUS)
    if at < 0:
        return -1
    length, value = block[at + 8] & 0x7F, block[at + 9 :]
    if not block[at + 8] & 0x80:
        return int(value[:length])
    bits, text = "".join(f"{byte:08b}" for byte in value[:length]), ""
    while any(bits.startswith(known) for known in DIGITS):
        known = next(known for known in DIGITS if bits.startswith(known))
        bits, text = bits[len(known) :], text + DIGITS[known]
    return int(text)


# ---- servers ---------------------------------------------------------------------------------
class Server:
    def __init__(self, store, *options, token=READ, write=WRITE):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("SPANQL_")}
        if token:
            environment["SPANQL_SERVE_TOKEN"] = token
        if write:
            environment["SPANQL_SERVE_WRITE_TOKEN"] = write
        command = [args.bin, "-q", "--memory", "128MB", "--store", store, "serve", *options]
        self.store = store
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
        self.ready = json.loads(self.process.stdout.readline())
        self.port, self.space = self.ready["http_port"], self.ready["space_id"]

    def version(self):
        manifest = Path(self.store) / "manifest"
        return max(os.listdir(manifest)) if manifest.is_dir() else ""

    def ask(self, method, path, headers, body, timeout=60):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            try:
                connection.request(method, path, body, headers)
            except BrokenPipeError:
                pass  # refused before all of it was sent
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def raw(self, data, timeout=60):
        """Sends bytes as they are; the status of the answer, or 0 if there is none."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as stream:
            for part in data:
                if isinstance(part, float):
                    time.sleep(part)
                    continue
                try:
                    stream.sendall(part)
                except OSError:
                    break
            answer = b""
            try:
                while b"\r\n" not in answer:
                    more = stream.recv(4096)
                    if not more:
                        break
                    answer += more
            except OSError:
                pass
        return int(answer.split()[1]) if answer.startswith(b"HTTP/") else 0

    def grpc(self, head, parts, timeout=60):
        """Sends a call in pieces, numbers being pauses; the status of its answer, or why there is none."""
        with socket.create_connection(("127.0.0.1", self.ready["flight_port"]), timeout=timeout) as stream:
            try:
                stream.sendall(head)
                for part in parts:
                    if isinstance(part, float):
                        time.sleep(part)
                    elif part is None:
                        stream.sendall(frame(0, 1, 1))
                    else:
                        for at in range(0, len(part), 16_384):
                            stream.sendall(frame(0, 0, 1, part[at : at + 16_384]))
            except OSError:
                pass  # refused before all of it was sent
            got = b""
            while True:
                while len(got) < 9 or len(got) < 9 + int.from_bytes(got[:3], "big"):
                    try:
                        more = stream.recv(65_536)
                    except OSError as error:
                        return type(error).__name__
                    if not more:
                        return "closed"
                    got += more
                length, kind, of = int.from_bytes(got[:3], "big"), got[3], int.from_bytes(got[5:9], "big")
                payload, got = got[9 : 9 + length], got[9 + length :]
                if kind == 1 and of == 1 and grpc_status(payload) >= 0:
                    return grpc_status(payload)
                if kind in (3, 7):
                    return "reset"

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=10)


def key(token):
    return {"Authorization": f"Bearer {token}"}


def head(path, length, more="", token=WRITE, kind="application/x-protobuf"):
    return (f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: {kind}\r\nContent-Length: {length}\r\n{more}\r\n").encode()


def table(server, project):
    """Name, what is sent, and the statuses that are right: method, path, headers, body; or pieces of bytes."""
    traces, pandas, annotate, spans = "/v1/traces", "/v1/pandas_arrow", "/v2/spans/annotate", "/v2/spans"
    one = {"record_id": SPAN, "values": [{"name": "q", "label": "x"}]}
    body = lambda **changes: json.dumps({"project_id": project, "annotations": [one], **changes})
    gone = lambda **changes: json.dumps({"project_id": project, "span_ids": ["e" * 16], **changes})
    write = {**key(WRITE), **JSON}
    proto = {**key(WRITE), **PROTO}
    bomb = gzip.compress(bytes(64 << 20))
    big_gzip = gzip.compress(request(span(more=field(9, attribute(b"k", b"x" * (MOST + 1))))))
    evil = {"Origin": "http://evil.example"}

    # Who asks.
    for name, path, kind, good in (("otlp", traces, PROTO, GOOD), ("otlp_json", traces, JSON, GOOD_JSON),
                                   ("pandas", pandas, {"arize-space-id": server.space}, b"x"), ("annotate", annotate, JSON, body())):
        yield f"{name}_no_key", ("POST", path, kind, good), 401
        yield f"{name}_wrong_key", ("POST", path, {**key("x"), **kind}, good), 401
        yield f"{name}_key_to_read", ("POST", path, {**key(READ), **kind}, good), 403
        yield f"{name}_web_page", ("POST", path, {**key(WRITE), **kind, **evil}, good), 403
        yield f"{name}_page_without_origin", ("POST", path, {**key(WRITE), **kind, "Origin": "null"}, good), 403
        yield f"{name}_wrong_method", ("PUT", path, {**key(WRITE), **kind}, good), 405
    yield "delete_no_key", ("DELETE", spans, JSON, gone()), 401
    yield "delete_key_to_read", ("DELETE", spans, {**key(READ), **JSON}, gone()), 403
    yield "delete_web_page", ("DELETE", spans, {**write, **evil}, gone()), 403
    yield "key_as_basic", ("POST", traces, {"Authorization": "Basic " + base64.b64encode(WRITE.encode()).decode(), **PROTO}, GOOD), 401
    yield "key_in_the_address", ("POST", f"{traces}?api_key={WRITE}", PROTO, GOOD), 401
    yield "key_with_more", ("POST", traces, {"api_key": WRITE + "x", **PROTO}, GOOD), 401
    yield "metrics", ("POST", "/v1/metrics", proto, GOOD), 404
    yield "logs", ("POST", "/v1/logs", proto, GOOD), 404

    # Of which kind.
    yield "otlp_no_type", ("POST", traces, key(WRITE), GOOD), 415
    yield "otlp_text", ("POST", traces, {**key(WRITE), "Content-Type": "text/plain"}, GOOD_JSON), 415
    yield "otlp_form", ("POST", traces, {**key(WRITE), "Content-Type": "application/x-www-form-urlencoded"}, GOOD_JSON), 415
    yield "otlp_brotli", ("POST", traces, {**proto, "Content-Encoding": "br"}, GOOD), 415
    yield "otlp_packed_twice", ("POST", traces, {**proto, "Content-Encoding": "gzip, gzip"}, GOOD), 415
    yield "otlp_json_as_protobuf", ("POST", traces, proto, GOOD_JSON), 400
    yield "otlp_protobuf_as_json", ("POST", traces, write, GOOD), 400

    # Broken.
    yield "otlp_garbage", ("POST", traces, proto, os.urandom(1000)), 400
    yield "otlp_cut", ("POST", traces, proto, GOOD[:-1]), 400
    yield "otlp_length_beyond", ("POST", traces, proto, b"\x0a\xff\xff\xff\xff\x0f"), 400
    yield "otlp_endless_number", ("POST", traces, proto, b"\xff" * 11), 400
    yield "otlp_group", ("POST", traces, proto, b"\x0b"), 400
    yield "otlp_resource_is_number", ("POST", traces, proto, field(1, 7)), 400
    yield "otlp_no_utf8", ("POST", traces, proto, request(span(name=b"\xff\xfe"))), 400
    yield "otlp_key_no_utf8", ("POST", traces, proto, request(span(), resource=field(1, attribute(b"\xff", b"x")))), 400
    yield "otlp_deep", ("POST", traces, proto, request(span(more=field(9, field(1, b"k") + field(2, DEEP))))), 400
    yield "otlp_bad_status", ("POST", traces, proto, request(span(more=field(15, field(3, 99))))), 400
    yield "otlp_one_good_one_broken", ("POST", traces, proto, request(span(span_id=b"12345678"), span(name=b"\xff"))), 400
    yield "json_cut", ("POST", traces, write, GOOD_JSON[:-1]), 400
    yield "json_two", ("POST", traces, write, GOOD_JSON + GOOD_JSON), 400
    yield "json_list", ("POST", traces, write, "[]"), 400
    yield "json_deep", ("POST", traces, write, DEEP_JSON), 400
    yield "json_no_utf8", ("POST", traces, write, GOOD_JSON.encode()[:-3] + b"\xff" + b"}]}"), 400
    yield "json_empty", ("POST", traces, write, ""), 400
    for name, wrong in (("spans_object", {"resourceSpans": {}}), ("spans_text", {"resourceSpans": "x"}), ("resource_list", json_request([], [])),
                        ("span_number", json_request([7])), ("id_number", json_request([json_span(traceId=7)])),
                        ("name_list", json_request([json_span(name=[])])), ("attributes_object", json_request([json_span(attributes={"a": 1})])),
                        ("events_text", json_request([json_span(events="x")])), ("status_text", json_request([json_span(status="x")])),
                        ("key_number", json_request([json_span(attributes=[{"key": 1, "value": {}}])]))):
        yield f"json_{name}", ("POST", traces, write, json.dumps(wrong)), 400
    yield "gzip_garbage", ("POST", traces, {**proto, "Content-Encoding": "gzip"}, GOOD), 400
    yield "gzip_cut", ("POST", traces, {**proto, "Content-Encoding": "gzip"}, gzip.compress(GOOD)[:-5]), 400
    yield "deflate_garbage", ("POST", traces, {**proto, "Content-Encoding": "deflate"}, GOOD), 400
    yield "length_smaller_than_body", [head(traces, 5), GOOD], 400
    yield "two_lengths", [head(traces, len(GOOD), f"Content-Length: {len(GOOD) + 1}\r\n"), GOOD], 400
    yield "length_negative", [head(traces, -1), GOOD], 400
    yield "length_beyond_numbers", [head(traces, 10**30), GOOD], 400
    yield "length_and_chunked", [head(traces, len(GOOD), "Transfer-Encoding: chunked\r\n"), b"zz\r\n" + GOOD], 400
    yield "chunk_broken", [head(traces, 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked"), b"zz\r\nx\r\n"], 400

    # Too large.
    yield "otlp_too_large", ("POST", traces, proto, bytes(MOST + 1)), 413
    yield "otlp_length_too_large", [head(traces, MOST + 1)], 413
    yield "otlp_chunks_too_large", [head(traces, 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")]
    yield "gzip_bomb", ("POST", traces, {**proto, "Content-Encoding": "gzip"}, bomb), 413
    yield "gzip_bomb_of_many", ("POST", traces, {**proto, "Content-Encoding": "gzip"}, gzip.compress(bytes(1 << 20)) * 40), 413
    yield "gzip_bomb_in_gzip", ("POST", traces, {**proto, "Content-Encoding": "gzip"}, gzip.compress(bomb)), 400
    yield "gzip_right_but_too_large", ("POST", traces, {**proto, "Content-Encoding": "gzip"}, big_gzip), 413
    yield "deflate_bomb", ("POST", traces, {**proto, "Content-Encoding": "deflate"}, zlib.compress(bytes(64 << 20))), 413
    yield "annotate_gzip_bomb", ("POST", annotate, {**write, "Content-Encoding": "gzip"}, bomb), 413
    yield "pandas_gzip_bomb", ("POST", pandas, {**key(WRITE), "arize-space-id": server.space, "Content-Encoding": "gzip"}, bomb), 413
    yield "delete_too_large", ("DELETE", spans, write, gone(span_ids=["x" * 2_000_000])), 413
    yield "expect_too_large", [head(traces, 10**12, "Expect: 100-continue\r\n")], 413

    # Annotations.
    yield "annotate_no_json", ("POST", annotate, write, "x"), 400
    yield "annotate_no_project", ("POST", annotate, write, json.dumps({"annotations": [one]})), 400
    yield "annotate_other_project", ("POST", annotate, write, body(project_id="TW9kZWw6Nzp4eXo=")), 404
    yield "annotate_unknown_span", ("POST", annotate, write, body(annotations=[one, {**one, "record_id": "f" * 16}])), 404
    yield "annotate_none", ("POST", annotate, write, body(annotations=[])), 422
    yield "annotate_many", ("POST", annotate, write, body(annotations=[one] * 1_001)), 422
    yield "annotate_many_sessions", ("POST", annotate, write, body(annotations=[one] * 101, granularity="SESSION")), 422
    yield "annotate_granularity", ("POST", annotate, write, body(granularity="PLANET")), 422
    yield "annotate_window_backwards", ("POST", annotate, write, body(start_time="2027-01-01T00:00:00Z", end_time="2026-01-01T00:00:00Z")), 400
    yield "annotate_outside_window", ("POST", annotate, write, body(start_time="2001-01-01T00:00:00Z", end_time="2001-01-02T00:00:00Z")), 404
    yield "annotate_no_time", ("POST", annotate, write, body(start_time="yesterday")), 400
    for name, wrong in (("record_number", {**one, "record_id": 7}), ("record_missing", {"values": one["values"]}), ("record_empty", {**one, "record_id": ""}),
                        ("values_object", {**one, "values": {}}), ("values_none", {**one, "values": []}), ("name_missing", {**one, "values": [{"label": "x"}]}),
                        ("name_with_dots", {**one, "values": [{"name": "a.b", "label": "x"}]}), ("name_empty", {**one, "values": [{"name": " ", "label": "x"}]}),
                        ("score_text", {**one, "values": [{"name": "q", "score": "good"}]}), ("label_long", {**one, "values": [{"name": "q", "label": "x" * 101}]}),
                        ("text_long", {**one, "values": [{"name": "q", "text": "x" * 10_001}]}), ("label_list", {**one, "values": [{"name": "q", "label": ["x"]}]}),
                        ("says_nothing", {**one, "values": [{"name": "q"}]}), ("other_key", {**one, "values": [{"name": "q", "label": "x", "secret": 1}]})):
        yield f"annotate_{name}", ("POST", annotate, write, body(annotations=[wrong])), 400

    # Deletions.
    yield "delete_no_json", ("DELETE", spans, write, "{"), 400
    yield "delete_no_ids", ("DELETE", spans, write, gone(span_ids=[])), 422
    yield "delete_many", ("DELETE", spans, write, gone(span_ids=[f"{n:016x}" for n in range(5_001)])), 422
    yield "delete_numbers", ("DELETE", spans, write, gone(span_ids=[1])), 400
    yield "delete_other_project", ("DELETE", spans, write, gone(project_id="x")), 404
    yield "delete_unknown", ("DELETE", spans, write, gone(span_ids=["f" * 16])), 200

    # Tables.
    upload = {**key(WRITE), "arize-space-id": server.space}
    yield "pandas_no_arrow", ("POST", pandas, upload, b"hello"), 400
    yield "pandas_empty", ("POST", pandas, upload, b""), 400
    yield "pandas_no_space", ("POST", pandas, key(WRITE), b"x"), 400
    yield "pandas_other_space", ("POST", pandas, {**key(WRITE), "arize-space-id": "U3BhY2U6MTphYmM="}, b"x"), 404
    yield "pandas_length_beyond", ("POST", pandas, upload, b"\xff\xff\xff\xff\xff\xff\xff\x7f" + bytes(100)), 400
    if pyarrow:
        good = arrow_table(ROW)
        yield "pandas_cut", ("POST", pandas, upload, good[:-60]), 400
        yield "pandas_broken", ("POST", pandas, upload, good[:40] + os.urandom(64) + good[104:]), 400
        yield "pandas_no_schema", ("POST", pandas, upload, arrow_table(ROW, None)), 400
        yield "pandas_schema_garbage", ("POST", pandas, upload, arrow_table(ROW, "%%%")), 400
        yield "pandas_no_project", ("POST", pandas, upload, arrow_table(ROW, base64.b64encode(b"\x42\x00").decode())), 400
        yield "pandas_no_spans", ("POST", pandas, upload, arrow_table(ROW, base64.b64encode(b"\x0a\x06\x0a\x04demo").decode())), 400
        yield "pandas_no_ids", ("POST", pandas, upload, arrow_table({"name": ["n"]})), 400
        yield "pandas_null_id", ("POST", pandas, upload, arrow_table({**ROW, "context.span_id": pyarrow.array([None], "string")})), 400
        yield "pandas_time_is_text", ("POST", pandas, upload, arrow_table({**ROW, "start_time": ["soon"]})), 400
        yield "pandas_evaluations_of_nothing", ("POST", pandas, upload, arrow_table({"context.span_id": [SPAN], "eval.q.label": ["x"]}, base64.b64encode(b"\x0a\x06\x0a\x04nope\x42\x00").decode())), 404


def grpc_table():
    """Name, path, further headers, token, what is sent, and the status that is right."""
    good, gzipped = grpc_message(GOOD), {"grpc-encoding": "gzip"}
    for name, path, body in (("export", EXPORT, good), ("put", PUT, grpc_message(b""))):
        yield f"grpc_{name}_no_key", path, {}, None, [body, None], 16
        yield f"grpc_{name}_wrong_key", path, {}, "x", [body, None], 16
        yield f"grpc_{name}_key_to_read", path, {}, READ, [body, None], 7
        yield f"grpc_{name}_web_page", path, {"origin": "http://evil.example"}, WRITE, [body, None], 7
        yield f"grpc_{name}_too_large", path, {}, WRITE, [grpc_message(b"", length=1 << 30)], 8
        yield f"grpc_{name}_garbage", path, {}, WRITE, [grpc_message(b"\xff" * 64), None], 13 if path == PUT else 3
    yield "grpc_export_gzip_bomb", EXPORT, gzipped, WRITE, [grpc_message(gzip.compress(bytes(64 << 20)), packed=True), None], 8
    yield "grpc_export_gzip_garbage", EXPORT, gzipped, WRITE, [grpc_message(GOOD, packed=True), None], 13
    yield "grpc_export_no_utf8", EXPORT, {}, WRITE, [grpc_message(request(span(name=b"\xff"))), None], 3
    yield "grpc_put_nothing", PUT, {}, WRITE, [None], 3
    yield "grpc_metrics", "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", {}, WRITE, [good, None], 12


def rows(stream, many):
    return b"".join(b"%x\r\n" % len(part) + part + b"\r\n" for part in [stream] * many)


def hostile(server, project):
    chunked = head("/v1/traces", 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    for entry in table(server, project):
        name, sent, *right = entry
        if name == "otlp_chunks_too_large":
            sent, right = [chunked, rows(bytes(1 << 16), (MOST >> 16) + 2)], [413]
        if args.only and args.only not in name:
            continue
        before = server.version()
        try:
            status = server.raw(sent) if isinstance(sent, list) else server.ask(*sent)[0]
        except OSError as error:
            status = f"{type(error).__name__} {error}"
        after = server.version()
        why = f"status {status}, and not {right[0]}" if status != right[0] else "" if before == after else "it was written"
        report(name, not why, why)


def hostile_grpc(server):
    for name, path, more, token, parts, right in grpc_table():
        if args.only and args.only not in name:
            continue
        before = server.version()
        status = server.grpc(grpc_head(path, token, **more), parts)
        after = server.version()
        why = f"status {status}, and not {right}" if status != right else "" if before == after else "it was written"
        report(name, not why, why)


def slow(server):
    """Senders that take their time, all at once; those who do not are answered meanwhile."""
    outcomes = {}

    def run(name, parts):
        began = time.time()
        try:
            outcomes[name] = server.raw(parts, timeout=90), time.time() - began
        except OSError as error:
            outcomes[name] = f"{error}", time.time() - began

    drip = lambda data, each: [part for byte in data for part in (bytes([byte]), each)]
    cases = {
        "slow_nothing": [head("/v1/traces", 1_000)],
        "slow_half": [head("/v1/traces", len(GOOD)), GOOD[:-1]],
        "slow_drip": [head("/v1/traces", 1_000), *drip(bytes(60), 0.5)],
        "slow_annotate": [head("/v2/spans/annotate", 1_000, kind="application/json"), b"{"],
        "slow_pandas": [head("/v1/pandas_arrow", 1_000, f"arize-space-id: {server.space}\r\n"), b"\xff"],
        "slow_delete": [head("/v2/spans", 1_000, kind="application/json").replace(b"POST", b"DELETE"), b"{"],
    }
    # What is announced is not sent to its end, at once or never.
    begun = grpc_message(GOOD, length=len(GOOD) + 1_000)
    calls = {
        **{f"slow_grpc_{name}_nothing": (path, []) for name, path in (("export", EXPORT), ("put", PUT))},
        **{f"slow_grpc_{name}_half": (path, [begun]) for name, path in (("export", EXPORT), ("put", PUT))},
        **{f"slow_grpc_{name}_drip": (path, [begun, *drip(bytes(60), 0.5)]) for name, path in (("export", EXPORT), ("put", PUT))},
        "slow_grpc_put_no_end": (PUT, [grpc_message(b"")]),
    }
    cases.update({f"slow_{number}": [head("/v1/traces", 100_000), bytes(1_000)] for number in range(60)})
    before = server.version()
    def call(name, path, parts):
        began = time.time()
        outcomes[name] = server.grpc(grpc_head(path, WRITE), parts, timeout=90), time.time() - began

    threads = [threading.Thread(target=run, args=case) for case in cases.items()]
    threads += [threading.Thread(target=call, args=(name, *sent)) for name, sent in calls.items()]
    for thread in threads:
        thread.start()
    time.sleep(2)
    began = time.time()
    status, _ = server.ask("POST", "/v1/traces", {**key(WRITE), **PROTO}, b"")
    report("answered_while_others_are_slow", status == 200 and time.time() - began < 3, f"status {status} in {time.time() - began:.1f} s")
    for thread in threads:
        thread.join()
    for name, (status, seconds) in outcomes.items():
        # Who is cut off by the end of its connection has not written either.
        good = status in ((4,) if name in calls else (408, 0)) and seconds < 70
        if not good or not name[5:].isdigit():
            report(name, good, f"status {status} after {seconds:.1f} s")
    report("slow_wrote_nothing", before == server.version(), "something was written")


def open_server(server):
    """A server without keys is one for programs of its machine."""
    before = server.version()
    for name, headers, right in (
            ("open_other_host", {**PROTO, "Host": "evil.example"}, 403), ("open_rebound_page", {**PROTO, "Host": "evil.example", "Origin": "http://evil.example"}, 403),
            ("open_page", {**PROTO, "Origin": "https://evil.example"}, 403), ("open_page_of_other_port", {**PROTO, "Origin": "http://localhost:1"}, 403),
            ("open_file", {**PROTO, "Origin": "file://"}, 403)):
        status, _ = server.ask("POST", "/v1/traces", headers, GOOD)
        report(name, status == right and before == server.version(), f"status {status}")
    status, _ = server.ask("POST", "/v1/traces", {**PROTO, "Host": "localhost"}, GOOD)
    report("open_program", status == 200 and before != server.version(), f"status {status}")


def taken(server, project):
    """The same requests, made right."""
    write = {**key(WRITE), **JSON}
    cases = [
        ("protobuf", ("POST", "/v1/traces", {**key(WRITE), **PROTO}, request(span(span_id=b"protobuf"))), 200),
        ("gzip", ("POST", "/v1/traces", {**key(WRITE), **PROTO, "Content-Encoding": "gzip"}, gzip.compress(request(span(span_id=b"gzip....")))), 200),
        ("deflate", ("POST", "/v1/traces", {"api_key": WRITE, **PROTO, "Content-Encoding": "deflate"}, zlib.compress(request(span(span_id=b"deflate.")))), 200),
        ("json", ("POST", "/v1/traces", write, json.dumps(json_request([json_span(spanId="ab" * 8)]))), 200),
        ("one_of_two", ("POST", "/v1/traces", write, json.dumps(json_request([json_span(spanId="cd" * 8), json_span(spanId="0" * 16)]))), 200),
        ("annotate", ("POST", "/v2/spans/annotate", write, json.dumps({"project_id": project, "annotations": [{"record_id": SPAN, "values": [{"name": "q", "label": "x"}]}]})), 202),
    ]
    if pyarrow:
        cases.append(("pandas", ("POST", "/v1/pandas_arrow", {"authorization": WRITE, "arize-space-id": server.space}, arrow_table(ROW)), 200))
        cases.append(("pandas_zstd", ("POST", "/v1/pandas_arrow", {"authorization": WRITE, "arize-space-id": server.space}, arrow_table({**ROW, "context.span_id": ["d" * 16]}, compression="zstd")), 200))
    cases.append(("delete", ("DELETE", "/v2/spans", write, json.dumps({"project_id": project, "span_ids": [SPAN]})), 200))
    before = server.version()
    status = server.grpc(grpc_head(EXPORT, WRITE), [grpc_message(request(span(span_id=b"grpc...."))), None])
    report("taken_grpc", status == 0 and before != server.version(), f"status {status}")
    for name, sent, right in cases:
        before = server.version()
        status, body = server.ask(*sent)
        good = status == right and before != server.version() and (name != "one_of_two" or b'"rejectedSpans":"1"' in body.replace(b" ", b""))
        report(f"taken_{name}", good, f"status {status} {body[:200]!r}")


with tempfile.TemporaryDirectory(prefix="spanql-writes-") as directory:
    store = Path(directory) / "store"
    server = Server(store, token=None, write=None)
    open_server(server)
    report("open_ends_well", server.end() == 0)
    server = Server(store)
    try:
        project = server.ready["projects"][0]["id"]
        hostile(server, project)
        hostile_grpc(server)
        if not args.only or "slow" in args.only:
            slow(server)
        taken(server, project)
        report("ends_well", server.end() == 0, "the server did not end well")
    finally:
        if server.process.poll() is None:
            server.process.kill()
print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
sys.exit(0 if results and all(results) else 1)
