use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type};
use datafusion_common::Column;
use datafusion_expr::{cast, ident, lit, not};
use proptest::prelude::*;

use super::*;
use crate::arize::parse;
use crate::{Names, Unknown, testing};
use spanql_model::columns::spans_schema;

fn read(text: &str, schema: &Schema) -> Expr {
    let rest = BTreeMap::new();
    match parse(text, &Names::new(schema, &rest, Unknown::Error)) {
        Ok(filter) => filter.expr,
        Err(error) => panic!("{}", error.report()),
    }
}

fn schema() -> Arc<Schema> {
    let open = [("attributes.flag", DataType::Boolean), ("eval.Answer Relevance.score", DataType::Float64)];
    spans_schema(&open.map(|(name, data_type)| (name.to_owned(), data_type)))
}

#[test]
fn texts_come_back() {
    for text in [
        "name = 'it''s'",
        "name != ''",
        "name = 5",
        "latency_ms >= 1000 AND latency_ms < 1.5",
        "latency_ms > -0.0",
        "attributes.llm.token_count.total = -9223372036854775808",
        "\"eval\".\"Answer Relevance\".score BETWEEN 0.25 AND 1e300",
        "attributes.llm.token_count.total NOT BETWEEN attributes.llm.token_count.prompt AND 9",
        "name IN ('a', 'b') OR status_code NOT IN ('OK', 'UNSET')",
        "(name = 'a' OR name = 'b') AND NOT (status_code = 'OK' AND parent_id IS NULL)",
        "NOT NOT NOT name = 'a'",
        "name LIKE 'a%' AND name NOT LIKE '%b' AND name ILIKE 'C' AND name NOT ILIKE '_'",
        "latency_ms LIKE '1%'",
        "name CONTAINS '50%_' AND attributes.input.value NOT CONTAINS 'x'",
        "attributes.retrieval.documents.contents CONTAINS 'x' AND attributes.llm.input_messages.roles IS NOT NULL",
        "attributes.llm.input_messages.0.message.role = 'user'",
        "start_time >= '2026-01-31T12:00:00.000000001Z' AND end_time > start_time",
        "start_time IN ('1970-01-01T00:00:00Z')",
        "attributes.flag AND NOT attributes.flag OR attributes.flag = false",
        "attributes.llm.token_count.prompt < attributes.llm.token_count.completion",
    ] {
        let once = read(text, &schema());
        let said = print(std::slice::from_ref(&once), &schema());
        assert!(said.is_exact(), "{text}: {:?}", said.rest);
        assert_eq!(read(&said.translated.unwrap(), &schema()), once, "{text}");
    }
}

#[test]
fn written_in_the_shortest_form() {
    let column = Expr::Column(Column::new(Some("arize.demo"), "name"));
    for (condition, expected) in [
        (lit("a").eq(column.clone()), "name = 'a'"),
        (lit(5).lt(ident("latency_ms")), "latency_ms > 5"),
        (cast(column.clone(), DataType::Utf8View).eq(lit("a")), "name = 'a'"),
        (not(contains(column.clone(), lit("a"))), "name NOT CONTAINS 'a'"),
        (ident("attributes.flag"), "attributes.flag"),
        (column.clone().eq(lit("a")).alias("x"), "name = 'a'"),
        (ident("latency_ms").gt(lit(1000.0)), "latency_ms > 1000"),
        (ident("latency_ms").gt(lit(-5.0)), "latency_ms > -5"),
        (ident("latency_ms").gt(lit(1e15)), "latency_ms > 1000000000000000.0"),
        (column.clone().eq(lit("a")).or(column.clone().eq(lit("b"))), "name = 'a' OR name = 'b'"),
        (not(column.clone().eq(lit("a")).and(column.is_null())), "NOT (name = 'a' AND name IS NULL)"),
        (
            ident("start_time").gt(lit(ScalarValue::TimestampNanosecond(Some(1_500_000_000), Some("UTC".into())))),
            "start_time > '1970-01-01T00:00:01.500Z'",
        ),
    ] {
        let said = print(std::slice::from_ref(&condition), &schema());
        assert_eq!((said.translated.as_deref(), said.rest.len()), (Some(expected), 0), "{condition}");
    }
}

const TOTAL: &str = "attributes.llm.token_count.total";

#[test]
fn as_many_terms_and_levels_are_said_as_are_read() {
    let is = |number: i64| ident("latency_ms").gt(lit(number));
    let any = |count: i64| (1..count).map(is).fold(is(0), Expr::or);
    let conditions = [any(600), not(any(399)), is(0)];
    let said = print(&conditions, &schema());
    assert_eq!(said.rest, [is(0)], "999 are joined");
    read(&said.translated.unwrap(), &schema());
    let nested = |depth: usize| (0..depth).fold(is(0), |inner, _| not(inner.or(is(1))));
    let said = print(&[nested(25)], &schema());
    assert_eq!(read(&said.translated.unwrap(), &schema()), nested(25));
    assert_eq!(print(&[nested(26)], &schema()).translated, None);
    let all = |depth: usize| (0..depth).fold(is(0), |inner, _| not(inner.and(is(1))));
    assert_eq!(read(&print(&[all(25)], &schema()).translated.unwrap(), &schema()), all(25));
    assert_eq!(print(&[all(26)], &schema()).translated, None);
    let grouped = |depth: usize| (0..depth).fold(is(0), |inner, _| inner.and(is(1)).or(is(2)));
    let said = print(&[grouped(50)], &schema());
    assert_eq!(read(&said.translated.unwrap(), &schema()), grouped(50));
    assert_eq!(print(&[grouped(51)], &schema()).translated, None);
}

#[test]
fn as_many_bytes_are_said_as_are_read() {
    let half = |more: usize| {
        let length = MAX_BYTES / 2 - " AND ()".len() - "name = ''".len() + more;
        ident("name").eq(lit("x".repeat(length)))
    };
    let text = print(&[half(0), half(0)], &schema()).translated.unwrap();
    assert_eq!(text.len(), MAX_BYTES - 14 + " AND ".len());
    read(&text, &schema());
    assert_eq!(print(&[half(0), half(1)], &schema()).rest, [half(1)]);
}

#[test]
fn what_cannot_be_said_is_left_whole() {
    let name = || ident("name");
    for condition in [
        name().eq(lit(ScalarValue::Utf8(None))),
        name().in_list(vec![lit("a"), lit(ScalarValue::Utf8(None))], false),
        name().in_list(vec![], false),
        name().eq(lit("a")).is_null(),
        lit(false),
        lit("a").eq(lit("a")),
        ident("latency_ms").gt(lit(f64::NAN)),
        ident("attributes.flag").eq(lit(1)),
        ident("latency_ms").eq(lit(true)),
        ident("start_time").gt(lit("soon")),
        ident("start_time").gt(name()),
        ident("attributes.llm.input_messages.roles").eq(lit("user")),
        ident("unheard").eq(lit("a")),
        cast(ident("latency_ms"), DataType::Int64).eq(lit(1)),
        cast(ident("latency_ms"), DataType::Int64).like(lit("1%")),
        cast(ident(TOTAL), DataType::Float64).eq(lit("5")),
        cast(ident(TOTAL), DataType::Float64).lt(cast(ident(TOTAL), DataType::Float64)),
        datafusion_expr::binary_expr(name(), Operator::IsDistinctFrom, ident("status_code")),
        Expr::Column(Column::new(Some("traces"), "latency_ms")).gt(lit(1)),
        name().eq(lit("a")).or(lit(false)),
        (0..60).fold(name().eq(lit("a")), |inner, _| not(inner)),
        name().eq(lit("x".repeat(MAX_BYTES))),
    ] {
        let said = print(std::slice::from_ref(&condition), &schema());
        assert_eq!((said.translated, said.rest), (None, vec![condition]));
    }
    let conditions = [name().eq(lit("a")).and(lit(false)), lit(true)];
    let said = print(&conditions, &schema());
    assert_eq!((said.translated.as_deref(), said.rest), (Some("name = 'a'"), vec![lit(false)]));
}

#[test]
fn within_the_limits_of_the_reader() {
    let nested = |levels: usize| {
        (0..levels).fold(ident("name").eq(lit("a")), |inner, i| match i % 2 {
            0 => inner.or(ident("name").is_null()),
            _ => inner.and(ident("parent_id").is_null()),
        })
    };
    for levels in [1, 2, 50, 99, 100, 101, 102, 103, 110] {
        let said = print(&[nested(levels)], &schema());
        if let Some(text) = &said.translated {
            read(text, &schema());
        }
        assert_eq!(said.is_exact(), levels <= 100, "{levels}");
    }
    let terms = |count: usize| all_of((0..count).map(|i| ident("latency_ms").gt(lit(i as i64))).collect());
    let said = print(&[terms(3_000)], &schema());
    assert_eq!(said.rest.len(), 3_000 - (MAX_TERMS - 1));
    read(&said.translated.unwrap(), &schema());
}

/// Equalities joined by OR are read as IN, which alone tells the zeros apart.
fn with_one_zero(rows: &RecordBatch) -> RecordBatch {
    let columns = rows.columns().iter().map(|array| match array.as_primitive_opt::<Float64Type>() {
        Some(numbers) => Arc::new(numbers.unary::<_, Float64Type>(|number| number + 0.0)) as ArrayRef,
        None => Arc::clone(array),
    });
    RecordBatch::try_new(rows.schema(), columns.collect()).unwrap()
}

fn same_rows(conditions: &[Expr], rows: &RecordBatch) -> Result<(), TestCaseError> {
    let whole = all_of(conditions.to_vec());
    let rows = &with_one_zero(rows);
    if whole.to_string().contains("Float64(-0)") {
        return Ok(());
    }
    let Some(expected) = testing::truths(&whole, rows) else { return Ok(()) };
    let said = print(conditions, &rows.schema());
    let mut parts: Vec<Expr> = said.translated.as_deref().map(|text| read(text, &rows.schema())).into_iter().collect();
    let exact = said.is_exact();
    parts.extend(said.rest);
    let found = testing::truths(&all_of(parts), rows);
    prop_assert!(found.is_some(), "{:?}", said.translated);
    let found = found.unwrap_or_default();
    if exact {
        prop_assert_eq!(&found, &expected, "{:?}", said.translated);
    }
    let fulfilled = |truths: &[Option<bool>]| truths.iter().map(|truth| *truth == Some(true)).collect::<Vec<_>>();
    prop_assert_eq!(fulfilled(&found), fulfilled(&expected), "{:?}", said.translated);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) })]

    #[test]
    fn meaning_is_kept_through_the_text(condition in testing::condition(), rows in testing::rows()) {
        same_rows(std::slice::from_ref(&condition), &rows)?;
    }

    #[test]
    fn meaning_is_kept_of_what_the_optimizer_leaves(condition in testing::condition(), rows in testing::rows()) {
        if let Some(conditions) = testing::optimized(&condition, &rows) {
            same_rows(&conditions, &rows)?;
        }
    }
}
