//! What is said of conditions, and that it never leaves out a row.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use datafusion_expr::{Expr, col, lit, not};
use datafusion_functions::string::expr_fn::lower;

use super::server::server_lets_through;
use super::support::{batch, integers, numbers, parse_over, rows_where, text, times};
use crate::opik::values::time_literal;
use crate::opik::{Clause, Entity, compile, print};
use crate::{Translated, Unknown, contains};

pub(super) fn column(name: &str) -> Expr {
    Expr::Column(datafusion_common::Column::new_unqualified(name))
}

pub(super) const KIND: &str = "attributes.openinference.span.kind";
pub(super) const TOKENS: &str = "attributes.llm.token_count.total";
const SECOND: i64 = 1_000_000_000;

/// Rows that differ in every way that matters.
pub(super) fn rows() -> RecordBatch {
    batch(vec![
        ("name", text(vec![Some("Chat"), Some("chat"), None, Some("a%b_c"), Some("Été"), Some("x\\%")])),
        (KIND, text(vec![Some("LLM"), Some("AGENT"), None, Some("TOOL"), Some("GUARDRAIL"), Some("CHAIN")])),
        ("status_code", text(vec![Some("ERROR"), Some("UNSET"), None, Some("OK"), Some("ERROR"), None])),
        ("latency_ms", numbers(vec![Some(5.0), Some(5.4), None, Some(5.6), Some(0.0), Some(1_000.5)])),
        (TOKENS, integers(vec![Some(5), Some(0), None, Some(-1), Some(6), Some(1_000)])),
        ("start_time", times(vec![Some(0), Some(SECOND), Some(SECOND + 1), Some(5), Some(7 * SECOND), Some(9)])),
        ("end_time", times(vec![Some(0), Some(SECOND), None, Some(5), Some(7 * SECOND), None])),
        ("attributes.tag.tags", text(vec![Some(r#"["Prod"]"#), Some("[]"), None, Some(r#"["prod","b"]"#), None, None])),
        ("opik.environment", text(vec![Some("prod"), Some("Prod"), None, Some("dev"), Some(""), None])),
        (
            "attributes.metadata",
            text(vec![
                Some(r#"{"k":"V","n":3}"#),
                Some(r#"{"k":"v","n":2.5}"#),
                None,
                Some("x"),
                Some(r#"{"n":"no"}"#),
                Some(r#"{"n":4}"#),
            ]),
        ),
        (
            "attributes.input.value",
            text(vec![Some("say \"hi\""), Some("hi"), None, Some("Hi there"), Some("{}"), Some("bye")]),
        ),
        ("annotation.Acc.score", numbers(vec![Some(0.5), Some(1.0), None, Some(0.0), None, Some(0.25)])),
        ("annotation.two.score", numbers(vec![Some(0.5), None, None, Some(0.0), None, Some(0.25)])),
        ("annotation.Two.score", numbers(vec![None, Some(1.0), None, Some(0.5), None, Some(0.25)])),
    ])
}

fn said(condition: Expr, schema: &Schema) -> Translated<Vec<Clause>> {
    print(&[condition], Entity::Spans, schema)
}

/// The clauses of what is said, as `field.key operator value`, with `~` in front where more has to be checked.
pub(super) fn in_short(said: &Translated<Vec<Clause>>) -> String {
    let clauses = said.translated.iter().flatten().map(|clause| {
        let key = if clause.key.is_empty() { String::new() } else { format!(".{}", clause.key) };
        format!("{}{key} {} {}", clause.field, clause.operator, clause.value).trim_end().to_owned()
    });
    let mark = if said.is_exact() { "" } else { "~" };
    format!("{mark}{}", clauses.collect::<Vec<_>>().join(" & "))
}

#[test]
fn what_is_said_leaves_out_no_row() {
    let rows = rows();
    let schema = rows.schema();
    let kind = || column(KIND);
    let name = || col("name");
    let conditions = [
        (name().eq(lit("Chat")), "~name = Chat"),
        (name().eq(lit("Été")), "~name = Été"),
        (lower(name()).eq(lit("chat")), "name = chat"),
        (lower(name()).eq(lit("été")), "~name contains été"),
        (lower(name()).eq(lit("Chat")), "~"),
        (lower(name()).not_eq(lit("chat")), "~name != chat"),
        (name().not_eq(lit("chat")), "~"),
        (name().gt(lit("chat")), "~"),
        (lower(name()).lt(lit("chat")), "~name < chat"),
        (contains(name(), lit("ha")), "~name contains ha"),
        (contains(name(), lit("%b_")), "~name contains %b_"),
        (contains(name(), lit("\\")), "~"),
        (contains(name(), lit("")), "~"),
        (not(contains(name(), lit("ha"))), "~"),
        (name().like(lit("C%t")), "~name contains C%t"),
        (name().like(lit("%")), "~"),
        (name().ilike(lit("%HAT%")), "name contains HAT"),
        (name().ilike(lit("c%")), "~name contains c"),
        (name().not_ilike(lit("%hat%")), "~"),
        (name().in_list(vec![lit("Chat"), lit("x")], false), "~"),
        (name().is_null(), "~"),
        (kind().eq(lit("LLM")), "type = llm"),
        (kind().not_eq(lit("LLM")), "~type != llm"),
        (kind().eq(lit("AGENT")), "~type = general"),
        (kind().not_eq(lit("AGENT")), "~"),
        (kind().eq(lit("llm")), "~"),
        (kind().in_list(vec![lit("LLM"), lit("AGENT")], false), "~type in llm,general"),
        (kind().in_list(vec![lit("CHAIN"), lit("AGENT")], false), "~type = general"),
        (kind().in_list(vec![lit("LLM"), lit("AGENT")], true), "~type not_in llm"),
        (kind().eq(lit("LLM")).or(kind().eq(lit("TOOL"))), "type in llm,tool"),
        (kind().eq(lit("LLM")).or(name().eq(lit("x"))), "~"),
        (col("status_code").eq(lit("ERROR")), "error_info is_not_empty"),
        (col("status_code").not_eq(lit("ERROR")), "~error_info is_empty"),
        (col("status_code").eq(lit("OK")), "~error_info is_empty"),
        (col("latency_ms").gt(lit(5.25)), "~duration >= 5"),
        (col("latency_ms").gt(lit(5)), "~duration >= 5"),
        (col("latency_ms").lt_eq(lit(5.25)), "~duration <= 6"),
        (col("latency_ms").eq(lit(5.4)), "~duration >= 5 & duration <= 6"),
        (col("latency_ms").not_eq(lit(5)), "~"),
        (lit(5.25).gt(col("latency_ms")), "~duration <= 6"),
        (col("latency_ms").gt(lit(f64::NAN)), "~"),
        (column(TOKENS).gt(lit(5_i64)), "usage.total_tokens > 5"),
        (column(TOKENS).lt(lit(5_i64)), "~usage.total_tokens < 5"),
        (column(TOKENS).eq(lit(0_i64)), "~usage.total_tokens = 0"),
        (column(TOKENS).not_eq(lit(0_i64)), "usage.total_tokens != 0"),
        (column(TOKENS).eq(lit("5")), "~"),
        (col("start_time").gt_eq(time_literal(SECOND)), "start_time >= 1970-01-01T00:00:01Z"),
        (col("start_time").lt(time_literal(SECOND + 1)), "start_time < 1970-01-01T00:00:01.000000001Z"),
        (col("end_time").lt(time_literal(SECOND)), "~end_time < 1970-01-01T00:00:01Z"),
        (col("end_time").gt(time_literal(SECOND)), "end_time > 1970-01-01T00:00:01Z"),
        (column("opik.environment").eq(lit("prod")), "environment = prod"),
        (column("opik.environment").not_eq(lit("prod")), "~environment != prod"),
        (column("opik.environment").eq(lit("a+b")), "~"),
        (column("opik.environment").in_list(vec![lit("prod"), lit("a,b")], false), "~"),
        (column("annotation.Acc.score").gt_eq(lit(0.5)), "feedback_scores.Acc >= 0.5"),
        (column("annotation.Acc.score").not_eq(lit(0.5)), "~feedback_scores.Acc != 0.5"),
        (column("annotation.Acc.score").is_null(), "feedback_scores.Acc is_empty"),
        (column("annotation.Acc.score").eq(lit(0.123_456_789_1)), "~"),
        (column("annotation.two.score").gt_eq(lit(0.5)), "~feedback_scores.two >= 0.5"),
        (column("annotation.two.score").is_null(), "~"),
        (column("annotation.two.score").is_not_null(), "~feedback_scores.two is_not_empty"),
        (column("annotation.two.score").not_eq(lit(0.0)), "~"),
        (column("attributes.input.value").eq(lit("hi")), "~input contains hi"),
        (column("attributes.input.value").eq(lit("say \"hi\"")), "~"),
        (contains(column("attributes.input.value"), lit("hi")), "~input contains hi"),
        (column("attributes.user.id").eq(lit("u")), "~"),
        (col("parent_id").is_null(), "~"),
        (lit(true), ""),
        (lit(false), "~"),
    ];
    for (condition, short) in conditions {
        let label = condition.to_string();
        let said = said(condition.clone(), &schema);
        assert_eq!(in_short(&said), short, "{label}");
        if !["attributes.user.id", "parent_id"].iter().any(|absent| label.contains(absent)) {
            check(&said, condition, &rows, &label);
        }
    }
}

/// That every row which fulfils a condition passes the server, and, where that is exact, no other.
fn check(said: &Translated<Vec<Clause>>, condition: Expr, rows: &RecordBatch, label: &str) {
    let wanted = rows_where(rows, "spans", condition);
    for row in 0..rows.num_rows() {
        let through = said.translated.iter().flatten().all(|clause| server_lets_through(clause, rows, row));
        let is_wanted = wanted.contains(&(row as i64));
        assert!(through || !is_wanted, "{label} leaves out row {row}: {}", in_short(said));
        assert!(!said.is_exact() || through == is_wanted, "{label} lets row {row} through: {}", in_short(said));
    }
}

/// OQL that was read comes back as the same clauses, up to the case of text.
#[test]
fn oql_comes_back() {
    let rows = rows();
    for oql in [
        "name = \"chat\"",
        "name != \"chat\"",
        "name contains \"hA%\"",
        "name not_contains \"h_t\"",
        "name starts_with \"ch\"",
        "name ends_with \"at\"",
        "name > \"chat\"",
        "name < \"chat\"",
        "metadata.k = \"v\"",
        "metadata.k != \"v\"",
        "metadata.k contains \"V\"",
        "metadata.k not_contains \"V\"",
        "metadata.k starts_with \"v\"",
        "metadata.n > 2.5",
        "metadata.n < 3.5",
        "tags contains \"PRO\"",
        "tags not_contains \"PRO\"",
        "tags = \"prod\"",
        "tags != \"prod\"",
        "tags is_empty",
        "tags is_not_empty",
        "environment = \"prod\"",
        "environment != \"prod\"",
        "environment in (\"prod\",\"dev\")",
        "environment not_in (\"prod\",\"dev\")",
        "type = \"llm\"",
        "type != \"llm\"",
        "type = \"general\"",
        "type in (\"llm\",\"tool\")",
        "type not_in (\"llm\",\"tool\")",
        "error_info is_empty",
        "error_info is_not_empty",
        "usage.total_tokens >= 5",
        "start_time < \"1970-01-01T00:00:01.500Z\"",
        "end_time >= \"1970-01-01T00:00:01Z\"",
        "feedback_scores.Acc > 0.25",
        "feedback_scores.Acc is_empty",
        "feedback_scores.Acc is_not_empty",
        "feedback_scores.two >= 0.5",
        "feedback_scores.two is_not_empty",
        "input contains \"HI\"",
        "input not_contains \"HI\"",
        "name contains \"a\" AND type = \"tool\" AND tags is_not_empty",
        "[{\"field\":\"metadata\",\"key\":\"k\",\"operator\":\"is_empty\"}]",
        "[{\"field\":\"metadata\",\"key\":\"k\",\"operator\":\"is_not_empty\"}]",
    ] {
        let condition = parse_over(oql, Entity::Spans, &rows.schema(), Unknown::Error).unwrap().expr;
        let said = said(condition.clone(), &rows.schema());
        let clauses = compile(oql, Entity::Spans).unwrap();
        assert_eq!(said, Translated { translated: clauses, rest: vec![] }, "{oql}");
        check(&said, condition, &rows, oql);
    }
}

/// Where the server's answer is wider than ours, what is said is checked again; where it is narrower, nothing is said.
#[test]
fn oql_that_comes_back_otherwise() {
    let rows = rows();
    for (oql, short) in [
        ("duration > 5", "~duration >= 5"),
        ("usage.total_tokens < 5", "~usage.total_tokens < 5"),
        ("usage.total_tokens != 5", "~usage.total_tokens != 5"),
        ("feedback_scores.Acc != 0.5", "~feedback_scores.Acc != 0.5"),
        ("metadata.n >= 3", "~metadata.n > 2"),
        ("metadata.n <= 2.5", "~metadata.n < 3"),
        ("metadata.n = 3", "~metadata.n = 3"),
        ("metadata.n != 3", "~"),
        ("metadata.k = \"a+b\"", "~"),
        ("metadata.k contains \"a%b\"", "~"),
        ("tags contains \"a%b\"", "~"),
        ("name contains \"\\\"", "~"),
        ("name starts_with \"ÉT\"", "~name contains ét"),
        ("name != \"ÉTÉ\"", "~name != été"),
        ("input = \"hi\"", "~input contains hi"),
        ("input != \"hi\"", "~"),
        ("input contains \"\"\"\"", "~"),
        ("type != \"general\"", "type in llm,tool,guardrail"),
    ] {
        let condition = parse_over(oql, Entity::Spans, &rows.schema(), Unknown::Error).unwrap().expr;
        let said = said(condition.clone(), &rows.schema());
        assert_eq!(in_short(&said), short, "{oql}");
        check(&said, condition, &rows, oql);
    }
}

#[test]
fn traces_and_threads() {
    let schema = rows().schema();
    for (entity, oql, short) in [
        (Entity::Traces, "id = \"a\" AND thread_id contains \"b\"", "id = a & thread_id contains b"),
        (Entity::Traces, "llm_span_count < 5", "llm_span_count < 5"),
        (Entity::Traces, "error_info is_empty AND tags = \"x\"", "error_info is_empty & tags = x"),
        (Entity::Traces, "start_time >= \"1970-01-01T00:00:01Z\"", "~start_time >= 1970-01-01T00:00:01Z"),
        (Entity::Traces, "start_time < \"1970-01-01T00:00:01Z\"", "~"),
        (Entity::Traces, "end_time < \"1970-01-01T00:00:01Z\"", "~"),
        (Entity::Traces, "duration < 5", "~"),
        (Entity::Traces, "usage.total_tokens > 5", "~usage.total_tokens > 5"),
        (Entity::Traces, "total_estimated_cost < 5", "~"),
        (Entity::Threads, "id = \"A\" AND id contains \"b\"", "id = A & id contains b"),
        (Entity::Threads, "first_message contains \"x\"", "~"),
        (Entity::Threads, "number_of_messages > 2", "~"),
    ] {
        let condition = parse_over(oql, entity, &schema, Unknown::Error).unwrap().expr;
        assert_eq!(in_short(&print(&[condition], entity, &schema)), short, "{oql}");
    }
    // A span's columns are not those of its trace.
    let name = col("name").eq(lit("x"));
    assert_eq!(
        print(std::slice::from_ref(&name), Entity::Traces, &schema),
        Translated { translated: None, rest: vec![name] }
    );
}
