//! From conditions to Arize's filter text.
//!
//! The language is a part of SQL: conditions are brought into the form that its reader gives them, and written as SQL.

use arrow::datatypes::Schema;
use datafusion_common::ScalarValue;
use datafusion_expr::expr::{Between, Cast, InList, Like, TryCast};
use datafusion_expr::{BinaryExpr, Expr, Operator, ident};

use super::name::name;
use crate::join::terms_in;
use crate::simple::{Kind, Operand, Simple, Value, contains_call};
use crate::{MAX_BYTES, MAX_LEVELS, MAX_TERMS, Translated, all_of, any_of, contains, sql, with_stack};
use spanql_model::columns::{END_TIME, START_TIME, timestamp_type};

/// Says conditions over rows of this schema in Arize's language, with everything the language has.
///
/// What is said is exact; a condition that the language cannot say is left whole.
pub fn print(conditions: &[Expr], schema: &Schema) -> Translated<String> {
    with_stack(|| {
        let (mut said, mut rest) = (vec![], vec![]);
        let (mut bytes, mut joins) = (0, 0);
        for term in conditions.iter().flat_map(|condition| terms_in(condition, Operator::And)) {
            if Simple::of(term, schema) == Some(Simple::Constant(Some(true))) {
                continue;
            }
            let more = joins_in(term) + 1;
            match written(term, schema) {
                Some(term) if bytes + term.text.len() + " AND ()".len() <= MAX_BYTES && joins + more < MAX_TERMS => {
                    joins += more;
                    bytes += term.text.len() + " AND ()".len();
                    said.push(term);
                }
                _ => rest.push(term.clone()),
            }
        }
        let alone = said.len() == 1;
        let texts = said.into_iter().map(|Term { text, any }| if any && !alone { format!("({text})") } else { text });
        let text = texts.collect::<Vec<_>>().join(" AND ");
        Translated { translated: (!text.is_empty()).then_some(text), rest }
    })
}

/// A term of AND as text, and whether it is one of OR itself.
struct Term {
    text: String,
    any: bool,
}

fn written(term: &Expr, schema: &Schema) -> Option<Term> {
    let read = as_read(term, schema)?;
    if levels(&read, Operator::And) > MAX_LEVELS {
        return None;
    }
    let text = sql::print_with(&read, name).ok()?;
    let any = matches!(&read, Expr::BinaryExpr(BinaryExpr { op: Operator::Or, .. }));
    Some(Term { text, any })
}

/// How many ANDs and ORs a condition has.
fn joins_in(expr: &Expr) -> usize {
    match expr {
        Expr::BinaryExpr(BinaryExpr { op: op @ (Operator::And | Operator::Or), .. }) => {
            let terms = terms_in(expr, *op);
            terms.len() - 1 + terms.into_iter().map(joins_in).sum::<usize>()
        }
        Expr::Not(inner) => joins_in(inner),
        _ => 0,
    }
}

/// How deep a condition nests in the text, as the limit counts it: parentheses and NOTs.
fn levels(expr: &Expr, within: Operator) -> usize {
    match expr {
        Expr::BinaryExpr(BinaryExpr { op: op @ (Operator::And | Operator::Or), .. }) => {
            let parentheses = usize::from(*op == Operator::Or && within == Operator::And);
            parentheses + terms_in(expr, *op).into_iter().map(|term| levels(term, *op)).max().unwrap_or(0)
        }
        // What is negated stands in parentheses.
        Expr::Not(inner) => match inner.as_ref() {
            Expr::BinaryExpr(BinaryExpr { op: Operator::And | Operator::Or, .. }) => 2 + levels(inner, Operator::Or),
            _ => 1 + levels(inner, Operator::And),
        },
        _ => 0,
    }
}

/// A condition as the reader of the language would give it; `None` when the language has no words for it.
fn as_read(expr: &Expr, schema: &Schema) -> Option<Expr> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { op: op @ (Operator::And | Operator::Or), .. }) => {
            let terms = terms_in(expr, *op).into_iter().map(|term| as_read(term, schema)).collect::<Option<_>>()?;
            Some(if *op == Operator::And { all_of(terms) } else { any_of(terms) })
        }
        Expr::Not(inner) => Some(Expr::Not(Box::new(as_read(inner, schema)?))),
        Expr::Alias(alias) => as_read(&alias.expr, schema),
        Expr::Column(_) => {
            let column = Operand::of(expr, schema).filter(|column| column.kind == Kind::Boolean)?;
            Some(ident(column.name))
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match Simple::of(expr, schema) {
            Some(Simple::Compare(column, op, value)) => Some(compare(column, op, literal(column, value)?)),
            _ if is_comparison(*op) => {
                let (left, right) = columns(left, right, schema)?;
                Some(compare(left, *op, ident(right.name)))
            }
            _ => None,
        },
        Expr::InList(InList { expr, list, negated }) => {
            let column = Operand::of(expr, schema)?;
            let values = list.iter().map(|item| literal(column, column.meets(Value::of(item)?)));
            let values: Vec<Expr> = values.collect::<Option<_>>()?;
            (!values.is_empty()).then(|| ident(column.name).in_list(values, *negated))
        }
        Expr::Between(Between { expr, negated, low, high }) => {
            let column = Operand::of(expr, schema)?;
            let bound = |bound: &Expr| match Value::of(bound) {
                Some(value) => literal(column, column.meets(value)),
                None => columns(expr, bound, schema).map(|(_, other)| ident(other.name)),
            };
            let (low, high) = (bound(low)?, bound(high)?);
            let column = ident(column.name);
            Some(if *negated { column.not_between(low, high) } else { column.between(low, high) })
        }
        Expr::Like(Like { negated, expr, pattern, escape_char: None, case_insensitive }) => {
            let column = text_of(expr, schema).filter(|column| column.kind != Kind::List)?;
            let Value::Text(pattern) = Value::of(pattern)? else { return None };
            let (column, pattern) = (Box::new(ident(column.name)), Box::new(text(pattern)));
            Some(Expr::Like(Like::new(*negated, column, pattern, None, *case_insensitive)))
        }
        Expr::ScalarFunction(call) => {
            let (column, part) = contains_call(call)?;
            let Value::Text(part) = Value::of(part)? else { return None };
            Some(contains(ident(text_of(column, schema)?.name), text(part)))
        }
        _ => match Simple::of(expr, schema)? {
            Simple::Null { column, negated: false } => Some(ident(column.name).is_null()),
            Simple::Null { column, negated: true } => Some(ident(column.name).is_not_null()),
            _ => None,
        },
    }
}

fn text(text: &str) -> Expr {
    Expr::Literal(ScalarValue::Utf8(Some(text.to_owned())), None)
}

fn compare(column: Operand<'_>, op: Operator, other: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(ident(column.name)), op, Box::new(other)))
}

fn is_comparison(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq)
}

/// Two columns that the language compares, and compares in the same way.
fn columns<'a>(left: &'a Expr, right: &'a Expr, schema: &Schema) -> Option<(Operand<'a>, Operand<'a>)> {
    let (left, right) = (Operand::of(left, schema)?, Operand::of(right, schema)?);
    let lists = [left, right].iter().any(|column| column.kind == Kind::List);
    let times = (left.kind == Kind::Time) != (right.kind == Kind::Time);
    // Two integers taken as floats would be compared as integers.
    let floats =
        [left, right].iter().any(|column| column.as_float) && ![left, right].iter().any(|c| c.kind == Kind::Float);
    (!lists && !times && !floats).then_some((left, right))
}

/// A column whose text is taken, whatever it holds.
fn text_of<'a>(expr: &'a Expr, schema: &Schema) -> Option<Operand<'a>> {
    let inner = match expr {
        Expr::Cast(Cast { expr: inner, field }) | Expr::TryCast(TryCast { expr: inner, field })
            if Kind::of(field.data_type()) == Some(Kind::Text) =>
        {
            inner
        }
        other => other,
    };
    Operand::of(inner, schema).filter(|column| !column.as_float)
}

/// Whether a float is written as an integer where it is read as a float again.
fn is_plain(number: f64) -> bool {
    number.fract() == 0.0 && number.abs() < 1e15 && (number != 0.0 || number.is_sign_positive())
}

/// A literal that the language compares with a column.
fn literal(column: Operand<'_>, value: Value<'_>) -> Option<Expr> {
    if column.kind == Kind::Time && ![START_TIME, END_TIME].contains(&column.name) {
        return None;
    }
    let value = match (column.kind, value) {
        (Kind::List, _) | (_, Value::Null) => return None,
        // As text it would be read as an integer.
        (_, Value::Text(_)) if column.as_float => return None,
        (Kind::Time, Value::Time(time)) => ScalarValue::TimestampNanosecond(Some(time), Some("UTC".into())),
        (Kind::Time, Value::Text(text)) => {
            let time = ScalarValue::Utf8(Some(text.to_owned())).cast_to(&timestamp_type()).ok()?;
            Some(time).filter(|time| !time.is_null())?
        }
        (Kind::Time, _) | (_, Value::Time(_)) => return None,
        (Kind::Boolean, Value::Integer(_) | Value::Float(_)) => return None,
        (Kind::Integer | Kind::Float, Value::Boolean(_)) => return None,
        (_, Value::Text(text)) => ScalarValue::Utf8(Some(text.to_owned())),
        (_, Value::Integer(number)) => ScalarValue::Int64(Some(number)),
        (Kind::Float, Value::Float(number)) if is_plain(number) => ScalarValue::Int64(Some(number as i64)),
        (_, Value::Float(number)) if number.is_finite() => ScalarValue::Float64(Some(number)),
        (_, Value::Float(_)) => return None,
        (_, Value::Boolean(flag)) => ScalarValue::Boolean(Some(flag)),
    };
    Some(Expr::Literal(value, None))
}

#[cfg(test)]
mod tests;
