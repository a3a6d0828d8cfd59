#!/usr/bin/env python3
"""Calls every function of SQL with huge sizes under a small `--memory`: an answer or an error, no abort, no panic.

The functions are those that the binary lists itself. Each is called with many combinations of arguments, over constants
and over the spans of a demo, in a shell that reads from a pipe. A call fails when the process ends, when it says that it
is at fault, when no answer comes, or when the process takes more than `--most` bytes. Prints each call that fails;
`--seed N` repeats the combinations. The last line is "N passed, N failed". Needs Python 3.11 and Linux.
"""

import argparse
import csv
import io
import os
import random
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

# Calls that are known to be hard, ahead of those that are made up. Answers of gigabytes only take their time: a part shows the same.
LISTED = """
SELECT lpad('x', 2147483647, 'ab')
SELECT rpad('x', 2147483647, 'ab')
SELECT lpad(name, 1000000, input) FROM spans
SELECT rpad(name, 1000000, input) FROM spans
SELECT length(repeat('ab', 4611686018427387904))
SELECT length(repeat('x', 100000000))
SELECT length(repeat(name, 100000)) FROM spans
SELECT sum(length(repeat(input, 1000))) FROM spans
SELECT array_repeat(1, 100000000000)
SELECT array_repeat(input, 100000) FROM spans
SELECT array_repeat(array_repeat(1, 100000), 100000)
SELECT array_resize([1], 100000000000)
SELECT array_resize([input], 1000000, name) FROM spans
SELECT array_length(range(0, 100000000000))
SELECT generate_series(0, 9223372036854775807)
SELECT generate_series(timestamp '1970-01-01', timestamp '2200-01-01', interval '1 millisecond')
SELECT range(total_tokens, 100000000) FROM spans
SELECT count(*) FROM generate_series(1, 3000000)
SELECT sum(v) FROM range(0, 3000000) AS t(v)
SELECT length(string_agg(repeat(input, 100), ',')) FROM spans
SELECT string_agg(input, repeat('x', 1000000)) FROM spans
SELECT array_agg(repeat(input, 100)) FROM spans
SELECT kind, string_agg(repeat(input, 100), ',') FROM spans GROUP BY kind
SELECT array_agg(input) OVER (ORDER BY start_time) FROM spans
SELECT length(replace(repeat('a', 100000), 'a', repeat('b', 100000)))
SELECT replace(input, 'e', repeat('b', 1000000)) FROM spans LIMIT 200
SELECT replace(input, '', repeat('b', 1000000)) FROM spans LIMIT 200
SELECT regexp_replace(input, '', repeat('b', 1000000), 'g') FROM spans LIMIT 200
SELECT regexp_replace(input, '[a-z]', '$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0', 'g') FROM spans LIMIT 200
SELECT sum(length(concat(repeat('x', 1000000), name))) FROM (SELECT name FROM spans LIMIT 1000)
SELECT sum(length(repeat('x', 1000000) || name)) FROM (SELECT name FROM spans LIMIT 1000)
SELECT sum(length(concat_ws(repeat('x', 1000000), name, kind, model))) FROM (SELECT * FROM spans LIMIT 1000)
SELECT array_to_string(array_repeat('x', 100000), repeat('y', 100000))
SELECT sum(length(overlay(input placing repeat('x', 1000000) from 1))) FROM (SELECT input FROM spans LIMIT 1000)
SELECT translate(input, 'abcdefghijklmnop', repeat('x', 1000000)) FROM spans LIMIT 200
SELECT upper(repeat('ß', 10000000))
SELECT encode(repeat('x', 1000000), 'hex') FROM spans LIMIT 200
SELECT coalesce(model, repeat('x', 1000000)) FROM spans LIMIT 200
SELECT CASE WHEN kind = 'LLM' THEN repeat('x', 1000000) ELSE name END FROM spans LIMIT 200
SELECT nvl(model, repeat('x', 1000000)) FROM spans LIMIT 200
SELECT greatest(name, repeat('x', 1000000)) FROM spans LIMIT 200
SELECT repeat('x', 1000000), name FROM spans LIMIT 200
SELECT make_array(repeat('x', 1000000), name) FROM spans LIMIT 200
SELECT named_struct('a', repeat('x', 1000000), 'b', name) FROM spans LIMIT 200
SELECT map(['a'], [repeat('x', 1000000)]) FROM spans LIMIT 200
SELECT array_concat(array_repeat(1, 1000000), [total_tokens]) FROM spans LIMIT 200
SELECT array_append(array_repeat(1, 1000000), total_tokens) FROM spans LIMIT 200
SELECT array_union(range(0, 1000000), [total_tokens]) FROM spans LIMIT 2
SELECT string_to_array(repeat('a,', 1000000), ',') FROM spans LIMIT 200
SELECT unnest(range(0, 1000000)) FROM spans LIMIT 200
SELECT to_char(start_time, repeat('%Y', 100000)) FROM spans LIMIT 200
SELECT format FROM (SELECT date_format(start_time, repeat('%Y', 100000)) AS format FROM spans) LIMIT 200
SELECT lead(input, 9223372036854775807) OVER (ORDER BY start_time) FROM spans
SELECT lag(input, -9223372036854775808) OVER (ORDER BY start_time) FROM spans
SELECT ntile(9223372036854775807) OVER (ORDER BY start_time) FROM spans
SELECT nth_value(input, 9223372036854775807) OVER (ORDER BY start_time) FROM spans
SELECT sum(total_tokens) OVER (ORDER BY start_time ROWS BETWEEN 9223372036854775807 PRECEDING AND 9223372036854775807 FOLLOWING) FROM spans
SELECT approx_percentile_cont(total_tokens, 0.5, 9223372036854775807) FROM spans
SELECT approx_percentile_cont(0.5, 1000000000000) WITHIN GROUP (ORDER BY total_tokens) FROM spans
SELECT factorial(9223372036854775807)
SELECT power(9223372036854775807, 9223372036854775807)
SELECT round(1.5, 2147483647), round(1.5, -2147483648), trunc(1.5, 2147483647)
SELECT levenshtein(repeat('x', 100000), repeat('y', 100000))
SELECT date_bin(interval '1 nanosecond', timestamp '2262-01-01', timestamp '1677-09-22')
SELECT timestamp '2262-01-01' + interval '9223372036854775807 months'
SELECT chr(9223372036854775807), chr(-1), ascii('')
SELECT substr('abc', -9223372036854775808, 9223372036854775807)
SELECT left('abc', -9223372036854775808), right('abc', -9223372036854775808)
SELECT split_part('a,b', ',', -9223372036854775808)
SELECT array_slice([1, 2, 3], -9223372036854775808, 9223372036854775807, 9223372036854775807)
SELECT array_element([1, 2, 3], -9223372036854775808)
SELECT array_position([1, 2, 3], 3, -9223372036854775808)
SELECT array_position([1, 2, 3], 3, x) FROM (VALUES (1), (-9223372036854775808)) AS t(x)
SELECT count(*) FROM spans a CROSS JOIN spans b CROSS JOIN (SELECT 1 LIMIT 9223372036854775807)
SELECT * FROM spans LIMIT 9223372036854775807 OFFSET 9223372036854775807
SELECT abs(-9223372036854775808), -(-9223372036854775808)
SELECT gcd(-9223372036854775808, -9223372036854775808), lcm(9223372036854775807, 9223372036854775806)
SELECT -9223372036854775808 % -1, -9223372036854775808 / -1
SELECT 1 << 9223372036854775807, 1 >> -1
""".strip().splitlines()

CONSTANTS = [
    "9223372036854775807",
    "-9223372036854775808",
    "2147483647",
    "100000000000",
    "3",
    "-1",
    "0.5",
    "'ab'",
    "'g'",
    "repeat('x', 20000)",
    "range(0, 20000)",
    "[1, 2, 3]",
    "['a', 'b']",
    "NULL",
    "timestamp '2262-01-01'",
    "interval '1 day'",
    "map(['a'], [1])",
    "true",
]
COLUMNS = ["input", "name", "total_tokens", "latency_ms", "start_time"]


def statements(functions, rng):
    """Statements of every kind of function, without end."""
    while True:
        name, kind = rng.choice(functions)
        arity = rng.choice([1, 1, 2, 2, 2, 3, 3, 4])
        over = rng.random() < 0.5 or kind != "SCALAR"
        given = [rng.choice(CONSTANTS + (COLUMNS * 2 if over else [])) for _ in range(arity)]
        call = f'"{name}"({", ".join(given)})'
        if kind == "WINDOW":
            call += " OVER (PARTITION BY kind ORDER BY start_time)"
        elif kind == "AGGREGATE" and rng.random() < 0.3:
            call += " OVER (ORDER BY start_time ROWS 3 PRECEDING)"
        if kind == "TABLE":
            yield f"SELECT count(*) FROM (SELECT * FROM {call} LIMIT 1000000)"
        elif rng.random() < 0.5 and not (kind == "AGGREGATE" and "OVER" not in call):
            yield f"SELECT count(r) FROM (SELECT {call} AS r{' FROM spans' if over else ''})"
        else:
            yield f"SELECT {call} AS r{' FROM spans LIMIT 200' if over else ''}"


class Shell:
    """A shell that reads from a pipe; results go nowhere."""

    def __init__(self, binary, store, memory, timeout):
        self.command = [str(binary), "-q", "--errors", "json", "--memory", memory, "--store", str(store)]
        self.timeout, self.process, self.number = timeout, None, 0

    def start(self):
        self.process = subprocess.Popen(
            [*self.command, "--continue-on-error"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "RUST_BACKTRACE": "0"},
        )
        os.set_blocking(self.process.stderr.fileno(), False)

    def ask(self, sql):
        """What is said, and what is wrong, if anything."""
        if self.process is None:
            self.start()
        self.number += 1
        mark = f"end{self.number}"
        try:
            self.process.stdin.write(f"{sql}\n;\n\\{mark}\n".encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        until, text = time.monotonic() + self.timeout, ""
        while time.monotonic() < until:
            if not select.select([self.process.stderr], [], [], 1)[0]:
                continue
            part = self.process.stderr.read()
            if part == b"":
                code = self.process.wait()
                self.process = None
                return text, f"the process ended with {code}"
            text += (part or b"").decode(errors="replace")
            if mark in text and text.endswith("\n"):
                wrong = "internal error" in text or "panicked" in text
                return text, "it says that it is at fault" if wrong else None
        self.end()
        return text, f"no answer within {self.timeout} s"

    def peak(self):
        """The most memory that the process had, in bytes."""
        if self.process is None:
            return 0
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        return 0

    def end(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, type=Path, help="the spanql binary")
    parser.add_argument("--seconds", type=float, default=60, help="how long to go on with calls that are made up")
    parser.add_argument("--seed", type=int, default=1, help="of the calls that are made up")
    parser.add_argument("--only", help="a part of the listed statements to run")
    parser.add_argument("--memory", default="64MB", help="the limit given to the binary")
    parser.add_argument("--most", type=float, default=800, help="megabytes that the process may take")
    args = parser.parse_args()
    binary = args.bin.resolve()
    outcomes, failed = Counter(), 0
    with tempfile.TemporaryDirectory(prefix="spanql-functions-") as place:
        store = Path(place) / "store"
        subprocess.run([binary, "-q", "demo", "--spans", "20000", "--keep", store], check=True, capture_output=True)
        listing = "SELECT DISTINCT routine_name, function_type FROM information_schema.routines"
        names = subprocess.run(
            [binary, "-q", "--store", store, "query", listing, "-o", "csv"], check=True, capture_output=True, text=True
        ).stdout
        functions = sorted((row["routine_name"], row["function_type"]) for row in csv.DictReader(io.StringIO(names)))
        shell = Shell(binary, store, args.memory, 60)

        def run(sql):
            nonlocal failed
            text, wrong = shell.ask(sql)
            peak = shell.peak() / 1e6
            if wrong is None and peak > args.most:
                wrong = f"it took {peak:.0f} MB"
            outcomes["an error" if '"code"' in text.replace(f"end{shell.number}", "", 1) else "an answer"] += 1
            if wrong:
                failed += 1
                print(f"FAIL {sql}\n     {wrong}: {text.strip()[:300]}", flush=True)
            if peak > args.most / 2:
                # The next one is to answer for itself.
                shell.end()

        for sql in LISTED:
            if not args.only or args.only in sql:
                run(sql)
        until = time.monotonic() + args.seconds
        for sql in statements(functions, random.Random(args.seed)):
            if args.only or time.monotonic() > until:
                break
            run(sql)
        shell.end()
    print(f"{outcomes.total() - failed} passed, {failed} failed")
    return 1 if failed or not outcomes else 0


sys.exit(main())
