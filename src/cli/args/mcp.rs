//! What is typed to answer agents.

use std::num::NonZeroUsize;

use bytesize::ByteSize;
use clap::Args;

#[derive(Debug, Args)]
pub(in crate::cli) struct McpArguments {
    /// Rows of an answer, unless a call asks for another number (at most 1000)
    #[arg(long, value_name = "N", default_value = "50")]
    pub(in crate::cli) max_rows: NonZeroUsize,
    /// Characters after which a text in a row is cut, unless a call asks for another number
    #[arg(long, value_name = "N", default_value = "400")]
    pub(in crate::cli) max_cell: NonZeroUsize,
    /// Size of an answer at most
    #[arg(long, value_name = "SIZE", default_value = "24KiB", value_parser = answer_size)]
    pub(in crate::cli) max_bytes: ByteSize,
    /// Seconds that a call may take
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(in crate::cli) timeout: u64,
}

fn answer_size(text: &str) -> Result<ByteSize, String> {
    match text.parse::<ByteSize>() {
        Ok(size) if (1 << 10..=64 << 20).contains(&size.as_u64()) => Ok(size),
        Ok(_) => Err("an answer has from 1KiB to 64MiB".to_owned()),
        Err(_) => Err("write a size such as 24KiB".to_owned()),
    }
}
