//! From conditions to the list of clauses that Opik takes.
//!
//! What is said never leaves out a row that fulfils the conditions: where Opik's semantics are wider, the condition is
//! said and stays to be checked, and where they are narrower, it is not said.

use std::collections::BTreeSet;

use arrow::datatypes::Schema;
use datafusion_common::ScalarValue;
use datafusion_expr::expr::InList;
use datafusion_expr::{BinaryExpr, Expr, Operator};
use indexmap::IndexSet;

use super::bounds::{self, Bound};
use super::columns::{Op, columns};
use super::compare::{GENERAL, KINDS};
use super::field_ref::{FieldRef, field_ref};
use super::json::call;
use super::printer::{Printer, Wording, literal_text, text_of};
use super::scores::Scores;
use super::wording::{Text, is_plain_pattern, say_text, survives_decoding};
use super::{Clause, Entity};
use crate::join::terms;
use crate::{Translated, conjuncts};

/// Says conditions on rows of this schema in Opik's language.
///
/// Columns are those that [`parse`](super::parse) makes of a filter of this entity. A condition is said exactly where
/// Opik means the same, absent values included, which it has as empty text and as zero. Durations are widened to whole
/// milliseconds. Of traces and threads, what is summed up here in another way than there is said only where that lets
/// more through.
pub fn print(conditions: &[Expr], entity: Entity, schema: &Schema) -> Translated<Vec<Clause>> {
    let field_refs: Vec<(&'static str, FieldRef)> =
        columns(entity).filter_map(|(field, _)| Some((field, field_ref(field, entity)?))).collect();
    let scores = Scores::of(schema.fields().iter().map(|field| field.name().as_str()));
    let printer = Printer { entity, scores, field_refs };
    let (mut said, mut rest) = (IndexSet::new(), vec![]);
    for condition in conditions.iter().cloned().flat_map(conjuncts) {
        if matches!(condition, Expr::Literal(ScalarValue::Boolean(Some(true)), _)) {
            continue;
        }
        let wording = printer.say(&condition);
        if !wording.as_ref().is_some_and(|wording| wording.exact) {
            rest.push(condition);
        }
        said.extend(wording.into_iter().flat_map(|wording| wording.clauses));
    }
    Translated { translated: Some(said.into_iter().collect()).filter(|said: &Vec<Clause>| !said.is_empty()), rest }
}

impl Printer<'_> {
    fn say(&self, condition: &Expr) -> Option<Wording> {
        match condition {
            Expr::BinaryExpr(BinaryExpr { op: Operator::Or, .. }) => {
                self.any_of(terms(condition.clone(), Operator::Or))
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (left.as_ref(), right.as_ref()) {
                (value, Expr::Literal(literal, _)) => self.comparison(value, *op, literal),
                (Expr::Literal(literal, _), value) => self.comparison(value, op.swap()?, literal),
                _ => None,
            },
            Expr::IsNotTrue(inner) => self.not_true(inner),
            Expr::InList(InList { expr, list, negated }) => {
                let items = literal_texts(list)?;
                self.one_of(expr, &items, if *negated { Op::NotIn } else { Op::In }, !negated)
            }
            Expr::IsNull(column) => self.score_there(column, Op::IsEmpty),
            Expr::IsNotNull(column) => self.score_there(column, Op::IsNotEmpty),
            _ => say_text(self, condition).or_else(|| self.any_element(condition)),
        }
    }

    /// A comparison with a literal.
    fn comparison(&self, value: &Expr, op: Operator, literal: &ScalarValue) -> Option<Wording> {
        if let Some(text) = text_of(literal) {
            return self
                .empty(value, op, text)
                .or_else(|| Text::of(self, value)?.compare(self, op, text))
                .or_else(|| self.status(value, op, text))
                .or_else(|| match op {
                    Operator::Eq => self.one_of(value, &[text], Op::Eq, true),
                    Operator::IsDistinctFrom => self.one_of(value, &[text], Op::NotEq, true),
                    Operator::NotEq => self.one_of(value, &[text], Op::NotEq, false),
                    _ => None,
                });
        }
        self.list_length(value, op, literal).or_else(|| Bound::of(op, literal)?.say(self, value))
    }

    /// `coalesce(text, '') = ''` and `text != ''` of a dictionary's value.
    fn empty(&self, value: &Expr, op: Operator, text: &str) -> Option<Wording> {
        let (value, op) = match (call(value, "coalesce"), op) {
            (Some([value, absent]), Operator::Eq) if literal_text(absent) == Some("") => (value, Op::IsEmpty),
            (None, Operator::NotEq) => (value, Op::IsNotEmpty),
            _ => return None,
        };
        let (field, key) = self.dictionary(value)?;
        if text.is_empty() { self.clause(field, key, op, "", true) } else { None }
    }

    fn status(&self, value: &Expr, op: Operator, text: &str) -> Option<Wording> {
        let field = self.field_at(|field_ref| matches!(field_ref, FieldRef::Status(at) if at == value))?;
        match (op, text) {
            (Operator::Eq, "ERROR") => self.clause(field, "", Op::IsNotEmpty, "", true),
            (Operator::IsDistinctFrom, "ERROR") => self.clause(field, "", Op::IsEmpty, "", true),
            // Whatever other status it has, or that it has one, it is no error.
            (Operator::NotEq, "ERROR") | (Operator::Eq, _) => self.clause(field, "", Op::IsEmpty, "", false),
            _ => None,
        }
    }

    /// Names: the kinds of spans, and environments. `exact` when an absent value is treated as Opik does.
    fn one_of(&self, column: &Expr, items: &[&str], op: Op, exact: bool) -> Option<Wording> {
        if let Some(field) = self.field_at(|field_ref| matches!(field_ref, FieldRef::Kind(at) if at == column)) {
            return self.kind(field, items, op, exact);
        }
        let field = self.field_at(|field_ref| matches!(field_ref, FieldRef::Enum(at) if at == column))?;
        let sayable = |item: &&str| !item.trim().is_empty() && !item.contains(',') && survives_decoding(item);
        items.iter().all(sayable).then(|| self.clause(field, "", op, items.join(","), exact))?
    }

    fn kind(&self, field: &str, items: &[&str], op: Op, exact: bool) -> Option<Wording> {
        // A kind in another case is nothing that Opik would have sent so.
        if items.iter().any(|item| item.to_uppercase() != *item) {
            return None;
        }
        let named = |item: &&str| KINDS.iter().find(|(_, kind)| kind == item).map(|(name, _)| *name);
        let mut names: Vec<&str> = vec![];
        for name in items.iter().filter_map(named) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let others = items.iter().any(|item| named(item).is_none());
        match op {
            Op::Eq | Op::In if others => names.push(GENERAL),
            // Of the kinds that Opik has as one, none can be left out.
            _ if others && names.is_empty() => return None,
            _ => {}
        }
        let op = match (op, names.as_slice()) {
            (Op::NotIn, all) if all.len() == KINDS.len() => {
                return self.clause(field, "", Op::Eq, GENERAL, exact && !others);
            }
            (Op::In, [_]) if others => Op::Eq,
            (op, _) => op,
        };
        self.clause(field, "", op, names.join(","), exact && !others)
    }

    /// What is not true: false, or unknown for want of a value.
    fn not_true(&self, inner: &Expr) -> Option<Wording> {
        if let Expr::InList(InList { expr, list, negated: false }) = inner {
            return self.one_of(expr, &literal_texts(list)?, Op::NotIn, true);
        }
        let positive = match inner {
            // A pattern of which the opposite is to be said must be the very same.
            Expr::Like(_) => say_text(self, inner),
            _ => self.any_element(inner),
        }?;
        let [clause] = positive.clauses.as_slice() else { return None };
        let op = match Op::read(&clause.operator)? {
            Op::Eq => Op::NotEq,
            Op::Contains => Op::NotContains,
            _ => return None,
        };
        if positive.exact { self.clause(&clause.field, &clause.key, op, clause.value.clone(), true) } else { None }
    }

    /// Conditions on the elements of a list.
    fn any_element(&self, condition: &Expr) -> Option<Wording> {
        let (op, args) = match call(condition, "opik_any_like") {
            Some(args) => (Op::Contains, args),
            None => (Op::Eq, call(condition, "opik_any_equal")?),
        };
        let [column, wanted] = args else { return None };
        let field = self.field_at(|field_ref| matches!(field_ref, FieldRef::List(at) if at == column))?;
        let wanted = literal_text(wanted)?;
        let wanted = match op {
            Op::Contains => wanted.strip_prefix('%')?.strip_suffix('%').filter(|wanted| is_plain_pattern(wanted))?,
            _ => wanted,
        };
        if wanted.trim().is_empty() || !survives_decoding(wanted) {
            return None;
        }
        self.clause(field, "", op, wanted, true)
    }

    fn list_length(&self, value: &Expr, op: Operator, literal: &ScalarValue) -> Option<Wording> {
        let (value, op) = match (call(value, "coalesce"), op) {
            (Some([value, _]), Operator::Eq) => (value, Op::IsEmpty),
            (None, Operator::Gt) => (value, Op::IsNotEmpty),
            _ => return None,
        };
        let [column] = call(value, "opik_list_length")? else { return None };
        let field = self.field_at(|field_ref| matches!(field_ref, FieldRef::List(at) if at == column))?;
        if *literal == ScalarValue::Int64(Some(0)) { self.clause(field, "", op, "", true) } else { None }
    }

    /// Whether a row has a score.
    fn score_there(&self, column: &Expr, op: Op) -> Option<Wording> {
        let (name, alone) = self.score(column)?;
        let sayable = alone || op == Op::IsNotEmpty;
        sayable.then(|| self.clause("feedback_scores", name, op, "", alone))?
    }

    /// Conditions of which one holds: names of one column, or one score in columns that differ in case.
    fn any_of(&self, terms: Vec<Expr>) -> Option<Wording> {
        let mut column = None;
        let mut items = vec![];
        for term in &terms {
            let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = term else { break };
            if column.get_or_insert(left) != &left {
                break;
            }
            items.extend(literal_text(right));
        }
        if let Some(column) = column.filter(|_| items.len() == terms.len()) {
            return self.one_of(column, &items, Op::In, true);
        }
        self.same_score(&terms)
    }

    fn same_score(&self, terms: &[Expr]) -> Option<Wording> {
        let said: Vec<Clause> = terms.iter().map(|term| bounds::score_clause(self, term)).collect::<Option<_>>()?;
        let first = said.first()?;
        let lower = first.key.to_lowercase();
        let same = |clause: &Clause| {
            clause.key.to_lowercase() == lower && clause.operator == first.operator && clause.value == first.value
        };
        let different: BTreeSet<&str> = said.iter().map(|clause| clause.key.as_str()).collect();
        let all = self.scores.count(&first.key) == different.len();
        let op = Op::read(&first.operator)?;
        let sayable = said.iter().all(same) && op != Op::NotEq && op != Op::IsEmpty;
        sayable.then(|| self.clause(&first.field, &first.key, op, first.value.clone(), all))?
    }
}

fn literal_texts(list: &[Expr]) -> Option<Vec<&str>> {
    list.iter().map(literal_text).collect()
}
