"""What is asked, in the words of each: spanql's SQL, that of the peers, and what Polars says in Python (polars_questions.py).

A question has the SQL of an engine under its name, else under `sql`; where an engine has None it is not asked. `{…}` is a function that
the dialects name differently (DIALECTS). Peers have a table or view `spans` with the short names of COLUMNS.
"""
import re

from spans import NEEDLE

COLUMNS = {
    "project": "project", "trace_id": "context.trace_id", "span_id": "context.span_id", "parent_id": "parent_id", "name": "name",
    "kind": "attributes.openinference.span.kind", "start_time": "start_time", "end_time": "end_time", "latency_ms": "latency_ms",
    "status_code": "status_code", "input": "attributes.input.value", "output": "attributes.output.value",
    "model": "attributes.llm.model_name", "prompt_tokens": "attributes.llm.token_count.prompt",
    "completion_tokens": "attributes.llm.token_count.completion", "cost": "attributes.llm.cost.total",
    "session_id": "attributes.session.id", "user_id": "attributes.user.id",
}

DIALECTS = {
    "spanql": {"contains": "{0} CONTAINS '{1}'", "p95": "p95({0})", "hour": "date_trunc('hour', {0})", "day": "date_trunc('day', {0})"},
    "duckdb": {"contains": "contains({0}, '{1}')", "p95": "quantile_cont({0}, 0.95)", "hour": "date_trunc('hour', {0})", "day": "date_trunc('day', {0})"},
    "datafusion": {"contains": "contains({0}, '{1}')", "p95": "percentile_cont({0}, 0.95)", "hour": "date_trunc('hour', {0})", "day": "date_trunc('day', {0})"},
    "chdb": {"contains": "position({0}, '{1}') > 0", "p95": "quantileExactInclusive(0.95)({0})", "hour": "toStartOfHour({0})", "day": "toStartOfDay({0})"},
}

# Down from some spans to all that lie below them, or up to all above; each step is a join over the whole table.
BELOW = """WITH RECURSIVE below AS (
  SELECT trace_id, span_id, kind FROM spans WHERE kind = 'TOOL' AND status_code = 'ERROR'
  UNION ALL SELECT s.trace_id, s.span_id, s.kind FROM below b JOIN spans s ON s.trace_id = b.trace_id AND s.parent_id = b.span_id)
SELECT count(DISTINCT span_id) AS n FROM below WHERE kind = 'LLM'"""
ABOVE = """WITH RECURSIVE above AS (
  SELECT trace_id, parent_id AS span_id FROM spans WHERE kind = 'TOOL' AND parent_id IS NOT NULL
  UNION SELECT s.trace_id, s.parent_id FROM above a JOIN spans s ON s.trace_id = a.trace_id AND s.span_id = a.span_id WHERE s.parent_id IS NOT NULL)
SELECT count(*) AS n FROM spans s WHERE kind = 'AGENT' AND NOT EXISTS (SELECT 1 FROM above a WHERE a.trace_id = s.trace_id AND a.span_id = s.span_id)"""
DEPTH = """WITH RECURSIVE tree AS (
  SELECT trace_id, span_id, 1 AS depth FROM spans WHERE parent_id IS NULL
  UNION ALL SELECT s.trace_id, s.span_id, t.depth + 1 FROM tree t JOIN spans s ON s.trace_id = t.trace_id AND s.parent_id = t.span_id)
SELECT depth, count(*) AS n FROM tree GROUP BY depth ORDER BY depth"""
# A span's own time: what the union of its children, cut to its own bounds, leaves.
SELF = """WITH children AS (
  SELECT p.trace_id, p.span_id, greatest(c.start_time, p.start_time) AS b, least(c.end_time, p.end_time) AS e
  FROM spans c JOIN spans p ON c.trace_id = p.trace_id AND c.parent_id = p.span_id
  WHERE least(c.end_time, p.end_time) > greatest(c.start_time, p.start_time)),
reached AS (SELECT *, max(e) OVER (PARTITION BY trace_id, span_id ORDER BY b, e ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM children),
covered AS (SELECT trace_id, span_id, sum({ns:e} - {ns:CASE WHEN before > b THEN before ELSE b END}) / 1e6 AS ms
  FROM reached WHERE before IS NULL OR e > before GROUP BY trace_id, span_id)
SELECT kind, sum(latency_ms - coalesce(ms, 0)) AS self_ms FROM spans s LEFT JOIN covered c ON c.trace_id = s.trace_id AND c.span_id = s.span_id
GROUP BY kind ORDER BY kind"""

BELOW_SPANQL = "SELECT count(*) AS n FROM structure('{ kind = ''TOOL'' AND status_code = ''ERROR'' } >> { kind = ''LLM'' }')"
ABOVE_SPANQL = "SELECT count(*) AS n FROM structure('{ kind = ''AGENT'' } !>> { kind = ''TOOL'' }')"
CRITICAL = """SELECT name, count(*) AS n, sum(tree.self_ms) AS self_ms FROM spans
WHERE tree.critical AND trace_id IN (SELECT trace_id FROM traces ORDER BY latency_ms DESC, trace_id LIMIT 100) GROUP BY name ORDER BY name"""

EVALS = ["Answer Relevance", "Correctness", "Hallucination"]
UNPIVOTED = " UNION ALL ".join(
    f"""SELECT '{name}' AS eval, model, count(*) AS n, avg("eval.{name}.score") AS score FROM spans
WHERE "eval.{name}.label" IS NOT NULL OR "eval.{name}.score" IS NOT NULL GROUP BY model""" for name in EVALS)
MESSAGES = """SELECT count(*) AS n FROM (
  SELECT unnest(from_json("attributes.llm.input_messages", '["json"]')) AS m FROM spans WHERE contains("attributes.llm.input_messages", 'refund')
  UNION ALL SELECT unnest(from_json("attributes.llm.output_messages", '["json"]')) FROM spans WHERE contains("attributes.llm.output_messages", 'refund'))
WHERE contains(m->>'$."message.content"', 'refund')"""

SHORT, WIDE = ["short"], ["wide"]
BOTH = SHORT + WIDE

QUESTIONS = {
    "filter count": {"shapes": BOTH, "sql": "SELECT count(*) AS n FROM spans WHERE status_code = 'ERROR' AND latency_ms > 50 AND kind = 'LLM'"},
    "contains, many hits": {"shapes": SHORT, "sql": "SELECT count(*) AS n FROM spans WHERE {contains:input:777}"},
    "contains, one hit": {"shapes": SHORT, "sql": f"SELECT span_id FROM spans WHERE {{contains:input:{NEEDLE}}}"},
    "ilike": {"shapes": SHORT, "sql": "SELECT count(*) AS n FROM spans WHERE output ILIKE '%DEPOT 77%'"},
    "by model": {"shapes": BOTH, "sql": "SELECT model, count(*) AS n, avg(latency_ms) AS avg_ms, {p95:latency_ms} AS p95_ms, sum(cost) AS usd "
                 "FROM spans WHERE model IS NOT NULL GROUP BY model ORDER BY model"},
    "top traces": {"shapes": SHORT, "sql": "SELECT trace_id, sum(cost) AS usd, count(*) AS n FROM spans GROUP BY trace_id ORDER BY usd DESC, trace_id LIMIT 10",
                   "duckdb": "SELECT trace_id, sum(cost) AS usd, count(*) AS n FROM spans GROUP BY trace_id ORDER BY usd DESC NULLS LAST, trace_id LIMIT 10",
                   "datafusion": "SELECT trace_id, sum(cost) AS usd, count(*) AS n FROM spans GROUP BY trace_id ORDER BY usd DESC NULLS LAST, trace_id LIMIT 10",
                   "spanql": "SELECT trace_id, cost, span_count FROM traces ORDER BY cost DESC NULLS LAST, trace_id LIMIT 10"},
    "top sessions": {"shapes": SHORT, "sql": "SELECT session_id, sum(cost) AS usd FROM spans GROUP BY session_id ORDER BY usd DESC NULLS LAST, session_id LIMIT 10",
                     "spanql": "SELECT session_id, cost FROM sessions ORDER BY cost DESC NULLS LAST, session_id LIMIT 10"},
    "one trace": {"shapes": BOTH, "trace": True, "sql": "SELECT span_id, name, latency_ms FROM spans WHERE trace_id = '{trace}' ORDER BY start_time, span_id"},
    "two-phase": {"shapes": BOTH, "sql": "SELECT kind, count(*) AS n, avg(latency_ms) AS ms FROM spans WHERE trace_id IN "
                  "(SELECT trace_id FROM spans WHERE kind = 'LLM' AND status_code = 'ERROR') GROUP BY kind ORDER BY kind",
                  "spanql": "SELECT kind, count(*) AS n, avg(latency_ms) AS ms FROM traces_where('kind = ''LLM'' AND status_code = ''ERROR''') GROUP BY kind ORDER BY kind"},
    "by hour": {"shapes": BOTH, "sql": "SELECT {hour:start_time} AS hour, count(*) AS n, avg(latency_ms) AS ms FROM spans GROUP BY 1 ORDER BY 1"},
    "users by day": {"shapes": BOTH, "sql": "SELECT {day:start_time} AS day, count(DISTINCT user_id) AS users FROM spans GROUP BY 1 ORDER BY 1"},
    "latest errors": {"shapes": BOTH, "sql": "SELECT start_time, span_id, input FROM spans WHERE status_code = 'ERROR' ORDER BY start_time DESC, span_id LIMIT 50"},
    "bounds": {"shapes": BOTH, "sql": "SELECT min(start_time) AS a, max(start_time) AS b, count(*) AS n FROM spans"},
    "depth": {"shapes": SHORT, "tree": True, "sql": DEPTH, "spanql": "SELECT tree.depth AS depth, count(*) AS n FROM spans GROUP BY 1 ORDER BY 1"},
    "below failed tools": {"shapes": SHORT, "tree": True, "sql": BELOW, "spanql": BELOW_SPANQL},
    "agents without tool": {"shapes": SHORT, "tree": True, "sql": ABOVE, "chdb": None, "spanql": ABOVE_SPANQL},
    "self time by kind": {"shapes": SHORT, "tree": True, "sql": SELF, "chdb": None, "spanql": "SELECT kind, sum(tree.self_ms) AS self_ms FROM spans GROUP BY kind ORDER BY kind"},
    "critical path of 100": {"shapes": SHORT, "sql": None, "spanql": CRITICAL},
    "evaluations by model": {"shapes": WIDE, "sorted": True, "sql": UNPIVOTED,
                             "spanql": "SELECT e.name, s.model, count(*) AS n, avg(e.score) AS score FROM evals e JOIN spans s ON s.trace_id = e.trace_id AND s.span_id = e.span_id "
                             "WHERE e.level = 'span' GROUP BY 1, 2"},
    "messages with a word": {"shapes": WIDE, "sql": None, "duckdb": MESSAGES, "spanql": "SELECT count(*) AS n FROM messages WHERE content CONTAINS 'refund'"},
    "10,000 wide spans": {"shapes": WIDE, "lines": 10_000, "sql": "SELECT * FROM spans LIMIT 10000"},
}


def text(question, engine, trace):
    """The SQL of a question for an engine; None where it is not asked."""
    # Polars is told the name of the question alone.
    dialect = {"polars": "duckdb"}.get(engine, engine.split("-")[0])
    asked = QUESTIONS[question]
    sql = asked.get(dialect, asked["sql"])
    if sql is None:
        return None
    for function, form in DIALECTS[dialect].items():
        sql = re.sub(r"\{%s:([^}]*)\}" % function, lambda found: form.format(*found[1].split(":")), sql)
    nanoseconds = {"duckdb": r"epoch_ns(\1)", "datafusion": r"CAST(\1 AS BIGINT)"}.get(dialect, r"\1")
    return re.sub(r"\{ns:([^}]*)\}", nanoseconds, sql).replace("{trace}", trace)
