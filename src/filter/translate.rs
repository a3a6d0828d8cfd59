//! From one language to another.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use arrow::datatypes::{Field, Schema};
use datafusion_expr::Expr;
use serde::Serialize;

use super::opik::{self, Entity};
use super::phoenix::{self, Parameters};
use super::{Filter, FilterError, Names, Translated, Unknown, arize, columns, conjuncts, sql};
use spanql_model::columns::{TREE, spans_schema};
use spanql_model::names::{absent_type, is_open_name};

/// A language that conditions are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// SQL, of this crate's dialect.
    Sql,
    /// Arize's filter language.
    Arize,
    /// Opik's OQL, or the JSON list of its REST API.
    Opik,
    /// The parameters of Phoenix's span search.
    Phoenix,
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sql => "sql",
            Self::Arize => "arize",
            Self::Opik => "opik",
            Self::Phoenix => "phoenix",
        })
    }
}

impl FromStr for Language {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Sql, Self::Arize, Self::Opik, Self::Phoenix]
            .into_iter()
            .find(|language| language.to_string() == text)
            .ok_or(())
    }
}

/// A filter in another language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    /// The text: SQL, Arize's language, or the JSON of a list or of parameters.
    pub text: String,
    /// What the translation lets through that the filter does not, each a line without a full stop.
    pub notes: Vec<String>,
}

/// Why there is no translation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TranslateError {
    /// The filter is wrong.
    #[error("{0}")]
    Filter(#[from] FilterError),
    /// It is right, and the other language has no words for it.
    #[error("{to} cannot say this: {condition}")]
    Unsaid {
        /// The language.
        to: &'static str,
        /// The first condition that it cannot say, in SQL.
        condition: String,
    },
    /// It lets everything through, which is said by no filter at all.
    #[error("{to} says this by no filter: it lets everything through")]
    Everything {
        /// The language.
        to: &'static str,
    },
    /// It is about the spans of a trace, which no condition on one row can say.
    #[error(
        "no condition on one row can say what is asked of the spans of a trace ({condition}); ask SQL: FROM oql('…', 'traces')"
    )]
    OfAnySpan {
        /// What it asks of a span, in SQL.
        condition: String,
    },
}

/// Says a filter in another language. What the filter is about (spans, traces, threads) matters to Opik's only.
///
/// Open names are taken for names that there are.
///
/// # Errors
/// When the filter is wrong, or one of its conditions cannot be said, not even so that more is let through.
pub fn translate(text: &str, from: Language, to: Language, entity: Entity) -> Result<Translation, TranslateError> {
    if from == Language::Opik && to == Language::Opik {
        // What the server alone can judge goes through unchanged.
        return Ok(exact(json(&opik::compile(text, entity)?)));
    }
    let (schema, rest) = (spans_schema(&[]), BTreeMap::new());
    let names = Names::new(&schema, &rest, Unknown::Silent);
    let (conditions, of_any_span) = match from {
        Language::Opik => {
            let oql = opik::parse(text, entity, &names)?;
            (conjuncts(oql.expr), oql.any_span.into_iter().next())
        }
        Language::Phoenix => {
            let parameters = Parameters::read(text)?;
            let Filter { expr, .. } = phoenix::parse(&parameters, &names)?;
            (conjuncts(expr), None)
        }
        Language::Sql | Language::Arize => (conjuncts(arize::parse(text, &names)?.expr), None),
    };
    if let Some(any) = of_any_span {
        return Err(TranslateError::OfAnySpan { condition: in_sql(&any.expr) });
    }
    let schema = with_open_names(&schema, &conditions);
    match to {
        Language::Sql => Ok(exact(sql::print(&super::all_of(conditions))?)),
        Language::Arize => print_in(&conditions, "Arize's language", |some| arize::print(some, &schema), |text| text),
        Language::Opik => {
            print_in(&conditions, "Opik's language", |some| opik::print(some, entity, &schema), |it| json(&it))
        }
        Language::Phoenix => print_in(&conditions, "Phoenix", |some| phoenix::print(some, &schema), |it| json(&it)),
    }
}

fn exact(text: String) -> Translation {
    Translation { text, notes: vec![] }
}

fn json(value: &impl Serialize) -> String {
    // Only maps with keys that are no text cannot be written.
    serde_json::to_string(value).unwrap_or_default()
}

fn unsaid(to: &'static str, condition: &Expr) -> TranslateError {
    TranslateError::Unsaid { to, condition: in_sql(condition) }
}

/// A condition in words for people.
fn in_sql(condition: &Expr) -> String {
    sql::print(condition).unwrap_or_else(|_| condition.to_string())
}

fn print_in<T>(
    conditions: &[Expr],
    to: &'static str,
    print: impl Fn(&[Expr]) -> Translated<T>,
    text: impl Fn(T) -> String,
) -> Result<Translation, TranslateError> {
    // One that cannot be said at all would be missing without a word.
    let unsaid_alone = |condition: &&Expr| {
        let Translated { translated, rest } = print(std::slice::from_ref(*condition));
        translated.is_none() && !rest.is_empty()
    };
    let missing = conditions.iter().find(unsaid_alone);
    if let Some(missing) = missing {
        return Err(unsaid(to, missing));
    }
    let Translated { translated, rest } = print(conditions);
    match translated {
        Some(translated) => {
            let note = |left: &Expr| format!("this lets through more than {}: check that again", in_sql(left));
            Ok(Translation { text: text(translated), notes: rest.iter().map(note).collect() })
        }
        None => Err(TranslateError::Everything { to }),
    }
}

/// The canonical columns, and the open ones that some conditions name.
fn with_open_names(schema: &Schema, conditions: &[Expr]) -> Schema {
    let named: BTreeSet<String> = conditions.iter().flat_map(columns).collect();
    let known = |name: &String| schema.index_of(name).is_ok() || TREE.iter().any(|column| column.name == name);
    let open = named.into_iter().filter(|name| !known(name) && is_open_name(name));
    let open = open.map(|name| Field::new(&name, absent_type(&name), true).into());
    Schema::new(schema.fields().iter().cloned().chain(open).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(text: &str, from: &str, to: &str) -> String {
        let [from, to] = [from, to].map(|name| name.parse().unwrap());
        match translate(text, from, to, Entity::Spans) {
            Ok(Translation { text, notes }) if notes.is_empty() => text,
            Ok(Translation { text, notes }) => format!("{text} ({})", notes.join("; ")),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn from_each_language_to_each() {
        let mut said = String::new();
        for (from, text) in [
            ("arize", "status_code = 'ERROR' AND latency_ms > 1000"),
            ("arize", "span_kind IN ('LLM', 'TOOL')"),
            ("arize", "model = 'gpt-4o' OR name CONTAINS 'it''s'"),
            ("arize", "NOT (eval.Correctness.label = 'correct') AND parent_id = null"),
            ("arize", "context.trace_id = 'abc' AND attributes.session.id = 's1'"),
            ("arize", "nmae = 'x'"),
            ("opik", "type = \"llm\" AND duration > 1500.5"),
            ("opik", "model contains \"gpt\" AND metadata.tier = \"free\""),
            ("opik", "feedback_scores.Quality >= 0.5 AND tags contains \"prod\""),
            ("opik", "[{\"field\":\"usage.total_tokens\",\"operator\":\">\",\"value\":\"5\"}]"),
            ("opik", "name = \"a\" OR name = \"b\""),
            ("phoenix", "span_kind=llm&span_kind=tool&status_code=error"),
            ("phoenix", "{\"attribute\":[\"llm.model_name:gpt-4o\",\"user.id:\\\"12\\\"\"],\"parent_id\":\"null\"}"),
            ("phoenix", "span_kind=LLN"),
        ] {
            for to in ["sql", "arize", "opik", "phoenix"] {
                said += &format!("{from} {text}\n  {to}: {}\n", translated(text, from, to));
            }
        }
        insta::assert_snapshot!(said);
    }

    #[test]
    fn open_names_are_columns_once() {
        use datafusion_expr::{ident, lit};

        let schema = Schema::new(vec![Field::new("name", arrow::datatypes::DataType::Utf8, true)]);
        let names = ["name", "attributes.x", "eval.a.score", "bogus", "tree.depth"];
        let conditions = names.map(|name| ident(name).eq(lit(1)).or(ident("attributes.x").is_null()));
        let schema = with_open_names(&schema, &conditions);
        let fields = schema.fields().iter().map(|field| field.name().as_str());
        assert_eq!(fields.collect::<Vec<_>>(), ["name", "attributes.x", "eval.a.score"]);
    }
}
