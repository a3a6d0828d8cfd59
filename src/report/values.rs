//! Values of results in the text of a report: `{{ block.column }}`.

use std::ops::Range;

use spanql_model::nearest::nearest;

/// What is written between the braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ValueName {
    /// `{{ $name }}` or `{{ name }}`: a parameter.
    Param(String),
    /// `{{ project }}`
    Project,
    /// `{{ store }}`
    Store,
    /// `{{ generated }}`
    Generated,
    /// `{{ block.rows }}`: how many rows a block gave.
    Rows(String),
    /// `{{ block.column }}`: a value of its first row.
    Cell(String, String),
}

/// The words that stand for themselves.
const WORDS: [(&str, ValueName); 3] =
    [("project", ValueName::Project), ("store", ValueName::Store), ("generated", ValueName::Generated)];

/// The places of a text that stand for values: where, and what is between the braces.
pub(crate) fn places(text: &str) -> Vec<(Range<usize>, &str)> {
    let mut found = vec![];
    let mut at = 0;
    while let Some(start) = text[at..].find("{{").map(|start| at + start) {
        let Some(end) = text[start..].find("}}").map(|end| start + end) else { break };
        // Of several opening braces the last ones belong to the closing ones.
        let start = text[..end].rfind("{{").unwrap_or(start);
        let inner = &text[start + 2..end];
        if !inner.contains('\n') {
            found.push((start..end + 2, inner.trim()));
        }
        at = end + 2;
    }
    found
}

impl ValueName {
    /// Reads what stands between the braces.
    ///
    /// # Errors
    /// When it is no value: a reason, and what could be written instead if something near is known.
    pub(crate) fn parse(text: &str, blocks: &[&str], params: &[&str]) -> Result<Self, (String, Option<String>)> {
        let suggest = |name: &str, known: &[&str]| nearest(name, known.iter().copied()).map(str::to_owned);
        if let Some(name) = text.strip_prefix('$') {
            if params.contains(&name) {
                return Ok(Self::Param(name.to_owned()));
            }
            let near = suggest(name, params).map(|near| format!("${near}"));
            return Err((format!("{{{{ ${name} }}}}: the report has no such parameter"), near));
        }
        if params.contains(&text) && WORDS.iter().all(|(word, _)| *word != text) {
            return Ok(Self::Param(text.to_owned()));
        }
        if let Some((_, word)) = WORDS.into_iter().find(|(word, _)| *word == text) {
            return Ok(word);
        }
        let Some((block, column)) = text.split_once('.') else {
            let words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).chain(params.iter().copied()).collect();
            let reason = format!(
                "{{{{ {text} }}}} is no value: write block.column, block.rows, $parameter, project, store or generated"
            );
            return Err((reason, suggest(text, &words)));
        };
        if !blocks.contains(&block) {
            return Err((format!("{{{{ {text} }}}}: there is no block '{block}'"), suggest(block, blocks)));
        }
        let column = column.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(column);
        Ok(match column {
            "rows" => Self::Rows(block.to_owned()),
            column => Self::Cell(block.to_owned(), column.to_owned()),
        })
    }
}

/// Puts values into a text; `value` gives what stands for the words between the braces.
pub(crate) fn fill(text: &str, value: impl Fn(&str) -> String) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut at = 0;
    for (place, name) in places(text) {
        filled.push_str(&text[at..place.start]);
        filled.push_str(&value(name));
        at = place.end;
    }
    filled.push_str(&text[at..]);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_places() {
        let inner = |text| places(text).into_iter().map(|(_, inner)| inner).collect::<Vec<_>>();
        assert_eq!(inner("a {{ b.c }} and {{$d}}, {{ open"), ["b.c", "$d"]);
        assert_eq!(inner("{{{{ x }}"), ["x"]);
        assert_eq!(inner("{{ a\nb }} {{ c }}"), ["c"]);
        assert_eq!(fill("{{ a }}-{{b}}", |name| name.to_uppercase()), "A-B");
        assert_eq!(fill("{{ a }}", |_| "{{ b }}".to_owned()), "{{ b }}", "values are not read again");
    }

    #[test]
    fn reads_names() {
        let parse = |text| ValueName::parse(text, &["totals", "by-model"], &["since"]);
        assert_eq!(parse("totals.cost"), Ok(ValueName::Cell("totals".into(), "cost".into())));
        assert_eq!(parse("by-model.rows"), Ok(ValueName::Rows("by-model".into())));
        assert_eq!(parse("totals.\"a b\""), Ok(ValueName::Cell("totals".into(), "a b".into())));
        assert_eq!(parse("$since"), Ok(ValueName::Param("since".into())));
        assert_eq!(parse("since"), Ok(ValueName::Param("since".into())));
        assert_eq!(parse("sinc").unwrap_err().1.as_deref(), Some("since"));
        assert_eq!(parse("generated"), Ok(ValueName::Generated));
        assert_eq!(parse("total.cost").unwrap_err().1.as_deref(), Some("totals"));
        assert_eq!(parse("$sinc").unwrap_err().1.as_deref(), Some("$since"));
        assert_eq!(parse("projekt").unwrap_err().1.as_deref(), Some("project"));
    }
}
