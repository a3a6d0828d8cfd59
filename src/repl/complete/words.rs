//! What can be completed: a snapshot of the catalog, taken when the prompt appears.

use std::collections::BTreeMap;

/// A table and its columns.
#[derive(Debug, Clone, Default)]
pub struct TableWords {
    /// Its name, as FROM takes it.
    pub name: String,
    /// Its columns, in their order.
    pub columns: Vec<String>,
    /// Whether it holds spans, so that aliases and open names stand for columns of it.
    pub spans: bool,
}

/// Everything that completion knows. Nothing else is asked while somebody types.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// Tables and views.
    pub tables: Vec<TableWords>,
    /// Functions of the select list, in lower case.
    pub functions: Vec<String>,
    /// Functions of FROM.
    pub table_functions: Vec<String>,
    /// Values of the columns that have few, by the column's whole name; sorted.
    pub values: BTreeMap<String, Vec<String>>,
    /// Names of values in the JSON text of columns of spans, as far as they are known; sorted.
    pub paths: Vec<String>,
    /// Projects of the store.
    pub projects: Vec<String>,
    /// Ids of traces, sorted.
    pub trace_ids: Vec<String>,
    /// Ids of sessions, sorted.
    pub session_ids: Vec<String>,
    /// Names of saved queries.
    pub queries: Vec<String>,
    /// Names of reports.
    pub reports: Vec<String>,
    /// Remotes: schemas whose tables are their projects.
    pub sources: Vec<String>,
    /// Parameters that are set.
    pub variables: Vec<String>,
}

impl Words {
    /// The table of a name, in any case.
    pub(super) fn table(&self, name: &str) -> Option<&TableWords> {
        self.tables.iter().find(|table| table.name.eq_ignore_ascii_case(name))
    }

    /// The ids, of sorted ones, that begin so.
    pub(super) fn beginning<'a>(ids: &'a [String], start: &str) -> &'a [String] {
        let from = ids.partition_point(|id| id.as_str() < start);
        let length = ids[from..].partition_point(|id| id.starts_with(start));
        &ids[from..from + length]
    }
}
