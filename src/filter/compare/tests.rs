use arrow::datatypes::{Field, Schema, TimeUnit};
use datafusion_expr::{col, lit, table_scan};

use super::*;

fn schema() -> DFSchema {
    let fields = vec![
        Field::new("text", DataType::Utf8, true),
        Field::new("int", DataType::Int64, true),
        Field::new("float", DataType::Float64, true),
        Field::new("flag", DataType::Boolean, true),
        Field::new("time", DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())), true),
        Field::new("bytes", DataType::Binary, true),
        Field::new("coded", DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)), true),
    ];
    DFSchema::try_from(Schema::new(fields)).unwrap()
}

fn rewritten(expr: Expr) -> String {
    let result = compare_mixed_types(expr.clone(), &schema()).unwrap();
    assert_eq!(result.transformed, result.data != expr, "{expr}");
    result.data.to_string()
}

fn case_of(expr: Expr, whens: [Expr; 2]) -> Expr {
    let whens = whens.into_iter().zip(["a", "b"]).map(|(when, then)| (Box::new(when), Box::new(lit(then))));
    Expr::Case(Case::new(Some(Box::new(expr)), whens.collect(), None))
}

#[test]
fn literals_are_read_once() {
    assert_eq!(rewritten(col("int").gt(lit("5"))), "int > Int64(5)");
    assert_eq!(rewritten(col("int").gt(lit("0.5"))), "int > Float64(0.5)");
    assert_eq!(rewritten(col("float").eq(lit("abc"))), "float = Float64(NULL)");
    assert_eq!(rewritten(lit("TRUE").eq(col("flag"))), "Boolean(true) = flag");
    assert_eq!(rewritten(col("float").between(lit("1"), lit(2))), "float BETWEEN Float64(1) AND Int32(2)");
    assert_eq!(
        rewritten(col("int").in_list(vec![lit("1"), lit(2), lit("x")], true)),
        "int NOT IN ([Int64(1), Int32(2), Int64(NULL)])"
    );
}

#[test]
fn columns_of_text_are_read_row_by_row() {
    assert_eq!(rewritten(col("text").lt(lit(5))), "text_among_integers(text) < Int32(5)");
    assert_eq!(rewritten(col("text").eq(col("flag"))), "text_to_boolean(text) = flag");
    assert_eq!(
        rewritten(col("text").in_list(vec![lit("a"), lit(1), lit(2)], false)),
        "text IN ([Utf8(\"a\")]) OR text_among_integers(text) IN ([Int32(1), Int32(2)])"
    );
    assert_eq!(
        rewritten(col("text").not_between(lit(1), lit("b"))),
        "NOT text_among_integers(text) >= Int32(1) AND text <= Utf8(\"b\")"
    );
}

/// As one list or range they would be compared as floats, which cannot tell large integers apart.
#[test]
fn integers_are_not_compared_as_floats_because_of_a_neighbour() {
    assert_eq!(
        rewritten(col("int").in_list(vec![lit(1), lit(1.5), lit("2"), lit("x")], false)),
        "int IN ([Int32(1), Int64(2), Int64(NULL)]) OR int IN ([Float64(1.5)])"
    );
    assert_eq!(
        rewritten(col("int").in_list(vec![lit("1"), lit("1.5")], true)),
        "NOT int IN ([Int64(1)]) OR int IN ([Float64(1.5)])"
    );
    assert_eq!(rewritten(col("int").between(lit(1), lit(2.5))), "int >= Int32(1) AND int <= Float64(2.5)");
    assert_eq!(rewritten(col("float").between(lit(1), lit(2.5))), "float BETWEEN Int32(1) AND Float64(2.5)");
    let case = case_of(col("int"), [lit(1), lit(1.5)]);
    assert_eq!(
        rewritten(case),
        "CASE WHEN int = Int32(1) THEN Utf8(\"a\") WHEN int = Float64(1.5) THEN Utf8(\"b\") END"
    );
}

#[test]
fn same_types_are_left_alone() {
    for expr in [
        col("text").eq(lit("5")),
        col("int").gt(lit(5)),
        col("int").eq(col("float")),
        col("text").eq(lit(ScalarValue::Utf8(None))),
        col("int").eq(lit(ScalarValue::Utf8(None))),
        col("int") + lit("5"),
        col("bytes").eq(lit("5")),
        col("int").in_list(vec![lit(1), lit(2)], false),
        col("int").in_list(vec![lit(1), col("int")], false),
        col("float").in_list(vec![lit(1), lit(1.5)], true),
        col("int").between(lit(1), lit(2)),
        case_of(col("int"), [lit(1), lit(2)]),
        case_of(col("int"), [lit(0.5), lit(1.5)]),
        case_of(col("float"), [lit(1), lit(1.5)]),
    ] {
        let result = compare_mixed_types(expr.clone(), &schema()).unwrap();
        assert!(!result.transformed, "{expr}");
        assert_eq!(result.data, expr);
    }
}

#[test]
fn times_must_be_times() {
    assert!(compare_mixed_types(col("time").gt(lit("2026-01-31")), &schema()).is_ok());
    let error = compare_mixed_types(col("time").gt(lit("last week")), &schema()).unwrap_err();
    assert!(error.to_string().contains("'last week' is no time"));
}

#[test]
fn values_of_a_dictionary_and_of_times_are_read() {
    assert_eq!(rewritten(col("coded").lt(lit(5))), "text_among_integers(coded) < Int32(5)");
    assert_eq!(rewritten(col("time").gt(col("text"))), "time > TRY_CAST(text AS Timestamp(ns, \"UTC\"))");
}

#[test]
fn lists_are_split_where_their_elements_are_of_two_kinds() {
    assert_eq!(
        rewritten(col("int").in_list(vec![lit(1), lit(1.5)], false)),
        "int IN ([Int32(1)]) OR int IN ([Float64(1.5)])"
    );
    assert_eq!(
        rewritten(col("int").in_list(vec![lit(1), col("int") + lit(1)], false)),
        "int IN ([Int32(1)]) OR int = int + Int32(1)"
    );
}

#[test]
fn a_case_is_read_where_its_conditions_must_be() {
    assert_eq!(
        rewritten(case_of(col("text"), [lit(1), lit("b")])),
        "CASE WHEN text_among_integers(text) = Int32(1) THEN Utf8(\"a\") WHEN text = Utf8(\"b\") THEN Utf8(\"b\") END"
    );
    assert_eq!(
        rewritten(case_of(col("int"), [lit("1"), lit(2)])),
        "CASE int WHEN Int64(1) THEN Utf8(\"a\") WHEN Int32(2) THEN Utf8(\"b\") END"
    );
}

#[test]
fn numbers_beside_text_may_be_taken_as_text() {
    let pair = |left: &str, right: &str| {
        let (left, right) = pair_as_text(col(left), col(right), &schema());
        format!("{left}, {right}")
    };
    assert_eq!(pair("int", "text"), "CAST(int AS Utf8), text");
    assert_eq!(pair("text", "time"), "text, CAST(time AS Utf8)");
    for (left, right) in [("text", "text"), ("int", "float"), ("text", "bytes"), ("bytes", "text")] {
        assert_eq!(pair(left, right), format!("{left}, {right}"));
    }
}

#[test]
fn subqueries_are_read_on_the_side_that_is_text() {
    let subquery = |column: &str| {
        let plan = table_scan(Some("t"), schema().as_arrow(), None).unwrap().project([col(column)]).unwrap().build();
        Subquery { subquery: Arc::new(plan.unwrap()), outer_ref_columns: vec![], spans: Default::default() }
    };
    let read = |left: &str, subquery: Subquery| {
        let unread = InSubquery { expr: Box::new(col(left)), subquery, negated: true };
        let result = compare_in_subquery(unread.clone(), &schema()).unwrap();
        assert_eq!(result.transformed, result.data != unread);
        let InSubquery { expr, subquery, negated } = result.data;
        assert!(negated);
        let plan = subquery.subquery.display_indent().to_string();
        format!("{expr} of {}", plan.lines().map(str::trim).collect::<Vec<_>>().join(" "))
    };
    for (left, right, want) in [
        ("text", "int", "text_among_integers(text) of Projection: t.int TableScan: t"),
        (
            "int",
            "text",
            "int of SubqueryAlias: __in Projection: text_among_integers(t.text) AS text Projection: t.text TableScan: t",
        ),
        ("int", "float", "int of Projection: t.float TableScan: t"),
        ("text", "text", "text of Projection: t.text TableScan: t"),
        ("bytes", "text", "bytes of Projection: t.text TableScan: t"),
        ("text", "bytes", "text of Projection: t.bytes TableScan: t"),
    ] {
        assert_eq!(read(left, subquery(right)), want);
    }
    let outside = Subquery { outer_ref_columns: vec![col("int")], ..subquery("text") };
    let bare = "int of Projection: text_among_integers(t.text) AS text Projection: t.text TableScan: t";
    assert_eq!(read("int", outside), bare);
}
