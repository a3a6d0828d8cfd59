//! A block of a report: a statement with its name, chart, caption and expectations.

use super::chart::ChartSpec;
use super::error::ReportError;
use super::expect::Expectation;
use super::saved::{Origin, Saved};
use spanql_model::nearest::nearest;

/// Settings of a block.
const SETTINGS: [&str; 4] = ["name", "chart", "expect", "caption"];

/// A statement of a report.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// Its name, of which there is one in a report.
    pub name: String,
    /// The statement.
    pub sql: String,
    /// The line of the report that the statement begins in, counted from 1.
    pub line: usize,
    /// How it is drawn.
    pub chart: Option<ChartSpec>,
    /// What is expected of its result.
    pub expectations: Vec<Expectation>,
    /// What stands above its result; values may stand in it.
    pub caption: Option<String>,
}

/// A block as it stands in a report.
pub(super) struct Fenced<'a> {
    /// What stands behind its fence.
    pub(super) settings: &'a str,
    /// Its statement.
    pub(super) sql: &'a str,
    /// The line of the fence.
    pub(super) line: usize,
    /// Which block of the report it is, counted from 1.
    pub(super) number: usize,
}

/// Reads a block of a report of this origin; `wrong` is an error in a line of it.
pub(super) fn read(
    Fenced { settings, sql, line, number }: Fenced<'_>,
    origin: &Origin,
    wrong: impl Fn(usize, String, Option<String>) -> ReportError,
) -> Result<Block, ReportError> {
    let words =
        shlex::split(settings).ok_or_else(|| wrong(line, format!("a quote is not closed in '{settings}'"), None))?;
    let (mut name, mut chart, mut caption) = (None, None, None);
    let mut expectations = vec![];
    for word in words {
        let Some((key, value)) = word.split_once('=') else {
            return Err(wrong(line, format!("'{word}' is no setting of a block: write name=value"), None));
        };
        let place = match key {
            "name" => &mut name,
            "chart" => &mut chart,
            "caption" => &mut caption,
            "expect" => {
                expectations.push(Expectation::parse(value).map_err(|reason| wrong(line, reason, None))?);
                continue;
            }
            _ => {
                let near = nearest(key, SETTINGS).map(str::to_owned);
                return Err(wrong(line, format!("a block has no setting '{key}'"), near));
            }
        };
        if place.replace(value.to_owned()).is_some() {
            return Err(wrong(line, format!("{key} is given twice"), None));
        }
    }
    // What is written above the statement is that of a saved query, and a caption.
    let saved = Saved::parse(sql, "", origin.clone()).map_err(|error| match error {
        ReportError::Header { line: at, reason, suggestion, .. } => wrong(line + at, reason, suggestion),
        other => other,
    })?;
    if let Some(parameter) = saved.params.first() {
        let reason = format!("the parameter {}: parameters of a report stand in its front matter", parameter.name);
        return Err(wrong(line + 1, reason, None));
    }
    for (at, comment) in comments(sql) {
        let said = comment.strip_prefix("caption:").map(|text| text.trim().to_owned());
        if let Some(said) = said
            && caption.replace(said).is_some()
        {
            return Err(wrong(line + at, "the caption is given twice".into(), None));
        }
    }
    for (here, above, what) in
        [(&mut name, Some(saved.name).filter(|name| !name.is_empty()), "name"), (&mut chart, saved.chart, "chart")]
    {
        if let Some(above) = above
            && here.replace(above).is_some()
        {
            return Err(wrong(line, format!("the {what} is given twice"), None));
        }
    }
    expectations.extend(saved.expectations);
    let name = name.unwrap_or_else(|| format!("block-{number}"));
    // It becomes the name of a file.
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    if name.is_empty() || name.chars().count() > 100 || !name.chars().all(plain) {
        return Err(wrong(line, format!("'{name}' is no name: use letters, digits, - and _"), None));
    }
    let chart = chart.as_deref().map(ChartSpec::parse).transpose().map_err(|reason| wrong(line, reason, None))?;
    if saved.sql.trim().is_empty() {
        return Err(wrong(line, format!("the block {name} has no statement"), None));
    }
    Ok(Block { name, sql: sql.to_owned(), line: line + 1, chart, expectations, caption })
}

/// What follows `sql` in the line of a fence.
pub(super) fn settings_of(info: &str) -> Option<&str> {
    let (language, settings) = info.trim().split_once(char::is_whitespace).unwrap_or((info.trim(), ""));
    language.eq_ignore_ascii_case("sql").then_some(settings)
}

/// The lines between a fence and the one that closes it.
pub(super) fn inside_fence(source: &str) -> Option<&str> {
    let (opening, rest) = source.split_once('\n')?;
    let mark = opening.trim_start().chars().next()?;
    let length = opening.trim_start().chars().take_while(|c| *c == mark).count();
    let rest = rest.trim_end_matches('\n');
    let (sql, closing) = rest.rsplit_once('\n').map_or(("", rest), |(sql, closing)| (sql, closing));
    let closing = closing.trim();
    (closing.len() >= length && closing.chars().all(|c| c == mark)).then_some(sql)
}

/// The leading lines that are comments, each with its place, counted from 1.
fn comments(sql: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = sql.lines().map(str::trim).enumerate();
    lines
        .take_while(|(_, line)| line.is_empty() || line.starts_with("--"))
        .filter_map(|(at, line)| Some((at + 1, line.strip_prefix("--")?.trim())))
}

/// A statement without the comments at its top.
pub(crate) fn statement(sql: &str) -> &str {
    let mut rest = sql.trim();
    while rest.starts_with("--") {
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest).trim_start();
    }
    rest
}
