//! Files that are written and not yet in their place.

use std::fs::File;

use bytes::Bytes;

/// A file that is written and not yet in its place.
#[derive(Debug)]
pub(crate) enum Content {
    Memory(Bytes),
    /// A temporary file, to be read from its beginning.
    Disk(File),
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Memory(bytes.into())
    }
}
