//! Values that several commands read in the same form.

use clap::builder::{PossibleValuesParser, TypedValueParser};

use spanql_sources::files;

/// The formats of files by their names.
pub(super) fn file_format() -> impl TypedValueParser<Value = files::Format> {
    PossibleValuesParser::new(["auto", "json", "jsonl", "csv", "parquet", "arrow", "otlp"]).map(|name| {
        match name.as_str() {
            "json" => files::Format::Json,
            "jsonl" => files::Format::Jsonl,
            "csv" => files::Format::Csv,
            "parquet" => files::Format::Parquet,
            "arrow" => files::Format::Arrow,
            "otlp" => files::Format::Otlp,
            _ => files::Format::Auto,
        }
    })
}

/// The size of the largest value that is read.
pub(super) fn max_value(text: &str) -> Result<usize, String> {
    let most = files::Limits::default().value;
    match text.parse::<bytesize::ByteSize>() {
        Ok(size) if (1..=most as u64).contains(&size.as_u64()) => Ok(size.as_u64() as usize),
        Ok(_) => Err("a value may have from 1 byte to 256MiB".to_owned()),
        Err(_) => Err("write a size such as 64MiB".to_owned()),
    }
}
