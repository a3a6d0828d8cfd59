//! Reports through the binary: both built-in ones, exit codes, whole files or none, results for machines.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use super::pull_faults::long_batches;
use super::pull_rogue::{Answer, Play, Rogue};
use super::pull_support::User;
use super::support::{files, spanql, stderr, succeed};

/// A store of demo spans, and a directory to work in.
fn demo() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let mut command = Command::new(env!("CARGO_BIN_EXE_spanql"));
    succeed(command.args(["-q", "demo", "--spans", "2000", "--keep"]).arg(&store));
    (dir, store)
}

fn run(store: &Path, cwd: &Path, arguments: &[&str]) -> Output {
    spanql(store).current_dir(cwd).arg("report").args(arguments).output().unwrap()
}

#[track_caller]
fn code(output: &Output, expected: i32) {
    assert_eq!(output.status.code(), Some(expected), "{}", stderr(output));
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn both_reports_of_the_demo_and_of_nothing() {
    let (dir, store) = demo();
    let empty = dir.path().join("empty");
    for report in ["overview", "quality"] {
        let output = run(&store, dir.path(), &[report, "-o", "page.html", "--results", "r.json"]);
        code(&output, 0);
        let page = fs::read_to_string(dir.path().join("page.html")).unwrap();
        assert!(page.len() < 150_000, "{report}: {} bytes", page.len());
        assert!(page.contains("<svg") && !page.contains("<script"), "{report}");
        assert!(!page.contains("no such column") && !page.contains("could not be drawn"), "{report}");
        assert!(!page.contains("href=\"http"), "{report} leads nowhere");
        let results = json(&dir.path().join("r.json"));
        assert_eq!(results["exit_code"], 0);
        let blocks = results["blocks"].as_array().unwrap();
        assert!(blocks.len() >= 7, "{report}");
        assert!(blocks.iter().all(|block| block["error"].is_null() && block["seconds"].is_number()), "{results}");
        assert!(stderr(&output).contains(&format!("[1/{}] totals … ", blocks.len())), "{}", stderr(&output));

        let markdown = run(&store, dir.path(), &[report]);
        code(&markdown, 0);
        let text = String::from_utf8(markdown.stdout).unwrap();
        assert!(text.starts_with("# ") && text.contains("| ---"), "{text}");
        assert!(!text.contains("{{"), "{text}");

        let nothing = run(&empty, dir.path(), &[report, "-o", "empty.html"]);
        code(&nothing, 0);
        let page = fs::read_to_string(dir.path().join("empty.html")).unwrap();
        assert!(page.contains("There are no spans here") && page.contains("No rows."), "{report}");
        assert!(stderr(&nothing).contains("holds no spans yet"), "{}", stderr(&nothing));
    }
    assert!(!empty.exists());
}

#[test]
fn numbers_of_the_overview_are_those_of_sql() {
    let (dir, store) = demo();
    code(&run(&store, dir.path(), &["overview", "-o", "out/"]), 0);
    let sql = "SELECT count(*) AS traces, sum(span_count) AS spans, sum(total_tokens) AS tokens FROM traces";
    let asked = succeed(spanql(&store).args(["query", sql, "-o", "csv"]));
    let expected: Vec<&str> = asked.lines().nth(1).unwrap().split(',').collect();
    let totals = fs::read_to_string(dir.path().join("out/totals.csv")).unwrap();
    let got: Vec<&str> = totals.lines().nth(1).unwrap().split(',').collect();
    assert_eq!([got[0], got[1], got[5]], [expected[0], expected[1], expected[2]], "{totals}");
    let page = String::from_utf8(run(&store, dir.path(), &["overview"]).stdout).unwrap();
    assert!(page.contains(&format!("there were {} traces", expected[0])), "{page}");

    // A window without spans.
    let later = run(&store, dir.path(), &["overview", "--since", "2030-01-01", "-o", "later/"]);
    code(&later, 0);
    let totals = fs::read_to_string(dir.path().join("later/totals.csv")).unwrap();
    assert!(totals.lines().nth(1).unwrap().starts_with("0,"), "{totals}");
}

const REPORT: &str = "---\ntitle: T\nparams:\n  - top int = 3\n---\n\n{{ models.rows }} models\n\n\
    ```sql name=models expect=\"rows > 2\"\nSELECT model, count(*) AS n FROM spans WHERE kind = 'LLM' GROUP BY 1 ORDER BY 2 DESC LIMIT $top\n```\n";

fn written(dir: &Path, extra: &str) {
    fs::create_dir_all(dir.join("queries")).unwrap();
    fs::write(dir.join("queries/mine.md"), format!("{REPORT}{extra}")).unwrap();
}

#[test]
fn exit_codes_and_what_stands_in_place() {
    let (dir, store) = demo();
    let at = dir.path();
    written(at, "");
    code(&run(&store, at, &["mine", "-o", "a.html"]), 0);
    let page = fs::read_to_string(at.join("a.html")).unwrap();
    assert!(page.contains("<p>3 models</p>") && page.contains("✓ rows &gt; 2"), "{page}");

    let unmet = run(&store, at, &["mine", "-p", "top=1", "-o", "a.html", "--results", "r.json"]);
    code(&unmet, 3);
    assert!(stderr(&unmet).contains("error: not as expected: the block models"), "{}", stderr(&unmet));
    let results = json(&at.join("r.json"));
    assert_eq!((results["exit_code"].as_i64(), results["report"].as_str()), (Some(3), Some("mine")));
    assert_eq!(results["store"], store.display().to_string());
    assert!(results["generated"].as_str().is_some_and(|time| time.ends_with('Z')));
    assert_eq!(results["parameters"]["top"], 1);
    let expectation = &results["blocks"][0]["expectations"][0];
    assert_eq!((expectation["text"].as_str(), expectation["held"].as_bool()), (Some("rows > 2"), Some(false)));
    assert!(fs::read_to_string(at.join("a.html")).unwrap().contains("Not everything is as expected."));

    written(at, "\n```sql name=broken\nSELECT nmae FROM spans\n```\n\n```sql name=after\nSELECT 1 AS one\n```\n");
    let failed = run(&store, at, &["mine", "-p", "top=1", "-o", "a.html", "--results", "r.json"]);
    code(&failed, 1);
    let results = json(&at.join("r.json"));
    let error = &results["blocks"][1]["error"];
    assert_eq!(
        (error["code"].as_str(), error["position"]["line"].as_u64()),
        (Some("unknown-column"), Some(14)),
        "{error}"
    );
    assert_eq!(results["blocks"][2]["rows"], 1, "a failed block does not stop the others");
    let page = fs::read_to_string(at.join("a.html")).unwrap();
    assert!(page.contains("broken failed.") && page.contains("did you mean name?"), "{page}");

    written(at, "\n```sql\nDROP TABLE spans\n```\n");
    let refused = run(&store, at, &["mine"]);
    code(&refused, 1);
    assert!(stderr(&refused).contains("the statement would write"), "{}", stderr(&refused));
    written(at, "\n```sql\nSELECT 1; SELECT 2\n```\n");
    assert!(stderr(&run(&store, at, &["mine"])).contains("2 statements in one block"));

    for arguments in [
        &["mine", "-o", "a.pdf"][..],
        &["mine", "--since", "7d"],
        &["mine", "-p", "tpo=1"],
        &["mine", "-p", "top=x"],
        &["mine", "--list"],
        &[],
    ] {
        code(&run(&store, at, arguments), 2);
    }
    let unknown = run(&store, at, &["overveiw"]);
    code(&unknown, 1);
    assert!(stderr(&unknown).contains("there is no report overveiw; did you mean overview?"), "{}", stderr(&unknown));
}

#[test]
fn a_report_is_written_whole_or_not_at_all() {
    let (dir, store) = demo();
    let at = dir.path();
    // The name that the file would have while it is written is longer than a file system takes.
    let long = format!("{}.html", "a".repeat(247));
    fs::write(at.join(&long), "old").unwrap();
    let output = run(&store, at, &["overview", "-o", &long]);
    code(&output, 1);
    assert_eq!(fs::read_to_string(at.join(&long)).unwrap(), "old");
    let output = run(&store, at, &["overview", "-o", "no/a.html"]);
    code(&output, 1);
    assert!(stderr(&output).contains("cannot write no/a.html: there is no directory no"), "{}", stderr(&output));

    written(at, "\n```sql name=only\nSELECT '=1+1' AS cell, 2 AS n\n```\n");
    code(&run(&store, at, &["mine", "-o", "out/", "--csv-safe"]), 0);
    assert_eq!(files(&at.join("out")), ["models.csv", "only.csv", "results.json"]);
    assert_eq!(fs::read_to_string(at.join("out/only.csv")).unwrap(), "cell,n\n'=1+1,2\n");
    fs::write(at.join("out/mine.txt"), "kept").unwrap();
    code(&run(&store, at, &["mine", "-o", "out", "--format", "parquet"]), 0);
    assert_eq!(
        files(&at.join("out")),
        ["mine.txt", "models.csv", "models.parquet", "only.csv", "only.parquet", "results.json"]
    );
    let bytes = fs::read(at.join("out/models.parquet")).unwrap();
    assert_eq!((&bytes[..4], &bytes[bytes.len() - 4..]), (&b"PAR1"[..], &b"PAR1"[..]));
    assert!(!fs::read_dir(at).unwrap().any(|entry| entry.unwrap().file_name().to_string_lossy().contains("partial-")));
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_nothing_behind() {
    let (dir, store) = demo();
    let at = dir.path();
    written(
        at,
        "\n```sql name=endless\nSELECT value, md5(CAST(value AS text)) AS m FROM generate_series(1, 100000000000)\n```\n",
    );
    let mut child = spanql(&store).current_dir(at).args(["-q", "report", "mine", "-o", "out/"]).spawn().unwrap();
    let partial = at.join(format!("out.partial-{}", child.id()));
    let begun = || fs::metadata(partial.join("endless.csv")).is_ok_and(|file| file.len() > 0);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !begun() {
        assert!(std::time::Instant::now() < deadline && child.try_wait().unwrap().is_none());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    succeed(Command::new("kill").args(["-INT", &child.id().to_string()]));
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!partial.exists() && !at.join("out").exists(), "{:?}", files(at));
}

#[test]
fn several_projects_and_stores_are_parts_of_one_report() {
    let (dir, store) = demo();
    let at = dir.path();
    written(at, "");
    code(&run(&store, at, &["mine", "--projects", "all", "-o", "a.html", "--results", "r.json"]), 0);
    let page = fs::read_to_string(at.join("a.html")).unwrap();
    let results = json(&at.join("r.json"));
    let projects: Vec<&str> =
        results["parts"].as_array().unwrap().iter().filter_map(|part| part["project"].as_str()).collect();
    assert!(projects.len() >= 2, "{projects:?}");
    for project in &projects {
        assert!(page.contains(&format!(">{project}</h2>")), "{project}");
    }
    code(&run(&store, at, &["mine", "--projects", "all", "-o", "out/"]), 0);
    assert!(files(&at.join("out")).contains(&format!("1-{}/models.csv", projects[0])), "{:?}", files(&at.join("out")));
    let mut two = Command::new(env!("CARGO_BIN_EXE_spanql"));
    two.current_dir(at).args(["report", "quality", "--stores", "store", "nothing", "-o", "b.html"]);
    succeed(&mut two);
    assert!(fs::read_to_string(at.join("b.html")).unwrap().contains(">nothing</h2>"));
}

#[test]
fn reports_and_saved_queries_by_name() {
    let (dir, store) = demo();
    let at = dir.path();
    written(at, "");
    fs::write(at.join("queries/bad.md"), "```sql nmae=x\nSELECT 1\n```\n").unwrap();
    let listed = run(&store, at, &["--list", "-o", "json"]);
    code(&listed, 0);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let names: Vec<&str> = listed.as_array().unwrap().iter().filter_map(|row| row["name"].as_str()).collect();
    assert_eq!(names, ["mine", "overview", "quality"]);
    assert!(listed.to_string().contains("a block has no setting 'nmae'; did you mean name?"), "{listed}");
    fs::write(
        at.join("q.sql"),
        "-- chart: bar x=kind y=n\n-- expect rows > 0\nSELECT kind, count(*) AS n FROM spans GROUP BY 1",
    )
    .unwrap();
    code(&run(&store, at, &["q.sql", "-o", "q.html"]), 0);
    let page = fs::read_to_string(at.join("q.html")).unwrap();
    assert!(page.contains("Bar chart of n by kind") && page.contains("✓ rows &gt; 0"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_said_at_the_top() {
    let rogue = Rogue::good(long_batches()).await;
    rogue.set(|_| {
        let mut batches = long_batches();
        let last = batches.pop().unwrap();
        batches.push(last.slice(0, last.num_rows() - 3));
        Answer::Play(Play::of(&batches).announcing(60))
    });
    let user = User::of_port(rogue.port);
    user.pull(&[]).await.succeeded("short");
    let said = user.run(&["report", "quality"]).await;
    said.succeeded("incomplete");
    said.says("incomplete", &["incomplete: project checkout of arize: 3 of 60 announced spans did not come"]);
    assert!(said.stdout.contains("> **Incomplete data:** project checkout of arize: 3 of 60"), "{said:?}");
    for strict in [["report", "quality", "--require-complete"], ["run", "models", "--require-complete"]] {
        let said = user.run(&strict).await;
        assert_eq!(said.code, Some(4), "{strict:?}: {said:?}");
    }
}
