//! The arguments of `spanql filter`.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use spanql_filter::Language;
use spanql_filter::opik::Entity;

fn language(names: &'static [&'static str]) -> impl TypedValueParser<Value = Language> {
    PossibleValuesParser::new(names).map(|name| name.parse().unwrap_or(Language::Sql))
}

fn entity() -> impl TypedValueParser<Value = Entity> {
    PossibleValuesParser::new(["spans", "traces", "threads"]).map(|name| name.parse().unwrap_or(Entity::Spans))
}

#[derive(Debug, Args)]
pub(in crate::cli) struct FilterArguments {
    /// The filter: Arize's language, Opik's (OQL or the JSON list of its REST API), or Phoenix's parameters (as in an
    /// address, or as a JSON object)
    #[arg(value_name = "TEXT", allow_hyphen_values = true)]
    pub(in crate::cli) text: String,
    /// Language it is written in [default: opik for a JSON list, else arize]
    #[arg(long, value_name = "L", value_parser = language(&["arize", "opik", "phoenix"]))]
    pub(in crate::cli) from: Option<Language>,
    /// Language to say it in; lists and parameters are printed as JSON
    #[arg(long, value_name = "L", default_value = "sql", value_parser = language(&["sql", "arize", "opik", "phoenix"]))]
    pub(in crate::cli) to: Language,
    /// What a filter of Opik is about
    #[arg(long, value_name = "E", default_value = "spans", value_parser = entity())]
    pub(in crate::cli) entity: Entity,
}
