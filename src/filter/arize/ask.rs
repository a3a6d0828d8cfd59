//! Conditions that a remote may be asked for, as text.

use std::collections::HashMap;
use std::fmt::{self, Write as _};

use datafusion_expr::Operator;

use super::name::name;

/// A condition that can be said.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ask {
    /// Holds for no row; only within OR, which leaves it out.
    Never,
    All(Vec<Ask>),
    Any(Vec<Ask>),
    OneOf(String, Vec<Constant>),
    /// `< <= > >=`.
    Order(String, Operator, Constant),
    Contains(String, String),
    IsNull(String),
    IsNotNull(String),
}

/// What a column is compared with.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Constant {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
}

/// All of what is asked; `None` when that is nothing.
pub(super) fn all(asks: Vec<Ask>) -> Option<Ask> {
    let mut flat = vec![];
    for ask in asks {
        match ask {
            Ask::Never => return Some(Ask::Never),
            Ask::All(asks) => flat.extend(asks),
            ask => flat.push(ask),
        }
    }
    if flat.len() > 1 { Some(Ask::All(flat)) } else { flat.pop() }
}

/// Any of what is asked, values of one column in one list.
pub(super) fn any(asks: Vec<Ask>) -> Ask {
    let mut flat = vec![];
    let mut lists: HashMap<String, usize> = HashMap::new();
    let nested = asks.into_iter().flat_map(|ask| match ask {
        Ask::Any(asks) => asks,
        Ask::Never => vec![],
        ask => vec![ask],
    });
    for ask in nested {
        let Ask::OneOf(column, values) = ask else {
            flat.push(ask);
            continue;
        };
        match lists.get(&column).and_then(|&at| flat.get_mut(at)) {
            Some(Ask::OneOf(_, known)) => known.extend(values),
            _ => {
                lists.insert(column.clone(), flat.len());
                flat.push(Ask::OneOf(column, values));
            }
        }
    }
    match flat.len() {
        0 => Ask::Never,
        1 => flat.swap_remove(0),
        _ => Ask::Any(flat),
    }
}

impl fmt::Display for Ask {
    /// As a term of AND.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => Ok(()),
            Self::All(asks) => joined(f, asks, " AND "),
            Self::Any(asks) => joined(f, asks, " OR "),
            Self::OneOf(column, values) => match values.as_slice() {
                [value] => write!(f, "{} = {value}", name(column)),
                values => {
                    write!(f, "{} IN (", name(column))?;
                    for (i, value) in values.iter().enumerate() {
                        write!(f, "{}{value}", if i > 0 { ", " } else { "" })?;
                    }
                    f.write_char(')')
                }
            },
            Self::Order(column, op, value) => write!(f, "{} {op} {value}", name(column)),
            Self::Contains(column, part) => {
                write!(f, "{} CONTAINS {}", name(column), Constant::Text(part.clone()))
            }
            Self::IsNull(column) => write!(f, "{} IS NULL", name(column)),
            Self::IsNotNull(column) => write!(f, "{} IS NOT NULL", name(column)),
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, asks: &[Ask], by: &str) -> fmt::Result {
    for (i, ask) in asks.iter().enumerate() {
        f.write_str(if i > 0 { by } else { "(" })?;
        write!(f, "{ask}")?;
    }
    f.write_char(')')
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Self::Integer(number) => write!(f, "{number}"),
            // Never with an exponent.
            Self::Float(number) => write!(f, "{number}"),
            Self::Boolean(flag) => write!(f, "{flag}"),
        }
    }
}
