#!/usr/bin/env python3
"""Imports large files in the shapes of other tools, and says whether memory stays where it was for small ones.

Of each shape two files are written, one of --size and one of a tenth of it, out of one trace that repeats with fresh ids:

  otlp-lines   OTLP's JSON, one request a line
  otlp         OTLP's JSON, one document on one line
  otlp-proto   OTLP's protobuf, each request behind its length
  jaeger       Jaeger's JSON, one document

Limits: the larger import stays under --limit-gib, and needs at most --ratio times the memory of the smaller. Exit status 1 if
one is broken. A size of 1 GB needs about 3 GB of disk below --dir.

usage: python3 benches/formats.py                    the real thing, by hand
       python3 benches/formats.py --size 0.02        a small try: shows that it works, not whether memory is bounded
"""
import argparse
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

from memory import MIB, ROOT, run

SPANS = 20
TEXT = "What is the weather like in a town whose name is as long as this one? " * 12
START = 1_793_700_000_000_000_000


def ids(trace):
    return f"{trace + 1:032x}", [f"{trace * SPANS + at + 1:016x}" for at in range(SPANS)]


def otlp(trace):
    """One request with the spans of one trace."""
    name, spans = ids(trace)
    start = START + trace * 1_000_000
    return {"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "bench"}}]},
        "scopeSpans": [{"scope": {"name": "bench"}, "spans": [{
            "traceId": name, "spanId": span, "parentSpanId": spans[0] if at else "", "name": f"step {at}", "kind": 1,
            "startTimeUnixNano": str(start + at), "endTimeUnixNano": str(start + at + 500_000), "status": {},
            "attributes": [{"key": "input.value", "value": {"stringValue": f"{TEXT}{trace}"}},
                           {"key": "llm.token_count.total", "value": {"intValue": str(at)}}],
        } for at, span in enumerate(spans)]}]}]}


def jaeger(trace):
    name, spans = ids(trace)
    start = (START + trace * 1_000_000) // 1_000
    return {"traceID": name, "processes": {"p1": {"serviceName": "bench"}}, "spans": [{
        "traceID": name, "spanID": span, "operationName": f"step {at}", "startTime": start + at, "duration": 500, "processID": "p1",
        "references": [{"refType": "CHILD_OF", "traceID": name, "spanID": spans[0]}] if at else [], "logs": [],
        "tags": [{"key": "input.value", "type": "string", "value": f"{TEXT}{trace}"},
                 {"key": "llm.token_count.total", "type": "int64", "value": at}],
    } for at, span in enumerate(spans)]}


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def attribute(key, value):
    return field(1, key.encode()) + field(2, value)


def protobuf(trace):
    name, spans = ids(trace)
    start = START + trace * 1_000_000
    scope = b""
    for at, span in enumerate(spans):
        scope += field(2, b"".join([
            field(1, bytes.fromhex(name)), field(2, bytes.fromhex(span)), field(4, bytes.fromhex(spans[0])) if at else b"",
            field(5, f"step {at}".encode()), b"\x39" + struct.pack("<Q", start + at), b"\x41" + struct.pack("<Q", start + at + 500_000),
            field(9, attribute("input.value", field(1, f"{TEXT}{trace}".encode()))),
            field(9, attribute("llm.token_count.total", b"\x18" + varint(at)))]))
    resource = field(1, attribute("service.name", field(1, b"bench")))
    return field(1, field(1, resource) + field(2, scope))


def write(shape, file, size):
    """Writes traces until the file has that size; gives their number."""
    trace = 0
    with open(file, "wb") as out:
        out.write({"otlp": b'{"resourceSpans":[', "jaeger": b'{"data":['}.get(shape, b""))
        while out.tell() < size:
            if shape == "otlp-lines":
                out.write(json.dumps(otlp(trace)).encode() + b"\n")
            elif shape == "otlp-proto":
                message = protobuf(trace)
                out.write(struct.pack(">I", len(message)) + message)
            else:
                item = otlp(trace)["resourceSpans"][0] if shape == "otlp" else jaeger(trace)
                out.write((b"," if trace else b"") + json.dumps(item).encode())
            trace += 1
        out.write({"otlp": b"]}\n", "jaeger": b"]}\n"}.get(shape, b""))
    return trace


def measure(binary, folder, shape, size):
    """Gives the peak bytes and the seconds of one import, and leaves nothing behind."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="spanql-formats-") as place:
        place = pathlib.Path(place)
        file, store = place / ("spans.binpb" if shape == "otlp-proto" else "spans.json"), place / "store"
        traces = write(shape, file, size)
        peak, seconds = run([binary, "-q", "--store", store, "import", file])
        said = subprocess.run([binary, "-q", "--store", store, "query", "SELECT count(*) AS spans FROM spans", "-o", "json"],
                              capture_output=True, text=True, check=True).stdout
        if json.loads(said) != [{"spans": traces * SPANS}]:
            sys.exit(f"{traces * SPANS} spans were written, and this is read: {said}")
        return peak, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, help="the binary (default: the release build of this repository)")
    parser.add_argument("--size", type=float, default=1, help="size of the larger file in GB (default: 1)")
    parser.add_argument("--dir", help="where to put files (default: the system's temporary directory)")
    parser.add_argument("--limit-gib", type=float, default=1.2, help="peak memory of the larger import (default: 1.2)")
    parser.add_argument("--ratio", type=float, default=1.5, help="its peak over that of the smaller (default: 1.5)")
    options = parser.parse_args()
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    binary = options.bin or target / "release" / "spanql"
    if not binary.is_file():
        sys.exit(f"{binary}: no such binary; run `cargo build --release`, or name one with --bin")
    broken = False
    for shape in ["otlp-lines", "otlp", "otlp-proto", "jaeger"]:
        sizes = [int(options.size * 1e8), int(options.size * 1e9)]
        peaks = []
        for size in sizes:
            peak, seconds = measure(binary, options.dir, shape, size)
            peaks.append(peak)
            print(f"{shape:<12}{size / 1e6:>10,.0f} MB{peak / MIB:>10,.0f} MiB{seconds:>9.1f} s{size / 1e6 / seconds:>9,.0f} MB/s", flush=True)
        for what, value, limit in [("peak GiB", peaks[1] / (1 << 30), options.limit_gib), ("growth", peaks[1] / peaks[0], options.ratio)]:
            kept = value <= limit
            broken |= not kept
            print(f"{shape:<12}{what:<10}{value:>6.2f}  limit {limit:.2f}  {'ok' if kept else 'BROKEN'}", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
