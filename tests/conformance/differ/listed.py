"""Statements that were written by hand: each stands for a rule that once changed, or could change, what one means."""

from pathlib import Path

from .expressions import FLOAT, INT, TEXT
from .tables import Small, Statement

TABLES = [
    Small(
        "t",
        {"a": INT, "b": INT, "k": TEXT, "x": FLOAT},
        [
            ["1", "2", "'a'", "1.5e0"],
            ["2", "NULL", "'b'", "-0.0e0"],
            ["NULL", "3", "NULL", "0.0e0"],
            ["1", "2", "'a'", "NULL"],
            ["3", "1", "'B'", "2.5e0"],
        ],
    ),
    Small("u", {"a": INT, "k": TEXT, "n": INT}, [["1", "'a'", "10"], ["NULL", "'b'", "20"], ["3", "NULL", "30"]]),
]


def listed():
    """The statements, each with whether it may be refused."""
    lines = Path(__file__).with_name("listed.sql").read_text(encoding="utf-8").splitlines()
    for line in lines:
        if line and not line.startswith("--"):
            text = line.removeprefix("? ")
            tables = [] if text.startswith("WITH") else TABLES
            # The order is that of the statement's own ORDER BY, which stands behind all that is in parentheses.
            ordered = " ORDER BY " in text[text.rfind(")") :]
            yield Statement(tables, text=text, ordered=ordered), line.startswith("? ")
