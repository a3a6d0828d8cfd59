-- name: secrets
-- description: How many spans have what looks like a key, an e-mail address, a card or a phone number, by column
WITH texts AS (
    SELECT 'input' AS "column", input AS text FROM spans
    UNION ALL SELECT 'output', output FROM spans
    UNION ALL SELECT 'attributes.llm.input_messages', attributes.llm.input_messages FROM spans
    UNION ALL SELECT 'attributes.llm.output_messages', attributes.llm.output_messages FROM spans
    UNION ALL SELECT 'attributes.llm.tools', attributes.llm.tools FROM spans
    UNION ALL SELECT 'attributes.llm.invocation_parameters', attributes.llm.invocation_parameters FROM spans
    UNION ALL SELECT 'attributes.llm.prompt_template.variables', attributes.llm.prompt_template.variables FROM spans
    UNION ALL SELECT 'attributes.tool.parameters', attributes.tool.parameters FROM spans
    UNION ALL SELECT 'attributes.retrieval.documents', attributes.retrieval.documents FROM spans
    UNION ALL SELECT 'attributes.metadata', attributes.metadata FROM spans
    UNION ALL SELECT 'attributes.user.id', attributes.user.id FROM spans
    UNION ALL SELECT 'attributes.exception.message', attributes.exception.message FROM spans
    UNION ALL SELECT 'status_message', status_message FROM spans
    UNION ALL SELECT 'events', events FROM spans
), found AS (
    -- Most texts hold nothing, and are looked at once.
    SELECT "column", CASE WHEN looks_like_secret(text) THEN text END AS secret
    FROM texts
    WHERE text IS NOT NULL
)
SELECT "column",
       count(*) AS spans,
       count_if(looks_like_secret(secret, 'key') OR looks_like_secret(secret, 'token')) AS keys,
       count_if(looks_like_secret(secret, 'email')) AS addresses,
       count_if(looks_like_secret(secret, 'card')) AS cards,
       count_if(looks_like_secret(secret, 'phone')) AS phones
FROM found
GROUP BY "column"
ORDER BY keys DESC, addresses DESC, cards DESC, phones DESC, "column"
