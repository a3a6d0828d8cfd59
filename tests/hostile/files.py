#!/usr/bin/env python3
"""Import files that were made to do harm, and watch what that takes.

Each case makes a file and runs `spanql --memory 256MB --store TMP import FILE`. The run must end in time, its peak memory
must stay below 800 MB, and it must give the expected count or error. Files are made anew in every run. Those of Parquet and
Arrow need pyarrow and are passed over where that is not installed. Prints `ok CASE` or `FAIL CASE: why`; the last line is
"N passed, N failed". Needs Python 3.11 on Unix.
"""
import argparse
import gzip
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PEAK = 800 << 20
SECONDS = 90
MB = 1 << 20
CASES = []

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--bin", required=True, type=Path, help="the spanql binary")
parser.add_argument("--only", default="", help="cases whose names hold this text")
args = parser.parse_args()

try:
    import pyarrow
except ImportError:
    pyarrow = None


def case(name, code, *expected, options=(), stdin=False, needs_arrow=False):
    """Declares a case: the exit code, and patterns that stderr has."""
    def declare(make):
        CASES.append((name, make, code, expected, options, stdin, needs_arrow))
        return make
    return declare


def row(at, **more):
    return {"trace_id": f"t{at % 7}", "span_id": f"s{at}", "start_time": 1_700_000_000 + at, **more}


def write_rows(path, rows):
    with open(path, "w") as file:
        for one in rows:
            file.write(json.dumps(one, separators=(",", ":")) + "\n")


def fill(file, byte, count):
    """Writes a byte again and again, in pieces: this process must stay small."""
    piece = byte * MB
    for _ in range(count // MB):
        file.write(piece)


# JSON


@case("one trace of many spans with few of many keys", 0, r"8,000 spans: 8,000 new")
def _(path):
    pick = random.Random(1)
    rows = ({"trace_id": "t", "span_id": f"s{at}", "start_time": pick.randrange(10**6),
             f"attributes.k{pick.randrange(2000)}": at, f"attributes.k{pick.randrange(2000)}": "x"}
            for at in range(8_000))
    write_rows(path, rows)


@case("many traces of few spans with few of many keys", 0, r"8,000 spans: 8,000 new")
def _(path):
    pick = random.Random(2)
    write_rows(path, (row(at, trace_id=f"t{at // 2}", **{f"attributes.k{pick.randrange(2000)}": at}) for at in range(8_000)))


@case("keys that are never the same", 0, r"3,000 spans: 3,000 new")
def _(path):
    write_rows(path, (row(at, **{f"attributes.{at}.{n}": n for n in range(5)}) for at in range(3_000)))


@case("metadata with keys that are never the same", 0, r"3,000 spans: 3,000 new")
def _(path):
    write_rows(path, (row(at, **{"attributes.metadata": {f"k{at}.{n}": n for n in range(5)}}) for at in range(3_000)))


@case("a row of a million keys", 1, r"jsonl:1: not JSON: more than 100,000 names in one row \(byte \d+\)")
def _(path):
    write_rows(path, [row(0, **{f"k{n}": n for n in range(1_000_000)})])


@case("a key of five megabytes", 1, r"jsonl:1: not JSON: a name of more than 4,096 bytes")
def _(path):
    write_rows(path, [row(0, **{"k" * 5 * MB: 1})])


def value_of(path, megabytes):
    with open(path, "wb") as file:
        file.write(b'{"trace_id":"t","span_id":"s1"}\n{"trace_id":"t","span_id":"s2","attributes.input.value":"')
        fill(file, b"x", megabytes * MB)
        file.write(b'"}\n{"trace_id":"t","span_id":"s3"}\n')


@case("a value of 900 MB", 1, r"jsonl:2: a row of more than 122\.1 MiB, twice what --max-value allows a value")
def _(path):
    value_of(path, 900)


@case("a value of 900 MB, passed over", 0, r"2 spans: 2 new", r"skipped 1 row", r"jsonl:2: a row of more than", options=["--skip-bad"])
def _(path):
    value_of(path, 900)


@case("a value above the limit", 1,
      r"jsonl:2: attributes\.input\.value: a value of 70\.0 MiB, more than the 61\.0 MiB that --max-value allows")
def _(path):
    value_of(path, 70)


@case("a value below the limit", 0, r"3 spans: 3 new")
def _(path):
    value_of(path, 60)


@case("a value above a limit of one's own", 1, r"jsonl:2: .*a value of 3\.0 MiB, more than the 2\.0 MiB that --max-value allows",
      options=["--max-value", "2MiB"])
def _(path):
    value_of(path, 3)


@case("many values below the limit", 0, r"4 spans: 4 new")
def _(path):
    with open(path, "wb") as file:
        for at in range(4):
            file.write(b'{"trace_id":"t","span_id":"s%d","attributes.output.value":"' % at)
            fill(file, b"y", 50 * MB)
            file.write(b'"}\n')


@case("lists a million deep", 1, r"jsonl:1: not JSON: nested too deep")
def _(path):
    path.write_text('{"trace_id":"t","span_id":"s","attributes.a":' + "[" * 10**6 + "]" * 10**6 + "}\n")


@case("objects a million deep", 1, r"jsonl:1: not JSON: (nested too deep|a name of more than)")
def _(path):
    path.write_text('{"trace_id":"t","span_id":"s","a":' + '{"a":' * 10**6 + "1" + "}" * 10**6 + "}\n")


@case("JSON text a million deep in a text", 0, r"1 span: 1 new")
def _(path):
    write_rows(path, [row(0, **{"attributes.metadata": '{"a":' * 10**6, "attributes.llm.input_messages": "[" * 10**6})])


@case("an element of a list of 900 MB", 1, r"json:1: a row of more than 122\.1 MiB")
def _(path):
    with open(path, "wb") as file:
        file.write(b'[{"trace_id":"t","span_id":"s","a":"')
        fill(file, b"x", 900 * MB)
        file.write(b'"}]')


@case("a list whose text never ends", 1, r"json:2: the file ends inside the list", options=["--skip-bad"])
def _(path):
    with open(path, "wb") as file:
        file.write(b'[{"trace_id":"t","span_id":"s"},\n{"a":"')
        fill(file, b"x", 300 * MB)


# What changes on the way in


def changing(path):
    path.write_text(
        '{"trace_id":"t","span_id":"1","attributes.llm.cost.total":NaN,"start_time":"2026-01-01T00:00:00.1234567891Z"}\n'
        '{"trace_id":"t","span_id":"2","attributes.a":1,"attributes.a":2,"attributes.llm.cost.total":"-inf"}\n'
        '{"trace_id":"t","span_id":"3","attributes.b":0.12345678901234567890}\n'
        '{"trace_id":"t","span_id":"4","attributes.a":12345678901234567890,"start_time":"2026-01-01T00:00:00.1234567890Z"}\n')


@case("values that change", 0, r"4 spans: 4 new", r"2 numbers NaN or infinite.*jsonl:1: attributes\.llm\.cost\.total",
      r"1 time cut to nine digits.*jsonl:1: start_time", r"1 key given twice.*jsonl:2: attributes\.a",
      r"1 number with more digits.*jsonl:3: attributes\.b")
def _(path):
    changing(path)


@case("values that would change", 1, r"jsonl:1: (start_time|attributes\.llm\.cost\.total): .*--strict", options=["--strict"])
def _(path):
    changing(path)


@case("values that would change, passed over", 0, r"1 span: 1 new", r"skipped 3 rows", options=["--strict", "--skip-bad"])
def _(path):
    changing(path)


@case("microseconds out of range", 1, r"jsonl:1: start_time: 99999999999999999 is outside .* read as microseconds")
def _(path):
    write_rows(path, [row(1, start_time=99999999999999999)])


@case("a time out of all calendars", 1, r"jsonl:1: start_time: .* is outside the years 1678 to 2261")
def _(path):
    write_rows(path, [row(1, start_time="2262-01-01T00:00:00Z")])


@case("a time of a megabyte", 1, r"jsonl:1: start_time: \"x+\"… is not a time")
def _(path):
    write_rows(path, [row(1, start_time="x" * MB)])


# What is packed


def gzip_of(path, begin, byte, megabytes):
    with gzip.open(path, "wb", compresslevel=9) as file:
        file.write(begin)
        fill(file, byte, megabytes * MB)


@case("a gzip bomb", 1, r"jsonl:1: a row of more than")
def _(path):
    gzip_of(path, b"{", b" ", 1500)


@case("a gzip bomb, passed over", 1, r"its .* unpack to more than .*: raise --max-ratio", options=["--skip-bad"])
def _(path):
    gzip_of(path, b"{", b" ", 1500)
    os.truncate(path, path.stat().st_size)


@case("a gzip bomb of gzip bombs", 1, r"jsonl:1: not UTF-8")
def _(path):
    gzip_of(path, b"", b"\0", 200)
    inner = path.read_bytes()
    path.write_bytes(gzip.compress(inner))


@case("a zstd bomb", 1, r"jsonl:1: a row of more than", needs_arrow=True)
def _(path):
    zstd_of(path, b"{", b" ", 3000)


@case("a zstd bomb, passed over", 1, r"its .* unpack to more than 1\.0 GiB: raise --max-ratio", options=["--skip-bad"],
      needs_arrow=True)
def _(path):
    zstd_of(path, b"{", b" ", 3000)


def zstd_of(path, begin, byte, megabytes):
    with pyarrow.CompressedOutputStream(str(path), "zstd") as file:
        file.write(begin)
        fill(file, byte, megabytes * MB)


@case("zstd that asks for a window of two gigabytes", 1, r"[Ff]rame requires too much memory")
def _(path):
    path.write_bytes(b"\x28\xb5\x2f\xfd\x00" + bytes([21 << 3]) + b"\x01\x00\x00" * 3)


# CSV


@case("a quoted cell of hundreds of megabytes", 1, r"csv:2: a row of more than 122\.1 MiB")
def _(path):
    csv_of(path, 300)


@case("a quoted cell of hundreds of megabytes, passed over", 0, r"1 span: 1 new", r"csv:2: a row of more than 122\.1 MiB",
      options=["--skip-bad"])
def _(path):
    csv_of(path, 200)


def csv_of(path, megabytes):
    with open(path, "wb") as file:
        file.write(b'trace_id,span_id,input\nt,s1,"')
        fill(file, b"x,\n!", megabytes * MB // 4)
        file.write(b'"\nt,s2,y\n')


@case("a quote that is never closed", 1, r"csv:2: the file ends inside a quoted cell")
def _(path):
    with open(path, "wb") as file:
        file.write(b'trace_id,span_id,input\nt,s1,"')
        fill(file, b"x", 100 * MB)


@case("a header of 300 MB", 1, r"csv:1: the header: a row of more than")
def _(path):
    with open(path, "wb") as file:
        file.write(b"trace_id,span_id,")
        fill(file, b"x", 300 * MB)


# What is no file


@case("a device without an end", 1, r"/dev/zero: this is a character device, not a file")
def _(path):
    return "/dev/zero"


@case("a line without an end on stdin", 1, r"stdin:1: a row of more than", options=["--format", "jsonl"], stdin=True)
def _(path):
    return "/dev/zero"


@case("a line without an end on stdin, passed over", 1, r"stdin:1: a row of more than 4\.0 GiB without an end",
      options=["--format", "jsonl", "--skip-bad"], stdin=True)
def _(path):
    return "/dev/zero"


@case("a header without an end on stdin", 1, r"stdin:1: .*without an end|stdin:1: the header", options=["--format", "csv"],
      stdin=True)
def _(path):
    return "/dev/zero"


@case("what is no Parquet on stdin", 1, r"stdin: this is no Parquet file", options=["--format", "parquet"], stdin=True)
def _(path):
    return "/dev/zero"


@case("a pipe", 0, r"2 spans: 2 new")
def _(path):
    os.mkfifo(path)
    return path, ["sh", "-c", f"""printf '{{"trace_id":"t","span_id":"a"}}\\n{{"trace_id":"t","span_id":"b"}}\\n' > '{path}'"""]


@case("a pipe without an end", 1, r"jsonl:1: a row of more than")
def _(path):
    os.mkfifo(path)
    return path, ["sh", "-c", f"(printf '{{'; exec cat /dev/zero) > '{path}' 2>/dev/null"]


@case("a pipe that a pattern meets", 1, r"\*\.fifo: what it matches \(1\) is neither file nor folder")
def _(path):
    os.mkfifo(path.with_suffix(".fifo"))
    return str(path.with_name("*.fifo"))


@case("a socket", 1, r"jsonl: this is a socket, not a file")
def _(path):
    socket.socket(socket.AF_UNIX).bind(str(path))


@case("a folder named like a file", 0, r"1 span: 1 new")
def _(path):
    path.mkdir()
    write_rows(path / "a.jsonl", [row(1)])


@case("a link to itself", 1, r"loop\.jsonl")
def _(path):
    loop = path.with_name("loop.jsonl")
    loop.symlink_to(loop)
    return str(loop)


# Parquet and Arrow


def ids(count):
    import pyarrow as pa
    return {"trace_id": pa.array(["t"] * count), "span_id": pa.array([f"s{at}" for at in range(count)])}


def parquet_of(path, columns, **options):
    import pyarrow as pa
    import pyarrow.parquet as pq
    pq.write_table(pa.table(columns), path, **options)


def dictionary_of(count, size):
    import pyarrow as pa
    return pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array(["x" * size]))


TOO_MUCH = r"parquet:\d+: its .* unpack to more than 1\.0 GiB: raise --max-ratio"


@case("Parquet with a value of 1 MB on 100,000 rows", 1, TOO_MUCH, needs_arrow=True)
def _(path):
    parquet_of(path, {**ids(100_000), "attributes.a": dictionary_of(100_000, MB)}, store_schema=False)


@case("Parquet with a dictionary of 1 MB on 100,000 rows", 1, TOO_MUCH, needs_arrow=True)
def _(path):
    parquet_of(path, {**ids(100_000), "attributes.a": dictionary_of(100_000, MB)})


@case("Parquet with lists of a value of 1 MB", 0, r"200 spans: 200 new", needs_arrow=True)
def _(path):
    import pyarrow as pa
    lists = pa.ListArray.from_arrays(pa.array(range(201), pa.int32()), dictionary_of(200, MB))
    parquet_of(path, {**ids(200), "attributes.a": lists}, store_schema=False)


@case("Parquet whose values begin as the one before", 1, TOO_MUCH, needs_arrow=True)
def _(path):
    import pyarrow as pa
    values = pa.array(["x" * 100_000 + str(at) for at in range(1000)])
    import pyarrow.parquet as pq
    with pq.ParquetWriter(path, pa.schema([("trace_id", pa.string()), ("span_id", pa.string()), ("a", pa.string())]),
                          use_dictionary=False, column_encoding={"a": "DELTA_BYTE_ARRAY"}) as writer:
        for part in range(15):
            spans = pa.array([f"s{part}-{at}" for at in range(1000)])
            writer.write_table(pa.table({"trace_id": pa.array(["t"] * 1000), "span_id": spans, "a": values}))


@case("Parquet with a value above the limit, passed over", 0, r"2 spans: 2 new",
      r"parquet:2: attributes\.a: a value of 70\.0 MiB, more than the 61\.0 MiB", options=["--skip-bad"], needs_arrow=True)
def _(path):
    parquet_of(path, {**ids(3), "attributes.a": pyarrow.array(["a", "x" * 70 * MB, "b"])})


@case("Parquet with a page of 400 MB", 1, r"row group 1, column attributes\.a: a page at byte \d+ of 400\.0 MiB, which is more than"
      r" the 244\.1 MiB that --memory allows", needs_arrow=True)
def _(path):
    parquet_of(path, {**ids(1), "attributes.a": pyarrow.array(["x" * 400 * MB])}, use_dictionary=False, write_statistics=False)


@case("Parquet with a footer that states two gigabytes", 1, r"not a readable Parquet file: it has a footer of 2\.0 GiB")
def _(path):
    with open(path, "wb") as file:
        file.write(b"PAR1")
        file.truncate(3 << 30)
        file.seek(0, 2)
        file.write(struct.pack("<I", (2 << 30) - 1) + b"PAR1")


@case("Parquet that states other sizes than it has", 1, r"parquet:1: not a readable Parquet file: ", needs_arrow=True)
def _(path):
    parquet_of(path, {**ids(1000), "attributes.a": pyarrow.array(["x" * 100] * 1000)}, compression="snappy")
    data = bytearray(path.read_bytes())
    # The first page's header: type, then the unpacked size as a zigzag number.
    start = 4
    assert data[start] == 0x15 and data[start + 2] == 0x15
    length = 1
    while data[start + 2 + length] & 0x80:
        length += 1
    data[start + 3:start + 3 + length] = b"\xfe\xff\xff\xff\x0f"[5 - length:] if length < 5 else b"\xfe\xff\xff\xff\x0f"
    path.write_bytes(data)


def understated(path, codec):
    """A page of 400 MB that states 100 bytes."""
    import pyarrow.parquet
    parquet_of(path, {**ids(1), "attributes.a": pyarrow.array(["x" * 400 * MB])}, use_dictionary=False, write_statistics=False, compression=codec)
    group = pyarrow.parquet.ParquetFile(path).metadata.row_group(0)
    column = next(group.column(i) for i in range(group.num_columns) if group.column(i).path_in_schema == "attributes.a")
    with open(path, "r+b") as file:
        file.seek(column.data_page_offset)
        head = file.read(9)
        # Its type, then the unpacked size as a zigzag number, here padded to as many bytes as before.
        assert head[0] == 0x15 and head[2] == 0x15 and head[7] < 0x80 <= head[6], head
        file.seek(column.data_page_offset + 3)
        file.write(bytes([0xc8, 0x81, 0x80, 0x80, 0x00]))


@case("Parquet with a Brotli page larger than stated", 1, r"page at byte \d+ unpacks to more than the stated 100 bytes", needs_arrow=True)
def _(path):
    understated(path, "brotli")


@case("Parquet with a gzip page larger than stated", 1, r"page at byte \d+ unpacks to more than the stated 100 bytes", needs_arrow=True)
def _(path):
    understated(path, "gzip")


@case("broken Parquet", 1, r"^error: [^\n]*parquet:1: not a readable Parquet file: [^\n]*\n\Z", needs_arrow=True)
def _(path):
    parquet_of(path, ids(1000))
    data = bytearray(path.read_bytes())
    pick = random.Random(3)
    for _ in range(40):
        data[pick.randrange(len(data) - 400, len(data) - 8)] ^= 1 << pick.randrange(8)
    path.write_bytes(data)


def arrow_of(path, columns, **options):
    import pyarrow as pa
    table = pa.table(columns)
    with pa.ipc.new_file(str(path), table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)


@case("Arrow with a value of 1 MB on 2,000 rows", 1, r"its .* unpack to more than \d.*: raise --max-ratio", needs_arrow=True)
def _(path):
    arrow_of(path, {**ids(2_000), "attributes.a": dictionary_of(2_000, MB)})


@case("Arrow with a run of a value of 1 MB", 1, r"its .* unpack to more than 1\.0 GiB: raise --max-ratio", needs_arrow=True)
def _(path):
    import pyarrow as pa
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2_000], pa.int32()), pa.array(["x" * MB]))
    arrow_of(path, {**ids(2_000), "attributes.a": runs})


@case("Arrow that unpacks to 900 MB", 1, r"an unpacked message of 9\d\d\.\d MiB, which is more than", needs_arrow=True)
def _(path):
    import pyarrow as pa
    size = 900 * MB
    zeros = pa.py_buffer(memoryview(bytearray(size)))
    values = pa.Array.from_buffers(pa.large_binary(), 1, [None, pa.py_buffer(struct.pack("<qq", 0, size)), zeros])
    arrow_of(path, {**ids(1), "attributes.a": values}, compression="zstd")


def made(make, path):
    """Makes a file in a process of its own, whose memory is not counted as that of the import."""
    if make.__code__.co_names and ("mkfifo" in make.__code__.co_names or "socket" in make.__code__.co_names):
        return make(path) or path
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, str(make(path) or path).encode())
            os._exit(0)
        except BaseException as error:
            print(f"{error!r}", file=sys.stderr)
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader) as file:
        said = file.read()
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise RuntimeError("the file cannot be made")
    return said


def ending(name):
    lower = name.lower()
    for word, ending in [("parquet", ".parquet"), ("arrow", ".arrow"), ("zstd", ".jsonl"), ("csv", ".csv"), ("quote", ".csv"),
                         ("header of", ".csv"), ("of a list", ".json"), ("a list whose", ".json")]:
        if word in lower:
            return ending
    return ".jsonl"


def run(name, make, code, expected, options, stdin, directory):
    """Runs a case; returns what is wrong, and what it took."""
    target = made(make, directory / f"file{ending(name)}")
    feeder = None
    if isinstance(target, tuple):
        target, feeder = target[0], subprocess.Popen(target[1], start_new_session=True)
    command = [args.bin.resolve(), "--memory", "256MB", "--store", directory / "store", "import", *options,
               "-" if stdin else target]
    began = time.monotonic()
    with open(directory / "stderr", "wb") as stderr, open(target if stdin else os.devnull) as source:
        child = subprocess.Popen(command, stdin=source, stdout=subprocess.DEVNULL, stderr=stderr)
    status = None
    while status is None:
        done, state, usage = os.wait4(child.pid, os.WNOHANG)
        if done:
            status = os.waitstatus_to_exitcode(state)
        elif time.monotonic() - began > SECONDS:
            child.kill()
            os.wait4(child.pid, 0)
            break
        else:
            time.sleep(0.02)
    child.returncode = status
    if feeder:
        try:
            os.killpg(feeder.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        feeder.wait()
    seconds = time.monotonic() - began
    if status is None:
        return f"no end after {SECONDS} s", ""
    peak = usage.ru_maxrss << 10
    took = f"{peak / 1e6:.0f} MB, {seconds:.1f} s"
    said = (directory / "stderr").read_text(errors="replace")
    if status != code:
        return f"exit code {status}, not {code}: {said[-600:].strip()}", took
    for pattern in expected:
        if not re.search(pattern, said):
            return f"no {pattern!r} in {said[-600:].strip()!r}", took
    if code != 0 and len(said) > 2_000:
        return f"{len(said)} characters of errors", took
    if "panicked" in said:
        return f"a panic: {said[-600:].strip()}", took
    if peak > PEAK:
        return "too much memory", took
    return None, took


def ends_of_time(directory):
    """Whether spans at both ends of time break no built-in query and no report; what is wrong."""
    first, last = "1678-01-01T00:00:00Z", "2261-12-31T23:59:59.999999999Z"
    common = {"attributes.session.id": "s", "span_kind": "LLM", "attributes.llm.cost.total": 1e308}
    write_rows(directory / "ends.jsonl", [
        {"trace_id": "a", "span_id": "1", "start_time": first, "end_time": first, **common},
        {"trace_id": "a", "span_id": "2", "parent_id": "1", "start_time": first, "end_time": last, **common},
        {"trace_id": "b", "span_id": "3", "start_time": last, "end_time": first, **common},
        {"trace_id": "c", "span_id": "4", "start_time": last, "end_time": last, **common},
        {"trace_id": "d", "span_id": "5"}])

    def spanql(*arguments):
        command = [args.bin.resolve(), "-q", "--store", directory / "store", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)

    commands = [["import", directory / "ends.jsonl"]]
    names = [line.split(",")[0] for line in spanql("run", "--list", "-o", "csv").stdout.splitlines()[1:]]
    # The store itself stands for a remote.
    remote = {"missing_at_remote": ["-p", "remote=spans"]}
    commands += [["run", name, *remote.get(name, [])] for name in names]
    commands += [["report", name, "-o", directory / f"{name}.html"] for name in ("overview", "quality")]
    commands += [["traces", "show", "a"], ["sessions", "show", "s"]]
    if len(commands) < 30:
        return "the built-in queries are not found"
    for command in commands:
        done = spanql(*command)
        if done.returncode != 0:
            return f"{' '.join(map(str, command))}: {done.stderr[-300:].strip()}"
    return None


def main():
    passed = failed = skipped = 0
    for name, make, code, expected, options, stdin, needs_arrow in CASES:
        if args.only not in name:
            continue
        if needs_arrow and pyarrow is None:
            skipped += 1
            continue
        directory = Path(tempfile.mkdtemp(prefix="hostile-"))
        try:
            wrong, took = run(name, make, code, expected, options, stdin, directory)
        except RuntimeError as error:
            wrong, took = str(error), ""
        finally:
            shutil.rmtree(directory)
        if wrong:
            failed += 1
            print(f"FAIL {name}: {wrong} ({took})", flush=True)
        else:
            passed += 1
            print(f"ok {name} ({took})", flush=True)
    name = "spans at both ends of time break no query and no report"
    if args.only in name:
        with tempfile.TemporaryDirectory(prefix="hostile-") as directory:
            wrong = ends_of_time(Path(directory))
        passed, failed = passed + (not wrong), failed + bool(wrong)
        print(f"FAIL {name}: {wrong}" if wrong else f"ok {name}", flush=True)
    if skipped:
        print(f"SKIPPED: {skipped} cases that need pyarrow")
    print(f"{passed} passed, {failed} failed")
    return failed > 0


sys.exit(main())
