//! Completion over a small catalog.

use super::*;

fn words() -> Words {
    let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    Words {
        tables: vec![
            TableWords {
                name: "spans".into(),
                columns: texts(&[
                    "project",
                    "context.trace_id",
                    "name",
                    "start_time",
                    "status_code",
                    "latency_ms",
                    "attributes.llm.model_name",
                    "attributes.llm.provider",
                    "attributes.metadata.tier",
                    "eval.Answer Relevance.score",
                    "attributes.evil\u{1b}[31m",
                ]),
                spans: true,
            },
            TableWords { name: "traces".into(), columns: texts(&["project", "trace_id", "span_count"]), spans: false },
        ],
        functions: texts(&["avg", "count", "round"]),
        table_functions: texts(&["session", "structure", "trace"]),
        values: [
            ("attributes.llm.model_name".to_owned(), texts(&["gpt-4o", "it's"])),
            ("status_code".to_owned(), texts(&["ERROR", "OK", "bad\u{202e}"])),
        ]
        .into(),
        paths: texts(&[
            "attributes.metadata.gateway",
            "attributes.metadata.gateway.key.owner",
            "attributes.metadata.tier",
            "attributes.tool.parameters.city name",
        ]),
        projects: texts(&["research-agent", "support-agent"]),
        trace_ids: texts(&["aaaa1111", "aaaa2222", "bbbb3333"]),
        session_ids: texts(&["sess-1"]),
        queries: texts(&["cost-by-model", "models"]),
        reports: texts(&["overview", "quality"]),
        sources: texts(&["arize", "opik", "phoenix"]),
        variables: texts(&["since"]),
    }
}

/// Completes at `|`, and shows the text with the first candidates in place.
fn shown(text: &str) -> String {
    let at = text.find('|').expect("a cursor");
    let text = text.replacen('|', "", 1);
    let found = complete(&words(), &text, at);
    let shown: Vec<&str> = found.candidates.iter().map(String::as_str).take(4).collect();
    format!("{}[{}]{}", &text[..found.start], shown.join("|"), if found.files { " and files" } else { "" })
}

#[test]
fn what_stands_at_the_cursor_is_completed() {
    for (text, expected) in [
        ("sel|", "[select ]"),
        ("|", "[SELECT |WITH |EXPLAIN |DESCRIBE ]"),
        ("SELECT * FROM s|", "SELECT * FROM [spans|session('|structure(']"),
        ("SELECT * FROM o|", "SELECT * FROM [opik.]"),
        ("\\pull |", "\\pull [arize|opik|phoenix]"),
        ("\\pull ph|", "\\pull [phoenix]"),
        ("SELECT sta| FROM spans", "SELECT [start_time|status_code]"),
        ("SELECT sp| FROM traces", "SELECT [span_count]"),
        ("SELECT sp| FROM spans", "SELECT [span_id|span_kind|spans.]"),
        ("SELECT attributes.llm.| FROM spans s", "SELECT [attributes.llm.model_name|attributes.llm.provider]"),
        ("SELECT s.eval| FROM spans s", "SELECT [s.eval.\"Answer Relevance\".score]"),
        ("SELECT eval.\"Ans| FROM spans s", "SELECT [eval.\"Answer Relevance\".score]"),
        ("SELECT t.| FROM spans s JOIN traces t", "SELECT [t.project|t.trace_id|t.span_count]"),
        ("SELECT metadata.| FROM spans", "SELECT [metadata.tier|metadata.gateway|metadata.gateway.key.owner]"),
        ("SELECT s.metadata.gateway.k| FROM spans s", "SELECT [s.metadata.gateway.key.owner]"),
        (
            "SELECT attributes.metadata.| FROM spans",
            "SELECT [attributes.metadata.tier|attributes.metadata.gateway|attributes.metadata.gateway.key.owner]",
        ),
        ("SELECT attributes.tool.| FROM spans", "SELECT [attributes.tool.parameters.\"city name\"]"),
        ("SELECT metadata.| FROM traces", "SELECT []"),
        ("SELECT metadata.gat| FROM arize.live", "SELECT [metadata.gateway|metadata.gateway.key.owner]"),
        ("fr|", "[from ]"),
        ("FROM s|", "FROM [spans|session('|structure(']"),
        ("FROM spans SELECT sta|", "FROM spans SELECT [start_time|status_code]"),
        ("summarize tr|", "summarize [traces|trace(']"),
        ("SELECT * FROM 'la|", "SELECT * FROM '[] and files"),
        (
            "SELECT name FROM spans GROUP BY a|",
            "SELECT name FROM spans GROUP BY [all|attributes.llm.model_name|attributes.llm.provider|attributes.metadata.tier]",
        ),
        ("SELECT * exc| FROM spans", "SELECT * [except |exclude ]"),
        ("SELECT name FROM spans QUAL|", "SELECT name FROM spans [QUALIFY ]"),
        (
            "SELECT count(*) AS calls FROM spans ORDER BY ca|",
            "SELECT count(*) AS calls FROM spans ORDER BY [calls|case |cast ]",
        ),
        ("SELECT rou| FROM spans", "SELECT [round(]"),
        ("SELECT name FROM spans wh|", "SELECT name FROM spans [when |where ]"),
        ("SELECT attributes.ev| FROM spans", "SELECT []"),
        (
            "SELECT * FROM spans WHERE model = |",
            "SELECT * FROM spans WHERE model = ['gpt-4o'|'it''s'|trace_id|span_id]",
        ),
        ("SELECT * FROM spans WHERE model = 'it|", "SELECT * FROM spans WHERE model = '[it''s']"),
        (
            "SELECT * FROM spans s WHERE s.status_code IN ('OK', 'E|",
            "SELECT * FROM spans s WHERE s.status_code IN ('OK', '[ERROR']",
        ),
        ("SELECT * FROM spans WHERE status_code = '|", "SELECT * FROM spans WHERE status_code = '[ERROR'|OK']"),
        ("SELECT * FROM trace('aaaa|", "SELECT * FROM trace('[aaaa1111'|aaaa2222']"),
        ("SELECT * FROM session('|", "SELECT * FROM session('[sess-1']"),
        ("SELECT $s|", "SELECT [$since]"),
        ("SELECT 1; SELECT na| FROM spans; SELECT 2", "SELECT 1; SELECT [name]"),
        ("SELECT 'text |", "SELECT '[]"),
    ] {
        assert_eq!(shown(text), expected, "{text}");
    }
}

#[test]
fn commands_and_their_arguments_are_completed() {
    for (text, expected) in [
        ("\\str|", "[\\structure ]"),
        (".tab|", "[.tables ]"),
        ("\\s|", "[\\save |\\session |\\set |\\structure ]"),
        ("\\d sp|", "\\d [spans]"),
        ("\\trace bb|", "\\trace [bbbb3333]"),
        ("\\session |", "\\session [sess-1]"),
        ("\\run mo|", "\\run [models]"),
        ("\\report |", "\\report [overview|quality]"),
        ("\\use s|", "\\use [support-agent]"),
        ("\\format cs|", "\\format [csv]"),
        ("\\x o|", "\\x [on|off]"),
        ("\\set s|", "\\set [since]"),
        ("\\o |", "\\o [] and files"),
        ("\\where status_code = '|", "\\where status_code = '[ERROR'|OK']"),
        ("\\where mod|", "\\where [model]"),
        ("\\where metadata.gateway.k|", "\\where [metadata.gateway.key.owner]"),
        ("\\where name = 'x' an|", "\\where name = 'x' [and ]"),
        ("\\structure { kind = 'AGENT' } >> { status|", "\\structure { kind = 'AGENT' } >> { [status_code]"),
        ("\\explain SELECT lat| FROM spans", "\\explain SELECT [latency_ms]"),
        ("SELECT 1;\n\\run mo|", "SELECT 1;\n\\run [models]"),
        ("\\nothing |", "[]"),
        ("SELECT 1.5; \\tra|", "SELECT 1.5; [\\trace ]"),
        ("\\d \u{3000}sp|", "\\d \u{3000}[spans]"),
    ] {
        assert_eq!(shown(text), expected, "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_can_be_completed(text in "(\\\\[a-z]{1,9})?[ -~\\n;'\"\\\\.$é漢\u{a0}\u{3000}(){}=,*-]{0,80}", at in 0usize..90) {
        let found = complete(&words(), &text, at);
        proptest::prop_assert!(found.candidates.is_empty() || text.is_char_boundary(found.start) && found.start <= at);
    }
}
