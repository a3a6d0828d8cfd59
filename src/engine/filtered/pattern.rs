//! Spans by their place among the others of their trace.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use datafusion::catalog::TableProvider;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::Expr;

use super::table::{Table, typed, view};
use crate::error::EngineError;
use crate::remote::{RemoteTable, traces_where};
use crate::structure::StructureTable;
use spanql_filter::pattern::{self, Pattern};
use spanql_filter::{Names, Unknown};
use spanql_model::columns::{TREE, is_of_tree};
use spanql_trace::structure::{Asked, Side};

/// Reads a pattern of the spans of a table.
pub(super) fn read(table: &Table, text: &str, side: Option<Side>) -> Result<Pattern, EngineError> {
    let remote = table.provider.is::<RemoteTable>();
    // The tree is there for patterns, whether the table has its columns or not.
    let schema = table.provider.schema();
    let tree = TREE.iter().filter(|column| schema.index_of(column.name).is_err());
    let tree = tree.map(|column| Field::new(column.name, column.data_type.clone(), true).into());
    let schema = Schema::new(schema.fields().iter().cloned().chain(tree).collect::<Vec<_>>());
    let unknown = if remote { Unknown::Silent } else { Unknown::Null };
    Ok(pattern::parse(text, side, &Names::new(&schema, &table.rest, unknown))?)
}

impl Table {
    /// The spans that a pattern gives, if it is true of them.
    pub(super) fn structure(
        &self,
        pattern: &Pattern,
        condition: &Expr,
        names: &BTreeSet<String>,
    ) -> DataFusionResult<(Arc<dyn TableProvider>, Vec<String>)> {
        let conditions = pattern.places.iter().flatten().chain([condition]);
        let mut wanted: BTreeSet<String> = conditions.flat_map(spanql_filter::columns).collect();
        let schema = self.provider.schema();
        wanted.retain(|name| !is_of_tree(name) || schema.index_of(name).is_ok());
        wanted.extend(names.iter().cloned());
        let remote = self.provider.downcast_ref::<RemoteTable>();
        let (spans, mut notes) = match remote {
            Some(remote) => match candidates(pattern) {
                Some(condition) => traces_where(remote, vec![condition.clone()], None, &wanted),
                None => remote.with_unannounced(&wanted),
            },
            None => (Arc::clone(&self.provider), vec![]),
        };
        let rest = Arc::clone(&self.rest);
        let structure = Arc::new(StructureTable::new(spans, rest, pattern, remote.is_some())?);
        let (table, absent) = self.view_of(structure, &wanted)?;
        notes.extend(absent);
        let rows = self.scan(&table)?.filter(typed(condition.clone(), &table)?)?;
        Ok((view(rows.project(self.shown(names))?)?, notes))
    }
}

/// What is true of some span of every trace that has a match, where a single span can tell.
fn candidates(pattern: &Pattern) -> Option<&Expr> {
    let telling = |place: &&Expr| !spanql_filter::columns(place).iter().any(|name| is_of_tree(name));
    let last = pattern.places.last().filter(|_| pattern.chain.asked != Asked::Without);
    pattern.places.first().into_iter().chain(last).flatten().find(telling)
}
