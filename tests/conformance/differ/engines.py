"""The engines that are compared: ours behind a pipe, and DuckDB in this process, over the same rows."""

import json
import os
import re
import select
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from datetime import time as clock
from decimal import Decimal
from pathlib import Path

import duckdb

# Where a statement differs between the engines, it holds both texts: OURS ours | theirs END.
BEGIN, BAR, END = "\x01", "\x02", "\x03"
PAIR = re.compile(f"{BEGIN}([^{BAR}]*){BAR}([^{END}]*){END}")


def both(ours, theirs):
    return f"{BEGIN}{ours}{BAR}{theirs}{END}"


def our_text(sql):
    return PAIR.sub(r"\1", sql)


def their_text(sql):
    return PAIR.sub(r"\2", sql)


@dataclass
class Answer:
    """Rows as tuples of plain values, or the text of an error."""

    rows: list = field(default_factory=list)
    error: str | None = None
    code: str | None = None
    # The engine is gone: it ended or did not answer in time.
    broken: bool = False

    def shown(self, most=8):
        if self.error is not None:
            return f"error: {self.error}"
        rows = ", ".join(map(repr, self.rows[:most]))
        return f"{len(self.rows)} rows: {rows}{' …' if len(self.rows) > most else ''}"


TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d(?::?\d\d)?)?")
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Struct(tuple):
    """Names and values."""


class Pairs(list):
    """An object of JSON; a name may stand in it twice."""


def plain(value):
    """A value as both engines can give it: times as microseconds, what JSON cannot say as null."""
    if isinstance(value, str):
        if 19 <= len(value) <= 36 and (m := TIME.fullmatch(value)):
            try:
                whole = datetime(*map(int, m.groups()[:6]), tzinfo=timezone.utc)
            except ValueError:
                return value
            zone = m[8] if m[8] and m[8] != "Z" else "+00"
            ahead = (int(zone[1:3]) * 60 + int(zone[3:].strip(":") or 0)) * (
                -60_000_000 if zone[0] == "-" else 60_000_000
            )
            return (
                "time",
                (whole - EPOCH) // timedelta(microseconds=1) + int((m[7] or "").ljust(9, "0")) // 1000 - ahead,
            )
        return value
    if isinstance(value, float):
        return value if abs(value) != float("inf") and value == value else None
    if isinstance(value, datetime):
        value = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
        return ("time", (value - EPOCH) // timedelta(microseconds=1))
    if isinstance(value, (date, clock)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        value = Pairs(value.items())
    if isinstance(value, Pairs):
        return Struct((str(key), plain(item)) for key, item in value)
    if isinstance(value, (list, tuple)):
        return tuple(plain(item) for item in value)
    return value


class Spanql:
    """A shell that reads statements from a pipe.

    Each result goes to a file of its own, and a command that does not exist ends each statement: its error follows
    that of the statement.
    """

    def __init__(self, binary, store, cpus=None, env=None, timeout=60):
        self.command = [str(binary), "-q", "--errors", "json", "--store", str(store), "--continue-on-error"]
        self.cpus, self.env, self.timeout = cpus, {**os.environ, **(env or {})}, timeout
        self.place = tempfile.TemporaryDirectory(prefix="spanql-differential-")
        self.env.update(XDG_CONFIG_HOME=self.place.name, RUST_BACKTRACE="0")
        self.number, self.process = 0, None

    def start(self):
        pin = (lambda: os.sched_setaffinity(0, self.cpus)) if self.cpus else None
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=self.env,
            cwd=self.place.name,
            preexec_fn=pin,
        )
        os.set_blocking(self.process.stderr.fileno(), False)

    def ask(self, sql):
        if self.process is None or self.process.poll() is not None:
            self.start()
        self.number += 1
        path = Path(self.place.name) / f"{self.number}.json"
        text = our_text(sql).strip().rstrip(";")
        mark = f"end{self.number}"
        try:
            self.process.stdin.write(f"\\o {path}\n{text}\n;\n\\{mark}\n".encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        said = self.read(f"\\\\{mark}")
        answer = self.result(path, said)
        path.unlink(missing_ok=True)
        return answer

    def read(self, mark):
        """What is said until the mark; None when it does not come."""
        until, text, out = time.monotonic() + self.timeout, "", self.process.stderr
        while time.monotonic() < until:
            ready, _, _ = select.select([out], [], [], 1)
            if not ready:
                continue
            part = out.read()
            if part is None:
                continue
            if not part:
                self.stop()
                return text, f"the process ended with {self.process.returncode}"
            text += part.decode(errors="replace")
            if f"command {mark}" in text and text.endswith("\n"):
                return text, None
        self.stop()
        return text, f"no answer within {self.timeout} s"

    def result(self, path, said):
        text, broken = said
        if broken:
            return Answer(error=f"{broken}: {text[-400:]}", broken=True)
        for line in text.splitlines()[:-1]:
            try:
                error = json.loads(line)
                return Answer(error=error["message"], code=error["code"])
            except (json.JSONDecodeError, KeyError, TypeError):
                if "panicked" in line:
                    return Answer(error=text[text.find("panicked") :][:400], broken=True)
        try:
            pairs = json.loads(path.read_text(), object_pairs_hook=Pairs)
        except (OSError, json.JSONDecodeError) as error:
            return Answer(error=f"no result: {error}", broken=True)
        return Answer(rows=[tuple(plain(value) for _, value in row) for row in pairs])

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.stop()
        self.place.cleanup()


class Duck:
    """DuckDB, with the order of nulls that PostgreSQL and DataFusion have."""

    def __init__(self, timeout=30):
        self.timeout = timeout
        self.connection = duckdb.connect()
        for setting in ("default_null_order = 'nulls_last_on_asc_first_on_desc'", "TimeZone = 'UTC'", "threads = 1"):
            self.connection.execute(f"SET {setting}")

    def ask(self, sql):
        timer = threading.Timer(self.timeout, self.connection.interrupt)
        timer.start()
        try:
            rows = self.connection.execute(their_text(sql).strip().rstrip(";")).fetchall()
            return Answer(rows=[tuple(map(plain, row)) for row in rows])
        except Exception as error:  # noqa: BLE001
            return Answer(error=str(error).strip().splitlines()[0] if str(error).strip() else repr(error))
        finally:
            timer.cancel()


def order_key(value):
    """Sorts values of all types; floats so that nearly equal ones fall together."""
    if value is None:
        return (0, "")
    if isinstance(value, bool):
        return (1, str(value))
    if isinstance(value, (int, float)):
        return (2, float(f"{float(value):.8g}") + 0.0) if abs(value) < 1e300 else (2, float("inf"))
    if isinstance(value, tuple):
        if len(value) == 2 and value[0] == "time":
            return (4, ((3, "time"), (2, value[1])))
        return (4, tuple(order_key(item) for item in value))
    return (3, str(value))


def same_value(ours, theirs):
    if isinstance(ours, bool) or isinstance(theirs, bool):
        return ours is theirs
    if isinstance(ours, (int, float)) and isinstance(theirs, (int, float)):
        if isinstance(ours, int) and isinstance(theirs, int):
            return ours == theirs
        return abs(ours - theirs) <= 1e-9 * max(1.0, abs(ours), abs(theirs))
    if isinstance(ours, tuple) and isinstance(theirs, tuple):
        return len(ours) == len(theirs) and all(map(same_value, ours, theirs))
    return type(ours) is type(theirs) and ours == theirs


def same_rows(ours, theirs, ordered):
    if len(ours) != len(theirs):
        return False
    if not ordered:
        ours, theirs = (sorted(rows, key=lambda row: tuple(map(order_key, row))) for rows in (ours, theirs))
    return all(map(same_value, ours, theirs))


def same(ours, theirs, ordered):
    """Whether two answers agree; that both are errors is agreement."""
    if ours.broken or theirs.broken:
        return False
    if ours.error is not None or theirs.error is not None:
        return ours.error is not None and theirs.error is not None
    return same_rows(ours.rows, theirs.rows, ordered)
