//! Conditions on numbers and times as clauses.

use datafusion_common::ScalarValue;
use datafusion_expr::{BinaryExpr, Expr, Operator};

use super::columns::Op;
use super::field_ref::FieldRef;
use super::json::call;
use super::printer::{Printer, Wording};
use super::values::{instant_text, nanos_of, number_text};
use super::{Clause, Entity};

/// What a number or a time is compared with.
pub(super) struct Bound {
    op: Op,
    value: Value,
}

enum Value {
    Number { number: f64, text: String },
    Time(i64),
}

impl Bound {
    pub(super) fn of(op: Operator, literal: &ScalarValue) -> Option<Self> {
        let op = match op {
            Operator::Eq => Op::Eq,
            Operator::NotEq => Op::NotEq,
            Operator::Gt => Op::Gt,
            Operator::GtEq => Op::GtEq,
            Operator::Lt => Op::Lt,
            Operator::LtEq => Op::LtEq,
            _ => return None,
        };
        let value = match nanos_of(literal) {
            Some(nanos) => Value::Time(nanos),
            None => {
                let (number, text) = number_text(literal)?;
                Value::Number { number, text }
            }
        };
        Some(Self { op, value })
    }

    pub(super) fn say(&self, printer: &Printer<'_>, value: &Expr) -> Option<Wording> {
        match &self.value {
            Value::Time(nanos) => {
                let field = printer.field_at(|field_ref| matches!(field_ref, FieldRef::Time(at) if at == value))?;
                self.time(printer, field, *nanos)
            }
            Value::Number { number, text } => {
                if let Some((name, alone)) = printer.score(value) {
                    return self.score(printer, name, alone, text);
                }
                let read = match call(value, "text_to_number") {
                    Some([inner]) => inner,
                    _ => value,
                };
                if let Some((field, key)) = printer.dictionary(read) {
                    return self.at_path(printer, field, key, *number, text);
                }
                let field = printer.field_at(|field_ref| matches!(field_ref, FieldRef::Number(at) if at == value))?;
                self.number(printer, field, *number, text)
            }
        }
    }

    /// Whether Opik lets an absent value through, which it has as zero.
    fn holds_of_zero(&self, value: f64) -> bool {
        match self.op {
            Op::Eq => value == 0.0,
            Op::NotEq => value != 0.0,
            Op::Gt => 0.0 > value,
            Op::GtEq => 0.0 >= value,
            Op::Lt => 0.0 < value,
            _ => 0.0 <= value,
        }
    }

    fn is_lower_bound(&self) -> bool {
        matches!(self.op, Op::Gt | Op::GtEq)
    }

    fn time(&self, printer: &Printer<'_>, field: &str, nanos: i64) -> Option<Wording> {
        let exact = match (printer.entity, field) {
            (Entity::Spans, "start_time") => true,
            (Entity::Spans, _) => !self.holds_of_zero(nanos as f64),
            // Spans may begin before the trace does that Opik has, and end behind it.
            (_, "start_time") if self.is_lower_bound() => false,
            _ => return None,
        };
        printer.clause(field, "", self.op, instant_text(nanos), exact)
    }

    fn number(&self, printer: &Printer<'_>, field: &str, number: f64, text: &str) -> Option<Wording> {
        match (printer.entity, field) {
            (Entity::Spans, "duration") => self.duration(printer, number),
            (Entity::Spans, _) | (Entity::Traces, "llm_span_count") => {
                let exact = field == "llm_span_count" || !self.holds_of_zero(number);
                printer.clause(field, "", self.op, text, exact)
            }
            // Opik adds up what parents repeat of their children; here that counts once.
            (Entity::Traces, "duration") => None,
            (Entity::Traces, _) if self.is_lower_bound() && number >= 0.0 => {
                printer.clause(field, "", self.op, text, false)
            }
            _ => None,
        }
    }

    /// Durations may be rounded there: they are bounded by the whole milliseconds around.
    fn duration(&self, printer: &Printer<'_>, number: f64) -> Option<Wording> {
        let lower = || printer.clause("duration", "", Op::GtEq, format!("{}", number.floor() + 0.0), false);
        let upper = || printer.clause("duration", "", Op::LtEq, format!("{}", number.ceil() + 0.0), false);
        match self.op {
            Op::Gt | Op::GtEq => lower(),
            Op::Lt | Op::LtEq => upper(),
            Op::Eq => {
                let mut both = lower()?;
                both.clauses.extend(upper()?.clauses);
                Some(both)
            }
            _ => None,
        }
    }

    /// A number in a dictionary; the server has no `>=` and `<=` there, so the next whole number is left out.
    fn at_path(&self, printer: &Printer<'_>, field: &str, key: &str, number: f64, text: &str) -> Option<Wording> {
        // Beyond, one more is the same number.
        if number.abs() >= (1_u64 << 53) as f64 && matches!(self.op, Op::GtEq | Op::LtEq) {
            return None;
        }
        let below = || format!("{}", number.ceil() - 1.0 + 0.0);
        let above = || format!("{}", number.floor() + 1.0 + 0.0);
        match self.op {
            Op::Gt | Op::Lt => printer.clause(field, key, self.op, text, true),
            Op::GtEq => printer.clause(field, key, Op::Gt, below(), false),
            Op::LtEq => printer.clause(field, key, Op::Lt, above(), false),
            _ => None,
        }
    }

    /// A score, which Opik keeps with nine places; whether `!=` holds of what has none is not known.
    fn score(&self, printer: &Printer<'_>, name: &str, alone: bool, text: &str) -> Option<Wording> {
        let places = text.split_once('.').map_or(0, |(_, places)| places.len());
        if places > 9 || (!alone && self.op == Op::NotEq) {
            return None;
        }
        printer.clause("feedback_scores", name, self.op, text, alone && self.op != Op::NotEq)
    }
}

/// The clause of a condition on a score.
pub(super) fn score_clause(printer: &Printer<'_>, condition: &Expr) -> Option<Clause> {
    let wording = match condition {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let Expr::Literal(literal, _) = right.as_ref() else { return None };
            printer.score(left)?;
            Bound::of(*op, literal)?.say(printer, left)?
        }
        Expr::IsNotNull(column) => {
            let (name, _) = printer.score(column)?;
            printer.clause("feedback_scores", name, Op::IsNotEmpty, "", false)?
        }
        _ => return None,
    };
    wording.clauses.into_iter().next()
}
