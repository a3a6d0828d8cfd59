//! Small pieces of syntax trees.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    ObjectName, ObjectNamePart, Query, SetExpr, Value, ValueWithSpan, Values,
};
use datafusion::sql::sqlparser::tokenizer::Span;

/// Writes the name of a window so that its case does not count.
pub(super) fn in_lower_case(name: &mut Ident) {
    name.value = name.value.to_lowercase();
}

pub(super) fn quoted(value: impl Into<String>, span: Span) -> Ident {
    Ident::with_quote_and_span('"', span, value)
}

pub(super) fn object_name(parts: &[String], span: Span) -> ObjectName {
    ObjectName(parts.iter().map(|part| ObjectNamePart::Identifier(quoted(part, span))).collect())
}

pub(super) fn name_span(name: &ObjectName) -> Span {
    name.0.first().and_then(ObjectNamePart::as_ident).map_or_else(Span::empty, |ident| ident.span)
}

/// A plain function call.
pub(super) fn call(name: &str, args: Vec<Expr>) -> Expr {
    let argument = |expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: args.into_iter().map(argument).collect(),
            clauses: vec![],
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    })
}

/// A text in quotes.
pub(super) fn text(text: impl Into<String>) -> Expr {
    Expr::value(Value::SingleQuotedString(text.into()))
}

/// A number as it would be typed.
pub(super) fn number(text: &str) -> Expr {
    Expr::value(Value::Number(text.to_owned(), false))
}

/// The text that an expression is, in single quotes.
pub(super) fn literal(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => Some(text),
        _ => None,
    }
}

/// Two operands and what joins them.
pub(super) fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

/// A query of no rows, in the place of one that is taken out.
pub(super) fn empty_query() -> Query {
    Query {
        with: None,
        body: Box::new(SetExpr::Values(Values { explicit_row: false, value_keyword: false, rows: vec![] })),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: vec![],
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: vec![],
    }
}
