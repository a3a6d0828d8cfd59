//! Files in FROM, as tables of one statement.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, ObjectName, ObjectNamePart, TableAlias, TableFunctionArgs,
};

use super::super::catalog::{TableKey, column_names};
use super::super::error::EngineError;
use super::super::files::{self, Files};
use super::super::table_functions::{FunctionRows, FunctionTable};
use super::Resolver;
use super::ast::{literal, name_span, object_name, quoted};
use super::query::Shape;
use super::scope::Rel;

/// The file that an item of FROM names: a text in single quotes, or a call such as `read_csv('…')`.
pub(super) fn file_named(name: &ObjectName, args: Option<&TableFunctionArgs>) -> Option<String> {
    let [ObjectNamePart::Identifier(ident)] = name.0.as_slice() else { return None };
    match args {
        None => (ident.quote_style == Some('\'')).then(|| ident.value.clone()),
        Some(args) if files::is_reader(&ident.value.to_lowercase()) => match args.args.as_slice() {
            [FunctionArg::Unnamed(FunctionArgExpr::Expr(expr @ Expr::Value(_)))] => literal(expr).map(str::to_owned),
            _ => None,
        },
        Some(_) => None,
    }
}

impl Resolver<'_> {
    /// The file as a table that is called as it is, without folder and ending.
    pub(super) fn file(
        &mut self,
        name: &mut ObjectName,
        alias: &mut Option<TableAlias>,
        typed: &str,
    ) -> Result<Rel, EngineError> {
        let span = name_span(name);
        // Where no file is read, this is the name of a table that is not there.
        if matches!(self.catalog.registry.files, Files::Never)
            && let [ObjectNamePart::Identifier(ident)] = name.0.as_slice()
            && ident.quote_style.is_some()
            && let Some(parts) = self.name_parts(name)
        {
            let there = self.catalog.table(&parts)?.is_some();
            return match there {
                true => self.table_reference(name, alias.as_ref()),
                false => Err(self.unknown_table(name, &parts)),
            };
        }
        self.count_tables(1)?;
        let key = TableKey::public(format!("'{typed}'"));
        let known = self.function_tables.iter().find(|table| table.key == key);
        let columns = match known {
            Some(known) => known.columns.clone(),
            None => {
                let table = files::table(&self.catalog.registry.files, typed).map_err(|error| error.at_span(span))?;
                let columns = column_names(&table);
                let rows = FunctionRows::Table(Arc::new(table), Arc::default());
                self.function_tables.push(FunctionTable {
                    key: key.clone(),
                    columns: columns.clone(),
                    spans: false,
                    rows,
                });
                columns
            }
        };
        *name = object_name(&key.path(1), span);
        let stem = Path::new(typed).file_stem().map_or_else(|| typed.into(), |stem| stem.to_string_lossy());
        let alias = alias.get_or_insert_with(|| TableAlias {
            explicit: true,
            name: quoted(stem.into_owned(), span),
            columns: vec![],
            at: None,
        });
        let shape = Shape { shown: columns, ..Shape::default() };
        Ok(Rel::new(vec![alias.name.value.clone()], Rc::new(shape.into_columns(Some(alias)))))
    }
}
