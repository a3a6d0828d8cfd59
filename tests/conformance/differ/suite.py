"""The statements of DataFusion's own tests that need no tables, with the answers that those tests expect."""

import os
import re
import subprocess
from collections import Counter
from pathlib import Path

from .engines import TIME, Struct, order_key, plain, same_rows

CRATE = "datafusion-sqllogictest"
# Answers that another run may not give.
UNSTEADY = re.compile(
    r"\b(now|random|uuid|version|current_\w+|today|input_file_name)\s*\(|information_schema|current_(date|time|timestamp)|getdate",
    re.I,
)
# Settings under which a statement means something else.
SETTING = re.compile(
    r"^\s*(re)?set\s+(datafusion\.(sql_parser|execution\.time_zone|format|execution\.parquet)|time zone|timezone)", re.I
)


def fetch(version):
    """Where the tests are; None when they cannot be fetched. Cargo unpacks a crate to say what it is."""
    home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    found = lambda: next(iter(sorted(home.glob(f"registry/src/*/{CRATE}-{version}/test_files"))), None)
    if found() is None:
        try:
            subprocess.run(
                ["cargo", "info", "--quiet", f"{CRATE}@{version}"], cwd="/", capture_output=True, timeout=120
            )
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
        if path.relative_to(folder).parts[0] == "spark":
            # Functions of another dialect, which are not built in.
            continue
        yield from of_file(path, str(path.relative_to(folder)))


def of_file(path, name):
    lines = path.read_text(encoding="utf-8").splitlines()
    made = re.findall(
        r"^\s*create\s+(?:or\s+replace\s+)?(?:unbounded\s+)?(?:external\s+)?(?:temp\w*\s+)?(?:table|view)\s+(?:if\s+not\s+exists\s+)?([\w.\"]+)",
        "\n".join(lines),
        re.I | re.M,
    )
    reads = (
        re.compile(rf"(?:\b(?:from|join)\s+|,\s*)(?:{'|'.join(map(re.escape, set(made)))})(?![\w(])", re.I)
        if made
        else None
    )
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
        if (
            not changed
            and len(head) > 1
            and head[1] != "error"
            and asks
            and ";" not in text
            and not UNSTEADY.search(text)
            and not (reads and reads.search(text))
        ):
            yield Record(name, start + 1, text, head[1], head[2] if len(head) > 2 else "nosort", rows)


def cell(value):
    """A value as those tests write it."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple) and len(value) == 2 and value[0] == "time":
        return f"@{value[1]}"
    if isinstance(value, Struct):
        return "{" + ", ".join(f"{key}: {cell(item)}" for key, item in value) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(cell, value)) + "]"
    return str(value) if value != "" else "(empty)"


NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w])")
# What these tests write in words, and we as ISO 8601 durations.
DURATION = re.compile(r"-?P(?=[\dT])[-\d.YMWDTHS]+")


def pieces(line):
    """A row as words and numbers: times as microseconds, what JSON cannot say as null."""
    line = re.sub(r"(?<!\w)(NaN|-?Infinity|-?inf)\b", "NULL", line)
    line = TIME.sub(
        lambda m: f"@{plain(m[0])[1]}" if isinstance(plain(m[0]), tuple) else m[0], line.replace("Utf8View", "Utf8")
    )
    # Keys of maps are texts in JSON.
    line = re.sub(r"([,:]) ", r"\1", line.replace('"', ""))
    line = " ".join(line.replace("(empty)", "").split())
    return NUMBER.split(line), [float(number) for number in NUMBER.findall(line)]


def same_text(ours, expected):
    (words, numbers), (their_words, their_numbers) = ours, expected
    return (
        words == their_words
        and len(numbers) == len(their_numbers)
        and all(a == b or abs(a - b) <= 1e-7 * max(1.0, abs(a), abs(b)) for a, b in zip(numbers, their_numbers))
    )


def as_expected(record, rows):
    """Whether rows are those of the file; in its order where the statement asks for one."""
    if any(isinstance(value, str) and DURATION.fullmatch(value) for row in rows for value in row):
        return len(rows) == len(record.rows)
    ours = [pieces(" ".join(map(cell, row))) for row in rows]
    theirs = [pieces(line) for line in record.rows]
    if record.sort == "valuesort":
        return True
    if record.sort != "nosort" or not re.search(r"order\s+by", record.sql, re.I):
        key = lambda row: (row[0], [round(number, 6) for number in row[1]])
        ours, theirs = sorted(ours, key=key), sorted(theirs, key=key)
    return len(ours) == len(theirs) and all(map(same_text, ours, theirs))


TOP = re.compile(r"\bORDER\s+BY\s+([^()']+?)\s+LIMIT\s+\d+(?:\s+OFFSET\s+\d+)?\s*$", re.I)
POSITION = re.compile(r"(\d+)(?:\s+(?:ASC|DESC))?(?:\s+NULLS\s+(?:FIRST|LAST))?", re.I)


def among_ties(sql, ours, theirs, duck):
    """Whether two answers of ORDER BY … LIMIT differ in nothing but which of the rows that tie they took.

    That is left open by SQL: what is sorted by agrees row by row, and our rows are rows of the whole answer, none of them
    more often than there.
    """
    top = TOP.search(sql)
    keys = [POSITION.fullmatch(key.strip()) for key in top[1].split(",")] if top else []
    if not keys or not all(keys) or len(ours) != len(theirs):
        return False
    at = [int(key[1]) - 1 for key in keys]
    sorted_by = lambda rows: [tuple(row[i] for i in at) for row in rows]
    whole = duck.ask(sql[: top.start()])
    if whole.error is not None or not same_rows(sorted_by(ours), sorted_by(theirs), True):
        return False
    as_sorted = lambda rows: Counter(tuple(map(order_key, row)) for row in rows)
    return not as_sorted(ours) - as_sorted(whole.rows)
