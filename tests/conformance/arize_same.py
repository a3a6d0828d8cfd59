#!/usr/bin/env python3
"""Exports a project of a server with the official SDK of Arize, and compares it with what `spanql pull` made of the same server.

Every cell of the export must be in the pulled spans under the same ids, and these may have nothing more but what spanql says
of spans itself. Lists are compared by what they hold: they come as lists of JSON texts, and are one JSON text in a store.
Needs an interpreter with the SDK, run with -P: a file beside this one has the name of the SDK. The last line is "N passed, N failed", with one case a column.
"""
import argparse
import json
import logging
import os
import sys
import tempfile
from datetime import datetime
from pathlib import Path

os.environ.update(ARIZE_LOG_ENABLE="false", TQDM_DISABLE="1")
import pyarrow as pa
import pyarrow.parquet as pq
from arize import ArizeClient

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--flight-port", required=True, type=int)
parser.add_argument("--api-key", required=True)
parser.add_argument("--space-id", required=True)
parser.add_argument("--project", required=True)
parser.add_argument("--start", required=True, help="a time such as 2026-01-01T00:00:00Z")
parser.add_argument("--end", required=True)
parser.add_argument("--pulled", required=True, type=Path, help="a Parquet file of all that was pulled")
args = parser.parse_args()
logging.disable(logging.CRITICAL)

ID = "context.span_id"
# What a store adds to spans: where they are from, and what it makes of them.
MADE = ("project", "source", "tree.", "attributes.metadata.")


def exported(folder):
    client = ArizeClient(api_key=args.api_key, flight_host="127.0.0.1", flight_port=args.flight_port, flight_scheme="grpc+tcp")
    start, end = (datetime.fromisoformat(text.replace("Z", "+00:00")) for text in (args.start, args.end))
    path = os.path.join(folder, "export.parquet")
    client.spans.export_to_parquet(
        path=path, space_id=args.space_id, project_name=args.project, start_time=start, end_time=end)
    return pq.read_table(path)


def element(text):
    """What one text of a list stands for: JSON, or itself."""
    try:
        return json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return text


def cells(table, name):
    """The values of a column by the id of their span; times in ns, nulls left out."""
    column = table.column(name)
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ns", column.type.tz)).cast(pa.int64())
    by_id = zip(table.column(ID).to_pylist(), column.to_pylist())
    return {span: [element(one) for one in value] if isinstance(value, list) else value for span, value in by_id if value is not None}


def differs(wanted, got):
    """What is wrong with the cells of a column, if anything."""
    for span in wanted.keys() | got.keys():
        left, right = wanted.get(span), got.get(span)
        if isinstance(left, list) and isinstance(right, str):
            right = [element(one) for one in json.loads(right)]
        if left != right:
            return f"span {span}: the SDK has {left!r}, the store {right!r}"[:400]
    return None


def compare(sdk, pulled):
    yield "spans", None if sdk.num_rows == pulled.num_rows else f"the SDK has {sdk.num_rows}, the store {pulled.num_rows}"
    ids = pulled.column(ID).to_pylist()
    yield "ids", None if len(set(ids)) == len(ids) and set(ids) == set(sdk.column(ID).to_pylist()) else "they are others"
    if not sdk.num_rows:
        yield "export", "there is nothing to compare"
    held = set(pulled.column_names)
    for name in sdk.column_names:
        # The time of a span is its start.
        place = "start_time" if name == "time" else name
        yield name, differs(cells(sdk, name), cells(pulled, place) if place in held else {})
    for name in pulled.column_names:
        if name not in sdk.column_names and not name.startswith(MADE) and pulled.column(name).null_count < pulled.num_rows:
            yield name, "only the store has values in it"


with tempfile.TemporaryDirectory(prefix="spanql-same-") as folder:
    outcomes = list(compare(exported(folder), pq.read_table(args.pulled)))
for name, wrong in outcomes:
    if wrong:
        print(f"FAIL {args.project} {name}: {wrong}")
bad = sum(wrong is not None for _, wrong in outcomes)
print(f"{len(outcomes) - bad} passed, {bad} failed")
sys.exit(1 if bad else 0)
