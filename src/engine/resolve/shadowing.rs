//! ORDER BY that reads a column of FROM whose name an output has, which is something else.
//!
//! DataFusion would have to carry both through one projection, and refuses two columns of one name. So
//! `SELECT -x AS x FROM t ORDER BY x + 0` becomes `SELECT o AS x FROM (SELECT -x AS o, x + 0 AS s FROM t) ORDER BY s`.

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    Distinct, Expr, GroupByExpr, Ident, OrderBy, OrderByKind, Query, Select, SelectFlavor, SelectItem, SetExpr,
    TableAlias, TableFactor, TableWithJoins,
};
use datafusion::sql::sqlparser::tokenizer::Span;

use super::super::walk::{Flow, Walk, walk};
use super::ast::{empty_query, quoted};
use super::outputs::Output;

/// Gives the outputs of a SELECT other names, and takes what else its ORDER BY reads among them, if it must be so.
///
/// Not where one more item would change the result: there, an input column in ORDER BY is wrong anyway.
pub(super) fn hide_names(select: &Select, outputs: &mut Vec<Output>, order_by: &mut OrderBy) -> bool {
    let one_more_would_matter = matches!(select.distinct, Some(Distinct::Distinct | Distinct::On(_)))
        || matches!(select.group_by, GroupByExpr::All(_));
    let OrderByKind::Expressions(exprs) = &mut order_by.kind else { return false };
    if one_more_would_matter || !exprs.iter().any(|by| reads_a_shadowed_column(&by.expr, outputs)) {
        return false;
    }
    let shown = outputs.len();
    for (index, by) in exprs.iter_mut().enumerate() {
        let output = match &by.expr {
            Expr::Identifier(ident) => outputs[..shown].iter().position(|output| output.name == ident.value),
            _ => None,
        };
        let name = match output {
            Some(output) => hidden_name(output),
            None => format!("__sort_{index}"),
        };
        let expr = std::mem::replace(&mut by.expr, Expr::Identifier(quoted(name.as_str(), Span::empty())));
        if output.is_none() {
            outputs.push(Output { name, expr, computed: false });
        }
    }
    for (index, output) in outputs[..shown].iter_mut().enumerate() {
        output.name = hidden_name(index);
    }
    true
}

/// Puts a SELECT around that of a query whose names are hidden; ORDER BY and LIMIT stay with the outer one.
pub(super) fn show_names<'a>(query: &mut Query, names: impl Iterator<Item = &'a String>) {
    let projection = names.enumerate().map(|(index, name)| SelectItem::ExprWithAlias {
        expr: Expr::Identifier(quoted(hidden_name(index), Span::empty())),
        alias: quoted(name.as_str(), Span::empty()),
    });
    let mut outer = bare_select(projection.collect());
    let inner = Query { body: std::mem::replace(&mut query.body, empty_query().body), ..empty_query() };
    let alias = TableAlias { explicit: true, name: quoted("__named", Span::empty()), columns: vec![], at: None };
    let derived = TableFactor::Derived { lateral: false, subquery: Box::new(inner), alias: Some(alias), sample: None };
    outer.from = vec![TableWithJoins { relation: derived, joins: vec![] }];
    *query.body = SetExpr::Select(Box::new(outer));
}

fn hidden_name(index: usize) -> String {
    format!("__output_{index}")
}

fn reads_a_shadowed_column(expr: &Expr, outputs: &[Output]) -> bool {
    let mut columns = Columns(vec![]);
    // It never breaks off.
    let _ = walk(expr, &mut columns);
    columns.0.iter().any(|column| {
        let name = column.last().map(|ident| &ident.value);
        outputs.iter().any(|output| {
            Some(&output.name) == name && !matches!(&output.expr, Expr::CompoundIdentifier(own) if own == column)
        })
    })
}

/// The columns of FROM that an expression reads.
struct Columns(Vec<Vec<Ident>>);

impl Walk for Columns {
    fn pre_visit_expr(&mut self, expr: &Expr) -> Flow {
        if let Expr::CompoundIdentifier(idents) = expr {
            self.0.push(idents.clone());
        }
        Flow::Continue(())
    }
}

/// A SELECT of these items and nothing else.
fn bare_select(projection: Vec<SelectItem>) -> Select {
    Select {
        select_token: AttachedToken::empty(),
        optimizer_hints: vec![],
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection,
        exclude: None,
        into: None,
        from: vec![],
        lateral_views: vec![],
        prewhere: None,
        selection: None,
        connect_by: vec![],
        group_by: GroupByExpr::Expressions(vec![], vec![]),
        cluster_by: vec![],
        distribute_by: vec![],
        sort_by: vec![],
        having: None,
        named_window: vec![],
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: SelectFlavor::Standard,
    }
}
