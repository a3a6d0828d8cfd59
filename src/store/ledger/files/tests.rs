use std::collections::BTreeMap;

use super::{Doubt, FileImport, ImportedFile, KEPT, KEPT_UNNAMED};
use crate::entries::{OfFiles, Segment};
use crate::ledger::Ledger;
use crate::manifest::Manifest;
use crate::merge::Counts;

fn file(path: &str, rows: u64) -> ImportedFile {
    ImportedFile { path: Some(path.to_owned()), rows, bad: 0, cut: None }
}

fn import(files: &[ImportedFile]) -> FileImport {
    let rows = files.iter().map(|file| file.rows).sum();
    let counts = Counts { new: rows, ..Counts::default() };
    let import = FileImport::new(files.to_vec()).with_rows(BTreeMap::from([("p".to_owned(), rows)]));
    import.landed(&BTreeMap::from([("p".to_owned(), counts)]), 0)
}

fn ledger(imports: &[FileImport]) -> Ledger {
    let mut ledger = Ledger::default();
    imports.iter().for_each(|import| ledger.record_import(import.clone()));
    ledger
}

/// A store whose project `p` holds this.
fn manifest(of_files: OfFiles) -> Manifest {
    let segment = Segment {
        project: "p".into(),
        rows: of_files.spans,
        traces: 1,
        of_files: Some(of_files),
        ..Segment::default()
    };
    Manifest { segments: vec![segment], ..Manifest::empty() }
}

fn doubts(ledger: &Ledger, of_files: OfFiles) -> Vec<Doubt> {
    let verdicts = ledger.files_verdicts(&manifest(of_files), None);
    assert_eq!(verdicts.len(), 1);
    assert_eq!(ledger.files_verdicts(&manifest(of_files), Some("p")), verdicts);
    assert_eq!(ledger.files_verdicts(&manifest(of_files), Some("q")), []);
    verdicts[0].doubts.clone()
}

fn spans(spans: u64) -> OfFiles {
    OfFiles { spans, ..OfFiles::default() }
}

#[test]
fn round_numbers_of_rows_are_suspect() {
    for (rows, is_round) in
        [(49, false), (50, true), (100, true), (499, false), (500, true), (501, false), (1_000, true)]
    {
        let found = doubts(&ledger(&[import(&[file("a", rows)])]), spans(rows));
        let expected = is_round.then(|| Doubt::Round { file: "a".into(), rows });
        assert_eq!(found, Vec::from_iter(expected), "{rows}");
    }
    // Rows of several files make such a number too.
    let two = ledger(&[import(&[file("a", 200), file("b", 300)])]);
    assert_eq!(doubts(&two, spans(500)), [Doubt::RoundSpans(500)]);
}

#[test]
fn the_latest_import_of_a_file_counts() {
    let again = [import(&[file("a", 500)]), import(&[file("a", 731)])];
    assert_eq!(doubts(&ledger(&again), spans(731)), []);
    let other = [import(&[file("a", 500)]), import(&[file("b", 731)])];
    assert_eq!(doubts(&ledger(&other), spans(1_231)), [Doubt::Round { file: "a".into(), rows: 500 }]);
    // What comes from a pipe is never the same again.
    let pipe = |rows| import(&[ImportedFile { path: None, ..file("", rows) }]);
    let piped = doubts(&ledger(&[pipe(500), pipe(731)]), spans(1_231));
    assert_eq!(piped, [Doubt::Round { file: "stdin".into(), rows: 500 }]);
}

#[test]
fn what_lacks_is_said() {
    let cut = ImportedFile { cut: Some("b: ends too early".into()), bad: 3, ..file("b", 7) };
    let known = ledger(&[import(&[file("a", 10), cut])]);
    let found = doubts(&known, OfFiles { spans: 17, orphans: 1, rootless: 2 });
    let skipped = Doubt::Skipped { file: "b".into(), rows: 3 };
    assert_eq!(found, [Doubt::Cut("b: ends too early".into()), skipped, Doubt::Orphans(1), Doubt::Rootless(2)]);
    let line = known.files_verdicts(&manifest(OfFiles { spans: 17, orphans: 1, rootless: 2 }), None)[0].to_string();
    assert_eq!(
        line,
        "project p came from files, and they look cut: not read to the end: b: ends too early; 3 rows of b did not fit \
         and were left out; the parent of 1 span is not there; 2 traces have no root"
    );
    let unknown = ledger(&[import(&[file("a", 10)])]).files_verdicts(&manifest(spans(10)), None)[0].to_string();
    assert!(unknown.ends_with("whether they are all there is unknown"), "{unknown}");
}

#[test]
fn nothing_new_is_not_written_down_again() {
    let known = ledger(&[import(&[file("a", 10)])]);
    assert!(known.knows(&import(&[file("a", 10)])) && known.knows(&import(&[file("b", 10)])));
    assert!(!known.knows(&import(&[file("a", 11)])));
    assert!(!known.knows(&import(&[ImportedFile { bad: 1, ..file("a", 10) }])));
}

#[test]
fn imports_that_say_nothing_are_forgotten() {
    let mut known = ledger(&[import(&[file("cut", 500)])]);
    (0..KEPT + 5).for_each(|n| known.record_import(import(&[file(&format!("f{n}"), 7)])));
    assert_eq!(known.imports.len(), KEPT);
    assert_eq!(known.imports[0].files[0].name(), "cut");
    assert_eq!(known.imports[1].files[0].name(), "f6");
}

#[test]
fn of_pipes_the_last_are_remembered_and_those_that_say_something() {
    let piped = |project: &str, rows: u64| {
        let counts = BTreeMap::from([(project.to_owned(), Counts { new: rows, ..Counts::default() })]);
        let file = ImportedFile { path: None, rows, bad: 0, cut: None };
        FileImport::new(vec![file]).with_rows(BTreeMap::from([(project.to_owned(), rows)])).landed(&counts, 0)
    };
    let mut known = ledger(&[piped("once", 3), piped("often", 500), import(&[file("a", 7)])]);
    (0..KEPT_UNNAMED + 20).for_each(|_| known.record_import(piped("often", 20)));
    let project = |number: usize| known.imports[number].projects[0].project.as_str();
    assert_eq!((known.imports.len(), project(0), project(1)), (KEPT_UNNAMED + 3, "once", "often"));
    assert_eq!((known.imports[1].files[0].rows, known.imports[2].files[0].name()), (500, "a"));
}

#[test]
fn ledgers_without_imports_are_as_they_were() {
    assert_eq!(serde_json::to_string(&Ledger::default()).unwrap(), r#"{"pulls":[]}"#);
    let known = ledger(&[import(&[file("a", 10)])]);
    assert_eq!(serde_json::from_str::<Ledger>(&serde_json::to_string(&known).unwrap()).unwrap(), known);
}
