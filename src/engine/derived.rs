//! Columns of a table of spans that are not stored: read from `attributes.rest`, from a list, or from the JSON text of
//! another column, or null.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::catalog::TableProvider;
use datafusion::catalog::default_table_source::provider_as_source;
use datafusion::common::{Column, ScalarValue};
use datafusion::datasource::ViewTable;
use datafusion::error::Result;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, lit, try_cast};

use super::error::EngineError;
use super::functions::json::{json_list_item, json_list_numbers, json_list_texts, json_member, json_path};
use super::limits::MAX_OPEN_NAMES;
use spanql_filter::READ_AS_NULL;
use spanql_filter::numbers::is_text;
use spanql_model::columns;
use spanql_model::derived::{derived_list, holders, indexed};
use spanql_model::names::absent_type;
use spanql_model::nearest::{as_typed, maybe_mistyped, nearest};

/// How a name that a table has no column of is read.
#[derive(Debug, Clone)]
pub(crate) enum Reading {
    /// From another column.
    Computed(Expr),
    /// From the JSON text of other columns, as text: whether any span has it is seen when that is read.
    Held(Expr),
    /// As null: no span has it.
    Absent(DataType),
}

/// Decides how an open name is read from a table of spans with this schema.
pub(crate) fn read_open_name(name: &str, schema: &Schema, rest: &BTreeMap<String, DataType>) -> Reading {
    let has = |column: &str| schema.field_with_name(column).is_ok();
    let column = |name: &str| Expr::Column(Column::new_unqualified(name));
    if let Some(data_type) = rest.get(name).filter(|_| has(columns::REST)) {
        let text = json_member(column(columns::REST), lit(name));
        return Reading::Computed(if *data_type == DataType::Utf8 { text } else { try_cast(text, data_type.clone()) });
    }
    if let Some(list) = derived_list(name).filter(|list| has(list.parent)) {
        let read = if list.numbers { json_list_numbers } else { json_list_texts };
        return Reading::Computed(read(column(list.parent), lit(list.path)));
    }
    if let Some((parent, path)) = indexed(name)
        && has(parent)
    {
        return Reading::Computed(json_list_item(column(parent), lit(path)));
    }
    // Several columns may hold it, each for other spans.
    let mut held: Vec<Expr> = holders(name)
        .filter_map(|(holder, path)| Some(json_path(text_column(holder, schema, rest)?, lit(path))))
        .collect();
    match held.pop() {
        None => Reading::Absent(absent_type(name)),
        Some(only) if held.is_empty() => Reading::Held(only),
        Some(last) => {
            held.push(last);
            Reading::Held(coalesce(held))
        }
    }
}

/// A column of texts, or a name in `attributes.rest` whose values are texts.
fn text_column(name: &str, schema: &Schema, rest: &BTreeMap<String, DataType>) -> Option<Expr> {
    let column = |name: &str| Expr::Column(Column::new_unqualified(name));
    if let Ok(field) = schema.field_with_name(name) {
        return is_text(field.data_type()).then(|| column(name));
    }
    let in_rest = rest.get(name).is_some_and(is_text) && schema.field_with_name(columns::REST).is_ok();
    in_rest.then(|| json_member(column(columns::REST), lit(name)))
}

/// How a name is read from a table of spans with this schema; `None` where it is a column and nothing else.
pub(crate) fn read_name(name: &str, schema: &Schema, rest: &BTreeMap<String, DataType>) -> Option<Reading> {
    let Ok(field) = schema.field_with_name(name) else { return Some(read_open_name(name, schema, rest)) };
    let (parent, path) = indexed(name).filter(|(parent, _)| schema.field_with_name(parent).is_ok())?;
    // What a span's list says as well is kept in the list only.
    let own = Expr::Column(Column::new_unqualified(name));
    let item = json_list_item(Expr::Column(Column::new_unqualified(parent)), lit(path));
    Some(Reading::Computed(coalesce(vec![own, try_cast(item, field.data_type().clone())])))
}

/// A table with further columns behind its own, and a note for each that no span has.
pub fn with_open_names(
    table: &str,
    provider: Arc<dyn TableProvider>,
    rest: &BTreeMap<String, DataType>,
    names: &BTreeSet<String>,
) -> Result<(Arc<dyn TableProvider>, Vec<String>)> {
    if names.len() > MAX_OPEN_NAMES {
        let count = names.len();
        return Err(EngineError::new("limit", format!("{table} is asked for too many names"))
            .why(format!("there are {count} beside its own columns, and the limit is {MAX_OPEN_NAMES}"))
            .help("name fewer at a time")
            .into());
    }
    let schema = provider.schema();
    let own = schema.fields().iter().map(|field| Expr::Column(Column::new_unqualified(field.name())));
    let mut notes = vec![];
    let mut exprs: Vec<Expr> = own.collect();
    for name in names {
        let own = schema.index_of(name).ok();
        let expr = match read_name(name, &schema, rest) {
            None => continue,
            Some(Reading::Computed(expr)) => expr,
            Some(Reading::Held(expr)) => {
                notes.extend(maybe_mistyped(name, known_names(&schema, rest)));
                expr
            }
            Some(Reading::Absent(data_type)) => {
                let note = format!("no span has {} {READ_AS_NULL}", as_typed(name));
                notes.push(absent_name(note, name, &schema, rest));
                Expr::Literal(ScalarValue::try_from(&data_type)?, None)
            }
        };
        match own {
            Some(index) => exprs[index] = expr.alias(name),
            None => exprs.push(expr.alias(name)),
        }
    }
    // The name is quoted whole: a dot in it is no schema.
    let reference = datafusion::common::TableReference::bare(table);
    let plan = LogicalPlanBuilder::scan(reference, provider_as_source(provider), None)?.project(exprs)?.build()?;
    Ok((Arc::new(ViewTable::new(plan, None)), notes))
}

/// A note about a name that a table of this schema lacks, with the nearest one it has.
pub(crate) fn absent_name(note: String, name: &str, schema: &Schema, rest: &BTreeMap<String, DataType>) -> String {
    match nearest(name, known_names(schema, rest)) {
        Some(near) => format!("{note}; nearest: {}", as_typed(near)),
        None => note,
    }
}

fn known_names<'a>(schema: &'a Schema, rest: &'a BTreeMap<String, DataType>) -> impl Iterator<Item = &'a str> {
    schema.fields().iter().map(|field| field.name().as_str()).chain(rest.keys().map(String::as_str))
}
