//! Conditions on numbers and scores: what Opik makes of a number that is absent, and of more places than it keeps.

use datafusion_expr::{Expr, Operator, binary_expr, lit};

use super::support::{batch, integers, numbers};
use crate::opik::{Clause, Entity, print};

const TOKENS: &str = "attributes.llm.token_count.total";
const SCORE: &str = "annotation.Acc.score";

/// The clauses that a condition becomes, and whether they say all of it.
fn said(column: &str, op: Operator, value: Expr, entity: Entity) -> (Vec<Clause>, bool) {
    let table = batch(vec![(TOKENS, integers(vec![None])), (SCORE, numbers(vec![None]))]);
    let column = match column.split_once('.') {
        Some((table @ "traces", name)) => Expr::Column(datafusion_common::Column::new(Some(table), name)),
        _ => Expr::Column(datafusion_common::Column::new_unqualified(column)),
    };
    let said = print(&[binary_expr(column, op, value)], entity, &table.schema());
    let exact = said.is_exact();
    (said.translated.unwrap_or_default(), exact)
}

#[test]
fn an_absent_number_is_zero_there() {
    use Operator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    for (op, value, exact) in [
        (Eq, 0, false),
        (Eq, 5, true),
        (NotEq, 5, false),
        (NotEq, 0, true),
        (Gt, -1, false),
        (Gt, 0, true),
        (GtEq, 0, false),
        (GtEq, 5, true),
        (Lt, 0, true),
        (Lt, 5, false),
        (LtEq, -1, true),
        (LtEq, 0, false),
        (LtEq, 5, false),
    ] {
        let (clauses, is_exact) = said(TOKENS, op, lit(i64::from(value)), Entity::Spans);
        assert_eq!((clauses.len(), is_exact), (1, exact), "{op} {value}");
    }
}

#[test]
fn a_score_has_nine_places_there() {
    assert_eq!(said(SCORE, Operator::Gt, lit(0.123456789), Entity::Spans).0.len(), 1);
    assert_eq!(said(SCORE, Operator::Gt, lit(0.1234567891), Entity::Spans).0, []);
}

#[test]
fn what_opik_adds_up_of_traces_bounds_from_below() {
    let (clauses, exact) = said("traces.total_tokens", Operator::Gt, lit(5_i64), Entity::Traces);
    assert_eq!((clauses.len(), exact), (1, false));
    for (column, op) in [
        ("traces.latency_ms", Operator::Gt),
        ("traces.total_tokens", Operator::Lt),
        ("traces.total_tokens", Operator::Eq),
    ] {
        assert_eq!(said(column, op, lit(5_i64), Entity::Traces).0, [], "{column} {op}");
    }
}
