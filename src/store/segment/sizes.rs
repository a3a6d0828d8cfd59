//! How much lies together in a segment, and from when on it is built again.

/// How much is in one piece.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// Rows after which a row group ends at the next trace.
    pub(crate) group_rows: usize,
    /// Bytes in memory after which a row group ends at the next trace.
    pub(crate) group_bytes: u64,
    /// A trace of more rows is cut into row groups of as many,
    pub(crate) huge_rows: usize,
    /// and one of more bytes in memory into row groups of as many.
    pub(crate) huge_bytes: u64,
    /// Bytes in memory of rows that are merged as a whole: more of them, which only large traces can be, are merged in
    /// pieces.
    pub(crate) whole_bytes: u64,
    /// Rows of a segment that is written anew as a whole when a commit touches any of its traces.
    pub(crate) fold_rows: u64,
    /// A segment is built again when a commit leaves less of its rows than all but one of so many.
    pub(crate) rebuild_share: u64,
}

/// Rows of a page: whoever reads one trace decompresses a page of each column.
pub(super) const PAGE_ROWS: usize = 4096;

/// Rows after which a row group ends at the next trace.
pub(super) const GROUP_ROWS: usize = 16 * 1024;

impl Default for Sizes {
    fn default() -> Self {
        Self {
            group_rows: GROUP_ROWS,
            group_bytes: 24 << 20,
            huge_rows: 64 * 1024,
            huge_bytes: 128 << 20,
            whole_bytes: 256 << 20,
            fold_rows: 512,
            rebuild_share: 4,
        }
    }
}
