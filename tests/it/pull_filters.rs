//! Pulls of the spans that match a filter: what is asked, what is checked here, and what is remembered.

use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use spanql::serve::{Settings, Token};
use spanql::store::Store;

use super::pull_rogue::{Answer, Call, Play, Rogue};
use super::pull_support::{KEY, PROJECT, Ran, User, empty, rows, trace_id, wire};
use super::serve_support::Running;
use super::support::{Cell, Row, batch, import};

const SPANS: usize = 100;

/// A server of [`SPANS`] spans in twenty traces, with the key of the tests.
async fn server() -> (Arc<Store>, Running) {
    let store = empty();
    import(&store, &[batch(&rows(SPANS, 60))]).await.unwrap();
    let server = Running::start(&store, Settings { token: Token::new(KEY), ..Settings::default() }).await;
    (store, server)
}

/// A server that sends what lies in the window, whatever the filter.
async fn careless() -> Rogue {
    Rogue::start(script(|_, batch| batch)).await
}

/// A server that makes something of a filter.
fn script(
    filtered: impl Fn(&str, RecordBatch) -> RecordBatch + Send + Sync + 'static,
) -> impl Fn(&Call) -> Answer + Send + Sync + 'static {
    let batch = wire(&rows(SPANS, 60));
    let schema = batch.schema().as_ref().clone();
    move |call| {
        let spans = call.spans_of(&batch);
        let spans: Vec<RecordBatch> = match call.command["filterExpression"].as_str() {
            None => spans,
            Some(filter) => spans.into_iter().map(|batch| filtered(filter, batch)).collect(),
        };
        let spans: Vec<RecordBatch> = spans.into_iter().filter(|batch| batch.num_rows() > 0).collect();
        // It knows its columns, whatever was asked for.
        Answer::Play(Play { schema: Some(schema.clone()), ..Play::of(&spans) })
    }
}

/// The filter that each call of a pull had.
fn sent(rogue: &Rogue) -> Vec<Option<String>> {
    rogue.calls().iter().map(|call| call.command["filterExpression"].as_str().map(str::to_owned)).collect()
}

/// The spans of [`rows`] that are chosen, by their numbers.
fn numbers(chosen: impl Fn(usize, &Row) -> bool) -> Vec<usize> {
    rows(SPANS, 60).iter().enumerate().filter(|(n, row)| chosen(*n, row)).map(|(n, _)| n).collect()
}

fn has(row: &Row, name: &str, value: &str) -> bool {
    row.get(name) == Some(&Cell::text(value))
}

/// The numbers of the spans in a user's store.
async fn stored(user: &User) -> Vec<usize> {
    let ran = user.run(&["query", "-q", "SELECT attributes.n AS n FROM spans ORDER BY n"]).await;
    ran.succeeded("stored");
    let number = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["n"].as_u64().unwrap() as usize;
    ran.stdout.lines().map(number).collect()
}

/// The arguments, the filter that is sent, and the spans that match, by number.
type Case = (&'static [&'static str], Option<&'static str>, Vec<usize>);

fn cases() -> Vec<Case> {
    let trace = |n: usize| trace_id(2 * (n / 10) + n % 2);
    let third = "a0000000000000000000000000000003";
    vec![
        (&["--filter", "status_code = 'ERROR'"], Some("status_code = 'ERROR'"), numbers(|n, _| n % 7 == 0)),
        // Joined on the tree: the id holds for both sides of OR.
        (
            &["--filter", "status_code = 'ERROR' or name = 'step 0'", "--trace-id", "a0000000000000000000000000000003"],
            Some(
                "(status_code = 'ERROR' OR name = 'step 0') AND context.trace_id = 'a0000000000000000000000000000003'",
            ),
            numbers(|n, row| trace(n) == third && (n % 7 == 0 || has(row, "name", "step 0"))),
        ),
        (
            &["--filter", "trace_id = 'a0000000000000000000000000000001' OR status_code = 'ERROR'"],
            Some("(context.trace_id = 'a0000000000000000000000000000001' OR status_code = 'ERROR')"),
            numbers(|n, _| n % 7 == 0 || trace(n).ends_with("01")),
        ),
        (&["--trace-id", "x' OR 'a'='a"], Some("context.trace_id = 'x'' OR ''a''=''a'"), vec![]),
        (
            &["--session-id", "session 1"],
            Some("attributes.session.id = 'session 1'"),
            numbers(|_, row| has(row, "attributes.session.id", "session 1")),
        ),
        (
            &["--span-id", "5555555555555007", "--span-id", "5555555555555009"],
            Some("context.span_id IN ('5555555555555007', '5555555555555009')"),
            vec![7, 9],
        ),
        (
            &["--filter", "input CONTAINS 'question 9'"],
            Some("attributes.input.value CONTAINS 'question 9'"),
            numbers(|n, _| n == 9 || n >= 90),
        ),
        (&["--filter", "input CONTAINS 'QUESTION'"], Some("attributes.input.value CONTAINS 'QUESTION'"), vec![]),
        (
            &["--filter", "metadata.tier = 'paid' AND attributes.n < 4"],
            Some("attributes.metadata.tier = 'paid' AND attributes.n < 4"),
            vec![1, 3],
        ),
        (
            &["--span-kind", "llm", "--span-kind", "TOOL", "--status-code", "error"],
            Some("attributes.openinference.span.kind IN ('LLM', 'TOOL') AND status_code = 'ERROR'"),
            numbers(|n, _| n % 3 != 0 && n % 7 == 0),
        ),
        (
            &["--name", "step 0", "--name", "step 1", "--parent-id", "null"],
            Some(
                "name IN ('step 0', 'step 1') AND (parent_id IS NULL OR parent_id IN ('', '0', '00', '000', '0x0', \
                 '0x00', '0x000', '0X0', '0X00', '0X000') OR parent_id CONTAINS '0000')",
            ),
            numbers(|n, _| n % 10 < 2),
        ),
        (
            &["--attribute", "metadata.tier:paid", "--attribute", "n:7"],
            Some("attributes.metadata.tier = 'paid' AND attributes.n = 7"),
            vec![7],
        ),
        (&["--attribute", "metadata.tier:1"], None, vec![]),
        // What is deep in a text is looked for here alone.
        (&["--filter", "metadata.tier.deep = 'x' OR attributes.input.value.deep = 'y'"], None, vec![]),
        (&["--filter", "metadata.tier.deep IS NULL AND attributes.n = 7"], Some("attributes.n = 7"), vec![7]),
        // What nobody knows a remote's way of stays here.
        (&["--filter", "NOT status_code = 'OK'"], None, numbers(|n, _| n % 7 == 0)),
        (
            &["--filter", "name LIKE '%0' AND kind = 'LLM'"],
            Some("attributes.openinference.span.kind = 'LLM'"),
            numbers(|n, row| n % 3 == 1 && has(row, "name", "step 0")),
        ),
        (&["--oql", "name = \"step 0\""], None, numbers(|_, row| has(row, "name", "step 0"))),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_that_sends_more_adds_nothing() {
    let rogue = careless().await;
    for (arguments, filter, expected) in cases() {
        rogue.set(script(|_, batch| batch));
        let user = User::of_port(rogue.port);
        let ran = user.pull(arguments).await;
        ran.succeeded(&format!("{arguments:?}"));
        // The columns may have been asked for first.
        assert_eq!(sent(&rogue).last().unwrap().as_deref(), filter, "{arguments:?}");
        assert_eq!(stored(&user).await, expected, "{arguments:?}");
        let dropped = SPANS - expected.len();
        ran.says("the final line", &[" where ", &format!("received 100 ({dropped} do not match)")]);
        assert!(ran.stderr.contains(&format!("stored {}", expected.len())), "{arguments:?}: {ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_server_sends_what_matches() {
    let (_, server) = server().await;
    for (arguments, filter, expected) in cases() {
        let user = User::of_port(server.ready.flight_port);
        let ran = user.pull(arguments).await;
        ran.succeeded(&format!("{arguments:?}"));
        assert_eq!(stored(&user).await, expected, "{arguments:?}");
        if filter.is_some() && !arguments.concat().contains("LIKE") && !expected.is_empty() {
            ran.says("all match", &[&format!("received {}, stored {0}", expected.len())]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_that_ignores_case_adds_nothing() {
    let lenient = |filter: &str, batch: RecordBatch| {
        let part = filter.split('\'').nth(1).unwrap().to_lowercase();
        let texts = batch.column_by_name("attributes.input.value").unwrap().as_string::<i32>().clone();
        let keep: BooleanArray = texts.iter().map(|text| Some(text.unwrap().to_lowercase().contains(&part))).collect();
        filter_record_batch(&batch, &keep).unwrap()
    };
    let rogue = Rogue::start(script(lenient)).await;
    let user = User::of_port(rogue.port);
    user.pull(&["--filter", "input CONTAINS 'QUESTION 9'"]).await.succeeded("capitals");
    assert!(stored(&user).await.is_empty());
    let ran = user.pull(&["--filter", "input CONTAINS 'question 9'"]).await;
    ran.says("as written", &["received 11, stored 11"]);
    assert_eq!(stored(&user).await.len(), 11);
}

fn wrong(ran: &Ran, said: &[&str]) {
    assert_eq!(ran.code, Some(2), "{ran:?}");
    ran.says("usage", said);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_with_its_place() {
    let rogue = careless().await;
    let user = User::of_port(rogue.port);
    for (filter, said) in [
        ("status_code == 'ERROR'", &["error: filter, 1:"][..]),
        ("status_code = ERROR", &["write 'ERROR' in single quotes", "\n  status_code = ERROR\n                ^^^^^"]),
        ("stauts_code = 'x'", &["unknown column stauts_code; did you mean status_code?", "\n  ^^^^^^^^^^^"]),
        ("tree.depth = 1", &["tree.depth"]),
        ("start_time > 'last week'", &["last week"]),
        ("", &["the filter is empty"]),
    ] {
        wrong(&user.pull(&["--filter", filter]).await, said);
    }
    assert!(rogue.calls().is_empty(), "nothing was asked");
    wrong(
        &user.pull(&["--filter", "attributes.session.idd = 3"]).await,
        &[
            "no span has attributes.session.idd",
            "did you mean attributes.session.id?",
            "--allow-unknown reads it as null",
        ],
    );
    wrong(&user.pull(&["--trace-id", "a", "--span-id", "b"]).await, &["cannot be used with"]);
    wrong(&user.pull(&["--session-id", "a", "--span-id", "b"]).await, &["cannot be used with"]);
    wrong(&user.pull(&["--session-id", ""]).await, &["--session-id"]);
    let json = user.pull(&["--errors", "json", "--filter", "name = 'a' AND nmae = 'b'"]).await;
    assert_eq!(json.code, Some(2), "{json:?}");
    let error: serde_json::Value = serde_json::from_str(json.stderr.lines().last().unwrap()).unwrap();
    assert_eq!((&error["code"], &error["position"]["column"]), (&"unknown-column".into(), &16.into()), "{error}");
    assert_eq!(error["suggestion"], "name");
    assert!(!user.store().exists());
    let bold = user.pull(&["--filter", "attributes.session.idd IS NULL", "--allow-unknown"]).await;
    bold.succeeded("--allow-unknown");
    bold.says(
        "--allow-unknown",
        &["note: no span has attributes.session.idd (read as null); nearest: attributes.session.id"],
    );
    assert_eq!(stored(&user).await.len(), SPANS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_with_a_filter_is_the_remotes() {
    let (_, server) = server().await;
    let user = User::of_port(server.ready.flight_port);
    let ran = user.pull(&["--count", "--filter", "status_code = 'ERROR'"]).await;
    ran.succeeded("--count");
    assert_eq!(ran.stdout, "15\n");
    ran.says("--count", &["note: at most 15 match"]);
    let none = user.pull(&["--count", "--trace-id", "nobody"]).await;
    assert_eq!((none.stdout.as_str(), none.stderr.contains("at most")), ("0\n", false), "{none:?}");
    assert!(!user.store().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_sees_columns_that_are_not_wanted() {
    for real in [true, false] {
        let ((_, server), rogue) = (server().await, careless().await);
        let user = User::of_port(if real { server.ready.flight_port } else { rogue.port });
        let filter = "metadata.tier = 'paid' AND latency_ms > 1000 AND attributes.n < 6 AND input LIKE '%'";
        user.pull(&["--columns", "name,attributes.n", "--filter", filter]).await.succeeded("columns");
        assert_eq!(stored(&user).await, [1, 3, 5], "{real}");
        assert_eq!(user.pulls("columns[1] || columns[2]").await, ["attributes.nname"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_counts_what_matches() {
    let ((_, server), rogue) = (server().await, careless().await);
    for port in [server.ready.flight_port, rogue.port] {
        let user = User::of_port(port);
        let ran = user.pull(&["--filter", "status_code = 'ERROR'", "--limit", "4"]).await;
        ran.succeeded("--limit");
        ran.says("--limit", &["stored 4", "note: this is a sample"]);
        assert_eq!(stored(&user).await.len(), 4);
        assert!(stored(&user).await.iter().all(|n| n % 7 == 0));
        // More than there are is no limit.
        let ran = user.pull(&["--filter", "status_code = 'ERROR'", "--limit", "40"]).await;
        assert!(!ran.stderr.contains("sample"), "{ran:?}");
        assert_eq!(stored(&user).await, numbers(|n, _| n % 7 == 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_the_spans_is_never_taken_for_all() {
    let (_, server) = server().await;
    let user = User::of_port(server.ready.flight_port);
    let errors = &["--filter", "status_code  =  'ERROR'"];
    user.pull(errors).await.succeeded("first");
    assert_eq!(user.pulls("filter").await, ["status_code = 'ERROR'"]);
    let query = user.run(&["query", "SELECT count(*) AS n FROM spans"]).await;
    assert_eq!(query.stdout, "{\"n\":15}\n");
    query.says(
        "a part",
        &["incomplete: project checkout of arize: holds only the spans that match status_code = 'ERROR', of"],
    );
    let strict = user.run(&["query", "--require-complete", "SELECT count(*) AS n FROM spans"]).await;
    assert_eq!(strict.code, Some(4), "{strict:?}");
    user.pull(&["--filter", "status_code = 'ERROR'", "--require-complete"]).await.succeeded("it came");

    // Another filter, and none: each asks for the whole window.
    let other = user.pull(&["--filter", "status_code = 'OK' AND attributes.n < 10"]).await;
    other.says("another", &["stored 8 (8 new, 0 updated)"]);
    let whole = user.pull(&[]).await;
    whole.says("whole", &["received 100, stored 100 (77 new, 0 updated)"]);
    let query = user.run(&["query", "--require-complete", "SELECT count(*) AS n FROM spans"]).await;
    query.succeeded("whole");
    assert!(!query.stderr.contains("incomplete"), "{query:?}");

    // What is new by a filter says nothing of what is new.
    let user = User::of_port(server.ready.flight_port);
    user.pull(errors).await.succeeded("first");
    let new = user.run(&["pull", "arize", PROJECT, "--new", "--filter", "status_code = 'ERROR'"]).await;
    new.succeeded("new of the same");
    assert!(!new.stderr.contains("30 days") && !new.stderr.contains("(1"), "{new:?}");
    assert!(new.stderr.contains("from 2026-01-01T12:00:00Z"), "{new:?}");
    let new = user.run(&["pull", "arize", PROJECT, "--new"]).await;
    assert!(!new.stderr.contains("from 2026-01-01T12:00:00Z"), "{new:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_pull_is_taken_up_by_the_same_filter_only() {
    // Twenty spans of one hour come, then the server fails for good.
    let rogue = careless().await;
    let user = User::of_port(rogue.port);
    let batch = wire(&rows(SPANS, 800));
    let fail = |call: &Call, batch: &RecordBatch| match call.window().start
        >= super::support::BASE_TIME + 43_200_000_000_000
    {
        true => Answer::Status(tonic::Status::permission_denied("no")),
        false => Answer::Play(Play::of(&call.spans_of(batch)).announcing(-1)),
    };
    let first = batch.clone();
    rogue.set(move |call| match call.window().length() > 43_200_000_000_000 {
        // What columns there are, is asked of more than a day.
        true if call.window().length() > 86_400_000_000_000 => Answer::Play(Play::of(&call.spans_of(&first))),
        // Too many at once: cut in two.
        true => Answer::Play(Play::of(&call.spans_of(&first)).announcing(90_000_000)),
        false => fail(call, &first),
    });
    let errors = ["--filter", "status_code = 'ERROR'"];
    let broken = user.pull(&[&errors[..], &["--jobs", "1"]].concat()).await;
    broken.failed("broken", &["landed", "may not read"]);
    rogue.set(move |call| Answer::Play(Play::of(&call.spans_of(&batch))));
    let other = user.pull(&["--filter", "status_code = 'OK'"]).await;
    other.succeeded("another filter");
    assert!(!other.stderr.contains("going on"), "{other:?}");
    let again = user.pull(&errors).await;
    again.says("the same", &["note: going on with the pull of"]);
    assert_eq!(stored(&user).await.len(), SPANS);
}

#[tokio::test(flavor = "multi_thread")]
async fn live_tables_say_and_check_the_same() {
    let ((_, server), rogue) = (server().await, careless().await);
    let from = "FROM arize.checkout WHERE start_time >= '2026-01-01' AND start_time < '2026-01-02' \
                AND status_code = 'ERROR' AND NOT name = 'step 0' AND input CONTAINS 'question'";
    let expected = numbers(|n, row| n % 7 == 0 && !has(row, "name", "step 0")).len();
    let traces = "FROM traces_where('attributes.n = 7 OR attributes.n = 96', 'arize.checkout') \
                  WHERE start_time >= '2026-01-01' AND start_time < '2026-01-02'";
    for port in [server.ready.flight_port, rogue.port] {
        rogue.set(script(|_, batch| batch));
        let user = User::of_port(port);
        let plan = user.run(&["query", "-o", "csv", &format!("EXPLAIN SELECT name {from}")]).await;
        plan.succeeded("EXPLAIN");
        let said = "filterExpression: status_code = 'ERROR' AND attributes.input.value CONTAINS 'question'";
        assert!(plan.stdout.contains(said) && plan.stdout.contains("FilterExec: "), "{plan:?}");
        assert!(plan.stdout.contains("rest=[") && plan.stdout.contains("name"), "{plan:?}");
        for (sql, expected) in [
            (format!("SELECT count(*) AS n {from}"), expected),
            (format!("SELECT count(*) AS n {traces}"), 10),
            (format!("SELECT count(DISTINCT trace_id) AS n {traces}"), 2),
        ] {
            let ran = user.run(&["query", &sql]).await;
            ran.succeeded(&sql);
            assert_eq!(ran.stdout, format!("{{\"n\":{expected}}}\n"), "{sql}");
        }
        if port == rogue.port {
            let asked: Vec<String> = sent(&rogue).into_iter().flatten().collect();
            let ids = "context.trace_id IN ('a0000000000000000000000000000001', 'a0000000000000000000000000000012')";
            assert!(asked.contains(&"attributes.n IN (7, 96)".to_owned()), "{asked:?}");
            assert!(asked.contains(&ids.to_owned()), "{asked:?}");
        }
    }
}
