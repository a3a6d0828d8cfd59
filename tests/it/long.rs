//! The long tables of a store: how they are planned, and what they make of much, of nothing, and of garbage.
//!
//! What they show is in `tests/sql/long.slt`.

use std::fmt::Write as _;

use arrow::array::RecordBatch;
use arrow::util::display::array_value_to_string;
use futures::TryStreamExt as _;
use proptest::prelude::*;
use serde_json::{Value, json};
use spanql::engine::{Engine, Params, StoreEngine};
use spanql::model::ingest::{IngestBuilder, Origin};
use spanql::store::{Progress, Store};

const TABLES: [&str; 7] = ["evals", "annotations", "events", "messages", "documents", "repeats", "turns"];

/// An engine over a store of these spans, one commit for each list.
async fn engine(commits: &[Vec<Value>]) -> Engine {
    let store = Store::open("memory://").unwrap();
    for spans in commits {
        let mut builder = IngestBuilder::new(Origin { source: "file", project: "p".to_owned(), force_project: false });
        let mut import = store.begin();
        for span in spans {
            builder.push_json(&span.to_string()).unwrap();
            if builder.is_full() {
                import.push(&builder.finish().unwrap().unwrap()).unwrap();
            }
        }
        if let Some(batch) = builder.finish().unwrap() {
            import.push(&batch).unwrap();
        }
        store.commit(import, "import", &Progress::default()).await.unwrap();
    }
    StoreEngine::default().open(store.snapshot().await.unwrap()).await.unwrap()
}

/// The rows, cells with a blank between.
async fn ask(engine: &Engine, sql: &str) -> Vec<String> {
    let prepared = engine.prepare(sql, &Params::new()).await.unwrap_or_else(|error| panic!("{sql}: {error}")).remove(0);
    let batches: Vec<RecordBatch> =
        prepared.execute().await.unwrap().try_collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let rows = batches.iter().flat_map(|batch| {
        (0..batch.num_rows()).map(move |row| {
            let cells = batch.columns().iter().map(|column| array_value_to_string(column, row).unwrap());
            cells.collect::<Vec<_>>().join(" ")
        })
    });
    rows.collect()
}

fn span(trace: &str, id: usize, more: Value) -> Value {
    let seconds = |id: usize| format!("2026-10-01T10:{:02}:{:02}Z", id / 60 % 60, id % 60);
    let mut span = json!({"context.trace_id": trace, "context.span_id": format!("{trace}-{id}"), "name": "s",
        "start_time": seconds(id), "end_time": seconds(id + 1)});
    let (Value::Object(span_members), Value::Object(more)) = (&mut span, more) else { return span };
    span_members.extend(more);
    span
}

#[tokio::test]
async fn plans_read_what_is_needed() {
    let messages = json!({"attributes.openinference.span.kind": "LLM",
        "attributes.llm.input_messages": "[{\"message.role\":\"user\",\"message.content\":\"hi\"}]"});
    let spans = |trace: &str| {
        vec![span(trace, 0, messages.clone()), span(trace, 1, json!({"eval.a.label": "x", "eval.b.score": 1}))]
    };
    let engine = engine(&[spans("one"), spans("two"), spans("three")]).await;
    let plan = async |sql: &str| ask(&engine, &format!("EXPLAIN {sql}")).await.join("\n");
    let physical = |plan: &str| plan.split("physical_plan").nth(1).unwrap().to_owned();

    let label = physical(&plan("SELECT label FROM evals WHERE name = 'a' AND trace_id = 'two'").await);
    assert!(label.contains("ExpandExec: evals, columns=[trace_id, name, label]\n"), "{label}");
    assert!(label.contains("projection=[context.trace_id, eval.a.label]"), "{label}");
    assert!(label.contains("required_guarantees=[context.trace_id in (two)]"), "{label}");
    assert!(label.contains("eval.a.label_null_count"), "{label}");

    for (sql, whole) in [
        ("SELECT role, content FROM messages WHERE span_id = 'two-0'", false),
        ("SELECT tool_calls FROM messages WHERE trace_id = 'two'", true),
        ("SELECT name, count(*) FROM repeats GROUP BY name", true),
    ] {
        let plan = physical(&plan(sql).await);
        assert_eq!(plan.contains("whole traces"), whole, "{plan}");
        let below = plan.split("ExpandExec").nth(1).unwrap();
        for not in ["RepartitionExec", "SortExec", "HashJoinExec", "FilterExec"] {
            assert!(!below.contains(not), "{sql}: {plan}");
        }
        assert_eq!(plan.contains("context.span_id in (two-0)"), sql.contains("span_id"), "{plan}");
    }
    let join = "SELECT m.content FROM messages m JOIN spans s ON s.trace_id = m.trace_id AND s.span_id = m.span_id \
                WHERE s.name = 'nope'";
    let below = physical(&plan(join).await);
    let below = below.split("ExpandExec").nth(1).unwrap();
    assert!(below.contains("DynamicFilter"), "{below}");
    let nothing = physical(&plan("SELECT * FROM evals WHERE level = 'session'").await);
    assert!(nothing.contains("EmptyExec") && !nothing.contains("segments/"), "{nothing}");
    let other = physical(&plan("SELECT * FROM documents").await);
    assert!(!other.contains("attributes.llm.input_messages"), "{other}");
}

#[tokio::test]
async fn all_of_them_rest_on_the_spans() {
    let engine = engine(&[vec![span("t", 0, json!({}))]]).await;
    for table in TABLES {
        let prepared = engine.prepare(&format!("SELECT count(*) FROM {table}"), &Params::new()).await.unwrap();
        assert!(prepared[0].reads_spans(), "{table}");
        assert_eq!(ask(&engine, &format!("SELECT count(*) FROM {table}")).await, ["0"], "{table}");
    }
}

#[tokio::test]
async fn an_empty_store_has_empty_tables() {
    let engine = engine(&[]).await;
    for table in TABLES {
        assert_eq!(ask(&engine, &format!("SELECT * FROM {table}")).await, [""; 0], "{table}");
        let sql = format!("SELECT count(*) FROM {table} WHERE project = 'p'");
        assert_eq!(ask(&engine, &sql).await, ["0"], "{table}");
    }
}

#[tokio::test]
async fn keys_beyond_the_limit_on_columns_are_read_too() {
    let many: serde_json::Map<String, Value> = (0..2_300).map(|n| (format!("attributes.a{n:04}"), json!(1))).collect();
    let late = json!({"attributes.llm.output_messages.0.message.role": "assistant", "eval.z.score": 0.5,
        "attributes.llm.output_messages.0.message.content": "late", "annotation.z.text": "noted",
        "attributes.retrieval.documents.0.document.score": 0.25, "attributes.openinference.span.kind": "LLM"});
    let engine =
        engine(&[vec![span("t", 0, Value::Object(many))], vec![span("t", 1, late), span("t", 2, json!({}))]]).await;
    let in_rest = "SELECT count(attributes.rest) FROM spans WHERE attributes.rest LIKE '%output_messages%'";
    assert_eq!(ask(&engine, in_rest).await, ["1"]);
    assert_eq!(ask(&engine, "SELECT span_id, name, score FROM evals").await, ["t-1 z 0.5"]);
    assert_eq!(ask(&engine, "SELECT span_id, text FROM annotations").await, ["t-1 noted"]);
    assert_eq!(ask(&engine, "SELECT span_id, role, content FROM messages").await, ["t-1 assistant late"]);
    assert_eq!(ask(&engine, "SELECT position, score FROM documents").await, ["0 0.25"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_keys_as_there_may_be_are_asked_for_at_once() {
    let keys = (0..1_500).flat_map(|n| {
        let key = |field: &str| format!("attributes.gen_ai.prompt.{n}.{field}");
        [(key("role"), json!("user")), (key("content"), json!(format!("said {n}")))]
    });
    let keys: serde_json::Map<String, Value> =
        keys.chain([("attributes.openinference.span.kind".to_owned(), json!("LLM"))]).collect();
    let engine = engine(&[vec![span("t", 0, Value::Object(keys))]]).await;
    let sql = "SELECT count(*), count(DISTINCT content), max(position) FROM messages WHERE role = 'user'";
    assert_eq!(ask(&engine, sql).await, ["1500 1500 1499"]);
}

#[tokio::test]
async fn a_result_is_told_once_in_a_span() {
    let call = json!({"message.role": "assistant", "message.tool_calls": [{"tool_call.id": "x"}]});
    let result = json!({"message.role": "tool", "message.tool_call_id": "x", "message.content": "found"});
    let list = json!([call, call, result]).to_string();
    let llm = json!({"attributes.openinference.span.kind": "LLM", "attributes.llm.input_messages": list});
    let engine = engine(&[vec![span("t", 0, llm.clone()), span("t", 1, llm)]]).await;
    let sql = "SELECT span_id, position, json_get_str(tool_calls, 0, 'result') AS result FROM messages \
               WHERE tool_calls IS NOT NULL ORDER BY 1, 2";
    assert_eq!(ask(&engine, sql).await, ["t-0 0 found", "t-0 1 ", "t-1 0 found", "t-1 1 "]);
}

#[tokio::test]
async fn calls_and_repeats_are_found_over_a_long_trace() {
    const SPANS: usize = 20_000;
    let call = |id: usize| {
        let list = json!([{"message": {"role": "assistant", "tool_calls":
            [{"tool_call": {"id": format!("c{id}"), "function": {"name": format!("f{id}"), "arguments": "{}"}}}]}}]);
        json!({"attributes.openinference.span.kind": "LLM", "attributes.llm.output_messages": list.to_string()})
    };
    let result = |id: usize, text: &str| {
        let list = json!([{"message": {"role": "tool", "tool_call_id": format!("c{id}"), "content": text}}]);
        json!({"attributes.openinference.span.kind": "LLM", "attributes.llm.input_messages": list.to_string()})
    };
    let long = "x".repeat(5 << 20);
    let spans = (0..SPANS).map(|id| match id {
        3 => span("big", id, call(1)),
        5 => span("big", id, json!({"attributes.input.value": "again"})),
        6 => span("big", id, result(2, "the first")),
        7 => span("other", id, result(1, "of another trace")),
        19_000 => span("big", id, result(1, &long)),
        19_500 => span("big", id, json!({"attributes.input.value": "again", "parent_id": "big-3"})),
        19_600 => span("big", id, call(2)),
        19_700 => span("big", id, result(2, "too late")),
        19_999 => span("big", id, json!({"attributes.input.value": "again"})),
        _ => span("big", id, json!({"parent_id": format!("big-{}", id.saturating_sub(1))})),
    });
    let mut spans: Vec<Value> = spans.collect();
    for (id, span) in spans.iter_mut().enumerate() {
        let mut time = String::new();
        write!(time, "2026-10-01T{:02}:{:02}:{:02}Z", id / 3_600, id / 60 % 60, id % 60).unwrap();
        span["start_time"] = json!(time);
        span["end_time"] = json!(time);
    }
    let engine = engine(&[spans]).await;
    let calls = "SELECT span_id, tool_calls->0->>'name' AS n, length(tool_calls->0->>'result') AS l FROM messages \
                 WHERE tool_calls IS NOT NULL AND trace_id = 'big' ORDER BY span_id";
    assert_eq!(ask(&engine, calls).await, ["big-19600 f2 9", "big-3 f1 5242880"]);
    let tools = "SELECT span_id, tool_name, length(content) AS l FROM messages WHERE role = 'tool' ORDER BY span_id";
    assert_eq!(ask(&engine, tools).await, ["big-19000 f1 5242880", "big-19700 f2 8", "big-6 f2 9", "other-7  16"]);
    let repeats = "SELECT trace_id, count, input, first_span_id, last_span_id FROM repeats";
    assert_eq!(ask(&engine, repeats).await, ["big 2 again big-5 big-19999"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn garbage_gives_no_error(
        texts in proptest::collection::vec("[\\[\\]{}:,\"\\\\u0 a-]{0,24}|\\[\\{\"message\": \\{\"role\": [\"a0]{1,4}\\}\\}\\]|\\{\"messages\": \\[[\\[\\]{},0]{0,6}\\]\\}", 12)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let columns = [
            "events", "attributes.llm.input_messages", "attributes.llm.output_messages", "attributes.input.value",
            "attributes.output.value", "attributes.retrieval.documents", "annotation.notes", "eval.x.score",
            "annotation.x.updated_at", "attributes.gen_ai.prompt.0.content", "attributes.gen_ai.output",
            "attributes.reranker.input_documents.0.document.metadata",
        ];
        runtime.block_on(async {
            let spans = (0..3).map(|shift| {
                let mut more = json!({"attributes.llm.model_name": "m", "attributes.session.id": "s"});
                for (index, column) in columns.iter().enumerate() {
                    more[*column] = json!(texts[(index + shift) % texts.len()]);
                }
                span("t", shift, more)
            });
            let engine = engine(&[spans.collect()]).await;
            for table in TABLES {
                ask(&engine, &format!("SELECT * FROM {table}")).await;
                ask(&engine, &format!("SELECT count(*) FROM {table}")).await;
            }
        });
    }
}
