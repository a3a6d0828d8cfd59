//! Opik through the binary: pulled, read live, listed; and what goes wrong on the way.

#[path = "../../src/sources/opik/standin.rs"]
#[allow(dead_code, reason = "the tests of the crate use more of it")]
pub(crate) mod standin;

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use spanql::store::Store;

use self::standin::{Fault, KEY, Standin, WORKSPACE};
use super::pull_support::{Ran, User};

const DAY: [&str; 4] = ["--start-time", "2025-01-01", "--end-time", "2025-01-02"];
/// The same day as a condition.
const OF_DAY: &str = "start_time >= '2025-01-01' AND start_time < '2025-01-02'";

fn trace_id(trace: usize) -> String {
    format!("0190{trace:04x}-0000-7000-8000-000000000000")
}

fn span_id(trace: usize, span: usize) -> String {
    format!("0190{trace:04x}-0000-7000-8000-{:012x}", span + 1)
}

/// A trace and its spans: a top one, below it calls of a model, and a failed tool. All start with the trace.
fn rows(trace: usize, start: &str, end: &str) -> (Json, Vec<Json>) {
    let root = json!({
        "id": trace_id(trace), "name": "answer", "start_time": start, "end_time": end,
        "thread_id": format!("thread {}", trace / 2), "input": {"question": format!("what is {trace}?")},
        "output": {"answer": "it is"}, "usage": {"total_tokens": 30}, "tags": ["t"],
        "feedback_scores": [{"name": "Answer Relevance", "value": 0.5, "source": "online_scoring", "reason": "so"}]
    });
    let span = |span: usize, kind: &str| {
        let mut row = json!({
            "id": span_id(trace, span), "trace_id": trace_id(trace), "name": format!("{kind} {span}"), "type": kind,
            "parent_span_id": if span == 0 { Json::Null } else { json!(span_id(trace, 0)) },
            "start_time": start, "end_time": end, "project_name": "demo", "metadata": {"step": span}
        });
        if kind == "llm" {
            row["model"] = json!("gpt-4o");
            row["usage"] = json!({"prompt_tokens": 4, "completion_tokens": 6, "total_tokens": 10});
        }
        if kind == "tool" {
            row["error_info"] = json!({"exception_type": "IOError", "message": "no such file", "traceback": "line 1"});
        }
        row
    };
    let spans = ["general", "llm", "llm", "llm", "tool"].iter().enumerate().map(|(at, kind)| span(at, kind));
    (root, spans.collect())
}

fn standin_of(all: Vec<(Json, Vec<Json>)>) -> Standin {
    let (traces, spans): (Vec<Json>, Vec<Vec<Json>>) = all.into_iter().unzip();
    Standin::new(traces, spans.concat())
}

/// Ten traces in one minute.
fn standin() -> Standin {
    let instant = |second: usize| format!("2025-01-01T12:00:{second:02}Z");
    standin_of((0..10).map(|trace| rows(trace, &instant(trace), &instant(trace + 2))).collect())
}

fn user(standin: &Standin) -> User {
    User::new(vec![
        ("OPIK_URL_OVERRIDE", standin.url.clone()),
        ("OPIK_API_KEY", KEY.to_owned()),
        ("OPIK_WORKSPACE", WORKSPACE.to_owned()),
    ])
}

async fn pull(user: &User, arguments: &[&str]) -> Ran {
    user.run(&[&["pull", "opik", "demo"], &DAY[..], arguments].concat()).await
}

/// The lines of an answer.
async fn ask(user: &User, sql: &str) -> Vec<String> {
    let ran = user.run(&["query", "-q", sql]).await;
    assert_eq!(ran.code, Some(0), "{sql}: {ran:?}");
    ran.stdout.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_pull_makes_one_tree_of_each_trace() {
    let (standin, user) = {
        let standin = standin();
        let user = user(&standin);
        (standin, user)
    };
    let ran = pull(&user, &["--require-complete"]).await;
    ran.succeeded("pull");
    ran.says("pull", &["announced 60, received 60, stored 60 (60 new, 0 updated)"]);
    assert!(!ran.stderr.contains(KEY), "{}", ran.stderr);
    for (sql, lines) in [
        (
            "SELECT count(*) AS n, sum(span_count) AS spans, sum(root_count) AS roots, sum(orphan_count) AS orphans, \
             max(max_depth) AS depth, sum(total_tokens) AS tokens, sum(error_count) AS errors FROM traces",
            vec![r#"{"n":10,"spans":60,"roots":10,"orphans":0,"depth":3,"tokens":300,"errors":10}"#],
        ),
        ("SELECT count(*) AS sessions, sum(span_count) AS spans FROM sessions", vec![r#"{"sessions":5,"spans":60}"#]),
        (
            "SELECT kind, count(*) AS n FROM spans GROUP BY kind ORDER BY n DESC, kind",
            vec![r#"{"kind":"LLM","n":30}"#, r#"{"kind":"CHAIN","n":20}"#, r#"{"kind":"TOOL","n":10}"#],
        ),
        (
            "SELECT count(*) AS n, avg(annotation.\"Answer Relevance\".score) AS score FROM spans \
             WHERE opik.entity = 'trace' AND parent_id IS NULL AND trace_id = span_id",
            vec![r#"{"n":10,"score":0.5}"#],
        ),
        (
            "SELECT DISTINCT source, project, attributes.exception.type AS type FROM spans WHERE status_code = 'ERROR'",
            vec![r#"{"source":"opik","project":"demo","type":"IOError"}"#],
        ),
    ] {
        assert_eq!(ask(&user, sql).await, lines, "{sql}");
    }
    // Again, it brings nothing new.
    let ran = pull(&user, &["--jobs", "1"]).await;
    ran.succeeded("again");
    assert_eq!(ask(&user, "SELECT count(*) AS n FROM spans").await, [r#"{"n":60}"#]);
    standin.asked("");
}

#[tokio::test]
async fn without_trace_rows_top_spans_are_the_roots() {
    let standin = standin();
    let user = user(&standin);
    pull(&user, &["--no-trace-row", "--require-complete"]).await.succeeded("pull");
    let sql = "SELECT count(*) AS n, sum(span_count) AS spans, sum(root_count) AS roots, max(max_depth) AS depth, \
               count(session_id) AS sessions FROM traces";
    assert_eq!(ask(&user, sql).await, [r#"{"n":10,"spans":50,"roots":10,"depth":2,"sessions":10}"#]);
    // What was left out is known to be missing: it is brought by a pull that leaves out nothing.
    pull(&user, &["--require-complete"]).await.succeeded("with the traces");
    let sql = "SELECT span_count, count(*) AS n FROM traces GROUP BY 1";
    assert_eq!(ask(&user, sql).await, [r#"{"span_count":6,"n":10}"#]);
    standin.asked("");
}

#[tokio::test]
async fn projects_are_listed_and_live_tables_read() {
    let standin = standin();
    standin.add_project("a/b?c#d");
    let user = user(&standin);
    let ran = user.run(&["projects", "opik", "-o", "jsonl"]).await;
    ran.succeeded("projects");
    let names: Vec<String> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Json>(line).unwrap()["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["a/b?c#d", "demo"]);
    let count = |rest: &str| format!("SELECT count(*) AS n FROM opik.demo WHERE {OF_DAY}{rest}");
    assert_eq!(ask(&user, &count("")).await, [r#"{"n":60}"#]);
    assert_eq!(ask(&user, &count(" AND kind = 'LLM' AND total_tokens > 5")).await, [r#"{"n":30}"#]);
    assert_eq!(ask(&user, &count(" AND session_id = 'thread 1'")).await, [r#"{"n":12}"#]);
    let limited = format!("SELECT name FROM opik.demo WHERE {OF_DAY} LIMIT 3");
    assert_eq!(ask(&user, &limited).await.len(), 3);
    let explained =
        user.run(&["query", &format!("EXPLAIN SELECT name FROM opik.demo WHERE {OF_DAY} AND kind = 'LLM'")]).await;
    explained.succeeded("explain");
    assert!(explained.stdout.contains("POST /v1/private/spans/search"), "{}", explained.stdout);
    assert!(!explained.stdout.contains("traces/search"), "{}", explained.stdout);
    let missing = user.run(&["pull", "opik", "demmo"]).await;
    missing.failed("a project that is not there", &["did you mean demo?"]);
    let odd = user.run(&[&["pull", "opik", "a/b?c#d"], &DAY[..]].concat()).await;
    odd.succeeded("a name with signs");
    standin.asked("");
}

#[tokio::test]
async fn a_stream_that_fails_is_no_complete_pull() {
    let standin = standin();
    let user = user(&standin);
    // As often as it is tried again, and that again.
    (0..40).for_each(|_| standin.fail("/spans/search", Fault::FailedRow(0)));
    let ran = pull(&user, &["--timeout", "2s"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    ran.says("pull", &["it failed while it answered", "Streaming operation timed out"]);
    assert_eq!(ask(&user, "SELECT count(*) AS n FROM spans").await, [r#"{"n":0}"#], "no half of a slice lands");
    let standin = self::standin();
    let mut user = user;
    user.set("OPIK_URL_OVERRIDE", standin.url.clone());
    standin.fail("/spans/search", Fault::Cut(7));
    standin.fail("/traces/search", Fault::Status(429, &[("RateLimit-Reset", "1")]));
    let ran = pull(&user, &["--require-complete"]).await;
    ran.succeeded("with faults that pass");
    assert_eq!(ask(&user, "SELECT count(*) AS n FROM spans").await, [r#"{"n":60}"#]);
}

#[tokio::test]
async fn keys_that_are_not_accepted_are_not_shown() {
    let standin = standin();
    let mut user = user(&standin);
    user.set("OPIK_API_KEY", "opik-other-key-9c2e");
    let ran = pull(&user, &[]).await;
    ran.failed("a wrong key", &["the key is not accepted"]);
    assert!(!ran.stderr.contains("opik-other-key-9c2e"), "{}", ran.stderr);
    user.set("OPIK_API_KEY", KEY);
    user.set("OPIK_WORKSPACE", "other");
    pull(&user, &[]).await.failed("a wrong workspace", &["check OPIK_WORKSPACE"]);
    user.set("OPIK_URL_OVERRIDE", "");
    user.set("OPIK_API_KEY", "");
    pull(&user, &[]).await.failed("no key", &["OPIK_API_KEY"]);
}

#[tokio::test]
async fn a_pull_that_was_killed_goes_on_where_it_stopped() {
    // A trace on each of the last days: while some may still come in, none are announced, and days are pulled one by one.
    let date = |day: i64| (chrono::Utc::now() + chrono::TimeDelta::days(day - 5)).format("%Y-%m-%d").to_string();
    let (start, end) = (date(0), date(6));
    let days = (0..5)
        .map(|day| rows(day, &format!("{}T12:00:00Z", date(day as i64)), &format!("{}T13:00:00Z", date(day as i64))));
    let standin = standin_of(days.collect());
    let user = user(&standin);
    let arguments = ["pull", "opik", "demo", "--start-time", start.as_str(), "--end-time", end.as_str(), "--jobs", "1"];
    (0..2).for_each(|_| standin.fail("/spans/search", Fault::Fine));
    standin.fail("/spans/search", Fault::Silent);
    let mut command = user.command(&arguments);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let store = Store::open(&user.store().display().to_string()).unwrap();
    let began = Instant::now();
    while standin.asked("/spans/search").len() < 3
        || store.ledger().await.unwrap().pulls.first().is_none_or(|pull| pull.parts() < 2)
    {
        assert!(began.elapsed() < Duration::from_secs(60), "slices do not land");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let landed = ask(&user, "SELECT count(*) AS n FROM spans").await;
    assert_eq!(landed, [r#"{"n":12}"#]);
    let before = standin.asked("/spans/search").len();
    let ran = user.run(&[&arguments[..], &["--require-complete"]].concat()).await;
    ran.succeeded("again");
    ran.says("again", &["note: going on with the pull of "]);
    assert_eq!(ask(&user, "SELECT count(*) AS n FROM spans").await, [r#"{"n":30}"#]);
    let asked = &standin.asked("/spans/search")[before..];
    let from = asked.iter().filter_map(|asked| asked.body["filters"][0]["value"].as_str()).min().unwrap();
    assert_eq!(from, format!("{}T00:00:00Z", date(2)), "what had landed was asked for again");
}
