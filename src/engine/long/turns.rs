//! The table `turns`: the traces of each session in order, and how the context grows.

/// `turns` over `traces` and `spans`. A trace is a turn of every session that it names.
pub(crate) const TURNS_SQL: &str = "
SELECT project,
       session_id,
       CAST(row_number() OVER session_order AS BIGINT) AS turn,
       trace_id,
       start_time,
       end_time,
       latency_ms,
       CAST(CAST(start_time AS BIGINT) - CAST(lag(end_time) OVER session_order AS BIGINT) AS DOUBLE) / 1000000.0
           AS gap_ms,
       span_count,
       error_count,
       context_tokens,
       context_tokens - lag(context_tokens) OVER session_order AS context_growth,
       prompt_tokens,
       completion_tokens,
       total_tokens,
       cost,
       input,
       output
FROM (
    SELECT each_session.*, largest.context_tokens
    FROM (
        SELECT project, unnest(session_ids) AS session_id, trace_id, start_time, end_time, latency_ms, span_count,
               error_count, prompt_tokens, completion_tokens, total_tokens, cost, input, output
        FROM traces
    ) AS each_session
    LEFT JOIN (
        SELECT project AS of_project, context.trace_id AS of_trace,
               max(attributes.llm.token_count.prompt) AS context_tokens
        FROM spans
        WHERE attributes.llm.token_count.prompt IS NOT NULL
        GROUP BY 1, 2
    ) AS largest
    ON each_session.project = largest.of_project AND each_session.trace_id = largest.of_trace
) AS turns_of_sessions
WINDOW session_order AS (PARTITION BY project, session_id ORDER BY start_time, trace_id)";
