-- name: secrets
-- description: How many spans have what looks like a key, an e-mail address, a card or a phone number, by column
WITH texts AS (
    SELECT 'input' AS "column", input AS text FROM spans
    UNION ALL SELECT 'output', output FROM spans
    UNION ALL SELECT 'attributes.metadata', attributes.metadata FROM spans
    UNION ALL SELECT 'status_message', status_message FROM spans
)
SELECT "column",
       count(text) AS spans,
       count_if(regexp_like(text, '(sk|pk|rk)[-_][A-Za-z0-9_-]{16,}|AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{20,}|xox[abprs]-[A-Za-z0-9-]{10,}|AIza[A-Za-z0-9_-]{30,}|eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}|BEGIN [A-Z ]*PRIVATE KEY')) AS keys,
       count_if(regexp_like(text, '[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+\.[A-Za-z.]{2,}')) AS addresses,
       count_if(regexp_like(text, '\b[3-6][0-9]{3}[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{3,4}\b')) AS cards,
       count_if(regexp_like(text, '\+[0-9]{1,3}[ .-]?[(]?[0-9]{1,4}[)]?([ .-]?[0-9]{2,4}){2,4}')) AS phones
FROM texts
GROUP BY "column"
ORDER BY keys DESC, addresses DESC, cards DESC, phones DESC, "column"
