//! A write buffer that rows are composed in.

use std::io::{self, Write};

/// Enough to make system calls rare; output beyond it is passed on.
const FULL: usize = 64 << 10;
/// A single huge row should not keep its memory for the rest of the result.
const KEEP: usize = 1 << 20;

/// Collects rows and passes them on in large pieces.
pub(super) struct Buffer<W> {
    inner: W,
    /// Bytes not yet passed on; encoders append here.
    pub(super) bytes: Vec<u8>,
}

impl<W: Write> Buffer<W> {
    pub(super) fn new(inner: W) -> Self {
        Self { inner, bytes: Vec::with_capacity(FULL + (FULL >> 2)) }
    }

    /// Called after each row: passes the bytes on when there are many.
    pub(super) fn row_done(&mut self) -> io::Result<()> {
        if self.bytes.len() >= FULL { self.pass_on() } else { Ok(()) }
    }

    /// Called after each batch, so that a reader sees rows as soon as they are known.
    pub(super) fn pass_on(&mut self) -> io::Result<()> {
        self.inner.write_all(&self.bytes)?;
        self.bytes.clear();
        self.bytes.shrink_to(KEEP);
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.pass_on()?;
        self.inner.flush()
    }
}
