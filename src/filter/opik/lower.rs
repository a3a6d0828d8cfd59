//! From OQL to conditions over spans, traces and sessions.
//!
//! | type | absent is | matched by an absent value |
//! |---|---|---|
//! | text, dictionary values, lists, enums | empty | `!=`, `not_contains`, `not_in`, `is_empty`, and `<` of text |
//! | numbers, times, scores | unknown | `is_empty` of a score, else nothing: `!=` neither |
//! | `type` | `general` | what matches `general` |
//!
//! So of text `!=` and `not_contains` are the exact opposites of `=` and `contains`; of numbers `!=` asks for a value.

use std::ops::Range;

use datafusion_expr::Expr;

use super::columns::{Op, Type, columns, entities_with};
use super::field_ref::{ENVIRONMENT, FieldRef, TAGS, field_ref};
use super::path::Path;
use super::read::read;
use super::resolved_clause::{ResolvedClause, near, shown};
use super::scores::{Scores, on_any};
use super::{Entity, compare, json, values};
use crate::{FilterError, Names, Unknown, all_of};
use spanql_model::time;

/// A filter of Opik that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Oql {
    /// The condition on a row: an unqualified column is one of the span, or of the trace's root span; one of `traces`
    /// or `sessions` is qualified by that name.
    pub expr: Expr,
    /// What spans of a trace must fulfil besides; each condition is for itself, any span may fulfil it.
    pub any_span: Vec<AnySpan>,
    /// What the reader should know, each a line without a full stop.
    pub notes: Vec<String>,
}

/// A condition on a trace that is about its spans.
#[derive(Debug, Clone, PartialEq)]
pub struct AnySpan {
    /// The condition on a span.
    pub expr: Expr,
    /// Whether no span may fulfil it; else one must.
    pub negated: bool,
}

/// Reads a filter, OQL or the REST API's list, and checks what the vendor's SDK leaves to the server.
///
/// Text ignores case; `contains` reads `%` and `_` as wildcards; a dictionary's `<`, `<=`, `>`, `>=` compare numbers, and
/// a text that is none matches none of them; the `id` of a thread and enums are compared as they are. Durations are
/// milliseconds.
///
/// # Errors
/// When it is not in the language, names a column that the entity has not or that is not kept here, or a value does not
/// fit its column.
pub fn parse(text: &str, entity: Entity, names: &Names<'_>) -> Result<Oql, FilterError> {
    let scores = Scores::of(names.columns());
    let mut reading = Reading { text, entity, names, scores, any_span: vec![], notes: vec![] };
    let clauses = read(text, entity)?.unwrap_or_default();
    let mut conditions = Vec::with_capacity(clauses.len());
    for clause in &clauses {
        conditions.extend(reading.condition(clause)?);
    }
    Ok(Oql { expr: all_of(conditions), any_span: reading.any_span, notes: reading.notes })
}

struct Reading<'a> {
    text: &'a str,
    entity: Entity,
    names: &'a Names<'a>,
    scores: Scores<'a>,
    any_span: Vec<AnySpan>,
    notes: Vec<String>,
}

impl Reading<'_> {
    fn error(&self, code: &'static str, what: String, place: &Range<usize>) -> FilterError {
        FilterError::new(code, what).at(self.text, place.clone())
    }

    /// The condition of a clause; none for one about the spans of a trace, which is kept apart.
    fn condition(&mut self, clause: &ResolvedClause) -> Result<Option<Expr>, FilterError> {
        let Some(kind) = clause.kind else { return Err(self.unknown_column(clause)) };
        let (op, value) = (clause.op, clause.clause.value.as_str());
        if kind.takes_key() && clause.clause.key.trim().is_empty() {
            return Err(self.no_key(clause));
        }
        let Some(field_ref) = field_ref(&clause.clause.field, self.entity) else { return Err(self.not_kept(clause)) };
        if matches!(kind, Type::String | Type::Enum | Type::List) && !op.is_alone() && value.trim().is_empty() {
            return Err(self.blank(clause));
        }
        Ok(Some(match field_ref {
            FieldRef::Text(column) => {
                self.note_cut_text(clause);
                compare::text(column, op, value)
            }
            FieldRef::Exact(column) => compare::exact_text(column, op, value),
            FieldRef::Number(column) => compare::ordered(column, op, self.number(clause)?),
            FieldRef::Time(column) => compare::ordered(column, op, self.instant(clause)?),
            FieldRef::Json(column) => self.at_path(column, clause)?,
            FieldRef::List(column) => {
                self.note_absent(TAGS, "tags");
                compare::list(column, op, value)
            }
            FieldRef::Scores => self.score(clause)?,
            FieldRef::SpanScores => {
                self.span_score(clause)?;
                return Ok(None);
            }
            FieldRef::Kind(column) => compare::kind(column, op, &self.types(clause)?),
            FieldRef::Enum(column) => {
                self.note_absent(ENVIRONMENT, "an environment");
                compare::one_of(column, op, &self.items(clause)?)
            }
            FieldRef::Status(column) => compare::failed(column, op),
        }))
    }

    fn unknown_column(&self, clause: &ResolvedClause) -> FilterError {
        let field = clause.clause.field.as_str();
        if field.is_empty() {
            return self.error("unknown-column", "expected a column before the operator".into(), &clause.field);
        }
        let error = self.error("unknown-column", format!("{} have no {}", self.entity, shown(field)), &clause.field);
        let others: Vec<String> = entities_with(field).into_iter().map(|entity| entity.to_string()).collect();
        if !others.is_empty() {
            return error.help(format!("{} have it", others.join(" and ")));
        }
        let known: Vec<&str> = columns(self.entity).map(|(name, _)| name).collect();
        let family: Vec<&str> = known
            .iter()
            .copied()
            .filter(|name| name.split_once('.').is_some_and(|(family, _)| family == field))
            .collect();
        if !family.is_empty() {
            return error.help(format!("there are {}", family.join(", ")));
        }
        match near(field, known.iter().copied()) {
            Some(near) => error.suggest(Some(near)),
            None => error.help(format!("there are {}", known.join(", "))),
        }
    }

    fn no_key(&self, clause: &ResolvedClause) -> FilterError {
        let field = &clause.clause.field;
        let place = if clause.key.is_empty() { &clause.field } else { &clause.key };
        self.error("key-blank", format!("{field} needs a key"), place).help(format!("write {field}.key"))
    }

    fn not_kept(&self, clause: &ResolvedClause) -> FilterError {
        let field = &clause.clause.field;
        let error =
            self.error("column-not-kept", format!("{field} of {} is not kept here", self.entity), &clause.field);
        match (self.entity, field.as_str()) {
            (Entity::Threads, "tags" | "feedback_scores" | "environment") => error.help("traces have it"),
            (_, "created_at" | "last_updated_at") => error.help("use start_time or end_time"),
            _ => error,
        }
    }

    fn blank(&self, clause: &ResolvedClause) -> FilterError {
        let error =
            self.error("value-blank", format!("{} is compared with no text", clause.clause.field), &clause.value);
        error.help("the server refuses blank values")
    }

    fn number(&self, clause: &ResolvedClause) -> Result<Expr, FilterError> {
        let value = &clause.clause.value;
        values::number(value).ok_or_else(|| {
            let what = format!("{} is compared with {}, which is no number", clause.clause.field, shown_value(value));
            let near = Some(value.trim().trim_start_matches('+')).filter(|near| values::number(near).is_some());
            self.error("number-invalid", what, &clause.value).suggest(near)
        })
    }

    fn instant(&self, clause: &ResolvedClause) -> Result<Expr, FilterError> {
        let value = &clause.clause.value;
        // An age back from the end of the data is no instant to Opik; here it means what it means everywhere.
        let instant = values::instant(value).or_else(|meant| match meant {
            None if time::is_from_data_end(value) => time::typed(value, &self.names.clock()).map_err(|_| None),
            meant => Err(meant),
        });
        instant.map(values::time_literal).map_err(|meant| {
            let what = format!("{} is compared with {}, which is no instant", clause.clause.field, shown_value(value));
            let error = self.error("time-invalid", what, &clause.value).help("write \"2026-01-31T12:00:00Z\"");
            error.suggest(meant.map(|meant| format!("\"{meant}\"")))
        })
    }

    fn at_path(&self, column: Expr, clause: &ResolvedClause) -> Result<Expr, FilterError> {
        let key = clause.clause.key.as_str();
        if let Err(what) = Path::read(key) {
            return Err(self.error("path-invalid", shown(&what), &clause.key));
        }
        let text = json::json_text(column, key);
        Ok(match clause.op {
            Op::Gt | Op::GtEq | Op::Lt | Op::LtEq => compare::ordered(text, clause.op, self.number(clause)?),
            op => compare::at_path(text, op, &clause.clause.value),
        })
    }

    fn score(&mut self, clause: &ResolvedClause) -> Result<Expr, FilterError> {
        let mut absent = None;
        let columns = self
            .scores
            .columns(&clause.clause.key, self.names.unknown(), |note| absent = Some(note))
            .map_err(|error| error.at(self.text, clause.key.clone()))?;
        absent.into_iter().for_each(|note| self.note(note));
        if clause.op.is_alone() {
            return Ok(on_any(columns, clause.op, |column| column));
        }
        let value = self.number(clause)?;
        Ok(on_any(columns, clause.op, |column| compare::ordered(column, clause.op, value.clone())))
    }

    /// A trace has a score of its spans when any span has it.
    fn span_score(&mut self, clause: &ResolvedClause) -> Result<(), FilterError> {
        let negated = clause.op == Op::IsEmpty;
        let asked = if negated { ResolvedClause { op: Op::IsNotEmpty, ..clause.clone() } } else { clause.clone() };
        let expr = self.score(&asked)?;
        self.any_span.push(AnySpan { expr, negated });
        Ok(())
    }

    /// The values of an enum: several only where the operator takes a list.
    fn items<'c>(&self, clause: &'c ResolvedClause) -> Result<Vec<&'c str>, FilterError> {
        let value = clause.clause.value.as_str();
        let items: Vec<&str> = if clause.op.takes_list() { value.split(',').collect() } else { vec![value] };
        if items.iter().any(|item| item.trim().is_empty()) {
            return Err(self.blank(clause));
        }
        Ok(items)
    }

    fn types<'c>(&self, clause: &'c ResolvedClause) -> Result<Vec<&'c str>, FilterError> {
        let items = self.items(clause)?;
        let known = || compare::KINDS.iter().map(|(name, _)| *name).chain([compare::GENERAL]);
        match items.iter().find(|item| !known().any(|name| name == **item)) {
            None => Ok(items),
            Some(item) => {
                let what = format!("{} is no type of spans", shown_value(item));
                let error = self.error("value-unknown", what, &clause.value);
                let all: Vec<&str> = known().collect();
                let error = error.help(format!("there are {}", all.join(", ")));
                Err(error.suggest(near(item, all).map(|near| format!("\"{near}\""))))
            }
        }
    }

    fn note(&mut self, note: String) {
        if self.names.unknown() != Unknown::Silent && !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    fn note_absent(&mut self, column: &str, what: &str) {
        if !self.names.columns().any(|name| name == column) {
            self.note(format!("no span has {what} ({column}): read as empty"));
        }
    }

    /// Sessions keep the beginnings of their texts, of which only searches look at the rest.
    fn note_cut_text(&mut self, clause: &ResolvedClause) {
        let field = &clause.clause.field;
        let searches = matches!(clause.op, Op::Contains | Op::NotContains | Op::StartsWith | Op::EndsWith);
        let emptiness = clause.op.is_alone();
        let is_cut = self.entity == Entity::Threads && matches!(field.as_str(), "first_message" | "last_message");
        if is_cut && !searches && !emptiness {
            self.note(format!("{field} is compared by its first 1,024 characters"));
        }
    }
}

fn shown_value(value: &str) -> String {
    format!("\"{}\"", shown(value))
}
