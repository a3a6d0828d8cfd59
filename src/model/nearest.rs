//! The nearest known name to one that is not known.

/// A difference of two names in `[0, 1]`: the part of the longer one that would have to be retyped.
fn difference(typed: &str, known: &str) -> f64 {
    let longest = typed.chars().count().max(known.chars().count()).max(1);
    let edits = strsim::damerau_levenshtein(typed, known) as f64 / longest as f64;
    let shortest = typed.chars().count().min(known.chars().count());
    let contained = shortest >= 4 && (typed.contains(known) || known.contains(typed));
    if contained { edits.min(0.35) } else { edits }
}

/// The prefix of two dotted names that they share, up to and including a dot.
fn shared_family<'a>(typed: &'a str, known: &str) -> &'a str {
    let same = typed.bytes().zip(known.bytes()).take_while(|(a, b)| a == b).count();
    let end = typed.as_bytes()[..same].iter().rposition(|&byte| byte == b'.').map_or(0, |dot| dot + 1);
    &typed[..end]
}

/// No name is longer that is worth comparing: the time it takes grows with the product of both lengths.
const LONGEST: usize = 300;

/// The known name that a person most likely meant, ignoring case; `None` when nothing is near.
///
/// Of several equally near names the first in order wins, so the answer does not depend on the order of `known`.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if typed.len() > LONGEST {
        return None;
    }
    let typed_lower = typed.to_lowercase();
    let mut best: Option<(f64, &str)> = None;
    for name in known.into_iter().filter(|name| name.len() <= LONGEST) {
        let lower = name.to_lowercase();
        // A long shared family (`attributes.llm.`) must not make unlike endings look alike.
        let family = shared_family(&typed_lower, &lower).len();
        let (rest_typed, rest_known) = (&typed_lower[family..], &lower[family..]);
        if rest_typed.is_empty() || rest_known.is_empty() {
            continue;
        }
        let (shorter, longer) = (rest_typed.len().min(rest_known.len()), rest_typed.len().max(rest_known.len()));
        // What is much longer is near only if it holds the other, and a character takes at most four bytes.
        if shorter * 4 < longer && !rest_typed.contains(rest_known) && !rest_known.contains(rest_typed) {
            continue;
        }
        let distance = difference(rest_typed, rest_known);
        if distance > 0.4 {
            continue;
        }
        let better = best.is_none_or(|(so_far, other)| distance < so_far || (distance == so_far && name < other));
        if better {
            best = Some((distance, name));
        }
    }
    best.map(|(_, name)| name)
}

/// What to say of a name that is looked for in the JSON text of other columns and is much like one of a column.
///
/// Whether any span has it cannot be known before the texts are read; that it is mistyped is likely.
pub fn maybe_mistyped<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let parts = |name: &str| name.bytes().filter(|byte| *byte == b'.').count();
    let near = nearest(name, known.filter(|known| parts(known) == parts(name)))?;
    Some(format!("{} is no column (looked for in JSON text); nearest: {}", as_typed(name), as_typed(near)))
}

/// A column name as a person types it: each part that is not a plain word or number in double quotes.
pub fn as_typed(name: &str) -> String {
    let plain =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_alphabetic() || c.is_ascii_digit() || c == '_');
    let parts: Vec<String> = name
        .split('.')
        .map(|part| if plain(part) { part.to_owned() } else { format!("\"{}\"", part.replace('"', "\"\"")) })
        .collect();
    parts.join(".")
}

#[cfg(test)]
mod tests {
    use super::{as_typed, maybe_mistyped, nearest};

    #[test]
    fn finds_typing_errors() {
        let known = ["name", "latency_ms", "attributes.llm.model_name", "attributes.food", "status_code"];
        assert_eq!(nearest("nmae", known), Some("name"));
        assert_eq!(nearest("LATENCY", known), Some("latency_ms"));
        assert_eq!(nearest("attributes.foo", known), Some("attributes.food"));
        assert_eq!(nearest("attributes.llm.model_nam", known), Some("attributes.llm.model_name"));
        assert_eq!(nearest("zebra", known), None);
        assert_eq!(nearest("attributes.zebra", known), None);
    }

    #[test]
    fn quotes_only_what_needs_it() {
        assert_eq!(as_typed("attributes.user.id"), "attributes.user.id");
        assert_eq!(as_typed("eval.Answer Relevance.score"), "eval.\"Answer Relevance\".score");
        assert_eq!(
            as_typed("attributes.llm.input_messages.0.message.role"),
            "attributes.llm.input_messages.0.message.role"
        );
        assert_eq!(as_typed("attributes.größe.m²"), "attributes.größe.\"m²\"");
    }

    #[test]
    fn what_holds_the_other_is_near_however_long() {
        let long = "name_of_the_model_that_was_asked";
        assert_eq!((nearest("name", [long]), nearest(long, ["name"])), (Some(long), Some("name")));
        assert_eq!(nearest("nam", [long]), None, "three characters are in many names");
        assert_eq!(nearest("prompttokens", ["prompt_and_tokens"]), Some("prompt_and_tokens"));
    }

    #[test]
    fn two_of_five_characters_may_differ() {
        assert_eq!(nearest("abcde", ["abcxy"]), Some("abcxy"));
        assert_eq!(nearest("abcd", ["abxy"]), None);
        assert_eq!(nearest("attributes.abcd", ["attributes.abxy"]), None, "what they share is no part of it");
    }

    #[test]
    fn the_nearest_wins_in_whatever_order_they_come() {
        for (typed, near, other) in [("name_of", "name_og", "name_"), ("nam", "name", "namx")] {
            assert_eq!(nearest(typed, [near, other]), Some(near));
            assert_eq!(nearest(typed, [other, near]), Some(near));
        }
    }

    #[test]
    fn long_names_are_not_compared() {
        let name = |length: usize| "a".repeat(length);
        assert_eq!(nearest(&name(300), [name(299).as_str()]), Some(name(299).as_str()));
        assert_eq!(nearest(&name(301), [name(300).as_str()]), None);
        assert_eq!(nearest(&name(299), [name(301).as_str()]), None);
    }

    #[test]
    fn a_name_of_as_many_parts_is_offered() {
        let known = ["attributes.llm.model_name", "attributes.llm_model_name"];
        let said = maybe_mistyped("attributes.llm.model_nam", known.into_iter());
        let want =
            "attributes.llm.model_nam is no column (looked for in JSON text); nearest: attributes.llm.model_name";
        assert_eq!(said.as_deref(), Some(want));
        assert_eq!(maybe_mistyped("attributes.llm.model_nam", known.into_iter().skip(1)), None);
    }
}
