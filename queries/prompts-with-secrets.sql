-- name: prompts-with-secrets
-- description: Calls whose prompts hold what looks like a key, an address, a card or a phone number, newest first
-- param since time = null Only calls from this time on
-- param until time = null Only calls before this time
-- param n int = 20 How many
WITH prompts AS (
    SELECT project, context.trace_id AS trace_id, context.span_id AS span_id, name, model, user_id, start_time,
           coalesce(attributes.llm.input_messages, input) AS prompt
    FROM spans
    WHERE kind = 'LLM'
      AND tree.wrapper IS NOT TRUE
      AND ($since IS NULL OR start_time >= $since)
      AND ($until IS NULL OR start_time < $until)
)
SELECT trace_id,
       span_id,
       name,
       model,
       user_id,
       start_time,
       concat_ws(', ',
           CASE WHEN looks_like_secret(prompt, 'key') THEN 'key' END,
           CASE WHEN looks_like_secret(prompt, 'token') THEN 'token' END,
           CASE WHEN looks_like_secret(prompt, 'email') THEN 'email' END,
           CASE WHEN looks_like_secret(prompt, 'card') THEN 'card' END,
           CASE WHEN looks_like_secret(prompt, 'phone') THEN 'phone' END) AS secrets
FROM prompts
WHERE looks_like_secret(prompt)
ORDER BY start_time DESC NULLS LAST, trace_id, span_id, project
LIMIT $n
