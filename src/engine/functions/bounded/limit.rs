//! How much a call may make.

use datafusion::error::DataFusionError;

use crate::error::EngineError;

/// Bytes that a call may make in any case.
const LEAST: u64 = 8 << 20;
/// Bytes that a column of text can hold.
const MOST: u64 = i32::MAX as u64;

/// How much one call may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Limit {
    /// Bytes beyond what the arguments hold already.
    pub(super) added: u64,
    /// Bytes in all.
    pub(super) all: u64,
}

impl Limit {
    /// The limit of queries that share so much memory, in bytes.
    pub(crate) fn of_memory(memory: Option<usize>) -> Self {
        let memory = memory.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(u64::MAX);
        Self { added: (memory / 8).clamp(LEAST, MOST), all: (memory / 2).clamp(LEAST * 4, MOST) }
    }

    /// How many rows may be computed at once where each holds a constant of so many bytes.
    pub(crate) fn rows(self, constant: usize) -> usize {
        usize::try_from(self.added).unwrap_or(usize::MAX).checked_div(constant).unwrap_or(usize::MAX).max(1)
    }
}

/// The error of a call that would make too much.
pub(super) fn too_much(name: &str, bytes: u128, limit: u64) -> DataFusionError {
    EngineError::new("memory", format!("{name}() would make more than a query may hold at once"))
        .why(format!("{} of at most {}", size_in_words(bytes), size_in_words(u128::from(limit))))
        .help("ask for less, or raise --memory")
        .into()
}

fn size_in_words(bytes: u128) -> String {
    bytesize::ByteSize(u64::try_from(bytes).unwrap_or(u64::MAX)).to_string()
}
