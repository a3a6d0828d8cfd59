//! Readers of filters: an error is short and says where, and what was read can be written and read again.

use std::collections::BTreeMap;

use spanql::model::columns::spans_schema;
use spanql_filter::opik::{self, Entity};
use spanql_filter::phoenix::{self, Parameters};
use spanql_filter::{FilterError, MAX_BYTES, Names, Unknown, arize, conjuncts, pattern, sql};

/// An error is one for people: short, and inside the text.
fn checked<T>(text: &str, read: Result<T, FilterError>) -> Option<T> {
    match read {
        Ok(read) => Some(read),
        Err(error) => {
            assert!(error.report().len() < 3_000, "a long report: {}", error.report());
            assert!(error.position().is_none_or(|(line, _)| line <= text.matches('\n').count() + 1));
            None
        }
    }
}

/// Text of Arize's language.
pub fn read_arize(text: &str) {
    let (schema, rest) = (spans_schema(&[]), BTreeMap::new());
    let names = Names::new(&schema, &rest, Unknown::Silent);
    let Some(filter) = checked(text, arize::parse(text, &names)) else { return };
    let conditions = conjuncts(filter.expr.clone());
    // Open names are text where nothing else is known.
    let open = filter.columns().into_iter().filter(|name| schema.index_of(name).is_err());
    let open = open.map(|name| arrow::datatypes::Field::new(name, arrow::datatypes::DataType::Utf8, true).into());
    let fields: Vec<arrow::datatypes::FieldRef> = schema.fields().iter().cloned().chain(open).collect();
    let schema = arrow::datatypes::Schema::new(fields);
    sql::print(&filter.expr).unwrap();
    let _ = arize::narrow(&conditions, &schema);
    let printed = arize::print(&conditions, &schema);
    if let Some(text) = printed.translated.filter(|text| text.len() <= MAX_BYTES) {
        let again = |text: &str| {
            let read = arize::parse(text, &names).unwrap_or_else(|error| panic!("{}", error.report()));
            arize::print(&conjuncts(read.expr), &schema).translated.unwrap()
        };
        let twice = again(&text);
        if twice.len() < text.len() {
            // Equalities on a name that was typed in two ways are one list as soon as they are written alike.
            assert_eq!(again(&twice), twice, "written, read and written again");
        } else {
            assert_eq!(twice, text, "written, read and written again");
        }
    }
}

/// OQL, and lists of conditions.
pub fn read_opik(text: &str) {
    let (schema, rest) = (spans_schema(&[]), BTreeMap::new());
    let names = Names::new(&schema, &rest, Unknown::Silent);
    for entity in [Entity::Spans, Entity::Traces, Entity::Threads] {
        if let Some(Some(clauses)) = checked(text, opik::compile(text, entity)) {
            let list = serde_json::to_string(&clauses).unwrap();
            if list.len() <= MAX_BYTES {
                assert_eq!(opik::compile(&list, entity).unwrap().as_ref(), Some(&clauses), "{list}");
            }
        }
        if let Some(oql) = checked(text, opik::parse(text, entity, &names)) {
            drop(opik::print(&conjuncts(oql.expr), entity, &schema));
        }
    }
}

/// Parameters of Phoenix's search.
pub fn read_phoenix(text: &str) {
    let (schema, rest) = (spans_schema(&[]), BTreeMap::new());
    let names = Names::new(&schema, &rest, Unknown::Silent);
    let Some(parameters) = checked(text, Parameters::read(text)) else { return };
    let json = serde_json::to_string(&parameters).unwrap();
    if json.len() <= MAX_BYTES {
        assert_eq!(Parameters::read(&json).unwrap(), parameters);
    }
    if let Some(filter) = checked(text, phoenix::parse(&parameters, &names)) {
        drop(phoenix::print(&conjuncts(filter.expr), &schema));
    }
}

/// Patterns of structure.
pub fn read_pattern(text: &str) {
    let (schema, rest) = (spans_schema(&[]), BTreeMap::new());
    let names = Names::new(&schema, &rest, Unknown::Silent);
    if let Some(read) = checked(text, pattern::parse(text, None, &names)) {
        assert_eq!(read.places.len(), read.chain.relations.len() + 1);
        assert_eq!(read.text, text);
    }
}
