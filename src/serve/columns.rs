//! Which columns are sent, under which names and in which types.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::logical_expr::{Expr, cast};

use super::backend::{Project, column};
use super::functions::{Elements, elements, text_list_type};
use super::refusal::{Refusal, shown};
use spanql_model::columns::{
    self, Content, END_TIME, EVENT_ATTRIBUTES, METADATA_PREFIX, NOTES, PROJECT, SOURCE, START_TIME, timestamp_type,
};
use spanql_model::names::is_open_name;
use spanql_model::nearest::nearest;

/// The column by which clients sort; always sent.
pub(super) const TIME: &str = "time";
/// Prefix of the columns that describe a span's place in its trace.
const TREE: &str = "tree.";

/// The columns of an answer.
pub(super) struct Selection {
    /// What they are read from.
    pub(super) table: Arc<dyn TableProvider>,
    /// What gives each of them, by its name.
    pub(super) exprs: Vec<Expr>,
    /// Their names and types on the wire: no views and no dictionaries, which clients cannot read.
    pub(super) schema: SchemaRef,
}

impl Selection {
    /// Everything that a project has: the canonical columns, and the open ones that hold a value.
    ///
    /// Single keys of metadata are left out, because the metadata holds them. Keys beyond the limit on open columns are
    /// in `attributes.rest`, as JSON text of an object by their full names.
    ///
    /// The table it is read from has the columns of `read` as well.
    pub(super) fn all(project: &Project, read: BTreeSet<String>) -> Result<Self, Refusal> {
        let schema = project.schema();
        let sent = |name: &&str| {
            is_served(name)
                && (columns::canonical(name).is_some() || (project.holds(name) && !name.starts_with(METADATA_PREFIX)))
        };
        let names: Vec<String> =
            schema.fields().iter().map(|field| field.name().as_str()).filter(sent).map(str::to_owned).collect();
        Ok(Self::of(project.spans_table_with(&read)?, &names))
    }

    /// The columns of these names, and the time. A name of an open family that no span has is a column of nulls;
    /// any other unknown name is left out. The table it is read from has the columns of `read` as well.
    ///
    /// # Errors
    /// When none of the names is known.
    pub(super) fn named(project: &Project, names: &[String], read: BTreeSet<String>) -> Result<Self, Refusal> {
        let schema = project.schema();
        let known = |name: &str| is_served(name) && (schema.index_of(name).is_ok() || is_open_name(name));
        let mut chosen: Vec<String> = Vec::new();
        for name in names.iter().filter(|name| known(name)) {
            if !chosen.contains(name) {
                chosen.push(name.clone());
            }
        }
        let asks_for_time = names.iter().any(|name| name == TIME);
        if let (true, Some(first)) = (chosen.is_empty() && !asks_for_time, names.first()) {
            let served = schema.fields().iter().map(|field| field.name().as_str()).filter(|name| is_served(name));
            let near = nearest(first, served).map(|near| format!("; the nearest to {} is {near:?}", shown(first)));
            return Err(Refusal::invalid(format!(
                "none of the projected columns is known{}",
                near.unwrap_or_default()
            )));
        }
        let open_names = chosen.iter().filter(|name| is_open_name(name) && columns::canonical(name).is_none());
        let open_names = open_names.cloned().chain(read).collect();
        Ok(Self::of(project.spans_table_with(&open_names)?, &chosen))
    }

    fn of(table: Arc<dyn TableProvider>, names: &[String]) -> Self {
        let schema = table.schema();
        let mut exprs = vec![column(START_TIME).alias(TIME)];
        let mut fields = vec![Field::new(TIME, timestamp_type(), true)];
        for field in names.iter().filter_map(|name| schema.field_with_name(name).ok()) {
            let (expr, data_type) = sent(field);
            exprs.push(expr.alias(field.name()));
            fields.push(Field::new(field.name(), data_type, true));
        }
        Self { table, exprs, schema: Arc::new(Schema::new(fields)) }
    }
}

/// Whether clients of the protocol know a column: not where it was stored, nor what was computed about its trace.
fn is_served(name: &str) -> bool {
    name != PROJECT && name != SOURCE && !name.starts_with(TREE)
}

/// How a column is sent, and in which type.
fn sent(field: &Field) -> (Expr, DataType) {
    let name = field.name().as_str();
    let list = |form| (elements(column(name), form), text_list_type());
    if name == START_TIME || name == END_TIME {
        return (cast(column(name), DataType::Int64), DataType::Int64);
    }
    if name == NOTES && *field.data_type() == DataType::Utf8 {
        return list(Elements::Unquoted);
    }
    let is_list = columns::canonical(name).is_some_and(|column| column.content == Content::JsonList);
    // The events' attributes are for searching in, as one text.
    if is_list && name != EVENT_ATTRIBUTES {
        return list(Elements::Verbatim);
    }
    (column(name), field.data_type().clone())
}
