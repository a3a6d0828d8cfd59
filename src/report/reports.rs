//! Where reports are found: beside the saved queries.

use std::collections::BTreeMap;
use std::path::Path;

use super::document::Document;
use super::error::ReportError;
use super::library::{Library, paths, read_text};
use super::saved::{Origin, stem};
use spanql_model::nearest::nearest;

/// The ending of the files.
const ENDING: &str = "md";

/// The built-in reports by name, each with its text.
const BUILT_IN: [(&str, &str); 2] =
    [("overview", include_str!("../../queries/overview.md")), ("quality", include_str!("../../queries/quality.md"))];

/// All reports of the places of a library, sorted by name. A file that cannot be read is an error in its place.
pub fn list_reports(library: &Library) -> Vec<Result<Document, ReportError>> {
    by_name(library).into_values().collect()
}

/// The report of that name, or the saved query as a report; or the one in a file, when the name has a separator of paths
/// in it or ends in `.md` or `.sql`.
///
/// # Errors
/// When there is none (the nearest is suggested), or it cannot be read.
pub fn find_report(library: &Library, name: &str) -> Result<Document, ReportError> {
    let path = Path::new(name);
    let ending = path.extension().and_then(|ending| ending.to_str());
    if ending == Some("sql") {
        return Document::of_query(library.find(name)?);
    }
    if ending == Some(ENDING) || name.contains(std::path::is_separator) {
        return read(&library.working().join(path));
    }
    let mut reports = by_name(library);
    if let Some(report) = reports.remove(name) {
        return report;
    }
    match library.find(name) {
        Err(ReportError::UnknownQuery { name, suggestion }) => {
            let known = reports.keys().map(String::as_str).chain(suggestion.as_deref());
            let suggestion = nearest(&name, known).map(str::to_owned);
            Err(ReportError::UnknownReport { name, suggestion })
        }
        query => Document::of_query(query?),
    }
}

fn by_name(library: &Library) -> BTreeMap<String, Result<Document, ReportError>> {
    let mut reports = BTreeMap::new();
    for directory in library.directories() {
        match paths(directory, ENDING) {
            Ok(paths) => {
                for path in paths {
                    reports.entry(stem(&path)).or_insert_with(|| read(&path));
                }
            }
            Err(error) => {
                reports.insert(directory.display().to_string(), Err(error));
            }
        }
    }
    for (name, text) in BUILT_IN {
        let report = || Document::parse(text, name, Origin::BuiltIn);
        reports.entry(name.to_owned()).or_insert_with(report);
    }
    reports
}

fn read(path: &Path) -> Result<Document, ReportError> {
    Document::parse(&read_text(path)?, &stem(path), Origin::File(path.to_owned()))
}
