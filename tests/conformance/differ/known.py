"""Differences that are right, each with its reason.

A difference is known when all that an entry gives is found: the kind by its name, the others as patterns in the
statement as we get it, in our answer, and in the other one. Entries are as narrow as they can be.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    reason: str
    sql: str = ""
    ours: str = ""
    theirs: str = ""
    # Kinds of statements, or all of them; DataFusion's own are "suite", and there the name of the file comes first.
    kinds: tuple = ("suite",)
    # Only where we answer as DataFusion's tests expect.
    expected: bool = True


# Subqueries that look outside are joins to DataFusion, and some cannot be one.
ALL = dict(kinds=(), expected=False)
KNOWN = [
    Known(
        "refused: a subquery's conditions would move above what counts its rows",
        ours=r"(an aggregate without GROUP BY|OFFSET|a window function) in a subquery whose conditions look outside it",
        **ALL,
    ),
    Known(
        "refused: a subquery in ON is computed for one side ahead of the join",
        sql=r"\bON\b.*\(SELECT",
        ours="a subquery in ON that looks at both sides of the join",
        **ALL,
    ),
    # An error is no wrong answer: what DataFusion cannot plan is counted and shown at the end, not failed.
    Known(
        "refused: DataFusion cannot plan it, and says so",
        ours=r"^error: (the statement cannot be planned|\S+ does not take these arguments|this is not supported|unknown column (column\d|[a-z]\b))",
        kinds=("joins", "subqueries", "grouping", "windows", "sets", "names", "extremes", "tops", "unions", "nested", "derived"),
        expected=False,
    ),
    Known(
        "max and min of a group pass by NaN in DataFusion",
        sql=r"\b(max|min)\(.*NaN|NaN.*\b(max|min)\(",
        kinds=("floats",),
        expected=False,
    ),
    # What DuckDB takes, and means something else by.
    Known(
        "DuckDB's client gives an interval as days and seconds; we write months, days and times as they are",
        sql=r"interval|::timestamp",
        theirs=r"datetime\.timedelta",
    ),
    Known(
        "a date with an interval is a date in DataFusion, a timestamp in DuckDB and PostgreSQL",
        sql=r"^(datetime/interval|datetime/arith_date_interval|type_coercion|array/array_range|array/arrays_zip)\.slt:.*interval",
        theirs=r"'time'",
    ),
    Known(
        "DuckDB computes percentiles of DECIMAL literals in that type; in DataFusion they are interpolated floats",
        sql=r"^aggregate\.slt:.*percentile_cont",
    ),
    Known(
        "a null separator is none in DataFusion, and makes all null in DuckDB",
        sql=r"^aggregate\.slt:.*string_agg\('a', null\)",
    ),
    Known(
        "ALL and ANY over a null list are null, as in PostgreSQL; DuckDB takes it for an empty one",
        sql=r"\b(all|any)\(NULL::INT\[\]\)",
    ),
    Known(
        "functions of lists: DuckDB takes a null list for an empty one",
        sql=r"^array/[^:]*:\d+: select (array_concat|array_intersect)\(",
        theirs=r"\(\(\),\)",
    ),
    Known("DuckDB's list functions keep no order", sql=r"^array/array_distinct\.slt:"),
    Known("whether an empty list holds null is null in DataFusion", sql=r"array_has\(\[\], null\)"),
    Known(
        "floats in texts: DuckDB's literals are DECIMAL and keep their zeros",
        sql=r"array_to_string\(.*\[1\.0, 2\.0, 3\.0\]",
    ),
    Known("DuckDB's list_zip makes unnamed structs", sql=r"select list_zip\(\[1, 2\], \[3, 4\]\)"),
    Known("cardinality counts the elements of inner lists, as in PostgreSQL", sql=r"cardinality\(\[\["),
    Known(
        "an empty text split is an empty list, as in PostgreSQL; a null delimiter splits into characters, an empty one does not",
        sql=r"string_to_array\('(', ',|abc', (''|NULL))",
    ),
    Known(
        "split_part with an empty delimiter gives the whole text, as in PostgreSQL",
        sql=r"split_part\([^,]+(,b')?, '', ",
    ),
    Known("binary values joined with texts are texts in DuckDB", sql=r"^binary\.slt:.*x'c3a9' \|\| 'hello'"),
    Known("to_hex is lower case, as in PostgreSQL", sql=r"^expr\.slt:.*to_hex\("),
    Known(
        "substr from before the begin is counted from there, as in PostgreSQL; DuckDB counts from the end",
        sql=r"substr\('(alphabet|hi🌏)', .*-?\d",
    ),
    Known("overlay with a negative length is of PostgreSQL", sql=r"overlay\('abc' placing 'XY' from 2 for -1\)"),
    Known(
        "maps with keys that are no texts: DuckDB's client gives keys and values apart",
        sql=r"^map\.slt:.*MAP",
        theirs=r"'key', ",
    ),
    Known("map_extract gives a list with null for a key that is not there", sql=r"^map\.slt:.*map_extract\("),
    Known(
        "the inverses differ in sign, and JSON has no infinity",
        sql=r"^negative_zero\.slt:.*SELECT DISTINCT a, 1\.0 / a AS inv",
    ),
    Known("a text literal beside a number is a number", sql=r"select nullif\('1', 2\)"),
    Known("JSON writes a 32-bit float with the digits that it needs", sql=r"1\.023::(FLOAT|REAL)"),
    Known("DuckDB has \\1 in a replacement only with one backslash", sql=r"^regexp/regexp_replace\.slt:"),
    Known(
        "a NaN that is typed with a minus is DataFusion's least float; no data hold one",
        sql=r"^select\.slt:.*isnan\('-NaN'::double\)",
    ),
    Known("DataFusion reverses characters, DuckDB graphemes", sql=r"reverse\('lo"),
    Known(
        "the backslash escapes in LIKE, as in PostgreSQL; in DuckDB nothing does unless said",
        sql=r"^string/string_literal\.slt:.*LIKE.*\\|^string/string_literal\.slt:.*WITH data\(a\)",
    ),
    Known("DuckDB's row() makes unnamed structs", sql=r"^struct\.slt:.*select row\('a', 'b'\)"),
    # What DataFusion's tests expect of a session that is not ours.
    Known(
        "UUID is a type of DataFusion's own tests",
        sql=r"^cast_extension_type_metadata\.slt:",
        ours="unsupported SQL type UUID",
        expected=False,
    ),
    Known(
        "a timestamptz is an instant here, of the zone UTC; in those tests it has no zone",
        sql=r"^group_by\.slt:.*::timestamptz, 'Timestamp\(Second, Some\(\"\+08:00\"\)\)'\) AS ts\s+GROUP BY ts",
        expected=False,
    ),
    Known(
        "an item without a name is named by its text as typed",
        sql=r'^select\.slt:.*select "a \+ Int64\(1\)" \+ 10',
        ours="unknown column",
        expected=False,
    ),
]


def reason(kind, sql, ours, theirs, expected=False):
    """Why a difference is right; None when it is not known. `expected`: we answer as DataFusion's tests expect."""
    for entry in KNOWN:
        if (
            (not entry.kinds or kind in entry.kinds)
            and (expected or not entry.expected)
            and re.search(entry.sql, sql, re.I | re.S)
            and re.search(entry.ours, ours.shown(), re.S)
            and re.search(entry.theirs, theirs.shown(), re.S)
        ):
            return entry.reason
    return None
