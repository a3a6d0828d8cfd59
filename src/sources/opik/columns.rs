//! Which members of rows are needed for some columns.

use spanql_model::columns;

/// Columns that are made of small members, which always come.
const SMALL: [&str; 8] = [
    columns::MODEL,
    "attributes.llm.provider",
    columns::COST,
    "attributes.llm.token_count.",
    "attributes.exception.",
    "attributes.tag.tags",
    "attributes.input.",
    "attributes.output.",
];
/// Columns by their beginnings, and the members that they are made of.
const MADE_OF: [(&str, &str); 7] = [
    ("attributes.input.", "input"),
    ("attributes.llm.input_messages", "input"),
    ("attributes.output.", "output"),
    ("attributes.llm.output_messages", "output"),
    ("annotation.", "feedback_scores"),
    ("opik.value_by_author.", "feedback_scores"),
    (columns::NOTES, "comments"),
];

/// The members that none of these columns is made of.
pub(super) fn not_needed(wanted: &[String]) -> Vec<&'static str> {
    let needed = |member: &str| {
        wanted.iter().any(|column| {
            MADE_OF.iter().any(|(start, of)| *of == member && column.starts_with(start))
                // Attributes of any name may lie in the metadata.
                || member == "metadata" && column.starts_with("attributes.") && !is_small(column)
        })
    };
    ["input", "output", "metadata", "feedback_scores", "comments"]
        .into_iter()
        .filter(|member| !needed(member))
        .collect()
}

fn is_small(column: &str) -> bool {
    SMALL.iter().any(|start| column.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::not_needed;

    #[test]
    fn large_members_are_left_out_where_no_column_needs_them() {
        let all = ["input", "output", "metadata", "feedback_scores", "comments"];
        let without = |columns: &[&str]| not_needed(&columns.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(without(&["name", "start_time", "attributes.llm.cost.total", "parent_id"]), all);
        assert_eq!(without(&["attributes.input.value"]), ["output", "metadata", "feedback_scores", "comments"]);
        assert_eq!(
            without(&["attributes.openinference.span.kind"]),
            ["input", "output", "feedback_scores", "comments"]
        );
        assert_eq!(without(&["attributes.llm.output_messages"]), ["input", "feedback_scores", "comments"]);
        assert_eq!(without(&["annotation.q.score"]), ["input", "output", "metadata", "comments"]);
        assert_eq!(without(&["annotation.notes"]), ["input", "output", "metadata"]);
    }
}
