//! Wrong arguments of functions, in our words: DataFusion has a dozen ways to say it, some with names of its own.

use datafusion::execution::SessionState;

use super::error::EngineError;
use super::functions::spelled::PERCENTILES;

/// A function as a statement calls it.
pub(super) struct Called<'a> {
    /// As it was typed.
    pub(super) typed: &'a str,
    /// What became of it.
    pub(super) name: &'a str,
}

/// Words of messages about arguments.
const ABOUT_ARGUMENTS: [&str; 6] = ["argument", "coerc", "does not support", "expects", "requires", "signature"];

/// The error of a message about the arguments of one of these functions, and which of them it is.
pub(super) fn argument_error<'a>(
    message: &str,
    called: impl Iterator<Item = Called<'a>>,
    state: &SessionState,
) -> Option<(EngineError, &'a str)> {
    // What cannot run is shown as Rust writes it.
    let shown = message.contains("logical expression");
    if shown || !ABOUT_ARGUMENTS.iter().any(|words| message.contains(words)) {
        return None;
    }
    let mut best: Option<(usize, Called<'a>, Vec<String>)> = None;
    for called in called {
        let names = names(called.name, state);
        let said = names.iter().filter_map(|name| place(message, name)).min();
        if let Some(at) = said.filter(|at| best.as_ref().is_none_or(|(first, ..)| at < first)) {
            best = Some((at, called, names));
        }
    }
    let (_, Called { typed, name }, _) = best?;
    let error = EngineError::new("bad-argument", format!("{typed} does not take these arguments"));
    let error = match given(message) {
        Some(given) => error.why(given),
        None => error,
    };
    let help = signature(typed, name, state).map_or_else(
        || "cast them, as in x::double".to_owned(),
        |signature| format!("write {signature}, or cast them, as in x::double"),
    );
    Some((error.help(help), name))
}

/// What messages call a function: its name, or the first one of an alias.
fn names(name: &str, state: &SessionState) -> Vec<String> {
    let scalar = state.scalar_functions().get(name).map(|function| function.name().to_owned());
    let aggregate = state.aggregate_functions().get(name).map(|function| function.name().to_owned());
    let window = state.window_functions().get(name).map(|function| function.name().to_owned());
    let mut names: Vec<String> = [scalar, aggregate, window].into_iter().flatten().collect();
    names.push(name.to_owned());
    names.dedup();
    names
}

/// Where a message has a name as a word of its own.
fn place(message: &str, name: &str) -> Option<usize> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let whole = |at: usize| !message[..at].ends_with(part) && !message[at + name.len()..].starts_with(part);
    let lower = message.to_ascii_lowercase();
    lower.match_indices(name).map(|(at, _)| at).find(|at| whole(*at))
}

/// How a function is called.
fn signature(typed: &str, name: &str, state: &SessionState) -> Option<String> {
    if PERCENTILES.iter().any(|(known, _)| *known == typed) {
        return Some(format!("{typed}(x)"));
    }
    let scalar = state.scalar_functions().get(name).and_then(|function| function.documentation().cloned());
    let aggregate = || state.aggregate_functions().get(name).and_then(|function| function.documentation().cloned());
    let window = || state.window_functions().get(name).and_then(|function| function.documentation().cloned());
    let example = scalar.or_else(aggregate).or_else(window)?.syntax_example;
    let example = example.lines().next()?.trim().to_owned();
    let (of, rest) = example.split_once('(')?;
    // The text of an alias has the name that it stands for.
    if name == typed || of == typed { Some(format!("{typed}({rest}")) } else { None }
}

/// What the arguments were, in words.
fn given(message: &str) -> Option<String> {
    let between = |before: &str, after: &str| {
        let (_, rest) = message.split_once(before)?;
        rest.split_once(after).map(|(found, _)| found.trim().to_owned())
    };
    let types = between("coercion from ", " to the signature")
        .or_else(|| between("(DataType: ", ")."))
        .or_else(|| message.split_once(", got ").map(|(_, types)| types.to_owned()))
        .or_else(|| message.split_once("does not support type ").map(|(_, types)| types.to_owned()))
        .or_else(|| message.rsplit_once("received ").map(|(_, types)| types.trim_end_matches('.').to_owned()));
    if let Some(types) = types.filter(|types| !types.starts_with(|c: char| c.is_ascii_digit())) {
        return Some(format!("it was given {}", in_sql(&types)?));
    }
    if message.contains("does not support zero arguments") {
        return Some("it was given none".to_owned());
    }
    let number = |before: &str| {
        let (_, rest) = message.rsplit_once(before)?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        (!digits.is_empty()).then_some(digits)
    };
    match number("received ").or_else(|| number("got "))?.as_str() {
        "0" => Some("it was given none".to_owned()),
        "1" => Some("it was given one".to_owned()),
        count => Some(format!("it was given {count}")),
    }
}

/// Types as people write them: `Utf8, List(Int64)` as `text, list of integer`; `None` for what has other words.
pub(super) fn in_sql(types: &str) -> Option<String> {
    let (mut parts, mut depth, mut from) = (vec![], 0_usize, 0);
    for (at, c) in types.char_indices() {
        match c {
            '(' | '<' | '[' => depth += 1,
            ')' | '>' | ']' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&types[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&types[from..]);
    let words: Option<Vec<String>> = parts.into_iter().map(|part| type_in_sql(part.trim())).collect();
    words.map(|words| words.join(", "))
}

fn type_in_sql(data_type: &str) -> Option<String> {
    let word = match data_type.split(['(', ' ']).next().unwrap_or_default() {
        "Utf8" | "Utf8View" | "LargeUtf8" | "String" => "text",
        "Int8" | "Int16" | "Int32" | "Int64" | "UInt8" | "UInt16" | "UInt32" | "UInt64" => "integer",
        "Float16" | "Float32" | "Float64" => "double",
        "Decimal32" | "Decimal64" | "Decimal128" | "Decimal256" => "decimal",
        "Boolean" => "boolean",
        "Timestamp" => "timestamp",
        "Date32" | "Date64" => "date",
        "Time32" | "Time64" => "time",
        "Interval" => "interval",
        "Duration" => "duration",
        "Binary" | "LargeBinary" | "BinaryView" | "FixedSizeBinary" => "bytes",
        "Struct" => "struct",
        "Map" => "map",
        "Null" => "null",
        "Union" => "JSON",
        "Dictionary" => return Some("text".to_owned()),
        "List" | "LargeList" | "FixedSizeList" | "ListView" => {
            let inner = data_type.split_once('(').and_then(|(_, inner)| inner.rsplit_once(')'));
            let of = inner.and_then(|(inner, _)| type_in_sql(inner.split([',', ';']).next()?.trim()));
            return Some(of.map_or_else(|| "list".to_owned(), |of| format!("list of {of}")));
        }
        _ => return None,
    };
    Some(word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_said_in_sql() {
        for (types, said) in [
            ("Utf8", Some("text")),
            ("Timestamp(ns, \"UTC\"), Int64", Some("timestamp, integer")),
            ("List(Int64), Utf8View", Some("list of integer, text")),
            ("Struct(\"a\": Int64, \"b\": Utf8)", Some("struct")),
            ("Interval(MonthDayNano)", Some("interval")),
            ("something else", None),
        ] {
            assert_eq!(in_sql(types).as_deref(), said, "{types}");
        }
    }

    #[test]
    fn what_was_given_is_read_from_messages() {
        for (message, said) in [
            ("Function 'upper' expects 1 arguments but received 2", "it was given 2"),
            ("'abs' does not support zero arguments", "it was given none"),
            (
                "Function 'x' user-defined coercion failed with: Execution error: x function requires 2 arguments, got 1",
                "it was given one",
            ),
            ("coercion from Utf8, Int64 to the signature Exact(Boolean) failed", "it was given text, integer"),
            ("Function 'p' requires Float, but received String (DataType: Utf8).", "it was given text"),
            ("array_has does not support type Utf8", "it was given text"),
            ("Function 'abs' expects Numeric but received String", "it was given text"),
        ] {
            assert_eq!(given(message).as_deref(), Some(said), "{message}");
        }
    }
}
