//! The pages of a Parquet file, looked at before any of them is unpacked: a reader makes room for what their headers
//! state, and pages that repeat a little are much once they are decoded.

use std::fs::File;
use std::io::{BufRead, Read};

use bytesize::ByteSize;
use parquet::basic::Compression;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::reader::ChunkReader;

use super::limits::{Limits, begin};

/// A header is looked for in so many bytes, and where it is not whole there, in the most that one may have.
const LOOK: u64 = 512;
const LONGEST_HEADER: u64 = 16 << 20;
/// How many times its size a page can unpack to.
const DEFLATE: u64 = 1_032;
const LZ4: u64 = 255;
/// Bytes that are unpacked together.
const BROTLI_BUFFER: usize = 4_096;
/// The encoding in which each value may repeat the beginning of the one before it.
const DELTA_BYTE_ARRAY: i64 = 7;

/// The bytes at the end of a file that say how long its footer is.
const TAIL: usize = 8;

/// What of a page's header matters here.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Header {
    /// Bytes of the header itself.
    length: u64,
    unpacked: i64,
    packed: i64,
    /// Values of a dictionary page.
    dictionary: Option<i64>,
    /// Encoding of a data page.
    encoding: Option<i64>,
}

/// Looks at a file's footer before it is read: one that is too long for memory is refused.
pub(super) fn check_footer(file: &File, limits: &Limits) -> Result<(), String> {
    let length = file.metadata().map_err(|error| error.to_string())?.len();
    let Some(at) = length.checked_sub(TAIL as u64) else { return Err("it ends too early".to_owned()) };
    let tail = file.get_bytes(at, TAIL).map_err(|error| error.to_string())?;
    let stated = tail.first_chunk::<4>().map_or(0, |bytes| u64::from(u32::from_le_bytes(*bytes)));
    let shown = ByteSize(stated);
    if stated > at {
        return Err(format!("it states a footer of {shown}, and is not that long itself"));
    }
    if stated > limits.value as u64 {
        let most = ByteSize(limits.value as u64);
        return Err(format!("it has a footer of {shown}, more than the {most} that --max-value allows"));
    }
    Ok(())
}

/// Looks at all pages; returns how many rows may be decoded at once.
///
/// # Errors
/// When pages state sizes that cannot be, or the pages of a row group that are open at once take too much memory.
pub(super) fn check_pages(file: &File, metadata: &ParquetMetaData, limits: &Limits) -> Result<usize, String> {
    let mut rows = usize::MAX;
    for (number, group) in metadata.row_groups().iter().enumerate() {
        let mut open = 0_u64;
        for column in group.columns() {
            let place = || format!("row group {}, column {}", number + 1, begin(&column.column_path().string()));
            let found = look_at(file, column, limits).map_err(|reason| format!("{}: {reason}", place()))?;
            open = open.saturating_add(found.open);
            if let Some(fit) = (limits.value as u64).checked_div(found.repeating) {
                rows = rows.min(fit.max(1) as usize);
            }
        }
        if open > limits.memory as u64 {
            return Err(limits.too_large(&format!("row group {} has pages", number + 1), open));
        }
    }
    Ok(rows)
}

/// What there is to know of the pages of one column.
#[derive(Default)]
struct Found {
    /// Bytes of the dictionary and of the largest page.
    open: u64,
    /// Bytes of the largest page whose values may repeat each other.
    repeating: u64,
}

fn look_at(file: &File, column: &ColumnChunkMetaData, limits: &Limits) -> Result<Found, String> {
    let start = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
    let (start, length) = (u64::try_from(start), u64::try_from(column.compressed_size()));
    let (Ok(start), Ok(length)) = (start, length) else { return Err("it lies outside of the file".to_owned()) };
    let size = file.metadata().map_err(|error| error.to_string())?.len();
    let end = start.checked_add(length).filter(|end| *end <= size);
    let end = end.ok_or_else(|| "it lies outside of the file".to_owned())?;
    let (mut at, mut dictionary, mut largest, mut found) = (start, 0, 0, Found::default());
    while at < end {
        let header = header_at(file, at, end).ok_or_else(|| format!("a broken page header at byte {at}"))?;
        let (Ok(packed), Ok(unpacked)) = (u64::try_from(header.packed), u64::try_from(header.unpacked)) else {
            return Err(format!("a page of a negative size at byte {at}"));
        };
        let body = at + header.length;
        let next = body.checked_add(packed).filter(|next| *next <= end);
        let next = next.ok_or_else(|| format!("the page at byte {at} ends behind its column"))?;
        if packed.max(unpacked) > limits.memory as u64 {
            return Err(limits.too_large(&format!("a page at byte {at}"), packed.max(unpacked)));
        }
        // These codecs make room for what comes, not for what was stated.
        let most = match column.compression() {
            Compression::GZIP(_) => packed.saturating_mul(DEFLATE),
            Compression::LZ4 => packed.saturating_mul(LZ4),
            Compression::BROTLI(_) => u64::MAX,
            _ => 0,
        };
        if most > limits.memory as u64 {
            let packed = file.get_read(body).map_err(|error| error.to_string())?.take(packed);
            check_unpacked(column.compression(), packed, unpacked)
                .map_err(|reason| format!("the page at byte {at} {reason}"))?;
        }
        match header.dictionary {
            // Each value of a dictionary takes some bytes, and room is made for all.
            Some(values) if !(0..=header.unpacked.max(1)).contains(&values) => {
                return Err(format!("a dictionary of {values} values in {unpacked} bytes"));
            }
            Some(_) => dictionary = unpacked,
            None => largest = unpacked.saturating_add(packed).max(largest),
        }
        if header.encoding == Some(DELTA_BYTE_ARRAY) {
            found.repeating = unpacked.max(found.repeating);
        }
        at = next;
    }
    found.open = dictionary.saturating_add(largest);
    Ok(found)
}

/// Unpacks a page to see whether it is as long as stated. What is wrong with it otherwise, who reads it will say.
fn check_unpacked(codec: Compression, packed: impl BufRead, unpacked: u64) -> Result<(), String> {
    let unpacking: Box<dyn Read + '_> = match codec {
        Compression::BROTLI(_) => Box::new(brotli::Decompressor::new(packed, BROTLI_BUFFER)),
        // Pages in its other forms take no more room than stated.
        Compression::LZ4 => Box::new(lz4_flex::frame::FrameDecoder::new(packed)),
        _ => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
    };
    let mut counted = Counted { unpacking, bytes: 0 };
    let _ = std::io::copy(&mut counted.by_ref().take(unpacked.saturating_add(1)), &mut std::io::sink());
    if counted.bytes > unpacked { Err(format!("unpacks to more than the stated {unpacked} bytes")) } else { Ok(()) }
}

/// What was read, also before an error.
struct Counted<R> {
    unpacking: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let read = self.unpacking.read(to)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

fn header_at(file: &File, at: u64, end: u64) -> Option<Header> {
    let read = |most: u64| file.get_bytes(at, usize::try_from((end - at).min(most)).ok()?).ok();
    header(&read(LOOK)?).or_else(|| header(&read(LONGEST_HEADER)?))
}

/// Reads a header in Thrift's compact protocol.
fn header(bytes: &[u8]) -> Option<Header> {
    let mut thrift = Thrift { bytes, at: 0 };
    let mut header = Header::default();
    thrift.fields(0, &mut |path, value| match path {
        [2, 0] => header.unpacked = value,
        [3, 0] => header.packed = value,
        [7, 1] => header.dictionary = Some(value),
        [5, 2] | [8, 4] => header.encoding = Some(value),
        _ => {}
    })?;
    header.length = thrift.at as u64;
    Some(header)
}

struct Thrift<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Thrift<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn integer(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn skip(&mut self, bytes: u64) -> Option<()> {
        let to = self.at.checked_add(usize::try_from(bytes).ok()?)?;
        self.at = to;
        (to <= self.bytes.len()).then_some(())
    }

    /// Passes the fields of a struct; `seen` gets each integer with its field, or its struct's field and its own.
    fn fields(&mut self, outer: i64, seen: &mut dyn FnMut([i64; 2], i64)) -> Option<()> {
        let mut field = 0_i64;
        loop {
            let byte = self.byte()?;
            if byte == 0 {
                return Some(());
            }
            field = match byte >> 4 {
                0 => self.integer()?,
                delta => field + i64::from(delta),
            };
            let path = if outer == 0 { [field, 0] } else { [outer, field] };
            match byte & 0x0f {
                4..=6 => {
                    let value = self.integer()?;
                    seen(path, value);
                }
                // Structs lie two deep here, and what is read of them one deep.
                12 if outer == 0 => self.fields(field, seen)?,
                kind => self.value(kind, 0)?,
            }
        }
    }

    /// Passes a value of a kind.
    fn value(&mut self, kind: u8, depth: usize) -> Option<()> {
        if depth > 8 {
            return None;
        }
        match kind {
            1 | 2 => Some(()),
            3 => self.skip(1),
            4..=6 => self.varint().map(drop),
            7 => self.skip(8),
            8 => {
                let length = self.varint()?;
                self.skip(length)
            }
            9 | 10 => {
                let head = self.byte()?;
                let count = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
                for _ in 0..count {
                    match head & 0x0f {
                        1 | 2 => self.skip(1)?,
                        kind => self.value(kind, depth + 1)?,
                    }
                }
                Some(())
            }
            12 => loop {
                let byte = self.byte()?;
                if byte == 0 {
                    return Some(());
                }
                if byte >> 4 == 0 {
                    self.integer()?;
                }
                self.value(byte & 0x0f, depth + 1)?;
            },
            // Headers have no maps.
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read() {
        // A data page: type 0, 300 bytes, 20 packed, values 5, encoding 7, statistics with a text of two bytes.
        let page = [
            0x15, 0, 0x15, 0xd8, 0x04, 0x15, 40, 0x2c, 0x15, 10, 0x15, 14, 0x15, 6, 0x15, 6, 0x1c, 0x18, 2, 1, 1, 0, 0,
            0,
        ];
        let want = Header { length: 24, unpacked: 300, packed: 20, dictionary: None, encoding: Some(7) };
        assert_eq!(header(&page), Some(want));
        for end in 0..page.len() {
            assert_eq!(header(&page[..end]), None, "{end}");
        }
        // A dictionary page of nine values.
        let page = [0x15, 4, 0x15, 8, 0x15, 8, 0x4c, 0x15, 18, 0x15, 4, 0, 0, 0xff];
        let want = Header { length: 13, unpacked: 4, packed: 4, dictionary: Some(9), encoding: None };
        assert_eq!(header(&page), Some(want));
    }
}
