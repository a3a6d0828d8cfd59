//! Wrong arguments of functions, in our words: DataFusion has a dozen ways to say it, some with names of its own.

use datafusion::execution::SessionState;

use super::error::EngineError;
use super::functions::spelled::PERCENTILES;
use super::wording::{in_our_words, in_sql};

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
    // What stands among the arguments and is none, such as LIMIT, is said by name.
    let clause = message.contains("not supported in function arguments");
    if shown || clause || !ABOUT_ARGUMENTS.iter().any(|words| message.contains(words)) {
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

/// What a function of ours says of its arguments, and which it is: DataFusion makes one text of that and of its own words.
pub(super) fn own_error(message: &str) -> Option<(EngineError, &str)> {
    let (function, said) = message.split_once("user-defined coercion failed with: External error: ")?;
    let said = in_our_words(said.split(". No function matches").next()?.lines().next()?);
    let (what, help) = said.split_once("; ").map_or((said.as_str(), None), |(what, help)| (what, Some(help)));
    let (what, why) = what.split_once(": ").map_or((what, None), |(what, why)| (what, Some(why)));
    let error = EngineError::new("bad-argument", what);
    let error = why.into_iter().fold(error, EngineError::why);
    Some((help.into_iter().fold(error, EngineError::help), function.rsplit('\'').nth(1).unwrap_or_default()))
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

#[cfg(test)]
mod tests {
    use super::*;

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
