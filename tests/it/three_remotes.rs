//! Three remotes at once through the binary: asked in one statement, listed together, and pulled into one store.

#[path = "../../src/sources/phoenix/standin.rs"]
#[allow(dead_code, reason = "the tests of the crate use more of it")]
mod phoenix;

use std::sync::Arc;

use serde_json::json;
use spanql::store::{Progress, Store};

use super::opik::standin as opik;
use super::pull_support::User;
use super::serve_support::{KEY, Running};
use super::support::{BASE_TIME, Cell, Row, batch, row};
use phoenix::{Asked, Reply, StandIn};

const WINDOW: [&str; 4] = ["--start-time", "2026-01-01", "--end-time", "2026-01-02"];
const OF_WINDOW: &str = "start_time >= '2026-01-01' AND start_time < '2026-01-02'";
/// The key that Phoenix is asked with.
const PHOENIX_KEY: &str = "phoenix-secret-key-3b8e";

/// A call of a model with a cost, as the server for clients of Arize stores it.
fn call(span: &str, model: &str, cost: f64) -> Row {
    let mut row = row("shop", "a0000000000000000000000000000001", span);
    let mut set = |name: &str, cell: Cell| drop(row.insert(name.to_owned(), cell));
    set("name", Cell::text("call"));
    set("attributes.openinference.span.kind", Cell::text("LLM"));
    set("start_time", Cell::Time(BASE_TIME));
    set("end_time", Cell::Time(BASE_TIME + 1_000_000_000));
    set("attributes.llm.model_name", Cell::text(model));
    set("attributes.llm.cost.total", Cell::Float(cost));
    row
}

/// What Phoenix answers: one project with one span.
fn answer(asked: &Asked) -> Reply {
    let span = json!({
        "id": "U3Bhbjox", "name": "call", "context": {"trace_id": "b1", "span_id": "b2"}, "span_kind": "LLM",
        "parent_id": null, "start_time": "2026-01-01T10:00:00+00:00", "end_time": "2026-01-01T10:00:01+00:00",
        "status_code": "OK", "status_message": "", "events": [],
        "attributes": {"llm.model_name": "gpt-4o", "llm.cost.total": 1.5}
    });
    Reply::Json(
        match asked.path.as_str() {
            "/v1/projects" => {
                json!({"data": [{"id": "UHJvamVjdDox", "name": "shop", "description": null}], "next_cursor": null})
            }
            "/v1/projects/shop/spans" => json!({"data": [span], "next_cursor": null}),
            path if path.ends_with("_annotations") => json!({"data": [], "next_cursor": null}),
            path => return Reply::Text(404, format!("no {path}")),
        }
        .to_string(),
    )
}

fn opik_server() -> opik::Standin {
    let times = json!({"start_time": "2026-01-01T12:00:00Z", "end_time": "2026-01-01T12:00:02Z"});
    let with = |mut row: serde_json::Value| {
        for name in ["start_time", "end_time"] {
            row[name] = times[name].clone();
        }
        row
    };
    let trace = "01900001-0000-7000-8000-000000000000";
    let span = |n: usize, model: &str, cost: f64| {
        with(json!({
            "id": format!("01900001-0000-7000-8000-00000000000{n}"), "trace_id": trace, "name": "call", "type": "llm",
            "project_name": "demo", "model": model, "total_estimated_cost": cost
        }))
    };
    let traces = vec![with(json!({"id": trace, "name": "answer"}))];
    opik::Standin::new(traces, vec![span(1, "gpt-4o", 4.0), span(2, "haiku", 0.25)])
}

async fn ask(user: &User, sql: &str) -> Vec<String> {
    let ran = user.run(&["query", "-q", "-o", "csv", sql]).await;
    assert_eq!(ran.code, Some(0), "{sql}: {ran:?}");
    ran.stdout.lines().skip(1).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_statement_one_listing_and_one_store() {
    let store = Arc::new(Store::open("memory://").unwrap());
    let mut import = store.begin();
    let calls = [call("5555555555555001", "gpt-4o", 0.5), call("5555555555555002", "haiku", 2.0)];
    import.push(&batch(&calls)).unwrap();
    store.commit(import, "import", &Progress::default()).await.unwrap();
    let running = Running::with_key(&store).await;
    let (phoenix, opik) = (StandIn::new(|asked, _| answer(asked)), opik_server());
    let mut user = User::new(vec![]);
    let port = |port: u16| port.to_string();
    for (name, value) in [
        ("ARIZE_API_KEY", KEY.to_owned()),
        ("ARIZE_SPACE_ID", running.ready.space_id.clone()),
        ("ARIZE_API_HOST", "127.0.0.1".to_owned()),
        ("ARIZE_API_PORT", port(running.ready.http_port)),
        ("ARIZE_API_SCHEME", "http".to_owned()),
        ("ARIZE_FLIGHT_HOST", "127.0.0.1".to_owned()),
        ("ARIZE_FLIGHT_PORT", port(running.ready.flight_port)),
        ("ARIZE_FLIGHT_SCHEME", "grpc".to_owned()),
        ("PHOENIX_COLLECTOR_ENDPOINT", phoenix.url.clone()),
        ("PHOENIX_API_KEY", PHOENIX_KEY.to_owned()),
        ("OPIK_URL_OVERRIDE", opik.url.clone()),
        ("OPIK_API_KEY", opik::KEY.to_owned()),
        ("OPIK_WORKSPACE", opik::WORKSPACE.to_owned()),
    ] {
        user.set(name, value);
    }

    let listed = user.run(&["projects", "-o", "csv"]).await;
    listed.succeeded("projects");
    let names: Vec<String> =
        listed.stdout.lines().skip(1).map(|line| line.split(',').take(2).collect::<Vec<_>>().join(",")).collect();
    assert_eq!(names, ["arize,shop", "phoenix,shop", "opik,demo"]);

    let of = |table: &str| format!("SELECT source, model, cost FROM {table} WHERE {OF_WINDOW}");
    let live = [of("arize.shop"), of("phoenix.\"shop\""), of("opik.demo")].join(" UNION ALL ");
    let by_model = |from: &str| {
        format!(
            "SELECT model, sum(cost) AS cost, count(DISTINCT source) AS sources FROM ({from}) \
             WHERE model IS NOT NULL GROUP BY model ORDER BY model"
        )
    };
    let expected = ["gpt-4o,6.0,3", "haiku,2.25,2"];
    assert_eq!(ask(&user, &by_model(&live)).await, expected);
    let plan = ask(&user, &format!("EXPLAIN {live}")).await.join("\n");
    for words in ["modelId: shop", "path: /v1/projects/shop/spans", "POST /v1/private/spans/search"] {
        assert!(plan.contains(words), "{words}: {plan}");
    }

    for (source, project) in [("arize", "shop"), ("phoenix", "shop"), ("opik", "demo")] {
        let ran = user.run(&[&["pull", source, project, "--as", "all"], &WINDOW[..]].concat()).await;
        ran.succeeded(source);
        assert!(![KEY, PHOENIX_KEY, opik::KEY].iter().any(|key| ran.stderr.contains(key)), "{ran:?}");
    }
    assert_eq!(ask(&user, &by_model("SELECT source, model, cost FROM spans")).await, expected);
    let pulls = "SELECT source, project, status, received FROM pulls ORDER BY source";
    assert_eq!(ask(&user, pulls).await, ["arize,all,complete,2", "opik,all,complete,3", "phoenix,all,complete,1"]);
    let quality = "SELECT source, spans FROM quality ORDER BY source";
    assert_eq!(ask(&user, quality).await, ["arize,2", "opik,3", "phoenix,1"]);

    let checked = user.run(&["config", "show", "--check", "-o", "csv"]).await;
    checked.succeeded("check");
    for said in ["arize.call,ok: 1 space", "phoenix.call,ok: 1 project", "opik.call,ok: 1 project"] {
        assert!(checked.stdout.contains(said), "{said}: {}", checked.stdout);
    }
    assert!(![KEY, PHOENIX_KEY, opik::KEY].iter().any(|key| checked.stdout.contains(key)), "{checked:?}");

    // One that cannot be reached is said, and the others are listed all the same.
    user.set("PHOENIX_COLLECTOR_ENDPOINT", "http://127.0.0.1:9");
    let listed = user.run(&["projects", "-o", "csv"]).await;
    assert_eq!(listed.code, Some(1), "{listed:?}");
    assert!(listed.stdout.contains("arize,shop") && listed.stdout.contains("opik,demo"), "{listed:?}");
    listed.says("projects", &["warning: phoenix: ", "error: phoenix cannot be listed: http://127.0.0.1:9"]);
    running.stop().await.unwrap();
}
