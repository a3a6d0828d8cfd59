use sqlparser::ast::{BinaryOperator, Expr, SelectItem, Statement};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;

use super::SpanqlDialect;

/// One statement a line, in the syntax that only a full copy of the generic dialect reads the same way.
const STATEMENTS: &str = include_str!("../dialect_statements.sql");

#[test]
fn reads_everything_the_generic_dialect_reads() {
    let statements: Vec<&str> = STATEMENTS.lines().filter(|line| !line.is_empty()).collect();
    assert!(statements.len() >= 100, "only {} statements", statements.len());
    for sql in statements {
        let generic = Parser::parse_sql(&GenericDialect {}, sql).map_err(|e| e.to_string());
        let ours = Parser::parse_sql(&SpanqlDialect::default(), sql).map_err(|e| e.to_string());
        assert_eq!(ours, generic, "{sql}");
    }
}

#[test]
fn contains_becomes_a_call() {
    for (sql, parsed) in [
        (
            "SELECT a CONTAINS 'x' OR b NOT contains 'y' || 'z'",
            "SELECT contains(a, 'x') OR NOT (contains(b, 'y' || 'z'))",
        ),
        ("SELECT NOT a Contains 'x' AND b", "SELECT NOT contains(a, 'x') AND b"),
        ("SELECT a IS NOT DISTINCT FROM b AND c", "SELECT a IS NOT DISTINCT FROM b AND c"),
        ("SELECT name contains FROM t", "SELECT name AS contains FROM t"),
        ("SELECT contains(a, 'x')", "SELECT contains(a, 'x')"),
        (
            "SELECT count(*) FILTER (WHERE a CONTAINS 'x') FROM t",
            "SELECT count(*) FILTER (WHERE contains(a, 'x')) FROM t",
        ),
        ("SELECT a \"contains\" FROM t", "SELECT a AS \"contains\" FROM t"),
    ] {
        let statements = Parser::parse_sql(&SpanqlDialect::default(), sql).unwrap();
        assert_eq!(statements[0].to_string(), parsed, "{sql}");
    }
}

#[test]
fn distinct_from_binds_tighter_than_and() {
    for sql in [
        "SELECT a IS DISTINCT FROM b AND c",
        "SELECT x AND a IS NOT DISTINCT FROM b OR c",
        "SELECT NOT a IS DISTINCT FROM b = 1 AND c",
    ] {
        let statements = Parser::parse_sql(&SpanqlDialect::default(), sql).unwrap();
        let Statement::Query(query) = &statements[0] else { panic!("{sql}") };
        let item = &query.body.as_select().unwrap().projection[0];
        assert!(
            matches!(
                item,
                SelectItem::UnnamedExpr(Expr::BinaryOp { op: BinaryOperator::And | BinaryOperator::Or, .. })
            ),
            "{sql}"
        );
    }
}
