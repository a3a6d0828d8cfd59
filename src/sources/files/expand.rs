//! From what a person types to the files meant.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::error::FileError;

/// Endings by which a directory's files are picked, each also with a compression's ending after it.
pub(super) const ENDINGS: [&str; 15] = [
    "jsonl",
    "ndjson",
    "json",
    "csv",
    "tsv",
    "parquet",
    "pq",
    "arrow",
    "arrows",
    "ipc",
    "feather",
    "jsonlines",
    "otlp",
    "binpb",
    "pb",
];
/// Endings of compressed files.
pub(super) const PACKED: [&str; 4] = ["gz", "zst", "gzip", "zstd"];

/// One thing to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A file.
    Path {
        /// Where it is.
        path: PathBuf,
        /// Its size in bytes, compressed if it is; `None` for pipes.
        size: Option<u64>,
    },
    /// Standard input.
    Stdin,
}

impl Input {
    /// The size in bytes, where it is known.
    pub fn size(&self) -> Option<u64> {
        match self {
            Self::Path { size, .. } => *size,
            Self::Stdin => None,
        }
    }

    /// How messages name it.
    pub fn name(&self) -> String {
        match self {
            Self::Path { path, .. } => path.display().to_string(),
            Self::Stdin => "stdin".to_owned(),
        }
    }

    fn file(path: PathBuf) -> Result<Self, FileError> {
        let metadata = fs::metadata(&path).map_err(|source| io_error(&path, source))?;
        let size = metadata.is_file().then_some(metadata.len());
        Ok(Self::Path { path, size })
    }
}

fn io_error(path: &Path, source: std::io::Error) -> FileError {
    FileError::Io { file: path.display().to_string(), source }
}

/// Finds the files that `paths` mean, in the order given.
///
/// A path is `-` (standard input), a file, a directory (its files with a known ending, also in directories below it,
/// sorted by name, without hidden ones), or a glob pattern (what it matches, sorted by name).
///
/// # Errors
///
/// When a path means nothing at all; the message names it.
pub fn expand(paths: &[String]) -> Result<Vec<Input>, FileError> {
    let mut inputs = Vec::new();
    for given in paths {
        let path = Path::new(given);
        if given == "-" {
            inputs.push(Input::Stdin);
        } else if path.exists() {
            add(path, given, &mut inputs)?;
        } else {
            add_matches(given, &mut inputs)?;
        }
    }
    Ok(inputs)
}

fn add_matches(given: &str, inputs: &mut Vec<Input>) -> Result<(), FileError> {
    let missing = || FileError::Missing { path: given.to_owned() };
    if !given.contains(['*', '?', '[']) {
        return Err(missing());
    }
    let matches =
        glob::glob(given).map_err(|error| FileError::Pattern { path: given.to_owned(), reason: error.to_string() })?;
    let mut matched = Vec::new();
    for entry in matches {
        matched.push(entry.map_err(|error| {
            let path = error.path().to_owned();
            io_error(&path, error.into())
        })?);
    }
    // Only a dot that was typed matches one at the beginning of a name. The library's own option for this panics where
    // it meets a name that is not UTF-8.
    let dotted = given.split(std::path::is_separator).filter(|part| part.starts_with('.'));
    let dotted: Vec<glob::Pattern> = dotted.filter_map(|part| glob::Pattern::new(part).ok()).collect();
    matched.retain(|path| {
        path.iter().map(|name| name.to_string_lossy()).all(|name| {
            !name.starts_with('.') || name == "." || name == ".." || dotted.iter().any(|part| part.matches(&name))
        })
    });
    if matched.is_empty() {
        return Err(missing());
    }
    matched.sort();
    // A pattern means files: a pipe or a device that it meets by chance may have no end.
    let found = matched.len();
    matched.retain(|path| path.is_dir() || fs::metadata(path).map_or(true, |found| found.is_file()));
    if matched.is_empty() {
        let reason = format!("what it matches ({found}) is neither file nor folder");
        return Err(FileError::Format { file: given.to_owned(), reason });
    }
    matched.iter().try_for_each(|path| add(path, &path.display().to_string(), inputs))
}

fn add(path: &Path, given: &str, inputs: &mut Vec<Input>) -> Result<(), FileError> {
    if !path.is_dir() {
        inputs.push(Input::file(path.to_owned())?);
        return Ok(());
    }
    let before = inputs.len();
    add_directory(path, inputs)?;
    if inputs.len() == before {
        let endings = ENDINGS.map(|ending| format!(".{ending}")).join(", ");
        return Err(FileError::EmptyDirectory { path: given.to_owned(), endings });
    }
    Ok(())
}

fn add_directory(directory: &Path, inputs: &mut Vec<Input>) -> Result<(), FileError> {
    // A stack instead of recursion: directories can be nested deeper than a thread's stack.
    let mut todo = vec![directory.to_owned()];
    while let Some(path) = todo.pop() {
        if !path.is_dir() {
            inputs.push(Input::file(path)?);
            continue;
        }
        // The files of a store are not exports: they hold versions, and spans that are no more.
        if path.join("manifest").is_dir() && path.join("segments").is_dir() {
            continue;
        }
        let mut below = Vec::new();
        for entry in fs::read_dir(&path).map_err(|source| io_error(&path, source))? {
            let entry = entry.map_err(|source| io_error(&path, source))?;
            let kind = entry.file_type().map_err(|source| io_error(&entry.path(), source))?;
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            // Links to directories are not followed: they may lead in circles.
            if kind.is_dir() || (has_known_ending(&entry.path()) && entry.path().is_file()) {
                below.push(entry.path());
            }
        }
        // What Opik's exporter says of the project of the traces beside it.
        let named =
            |path: &Path, fits: &dyn Fn(&str) -> bool| path.file_name().and_then(OsStr::to_str).is_some_and(fits);
        if below.iter().any(|path| named(path, &|name| name.starts_with("trace_"))) {
            below.retain(|path| !named(path, &|name| name == "project.json"));
        }
        below.sort();
        todo.extend(below.into_iter().rev());
    }
    Ok(())
}

/// The ending that tells the format, below a compression's ending; lower case.
pub(super) fn ending(path: &Path) -> String {
    let lower = |path: &Path| path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let last = lower(path);
    if PACKED.contains(&&*last) { lower(&path.with_extension("")) } else { last }
}

fn has_known_ending(path: &Path) -> bool {
    ENDINGS.contains(&&*ending(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(paths: &[String]) -> Vec<String> {
        expand(paths).unwrap().iter().map(|input| input.name().rsplit('/').next().unwrap().to_owned()).collect()
    }

    #[test]
    fn files_directories_patterns_and_stdin() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        for name in ["b.jsonl", "a.csv.gz", "note.txt", ".hidden.json", "sub/d.parquet", "sub/.e.json", "sub.json"] {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "12345").unwrap();
        }
        fs::create_dir(root.join("empty")).unwrap();
        let path = |name: &str| root.join(name).display().to_string();
        assert_eq!(names(&[path("")]), ["a.csv.gz", "b.jsonl", "d.parquet", "sub.json"]);
        assert_eq!(
            names(&[path("note.txt"), "-".to_owned(), path("*.json*")]),
            ["note.txt", "stdin", "b.jsonl", "sub.json"]
        );
        assert_eq!(names(&[path("su*")]), ["d.parquet", "sub.json"]);
        assert_eq!(expand(&[path("b.jsonl")]).unwrap()[0].size(), Some(5));
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStrExt;
            fs::write(root.join(std::ffi::OsStr::from_bytes(b"odd\xff.json")), "12345").unwrap();
        }
        assert_eq!(names(&[path("*ub.json")]), ["sub.json"]);
        assert_eq!(names(&[path(".h*.json"), path("s*/*.parquet")]), [".hidden.json", "d.parquet"]);
        for (given, complaint) in
            [("nope.jsonl", "no such file"), ("*.xyz", "no such file"), ("empty", "no file in it ends in")]
        {
            let error = expand(&[path("b.jsonl"), path(given)]).unwrap_err().to_string();
            assert!(error.starts_with(&path(given)) && error.contains(complaint), "{error}");
        }
    }
}
