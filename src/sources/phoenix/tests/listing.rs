//! Listings that go well.

use datafusion_expr::{ident, lit};

use super::*;

#[tokio::test]
async fn all_spans_come_in_pages_that_grow() {
    let all: Vec<i64> = (1..=1_700).collect();
    let server = StandIn::new(move |asked, _| listed(asked, &all));
    let read = read(&source(&server), &everything()).await.unwrap();
    assert_eq!(read.rows, (1..=1_700).rev().collect::<Vec<_>>());
    assert_eq!((read.received, read.unfit, read.ending), (1_700, None, Ending::Complete));
    let asked = server.asked();
    let limits: Vec<_> = asked.iter().map(|asked| asked.get("limit").unwrap().to_owned()).collect();
    assert_eq!(limits, ["200", "250", "250", "250", "250", "250", "250"]);
    assert!(asked.iter().all(|asked| asked.path == "/v1/projects/demo/spans"));
    assert!(asked.iter().all(|asked| asked.get("start_time") == Some("1970-01-01T00:00:00.000000Z")));
    assert!(asked.iter().all(|asked| asked.headers.contains(&("authorization".into(), format!("Bearer {KEY}")))));
}

#[tokio::test]
async fn no_more_is_asked_for_than_is_wanted() {
    let server = StandIn::new(move |asked, _| listed(asked, &(1..=900).collect::<Vec<_>>()));
    let few = ExportRequest { limit: Some(3), ..everything() };
    let found = read(&source(&server), &few).await.unwrap();
    assert_eq!(found.rows, [900, 899, 898]);
    let more = ExportRequest { limit: Some(250), ..everything() };
    assert_eq!(read(&source(&server), &more).await.unwrap().rows.len(), 250);
    let limits: Vec<_> = server.asked().iter().map(|asked| asked.get("limit").unwrap().to_owned()).collect();
    assert_eq!(limits, ["3", "200", "50"]);
    let none = ExportRequest { limit: Some(0), ..everything() };
    assert!(read(&source(&server), &none).await.unwrap().rows.is_empty());
}

#[tokio::test]
async fn a_listing_of_one_page_tells_how_many_there_are() {
    let server = StandIn::new(move |asked, _| listed(asked, &(1..=150).collect::<Vec<_>>()));
    let announced = async |request: &ExportRequest| source(&server).open(request).await.unwrap().announced();
    assert_eq!(announced(&everything()).await, Some(150));
    let outside = ExportRequest { window: Window { start: 0, end: 1 }, ..everything() };
    assert_eq!(announced(&outside).await, Some(150));
    assert_eq!(announced(&ExportRequest { limit: Some(9), ..everything() }).await, None);
    let longer = StandIn::new(move |asked, _| listed(asked, &(1..=201).collect::<Vec<_>>()));
    assert_eq!(source(&longer).open(&everything()).await.unwrap().announced(), None);
    let none = StandIn::new(|_, _| page(&[], None));
    assert_eq!(source(&none).open(&everything()).await.unwrap().announced(), Some(0));
}

#[tokio::test]
async fn a_server_that_ignores_parameters_gives_no_other_spans() {
    // It knows neither the window nor the filter.
    let server = StandIn::new(move |asked, _| listed(asked, &(1..=600).collect::<Vec<_>>()));
    let window = Window { start: 100 * SECOND, end: 103 * SECOND };
    let request = ExportRequest { window, ..everything() };
    let read = read(&source(&server), &request).await.unwrap();
    assert_eq!((read.rows, read.received), (vec![102, 101, 100], 600));
}

#[tokio::test]
async fn a_filter_that_is_refused_is_left_out() {
    let server = StandIn::new(move |asked, _| match asked.get("span_kind") {
        Some(kind) => Reply::Text(422, format!("Invalid span_kind: {kind}")),
        None => listed(asked, &[1, 2]),
    });
    let filters = vec![ident("attributes.openinference.span.kind").eq(lit("PROMPT"))];
    let request = ExportRequest { filters, ..everything() };
    assert_eq!(read(&source(&server), &request).await.unwrap().rows, [2, 1]);
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn spans_that_come_meanwhile_change_nothing() {
    let server = StandIn::new(move |asked, number| listed(asked, &(1..=500 + 10 * number as i64).collect::<Vec<_>>()));
    let read = read(&source(&server), &everything()).await.unwrap();
    assert_eq!(read.rows, (1..=500).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn annotations_come_with_their_spans_where_they_are_wanted() {
    let server = StandIn::new(move |asked, _| {
        if asked.path.ends_with("/trace_annotations") {
            return Reply::Html;
        }
        if !asked.path.ends_with("/span_annotations") {
            return listed(asked, &(1..=450).collect::<Vec<_>>());
        }
        // Two pages, and none for most.
        let ids = asked.all("span_ids");
        if !ids.contains(&"s7") {
            return Reply::Text(404, "None of the supplied span_ids exist in this project".into());
        }
        let (name, next) = if asked.get("cursor").is_none() { ("b", "\"more\"") } else { ("a", "null") };
        Reply::Json(format!(
            r#"{{"data":[{{"span_id":"s7","name":"{name}","annotator_kind":"LLM","result":{{"score":0.5}},"identifier":""}}],"next_cursor":{next}}}"#
        ))
    });
    let request = ExportRequest { columns: None, ..everything() };
    let batches: Vec<RecordBatch> = source(&server).open(&request).await.unwrap().try_collect().await.unwrap();
    for name in ["eval.a.score", "eval.b.score"] {
        let scored: Vec<i64> = batches
            .iter()
            .filter_map(|batch| Some((batch, batch.column_by_name(name)?)))
            .flat_map(|(batch, scores)| rows_of(batch).into_iter().zip(0..).filter(|(_, at)| scores.is_valid(*at)))
            .map(|(row, _)| row)
            .collect();
        assert_eq!(scored, [7], "{name}");
    }
    let asked = server.asked();
    let ids: Vec<&str> = asked
        .iter()
        .filter(|asked| asked.get("cursor") != Some("more"))
        .flat_map(|asked| asked.all("span_ids"))
        .collect();
    assert_eq!(ids.len(), 450);
}

#[tokio::test]
async fn annotations_come_through_what_refuses_long_urls() {
    for refusal in [
        Reply::Text(414, "URI Too Long".into()),
        Reply::Text(400, "Request Header Or Cookie Too Large".into()),
        Reply::Text(404, "not found".into()),
        Reply::Close,
        Reply::Html,
    ] {
        let server = StandIn::new(move |asked, _| {
            let ids = asked.all("span_ids");
            if asked.path.ends_with("/spans") {
                return listed(asked, &(10_001..=11_500).collect::<Vec<_>>());
            }
            if ids.len() > 380 {
                return refusal.clone();
            }
            let one = |id: &&str| {
                format!(
                    r#"{{"span_id":"{id}","name":"a","annotator_kind":"LLM","result":{{"score":1}},"identifier":""}}"#
                )
            };
            let all: Vec<String> = ids.iter().map(one).collect();
            Reply::Json(format!(r#"{{"data":[{}],"next_cursor":null}}"#, all.join(",")))
        });
        let columns = Some(vec!["name".to_owned(), "eval.a.score".to_owned()]);
        let request = ExportRequest { columns, ..everything() };
        let batches: Vec<RecordBatch> = source(&server).open(&request).await.unwrap().try_collect().await.unwrap();
        let scored = batches.iter().map(|batch| {
            let scores = batch.column_by_name("eval.a.score").unwrap();
            assert_eq!(scores.null_count(), 0);
            batch.num_rows()
        });
        assert_eq!(scored.sum::<usize>(), 1_500);
        let refused = server.asked().iter().filter(|asked| asked.all("span_ids").len() > 380).count();
        assert_eq!(refused, 1, "a long URL is tried once");
    }
}

/// Two turns of a session, of which the second is listed first, each with a step below it.
fn turn(asked: &Asked) -> Reply {
    let span = |trace: &str, id: &str, parent: &str| {
        format!(
            r#"{{"id":"{}","name":"n","context":{{"trace_id":"{trace}","span_id":"{id}"}},"parent_id":{parent},"start_time":"1970-01-01T00:00:05+00:00","attributes":{{"session.id":"a b","row":1}}}}"#,
            cursor_at(1)
        )
    };
    let spans =
        [span("t2", "r2", "null"), span("t2", "c2", "\"r2\""), span("t1", "r1", "null"), span("t1", "c1", "\"r1\"")];
    let annotation = |of: &str, id: &str| {
        Reply::Json(format!(
            r#"{{"data":[{{"{of}":"{id}","name":"q","annotator_kind":"HUMAN","result":{{"score":0.5}},"identifier":""}}],"next_cursor":null}}"#
        ))
    };
    match asked.path.rsplit('/').next().unwrap() {
        "spans" => Reply::Json(format!(r#"{{"data":[{}],"next_cursor":null}}"#, spans.join(","))),
        "trace_annotations" => annotation("trace_id", "t2"),
        "session_annotations" => annotation("session_id", "a b"),
        "a%20b" => Reply::Json(
            r#"{"data":{"traces":[{"trace_id":"t2","start_time":"2001-01-02T00:00:00+00:00"},{"trace_id":"t1","start_time":"2001-01-01T00:00:00+00:00"}]}}"#.into(),
        ),
        _ => Reply::Text(404, "None of the supplied span_ids exist in this project".into()),
    }
}

#[tokio::test]
async fn what_is_said_of_traces_and_sessions_stands_on_one_row() {
    let server = StandIn::new(|asked, _| turn(asked));
    let ids = |batch: &RecordBatch, name: &str| -> Vec<String> {
        let scores = batch.column_by_name(name).unwrap();
        let spans = batch["context.span_id"].as_string::<i32>();
        spans.iter().zip(0..).filter(|(_, at)| scores.is_valid(*at)).map(|(id, _)| id.unwrap().to_owned()).collect()
    };
    let request = ExportRequest { columns: None, ..everything() };
    let batch = source(&server).open(&request).await.unwrap().try_next().await.unwrap().unwrap();
    assert_eq!(
        (ids(&batch, "trace_eval.q.score"), ids(&batch, "session_eval.q.score")),
        (vec!["r2".into()], vec!["r1".into()])
    );
    let asked = |end: &str| server.asked().into_iter().filter(|asked| asked.path.ends_with(end)).collect::<Vec<_>>();
    assert_eq!(asked("/trace_annotations")[0].all("trace_ids"), ["t1", "t2"]);
    assert_eq!(asked("/session_annotations")[0].all("session_ids"), ["a b"]);
    // Only what is wanted is asked for.
    let of_traces = ExportRequest { columns: Some(vec!["trace_eval.q.score".into()]), ..everything() };
    source(&server).open(&of_traces).await.unwrap().try_next().await.unwrap();
    assert_eq!(
        (asked("/trace_annotations").len(), asked("/session_annotations").len(), asked("/span_annotations").len()),
        (2, 1, 1)
    );
}

#[tokio::test]
async fn projects_whose_names_do_not_do_in_a_path_are_found_by_their_ids() {
    let server = StandIn::new(move |asked, _| match (asked.path.as_str(), asked.get("cursor")) {
        ("/v1/projects", None) => {
            Reply::Json(r#"{"data":[{"name":"z","id":"UHJvamVjdDo5","description":null}],"next_cursor":"c"}"#.into())
        }
        ("/v1/projects", _) => {
            Reply::Json(r#"{"data":[{"name":"a/b ?#c","id":"UHJvamVjdDoz"}],"next_cursor":null}"#.into())
        }
        ("/v1/projects/UHJvamVjdDoz/spans", _) => listed(asked, &[1]),
        ("/v1/projects/my%20project/spans", _) => listed(asked, &[2]),
        _ => Reply::Html,
    });
    let source = source(&server);
    let names: Vec<String> = source.projects().await.unwrap().into_iter().map(|project| project.name).collect();
    assert_eq!(names, ["a/b ?#c", "z"]);
    let of = |project: &str| ExportRequest { project: project.to_owned(), ..everything() };
    for _ in 0..2 {
        assert_eq!(read(&source, &of("a/b ?#c")).await.unwrap().rows, [1]);
    }
    assert_eq!(read(&source, &of("my project")).await.unwrap().rows, [2]);
    // The list, in two pages, was asked for twice: once by the test.
    assert_eq!(server.asked().iter().filter(|asked| asked.path == "/v1/projects").count(), 4);
    assert_eq!(source.describe(&of("a/b ?#c"))[0].1, "/v1/projects/UHJvamVjdDoz/spans");
}

#[tokio::test]
async fn the_columns_are_those_of_the_last_spans() {
    let server = StandIn::new(move |asked, _| match asked.path.ends_with("/spans") {
        true => listed(asked, &(1..=100).collect::<Vec<_>>()),
        false => Reply::Json(r#"{"data":[],"next_cursor":null}"#.into()),
    });
    let schema = source(&server).schema("demo").await.unwrap();
    assert!(schema.field_with_name("attributes.row").is_ok());
    let first = server.asked().remove(0);
    assert_eq!((first.get("limit"), first.get("start_time"), first.get("end_time")), (Some("20"), None, None));
    let empty = StandIn::new(|_, _| page(&[], None));
    assert_eq!(source(&empty).schema("demo").await.unwrap().fields().len(), 0);
}
