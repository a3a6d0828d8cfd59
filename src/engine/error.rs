//! Errors of the engine: what failed, where, why, and what to do.

use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use datafusion::parquet::errors::ParquetError;
use datafusion::sql::sqlparser::tokenizer::{Location, Span, TokenizerError};

use super::operands::Refused;
use super::wording::{in_our_words, instead, spaced_upper, without_debug};
use spanql_filter::FilterError;
use spanql_filter::compare::UnreadableTime;
use spanql_model::nearest::{as_typed, nearest};
use spanql_sources::SourceError;
use spanql_store::StoreError;

/// What is said of a column that is no key of its aggregation.
const NOT_GROUPED: &str = "is neither grouped nor aggregated";

/// Why a statement was refused or failed.
///
/// `Display` is one text for people: what failed, where (line:column, both from 1), why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub struct EngineError {
    code: &'static str,
    what: String,
    why: Option<Box<str>>,
    help: Option<Box<str>>,
    position: Option<(u64, u64)>,
    suggestion: Option<Box<str>>,
}

impl EngineError {
    /// An error of a kind, and what failed.
    pub fn new(code: &'static str, what: impl Into<String>) -> Self {
        Self { code, what: what.into(), why: None, help: None, position: None, suggestion: None }
    }

    pub(crate) fn why(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into().into());
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into().into());
        self
    }

    pub(crate) fn at(mut self, location: Location) -> Self {
        if location.line > 0 {
            self.position = Some((location.line, location.column));
        }
        self
    }

    pub(crate) fn at_span(self, span: Span) -> Self {
        self.at(span.start)
    }

    /// Offers a name instead of the one that was typed.
    pub fn suggest(mut self, suggestion: Option<impl Into<String>>) -> Self {
        if let Some(suggestion) = suggestion.map(Into::into) {
            self.help = Some(format!("did you mean {suggestion}?").into());
            self.suggestion = Some(suggestion.into());
        }
        self
    }

    /// The error for a statement that writes where that is not allowed.
    pub fn would_write(help: &str) -> Self {
        Self::new("not-read-only", "the statement would write")
            .why("only statements that read are allowed here")
            .help(help)
    }

    /// A short name of the kind of error in kebab case, stable for machines.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// Line and column, both counted from 1, of the place in the SQL text, where it is known.
    pub fn position(&self) -> Option<(u64, u64)> {
        self.position
    }

    /// What could be written instead, where something near is known.
    pub fn suggestion(&self) -> Option<String> {
        self.suggestion.as_deref().map(str::to_owned)
    }

    /// The literal that an error about a literal begins with.
    pub(crate) fn quoted_literal(&self) -> Option<&str> {
        self.what.strip_prefix('\'')?.rsplit_once('\'').map(|(literal, _)| literal)
    }

    /// The error for a column of an aggregation that is no key of it.
    pub(crate) fn neither_grouped(column: &str) -> Self {
        Self::new("group-by", format!("{column} {NOT_GROUPED}"))
            .help("list it in GROUP BY, or put it into an aggregate such as max()")
    }

    /// The error for what is computed over groups and stands in WHERE.
    pub(crate) fn aggregate_in_where(what: &str) -> Self {
        Self::new("aggregate", format!("{what} cannot stand in WHERE"))
            .why("it is computed over several rows, and WHERE looks at each")
            .help("write HAVING, or QUALIFY for a window function")
    }

    /// Whether it is about the types of the sides of an operator.
    pub(crate) fn is_of_operands(&self) -> bool {
        self.code == "bad-argument" && ["computed", "compared", "condition"].iter().any(|end| self.what.ends_with(end))
    }

    /// The column that such an error is about.
    pub(crate) fn not_grouped(&self) -> Option<&str> {
        self.what.strip_suffix(NOT_GROUPED).map(str::trim_end)
    }

    fn text(&self) -> String {
        let mut text = self.what.clone();
        if let Some((line, column)) = self.position {
            text += &format!(" at {line}:{column}");
        }
        if let Some(why) = &self.why {
            text += ": ";
            text += why;
        }
        if let Some(help) = &self.help {
            text += "; ";
            text += help;
        }
        text
    }

    /// Puts an error of DataFusion into words for people: without internals, one line where possible.
    pub fn from_datafusion(error: &DataFusionError) -> Self {
        let root = error.find_root();
        if let DataFusionError::External(inner) = root {
            let ours = inner.downcast_ref::<Self>().cloned();
            let remote = || inner.downcast_ref::<SourceError>().map(Self::from);
            let time = || inner.downcast_ref::<UnreadableTime>().map(Self::from);
            return ours.or_else(remote).or_else(time).unwrap_or_else(|| {
                Self::new(code_of(&**inner), "the query failed").why(first_line(&inner.to_string()))
            });
        }
        if let DataFusionError::ParquetError(parquet) = root {
            let (code, why) = match &**parquet {
                // What the storage below says, e.g. that a file is damaged.
                ParquetError::External(inner) => (code_of(&**inner), inner.to_string()),
                other => ("execution", other.to_string()),
            };
            return Self::new(code, "the query failed").why(first_line(&why));
        }
        if let DataFusionError::ArrowError(arrow, _) = root {
            return Self::new("execution", "the query failed").why(first_line(&arrow.to_string()));
        }
        let message = first_line(&root.message());
        let message = match root {
            DataFusionError::NotImplemented(_) | DataFusionError::Plan(_) | DataFusionError::Internal(_) => {
                without_debug(&message).to_owned()
            }
            _ => message,
        };
        match root {
            DataFusionError::SQL(..) => Self::syntax(&message),
            DataFusionError::SchemaError(schema, _) => Self::schema(schema).unwrap_or_else(|| Self::plan(message)),
            DataFusionError::Plan(_) => Self::plan(message),
            DataFusionError::Diagnostic(_, inner) => Self::from_datafusion(inner),
            DataFusionError::NotImplemented(_) if message.contains("OuterReferenceColumn") => {
                Self::new("not-supported", "this subquery cannot read columns of the query around it")
                    .help("write it as a join, or put unnest() into the items of a SELECT")
            }
            DataFusionError::NotImplemented(_) => Self::not_supported(&message),
            DataFusionError::ResourcesExhausted(_) => {
                Self::new("memory", "the query needs more memory than it may use")
                    .why(out_of_memory(&root.message()).unwrap_or(message))
                    .help("raise --memory, or ask for fewer rows or columns")
            }
            DataFusionError::Execution(_) | DataFusionError::ObjectStore(_) | DataFusionError::IoError(_) => {
                Self::new("execution", "the query failed").why(message)
            }
            _ => Self::new("internal", "the query failed inside the engine").why(message),
        }
    }

    fn not_supported(message: &str) -> Self {
        if let Some((before, node)) = message.rsplit_once(' ')
            && before.starts_with("Unsupported ast node")
        {
            return Self::new("not-supported", format!("{} is not supported", spaced_upper(node)));
        }
        if let Some(statement) = message.strip_prefix("Unsupported SQL statement: ") {
            let (word, help) = instead(statement);
            let error = Self::new("not-supported", format!("{word} is not supported")).why("statements only read");
            return help.map_or(error.clone(), |help| error.help(help));
        }
        let acronym = message.chars().nth(1).is_some_and(|second| second.is_uppercase());
        let why = if acronym { message.to_owned() } else { lower_first(message) };
        Self::new("not-supported", "this is not supported").why(why)
    }

    fn plan(why: String) -> Self {
        if let Some((_, rest)) = why.split_once("column \"")
            && let Some((column, rest)) = rest.split_once('"')
            && rest.contains("must appear in the GROUP BY clause")
        {
            return Self::neither_grouped(column);
        }
        if why.starts_with("Aggregate functions are not allowed in the WHERE clause") {
            return Self::aggregate_in_where("an aggregate");
        }
        if let Some((_, rest)) = why.split_once("satisfy a call to '")
            && let Some((function, _)) = rest.split_once('\'')
        {
            return Self::new("bad-argument", format!("{function} does not take these arguments"))
                .help("cast them, as in x::double");
        }
        if why.contains("failed to match any signature")
            && let Some(function) = why.split('\'').nth(1)
        {
            let given = why.split("(DataType: ").nth(1).and_then(|rest| rest.split(')').next());
            let error = Self::new("bad-argument", format!("{function} does not take these arguments"))
                .help("cast them, as in x::double");
            return match given {
                Some(given) => error.why(format!("it was given {given}")),
                None => error,
            };
        }
        if let Some(refused) = Refused::read(&why) {
            return Self::new("bad-argument", refused.said()).help(refused.help());
        }
        let why = why.split(". No function matches").next().unwrap_or_default();
        Self::new("plan", "the statement cannot be planned").why(why)
    }

    fn schema(error: &SchemaError) -> Option<Self> {
        let SchemaError::FieldNotFound { field, valid_fields } = error else { return None };
        let near = nearest(&field.name, valid_fields.iter().map(|column| column.name.as_str()));
        Some(
            Self::new("unknown-column", format!("unknown column {}", as_typed(&field.name)))
                .suggest(near.map(as_typed)),
        )
    }

    /// A syntax error from the parser's words, whose place (`… at Line: 1, Column: 8`) becomes a position.
    pub(crate) fn syntax(message: &str) -> Self {
        let message = message.trim_start_matches("sql parser error: ").trim_start_matches("ParserError(\"");
        let (text, place) = match message.rfind(" at Line: ") {
            Some(at) => (&message[..at], &message[at..]),
            None => (message, ""),
        };
        let mut numbers = place.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse::<u64>().ok());
        let error = Self::new("syntax", "the statement cannot be read").why(lower_first(text.trim_end_matches("\")")));
        match (numbers.next(), numbers.next()) {
            (Some(line), Some(column)) => error.at(Location { line, column }),
            _ => error,
        }
    }

    /// Says where the text ends, for an error that has no other place.
    pub(crate) fn at_end(self, end: Location) -> Self {
        let why = self
            .why
            .as_deref()
            .and_then(|why| why.strip_suffix("found: EOF"))
            .map(|why| format!("{why}found: the end"));
        match (self.position, why) {
            (None, Some(why)) => self.why(why).at(end),
            _ => self,
        }
    }
}

impl From<TokenizerError> for EngineError {
    fn from(error: TokenizerError) -> Self {
        Self::new("syntax", "the statement cannot be read").why(error.message).at(error.location)
    }
}

impl From<FilterError> for EngineError {
    fn from(error: FilterError) -> Self {
        let place = error.position().map(|(line, column)| format!("at {line}:{column} in it: ")).unwrap_or_default();
        let filter = Self::new(error.code(), format!("the {} is refused", error.subject()))
            .why(format!("{place}{}", error.what()));
        let filter = match error.advice() {
            Some(advice) => filter.help(advice),
            None => filter,
        };
        Self { suggestion: error.suggestion().map(Into::into), ..filter }
    }
}

impl From<&UnreadableTime> for EngineError {
    fn from(error: &UnreadableTime) -> Self {
        Self::new("bad-time", error.to_string())
            .why("it is compared with a time")
            .help("write it like '2026-01-31', '2026-01-31 12:00:00' or '2026-01-31T12:00:00Z'")
    }
}

impl From<&SourceError> for EngineError {
    fn from(error: &SourceError) -> Self {
        match error {
            SourceError::Setting(what) => Self::new("remote-setting", what),
            SourceError::Unreachable { endpoint, reason } => {
                Self::new("remote-unreachable", format!("{endpoint} cannot be reached")).why(reason)
            }
            SourceError::Silent { endpoint, reason } => {
                Self::new("remote-silent", format!("{endpoint} does not answer")).why(reason)
            }
            SourceError::Untrusted { endpoint, reason } => {
                Self::new("remote-untrusted", format!("{endpoint} cannot be trusted")).why(reason)
            }
            SourceError::Unavailable { endpoint, reason, retry_after } => {
                let error = Self::new("remote-unavailable", format!("{endpoint} cannot answer now")).why(reason);
                match retry_after {
                    Some(wait) => error.help(format!("ask again in {} s", wait.as_secs_f64().ceil())),
                    None => error.help("ask again later"),
                }
            }
            SourceError::Denied { endpoint, reason } => {
                Self::new("remote-denied", format!("{endpoint} denies access")).why(reason)
            }
            SourceError::Refused { endpoint, reason } => {
                Self::new("remote-refused", format!("{endpoint} refuses the request")).why(reason)
            }
            SourceError::NotFound { what, suggestion } => Self::new("not-found", what).suggest(suggestion.as_ref()),
            SourceError::Protocol { endpoint, reason } => {
                Self::new("remote-protocol", format!("{endpoint} does not keep to the protocol")).why(reason)
            }
        }
    }
}

impl From<EngineError> for DataFusionError {
    fn from(error: EngineError) -> Self {
        Self::External(Box::new(error))
    }
}

/// The function name in DataFusion's message about a function that is not there.
pub(crate) fn unknown_function(message: &str) -> Option<&str> {
    let rest = message.strip_prefix("Invalid function '").or_else(|| message.strip_prefix("table function '"))?;
    rest.split('\'').next()
}

/// The error for a function that is not there; `known` are the names of those that are.
pub(crate) fn function_error<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> EngineError {
    EngineError::new("unknown-function", format!("unknown function {name}")).suggest(nearest(name, known))
}

/// What an operator had, and what it was refused, in a pool's words: `Failed to allocate additional 24.0 KB for
/// HashJoinInput[0] with 3.0 MB already allocated for this reservation - 1.0 MB remain available for …`.
fn out_of_memory(message: &str) -> Option<String> {
    let (asked, rest) = message.rsplit_once("Failed to allocate additional ")?.1.split_once(" for ")?;
    let (operator, rest) = rest.split_once(" with ")?;
    let (held, rest) = rest.split_once(" already allocated")?;
    let (_, left) = rest.split_once("- ")?;
    let (left, _) = left.split_once(" remain")?;
    let operator = operator.split(['[', '#']).next().unwrap_or(operator);
    Some(format!("{operator} holds {held} and asks for {asked} more, of which {left} is left"))
}

fn first_line(message: &str) -> String {
    in_our_words(message.lines().next().unwrap_or_default())
}

/// The code of what the store says: whoever asks again gets an answer, where a vacuum took away what was read.
fn code_of(error: &(dyn std::error::Error + 'static)) -> &'static str {
    match error.downcast_ref::<StoreError>() {
        Some(StoreError::Removed { .. }) => "removed",
        _ => "execution",
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

#[cfg(test)]
mod tests;
