//! What the bytes of a file come in.

use std::io::BufRead;

/// The bytes of a file from its beginning, unpacked.
pub(super) type Stream = Box<dyn BufRead + Send>;
