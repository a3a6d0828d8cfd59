//! Conditions that are almost what Opik's language says.

use datafusion_common::Column;
use datafusion_expr::{Expr, col, lit};
use datafusion_functions::core::expr_fn::coalesce;
use datafusion_functions::string::expr_fn::{lower, starts_with};

use super::print::{KIND, column, in_short, rows};
use crate::contains;
use crate::opik::{Entity, print};

fn said(condition: &Expr, entity: Entity) -> String {
    in_short(&print(std::slice::from_ref(condition), entity, &rows().schema()))
}

#[test]
fn case_and_absent_texts_are_told_apart() {
    let name = || col("name");
    let filled = |absent: &str| lower(coalesce(vec![name(), lit(absent)]));
    for (condition, expected) in [
        (name().like(lit("%ha%")), "~name contains ha"),
        (name().ilike(lit("%ha%")), "name contains ha"),
        (filled("").ilike(lit("%ha%")), "~name contains ha"),
        (starts_with(lower(name()), lit("ch")), "name starts_with ch"),
        (starts_with(filled(""), lit("ch")), "~name starts_with ch"),
        // Where an absent text is another one, Opik would leave it out.
        (filled("chat").eq(lit("chat")), "~"),
    ] {
        assert_eq!(said(&condition, Entity::Spans), expected, "{condition}");
    }
    let thread = Expr::Column(Column::new(Some("sessions"), "session_id"));
    assert_eq!(said(&contains(thread, lit("a")), Entity::Threads), "~");
}

#[test]
fn kinds_that_opik_has_not_are_general() {
    let among = |kinds: &[&str]| column(KIND).in_list(kinds.iter().map(|kind| lit(*kind)).collect(), false);
    for (condition, expected) in [
        (among(&["LLM"]), "type in llm"),
        (among(&["AGENT"]), "~type = general"),
        (among(&["LLM", "TOOL", "GUARDRAIL"]).is_not_true(), "type = general"),
        (among(&["LLM", "TOOL", "GUARDRAIL", "AGENT"]).is_not_true(), "~type = general"),
    ] {
        assert_eq!(said(&condition, Entity::Spans), expected, "{condition}");
    }
}

#[test]
fn scores_whose_names_differ_in_case_are_one() {
    let score = |name: &str| column(&format!("annotation.{name}.score"));
    let half = |name: &str| score(name).gt(lit(0.5));
    for (condition, expected) in [
        (half("two").or(half("Two")), "feedback_scores.two > 0.5"),
        (half("two").or(half("Acc")), "~"),
        (half("two").or(score("Two").gt(lit(0.75))), "~"),
        (half("two").or(score("Two").lt(lit(0.5))), "~"),
        (score("two").is_not_null().or(score("Two").is_not_null()), "feedback_scores.two is_not_empty"),
        (Expr::Column(Column::new(Some("traces"), "annotation.Acc.score")).gt(lit(0.5)), "~"),
    ] {
        assert_eq!(said(&condition, Entity::Spans), expected, "{condition}");
    }
    assert_eq!(said(&half("Acc"), Entity::Threads), "~", "threads have none");
}
