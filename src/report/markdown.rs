//! A report as Markdown: tables instead of drawings.

use super::document::{Piece, texts};
use super::filled::{Filled, Part, clip, is_null, readable};
use super::run::Ran;
use super::values::{fill, places};
use spanql_output::{Error, Format, Options, ResultWriter, escape_markdown, escape_terminal};

/// The report as GitHub-flavoured Markdown; nothing of a result is markup in it.
///
/// # Errors
/// When a result has a type that cannot be written.
pub fn write_markdown(report: &Filled) -> Result<String, Error> {
    let mut out = String::new();
    let several = report.parts.len() > 1;
    let title = report.title();
    out.push_str(&format!("# {}\n\n", plain(&title)));
    if let (Some(text), Some(part)) = (&report.document.description, report.parts.first()) {
        out.push_str(&format!("{}\n\n", plain(&fill(text, |name| report.value(part, name)))));
    }
    let mut facts = vec![format!("generated {} by spanql {}", report.said_generated(), env!("CARGO_PKG_VERSION"))];
    let given = report.params.iter().filter(|(_, value)| !is_null(value));
    facts.extend(given.map(|(name, value)| format!("{name} = {}", report.said_param(value))));
    out.push_str(&format!("{}\n\n", plain(&facts.join(", "))));
    out.push_str(&summary(report));
    for part in &report.parts {
        if several {
            out.push_str(&format!("## {}\n\n", plain(&part.heading())));
        }
        out.push_str(&format!("{}\n\n", plain(&facts_of(part))));
        if part.data.spans == 0 {
            out.push_str("There are no spans here: all results are empty.\n\n");
        }
        for line in &part.incomplete {
            out.push_str(&format!("> **Incomplete data:** {}\n\n", plain(&clip(line))));
        }
        for piece in &report.document.pieces {
            match piece {
                Piece::Prose(text) => {
                    let filled = filled_in(text, |name| report.value(part, name));
                    out.push_str(&format!("{}\n\n", lowered(&filled, several)));
                }
                Piece::Block(block) => {
                    let Some(ran) = part.block(&block.name) else { continue };
                    let caption = block.caption.as_deref().map(|text| fill(text, |name| report.value(part, name)));
                    let title = ran.chart.as_ref().and_then(|chart| chart.title.clone());
                    let caption = caption.or(title).unwrap_or_else(|| ran.name.clone());
                    out.push_str(&format!("**{}**\n\n", plain(&caption)));
                    out.push_str(&section(report, ran)?);
                }
            }
        }
    }
    Ok(format!("{}\n", out.trim_end()))
}

/// Text on one line that renders as itself.
fn plain(text: &str) -> String {
    let mut out = String::new();
    escape_markdown(&escape_terminal(text), &mut out);
    out
}

fn facts_of(part: &Part) -> String {
    let projects = part.project.clone().unwrap_or_else(|| part.data.said_projects());
    let window = part.data.window.as_ref().map(|(from, to)| format!(", {from} to {to}")).unwrap_or_default();
    let of = if projects.is_empty() { String::new() } else { format!(" of {}", clip(&projects)) };
    format!("{} spans{of} in {}{}", readable(&part.data.spans.to_string()), clip(&part.store), clip(&window))
}

fn summary(report: &Filled) -> String {
    let mut out = String::new();
    for ran in report.parts.iter().flat_map(|part| &part.blocks) {
        if ran.error.is_some() {
            out.push_str(&format!("- {} failed\n", plain(&ran.name)));
        }
        for outcome in ran.outcomes.iter().filter(|outcome| !outcome.held) {
            let (text, found) = (plain(&outcome.expectation), plain(&outcome.found));
            out.push_str(&format!("- {}: expected {text}, found {found}\n", plain(&ran.name)));
        }
    }
    if out.is_empty() { out } else { format!("**Not everything is as expected.**\n\n{out}\n") }
}

fn section(report: &Filled, ran: &Ran) -> Result<String, Error> {
    let mut out = String::new();
    if let Some(error) = &ran.error {
        let error = error.to_string();
        let lines: Vec<String> = error.lines().map(plain).collect();
        out.push_str(&format!("> **Failed:** {}\n\n", lines.join("<br>")));
    } else if ran.rows == 0 {
        out.push_str("No rows.\n\n");
    } else {
        let histogram = ran.chart.as_ref().filter(|chart| !chart.ranges.is_empty());
        if let Some(chart) = histogram {
            out.push_str(&format!("| {} | rows |\n| --- | ---: |\n", plain(&chart.of)));
            for (range, count) in &chart.ranges {
                out.push_str(&format!("| {range} | {count} |\n"));
            }
        } else {
            let mut table = Vec::new();
            let options = Options { zone: report.zone, ..Options::default() };
            let mut writer = ResultWriter::new(&mut table, Format::Md, ran.shown.schema(), options)?;
            writer.write(&ran.shown)?;
            writer.finish()?;
            out.push_str(&String::from_utf8_lossy(&table));
        }
        out.push('\n');
    }
    for outcome in &ran.outcomes {
        let text = plain(&outcome.expectation);
        match outcome.held {
            true => out.push_str(&format!("- held: {text}\n")),
            false => out.push_str(&format!("- **did not hold**: {text}, found {}\n", plain(&outcome.found))),
        }
    }
    if !ran.outcomes.is_empty() {
        out.push('\n');
    }
    let notes = report.notes(ran);
    if !notes.is_empty() {
        out.push_str(&format!("{}.\n\n", plain(&notes.join("; "))));
    }
    Ok(out)
}

/// The author's Markdown with values as plain text in it.
fn filled_in(markdown: &str, value: impl Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(markdown.len());
    let mut at = 0;
    for (range, _) in texts(markdown) {
        let source = &markdown[range.clone()];
        // Nothing can be escaped inside a span of code but the mark that ends it.
        let in_code = source.starts_with('`');
        let mut inner_at = 0;
        let mut inner = String::new();
        for (place, name) in places(source) {
            let before = &source[inner_at..place.start];
            let value = value(name);
            if in_code {
                inner.push_str(before);
            } else {
                inner.push_str(&unlinked(before));
                disarm(&mut inner);
            }
            if in_code {
                inner.push_str(&escape_terminal(&value).replace('`', "'"));
            } else {
                let begins = inner.rsplit('\n').next().is_some_and(|line| line.trim().is_empty())
                    && (inner.contains('\n') || range.start == 0 || markdown[..range.start].ends_with('\n'));
                inner.push_str(&if begins { as_paragraph(&plain(&value)) } else { plain(&value) });
            }
            inner_at = place.end;
        }
        inner.push_str(&source[inner_at..]);
        out.push_str(&markdown[at..range.start]);
        out.push_str(&inner);
        at = range.end;
    }
    out.push_str(&markdown[at..]);
    out
}

/// Takes the power from what stands before a value and would make an address of it: `[x](`, `[x]:`, and `<`.
fn disarm(before: &mut String) {
    let bare = before.trim_end().trim_end_matches('<').trim_end();
    let at = bare.len();
    let opens = before[at..].contains('<');
    if bare.ends_with("](") || bare.ends_with("]:") {
        before.insert(at - 1, '\\');
    }
    if opens {
        *before = before.replace('<', "&lt;");
    }
}

/// Text before a value whose last word and the value are no address together. It may hold escapes of its author's.
fn unlinked(before: &str) -> String {
    let (others, word) = before.split_at(before.rfind(char::is_whitespace).unwrap_or_default());
    let word = word.replace("://", "&#58;//").replace("www.", "www&#46;").replace('@', "@<!-- -->");
    format!("{others}{word}")
}

/// A value at the beginning of a line that makes no heading, list or rule of it.
fn as_paragraph(value: &str) -> String {
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    match value.as_bytes().get(digits) {
        Some(b'.' | b')') if digits > 0 => format!("{}\\{}", &value[..digits], &value[digits..]),
        Some(b'#' | b'-' | b'+' | b'=' | b':') if digits == 0 => format!("\\{value}"),
        _ => value.trim_start().to_owned(),
    }
}

/// The title is the only heading of the first level; below parts, headings lie one deeper.
fn lowered(markdown: &str, below: bool) -> String {
    let mut in_code = false;
    let line = |line: &str| {
        if line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~") {
            in_code = !in_code;
        }
        let level = line.bytes().take_while(|byte| *byte == b'#').count();
        let heading = !in_code && (1..=5).contains(&level) && line[level..].starts_with(' ');
        if heading && (below || level == 1) { format!("#{line}") } else { line.to_owned() }
    };
    markdown.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_text() {
        let value = |name: &str| match name {
            "a.b" => "<b> **x** [y](z) `q` | \u{1b}[0m\n# h".to_owned(),
            _ => String::new(),
        };
        assert_eq!(filled_in("Of {{ a.b }}.", value), r"Of &lt;b&gt; \*\*x\*\* \[y\](z) \`q\` \| \\u{1b}\[0m\\n# h.");
        assert_eq!(filled_in("`{{ a.b }}`", value), "`<b> **x** [y](z) 'q' | \\u{1b}[0m\\n# h`");
        let address = |_: &str| "https://evil.example".to_owned();
        for (source, filled) in [
            ("{{ a.b }}", r"https\://evil.example"),
            ("https://a. www.b\nwww.{{ a.b }}", "https://a. www.b\nwww&#46;https\\://evil.example"),
            ("a ftp://x@{{ a.b }}", r"a ftp&#58;//x@<!-- -->https\://evil.example"),
            ("[x]({{ a.b }})", r"[x]\(https\://evil.example)"),
            ("[x](<{{ a.b }}>)", "[x](<{{ a.b }}>)"),
            ("<{{ a.b }}>", r"&lt;https\://evil.example>"),
            ("[x]: {{ a.b }}", r"[x]\: https\://evil.example"),
        ] {
            assert_eq!(filled_in(source, address), filled, "a value leads nowhere");
        }
        for (text, filled) in [("# h", r"\# h"), ("- l", r"\- l"), ("1. l", r"1\. l"), ("===", r"\==="), ("12", "12")] {
            assert_eq!(filled_in("a\n\n{{ a.b }}", |_: &str| text.to_owned()), format!("a\n\n{filled}"));
        }
        assert_eq!(filled_in("```\n{{ a.b }}\n```", value), "```\n{{ a.b }}\n```");
    }

    #[test]
    fn headings_are_below_the_title() {
        assert_eq!(lowered("# a\n## b\n```\n# c\n```", false), "## a\n## b\n```\n# c\n```");
        assert_eq!(lowered("# a\n## b", true), "## a\n### b");
    }
}
