//! Spans over REST from a server in trouble: every page or an error, and never less without one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{AsArray, RecordBatch};
use datafusion::logical_expr::{ident, lit};
use futures::TryStreamExt;
use spanql::model::columns;
use spanql::sources::{Ending, ExportRequest, SourceError, SpanSource};
use spanql::store::Status;

use super::pull_support::{PROJECT, Puller, day, empty, free_port, remote};
use super::rest_standin::{Fault, PROJECT_ID, Standin};
use super::support::{ask_rows, engine};

/// Of pages with 500 spans, three and a part.
const SPANS: usize = 1_700;

async fn read(source: &dyn SpanSource, request: &ExportRequest) -> Result<(Vec<RecordBatch>, Ending), SourceError> {
    let mut stream = source.open(request).await?;
    let mut batches = vec![];
    while let Some(batch) = stream.try_next().await? {
        batches.push(batch);
    }
    Ok((batches, stream.ending()))
}

fn whole() -> ExportRequest {
    ExportRequest::new(PROJECT, day())
}

fn rows(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

fn ids(batches: &[RecordBatch]) -> Vec<String> {
    let column = |batch: &RecordBatch| batch.column_by_name(columns::SPAN_ID).unwrap().clone();
    batches
        .iter()
        .flat_map(|batch| column(batch).as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_read() {
    let standin = Standin::start(SPANS, &[]).await;
    let source = remote(&standin.variables(free_port())).over_rest();
    assert_eq!(source.endpoint(), format!("http://127.0.0.1:{}", standin.port));
    let (batches, ending) = read(&source, &whole()).await.unwrap();
    assert_eq!((rows(&batches), ending), (SPANS, Ending::Complete));
    let mut unique = ids(&batches);
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), SPANS);
    let asked = standin.asked();
    assert_eq!(asked.len(), 4);
    assert!(asked.iter().all(|(_, body)| *body == asked[0].1), "a cursor holds for one request: {asked:?}");
    assert_eq!(asked[0].1["project_id"], PROJECT_ID);

    // No more than is wanted is asked for.
    let limited = ExportRequest { limit: Some(520), ..whole() };
    assert_eq!(rows(&read(&source, &limited).await.unwrap().0), 520);
    let limits: Vec<String> = standin.asked()[4..].iter().map(|(query, _)| query["limit"].clone()).collect();
    assert_eq!(limits, ["500", "20"]);

    // What lies outside a window is cut here, in whose language times have no parts of seconds.
    let mut window = day();
    (window.start, window.end) = (window.start + 500_000_000, window.start + 10_000_000_000);
    let (cut, _) = read(&source, &ExportRequest { window, ..whole() }).await.unwrap();
    assert_eq!(rows(&cut), 9);

    // A project by its id, and one whose name is no word of a path.
    assert_eq!(rows(&read(&source, &ExportRequest::new(PROJECT_ID, day())).await.unwrap().0), SPANS);
    let odd = read(&source, &ExportRequest::new("a/b?c#d", day())).await.unwrap_err();
    assert!(matches!(&odd, SourceError::NotFound { what, .. } if what.contains("project not found")), "{odd}");
    assert_eq!(standin.asked().last().unwrap().1["project_id"], "TW9kZWw6ODphL2I=");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_waited_for() {
    let trouble = [
        Fault::None,
        Fault::Status(429, Some(1)),
        Fault::Cut,
        Fault::None,
        Fault::Half,
        Fault::Status(503, None),
        Fault::Status(429, None),
    ];
    let standin = Standin::start(SPANS, &trouble).await;
    let source = remote(&standin.variables(free_port())).over_rest();
    let began = Instant::now();
    let (batches, ending) = read(&source, &whole()).await.unwrap();
    assert_eq!((rows(&batches), ending), (SPANS, Ending::Complete));
    assert!(began.elapsed() >= Duration::from_secs(1), "it says how long to wait");
    let mut cursors: Vec<_> = standin.asked().into_iter().map(|(query, _)| query.get("cursor").cloned()).collect();
    assert_eq!(cursors.len(), trouble.len() + 2);
    cursors.dedup();
    assert_eq!(cursors.len(), 4, "each page once, but for those that failed: {cursors:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_pass_is_an_error() {
    for (fault, said) in [
        (Fault::Status(500, None), "500 Trouble: come again"),
        (Fault::Status(422, None), "422 Trouble"),
        (Fault::NoCursor, "there are more spans, and it does not say how to get them"),
        (Fault::Circle, "a page leads to itself"),
    ] {
        let standin = Standin::start(SPANS, &[Fault::None, fault]).await;
        let source = remote(&standin.variables(free_port())).over_rest();
        let mut stream = source.open(&whole()).await.unwrap();
        let mut came = 0;
        let error = loop {
            match stream.try_next().await {
                Ok(Some(batch)) => came += batch.num_rows(),
                Ok(None) => panic!("{fault:?}: an end after {came} spans"),
                Err(error) => break error,
            }
        };
        assert!(error.to_string().contains(said), "{fault:?}: {error}");
        assert_eq!(stream.ending(), Ending::Cut, "{fault:?}");
        assert_eq!(standin.asked().len(), 2, "{fault:?}");

        // A pull that breaks off says so, and the next one brings all.
        let store = empty();
        let broken = Standin::start(SPANS, &[Fault::None, fault]).await;
        let puller = Puller::new(remote(&broken.variables(free_port())).over_rest());
        puller.pull(&store, day()).await.unwrap_err();
        assert!(store.ledger().await.unwrap().pulls.iter().all(|pull| pull.status() != Status::Complete), "{fault:?}");
        let summary = puller.pull(&store, day()).await.unwrap();
        assert_eq!(summary.stored, SPANS as u64, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_say_what_to_do() {
    let standin = Standin::start(3, &[]).await;
    let denied = |variables: &[(&'static str, String)]| remote(variables).over_rest();
    let mut variables = standin.variables(free_port());
    variables.push(("ARIZE_API_KEY", "another".to_owned()));
    let error = denied(&variables).open(&whole()).await.unwrap_err().to_string();
    assert!(error.contains("the key is not accepted: 401 Unauthorized: invalid API key"), "{error}");
    assert!(!error.contains("another"), "{error}");
    variables.push(("ARIZE_SPACE_ID", String::new()));
    let error = denied(&variables).open(&whole()).await.unwrap_err().to_string();
    assert!(error.contains("no space is named") && error.contains("--space"), "{error}");

    let source = remote(&standin.variables(free_port())).over_rest();
    let error = source.open(&ExportRequest::new("chekout", day())).await.unwrap_err();
    assert_eq!(error.suggestion(), Some("checkout"), "{error}");
    let sampled = ExportRequest { sample_rate: Some(0.5), ..whole() };
    let error = source.open(&sampled).await.unwrap_err().to_string();
    assert!(error.contains("REST gives no share of the traces"), "{error}");
    let lacking = ExportRequest { filters: vec![ident("trace_eval.Good.label").eq(lit("x"))], ..whole() };
    let error = source.open(&lacking).await.unwrap_err().to_string();
    assert!(error.contains("REST has no trace_eval.Good.label"), "{error}");
    assert_eq!(source.count(&whole()).await.unwrap(), None, "nobody counts");
    assert!(standin.asked().is_empty());
}

/// Without a Flight server everything goes over REST, and whoever reads is told.
#[tokio::test(flavor = "multi_thread")]
async fn rest_stands_in_for_flight() {
    let standin = Standin::start(SPANS, &[]).await;
    let source = Arc::new(remote(&standin.variables(free_port())).or_rest());
    let engine = engine(empty().snapshot().await.unwrap()).await;
    engine.register_source(source.clone());
    let sql = format!(
        "SELECT count(*) AS n, sum(cost) AS cost FROM arize.{PROJECT} WHERE start_time >= '2026-01-01' AND start_time < '2026-01-02'"
    );
    let rows = ask_rows(&engine, &sql).await.unwrap();
    assert_eq!(rows[0]["n"], SPANS.to_string());
    assert_eq!(standin.asked()[1].1["included_columns"], serde_json::json!(["attributes.llm.cost.total"]));
    let stream = source.open(&whole()).await.unwrap();
    let remarked = stream.received().remarked().unwrap();
    assert!(remarked.contains("is not reachable: read over REST, without evaluations of traces"), "{remarked}");
    assert!(remarked.contains("perhaps without spans that came late"), "{remarked}");
    let lacking = format!(
        "SELECT trace_eval.Good.label FROM arize.{PROJECT} WHERE start_time >= '2026-01-01' AND start_time < '2026-01-02'"
    );
    let error = ask_rows(&engine, &lacking).await.unwrap_err();
    assert!(error.contains("REST has no trace_eval.Good.label, and the Flight server cannot be reached"), "{error}");

    // One that asks Flight alone stays with its error, and so does one without a REST server.
    let error = remote(&standin.variables(free_port())).open(&whole()).await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error}");
    let mut alone = standin.variables(free_port());
    alone.retain(|(name, _)| !name.starts_with("ARIZE_API_"));
    let error = remote(&alone).or_rest().open(&whole()).await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error}");
}
