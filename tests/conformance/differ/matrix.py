"""The join matrix."""

import itertools
import random

from .engines import both
from .expressions import INT, TEXT
from .statements import labelled
from .tables import Small, Statement


def cells():
    """The join matrix: kind of join, what WHERE and ON ask of which side, tests for null, same or other names, literals or columns."""
    kinds = ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "LEFT SEMI JOIN", "LEFT ANTI JOIN"]
    asked = [
        "{l} IS NULL",
        "{r} IS NULL",
        "{l} IS NOT NULL",
        "{r} IS NOT NULL",
        "{l} > {v}",
        "{r} > {v}",
        "{l} = {r}",
        "{l} IS NULL AND {r} > {v}",
        "{r} IS NULL AND {l} > {v}",
        "{l} IS NULL OR {r} > {v}",
        "NOT ({l} > {v})",
        "NOT ({r} > {v})",
        "coalesce({l}, 9) > {v}",
        "coalesce({r}, 9) > {v}",
        "({l} > {v}) IS NOT TRUE",
        "{r} IS DISTINCT FROM {v}",
    ]
    ons = [None, "{l} > {v}", "{r} > {v}", "{l} IS NULL", "{r} IS NULL", "{l} = {r}", "{l} > {v} OR {r} > {v}", "FALSE"]
    return list(
        itertools.product(
            kinds, asked, ons, ["same", "other"], ["literal", "column"], ["all", "values", "some", "count"]
        )
    )


def joined(rng, cell):
    word, asked, on, names, comparand, shown = cell
    semi = "SEMI" in word or "ANTI" in word
    key, number = ("k", "n") if names == "same" else ("j", "m")
    keys, numbers = ["'a'", "'b'", "'b'", "'c'", "NULL"], ["NULL", "1", "2", "3"]
    rows = lambda: [[rng.choice(keys), rng.choice(numbers)] for _ in range(rng.randint(2, 5))]
    tables = [Small("t1", {"k": TEXT, "n": INT}, rows()), Small("t2", {key: TEXT, number: INT}, rows())]
    filled = lambda text: text.format(
        l="l.n",
        r=f"r.{number}",
        v=rng.choice(["1", "2"]) if comparand == "literal" else rng.choice(["l.n", f"r.{number}"]),
    )
    condition = f"l.k = r.{key}" + (f" AND ({filled(on)})" if on else "")
    where = filled(asked)
    if semi:
        where = where.replace(f"r.{number}", "l.n")
    columns = ["l.k", "l.n"] + ([] if semi else [f"r.{key}", f"r.{number}"])
    # What a join gives on decides how a filter above it is pushed down.
    chosen = {"all": columns, "values": columns[:0:-2], "some": rng.sample(columns, rng.randint(1, len(columns)))}
    select = labelled(chosen[shown]) if shown in chosen else ["count(*) AS n", f"count({rng.choice(columns)}) AS m"]
    word = both(word, word.replace("LEFT ", "")) if semi else word
    return Statement(tables, {"select": select, "from": f"t1 AS l {word} t2 AS r ON {condition}", "where": where})


def shuffled_cells(seed):
    """All cells; those that ask of both sides of an outer join tend to come first."""
    rng = random.Random(f"{seed}/cells")
    weight = lambda cell: (4 if cell[0] in ("RIGHT JOIN", "FULL JOIN") else 1) * (
        3 if "{l}" in cell[1] and "{r}" in cell[1] else 1
    )
    return sorted(cells(), key=lambda cell: rng.random() ** (1 / weight(cell)), reverse=True)
