//! A saved query: SQL whose leading comments say what it is for, what it takes and what it expects.

use std::path::{Path, PathBuf};

use super::error::ReportError;
use super::expect::Expectation;
use super::params::{Declared, Kind};

/// Where a saved query is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file.
    File(PathBuf),
    /// Compiled into the program.
    BuiltIn,
}

/// A saved query.
///
/// ```
/// use spanql::report::{Origin, Saved};
///
/// let text = "\
/// -- name: slow-steps
/// -- description: Steps that took longer than they should
/// -- param ms float = 1000 How long is too long
/// -- expect rows < 100
/// SELECT name, latency_ms FROM spans WHERE latency_ms > $ms";
/// let saved = Saved::parse(text, "a file's stem", Origin::File("queries/slow-steps.sql".into()))?;
/// assert_eq!(saved.name, "slow-steps");
/// assert_eq!(saved.params[0].to_string(), "ms float = 1000");
/// # Ok::<(), spanql::report::ReportError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Saved {
    /// What it is called.
    pub name: String,
    /// What it answers, in one line.
    pub description: Option<String>,
    /// What it takes, in the order they are declared.
    pub params: Vec<Declared>,
    /// What it expects of the result of its last statement.
    pub expectations: Vec<Expectation>,
    /// How that result is drawn, as it was written: `bar x=model y=cost`.
    pub chart: Option<String>,
    /// The whole text, comments included, so that places in errors are those of the file.
    pub sql: String,
    /// Where it is from.
    pub origin: Origin,
}

/// What a line of the leading comments says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Directive {
    Name,
    Description,
    Param,
    Expect,
    Chart,
}

impl Directive {
    const ALL: [(&str, Self); 5] = [
        ("name", Self::Name),
        ("description", Self::Description),
        ("param", Self::Param),
        ("expect", Self::Expect),
        ("chart", Self::Chart),
    ];

    /// Whether it needs no colon to be told from prose.
    fn is_known_without_colon(self) -> bool {
        matches!(self, Self::Param | Self::Expect)
    }
}

impl Saved {
    /// Reads the text of a saved query.
    ///
    /// The leading lines that begin with `--` (blank lines between them count too) may be `name: …`, `description: …`,
    /// `param NAME TYPE [= default] [description]`, `expect …` and `chart: …`; any other is a comment.
    ///
    /// # Errors
    ///
    /// For a directive that cannot be read, is there twice, or looks as if one was meant, with its line.
    pub fn parse(text: &str, name_if_none: &str, origin: Origin) -> Result<Self, ReportError> {
        let text = without_mark(text);
        let mut saved = Self {
            name: String::new(),
            description: None,
            params: Vec::new(),
            expectations: Vec::new(),
            chart: None,
            sql: text.to_owned(),
            origin,
        };
        for (at, comment) in leading_comments(text) {
            saved.read(comment).map_err(|Wrong { reason, suggestion }| {
                let place = place(&saved.origin, name_if_none);
                ReportError::Header { place, line: at + 1, reason, suggestion }
            })?;
        }
        if saved.name.is_empty() {
            saved.name = name_if_none.to_owned();
        }
        Ok(saved)
    }

    /// Where it is from, as errors say it: the file, or `built-in query NAME`.
    pub fn place(&self) -> String {
        place(&self.origin, &self.name)
    }

    /// Takes in a line of the leading comments.
    fn read(&mut self, comment: &str) -> Result<(), Wrong> {
        let Some((directive, rest)) = directive(comment)? else { return Ok(()) };
        match directive {
            Directive::Name => {
                if !is_name(rest) {
                    return Err(format!("'{rest}' is no name: use letters, digits, - and _").into());
                }
                once(&mut self.name, rest, String::is_empty, "name")?;
            }
            Directive::Description => {
                let description = self.description.get_or_insert_default();
                once(description, rest, String::is_empty, "description")?;
            }
            Directive::Chart => once(self.chart.get_or_insert_default(), rest, String::is_empty, "chart")?,
            Directive::Param => {
                let declared = Declared::parse(rest)?;
                if self.params.iter().any(|known| known.name == declared.name) {
                    return Err(format!("the parameter {} is there twice", declared.name).into());
                }
                self.params.push(declared);
            }
            Directive::Expect => self.expectations.push(Expectation::parse(rest)?),
        }
        Ok(())
    }
}

/// The text without the mark that some editors put before it: to SQL it is an odd word.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// The comments before the first statement, each with the number of its line from 0.
fn leading_comments(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().map(str::trim).enumerate();
    let leading =
        lines.filter(|(_, line)| !line.is_empty()).map_while(|(at, line)| Some((at, line.strip_prefix("--")?)));
    leading.map(|(at, comment)| (at, comment.trim()))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
}

/// The name that a text gives its query, whatever else is wrong with it.
pub(super) fn declared_name(text: &str) -> Option<String> {
    leading_comments(without_mark(text)).find_map(|(_, comment)| match directive(comment) {
        Ok(Some((Directive::Name, name))) if is_name(name) => Some(name.to_owned()),
        _ => None,
    })
}

fn place(origin: &Origin, name: &str) -> String {
    match origin {
        Origin::File(path) => path.display().to_string(),
        Origin::BuiltIn => format!("built-in query {name}"),
    }
}

/// What is wrong with a line.
struct Wrong {
    reason: String,
    suggestion: Option<String>,
}

impl From<String> for Wrong {
    fn from(reason: String) -> Self {
        Self { reason, suggestion: None }
    }
}

fn once(place: &mut String, text: &str, is_free: impl Fn(&String) -> bool, what: &str) -> Result<(), Wrong> {
    if text.is_empty() {
        return Err(format!("nothing follows {what}:").into());
    }
    if !is_free(place) {
        return Err(format!("there are two lines {what}: …; leave one").into());
    }
    text.clone_into(place);
    Ok(())
}

/// The directive that a comment is, and what follows its word; `None` for a plain comment.
fn directive(comment: &str) -> Result<Option<(Directive, &str)>, Wrong> {
    let (word, rest) = comment.split_at(comment.find(|c: char| c.is_whitespace() || c == ':').unwrap_or(comment.len()));
    let colon = rest.trim_start().starts_with(':');
    let rest = rest.trim_start().trim_start_matches(':').trim();
    if let Some((_, directive)) = Directive::ALL.into_iter().find(|(known, _)| *known == word)
        && (colon || directive.is_known_without_colon())
    {
        return Ok(Some((directive, rest)));
    }
    let lower = word.to_lowercase();
    let edits = |known: &str| strsim::damerau_levenshtein(&lower, known);
    let near = Directive::ALL.into_iter().map(|(known, meant)| (edits(known), known, meant)).min_by_key(|near| near.0);
    let Some((edits, known, meant)) = near.filter(|_| word.len() <= 20) else { return Ok(None) };
    if edits > known.len() / 4 {
        return Ok(None);
    }
    let looks_like_one = colon
        || match meant {
            Directive::Param => rest.split_whitespace().nth(1).is_some_and(|word| word.parse::<Kind>().is_ok()),
            Directive::Expect => Expectation::parse(rest).is_ok(),
            _ => false,
        };
    if !looks_like_one {
        return Ok(None);
    }
    Err(Wrong {
        reason: format!("'{word}' is no directive; did you mean {known}?"),
        suggestion: Some(known.to_owned()),
    })
}

/// The stem of a file's name, which names a query that does not name itself.
pub(super) fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
