//! What the parts of a condition are said with: the columns of an entity, and clauses on them.

use datafusion_common::ScalarValue;
use datafusion_expr::Expr;

use super::columns::{Op, type_of};
use super::field_ref::FieldRef;
use super::json::call;
use super::scores::{Scores, score_name};
use super::{Clause, Entity};

/// Clauses that let through whatever a condition does.
#[derive(Debug)]
pub(super) struct Wording {
    pub(super) clauses: Vec<Clause>,
    /// Whether they let through nothing else.
    pub(super) exact: bool,
}

/// What conditions are said with.
pub(super) struct Printer<'a> {
    pub(super) entity: Entity,
    pub(super) scores: Scores<'a>,
    /// Where the columns of OQL lie.
    pub(super) field_refs: Vec<(&'static str, FieldRef)>,
}

impl Printer<'_> {
    /// One clause.
    pub(super) fn clause(
        &self,
        field: &str,
        key: &str,
        op: Op,
        value: impl Into<String>,
        exact: bool,
    ) -> Option<Wording> {
        let kind = type_of(field, self.entity)?;
        let clause = Clause {
            field: field.to_owned(),
            key: key.to_owned(),
            kind: kind.name().to_owned(),
            operator: op.text().to_owned(),
            value: value.into(),
        };
        Some(Wording { clauses: vec![clause], exact })
    }

    /// The column of OQL that lies at a place.
    pub(super) fn field_at(&self, is_it: impl Fn(&FieldRef) -> bool) -> Option<&'static str> {
        self.field_refs.iter().find(|(_, field_ref)| is_it(field_ref)).map(|(field, _)| *field)
    }

    /// The dictionary and the key of a text read by a path.
    pub(super) fn dictionary<'e>(&self, value: &'e Expr) -> Option<(&'static str, &'e str)> {
        let [column, path] = call(value, "opik_json_text")? else { return None };
        let field = self.field_at(|field_ref| matches!(field_ref, FieldRef::Json(at) if at == column))?;
        // A key there holds no dots, or in newer versions all of them.
        let sure = |key: &str| !key.trim().is_empty() && (!key.contains('.') || key.starts_with('$'));
        Some((field, literal_text(path).filter(|key| sure(key))?))
    }

    /// The name of the score that a column holds, and whether no other column differs from it in case only.
    pub(super) fn score<'e>(&self, column: &'e Expr) -> Option<(&'e str, bool)> {
        self.field_at(|field_ref| *field_ref == FieldRef::Scores)?;
        let Expr::Column(column) = column else { return None };
        let name = score_name(&column.name).filter(|name| column.relation.is_none() && !name.trim().is_empty())?;
        Some((name, self.scores.count(name) <= 1))
    }
}

/// The text of a literal.
pub(super) fn text_of(value: &ScalarValue) -> Option<&str> {
    match value {
        ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text) => text.as_deref(),
        _ => None,
    }
}

/// The text of an expression that is a literal.
pub(super) fn literal_text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => text_of(value),
        _ => None,
    }
}
