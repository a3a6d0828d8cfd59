mod values;

use std::collections::BTreeMap;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion_common::ScalarValue;
use datafusion_expr::{Expr, ident, lit, not};
use proptest::prelude::*;
use proptest::sample::select;

use super::parameters::KINDS;
use super::*;
use crate::{FilterError, MAX_BYTES, Names, Unknown, all_of, any_of, testing};
use spanql_model::columns::{self, spans_schema};

fn schema() -> SchemaRef {
    let open = [
        ("attributes.a", DataType::Utf8),
        ("attributes.a.b", DataType::Utf8),
        ("attributes.flag", DataType::Boolean),
        ("attributes.metadata.team", DataType::Utf8),
        ("attributes.my-key", DataType::Utf8),
        ("attributes.ratio", DataType::Float64),
        ("attributes.size", DataType::Int64),
        ("attributes.team", DataType::Utf8),
    ];
    spans_schema(&open.map(|(name, data_type)| (name.to_owned(), data_type)))
}

fn meaning(query: &str) -> Result<String, FilterError> {
    let rest = BTreeMap::new();
    let schema = schema();
    let names = Names::new(&schema, &rest, Unknown::Error);
    Ok(crate::sql::print(&parse(&Parameters::read(query)?, &names)?.expr).unwrap())
}

#[test]
fn queries_and_objects_are_read() {
    let query = "?span_kind=LLM&span_kind=tool&attribute=llm.model_name:gpt%2D4o+mini&parent_id=x&parent_id=null";
    let read = Parameters::read(query).unwrap();
    let object = r#"{"span_kind": ["LLM", "tool"], "attribute": "llm.model_name:gpt-4o mini", "parent_id": "null"}"#;
    assert_eq!(Parameters::read(object).unwrap(), read);
    let text = serde_json::to_string(&read).unwrap();
    assert_eq!(text, r#"{"span_kind":["LLM","tool"],"attribute":["llm.model_name:gpt-4o mini"],"parent_id":"null"}"#);
    assert_eq!(Parameters::read(&text).unwrap(), read);
    assert_eq!(
        read.pairs(),
        [
            ("span_kind", "LLM"),
            ("span_kind", "tool"),
            ("attribute", "llm.model_name:gpt-4o mini"),
            ("parent_id", "null")
        ]
    );
}

#[test]
fn bad_parameters() {
    for (query, expected) in [
        ("", "filter: the filter is empty; leave it out to select everything"),
        ("span_kin=LLM", "filter, 1:1: unknown parameter span_kin; did you mean span_kind?"),
        (
            "name=a&limit=5",
            "filter, 1:8: limit is not part of a filter; the window and the limit have options of their own",
        ),
        ("name=a&LLM", "filter, 1:8: expected name=value; write it like span_kind=LLM&status_code=ERROR"),
        ("{\"nmae\": []}", "filter, 1:2: unknown parameter nmae; did you mean name?"),
        ("{\"name\": 5}", "filter, 1:11: the parameters cannot be read: expected a text or a list of texts"),
        ("span_kind=LLMS", "filter: unknown span kind 'LLMS'; did you mean LLM?"),
        (
            "span_kind=",
            "filter: unknown span kind ''; known are LLM, CHAIN, TOOL, RETRIEVER, EMBEDDING, AGENT, RERANKER, GUARDRAIL, EVALUATOR, DECISION, PROMPT, UNKNOWN",
        ),
        ("span_kind=LLM,TOOL", "filter: unknown span kind 'LLM,TOOL'; did you mean TOOL?"),
        ("status_code=ERR", "filter: unknown status code 'ERR'; did you mean ERROR?"),
        ("attribute=team", "filter: attribute 'team': expected key:value; write it like llm.model_name:gpt-4o"),
        ("attribute=:x", "filter: attribute ':x': the key is empty; write it like llm.model_name:gpt-4o"),
        ("attribute=team:", "filter: attribute 'team:': the value is empty; an empty text is \"\""),
        (
            "attribute=team:[1]",
            "filter: attribute 'team:[1]': the value is null, a list or an object; a text that looks like one stands in double quotes",
        ),
        ("attribute=teem:x", "filter: no span has attributes.teem; did you mean attributes.team?"),
    ] {
        assert_eq!(meaning(query).unwrap_err().in_one_line(), expected, "{query}");
    }
    assert_eq!(Parameters::read("{\"parent_id\": null}").unwrap_err().code(), "syntax");
    assert_eq!(Parameters::read(&"x".repeat(MAX_BYTES + 1)).unwrap_err().code(), "limit");
    for garbage in ["{", "{\"é", "&&&", "=", "?", "%ff=%ff", "{}x", "[1]"] {
        let _ = meaning(garbage).map_err(|error| error.report());
    }
}

#[test]
fn what_parameters_mean() {
    let unknown = "(attributes.openinference.span.kind IS NULL OR attributes.openinference.span.kind NOT IN \
                   ('CHAIN', 'TOOL', 'RETRIEVER', 'EMBEDDING', 'AGENT', 'RERANKER', 'GUARDRAIL', 'EVALUATOR', \
                   'DECISION', 'PROMPT'))";
    for (query, expected) in [
        ("span_kind=llm", "attributes.openinference.span.kind = 'LLM'"),
        ("span_kind=llm&span_kind=Tool", "attributes.openinference.span.kind IN ('LLM', 'TOOL')"),
        ("span_kind=unknown&span_kind=LLM", &unknown[1..unknown.len() - 1]),
        ("name=a&name=b&status_code=error", "status_code = 'ERROR' AND name IN ('a', 'b')"),
        (
            "trace_id=a&span_id=b&parent_id=null",
            "context.trace_id = 'a' AND context.span_id = 'b' AND parent_id IS NULL",
        ),
        ("parent_id=Null", "parent_id = 'Null'"),
        ("attribute=session.id:sess:abc", "attributes.session.id = 'sess:abc'"),
        ("attribute=session.id:\"12\"", "attributes.session.id = '12'"),
        ("attribute=session.id:12", "attributes.session.id = 12"),
        ("attribute=team:true", "attributes.team = true"),
        ("attribute=team:4.50", "attributes.team = 4.5"),
        ("attribute=team:\"true\"", "attributes.team = 'true'"),
        ("attribute=team:123456789012345678901", "attributes.team = '123456789012345678901'"),
        ("attribute=team:NaN", "false"),
        ("attribute=team:%20x%20", "attributes.team = ' x '"),
        ("attribute=team:\"\"", "attributes.team = ''"),
        ("attribute=team:é", "attributes.team = 'é'"),
        ("attribute=size:12345", "attributes.size = 12345"),
        ("attribute=size:-0", "attributes.size = 0"),
        ("attribute=size:12345.0", "attributes.size = 12345"),
        ("attribute=size:1.2345e4", "attributes.size = 12345"),
        ("attribute=size:4.5", "false"),
        ("attribute=size:1e30", "false"),
        ("attribute=size:true", "false"),
        ("attribute=size:\"12345\"", "attributes.size = 12345"),
        ("attribute=size:\"12345.0\"", "false"),
        ("attribute=size:\" 5\"", "false"),
        ("attribute=size:\"+5\"", "false"),
        ("attribute=size:five", "false"),
        ("attribute=size:123456789012345678901234567890", "false"),
        ("attribute=ratio:2", "attributes.ratio = 2.0"),
        ("attribute=ratio:2.0", "attributes.ratio = 2.0"),
        ("attribute=ratio:1e-1", "attributes.ratio = 0.1"),
        ("attribute=ratio:-0.0", "attributes.ratio = 0.0"),
        ("attribute=ratio:9007199254740992", "attributes.ratio = 9007199254740992.0"),
        ("attribute=ratio:9007199254740993", "false"),
        ("attribute=ratio:\"0.10\"", "attributes.ratio = 0.1"),
        ("attribute=ratio:\"2\"", "attributes.ratio = 2.0"),
        ("attribute=ratio:\" 2\"", "false"),
        ("attribute=ratio:two", "false"),
        ("attribute=ratio:true", "false"),
        ("attribute=ratio:NaN", "false"),
        ("attribute=ratio:1e999", "false"),
        ("attribute=flag:true", "attributes.flag = true"),
        ("attribute=flag:1", "false"),
        ("attribute=flag:False", "false"),
        ("attribute=flag:\"false\"", "attributes.flag = false"),
        ("attribute=openinference.span.kind:llm", "attributes.openinference.span.kind IN ('llm', 'LLM')"),
        ("attribute=metadata.team:red", "attributes.metadata.team = 'red'"),
        ("attribute=metadata.a.b:5", "attributes.metadata.a.b = 5"),
        ("attribute=metadata.a.b:\"5\"", "attributes.metadata.a.b = '5'"),
        (
            "attribute=metadata.tags:\"[\\\"x\\\", \\\"y\\\"]\"",
            "attributes.metadata.tags IN ('[\"x\", \"y\"]', '[\"x\",\"y\"]')",
        ),
        ("attribute=llm.input_messages.0.message.role:user", "attributes.llm.input_messages.0.message.role = 'user'"),
        ("attribute=llm.input_messages.roles:user", "false"),
        (
            "attribute=llm.invocation_parameters:\"{\\\"a\\\":1, \\\"b\\\":2}\"",
            "attributes.llm.invocation_parameters IN ('{\"a\":1, \"b\":2}', '{\"a\":1,\"b\":2}')",
        ),
        ("attribute=team:x&attribute=size:1", "attributes.team = 'x' AND attributes.size = 1"),
    ] {
        assert_eq!(meaning(query).unwrap(), expected, "{query}");
    }
}

fn said(conditions: &[Expr]) -> (String, usize) {
    let said = print(conditions, &schema());
    (said.translated.map(|said| serde_json::to_string(&said).unwrap()).unwrap_or_default(), said.rest.len())
}

#[test]
fn what_is_said() {
    let c = |name: &str| ident(name);
    let kind = || c(columns::KIND);
    for (condition, expected, rest) in [
        (kind().eq(lit("LLM")), r#"{"span_kind":["LLM"]}"#, 0),
        (lit("LLM").eq(kind()).or(kind().eq(lit("TOOL"))), r#"{"span_kind":["LLM","TOOL"]}"#, 0),
        (kind().eq(lit("UNKNOWN")), r#"{"span_kind":["UNKNOWN"]}"#, 1),
        (kind().eq(lit("MINE")), r#"{"span_kind":["UNKNOWN"]}"#, 1),
        (kind().is_null(), r#"{"span_kind":["UNKNOWN"]}"#, 1),
        (kind().like(lit("L%")), "", 1),
        (c("status_code").eq(lit("ERROR")), r#"{"status_code":["ERROR"]}"#, 0),
        (c("status_code").not_eq(lit("OK")), r#"{"status_code":["ERROR","UNSET"]}"#, 0),
        (c("status_code").eq(lit("x")), r#"{"status_code":["UNSET"]}"#, 1),
        (c("name").in_list(vec![lit("a"), lit("b"), lit(ScalarValue::Null)], false), r#"{"name":["a","b"]}"#, 0),
        (c("name").in_list(vec![lit("a")], true), "", 1),
        (c("context.trace_id").eq(lit("a")), r#"{"trace_id":["a"]}"#, 0),
        (c("context.span_id").eq(lit("")), "", 1),
        (c("parent_id").is_null(), r#"{"parent_id":"null"}"#, 0),
        (c("parent_id").eq(lit("null")), "", 1),
        (c("parent_id").eq(lit("a")), r#"{"parent_id":"a"}"#, 0),
        (c("parent_id").is_not_null(), "", 1),
        (c("attributes.team").eq(lit("say \"hi\"\n")), r#"{"attribute":["team:\"say \\\"hi\\\"\\n\""]}"#, 0),
        (c("attributes.team").eq(lit("é")), "", 1),
        (c("attributes.team").eq(lit("12")), "", 1),
        (c("attributes.team").eq(lit("a\u{7f}")), "", 1),
        (c("attributes.team").in_list(vec![lit("a"), lit("b")], false), "", 1),
        (c("attributes.size").eq(lit(5)), "", 1),
        (c("attributes.size").eq(lit(1_i64 << 60)), "", 1),
        (c("attributes.size").gt(lit(5)), "", 1),
        (c("attributes.size").is_null(), "", 1),
        (c("attributes.ratio").eq(lit(2.0)), "", 1),
        (c("attributes.ratio").eq(lit(0.5)), "", 1),
        (c("attributes.ratio").eq(lit(-0.0)), "", 1),
        (c("attributes.flag"), "", 1),
        (not(c("attributes.flag")), "", 1),
        (c("attributes.llm.token_count.total").eq(lit(5)), "", 1),
        (c("attributes.team").eq(lit(5)), "", 1),
        (c("attributes.team").eq(lit("true")), "", 1),
        (c("attributes.metadata.a.b").eq(lit("x")), "", 1),
        (c("attributes.my-key").eq(lit("a")), "", 1),
        (c("attributes.a.b").eq(lit("x")), "", 1),
        (c("attributes.metadata.team").eq(lit("x")), "", 1),
        (c("attributes.llm.invocation_parameters").eq(lit("{}")), "", 1),
        (c("attributes.llm.input_messages.0.message.role").eq(lit("user")), "", 1),
        (c("attributes.unheard").eq(lit("x")), "", 1),
        (c("latency_ms").gt(lit(5)), "", 1),
        (c("name").eq(lit("a")).or(kind().eq(lit("LLM"))), "", 1),
        (Expr::Column(datafusion_common::Column::new(Some("traces"), "name")).eq(lit("a")), "", 1),
        (lit(true), "", 0),
        (lit(false), "", 1),
    ] {
        assert_eq!(said(std::slice::from_ref(&condition)), (expected.to_owned(), rest), "{condition}");
    }
}

#[test]
fn a_second_condition_on_a_parameter_is_left() {
    let name = |text: &str| ident("name").eq(lit(text));
    assert_eq!(said(&[name("a").and(name("b"))]), (r#"{"name":["a"]}"#.to_owned(), 1));
    assert_eq!(said(&[name("a"), name("a")]), (r#"{"name":["a"]}"#.to_owned(), 0));
    let parent = [ident("parent_id").is_null(), ident("parent_id").eq(lit("a"))];
    assert_eq!(said(&parent), (r#"{"parent_id":"null"}"#.to_owned(), 1));
    let team = [ident("attributes.team").eq(lit("a")), ident("attributes.size").eq(lit(1))];
    assert_eq!(said(&team), (r#"{"attribute":["team:\"a\""]}"#.to_owned(), 1));
}

#[test]
fn parameters_come_back() {
    let (rest, schema) = (BTreeMap::new(), schema());
    for query in [
        "span_kind=LLM&span_kind=TOOL&status_code=UNSET&name=a&name=b",
        "span_kind=UNKNOWN",
        "span_kind=CHAIN&span_kind=UNKNOWN",
        "trace_id=a&trace_id=b&span_id=c&parent_id=null",
        "attribute=team:\"x y\"&attribute=session.id:\"s 1\"",
    ] {
        let parameters = Parameters::read(query).unwrap();
        let filter = parse(&parameters, &Names::new(&schema, &rest, Unknown::Error)).unwrap();
        assert_eq!(print(&[filter.expr], &schema), crate::Translated { translated: Some(parameters), rest: vec![] });
    }
}

const COLUMNS: [&str; 8] = [
    "name",
    "parent_id",
    columns::KIND,
    "status_code",
    "attributes.team",
    "attributes.size",
    "attributes.ratio",
    "attributes.flag",
];

fn small_schema() -> Schema {
    schema().project(&COLUMNS.map(|name| schema().index_of(name).unwrap())).unwrap()
}

fn cell(column: usize) -> BoxedStrategy<ScalarValue> {
    let text = |values: &'static [&'static str]| {
        select(values).prop_map(|text| ScalarValue::Utf8(Some(text.to_owned()))).boxed()
    };
    match column {
        0 => text(&["a", "b", "", "é"]),
        1 => prop_oneof![text(&["p", "null"]), Just(ScalarValue::Utf8(None))].boxed(),
        2 => prop_oneof![text(&["LLM", "TOOL", "UNKNOWN", "MINE"]), Just(ScalarValue::Utf8(None))].boxed(),
        3 => text(&["OK", "ERROR", "UNSET"]),
        4 => prop_oneof![text(&["x", "12", "true", "é", "", "a\"b"]), Just(ScalarValue::Utf8(None))].boxed(),
        5 => select(vec![0_i64, 1, 12, 1 << 60]).prop_map(|value| ScalarValue::Int64(Some(value))).boxed(),
        6 => select(vec![0.0, -0.0, 2.0, 0.5, 1e20]).prop_map(|value| ScalarValue::Float64(Some(value))).boxed(),
        _ => prop_oneof![
            any::<bool>().prop_map(|flag| ScalarValue::Boolean(Some(flag))),
            Just(ScalarValue::Boolean(None))
        ]
        .boxed(),
    }
}

fn condition() -> impl Strategy<Value = Expr> {
    let column = || (0..COLUMNS.len(), any::<bool>());
    let equal = column().prop_flat_map(|(index, negated)| {
        cell(index).prop_map(move |value| {
            let column = ident(COLUMNS[index]);
            if negated { column.not_eq(lit(value)) } else { column.eq(lit(value)) }
        })
    });
    let list = column().prop_flat_map(|(index, negated)| {
        proptest::collection::vec(cell(index), 1..4)
            .prop_map(move |values| ident(COLUMNS[index]).in_list(values.into_iter().map(lit).collect(), negated))
    });
    let null = column().prop_map(|(index, no)| {
        let column = ident(COLUMNS[index]);
        if no { column.is_not_null() } else { column.is_null() }
    });
    prop_oneof![3 => equal, 2 => list, 1 => null].prop_recursive(3, 12, 3, |inner| {
        let several = || proptest::collection::vec(inner.clone(), 2..4);
        prop_oneof![3 => several().prop_map(all_of), 2 => several().prop_map(any_of), 1 => inner.prop_map(not)]
    })
}

/// Whether the search finds a span with these values, as the server does that misses most.
fn finds(parameters: &Parameters, row: &[ScalarValue]) -> bool {
    let text = |index: usize| row[index].try_as_str().flatten();
    let any = |values: &[String], found: &str| values.is_empty() || values.iter().any(|value| value == found);
    let kind = text(2).filter(|kind| KINDS.contains(kind)).unwrap_or("UNKNOWN");
    let parent = parameters.parent_id.as_deref().is_none_or(|parent| match parent {
        "null" => text(1).is_none(),
        parent => text(1) == Some(parent),
    });
    let attribute = |pair: &String| {
        let (key, value) = pair.split_once(':').unwrap();
        let index = COLUMNS.iter().position(|name| name.strip_prefix("attributes.") == Some(key)).unwrap();
        let value: serde_json::Value = serde_json::from_str(value).unwrap();
        match &row[index] {
            // Text that reads like something else may have come as that.
            ScalarValue::Utf8(Some(text)) if ["12", "true"].contains(&text.as_str()) => false,
            ScalarValue::Utf8(Some(text)) => text.is_ascii() && value.as_str() == Some(text),
            ScalarValue::Int64(Some(number)) => value.is_i64() && value.as_i64() == Some(*number),
            ScalarValue::Float64(Some(number)) => {
                number.abs() < 1e16 && number.to_bits() != (-0.0_f64).to_bits() && value.as_f64() == Some(*number)
            }
            ScalarValue::Boolean(Some(flag)) => value.as_bool() == Some(*flag),
            _ => false,
        }
    };
    any(&parameters.span_kind, kind)
        && any(&parameters.status_code, text(3).unwrap())
        && any(&parameters.name, text(0).unwrap())
        && parent
        && parameters.attribute.iter().all(attribute)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn no_span_is_lost_and_the_rest_is_what_is_left(
        conditions in proptest::collection::vec(condition(), 1..3),
        rows in proptest::collection::vec((0..COLUMNS.len()).map(cell).collect::<Vec<_>>(), 1..16),
    ) {
        let schema = std::sync::Arc::new(small_schema());
        let column = |index: usize| ScalarValue::iter_to_array(rows.iter().map(|row: &Vec<ScalarValue>| row[index].clone())).unwrap();
        let arrays: Vec<ArrayRef> = (0..COLUMNS.len()).map(column).collect();
        let batch = RecordBatch::try_new(schema.clone(), arrays).unwrap();
        let said = print(&conditions, &schema);
        let parameters = said.translated.unwrap_or_default();
        let fulfilled = testing::truths(&all_of(conditions), &batch).unwrap();
        let left = testing::truths(&all_of(said.rest), &batch).unwrap();
        for (index, row) in rows.iter().enumerate() {
            let found = finds(&parameters, row) && left[index] == Some(true);
            prop_assert_eq!(found, fulfilled[index] == Some(true), "{:?} {:?}", parameters, row);
        }
    }
}
