//! The author's Markdown as HTML: values are text, markup and images are not let through, links go to web pages or to
//! places of the report.

use pulldown_cmark::{CowStr, Event, HeadingLevel, Parser, Tag, TagEnd, TextMergeStream, html};

use super::escape::escape;
use crate::report::document::MARKDOWN;
use crate::report::values::fill;
use spanql_output::escape_terminal;

/// A heading for the table of contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heading {
    pub(super) id: String,
    pub(super) text: String,
    /// From 1 on, as the author wrote it.
    pub(super) level: u8,
}

/// Renders; headings get ids that begin with `prefix`, and lie `below` so many others.
pub(super) fn render(
    markdown: &str,
    value: &dyn Fn(&str) -> String,
    prefix: &str,
    below: u8,
    headings: &mut Vec<Heading>,
) -> String {
    let mut events: Vec<Event> = vec![];
    let mut in_code = false;
    let mut open_links: Vec<bool> = vec![];
    // Where the heading that is open begins, and its level.
    let mut heading: Option<(usize, u8)> = None;
    let filled = |text: &str| escape_terminal(&fill(text, value)).into_owned();
    for event in TextMergeStream::new(Parser::new_ext(markdown, MARKDOWN)) {
        match event {
            Event::Text(text) if in_code => events.push(Event::Text(keep_lines(&text).into())),
            Event::Text(text) => events.push(Event::Text(filled(&text).into())),
            Event::Code(text) => events.push(Event::Code(filled(&text).into())),
            // Markup of the author's is shown, not obeyed.
            Event::Html(text) | Event::InlineHtml(text) => events.push(Event::Text(filled(text.trim_end()).into())),
            Event::Start(Tag::CodeBlock(kind)) => {
                in_code = true;
                events.push(Event::Start(Tag::CodeBlock(kind)));
            }
            Event::End(TagEnd::CodeBlock) => {
                in_code = false;
                events.push(Event::End(TagEnd::CodeBlock));
            }
            Event::Start(Tag::Link { dest_url, .. }) => {
                let open = link(&dest_url);
                open_links.push(open.is_some());
                events.extend(open.map(|open| Event::InlineHtml(open.into())));
            }
            Event::End(TagEnd::Link) => {
                if open_links.pop() == Some(true) {
                    events.push(Event::InlineHtml("</a>".into()));
                }
            }
            // What is written for those who do not see an image stays.
            Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => {}
            Event::Start(Tag::Table(alignments)) => {
                events.push(Event::Html(SCROLL.into()));
                events.push(Event::Start(Tag::Table(alignments)));
            }
            Event::End(TagEnd::Table) => {
                events.push(Event::End(TagEnd::Table));
                events.push(Event::Html("</div>\n".into()));
            }
            Event::Start(Tag::Heading { level, .. }) => {
                heading = Some((events.len(), level as u8));
                let id = format!("{prefix}{}", headings.len() + 1);
                let level = lowered(level, below);
                let tag = Tag::Heading { level, id: Some(id.into()), classes: vec![], attrs: vec![] };
                events.push(Event::Start(tag));
            }
            Event::End(TagEnd::Heading(level)) => {
                if let Some((from, level)) = heading.take() {
                    let texts = events[from..].iter().filter_map(|event| match event {
                        Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
                        _ => None,
                    });
                    let text = texts.collect();
                    headings.push(Heading { id: format!("{prefix}{}", headings.len() + 1), text, level });
                }
                events.push(Event::End(TagEnd::Heading(lowered(level, below))));
            }
            event => events.push(event),
        }
    }
    let mut out = String::new();
    html::push_html(&mut out, events.into_iter());
    out
}

/// What holds a table that is wider than the page.
const SCROLL: &str = "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table\">\n";

/// Code with its lines, and everything else in it that is hidden made visible.
fn keep_lines(code: &str) -> String {
    code.split('\n').map(escape_terminal).collect::<Vec<_>>().join("\n")
}

/// The title of the page is the only heading of the first level.
fn lowered(level: HeadingLevel, below: u8) -> HeadingLevel {
    let level = (level as u8).max(2) + below;
    [HeadingLevel::H2, HeadingLevel::H3, HeadingLevel::H4, HeadingLevel::H5][usize::from(level.clamp(2, 5) - 2)]
}

/// The opening of a link; none for one that leads elsewhere than to a web page or a place of the report.
fn link(destination: &CowStr) -> Option<String> {
    let lower = destination.trim().to_ascii_lowercase();
    if lower.starts_with("https://") || lower.starts_with("http://") {
        let destination = escape(destination.trim());
        return Some(format!("<a href=\"{destination}\" rel=\"noopener noreferrer nofollow\">"));
    }
    lower.starts_with('#').then(|| format!("<a href=\"{}\">", escape(destination.trim())))
}
