//! Where saved queries are found: the working directory, the user's settings, and what is built in.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::error::ReportError;
use super::saved::{Origin, Saved, declared_name, stem};
use spanql_model::nearest::nearest;

/// Bytes of a file at most; the engine takes no longer SQL.
const LONGEST: u64 = 1 << 20;

/// The ending of the files.
const ENDING: &str = "sql";

macro_rules! built_in {
    ($($name:literal)*) => {
        /// The built-in queries by name, each with its text.
        const BUILT_IN: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../queries/", $name, ".sql")))),*];
    };
}

built_in! {
    "abandoned-sessions"
    "agent-loops"
    "agents-without-tools"
    "before-after"
    "broken-traces"
    "completeness"
    "cost-by-day"
    "cost-by-user"
    "costly-sessions"
    "duplicate-inputs"
    "empty-retrievals"
    "error-messages"
    "errors-by-model"
    "estimated-costs"
    "evaluation-agreement"
    "evaluations"
    "latency-by-kind"
    "longest-conversations"
    "low-scores"
    "missing_at_remote"
    "models"
    "prompt-versions"
    "prompts-with-secrets"
    "repeated-steps"
    "retrievals"
    "sample-traces"
    "secrets"
    "slow-starts"
    "slowest-steps"
    "slowest-traces"
    "time-by-kind"
    "tokens-by-day"
    "tokens-by-turn"
    "tool-errors"
    "tool-failures"
    "tool-retries"
    "traffic-by-hour"
    "users-by-experience"
}

/// The saved queries that can be run by name.
#[derive(Debug, Clone)]
pub struct Library {
    working: PathBuf,
    /// The directories that hold files, the one that hides the others first.
    directories: Vec<PathBuf>,
}

impl Library {
    /// Those of `working/queries`, of `config/spanql/queries`, and the built-in ones; an earlier one hides later ones of
    /// the same name. Nothing is read yet.
    pub fn of(working: &Path, config: Option<&Path>) -> Self {
        let own = config.map(|dir| dir.join("spanql").join("queries"));
        let directories = std::iter::once(working.join("queries")).chain(own).collect();
        Self { working: working.to_owned(), directories }
    }

    /// All queries, sorted by name. A file that cannot be read is an error in its place, and so are files of one directory
    /// that have the same name.
    pub fn list(&self) -> Vec<Result<Saved, ReportError>> {
        self.by_name().into_values().flatten().collect()
    }

    /// The query of that name; or the one in a file, when the name has a separator of paths in it or ends in `.sql`.
    ///
    /// # Errors
    ///
    /// When there is none (the nearest is suggested), or it cannot be read.
    pub fn find(&self, name: &str) -> Result<Saved, ReportError> {
        let path = Path::new(name);
        if name.contains(std::path::is_separator) || path.extension().is_some_and(|ending| ending == ENDING) {
            return read(&self.working.join(path));
        }
        let mut queries = self.by_name();
        let found = queries.remove(name).and_then(|found| found.into_iter().next());
        found.unwrap_or_else(|| {
            let suggestion = nearest(name, queries.keys().map(String::as_str)).map(str::to_owned);
            Err(ReportError::UnknownQuery { name: name.to_owned(), suggestion })
        })
    }

    /// Where names are looked up as files when they are paths.
    pub(super) fn working(&self) -> &Path {
        &self.working
    }

    /// The directories that hold files, the one that hides the others first.
    pub(super) fn directories(&self) -> &[PathBuf] {
        &self.directories
    }

    /// What there is of each name, in the nearest place that has any of it: the query, and behind it the files that
    /// cannot be read and would be called the same.
    fn by_name(&self) -> BTreeMap<String, Vec<Result<Saved, ReportError>>> {
        let mut queries = BTreeMap::new();
        for directory in &self.directories {
            for (name, found) in files(directory) {
                queries.entry(name).or_insert(found);
            }
        }
        for (name, text) in BUILT_IN {
            queries.entry((*name).to_owned()).or_insert_with(|| vec![Saved::parse(text, name, Origin::BuiltIn)]);
        }
        queries
    }
}

/// What there is of each name in a directory, as [`Library::by_name`] has it.
fn files(directory: &Path) -> BTreeMap<String, Vec<Result<Saved, ReportError>>> {
    let paths = match paths(directory, ENDING) {
        Ok(paths) => paths,
        Err(error) => return BTreeMap::from([(directory.display().to_string(), vec![Err(error)])]),
    };
    let mut good: BTreeMap<String, Vec<(PathBuf, Saved)>> = BTreeMap::new();
    let mut bad: BTreeMap<String, Vec<ReportError>> = BTreeMap::new();
    for path in paths {
        match read_named(&path) {
            (name, Ok(query)) => good.entry(name).or_default().push((path, query)),
            (name, Err(error)) => bad.entry(name).or_default().push(error),
        }
    }
    let mut found: BTreeMap<String, Vec<Result<Saved, ReportError>>> = BTreeMap::new();
    for (name, mut queries) in good {
        let query = match queries.len() {
            1 => queries.pop().map(|(_, query)| Ok(query)),
            _ => {
                let files = queries.into_iter().map(|(path, _)| path).collect();
                Some(Err(ReportError::Twice { name: name.clone(), files }))
            }
        };
        found.entry(name).or_default().extend(query);
    }
    for (name, errors) in bad {
        found.entry(name).or_default().extend(errors.into_iter().map(Err));
    }
    found
}

/// The query in a file, and what it is called; where it cannot be read, what it says that it is called, else the stem.
fn read_named(path: &Path) -> (String, Result<Saved, ReportError>) {
    let text = match read_text(path) {
        Ok(text) => text,
        Err(error) => return (stem(path), Err(error)),
    };
    let query = Saved::parse(&text, &stem(path), Origin::File(path.to_owned()));
    let name = query.as_ref().ok().map(|query| query.name.clone()).or_else(|| declared_name(&text));
    (name.unwrap_or_else(|| stem(path)), query)
}

/// The files of a directory with this ending, sorted; none if there is no such directory.
pub(super) fn paths(directory: &Path, ending: &str) -> Result<Vec<PathBuf>, ReportError> {
    let unreadable =
        |error: std::io::Error| ReportError::Unreadable { file: directory.to_owned(), reason: error.to_string() };
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<PathBuf>, _>>();
    let mut paths = paths.map_err(unreadable)?;
    let hidden = |path: &Path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    paths.retain(|path| path.extension().is_some_and(|found| found == ending) && !hidden(path) && !path.is_dir());
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<Saved, ReportError> {
    Saved::parse(&read_text(path)?, &stem(path), Origin::File(path.to_owned()))
}

/// The text of a file that holds a query or a report.
pub(super) fn read_text(path: &Path) -> Result<String, ReportError> {
    let wrong = |reason: String| ReportError::Unreadable { file: path.to_owned(), reason };
    let cannot = |error: std::io::Error| wrong(error.to_string());
    // A pipe would be waited for.
    if !path.metadata().map_err(cannot)?.is_file() {
        return Err(wrong("is no file".to_owned()));
    }
    let mut text = Vec::new();
    File::open(path).map_err(cannot)?.take(LONGEST + 1).read_to_end(&mut text).map_err(cannot)?;
    if text.len() as u64 > LONGEST {
        return Err(wrong("is longer than 1 MB, which is more than a query can be".to_owned()));
    }
    String::from_utf8(text).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        wrong(format!("line {} is not UTF-8", line + 1))
    })
}
