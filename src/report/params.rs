//! Parameters that are declared with a type: `NAME TYPE [= default] [description]`, and the values that are given.

use std::fmt;

use super::error::ReportError;
use spanql_engine::{Param, ParamType, Params};
use spanql_model::nearest::nearest;
use spanql_model::time::{self, Clock, TimeError};

/// The type of a declared parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `text`
    Text,
    /// `int`: a whole number of 64 bits.
    Int,
    /// `float`: a finite number.
    Float,
    /// `bool`: true, false, yes or no.
    Bool,
    /// `time`: ISO 8601 (UTC without an offset), `now`, `today`, `yesterday`, or an age such as `7d`, or `last-7d` back from
    /// the end of the data.
    Time,
    /// `text[]`: separated by commas; one that holds a comma stands in single quotes.
    Texts,
    /// `int[]`: separated by commas.
    Ints,
    /// `float[]`: separated by commas.
    Floats,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 8] =
        [Self::Text, Self::Int, Self::Float, Self::Bool, Self::Time, Self::Texts, Self::Ints, Self::Floats];

    /// The word that stands for it in a file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Int => "int",
            Self::Float => "float",
            Self::Bool => "bool",
            Self::Time => "time",
            Self::Texts => "text[]",
            Self::Ints => "int[]",
            Self::Floats => "float[]",
        }
    }

    /// What a list of it has for elements; `None` if it is no list.
    fn element(self) -> Option<Self> {
        match self {
            Self::Texts => Some(Self::Text),
            Self::Ints => Some(Self::Int),
            Self::Floats => Some(Self::Float),
            _ => None,
        }
    }

    fn param_type(self) -> ParamType {
        match self {
            Self::Text | Self::Texts => ParamType::Text,
            Self::Int | Self::Ints => ParamType::Int,
            Self::Float | Self::Floats => ParamType::Float,
            Self::Bool => ParamType::Boolean,
            Self::Time => ParamType::Time,
        }
    }

    fn null(self) -> Param {
        match self.element() {
            Some(_) => Param::NullList(self.param_type()),
            None => Param::NullOf(self.param_type()),
        }
    }

    /// Reads a value as a person types it; the error says what is understood.
    fn read(self, text: &str, clock: &Clock) -> Result<Param, String> {
        if let Some(element) = self.element() {
            let items = split_list(text)?;
            let items = items.iter().map(|item| element.read(item, clock)).collect::<Result<_, _>>()?;
            return Ok(Param::List(self.param_type(), items));
        }
        let word = text.trim();
        // A text may be the word itself.
        if word == NULL && self != Self::Text {
            return Ok(self.null());
        }
        let wanted = match self {
            Self::Text => return Ok(Param::Text(text.to_owned())),
            Self::Int => match word.parse() {
                Ok(int) => return Ok(Param::Int(int)),
                Err(_) => "a whole number such as 20",
            },
            Self::Float => match word.parse::<f64>() {
                Ok(float) if float.is_finite() => return Ok(Param::Float(float)),
                _ => "a number such as 0.5 or 1e3",
            },
            Self::Bool => match word.to_lowercase().as_str() {
                "true" | "yes" => return Ok(Param::Boolean(true)),
                "false" | "no" => return Ok(Param::Boolean(false)),
                _ => "true, false, yes or no",
            },
            _ => match time::typed(word, clock) {
                Ok(nanos) => return Ok(Param::Time(nanos)),
                Err(error @ TimeError::NoData) => return Err(format!("'{}' {error}", shortened(text))),
                Err(_) => {
                    "a time such as 2026-11-01, 2026-11-01T12:00:00+01:00, now, today, yesterday, or an age back \
                     from now such as 7d, 24h, 90m or 2w, or back from the end of the data such as last-7d"
                }
            },
        };
        Err(format!("'{}' is not {wanted}", shortened(text)))
    }
}

impl std::str::FromStr for Kind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.word() == word).ok_or_else(|| {
            let words = Self::ALL.map(Self::word);
            let near = nearest(word, words).map(|near| format!("; did you mean {near}?"));
            let help = near.unwrap_or_else(|| format!("; use one of {}", words.join(", ")));
            format!("there is no type {}{help}", shortened(word))
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The default that is no value.
const NULL: &str = "null";

/// Characters of a value that an error shows.
const SHOWN: usize = 60;

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The elements of a list: between commas, without the blanks around them; `'…'` with `''` for `'` is taken as it is.
fn split_list(text: &str) -> Result<Vec<String>, String> {
    let mut items = Vec::new();
    let mut rest = text.trim();
    if rest.is_empty() {
        return Ok(items);
    }
    loop {
        let (item, after) = if rest.starts_with('\'') {
            let (item, after) = quoted(rest)?;
            let after = after.trim_start();
            if !after.is_empty() && !after.starts_with(',') {
                return Err(format!("a comma is missing before '{}'", shortened(after)));
            }
            (item, after)
        } else {
            let (item, after) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
            if item.trim().is_empty() {
                return Err("an element of the list is empty; write '' for an empty text".to_owned());
            }
            (item.trim().to_owned(), after)
        };
        items.push(item);
        match after.strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None => return Ok(items),
        }
    }
}

/// A text in single quotes at the beginning, in which `''` is a quote, and what follows it.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut rest = text.get(1..).unwrap_or_default();
    while let Some((part, after)) = rest.split_once('\'') {
        value.push_str(part);
        match after.strip_prefix('\'') {
            Some(more) => {
                value.push('\'');
                rest = more;
            }
            None => return Ok((value, after)),
        }
    }
    Err(format!("the quote of {} is never closed; a quote inside is written ''", shortened(text)))
}

/// A parameter that a query says it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Its name, without `$`.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// What it is when it is not given, as it was written: one word, `'quoted text'`, or `null`.
    pub default: Option<String>,
    /// What it is for.
    pub description: Option<String>,
}

impl Declared {
    /// Reads `NAME TYPE [= default] [description]`; the default is one word, `'quoted text'`, or `null`.
    ///
    /// # Errors
    ///
    /// When it is not of that shape, there is no such type, or the default does not fit the type; in words for the one
    /// who wrote it.
    pub fn parse(text: &str) -> Result<Self, String> {
        const SHAPE: &str = "write NAME TYPE [= default] [description]";
        let text = text.trim();
        let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let name = name.trim_start_matches('$');
        let word = name.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        if !word {
            return Err(match name {
                "" => format!("a parameter has no name; {SHAPE}"),
                _ => format!("'{}' is no name of a parameter: use letters, digits and _; {SHAPE}", shortened(name)),
            });
        }
        let rest = rest.trim_start();
        let (kind, rest) = rest.split_at(rest.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(rest.len()));
        if kind.is_empty() {
            return Err(format!("the parameter {name} has no type; {SHAPE}"));
        }
        let kind: Kind = kind.parse().map_err(|error| format!("the parameter {name}: {error}"))?;
        let rest = rest.trim_start();
        let (default, description) = match rest.strip_prefix('=').map(str::trim_start) {
            None => (None, rest),
            Some("") => return Err(format!("the parameter {name}: nothing follows the =; '' is an empty text")),
            Some(rest) => {
                let end = if rest.starts_with('\'') {
                    let (_, after) = quoted(rest).map_err(|error| format!("the parameter {name}: {error}"))?;
                    rest.len() - after.len()
                } else {
                    rest.find(char::is_whitespace).unwrap_or(rest.len())
                };
                let (default, description) = rest.split_at(end);
                (Some(default.to_owned()), description.trim())
            }
        };
        let description = Some(description.trim().to_owned()).filter(|text| !text.is_empty());
        let declared = Self { name: name.to_owned(), kind, default, description };
        // Where the data ends is known when the query runs.
        let clock = Clock::now(None);
        let clock = Clock { data_end: Some(clock.now), ..clock };
        declared.default_value(&clock).map_err(|error| format!("the default of {name}: {error}"))?;
        Ok(declared)
    }

    /// The value when none is given; `None` if one must be.
    fn default_value(&self, clock: &Clock) -> Result<Option<Param>, String> {
        let Some(written) = &self.default else { return Ok(None) };
        if written == NULL {
            return Ok(Some(self.kind.null()));
        }
        match quoted(written) {
            Ok((text, "")) if written.starts_with('\'') => self.kind.read(&text, clock),
            _ => self.kind.read(written, clock),
        }
        .map(Some)
    }
}

/// `NAME TYPE [= default]`
impl fmt::Display for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.kind)?;
        match &self.default {
            Some(default) => write!(f, " = {default}"),
            None => Ok(()),
        }
    }
}

/// Typed values for all declared parameters, and for no others.
///
/// `given` are names and values as typed. Of several values for one name the last one counts, but those of a list add up.
/// Times count from the `clock`, the same for all parameters.
///
/// # Errors
///
/// For a name that is not declared, with the nearest; a value that its type does not understand; and when parameters
/// without a default are not given, with all of these.
pub fn bind(declared: &[Declared], given: &[(String, String)], clock: &Clock) -> Result<Params, ReportError> {
    if let Some((name, _)) = given.iter().find(|(name, _)| declared.iter().all(|known| known.name != *name)) {
        let names: Vec<&str> = declared.iter().map(|known| known.name.as_str()).collect();
        let known = match names.as_slice() {
            [] => "it takes none".to_owned(),
            names => format!("it takes {}", names.join(", ")),
        };
        let suggestion = nearest(name, names).map(str::to_owned);
        return Err(ReportError::UnknownParameter { name: shortened(name), known, suggestion });
    }
    let mut params = Params::new();
    let mut needed = Vec::new();
    for parameter in declared {
        let bad = |reason| ReportError::BadValue { name: parameter.name.clone(), reason };
        let mut value = None;
        for (_, text) in given.iter().filter(|(name, _)| *name == parameter.name) {
            let next = parameter.kind.read(text, clock).map_err(bad)?;
            value = Some(match (value, next) {
                (Some(Param::List(of, mut items)), Param::List(_, more)) => {
                    items.extend(more);
                    Param::List(of, items)
                }
                (_, next) => next,
            });
        }
        match value {
            Some(value) => params.insert(parameter.name.clone(), value),
            None => match parameter.default_value(clock).map_err(bad)? {
                Some(value) => params.insert(parameter.name.clone(), value),
                None => {
                    let what = match &parameter.description {
                        Some(description) => format!("{}: {description}", parameter.kind),
                        None => parameter.kind.to_string(),
                    };
                    needed.push(format!("{}=… ({what})", parameter.name));
                    None
                }
            },
        };
    }
    if needed.is_empty() { Ok(params) } else { Err(ReportError::MissingParameters { needed }) }
}
