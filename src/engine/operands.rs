//! Operators whose sides are of types that they cannot join, and where they stand.

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Value, ValueWithSpan};
use datafusion::sql::sqlparser::tokenizer::{Location, Span};

/// So many operators of a statement are looked at.
const MOST: usize = 64;
/// How deep the left side of one may lie that says where it stands.
const DEEP: usize = 8;

/// What DataFusion says of an operator that cannot join its sides, in front of these.
const SAID: [(&str, Kind); 6] = [
    ("Cannot coerce arithmetic expression ", Kind::Computed),
    ("Cannot get result type for temporal operation ", Kind::Computed),
    ("Cannot get result type for arithmetic operation ", Kind::Computed),
    ("Cannot infer common argument type for comparison operation ", Kind::Compared),
    ("Cannot infer common argument type for logical boolean operation ", Kind::Condition),
    ("Cannot infer common argument type for regex operation ", Kind::Compared),
];
const OPERATORS: [&str; 22] = [
    "AND", "OR", ">=", "<=", "!=", "<>", "=", ">", "<", "+", "-", "*", "/", "%", "!~*", "!~", "~*", "~", "&", "|",
    ">>", "<<",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Computed,
    Compared,
    Condition,
}

/// An operator that was refused, in a message in our words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    kind: Kind,
    left: String,
    operator: &'static str,
    right: String,
}

impl Refused {
    /// Reads a message: `Cannot coerce arithmetic expression text + integer to valid types`.
    pub(super) fn read(message: &str) -> Option<Self> {
        let (rest, kind) = SAID.iter().find_map(|(said, kind)| Some((message.strip_prefix(said)?, *kind)))?;
        let rest = rest.split(" to valid types").next()?.split(':').next()?.trim();
        let (left, operator, right) = OPERATORS.into_iter().find_map(|operator| {
            let (left, right) = rest.split_once(&format!(" {operator} "))?;
            Some((left, operator, right))
        })?;
        Some(Self { kind, left: left.to_owned(), operator, right: right.to_owned() })
    }

    /// What is wrong, with both types.
    pub(super) fn said(&self) -> String {
        let Self { left, operator, right, .. } = self;
        match self.kind {
            Kind::Computed => format!("{left} {operator} {right} cannot be computed"),
            Kind::Compared => format!("{left} {operator} {right} cannot be compared"),
            Kind::Condition => format!("{left} {operator} {right} is no condition"),
        }
    }

    /// What to do.
    pub(super) fn help(&self) -> &'static str {
        let is = |name: &str| self.left == name || self.right == name;
        match self.kind {
            Kind::Condition => "compare each side with something, as in x = 1",
            Kind::Compared if is("timestamp") => "write the time in quotes, or to_timestamp(x) of seconds",
            Kind::Computed if is("timestamp") => "add an interval, as in x + INTERVAL '1 day'",
            _ => "cast one side, as in x::double",
        }
    }

    /// Where it stands among the operators of a statement, if only one of them can be meant.
    pub(super) fn place(&self, operators: &[Operator]) -> Option<Location> {
        if operators.len() == MOST {
            return None;
        }
        let fits = |side: Option<&str>, said: &str| side.is_none_or(|side| side == said);
        let same = |operator: &str| operator == self.operator || (operator == "<>" && self.operator == "!=");
        let mut meant = operators.iter().filter(|one| {
            same(&one.operator.to_string()) && fits(one.left, &self.left) && fits(one.right, &self.right)
        });
        match (meant.next(), meant.next()) {
            (Some(one), None) => Some(one.place),
            _ => None,
        }
    }
}

/// An operator as it was typed.
#[derive(Debug)]
pub(super) struct Operator {
    operator: BinaryOperator,
    /// The types of sides that are literals.
    left: Option<&'static str>,
    right: Option<&'static str>,
    place: Location,
}

impl Operator {
    /// Remembers an operator, unless there are many.
    pub(super) fn see(operators: &mut Vec<Self>, expr: &Expr) {
        let Expr::BinaryOp { left, op, right } = expr else { return };
        if operators.len() < MOST
            && let Some(place) = place(left, DEEP)
        {
            operators.push(Self { operator: op.clone(), left: literal_type(left), right: literal_type(right), place });
        }
    }
}

fn place(expr: &Expr, deep: usize) -> Option<Location> {
    let span = match expr {
        Expr::Identifier(ident) => ident.span,
        Expr::CompoundIdentifier(path) => path.first()?.span,
        Expr::Value(value) => value.span,
        Expr::Function(function) => function.name.0.first()?.as_ident()?.span,
        Expr::BinaryOp { left: inner, .. }
        | Expr::Nested(inner)
        | Expr::UnaryOp { expr: inner, .. }
        | Expr::Cast { expr: inner, .. } => return place(inner, deep.checked_sub(1)?),
        _ => return None,
    };
    (span != Span::empty()).then_some(span.start)
}

fn literal_type(expr: &Expr) -> Option<&'static str> {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::Number(text, _), .. }) => {
            Some(if text.bytes().all(|byte| byte.is_ascii_digit()) { "integer" } else { "double" })
        }
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(_), .. }) => Some("text"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Refused;

    #[test]
    fn both_types_are_said() {
        for (message, said) in [
            (
                "Cannot coerce arithmetic expression list of text + integer to valid types",
                "list of text + integer cannot be computed",
            ),
            (
                "Cannot infer common argument type for comparison operation timestamp >= integer",
                "timestamp >= integer cannot be compared",
            ),
            (
                "Cannot infer common argument type for logical boolean operation text AND integer",
                "text AND integer is no condition",
            ),
            (
                "Cannot get result type for temporal operation timestamp + timestamp: Invalid",
                "timestamp + timestamp cannot be computed",
            ),
        ] {
            assert_eq!(Refused::read(message).unwrap().said(), said);
        }
        assert_eq!(Refused::read("Cannot do it"), None);
    }
}
