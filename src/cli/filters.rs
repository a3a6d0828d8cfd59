//! The options that say which spans are meant, in every language that is understood.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Field, Schema};
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use datafusion::common::Column;
use datafusion::logical_expr::{Expr, lit};

use super::failure::Failure;
use spanql_filter::opik::{self, Entity, Oql};
use spanql_filter::phoenix::{self, Parameters};
use spanql_filter::{Filter, FilterError, Names, Unknown, all_of, arize};
use spanql_model::columns;
use spanql_model::derived::{derived_list, holders, indexed};
use spanql_model::names::is_open_name;
use spanql_sources::remote_table_schema;

/// Which spans are meant: those of which everything that is given is true.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Filter")]
pub(super) struct FilterOptions {
    /// Condition in Arize's filter language: status_code = 'ERROR' AND latency_ms > 1000
    #[arg(long, value_name = "F")]
    pub(super) filter: Option<String>,
    /// Condition in Opik's query language: total_estimated_cost > 0.1 AND tags contains "slow"; or its JSON list
    #[arg(long, value_name = "F")]
    pub(super) oql: Option<String>,
    /// Spans of this trace; repeated: of any of them
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new(), conflicts_with_all = ["span_id", "session_id"])]
    pub(super) trace_id: Vec<String>,
    /// This span; repeated: any of them
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new(), conflicts_with = "session_id")]
    pub(super) span_id: Vec<String>,
    /// Spans of this session; repeated: of any of them
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub(super) session_id: Vec<String>,
    /// Spans of this kind, in any case; repeated: of any of them. UNKNOWN is any that is not well known
    #[arg(long, value_name = "KIND")]
    pub(super) span_kind: Vec<String>,
    /// Spans with this status (OK, ERROR, UNSET), in any case; repeated: with any of them
    #[arg(long, value_name = "CODE")]
    pub(super) status_code: Vec<String>,
    /// Spans of just this name; repeated: of any of them
    #[arg(long, value_name = "NAME")]
    pub(super) name: Vec<String>,
    /// Spans below this span; null: spans without a parent
    #[arg(long, value_name = "ID")]
    pub(super) parent_id: Option<String>,
    /// Spans with this attribute, the value as JSON, else as text: llm.model_name:gpt-4o; a number or a boolean is found
    /// where it came as text, too; repeated: with all of them
    #[arg(long, value_name = "KEY:VALUE")]
    pub(super) attribute: Vec<String>,
    /// Read names that no span has as null, instead of refusing the filter
    #[arg(long)]
    pub(super) allow_unknown: bool,
}

impl FilterOptions {
    /// What to do with names that no span has.
    pub(super) fn unknown(&self) -> Unknown {
        if self.allow_unknown { Unknown::Null } else { Unknown::Error }
    }

    /// All conditions that are given, joined on the tree; `None` when there is none.
    pub(super) fn read(&self, names: &Names<'_>) -> Result<Option<Filter>, FilterError> {
        let (mut conditions, mut notes) = (vec![], vec![]);
        if let Some(text) = &self.filter {
            let filter = arize::parse(text, names)?;
            conditions.push(filter.expr);
            notes.extend(filter.notes);
        }
        if let Some(text) = &self.oql {
            // What is asked of any span of a trace is asked of traces only.
            let oql = read_oql(text, Entity::Spans, names)?;
            conditions.extend(Some(oql.expr).filter(|condition| *condition != lit(true)));
            notes.extend(oql.notes);
        }
        let parameters = self.parameters();
        if parameters != Parameters::default() {
            let filter = phoenix::parse(&parameters, names)?;
            conditions.push(filter.expr);
            notes.extend(filter.notes);
        }
        conditions.extend(one_of(Column::new_unqualified(columns::SESSION_ID), &self.session_id));
        let filter = !conditions.is_empty();
        Ok(filter.then(|| Filter { expr: all_of(conditions), notes }))
    }

    /// Whether every span is meant.
    pub(super) fn is_empty(&self) -> bool {
        let texts = [&self.filter, &self.oql];
        let nothing_else = self.session_id.is_empty() && self.parameters() == Parameters::default();
        texts.into_iter().all(Option::is_none) && nothing_else
    }

    /// What can be said as parameters of Phoenix.
    fn parameters(&self) -> Parameters {
        Parameters {
            span_kind: self.span_kind.clone(),
            status_code: self.status_code.clone(),
            name: self.name.clone(),
            trace_id: self.trace_id.clone(),
            span_id: self.span_id.clone(),
            attribute: self.attribute.clone(),
            parent_id: self.parent_id.clone(),
        }
    }

    /// The same before anything is known of a remote: every open name is taken.
    pub(super) fn read_unchecked(&self) -> Result<Option<Filter>, FilterError> {
        let (schema, rest) = (remote_table_schema(&BTreeMap::new()), BTreeMap::new());
        self.read(&Names::new(&schema, &rest, Unknown::Silent))
    }

    /// The same for the spans of a remote that announces these columns, `all` of them or not.
    pub(super) fn read_for(
        &self,
        remote_schema: &BTreeMap<String, DataType>,
        all: bool,
    ) -> Result<Option<Filter>, FilterError> {
        let (schema, rest) = (self.schema_for(remote_schema, all)?, BTreeMap::new());
        self.read(&Names::new(&schema, &rest, self.unknown()).without_held())
    }

    /// The columns that the conditions may name of the spans of a remote that announces these, `all` of them or not.
    pub(super) fn schema_for(
        &self,
        remote_schema: &BTreeMap<String, DataType>,
        all: bool,
    ) -> Result<Schema, FilterError> {
        let schema = remote_table_schema(remote_schema);
        let Some(filter) = self.read_unchecked()? else { return Ok(schema) };
        let text = |name: &str| schema.field_with_name(name).is_ok_and(|field| field.data_type() == &DataType::Utf8);
        // Nobody can know the keys that share a column, nor those in JSON text; and who does not say all of its columns
        // says nothing against these.
        let known = |name: &String| {
            !all || remote_schema.is_empty()
                || holders(name).any(|(holder, _)| remote_schema.contains_key(holder) && text(holder))
                || name.starts_with("attributes.") && remote_schema.contains_key(columns::REST)
        };
        let own = |name: &String| is_open_name(name) && derived_list(name).is_none() && indexed(name).is_none();
        let mut named: BTreeMap<String, DataType> = self.attributes();
        for name in filter.columns() {
            named.entry(name).or_insert(DataType::Utf8);
        }
        let named = named.into_iter().filter(|(name, _)| own(name) && known(name) && schema.index_of(name).is_err());
        let named = named.map(|(name, data_type)| Field::new(name, data_type, true).into());
        Ok(Schema::new(schema.fields().iter().cloned().chain(named).collect::<Vec<_>>()))
    }
}

impl FilterOptions {
    /// The columns of the attributes that are asked for, with the types of their values: where nobody knows the type of
    /// a column, the one that the value has is meant.
    fn attributes(&self) -> BTreeMap<String, DataType> {
        let pairs = self.attribute.iter().filter_map(|pair| pair.split_once(':'));
        let typed = |value: &str| match serde_json::from_str(value) {
            Ok(serde_json::Value::Bool(_)) => DataType::Boolean,
            Ok(serde_json::Value::Number(number)) if number.is_i64() => DataType::Int64,
            Ok(serde_json::Value::Number(_)) if value.contains(['.', 'e', 'E']) => DataType::Float64,
            _ => DataType::Utf8,
        };
        pairs.map(|(key, value)| (format!("attributes.{key}"), typed(value))).collect()
    }
}

/// The refusal of a filter, with a note on what helps.
pub(super) fn refused(error: FilterError) -> Failure {
    let open = error.code() == "unknown-name";
    Failure::Filter(if open { error.or("--allow-unknown reads it as null") } else { error })
}

/// Reads a filter of `--oql`.
pub(super) fn read_oql(text: &str, entity: Entity, names: &Names<'_>) -> Result<Oql, FilterError> {
    if text.trim().is_empty() {
        // A variable that is not set would select everything.
        return Err(FilterError::new("syntax", "the filter is empty").help("leave it out to select everything"));
    }
    opik::parse(text, entity, names)
}

/// The condition that a column holds one of these; `None` when none are given.
pub(super) fn one_of(column: Column, ids: &[String]) -> Option<Expr> {
    let column = Expr::Column(column);
    match ids {
        [] => None,
        [id] => Some(column.eq(lit(id.as_str()))),
        ids => Some(column.in_list(ids.iter().map(|id| lit(id.as_str())).collect(), false)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(filter: &str) -> FilterOptions {
        FilterOptions { filter: Some(filter.into()), ..FilterOptions::default() }
    }

    fn remote_schema(names: &[&str]) -> BTreeMap<String, DataType> {
        names.iter().map(|name| ((*name).to_owned(), DataType::Int64)).collect()
    }

    #[test]
    fn everything_given_is_joined_on_the_tree() {
        assert!(FilterOptions::default().read_unchecked().unwrap().is_none());
        let options =
            FilterOptions { trace_id: vec!["x' OR 'a'='a".into()], ..options("name = 'a' OR status_code = 'ERROR'") };
        let filter = options.read_unchecked().unwrap().unwrap();
        assert_eq!(spanql_filter::conjuncts(filter.expr.clone()).len(), 2, "{}", filter.expr);
        let columns: Vec<String> = filter.columns().into_iter().collect();
        assert_eq!(columns, ["context.trace_id", "name", "status_code"]);
        let both = FilterOptions { session_id: vec!["a".into(), "b".into()], ..FilterOptions::default() };
        let said = both.read_unchecked().unwrap().unwrap().expr.to_string();
        assert!(said.contains("IN ([Utf8(\"a\"), Utf8(\"b\")])"), "{said}");
    }

    #[test]
    fn names_that_a_remote_does_not_announce_are_refused() {
        let known = remote_schema(&["name", "attributes.foo.bar", "attributes.metadata"]);
        for (filter, refused) in [
            ("attributes.foo.bar = 1", None),
            ("attributes.foo.baz = 1", Some("did you mean attributes.foo.bar?")),
            ("attributes.foo = 1", Some("no span has attributes.foo")),
            ("eval.a.label = 'x'", Some("no span has eval.a.label")),
            ("attributes.metadata.anything = 'x'", None),
            ("metadata.anything = 'x'", None),
            // A canonical name, whether it is announced or not.
            ("attributes.llm.cost.total > 1", None),
            ("tree.depth = 1", Some("unknown column tree.depth")),
            ("nmae = 'x'", Some("did you mean name?")),
        ] {
            let read = options(filter).read_for(&known, true);
            match refused {
                None => assert!(read.is_ok(), "{filter}: {read:?}"),
                Some(said) => {
                    let report = read.unwrap_err().report();
                    assert!(report.contains(said) && report.contains('^'), "{filter}: {report}");
                }
            }
        }
        let bold = FilterOptions { allow_unknown: true, ..options("attributes.foo.baz = 1") };
        let notes = bold.read_for(&known, true).unwrap().unwrap().notes;
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(options("attributes.foo.baz = 1").read_for(&remote_schema(&[]), true).is_ok(), "nothing is announced");
        // Of one that does not say all of its columns.
        assert!(options("attributes.foo.baz = 1").read_for(&known, false).is_ok());
        assert!(options("nmae = 'x'").read_for(&known, false).is_err());
        assert!(options("metadata.a = 1").read_for(&remote_schema(&["name"]), true).is_err(), "there is no metadata");
        assert!(options("attributes.a = 1").read_for(&remote_schema(&["attributes.rest"]), true).is_ok());
    }
}
