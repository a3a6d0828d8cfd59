//! The names of the result formats.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use super::Error;

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Boxes for people; fitted to a terminal if its width is known.
    Table,
    /// One array of flat objects.
    Json,
    /// One object a line.
    Jsonl,
    /// Comma-separated values with a header.
    Csv,
    /// Tab-separated values with a header.
    Tsv,
    /// A GitHub-flavoured Markdown table.
    Md,
    /// A Parquet file, zstd-compressed.
    Parquet,
    /// An Arrow IPC file.
    Arrow,
}

impl Format {
    /// The names that [`FromStr`] takes, in any case.
    pub const NAMES: [&str; 8] = ["table", "json", "jsonl", "csv", "tsv", "md", "parquet", "arrow"];

    const ALL: [Self; 8] =
        [Self::Table, Self::Json, Self::Jsonl, Self::Csv, Self::Tsv, Self::Md, Self::Parquet, Self::Arrow];

    /// The format that a file's ending asks for; `None` if the ending says nothing.
    pub fn from_path(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        match ending.as_str() {
            "txt" => Some(Self::Table),
            "ndjson" => Some(Self::Jsonl),
            "ipc" | "feather" => Some(Self::Arrow),
            "table" => None,
            other => other.parse().ok(),
        }
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .zip(Self::NAMES)
            .find(|(_, name)| name.eq_ignore_ascii_case(text))
            .map(|(format, _)| format)
            .ok_or_else(|| Error::UnknownFormat { given: text.to_owned() })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[*self as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for name in Format::NAMES {
            assert_eq!(name.parse::<Format>().unwrap().to_string(), name);
        }
        assert_eq!("JSONL".parse::<Format>().unwrap(), Format::Jsonl);
        assert_eq!(
            "xml".parse::<Format>().unwrap_err().to_string(),
            "unknown format 'xml': use one of table, json, jsonl, csv, tsv, md, parquet, arrow"
        );
    }

    #[test]
    fn endings() {
        let of = |name: &str| Format::from_path(Path::new(name));
        assert_eq!(of("a/b.JSON"), Some(Format::Json));
        assert_eq!(of("b.ndjson"), Some(Format::Jsonl));
        assert_eq!(of("b.x.csv"), Some(Format::Csv));
        assert_eq!(of("b.feather"), Some(Format::Arrow));
        assert_eq!(of("b.ipc"), Some(Format::Arrow));
        assert_eq!(of("b.txt"), Some(Format::Table));
        assert_eq!(of("b.table"), None);
        assert_eq!(of("json"), None);
        assert_eq!(of("b.gz"), None);
    }
}
