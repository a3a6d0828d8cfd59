//! What comes, and what is asked for it.

use datafusion_expr::{col, ident, lit};
use spanql_filter::contains;

use super::super::standin::Fault;
use super::*;
use crate::remote::Ending;

#[tokio::test]
async fn traces_are_rows_above_their_spans() {
    let standin = standin(5, 3);
    let (rows, stream) = read(&source(&standin), &everything()).await.unwrap();
    assert_eq!(rows, expected(5, 3));
    assert_eq!((stream.announced(), stream.ending(), stream.received().rows()), (Some(20), Ending::Complete, 20));
    assert!(stream.received().bytes() > 2_000);
    let searches = standin.asked("/search");
    let paths: Vec<&str> = searches.iter().map(|asked| asked.path.rsplit('/').nth(1).unwrap()).collect();
    assert_eq!(paths, ["traces", "spans"]);
    let wanted = json!({
        "project_name": "demo", "limit": 2000, "truncate": false,
        "filters": [
            {"field": "start_time", "key": "", "type": "date_time", "operator": ">=", "value": "2025-01-01T00:00:00Z"},
            {"field": "start_time", "key": "", "type": "date_time", "operator": "<", "value": "2025-01-02T03:46:40Z"},
        ]
    });
    assert_eq!(searches[0].body, wanted);
    assert_eq!(searches[1].body, wanted);
}

#[tokio::test]
async fn spans_alone_have_no_parent_at_the_top() {
    let standin = standin(5, 2);
    let (rows, stream) = read(&source(&standin).without_trace_rows(), &everything()).await.unwrap();
    let mut wanted = expected(5, 2);
    wanted.retain(|(trace, span, ..)| trace != span);
    for (trace, _, parent, ..) in &mut wanted {
        *parent = parent.take().filter(|parent| parent != trace);
    }
    assert_eq!(rows, wanted);
    assert_eq!((stream.announced(), stream.ending()), (Some(10), Ending::Complete));
}

#[tokio::test]
async fn a_limit_is_the_size_of_the_first_page() {
    let standin = standin(7, 3);
    let request = ExportRequest { limit: Some(2), ..everything() };
    let (rows, stream) = read(&source(&standin), &request).await.unwrap();
    assert_eq!((rows, stream.announced()), (expected(7, 3), None));
    let limits: Vec<_> = standin.asked("/spans/search").iter().map(|asked| asked.body["limit"].clone()).collect();
    assert_eq!(limits, [2, 8, 32]);
    let cursors: Vec<_> =
        standin.asked("/spans/search").iter().map(|asked| asked.body["last_retrieved_id"].clone()).collect();
    assert_eq!(cursors, [Json::Null, json!(span_id(6, 1)), json!(span_id(3, 2))]);
    assert!(standin.asked("/api/v1/private/spans").iter().all(|asked| asked.path.ends_with("/search")), "not counted");
}

#[tokio::test]
async fn a_full_last_page_is_followed_by_an_empty_one() {
    let standin = standin(2, 1);
    let (rows, _) = read(&source(&standin), &ExportRequest { limit: Some(2), ..everything() }).await.unwrap();
    assert_eq!((rows, standin.asked("/spans/search").len()), (expected(2, 1), 2));
}

#[tokio::test]
async fn nothing_more_is_asked_when_nobody_reads_on() {
    let standin = standin(7, 3);
    let mut stream = source(&standin).open(&ExportRequest { limit: Some(1), ..everything() }).await.unwrap();
    assert_eq!(standin.asked("").len(), 0);
    assert_eq!(stream.try_next().await.unwrap().unwrap().num_rows(), 1);
    assert_eq!(stream.ending(), Ending::Cut);
    drop(stream);
    assert_eq!(standin.asked("").len(), 1);
}

#[tokio::test]
async fn a_window_is_cut_to_the_nanosecond() {
    let mut traces: Vec<Json> = (0..4).map(trace).collect();
    traces[1]["start_time"] = json!("2025-01-01T00:00:01.500000001Z");
    let standin = Standin::new(traces, vec![]);
    let within = Window { start: (BASE + 1) * SECOND + SECOND / 2, end: (BASE + 2) * SECOND + 1 };
    let (rows, stream) = read(&source(&standin), &ExportRequest::new("demo", within)).await.unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row.4.as_str()).collect();
    assert_eq!(names, ["trace 1", "trace 2"]);
    let early = Window { start: within.start + 2, ..within };
    let (rows, _) = read(&source(&standin), &ExportRequest::new("demo", early)).await.unwrap();
    assert_eq!(rows.len(), 1, "what lies beyond is cut here");
    assert_eq!(stream.ending(), Ending::Complete);
}

#[tokio::test]
async fn threads_of_traces_outside_of_the_window_are_looked_up() {
    for (traces, searches, single) in [(3, 1, 3), (40, 2, 0)] {
        // All traces began a day before their spans.
        let mut spans: Vec<Json> = (0..traces).map(|of| span(of, 0)).collect();
        spans.iter_mut().for_each(|span| span["start_time"] = json!("2025-01-02T00:00:00Z"));
        let standin = Standin::new((0..traces).map(trace).collect(), spans);
        let within = window(86_400, 86_401);
        let (rows, _) = read(&source(&standin), &ExportRequest::new("demo", within)).await.unwrap();
        let mut wanted = expected(traces, 1);
        wanted.retain(|(trace, span, ..)| trace != span);
        assert_eq!(rows, wanted, "{traces}");
        let found = (standin.asked("/traces/search").len(), standin.asked("/traces/0190").len());
        assert_eq!(found, (searches, single), "{traces}");
    }
}

#[tokio::test]
async fn spans_of_traces_that_are_gone_have_no_session() {
    let standin = Standin::new(vec![], (0..6).map(|of| span(of, 0)).collect());
    let (rows, _) = read(&source(&standin), &everything()).await.unwrap();
    assert_eq!(rows.len(), 6);
    assert!(rows.iter().all(|(trace, _, parent, session, _)| parent.as_ref() == Some(trace) && session.is_none()));
}

#[tokio::test]
async fn only_the_members_that_columns_need_are_asked_for() {
    let standin = standin(2, 1);
    let columns = Some(vec!["name".to_owned(), "attributes.output.value".to_owned()]);
    let source = source_with(&standin, KEY, WORKSPACE).without_trace_rows();
    let (rows, _) = read(&source, &ExportRequest { columns, ..everything() }).await.unwrap();
    assert!(rows.iter().all(|(_, _, _, session, _)| session.is_none()), "nobody wants sessions");
    let searches = standin.asked("/search");
    assert_eq!(searches.len(), 1);
    assert_eq!(searches[0].body["exclude"], json!(["input", "metadata", "feedback_scores", "comments"]));
}

#[tokio::test]
async fn what_can_be_said_of_filters_is_asked() {
    let standin = standin(4, 2);
    let filters = vec![ident("attributes.openinference.span.kind").eq(lit("LLM"))];
    let request = ExportRequest { filters, ..everything() };
    let source = source(&standin);
    assert_eq!(source.count(&request).await.unwrap(), Some(4));
    let (rows, _) = read(&source, &request).await.unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row.4.as_str()).collect();
    assert_eq!(names, ["step 1"; 4], "no trace is a call of a model");
    assert_eq!(rows[0].3.as_deref(), Some("thread 0"));
    let filters = vec![col("name").eq(lit("trace 2"))];
    let (rows, _) = read(&source, &ExportRequest { filters, ..everything() }).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.4.as_str()).collect::<Vec<_>>(), ["trace 2"]);
    let filters = vec![contains(ident("attributes.input.value"), lit("what is 3"))];
    let (rows, _) = read(&source, &ExportRequest { filters, ..everything() }).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.4.as_str()).collect::<Vec<_>>(), ["trace 3"]);
}

#[tokio::test]
async fn a_server_that_refuses_filters_is_asked_without() {
    let standin = standin(4, 2);
    let filters = vec![ident("attributes.llm.cost.total").gt(lit(0.5))];
    let (rows, stream) = read(&source(&standin), &ExportRequest { filters, ..everything() }).await.unwrap();
    assert_eq!((rows.len(), stream.announced(), stream.ending()), (8, Some(8), Ending::Complete));
    let filters: Vec<_> = standin.asked("/spans/search").iter().map(|asked| asked.body["filters"].clone()).collect();
    let counts: Vec<_> = filters.iter().map(|filters| filters.as_array().map(Vec::len)).collect();
    assert_eq!(counts, [Some(3), Some(2)]);
}

#[tokio::test]
async fn requests_are_described_in_the_words_of_the_api() {
    let standin = standin(0, 0);
    let said = source(&standin).describe(&ExportRequest::new("demo", window(0, 1)));
    let body = r#"{"project_name":"demo","filters":[{"field":"start_time","key":"","type":"date_time","operator":">=","value":"2025-01-01T00:00:00Z"},{"field":"start_time","key":"","type":"date_time","operator":"<","value":"2025-01-01T00:00:01Z"}],"limit":2000,"truncate":false}"#;
    let wanted = [
        ("traces", format!("POST /v1/private/traces/search {body}")),
        ("spans", format!("POST /v1/private/spans/search {body}")),
    ];
    assert_eq!(said, wanted);
    assert_eq!(source(&standin).without_trace_rows().describe(&everything()).len(), 1);
}

#[tokio::test]
async fn projects_are_found_by_name_and_by_id() {
    let standin = standin(1, 1);
    for number in 0..120 {
        standin.add_project(&format!("project {number:03}"));
    }
    standin.add_project("a/b?c#d e");
    let source = source(&standin);
    let projects = source.projects().await.unwrap();
    assert_eq!((projects.len(), projects[0].name.as_str(), projects[1].name.as_str()), (122, "a/b?c#d e", "demo"));
    assert_eq!(source.resolve("a/b?c#d e").await.unwrap().project, "a/b?c#d e");
    assert_eq!(source.resolve("0190aaaa-0000-7000-8000-000000000001").await.unwrap().project, "demo");
    let odd = ExportRequest { project: "a/b?c#d e".into(), ..everything() };
    assert_eq!(read(&source, &odd).await.unwrap().0, []);
    for missing in [source.resolve("demmo").await.err(), source.schema("demmo").await.err()] {
        let missing = missing.unwrap();
        assert_eq!(missing.suggestion(), Some("demo"), "{missing}");
    }
    let request = ExportRequest { project: "demmo".into(), ..everything() };
    assert_eq!(source.open(&request).await.err().unwrap().suggestion(), Some("demo"));
}

#[tokio::test]
async fn columns_are_those_of_the_newest_rows() {
    let standin = standin(30, 2);
    let schema = source(&standin).schema("demo").await.unwrap();
    for name in ["attributes.input.value", "attributes.output.value", "opik.entity", "attributes.llm.model_name"] {
        assert!(schema.column_with_name(name).is_some(), "{name}: {schema:?}");
    }
    assert_eq!(standin.asked("/search").len(), 2);
}

#[tokio::test]
async fn values_that_are_cut_are_read_whole() {
    let standin = standin(5, 2);
    standin.cut_values();
    let source = source(&standin);
    let batches: Vec<RecordBatch> = source.open(&everything()).await.unwrap().try_collect().await.unwrap();
    let mut inputs: Vec<String> =
        batches.iter().flat_map(|batch| texts(batch, "attributes.input.value")).flatten().collect();
    inputs.sort();
    let wanted: Vec<String> = (0..5).map(|trace| format!("{{\"question\":\"what is {trace}?\"}}")).collect();
    assert_eq!(inputs, wanted);
    assert_eq!(standin.asked("/spans/0190").len() + standin.asked("/traces/0190").len(), 15);
}

#[tokio::test]
async fn texts_that_only_look_cut_are_soon_believed() {
    let mut traces: Vec<Json> = (0..9).map(trace).collect();
    traces.iter_mut().for_each(|trace| trace["input"] = json!("{\"broken"));
    let standin = Standin::new(traces, vec![]);
    let (rows, _) = read(&source(&standin), &everything()).await.unwrap();
    assert_eq!((rows.len(), standin.asked("/traces/0190").len()), (9, 3));
}

#[tokio::test]
async fn lines_may_be_blank_and_the_last_may_have_no_end() {
    let standin = standin(3, 2);
    standin.fail("/spans/search", Fault::OddLines);
    assert_eq!(read(&source(&standin), &everything()).await.unwrap().0, expected(3, 2));
}
