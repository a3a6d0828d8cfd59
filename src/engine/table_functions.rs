//! Functions in FROM: those that filter a table, and those that were registered.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::ast::{Expr, FunctionArg, FunctionArgExpr, UnaryOperator, Value};
use datafusion::sql::sqlparser::tokenizer::Span;

use super::catalog::{Catalog, Relation, TableKey, column_names};
use super::error::EngineError;
use super::filtered::{self, Filtered};
use super::functions::{is_internal, spelled};
use spanql_filter::dialect::HIGHER_ORDER;

/// The call of a table function, as a table of one statement.
#[derive(Debug)]
pub(crate) struct FunctionTable {
    pub(crate) key: TableKey,
    pub(crate) columns: Vec<String>,
    pub(crate) spans: bool,
    pub(crate) rows: FunctionRows,
}

/// Where the rows of a table function come from.
#[derive(Debug)]
pub(crate) enum FunctionRows {
    /// A table, and the names in its `attributes.rest`.
    Table(Arc<dyn TableProvider>, Arc<BTreeMap<String, DataType>>),
    /// Another table, filtered.
    Filtered(Box<Filtered>),
}

/// The names of all functions.
pub(super) fn names(catalog: &Catalog<'_>) -> Vec<String> {
    let scalar = catalog.state.scalar_functions().keys();
    let grouped = catalog.state.aggregate_functions().keys().chain(catalog.state.window_functions().keys());
    let tables = catalog.state.table_functions().keys().chain(catalog.registry.functions.keys());
    let mut names: Vec<String> = scalar.chain(grouped).chain(tables).cloned().collect();
    names.extend(filtered::FUNCTIONS.map(str::to_owned));
    names.extend(spelled::scalar_names().chain(spelled::aggregate_names()).chain(HIGHER_ORDER).map(str::to_owned));
    names.sort();
    names.dedup();
    names
}

/// The names that a function of another name may have been meant for: those of its own kind, if the call tells it.
pub(super) fn meant(catalog: &Catalog<'_>, typed: &str, grouped: bool) -> Vec<String> {
    if grouped {
        let known = catalog.state.aggregate_functions().keys().chain(catalog.state.window_functions().keys());
        return known.cloned().chain(spelled::aggregate_names().map(str::to_owned)).collect();
    }
    // Functions of lists are called like aggregates, and nobody means one who did not say so.
    let of_lists = |name: &str| name.starts_with("array") || name.starts_with("list_");
    let typed = typed.to_lowercase();
    let mut names = names(catalog);
    names.retain(|name| {
        !is_internal(name) && (!of_lists(name) || typed.starts_with("arr") || typed.starts_with("list"))
    });
    names
}

/// Whether there is a table function of the engine of this (lower case) name.
pub(super) fn is_table_function(catalog: &Catalog<'_>, name: &str) -> bool {
    catalog.registry.functions.contains_key(name) || filtered::FUNCTIONS.contains(&name)
}

/// Calls a table function of the engine; `None` if there is none of this name.
pub(super) fn call(
    catalog: &Catalog<'_>,
    name: &str,
    args: &[FunctionArg],
    span: Span,
) -> Result<Option<FunctionTable>, EngineError> {
    let name = name.to_lowercase();
    if !is_table_function(catalog, &name) {
        return Ok(None);
    }
    let registered = catalog.registry.functions.get(&name);
    let values =
        args.iter().enumerate().map(|(i, arg)| literal(arg).ok_or(i)).collect::<Result<Vec<_>, usize>>().map_err(
            |i| {
                EngineError::new("bad-argument", format!("argument {} of {name} is not a constant", i + 1))
                    .at_span(span)
                    .why("a table function is called before any row is read")
                    .help("give a text, a number or a parameter")
            },
        )?;
    let texts: Vec<String> = values.iter().map(literal_text).collect();
    let key = TableKey::public(format!("{name}({})", texts.join(", ")));
    let Some(function) = registered else {
        let made = filtered::call(catalog, &name, &values).map_err(|error| error.at_span(span))?;
        return Ok(made.map(|made| {
            let columns = made.schema().fields().iter().map(|field| field.name().clone()).collect();
            let spans = made.holds_spans();
            FunctionTable { key, columns, spans, rows: FunctionRows::Filtered(Box::new(made)) }
        }));
    };
    let (provider, rest, spans) = match function(&values).map_err(|error| error.at_span(span))? {
        Relation::Spans { table, rest } => (table, rest, true),
        Relation::Plain(table) => (table, Arc::default(), false),
        Relation::View(_) => return Err(EngineError::new("internal", format!("{name} gave a view")).at_span(span)),
    };
    let columns = column_names(provider.as_ref());
    Ok(Some(FunctionTable { key, columns, spans, rows: FunctionRows::Table(provider, rest) }))
}

fn literal_text(value: &ScalarValue) -> String {
    match value {
        ScalarValue::Utf8(Some(text)) => format!("'{}'", text.replace('\'', "''")),
        other => other.to_string(),
    }
}

fn literal(arg: &FunctionArg) -> Option<ScalarValue> {
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg else { return None };
    let number = |text: &str| match text.parse::<i64>() {
        Ok(int) => Some(ScalarValue::Int64(Some(int))),
        Err(_) => text.parse::<f64>().ok().map(|float| ScalarValue::Float64(Some(float))),
    };
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text)
            | Value::EscapedStringLiteral(text)
            | Value::NationalStringLiteral(text) => Some(ScalarValue::Utf8(Some(text.clone()))),
            Value::DollarQuotedString(text) => Some(ScalarValue::Utf8(Some(text.value.clone()))),
            Value::Number(text, _) => number(text),
            Value::Boolean(flag) => Some(ScalarValue::Boolean(Some(*flag))),
            Value::Null => Some(ScalarValue::Null),
            _ => None,
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match expr.as_ref() {
            Expr::Value(value) => match &value.value {
                Value::Number(text, _) => number(&format!("-{text}")),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}
