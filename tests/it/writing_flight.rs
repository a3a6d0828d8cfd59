//! Writing at Arize over Flight: the command line against `spanql serve`, and what comes back.

use std::sync::Arc;

use serde_json::{Value, json};
use spanql::serve::{Settings, Token};
use spanql::store::Store;

use super::pull_support::{PROJECT, Ran, User, plaintext, rows, span_id, trace_id};
use super::serve_support::{KEY, Running};
use super::support::{ask_rows, batch, engine, import};

/// A store of ten spans that is served, and a user who knows the server, over Flight alone where that is said.
async fn served(only_flight: bool) -> (Arc<Store>, Running, User) {
    let store = Arc::new(Store::open("memory://").unwrap());
    import(&store, &[batch(&rows(10, 1))]).await.unwrap();
    let server = Running::start(&store, Settings { token: Token::new(KEY), ..Settings::default() }).await;
    let mut user = User::new(plaintext(server.ready.flight_port));
    user.set("ARIZE_API_KEY", KEY);
    user.set("ARIZE_SPACE_ID", server.ready.space_id.clone());
    if !only_flight {
        user.set("ARIZE_API_HOST", "127.0.0.1");
        user.set("ARIZE_API_SCHEME", "http");
        user.set("ARIZE_API_PORT", server.ready.http_port.to_string());
    }
    (store, server, user)
}

async fn to_arize(user: &User, words: &[&str], rows: &[Value]) -> Ran {
    let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
    std::fs::write(user.dir().join("home/rows.jsonl"), lines.join("\n")).unwrap();
    let all = [&["--project", PROJECT, "spans"], words, &["rows.jsonl", "--to=arize", "--failed=left.jsonl"]].concat();
    user.run(&[&all[..], &["-o", "json"]].concat()).await
}

fn left(user: &User) -> Vec<Value> {
    let text = std::fs::read_to_string(user.dir().join("home/left.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn answer(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

/// The one value that a statement gives.
async fn one(store: &Store, sql: &str) -> Option<String> {
    let rows = ask_rows(&engine(store.snapshot().await.unwrap()).await, sql).await.unwrap();
    assert_eq!(rows.len(), 1, "{sql}: {rows:?}");
    rows[0].get("v").cloned()
}

#[tokio::test(flavor = "multi_thread")]
async fn evaluations_annotations_and_metadata_come_back() {
    let (store, _server, user) = served(true).await;
    let (first, second, ghost) = (span_id(0), span_id(1), "f".repeat(16));
    let of = |sql: &str| format!("SELECT {sql} AS v FROM spans WHERE context.span_id = '{first}'");

    let rows = [
        json!({"span_id": first, "name": "Right", "label": "no", "score": 0.25, "explanation": "made up"}),
        json!({"span_id": ghost, "name": "Right", "label": "lost"}),
    ];
    let ran = to_arize(&user, &["evaluate"], &rows).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    ran.says("an unknown id", &["1 id of 2 failed", &ghost]);
    let said = answer(&ran);
    assert_eq!((&said["spans_updated"], &said["spans_failed"]), (&json!(1), &json!(1)));
    assert_eq!(said["errors"][0]["span_id"], json!(ghost));
    assert_eq!(one(&store, &of("eval.\"Right\".score")).await.as_deref(), Some("0.25"));
    // The rest is taken again as it is kept, once the span is there.
    let kept = left(&user);
    assert_eq!((kept.len(), &kept[0]["context.span_id"]), (1, &json!(ghost)));
    let again: Vec<Value> = kept
        .into_iter()
        .map(|mut row| {
            row["context.span_id"] = json!(second);
            row
        })
        .collect();
    let ran = to_arize(&user, &["evaluate"], &again).await;
    ran.succeeded("what was kept");
    assert_eq!(left(&user), Vec::<Value>::new());

    // Parts that are not said stay, and notes go behind those that are there, each once.
    for text in ["seen", "seen again", "seen"] {
        let rows = [
            json!({"span_id": first, "name": "Right", "label": "yes"}),
            json!({"span_id": first, "name": "notes", "text": text}),
        ];
        to_arize(&user, &["annotate", "--flight"], &rows).await.succeeded("an annotation");
    }
    let rows = [json!({"span_id": first, "name": "Right", "score": 1})];
    to_arize(&user, &["annotate", "--flight"], &rows).await.succeeded("a score");
    assert_eq!(one(&store, &of("annotation.\"Right\".label")).await.as_deref(), Some("yes"));
    assert_eq!(one(&store, &of("annotation.\"Right\".score")).await.as_deref(), Some("1"));
    let notes: Value = serde_json::from_str(&one(&store, &of("annotation.notes")).await.unwrap()).unwrap();
    let texts: Vec<&Value> = notes.as_array().unwrap().iter().map(|note| &note["text"]).collect();
    assert_eq!(texts, ["seen", "seen again"]);

    let rows = [
        json!({"span_id": first, "patch_document": {"tier": "gold", "checked": true, "none": null, "list": [1, {"a": 2}]}}),
        json!({"span_id": ghost, "patch_document": {"tier": "lost"}}),
    ];
    let ran = to_arize(&user, &["metadata"], &rows).await;
    assert_eq!(
        (ran.code, &answer(&ran)["errors"]),
        (Some(1), &json!([{"span_id": ghost, "error_message": "segment_not_found"}]))
    );
    assert_eq!(left(&user), [json!({"context.span_id": ghost, "patch_document": {"tier": "lost"}})]);
    let metadata: Value = serde_json::from_str(&one(&store, &of("attributes.metadata")).await.unwrap()).unwrap();
    assert_eq!(metadata, json!({"tier": "gold", "checked": "True", "none": null, "list": "[1,{\"a\":2}]"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn rest_refuses_what_flight_takes_in_part() {
    let (store, _server, user) = served(false).await;
    let (first, ghost) = (span_id(0), "f".repeat(16));
    let rows =
        [json!({"span_id": first, "name": "Q", "label": "x"}), json!({"span_id": ghost, "name": "Q", "label": "x"})];
    let window = ["--start-time", "2026-01-01"];
    let version = store.snapshot().await.unwrap().manifest.version;
    let ran = to_arize(&user, &[&["annotate"], &window[..]].concat(), &rows).await;
    assert_eq!((ran.code, left(&user).len()), (Some(1), 2), "{ran:?}");
    assert_eq!(store.snapshot().await.unwrap().manifest.version, version);
    to_arize(&user, &[&["annotate"], &window[..]].concat(), &rows[..1]).await.succeeded("those that are there");
    // A trace goes by its root, which is asked for.
    let trace = [json!({"trace_id": trace_id(1), "name": "Whole", "label": "fine"})];
    to_arize(&user, &[&["annotate", "--grain=trace"], &window[..]].concat(), &trace).await.succeeded("a trace");
    let root = format!(
        "SELECT parent_id AS v FROM spans WHERE annotation.\"Whole\".label = 'fine' AND context.trace_id = '{}'",
        trace_id(1)
    );
    assert_eq!(one(&store, &root).await, None);
    let nowhere = [json!({"trace_id": "f".repeat(32), "name": "Whole", "label": "fine"})];
    let ran = to_arize(&user, &[&["annotate", "--grain=trace"], &window[..]].concat(), &nowhere).await;
    ran.failed("a trace that is not there", &["no root of trace"]);
    let delete = ["--project", PROJECT, "spans", "delete", "--to=arize", "--yes", &first, &ghost];
    let ran = user.run(&[&delete[..], &window, &["-o", "json"]].concat()).await;
    ran.succeeded("a deletion");
    assert_eq!(answer(&ran)["spans_updated"], json!(1));
    assert_eq!(one(&store, "SELECT count(*) AS v FROM spans").await.as_deref(), Some("9"));
}
