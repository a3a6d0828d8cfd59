//! DataFusion's messages without its own words: types as people write them, and no kinds of errors inside errors.

/// What says of an error what kind it is, in front of it or of one inside it.
const KINDS: [&str; 5] = [
    "Execution error: ",
    "Internal error: ",
    "Error during planning: ",
    "Invalid argument error: ",
    "External error: ",
];
/// What is advice for those who work on DataFusion.
const TO_DEVELOPERS: &str = "This issue was likely caused by a bug in DataFusion's code";

/// The message in our words; texts in single quotes stay as they are.
pub(super) fn in_our_words(message: &str) -> String {
    let message = message.split(TO_DEVELOPERS).next().unwrap_or_default();
    let mut text = message.trim().trim_end_matches('.').to_owned();
    for kind in KINDS {
        text = text.replace(kind, "");
    }
    if let Some((_, inner)) = text.split_once("user-defined coercion failed with: ") {
        text = inner.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        let end = if first == '\'' {
            rest[1..].find('\'').map_or(rest.len(), |end| end + 2)
        } else if is_part(first) {
            rest.find(|c| !is_part(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (word, after) = rest.split_at(end);
        match data_type(word, after) {
            Some((said, length)) => {
                out.push_str(&said);
                rest = &after[length..];
            }
            None => {
                out.push_str(word);
                rest = after;
            }
        }
    }
    out
}

/// The message up to where it shows a syntax tree as Rust writes it: `Semi(On(BinaryOp { left: …` leaves `Semi`.
pub(super) fn without_debug(message: &str) -> &str {
    let structs = message.match_indices(" { ").filter(|&(at, _)| {
        let name = message[..at].rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        let field = message[at + 3..].split(':').next().unwrap_or_default();
        name.starts_with(|c: char| c.is_ascii_uppercase())
            && !field.is_empty()
            && field.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    });
    let places = message.match_indices("Span(Location(").chain(message.match_indices("Location("));
    let Some(at) = structs.chain(places).map(|(at, _)| at).min() else { return message };
    let word = message[..at].rfind(' ').map_or(0, |blank| blank + 1);
    let kept = message[word..at].find(['(', '[', '{']).map_or(at, |open| word + open);
    message[..kept].trim_end_matches([' ', ':', ','])
}

/// `JsonTable` as `JSON TABLE`.
pub(super) fn spaced_upper(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push(' ');
        }
        text.push(c.to_ascii_uppercase());
    }
    text
}

/// The word that a statement begins with which is none here, and what does here what it does elsewhere.
pub(super) fn instead(statement: &str) -> (String, Option<&'static str>) {
    let statement = statement.to_uppercase();
    let word = statement.split_whitespace().next().unwrap_or_default();
    let of_projects = || statement.contains("DATABASES") || statement.contains("SCHEMAS");
    let help = match word {
        "USE" => Some("--project names the project to look at, and \\use does in the shell"),
        "SHOW" if of_projects() => Some("SELECT DISTINCT project FROM traces lists the projects, and \\l in the shell"),
        "PRAGMA" | "CALL" => Some("DESCRIBE spans shows the columns of a table, SHOW TABLES the tables"),
        "ATTACH" => Some("spanql --store DIR opens a store, and FROM 'file.parquet' reads a file"),
        _ => None,
    };
    (word.to_owned(), help)
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// What a type is called that begins with this word, and how long what belongs to it behind the word is.
fn data_type(word: &str, after: &str) -> Option<(String, usize)> {
    const PLAIN: [&str; 20] = [
        "Boolean",
        "Utf8",
        "Utf8View",
        "LargeUtf8",
        "Int8",
        "Int16",
        "Int32",
        "Int64",
        "UInt8",
        "UInt16",
        "UInt32",
        "UInt64",
        "Float16",
        "Float32",
        "Float64",
        "Date32",
        "Date64",
        "Binary",
        "LargeBinary",
        "BinaryView",
    ];
    const OF_OTHERS: [&str; 11] = [
        "Timestamp",
        "Interval",
        "Duration",
        "Time32",
        "Time64",
        "List",
        "LargeList",
        "FixedSizeList",
        "Struct",
        "Dictionary",
        "Decimal128",
    ];
    // A binary operator has two sides.
    if word == "Binary" && after.starts_with(" operator") {
        return None;
    }
    if PLAIN.contains(&word) {
        // A value of that type: `Utf8("a")`.
        if after.starts_with('(') {
            let length = in_parentheses(after)?;
            return Some((after[1..length - 1].replace('"', "'"), length));
        }
        return Some((in_sql(word)?, 0));
    }
    if OF_OTHERS.contains(&word) && after.starts_with('(') {
        let length = in_parentheses(after)?;
        return Some((in_sql(&format!("{word}{}", &after[..length]))?, length));
    }
    None
}

/// How long the text in parentheses is that this begins with, both included.
fn in_parentheses(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => return Some(at + 1),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
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
    use super::{in_our_words, in_sql};

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
    fn types_have_their_names_in_sql() {
        for (message, said) in [
            (
                "Cannot coerce arithmetic expression Timestamp(ns, \"UTC\") * Int64 to valid types",
                "Cannot coerce arithmetic expression timestamp * integer to valid types",
            ),
            ("Execution error: x. Internal error: List(Utf8View)", "x. list of text"),
            ("'Utf8' is Utf8", "'Utf8' is text"),
            ("Argument Utf8(\"a\") to grouping", "Argument 'a' to grouping"),
            ("a Utf8(", "a Utf8("),
            ("nothing here.", "nothing here"),
        ] {
            assert_eq!(in_our_words(message), said, "{message}");
        }
    }
}
