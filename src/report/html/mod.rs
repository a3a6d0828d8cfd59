//! A report as one HTML page that needs nothing else: no network, no script.

mod escape;
mod prose;
mod table;
#[cfg(test)]
mod tests;

use std::fmt::Write;

use escape::escape;
use prose::Heading;

use super::block::{Block, statement};
use super::chart::{Chart, draw};
use super::document::Piece;
use super::filled::{Filled, Part, clip, is_null, readable};
use super::run::Ran;
use super::values::fill;

/// Headings from which on there is a table of contents.
const CONTENTS: usize = 4;

/// What the page may load: nothing. Its style is its own.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The page.
pub fn write_html(report: &Filled) -> String {
    let mut headings = vec![];
    let mut body = String::new();
    let several = report.parts.len() > 1;
    for (at, part) in report.parts.iter().enumerate() {
        let prefix = if several { format!("p{}-", at + 1) } else { String::new() };
        if several {
            let heading = Heading { id: format!("{prefix}part"), text: part.heading(), level: 0 };
            push(&mut body, format_args!("<h2 class=\"part\" id=\"{}\">{}</h2>\n", heading.id, escape(&heading.text)));
            headings.push(heading);
            body.push_str(&facts_of(part));
        }
        body.push_str(&said_incomplete(part));
        for piece in &report.document.pieces {
            match piece {
                Piece::Prose(text) => {
                    let value = |name: &str| report.value(part, name);
                    let prefix = format!("{prefix}s");
                    body.push_str(&prose::render(text, &value, &prefix, u8::from(several), &mut headings));
                }
                Piece::Block(block) => {
                    if let Some(ran) = part.block(&block.name) {
                        body.push_str(&section(report, part, block, ran, &prefix));
                    }
                }
            }
        }
    }
    let title = report.title();
    let title = escape(&title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta name=\"generator\" content=\"spanql {version}\">\n<title>{title}</title>\n<style>\n{style}</style>\n\
         </head>\n<body>\n<header>\n<h1>{title}</h1>\n{head}</header>\n{summary}{contents}<main>\n{body}</main>\n\
         <footer><p>{document}, by spanql {version}, {generated}</p></footer>\n</body>\n</html>\n",
        version = env!("CARGO_PKG_VERSION"),
        style = style(),
        head = head(report),
        summary = summary(report),
        contents = contents(&headings, several),
        document = escape(&format!("Report {}", report.document.name)),
        generated = escape(&report.said_generated()),
    )
}

/// Appends formatted text; writing into a string cannot fail.
fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    _ = out.write_fmt(text);
}

/// The style, with the colours of charts, which are told by their values in the drawings.
fn style() -> String {
    let colors = || draw::SERIES.iter().chain(&draw::HEAT);
    let fixed = [draw::INK, draw::ROWS_INK, draw::GRID, draw::PAPER, draw::ON_FEW, draw::ON_MANY];
    let mut out = String::from(":root {");
    for (name, (r, g, b)) in colors() {
        push(&mut out, format_args!(" --{name}: #{r:02X}{g:02X}{b:02X};"));
    }
    out.push_str(" }\n");
    out.push_str(include_str!("style.css"));
    for (name, (r, g, b)) in colors().chain(&fixed) {
        for what in ["fill", "stroke"] {
            push(&mut out, format_args!("svg [{what}=\"#{r:02X}{g:02X}{b:02X}\"] {{ {what}: var(--{name}); }}\n"));
        }
    }
    out
}

fn head(report: &Filled) -> String {
    let mut out = String::new();
    if let (Some(text), Some(part)) = (&report.document.description, report.parts.first()) {
        let text = fill(text, |name| report.value(part, name));
        push(&mut out, format_args!("<p class=\"lead\">{}</p>\n", escape(&text)));
    }
    if let [part] = report.parts.as_slice() {
        out.push_str(&facts_of(part));
    }
    let mut facts = vec![("Generated", report.said_generated())];
    let given = report.params.iter().filter(|(_, value)| !is_null(value));
    facts.extend(given.map(|(name, value)| (name.as_str(), report.said_param(value))));
    out.push_str(&facts_list(&facts));
    out
}

/// What a part is about.
fn facts_of(part: &Part) -> String {
    let mut facts = vec![("Store", part.store.clone())];
    let projects = part.project.clone().unwrap_or_else(|| part.data.said_projects());
    if !projects.is_empty() {
        facts.push((
            if part.project.is_some() || part.data.projects.len() == 1 { "Project" } else { "Projects" },
            projects,
        ));
    }
    facts.push(("Spans", readable(&part.data.spans.to_string())));
    if let Some((from, to)) = &part.data.window {
        facts.push(("Time", format!("{from} to {to}")));
    }
    facts_list(&facts)
}

fn facts_list(facts: &[(&str, String)]) -> String {
    let mut out = String::from("<dl class=\"facts\">");
    for (name, value) in facts {
        push(&mut out, format_args!("<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(&clip(value))));
    }
    out.push_str("</dl>\n");
    out
}

fn said_incomplete(part: &Part) -> String {
    if part.data.spans == 0 {
        return "<p class=\"notice\">There are no spans here: all results are empty.</p>\n".to_owned();
    }
    if part.incomplete.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "<div class=\"notice bad\" role=\"note\"><p><strong>This report rests on incomplete data.</strong></p>\n<ul>\n",
    );
    for line in &part.incomplete {
        push(&mut out, format_args!("<li>{}</li>\n", escape(&clip(line))));
    }
    out.push_str("</ul></div>\n");
    out
}

/// What did not go well, or that all did.
fn summary(report: &Filled) -> String {
    let several = report.parts.len() > 1;
    let mut items = String::new();
    let (mut expectations, mut blocks) = (0, 0);
    for (at, part) in report.parts.iter().enumerate() {
        let prefix = if several { format!("p{}-", at + 1) } else { String::new() };
        for ran in &part.blocks {
            blocks += 1;
            expectations += ran.outcomes.len();
            let link = format!("<a href=\"#{prefix}b-{0}\">{0}</a>", escape(&ran.name));
            let of = if several { format!(" ({})", escape(&part.heading())) } else { String::new() };
            if ran.error.is_some() {
                push(&mut items, format_args!("<li>{link}{of} failed</li>\n"));
            }
            for outcome in ran.outcomes.iter().filter(|outcome| !outcome.held) {
                let (text, found) = (escape(&outcome.expectation), escape(&outcome.found));
                push(&mut items, format_args!("<li>{link}{of}: expected <code>{text}</code>, found {found}</li>\n"));
            }
        }
    }
    if !items.is_empty() {
        return format!(
            "<div class=\"notice bad\" role=\"note\"><p><strong>Not everything is as expected.</strong></p>\n<ul>\n{items}</ul></div>\n"
        );
    }
    let counted = |count: usize, thing: &str| format!("{count} {thing}{}", if count == 1 { "" } else { "s" });
    match expectations {
        0 => String::new(),
        _ => format!(
            "<p class=\"badges\"><span class=\"badge ok\">✓ {} held in {}</span></p>\n",
            counted(expectations, "expectation"),
            counted(blocks, "block")
        ),
    }
}

fn contents(headings: &[Heading], several: bool) -> String {
    let least = headings.iter().map(|heading| heading.level.max(2)).min().unwrap_or(2);
    let listed: Vec<&Heading> = headings
        .iter()
        .filter(|heading| if several { heading.level == 0 } else { heading.level.max(2) == least })
        .collect();
    if listed.len() < CONTENTS && !several {
        return String::new();
    }
    let mut out = String::from("<nav aria-label=\"Contents\"><ol>\n");
    for heading in listed {
        push(&mut out, format_args!("<li><a href=\"#{}\">{}</a></li>\n", heading.id, escape(&heading.text)));
    }
    out.push_str("</ol></nav>\n");
    out
}

/// A block: drawing, table, badges, what was cut.
fn section(report: &Filled, part: &Part, block: &Block, ran: &Ran, prefix: &str) -> String {
    let name = escape(&ran.name);
    let mut out = format!("<section class=\"block\" id=\"{prefix}b-{name}\" aria-label=\"{name}\">\n");
    let caption = block.caption.as_deref().map(|text| fill(text, |name| report.value(part, name)));
    let title = ran.chart.as_ref().and_then(|chart| chart.title.clone());
    let caption = caption.or(title).unwrap_or_else(|| ran.name.clone());
    if let Some(error) = &ran.error {
        push(
            &mut out,
            format_args!(
                "<div class=\"notice bad\" role=\"note\"><p><strong>{name} failed.</strong></p><pre>{}</pre></div>\n",
                error.to_string().lines().map(escape).collect::<Vec<_>>().join("\n")
            ),
        );
    } else {
        out.push_str(&result(report, ran, &caption, &format!("{prefix}c-{name}")));
    }
    out.push_str(&badges(ran));
    let notes = report.notes(ran);
    if !notes.is_empty() {
        let notes = notes.iter().map(|note| escape(note)).collect::<Vec<_>>().join("; ");
        push(&mut out, format_args!("<p class=\"note\">{notes}.</p>\n"));
    }
    let sql = statement(&block.sql).lines().map(escape).collect::<Vec<_>>().join("\n");
    push(
        &mut out,
        format_args!("<details class=\"sql\"><summary>SQL</summary><pre><code>{sql}</code></pre></details>\n"),
    );
    out.push_str("</section>\n");
    out
}

fn result(report: &Filled, ran: &Ran, caption: &str, id: &str) -> String {
    if ran.rows == 0 {
        return format!("<p class=\"caption\">{}</p>\n<p class=\"empty\">No rows.</p>\n", escape(caption));
    }
    let table = match &ran.chart {
        Some(Chart { ranges, of, .. }) if !ranges.is_empty() => Ok(table::ranges(ranges, caption, of)),
        _ => table::table(ran, caption, report.zone),
    };
    let table = table.unwrap_or_else(|error| format!("<p class=\"notice bad\">{}</p>\n", escape(&error.to_string())));
    let Some(chart) = &ran.chart else { return table };
    let Some(svg) = &chart.svg else {
        let notes = chart.notes.iter().map(|note| escape(note)).collect::<Vec<_>>().join("; ");
        return format!("{table}<p class=\"note\">Not drawn: {notes}.</p>\n");
    };
    let title = chart.title.as_deref().unwrap_or(caption);
    let mut out = format!("<figure>\n<figcaption>{}</figcaption>\n", escape(title));
    if !chart.legend.is_empty() {
        out.push_str("<ul class=\"legend\">");
        for (name, (color, _)) in chart.legend.iter().zip(&draw::SERIES) {
            push(&mut out, format_args!("<li><i class=\"{color}\"></i>{}</li>", escape(name)));
        }
        out.push_str("</ul>\n");
    }
    push(
        &mut out,
        format_args!("<div class=\"drawing\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">", escape(title)),
    );
    out.push_str(&accessible(svg, title, &chart.description, id));
    out.push_str("</div>\n");
    for note in &chart.notes {
        push(&mut out, format_args!("<p class=\"note\">{}.</p>\n", escape(&capital(note))));
    }
    // The table says what it is only where the drawing does not.
    let class = if title == caption { " same" } else { "" };
    let rows = if chart.ranges.is_empty() { ran.rows } else { chart.ranges.len() as u64 };
    let counted = format!("{} row{}", readable(&rows.to_string()), if rows == 1 { "" } else { "s" });
    push(
        &mut out,
        format_args!(
            "<details class=\"data{class}\"><summary>Table, {counted}</summary>\n{table}</details>\n</figure>\n"
        ),
    );
    out
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// A drawing that says what it is.
fn accessible(svg: &str, title: &str, description: &str, id: &str) -> String {
    let Some((opening, rest)) = svg.split_once('>') else { return String::new() };
    // The drawing is as wide as the page lets it be.
    let view = opening
        .split_once("viewBox=\"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .map_or("0 0 760 280", |(view, _)| view);
    format!(
        "<svg viewBox=\"{view}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\"><title id=\"{id}-t\">{}</title>\
         <desc id=\"{id}-d\">{}</desc>{rest}",
        escape(title),
        escape(description)
    )
}

fn badges(ran: &Ran) -> String {
    if ran.outcomes.is_empty() {
        return String::new();
    }
    let mut out = String::from("<p class=\"badges\">");
    for outcome in &ran.outcomes {
        let text = escape(&outcome.expectation);
        match outcome.held {
            true => push(&mut out, format_args!("<span class=\"badge ok\">✓ {text}</span> ")),
            false => {
                let found = escape(&outcome.found);
                push(&mut out, format_args!("<span class=\"badge bad\">✗ expected {text}, found {found}</span> "));
            }
        }
    }
    out.push_str("</p>\n");
    out
}
