//! How large what a file holds may be, and readers that end where it is larger.

use std::io::{self, Read};

use bytesize::ByteSize;

/// Unpacked bytes that every compressed file may come to, whatever its size.
const UNPACKED: u64 = 1 << 30;
/// Bytes of a row that is too long that are passed over in search of its end.
pub(super) const PASSED_OVER: u64 = 4 << 30;

/// How large what a file holds may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one value; a row may have twice as many.
    pub value: usize,
    /// How many times its own size a compressed file may unpack to, beyond one gibibyte.
    pub ratio: u64,
    /// Bytes of what can only be decoded together: the pages of a Parquet row group that are open at once, a message of
    /// Arrow IPC.
    pub memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { value: 256 << 20, ratio: 1_000, memory: 1 << 30 }
    }
}

impl Limits {
    /// The limits where so many bytes of memory may be used: a value of a quarter of them, at most 256 MiB.
    pub fn of_memory(bytes: usize) -> Self {
        let most = Self::default();
        Self { value: most.value.min(bytes / 4), memory: bytes, ..most }
    }

    /// Bytes of one row.
    pub(super) fn row(&self) -> usize {
        self.value.saturating_mul(2)
    }

    /// What is said of something that would have to be decoded together, and is too large for that.
    pub(super) fn too_large(&self, what: &str, bytes: u64) -> String {
        let (bytes, most) = (ByteSize(bytes), ByteSize(self.memory as u64));
        format!("{what} of {bytes}, which is more than the {most} that --memory allows")
    }

    /// What is said of a value that is too large.
    pub(super) fn large_value(&self, column: &str, bytes: u64) -> String {
        let (bytes, most) = (ByteSize(bytes), ByteSize(self.value as u64));
        format!("{}: a value of {bytes}, more than the {most} that --max-value allows", begin(column))
    }

    /// Bytes that a file of this size may unpack to.
    pub(super) fn unpacked(&self, size: u64) -> u64 {
        size.saturating_mul(self.ratio).max(UNPACKED)
    }

    /// What is said of a row that is too long.
    pub(super) fn long_row(&self) -> String {
        format!("a row of more than {}, twice what --max-value allows a value", ByteSize(self.row() as u64))
    }

    /// What is said of a file that unpacks to too much.
    pub(super) fn too_much(&self, size: u64) -> String {
        format!(
            "its {} unpack to more than {}: raise --max-ratio if that is right",
            ByteSize(size),
            ByteSize(self.unpacked(size))
        )
    }
}

/// Counts what is passed over of a row that is too long; an error where no end of it is in sight.
pub(super) fn pass_over(passed: &mut u64, bytes: usize) -> io::Result<()> {
    *passed += bytes as u64;
    if *passed > PASSED_OVER { Err(without_end()) } else { Ok(()) }
}

pub(super) fn without_end() -> io::Error {
    io::Error::other(format!("a row of more than {} without an end", ByteSize(PASSED_OVER)))
}

/// Unpacked bytes, which end in an error where they are too many for the packed ones.
pub(super) struct Unpacked<R> {
    inner: R,
    limits: Limits,
    /// The size of the packed file, or what was read of it so far.
    size: Box<dyn Fn() -> u64 + Send>,
    count: u64,
}

impl<R> Unpacked<R> {
    pub(super) fn new(inner: R, limits: Limits, size: Box<dyn Fn() -> u64 + Send>) -> Self {
        Self { inner, limits, size, count: 0 }
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.count += count as u64;
        if self.count > UNPACKED {
            let size = (self.size)();
            if self.count > self.limits.unpacked(size) {
                return Err(io::Error::other(self.limits.too_much(size)));
            }
        }
        Ok(count)
    }
}

/// The beginning of a name, for messages.
pub(super) fn begin(name: &str) -> String {
    const SHOWN: usize = 80;
    match name.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}
