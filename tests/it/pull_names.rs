//! From names and ids to what Flight is asked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Query, Request};
use axum::http::{StatusCode, Uri};
use tokio::task::JoinHandle;

use super::pull_faults::long_batches;
use super::pull_proxy::{Proxy, Way};
use super::pull_rogue::Rogue;
use super::pull_support::{DAY, KEY, PROJECT, SPACE, User, free_port, plaintext};

const OTHER_SPACE: &str = "U3BhY2U6OTpvdGhlcg==";
const PROJECT_ID: &str = "TW9kZWw6Nzp4eXo=";

/// What is answered: a status, more headers, a body.
type Answer = (u16, Vec<(&'static str, String)>, String);

/// A REST server that answers by path and query.
pub(crate) struct Rest {
    pub(crate) port: u16,
    /// Path and query of each request.
    pub(crate) requests: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl Rest {
    pub(crate) async fn start(
        answer: impl Fn(usize, &str, &HashMap<String, String>) -> Answer + Clone + Send + Sync + 'static,
    ) -> Self {
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let known = Arc::clone(&requests);
        let respond = async move |request: Request| {
            let uri: Uri = request.uri().clone();
            let shown = request.headers().get("authorization").and_then(|value| value.to_str().ok());
            let number = {
                let mut known = known.lock().unwrap();
                known.push(uri.to_string());
                known.len() - 1
            };
            let Query(query) = Query::try_from_uri(&uri).unwrap();
            let (status, headers, body) = match shown == Some(format!("Bearer {KEY}").as_str()) {
                true => answer(number, uri.path(), &query),
                false => (401, vec![], "{\"title\": \"Unauthorized\", \"detail\": \"no such key\"}".to_owned()),
            };
            let mut response = axum::http::Response::builder().status(StatusCode::from_u16(status).unwrap());
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(axum::body::Body::from(body)).unwrap()
        };
        let router = axum::Router::new().fallback(move |request: Request| {
            let respond = respond.clone();
            async move { respond(request).await }
        });
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { port, requests, serving }
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn ok(body: serde_json::Value) -> Answer {
    (200, vec![], body.to_string())
}

fn problem(status: u16, title: &str) -> Answer {
    (status, vec![], serde_json::json!({"title": title, "detail": "because", "status": status}).to_string())
}

/// Two spaces, and in the first some projects, one a page.
fn two_spaces(_: usize, path: &str, query: &HashMap<String, String>) -> Answer {
    if path == "/v2/spaces" {
        let space = |id: &str, name: &str| serde_json::json!({"id": id, "name": name});
        let spaces = [space(SPACE, "main space"), space(OTHER_SPACE, "other")];
        return ok(serde_json::json!({"spaces": spaces, "pagination": {"has_more": false}}));
    }
    match query.get("space_id").map(String::as_str) {
        None | Some(SPACE) => {}
        Some(_) => return problem(403, "Forbidden"),
    }
    let names = ["alpha", PROJECT, "check-in", "zeta"];
    let at: usize = query.get("cursor").map_or(0, |cursor| cursor.parse().unwrap());
    let id = if names[at] == PROJECT { PROJECT_ID.to_owned() } else { format!("aWQ6{at}") };
    let projects = serde_json::json!([{"id": id, "name": names[at], "space_id": SPACE}]);
    let mut pagination = serde_json::json!({"has_more": at + 1 < names.len()});
    if at + 1 < names.len() {
        pagination["next_cursor"] = (at + 1).to_string().into();
    }
    ok(serde_json::json!({"projects": projects, "pagination": pagination}))
}

/// One who knows a Flight and a REST server.
pub(crate) fn user(flight: u16, rest: u16) -> User {
    let mut user = User::new(plaintext(flight));
    user.set("ARIZE_API_HOST", "127.0.0.1");
    user.set("ARIZE_API_SCHEME", "http");
    user.set("ARIZE_API_PORT", rest.to_string());
    user
}

async fn pull(user: &User, project: &str, space: &str) -> super::pull_support::Ran {
    let space = if space.is_empty() { vec![] } else { vec!["--space", space] };
    user.run(&[&["pull", "arize", project], &DAY[..], &space].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_and_spaces_go_by_name_and_by_id() {
    let rogue = Rogue::good(long_batches()).await;
    let rest = Rest::start(two_spaces).await;
    for (project, space) in [(PROJECT, ""), (PROJECT_ID, ""), (PROJECT, "main space"), (PROJECT_ID, SPACE)] {
        let what = format!("{project} in {space}");
        let user = user(rogue.port, rest.port);
        pull(&user, project, space).await.succeeded(&what);
        let command = rogue.calls().last().unwrap().command.clone();
        assert_eq!((command["spaceId"].as_str(), command["modelId"].as_str()), (Some(SPACE), Some(PROJECT)), "{what}");
        assert_eq!(
            user.pulls("project || ' ' || remote_project || ' ' || space").await,
            [format!("{PROJECT} {PROJECT} {SPACE}")]
        );
    }
    let calls = rogue.counts();

    let user = user(rogue.port, rest.port);
    let endpoint = format!("http://127.0.0.1:{}/v2/projects", rest.port);
    pull(&user, "chekout", "").await.failed(
        "unknown",
        &[
            &format!("the space {SPACE} has no project chekout; it has alpha, check-in, checkout, zeta"),
            "did you mean checkout?",
        ],
    );
    pull(&user, PROJECT, "main spase").await.failed(
        "unknown space",
        &["the key sees no space main spase; it sees main space, other", "did you mean main space?"],
    );
    // A space that is refused is named, with those that are not; it is not exchanged for one of them.
    let refused = format!("the space {OTHER_SPACE} is refused (");
    pull(&user, PROJECT, OTHER_SPACE)
        .await
        .failed("refused", &[&refused, &endpoint, &format!("the key sees projects in {SPACE}"), "--space"]);
    pull(&user, PROJECT, "other").await.failed("refused by name", &[&refused]);
    let mut nobody = super::pull_names::user(rogue.port, rest.port);
    nobody.set("ARIZE_SPACE_ID", "");
    pull(&nobody, PROJECT, "").await.failed(
        "no space",
        &["no space of Arize is named: name one with --space or ARIZE_SPACE_ID; there are main space, other"],
    );
    let mut stranger = super::pull_names::user(rogue.port, rest.port);
    stranger.set("ARIZE_API_KEY", "another-key-5150");
    pull(&stranger, PROJECT, "").await.failed("wrong key", &["the key is not accepted: 401 Unauthorized: no such key"]);
    assert_eq!(rogue.counts(), calls, "nothing was asked for in another space");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_rest_host_names_are_used_as_typed() {
    let rogue = Rogue::good(long_batches()).await;
    let user = User::of_port(rogue.port);
    let ran = pull(&user, "any name", "my space").await;
    ran.succeeded("as typed");
    ran.says("as typed", &["note: no REST host of Arize is known", "the space and the project are used as typed"]);
    let command = rogue.calls()[0].command.clone();
    assert_eq!((command["spaceId"].as_str(), command["modelId"].as_str()), (Some("my space"), Some("any name")));
    for listing in ["projects", "spaces"] {
        user.run(&[listing]).await.failed(listing, &["no REST host of Arize is known", "ARIZE_API_HOST"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_say_what_there_is() {
    let rest = Rest::start(two_spaces).await;
    let user = user(free_port(), rest.port);
    let projects = user.run(&["projects", "arize"]).await;
    projects.succeeded("projects");
    let names: Vec<String> = projects
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["alpha", "check-in", PROJECT, "zeta"]);
    let spaces = user.run(&["spaces"]).await;
    spaces.succeeded("spaces");
    assert!(spaces.stdout.contains("main space") && spaces.stdout.contains(OTHER_SPACE), "{spaces:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_that_fail_are_tried_again_where_that_can_help() {
    let rogue = Rogue::good(long_batches()).await;
    let port = rogue.port;
    let busy = async {
        let rest = Rest::start(|number, path, query| match number {
            0 => (429, vec![("retry-after", "1".to_owned())], "slow down".to_owned()),
            1 => (503, vec![], "<html>".to_owned()),
            _ => two_spaces(number, path, query),
        })
        .await;
        let began = std::time::Instant::now();
        pull(&user(port, rest.port), PROJECT, "").await.succeeded("busy");
        assert!(began.elapsed() > std::time::Duration::from_secs(1), "it came back too early");
        assert_eq!(rest.requests().len(), 2 + 4, "{:?}", rest.requests());
    };
    let for_good = async {
        // Who is refused asks once more, without the space: that may be what is wrong.
        for (status, requests) in [(401, 2), (422, 1), (500, 1), (302, 1)] {
            let rest = Rest::start(move |_, _, _| {
                (status, vec![("location", "http://127.0.0.1:1/stolen".to_owned())], "no".to_owned())
            })
            .await;
            let what = status.to_string();
            pull(&user(port, rest.port), PROJECT, "")
                .await
                .failed(&what, &[&format!("http://127.0.0.1:{}/v2/projects", rest.port), &what]);
            assert_eq!(rest.requests().len(), requests, "{what}: {:?}", rest.requests());
        }
    };
    let nonsense = async {
        for body in ["", "<html>", "[]", "{\"projects\": 3}", "{\"projects\": [{\"id\": 1}]}"] {
            let rest = Rest::start(move |_, _, _| (200, vec![], body.to_owned())).await;
            let ran = pull(&user(port, rest.port), PROJECT, "").await;
            ran.failed(
                body,
                &[&format!("http://127.0.0.1:{}/v2/projects", rest.port), "the answer is not what the API gives"],
            );
        }
    };
    let refused = async {
        let rest = free_port();
        let ran = pull(&user(port, rest), PROJECT, "").await;
        ran.failed("refused", &[&format!("http://127.0.0.1:{rest}/v2/projects: "), "onnection refused"]);
    };
    let silent = async {
        let proxy = Proxy::start(port, Way::Silent).await;
        let user = user(port, proxy.port);
        let ran = user.pull(&["--timeout", "1s"]).await;
        ran.failed("silent", &[&format!("http://127.0.0.1:{}/v2/projects: no answer for 1 s", proxy.port)]);
        assert_eq!(proxy.connections(), 1);
    };
    tokio::join!(busy, for_good, nonsense, refused, silent);
}
