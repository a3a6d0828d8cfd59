//! Functions, types and literals as DuckDB and PostgreSQL spell them, as DataFusion knows them.
//!
//! What is another name only is registered as one (`functions/spelled.rs`). Here is what has another shape, too: done on
//! the syntax tree, ahead of all names, so that each stands for what a person could have typed.

use chrono::DateTime;
use datafusion::arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;
use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, CaseWhen, DataType, ExactNumberInfo, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Interval, ObjectNamePart, Subscript, TimezoneInfo, TypedString, Value,
    ValueWithSpan,
};

use super::super::functions::spelled::{DATE_PARTS, FORMATS, INTERVALS, PERCENTILES};
use super::ast::{binary, call, literal, number, text};
use super::json_paths::{as_path, json_call};
use super::operators::{any_pattern, cast, is_condition, known_operator};
use super::patterns::without_escape;
use super::time_calls::time_call;
use spanql_model::time::{self, Clock};

/// Writes an expression as DataFusion knows it; what is inside it comes later.
pub(super) fn known_spelling(expr: &mut Expr, data_end: Option<i64>) {
    match expr {
        Expr::Cast { data_type, expr: inner, .. } => {
            known_type(data_type);
            if let (DataType::Timestamp(..), Expr::Value(text)) = (&*data_type, inner.as_mut()) {
                known_time(text, data_end);
            }
        }
        Expr::TypedString(TypedString { data_type: DataType::Timestamp(..), value, .. }) => known_time(value, data_end),
        Expr::Like { any: true, .. } | Expr::ILike { any: true, .. } => {
            if let Some(made) = any_pattern(expr) {
                *expr = made;
            }
        }
        Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } => {
            without_escape(pattern, escape_char);
        }
        Expr::BinaryOp { left, op, right } => {
            if let Some(made) = known_operator(left, op, right).or_else(|| as_path(left, op, right)) {
                *expr = made;
            }
        }
        Expr::Function(function) => {
            if let Some(made) = known_function(function) {
                *expr = made;
            }
        }
        _ => {}
    }
}

fn known_type(data_type: &mut DataType) {
    match data_type {
        DataType::CharacterVarying(_) | DataType::CharVarying(_) | DataType::Nvarchar(_) | DataType::Character(_) => {
            *data_type = DataType::Varchar(None);
        }
        // JSON is text here, and read where something is taken out of it.
        DataType::JSON | DataType::JSONB => *data_type = DataType::Text,
        DataType::Int64 => *data_type = DataType::BigInt(None),
        DataType::Float64 => *data_type = DataType::Double(ExactNumberInfo::None),
        DataType::Datetime(_) => *data_type = DataType::Timestamp(None, TimezoneInfo::None),
        _ => {}
    }
}

/// Writes out a time of which only a part was typed.
fn known_time(text: &mut ValueWithSpan, data_end: Option<i64>) {
    if let Value::SingleQuotedString(typed) = &mut text.value
        && string_to_timestamp_nanos(typed).is_err()
        && let Ok(nanos) = time::typed(typed, &Clock::now(data_end))
    {
        *typed = DateTime::from_timestamp_nanos(nanos).to_rfc3339();
    }
}

/// The plain arguments of a call; none if it has others.
pub(super) fn arguments(function: &Function) -> Option<Vec<Expr>> {
    let FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses }) = &function.args
    else {
        return None;
    };
    if !clauses.is_empty() {
        return None;
    }
    let plain = args.iter().map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    });
    plain.collect()
}

/// The call under another name, with other arguments; the clauses behind it stay.
fn renamed(function: &Function, name: &str, args: Vec<Expr>) -> Expr {
    let Expr::Function(made) = call(name, args) else { return Expr::Function(function.clone()) };
    let mut name = made.name;
    // Errors speak of the place of what was typed.
    if let (Some(ObjectNamePart::Identifier(to)), Some(ObjectNamePart::Identifier(from))) =
        (name.0.first_mut(), function.name.0.first())
    {
        to.span = from.span;
    }
    Expr::Function(Function { name, args: made.args, ..function.clone() })
}

fn case(condition: Expr, then: Expr, otherwise: Option<Expr>) -> Expr {
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen { condition, result: then }],
        else_result: otherwise.map(Box::new),
    }
}

fn known_function(function: &mut Function) -> Option<Expr> {
    let [ObjectNamePart::Identifier(ident)] = function.name.0.as_slice() else { return None };
    if ident.quote_style.is_some() {
        return None;
    }
    let name = ident.value.to_lowercase();
    if name == "struct_pack" {
        return struct_pack(function);
    }
    if matches!(name.as_str(), "group_concat" | "listagg") {
        joined_texts(function);
        return None;
    }
    if matches!(name.as_str(), "sum" | "avg" | "mean") {
        counted_conditions(function);
        return None;
    }
    if matches!(name.as_str(), "quantile_disc" | "quantile" | "percentile_disc") {
        return discrete(function, name == "percentile_disc");
    }
    let mut args = arguments(function)?;
    if let Some((_, part)) = DATE_PARTS.iter().find(|(known, _)| *known == name).filter(|_| args.len() == 1) {
        return Some(call("date_part", vec![text(*part), args.pop()?]));
    }
    if let Some((_, format)) = FORMATS.iter().find(|(known, _)| *known == name).filter(|_| args.len() == 1) {
        return Some(call("to_char", vec![args.pop()?, text(*format)]));
    }
    if let Some((_, rank)) = PERCENTILES.iter().find(|(known, _)| *known == name).filter(|_| args.len() == 1) {
        args.push(number(rank));
        return Some(renamed(function, "quantile_cont", args));
    }
    match (name.as_str(), args.len()) {
        ("if" | "iif", 3) => {
            let (otherwise, then) = (args.pop()?, args.pop()?);
            Some(case(args.pop()?, then, Some(otherwise)))
        }
        // SQLite has the pattern first.
        ("strftime", 2) if literal(&args[0]).is_some_and(|pattern| pattern.contains('%')) => {
            args.swap(0, 1);
            Some(renamed(function, "to_char", args))
        }
        ("count_if" | "countif", 1) => {
            let counted = case(args.pop()?, number("1"), None);
            Some(renamed(function, "count", vec![counted]))
        }
        ("regexp_extract", 2 | 3) => {
            let group = if args.len() == 3 { args.pop()? } else { number("0") };
            let (pattern, from) = (args.pop()?, args.pop()?);
            let whole = call("concat", vec![text("("), pattern, text(")")]);
            let index = binary(group, BinaryOperator::Plus, number("1"));
            let found = Expr::CompoundFieldAccess {
                root: Box::new(call("regexp_match", vec![from.clone(), whole])),
                access_chain: vec![AccessExpr::Subscript(Subscript::Index { index })],
            };
            // Nothing found is an empty text, as in DuckDB; of null, null.
            Some(call("coalesce", vec![found, call("left", vec![from, number("0")])]))
        }
        ("mod", 2) => {
            let right = Expr::Nested(Box::new(args.pop()?));
            Some(Expr::Nested(Box::new(binary(args.pop()?, BinaryOperator::Modulo, right))))
        }
        ("sign", 1) => Some(cast(renamed(function, "signum", args), DataType::BigInt(None))),
        ("date", 1) => Some(cast(args.pop()?, DataType::Date)),
        ("last_day", 1) => {
            let month = call("date_trunc", vec![text("month"), args.pop()?]);
            let next = binary(month, BinaryOperator::Plus, interval("1 month"));
            Some(cast(binary(next, BinaryOperator::Minus, interval("1 day")), DataType::Date))
        }
        ("regexp_full_match", 2) => {
            let whole = call("concat", vec![text("^(?:"), args.pop()?, text(")$")]);
            Some(renamed(function, "regexp_like", vec![args.pop()?, whole]))
        }
        ("list_apply" | "array_apply" | "apply" | "transform", 2) => Some(renamed(function, "array_transform", args)),
        ("filter", 2) => Some(renamed(function, "array_filter", args)),
        _ => {
            let unit = INTERVALS.iter().find(|(known, _)| *known == name).filter(|_| args.len() == 1);
            if let Some((_, unit)) = unit {
                return Some(Expr::Nested(Box::new(binary(interval(unit), BinaryOperator::Multiply, args.pop()?))));
            }
            time_call(&name, &args).or_else(|| json_call(&name, args))
        }
    }
}

fn interval(length: &str) -> Expr {
    Expr::Interval(Interval {
        value: Box::new(text(length)),
        leading_field: None,
        leading_precision: None,
        last_field: None,
        fractional_seconds_precision: None,
    })
}

/// `sum(x = 1)` counts where it is true.
fn counted_conditions(function: &mut Function) {
    if let FunctionArguments::List(list) = &mut function.args
        && let [FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))] = list.args.as_mut_slice()
        && is_condition(arg)
    {
        *arg = cast(Expr::Nested(Box::new(arg.clone())), DataType::BigInt(None));
    }
}

/// `quantile_disc(x, 0.5)` and `percentile_disc(0.5) WITHIN GROUP (ORDER BY x)`: the value at that place of all in order.
fn discrete(function: &Function, is_within: bool) -> Option<Expr> {
    let mut args = arguments(function)?;
    let (value, share) = match (is_within, args.len(), function.within_group.as_slice()) {
        (true, 1, [by]) if by.options.asc != Some(false) => (by.expr.clone(), args.pop()?),
        (false, 2, []) => {
            let share = args.pop()?;
            (args.pop()?, share)
        }
        _ => return None,
    };
    if function.over.is_some() {
        return None;
    }
    let known = Expr::IsNotNull(Box::new(value.clone()));
    let filter = match &function.filter {
        Some(filter) => binary(Expr::Nested(filter.clone()), BinaryOperator::And, known),
        None => known,
    };
    let of = |name: &str| match renamed(function, name, vec![value.clone()]) {
        Expr::Function(made) => {
            Expr::Function(Function { filter: Some(Box::new(filter.clone())), within_group: vec![], ..made })
        }
        other => other,
    };
    let double = |expr: Expr| cast(expr, DataType::Double(ExactNumberInfo::None));
    // As DuckDB counts: what lies above the share is left out in whole values.
    let count = || double(of("count"));
    let below = binary(double(share), BinaryOperator::Multiply, count());
    let above = call("floor", vec![binary(count(), BinaryOperator::Minus, below)]);
    let place = cast(binary(count(), BinaryOperator::Minus, above), DataType::BigInt(None));
    let sorted = call("array_sort", vec![of("array_agg")]);
    Some(call("array_element", vec![sorted, call("greatest", vec![number("1"), place])]))
}

/// `group_concat(x [, ','] [ORDER BY …])` as `string_agg`, which is told what to put between.
fn joined_texts(function: &mut Function) {
    if let FunctionArguments::List(list) = &mut function.args
        && list.args.len() == 1
    {
        list.args.push(FunctionArg::Unnamed(FunctionArgExpr::Expr(text(","))));
    }
    if let [ObjectNamePart::Identifier(ident)] = function.name.0.as_mut_slice() {
        "string_agg".clone_into(&mut ident.value);
    }
}

/// `struct_pack(a := 1)`.
fn struct_pack(function: &Function) -> Option<Expr> {
    let FunctionArguments::List(list) = &function.args else { return None };
    let mut fields = vec![];
    for arg in &list.args {
        let (name, value) = match arg {
            FunctionArg::Named { name, arg: FunctionArgExpr::Expr(value), .. } => (name.value.clone(), value),
            FunctionArg::ExprNamed { name: Expr::Identifier(name), arg: FunctionArgExpr::Expr(value), .. } => {
                (name.value.clone(), value)
            }
            _ => return None,
        };
        fields.extend([text(name), value.clone()]);
    }
    Some(call("named_struct", fields))
}
