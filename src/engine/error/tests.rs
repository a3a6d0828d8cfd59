use super::*;

#[test]
fn syntax_trees_are_cut_off() {
    for (message, kept) in [
        (
            "Unsupported JOIN operator Semi(On(BinaryOp { left: Identifier(Ident { value: \"a\" }) }))",
            "Unsupported JOIN operator Semi",
        ),
        ("Unsupported ast node JsonTable { json_expr: Value(x) } in create_relation", "Unsupported ast node JsonTable"),
        ("x at [Word(Span(Location(1,8)..Location(1,9)))]", "x at"),
        ("a text with { a: 1 } and {braces}", "a text with { a: 1 } and {braces}"),
    ] {
        assert_eq!(without_debug(message), kept);
    }
}

#[test]
fn what_a_pool_refuses_is_one_sentence() {
    let said = "Additional allocation failed for ExternalSorter[0] with top memory consumers (across reservations) as:\n  \
                ExternalSorter[0]#3(can spill: true) consumed 9.0 MB, peak 9.5 MB.\nError: Failed to allocate additional \
                24.0 KB for ExternalSorter[0] with 3.0 MB already allocated for this reservation - 1.5 KB remain available \
                for the total memory pool: fair(pool_size: 10.0 MB)";
    assert_eq!(
        EngineError::from_datafusion(&DataFusionError::ResourcesExhausted(said.to_owned())).to_string(),
        "the query needs more memory than it may use: ExternalSorter holds 3.0 MB and asks for 24.0 KB more, of which \
         1.5 KB is left; raise --memory, or ask for fewer rows or columns"
    );
}

#[test]
fn syntax_nodes_have_names() {
    let error = DataFusionError::NotImplemented("Unsupported ast node in sqltorel: JsonAccess { value: x }".into());
    assert_eq!(EngineError::from_datafusion(&error).to_string(), "JSON ACCESS is not supported");
}

#[test]
fn tells_what_where_why_and_what_to_do() {
    let error = EngineError::new("unknown-column", "unknown column nmae")
        .at(Location { line: 2, column: 8 })
        .why("spans has no such column")
        .suggest(Some("name"));
    assert_eq!(error.to_string(), "unknown column nmae at 2:8: spans has no such column; did you mean name?");
    assert_eq!(error.position(), Some((2, 8)));
    assert_eq!(error.suggestion().as_deref(), Some("name"));
}

#[test]
fn reads_the_place_out_of_parser_messages() {
    let error = EngineError::syntax("sql parser error: Expected: end of statement, found: x at Line: 3, Column: 12");
    assert_eq!(error.to_string(), "the statement cannot be read at 3:12: expected: end of statement, found: x");
}

#[test]
fn a_version_that_a_vacuum_took_away_is_told_from_what_failed() {
    for inside in [false, true] {
        let removed = Box::new(StoreError::Removed { version: 3 });
        let error = match inside {
            true => DataFusionError::ParquetError(Box::new(ParquetError::External(removed))),
            false => DataFusionError::External(removed),
        };
        let error = EngineError::from_datafusion(&error);
        assert_eq!(error.code(), "removed");
        assert!(error.to_string().ends_with("ask again"), "{error}");
    }
}
