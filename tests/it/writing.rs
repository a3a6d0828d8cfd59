//! Writing at remotes: what is sent, in which portions, what became of it, and what is left to send again.

use serde_json::{Value, json};

use super::pull_support::User;
use super::writing_standin::{PROJECT_ID, Standin};

/// A user of the stand-in, with these rows in `rows.jsonl` of the home directory.
fn user(standin: &Standin, rows: &[Value]) -> User {
    let user = User::new(standin.variables());
    write(&user, rows);
    user
}

fn write(user: &User, rows: &[Value]) {
    let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
    std::fs::write(user.dir().join("home/rows.jsonl"), lines.join("\n")).unwrap();
}

fn kept(user: &User) -> Vec<Value> {
    let text = std::fs::read_to_string(user.dir().join("home/left.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn answer(stdout: &str) -> Value {
    serde_json::from_str(stdout).unwrap()
}

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("a{n:015}")).collect()
}

fn known(ids: &[String]) -> Vec<&str> {
    ids.iter().map(String::as_str).collect()
}

fn labels(ids: &[String]) -> Vec<Value> {
    ids.iter().map(|id| json!({"span_id": id, "name": "Quality", "label": "good", "score": 1})).collect()
}

const TO_ARIZE: [&str; 6] = ["--project", "shop", "spans", "annotate", "rows.jsonl", "--to=arize"];

#[tokio::test(flavor = "multi_thread")]
async fn arize_takes_records_by_the_thousand_and_names_what_was_taken() {
    let ids = ids(2_300);
    let standin = Standin::start(&known(&ids)).await;
    let user = user(&standin, &labels(&ids));
    let ran = user.run(&[&TO_ARIZE[..], &["-o", "json", "--days", "3"]].concat()).await;
    ran.succeeded("2,300 records");
    let expected = json!({"spans_processed": 2300, "spans_updated": 2300, "spans_failed": 0, "errors": []});
    assert_eq!(answer(&ran.stdout), expected);
    let taken = standin.taken();
    let sizes: Vec<usize> = taken.iter().map(|(_, body)| body["annotations"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [1000, 1000, 300]);
    let first = &taken[0].1;
    assert_eq!((&first["project_id"], first["start_time"].is_string()), (&json!(PROJECT_ID), true));
    let record = json!({"record_id": ids[0], "values": [{"name": "Quality", "label": "good", "score": 1.0}]});
    assert_eq!(first["annotations"][0], record);

    // The second request fails for good: the first is taken, and the rest is kept for another time.
    standin.change(|state| state.faults = [0, 422].into());
    let ran = user.run(&[&TO_ARIZE[..], &["-o", "json", "--failed", "left.jsonl"]].concat()).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    ran.says("a broken write", &["1 of 3 requests were taken", "1,000 ids", "left.jsonl"]);
    assert_eq!(answer(&ran.stdout)["spans_failed"], 1300);
    assert_eq!(kept(&user).len(), 1300);
    let sent_first = standin.taken();
    assert_eq!(sent_first.len(), 1);
    std::fs::rename(user.dir().join("home/left.jsonl"), user.dir().join("home/rows.jsonl")).unwrap();
    user.run(&TO_ARIZE).await.succeeded("the rest");
    let rest: usize = standin.taken().iter().map(|(_, body)| body["annotations"].as_array().unwrap().len()).sum();
    assert_eq!(rest, 1300);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_pass_is_sent_again_and_an_unknown_id_is_told() {
    let ids = ids(3);
    let standin = Standin::start(&known(&ids)).await;
    let user = user(&standin, &labels(&ids));
    standin.change(|state| state.faults = [503, 429].into());
    user.run(&TO_ARIZE).await.succeeded("after two refusals");
    assert_eq!(standin.taken().len(), 1);
    write(&user, &labels(&["a000000000000000".into(), "ffffffffffffffff".into()]));
    let ran = user.run(&[&TO_ARIZE[..], &["-o", "json"]].concat()).await;
    assert_eq!(ran.code, Some(1));
    ran.says("an unknown id", &["spans not found", "ffffffffffffffff"]);
    assert_eq!(standin.taken(), []);
    let ran = user.run(&[&TO_ARIZE[..], &["--dry-run"]].concat()).await;
    ran.succeeded("a dry run");
    assert_eq!(standin.taken(), []);
    let shown = answer(&ran.stdout);
    assert_eq!((&shown["method"], &shown["path"]), (&json!("POST"), &json!("/v2/spans/annotate")));
    assert_eq!(shown["body"]["annotations"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_go_by_the_hundred() {
    let ids: Vec<String> = (0..150).map(|n| format!("session {n}")).collect();
    let standin = Standin::start(&known(&ids)).await;
    let rows: Vec<Value> = ids.iter().map(|id| json!({"session_id": id, "name": "Happy", "label": "yes"})).collect();
    let user = user(&standin, &rows);
    user.run(&[&TO_ARIZE[..], &["--grain", "session"]].concat()).await.succeeded("sessions");
    let taken = standin.taken();
    assert_eq!(taken.iter().map(|(_, body)| body["granularity"].clone()).collect::<Vec<_>>(), ["SESSION", "SESSION"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn arize_deletes_until_all_is_gone() {
    let ids = ids(5);
    let standin = Standin::start(&known(&ids)).await;
    standin.change(|state| state.at_once = 2);
    let user = user(&standin, &[]);
    let delete = ["--project", "shop", "spans", "delete", "--to", "arize"];
    let ran = user.run(&[&delete[..], &known(&ids), &["nope"]].concat()).await;
    assert_eq!(ran.code, Some(2), "without a terminal: {ran:?}");
    let ran = user.run(&[&delete[..], &known(&ids), &["nope", "--yes", "-o", "json"]].concat()).await;
    ran.succeeded("five spans");
    assert_eq!(answer(&ran.stdout)["spans_updated"], 5);
    ran.says("what was not there", &["1 span not there"]);
    assert_eq!(standin.taken().len(), 3);
    // A server that gives up in between has deleted some all the same.
    standin.change(|state| {
        state.known = ids.iter().cloned().collect();
        state.gives_up = Some(503);
    });
    let ran = user.run(&[&delete[..], &known(&ids), &["--yes", "-o", "json"]].concat()).await;
    ran.succeeded("a server that gives up");
    assert_eq!((&answer(&ran.stdout)["spans_updated"], standin.taken().len()), (&json!(5), 3));
    standin.change(|state| {
        state.known = ids.iter().cloned().collect();
        (state.at_once, state.gives_up) = (0, None);
    });
    let ran = user.run(&[&delete[..], &known(&ids), &["--yes", "-o", "json"]].concat()).await;
    assert_eq!((ran.code, &answer(&ran.stdout)["spans_failed"]), (Some(1), &json!(5)), "no progress: {ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn phoenix_takes_what_it_knows_and_the_rest_is_told() {
    let ids = ids(450);
    let standin = Standin::start(&known(&ids[..440])).await;
    let mut rows = labels(&ids);
    rows.push(json!({"span_id": ids[0], "name": "notes", "text": "seen"}));
    let user = user(&standin, &rows);
    let to_phoenix =
        ["--project", "shop", "spans", "annotate", "rows.jsonl", "--to", "phoenix", "--failed", "left.jsonl"];
    let ran = user.run(&[&to_phoenix[..], &["-o", "json"]].concat()).await;
    assert_eq!((ran.code, &answer(&ran.stdout)["spans_failed"]), (Some(1), &json!(10)), "{ran:?}");
    let left: Vec<Value> = kept(&user).iter().map(|row| row["context.span_id"].clone()).collect();
    assert_eq!(left, ids[440..].iter().map(|id| json!(id)).collect::<Vec<_>>());
    let taken = standin.taken();
    let sizes: Vec<usize> = taken.iter().filter_map(|(_, body)| body["data"].as_array()).map(Vec::len).collect();
    assert_eq!(sizes, [200, 200, 40]);
    let annotation = json!({
        "span_id": ids[0], "name": "Quality", "annotator_kind": "HUMAN", "identifier": "spanql",
        "result": {"label": "good", "score": 1.0},
    });
    assert_eq!(taken[0].1["data"][0], annotation);
    let note = ("POST /v1/span_notes".to_owned(), json!({"data": {"span_id": ids[0], "note": "seen"}}));
    assert_eq!(taken.last(), Some(&note));
    // A note is not sent again when nobody knows whether it was taken.
    write(&user, &rows[450..]);
    standin.change(|state| state.faults = [503].into());
    let ran = user.run(&to_phoenix).await;
    assert_eq!((ran.code, standin.taken().len(), kept(&user).len()), (Some(1), 0, 1), "{ran:?}");
    let delete = ["--project", "shop", "spans", "delete", "--to", "phoenix", "--yes", &ids[0], "nope"];
    user.run(&delete).await.succeeded("a span");
    assert_eq!(standin.taken(), [(format!("DELETE /v1/spans/{}", ids[0]), Value::Null)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_phoenix_has_and_nobody_says_anew_stays() {
    let ids = ids(5);
    let standin = Standin::start(&known(&ids)).await;
    let result = |score: f64| json!({"label": "good", "score": score, "explanation": "as told"});
    let of = |at: usize, identifier: &str, result: Value| json!({"span_id": ids[at], "name": "Quality", "annotator_kind": "HUMAN", "identifier": identifier, "result": result});
    standin.change(|state| {
        state.annotated = (0..4).map(|at| of(at, "spanql", result(at as f64))).collect();
        // What others said is not touched, nor taken over.
        state.annotated.push(of(4, "", result(4.0)));
    });
    let rows: Vec<Value> = ids.iter().map(|id| json!({"span_id": id, "name": "Quality", "label": "bad"})).collect();
    let user = user(&standin, &rows);
    let to_phoenix = ["spans", "annotate", "rows.jsonl", "--to", "phoenix"];
    user.run(&[&["--project", "shop"], &to_phoenix[..]].concat()).await.succeeded("labels alone");
    let taken = standin.taken();
    let sent: Vec<&Value> = taken[0].1["data"].as_array().unwrap().iter().map(|row| &row["result"]).collect();
    for (at, result) in sent[..4].iter().enumerate() {
        assert_eq!(**result, json!({"label": "bad", "score": at as f64, "explanation": "as told"}));
    }
    assert_eq!(*sent[4], json!({"label": "bad"}));
    // Of a project that is not there, nobody knows what it has.
    let ran = user.run(&[&["--project", "shep"], &to_phoenix[..]].concat()).await;
    assert_eq!((ran.code, standin.taken().len()), (Some(1), 0), "{ran:?}");
    ran.says("another project", &["shop"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn opik_takes_scores_and_comments() {
    let ids = ids(3);
    let standin = Standin::start(&known(&ids)).await;
    let rows = [
        json!({"span_id": ids[0], "name": "accuracy", "label": "good", "score": 0.9, "text": "ok"}),
        json!({"span_id": ids[1], "name": "accuracy", "score": 0}),
        json!({"span_id": ids[1], "name": "notes", "text": "looks wrong"}),
    ];
    let user = user(&standin, &rows);
    let to_opik = ["--project", "demo", "spans", "annotate", "rows.jsonl", "--to", "opik"];
    user.run(&to_opik).await.succeeded("scores");
    let first = json!({
        "id": ids[0], "project_name": "demo", "name": "accuracy", "category_name": "good", "value": 0.9, "reason": "ok",
        "source": "sdk",
    });
    let second = json!({"id": ids[1], "project_name": "demo", "name": "accuracy", "value": 0.0, "source": "sdk"});
    let expected = [
        ("PUT /api/v1/private/spans/feedback-scores".to_owned(), json!({"scores": [first, second]})),
        (format!("POST /api/v1/private/spans/{}/comments", ids[1]), json!({"text": "looks wrong"})),
    ];
    assert_eq!(standin.taken(), expected);
    // What it cannot hold is said before anything is sent.
    write(&user, &[rows[0].clone(), json!({"span_id": ids[1], "name": "accuracy", "label": "bad"})]);
    user.run(&to_opik).await.failed("no score", &["has no score"]);
    assert_eq!(standin.taken(), []);
}
