"""The spans that everybody is asked about, as one Parquet file."""
import os
import pathlib
import subprocess
import tempfile

NEEDLE = "needle-7f3a"

# Short spans: traces of ten, a tree of four levels, about twenty columns. Without chance, so that every run has the same.
SHORT = f"""
SELECT 'shop' AS project,
  md5('t' || trace::VARCHAR) AS "context.trace_id",
  substr(md5('s' || n::VARCHAR), 1, 16) AS "context.span_id",
  CASE WHEN nth > 0 THEN substr(md5('s' || (trace * 10 + (nth - 1) // 2)::VARCHAR), 1, 16) END AS "parent_id",
  CASE WHEN kind = 'TOOL' THEN ['track_parcel', 'refund', 'search_stock'][1 + trace % 3]
       WHEN kind = 'LLM' THEN ['answer', 'summarise'][1 + nth % 2]
       ELSE ['agent', 'call', 'search', 'plan', 'rerank'][1 + nth % 5] END AS "name",
  kind AS "attributes.openinference.span.kind",
  make_timestamp_ns((1793700000000000000 + trace * 1500000000 + nth * 7000000)::BIGINT) AS "start_time",
  make_timestamp_ns((1793700000000000000 + trace * 1500000000 + nth * 7000000 + took)::BIGINT) AS "end_time",
  took / 1e6 AS "latency_ms",
  CASE WHEN hash(n) % 40 = 0 THEN 'ERROR' ELSE 'OK' END AS "status_code",
  CASE WHEN n = 31337 THEN '{NEEDLE}' ELSE 'Where is my parcel number ' || (hash(n + 1) % 1000000)::VARCHAR || '?' END
    AS "attributes.input.value",
  'It left the depot ' || (hash(n + 2) % 1000)::VARCHAR || ' hours ago.' AS "attributes.output.value",
  CASE WHEN kind = 'LLM' THEN ['gpt-5', 'claude-opus', 'gemini-3', 'mistral-large'][1 + (hash(n + 6) % 4)::INT] END AS "attributes.llm.model_name",
  CASE WHEN kind = 'LLM' THEN (hash(n + 3) % 2000)::BIGINT END AS "attributes.llm.token_count.prompt",
  CASE WHEN kind = 'LLM' THEN (hash(n + 4) % 500)::BIGINT END AS "attributes.llm.token_count.completion",
  CASE WHEN kind = 'LLM' THEN (hash(n + 3) % 2000 + 4 * (hash(n + 4) % 500)) / 1e6 END AS "attributes.llm.cost.total",
  'session-' || (trace // 4)::VARCHAR AS "attributes.session.id",
  'user-' || (trace // 4 % 5000)::VARCHAR AS "attributes.user.id"
FROM (SELECT n, n // 10 AS trace, n % 10 AS nth, 2000000 + hash(n) % 90000000 AS took,
        CASE WHEN n % 5 = 1 AND hash(n // 10) % 4 = 0 THEN 'CHAIN'
          ELSE ['AGENT', 'TOOL', 'RETRIEVER', 'CHAIN', 'LLM', 'AGENT', 'TOOL', 'LLM', 'RETRIEVER', 'CHAIN'][1 + n % 10] END AS kind
      FROM range({{spans}}) r(n))
"""

# What no export has: the peers work out trees by themselves.
DERIVED = 'EXCLUDE ("tree.depth", "tree.left", "tree.right", "tree.root_id", "tree.children", "tree.descendants", "tree.self_ms", ' \
    '"tree.critical", "tree.orphan", "tree.cycle", "tree.wrapper")'

COPY = "import sys, duckdb; duckdb.sql(sys.argv[1])"


def write(python, binary, shape, spans, place):
    """Gives the file of so many spans of a shape, which is written if it is not there."""
    file = pathlib.Path(place) / f"{shape}-{spans}.parquet"
    if file.is_file():
        return file
    # Written beside, and renamed when it is whole.
    part = file.with_suffix(".part")
    options = "FORMAT parquet, COMPRESSION zstd"
    if shape == "short":
        query = SHORT.format(spans=spans)
        subprocess.run([python, "-c", COPY, f"COPY ({query}) TO '{part}' ({options})"], stdout=subprocess.DEVNULL, check=True)
    else:
        with tempfile.TemporaryDirectory(dir=place) as made:
            store, export = f"{made}/store", f"{made}/spans.parquet"
            subprocess.run([binary, "-q", "demo", "--spans", str(spans), "--keep", store], stdout=subprocess.DEVNULL, check=True)
            subprocess.run([binary, "-q", "--store", store, "query", "SELECT * FROM spans", "-o", export], check=True)
            query = f"SELECT * {DERIVED} FROM '{export}'"
            subprocess.run([python, "-c", COPY, f"COPY ({query}) TO '{part}' ({options})"], stdout=subprocess.DEVNULL, check=True)
    os.replace(part, file)
    return file
