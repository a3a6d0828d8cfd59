//! Damaged files as a user meets them: exit code 1, a message that names the file, older versions still readable.

use std::path::Path;

use spanql::store::{Manifest, Progress, Pull, Store};

use super::store_ledger::{key, seconds};
use super::support::{
    BASE_TIME, Cell, Row, batch, begin_in_first_format, copy_dir, fail, import, row, spanql, succeed,
};

fn spans(traces: std::ops::Range<i64>) -> Vec<Row> {
    traces
        .map(|trace| {
            let mut row = row("p", &format!("t{trace}"), &format!("s{trace}"));
            row.insert("start_time".into(), Cell::Time(BASE_TIME + trace));
            row
        })
        .collect()
}

/// A store of an import, a pull and a deletion; gives its newest manifest.
fn fill(place: &Path) -> Manifest {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let store = Store::open(&place.display().to_string()).unwrap();
        import(&store, &[batch(&spans(0..4))]).await.unwrap();
        let mut pulled = store.begin();
        pulled.push(&batch(&spans(4..9))).unwrap();
        // Of a window in which nothing can be missing.
        let pull = Pull::new(key("p"), seconds(0, 0));
        store.commit_pulled(pulled, &pull, vec![], &Progress::default()).await.unwrap();
        store.delete_spans("p", &["s1"]).await.unwrap();
        Manifest::clone(&store.snapshot().await.unwrap().manifest)
    })
}

/// A store that is whole, the names of its files, and a file to import into it.
struct Whole {
    dir: tempfile::TempDir,
    base: std::path::PathBuf,
    manifest: Manifest,
    tombstones: String,
    ledger: String,
    newest: String,
    spans_file: std::path::PathBuf,
}

impl Whole {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("base");
        begin_in_first_format(&base);
        let manifest = fill(&base);
        let spans_file = dir.path().join("spans.jsonl");
        std::fs::write(&spans_file, super::support::json_lines(&spans(2..12))).unwrap();
        Self {
            tombstones: format!("tombstones/{}.json", manifest.tombstones.as_ref().unwrap().id),
            ledger: format!("ledger/{}.json", manifest.ledger.as_ref().unwrap().id),
            newest: format!("manifest/{:020}.json", manifest.version),
            dir,
            base,
            manifest,
            spans_file,
        }
    }
}

const COUNT: &str = "SELECT count(name) AS named, count(DISTINCT span_id) AS n FROM spans";

#[test]
fn the_file_is_named_and_the_exit_code_is_1() {
    let Whole { dir, base, manifest, tombstones, ledger, newest, spans_file } = Whole::new();
    let segment = &manifest.segments[0];
    let traces = "SELECT * FROM traces";
    let cases = [
        (segment.spans_file(), Some(COUNT)),
        (segment.traces_file(), Some(traces)),
        (segment.traces_file(), None),
        (segment.stats_file(), Some("SELECT * FROM columns")),
        (newest, Some(COUNT)),
        (tombstones, None),
        (ledger, Some("SELECT * FROM pulls")),
    ];
    for (number, (file, sql)) in cases.iter().enumerate() {
        for damage in ["cut", "flip", "foreign", "missing"] {
            if damage == "missing" && file.starts_with("manifest/") {
                continue;
            }
            let place = dir.path().join(format!("{number}-{damage}"));
            copy_dir(&base, &place);
            let path = place.join(file);
            let mut bytes = std::fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            match damage {
                "cut" => bytes.truncate(middle),
                "flip" => bytes[middle] ^= 4,
                _ => bytes = b"PAR1 this is not what was here PAR1".to_vec(),
            }
            if damage == "missing" {
                std::fs::remove_file(&path).unwrap();
            } else {
                std::fs::write(&path, bytes).unwrap();
            }
            let message = match sql {
                Some(sql) => fail(spanql(&place).args(["query", sql])),
                None => fail(spanql(&place).arg("import").arg(&spans_file)),
            };
            assert!(message.starts_with("error: ") && message.contains(file), "{file} {damage}: {message}");
            let json = match sql {
                Some(sql) => fail(spanql(&place).args(["--errors", "json", "query", sql])),
                None => fail(spanql(&place).args(["--errors", "json", "import"]).arg(&spans_file)),
            };
            let json: serde_json::Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
            assert!(json["message"].as_str().unwrap().contains(file), "{json}");
        }
    }
}

#[test]
fn a_damaged_manifest_leaves_older_versions_readable() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("store");
    let manifest = fill(&place);
    assert_eq!(manifest.version, 3);
    let newest = "manifest/00000000000000000003.json";
    let path = place.join(newest);
    let whole = std::fs::read(&path).unwrap();
    let broken = [Vec::new(), whole[..whole.len() / 2].to_vec(), b"{}".to_vec(), whole.to_ascii_uppercase()];
    for bytes in broken {
        std::fs::write(&path, bytes).unwrap();
        assert!(fail(spanql(&place).args(["query", COUNT])).contains(newest));
        for (version, spans) in [("1", 4), ("2", 9)] {
            let answer = succeed(spanql(&place).args(["--at-version", version, "query", COUNT, "-o", "jsonl"]));
            assert_eq!(answer.trim(), format!("{{\"named\":0,\"n\":{spans}}}"));
        }
        // The message says to look at the versions, so that command must work on just this store.
        let versions = succeed(spanql(&place).args(["store", "versions", "-o", "jsonl"]));
        assert_eq!(versions.lines().count(), 3, "{versions}");
        assert!(versions.lines().last().unwrap().contains("unreadable"), "{versions}");
    }
}

#[test]
fn an_older_version_can_be_restored_over_a_damaged_one() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("store");
    let manifest = fill(&place);
    // A segment of the newest version only.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let older = runtime.block_on(async {
        let store = Store::open(&place.display().to_string()).unwrap();
        store.snapshot_at(2).await.unwrap().manifest
    });
    let fresh = manifest.segments.iter().find(|segment| !older.segments.contains(segment)).unwrap();
    std::fs::write(place.join(fresh.spans_file()), b"gone").unwrap();
    assert!(fail(spanql(&place).args(["query", "SELECT * FROM spans"])).contains(&fresh.spans_file()));
    succeed(spanql(&place).args(["store", "restore", "2"]));
    let answer = succeed(spanql(&place).args(["query", COUNT, "-o", "jsonl"]));
    assert_eq!(answer.trim(), "{\"named\":0,\"n\":9}");
}

/// Runs a command that must fail soon with exit code 1; gives its stderr.
#[cfg(unix)]
fn fail_soon(command: &mut std::process::Command) -> String {
    use std::process::Stdio;
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let began = std::time::Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > std::time::Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("{command:?} waits");
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let output = child.wait_with_output().unwrap();
    let stderr = super::support::stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{command:?}: {stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    stderr
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_named_and_not_waited_for() {
    let Whole { dir, base, manifest, tombstones, ledger, newest, spans_file } = Whole::new();
    let segment = &manifest.segments[0];
    let cases = [
        (segment.spans_file(), Some(COUNT)),
        (segment.traces_file(), Some("SELECT * FROM traces")),
        (segment.stats_file(), Some("SELECT * FROM columns")),
        (newest, Some(COUNT)),
        (tombstones, None),
        (ledger, Some("SELECT * FROM pulls")),
    ];
    for (number, (file, sql)) in cases.iter().enumerate() {
        for instead in ["pipe", "directory", "endless", "nowhere"] {
            let place = dir.path().join(format!("{number}-{instead}"));
            copy_dir(&base, &place);
            let path = place.join(file);
            std::fs::remove_file(&path).unwrap();
            match instead {
                "pipe" => assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success()),
                "directory" => std::fs::create_dir(&path).unwrap(),
                "endless" => std::os::unix::fs::symlink("/dev/zero", &path).unwrap(),
                _ => std::os::unix::fs::symlink("nowhere", &path).unwrap(),
            }
            let said = match sql {
                Some(sql) => fail_soon(spanql(&place).args(["query", sql])),
                None => fail_soon(spanql(&place).arg("import").arg(&spans_file)),
            };
            let reason = match instead {
                "pipe" | "endless" => "it is a pipe or a device, not a file",
                "directory" => "it is a directory, not a file",
                _ => "the file is missing",
            };
            let expected = format!("{file}: damaged store file: {reason}; `spanql store versions` lists");
            assert!(said.contains(&expected), "{file} as {instead}: {said}");
            // What reads everything, or removes, does not wait either.
            for command in [["store", "vacuum", "--older-than=0s"], ["store", "restore", &manifest.version.to_string()]]
            {
                fail_soon(spanql(&place).args(command));
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn a_link_into_nothing_is_no_empty_store() {
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink("disk/store", &link).unwrap();
    let spans_file = dir.path().join("spans.jsonl");
    std::fs::write(&spans_file, super::support::json_lines(&spans(0..1))).unwrap();
    let told = format!("link is a link into {}", dir.path().canonicalize().unwrap().join("disk/store").display());
    for place in [link.clone(), link.join("below")] {
        let said = fail(spanql(&place).args(["query", COUNT]));
        assert!(said.contains("link is a link into ") && said.contains("there is no such directory"), "{said}");
        assert!(fail(spanql(&place).args(["store", "versions"])).contains("there is no such directory"));
        assert!(fail(spanql(&place).arg("import").arg(&spans_file)).contains("there is no such directory"));
    }
    assert!(fail(spanql(&link).args(["query", COUNT])).contains(&told));
    // With the disk there, the first import makes the directory.
    std::fs::create_dir(dir.path().join("disk")).unwrap();
    assert!(fail(spanql(&link).args(["query", COUNT])).contains("there is no such directory"));
    succeed(spanql(&link).arg("import").arg(&spans_file));
    assert_eq!(succeed(spanql(&link).args(["query", COUNT, "-o", "jsonl"])).trim(), "{\"named\":0,\"n\":1}");
}
