//! Arrow IPC, file and stream alike, read front to back.
//!
//! An IPC file is a stream between a magic word and a footer, so both are read the same way and neither needs a
//! file that can be read at any place. Lengths written in the file are never trusted with an allocation: what is read
//! grows with what is there.

use std::io::{self, BufRead, Read};

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::root_as_message;

use super::limits::Limits;
use super::stream::Stream;
use crate::messages::{check_buffers, unpacked_bytes};

/// The word at both ends of an IPC file.
pub(super) const MAGIC: &[u8] = b"ARROW1";
/// What stands before each message's length.
pub(super) const CONTINUATION: [u8; 4] = [0xff; 4];
/// Room that is made at once, before any of it has been read.
const TRUSTED: usize = 16 << 20;

/// The batches of an IPC file or stream.
pub(super) struct Messages {
    stream: Stream,
    decoder: StreamDecoder,
    /// Whether this is a file, whose end can be told from a cut.
    framed: bool,
    ended: bool,
    limits: Limits,
}

impl Messages {
    pub(super) fn new(mut stream: Stream, limits: Limits) -> Result<Self, String> {
        let framed = stream.fill_buf().map_err(|e| e.to_string())?.starts_with(MAGIC);
        if framed {
            stream.consume(MAGIC.len());
            skip_padding(&mut stream).map_err(|e| e.to_string())?;
        }
        Ok(Self { stream, decoder: StreamDecoder::new(), framed, ended: false, limits })
    }

    /// The next batch; `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>, String> {
        while !self.ended {
            let Some(head) = self.message_head()? else {
                self.ended = true;
                self.check_end()?;
                break;
            };
            self.check_size("a message head", head.length as u64)?;
            let metadata = take(&mut self.stream, head.length)?;
            let message = root_as_message(&metadata).map_err(|error| format!("a broken message: {error}"))?;
            let length = usize::try_from(message.bodyLength()).map_err(|_| "a broken message length".to_owned())?;
            self.check_size("a message", length as u64)?;
            let body = take(&mut self.stream, length)?;
            check_buffers(&metadata, &body)?;
            self.check_size("an unpacked message", unpacked_bytes(&metadata, &body))?;
            for part in [head.bytes, metadata, body] {
                let mut part = Buffer::from_vec(part);
                if let Some(batch) = self.decoder.decode(&mut part).map_err(|error| error.to_string())? {
                    return Ok(Some(batch));
                }
            }
        }
        Ok(None)
    }

    fn check_size(&self, what: &str, bytes: u64) -> Result<(), String> {
        if bytes > self.limits.memory as u64 { Err(self.limits.too_large(what, bytes)) } else { Ok(()) }
    }

    /// The words before a message; `None` where the stream ends.
    fn message_head(&mut self) -> Result<Option<Head>, String> {
        let mut bytes = Vec::with_capacity(8);
        loop {
            let word = up_to(&mut self.stream, 4).map_err(|error| error.to_string())?;
            if word.is_empty() && bytes.is_empty() && !self.framed {
                return Ok(None);
            }
            let word: [u8; 4] = word.try_into().map_err(|_| "it ends too early".to_owned())?;
            let continued = word == CONTINUATION && bytes.is_empty();
            bytes.extend_from_slice(&word);
            if !continued {
                let length = u32::from_le_bytes(word) as usize;
                return Ok((length > 0).then_some(Head { bytes, length }));
            }
        }
    }

    /// After the last message of a file come its footer and the magic word again.
    fn check_end(&mut self) -> Result<(), String> {
        let mut tail = Vec::new();
        while self.framed {
            let chunk = self.stream.fill_buf().map_err(|error| error.to_string())?;
            if chunk.is_empty() {
                return if tail.ends_with(MAGIC) { Ok(()) } else { Err("it ends too early".to_owned()) };
            }
            let length = chunk.len();
            tail.extend_from_slice(chunk.get(length.saturating_sub(MAGIC.len())..).unwrap_or_default());
            tail.drain(..tail.len().saturating_sub(MAGIC.len()));
            self.stream.consume(length);
        }
        Ok(())
    }
}

struct Head {
    bytes: Vec<u8>,
    length: usize,
}

fn skip_padding(stream: &mut Stream) -> io::Result<()> {
    while stream.fill_buf()?.first() == Some(&0) {
        stream.consume(1);
    }
    Ok(())
}

/// Reads `length` bytes, or as many as there are.
fn up_to(stream: &mut Stream, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length.min(TRUSTED));
    stream.by_ref().take(length as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn take(stream: &mut Stream, length: usize) -> Result<Vec<u8>, String> {
    let bytes = up_to(stream, length).map_err(|error| error.to_string())?;
    if bytes.len() == length { Ok(bytes) } else { Err("it ends too early".to_owned()) }
}
