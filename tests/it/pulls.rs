//! What a user sees of pulls: the table, the lines after an answer, the exit code.

use std::path::Path;
use std::process::{Command, Output};

use spanql::engine::Params;
use spanql::model::window::Window;
use spanql::store::{Projection, Pull, Slice, Store};

use super::store_ledger::{key, land, seconds};
use super::support::{BASE_TIME, ask_rows, engine, fail, spanql, stderr, succeed};

/// 2026-11-20T14:02:00Z in milliseconds.
const STARTED: i64 = 1_795_183_320_000;
const DAY: i64 = 86_400_000_000_000;

fn open(place: &Path) -> Store {
    Store::open(&place.display().to_string()).unwrap()
}

fn pull(id: &str, project: &str, window: Window) -> Pull {
    Pull { id: id.into(), started: STARTED, ..Pull::new(key(project), window) }
}

/// One pull that broke off, one that came short, a sample, and a whole one.
async fn fill(store: &Store) {
    let month = Window { start: BASE_TIME - 27 * DAY, end: BASE_TIME + 3 * DAY };
    let mut broken = pull("a", "checkout", month);
    store.record_pull(&broken).await.unwrap();
    broken.error = Some("flight.example.com: connection reset".into());
    broken.finished = Some(STARTED + 61_000);
    let day = Window { start: BASE_TIME - 27 * DAY, end: BASE_TIME };
    let mut import = store.begin();
    import.push(&super::support::batch(&[super::support::row("checkout", "t1", "s1")])).unwrap();
    store.commit_pulled(import, &broken, vec![Slice::new(day, None, 1)], &Default::default()).await.unwrap();

    let short = pull("b", "search", seconds(0, 3_600));
    let slice = Slice::new(seconds(0, 3_600), Some(5_000), 4_988);
    store.commit_pulled(store.begin(), &short, vec![slice], &Default::default()).await.unwrap();

    let projection = Projection {
        filter: Some("status_code = 'ERROR'".into()),
        columns: Some(vec!["name".into(), "status_code".into()]),
        sample_rate: Some(0.5),
    };
    let sample = Pull { projection, limit: Some(1_000), ..pull("c", "sampled", seconds(0, 10)) };
    land(store, &sample, &[seconds(0, 10)]).await.unwrap();
    land(store, &pull("d", "whole", seconds(0, 4)), &[seconds(0, 4)]).await.unwrap();
}

async fn rows(store: &Store, sql: &str) -> Vec<Vec<String>> {
    let held = engine(store.snapshot().await.unwrap()).await;
    let rows = ask_rows(&held, sql).await.unwrap();
    rows.iter().map(|row| row.iter().map(|(name, value)| format!("{name}={value}")).collect()).collect()
}

#[tokio::test]
async fn the_table_pulls_says_what_was_asked_and_what_came() {
    let store = Store::open("memory://").unwrap();
    assert_eq!(rows(&store, "SELECT * FROM pulls").await, Vec::<Vec<String>>::new());
    fill(&store).await;
    let asked = "SELECT pull_id, source, remote, space, remote_project, project, started_at, finished_at, start_time, \
                 end_time FROM pulls LIMIT 1";
    let second = i64::pow(10, 9);
    assert_eq!(
        rows(&store, asked).await,
        [[
            format!("end_time={}", BASE_TIME + 3 * DAY),
            format!("finished_at={}", (STARTED / 1000 + 61) * second),
            "project=checkout".into(),
            "pull_id=a".into(),
            "remote=flight.example.com".into(),
            "remote_project=checkout".into(),
            "source=arize".into(),
            "space=U3BhY2U6MQ==".into(),
            format!("start_time={}", BASE_TIME - 27 * DAY),
            format!("started_at={}", STARTED / 1000 * second),
        ]]
    );
    let came = "SELECT pull_id, slices, announced, received, stored, new, updated, status, error FROM pulls";
    let came = rows(&store, came).await;
    let expected: [&[&str]; 4] = [
        &[
            "error=flight.example.com: connection reset",
            "new=1",
            "pull_id=a",
            "received=1",
            "slices=1",
            "status=incomplete",
            "stored=1",
            "updated=0",
        ],
        &[
            "announced=5000",
            "new=0",
            "pull_id=b",
            "received=4988",
            "slices=1",
            "status=incomplete",
            "stored=0",
            "updated=0",
        ],
        &["announced=10", "new=10", "pull_id=c", "received=10", "slices=1", "status=sampled", "stored=10", "updated=0"],
        &["announced=4", "new=4", "pull_id=d", "received=4", "slices=1", "status=complete", "stored=4", "updated=0"],
    ];
    assert_eq!(came, expected);
    let wanted =
        "SELECT filter, columns, sample_rate, row_limit, columns[2] AS second FROM pulls WHERE filter IS NOT NULL";
    assert_eq!(
        rows(&store, wanted).await,
        [[
            "columns=[name, status_code]",
            "filter=status_code = 'ERROR'",
            "row_limit=1000",
            "sample_rate=0.5",
            "second=status_code"
        ]]
    );
}

#[tokio::test]
async fn statements_that_read_spans_are_told_from_others() {
    let store = Store::open("memory://").unwrap();
    for filled in [false, true] {
        if filled {
            fill(&store).await;
        }
        let held = engine(store.snapshot().await.unwrap()).await;
        for (sql, reads) in [
            ("SELECT * FROM spans", true),
            ("SELECT count(*) FROM spans", true),
            ("SELECT name FROM spans WHERE project = 'no such project' LIMIT 0", true),
            ("SELECT eval.unknown.score FROM spans", true),
            ("SELECT count(*) FROM traces", true),
            ("SELECT * FROM sessions", true),
            ("WITH a AS (SELECT * FROM spans), b AS (SELECT * FROM a) SELECT count(*) FROM b", true),
            ("SELECT 1 WHERE EXISTS (SELECT 1 FROM traces)", true),
            ("SELECT (SELECT max(name) FROM spans) AS a", true),
            ("SELECT 1 UNION ALL SELECT span_count FROM traces", true),
            ("SELECT p.project FROM pulls p JOIN spans s ON p.project = s.project", true),
            ("EXPLAIN ANALYZE SELECT * FROM spans", true),
            ("EXPLAIN SELECT * FROM spans", false),
            ("DESCRIBE spans", false),
            ("SELECT 1", false),
            ("WITH spans AS (SELECT 1 AS a) SELECT a FROM spans", false),
            ("SELECT * FROM pulls", false),
            ("SELECT * FROM columns", false),
            ("SELECT * FROM information_schema.tables", false),
        ] {
            let prepared = held.prepare(sql, &Params::new()).await.unwrap();
            assert_eq!(prepared[0].reads_spans(), reads, "{sql}");
        }
    }
}

const COUNT: &str = "SELECT count(*) AS n FROM spans";
const BROKEN: &str = "project checkout of arize: 3 of 30 days are missing (pull of 2026-11-20 14:02 UTC broke off); run \
                      the same pull again";
const SHORT: &str = "project search of arize: 12 of 5,000 announced spans did not come (2026-01-01T00:00Z to 01:00Z); \
                     run the same pull again";
const SAMPLE: &str = "project sampled of arize: holds a sample (limit 1,000, sample rate 0.5) of 2026-01-01T00:00:00Z to \
                      00:00:10Z; a pull of all of it completes it";

fn query(place: &Path, arguments: &[&str]) -> Output {
    spanql(place).args(["query", "-o", "jsonl"]).args(arguments).output().unwrap()
}

/// The exit code, stdout and stderr of a query.
fn ended(output: &Output) -> (i32, String, String) {
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned(), stderr(output))
}

#[test]
fn an_answer_that_rests_on_incomplete_data_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("store");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(fill(&open(&place)));
    let answer = |n: usize| format!("{{\"n\":{n}}}\n");
    let lines = |lines: &[&str]| lines.iter().map(|line| format!("incomplete: {line}\n")).collect::<String>();

    // The latest pull first; said once, whatever the number of statements.
    let said = lines(&[SAMPLE, SHORT, BROKEN]);
    assert_eq!(ended(&query(&place, &[COUNT])), (0, answer(15), said.clone()));
    assert_eq!(ended(&query(&place, &[&format!("{COUNT}; {COUNT}")])), (0, answer(15).repeat(2), said));
    assert_eq!(ended(&query(&place, &["-q", COUNT])), (0, answer(15), String::new()));
    assert_eq!(ended(&query(&place, &["--project", "checkout", COUNT])).2, lines(&[BROKEN]));
    for complete in [&["--project", "whole", COUNT] as &[&str], &["SELECT 1 AS n", "--require-complete"]] {
        let (code, _, said) = ended(&query(&place, complete));
        assert_eq!((code, said.as_str()), (0, ""), "{complete:?}");
    }
    let required = ["--project", "checkout", "--require-complete", COUNT];
    let error = format!("error: the answer rests on incomplete data: {BROKEN}\n");
    assert_eq!(ended(&query(&place, &required)), (4, answer(1), error.clone()));
    assert_eq!(ended(&query(&place, &[&["-q"], &required[..]].concat())), (4, answer(1), error));
    let (code, _, json) = ended(&query(&place, &["--errors", "json", "--require-complete", COUNT]));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let message = format!("the answer rests on incomplete data: {SAMPLE} (and 2 more: SELECT * FROM pulls)");
    assert_eq!((code, &json["code"], &json["message"]), (4, &"incomplete".into(), &message.into()));
    assert_eq!(ended(&query(&place, &["--at-version", "1", COUNT])).2.lines().count(), 1, "as it was then");

    // A fourth project, whose name is none for a terminal.
    runtime.block_on(open(&place).record_pull(&pull("e", "\u{1b}[31mred\u{202e}", seconds(0, 10)))).unwrap();
    let (_, _, said) = ended(&query(&place, &[COUNT]));
    assert_eq!(said.lines().count(), 4, "{said}");
    assert!(said.ends_with("incomplete: and 1 more\n") && !said.contains(['\u{1b}', '\u{202e}']), "{said}");

    // Whole pulls of the same take it off the list.
    runtime.block_on(async {
        let store = open(&place);
        let month = Window { start: BASE_TIME - 30 * DAY, end: BASE_TIME + 3 * DAY };
        for (id, project) in [("f", "checkout"), ("g", "search"), ("h", "sampled"), ("i", "\u{1b}[31mred\u{202e}")] {
            let slices = vec![Slice::new(month, None, 0)];
            let whole = pull(id, project, month);
            store.commit_pulled(store.begin(), &whole, slices, &Default::default()).await.unwrap();
        }
    });
    assert_eq!(ended(&query(&place, &[COUNT, "--require-complete"])), (0, answer(15), String::new()));
}

#[test]
fn a_damaged_ledger_keeps_nobody_from_asking() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("store");
    let ledger = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let store = open(&place);
        fill(&store).await;
        format!("ledger/{}.json", store.snapshot().await.unwrap().manifest.ledger.as_ref().unwrap().id)
    });
    std::fs::write(place.join(&ledger), b"{\"pulls\":[]}").unwrap();
    let (code, answer, said) = ended(&query(&place, &[COUNT]));
    assert_eq!((code, answer.as_str()), (0, "{\"n\":15}\n"));
    assert!(
        said.starts_with("note: it is not known whether anything is missing: ") && said.contains(&ledger),
        "{said}"
    );
    let mut required: Command = spanql(&place);
    let message = fail(required.args(["query", COUNT, "--require-complete"]));
    assert!(message.starts_with("error: ") && message.contains(&ledger), "{message}");
    assert_eq!(succeed(spanql(&place).args(["-q", "query", "-o", "jsonl", COUNT])), "{\"n\":15}\n");
}
