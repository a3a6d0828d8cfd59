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

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// What a type is called that begins with this word, and how long what belongs to it behind the word is.
fn data_type(word: &str, after: &str) -> Option<(String, usize)> {
    const PLAIN: [&str; 19] = [
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
