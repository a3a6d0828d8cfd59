-- name: agent-loops
-- description: Agents whose steps did the same again below one parent: how often, how long, and what that cost
-- param since time = null Only steps from this time on
-- param until time = null Only steps before this time
-- param n int = 20 How many
WITH steps AS (
    SELECT project,
           context.trace_id AS trace_id,
           tree.left AS first_number,
           tree.right AS last_number,
           latency_ms,
           row_number() OVER (
               PARTITION BY project, context.trace_id, parent_id, name, md5(input)
               ORDER BY start_time, context.span_id
           ) AS turn
    FROM spans
    WHERE input IS NOT NULL
      AND parent_id IS NOT NULL
      AND tree.wrapper IS NOT TRUE
      AND ($since IS NULL OR start_time >= $since)
      AND ($until IS NULL OR start_time < $until)
), again AS (
    SELECT * FROM steps WHERE turn > 1
), agents AS (
    SELECT project, context.trace_id AS trace_id, name, tree.left AS first_number, tree.right AS last_number
    FROM spans
    WHERE kind = 'AGENT'
), of_agents AS (
    -- Of agents in agents, the nearest one above.
    SELECT s.project, s.trace_id, s.first_number, s.last_number, s.latency_ms, s.turn,
           last_value(a.name ORDER BY a.first_number) AS agent
    FROM again s
    JOIN agents a ON a.project = s.project AND a.trace_id = s.trace_id
        AND a.first_number < s.first_number AND s.last_number < a.last_number
    GROUP BY ALL
), calls AS (
    -- A call in a step that is in another one again counts once.
    SELECT DISTINCT s.agent, c.project, c.trace_id, c.number, c.total_tokens, c.cost
    FROM of_agents s
    JOIN (
        SELECT project, context.trace_id AS trace_id, tree.left AS number, total_tokens, cost
        FROM spans
        WHERE kind = 'LLM' AND tree.wrapper IS NOT TRUE
    ) c ON c.project = s.project AND c.trace_id = s.trace_id
        AND s.first_number <= c.number AND c.number < s.last_number
), costs AS (
    SELECT agent, count(*) AS llm_calls, sum(total_tokens) AS tokens, sum(cost) AS cost FROM calls GROUP BY agent
)
SELECT s.agent,
       count(DISTINCT s.project || ' ' || s.trace_id) AS traces,
       count(*) AS again,
       max(s.turn) AS most_turns,
       round(sum(s.latency_ms) / 1000, 1) AS seconds,
       coalesce(max(c.llm_calls), 0) AS llm_calls,
       max(c.tokens) AS tokens,
       round(max(c.cost), 4) AS cost
FROM of_agents s
LEFT JOIN costs c ON c.agent = s.agent
GROUP BY s.agent
ORDER BY again DESC, s.agent
LIMIT $n
