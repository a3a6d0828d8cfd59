//! Names in a statement: scopes, aliases, output names, USING, open names.
//!
//! Works on the syntax tree. Every name it can resolve is rewritten to the exact, quoted and qualified one, every
//! select item gets the name users see, and `*` is written out; what it cannot know (columns of table functions it has
//! never seen, fields of structs) is left to DataFusion.

mod ast;
mod clauses;
mod estimated;
mod expressions;
mod file_tables;
mod from;
mod json_paths;
mod lists;
mod names;
mod operators;
mod outputs;
mod patterns;
mod query;
mod scope;
mod select;
mod shadowing;
mod spelled;
mod star;
mod time_calls;
mod unknown;
mod unsupported;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use datafusion::sql::parser::{CopyToSource, Statement};
use datafusion::sql::sqlparser::ast::{Ident, ObjectName, Statement as SqlStatement};
use datafusion::sql::sqlparser::tokenizer::Location;

use super::catalog::{Catalog, TableKey};
use super::error::EngineError;
use super::operands::Operator;
use super::parse::Parsed;
use super::table_functions::FunctionTable;
use ast::{name_span, object_name};
use scope::{Columns, Scopes};
use spanql_model::nearest::nearest;

/// How many tables a statement may read, a WITH query counted each time it is used.
const MAX_TABLES: usize = 1_000;
/// How many WITH queries a statement may have.
const MAX_CTES: usize = 200;

/// A statement of exact names, and what the tables must have for it.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) statement: Statement,
    /// Open names by the table they are read from, of which the table has no column.
    pub(crate) wanted: BTreeMap<TableKey, BTreeSet<String>>,
    /// Calls of table functions that became tables of this statement.
    pub(crate) function_tables: Vec<FunctionTable>,
    pub(crate) places: Places,
    /// What the reader should know of names, each a line without a full stop.
    pub(crate) notes: Vec<String>,
}

/// Where things stand in the text, for errors that come when the text is gone.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// The functions, by the names that they became, where each was first called.
    pub(crate) functions: HashMap<String, Call>,
    /// Where each text literal first stands.
    pub(crate) literals: HashMap<String, Location>,
    /// The operators, as they were typed.
    pub(crate) operators: Vec<Operator>,
    /// The columns that are read outside of aggregates, by their names, each as it was typed first.
    pub(crate) columns: HashMap<String, (String, Location)>,
}

/// A call of a function.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) place: Location,
    /// Whether it is an aggregate, or over a window.
    pub(crate) grouped: bool,
    /// The name as it was typed.
    pub(crate) typed: String,
}

/// Resolves the names of a statement.
///
/// An open name found nowhere is asked of its table, and the statement resolved again: with the name there, a `*` in
/// between passes it on.
pub(crate) fn resolve(parsed: &Parsed, catalog: &Catalog<'_>) -> Result<Resolved, EngineError> {
    unsupported::check(&parsed.statement, &parsed.words)?;
    let mut wanted = BTreeMap::new();
    loop {
        let mut resolver = Resolver {
            catalog,
            parsed,
            wanted,
            again: false,
            ctes: vec![],
            cte_count: 0,
            tables: 0,
            unnamed: 0,
            function_tables: vec![],
            places: Places::default(),
            not_grouped: false,
            notes: vec![],
        };
        let mut statement = parsed.statement.clone();
        resolver.statement(&mut statement)?;
        if !resolver.again {
            let Resolver { wanted, function_tables, places, notes, .. } = resolver;
            return Ok(Resolved { statement, wanted, function_tables, places, notes });
        }
        wanted = resolver.wanted;
    }
}

/// A WITH query in scope.
struct Cte {
    name: String,
    columns: Rc<Columns>,
    /// The tables that one use of it reads.
    tables: usize,
}

struct Resolver<'a> {
    catalog: &'a Catalog<'a>,
    parsed: &'a Parsed,
    wanted: BTreeMap<TableKey, BTreeSet<String>>,
    again: bool,
    ctes: Vec<Rc<Cte>>,
    cte_count: usize,
    tables: usize,
    unnamed: usize,
    function_tables: Vec<FunctionTable>,
    places: Places,
    /// Whether the current place is one where rows are not grouped yet: WHERE.
    not_grouped: bool,
    notes: Vec<String>,
}

impl Resolver<'_> {
    fn statement(&mut self, statement: &mut Statement) -> Result<(), EngineError> {
        match statement {
            Statement::Statement(statement) => self.sql_statement(statement),
            Statement::Explain(explain) => self.statement(&mut explain.statement),
            Statement::CopyTo(copy) => match &mut copy.source {
                CopyToSource::Query(query) => self.query(query, &Scopes::default(), false).map(drop),
                CopyToSource::Relation(name) => self.table_name(name),
            },
            Statement::CreateExternalTable(_) | Statement::Reset(_) => Ok(()),
        }
    }

    fn sql_statement(&mut self, statement: &mut SqlStatement) -> Result<(), EngineError> {
        let scopes = Scopes::default();
        match statement {
            SqlStatement::Query(query) => self.query(query, &scopes, false).map(drop),
            SqlStatement::Explain { statement, .. } => self.sql_statement(statement),
            SqlStatement::ExplainTable { table_name, .. } => self.table_name(table_name),
            SqlStatement::ShowColumns { show_options, .. } => {
                match show_options.show_in.as_mut().and_then(|place| place.parent_name.as_mut()) {
                    Some(name) => self.table_name(name),
                    None => Ok(()),
                }
            }
            SqlStatement::Insert(insert) => match &mut insert.source {
                Some(query) => self.query(query, &scopes, false).map(drop),
                None => Ok(()),
            },
            SqlStatement::CreateView(view) => self.query(&mut view.query, &scopes, false).map(drop),
            SqlStatement::CreateTable(table) => match &mut table.query {
                Some(query) => self.query(query, &scopes, false).map(drop),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Rewrites the name of a table to the exact one.
    fn table_name(&mut self, name: &mut ObjectName) -> Result<(), EngineError> {
        let Some(parts) = self.name_parts(name) else { return Ok(()) };
        match self.catalog.table(&parts)? {
            Some(table) => {
                *name = object_name(&table.key.path(parts.len()), name_span(name));
                Ok(())
            }
            None => Err(self.unknown_table(name, &parts)),
        }
    }

    /// The parts of a table's name, a joined dotted name taken apart again.
    fn name_parts(&self, name: &ObjectName) -> Option<Vec<String>> {
        let mut parts = vec![];
        for part in &name.0 {
            let ident = part.as_ident()?;
            match self.joined_parts(ident) {
                Some(joined) => parts.extend_from_slice(joined),
                None => parts.push(ident.value.clone()),
            }
        }
        Some(parts)
    }

    /// The parts that were joined into this identifier, if it was made of a dotted name.
    fn joined_parts(&self, ident: &Ident) -> Option<&[String]> {
        ident.quote_style?;
        self.parsed.joined.get(&ident.span.start).filter(|parts| parts.join(".") == ident.value).map(Vec::as_slice)
    }

    fn unknown_table(&self, name: &ObjectName, parts: &[String]) -> EngineError {
        let typed = parts.join(".");
        let mut known = self.catalog.table_names();
        known.extend(self.ctes.iter().map(|cte| cte.name.clone()));
        let near = nearest(&typed, known.iter().map(String::as_str));
        let error = EngineError::new("unknown-table", format!("unknown table {typed}")).at_span(name_span(name));
        if near.is_some() {
            return error.suggest(near);
        }
        match parts {
            [_] => {
                let tables: Vec<String> = known.into_iter().filter(|name| !name.contains('.')).collect();
                error.why(format!("the tables are {}", tables.join(", ")))
            }
            _ => match self.catalog.remotes() {
                remotes if remotes.is_empty() => error,
                remotes => error.why(format!("live tables are those of {}", remotes.join(", "))),
            },
        }
    }

    /// Counts the tables that a place in the statement reads.
    fn count_tables(&mut self, tables: usize) -> Result<(), EngineError> {
        self.tables = self.tables.saturating_add(tables);
        if self.tables > MAX_TABLES {
            return Err(EngineError::new("limit", "the statement reads too many tables")
                .why(format!("with WITH queries written out it reads more than {MAX_TABLES}"))
                .help("use each WITH query fewer times"));
        }
        Ok(())
    }
}
