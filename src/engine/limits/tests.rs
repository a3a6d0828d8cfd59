use super::*;
use spanql_filter::dialect::lex;

fn check(sql: &str) -> Result<(), String> {
    let lexemes: Vec<Lexeme> = lex(sql).unwrap().into_iter().filter(|lexeme| !lexeme.is_blank()).collect();
    check_shape(&lexemes).map_err(|error| error.to_string())
}

#[test]
fn ordinary_statements_pass() {
    let wide = (0..5_000).map(|i| format!("a{i} + 1")).collect::<Vec<_>>().join(", ");
    check(&format!("SELECT {wide} FROM t WHERE a BETWEEN 1 AND 2")).unwrap();
    check(&format!("SELECT a FROM t WHERE a IN ({})", vec!["1"; 50_000].join(", "))).unwrap();
    check(&format!("SELECT {}1{}", "(".repeat(50), ")".repeat(50))).unwrap();
    check(&format!("SELECT 1 WHERE {}", vec!["a > 1"; 1_000].join(" OR "))).unwrap();
    check(&format!("SELECT {}", vec!["CASE WHEN a THEN -1 END"; 1_000].join(", "))).unwrap();
    check(&format!("SELECT {}", vec!["CAST(a AS ARRAY<INT>)"; 1_000].join(", "))).unwrap();
}

#[test]
fn names_of_many_parts_are_refused() {
    let check = |sql: &str| check_names(&lex(sql).unwrap()).map_err(|error| error.to_string());
    let many = vec!["a.b.0.c"; 1_000];
    for separator in [", ", "+", " "] {
        check(&format!("SELECT {}", many.join(separator))).unwrap();
    }
    for part in [".a", ".0", " . a", ".\"a\"", ".0.a"] {
        check(&format!("SELECT x{}", part.repeat(199 / part.matches('.').count()))).unwrap();
        let error = check(&format!("SELECT\n  x{} FROM t", part.repeat(200))).unwrap_err();
        assert_eq!(error, "the name has too many parts at 2:3: the limit is 200", "{part}");
    }
}

#[test]
fn each_limit_is_an_error() {
    let n = 100_000;
    for (sql, words) in [
        (format!("SELECT {}1", "(".repeat(n)), "nests too deep at 1:58"),
        (format!("SELECT {}1", "NOT ".repeat(n)), "nests too deep"),
        (format!("SELECT {}1", "- ".repeat(n)), "nests too deep"),
        (format!("SELECT {}1", "CASE WHEN ".repeat(n)), "nests too deep"),
        (format!("SELECT CAST(1 AS {}", "ARRAY<".repeat(n)), "nests too deep"),
        (format!("SELECT {}", vec!["a"; n].join("+")), "operators in a row"),
        (format!("SELECT {}", vec!["a"; n].join("||")), "operators in a row"),
        (format!("SELECT a{}", "::int".repeat(n)), "operators in a row"),
        (format!("SELECT a{}", "[1]".repeat(n)), "operators in a row"),
        (format!("SELECT a{}", " IS NULL".repeat(n)), "operators in a row"),
        (format!("SELECT 1 WHERE {}", vec!["a > 1"; 1_001].join(" AND ")), "terms joined by AND and OR"),
        (vec!["SELECT 1"; 5_000].join(" UNION ALL "), "set operations"),
        (format!("SELECT 1 FROM {}", vec!["t"; 5_000].join(" JOIN ")), "too many joins"),
        ("EXPLAIN ".repeat(n), "nests too deep"),
        (format!("SELECT {} FROM t", vec!["a AS b"; 50_000].join(", ")), "too many items in a SELECT"),
    ] {
        let error = check(&sql).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
}
