//! Lists of tools in the shape of OpenInference: each with its definition as JSON text.

use super::state::nested;
use crate::json::{Tree, write_string};

/// The tools of a JSON list, or of the list at a path; each may be JSON text itself.
pub(super) fn of_text(text: &str, path: &str) -> Option<String> {
    let value = nested(text)?;
    let found = if path.is_empty() { &value } else { value.get(path)? };
    match found {
        Tree::List(items) => list(items.iter().filter_map(|item| match item {
            Tree::Object(_) => item.text(),
            Tree::Text(text) => nested(text).map(|_| text.to_string()),
            _ => None,
        })),
        Tree::Text(text) => of_text(text, ""),
        _ => None,
    }
}

/// Tools by their indexes, as functions of a request.
pub(super) fn indexed(tree: &Tree<'_>) -> Option<String> {
    list(tree.items().into_iter().filter_map(|(_, function)| {
        let mut out = String::from("{\"type\":\"function\",\"function\":");
        matches!(function, Tree::Object(_)).then(|| function.write(&mut out))?;
        out.push('}');
        Some(out)
    }))
}

fn list(definitions: impl Iterator<Item = String>) -> Option<String> {
    let mut out = String::new();
    for definition in definitions {
        out.push(if out.is_empty() { '[' } else { ',' });
        out.push_str("{\"tool.json_schema\":");
        write_string(&definition, &mut out);
        out.push('}');
    }
    (!out.is_empty()).then(|| out + "]")
}
