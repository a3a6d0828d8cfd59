//! `estimated_cost`, a column that tables have when it is named.

use datafusion::sql::sqlparser::ast::{CastKind, DataType, ExactNumberInfo, Expr, Value};
use datafusion::sql::sqlparser::tokenizer::Span;

use super::super::error::EngineError;
use super::super::functions::estimate::{ESTIMATE_COST, no_prices_note};
use super::super::tables::{ESTIMATED_COST, cached_columns};
use super::Resolver;
use super::ast::call;
use super::names::Column;
use super::scope::{Rel, Scopes};
use super::unknown::{ambiguous, qualified_names};
use spanql_model::columns::{COMPLETION_TOKENS, MODEL, PROMPT_TOKENS};

const EMBEDDING_MODEL: &str = "attributes.embedding.model_name";

/// What a span is estimated to cost rests on these.
const NEEDED: [&str; 4] = [MODEL, EMBEDDING_MODEL, PROMPT_TOKENS, COMPLETION_TOKENS];

/// Whether a relation has the column when it is named.
fn has_estimates(relation: &Rel) -> bool {
    let columns = &relation.columns;
    columns.estimates.is_some() || (columns.open.is_some() && NEEDED.iter().all(|name| columns.has(name)))
}

impl Resolver<'_> {
    /// The column of a relation, if that is its name and the relation can have it.
    pub(super) fn estimated(&mut self, relation: &Rel, name: &str, span: Span) -> Option<Column> {
        if !name.eq_ignore_ascii_case(ESTIMATED_COST) || !has_estimates(relation) {
            return None;
        }
        let has_prices = self.catalog.registry.prices.is_some();
        if !has_prices {
            let note = no_prices_note();
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        let name = ESTIMATED_COST.to_owned();
        if let Some(table) = &relation.columns.estimates {
            self.again |= self.wanted.entry(table.clone()).or_default().insert(name.clone());
            return Some(Column { expr: relation.column(&name, span), name });
        }
        let expr = if has_prices { estimate(relation, span) } else { null() };
        Some(Column { expr, name })
    }

    /// The same of the innermost FROM with a relation that can have it.
    pub(super) fn estimated_in(
        &mut self,
        scopes: &Scopes,
        name: &str,
        span: Span,
    ) -> Result<Option<Column>, EngineError> {
        if !name.eq_ignore_ascii_case(ESTIMATED_COST) {
            return Ok(None);
        }
        for level in scopes.iter().rev() {
            let those: Vec<&Rel> = level.relations.iter().filter(|relation| has_estimates(relation)).collect();
            match those.as_slice() {
                [] => {}
                [relation] => return Ok(self.estimated(relation, name, span)),
                several => return Err(ambiguous(name, &qualified_names(several.iter().copied(), name), span)),
            }
        }
        Ok(None)
    }
}

/// What a span costs by the prices, of its own columns.
fn estimate(relation: &Rel, span: Span) -> Expr {
    let column = |name: &str| relation.column(name, span);
    let cached: Vec<Expr> = cached_columns(|name| relation.columns.has(name)).map(column).collect();
    let cached = if cached.is_empty() { Expr::value(Value::Null) } else { call("coalesce", cached) };
    let model = call("coalesce", vec![column(MODEL), column(EMBEDDING_MODEL)]);
    call(ESTIMATE_COST, vec![model, column(PROMPT_TOKENS), column(COMPLETION_TOKENS), cached])
}

fn null() -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::value(Value::Null)),
        data_type: DataType::Double(ExactNumberInfo::None),
        array: false,
        format: None,
    }
}
