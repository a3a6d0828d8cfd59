//! What a file is, and a way into it: its format told by its content first, then by its name.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, IsTerminal, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytesize::ByteSize;

use super::error::FileError;
use super::expand::{Input, ending};
use super::ipc;
use super::limits::{Limits, Unpacked};
use super::otlp_file::Framing;
use super::stream::Stream;

/// The formats that files come in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// Told by the content, then by the name.
    #[default]
    Auto,
    /// A JSON list; a text that begins with an object is read as [`Format::Jsonl`].
    Json,
    /// JSON objects, one a line, or one after the other over several lines.
    Jsonl,
    /// Values between commas, semicolons, tabs or bars, with a header line.
    Csv,
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC, file or stream.
    Arrow,
    /// OTLP as protobuf.
    Otlp,
}

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Lines,
    List,
    Csv,
    Parquet,
    Arrow,
    Otlp,
}

/// An open file, ready to be read as what it is.
pub(super) enum Opened {
    Lines(Stream),
    List(Stream),
    Csv(Stream),
    Arrow(Stream),
    Otlp(Stream),
    Parquet(File),
}

/// A file is looked at this far: past any sensible run of blanks before the first bracket.
const HEAD: usize = 64 << 10;
const BUFFER: usize = 256 << 10;
const BOM: &[u8] = b"\xef\xbb\xbf";
/// How text in UTF-16 begins: with a byte order mark, or with a bracket of two bytes.
const UTF_16: [&[u8]; 4] = [b"\xff\xfe", b"\xfe\xff", b"{\0", b"[\0"];

/// Bytes of a Parquet stream that are copied into a temporary file.
const COPIED: u64 = 8 << 30;

/// What a path names, if that is nothing to read spans from: neither a file nor a pipe, a terminal or the empty device.
fn special(path: &Path) -> io::Result<Option<&'static str>> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = std::fs::metadata(path)?.file_type();
        if kind.is_socket() {
            return Ok(Some("a socket"));
        }
        if kind.is_block_device() {
            return Ok(Some("a block device"));
        }
        if kind.is_char_device() {
            let is_null = path.canonicalize().is_ok_and(|real| real == Path::new("/dev/null"));
            let fits = is_null || File::open(path)?.is_terminal();
            return Ok((!fits).then_some("a character device"));
        }
    }
    Ok(None)
}

/// Counts the bytes that are read from what is inside.
struct Counted<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Opens an input and finds out what it is; `read` counts its raw bytes as they are read.
pub(super) fn open(input: &Input, format: Format, limits: Limits, read: &Arc<AtomicU64>) -> Result<Opened, FileError> {
    let io_error = |source| FileError::Io { file: input.name(), source };
    let unfit = |reason| FileError::Format { file: input.name(), reason };
    let (raw, seekable): (Box<dyn Read + Send>, Option<File>) = match input {
        Input::Stdin => (Box::new(io::stdin()), None),
        Input::Path { path, .. } => {
            // Opening a socket fails, and opening a device may do something.
            if let Some(what) = special(path).map_err(io_error)? {
                return Err(unfit(format!("this is {what}, not a file")));
            }
            let file = File::open(path).map_err(io_error)?;
            let regular = file.metadata().map_err(io_error)?.is_file();
            let seekable = if regular { Some(file.try_clone().map_err(io_error)?) } else { None };
            (Box::new(file), seekable)
        }
    };
    // Of a stream nobody knows the size: what was read of it so far stands for it.
    let size: Box<dyn Fn() -> u64 + Send> = match input.size() {
        Some(size) => Box::new(move || size),
        None => {
            let read = Arc::clone(read);
            Box::new(move || read.load(Ordering::Relaxed))
        }
    };
    let raw = BufReader::with_capacity(BUFFER, Counted { inner: raw, read: Arc::clone(read) });
    let (head, stream) = look(raw).map_err(io_error)?;
    let packed = is_packed(&head);
    let (head, stream) = if packed {
        look(unpack(&head, stream, limits, size).map_err(io_error)?).map_err(io_error)?
    } else {
        (head, stream)
    };
    let path = match input {
        Input::Path { path, .. } => path.as_path(),
        Input::Stdin => Path::new(""),
    };
    let kind = detect(format, &head, &ending(path));
    let kind = kind.map_err(unfit)?;
    if kind == Kind::Parquet && !head.starts_with(PARQUET) {
        return Err(unfit("this is no Parquet file: it does not begin with PAR1".to_owned()));
    }
    let seekable = seekable.filter(|_| !packed);
    Ok(match kind {
        Kind::Lines => Opened::Lines(text(stream).map_err(io_error)?),
        Kind::List => Opened::List(text(stream).map_err(io_error)?),
        Kind::Csv => Opened::Csv(text(stream).map_err(io_error)?),
        Kind::Arrow => Opened::Arrow(stream),
        Kind::Otlp => Opened::Otlp(stream),
        Kind::Parquet => Opened::Parquet(whole(seekable, stream, read).map_err(io_error)?),
    })
}

/// The beginning of a stream, and the stream as if it had not been looked at.
fn look(mut reader: impl BufRead + Send + 'static) -> io::Result<(Vec<u8>, Stream)> {
    let mut head = Vec::new();
    let stream: Stream = match reader.by_ref().take(HEAD as u64).read_to_end(&mut head) {
        Ok(_) => Box::new(Cursor::new(head.clone()).chain(reader)),
        Err(error) if head.is_empty() => return Err(error),
        // The rows before the fault are good: it is told when they have been read.
        Err(error) => Box::new(Cursor::new(head.clone()).chain(BufReader::new(Failing(error)))),
    };
    Ok((head, stream))
}

/// A reader that only fails.
pub(super) struct Failing(pub(super) io::Error);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::new(self.0.kind(), self.0.to_string()))
    }
}

const PARQUET: &[u8] = b"PAR1";
const GZIP: &[u8] = b"\x1f\x8b";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";

fn is_packed(head: &[u8]) -> bool {
    head.starts_with(GZIP) || head.starts_with(ZSTD)
}

fn unpack(head: &[u8], stream: Stream, limits: Limits, size: Box<dyn Fn() -> u64 + Send>) -> io::Result<Stream> {
    let unpacked: Box<dyn Read + Send> = if head.starts_with(GZIP) {
        Box::new(flate2::bufread::MultiGzDecoder::new(stream))
    } else {
        Box::new(zstd::stream::read::Decoder::with_buffer(stream)?)
    };
    Ok(Box::new(BufReader::with_capacity(BUFFER, Unpacked::new(unpacked, limits, size))))
}

/// The stream without a byte order mark.
fn text(mut stream: Stream) -> io::Result<Stream> {
    if stream.fill_buf()?.starts_with(BOM) {
        stream.consume(BOM.len());
    }
    Ok(stream)
}

/// The whole file in one that can be read at any place: itself, or a temporary copy.
fn whole(seekable: Option<File>, mut stream: Stream, read: &Arc<AtomicU64>) -> io::Result<File> {
    let mut file = match seekable {
        Some(file) => {
            read.store(0, Ordering::Relaxed);
            file
        }
        None => {
            let mut copy = tempfile::tempfile()?;
            if io::copy(&mut stream.by_ref().take(COPIED), &mut copy)? == COPIED && !stream.fill_buf()?.is_empty() {
                let most = ByteSize(COPIED);
                let reason = format!("a Parquet stream of more than {most}: unpack or save it, and import the file");
                return Err(io::Error::other(reason));
            }
            copy
        }
    };
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

/// Whether text begins with plain letters of two bytes each, and no mark says so.
fn is_wide(head: &[u8]) -> bool {
    let Some(first) = head.get(..8) else { return false };
    let half = |from: usize, zeros: bool| first.iter().skip(from).step_by(2).all(|byte| (*byte == 0) == zeros);
    (half(0, true) && half(1, false)) || (half(0, false) && half(1, true))
}

/// Tells the format; the error says what was found and what to do.
fn detect(format: Format, head: &[u8], ending: &str) -> Result<Kind, String> {
    let content = head.strip_prefix(BOM).unwrap_or(head);
    let first = content.iter().find(|byte| !byte.is_ascii_whitespace());
    let json = if first == Some(&b'[') { Kind::List } else { Kind::Lines };
    let is_text = matches!(format, Format::Auto | Format::Json | Format::Jsonl | Format::Csv);
    // Zeros alone are no text of any kind.
    let marked = UTF_16.iter().any(|begin| head.starts_with(begin)) && head.get(2) != Some(&0);
    if is_text && (marked || is_wide(head)) {
        return Err("this is UTF-16 text (convert it to UTF-8, for example with iconv -f UTF-16 -t UTF-8)".to_owned());
    }
    match format {
        Format::Json => return Ok(json),
        Format::Jsonl => return Ok(Kind::Lines),
        Format::Csv => return Ok(Kind::Csv),
        Format::Parquet => return Ok(Kind::Parquet),
        Format::Arrow => return Ok(Kind::Arrow),
        Format::Otlp => return Ok(Kind::Otlp),
        Format::Auto => {}
    }
    if head.starts_with(PARQUET) {
        return Ok(Kind::Parquet);
    }
    if head.starts_with(ipc::MAGIC) || head.starts_with(&ipc::CONTINUATION) {
        return Ok(Kind::Arrow);
    }
    if matches!(first, Some(b'{' | b'[')) {
        return Ok(json);
    }
    if Framing::of(head).is_some() {
        return Ok(Kind::Otlp);
    }
    match ending {
        "csv" | "tsv" | "tab" | "psv" => return Ok(Kind::Csv),
        "jsonl" | "ndjson" | "jsonlines" | "json" => return Ok(Kind::Lines),
        "parquet" | "pq" => return Ok(Kind::Parquet),
        "arrow" | "arrows" | "ipc" | "feather" => return Ok(Kind::Arrow),
        "otlp" | "binpb" | "pb" => return Ok(Kind::Otlp),
        _ => {}
    }
    if first.is_none() {
        return Ok(Kind::Lines);
    }
    let header = content.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let header = String::from_utf8_lossy(header);
    let is_table = header.contains([',', ';', '\t', '|']);
    if is_table && ["trace_id", "span_id", "record_id"].iter().any(|id| header.contains(id)) {
        return Ok(Kind::Csv);
    }
    let looks = "neither JSON, CSV, Parquet, Arrow nor OTLP by its content or its name (name it with --format)";
    Err(format!("this is {looks}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_comes_before_the_name() {
        for (head, ending, want) in [
            (&b" \n\xef\xbb\xbf"[..], "jsonl", Ok(Kind::Lines)),
            (b"\xef\xbb\xbf\n [", "csv", Ok(Kind::List)),
            (b"{", "parquet", Ok(Kind::Lines)),
            (b"PAR1", "json", Ok(Kind::Parquet)),
            (b"ARROW1\0\0", "", Ok(Kind::Arrow)),
            (b"\xff\xff\xff\xff\x10", "parquet", Ok(Kind::Arrow)),
            (b"a,b\n", "csv", Ok(Kind::Csv)),
            (b"name,context.trace_id\n", "", Ok(Kind::Csv)),
            (b"name\tcontext.trace_id\n", "", Ok(Kind::Csv)),
            (b"a\tb\n", "tsv", Ok(Kind::Csv)),
            (b"", "", Ok(Kind::Lines)),
            (b"", "parquet", Ok(Kind::Parquet)),
            (b"\x0a\x04\x0a\x02\x0a\x00", "", Ok(Kind::Otlp)),
            (b"\x00\x00\x00\x06\x0a\x04\x0a\x02\x0a\x00", "jsonl", Ok(Kind::Otlp)),
            (b"\ncontext.trace_id", "csv", Ok(Kind::Csv)),
            (b"", "binpb", Ok(Kind::Otlp)),
            (b"hello", "", Err(())),
            (b"hello", "jsonl", Ok(Kind::Lines)),
        ] {
            assert_eq!(detect(Format::Auto, head, ending).map_err(|_| ()), want, "{head:?} {ending}");
        }
        assert_eq!(detect(Format::Json, b"[", ""), Ok(Kind::List));
        assert_eq!(detect(Format::Jsonl, b"[", ""), Ok(Kind::Lines));
        assert!(detect(Format::Auto, b"\xff\xfea\0", "").unwrap_err().contains("UTF-16"));
        assert!(detect(Format::Jsonl, b"{\0\"\0", "").unwrap_err().contains("UTF-16"));
        assert!(detect(Format::Auto, b"s\0p\0a\0n\0", "csv").unwrap_err().contains("UTF-16"));
        assert!(!detect(Format::Auto, b"{\0\0\0\0\0\0\0", "").is_err_and(|error| error.contains("UTF-16")));
        assert_eq!(detect(Format::Auto, b"{\0\0\0", ""), Ok(Kind::Lines));
    }
}
