use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Float64Type, SchemaRef};
use datafusion_common::ScalarValue;
use datafusion_expr::{Cast, cast, col, ident, lit, not};
use proptest::prelude::*;

use super::*;
use crate::arize::parse;
use crate::{Names, Unknown, all_of, any_of, contains, testing};
use spanql_model::columns::{spans_schema, timestamp_type};

fn schema() -> SchemaRef {
    let open = [
        ("annotation.notes", DataType::Utf8),
        ("attributes.flag", DataType::Boolean),
        ("attributes.gen_ai.conversation.id", DataType::Utf8),
        ("attributes.metadata.build", DataType::Utf8),
        ("attributes.rest", DataType::Utf8),
        ("attributes.size", DataType::Int64),
        ("attributes.team", DataType::Utf8),
        ("eval.Answer Relevance.label", DataType::Utf8),
        ("eval.Answer Relevance.score", DataType::Float64),
    ];
    spans_schema(&open.map(|(name, data_type)| (name.to_owned(), data_type)))
}

fn said(condition: Expr) -> Option<String> {
    narrow(&[condition], &schema())
}

const SCORE: &str = "eval.Answer Relevance.score";

#[test]
fn what_is_said() {
    let c = |name: &str| ident(name);
    for (condition, expected) in [
        (c("name").eq(lit("it's")), "name = 'it''s'"),
        (lit("a").eq(c("name")), "name = 'a'"),
        (c("attributes.size").gt(lit(5)), "attributes.size > 5"),
        (lit(5).gt(c("attributes.size")), "attributes.size < 5"),
        (c("attributes.size").gt(lit(0.5)), "attributes.size > 0"),
        (c("attributes.size").lt(lit(0.5)), "attributes.size < 1"),
        (c("attributes.size").gt(lit(-0.0)), "attributes.size > 0"),
        (cast(c("attributes.size"), DataType::Float64).gt_eq(lit(2.5)), "attributes.size >= 3"),
        (c("attributes.size").gt(lit(1_i64 << 53)), "attributes.size >= 9007199254740992"),
        (c(SCORE).lt(lit(0.25)), "\"eval.Answer Relevance.score\" < 0.25"),
        (c(SCORE).gt(lit(0)), "\"eval.Answer Relevance.score\" > 0"),
        (c(SCORE).lt(lit(-0.0)), "\"eval.Answer Relevance.score\" < 0"),
        (c("attributes.size").gt(lit(-0.5)), "attributes.size > -1"),
        (c("attributes.size").lt(lit(1_i64 << 53)), "attributes.size <= 9007199254740992"),
        (c(SCORE).lt(lit(1e15)), "\"eval.Answer Relevance.score\" < 1000000000000000"),
        (c(SCORE).gt(lit(1e-30)), "\"eval.Answer Relevance.score\" > 0.000000000000000000000000000001"),
        (c("latency_ms").gt(lit(1000.5)), "latency_ms >= 1000"),
        (c("latency_ms").lt(lit(1000.5)), "latency_ms <= 1001"),
        (c("latency_ms").lt(lit(-0.5)), "latency_ms <= 0"),
        (c("latency_ms").eq(lit(7.25)), "latency_ms >= 7 AND latency_ms <= 8"),
        (
            c("latency_ms").in_list(vec![lit(1), lit(2.5)], false),
            "((latency_ms >= 1 AND latency_ms <= 1) OR (latency_ms >= 2 AND latency_ms <= 3))",
        ),
        (c("attributes.size").between(lit(1), lit(9)), "attributes.size >= 1 AND attributes.size <= 9"),
        (c("attributes.size").between(lit(1), c("latency_ms")), "attributes.size >= 1"),
        (c("attributes.size").in_list(vec![lit(1), lit(2.0), lit(0.5)], false), "attributes.size IN (1, 2)"),
        (c("name").in_list(vec![lit("a"), lit(ScalarValue::Null), lit("b")], false), "name IN ('a', 'b')"),
        (c("name").in_list(vec![lit("a")], false), "name = 'a'"),
        (c("name").eq(lit("a")).or(lit("b").eq(c("name"))).or(c("name").eq(lit("c"))), "name IN ('a', 'b', 'c')"),
        (c("name").eq(lit("a")).or(c("attributes.size").eq(lit(1))), "(name = 'a' OR attributes.size = 1)"),
        (
            c("name").eq(lit("a")).or(c("attributes.size").gt(lit(1)).and(c("name").like(lit("a%")))),
            "(name = 'a' OR attributes.size > 1)",
        ),
        (c("name").eq(lit("a")).or(c("name").eq(lit(ScalarValue::Utf8(None)))), "name = 'a'"),
        (c("attributes.flag"), "attributes.flag = true"),
        (not(c("attributes.flag")), "attributes.flag = false"),
        (c("attributes.flag").is_true(), "attributes.flag = true"),
        (c("attributes.flag").is_false(), "attributes.flag = false"),
        (c("attributes.flag").eq(lit(false)), "attributes.flag = false"),
        (contains(c("name"), lit("50%_'")), "name CONTAINS '50%_'''"),
        (contains(c("event.attributes"), lit("TimeoutError")), "event.attributes CONTAINS 'TimeoutError'"),
        (contains(c("attributes.metadata"), lit(" on call ")), "attributes.metadata CONTAINS 'on call'"),
        (c("name").is_null(), "name IS NULL"),
        (
            c("parent_id").is_null(),
            "(parent_id IS NULL OR parent_id IN ('', '0', '00', '000', '0x0', '0x00', '0x000', '0X0', '0X00', '0X000') \
             OR parent_id CONTAINS '0000')",
        ),
        (c("attributes.user.id").is_null(), "(attributes.user.id IS NULL OR attributes.user.id = '')"),
        (
            c("attributes.gen_ai.conversation.id").is_null(),
            "(attributes.gen_ai.conversation.id IS NULL OR attributes.gen_ai.conversation.id = '')",
        ),
        (c("attributes.team").is_null(), "attributes.team IS NULL"),
        (c("parent_id").is_not_null(), "parent_id IS NOT NULL"),
        (c("attributes.size").is_not_null(), "attributes.size IS NOT NULL"),
        (c("attributes.metadata.build").eq(lit("v12")), "attributes.metadata.build = 'v12'"),
        (c("attributes.team").eq(lit("red")), "attributes.team = 'red'"),
    ] {
        assert_eq!(said(condition.clone()).as_deref(), Some(expected), "{condition}");
    }
}

#[test]
fn typed_as_the_optimizer_leaves_them() {
    let qualified = Expr::Column(datafusion_common::Column::new(Some("arize.demo"), "name"));
    let dictionary =
        ScalarValue::Dictionary(Box::new(DataType::Int32), Box::new(ScalarValue::Utf8(Some("a".to_owned()))));
    let as_view = Expr::Cast(Cast::new(Box::new(qualified.clone()), DataType::Utf8View));
    for (condition, expected) in [
        (qualified.clone().eq(lit(ScalarValue::Utf8View(Some("a".to_owned())))), "name = 'a'"),
        (qualified.clone().eq(lit(ScalarValue::LargeUtf8(Some("a".to_owned())))), "name = 'a'"),
        (qualified.eq(lit(dictionary)), "name = 'a'"),
        (as_view.eq(lit("a")), "name = 'a'"),
        (ident("attributes.size").eq(lit(5_u8)), "attributes.size = 5"),
        (ident(SCORE).lt_eq(lit(0.5_f32)), "\"eval.Answer Relevance.score\" <= 0.5"),
    ] {
        assert_eq!(said(condition.clone()).as_deref(), Some(expected), "{condition}");
    }
}

#[test]
fn what_is_not_said() {
    let c = |name: &str| ident(name);
    for condition in [
        c("name").not_eq(lit("a")),
        not(c("name").eq(lit("a"))),
        c("name").gt(lit("a")),
        c("name").like(lit("a%")),
        c("name").in_list(vec![lit("a")], true),
        c("name").in_list(vec![], false),
        c("name").in_list(vec![lit("a"), lit(1)], false),
        c("name").eq(lit(5)),
        c("name").eq(c("status_code")),
        c("name").eq(lit("a\nb")),
        c("name").eq(lit("a\0")),
        c("name").eq(lit("a\\")),
        c("name").eq(lit("a")).or(c("name").like(lit("b%"))),
        c("attributes.size").eq(lit("5")),
        c("attributes.size").gt(lit(1e300)),
        c(SCORE).gt(lit(1.1e15)),
        c(SCORE).gt(lit(1e-31)),
        c("attributes.size").not_between(lit(1), lit(2)),
        c("attributes.size").is_null(),
        cast(c("attributes.size"), DataType::Utf8).eq(lit("5")),
        cast(c("latency_ms"), DataType::Int64).eq(lit(5)),
        c(SCORE).lt(lit(f64::NAN)),
        c(SCORE).lt(lit(f64::INFINITY)),
        c(SCORE).lt(lit(1e300)),
        c(SCORE).is_null(),
        c("latency_ms").is_null(),
        c("start_time").gt(lit(ScalarValue::TimestampNanosecond(Some(1), Some("UTC".into())))),
        c("start_time").is_null(),
        c("project").eq(lit("p")),
        c("source").eq(lit("arize")),
        c("tree.depth").eq(lit(1)),
        c("tree.orphan"),
        c("attributes.rest").is_not_null(),
        contains(c("attributes.rest"), lit("abc")),
        c("attributes.llm.input_messages.roles").eq(lit("user")),
        c("attributes.llm.input_messages.0.message.role").eq(lit("user")),
        c("attributes.unknown").eq(lit("a")),
        c("attributes.metadata").eq(lit("{}")),
        c("attributes.metadata").is_null(),
        c("events").is_null(),
        c("event.attributes").is_not_null(),
        c("attributes.metadata.build").is_null(),
        c("attributes.metadata.build").is_not_null(),
        contains(c("attributes.metadata.build"), lit("beta")),
        c("attributes.metadata.build.by").eq(lit("ops")),
        c("attributes.metadata.build").eq(lit("12")),
        c("attributes.team").eq(lit("[\"a\"]")),
        c("attributes.size").in_list(vec![lit((1_i64 << 53) + 1), lit(0.5)], false),
        c("attributes.size").between(lit((1_i64 << 53) + 1), lit(1e300)),
        contains(c("name"), lit("")),
        contains(c("name"), lit("a\\b")),
        contains(c("attributes.size"), lit("a")),
        contains(c("attributes.metadata"), lit("a\"")),
        contains(c("attributes.metadata"), lit("1e")),
        contains(c("attributes.metadata"), lit("12")),
        contains(c("attributes.metadata"), lit("é")),
        contains(c("annotation.notes"), lit(": x")),
        contains(c("attributes.team"), lit("rue")),
        Expr::Column(datafusion_common::Column::new(Some("traces"), "latency_ms")).gt(lit(1)),
        lit(true),
        lit(false),
        c("name").eq(lit(ScalarValue::Utf8(None))),
    ] {
        assert_eq!(said(condition.clone()), None, "{condition}");
    }
}

#[test]
fn conditions_are_joined_and_what_cannot_be_said_is_left_out() {
    let conditions = [
        col("name").eq(lit("a")).and(col("name").like(lit("a%"))),
        col("name").eq(lit("a")),
        col("status_code").eq(lit("OK")),
    ];
    assert_eq!(narrow(&conditions, &schema()).as_deref(), Some("name = 'a' AND status_code = 'OK'"));
    assert_eq!(narrow(&[], &schema()), None);
}

#[test]
fn a_long_text_says_less() {
    let many: Vec<Expr> = (0..5_000).map(|i| lit(format!("{i:032x}"))).collect();
    let conditions = [
        col("name").eq(lit("a")),
        ident("context.trace_id").in_list(many, false),
        contains(col("name"), lit("x".repeat(60_000))),
    ];
    let text = narrow(&conditions, &schema()).unwrap();
    assert!(text.starts_with("name = 'a' AND name CONTAINS 'xxx") && text.len() <= MAX_BYTES);
}

#[test]
fn many_terms_take_little_time() {
    let fields: Vec<Field> = (0..1_000).map(|i| Field::new(format!("c{i}"), DataType::Utf8, true)).collect();
    let schema = Schema::new(fields);
    let condition = any_of((0..1_000).map(|i| col(format!("c{i}")).eq(lit("a"))).collect());
    let chain = (0..3_000).fold(lit(false), |all, i| all.or(col("c1").eq(lit(format!("{i}")))));
    let started = std::time::Instant::now();
    assert!(narrow(&[condition], &schema).is_some());
    assert!(narrow(&[chain], &schema).unwrap().starts_with("c1 IN ('0', '1', "));
    assert!(started.elapsed().as_secs() < 2);
}

#[test]
fn a_time_column_is_never_said() {
    let schema = Schema::new(vec![Field::new("attributes.at", timestamp_type(), true)]);
    let condition = ident("attributes.at").gt(lit(ScalarValue::TimestampNanosecond(Some(1), None)));
    assert_eq!(narrow(&[condition], &schema), None);
}

/// How a remote might read the text.
#[derive(Debug, Clone, Copy)]
struct Hostile {
    ignores_case: bool,
    rounds: fn(f64) -> f64,
    integers_as_floats: bool,
}

const HOSTILE: [Hostile; 4] = [
    Hostile { ignores_case: false, rounds: |ms| ms, integers_as_floats: false },
    Hostile { ignores_case: true, rounds: f64::floor, integers_as_floats: true },
    Hostile { ignores_case: true, rounds: f64::ceil, integers_as_floats: false },
    Hostile { ignores_case: false, rounds: f64::trunc, integers_as_floats: true },
];

impl Hostile {
    /// Whether the remote sends this row of what it holds.
    fn lets_through(self, ask: &Ask, rows: &RecordBatch, row: usize) -> bool {
        let value = |column: &str| {
            let array = rows.column_by_name(column).unwrap();
            Some(ScalarValue::try_from_array(array, row).unwrap()).filter(|value| !value.is_null())
        };
        match ask {
            Ask::Never => false,
            Ask::All(asks) => asks.iter().all(|ask| self.lets_through(ask, rows, row)),
            Ask::Any(asks) => asks.iter().any(|ask| self.lets_through(ask, rows, row)),
            Ask::IsNull(column) => value(column).is_none(),
            Ask::IsNotNull(column) => value(column).is_some(),
            Ask::OneOf(column, constants) => value(column).is_some_and(|value| {
                constants.iter().any(|constant| self.order(column, &value, constant) == Some(Ordering::Equal))
            }),
            Ask::Order(column, op, constant) => {
                let order = value(column).and_then(|value| self.order(column, &value, constant));
                order.is_some_and(|order| match op {
                    Operator::Lt => order.is_lt(),
                    Operator::LtEq => order.is_le(),
                    Operator::Gt => order.is_gt(),
                    _ => order.is_ge(),
                })
            }
            Ask::Contains(column, part) => value(column).is_some_and(|text| {
                let text = text.try_as_str().flatten().unwrap().to_owned();
                // JSON is written with blanks there.
                let text = if column == columns::METADATA { text.replace(':', ": ").replace(',', ", ") } else { text };
                match self.ignores_case {
                    true => text.to_lowercase().contains(&part.to_lowercase()),
                    false => text.contains(part),
                }
            }),
        }
    }

    fn order(self, column: &str, value: &ScalarValue, constant: &Constant) -> Option<Ordering> {
        match (value, constant) {
            (ScalarValue::Utf8(Some(value)), Constant::Text(text)) => (value == text).then_some(Ordering::Equal),
            (ScalarValue::Boolean(Some(value)), Constant::Boolean(flag)) => Some(value.cmp(flag)),
            (ScalarValue::Int64(Some(value)), Constant::Integer(number)) if self.integers_as_floats => {
                (*value as f64).partial_cmp(&(*number as f64))
            }
            (ScalarValue::Int64(Some(value)), Constant::Integer(number)) => Some(value.cmp(number)),
            (ScalarValue::Float64(Some(value)), constant) => {
                let value = if column == columns::LATENCY_MS { (self.rounds)(*value) } else { *value };
                let number = match constant {
                    Constant::Float(number) => *number,
                    Constant::Integer(number) => *number as f64,
                    _ => panic!("{constant:?} with a float"),
                };
                value.partial_cmp(&number)
            }
            _ => panic!("{value:?} with {constant:?}"),
        }
    }
}

/// The rows as they are here: numbers that are none, empty ids and zeros are null.
fn arrived(rows: &RecordBatch) -> RecordBatch {
    let schema = rows.schema();
    let columns = schema.fields().iter().zip(rows.columns()).map(|(field, array)| match field.data_type() {
        DataType::Float64 => {
            let finite = |value: f64| value.is_finite().then_some(value);
            Arc::new(array.as_primitive::<Float64Type>().unary_opt::<_, Float64Type>(finite)) as ArrayRef
        }
        _ if field.name() == columns::PARENT_ID => {
            let is_one = |text: &&str| !text.is_empty() && !ids::is_zero(text);
            let texts = array.as_string::<i32>().iter().map(|text| text.filter(is_one));
            Arc::new(texts.collect::<StringArray>())
        }
        _ => Arc::clone(array),
    });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()
}

fn loses_nothing(conditions: &[Expr], rows: &RecordBatch) -> Result<(), TestCaseError> {
    let here = arrived(rows);
    let Some(truths) = testing::truths(&all_of(conditions.to_vec()), &here) else { return Ok(()) };
    let asks = asked(conditions, &rows.schema());
    for (row, _) in truths.into_iter().enumerate().filter(|(_, truth)| *truth == Some(true)) {
        for hostile in HOSTILE {
            let lost = asks.iter().find(|ask| !hostile.lets_through(ask, rows, row));
            prop_assert!(lost.is_none(), "{lost:?} loses row {row} to {hostile:?}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) })]

    #[test]
    fn no_row_is_lost(condition in testing::condition(), rows in testing::rows()) {
        loses_nothing(std::slice::from_ref(&condition), &rows)?;
    }

    #[test]
    fn no_row_is_lost_of_what_the_optimizer_leaves(condition in testing::condition(), rows in testing::rows()) {
        if let Some(conditions) = testing::optimized(&condition, &arrived(&rows)) {
            loses_nothing(&conditions, &rows)?;
        }
    }

    #[test]
    fn what_is_said_is_read_by_our_own_reader(condition in testing::condition()) {
        let rest = BTreeMap::new();
        let schema = testing::schema();
        if let Some(text) = narrow(&[condition], &schema) {
            let names = Names::new(&schema, &rest, Unknown::Error);
            prop_assert!(parse(&text, &names).is_ok(), "{}", text);
        }
    }
}

#[test]
fn of_too_much_the_longest_is_left_out() {
    // `name = '…'` and ` AND ` around what is asked: as many bytes as the limit, to the byte.
    let condition = |length: usize, filler: &str| ident("name").eq(lit(filler.repeat(length - "name = ''".len())));
    let said = |conditions: &[Expr]| narrow(conditions, &schema()).unwrap();
    let half = MAX_BYTES / 2 - " AND ".len();
    let [short, fitting] = ["a", "b"].map(|filler| condition(half, filler));
    let [long, longer] = [condition(half + 1, "c"), condition(half + 2, "d")];
    let two = said(&[short.clone(), fitting.clone()]);
    assert_eq!(two.len(), MAX_BYTES - " AND ".len());
    assert_eq!(said(&[long.clone(), short.clone(), fitting]), two);
    let few = ident("status_code").eq(lit("OK"));
    assert_eq!(said(&[long, few.clone(), short.clone(), longer]), said(&[few, short]));
}
