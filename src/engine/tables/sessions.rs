//! The table `sessions`: traces grouped by every session that any of their spans names.

/// `sessions` over `traces`. A trace that names several sessions counts, whole, in each of them.
pub(crate) const SESSIONS_SQL: &str = "
SELECT project,
       session_id,
       first_value(user_id ORDER BY start_time, trace_id) FILTER (WHERE user_id IS NOT NULL) AS user_id,
       count(*) AS trace_count,
       CAST(sum(span_count) AS BIGINT) AS span_count,
       min(start_time) AS start_time,
       max(end_time) AS end_time,
       CAST(CAST(CAST(max(end_time) AS BIGINT) AS DECIMAL(20, 0)) - CAST(CAST(min(start_time) AS BIGINT) AS DECIMAL(20, 0))
           AS DOUBLE) / 1000000.0 AS duration_ms,
       CAST(sum(error_count) AS BIGINT) AS error_count,
       array_sort(array_distinct(flatten(array_agg(models)))) AS models,
       CAST(sum(prompt_tokens) AS BIGINT) AS prompt_tokens,
       CAST(sum(completion_tokens) AS BIGINT) AS completion_tokens,
       CAST(sum(total_tokens) AS BIGINT) AS total_tokens,
       sum(cost) AS cost,
       first_value(input ORDER BY start_time, trace_id) FILTER (WHERE input IS NOT NULL) AS first_input,
       last_value(output ORDER BY start_time, trace_id) FILTER (WHERE output IS NOT NULL) AS last_output
FROM (
    SELECT project, unnest(session_ids) AS session_id, trace_id, user_id, span_count, start_time, end_time,
           error_count, models, prompt_tokens, completion_tokens, total_tokens, cost, input, output
    FROM traces
) AS traces_by_session
GROUP BY project, session_id";
