use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use chrono::{TimeZone, Utc};
use proptest::prelude::*;

use super::*;
use crate::report::Document;
use crate::report::filled::Data;
use crate::report::run::{Keep, run_block};
use crate::report::saved::Origin;
use spanql_engine::Params;
use spanql_output::Zone;

const PAYLOADS: [&str; 22] = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"><svg onload=alert(1)>",
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "[x](javascript:alert(1))",
    "![x](https://evil.example/p.png)",
    "</style><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</textarea></pre></table><iframe src=//evil.example>",
    "<style>*{background:url(https://evil.example)}</style>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<base href=https://evil.example/>",
    "<meta http-equiv=refresh content=0;url=https://evil.example>",
    "{{ all.text }} {{7*7}} ${alert(1)}",
    "`code` **bold** # head | cell | --- |",
    "\u{1b}[31mred\u{1b}]8;;https://evil.example\u{7}link\u{1b}]8;;\u{7}",
    "\u{1b}]52;c;ZXZpbA==\u{7}",
    "\u{202e}gnp.exe\u{2066}\u{200b}\u{feff}\u{e0041}",
    "<!--<!ENTITY x SYSTEM \"file:///etc/passwd\">-->",
    "&lt;script&gt;&#60;script&#62;",
    "<svg><a xlink:href=\"javascript:alert(1)\"><text>x</text></a></svg>",
];

/// Elements and attributes that a page consists of.
const ELEMENTS: &str = "a badge body caption circle code dd desc details div dl dt em ellipse figcaption figure footer g h1 \
    h2 h3 h4 h5 head header hr html i li line main meta nav ol p path polygon polyline pre rect section span strong style \
    summary svg table tbody td text th thead title tr ul del br blockquote";
const ATTRIBUTES: &str = "aria-label aria-labelledby charset class content cx cy d dominant-baseline fill fill-opacity \
    font-family font-size height href http-equiv id lang name points r rel role rx ry scope stroke stroke-dasharray \
    stroke-width style tabindex text-anchor transform viewBox width x x1 x2 y y1 y2 opacity font-weight stroke-opacity \
    stroke-linecap stroke-linejoin";

/// Fails on anything in a page that is not expected there, and gives its text.
fn check(page: &str, links_out: bool) -> String {
    let (before, rest) = page.split_once("<style>").unwrap();
    let (style, after) = rest.split_once("</style>").unwrap();
    assert!(!style.contains('<') && !style.contains("url(") && !style.contains("@import"));
    let mut text = String::new();
    let page = format!("{before}{after}");
    let page = page.strip_prefix("<!doctype html>").unwrap();
    assert!(!page.chars().any(|c| c != '\n'
        && (c.is_control() || ('\u{200b}'..='\u{200f}').contains(&c) || ('\u{202a}'..='\u{202e}').contains(&c))));
    for piece in page.split('<').skip(1) {
        let (tag, said) = piece.split_once('>').unwrap_or_else(|| panic!("no end of a tag: {piece:.80}"));
        text.push_str(said);
        let tag = tag.trim_start_matches('/').trim_end_matches('/');
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(ELEMENTS.split_whitespace().any(|known| known == name), "<{tag}>");
        let mut rest = attributes.trim();
        while !rest.is_empty() {
            let (attribute, value) = rest.split_once("=\"").unwrap_or_else(|| panic!("<{tag}>: {rest}"));
            let (value, after) = value.split_once('"').unwrap();
            assert!(ATTRIBUTES.split_whitespace().any(|known| known == attribute), "{attribute} in <{tag}>");
            if attribute == "href" {
                assert!(value.starts_with('#') || links_out && value.starts_with("http"), "{value}");
            }
            if attribute == "style" {
                assert!(value.starts_with("text-align:"), "{value}");
            }
            rest = after.trim();
        }
    }
    text
}

const REPORT: &str = "---\ntitle: 'All of {{ all.text }}'\ndescription: About {{ all.text }}\n---\n\
    # {{ all.text }}\n\nText {{ all.text }}, `{{ all.text }}`, *{{ all.text }}*.\n\n| a |\n| --- |\n| {{ all.text }} |\n\n\
    ```sql name=all chart=\"bar x=text y=n title='{{ all.text }}'\" caption=\"Of {{ all.text }}\" expect=\"text = 'x'\"\n\
    SELECT text, n FROM payloads\n```\n\n\
    ```sql name=broken\nSELECT nothing FROM payloads\n```\n\n\
    ```sql name=heat chart=\"heat x=n y=text value=n\"\nSELECT text, n FROM payloads\n```\n\n\
    ```sql name=lines chart=\"line x=n y=n series=text\"\nSELECT text, n FROM payloads\n```\n";

fn filled(report: &str, payloads: &[&str]) -> Filled {
    let text: ArrayRef = Arc::new(StringArray::from(payloads.to_vec()));
    let n: ArrayRef = Arc::new(Float64Array::from_iter_values((0..payloads.len()).map(|at| at as f64)));
    let batch = RecordBatch::try_from_iter([("text", text), ("n", n)]).unwrap();
    let document = Document::parse(report, "hostile", Origin::BuiltIn).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let keep = Keep { max_rows: 500, max_cell: 300, files: None, strict: false };
    let blocks = runtime.block_on(async {
        let engine = spanql_engine::Engine::new(spanql_engine::EngineConfig::default()).unwrap();
        let table = datafusion::datasource::MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap();
        engine.register("payloads", spanql_engine::Relation::Plain(Arc::new(table))).await.unwrap();
        let mut blocks = vec![];
        for block in document.blocks() {
            blocks.push(run_block(&engine, block, &Params::new(), &keep).await);
        }
        blocks
    });
    let hostile = payloads.first().copied().unwrap_or_default().to_owned();
    let part = Part {
        store: hostile.clone(),
        project: Some(hostile.clone()),
        data: Data { spans: 1, projects: vec![hostile.clone()], window: Some((hostile.clone(), hostile.clone())) },
        incomplete: vec![hostile],
        blocks,
    };
    let generated = Utc.with_ymd_and_hms(2026, 11, 2, 8, 0, 0).unwrap();
    Filled { document, generated, params: vec![], parts: vec![part], zone: Zone::Utc, max_cell: 300, exit_code: 0 }
}

#[test]
fn payloads_are_text() {
    for payload in PAYLOADS {
        let page = write_html(&filled(REPORT, &[payload, "x"]));
        let text = check(&page, false);
        let shown = escape(payload);
        assert!(text.matches(shown.as_str()).count() >= 8, "{payload}: {text}");
    }
    let page = write_html(&filled(REPORT, &PAYLOADS));
    assert!(page.contains("class=\"badge bad\""));
    assert!(page.contains("broken failed"));
    check(&page, false);
}

#[test]
fn a_huge_value_is_cut_and_said() {
    let huge = "<b>\u{1b}".repeat(1 << 20);
    let page = write_html(&filled(REPORT, &[&huge]));
    check(&page, false);
    assert!(page.len() < 100_000, "{}", page.len());
    assert!(page.contains("1 cell cut at 300 characters"));
}

#[test]
fn the_authors_text_has_no_power() {
    let report = "# Title\n\n<script>alert(1)</script>\n\n<b onclick=x>bold</b> [bad](javascript:alert(1)) [data](data:text/html,x) \
        [file](../secret.html) [good](https://example.com/?a=\"b\") [here](#b-one) ![image](https://example.com/x.png) \
        <https://example.org>\n\n```html\n<script>\n```\n\n| a | b |\n| --: | --- |\n| 1 | 2 |\n\n```sql name=one\nSELECT 1 AS n\n```\n";
    let page = write_html(&filled(report, &["x"]));
    let text = check(&page, true);
    assert!(text.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{text}");
    assert!(page.contains("href=\"https://example.com/?a="), "{page}");
    assert!(page.contains("href=\"#b-one\""));
    for forbidden in ["javascript:", "data:text", "secret", "x.png", "<script"] {
        assert!(!page.contains(&format!("href=\"{forbidden}")) && !page.contains("<script"), "{forbidden}");
    }
}

#[test]
fn what_is_shown_is_said() {
    let report = "Rows {{ one.rows }}, {{ none.n }}, {{ one.nope }}.\n\n```sql name=one\nSELECT * FROM payloads\n```\n\n\
        ```sql name=none chart=\"bar x=text y=n\"\nSELECT * FROM payloads WHERE false\n```\n";
    let mut report = filled(report, &["a", "b"]);
    let page = write_html(&report);
    assert!(page.contains("Rows 2, –, {{ one.nope: no such column, there is text, n }}."), "{page}");
    assert!(page.contains("No rows."));
    assert!(page.contains("This report rests on incomplete data."));
    assert!(!page.contains("<nav"), "one needs no contents");
    report.parts[0].data.spans = 0;
    assert!(write_html(&report).contains("There are no spans here"));
}

#[test]
fn parts_have_headings_and_contents() {
    let mut report = filled(REPORT, &["x"]);
    let other = filled(REPORT, &["x"]).parts.remove(0);
    report.parts.push(Part { project: Some("second".to_owned()), ..other });
    let page = write_html(&report);
    check(&page, false);
    assert!(page.contains("<li><a href=\"#p2-part\">second</a></li>"), "{page}");
    assert!(page.contains("id=\"p2-b-all\""));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_text_is_markup(text in "\\PC{0,20}[<>\"'&\\x00-\\x1f\u{202e}]{0,6}\\PC{0,20}", link in "[a-zA-Z:/#\"<>\\[\\]()&; ]{0,40}") {
        let escaped = escape(&text);
        prop_assert!(!escaped.contains(['<', '>', '"', '\'']));
        let mut headings = vec![];
        let prose = format!("{text}\n\n[{text}]({link}) <{link}>\n\n# {text}\n\n{{{{ a.b }}}}");
        let html = prose::render(&prose, &|_| text.clone(), "s", 0, &mut headings);
        let page = format!("<!doctype html><style></style>{html}");
        check(&page, true);
    }
}
