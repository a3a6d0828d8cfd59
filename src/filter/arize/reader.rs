//! From the syntax tree of Arize's filter to a condition.

use arrow::datatypes::DataType;
use datafusion_common::{Column, ScalarValue};
use datafusion_expr::{BinaryExpr, Expr, Operator, cast};
use sqlparser::ast::{
    BinaryOperator, Expr as Syntax, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Spanned, UnaryOperator,
    Value,
};
use sqlparser::tokenizer::Span;

use crate::compare::read_time;
use crate::error::short;
use crate::names::Named;
use crate::{FilterError, Names, all_of, any_of, contains};
use spanql_model::columns::timestamp_type;

/// One side of a comparison.
#[derive(Debug, Clone)]
enum Operand {
    Column(Named, Span),
    Literal(ScalarValue, Span),
    Null(Span),
}

impl Operand {
    fn span(&self) -> Span {
        match self {
            Self::Column(_, span) | Self::Literal(_, span) | Self::Null(span) => *span,
        }
    }
}

/// Reads the syntax tree of a filter.
pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) names: &'a Names<'a>,
    /// Where each token stands, in order.
    pub(super) places: Vec<(Span, std::ops::Range<usize>)>,
    pub(super) notes: Vec<String>,
}

fn column(named: &Named) -> Expr {
    Expr::Column(Column::new_unqualified(&named.column))
}

fn literal(value: ScalarValue) -> Expr {
    Expr::Literal(value, None)
}

fn is_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(..))
}

/// The terms that an operator joins, in order.
fn terms<'a>(expr: &'a Syntax, joined_by: &BinaryOperator) -> Vec<&'a Syntax> {
    let (mut terms, mut open) = (vec![], vec![expr]);
    while let Some(expr) = open.pop() {
        match expr {
            Syntax::BinaryOp { left, op, right } if op == joined_by => open.extend([right.as_ref(), left.as_ref()]),
            other => terms.push(other),
        }
    }
    terms
}

impl Reader<'_> {
    /// An error at the place of a part of the tree.
    pub(super) fn at(&self, error: FilterError, span: Span) -> FilterError {
        let from = self.places.iter().find(|(token, _)| token.start == span.start).map(|(_, bytes)| bytes.start);
        let to = self.places.iter().rev().find(|(token, _)| token.end <= span.end).map(|(_, bytes)| bytes.end);
        match (from, to) {
            (Some(from), Some(to)) => error.at(self.text, from..to.max(from)),
            (Some(from), None) => error.at(self.text, from..from + 1),
            _ => error.at(self.text, 0..0),
        }
    }

    fn wrong(&self, what: impl Into<String>, span: Span) -> FilterError {
        self.at(FilterError::new("syntax", what), span)
    }

    /// The condition that a part of the tree is.
    pub(super) fn condition(&mut self, expr: &Syntax) -> Result<Expr, FilterError> {
        match expr {
            Syntax::BinaryOp { op: op @ BinaryOperator::And, .. } => {
                let each = terms(expr, op).into_iter().map(|term| self.condition(term)).collect::<Result<_, _>>()?;
                Ok(all_of(each))
            }
            Syntax::BinaryOp { op: op @ BinaryOperator::Or, .. } => {
                let each = terms(expr, op).into_iter().map(|term| self.condition(term)).collect::<Result<_, _>>()?;
                Ok(any_of(each))
            }
            Syntax::UnaryOp { op: UnaryOperator::Not, expr } => Ok(Expr::Not(Box::new(self.condition(expr)?))),
            Syntax::Nested(expr) => self.condition(expr),
            Syntax::BinaryOp { left, op, right } => self.comparison(left, op, right),
            Syntax::IsNull(expr) => Ok(Expr::IsNull(Box::new(column(&self.column(expr)?.0)))),
            Syntax::IsNotNull(expr) => Ok(Expr::IsNotNull(Box::new(column(&self.column(expr)?.0)))),
            Syntax::InList { expr, list, negated } => self.in_list(expr, list, *negated),
            Syntax::Between { expr, negated, low, high } => self.between(expr, low, high, *negated),
            Syntax::Like { negated, any: false, expr, pattern, escape_char: None } => {
                self.like(expr, pattern, *negated, false)
            }
            Syntax::ILike { negated, any: false, expr, pattern, escape_char: None } => {
                self.like(expr, pattern, *negated, true)
            }
            Syntax::Function(function) => match &function.args {
                FunctionArguments::List(list) => match list.args.as_slice() {
                    [
                        FunctionArg::Unnamed(FunctionArgExpr::Expr(left)),
                        FunctionArg::Unnamed(FunctionArgExpr::Expr(right)),
                    ] => self.contains(left, right),
                    _ => Err(self.unknown(expr)),
                },
                _ => Err(self.unknown(expr)),
            },
            Syntax::Identifier(_) | Syntax::CompoundIdentifier(_) => self.flag(expr),
            _ => Err(self.unknown(expr)),
        }
    }

    fn unknown(&self, expr: &Syntax) -> FilterError {
        self.wrong("this is not part of the filter language", expr.span())
    }

    /// A column of true and false alone.
    fn flag(&mut self, expr: &Syntax) -> Result<Expr, FilterError> {
        let (named, span) = self.column(expr)?;
        // Of a name that nobody knows, the value may be true.
        let unknown = !named.known && named.data_type == DataType::Utf8;
        if (named.data_type == DataType::Boolean || unknown) && !named.list {
            return Ok(column(&named).eq(literal(ScalarValue::Boolean(Some(true)))));
        }
        let error = self.wrong(format!("expected an operator behind {}", self.typed(span)), span);
        Err(error.help("a column alone is a condition only when it is true or false"))
    }

    fn typed(&self, span: Span) -> String {
        let place = self.places.iter().find(|(token, _)| token.start == span.start);
        place.map(|(_, bytes)| short(&self.text[bytes.clone()])).unwrap_or_default()
    }

    fn named(&mut self, typed: &str, span: Span) -> Result<Named, FilterError> {
        let named = self.names.find(typed).map_err(|error| self.at(error, span))?;
        if let Some(note) = &named.note
            && !self.notes.contains(note)
        {
            self.notes.push(note.clone());
        }
        Ok(named)
    }

    fn column(&mut self, expr: &Syntax) -> Result<(Named, Span), FilterError> {
        match self.operand(expr)? {
            Operand::Column(named, span) => Ok((named, span)),
            other => Err(self.wrong("expected a column here", other.span())),
        }
    }

    fn operand(&mut self, expr: &Syntax) -> Result<Operand, FilterError> {
        let span = expr.span();
        let value = |value| Ok(Operand::Literal(value, span));
        match expr {
            Syntax::Identifier(ident) => Ok(Operand::Column(self.named(&ident.value, span)?, span)),
            Syntax::CompoundIdentifier(parts) => {
                let name = parts.iter().map(|Ident { value, .. }| value.as_str()).collect::<Vec<_>>().join(".");
                Ok(Operand::Column(self.named(&name, span)?, span))
            }
            Syntax::Value(literal) => match &literal.value {
                Value::SingleQuotedString(text) => value(ScalarValue::Utf8(Some(text.clone()))),
                Value::Boolean(flag) => value(ScalarValue::Boolean(Some(*flag))),
                Value::Number(text, _) => value(self.number(text, span)?),
                Value::Null => Ok(Operand::Null(span)),
                _ => Err(self.unknown(expr)),
            },
            Syntax::UnaryOp { op: sign @ (UnaryOperator::Minus | UnaryOperator::Plus), expr: inner } => {
                let Syntax::Value(literal) = inner.as_ref() else { return Err(self.unknown(expr)) };
                let Value::Number(text, _) = &literal.value else { return Err(self.unknown(expr)) };
                let sign = if *sign == UnaryOperator::Minus { "-" } else { "" };
                value(self.number(&format!("{sign}{text}"), span)?)
            }
            _ => Err(self.unknown(expr)),
        }
    }

    fn number(&self, text: &str, span: Span) -> Result<ScalarValue, FilterError> {
        if let Ok(int) = text.parse::<i64>()
            && text != "-0"
        {
            return Ok(ScalarValue::Int64(Some(int)));
        }
        match text.parse::<f64>() {
            Ok(float) if float.is_finite() => Ok(ScalarValue::Float64(Some(float))),
            Ok(_) => Err(self.wrong("this number is too large", span)),
            Err(_) => Err(self.wrong("this is no number", span)),
        }
    }

    /// A right-hand side; a word that is no column was probably meant as text.
    fn right(&mut self, expr: &Syntax) -> Result<Operand, FilterError> {
        let word = match expr {
            Syntax::Identifier(ident) => ident.value.clone(),
            _ => return self.operand(expr),
        };
        self.operand(expr).map_err(|error| {
            let quoted = format!("'{}'", word.replace('\'', "''"));
            match error.suggestion() {
                // A typing error of a dotted name is one of a column.
                Some(_) if word.contains('.') => error,
                _ => error.help(format!("for text, write {} in single quotes", short(&quoted))),
            }
        })
    }

    fn comparison(&mut self, left: &Syntax, op: &BinaryOperator, right: &Syntax) -> Result<Expr, FilterError> {
        let operator = match op {
            BinaryOperator::Eq => Operator::Eq,
            BinaryOperator::NotEq => Operator::NotEq,
            BinaryOperator::Lt => Operator::Lt,
            BinaryOperator::LtEq => Operator::LtEq,
            BinaryOperator::Gt => Operator::Gt,
            BinaryOperator::GtEq => Operator::GtEq,
            _ => return Err(self.wrong(format!("{op} is no operator of the filter language"), left.span())),
        };
        let (left, right) = (self.operand(left)?, self.right(right)?);
        match (&left, &right) {
            (Operand::Column(named, _), Operand::Null(span)) | (Operand::Null(span), Operand::Column(named, _)) => {
                let expr = Box::new(column(named));
                match operator {
                    Operator::Eq => Ok(Expr::IsNull(expr)),
                    Operator::NotEq => Ok(Expr::IsNotNull(expr)),
                    _ => Err(self.never(*span)),
                }
            }
            (Operand::Column(a, _), Operand::Column(b, _)) => {
                for (named, operand) in [(a, &left), (b, &right)] {
                    self.no_list(named, operand.span())?;
                }
                if is_time(&a.data_type) != is_time(&b.data_type) {
                    return Err(self.wrong("a time can be compared with a time only", right.span()));
                }
                Ok(compare(column(a), operator, column(b)))
            }
            (Operand::Column(named, span), Operand::Literal(value, place)) => {
                let value = self.comparable(named, *span, value, *place)?;
                Ok(compare(column(named), operator, value))
            }
            (Operand::Literal(value, place), Operand::Column(named, span)) => {
                let value = self.comparable(named, *span, value, *place)?;
                Ok(compare(value, operator, column(named)))
            }
            _ => Err(self.wrong("expected a column on one side", left.span())),
        }
    }

    fn never(&self, span: Span) -> FilterError {
        self.wrong("nothing compares with null like that", span).help("write IS NULL or IS NOT NULL")
    }

    fn no_list(&self, named: &Named, span: Span) -> Result<(), FilterError> {
        if !named.list {
            return Ok(());
        }
        let error = self.wrong(format!("{} is a list", self.typed(span)), span);
        Err(error.help("CONTAINS finds text in any of its elements"))
    }

    /// A literal that can be compared with a column.
    fn comparable(&self, named: &Named, at: Span, value: &ScalarValue, place: Span) -> Result<Expr, FilterError> {
        self.no_list(named, at)?;
        match (&named.data_type, value) {
            (time, ScalarValue::Utf8(Some(typed))) if is_time(time) => {
                match read_time(typed, &timestamp_type(), &self.names.clock()) {
                    Some(time) => Ok(literal(time)),
                    None => Err(self
                        .wrong(format!("{} is no time", self.typed(place)), place)
                        .help("write it like '2026-01-31', '2026-01-31 12:00:00' or '2026-01-31T12:00:00Z'")),
                }
            }
            (time, _) if is_time(time) => Err(self
                .wrong(format!("{} is a time", self.typed(at)), place)
                .help("compare it with one, like '2026-01-31' or '2026-01-31T12:00:00Z'")),
            (DataType::Boolean, ScalarValue::Int64(_) | ScalarValue::Float64(_)) => Err(self
                .wrong(format!("{} is true or false", self.typed(at)), place)
                .help("compare it with one of them")),
            (number, ScalarValue::Boolean(_)) if number.is_numeric() => {
                Err(self.wrong(format!("{} is a number", self.typed(at)), place).help("compare it with one"))
            }
            _ => Ok(literal(value.clone())),
        }
    }

    fn in_list(&mut self, expr: &Syntax, list: &[Syntax], negated: bool) -> Result<Expr, FilterError> {
        let (named, span) = self.column(expr)?;
        let mut items = Vec::with_capacity(list.len());
        for item in list {
            items.push(match self.right(item)? {
                Operand::Literal(value, place) => self.comparable(&named, span, &value, place)?,
                Operand::Null(span) => {
                    let error = self.wrong("null cannot be in a list", span);
                    return Err(error.help("add OR … IS NULL"));
                }
                Operand::Column(_, span) => return Err(self.wrong("a list holds values, no columns", span)),
            });
        }
        Ok(column(&named).in_list(items, negated))
    }

    fn between(&mut self, expr: &Syntax, low: &Syntax, high: &Syntax, negated: bool) -> Result<Expr, FilterError> {
        let (named, span) = self.column(expr)?;
        let mut bounds = vec![];
        for bound in [low, high] {
            bounds.push(match self.right(bound)? {
                Operand::Literal(value, place) => self.comparable(&named, span, &value, place)?,
                Operand::Column(other, place) => {
                    self.no_list(&other, place)?;
                    if is_time(&named.data_type) != is_time(&other.data_type) {
                        return Err(self.wrong("a time can be compared with a time only", place));
                    }
                    column(&other)
                }
                Operand::Null(span) => return Err(self.never(span)),
            });
        }
        self.no_list(&named, span)?;
        let (Some(high), Some(low)) = (bounds.pop(), bounds.pop()) else { return Err(self.unknown(expr)) };
        let column = column(&named);
        Ok(if negated { column.not_between(low, high) } else { column.between(low, high) })
    }

    /// The text that an operator takes.
    fn pattern(&mut self, expr: &Syntax, operator: &str) -> Result<ScalarValue, FilterError> {
        match self.right(expr)? {
            Operand::Literal(value @ ScalarValue::Utf8(_), _) => Ok(value),
            Operand::Null(span) => Err(self.never(span)),
            other => Err(self.wrong(format!("{operator} takes text in single quotes"), other.span())),
        }
    }

    fn like(&mut self, expr: &Syntax, pattern: &Syntax, negated: bool, ignore_case: bool) -> Result<Expr, FilterError> {
        let (named, span) = self.column(expr)?;
        self.no_list(&named, span)?;
        let pattern = literal(self.pattern(pattern, if ignore_case { "ILIKE" } else { "LIKE" })?);
        let text = match named.data_type {
            DataType::Utf8 => column(&named),
            _ => cast(column(&named), DataType::Utf8),
        };
        Ok(match (ignore_case, negated) {
            (false, false) => text.like(pattern),
            (false, true) => text.not_like(pattern),
            (true, false) => text.ilike(pattern),
            (true, true) => text.not_ilike(pattern),
        })
    }

    /// `NOT CONTAINS` comes as NOT of this.
    fn contains(&mut self, left: &Syntax, right: &Syntax) -> Result<Expr, FilterError> {
        let (named, _) = self.column(left)?;
        Ok(contains(column(&named), literal(self.pattern(right, "CONTAINS")?)))
    }
}

fn compare(left: Expr, op: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))
}
