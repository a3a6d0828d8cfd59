use std::ops::ControlFlow;

use sqlparser::ast::{BinaryOperator, Expr, SelectItem, Statement, visit_expressions_mut};
use sqlparser::dialect::{Dialect, GenericDialect};
use sqlparser::keywords::Keyword;
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
        ("SELECT a contains, b FROM t", "SELECT a AS contains, b FROM t"),
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

/// A statement without its parentheses: what is left says how its operators bind.
fn bare(expr: &str) -> Statement {
    let sql = format!("SELECT {expr}");
    let parsed = Parser::parse_sql(&SpanqlDialect::default(), &sql);
    let mut statement = parsed.unwrap_or_else(|error| panic!("{sql}: {error}")).remove(0);
    let _ = visit_expressions_mut(&mut statement, |expr| {
        while let Expr::Nested(inner) = expr {
            *expr = inner.as_ref().clone();
        }
        ControlFlow::<()>::Continue(())
    });
    statement
}

#[test]
fn operators_bind_as_in_postgres() {
    for (plain, explicit) in [
        ("a || b = c", "(a || b) = c"),
        ("a + b || c", "(a + b) || c"),
        ("a || b LIKE c", "(a || b) LIKE c"),
        ("a ~ b = c", "(a ~ b) = c"),
        ("a !~* b + c", "a !~* (b + c)"),
        ("a CONTAINS b = c", "(a CONTAINS b) = c"),
        ("a LIKE b = c", "(a LIKE b) = c"),
        ("a < b LIKE c", "a < (b LIKE c)"),
        ("a = b IS NULL", "(a = b) IS NULL"),
        ("a IS DISTINCT FROM b AND c", "(a IS DISTINCT FROM b) AND c"),
        ("a IS NOT DISTINCT FROM b AND c", "(a IS NOT DISTINCT FROM b) AND c"),
        ("a IS NOT NULL AND b", "(a IS NOT NULL) AND b"),
        ("'x' || a ->> 'b'", "'x' || (a ->> 'b')"),
        ("a -> 'b' ->> 'c'", "(a -> 'b') ->> 'c'"),
        ("a #> b #>> c", "(a #> b) #>> c"),
        ("a ->> -1 ->> 'b'", "(a ->> (-1)) ->> 'b'"),
        ("a #> -1 #> b", "(a #> (-1)) #> b"),
        ("a #>> -1 #>> b", "(a #>> (-1)) #>> b"),
        ("a -> (1)", "a -> 1"),
        ("a IS NULL FROM t", "(a IS NULL) FROM t"),
        ("a #>> b = c", "(a #>> b) = c"),
        ("a -> -1 ->> 'b'", "(a -> (-1)) ->> 'b'"),
        ("a -> -1::int", "a -> (-(1::int))"),
        ("a -> 1 - 2", "(a -> 1) - 2"),
    ] {
        assert_eq!(bare(plain), bare(explicit), "{plain}");
    }
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    for (expr, refused) in [
        ("a < b < c", "comparisons cannot be chained"),
        ("a = b != c", "comparisons cannot be chained"),
        ("a LIKE b LIKE c", "one of these operators cannot follow another"),
        ("a BETWEEN b AND c BETWEEN d AND e", "one of these operators cannot follow another"),
        ("a ILIKE b NOT IN (c)", "one of these operators cannot follow another"),
        ("a LIKE b CONTAINS c", "one of these operators cannot follow another"),
    ] {
        let error = Parser::parse_sql(&SpanqlDialect::default(), &format!("SELECT {expr}")).unwrap_err().to_string();
        assert!(error.contains(refused), "{expr}: {error}");
    }
    assert_eq!(bare("(a < b) < c"), bare("((a < b) < c)"));
}

#[test]
fn what_is_not_ours_is_what_the_generic_dialect_says() {
    let (ours, generic) = (SpanqlDialect::default(), GenericDialect {});
    for c in '\0'..='\u{ff}' {
        assert_eq!(
            ours.is_nested_delimited_identifier_start(c),
            generic.is_nested_delimited_identifier_start(c),
            "{c}"
        );
        assert_eq!(ours.is_custom_operator_part(c), generic.is_custom_operator_part(c), "{c}");
    }
    let quotes = |dialect: &dyn Dialect| dialect.peek_nested_delimited_identifier_quotes("\"a\"".chars().peekable());
    assert_eq!(quotes(&ours), quotes(&generic));
    assert_eq!(ours.identifier_quote_style("a"), generic.identifier_quote_style("a"));
    assert_eq!(ours.prec_unknown(), generic.prec_unknown());
    assert_eq!(ours.get_reserved_grantees_types().len(), generic.get_reserved_grantees_types().len());
    let (parser, other) = (&mut Parser::new(&ours), &mut Parser::new(&generic));
    for keyword in [Keyword::SELECT, Keyword::FROM, Keyword::LEFT, Keyword::INTERVAL, Keyword::NAME, Keyword::UNNEST] {
        assert_eq!(ours.is_reserved_for_identifier(keyword), generic.is_reserved_for_identifier(keyword), "{keyword}");
        assert_eq!(ours.is_table_factor(&keyword, parser), generic.is_table_factor(&keyword, other), "{keyword}");
        assert_eq!(ours.is_table_alias(&keyword, parser), generic.is_table_alias(&keyword, other), "{keyword}");
    }
}
