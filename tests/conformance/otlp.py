#!/usr/bin/env python3
"""Applications that send spans to `spanql serve` with OpenTelemetry's own SDK.

First one trace over HTTP and one over gRPC, packed and not, with OpenInference's attributes: found whole. Then many clients at
once, while the server is killed and started again: of what the exporters said was taken nothing may be missing, and
nothing may be there twice. Prints each case; the last line is "N passed, N failed". Needs an interpreter with
opentelemetry-sdk and both OTLP exporters; Linux.
"""
import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--bin", required=True, type=Path, help="the spanql binary")
parser.add_argument("--clients", type=int, default=10, help="clients at once (default: 10)")
parser.add_argument("--spans", type=int, default=50_000, help="spans of all clients (default: 50000)")
parser.add_argument("--kills", type=int, default=2, help="how often the server is killed meanwhile (default: 2)")
# What this script starts as a client.
parser.add_argument("--client", help=argparse.SUPPRESS)
args = parser.parse_args()

TOKEN = "key-of-the-exporters"


def provider(exporter, attributes, batch):
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
    made = TracerProvider(resource=Resource(attributes))
    made.add_span_processor(BatchSpanProcessor(exporter) if batch else SimpleSpanProcessor(exporter))
    return made


def exporter(protocol, port, packed=False, headers=None):
    headers = headers or {"authorization": f"Bearer {TOKEN}"}
    if protocol == "http":
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        compression = Compression.Gzip if packed else Compression.NoCompression
        return OTLPSpanExporter(endpoint=f"http://127.0.0.1:{port}/v1/traces", headers=headers, compression=compression)
    import grpc
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    compression = grpc.Compression.Gzip if packed else grpc.Compression.NoCompression
    return OTLPSpanExporter(endpoint=f"http://127.0.0.1:{port}", insecure=True, headers=tuple(headers.items()), compression=compression)


def client():
    """Sends spans of its own, batch by batch, each until it is taken; prints the ids that were."""
    from opentelemetry.sdk.trace.export import SpanExportResult, SpanExporter
    number, count, protocol, port = args.client.split(",")
    sender = exporter(protocol, int(port), packed=int(number) % 2 == 0)
    made = []

    def taken(sender, batch):
        try:
            return sender.export(batch) is SpanExportResult.SUCCESS
        except OSError:  # the server is away
            return False

    class Keep(SpanExporter):
        def export(self, spans):
            made.extend(spans)
            return SpanExportResult.SUCCESS

        def shutdown(self):
            pass

    tracer = provider(Keep(), {"service.name": "load"}, batch=False).get_tracer("load")
    left = int(count)
    while left > 0:
        made.clear()
        while len(made) < min(500, left):
            with tracer.start_as_current_span("root", attributes={"openinference.span.kind": "CHAIN", "client": int(number)}):
                for step in range(4):
                    with tracer.start_as_current_span("step", attributes={"input.value": f"step {step} of client {number}"}):
                        pass
        batch = made[:left]
        left -= len(batch)
        end = time.time() + 120
        while not taken(sender, batch):
            if time.time() > end:
                sys.exit("not taken in time")
            time.sleep(0.2)
        for span in batch:
            print(f"{span.context.span_id:016x}")
    sys.stdout.flush()


if args.client:
    client()
    sys.exit(0)


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Server:
    def __init__(self, store):
        self.store, self.ports, self.process = store, (free_port(), free_port()), None

    def start(self):
        command = [args.bin, "-q", "--store", self.store, "serve", "--flight-port", str(self.ports[0]), "--http-port", str(self.ports[1])]
        environment = {**os.environ, "SPANQL_SERVE_TOKEN": TOKEN}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
        assert self.process.stdout.readline(), "the server did not start"

    def port(self, protocol):
        return self.ports[0] if protocol == "grpc" else self.ports[1]

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.process.wait(timeout=20)


def query(store, sql):
    done = subprocess.run([args.bin, "-q", "--store", store, "query", sql, "-o", "jsonl"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def same(got, want, what):
    assert got == want, f"{what}: {got!r}, and not {want!r}"


def one_trace(server, protocol, packed):
    """A trace as an instrumented application makes it."""
    project = f"bot-{protocol}-{packed}"
    from opentelemetry.trace import Status, StatusCode
    made = provider(exporter(protocol, server.port(protocol), packed), {"service.name": "app", "openinference.project.name": project}, True)
    tracer = made.get_tracer("my.instrumentation", "1.2.3")
    with tracer.start_as_current_span("ask", attributes={
            "openinference.span.kind": "AGENT", "session.id": "s-1", "user.id": "u-1", "input.value": "What? ä☃😀", "metadata": '{"tier": "free"}'}) as root:
        with tracer.start_as_current_span("llm", attributes={
                "openinference.span.kind": "LLM", "llm.model_name": "gpt-4o", "llm.token_count.prompt": 11, "llm.token_count.completion": 7,
                "llm.token_count.total": 18, "llm.input_messages.0.message.role": "user", "llm.input_messages.0.message.content": "What?",
                "tags": ["a", "b"], "ratio": 0.5, "flag": True}) as llm:
            llm.add_event("first token", {"n": 1})
        with tracer.start_as_current_span("tool", attributes={"openinference.span.kind": "TOOL", "tool.name": "search"}) as tool:
            tool.record_exception(ValueError("no result"))
            tool.set_status(Status(StatusCode.ERROR, "no result"))
        root.set_attribute("output.value", "That.")
    assert made.force_flush(), "the exporter did not send"
    made.shutdown()
    rows = {row["name"]: row for row in query(server.store, f"""
        SELECT trace_id, span_id, parent_id, name, kind, source, start_time, end_time, status_code, status_message, input, output, model,
               prompt_tokens, total_tokens, session_id, metadata.tier AS tier, attributes.ratio AS ratio, attributes.flag AS flag,
               attributes.resource.service.name AS service, attributes.llm.input_messages AS messages, events, tree.depth AS depth
        FROM spans WHERE project = '{project}'""")}
    same(sorted(rows), ["ask", "llm", "tool"], "spans")
    ask, llm_row, tool_row = rows["ask"], rows["llm"], rows["tool"]
    for name, span in (("ask", root), ("llm", llm), ("tool", tool)):
        row, context = rows[name], span.get_span_context()
        same((row["trace_id"], row["span_id"]), (f"{context.trace_id:032x}", f"{context.span_id:016x}"), f"ids of {name}")
        nanos = lambda text: int(__import__("datetime").datetime.fromisoformat(text[:19] + "+00:00").timestamp()) * 10**9 + int(text[20:29])
        same((nanos(row["start_time"]), nanos(row["end_time"])), (span.start_time, span.end_time), f"times of {name}")
        same((row["source"], row["service"]), ("otlp", "app"), f"source and service of {name}")
    same((ask["parent_id"], llm_row["parent_id"], tool_row["parent_id"]), (None, ask["span_id"], ask["span_id"]), "parents")
    same((ask["depth"], llm_row["depth"]), (1, 2), "depths")
    same((ask["kind"], llm_row["kind"], tool_row["kind"]), ("AGENT", "LLM", "TOOL"), "kinds")
    same((ask["input"], ask["output"], ask["session_id"], ask["tier"]), ("What? ä☃😀", "That.", "s-1", "free"), "the question")
    same((llm_row["model"], llm_row["prompt_tokens"], llm_row["total_tokens"], llm_row["ratio"], llm_row["flag"]), ("gpt-4o", 11, 18, 0.5, True), "the call")
    assert "What?" in llm_row["messages"], llm_row["messages"]
    same((tool_row["status_code"], tool_row["status_message"], "no result" in tool_row["events"]), ("ERROR", "no result", True), "the failure")


def load(server):
    share = args.spans // args.clients
    taken, failed = set(), []
    lock = threading.Lock()

    def run(number):
        protocol = "grpc" if number % 3 == 0 else "http"
        command = [sys.executable, __file__, "--bin", args.bin, "--client", f"{number},{share},{protocol},{server.port(protocol)}"]
        done = subprocess.run(command, capture_output=True, text=True)
        with lock:
            taken.update(done.stdout.split())
            if done.returncode != 0:
                failed.append(done.stderr[-300:])

    threads = [threading.Thread(target=run, args=(number,)) for number in range(args.clients)]
    began = time.time()
    for thread in threads:
        thread.start()
    for kill in range(args.kills):
        # In the middle of what is written, wherever that is.
        time.sleep(3 + kill)
        server.end(signal.SIGKILL)
        time.sleep(0.5)
        server.start()
    for thread in threads:
        thread.join()
    seconds = time.time() - began
    assert not failed, failed[0]
    same(len(taken), share * args.clients, "spans that were taken")
    found = query(server.store, "SELECT span_id, count(*) AS n FROM spans WHERE project = 'load' GROUP BY 1")
    doubled = [row for row in found if row["n"] != 1]
    same(doubled, [], "spans that are there twice")
    lost = taken - {row["span_id"] for row in found}
    assert not lost, f"{len(lost)} of {len(taken)} spans are lost"
    same(len(found), len(taken), "spans that are there")
    print(f"   {len(taken)} spans of {args.clients} clients in {seconds:.1f} s, the server killed {args.kills} times", flush=True)


def refused_key(server):
    from opentelemetry.sdk.trace.export import SpanExportResult
    import logging
    logging.disable(logging.CRITICAL)
    for protocol in ("http", "grpc"):
        sender = exporter(protocol, server.port(protocol), headers={"authorization": "Bearer wrong"})
        made = provider(sender, {"service.name": "thief"}, False).get_tracer("t")
        span = made.start_span("x")
        span.end()
        same(sender.export([span]), SpanExportResult.FAILURE, protocol)
    same(query(server.store, "SELECT count(*) AS n FROM spans WHERE project = 'thief'"), [{"n": 0}], "spans of a thief")


results = []


def case(name, run):
    try:
        run()
        results.append(True)
        print(f"ok {name}", flush=True)
    except Exception as error:
        results.append(False)
        print(f"FAIL {name}: {type(error).__name__}: {' '.join(str(error).split())[:400]}", flush=True)


with tempfile.TemporaryDirectory(prefix="spanql-otlp-") as directory:
    server = Server(Path(directory) / "store")
    server.start()
    try:
        for protocol in ("http", "grpc"):
            for packed in (False, True):
                case(f"trace_{protocol}{'_gzip' if packed else ''}", lambda: one_trace(server, protocol, packed))
        case("wrong_key", lambda: refused_key(server))
        case("many_clients_and_kills", lambda: load(server))
        case("ends_well", lambda: same(server.end(), 0, "exit status"))
    finally:
        if server.process.poll() is None:
            server.process.kill()
print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
sys.exit(0 if results and all(results) else 1)
