"""Differences that are right, each with its reason.

A difference is known when all that an entry gives is found: the kind by its name, the others as patterns in the
statement as we get it, in our answer, and in the other one. Entries are as narrow as they can be.
"""
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    reason: str
    kinds: tuple = ()
    sql: str = ""
    ours: str = ""
    theirs: str = ""
    # A predicate over the two answers, where patterns do not do.
    holds: object = None


KNOWN = [
]


def reason(kind, sql, ours, theirs):
    """Why a difference is right; None when it is not known."""
    for entry in KNOWN:
        if (
            (not entry.kinds or kind in entry.kinds)
            and re.search(entry.sql, sql, re.I | re.S)
            and re.search(entry.ours, ours.shown(), re.S)
            and re.search(entry.theirs, theirs.shown(), re.S)
            and (entry.holds is None or entry.holds(ours, theirs))
        ):
            return entry.reason
    return None
