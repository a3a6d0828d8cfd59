use std::sync::Arc;

use datafusion::execution::FunctionRegistry;
use datafusion::prelude::SessionContext;
use datafusion_common::DFSchema;
use datafusion_expr::{cast, ident, lit, not, try_cast, when};
use proptest::prelude::*;
use sqlparser::ast::ExprWithAlias;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::*;
use crate::compare::MixedComparisonPlanner;
use crate::dialect::{SpanqlDialect, join_dotted_names, lex};
use crate::{all_of, any_of, contains, contains_udf, testing};
use spanql_model::columns::timestamp_type;

#[test]
fn sql_of_conditions() {
    let c = |name: &str| ident(name);
    let time = ScalarValue::TimestampNanosecond(Some(1_769_860_800_000_000_001), Some("UTC".into()));
    for (condition, expected) in [
        (c("name").eq(lit("it's")), "name = 'it''s'"),
        (c("attributes.llm.model_name").is_null(), "attributes.llm.model_name IS NULL"),
        (c("eval.Answer Relevance.score").lt(lit(0.5)), "eval.\"Answer Relevance\".score < 0.5"),
        (c("x.y").eq(lit(1)), "\"x.y\" = 1"),
        (c("Mine").eq(lit(1)), "\"Mine\" = 1"),
        (c("contains").is_true(), "\"contains\" IS TRUE"),
        (c("case").eq(c("union")), "\"case\" = \"union\""),
        (Expr::Column(Column::new(Some("traces"), "latency_ms")).gt(lit(2.0)), "traces.latency_ms > 2.0"),
        (Expr::Column(Column::new(Some("arize.demo"), "name")).eq(lit("a")), "name = 'a'"),
        (
            c("a").eq(lit(1)).or(c("b").eq(lit(2))).and(not(c("c").eq(lit(3)).and(c("d").eq(lit(4))))),
            "(a = 1 OR b = 2) AND NOT (c = 3 AND d = 4)",
        ),
        (c("a").eq(lit(1)).and(c("b").eq(lit(2))).or(c("c")), "a = 1 AND b = 2 OR c"),
        (not(not(c("a").eq(lit(1)))), "NOT NOT a = 1"),
        (c("a").eq(lit(1)).is_null(), "(a = 1) IS NULL"),
        (not(contains(c("name"), lit("50%"))), "name NOT CONTAINS '50%'"),
        (not(contains(c("name"), lit("x"))).is_not_true(), "(name NOT CONTAINS 'x') IS NOT TRUE"),
        (c("name").not_ilike(lit("a%")), "name NOT ILIKE 'a%'"),
        (c("a").in_list(vec![lit(-1), lit("x"), lit(true)], true), "a NOT IN (-1, 'x', true)"),
        (c("a").not_between(lit(1) + lit(2), lit(3)), "a NOT BETWEEN 1 + 2 AND 3"),
        ((c("a") - (c("b") - lit(1))).gt(c("c") * (lit(1) + c("d"))), "a - (b - 1) > c * (1 + d)"),
        (c("a").eq(lit(ScalarValue::Float64(None))), "a = CAST(NULL AS DOUBLE)"),
        (Expr::Negative(Box::new(lit(-1))).eq(c("a")), "-(-1) = a"),
        (cast(c("a"), DataType::Int64).eq(lit(1)), "CAST(a AS BIGINT) = 1"),
        (try_cast(c("a"), DataType::Float64).eq(lit(f64::NAN)), "TRY_CAST(a AS DOUBLE) = CAST('NaN' AS DOUBLE)"),
        (c("start_time").gt(lit(time.clone())), "start_time > '2026-01-31T12:00:00.000000001Z'"),
        (c("a").gt(lit(time)), "a > arrow_cast('2026-01-31T12:00:00.000000001Z', 'Timestamp(ns, \"UTC\")')"),
        (cast(c("a"), timestamp_type()).is_null(), "arrow_cast(a, 'Timestamp(ns, \"UTC\")') IS NULL"),
        (
            when(c("a").eq(lit(1)), lit("x")).otherwise(lit(ScalarValue::Null)).unwrap().eq(lit("x")),
            "CASE WHEN a = 1 THEN 'x' ELSE NULL END = 'x'",
        ),
        (datafusion_functions::expr_fn::lower(c("name")).eq(lit("a")), "lower(name) = 'a'"),
        (any_of(vec![c("a"), c("b")]).alias("x").and(c("c")), "(a OR b) AND c"),
        (contains(c("name"), lit("x")).is_null(), "(name CONTAINS 'x') IS NULL"),
        (not(datafusion_functions::expr_fn::starts_with(c("name"), lit("a"))), "NOT starts_with(name, 'a')"),
        (datafusion_expr::binary_expr(c("a"), Operator::IsDistinctFrom, c("b") + lit(1)), "a IS DISTINCT FROM (b + 1)"),
        (cast(c("a"), DataType::Boolean).is_true(), "CAST(a AS BOOLEAN) IS TRUE"),
        (cast(c("a"), DataType::Int8).eq(lit(1)), "CAST(a AS TINYINT) = 1"),
        (cast(c("a"), DataType::Int16).eq(lit(1)), "CAST(a AS SMALLINT) = 1"),
        (cast(c("a"), DataType::Int32).eq(lit(1)), "CAST(a AS INT) = 1"),
        (cast(c("a"), DataType::Float32).eq(lit(1)), "CAST(a AS REAL) = 1"),
        (try_cast(c("a"), DataType::Date32).is_null(), "TRY_CAST(a AS DATE) IS NULL"),
        (all_of(vec![any_of(vec![c("a"), c("b")]), c("c")]), "(a OR b) AND c"),
    ] {
        assert_eq!(print(&condition).unwrap(), expected);
    }
}

#[test]
fn what_has_no_text_is_an_error() {
    let empty = ident("a").in_list(vec![], false);
    assert_eq!(print(&empty).unwrap_err().code(), "unsayable");
    let binary = ident("a").eq(lit(ScalarValue::Binary(Some(vec![1]))));
    assert_eq!(print(&binary).unwrap_err().code(), "unsayable");
}

/// The condition that a text is in SQL.
fn read(sql: &str, schema: &DFSchema) -> Expr {
    let (lexemes, _) = join_dotted_names(sql, lex(sql).unwrap());
    let tokens = lexemes.into_iter().filter(|lexeme| !lexeme.is_blank()).map(|lexeme| lexeme.token).collect();
    let dialect = SpanqlDialect::default();
    let mut parser = Parser::new(&dialect).with_tokens_with_locations(tokens);
    let expr = parser.parse_expr().unwrap_or_else(|error| panic!("{sql}: {error}"));
    assert_eq!(parser.peek_token_ref().token, Token::EOF, "{sql}");
    let mut context = SessionContext::new();
    context.register_expr_planner(Arc::new(MixedComparisonPlanner { data_end: None })).unwrap();
    context.register_udf(contains_udf().as_ref().clone());
    let read = context.state().create_logical_expr_from_sql_expr(ExprWithAlias { expr, alias: None }, schema);
    read.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn meaning_is_kept_through_sql(condition in testing::condition(), rows in testing::rows()) {
        let schema = DFSchema::try_from(rows.schema()).unwrap();
        if let Some(expected) = testing::truths(&condition, &rows) {
            let sql = print(&condition).unwrap();
            prop_assert_eq!(testing::truths(&read(&sql, &schema), &rows), Some(expected), "{}", sql);
        }
    }
}
