//! Short names for canonical columns, and the open families of column names.

use arrow::datatypes::DataType;

use super::columns;

/// Short names that stand for a canonical column in SQL and filters.
pub const ALIASES: [(&str, &str); 14] = [
    ("trace_id", columns::TRACE_ID),
    ("span_id", columns::SPAN_ID),
    ("kind", columns::KIND),
    ("span_kind", columns::KIND),
    ("session_id", columns::SESSION_ID),
    ("user_id", columns::USER_ID),
    ("model", columns::MODEL),
    ("provider", "attributes.llm.provider"),
    ("input", columns::INPUT),
    ("output", columns::OUTPUT),
    ("prompt_tokens", columns::PROMPT_TOKENS),
    ("completion_tokens", columns::COMPLETION_TOKENS),
    ("total_tokens", columns::TOTAL_TOKENS),
    ("cost", columns::COST),
];

/// Prefixes under which any name is a column: a name that no span has is a typed null.
pub const OPEN_FAMILIES: [&str; 6] = ["attributes.", "eval.", "trace_eval.", "session_eval.", "annotation.", "opik."];

/// First parts of dotted column names, open or canonical; `metadata` is short for `attributes.metadata`.
pub const DOTTED_ROOTS: [&str; 10] =
    ["attributes", "eval", "trace_eval", "session_eval", "annotation", "opik", "context", "event", "tree", "metadata"];

/// The column that a short name stands for: an alias (any case) or `metadata.<key>`.
pub fn expand_alias(name: &str) -> Option<String> {
    if let Some(key) = name.strip_prefix("metadata.") {
        return Some(format!("{}{key}", columns::METADATA_PREFIX));
    }
    ALIASES.iter().find(|(short, _)| short.eq_ignore_ascii_case(name)).map(|(_, column)| (*column).to_owned())
}

/// Whether any name with this prefix is a column.
pub fn is_open_name(name: &str) -> bool {
    OPEN_FAMILIES.iter().any(|family| name.len() > family.len() && name.starts_with(family))
}

/// The type of an open column that no span has: Float64 for scores, Int64 (ms) for `updated_at`, else Utf8.
pub fn absent_type(name: &str) -> DataType {
    if name.starts_with("attributes.") || name.starts_with("opik.") {
        DataType::Utf8
    } else if name.ends_with(".score") {
        DataType::Float64
    } else if name.ends_with(".updated_at") {
        DataType::Int64
    } else {
        DataType::Utf8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_stand_for_columns_in_any_case() {
        for (short, column) in ALIASES {
            assert_eq!(expand_alias(&short.to_uppercase()).as_deref(), Some(column));
        }
        assert_eq!(expand_alias("metadata.a.B").as_deref(), Some("attributes.metadata.a.B"));
        assert_eq!(expand_alias("metadata"), None);
    }

    #[test]
    fn columns_that_no_span_has_have_a_type() {
        for (name, data_type) in [
            ("eval.right.score", DataType::Float64),
            ("annotation.right.updated_at", DataType::Int64),
            ("annotation.right.label", DataType::Utf8),
            ("attributes.score.score", DataType::Utf8),
            ("opik.a.score", DataType::Utf8),
        ] {
            assert_eq!(absent_type(name), data_type, "{name}");
        }
    }
}
