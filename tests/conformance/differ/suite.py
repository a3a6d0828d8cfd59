"""The statements of DataFusion's own tests that need no tables, with the answers that those tests expect."""
import os
import re
import subprocess
from pathlib import Path

from .engines import TIME, plain

CRATE = "datafusion-sqllogictest"
# Answers that another run may not give.
UNSTEADY = re.compile(r"\b(now|random|uuid|version|current_\w+|today|input_file_name)\s*\(|current_(date|time|timestamp)|getdate", re.I)
# Settings under which a statement means something else.
SETTING = re.compile(r"^\s*(re)?set\s+(datafusion\.(sql_parser|execution\.time_zone|format|execution\.parquet)|time zone|timezone)", re.I)


def fetch(version):
    """Where the tests are; None when they cannot be fetched. Cargo unpacks a crate to say what it is."""
    home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    found = lambda: next(iter(sorted(home.glob(f"registry/src/*/{CRATE}-{version}/test_files"))), None)
    if found() is None:
        try:
            subprocess.run(["cargo", "info", "--quiet", f"{CRATE}@{version}"], cwd="/", capture_output=True, timeout=120)
        except (OSError, subprocess.TimeoutExpired):
            return None
    return found()


class Record:
    """A query of a test file, and the rows that it must give, as text."""

    def __init__(self, file, line, sql, types, sort, rows):
        self.file, self.line, self.sql, self.types, self.sort, self.rows = file, line, sql, types, sort, rows


def records(folder):
    """The queries of all files that may need no tables, in order."""
    for path in sorted(folder.rglob("*.slt")):
        yield from of_file(path, str(path.relative_to(folder)))


def of_file(path, name):
    lines = path.read_text(encoding="utf-8").splitlines()
    at, changed = 0, False
    while at < len(lines):
        start, head = at, lines[at].split()
        at += 1
        if not head or head[0] not in ("query", "statement"):
            # What is skipped for some engines is skipped here.
            if head and head[0] in ("skipif", "onlyif") and at < len(lines):
                at += 1
            continue
        sql = []
        while at < len(lines) and lines[at].strip() and lines[at].strip() != "----":
            sql.append(lines[at])
            at += 1
        rows = []
        if at < len(lines) and lines[at].strip() == "----":
            at += 1
            while at < len(lines) and lines[at].strip():
                rows.append(lines[at])
                at += 1
        text = "\n".join(sql).strip().rstrip(";")
        if head[0] == "statement":
            changed = changed or bool(SETTING.match(text))
            continue
        asks = re.match(r"\s*(--[^\n]*\n\s*)*(select|with|values|\()", text, re.I)
        if not changed and len(head) > 1 and head[1] != "error" and asks and ";" not in text and not UNSTEADY.search(text):
            yield Record(name, start + 1, text, head[1], head[2] if len(head) > 2 else "nosort", rows)


def cell(value):
    """A value as those tests write it."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple) and len(value) == 2 and value[0] == "time":
        return f"@{value[1]}"
    if isinstance(value, tuple) and value and all(isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str) for item in value):
        return "{" + ", ".join(f"{key}: {cell(item)}" for key, item in value) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(cell, value)) + "]"
    return str(value) if value != "" else "(empty)"


NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


def pieces(line):
    """A row as words and numbers: times as microseconds, what JSON cannot say as null."""
    line = re.sub(r"\b(NaN|-?Infinity|-?inf)\b", "NULL", line)
    line = re.sub(r"-NULL", "NULL", line)
    line = TIME.sub(lambda m: f"@{plain(m[0].replace(' ', 'T'))[1]}" if isinstance(plain(m[0]), tuple) else m[0], line)
    line = line.replace("(empty)", "").replace(" ", "")
    return NUMBER.split(line), [float(number) for number in NUMBER.findall(line)]


def same_text(ours, expected):
    (words, numbers), (their_words, their_numbers) = ours, expected
    return words == their_words and len(numbers) == len(their_numbers) and all(
        abs(a - b) <= 1e-9 * max(1.0, abs(a), abs(b)) for a, b in zip(numbers, their_numbers))


def as_expected(record, rows):
    """Whether rows are those of the file; in its order where the statement asks for one."""
    ours = [pieces(" ".join(map(cell, row))) for row in rows]
    theirs = [pieces(line) for line in record.rows]
    if record.sort == "valuesort":
        return True
    if record.sort != "nosort" or not re.search(r"order\s+by", record.sql, re.I):
        ours, theirs = sorted(ours, key=str), sorted(theirs, key=str)
    return len(ours) == len(theirs) and all(map(same_text, ours, theirs))
