//! Functions of lists over columns whose texts are JSON lists.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectNamePart, Value,
};

use super::super::functions::json_list::AS_LIST;
use super::ast::call;

/// Functions that take something else first, though they are called like those of lists.
const OTHERS: [&str; 4] = ["array_agg", "array_repeat", "list_repeat", "array_to_json"];

/// Reads the list of a call as one, where it is a name: its type depends on the spans that there are.
pub(super) fn lists_of_json(expr: &mut Expr) {
    match expr {
        Expr::Function(function) => {
            let [ObjectNamePart::Identifier(ident)] = function.name.0.as_slice() else { return };
            let name = ident.value.as_str();
            let of_lists = name.starts_with("array_")
                || name.starts_with("list_")
                || matches!(name, "unnest" | "cardinality" | "flatten");
            if !of_lists || OTHERS.contains(&name) {
                return;
            }
            if let FunctionArguments::List(list) = &mut function.args
                && let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(first))) = list.args.first_mut()
            {
                as_list(first);
            }
        }
        Expr::AnyOp { right, .. } | Expr::AllOp { right, .. } => as_list(right),
        _ => {}
    }
}

/// Wraps a name, or what is taken out of JSON.
pub(super) fn as_list(expr: &mut Expr) {
    let inner = match &*expr {
        Expr::Nested(inner) => inner.as_ref(),
        other => other,
    };
    let wraps = match inner {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => true,
        Expr::BinaryOp { op, .. } => {
            matches!(op, BinaryOperator::Arrow | BinaryOperator::LongArrow)
        }
        Expr::Function(function) => {
            matches!(function.name.0.as_slice(), [ObjectNamePart::Identifier(ident)] if ident.value.starts_with("json_"))
        }
        Expr::Cast { data_type, .. } => matches!(data_type, datafusion::sql::sqlparser::ast::DataType::Text),
        _ => false,
    };
    if wraps {
        let inner = std::mem::replace(expr, Expr::value(Value::Null));
        *expr = call(AS_LIST, vec![inner]);
    }
}
