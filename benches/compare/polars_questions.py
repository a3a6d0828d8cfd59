"""The questions in Polars: expressions over one lazy scan of the Parquet file."""
import polars as pl
from polars import col
from spans import NEEDLE


def two_phase(spans):
    hits = spans.filter((col("kind") == "LLM") & (col("status_code") == "ERROR")).select("trace_id").unique()
    return spans.join(hits, on="trace_id", how="semi").group_by("kind").agg(pl.len(), col("latency_ms").mean()).sort("kind")


def depth(spans):
    rows = spans.select("trace_id", "span_id", "parent_id").collect(engine="streaming")
    level, counts, number = rows.filter(col("parent_id").is_null()), [], 1
    while len(level):
        counts.append((number, len(level)))
        level = rows.join(level.select("trace_id", parent_id="span_id"), on=["trace_id", "parent_id"], how="semi")
        number += 1
    return pl.DataFrame(counts, schema=["depth", "n"], orient="row").lazy()


def below(spans):
    rows = spans.select("trace_id", "span_id", "parent_id", "kind", "status_code").collect(engine="streaming")
    level, found = rows.filter((col("kind") == "TOOL") & (col("status_code") == "ERROR")), []
    while len(level):
        level = rows.join(level.select("trace_id", parent_id="span_id"), on=["trace_id", "parent_id"], how="semi")
        found.append(level.filter(col("kind") == "LLM").select("trace_id", "span_id"))
    return pl.concat(found).unique().select(pl.len()).lazy()


def top(spans, key):
    return spans.group_by(key).agg(col("cost").sum()).sort(["cost", key], descending=[True, False]).head(10)


def by_time(spans, every, *wanted):
    return spans.group_by(col("start_time").dt.truncate(every)).agg(*wanted).sort("start_time")


QUESTIONS = {
    "filter count": lambda s: s.filter((col("status_code") == "ERROR") & (col("latency_ms") > 50) & (col("kind") == "LLM")).select(pl.len()),
    "contains, many hits": lambda s: s.filter(col("input").str.contains("777", literal=True)).select(pl.len()),
    "contains, one hit": lambda s: s.filter(col("input").str.contains(NEEDLE, literal=True)).select("span_id"),
    "ilike": lambda s: s.filter(col("output").str.contains("(?i)depot 77")).select(pl.len()),
    "by model": lambda s: s.filter(col("model").is_not_null()).group_by("model").agg(
        pl.len(), col("latency_ms").mean().alias("avg"), col("latency_ms").quantile(0.95, "linear").alias("p95"), col("cost").sum()).sort("model"),
    "top traces": lambda s: s.group_by("trace_id").agg(col("cost").sum(), pl.len()).sort(["cost", "trace_id"], descending=[True, False]).head(10),
    "top sessions": lambda s: top(s, "session_id"),
    "two-phase": two_phase,
    "by hour": lambda s: by_time(s, "1h", pl.len(), col("latency_ms").mean()),
    "users by day": lambda s: by_time(s, "1d", col("user_id").drop_nulls().n_unique()),
    "latest errors": lambda s: s.filter(col("status_code") == "ERROR").select("start_time", "span_id", "input").sort(
        ["start_time", "span_id"], descending=[True, False]).head(50),
    "bounds": lambda s: s.select(col("start_time").min().alias("a"), col("start_time").max().alias("b"), pl.len()),
    "depth": depth,
    "below failed tools": below,
}


def one_trace(spans, trace):
    return spans.filter(col("trace_id") == trace).sort("start_time", "span_id").select("span_id", "name", "latency_ms")
